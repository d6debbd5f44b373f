"""Publishing a trained run on the Hub: weights and the files needed to use them, results, and a model card.

Configuration and results hold the dataset's path relative to the run; a path that leads out of the folder in which
the run was started is published as the dataset's name alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import yaml

from baselines.core.optim import Objective
from baselines.core.results import RESULTS, ResultsFile, read_object, read_results
from baselines.core.run import BEST, CONFIG, ENVIRONMENT, METRICS, RunConfig, read_config
from baselines.core.unfinished import interrupted, unfinished
from clear_gen import __version__
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file, write_text
from clear_gen.datasets.dataset import open_dataset
from clear_gen.store.card import cell
from clear_gen.store.layout import IDENTITY
from clear_gen.store.shipment import Shipment, check_inside

log = logging.getLogger(__name__)

CARD = "README.md"
TAKEN_ALONG = (ENVIRONMENT, METRICS)  # where they are
PATHS = ("data", "predictions")  # fields of results


class Publishable(Protocol):
    """What a model card and a shipment need from a task.

    ``tag``: on the Hub. ``usage``: commands that use the model. ``state_files``: files needed besides weights and
    configuration. ``objective``: the metric by which epochs are compared.
    """

    Config: type[RunConfig]
    objective: Objective
    Results: type[ResultsFile]
    tag: str
    usage: str
    state_files: Sequence[str]

    def card(self, file: Any) -> str:
        """The scores of a results file in Markdown."""
        ...


@contextmanager
def run_shipment(run: Path, task: Publishable) -> Iterator[Shipment]:
    """The files of a run to publish, with a generated model card unless the folder has one.

    Warns of an interrupted training and, where its dataset is still there, of recordings whose licence is unknown.
    Raises InputError naming the file that is missing or malformed, or a link out of the folder.
    """
    needed = (CONFIG, BEST, *task.state_files)
    if missing := [name for name in needed if not (run / name).is_file()]:
        expected = "a run whose training has written weights"
        raise InputError(f"{run / missing[0]}: not found, expected {expected} (clear-bench train)")
    results = sorted(run.glob(RESULTS.format("*")))
    names = [*needed, *(path.name for path in results)]
    names += [name for name in (CARD, *TAKEN_ALONG) if (run / name).is_file()]
    check_inside(run, names)
    config = read_config(run, task.Config)
    rewritten = _without_paths(run, config, results)
    with TemporaryDirectory(prefix="clear-bench-") as staged:
        folder = Path(staged)
        for name in names:
            if name in rewritten:
                write_text(folder / name, rewritten[name])
            else:
                (folder / name).symlink_to((run / name).resolve())
        if CARD not in names:
            write_text(folder / CARD, model_card(run, task, results))
        hashes = {name: sha256_file(folder / name) for name in sorted({CARD, *names})}
        for line in [*interrupted_lines(run, task, results), *_unlicensed(Path(config.data))]:
            log.warning("%s", line)
        yield Shipment(folder, "model", hashes, (CARD, *needed, *TAKEN_ALONG, RESULTS.format("*")))


def model_card(run: Path, task: Publishable, results: Sequence[Path]) -> str:
    """The text of a model card: model, training data, usage, and all results."""
    config = read_config(run, task.Config)
    front = {"tags": ["audio", task.tag, "clear-gen"]}
    on = f" on {cell(Path(config.data).name)}" if config.data else ""
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"# {cell(config.model)}\n\nTrained{on} by `clear-bench` {__version__}. Every choice is in `{CONFIG}`.",
    ]
    parts += [f"**{cell(line)}**" for line in interrupted_lines(run, task, results)]
    for path in results:
        name = path.stem.removeprefix(RESULTS.format("").removesuffix(".json"))
        parts.append(f"## Results: {cell(name)}\n\n{task.card(read_results(path, task.Results))}")
    usage = f"hf download USER/NAME --local-dir run\n{task.usage}"
    parts.append(f"## Use\n\n```\n{usage}\n```")
    return "\n\n".join(parts) + "\n"


def interrupted_lines(run: Path, task: Publishable, results: Sequence[Path]) -> list[str]:
    """The lines that say of a run, or of its results files, that training was interrupted."""
    epochs = unfinished(run, read_config(run, task.Config), task.objective)
    return interrupted(
        Path(run.name), epochs, [(path.name, read_results(path, task.Results).unfinished) for path in results]
    )


def _unlicensed(folder: Path) -> list[str]:
    """What is known of the training data's recordings without a licence; nothing if the dataset is elsewhere now."""
    if not (folder / IDENTITY).is_file():
        return []
    try:
        data = open_dataset(folder)
        return [f"trained on {line}" for line in data.kind.unlicensed(folder, data.manifest)]
    except InputError as error:
        return [f"{error}; the licences of what it was trained on are not known"]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, all columns but the first aligned to the right."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|---|{'---:|' * (len(head) - 1)}", *lines[1:]])


def _without_paths(run: Path, config: RunConfig, results: Sequence[Path]) -> dict[str, str]:
    """The rewritten texts, by name, of the files that contain a local dataset path."""
    texts = {}
    if _leads_out(config.data):
        kept = config.model_copy(update={"data": Path(config.data).name}).model_dump(exclude_unset=True)
        texts[CONFIG] = yaml.safe_dump(kept, sort_keys=False)
    for path in results:
        stored = read_object(path)
        scored = stored.get("config")
        if not isinstance(scored, dict):
            continue
        if shortened := {name: Path(str(scored[name])).name for name in PATHS if _leads_out(str(scored.get(name, "")))}:
            scored |= shortened
            texts[path.name] = json.dumps(stored, indent=1) + "\n"
    return texts


def _leads_out(path: str) -> bool:
    return Path(path).is_absolute() or ".." in Path(path).parts
