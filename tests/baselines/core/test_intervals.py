"""Intervals and tests against SciPy and against slow, obvious computations."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from baselines.core.intervals import (
    bootstrap_mean,
    bootstrap_share,
    bootstrap_weighted,
    bootstrap_weighted_share,
    mcnemar,
    wilson,
)


@given(st.integers(1, 5000), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= wilson(right, n)[0] <= right / n <= wilson(right, n)[1] <= 1


def test_wilson_of_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def mid_p(only_first: int, only_second: int) -> float:
    """The outcomes less likely than the one found, and half of those as likely; in whole numbers."""
    n = only_first + only_second
    found = comb(n, only_first)
    less = sum(comb(n, k) for k in range(n + 1) if comb(n, k) < found)
    as_likely = sum(comb(n, k) for k in range(n + 1) if comb(n, k) == found)
    return float((Fraction(less) + Fraction(as_likely, 2)) / 2**n)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_counts_outcomes(only_first: int, only_second: int) -> None:
    if only_first + only_second:
        assert mcnemar(only_first, only_second) == pytest.approx(mid_p(only_first, only_second), abs=1e-12)
    assert mcnemar(only_first, only_second) == mcnemar(only_second, only_first)


def test_mcnemar_of_many_and_of_none() -> None:
    exact = binomtest(4800, 10_000).pvalue
    half = np.exp(np.log(exact)) - binomtest(4799, 10_000).pvalue
    assert mcnemar(4800, 5200) == pytest.approx(exact - half / 2, rel=1e-6)
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 30_000) == 0


def slow_bootstrap(values: np.ndarray, scene: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """Every resample as a list of questions."""
    names = sorted({*scene.tolist()})
    of = {name: [float(value) for value, other in zip(values, scene, strict=True) if other == name] for name in names}
    means = []
    for _ in range(resamples):
        drawn = [value for number in rng.integers(len(names), size=len(names)) for value in of[names[number]]]
        means.append(sum(drawn) / len(drawn))
    return np.array(means)


@pytest.mark.parametrize("kind", [bool, float])
def test_bootstrap_draws_scenes_with_their_questions(kind: type) -> None:
    rng = np.random.default_rng(0)
    scene = rng.choice([3, 5, 8, 13, 21, 34, 55], size=60)
    values = rng.random(60) < 0.6 if kind is bool else rng.normal(size=60)
    found = bootstrap_mean(values, scene, np.random.default_rng(7), resamples=500)
    means = slow_bootstrap(values, scene, np.random.default_rng(7), 500)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((np.quantile(means, 0.025), np.quantile(means, 0.975)), abs=1e-12)
    assert found.error == pytest.approx(means.std(ddof=1))


def slow_weighted(
    values: np.ndarray, scene: np.ndarray, group: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> float:
    """One resample as a list of questions; the groups' means weighted."""
    names = np.unique(scene)
    drawn = np.concatenate([np.flatnonzero(scene == name) for name in rng.choice(names, len(names))])
    there = [number for number in range(len(weights)) if (group[drawn] == number).any()]
    means = [values[drawn][group[drawn] == number].mean() for number in there]
    return float(np.average(means, weights=weights[there]))


def test_weighted_bootstrap_draws_scenes_and_weights_groups() -> None:
    rng = np.random.default_rng(3)
    scene = rng.integers(0, 40, 300)
    group = rng.choice(3, 300, p=[0.8, 0.18, 0.02])
    values = rng.random(300) < np.array([0.9, 0.5, 0.2])[group] * (0.4 + 0.6 * (scene % 2))
    weights = np.array([0.2, 0.3, 0.5])
    found = bootstrap_weighted(values, scene, group, weights, np.random.default_rng(0), 20_000)
    resampled = np.array([slow_weighted(values, scene, group, weights, rng) for _ in range(4000)])
    means = [values[group == number].mean() for number in range(3)]
    assert found.value == pytest.approx(np.average(means, weights=weights))
    assert found.error == pytest.approx(resampled.std(), rel=0.06)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])), abs=0.02)


def test_one_group_is_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(4)
    scene, values = rng.integers(0, 30, 200), rng.random(200)
    one = bootstrap_weighted(values, scene, np.zeros(200, np.int64), np.ones(1), np.random.default_rng(0), 20_000)
    plain = bootstrap_mean(values, scene, np.random.default_rng(0), 20_000)
    assert one.value == pytest.approx(plain.value)
    assert (one.error, one.low, one.high) == pytest.approx((plain.error, plain.low, plain.high), rel=0.02)


@pytest.mark.parametrize("right", [True, False])
def test_a_weighted_interval_has_a_width_where_no_resample_differs(right: bool) -> None:
    group = np.repeat([0, 1], [90, 10])
    found = bootstrap_weighted_share(
        np.full(100, right), np.arange(100), group, np.array([0.1, 0.9]), np.random.default_rng(0)
    )
    few = 1 / (0.1**2 / 90 + 0.9**2 / 10)  # about as sure as of the ten that count most
    assert 10 < few < 13
    assert (found.low, found.high) == pytest.approx(wilson(few if right else 0, few))
    assert found.high - found.low > 0.2


def test_bootstrap_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values, scene = np.arange(40) % 3 == 0, np.arange(40) // 4
    whole = bootstrap_mean(values, scene, np.random.default_rng(1), 100)
    monkeypatch.setattr("baselines.core.intervals.BLOCK", 70)
    assert bootstrap_mean(values, scene, np.random.default_rng(1), 100) == whole


def test_questions_that_agree_within_scenes_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    of_scene = rng.random(300) < 0.5
    right, scene = np.repeat(of_scene, 4), np.repeat(np.arange(300), 4)
    by_scene = bootstrap_mean(right, scene, np.random.default_rng(0))
    by_question = bootstrap_mean(right, np.arange(1200), np.random.default_rng(0))
    assert by_scene.error / by_question.error == pytest.approx(2, rel=0.15)
    low, high = wilson(int(right.sum()), 1200)
    assert by_question.high - by_question.low == pytest.approx(high - low, rel=0.1)


def test_all_right() -> None:
    found = bootstrap_mean(np.ones(20, bool), np.arange(20) // 4, np.random.default_rng(0))
    assert (found.value, found.low, found.high, found.error) == (1, 1, 1, 0)


def test_paired_difference_is_zero_of_the_same() -> None:
    right = np.arange(50) % 2
    found = bootstrap_mean(right - right, np.arange(50), np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize("correct", [0, 10])
def test_a_share_of_ten_questions_has_a_width(correct: int) -> None:
    values = np.arange(10) < correct
    found = bootstrap_share(values, np.arange(10), np.random.default_rng(0))
    assert (found.low, found.high) == wilson(correct, 10)
    assert found.high - found.low > 0.25


def test_a_share_is_nowhere_narrower_than_either_interval() -> None:
    scene = np.arange(400) // 20
    correct = np.random.default_rng(2).random(20).repeat(20) < 0.5
    found, plain = (make(correct, scene, np.random.default_rng(0)) for make in (bootstrap_share, bootstrap_mean))
    assert (found.low, found.high) == (plain.low, plain.high)  # questions of a scene agree: wider than Wilson's
    low, high = wilson(int(correct.sum()), 400)
    assert found.low < low < high < found.high
