"""Decodes frame probabilities to sound events, at one or many thresholds; merges overlapping events.

Conventions: an event lasts from its onset to its offset, in seconds from the beginning of its clip. Frame k of a model
covers the time from k to k + 1 times ``frame_s``, so an event of frames a..b - 1 lasts from a to b times ``frame_s``.

Reference for decoding: Q. Kong et al., "Sound event detection and time-frequency segmentation from weakly labelled
data", IEEE/ACM TASLP 27(4), 2019, and its program: threshold, hysteresis, join, drop, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from baselines.tasks.sed.event_columns import Corpus, Events
from clear_gen.core.errors import InputError

HIGH, LOW = 0.2, 0.1  # of the hysteresis, probabilities
JOIN_FRAMES = DROP_FRAMES = 10
THRESHOLDS = tuple((k + 0.5) / 50 for k in range(50))  # of operating points: 0.01, 0.03 ... 0.99, as in DCASE


# --- from frames ------------------------------------------------------------------------------------------------------


def decode(
    probabilities: np.ndarray,
    corpus: Corpus,
    frame_s: float,
    high: float | np.ndarray = HIGH,
    low: float | np.ndarray | None = LOW,
    join_frames: int = JOIN_FRAMES,
    drop_frames: int = DROP_FRAMES,
) -> Events:
    """The events of every class in frame probabilities, ordered by clip, class and onset.

    Frames above ``high`` are active; with ``low``, so are their neighbours as far as none is below it (hysteresis).
    Then gaps of at most ``join_frames`` frames between events of a class are closed, and after that events of at most
    ``drop_frames`` frames are dropped. What lies past the end of a clip (its padding) is cut off.

    ``high``, ``low``: one for all classes or float [K]. Shape: ``probabilities`` [N, T, K].

    Raises InputError if the shape does not fit the corpus or a ``low`` is above its ``high``.
    """
    _validate_frames(probabilities, corpus, frame_s)
    if low is not None and (np.asarray(low) > high).any():
        raise InputError(f"low: found {low}, expected at most high, which is {high}")
    by_row = np.moveaxis(probabilities, 2, 1)
    return _decode(np.ascontiguousarray(by_row), corpus, frame_s, high, low, join_frames, drop_frames)


def operating_points(
    probabilities: np.ndarray,
    corpus: Corpus,
    frame_s: float,
    thresholds: Sequence[float] = THRESHOLDS,
    low_share: float | None = None,
    join_frames: int = 0,
    drop_frames: int = 0,
) -> list[Events]:
    """The events at each threshold; ``low_share``: ratio of the lower to the upper hysteresis threshold, 0 to 1.

    Otherwise like ``decode``.
    """
    _validate_frames(probabilities, corpus, frame_s)
    if low_share is not None and not 0 <= low_share <= 1:
        raise InputError(f"low_share: found {low_share}, expected 0 to 1")
    by_row = np.ascontiguousarray(np.moveaxis(probabilities, 2, 1))
    lows = [None if low_share is None else low_share * high for high in thresholds]
    return [
        _decode(by_row, corpus, frame_s, high, low, join_frames, drop_frames)
        for high, low in zip(thresholds, lows, strict=True)
    ]


def _validate_frames(probabilities: np.ndarray, corpus: Corpus, frame_s: float) -> None:
    expected = f"({len(corpus.clips)}, frames, {len(corpus.labels)})"
    if probabilities.ndim != 3 or probabilities.shape[::2] != (len(corpus.clips), len(corpus.labels)):
        raise InputError(f"probabilities: found shape {probabilities.shape}, expected {expected}")
    if not np.issubdtype(probabilities.dtype, np.floating):
        raise InputError(f"probabilities: found {probabilities.dtype}, expected float")
    if not np.isfinite(probabilities).all():
        clip, frame, label = np.argwhere(~np.isfinite(probabilities))[0]
        where = f"{corpus.clips[clip]}, frame {frame}, {corpus.labels[label]}"
        raise InputError(f"probabilities: {where}: found {probabilities[clip, frame, label]}, expected a finite number")
    if not 0 < frame_s < np.inf:
        raise InputError(f"frame_s: found {frame_s}, expected seconds above 0")


def _decode(
    by_row: np.ndarray,
    corpus: Corpus,
    frame_s: float,
    high: float | np.ndarray,
    low: float | np.ndarray | None,
    join_frames: int,
    drop_frames: int,
) -> Events:
    """``decode`` for probabilities [N, K, T]. All rows are one line of frames, a silent one after each row."""
    n_labels, stride = by_row.shape[1], by_row.shape[2] + 1
    above = by_row > _by_label(high, by_row.dtype)
    active = above if low is None else above | (by_row >= _by_label(low, by_row.dtype))
    start, end = _runs(np.pad(active, ((0, 0), (0, 0), (0, 1))).ravel())
    if low is not None:
        peaks = np.flatnonzero(np.pad(above, ((0, 0), (0, 0), (0, 1))))
        reached = np.searchsorted(peaks, end) > np.searchsorted(peaks, start)
        start, end = start[reached], end[reached]
    apart = (start[1:] - end[:-1] > join_frames) | (start[1:] // stride != start[:-1] // stride)
    start, end = start[np.append(True, apart)[: len(start)]], end[np.append(apart, True)[: len(end)]]
    kept = end - start > drop_frames
    row, start, end = start[kept] // stride, start[kept] % stride, end[kept] - start[kept] // stride * stride
    clip, label = np.divmod(row, n_labels)
    onset_s, offset_s = start * frame_s, np.minimum(end * frame_s, corpus.duration_s[clip])
    return Events(corpus, clip, onset_s, offset_s, label).take(onset_s < offset_s)


def _by_label(threshold: float | np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A threshold rounded as the probabilities are: 0.2 is not above 0.2. Shape: [] or [K] -> [1 or K, 1]."""
    return np.asarray(threshold, dtype).reshape(-1, 1)


def _runs(active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Beginnings and ends of the runs of True in bool [F], each end just past its run."""
    padded = np.concatenate([[False], active, [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    return changes[::2], changes[1::2]


# --- pairs and joins --------------------------------------------------------------------------------------------------


def pairs(first: Events, second: Events) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of events from the two sets in the same clip, as indices: int64 [P], int64 [P]."""
    order = np.argsort(second.clip, kind="stable")
    clips = second.clip[order]
    start, end = np.searchsorted(clips, first.clip, "left"), np.searchsorted(clips, first.clip, "right")
    n = end - start
    i = np.repeat(np.arange(len(first)), n)
    within = np.arange(len(i)) - np.repeat(n.cumsum() - n, n)
    return i, order[np.repeat(start, n) + within]


def merge(events: Events) -> Events:
    """Merge overlapping events of one class; events that only touch stay separate. Ordered by clip, class and onset."""
    order = np.lexsort((events.offset_s, events.onset_s, events.label, events.clip))
    events = events.take(order)
    if not len(events):
        return events
    group = np.cumsum(np.append(False, (np.diff(events.clip) != 0) | (np.diff(events.label) != 0)))
    # The latest end so far in each group: running maxima of ranks, which every later group starts above.
    by_end = np.argsort(events.offset_s, kind="stable")
    rank = np.empty(len(events), np.int64)
    rank[by_end] = np.arange(len(events))
    latest = np.maximum.accumulate(rank + group * len(events)) - group * len(events)
    latest_s = events.offset_s[by_end[latest]]
    begins = np.append(True, (np.diff(group) != 0) | (events.onset_s[1:] >= latest_s[:-1]))
    ends = np.append(begins[1:], True)
    merged = events.take(begins)
    return Events(events.corpus, merged.clip, merged.onset_s, latest_s[ends], merged.label)
