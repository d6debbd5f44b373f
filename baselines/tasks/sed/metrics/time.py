"""Scores of sound event detection in time: by segments of fixed length, and by whole events.

Goal: the figures of the sed_eval package (0.2.1), which most papers report.

Conventions:

1. Segments: time is cut into segments of ``segment_s`` from the beginning of each clip. A class is active in every
   segment that one of its events touches. Per segment, with R classes in the reference, E in the estimate and C in
   both: substitutions min(R, E) - C, deletions max(0, R - E), insertions max(0, E - R).
2. Events: an estimated event is correct if its clip and class are the reference's, its onset is at most ``collar_s``
   away and its offset at most max(``collar_s``, ``offset_share`` times the reference's length). Every event is in at
   most one pair, and there are as many correct pairs as can be: sed_eval's ``optimal`` matching, its default, not its
   ``greedy`` one. Of what is left, pairs that fit in time but not in class are substitutions, again as many as can be.
   sed_eval takes these first come, first served, so that its overall error rate can be higher and depend on the order
   of events; everything else is the same as sed_eval's.
3. Precision = correct / estimated, recall = correct / reference, F1 = 2 correct / (reference + estimated); error rate =
   (substitutions + deletions + insertions) / reference. A single class has no substitutions.
4. Without events in the reference there are no figures (None). Such a class is left out of the macro means, and
   ``n_classes`` says how many they average. Where events were missed and none estimated, precision and F1 are 0: as
   sed_eval with ``empty_system_output_handling="zero_score"``, not as its default, which then has neither.
5. Times are compared as they are, without allowance for rounding, as sed_eval does.

Reference: A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences
6(6):162, 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from baselines.core.fields import Count, Rate, Share
from baselines.tasks.sed.event_columns import Events
from baselines.tasks.sed.metrics.events import pairs

SEGMENT_S = 1.0
COLLAR_S = 0.2
OFFSET_SHARE = 0.5


@dataclass(frozen=True)
class TimeScore:
    """The figures of one class or of all pooled. ``n_*`` count segments or events; rates are shares of the reference.

    ``substitution_rate``: None of a single class.
    """

    n_reference: Count
    n_estimated: Count
    n_right: Count
    f1: Share | None
    precision: Share | None
    recall: Share | None
    error_rate: Rate | None
    substitution_rate: Share | None
    deletion_rate: Share | None
    insertion_rate: Rate | None


@dataclass(frozen=True)
class MacroScore:
    """Means over the ``n_classes`` classes that are in the reference; None without any."""

    n_classes: Count
    f1: Share | None
    precision: Share | None
    recall: Share | None
    error_rate: Rate | None
    deletion_rate: Share | None
    insertion_rate: Rate | None


@dataclass(frozen=True)
class TimeScores:
    """``overall``: all classes pooled (micro). ``macro``: means over classes."""

    overall: TimeScore
    macro: MacroScore
    by_class: dict[str, TimeScore]


class Errors(NamedTuple):
    """How many segments or events; ``substituted``: None of a single class, which has none."""

    substituted: int | None
    deleted: int
    inserted: int


def segment_scores(reference: Events, estimated: Events, segment_s: float = SEGMENT_S) -> TimeScores:
    """Scores by segments of ``segment_s`` seconds."""
    labels = reference.corpus.labels
    n_labels = len(labels)
    n_segments = int(np.ceil(max(_latest(reference), _latest(estimated)) / segment_s)) + 1
    true, predicted = (_active(events, segment_s, n_segments) for events in (reference, estimated))
    cells = true, predicted, np.intersect1d(true, predicted, assume_unique=True)
    by_class = np.stack([np.bincount(cell % n_labels, minlength=n_labels) for cell in cells])
    segments = np.unique(np.concatenate([true, predicted]) // n_labels)
    places = [np.searchsorted(segments, cell // n_labels) for cell in cells]
    n_true, n_predicted, n_correct = (np.bincount(place, minlength=len(segments)) for place in places)
    substituted = (np.minimum(n_true, n_predicted) - n_correct).sum()
    deleted, inserted = np.maximum(n_true - n_predicted, 0).sum(), np.maximum(n_predicted - n_true, 0).sum()
    return _scores(labels, by_class, Errors(int(substituted), int(deleted), int(inserted)))


def event_scores(
    reference: Events, estimated: Events, collar_s: float = COLLAR_S, offset_share: float = OFFSET_SHARE
) -> TimeScores:
    """Scores by whole events."""
    labels = reference.corpus.labels
    i, j = pairs(reference, estimated)
    late_s = np.maximum(collar_s, offset_share * reference.length_s[i])
    fits = np.abs(reference.onset_s[i] - estimated.onset_s[j]) <= collar_s
    fits &= np.abs(reference.offset_s[i] - estimated.offset_s[j]) <= late_s
    i, j = i[fits], j[fits]
    same = reference.label[i] == estimated.label[j]
    chosen = match(reference.clip[i], i, j, same)
    correct = reference.label[i[chosen & same]]
    by_class = np.stack([np.bincount(of, minlength=len(labels)) for of in (reference.label, estimated.label, correct)])
    substituted = int((chosen & ~same).sum())
    deleted, inserted = (len(events) - len(correct) - substituted for events in (reference, estimated))
    return _scores(labels, by_class, Errors(substituted, deleted, inserted))


def match(clip: np.ndarray, i: np.ndarray, j: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Which pairs (i, j) to choose so that none shares an event, most are of the same class, and then most in all.

    The assignment with the greatest weight, in which a pair of the same class weighs more than all others together.

    Shape: ``clip``, ``i``, ``j`` int64 [P], ``same`` bool [P] -> bool [P].
    """
    if not len(i):
        return np.zeros(0, bool)
    from scipy.optimize import linear_sum_assignment

    chosen = (np.bincount(i)[i] == 1) & (np.bincount(j)[j] == 1)  # the only choice of both
    open_pairs = np.flatnonzero(~chosen)
    open_pairs = open_pairs[np.argsort(clip[open_pairs], kind="stable")]
    for group in np.split(open_pairs, np.flatnonzero(np.diff(clip[open_pairs])) + 1):
        rows, row = np.unique(i[group], return_inverse=True)
        columns, column = np.unique(j[group], return_inverse=True)
        weight, pair = np.zeros((len(rows), len(columns))), np.full((len(rows), len(columns)), -1)
        weight[row, column] = np.where(same[group], 1 + min(weight.shape), 1)
        pair[row, column] = group
        taken = pair[linear_sum_assignment(weight, maximize=True)]
        chosen[taken[taken >= 0]] = True
    return chosen


def _latest(events: Events) -> float:
    return float(events.offset_s.max(initial=0))


def _active(events: Events, segment_s: float, n_segments: int) -> np.ndarray:
    """Every clip, segment and class that an event touches, once and in order: int64 [C], the class counting fastest."""
    start = np.floor(events.onset_s / segment_s).astype(np.int64)
    n = np.ceil(events.offset_s / segment_s).astype(np.int64) - start
    event = np.repeat(np.arange(len(events)), n)
    segment = start[event] + np.arange(len(event)) - np.repeat(n.cumsum() - n, n)
    return np.unique((events.clip[event] * n_segments + segment) * len(events.corpus.labels) + events.label[event])


def _scores(labels: tuple[str, ...], counts: np.ndarray, errors: Errors) -> TimeScores:
    """``counts``: in the reference, estimated and correct, by class, int64 [3, K]; ``errors``: over all classes."""
    of_class = [_score(n, Errors(None, n[0] - n[2], n[1] - n[2])) for n in counts.T.tolist()]
    return TimeScores(
        overall=_score(counts.sum(1).tolist(), errors),
        macro=_macro([score for score in of_class if score.n_reference]),
        by_class=dict(zip(labels, of_class, strict=True)),
    )


def _score(counts: list[int], errors: Errors) -> TimeScore:
    """``counts``: in the reference, estimated and correct."""
    n_true, n_predicted, n_correct = counts
    if not n_true:
        return TimeScore(n_true, n_predicted, n_correct, None, None, None, None, None, None, None)
    substituted, deleted, inserted = errors
    return TimeScore(
        n_reference=n_true,
        n_estimated=n_predicted,
        n_right=n_correct,
        f1=2 * n_correct / (n_true + n_predicted),
        precision=n_correct / n_predicted if n_predicted else 0.0,
        recall=n_correct / n_true,
        error_rate=((substituted or 0) + deleted + inserted) / n_true,
        substitution_rate=None if substituted is None else substituted / n_true,
        deletion_rate=deleted / n_true,
        insertion_rate=inserted / n_true,
    )


def _macro(scores: list[TimeScore]) -> MacroScore:
    def mean(name: str) -> float | None:
        return float(np.mean([getattr(score, name) for score in scores])) if scores else None

    names = ("f1", "precision", "recall", "error_rate", "deletion_rate", "insertion_rate")
    return MacroScore(len(scores), *(mean(name) for name in names))
