"""The mixtures of a dataset at one SNR: spectrograms computed once and kept on the device, weak and strong labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from baselines.audio.log_mel import LogMelSettings, log_mel
from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of, present
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.datasets.mixtures.load import config_of, load_mixtures
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.store.manifest import stored_identity

BATCH = {"cpu": 4, "cuda": 64}  # clips per batch of spectrograms


@dataclass(frozen=True)
class Clips:
    """N mixtures. ``config``: their SNR's name, such as mixtures-snr0. ``fold``: int64 [N], from 1.

    ``targets``: bool [N, K], which labels are in a clip; ``events``: when. ``log_mel``: float32 [N, T, F] on the device
    and not normalised.
    """

    config: str
    corpus: Corpus
    fold: np.ndarray
    targets: np.ndarray
    events: Events
    log_mel: torch.Tensor
    settings: LogMelSettings

    @property
    def frame_s(self) -> float:
        """Hop from one frame to the next, in seconds."""
        return self.settings.hop / self.settings.sample_rate

    @property
    def n_folds(self) -> int:
        """How many folds the mixtures have, where they are not those of one fold alone."""
        return int(self.fold.max())

    def of_folds(self, folds: Sequence[int]) -> np.ndarray:
        """Indices of the clips of the given folds: int64 [n]."""
        return np.flatnonzero(np.isin(self.fold, folds))


def read_clips(
    folder: Path,
    snr: str | float | None,
    device: torch.device,
    advance: Callable[[int], object],
    fold: int | None = None,
    labels: Sequence[str] | None = None,
) -> Clips:
    """The mixtures at one SNR (the first available if None), of one fold or all. ``advance(n)``: progress callback.

    ``labels``: the classes, by default those that occur. Raises InputError if there are no such mixtures, they have
    labels outside ``labels``, or they are shorter than a window of the spectrogram.
    """
    settings = finished_mixtures(folder, stored_identity(folder))
    config = config_of(folder, settings, snr)
    mel = mel_settings_at(settings.sample_rate)
    made = _Made(n_clips(settings, fold), round(settings.duration_s * settings.sample_rate), mel, device)
    names, folds, events = [], [], []
    for graph, waveform, _ in load_mixtures(folder, config, fold):
        made.add(heard_in(folder, graph.mixture_id, waveform))
        names.append(graph.mixture_id)
        folds.append(graph.fold)
        events += [Event(graph.mixture_id, one.onset_s, one.offset_s, one.label) for one in graph.events]
        advance(1)
    found = sorted({event.label for event in events})
    if labels is not None and (unknown := [label for label in found if label not in labels]):
        raise InputError(f"{folder}: label: {not_among(unknown[0], labels)}")
    corpus = Corpus(tuple(names), np.full(len(names), settings.duration_s), tuple(found if labels is None else labels))
    if not corpus.labels:
        raise InputError(f"{folder}: found mixtures without events, expected labels to learn")
    columns = events_of(events, corpus)
    return Clips(config, corpus, np.array(folds), present(columns), columns, made.log_mel(), mel)


def heard_in(folder: Path, mixture_id: str, waveform: np.ndarray | None) -> np.ndarray:
    """The waveform of a mixture. Raises InputError if the dataset was published without audio."""
    if waveform is None:
        raise InputError(
            f"{folder}: {mixture_id}: found no audio, expected mixtures with audio (clear-gen mix makes it)"
        )
    return waveform


def n_clips(settings: MixtureSettings, fold: int | None) -> int:
    """How many mixtures a dataset has at one SNR, in one fold or in all."""
    return settings.spec.n_per_fold * (settings.spec.n_folds if fold is None else 1)


def mel_settings_at(sample_rate: int) -> LogMelSettings:
    """The reference's spectrogram: 64 ms windows, 32 ms hop, 64 bands from 50 Hz to 16 kHz or what the rate carries.

    >>> mel_settings_at(32_000) == LogMelSettings()
    True
    """
    reference = LogMelSettings()
    ratio = sample_rate / reference.sample_rate
    return LogMelSettings(
        sample_rate=sample_rate,
        window=round(reference.window * ratio),
        hop=round(reference.hop * ratio),
        high_hz=min(reference.high_hz, sample_rate / 2),
    )


class _Made:
    """Computes spectrograms in batches of waveforms."""

    def __init__(self, n: int, n_samples: int, settings: LogMelSettings, device: torch.device) -> None:
        if settings.n_frames(n_samples) < 1:
            raise InputError(f"mixtures: found {n_samples} samples, expected at least {settings.window}")
        self.settings, self.device = settings, device
        self.waveforms: list[np.ndarray] = []
        self.done = 0
        self.made = torch.empty((n, settings.n_frames(n_samples), settings.n_bands), device=device)

    def add(self, waveform: np.ndarray) -> None:
        """Add a clip, float32 [n_samples]."""
        self.waveforms.append(waveform)
        if len(self.waveforms) == BATCH[self.device.type]:
            self._flush()

    def log_mel(self) -> torch.Tensor:
        """The spectrograms of all clips: float32 [N, T, F]."""
        if self.waveforms:
            self._flush()
        return self.made

    def _flush(self) -> None:
        batch = torch.from_numpy(np.stack(self.waveforms)).to(self.device)
        self.made[self.done : self.done + len(batch)] = log_mel(batch, self.settings)
        self.done += len(batch)
        self.waveforms = []
