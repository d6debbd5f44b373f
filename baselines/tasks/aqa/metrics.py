"""Scores of acoustic question answering: the share of correct answers, over all questions and by group.

Goal: NAAQA's accuracy, with intervals, by question type, number of relations, length of the scene and correct answer.

Conventions: a prediction is correct if it equals the question's answer. A prediction of None (no answer could be read,
see ``baselines.tasks.aqa.answers``) is wrong, and is also counted as unparseable; an answer of the dataset that
questions of this type cannot have is wrong, and is also counted as of the wrong type. Shares are fractions 0..1.
Intervals cover 95 %: from a bootstrap by scene over all questions, Wilson's within a group.

References: J. Abdelnour, J. Rouat, G. Salvi, "NAAQA: A Neural Architecture for Acoustic Question Answering", TPAMI
2023, Table 3 (per type) and Figure 4 (per number of relations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from baselines.core.fields import Count, Share
from baselines.core.intervals import bootstrap_share, bootstrap_weighted_share, wilson
from baselines.tasks.aqa.questions import Questions
from clear_gen.core.errors import InputError
from clear_gen.questions.generation.type_shares import published_shares
from clear_gen.questions.language.vocabulary import answers, answers_of_type

MAX_BINS = 10
BIN_WIDTHS_S = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Score:
    """Correct (``right``), unparseable and wrong-type answers among ``n``; the share of correct ones lies in
    ``low``..``high``."""

    n: Annotated[int, Field(ge=1)]
    right: Count
    unparseable: Count
    wrong_type: Count
    accuracy: Share
    low: Share
    high: Share


@dataclass(frozen=True)
class Confusion:
    """``counts[i][j]``: questions with answer i that were answered j; after the last answer j, of the wrong type, then
    unparseable."""

    answers: list[str]
    counts: list[list[Count]]


@dataclass(frozen=True)
class Weighted:
    """Accuracy over all questions, the types weighted with their shares in the published dataset ``like``.

    ``missing``: types of that dataset of which there is no question; the others' weights take their place. ``error``:
    the bootstrap's standard error.
    """

    like: str
    accuracy: Share
    low: Share
    high: Share
    error: Share
    missing: list[str]


@dataclass(frozen=True)
class Results:
    """The scores of one model on one split.

    ``overall`` has the bootstrap's interval, ``error`` is its standard error. ``weighted``: None if the domain
    resembles no published dataset. ``by_length``: by dry seconds, "5-6" from 5 s to less than 6 s. ``by_answer``: by
    type, then by correct answer. ``by_type_and_relations``: by type, then by number of relations. Groups without
    questions are left out.
    """

    overall: Score
    error: Share
    weighted: Weighted | None
    by_type: dict[str, Score]
    by_relations: dict[str, Score]
    by_length: dict[str, Score]
    by_answer: dict[str, dict[str, Score]]
    by_type_and_relations: dict[str, dict[str, Score]]
    confusion: dict[str, Confusion]


def validate(questions: Questions, predictions: Sequence[str | None]) -> None:
    """Raise InputError unless every question has an answer of its type, and a prediction: None or any answer."""
    if not len(questions):
        raise InputError(f"questions of {questions.split}: found none, expected at least one")
    if len(predictions) != len(questions):
        raise InputError(f"predictions: found {len(predictions)}, expected {len(questions)}, one for every question")
    domain = questions.domain
    allowed = {name: {*answers_of_type(name, domain)} for name in {*questions.question_type}}
    any_answer = {*answers(domain)}.union(*allowed.values())
    columns = questions.question_id, questions.question_type, questions.answer, predictions
    for question_id, name, answer, predicted in zip(*columns, strict=True):
        expected = f"expected one of: {', '.join(answers_of_type(name, domain))}" if answer not in allowed[name] else ""
        if expected:
            raise InputError(f"questions of {questions.split}: {question_id}: answer: found {answer!r}, {expected}")
        if predicted is not None and predicted not in any_answer:
            raise InputError(
                f"predictions: {question_id}: found {predicted!r}, expected None or an answer of a question"
            )


def evaluate(questions: Questions, predictions: Sequence[str | None], rng: np.random.Generator) -> Results:
    """All scores. ``predictions`` as for ``validate``, in the order of ``questions``; ``rng`` draws the resamples."""
    validate(questions, predictions)
    marks = _marks(questions, predictions)
    found = bootstrap_share(marks.correct, questions.scene, rng)
    types = questions.question_type
    names = [name for name in questions.domain.question_types if name in {*types}]
    names += sorted({*types} - {*names})
    relations = questions.n_relations.astype(str).astype(object)
    of_type = {name: types == name for name in names}
    levels = sorted({*relations}, key=int)
    lengths, bins = length_bins(questions.scene_s)
    predicted = np.array(predictions, object)
    confusion = {name: confusion_matrix(questions, predicted, name) for name in names}
    return Results(
        overall=_score(marks, found.value, found.low, found.high),
        error=found.error,
        weighted=weighted_accuracy(questions, marks.correct, rng),
        by_type=_scores(marks, types, names),
        by_relations=_scores(marks, relations, levels),
        by_length=_scores(marks, lengths, bins),
        by_answer={name: _by_answer(marks, questions, name, confusion[name].answers) for name in names},
        by_type_and_relations={
            name: _scores(marks.of(chosen), relations[chosen], levels) for name, chosen in of_type.items()
        },
        confusion=confusion,
    )


def weighted_accuracy(questions: Questions, correct: np.ndarray, rng: np.random.Generator) -> Weighted | None:
    """The accuracy with the types weighted as in the published dataset that the domain resembles.

    None if there is none, or no question of its types. Shape: ``correct`` bool [Q].
    """
    published = questions.domain.published
    chosen, group, weights = published_weights(questions)
    if published is None or not len(weights):
        return None
    found = bootstrap_weighted_share(correct[chosen], questions.scene[chosen], group, weights, rng)
    missing = [name for name in published.type_shares if name not in {*questions.question_type}]
    return Weighted(published.name, found.value, found.low, found.high, found.error, missing)


def published_weights(questions: Questions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The questions of published types, bool [Q]; the type of each of them, int64 [N]; the types' shares, float [G]."""
    shares = published_shares(questions.domain)
    names = [name for name in shares if name in {*questions.question_type}]
    chosen = np.isin(questions.question_type, names)
    place = {name: number for number, name in enumerate(names)}
    group = np.array([place[name] for name in questions.question_type[chosen]], np.int64)
    return chosen, group, np.array([shares[name] for name in names])


def correct_answers(questions: Questions, predictions: Sequence[str | None]) -> np.ndarray:
    """Which predictions are correct: bool [Q]."""
    return np.equal(np.array(predictions, object), questions.answer).astype(bool)


def length_bins(scene_s: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Bins of equal, round width: the bin of every length in seconds, object [Q], and all bins that occur, in order.

    At most MAX_BINS, unless scenes differ by more than an hour.

    >>> length_bins(np.array([5.0, 6.2, 5.9]))[0].tolist()
    ['5-6', '6-7', '5-6']
    """
    low, high = float(scene_s.min()), float(scene_s.max())
    fits = (width for width in BIN_WIDTHS_S if high // width - low // width < MAX_BINS)
    width = next(fits, BIN_WIDTHS_S[-1])
    starts = (scene_s // width).astype(np.int64) * width
    names = {int(start): f"{start}-{start + width}" for start in np.unique(starts)}
    return np.array([names[start] for start in starts.tolist()], object), list(names.values())


def confusion_matrix(questions: Questions, predictions: np.ndarray, question_type: str) -> Confusion:
    """Confusion matrix of one question type, over the answers that occur as correct or predicted.

    Shape: ``predictions`` object [Q].
    """
    of_type = questions.question_type == question_type
    truth, predicted = questions.answer[of_type], predictions[of_type]
    occurring = {*truth, *predicted}
    listed = [name for name in answers_of_type(question_type, questions.domain) if name in occurring]
    place = {name: number for number, name in enumerate(listed)}
    rows = np.array([place[name] for name in truth], np.int64)
    wrong_type, unparseable = len(listed), len(listed) + 1
    columns = [unparseable if name is None else place.get(name, wrong_type) for name in predicted]
    width = len(listed) + 2
    counts = np.bincount(rows * width + np.array(columns, np.int64), minlength=len(listed) * width)
    return Confusion(listed, counts.reshape(len(listed), width).tolist())


@dataclass(frozen=True)
class _Marks:
    """Of every question, bool [Q]: whether the prediction is correct, unparseable, or of the wrong type."""

    correct: np.ndarray
    unparseable: np.ndarray
    wrong_type: np.ndarray

    def of(self, chosen: np.ndarray) -> _Marks:
        """Those of the chosen questions, bool [Q]."""
        return _Marks(self.correct[chosen], self.unparseable[chosen], self.wrong_type[chosen])


def _marks(questions: Questions, predictions: Sequence[str | None]) -> _Marks:
    own = {name: {*answers_of_type(name, questions.domain)} for name in {*questions.question_type}}
    pairs = list(zip(predictions, questions.question_type, strict=True))
    return _Marks(
        correct_answers(questions, predictions),
        np.array([answer is None for answer, _ in pairs]),
        np.array([answer is not None and answer not in own[name] for answer, name in pairs]),
    )


def _score(marks: _Marks, accuracy: float, low: float, high: float) -> Score:
    right, unparseable, wrong_type = (int(one.sum()) for one in (marks.correct, marks.unparseable, marks.wrong_type))
    return Score(len(marks.correct), right, unparseable, wrong_type, accuracy, low, high)


def _by_answer(marks: _Marks, questions: Questions, question_type: str, answers: Sequence[str]) -> dict[str, Score]:
    chosen = questions.question_type == question_type
    return _scores(marks.of(chosen), questions.answer[chosen], answers)


def _scores(marks: _Marks, group: np.ndarray, names: Sequence[str]) -> dict[str, Score]:
    """The score of every group that has questions. Shape: ``marks`` of [Q] questions, ``group`` object [Q]."""
    scores = {}
    for name in names:
        of_group = marks.of(group == name)
        n, n_correct = len(of_group.correct), int(of_group.correct.sum())
        if n:
            scores[name] = _score(of_group, n_correct / n, *wilson(n_correct, n))
    return scores
