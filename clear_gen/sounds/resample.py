"""Change of sample rate, for single recordings and whole banks."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from clear_gen.io import from_pcm16, to_pcm16
from clear_gen.sounds.bank import Bank


def resampled(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """float32 [n] at ``from_rate`` Hz -> float32 [ceil(n to/from)] at ``to_rate`` Hz, by a polyphase filter."""
    if from_rate == to_rate:
        return samples
    from scipy.signal import resample_poly

    common = gcd(from_rate, to_rate)
    return resample_poly(samples, to_rate // common, from_rate // common).astype(np.float32)


def resampled_bank(bank: Bank, sample_rate: int) -> Bank:
    """The bank at another sample rate (Hz). Labels and hashes stay those of the recordings it was made from."""
    if bank.sample_rate == sample_rate:
        return bank
    sounds = tuple(
        replace(
            sound,
            pcm=to_pcm16(resampled(from_pcm16(sound.pcm), sound.sample_rate, sample_rate)),
            sample_rate=sample_rate,
        )
        for sound in bank.sounds
    )
    return replace(bank, sample_rate=sample_rate, sounds=sounds)
