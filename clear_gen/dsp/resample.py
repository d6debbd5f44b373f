"""Change of sample rate."""

from __future__ import annotations

from math import gcd

import numpy as np


def resampled(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Floats [n] at ``from_rate`` Hz -> [ceil(n to/from)] at ``to_rate`` Hz, same type, by a polyphase filter."""
    if from_rate == to_rate:
        return samples
    from scipy.signal import resample_poly

    common = gcd(from_rate, to_rate)
    return resample_poly(samples, to_rate // common, from_rate // common).astype(samples.dtype)
