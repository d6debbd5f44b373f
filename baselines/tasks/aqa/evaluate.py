"""Scores predicted answers to the questions of a split, and formats the scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from baselines.core.intervals import RESAMPLES
from baselines.core.predictions import Prediction
from baselines.core.results import Scored
from baselines.tasks.aqa.answers import normalise_all
from baselines.tasks.aqa.metrics import evaluate
from baselines.tasks.aqa.questions import Questions
from baselines.tasks.aqa.results import AqaConfig, AqaHashes, AqaResults, markdown_head, markdown_row, terminal_table
from baselines.tasks.aqa.wrapping import spoken
from clear_gen.core.errors import CheckFailed

BOOTSTRAP_SEED = 0
FAILED, NO_TEXT, EMPTY, REASONING_ONLY, NOT_RECOGNISED = "failed", "null", "empty", "reasoning_only", "not_recognised"
MAX_CAUSE = 40  # characters


def score(questions: Questions, predictions: Sequence[Prediction], scored: Scored) -> AqaResults:
    """All scores; predictions must be in the order of the questions.

    Raises CheckFailed if no question was answered at all: every prediction is an error.
    """
    if failed := _failure_of_all(predictions):
        raise CheckFailed(f"{scored.model}: none of {len(predictions):,} questions was answered: {failed}")
    answers = normalised(questions, predictions)
    return AqaResults(
        config=AqaConfig(
            model=scored.model,
            data=scored.data,
            predictions=scored.predictions,
            domain=questions.domain.name,
            split=questions.split,
            limit=len(questions) if len(questions) < questions.n_original else None,
            request=scored.about.get("request"),
            bootstrap_seed=BOOTSTRAP_SEED,
            bootstrap_resamples=RESAMPLES,
        ),
        hashes=AqaHashes(questions=questions.sha256, predictions=scored.predictions_sha256),
        n_original=questions.n_original,
        unparseable=causes(predictions, answers),
        scores=evaluate(questions, answers, np.random.default_rng(BOOTSTRAP_SEED)),
    )


def normalised(questions: Questions, predictions: Sequence[Prediction]) -> list[str | None]:
    """The predicted texts normalised to answers; None where none is recognised."""
    texts = [one.values["answer"] for one in predictions]
    return normalise_all(texts, questions.question_type, questions.domain)


def causes(predictions: Sequence[Prediction], answers: Sequence[str | None]) -> dict[str, int]:
    """How many predictions without an answer there are, by cause, the most frequent first.

    The cause is the one that the predictor gave (an endpoint: ``refusal``, ``content_filter`` ...); else ``failed`` for
    an error, ``null`` for no text, ``empty`` or ``reasoning_only`` for a text without an answer part, and
    ``not_recognised`` for any other text.
    """
    found = [_cause(one.values) for one, answer in zip(predictions, answers, strict=True) if answer is None]
    return dict(sorted(Counter(found).items(), key=lambda pair: (-pair[1], pair[0])))


def _cause(values: Mapping[str, Any]) -> str:
    text: str | None = values["answer"]
    if values.get("cause"):
        return str(values["cause"])[:MAX_CAUSE]
    if values.get("error"):
        return FAILED
    if text is None:
        return NO_TEXT
    return NOT_RECOGNISED if spoken(text) else REASONING_ONLY if text.strip() else EMPTY


def _failure_of_all(predictions: Sequence[Prediction]) -> str | None:
    """The first error, if every prediction is one."""
    errors = [one.values.get("error") for one in predictions if one.values["answer"] is None]
    return errors[0] if errors and len(errors) == len(predictions) and all(errors) else None


def lines(files: Mapping[str, AqaResults]) -> list[str]:
    """The lines that the command prints: a table per file, then a Markdown table with a row per file."""
    printed: list[str] = []
    for name, file in files.items():
        types = list(file.scores.by_type)
        head = ["", f"{name}:", ""] if len(files) > 1 else []
        printed += [*head, *terminal_table(file), "", *markdown_head(types).splitlines(), markdown_row(file, types)]
    return printed
