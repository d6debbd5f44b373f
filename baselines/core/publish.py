"""What of a trained run goes to the Hub: weights and what is needed to ask them, results, and a model card.

Configuration and results say where the dataset lay, seen from here; a path that leads out of the folder in which the
run was begun is shipped as the dataset's name alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from baselines.tasks.aqa.results import RESULTS
from baselines.tasks.sed.results import TASK as SED
from baselines.tasks.sed.results import clip_figures, four, read_object, read_sed_results, time_figures
from clear_gen import __version__
from clear_gen.core.config import load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file, write_text
from clear_gen.datasets.scenes.card import cell
from clear_gen.store.shipment import Shipment, check_inside

CARD, CONFIG = "README.md", "config.yaml"
NEEDED = (CONFIG, "features.json", "model.safetensors")
TAKEN_ALONG = ("environment.json", "metrics.jsonl", "tokenizer.json")  # where they are
OWNED = (CARD, *NEEDED, *TAKEN_ALONG, RESULTS.format("*"))
TAGS = {"aqa": "acoustic-question-answering", SED: "sound-event-detection"}


class _Config(BaseModel):
    """What a card says of a run's configuration, whatever the task."""

    model_config = ConfigDict(extra="allow")
    task: str = "aqa"
    model: str
    data: str = ""


@contextmanager
def run_shipment(run: Path) -> Iterator[Shipment]:
    """What to ship of a run, with a model card unless there is one in the folder.

    Raises InputError naming the file that is missing or malformed, or a link out of the folder.
    """
    if missing := [name for name in NEEDED if not (run / name).is_file()]:
        expected = "a run whose training has written weights"
        raise InputError(f"{run / missing[0]}: not found, expected {expected} (clear-bench train)")
    results = sorted(run.glob(RESULTS.format("*")))
    names = [*NEEDED, *(path.name for path in results)]
    names += [name for name in (CARD, *TAKEN_ALONG) if (run / name).is_file()]
    check_inside(run, names)
    rewritten = _without_paths(run, results)
    with TemporaryDirectory(prefix="clear-bench-") as staged:
        folder = Path(staged)
        for name in names:
            if name in rewritten:
                write_text(folder / name, rewritten[name])
            else:
                (folder / name).symlink_to((run / name).resolve())
        if CARD not in names:
            write_text(folder / CARD, model_card(run, results))
        hashes = {name: sha256_file(folder / name) for name in sorted({CARD, *names})}
        yield Shipment(folder, "model", hashes, OWNED)


def model_card(run: Path, results: list[Path]) -> str:
    """The text of a model card: what was trained on what, how to ask it, and all results per task."""
    config = load_yaml(run / CONFIG, _Config)
    front = {"tags": ["audio", TAGS.get(config.task, config.task), "clear-gen"]}
    on = f" on {cell(Path(config.data).name)}" if config.data else ""
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"# {cell(config.model)}\n\nTrained{on} by `clear-bench` {__version__}. Every choice is in `{CONFIG}`.",
        *(_results(path) for path in results),
        f"## Use\n\n```\nhf download USER/NAME --local-dir run\n{USE.get(config.task, EVALUATE)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


EVALUATE = "clear-bench evaluate run --data DATASET"
USE = {"aqa": f'clear-bench predict run --audio scene.flac --question "How many violins are there?"\n{EVALUATE}'}


def _without_paths(run: Path, results: list[Path]) -> dict[str, str]:
    """The new texts, by name, of the files that say where on this machine the dataset lay."""
    texts = {}
    config = load_yaml(run / CONFIG, _Config)
    if _leads_out(config.data):
        kept = config.model_copy(update={"data": Path(config.data).name}).model_dump(exclude_unset=True)
        texts[CONFIG] = yaml.safe_dump(kept, sort_keys=False)
    for path in results:
        stored = read_object(path)
        scored = stored.get("config")
        if not isinstance(scored, dict):
            continue
        if shortened := {name: Path(str(scored[name])).name for name in LYING if _leads_out(str(scored.get(name, "")))}:
            scored |= shortened
            texts[path.name] = json.dumps(stored, indent=1) + "\n"
    return texts


LYING = ("data", "predictions")  # fields of results that are paths


def _leads_out(path: str) -> bool:
    return Path(path).is_absolute() or ".." in Path(path).parts


def _results(path: Path) -> str:
    """A section of the card: the scores of a results file."""
    stored = read_object(path)
    split = path.stem.removeprefix(RESULTS.format("").removesuffix(".json"))
    found = _sed_tables(path) if stored.get("task") == SED else _harness_table(path, stored)
    return f"## Results: {cell(split)}\n\n{found}"


def _harness_table(path: Path, stored: dict[str, Any]) -> str:
    """A table of the section ``results`` of a results file, one row per task, as the harness has them."""
    try:
        rows = {str(task): _numbers(scores) for task, scores in stored["results"].items()}
    except (LookupError, TypeError, AttributeError, OverflowError):
        raise InputError(
            f"{path}: results: found no scores by task, expected them as clear-bench evaluate writes them"
        ) from None
    columns = list(dict.fromkeys(name for scores in rows.values() for name in scores))
    cells = [
        [task, *(f"{scores[name]:.4g}" if name in scores else "" for name in columns)] for task, scores in rows.items()
    ]
    return _table(["task", *columns], cells)


def _sed_tables(path: Path) -> str:
    """Scores on a fold of mixtures: what was chosen on which clips, all figures, and those of each class by clip."""
    file = read_sed_results(path)
    clip, figures = file.scores.clip, {**clip_figures(file.scores), **time_figures(file.scores)}
    by_class = [
        [label, f"{one.n_clips:,}", four(one.ap), four(one.auc), four(one.f1)] for label, one in clip.by_class.items()
    ]
    parts = [
        f"{clip.n_clips:,} clips of fold {file.config.test}; {file.note}.",
        _table(["score", "value"], [[name, four(value)] for name, value in figures.items()]),
        _table(["class", "clips", "AP", "AUC", "F1"], by_class),
    ]
    return "\n\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, all columns but the first aligned to the right."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|---|{'---:|' * (len(head) - 1)}", *lines[1:]])


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    """The scores among the fields of a task, ``acc,none`` being called acc."""
    return {
        name.removesuffix(",none"): float(value)
        for name, value in scores.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
