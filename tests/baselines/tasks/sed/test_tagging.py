"""Clip-level scores against slow, obvious computations and against what must hold of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from baselines.tasks.sed.metrics.tagging import (
    average_precision,
    d_prime,
    evaluate,
    roc_auc,
    tune_micro_thresholds,
    tune_thresholds,
    validate,
)
from clear_gen.core.errors import InputError
from tests.baselines.tasks.sed.data import scored
from tests.counts import examples

LABELS = ("A", "B", "C")


def slow_average_precision(scores: list[float], targets: list[bool]) -> float:
    """Step by step down the distinct scores."""
    if not any(targets) or all(targets):
        return np.nan
    area, recall_before = 0.0, 0.0
    for threshold in sorted({*scores}, reverse=True):
        let_in = [target for score, target in zip(scores, targets, strict=True) if score >= threshold]
        recall = sum(let_in) / sum(targets)
        area += (recall - recall_before) * sum(let_in) / len(let_in)
        recall_before = recall
    return area


def slow_auc(scores: list[float], targets: list[bool]) -> float:
    """Pair by pair."""
    with_it = [score for score, target in zip(scores, targets, strict=True) if target]
    without = [score for score, target in zip(scores, targets, strict=True) if not target]
    if not with_it or not without:
        return np.nan
    won = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in with_it for b in without)
    return won / (len(with_it) * len(without))


def slow_f1(said: np.ndarray, targets: np.ndarray) -> float:
    right, wrong, missed = (said & targets).sum(), (said & ~targets).sum(), (~said & targets).sum()
    return 2 * right / (2 * right + wrong + missed) if targets.any() else np.nan


def cuts(scores: np.ndarray) -> list[float]:
    """Thresholds that do all that thresholds can do, from the highest to the lowest."""
    distinct = sorted({*scores.tolist()}, reverse=True)
    return [distinct[0] + 1, *((a + b) / 2 for a, b in pairwise(distinct)), distinct[-1] - 1]


@examples(50)
@given(scored())
def test_average_precision_and_auc_are_the_slow_ones(one: tuple[np.ndarray, np.ndarray]) -> None:
    scores, targets = one
    columns = list(zip(scores.T.tolist(), targets.T.tolist(), strict=True))
    assert average_precision(*one) == pytest.approx(
        [slow_average_precision(*column) for column in columns], nan_ok=True
    )
    assert roc_auc(*one) == pytest.approx([slow_auc(*column) for column in columns], nan_ok=True)


@examples(50)
@given(scored(), st.data())
def test_only_the_order_of_scores_matters(one: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    scores, targets = one
    steps = data.draw(st.lists(st.floats(1e-3, 1e3), min_size=7, max_size=7))
    bent = np.cumsum(steps)[np.rint(scores * 6).astype(int)] - data.draw(st.floats(0, 1e3))
    clips = data.draw(st.permutations(range(len(scores))))
    for figure in (average_precision, roc_auc):
        assert figure(bent, targets).tolist() == pytest.approx(figure(scores, targets).tolist(), nan_ok=True)
        assert figure(scores[clips], targets[clips]) == pytest.approx(figure(scores, targets), nan_ok=True)
    assert roc_auc(-scores, targets) == pytest.approx(1 - roc_auc(scores, targets), nan_ok=True)
    assert roc_auc(scores, ~targets) == pytest.approx(1 - roc_auc(scores, targets), nan_ok=True)


@examples(50)
@given(scored(), st.lists(st.integers(-1, 7), min_size=3, max_size=3))
def test_evaluate(one: tuple[np.ndarray, np.ndarray], cut: list[int]) -> None:
    scores, targets = one
    thresholds = np.array(cut) / 6
    found = evaluate(scores, targets, LABELS, thresholds)
    json.dumps(asdict(found), allow_nan=False)
    said = scores > thresholds
    told_apart = [k for k in range(3) if targets[:, k].any() and not targets[:, k].all()]
    assert (found.n_clips, found.n_classes) == (len(scores), len(told_apart))
    expected: dict[str, list[float]] = {"ap": [], "auc": [], "f1": []}
    for k, label in enumerate(LABELS):
        own = found.by_class[label]
        assert (own.n_clips, own.threshold) == (targets[:, k].sum(), thresholds[k])
        figures = (own.ap, own.auc, own.f1, own.precision, own.recall)
        if k not in told_apart:
            assert figures == (None,) * 5
            assert own.d_prime is None
            continue
        right = (said & targets)[:, k].sum()
        of_class = (
            slow_average_precision(scores[:, k].tolist(), targets[:, k].tolist()),
            slow_auc(scores[:, k].tolist(), targets[:, k].tolist()),
            slow_f1(said[:, k], targets[:, k]),
        )
        rates = (right / said[:, k].sum() if said[:, k].any() else 0.0, right / targets[:, k].sum())
        assert figures == pytest.approx((*of_class, *rates))
        for name, value in zip(expected, of_class, strict=True):
            expected[name].append(value)
    means = {name: pytest.approx(np.mean(values)) if values else None for name, values in expected.items()}
    assert (found.macro_ap, found.macro_auc, found.macro_f1) == (means["ap"], means["auc"], means["f1"])
    pooled = slow_average_precision(scores.ravel().tolist(), targets.ravel().tolist())
    assert found.micro_ap == (None if np.isnan(pooled) else pytest.approx(pooled))
    assert found.micro_f1 == (pytest.approx(slow_f1(said, targets)) if targets.any() else None)


def test_perfect_and_silent() -> None:
    targets = np.eye(3, dtype=bool)
    perfect = evaluate(targets * 0.8 + 0.1, targets, LABELS)
    assert (perfect.micro_ap, perfect.macro_ap, perfect.macro_auc, perfect.micro_f1, perfect.macro_f1) == (1,) * 5
    assert perfect.d_prime is None  # infinite
    silent = evaluate(np.zeros((3, 3)), targets, LABELS)
    assert (silent.micro_f1, silent.macro_f1) == (0, 0)
    assert silent.macro_auc == 0.5
    assert silent.d_prime == pytest.approx(0)
    assert silent.macro_ap == pytest.approx(1 / 3)  # the share of clips that have it


def test_single_precision_scores_are_scored_as_they_are() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((50, 3), np.float32)
    targets = rng.random((50, 3)) < 0.3
    assert evaluate(scores, targets, LABELS) == evaluate(scores.astype(np.float64), targets, LABELS)


@pytest.mark.parametrize("auc", [0.02, 0.5, 0.9390, 0.965])
def test_d_prime(auc: float) -> None:
    assert d_prime(auc) == pytest.approx(sqrt(2) * norm.ppf(auc), abs=1e-12)


def test_d_prime_of_the_thesis() -> None:
    """Its table of pooling functions (ch. 4): AUC .966 and d' 2.574, .961 and 2.497; the AUC has three places."""
    assert d_prime(0.966) == pytest.approx(2.574, abs=0.012)
    assert d_prime(0.961) == pytest.approx(2.497, abs=0.012)


def test_d_prime_of_what_is_infinite_or_nothing() -> None:
    assert [d_prime(auc) for auc in (0.0, 1.0, None, np.nan)] == [None] * 4


@examples(50)
@given(scored())
def test_tuned_thresholds_are_the_highest_of_the_best(one: tuple[np.ndarray, np.ndarray]) -> None:
    scores, targets = one
    for k, threshold in enumerate(tune_thresholds(scores, targets)):
        tried = [(slow_f1(scores[:, k] > cut, targets[:, k]), cut) for cut in cuts(scores[:, k])]
        best = max((f1 for f1, _ in tried if not np.isnan(f1)), default=0)
        highest = next((cut for f1, cut in tried if f1 == best), np.inf)
        assert ((scores[:, k] > threshold) == (scores[:, k] > highest)).all()


def assert_no_class_can_raise_it(scores: np.ndarray, targets: np.ndarray, seed: int) -> None:
    tuned = tune_micro_thresholds(scores, targets, np.random.default_rng(seed))
    reached = slow_f1(scores > tuned, targets)
    assert reached >= slow_f1(scores > tune_thresholds(scores, targets), targets)
    for k in range(targets.shape[1]):
        for cut in cuts(scores[:, k]):
            assert slow_f1(scores > np.where(np.arange(targets.shape[1]) == k, cut, tuned), targets) <= reached


@examples(30)
@given(scored(most_clips=8), st.integers(0, 3))
def test_no_class_can_raise_what_was_tuned_for_all(one: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    scores, targets = one
    if targets.any():
        assert_no_class_can_raise_it(scores, targets, seed)
    else:
        tuned = tune_micro_thresholds(scores, targets, np.random.default_rng(seed))
        assert (tuned == tune_thresholds(scores, targets)).all()


@pytest.mark.parametrize("seed", range(8))
def test_nor_where_it_takes_several_rounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.random((30, 12)) < rng.uniform(0.02, 0.3, 12)
    assert_no_class_can_raise_it(rng.random(targets.shape) + 0.2 * targets, targets, seed)


def test_a_class_that_mostly_misleads_is_given_up_for_all() -> None:
    scores = np.array([[0.9, 0.9], [0.8, 0.8], [0.1, 0.7], [0.1, 0.6], [0.1, 0.5]])
    targets = np.array([[1, 0], [1, 0], [0, 0], [0, 0], [0, 1]], bool)
    own, pooled = tune_thresholds(scores, targets), tune_micro_thresholds(scores, targets, np.random.default_rng(0))
    assert (scores > own).sum(0).tolist() == [2, 5]
    assert (scores > pooled).sum(0).tolist() == [2, 0]


@examples(50)
@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=6, unique=True), st.data())
def test_thresholds_part_even_neighbouring_numbers(values: list[float], data: st.DataObject) -> None:
    values = [*values, float(np.nextafter(values[0], np.inf)), 0.0, 5e-324]
    scores = np.array(values)[:, None]
    targets = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))[:, None]
    threshold = tune_thresholds(scores, targets)
    best = max((slow_f1(scores > cut, targets) for cut in [*values, -np.inf]), default=0)
    if targets.any():
        assert slow_f1(scores > threshold, targets) == best
    else:
        assert not (scores > threshold).any()


def test_thresholds_lie_midway() -> None:
    scores = np.array([[0.9], [0.5], [0.1]])
    targets = np.array([[True], [False], [False]])
    assert tune_thresholds(scores, targets).tolist() == pytest.approx([0.7])
    everywhere = tune_thresholds(scores, np.ones((3, 1), bool))
    assert everywhere[0] == np.nextafter(0.1, 0)


@pytest.mark.parametrize(
    ("scores", "targets", "labels", "thresholds", "message"),
    [
        (
            np.zeros((2, 2)),
            np.zeros((2, 3), bool),
            "ABC",
            0.5,
            r"scores: found shape \(2, 2\), expected 2 clips x 3 cl",
        ),
        (
            np.zeros((2, 3)),
            np.zeros((2, 2), bool),
            "ABC",
            0.5,
            r"targets: found shape \(2, 2\), expected 2 clips x 3 c",
        ),
        (np.zeros((0, 3)), np.zeros((0, 3), bool), "ABC", 0.5, "targets: found 0 clips x 3 classes, expected at least"),
        (np.zeros((2, 3)), np.zeros((2, 3), int), "ABC", 0.5, "targets: found int64, expected bool"),
        (np.zeros((2, 3), int), np.zeros((2, 3), bool), "ABC", 0.5, "scores: found int64, expected float"),
        (np.zeros((2, 3)), np.zeros((2, 3), bool), "ABA", 0.5, "labels: found 'A' twice, expected every class once"),
        (
            np.full((2, 3), np.nan),
            np.zeros((2, 3), bool),
            "ABC",
            0.5,
            "scores: clip 0, A: found nan, expected a finite",
        ),
        (np.zeros((2, 3)), np.zeros((2, 3), bool), "ABC", np.zeros(2), "thresholds: found 2, expected one, or one for"),
        (np.zeros((2, 3)), np.zeros((2, 3), bool), "ABC", np.inf, "thresholds: found inf, expected finite numbers"),
    ],
)
def test_validate(
    scores: np.ndarray, targets: np.ndarray, labels: str, thresholds: np.ndarray | float, message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        validate(scores, targets, tuple(labels), thresholds)
    assert "\n" not in str(caught.value)
