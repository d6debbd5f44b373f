"""Converts a model's probabilities to tags and events, with thresholds tuned on a selection fold.

How frame probabilities become events, after Kong et al. (TASLP 2019): a class is only looked for in clips that are
tagged with it. Models differ in scale (atrous never exceeds 0.5; a mean over frequency is far below a maximum), so
every class has two thresholds of its own that give the best F1 on the selection fold: one over clips, and one over the
frames of the clips tagged with it, for which that fold's events are used. The frame threshold is brought to 0.5 by
scaling the odds, p / (1 - p), of its class; the operating points of PSDS are then thresholds from 0.01 to 0.99. Gaps
are closed and short events dropped as Kong et al. do, but there is no hysteresis: their second threshold is fixed for
the scale of one model, and one that is tuned on frames is to decide on every frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from baselines.tasks.sed.data import Clips
from baselines.tasks.sed.event_columns import Corpus, Events
from baselines.tasks.sed.metrics.events import DROP_FRAMES, JOIN_FRAMES, decode, operating_points
from baselines.tasks.sed.metrics.tagging import DEFAULT_THRESHOLD, tune_thresholds
from baselines.tasks.sed.run import Heard

LEAST_ODDS = 1e-12  # so that a threshold of 0 has finite odds


class Thresholds(NamedTuple):
    """Thresholds by class: float64 [K]. ``clip``: of a clip's probability; ``frame``: of a frame's in tagged clips."""

    clip: np.ndarray
    frame: np.ndarray


def default_thresholds(n_classes: int) -> Thresholds:
    """0.5 for everything, where nothing was tuned."""
    return Thresholds(*(np.full(n_classes, DEFAULT_THRESHOLD) for _ in range(2)))


def tuned_thresholds(selection: Clips, heard: Heard) -> Thresholds:
    """Thresholds with the best F1 on the selection fold. ``heard``: the model's output for that fold."""
    of_clip = tune_thresholds(heard.clip, selection.targets)
    active = active_frames(selection, heard.frames)
    return Thresholds(of_clip, tune_frame_thresholds(heard.frames, heard.clip > of_clip, active))


def decisive_frames(heard: Heard, thresholds: Thresholds) -> np.ndarray:
    """Frame probabilities rescaled to a threshold of 0.5; 0 where a class is not tagged. Shape: float32 [N, T, K]."""
    return relative_frames(heard.frames, heard.clip > thresholds.clip, thresholds.frame)


def events_in(frames: np.ndarray, corpus: Corpus, frame_s: float) -> Events:
    """The events in decisive frames [N, T, K]."""
    return decode(frames, corpus, frame_s, DEFAULT_THRESHOLD, None, JOIN_FRAMES, DROP_FRAMES)


def operating_points_in(frames: np.ndarray, corpus: Corpus, frame_s: float) -> list[Events]:
    """The events in decisive frames [N, T, K] at each threshold of PSDS."""
    return operating_points(frames, corpus, frame_s, join_frames=JOIN_FRAMES, drop_frames=DROP_FRAMES)


def active_frames(clips: Clips, frames: np.ndarray) -> np.ndarray:
    """Which frames an event of a class touches. Shape: frames [N, K, T] -> bool [N, K, T]."""
    active = np.zeros(frames.shape, bool)
    first = np.floor(clips.events.onset_s / clips.frame_s).astype(int)
    last = np.ceil(clips.events.offset_s / clips.frame_s).astype(int)
    for clip, label, start, stop in zip(clips.events.clip, clips.events.label, first, last, strict=True):
        active[clip, label, start:stop] = True
    return active


def tune_frame_thresholds(frames: np.ndarray, tagged: np.ndarray, active: np.ndarray) -> np.ndarray:
    """For every class the threshold with the best F1 over the frames of clips tagged with it; 0.5 if none is.

    Shape: ``frames``, ``active`` [N, K, T], ``tagged`` bool [N, K] -> float64 [K].
    """
    thresholds = np.full(tagged.shape[1], DEFAULT_THRESHOLD)
    for k in np.flatnonzero(tagged.any(0)):
        of_class, truth = (values[tagged[:, k], k].reshape(-1, 1) for values in (frames, active))
        thresholds[k] = tune_thresholds(of_class, truth)[0]
    return thresholds


def relative_frames(frames: np.ndarray, tagged: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Frame probabilities whose odds are divided by those of their threshold; 0 where a class is not tagged.

    Nothing is above a threshold of 1.

    Shape: ``frames`` [N, K, T], ``tagged`` bool [N, K], ``thresholds`` [K] -> float32 [N, T, K].

    >>> frames = np.array([[[0.1, 0.2, 0.6]], [[0.1, 0.2, 0.6]]])
    >>> relative_frames(frames, np.array([[True], [False]]), np.array([0.2]))[:, :, 0].round(3)
    array([[0.308, 0.5  , 0.857],
           [0.   , 0.   , 0.   ]], dtype=float32)
    """
    relative = np.zeros((len(frames), frames.shape[2], frames.shape[1]), np.float32)
    for k, threshold in enumerate(np.clip(thresholds, LEAST_ODDS, 1)):
        p = frames[tagged[:, k], k].astype(np.float64)
        above, below = p * (1 - threshold), (1 - p) * threshold
        relative[tagged[:, k], :, k] = np.divide(above, above + below, out=np.zeros(p.shape), where=above > 0)
    return relative
