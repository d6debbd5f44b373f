"""Locates runs, their datasets and their results: a folder holds one run or several, as ``clear-bench train`` makes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from baselines.core.results import RESULTS
from baselines.core.run import CONFIG, RunConfig
from clear_gen.core.errors import InputError

UNDER = "fold-*", "seed-*", "seed-*/fold-*"


def runs_in(folder: Path) -> list[Path]:
    """The runs in a folder: the folder itself, or those below it in the order of their numbers."""
    if (folder / CONFIG).is_file():
        return [folder]
    return _in_order((path.parent for pattern in UNDER for path in folder.glob(f"{pattern}/{CONFIG}")), folder)


def results_folders_in(folder: Path) -> list[Path]:
    """The folders with results files: the folder itself or those below it, as runs lie."""
    name = RESULTS.format("*")
    return _in_order({path.parent for at in ("", *UNDER) for path in folder.glob(str(Path(at, name)))}, folder)


def name_in(run: Path, folder: Path) -> str:
    """The name of a run relative to a folder, such as ``fold-1``, or its own name if it is the folder."""
    return run.name if run == folder else str(run.relative_to(folder))


def _in_order(folders: Iterable[Path], of: Path) -> list[Path]:
    return sorted(folders, key=lambda one: [*map(int, re.findall(r"\d+", name_in(one, of) if one != of else ""))])


def data_of(run: Path, config: RunConfig, data: Path | None) -> Path:
    """The folder of a run's dataset, or ``data`` if given. Raises InputError if the run's own has moved."""
    if data is None and not Path(config.data).is_dir():
        found = f"found {config.data!r}, no folder as seen from here"
        raise InputError(f"{run / CONFIG}: data: {found}; --data says where it is")
    return data or Path(config.data)


def results_name(config: RunConfig, folder: Path, split: str) -> str:
    """The name of results on a split; includes the name of the dataset in ``folder`` if it is not the run's own."""
    is_own = folder.resolve() == Path(config.data).resolve()
    return split if is_own else f"{folder.resolve().name}-{split}"
