"""How loud a stretch of sound is: RMS level, or integrated loudness by ITU-R BS.1770-4, and the gain to a level.

Mono; waveforms are floats of shape (n_samples,), full scale 1. Levels are in dBFS (a full-scale square wave is 0) or in
LUFS, and -inf for silence. ``clear_gen.sounds.analysis.loudness_lufs`` labels banks, with blocks of half the length;
this meter keeps to the standard's 0.4 s and is fast enough for every event of every mixture.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

BLOCK_S, OVERLAP = 0.4, 4  # a block begins every quarter of its length
GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
OFFSET_LUFS = -0.691  # makes a full-scale sine of 997 Hz in one channel -3.01 LUFS
# The standard gives coefficients for 48 kHz; these are the analogue filters of which they are the bilinear transforms.
SHELF_HZ, SHELF_Q, SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
SHELF_SLOPE = 0.4996667741545416  # exponent of the gain at the shelf's middle
HIGHPASS_HZ, HIGHPASS_Q = 38.13547087602444, 0.5003270373238773
ROUNDS = 20  # of the search for a gain; the gates settle after two or three
SETTLED_DB = 1e-4
CLIPPED_RUN = 3  # so many neighbouring samples at full scale are clipping; fewer can be a peak that just fits


def rms_dbfs(waveform: np.ndarray) -> float:
    """RMS level in dBFS; -inf for silence and for no samples."""
    return decibels(_mean_square(waveform))


def decibels(power: float) -> float:
    """``10 log10(power)``; -inf for zero."""
    return 10 * math.log10(power) if power > 0 else -math.inf


def at_full_scale(waveform: np.ndarray) -> np.ndarray:
    """bool [n_samples]: which samples belong to runs of at least ``CLIPPED_RUN`` at full scale, as clipping leaves."""
    full = np.abs(waveform) >= 1 - 1 / 32768
    if not full.any():
        return full
    starts = np.convolve(full, np.ones(CLIPPED_RUN), mode="valid") >= CLIPPED_RUN
    return np.convolve(starts, np.ones(CLIPPED_RUN)) > 0


def integrated_loudness(waveform: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness in LUFS by ITU-R BS.1770-4, of one channel; -inf if no block is louder than -70 LUFS.

    What is shorter than a block of 0.4 s, of which the standard says nothing, is one block.
    """
    return _gated(_block_powers(waveform, sample_rate))


def level_db(waveform: np.ndarray, sample_rate: int, measure: Measure) -> float:
    """RMS level in dBFS (``rms``) or integrated loudness in LUFS (``lufs``); -inf for silence."""
    return rms_dbfs(waveform) if measure == "rms" else integrated_loudness(waveform, sample_rate)


def gain_to(waveform: np.ndarray, sample_rate: int, measure: Measure, target_db: float) -> float:
    """Gain in dB that brings ``waveform`` to a level; NaN if there is none, for silence or below the loudness gate.

    Loudness does not follow a gain exactly, because of its absolute gate: the gain is searched for.
    """
    if measure == "rms":
        level = rms_dbfs(waveform)
        return target_db - level if level > -math.inf else math.nan
    powers = _block_powers(waveform, sample_rate)
    gain_db = target_db - OFFSET_LUFS - decibels(float(powers.max(initial=0.0)))  # the loudest block is never gated
    for _ in range(ROUNDS):
        missing_db = target_db - _gated(powers * 10 ** (gain_db / 10)) if math.isfinite(gain_db) else math.nan
        if not math.isfinite(missing_db):
            return math.nan
        gain_db += missing_db
        if abs(missing_db) < SETTLED_DB:
            break
    return gain_db


def _mean_square(waveform: np.ndarray) -> float:
    return float(np.square(waveform, dtype=np.float64).mean()) if len(waveform) else 0.0


@lru_cache
def k_weighting(sample_rate: int) -> np.ndarray:
    """The standard's two filters at a rate in Hz, as second-order sections [2, 6] of ``scipy.signal``."""
    gain = 10 ** (SHELF_DB / 20)
    k = math.tan(math.pi * SHELF_HZ / sample_rate)
    middle = gain**SHELF_SLOPE * k / SHELF_Q
    zeros = [gain + middle + k * k, 2 * (k * k - gain), gain - middle + k * k]
    shelf = np.divide([*zeros, *_poles(k, SHELF_Q)], _poles(k, SHELF_Q)[0])
    k = math.tan(math.pi * HIGHPASS_HZ / sample_rate)
    highpass = [1, -2, 1, *np.divide(_poles(k, HIGHPASS_Q), _poles(k, HIGHPASS_Q)[0])]  # the standard's zeros as given
    return np.array([shelf, highpass])


def _poles(k: float, q: float) -> list[float]:
    return [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k]


def _block_powers(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mean squares of the K-weighted blocks, float64 [n_blocks]; what is left after the last block does not count."""
    from scipy.signal import sosfilt

    if not len(waveform):
        return np.zeros(0)
    squares = np.square(sosfilt(k_weighting(sample_rate), waveform.astype(np.float64)))
    length = round(BLOCK_S * sample_rate)
    if len(squares) < length:
        return squares.mean(keepdims=True)
    n_blocks = (len(squares) - length) * OVERLAP // length + 1
    edges = np.arange(n_blocks + OVERLAP) * length // OVERLAP  # where blocks begin and end
    parts = np.add.reduceat(squares[: edges[-1]], edges[:-1])
    return sliding_window_view(parts, OVERLAP).sum(axis=1) / length


def _gated(powers: np.ndarray) -> float:
    """Loudness of the blocks over both gates: -70 LUFS, and 10 LU below the loudness of those over the first."""
    heard = powers[powers > 10 ** ((GATE_LUFS - OFFSET_LUFS) / 10)]
    if not len(heard):
        return -math.inf
    heard = heard[heard > heard.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return OFFSET_LUFS + decibels(float(heard.mean()))


Measure = Literal["rms", "lufs"]
