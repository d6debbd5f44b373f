"""Results files of all tasks, ``results-<name>.json``.

Every file holds ``task``, ``config`` (what was scored), ``hashes``, ``n_original`` and ``scores`` (all metrics); a task
adds its own fields and, where its metrics fit, the sections of EleutherAI's lm-evaluation-harness (``results``,
``group_subtasks``, ``versions``, ``n-samples``). Files hold no date: equal predictions give equal bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from clear_gen import __version__
from clear_gen.core.config import Strict
from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text, sha256_file, write_text
from clear_gen.core.rejected import first_wrong
from clear_gen.core.text import shown

RESULTS = "results-{}.json"
MAX_BYTES = 50_000_000
MAX_NAME = 1000


class ResultsConfig(Strict):
    """What was scored. ``data``, ``predictions``: paths relative to the folder of the results."""

    model: str = Field(max_length=MAX_NAME)
    data: str
    predictions: str


class Hashes(Strict):
    """SHA-256 of what was scored, hexadecimal. ``predictions``: of the file's bytes."""

    predictions: str


class ResultsFile(Strict):
    """Fields of every task's results; a task narrows their types. ``n_original``: items of the whole split.

    ``unfinished``: such as ``3 of 40 epochs`` where a run was scored whose training had been interrupted; else not
    written.
    """

    task: str
    config: ResultsConfig
    hashes: Hashes
    n_original: int = Field(ge=0)
    scores: Any
    unfinished: str | None = None

    def more(self) -> dict[str, Any]:
        """Sections derived from the others; written but not read back."""
        return {}


@dataclass(frozen=True)
class Scored:
    """Description of what was scored. ``about``: fields of a task's results that only the predictor knows."""

    model: str
    data: str
    predictions: str
    predictions_sha256: str
    about: Mapping[str, Any]


def scored_from(
    model: str, folder: Path, predictions: Path, out: Path, about: Mapping[str, Any] | None = None
) -> Scored:
    """Describe predictions about the dataset in ``folder``; paths become relative to the results folder ``out``."""
    paths = os.path.relpath(folder, out), os.path.relpath(predictions, out)
    return Scored(model, *paths, sha256_file(predictions), about or {})


R = TypeVar("R", bound=ResultsFile)


def results_json(file: ResultsFile) -> str:
    """The text of a results file."""
    fields = file.model_dump()
    if fields["unfinished"] is None:
        del fields["unfinished"]
    found = {"task": fields.pop("task"), **file.more(), **fields, "clear_gen_version": __version__}
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def write_results(file: ResultsFile, path: Path) -> None:
    """Write a results file, atomically."""
    write_text(path, results_json(file))


def read_results(path: Path, *schemas: type[R]) -> R:
    """Read and validate a results file of one of the given tasks.

    Raises InputError naming file, field, found and expected.
    """
    stored = read_object(path)
    by_task = {str(schema.model_fields["task"].default): schema for schema in schemas}
    task = stored.get("task")
    if "task" not in stored:
        raise InputError(f"{path}: task: found none, as clear-bench 0.1 wrote results; run clear-bench evaluate again")
    if not isinstance(task, str) or task not in by_task:
        raise InputError(f"{path}: task: found results of {shown(repr(task)[:60])}, expected {' or '.join(by_task)}")
    schema = by_task[task]
    fields = {name: stored[name] for name in schema.model_fields if name in stored}
    try:
        return schema.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        wrong = first_wrong(error, schema)
        raise InputError(f"{path}: {wrong.field}: {wrong}; clear-bench evaluate writes the file again") from None


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError if it holds none."""
    text = read_text(path, MAX_BYTES, "results as clear-bench evaluate writes them")
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({getattr(error, 'msg', 'too deep')})") from None
    if not isinstance(stored, dict):
        raise InputError(f"{path}: found {type(stored).__name__}, expected an object with config, hashes and scores")
    return stored
