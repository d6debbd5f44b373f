"""Confidence intervals of one model's scores; tests and intervals for two models on the same questions.

Conventions: accuracies and intervals are fractions 0..1, intervals cover 95 %. Questions about one scene are not
independent (they share its sounds, its room, its noise), so the bootstrap draws scenes, each with all its questions.
McNemar's test and Wilson's interval treat questions as independent, and are therefore somewhat overconfident.

References: E. B. Wilson, JASA 22, 1927, pp. 209-212 (interval of a proportion); B. Efron and R. J. Tibshirani, An
Introduction to the Bootstrap, Chapman & Hall, 1993, ch. 13 (percentile interval); Q. McNemar, Psychometrika 12, 1947,
pp. 153-157; M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research Methodology 13:91, 2013 (its mid-p version,
which they recommend for every number of questions).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
RESAMPLES = 2000
BLOCK = 1 << 20  # scenes drawn at a time


@dataclass(frozen=True)
class Interval:
    """An estimate, its standard error and its 95 % interval."""

    value: float
    error: float
    low: float
    high: float


def wilson(right: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of ``right`` right answers among ``n``; 0 to 1 if ``n`` is 0.

    Both may be fractions: effective numbers of a weighted share.

    >>> [round(bound, 4) for bound in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    if n == 0:
        return 0.0, 1.0
    share, weight = right / n, Z**2 / n
    centre = share + weight / 2
    half = Z * sqrt(share * (1 - share) / n + weight / (4 * n))
    low, high = (centre - half) / (1 + weight), (centre + half) / (1 + weight)
    return (0.0 if right == 0 else low), (1.0 if right == n else high)  # exactly, whatever rounding makes of them


def bootstrap_mean(
    values: np.ndarray, scene: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval:
    """The mean of a value per question, with a percentile interval from resampled scenes.

    Every resample draws as many scenes as there are, with replacement, and takes all their questions. For the accuracy
    of a model, ``values`` says which answers are right; for the difference of two models, it holds their difference per
    question. If all values are equal, both bounds equal them.

    Shape: ``values`` bool or float [Q], ``scene`` int [Q].
    """
    values = np.asarray(values, np.float64)
    _, place = np.unique(scene, return_inverse=True)
    n_of, sum_of = np.bincount(place), np.bincount(place, weights=values)
    n_scenes = len(n_of)
    block = max(BLOCK // n_scenes, 1)
    means = []
    for start in range(0, resamples, block):
        drawn = rng.integers(n_scenes, size=(min(block, resamples - start), n_scenes))
        means.append(sum_of[drawn].sum(1) / n_of[drawn].sum(1))
    resampled = np.concatenate(means)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(resampled.std(ddof=1)), float(low), float(high))


def bootstrap_share(
    correct: np.ndarray, scene: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval:
    """The share of correct answers: ``bootstrap_mean``, nowhere narrower than Wilson's interval.

    Where all answers are correct, or all wrong, no resample differs, and the bootstrap alone would have no width.
    Shape: ``correct`` bool [Q], ``scene`` int [Q].
    """
    found = bootstrap_mean(correct, scene, rng, resamples)
    low, high = wilson(int(np.count_nonzero(correct)), len(correct))
    return Interval(found.value, found.error, min(found.low, low), max(found.high, high))


def bootstrap_weighted(
    values: np.ndarray,
    scene: np.ndarray,
    group: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Interval:
    """A weighted mean of the groups' means, with a percentile interval from resampled scenes as ``bootstrap_mean``.

    A group of which a resample has no question is left out of it; the others' weights take its place.
    Shape: ``values`` bool or float [Q], ``scene`` int [Q], ``group`` int [Q] from 0 to G - 1, of each at least one;
    ``weights`` float [G], positive.
    """
    _, place = np.unique(scene, return_inverse=True)
    n_scenes, n_groups = int(place.max()) + 1, len(weights)
    cell = place * n_groups + group
    n_of = np.bincount(cell, minlength=n_scenes * n_groups).reshape(n_scenes, n_groups).astype(np.float64)
    sum_of = np.bincount(cell, np.asarray(values, np.float64), n_scenes * n_groups).reshape(n_scenes, n_groups)
    block = max(BLOCK // n_scenes, 1)
    means = []
    for start in range(0, resamples, block):
        drawn = rng.multinomial(n_scenes, np.full(n_scenes, 1 / n_scenes), min(block, resamples - start))
        means.append(_weighted(drawn @ sum_of, drawn @ n_of, weights))
    resampled = np.concatenate(means)
    value = float(_weighted(sum_of.sum(0), n_of.sum(0), weights))
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(resampled.std(ddof=1)), float(low), float(high))


def _weighted(sums: np.ndarray, n: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean over the last axis of the groups' means, those without a question left out."""
    there = weights * (n > 0)
    mean: np.ndarray = (there * sums / np.maximum(n, 1)).sum(-1) / there.sum(-1)
    return mean


def bootstrap_weighted_share(
    correct: np.ndarray,
    scene: np.ndarray,
    group: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Interval:
    """A weighted share of correct answers: ``bootstrap_weighted``, nowhere narrower than Wilson's interval.

    Wilson's is that of as many questions as give an unweighted share the same variance (L. Kish, Survey Sampling,
    Wiley, 1965, section 11.7), at the same share in every group.
    """
    found = bootstrap_weighted(correct, scene, group, weights, rng, resamples)
    shares = weights / weights.sum()
    n = 1 / float((shares**2 / np.bincount(group, minlength=len(weights))).sum())
    value = min(found.value, 1.0)  # the weights' last bits can add up to more
    low, high = wilson(value * n, n)
    return Interval(value, found.error, min(found.low, low), min(max(found.high, high), 1.0))


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided mid-p value of McNemar's test that two models are right equally often.

    ``only_first``, ``only_second``: questions that one model has right and the other wrong. Under the hypothesis each
    such question falls to either side with probability 1/2; outcomes as likely as the observed one count half. Without
    any such question the value is 1.

    >>> round(mcnemar(1, 5), 6)
    0.125
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(fewer + 1)
    chance = np.exp(log_factorial[n] - log_factorial[k] - log_factorial[n - k] - n * np.log(2))
    if only_first == only_second:
        return float(1 - chance[-1] / 2)
    return float(2 * chance[:-1].sum() + chance[-1])
