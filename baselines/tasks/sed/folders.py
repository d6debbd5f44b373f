"""What a path given to a command holds: runs on mixtures, results on them, or what other commands are for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from baselines.tasks.sed.results import RESULTS, TASK, read_object
from clear_gen.core.errors import InputError

CONFIG = "config.yaml"
UNDER = "fold-*", "seed-*", "seed-*/fold-*"  # where clear-bench train puts several runs


def runs_in(folder: Path) -> list[Path]:
    """The runs on mixtures in a folder: itself, or those below it in the order of their numbers."""
    if (folder / CONFIG).is_file():
        return [folder] * _is_sed_run(folder)
    found = [path.parent for pattern in UNDER for path in folder.glob(f"{pattern}/{CONFIG}")]
    return _in_order(filter(_is_sed_run, found), folder)


def scored_in(folder: Path) -> list[Path]:
    """The folders of results on mixtures in a folder, itself or those below it: what evaluate wrote elsewhere."""
    name = RESULTS.format("*")
    found = {path.parent for at in ("", *UNDER) for path in folder.glob(str(Path(at, name))) if _is_sed_results(path)}
    return _in_order(found, folder)


def _in_order(folders: Iterable[Path], of: Path) -> list[Path]:
    return sorted(folders, key=lambda one: [*map(int, re.findall(r"\d+", name_in(one, of) if one != of else ""))])


def name_in(run: Path, folder: Path) -> str:
    """What a run is called among those of a folder, such as ``fold-1``, or its own name if it is the folder."""
    return run.name if run == folder else str(run.relative_to(folder))


def is_sed(path: Path) -> bool:
    """Whether a folder or a file is about mixtures; no if it cannot be told, so that another reader says what it is."""
    if not path.is_dir():
        return _is_sed_results(path)
    if runs_in(path):
        return True
    return not (path / CONFIG).is_file() and bool(scored_in(path))


def _is_sed_run(run: Path) -> bool:
    from baselines.core.run import task_of

    return task_of(run) == TASK


def _is_sed_results(path: Path) -> bool:
    try:
        return read_object(path).get("task") == TASK
    except InputError:
        return False
