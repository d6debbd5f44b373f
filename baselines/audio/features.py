"""Spectrograms of all scenes of a split, made once and kept on the device in half precision.

Power is stored times a constant, which keeps a full-scale square wave within half precision and 100 dB below it above
its smallest number; it is standardised in float32 when it is read. 50,000 scenes of the paper take 2.7 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import interpolate

from baselines.audio.scenes import Scenes
from baselines.audio.spectrogram import MelSettings, mel_spectrogram
from clear_gen.core.config import Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import write_text

POWER_SCALE = 256.0
HALF_MAX = 65504.0
BATCH = {"cpu": 2, "cuda": 128}  # scenes: on a CPU what fits its cache is fastest

Fit = Literal["pad", "resize"]


class FeatureSettings(Strict):
    """How scenes become a model's input of 1 x 64 x ``n_frames``; ``mean`` and ``std`` of the training scenes.

    ``fit``: shorter scenes are padded with the training mean and longer ones cut, or all are resized (bilinear; the
    paper's supplement E).
    """

    mel: MelSettings
    n_frames: int = Field(gt=0)
    fit: Fit
    mean: float
    std: float = Field(gt=0)


@dataclass(frozen=True)
class Features:
    """``power``: float16 [N, 64, T], scaled. ``n_frames``: int64 [N], those that are not padding."""

    settings: FeatureSettings
    power: torch.Tensor
    n_frames: torch.Tensor

    def standardised(self, scenes: torch.Tensor) -> torch.Tensor:
        """The input for the scenes int64 [B], on the device: float32 [B, 1, 64, T]."""
        scale = 1.0 if self.settings.mel.log else POWER_SCALE
        values = (self.power[scenes].float() / scale - self.settings.mean) / self.settings.std
        is_frame = torch.arange(values.shape[2], device=values.device) < self.n_frames[scenes][:, None]
        return (values * is_frame[:, None])[:, None].contiguous(memory_format=torch.channels_last)


def training_features(
    scenes: Scenes, mel: MelSettings, fit: Fit, device: torch.device, advance: Callable[[int], object]
) -> Features:
    """Features of the training scenes, of which the longest sets T; see ``_moments`` for mean and deviation."""
    n_frames = int(mel.n_frames(scenes.n_samples).max())
    settings = FeatureSettings(mel=mel, n_frames=n_frames, fit=fit, mean=0.0, std=1.0)
    made = features_of(scenes, settings, device, advance)
    mean, std = _moments(made)
    return Features(settings.model_copy(update={"mean": mean, "std": std}), made.power, made.n_frames)


def features_of(
    scenes: Scenes, settings: FeatureSettings, device: torch.device, advance: Callable[[int], object]
) -> Features:
    """Features of all scenes, on ``device``; ``advance`` is told how many more are done.

    Raises InputError if the scenes have another sample rate than the settings, or one is too short for a frame.
    """
    mel = settings.mel
    if scenes.sample_rate != mel.sample_rate:
        raise InputError(f"scenes: sample rate: found {scenes.sample_rate} Hz, expected {mel.sample_rate} Hz")
    if (short := scenes.n_samples <= mel.window // 2).any():
        scene, expected = int(np.argmax(short)), mel.window // 2
        raise InputError(f"scene {scene}: found {scenes.n_samples[scene]} samples, expected more than {expected}")
    power = torch.zeros((len(scenes.n_samples), mel.n_bands, settings.n_frames), dtype=torch.float16, device=device)
    n_samples = torch.tensor(scenes.n_samples, device=device)
    first = 0
    for waveforms in scenes.waveforms(BATCH[device.type], device):
        rows = slice(first, first + len(waveforms))
        made = mel_spectrogram(waveforms, n_samples[rows], mel)
        fitted = _resized(made, n_samples[rows], settings) if settings.fit == "resize" else _padded(made, settings)
        power[rows] = fitted if mel.log else (fitted * POWER_SCALE).clamp_(max=HALF_MAX)
        first += len(waveforms)
        advance(len(waveforms))
    n_frames = (n_samples // mel.hop + 1).clamp(max=settings.n_frames)
    if settings.fit == "resize":
        n_frames = torch.full_like(n_frames, settings.n_frames)
    return Features(settings, power, n_frames)


def _padded(made: torch.Tensor, settings: FeatureSettings) -> torch.Tensor:
    return torch.nn.functional.pad(made, (0, settings.n_frames - made.shape[2]))  # a negative width cuts


def _resized(made: torch.Tensor, n_samples: torch.Tensor, settings: FeatureSettings) -> torch.Tensor:
    n_frames = (n_samples // settings.mel.hop + 1).tolist()
    size = (made.shape[1], settings.n_frames)
    return torch.cat(
        [interpolate(one[None, None, :, :n], size, mode="bilinear")[0] for one, n in zip(made, n_frames, strict=True)]
    )


def _moments(features: Features) -> tuple[float, float]:
    """Mean and standard deviation over all scenes, of spectrograms padded with zeros, as the reference code has them.

    It pads to the longest scene of a batch of 128, here to the longest of all, which differs little. Padding is not
    counted in log power, of which zero is no silence.
    """
    is_log = features.settings.mel.log
    scale = 1.0 if is_log else POWER_SCALE
    n = int(features.n_frames.sum()) * features.power.shape[1] if is_log else features.power.numel()
    first = second = 0.0
    for part in features.power.split(256):  # what is padding is zero
        values = part.double() / scale
        first += float(values.sum())
        second += float(values.square().sum())
    mean = first / n
    return mean, max(float(np.sqrt(max(second / n - mean * mean, 0.0))), 1e-12)


def write_feature_settings(settings: FeatureSettings, path: Path) -> None:
    """Write as JSON, atomically."""
    write_text(path, settings.model_dump_json(indent=1))


def read_feature_settings(path: Path) -> FeatureSettings:
    """Read what ``write_feature_settings`` wrote. Raises InputError naming file, line, field, found and expected."""
    return load_yaml(path, FeatureSettings)  # of which JSON is a part
