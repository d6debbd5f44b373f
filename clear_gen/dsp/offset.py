"""What a recording holds below hearing: a constant offset, one that decays, rumble.

It counts in every level, peak and silence, and nobody hears it. Recordings that hold enough of it to matter lose it;
all others keep their samples bit by bit.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from clear_gen.dsp.levels import at_full_scale

AUDIBLE_HZ = 20.0
PART_S = 0.005  # what levels below hearing are measured on: their means still hold 20 Hz
BLOCK_PARTS = 10  # 50 ms, one period of 20 Hz
SEGMENTS = 8  # of a recording: an offset has one sign in all of them
FLOOR_DB = -75.0  # below the peak: what is weaker is no matter beside anything that is heard
OFFSET_DB = -50.0  # below the peak, in every segment
BLOCK_DB, WHOLE_DB = 15.0, -6.0  # over the audible power: of one block, of the whole recording (1 dB of its level)
SILENCE_DB = -40.0  # below the loudest part, as importers and mixtures trim
MOVED_S = 0.1  # by which an end may be misjudged
# The limits leave 528 of 531 recordings of three banks and a collection of events as they are: two crashes and a
# horse's steps lose what lies below hearing. Of the others, blocks reach 13.3 dB, wholes -8 dB, ends 0.09 s.


def without_offset(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """A recording without what lies below 20 Hz, if that matters; else the same array. float [n], full scale 1.

    What is only constant is subtracted as such, so that everything else stays as it was. Runs at full scale stay there:
    they are clipped, and whoever looks for that must find it.
    """
    if len(waveform) < sample_rate / AUDIBLE_HZ:  # less than a period of what would be taken away
        return waveform
    if not np.isfinite(waveform).all() or not _has_offset(waveform, sample_rate):
        return waveform
    exact = waveform.astype(np.float64)
    level = exact - exact.mean()
    if _has_offset(level, sample_rate):
        level = exact - _below_hearing(exact, sample_rate)
    return np.where(at_full_scale(waveform), waveform, level.astype(waveform.dtype))


def _has_offset(waveform: np.ndarray, sample_rate: int) -> bool:
    """Whether what lies below hearing is a constant part of the recording, covers a quiet part, or raises its level."""
    peak = float(np.abs(waveform).max())
    means, variances = _parts(waveform, max(1, round(PART_S * sample_rate)))
    segments = np.array([_smooth_mean(segment) for segment in np.array_split(means, min(SEGMENTS, len(means)))])
    if (segments.min() > 0 or segments.max() < 0) and np.abs(segments).min() > peak * 10 ** (OFFSET_DB / 20):
        return True
    below = _below_hearing(means, 1 / PART_S)
    low, audible = np.square(below), variances + np.square(means - below)
    if low.sum() > 10 ** (WHOLE_DB / 10) * audible.sum():
        return True
    if _moved_s(variances + np.square(means), audible) > MOVED_S:
        return True
    n_whole = len(low) // BLOCK_PARTS * BLOCK_PARTS
    low, audible = (powers[:n_whole].reshape(-1, BLOCK_PARTS).mean(axis=1) for powers in (low, audible))
    return bool(((low > 10 ** (BLOCK_DB / 10) * audible) & (low > peak**2 * 10 ** (FLOOR_DB / 10))).any())


def _moved_s(*powers: np.ndarray) -> float:
    """By how much the first and the last part that is no silence differ between two courses of power, in s."""
    spans = [np.flatnonzero(power > power.max() * 10 ** (SILENCE_DB / 10))[[0, -1]] for power in powers if power.any()]
    return float(np.abs(np.subtract(*spans)).max() * PART_S) if len(spans) == 2 else 0.0


def _smooth_mean(values: np.ndarray) -> float:
    """Mean under a Hann window: that of a tone vanishes whether it ends with a whole period or not."""
    return float(np.average(values, weights=np.hanning(len(values) + 2)[1:-1]))


def _parts(waveform: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, float64 [n_parts], of parts of ``length`` samples; a shorter rest counts if it is all."""
    if len(waveform) < length:
        length = len(waveform)
    parts = waveform[: len(waveform) // length * length].reshape(-1, length)
    means = parts.mean(axis=1)
    centred = parts - means[:, None]
    return means.astype(np.float64), np.einsum("ij,ij->i", centred, centred).astype(np.float64) / length


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

    return np.asarray(butter(4, AUDIBLE_HZ, fs=rate, output="sos"))
