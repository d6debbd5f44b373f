"""Results as a file, in the manner of EleutherAI's lm-evaluation-harness, and as rows of tables.

``results-<split>.json`` holds ``results`` (per task ``acc,none`` and ``acc_stderr,none``; one task over all, one per
question type), ``group_subtasks``, ``versions``, ``n-samples``, ``config`` and ``hashes`` as the harness has them, and
``scores``, everything that was computed. There is no date in it: the same predictions give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import sqrt
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from baselines.tasks.aqa.metrics import Results, Score
from baselines.tasks.aqa.published import TABLE_3, share_of_type
from clear_gen import __version__
from clear_gen.core.config import Strict, first_wrong
from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text
from clear_gen.core.text import shown, table

TASK_VERSION = 1  # rises when the same predictions would get another score
MAX_BYTES = 20_000_000
OVERALL = "all"
RESULTS = "results-{}.json"


class Config(Strict):
    """What was scored. ``data`` and ``predictions``: paths relative to the folder of the results.

    ``limit``: only the first so many questions of the split. ``bootstrap_seed``, ``bootstrap_resamples``: of the
    interval over all questions.
    """

    model: str = Field(max_length=1000)
    domain: str
    split: str
    data: str
    predictions: str
    limit: int | None = None
    bootstrap_seed: int
    bootstrap_resamples: int


class Hashes(Strict):
    """SHA-256 of what was scored: ``questions`` as in the dataset's clear.json, ``predictions`` of the file's bytes."""

    questions: str
    predictions: str


class ResultsFile(Strict):
    """A results file. ``n_original``: questions of the split; ``scores.overall.n`` of them were asked."""

    config: Config
    hashes: Hashes
    n_original: int = Field(ge=0)
    scores: Results

    @model_validator(mode="after")
    def _square(self) -> Self:
        for name, of in self.scores.confusion.items():
            if len(of.counts) != len(of.answers) or any(len(row) != len(of.answers) + 1 for row in of.counts):
                raise ValueError(f"a count for every pair of answers in confusion of {name}")
        return self

    @property
    def task(self) -> str:
        """The name of the task over all questions; those of the types are made from it."""
        return f"aqa_{self.config.domain}"


def results_json(file: ResultsFile) -> str:
    """The text of a results file."""
    tasks = {file.task: (file.scores.overall, file.scores.error)}
    for name, score in file.scores.by_type.items():
        tasks[f"{file.task}_{name}"] = score, sqrt(score.accuracy * (1 - score.accuracy) / score.n)
    subtasks = [name for name in tasks if name != file.task]
    samples = {name: {"original": score.n, "effective": score.n} for name, (score, _) in tasks.items()}
    samples[file.task]["original"] = file.n_original
    found = {
        "results": {name: _harness(name, score, error) for name, (score, error) in tasks.items()},
        "group_subtasks": {file.task: subtasks},
        "versions": dict.fromkeys(tasks, TASK_VERSION),
        "n-samples": samples,
        "config": file.config.model_dump(),
        "hashes": file.hashes.model_dump(),
        "clear_gen_version": __version__,
        "scores": asdict(file.scores),
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def _harness(name: str, score: Score, error: float) -> dict[str, Any]:
    return {
        "alias": name,
        "acc,none": score.accuracy,
        "acc_stderr,none": error,
        "acc_low,none": score.low,
        "acc_high,none": score.high,
        "unparseable,none": score.unparseable,
    }


def read_results(path: Path) -> ResultsFile:
    """A results file, checked. Raises InputError naming file, field, found and expected."""
    text = read_text(path, MAX_BYTES, "results as clear-bench evaluate writes them")
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({getattr(error, 'msg', 'too deep')})") from None
    if not isinstance(stored, dict):
        raise InputError(f"{path}: found {type(stored).__name__}, expected an object with config, hashes and scores")
    fields = {name: stored[name] for name in ("config", "hashes", "scores") if name in stored}
    samples, config = stored.get("n-samples"), stored.get("config")
    task = f"aqa_{config.get('domain')}" if isinstance(config, dict) else ""
    original = samples.get(task) if isinstance(samples, dict) else None
    if isinstance(original, dict) and "original" in original:
        fields["n_original"] = original["original"]
    try:
        return ResultsFile.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        wrong = first_wrong(error)
        raise InputError(f"{path}: {wrong.field.replace('n_original', 'n-samples')}: {wrong}") from None


# --- rows of tables ---------------------------------------------------------------------------------------------------


def markdown_head(question_types: Sequence[str]) -> str:
    """The head of a Markdown table of results."""
    return f"| model | overall | {' | '.join(question_types)} |\n|---|---:|{'---:|' * len(question_types)}"


def markdown_row(file: ResultsFile, question_types: Sequence[str]) -> str:
    """A row of a Markdown table in per cent: over all, ± half the width of its interval, and per type."""
    overall = file.scores.overall
    half = (overall.high - overall.low) / 2
    scores = [file.scores.by_type.get(name) for name in question_types]
    cells = [percent(score.accuracy) if score else "" for score in scores]
    name = shown(file.config.model).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return f"| {name} | {percent(overall.accuracy)} ±{percent(half)} | {' | '.join(cells)} |"


def terminal_table(file: ResultsFile) -> list[str]:
    """All scores but those per answer as aligned lines, with the paper's beside them if it has the model."""
    published = TABLE_3.get(file.config.model)
    scores = file.scores
    head = ["", "questions", "right %", "95 %", "unparseable", *["paper %"] * (published is not None)]
    rows: list[list[str]] = []
    for name, score in {**scores.by_type, OVERALL: scores.overall}.items():
        paper = share_of_type(published, None if name == OVERALL else name)
        rows.append([*_cells(in_words(name), score), *[percent(paper)] * (published is not None)])
    lines = table([head, *rows])
    groups = {"relations": scores.by_relations, "dry scene, s": scores.by_length}
    for title, group in groups.items():
        below = [[title, *head[1:5]], *(_cells(name, score) for name, score in group.items())]
        lines += ["", *table(below)]
    return [line.rstrip() for line in lines]


def _cells(name: str, score: Score) -> list[str]:
    return [shown(name), f"{score.n:,}", percent(score.accuracy), interval(score), f"{score.unparseable:,}"]


def interval(score: Score) -> str:
    """An interval in per cent."""
    return f"{percent(score.low)}-{percent(score.high)}"


def percent(share: float | None) -> str:
    """A fraction in per cent, or nothing."""
    return "" if share is None else f"{100 * share:.1f}"


def in_words(name: str) -> str:
    """The name of a question type for people."""
    return name.replace("_", " ")
