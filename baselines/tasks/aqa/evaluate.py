"""Scoring a file of predictions: read, normalise, evaluate, write the results and their plots."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from baselines.core.intervals import RESAMPLES
from baselines.tasks.aqa.answers import normalise_all
from baselines.tasks.aqa.metrics import evaluate
from baselines.tasks.aqa.predictions import read_predictions
from baselines.tasks.aqa.questions import Questions, read_split
from baselines.tasks.aqa.results import (
    RESULTS,
    Config,
    Hashes,
    ResultsFile,
    markdown_head,
    markdown_row,
    results_json,
    terminal_table,
)
from clear_gen.core.files import sha256_file, write_text

BOOTSTRAP_SEED = 0
COLUMNS = "question_id", "question", "answer", "question_type", "scene", "n_relations", "scene_s"


def first_questions(questions: Questions, limit: int | None) -> Questions:
    """The first ``limit`` questions of a split, all if None."""
    if limit is None:
        return questions
    return replace(questions, **{name: getattr(questions, name)[:limit] for name in COLUMNS})


def evaluate_predictions(
    path: Path, folder: Path, split: str, out: Path, model: str | None = None, limit: int | None = None
) -> ResultsFile:
    """Score the predictions in ``path`` on a split of the dataset in ``folder``; nothing is written.

    ``out``: where the results are to lie, for the paths in them. ``model``: its name, the file's if None. ``limit``:
    the predictions cover only the first so many questions.

    Raises InputError if a file is not what it must be, CheckFailed if predictions and questions do not match.
    """
    whole = read_split(folder, split)
    questions = first_questions(whole, limit)
    texts = read_predictions(path, questions.question_id.tolist())
    answers = normalise_all(texts, questions.question_type, questions.domain)
    config = Config(
        model=model or path.stem,
        domain=questions.domain.name,
        split=split,
        data=os.path.relpath(folder, out),
        predictions=os.path.relpath(path, out),
        limit=limit,
        bootstrap_seed=BOOTSTRAP_SEED,
        bootstrap_resamples=RESAMPLES,
    )
    scores = evaluate(questions, answers, np.random.default_rng(BOOTSTRAP_SEED))
    hashes = Hashes(questions=questions.sha256, predictions=sha256_file(path))
    return ResultsFile(config=config, hashes=hashes, n_original=len(whole), scores=scores)


def save(file: ResultsFile, out: Path, name: str) -> list[Path]:
    """Write ``results-<name>.json`` and the plots into the folder ``out``; returns the paths.

    Without matplotlib there are no plots, and InputError says so after the results are written.
    """
    path = out / RESULTS.format(name)
    write_text(path, results_json(file))
    from baselines.tasks.aqa.figures import write_figures

    return [path, *write_figures(file, out, name)]


def lines(file: ResultsFile) -> list[str]:
    """What the command prints: a table and, to be pasted, a Markdown row under its head."""
    types = list(file.scores.by_type)
    return [*terminal_table(file), "", *markdown_head(types).splitlines(), markdown_row(file, types)]
