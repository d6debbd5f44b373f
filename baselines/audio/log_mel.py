"""Log-mel spectrogram of clips for sound event detection, on any device.

Conventions of Kong, Xu, Sobieraj, Wang, Plumbley, "Sound Event Detection and Time-Frequency Segmentation from Weakly
Labelled Data", IEEE/ACM TASLP 27, 2019, and its published code: symmetric Hamming window, frames only where they fit
(no padding), magnitude divided by the root of the window's energy, triangular filters of equal area on Slaney's mel
scale (Auditory Toolbox, 1998), natural logarithm. Not to be taken for the spectrogram of question answering, in
``baselines.audio.spectrogram``, which differs in all of this.
"""

from __future__ import annotations

from functools import cache
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator

from clear_gen.core.config import Strict
from clear_gen.dsp import mel


class LogMelSettings(Strict):
    """Window and hop in samples at ``sample_rate`` (Hz); bands between two frequencies in Hz; ``floor`` of magnitude.

    >>> LogMelSettings().n_frames(320_000)
    311
    """

    sample_rate: int = Field(default=32_000, gt=0)
    window: int = Field(default=2048, gt=1)
    hop: int = Field(default=1024, gt=0)
    n_bands: int = Field(default=64, gt=0)
    low_hz: float = Field(default=50.0, ge=0)
    high_hz: float = Field(default=16_000.0, gt=0)
    floor: float = Field(default=1e-8, gt=0)

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        if not self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ValueError("low_hz below high_hz, and that at most half the sample rate")
        return self

    def n_frames(self, n_samples: int) -> int:
        """Frames of a clip of so many samples: those that fit."""
        return max((n_samples - self.window) // self.hop + 1, 0)


def log_mel(waveforms: torch.Tensor, settings: LogMelSettings) -> torch.Tensor:
    """float32 or float64 [B, N] -> the same type [B, T, F]: the first frame at sample 0, the lowest band first.

    In float32, bands that lie 80 dB or more below others are off by up to 1e-3, the rest by 1e-5. Raises ValueError if
    the clips are shorter than one window.
    """
    if waveforms.shape[-1] < settings.window:
        raise ValueError(f"found clips of {waveforms.shape[-1]} samples, expected at least {settings.window}")
    window, filters = _window_and_filters(settings, waveforms.device, waveforms.dtype)
    frames = waveforms.unfold(-1, settings.window, settings.hop)  # [B, T, window]
    magnitude = torch.fft.rfft(frames * window).abs()  # [B, T, window / 2 + 1]
    return torch.log(magnitude @ filters + settings.floor)


@cache
def _window_and_filters(
    settings: LogMelSettings, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """The window divided by the root of its energy, [window]; the filters, [window / 2 + 1, F]."""
    window = np.hamming(settings.window)
    window /= np.sqrt(np.square(window).sum())
    filters = slaney_filters(settings).T
    on_device = [torch.tensor(array, dtype=dtype, device=device) for array in (window, filters)]
    return on_device[0], on_device[1]


def slaney_filters(settings: LogMelSettings) -> np.ndarray:
    """float64 [F, window / 2 + 1]: triangles whose area over Hz is 1, the lowest band first."""
    edges_hz = mel.mel_edges_hz(settings.n_bands, settings.low_hz, settings.high_hz, "slaney")
    return mel.mel_filters(edges_hz, settings.window, settings.sample_rate, norm="area")
