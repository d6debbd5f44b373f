"""What of a trained run goes to the Hub: weights and what is needed to ask them, results, and a model card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic import BaseModel

from baselines.results import MAX_BYTES, RESULTS
from clear_gen import __version__
from clear_gen.config import load_yaml, read_text, shown
from clear_gen.dataset.hub import Shipment
from clear_gen.io import InputError, sha256_file, write_text

CARD, CONFIG = "README.md", "config.yaml"
NEEDED = (CONFIG, "features.json", "model.safetensors")
TAKEN_ALONG = ("environment.json", "metrics.jsonl", "tokenizer.json")  # where they are
OWNED = (CARD, *NEEDED, *TAKEN_ALONG, RESULTS.format("*"))
TAGS = {"aqa": "acoustic-question-answering", "sed": "sound-event-detection"}


class _Config(BaseModel):
    """What a card says of a run's configuration, whatever the task."""

    task: str = "aqa"
    model: str
    data: str = ""


@contextmanager
def run_shipment(run: Path) -> Iterator[Shipment]:
    """What to ship of a run, with a model card unless there is one in the folder.

    Raises InputError naming the file that is missing or malformed.
    """
    if missing := [name for name in NEEDED if not (run / name).is_file()]:
        expected = "a run whose training has written weights"
        raise InputError(f"{run / missing[0]}: not found, expected {expected} (clear-bench train)")
    results = sorted(run.glob(RESULTS.format("*")))
    names = [*NEEDED, *(path.name for path in results)]
    names += [name for name in (CARD, *TAKEN_ALONG) if (run / name).is_file()]
    with TemporaryDirectory(prefix="clear-bench-") as staged:
        folder = Path(staged)
        for name in names:
            (folder / name).symlink_to((run / name).resolve())
        if CARD not in names:
            write_text(folder / CARD, model_card(run, results))
        hashes = {name: sha256_file(folder / name) for name in sorted({CARD, *names})}
        yield Shipment(folder, "model", hashes, OWNED)


def model_card(run: Path, results: list[Path]) -> str:
    """The text of a model card: what was trained on what, how to ask it, and all results per task."""
    config = load_yaml(run / CONFIG, _Config)
    front = {"tags": ["audio", TAGS.get(config.task, config.task), "clear-gen"]}
    on = f" on {shown(Path(config.data).name)}" if config.data else ""
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"# {shown(config.model)}\n\nTrained{on} by `clear-bench` {__version__}. Every choice is in `{CONFIG}`.",
        *(_results(path) for path in results),
        f"## Use\n\n```\nhf download USER/NAME --local-dir run\n{USE.get(config.task, EVALUATE)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


EVALUATE = "clear-bench evaluate run --data DATASET"
USE = {"aqa": f'clear-bench predict run --audio scene.flac --question "How many violins are there?"\n{EVALUATE}'}


def _results(path: Path) -> str:
    """A table of the section ``results`` of a results file, one row per task, as the harness has them."""
    try:
        stored = json.loads(read_text(path, MAX_BYTES, "results as clear-bench evaluate writes them"))
        rows = {str(task): _numbers(scores) for task, scores in stored["results"].items()}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise InputError(
            f"{path}: results: found no scores by task, expected them as clear-bench evaluate writes them"
        ) from None
    columns = list(dict.fromkeys(name for scores in rows.values() for name in scores))
    lines = [f"| task | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for task, scores in rows.items():
        cells = [f"{scores[name]:.4g}" if name in scores else "" for name in columns]
        lines.append(f"| {shown(task)} | {' | '.join(cells)} |")
    split = path.stem.removeprefix(RESULTS.format("").removesuffix(".json"))
    return f"## Results: {shown(split)}\n\n" + "\n".join(lines)


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    """The scores among the fields of a task, ``acc,none`` being called acc."""
    return {
        name.removesuffix(",none"): float(value)
        for name, value in scores.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
