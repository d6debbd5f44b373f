"""Mel power spectrogram of scenes, on any device.

Conventions of NAAQA (Abdelnour, Rouat, Salvi, TPAMI 2023, section 5.1, and its reference code): periodic Hann window,
frames centred on multiples of the hop with reflected edges, power 2, each frame divided by the root of the window's
energy, triangular filters on the HTK mel scale without area normalisation, no logarithm, row 0 the highest band.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from pydantic import Field

from clear_gen.core.config import Strict
from clear_gen.dsp import mel

REFERENCE_RATE = 48_000  # Hz, of the window and the hop below
WINDOW_SAMPLES = 512
HOP_SAMPLES = 2048
N_BANDS = 64
LOG_FLOOR = 1e-10  # -100 dB


class MelSettings(Strict):
    """Window and hop in samples at ``sample_rate`` (Hz); ``log``: log10 of the power instead of the power."""

    sample_rate: int = Field(gt=0)
    window: int = Field(gt=0, multiple_of=2)
    hop: int = Field(gt=0)
    n_bands: int = Field(default=N_BANDS, gt=0)
    log: bool = False

    def n_frames(self, n_samples: np.ndarray) -> np.ndarray:
        """Frames of scenes of so many samples: int64, of the same shape."""
        return n_samples // self.hop + 1


def settings_at(sample_rate: int, log: bool = False) -> MelSettings:
    """The window and the hop of the paper, in seconds the same at every sample rate (Hz).

    >>> settings_at(48_000)
    MelSettings(sample_rate=48000, window=512, hop=2048, n_bands=64, log=False)
    """
    window, hop = (round(n * sample_rate / REFERENCE_RATE) for n in (WINDOW_SAMPLES, HOP_SAMPLES))
    return MelSettings(sample_rate=sample_rate, window=window + window % 2, hop=hop, log=log)


def mel_spectrogram(waveforms: torch.Tensor, n_samples: torch.Tensor, settings: MelSettings) -> torch.Tensor:
    """float32 [B, N], zero after each scene's ``n_samples`` (int64 [B]) -> float32 [B, 64, N // hop + 1], zero after.

    Raises ValueError if a scene is shorter than half a window and one sample, which cannot be reflected.
    """
    half = settings.window // 2
    if int(n_samples.min()) <= half:
        raise ValueError(f"found a scene of {int(n_samples.min())} samples, expected more than {half}")
    padded = _reflected(waveforms, n_samples, half)
    frames = padded.unfold(1, settings.window, settings.hop)
    window, filters = _window_and_filters(settings, waveforms.device)
    power = torch.fft.rfft(frames * window).abs().square()
    bands = (power @ filters).transpose(1, 2)
    if settings.log:
        bands = torch.log10(bands + LOG_FLOOR)
    is_frame = torch.arange(bands.shape[2], device=bands.device) <= (n_samples // settings.hop)[:, None]
    return bands * is_frame[:, None]


def _reflected(waveforms: torch.Tensor, n_samples: torch.Tensor, half: int) -> torch.Tensor:
    """Each scene with ``half`` samples mirrored at its start and at its own end: float32 [B, N + 2 half]."""
    padded = torch.nn.functional.pad(waveforms, (half, half))
    padded[:, :half] = waveforms[:, 1 : half + 1].flip(1)
    ahead = torch.arange(half, device=waveforms.device)
    mirrored = waveforms.gather(1, n_samples[:, None] - 2 - ahead)
    return padded.scatter_(1, half + n_samples[:, None] + ahead, mirrored)


@cache
def _window_and_filters(settings: MelSettings, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The window divided by the root of its energy, float32 [window]; the filters, float32 [window / 2 + 1, 64]."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(settings.window) / settings.window)
    window /= np.sqrt(np.square(window).sum())
    filters = mel_filters(settings)[::-1].T
    on_device = [torch.tensor(array.copy(), dtype=torch.float32, device=device) for array in (window, filters)]
    return on_device[0], on_device[1]


def mel_filters(settings: MelSettings) -> np.ndarray:
    """float64 [64, window / 2 + 1]: triangles that peak at 1 on the HTK mel scale, the lowest band first."""
    edges_hz = mel.mel_edges_hz(settings.n_bands, 0, settings.sample_rate / 2, "htk")
    return mel.mel_filters(edges_hz, settings.window, settings.sample_rate)
