"""Scores against counting in plain Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from baselines.core.intervals import bootstrap_share, wilson
from baselines.tasks.aqa.metrics import BIN_WIDTHS_S, MAX_BINS, Score, evaluate, length_bins, validate
from baselines.tasks.aqa.questions import Questions
from clear_gen.core.errors import InputError
from clear_gen.questions.language.vocabulary import answers_of_type
from clear_gen.scenes.domain import packaged_domain
from tests.counts import examples

CLEAR2 = packaged_domain("clear2")
OTHERS = ("violin", "yes", "third", "7")  # each of the wrong type to most questions


def questions_of(types: list[str], answers: list[str], seed: int = 0) -> Questions:
    """Questions with these types and answers, four a scene; lengths and relations at random."""
    rng = np.random.default_rng(seed)
    n = len(types)
    scene = np.arange(n) // 4
    return Questions(
        folder=Path("data"),
        split="test",
        n_original=n,
        domain=CLEAR2,
        sha256="0" * 64,
        question_id=np.array([f"test-{index:06d}-0" for index in range(n)], object),
        question=np.array(["?"] * n, object),
        answer=np.array(answers, object),
        question_type=np.array(types, object),
        scene=scene,
        n_relations=rng.integers(0, 12, n),
        scene_s=rng.uniform(4, 19, n)[scene],
    )


@st.composite
def asked(draw: st.DrawFn) -> tuple[Questions, list[str | None]]:
    """Questions and predictions, some right, some wrong, some of the wrong type, some None."""
    types = draw(st.lists(st.sampled_from(CLEAR2.question_types), min_size=1, max_size=40))
    listed = [answers_of_type(name, CLEAR2) for name in types]
    truth = [draw(st.sampled_from(names)) for names in listed]
    said = [draw(st.sampled_from([one, None, *names, *OTHERS])) for one, names in zip(truth, listed, strict=True)]
    return questions_of(types, truth, draw(st.integers(0, 5))), said


Told = tuple[int, int, int, int, float, float, float]


def is_of_type(answer: str | None, name: str) -> bool:
    return answer in answers_of_type(name, CLEAR2)


def expected(rows: list[tuple[str, str | None, str]]) -> Told:
    """(n, right, unparseable, wrong type, accuracy, Wilson's interval) of right answer, prediction and type."""
    right = sum(answer == said for answer, said, _ in rows)
    interval = binomtest(right, len(rows)).proportion_ci(method="wilson")
    silent = sum(said is None for _, said, _ in rows)
    wrong_type = sum(said is not None and not is_of_type(said, name) for _, said, name in rows)
    return len(rows), right, silent, wrong_type, right / len(rows), interval.low, interval.high


def told(score: Score) -> Told:
    return score.n, score.right, score.unparseable, score.wrong_type, score.accuracy, score.low, score.high


@examples(40)
@given(asked())
def test_scores_are_counts(one: tuple[Questions, list[str | None]]) -> None:
    questions, said = one
    found = evaluate(questions, said, np.random.default_rng(0))
    rows = list(zip(questions.question_type, questions.answer, said, questions.n_relations, strict=True))
    types = list(dict.fromkeys(name for name in CLEAR2.question_types if name in {row[0] for row in rows}))
    assert list(found.by_type) == list(found.confusion) == list(found.by_answer) == types
    for name in types:
        of = [(row[1], row[2], row[0]) for row in rows if row[0] == name]
        assert told(found.by_type[name]) == pytest.approx(expected(of), abs=1e-12)
        assert set(found.by_answer[name]) == {answer for answer, _, _ in of}
        for answer, score in found.by_answer[name].items():
            assert told(score) == pytest.approx(expected([pair for pair in of if pair[0] == answer]), abs=1e-12)
        matrix = found.confusion[name]
        pairs = Counter(
            (answer, said if said is None or is_of_type(said, name) else "wrong type") for answer, said, _ in of
        )
        assert matrix.answers == [a for a in answers_of_type(name, CLEAR2) if a in {x for pair in of for x in pair[:2]}]
        for answer, counts in zip(matrix.answers, matrix.counts, strict=True):
            assert counts == [pairs[answer, other] for other in [*matrix.answers, "wrong type", None]]
    assert list(found.by_relations) == [str(n) for n in sorted({row[3] for row in rows})]
    for number, score in found.by_relations.items():
        assert told(score) == pytest.approx(
            expected([(*row[1:3], row[0]) for row in rows if row[3] == int(number)]), abs=1e-12
        )
    for name, of_type in found.by_type_and_relations.items():
        levels = Counter(row[3] for row in rows if row[0] == name)
        assert {number: score.n for number, score in of_type.items()} == {str(n): k for n, k in levels.items()}
        right = sum(row[1] == row[2] for row in rows if row[0] == name)
        assert sum(score.right for score in of_type.values()) == right
    for name, score in found.by_length.items():
        low, high = map(int, name.split("-"))
        inside = [(*pair[1:3], pair[0]) for pair, s in zip(rows, questions.scene_s, strict=True) if low <= s < high]
        assert told(score) == pytest.approx(expected(inside), abs=1e-12)
    assert sum(score.n for score in found.by_length.values()) == len(rows)


@examples(40)
@given(asked())
def test_weighted_accuracy_counts_types_as_published(one: tuple[Questions, list[str | None]]) -> None:
    questions, said = one
    found = evaluate(questions, said, np.random.default_rng(0)).weighted
    assert found is not None
    assert CLEAR2.published is not None
    of: dict[str, list[bool]] = {}
    for name, answer, predicted in zip(questions.question_type, questions.answer, said, strict=True):
        of.setdefault(name, []).append(answer == predicted)
    percent = CLEAR2.published.type_shares
    total = sum(percent[name] for name in of)
    expected = sum(percent[name] / total * sum(right) / len(right) for name, right in of.items())
    assert found.accuracy == pytest.approx(expected)
    assert found.low <= found.accuracy + 1e-12
    assert found.accuracy <= found.high + 1e-12
    assert found.high - found.low > 0
    assert (found.like, set(found.missing)) == ("CLEAR2", set(CLEAR2.question_types) - set(of))


def test_nothing_is_weighted_where_nothing_was_published() -> None:
    alone = replace(questions_of(["note", "exist"], ["A", "yes"]), domain=CLEAR2.model_copy(update={"published": None}))
    assert evaluate(alone, ["A", "no"], np.random.default_rng(0)).weighted is None


def test_overall_has_the_interval_of_the_bootstrap_by_scene() -> None:
    types = ["note"] * 100
    truth = ["A"] * 100
    said: list[str | None] = ["A", "A", "A", None] * 10 + ["B"] * 60
    questions = questions_of(types, truth)
    found = evaluate(questions, said, np.random.default_rng(3))
    interval = bootstrap_share(np.array([one == "A" for one in said]), questions.scene, np.random.default_rng(3))
    assert told(found.overall) == (100, 30, 10, 0, 0.3, interval.low, interval.high)
    assert found.error == interval.error
    assert 0 < interval.low < 0.3 < interval.high < 1


def test_perfect_and_silent() -> None:
    questions = questions_of(["note", "exist", "count", "note"], ["A", "yes", "3", "B"])
    perfect = evaluate(questions, questions.answer.tolist(), np.random.default_rng(0))
    assert perfect.overall == Score(4, 4, 0, 0, 1.0, *wilson(4, 4))
    silent = evaluate(questions, [None] * 4, np.random.default_rng(0))
    assert silent.overall == Score(4, 0, 4, 0, 0.0, *wilson(0, 4))


@given(st.lists(st.floats(0, 3600), min_size=1, max_size=50))
def test_bins_hold_their_lengths(lengths: list[float]) -> None:
    names, bins = length_bins(np.array(lengths))
    bounds = [tuple(map(int, name.split("-"))) for name in bins]
    assert bounds == sorted(bounds)
    assert set(names) == set(bins)
    assert len(bins) <= MAX_BINS
    widths = {high - low for low, high in bounds}
    assert len(widths) == 1
    assert widths <= {*BIN_WIDTHS_S}
    for length, name in zip(lengths, names, strict=True):
        low, high = map(int, name.split("-"))
        assert low <= length < high


def test_bins_are_no_more_than_may_be_where_lengths_straddle_them() -> None:
    assert length_bins(np.arange(0.95, 10.2, 0.1))[1] == ["0-2", "2-4", "4-6", "6-8", "8-10", "10-12"]
    assert len(length_bins(np.arange(0.05, 10, 0.1))[1]) == 10


def test_validate() -> None:
    questions = questions_of(["note", "exist"], ["A", "yes"])
    validate(questions, ["A", None])
    validate(questions, ["A", "A"])  # of the wrong type, which is counted
    with pytest.raises(InputError, match="found 1, expected 2"):
        validate(questions, ["A"])
    with pytest.raises(InputError, match="test-000001-0: found 'Z', expected None or an answer of a question"):
        validate(questions, ["A", "Z"])
    with pytest.raises(InputError, match="found none"):
        validate(questions_of([], []), [])
    with pytest.raises(InputError, match=r"^questions of test: test-000001-0: answer: found 'an orange'"):
        validate(questions_of(["note", "exist"], ["A", "an orange"]), [None, None])
