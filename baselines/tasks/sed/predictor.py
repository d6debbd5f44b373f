"""A trained network as a predictor: of the mixtures of a fold, or of any recording.

A recording of any length is processed in windows of the training clips' length. They overlap by half, and the last one
ends with the recording; a shorter recording is repeated until it fills one window, because padding with silence would
be unlike the training data. Each probability, of a class in the recording or in a frame, is the maximum over all
windows that cover it, so an event cut by a window border is complete in the next window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.audio.log_mel import LogMelSettings, log_mel
from baselines.core.predictions import Prediction
from baselines.core.results import RESULTS, read_results
from baselines.core.run import BEST
from baselines.tasks.sed.data import Clips
from baselines.tasks.sed.detect import Thresholds, decisive_frames, default_thresholds, events_in, tuned_thresholds
from baselines.tasks.sed.event_columns import Corpus, Events
from baselines.tasks.sed.results import SedResults
from baselines.tasks.sed.run import Trained, folds_of, hear, load_run
from baselines.tasks.sed.split import Fold, Mixtures
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file
from clear_gen.dsp.resample import resampled

BLOCK_FRAMES = 4096  # per block of the spectrogram: a recording may last for hours


class TrainedPredictor:
    """Predicts tags and events of the mixtures of a fold with the best model of a run."""

    def __init__(self, run: Path, device: str | None = None) -> None:
        """Raises InputError naming the file that is missing or malformed."""
        self._trained = load_run(run, device)
        self._weights_sha256 = sha256_file(run / BEST)
        self._thresholds: Thresholds | None = None

    @property
    def name(self) -> str:
        """Of the model."""
        return self._trained.config.model

    def predict(self, split: Fold) -> Iterator[Prediction]:
        """Scores, events and decisive frames of every mixture, with thresholds tuned on the run's selection fold.

        Raises InputError if model and dataset do not fit together.
        """
        trained = self._trained
        selection_fold = folds_of(trained.config, split.mixtures.settings.spec.n_folds).selection
        test, selection = (self._clips(split.mixtures, fold) for fold in (split.fold, selection_fold))
        heard = hear(trained.model, trained.features, test.log_mel)
        is_same = selection_fold == split.fold
        heard_selection = heard if is_same else hear(trained.model, trained.features, selection.log_mel)
        self._thresholds = tuned_thresholds(selection, heard_selection)
        frames = decisive_frames(heard, self._thresholds)
        yield from predictions_of(heard.clip, events_in(frames, split.corpus, test.frame_s), frames)

    def about(self, split: Fold) -> Mapping[str, Any]:
        """Fields of the results about the run: configuration, folds, and the thresholds that ``predict`` tuned."""
        config, features = self._trained.config, self._trained.features
        folds = folds_of(config, split.mixtures.settings.spec.n_folds)
        assert self._thresholds is not None, "predict comes first"
        of_clip, of_frame = (dict(zip(features.labels, one.tolist(), strict=True)) for one in self._thresholds)
        return {
            "options": config.options,
            "alpha": config.alpha,
            "seed": config.seed,
            "train": list(folds.train),
            "selection": folds.selection,
            "select_on_test": config.select_on_test,
            "weights": self._weights_sha256,
            "thresholds": of_clip,
            "frame_thresholds": of_frame,
            "frame_s": features.mel.hop / features.mel.sample_rate,
        }

    def _clips(self, mixtures: Mixtures, fold: int) -> Clips:
        clips, mel = mixtures.clips(fold, self._trained.device), self._trained.features.mel
        if clips.settings != mel:
            found, expected = clips.settings.sample_rate, f"{mel.sample_rate} Hz as the model was trained on"
            raise InputError(f"{mixtures.folder}: sample rate: found {found} Hz, expected {expected}")
        return clips


def predictions_of(scores: np.ndarray, events: Events, frames: np.ndarray | None = None) -> Iterator[Prediction]:
    """Predictions about the clips of ``events``. Shape: ``scores`` float32 [N, K], decisive ``frames`` [N, T, K]."""
    corpus = events.corpus
    of_clip: dict[str, list[list[Any]]] = {clip: [] for clip in corpus.clips}
    for event in events.rows():
        of_clip[event.clip].append([event.label, event.onset_s, event.offset_s])
    for place, (clip, row) in enumerate(zip(corpus.clips, scores, strict=True)):
        values = {"scores": dict(zip(corpus.labels, row, strict=True)), "events": of_clip[clip]}
        yield Prediction(clip, values if frames is None else {**values, "frames": frames[place]})


def stored_thresholds(run: Path, labels: list[str], results_name: str) -> Thresholds:
    """The thresholds in a run's results, 0.5 if it was never evaluated. Raises InputError if the classes differ."""
    path = run / RESULTS.format(results_name)
    if not path.is_file():
        return default_thresholds(len(labels))
    file = read_results(path, SedResults)
    by_class, of_frame = file.scores.clip.by_class, file.frame_thresholds or {}
    if {*by_class} != {*labels}:
        raise InputError(f"{path}: scores.clip.by_class: found other classes than those of the run; evaluate it again")
    found = [by_class[label].threshold for label in labels], [of_frame.get(label, 0.5) for label in labels]
    return Thresholds(*map(np.array, found))


# --- any recording ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DetectedEvent:
    """An event in a recording, times in seconds. ``probability``: the highest of its frames."""

    label: str
    onset_s: float
    offset_s: float
    probability: float


@dataclass(frozen=True, eq=False)
class Detection:
    """Detections in a recording: ``events`` by onset, and the probability that each class occurs anywhere in it.

    ``frames``: float32 [K, T], the probability of each class in each frame of ``frame_s`` seconds.
    """

    events: list[DetectedEvent]
    probabilities: dict[str, float]
    frames: np.ndarray
    frame_s: float

    def table(self) -> list[list[str]]:
        """Rows of a table of the events, headers first."""
        rows = [
            [one.label, f"{one.onset_s:.3f}", f"{one.offset_s:.3f}", f"{one.probability:.4f}"] for one in self.events
        ]
        return [["label", "onset_s", "offset_s", "probability"], *rows]

    def as_dict(self) -> dict[str, Any]:
        """JSON values, without the frames."""
        return {"events": [vars(one) for one in self.events], "probabilities": self.probabilities}


class ListeningModel:
    """A trained model that detects events in any recording, with the thresholds of its run's results, or 0.5."""

    def __init__(self, run: Path, device: str | None = None) -> None:
        """Raises InputError naming the file that is missing or malformed."""
        self._trained: Trained = load_run(run, device)
        config = self._trained.config
        self._thresholds = stored_thresholds(run, self._trained.features.labels, f"{config.snr}-fold{config.fold}")

    def __call__(self, waveform: np.ndarray, sample_rate: int) -> Detection:
        """Detect the events in a recording of any length; see the module.

        ``waveform``: float [n_samples], full scale 1; ``sample_rate``: its rate in Hz, which may differ from the
        training's. Raises InputError unless there are samples and all are finite.
        """
        features, mel = self._trained.features, self._trained.features.mel
        samples = np.asarray(waveform, np.float32)
        if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
            raise InputError(f"waveform: found shape {list(samples.shape)}, expected finite samples [n], at least one")
        duration_s = len(samples) / sample_rate
        samples = resampled(samples, sample_rate, mel.sample_rate).astype(np.float32)
        spectrogram = _log_mel(np.resize(samples, max(len(samples), _window_samples(mel, features.n_frames))), mel)
        starts = window_starts(len(spectrogram), features.n_frames)
        windows = torch.stack([spectrogram[start : start + features.n_frames] for start in starts])
        heard = hear(self._trained.model, features, windows.to(self._trained.device))
        decisive = np.moveaxis(decisive_frames(heard, self._thresholds), 2, 1)
        merged = _merged(decisive, starts, len(spectrogram)).T[None]
        frame_s = mel.hop / mel.sample_rate
        events = events_in(merged, Corpus(("",), np.array([duration_s]), tuple(features.labels)), frame_s)
        frames = _merged(heard.frames, starts, len(spectrogram))
        probabilities = dict(zip(features.labels, heard.clip.max(0).tolist(), strict=True))
        return Detection(_detected(events, frames, frame_s), probabilities, frames, frame_s)


def window_starts(n_frames: int, window: int) -> list[int]:
    """First frames of windows of ``window`` frames that cover ``n_frames``: half a window apart, the last at the end.

    >>> window_starts(10, 4), window_starts(11, 4), window_starts(4, 4)
    ([0, 2, 4, 6], [0, 2, 4, 6, 7], [0])
    """
    return [*range(0, n_frames - window, max(window // 2, 1)), n_frames - window]


def _window_samples(mel: LogMelSettings, n_frames: int) -> int:
    return (n_frames - 1) * mel.hop + mel.window


def _log_mel(samples: np.ndarray, mel: LogMelSettings) -> torch.Tensor:
    """The spectrogram of a long recording, block by block. Shape: float32 [n] -> float32 [T, F]."""
    whole = torch.from_numpy(samples)
    n_frames = mel.n_frames(len(samples))
    blocks = []
    for start in range(0, n_frames, BLOCK_FRAMES):
        n = min(BLOCK_FRAMES, n_frames - start)
        first = start * mel.hop
        blocks.append(log_mel(whole[None, first : first + _window_samples(mel, n)], mel)[0])
    return torch.cat(blocks)


def _merged(windows: np.ndarray, starts: list[int], n_frames: int) -> np.ndarray:
    """The highest value at every frame. Shape: [W, K, T of a window] -> [K, T]."""
    merged = np.zeros((windows.shape[1], n_frames), windows.dtype)
    for values, start in zip(windows, starts, strict=True):
        part = merged[:, start : start + windows.shape[2]]
        np.maximum(part, values, out=part)
    return merged


def _detected(events: Events, frames: np.ndarray, frame_s: float) -> list[DetectedEvent]:
    found = []
    for event, label in zip(events.rows(), events.label.tolist(), strict=True):
        first, last = round(event.onset_s / frame_s), int(np.ceil(event.offset_s / frame_s - 1e-6))
        found.append(
            DetectedEvent(
                event.label, event.onset_s, event.offset_s, float(frames[label, first : max(last, first + 1)].max())
            )
        )
    return sorted(found, key=lambda one: (one.onset_s, one.offset_s, one.label))
