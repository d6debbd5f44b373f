"""The mel filter bank: triangular bands of equal width on a mel scale, for every spectrogram of the project.

Scales: ``htk``, 2595 log10(1 + f / 700 Hz) (O'Shaughnessy, "Speech Communication", Addison-Wesley, 1987); ``slaney``,
linear below 1 kHz and logarithmic above (Slaney, "Auditory Toolbox", Interval Research, 1998).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Scale = Literal["htk", "slaney"]

HTK_BREAK_HZ, HTK_MELS_PER_DECADE = 700, 2595
HZ_PER_MEL = 200 / 3  # of Slaney's scale below the corner, where it is linear
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / HZ_PER_MEL
MELS_PER_NEPER = 27 / np.log(6.4)  # above it


def mel_edges_hz(n_bands: int, low_hz: float, high_hz: float, scale: Scale) -> np.ndarray:
    """float64 [n_bands + 2]: band k reaches from edge k to edge k + 2 and peaks at edge k + 1."""
    return _hz(np.linspace(_mel(low_hz, scale), _mel(high_hz, scale), n_bands + 2), scale)


def mel_filters(
    edges_hz: np.ndarray, n_fft: int, sample_rate: int, norm: Literal["peak", "area"] = "peak"
) -> np.ndarray:
    """Weights of the bins of a real FFT, float64 [n_bands, n_fft / 2 + 1], the lowest band first.

    ``edges_hz``: see ``mel_edges_hz``. ``norm``: triangles of height 1, or of area 1 over Hz. ``sample_rate`` in Hz.
    """
    bin_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bin_hz - low) / (centre - low), (high - bin_hz) / (high - centre)
    weights = np.maximum(0, np.minimum(rising, falling))
    return weights * 2 / (high - low) if norm == "area" else weights


def _mel(hz: float, scale: Scale) -> float:
    if scale == "htk":
        return HTK_MELS_PER_DECADE * float(np.log10(1 + hz / HTK_BREAK_HZ))
    return hz / HZ_PER_MEL if hz < CORNER_HZ else CORNER_MEL + MELS_PER_NEPER * float(np.log(hz / CORNER_HZ))


def _hz(mel: np.ndarray, scale: Scale) -> np.ndarray:
    if scale == "htk":
        return HTK_BREAK_HZ * (10 ** (mel / HTK_MELS_PER_DECADE) - 1)
    return np.where(mel < CORNER_MEL, mel * HZ_PER_MEL, CORNER_HZ * np.exp((mel - CORNER_MEL) / MELS_PER_NEPER))
