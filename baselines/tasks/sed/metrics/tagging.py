"""Scores of audio tagging: which classes are in a clip, from one score per clip and class.

Goal: the figures of papers on weak labels. What they call micro-P and macro-P is average precision, the area under the
steps of the precision-recall curve: of all clips and classes pooled, and as the mean over classes (mAP).

Conventions:

1. ``scores`` float [N, K], ``targets`` bool [N, K]: N clips, K classes. Average precision and ROC-AUC see only the
   order of the scores; equal scores are one threshold, and a tied pair counts half in the AUC.
2. A class is predicted where its score is greater than its threshold.
3. Figures are fractions 0..1, except d'. The figures of a class that is in no clip or in all of them are undefined:
   None (NaN in arrays). Such a class is left out of macro means, and ``n_classes`` says how many these average. Pooled
   figures include every class.
4. What is not a finite number is None; d' is infinite where the AUC is 0 or 1.

References: C. D. Manning, P. Raghavan and H. Schütze, Introduction to Information Retrieval, 2008, ch. 8 (average
precision; in steps, as scikit-learn's ``average_precision_score`` takes it); J. A. Hanley and B. J. McNeil, Radiology
143, 1982, pp. 29-36 (AUC as the share of pairs in the right order); S. Hershey et al., "CNN architectures for
large-scale audio classification", ICASSP 2017 (d'). Thresholds by class: J. B. Li's doctoral thesis, ch. 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import NormalDist

import numpy as np

from baselines.core.fields import Count, Finite, Share
from clear_gen.core.errors import InputError

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class ClassScore:
    """The figures of one class. ``n_clips``: clips that have it. ``d_prime``: None also where it is infinite."""

    n_clips: Count
    threshold: Finite
    ap: Share | None
    auc: Share | None
    d_prime: Finite | None
    f1: Share | None
    precision: Share | None
    recall: Share | None


@dataclass(frozen=True)
class ClipScores:
    """The figures of all classes. ``macro_ap`` is the mAP; ``n_classes``: how many the macro means average.

    ``d_prime``: of ``macro_auc``. ``micro_*``: of all pairs of clip and class pooled.
    """

    n_clips: Count
    n_classes: Count
    micro_ap: Share | None
    macro_ap: Share | None
    macro_auc: Share | None
    d_prime: Finite | None
    micro_f1: Share | None
    macro_f1: Share | None
    by_class: dict[str, ClassScore]


def validate(scores: np.ndarray, targets: np.ndarray, labels: Sequence[str], thresholds: np.ndarray | float) -> None:
    """Raise InputError unless arrays, classes and thresholds fit together, as the module's conventions have them."""
    expected = f"{len(targets)} clips x {len(labels)} classes"
    if not len(targets) or not len(labels):
        raise InputError(f"targets: found {expected}, expected at least one of each")
    if len({*labels}) < len(labels):
        raise InputError(f"labels: found {_first_twice(labels)!r} twice, expected every class once")
    for name, array in (("targets", targets), ("scores", scores)):
        if array.shape != (len(targets), len(labels)):
            raise InputError(f"{name}: found shape {array.shape}, expected {expected}")
    if targets.dtype != np.bool_:
        raise InputError(f"targets: found {targets.dtype}, expected bool")
    if not np.issubdtype(scores.dtype, np.floating):
        raise InputError(f"scores: found {scores.dtype}, expected float")
    if not np.isfinite(scores).all():
        clip, label = np.argwhere(~np.isfinite(scores))[0]
        raise InputError(f"scores: clip {clip}, {labels[label]}: found {scores[clip, label]}, expected a finite number")
    if np.shape(thresholds) not in ((), (len(labels),)):
        raise InputError(
            f"thresholds: found {np.size(thresholds)}, expected one, or one for each of {len(labels)} classes"
        )
    if not np.isfinite(thresholds).all():
        odd = np.ravel(thresholds)[~np.isfinite(np.ravel(thresholds))][0]
        raise InputError(f"thresholds: found {odd}, expected finite numbers")


def evaluate(
    scores: np.ndarray,
    targets: np.ndarray,
    labels: Sequence[str],
    thresholds: np.ndarray | float = DEFAULT_THRESHOLD,
) -> ClipScores:
    """All figures. ``thresholds``: one for all classes or float [K], for F1, precision and recall."""
    validate(scores, targets, labels, thresholds)
    defined = _is_defined(targets)
    at = np.broadcast_to(np.asarray(thresholds, np.float64), len(labels))
    predicted = scores > at
    correct, n_predicted, n_clips = (predicted & targets).sum(0), predicted.sum(0), targets.sum(0)
    figures = {
        "ap": average_precision(scores, targets),
        "auc": roc_auc(scores, targets),
        "f1": f1(correct, n_predicted, n_clips),
        "precision": correct / np.maximum(n_predicted, 1),
        "recall": correct / np.maximum(n_clips, 1),
    }
    mean = {name: float(values[defined].mean()) if defined.any() else np.nan for name, values in figures.items()}
    by_class = {}
    for k, label in enumerate(labels):
        own = {name: _figure(values[k]) if defined[k] else None for name, values in figures.items()}
        by_class[label] = ClassScore(int(n_clips[k]), float(at[k]), d_prime=d_prime(own["auc"]), **own)
    return ClipScores(
        n_clips=len(targets),
        n_classes=int(defined.sum()),
        micro_ap=_figure(average_precision(scores.reshape(-1, 1), targets.reshape(-1, 1))[0]),
        macro_ap=_figure(mean["ap"]),
        macro_auc=_figure(mean["auc"]),
        d_prime=d_prime(mean["auc"]),
        micro_f1=_figure(float(f1(correct.sum(), n_predicted.sum(), n_clips.sum()))),
        macro_f1=_figure(mean["f1"]),
        by_class=by_class,
    )


def average_precision(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Average precision of every class, NaN of a class that is in no clip or in all of them.

    AP = sum over thresholds of (R_n - R_n-1) P_n: for every clip that has the class, the precision at the threshold
    that just lets it in, averaged.

    Shape: ``scores``, ``targets`` [N, K] -> float [K].

    >>> average_precision(np.array([[0.9], [0.8], [0.8], [0.1]]), np.array([[True], [True], [False], [False]])).round(4)
    array([0.8333])
    """
    ranked = _rank(scores, targets)
    precision = np.take_along_axis(ranked.n_correct, ranked.last, 0) / (ranked.last + 1)
    return _mean_over_clips(precision, ranked.targets)


def roc_auc(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of every class, NaN of a class that is in no clip or in all of them.

    The share of pairs of a clip with and a clip without the class that the scores put in the right order; of tied
    pairs, half.

    Shape: ``scores``, ``targets`` [N, K] -> float [K].

    >>> roc_auc(np.array([[0.9], [0.8], [0.8], [0.1]]), np.array([[True], [True], [False], [False]]))
    array([0.875])
    """
    ranked = _rank(scores, targets)
    n_without = len(targets) - targets.sum(0)
    wrong = np.arange(1, len(targets) + 1)[:, None] - ranked.n_correct
    above_or_tied = np.take_along_axis(wrong, ranked.last, 0)
    above = np.take_along_axis(np.pad(wrong, ((1, 0), (0, 0))), ranked.first, 0)
    return _mean_over_clips(1 - (above + above_or_tied) / 2 / np.maximum(n_without, 1), ranked.targets)


def d_prime(auc: float | None) -> float | None:
    """Separation of two normal distributions of unit variance with this AUC: sqrt(2) Phi^-1(AUC). None if infinite.

    >>> round(d_prime(0.9390), 4)
    2.187
    """
    return sqrt(2) * NormalDist().inv_cdf(auc) if auc is not None and 0 < auc < 1 else None


def f1(n_correct: np.ndarray, n_predicted: np.ndarray, n_true: np.ndarray) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (predicted + true), element by element; NaN where nothing is true."""
    found = 2 * n_correct / np.maximum(n_predicted + n_true, 1)
    return np.where(np.asarray(n_true) > 0, found, np.nan)


# --- thresholds -------------------------------------------------------------------------------------------------------


def tune_thresholds(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """For every class the threshold with the best F1, from a validation set.

    It lies midway between the two scores on either side of it. Of thresholds with the same F1 it is the highest, which
    predicts the class least often; a class that is in no clip is never predicted.

    Shape: ``scores``, ``targets`` [N, K] -> float [K].

    >>> tune_thresholds(np.array([[0.9], [0.7], [0.2]]), np.array([[True], [True], [False]])).round(4)
    array([0.45])
    """
    ranked = _rank(scores, targets)
    n_predicted, n_correct = _choices(ranked)
    chosen = np.nan_to_num(f1(n_correct, n_predicted, targets.sum(0))).argmax(0)
    return _thresholds(ranked, np.take_along_axis(n_predicted, chosen[None], 0)[0])


def tune_micro_thresholds(scores: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Thresholds with a high F1 over all classes pooled: from ``tune_thresholds`` on, class by class until none gains.

    Classes come in random order, as in the thesis; what is reached depends on it, and may be less than the best of all
    combinations. Ties as in ``tune_thresholds``.

    Shape: ``scores``, ``targets`` [N, K] -> float [K].
    """
    ranked = _rank(scores, targets)
    n_predicted, n_correct = _choices(ranked)
    chosen = np.nan_to_num(f1(n_correct, n_predicted, targets.sum(0))).argmax(0)
    classes, n_true = np.arange(targets.shape[1]), targets.sum()
    n_correct_all, n_all = n_correct[chosen, classes].sum(), n_predicted[chosen, classes].sum()
    gained = True
    while gained:
        gained = False
        for k in rng.permutation(classes):
            rest_correct, rest_predicted = n_correct_all - n_correct[chosen[k], k], n_all - n_predicted[chosen[k], k]
            found = f1(rest_correct + n_correct[:, k], rest_predicted + n_predicted[:, k], n_true)
            if found.max() > found[chosen[k]]:
                chosen[k], gained = found.argmax(), True
                n_correct_all, n_all = (
                    rest_correct + n_correct[chosen[k], k],
                    rest_predicted + n_predicted[chosen[k], k],
                )
    return _thresholds(ranked, np.take_along_axis(n_predicted, chosen[None], 0)[0])


def _choices(ranked: _Ranked) -> tuple[np.ndarray, np.ndarray]:
    """What thresholds can do: how many clips each lets in, and how many of those have the class.

    Row 0 lets none in, row n the first n and what is tied with the last of them. Shape: int [N + 1, K].
    """
    n_predicted = np.pad(ranked.last + 1, ((1, 0), (0, 0)))
    n_correct = np.pad(np.take_along_axis(ranked.n_correct, ranked.last, 0), ((1, 0), (0, 0)))
    return n_predicted, n_correct


def _thresholds(ranked: _Ranked, n_predicted: np.ndarray) -> np.ndarray:
    """Thresholds that let the first ``n_predicted`` int [K] clips in. Shape: float [K]."""
    n = len(ranked.scores)
    below = np.take_along_axis(ranked.scores, np.minimum(n_predicted, n - 1)[None], 0)[0]
    above = np.take_along_axis(ranked.scores, np.maximum(n_predicted - 1, 0)[None], 0)[0]
    midway = below / 2 + above / 2
    parted = np.where((below <= midway) & (midway < above), midway, below)  # neighbouring numbers have none between
    return np.where(n_predicted == n, np.nextafter(above, -np.inf), parted)


# --- ranks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ranked:
    """Every class's clips from the highest score to the lowest. Shape: [N, K].

    ``n_correct``: how many of the clips so far have the class. ``first``, ``last``: places of the first and the last
    clip with the same score.
    """

    scores: np.ndarray
    targets: np.ndarray
    n_correct: np.ndarray
    first: np.ndarray
    last: np.ndarray


def _rank(scores: np.ndarray, targets: np.ndarray) -> _Ranked:
    order = np.argsort(-scores, axis=0, kind="stable")
    scores = np.take_along_axis(scores, order, 0).astype(np.float64)
    targets = np.take_along_axis(targets, order, 0)
    n = len(scores)
    place = np.arange(n)[:, None]
    changes = scores[1:] != scores[:-1]
    edge = np.ones((1, scores.shape[1]), bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, changes]), place, 0), 0)
    last = np.minimum.accumulate(np.where(np.concatenate([changes, edge]), place, n)[::-1], 0)[::-1]
    return _Ranked(scores, targets, targets.cumsum(0), first, last)


def _mean_over_clips(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean over the clips that have the class; NaN of a class that is in none or in all. Shape: [N, K] -> [K]."""
    mean = np.where(targets, values, 0).sum(0) / np.maximum(targets.sum(0), 1)
    return np.where(_is_defined(targets), mean, np.nan)


def _is_defined(targets: np.ndarray) -> np.ndarray:
    """Which classes are in some clips, not all, so that their figures are defined. Shape: bool [N, K] -> bool [K]."""
    n_clips = targets.sum(0)
    return (n_clips > 0) & (n_clips < len(targets))


def _figure(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _first_twice(names: Sequence[str]) -> str:
    return next(name for at, name in enumerate(names) if name in names[:at])
