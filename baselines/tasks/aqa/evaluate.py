"""Scores predicted answers to the questions of a split, and formats the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from baselines.core.intervals import RESAMPLES
from baselines.core.predictions import Prediction
from baselines.core.results import Scored
from baselines.tasks.aqa.answers import normalise_all
from baselines.tasks.aqa.metrics import evaluate
from baselines.tasks.aqa.questions import Questions
from baselines.tasks.aqa.results import AqaConfig, AqaHashes, AqaResults, markdown_head, markdown_row, terminal_table

BOOTSTRAP_SEED = 0


def score(questions: Questions, predictions: Sequence[Prediction], scored: Scored) -> AqaResults:
    """All scores; predictions must be in the order of the questions."""
    answers = normalised(questions, predictions)
    return AqaResults(
        config=AqaConfig(
            model=scored.model,
            data=scored.data,
            predictions=scored.predictions,
            domain=questions.domain.name,
            split=questions.split,
            limit=len(questions) if len(questions) < questions.n_original else None,
            bootstrap_seed=BOOTSTRAP_SEED,
            bootstrap_resamples=RESAMPLES,
        ),
        hashes=AqaHashes(questions=questions.sha256, predictions=scored.predictions_sha256),
        n_original=questions.n_original,
        scores=evaluate(questions, answers, np.random.default_rng(BOOTSTRAP_SEED)),
    )


def normalised(questions: Questions, predictions: Sequence[Prediction]) -> list[str | None]:
    """The predicted texts normalised to answers; None where none is recognised."""
    texts = [one.values["answer"] for one in predictions]
    return normalise_all(texts, questions.question_type, questions.domain)


def lines(files: Mapping[str, AqaResults]) -> list[str]:
    """The lines that the command prints: a table per file, then a Markdown table with a row per file."""
    printed: list[str] = []
    for name, file in files.items():
        types = list(file.scores.by_type)
        head = ["", f"{name}:", ""] if len(files) > 1 else []
        printed += [*head, *terminal_table(file), "", *markdown_head(types).splitlines(), markdown_row(file, types)]
    return printed
