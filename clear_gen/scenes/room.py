"""A room as an impulse response: the direct sound, a gap, and an exponentially decaying, frequency-damped tail.

Conventions: the direct sound is the sample 1 at time 0; the tail starts ``pre_delay_s`` later. RT60 is the time in
which the tail decays by 60 dB below ``damping_hz``; above it, walls and air absorb more, so that there the tail is
weaker and decays twice as fast. The direct-to-reverberant ratio is the energy of the direct sample over the tail's.
References: Moorer, "About this reverberation business", Computer Music Journal 3(2), 1979 (noise with an exponential
envelope as a room); Schroeder, "New method of measuring reverberation time", JASA 37, 1965 (how RT60 is measured).
``scipy.fft`` is imported where it is used because it takes most of a second to load.
"""

from __future__ import annotations

import numpy as np

from clear_gen.scenes.graph import Reverb, tail_samples

HIGH_BAND_RT60_SHARE = 0.5
SIMD_ROWS = 4  # float32 transforms that pocketfft does at once


def reverb_tail(reverb: Reverb, sample_rate: int) -> tuple[int, np.ndarray]:
    """The impulse response without its direct sample: (index of the first sample, float32 [n])."""
    from scipy import fft

    n_after = int(tail_samples(reverb.rt60_s, reverb.pre_delay_s, sample_rate))
    start = max(1, round(reverb.pre_delay_s * sample_rate))
    n = max(1, n_after + 1 - start)
    rng = np.random.Generator(np.random.SFC64(reverb.seed))
    n_fft = fft.next_fast_len(n, real=True)
    spectrum = fft.rfft(rng.standard_normal(n_fft, dtype=np.float32))
    relative = np.arange(len(spectrum), dtype=np.float32) * np.float32(sample_rate / n_fft / reverb.damping_hz)
    squared = relative * relative
    damped = spectrum / (1 + squared)
    high = damped * (squared * squared / (1 + squared * squared))
    bands = fft.irfft(np.stack([damped - high, high]), n_fft, axis=1)[:, :n]
    decay = np.exp(np.arange(n, dtype=np.float32) * np.float32(-3 * np.log(10) / (reverb.rt60_s * sample_rate)))
    tail = decay * (bands[0] + bands[1] * decay ** np.float32(1 / HIGH_BAND_RT60_SHARE - 1))
    energy = float(np.dot(tail, tail))
    tail *= np.float32(np.sqrt(10 ** (-reverb.drr_db / 10) / energy))
    return start, tail


def convolve(signal: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """float32 [n], float32 [m] -> float32 [n + m - 1]: linear convolution by overlap-add.

    All blocks, and the kernel as the last row, are transformed in one call: pocketfft then works on several rows at
    once, which for one long transform it cannot.
    """
    from scipy import fft

    n, m = len(signal), len(kernel)
    n_fft = _block_length(n, m)
    step = n_fft - m + 1
    rows = -(-n // step)
    blocks = np.zeros((rows + 1, n_fft), np.float32)
    for row in range(rows):
        piece = signal[row * step : (row + 1) * step]
        blocks[row, : len(piece)] = piece
    blocks[rows, :m] = kernel
    spectra = fft.rfft(blocks, axis=1, overwrite_x=True)
    spectra[:rows] *= spectra[rows]
    blocks = fft.irfft(spectra[:rows], n_fft, axis=1, overwrite_x=True)
    out = np.zeros((rows - 1) * step + n_fft, np.float32)
    for row, block in enumerate(blocks):
        out[row * step : row * step + n_fft] += block
    return out[: n + m - 1]


def _block_length(n: int, m: int) -> int:
    """The length of transform, 2^k or 3 x 2^k, that does the whole convolution with the least work."""

    def work(n_fft: int) -> float:
        rows = -(-n // (n_fft - m + 1))
        transforms = -(-rows // SIMD_ROWS) + -(-(rows + 1) // SIMD_ROWS)
        return transforms * n_fft * float(np.log2(n_fft))

    lengths = sorted(base << k for base in (2, 3) for k in range(9, 24) if (base << k) >= m)
    return min(lengths[:8], key=work)
