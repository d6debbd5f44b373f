"""The polyphonic sound detection score (PSDS): detection over all operating points of a system, by intersections.

Goal: PSDS as its paper defines it and the psds_eval package (0.5.3) computes it.

Conventions, for class c at one operating point; lengths of intersections by reference events of one class add up:

1. Detection tolerance criterion: a detection counts if at least ``dtc`` of it is inside reference events of its class;
   else it is a false positive.
2. Ground truth intersection criterion: a reference event is detected if at least ``gtc`` of it is inside detections of
   its class that count.
3. Cross-trigger tolerance criterion: a false positive is also a cross-trigger of every other class of whose reference
   events at least ``cttc`` of it is inside.
4. Rates: TPR = detected / reference events of the class; FPR = false positives / hours of all clips; cross-trigger rate
   = cross-triggers / hours of the other class's reference events. Effective FPR = FPR + ``alpha_ct`` x mean over the
   other classes of the cross-trigger rates.
5. The curve of a class goes through (0, 0) and is a staircase: at each effective FPR the best TPR of an operating point
   at or below it. Effective TPR = mean over classes - ``alpha_st`` x standard deviation over classes (of N, not N - 1),
   at least 0. PSDS = area under it from 0 to ``e_max`` per hour, divided by ``e_max``.

Events of one class that overlap, in the reference or in an operating point, are joined first (psds_eval refuses them).
Only classes with reference events are scored and averaged, ``n_classes`` of them; psds_eval has no value for others.

References: C. Bilen et al., "A framework for the robust evaluation of sound event detection", ICASSP 2020, arXiv
1910.08440. Settings: DCASE challenges 2020 and 2021, task 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baselines.core.fields import Count, Rate, Share
from baselines.tasks.sed.event_columns import Events
from baselines.tasks.sed.metrics.events import merge, pairs
from clear_gen.core.errors import InputError

HOUR_S = 3600.0


@dataclass(frozen=True)
class PsdsSettings:
    """``dtc``, ``gtc``, ``cttc``: shares above 0, to 1. ``alpha_ct``: 0 to 1; ``alpha_st``: at least 0.

    ``e_max``: the highest effective false positive rate, per hour.
    """

    dtc: float = 0.5
    gtc: float = 0.5
    cttc: float = 0.3
    alpha_ct: float = 0.0
    alpha_st: float = 0.0
    e_max: float = 100.0


SETTINGS: dict[str, PsdsSettings] = {
    "dcase2020": PsdsSettings(),
    "dcase2021-1": PsdsSettings(dtc=0.7, gtc=0.7, alpha_st=1.0),  # reacts in time
    "dcase2021-2": PsdsSettings(dtc=0.1, gtc=0.1, alpha_ct=0.5, alpha_st=1.0),  # confuses no classes
}


@dataclass(frozen=True)
class Psds:
    """``value``: 0..1, None without reference events. ``efpr`` (per hour), ``etpr``: corners of the PSD-ROC curve."""

    value: Share | None
    n_classes: Count
    n_operating_points: Count
    settings: PsdsSettings
    efpr: list[Rate]
    etpr: list[Share]


@dataclass(frozen=True)
class Rates:
    """Rates of one operating point by class. Shape: float64 [K]; NaN for classes without reference events.

    ``fpr``, ``ctr`` per hour; ``ctr``: the mean over the other classes.
    """

    tpr: np.ndarray
    fpr: np.ndarray
    ctr: np.ndarray


def validate_settings(settings: PsdsSettings) -> None:
    """Raise InputError unless every number is in its range."""
    for name in ("dtc", "gtc", "cttc"):
        if not 0 < getattr(settings, name) <= 1:
            raise InputError(f"{name}: found {getattr(settings, name)}, expected above 0, at most 1")
    if not 0 <= settings.alpha_ct <= 1:
        raise InputError(f"alpha_ct: found {settings.alpha_ct}, expected 0 to 1")
    if not 0 <= settings.alpha_st < np.inf:
        raise InputError(f"alpha_st: found {settings.alpha_st}, expected at least 0")
    if not 0 < settings.e_max < np.inf:
        raise InputError(f"e_max: found {settings.e_max}, expected above 0")


def psds(reference: Events, operating_points: Sequence[Events], settings: PsdsSettings) -> Psds:
    """The PSDS of a system. ``operating_points``: its detections, one set per threshold.

    Raises InputError as ``validate_settings`` does.
    """
    validate_settings(settings)
    reference = merge(reference)
    rates = [rates_of(reference, merge(point), settings) for point in operating_points]
    scored = np.bincount(reference.label, minlength=len(reference.corpus.labels)) > 0
    if not scored.any() or not rates:
        return Psds(None if not scored.any() else 0.0, int(scored.sum()), len(rates), settings, [0.0], [0.0])
    tpr = np.stack([rate.tpr[scored] for rate in rates], 1)
    efpr = np.stack([rate.fpr[scored] + settings.alpha_ct * rate.ctr[scored] for rate in rates], 1)
    x = np.unique(np.append(efpr, 0.0))
    x = x[x <= settings.e_max]
    curves = np.stack([_staircase(x, *curve) for curve in zip(efpr, tpr, strict=True)])
    y = np.maximum(curves.mean(0) - settings.alpha_st * curves.std(0), 0.0)
    area = float((np.diff(x, append=settings.e_max) * y).sum())
    return Psds(min(area / settings.e_max, 1.0), int(scored.sum()), len(rates), settings, x.tolist(), y.tolist())


def rates_of(reference: Events, detected: Events, settings: PsdsSettings) -> Rates:
    """True positive, false positive and cross-trigger rates; no two events of a class may overlap."""
    n_labels = len(reference.corpus.labels)
    i, j = pairs(detected, reference)
    shared_s = np.minimum(detected.offset_s[i], reference.offset_s[j])
    shared_s -= np.maximum(detected.onset_s[i], reference.onset_s[j])
    meet = shared_s > 0
    i, j, shared_s = i[meet], j[meet], shared_s[meet]
    same = detected.label[i] == reference.label[j]
    counts = np.bincount(i[same], shared_s[same], len(detected)) / detected.length_s >= settings.dtc

    found = same & counts[i]
    covered = np.bincount(j[found], shared_s[found], len(reference)) / reference.length_s
    n_reference = np.bincount(reference.label, minlength=n_labels)
    n_detected = np.bincount(reference.label[covered >= settings.gtc], minlength=n_labels)
    n_false = np.bincount(detected.label[~counts], minlength=n_labels)

    crossed = ~same & ~counts[i]
    keys, place = np.unique(i[crossed] * n_labels + reference.label[j[crossed]], return_inverse=True)
    false, other = np.divmod(keys, n_labels)
    triggers = np.bincount(place, shared_s[crossed], len(keys)) / detected.length_s[false] >= settings.cttc
    pair = detected.label[false[triggers]] * n_labels + other[triggers]
    n_crossed = np.bincount(pair, minlength=n_labels**2).reshape(n_labels, n_labels)

    hours = np.bincount(reference.label, reference.length_s, n_labels) / HOUR_S
    scored = n_reference > 0
    n_others = int(scored.sum()) - 1
    crossed_rate = np.divide(n_crossed, hours, out=np.zeros(n_crossed.shape), where=scored).sum(1)
    tpr = np.divide(n_detected, n_reference, out=np.full(n_labels, np.nan), where=scored)
    fpr = np.where(scored, n_false / (reference.corpus.duration_s.sum() / HOUR_S), np.nan)
    return Rates(tpr, fpr, np.where(scored, crossed_rate / max(n_others, 1), np.nan))


def _staircase(x: np.ndarray, efpr: np.ndarray, tpr: np.ndarray) -> np.ndarray:
    """At each of ``x`` the highest ``tpr`` of a point at or below it, or 0. Shape: [X], [P], [P] -> [X]."""
    order = np.argsort(efpr, kind="stable")
    best = np.append(0.0, np.maximum.accumulate(tpr[order]))
    return best[np.searchsorted(efpr[order], x, side="right")]
