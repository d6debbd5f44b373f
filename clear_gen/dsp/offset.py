"""What a recording holds below hearing: a constant offset, one that decays, rumble.

It counts in every level, peak and silence, and nobody hears it. Recordings that hold enough of it to matter lose it;
all others keep their samples bit by bit.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

AUDIBLE_HZ = 20.0
PART_S = 0.005  # what levels below hearing are measured on: their means still hold 20 Hz
BLOCK_PARTS = 10  # 50 ms, one period of 20 Hz
SEGMENTS = 8  # of a recording: an offset has one sign in all of them
FLOOR_DB = -60.0  # below the peak: what is weaker is no matter beside anything that is heard
OFFSET_DB = -54.0  # below the peak, in every segment
BLOCK_DB, WHOLE_DB = 10.0, -6.0  # over the audible power: of one block, of the whole recording (1 dB of its level)
# Margins by the 531 recordings of three banks and a collection of events: six of them lose something, by these limits.


def without_offset(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """A recording without what lies below 20 Hz, if that matters; else the same array. float [n], full scale 1.

    What is only constant is subtracted as such, so that everything else stays as it was.
    """
    if not len(waveform) or not np.isfinite(waveform).all() or not _has_offset(waveform, sample_rate):
        return waveform
    exact = waveform.astype(np.float64)
    level = exact - exact.mean()
    if _has_offset(level, sample_rate):
        level = exact - _below_hearing(exact, sample_rate)
    return level.astype(waveform.dtype)


def _has_offset(waveform: np.ndarray, sample_rate: int) -> bool:
    """Whether levels below hearing are a constant part of the recording, cover its quiet parts, or raise its level."""
    peak = float(np.abs(waveform).max())
    means, powers = _parts(waveform, max(1, round(PART_S * sample_rate)))
    segments = np.array([segment.mean() for segment in np.array_split(means, min(SEGMENTS, len(means)))])
    if (segments.min() > 0 or segments.max() < 0) and np.abs(segments).min() > peak * 10 ** (OFFSET_DB / 20):
        return True
    low = np.square(_below_hearing(means, 1 / PART_S))
    if low.sum() > 10 ** (WHOLE_DB / 10) * (powers.sum() - low.sum()):
        return True
    blocks = np.arange(0, len(low), BLOCK_PARTS)
    lows = np.add.reduceat(low, blocks)
    covers = lows > 10 ** (BLOCK_DB / 10) * np.maximum(np.add.reduceat(powers, blocks) - lows, 0)
    return bool((covers & (lows > BLOCK_PARTS * peak**2 * 10 ** (FLOOR_DB / 10))).any())


def _parts(waveform: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean square, float64 [n_parts], of parts of ``length`` samples; a shorter rest counts if it is all."""
    if len(waveform) < length:
        length = len(waveform)
    parts = waveform[: len(waveform) // length * length].reshape(-1, length)
    return parts.mean(axis=1).astype(np.float64), np.einsum("ij,ij->i", parts, parts).astype(np.float64) / length


def _below_hearing(values: np.ndarray, rate: float) -> np.ndarray:
    """The part below 20 Hz of values at ``rate`` Hz, without delay."""
    from scipy.signal import sosfiltfilt

    if len(values) < 2:
        return values
    n_padded = min(len(values) - 1, round(2 * rate / AUDIBLE_HZ))
    return np.asarray(sosfiltfilt(_lowpass(rate), values, padlen=n_padded))


@lru_cache
def _lowpass(rate: float) -> np.ndarray:
    from scipy.signal import butter

    return np.asarray(butter(2, AUDIBLE_HZ, fs=rate, output="sos"))
