"""What is measured on an elementary sound: brightness, loudness, duration and pitch.

Every function takes one isolated sound, mono, shape (n_samples,), full scale 1, and returns one number.
``scipy.signal`` and ``pyloudnorm`` are imported where they are used because they take a second to load.
"""

from __future__ import annotations

import math

import numpy as np

from clear_gen.dsp.resample import resampled

MODEL_RATE_HZ = 44100  # the brightness model brings slower sounds to this rate
FRAME_LENGTH = 2048  # samples, of the brightness model
FRAME_OVERLAP = 1536
RUMBLE_HZ, CENTROID_HZ, RATIO_HZ = 20.0, 100.0, 2000.0  # high-pass cut-offs of the brightness model
RATIO_WEIGHT, CENTROID_WEIGHT, INTERCEPT = 4.613128018020465, 17.378889309312974, 17.434733750553022

LOUDNESS_BLOCK_S = 0.2  # half of the standard's, so that a short note still holds a block

NOTES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
TUNING_HZ = 440.0  # A4
LOWEST_HZ, HIGHEST_HZ = 36.0, 2400.0  # searched for a pitch: a double bass's E1 to beyond a flute's C7
SMOOTHING_HZ = 4000.0  # Gaussian low-pass: with finer detail the dips are narrower than a sample and are missed
PITCH_RATE_HZ = 44100  # at least, for the same reason
PITCH_WINDOW_S = 0.05  # nearly two periods of the lowest note
PITCH_HOP_S = 0.02
DIP_MARGIN = 0.05  # a shorter period whose dip is that close to the deepest one is the period, the rest its multiples
APERIODIC = 0.5  # normalised difference above which a frame has no period worth a vote


def brightness(samples: np.ndarray, sample_rate: int) -> float:
    """Apparent brightness of a sound by the AudioCommons timbral model, version 0.4; about 0 to 100, not clipped.

    The regression ``a log10(ratio) + b log10(centroid) + c`` on two features of the sound without rumble: the share of
    its energy above 2 kHz, and the spectral centroid in Hz of what is above 100 Hz. The published model averages both
    over frames with the frame's power as weight, which is the same as taking them from the mean power spectrum. Its
    loudness normalisation is left out because a gain cancels in both features.

    ``samples`` has shape (n_samples,) and full scale 1; ``sample_rate`` is in Hz. Below 44.1 kHz the sound is resampled
    to 44.1 kHz as in the original, but with another filter: those values are close to the original's, not equal.

    Source: Pearce, Brookes and Mason, AudioCommons deliverable D5.8, "Release of timbral characterisation tools for
    semantically annotating non-musical content", 2019.

    Raises ValueError for silence, for a non-finite sample and for less than one frame of 2048 samples (at 44.1 kHz or
    above).
    """
    x = _sound(samples)
    if sample_rate < MODEL_RATE_HZ:
        x, sample_rate = resampled(x, sample_rate, MODEL_RATE_HZ), MODEL_RATE_HZ
    if len(x) < FRAME_LENGTH:
        raise ValueError(f"sound of {len(x)} samples at {sample_rate} Hz, expected at least {FRAME_LENGTH}")
    x = _highpassed(x / np.max(np.abs(x)), RUMBLE_HZ, sample_rate)
    _, all_power = _mean_power(x, sample_rate)
    _, high_power = _mean_power(_highpassed(x, RATIO_HZ, sample_rate), sample_rate)
    frequency, power = _mean_power(_highpassed(x, CENTROID_HZ, sample_rate), sample_rate)
    ratio = np.sum(high_power) / np.sum(all_power)
    centroid_hz = np.sum(frequency * power) / np.sum(power)
    return float(RATIO_WEIGHT * np.log10(ratio) + CENTROID_WEIGHT * np.log10(centroid_hz) + INTERCEPT)


def loudness_lufs(samples: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness in LUFS, by ITU-R BS.1770-4 with gating blocks of 0.2 s instead of 0.4 s.

    ``samples`` has shape (n_samples,) and full scale 1; ``sample_rate`` is in Hz.

    Raises ValueError for silence, also below the standard's absolute gate of -70 LUFS, for a non-finite sample and for
    less than one block.
    """
    import pyloudnorm

    x = _sound(samples)
    if len(x) < LOUDNESS_BLOCK_S * sample_rate:
        raise ValueError(f"sound of {len(x) / sample_rate:.3f} s, expected at least {LOUDNESS_BLOCK_S} s")
    loudness = float(pyloudnorm.Meter(sample_rate, block_size=LOUDNESS_BLOCK_S).integrated_loudness(x))
    if not math.isfinite(loudness):
        raise ValueError("silence: no block is louder than -70 LUFS")
    return loudness


def duration_s(samples: np.ndarray, sample_rate: int) -> float:
    """Length in seconds of a sound of shape (n_samples,); ``sample_rate`` is in Hz."""
    return len(samples) / sample_rate


def pitch_hz(samples: np.ndarray, sample_rate: int) -> float:
    """Fundamental frequency in Hz of one isolated steady note between 38 Hz and 2.2 kHz.

    YIN in every frame, then the median over frames weighted by energy and periodicity, so that attack and decay hardly
    count. Unlike in the original, the period is the shortest whose dip is nearly as deep as the deepest, not the first
    below a fixed threshold: a breathy note has no deep dip, a note with a strong third partial has a deep wrong one.

    ``samples`` has shape (n_samples,); ``sample_rate`` is in Hz.

    Source: de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111, 2002.

    Raises ValueError for silence, for a non-finite sample, for less than one frame (78 ms) and if no frame is periodic.
    """
    x, sample_rate = _smoothed(_sound(samples), sample_rate)
    window, longest = round(PITCH_WINDOW_S * sample_rate), math.ceil(sample_rate / LOWEST_HZ) + 1
    if len(x) < window + longest:
        raise ValueError(f"sound of {len(x)} samples at {sample_rate} Hz, expected at least {window + longest}")
    frames = np.lib.stride_tricks.sliding_window_view(x, window + longest)
    difference, energy = _difference(frames[:: round(PITCH_HOP_S * sample_rate)], window)
    period, aperiodicity = _periods(difference, int(sample_rate / HIGHEST_HZ))
    votes = np.where(aperiodicity < APERIODIC, energy * (1 - aperiodicity), 0.0)
    if not np.any(votes):
        raise ValueError("no periodic frame: not a note")
    order = np.argsort(period)
    total = np.cumsum(votes[order])
    return float(sample_rate / period[order][np.searchsorted(total, total[-1] / 2)])


def pitch_class(f0_hz: float) -> tuple[str, float]:
    """Nearest note name, one of ``NOTES``, and the deviation from it in cents, -50 to 50, for A4 = 440 Hz.

    >>> pitch_class(440.0)
    ('A', 0.0)

    Raises ValueError unless ``f0_hz`` is a positive number.
    """
    if not (math.isfinite(f0_hz) and f0_hz > 0):
        raise ValueError(f"frequency {f0_hz} Hz, expected a positive number")
    semitones = 12 * math.log2(f0_hz / TUNING_HZ)
    return NOTES[round(semitones) % 12], 100 * (semitones - round(semitones))


def cents_from(f0_hz: float, note: str) -> float:
    """Deviation of a frequency from the nearest note of the pitch class ``note``, -600 to 600 cents.

    >>> round(cents_from(220.0, "A#"))
    -100

    Raises ValueError if ``note`` is none of ``NOTES`` or ``f0_hz`` is not positive.
    """
    semitones = 12 * math.log2(f0_hz / TUNING_HZ) - NOTES.index(note)
    return 100 * ((semitones + 6) % 12 - 6)


def _sound(samples: np.ndarray) -> np.ndarray:
    """The samples in double precision, refused when nothing can be measured on them."""
    x = np.asarray(samples, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"sound of shape {x.shape}, expected mono: (n_samples,)")
    if not np.all(np.isfinite(x)):
        raise ValueError("sound with a sample that is not finite")
    if not np.any(x):
        raise ValueError("silence: every sample is zero")
    return x


def _highpassed(x: np.ndarray, cutoff_hz: float, sample_rate: int) -> np.ndarray:
    """Three identical second-order Butterworth high-pass filters in a row."""
    from scipy.signal import butter, sosfilt

    section = butter(2, cutoff_hz, "highpass", output="sos", fs=sample_rate)
    return sosfilt(np.tile(section, (3, 1)), x)


def _mean_power(x: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and mean power spectrum, each of shape (FRAME_LENGTH / 2 + 1,)."""
    from scipy.signal import welch

    return welch(x, sample_rate, "hamming", FRAME_LENGTH, FRAME_OVERLAP, detrend="constant", scaling="spectrum")


def _smoothed(x: np.ndarray, sample_rate: int) -> tuple[np.ndarray, int]:
    """The sound below SMOOTHING_HZ with peak 1 at a multiple of its rate, at least PITCH_RATE_HZ, and that rate."""
    factor = math.ceil(PITCH_RATE_HZ / sample_rate)
    weight = np.exp(-((np.fft.rfftfreq(len(x), 1 / sample_rate) / SMOOTHING_HZ) ** 2))
    smooth = np.fft.irfft(np.fft.rfft(x) * weight, factor * len(x))
    return smooth / np.max(np.abs(smooth)), factor * sample_rate


def _difference(frames: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared difference between a frame's first ``window`` samples and the same number ``lag`` samples later.

    ``frames`` has shape (n_frames, n_samples). Returns shape (n_frames, n_samples - window + 1), one column per lag
    from 0, and each frame's energy, shape (n_frames,).
    """
    n_lags = frames.shape[1] - window + 1
    size = 1 << (frames.shape[1] - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(frames[:, :window], size)) * np.fft.rfft(frames, size)
    products = np.fft.irfft(spectrum, size)[:, :n_lags]
    cumulative = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    energy = cumulative[:, window:] - cumulative[:, :n_lags]
    return np.maximum(energy[:, :1] + energy - 2 * products, 0.0), cumulative[:, -1]


def _periods(difference: np.ndarray, shortest: int) -> tuple[np.ndarray, np.ndarray]:
    """Period in samples and aperiodicity (0 = exactly periodic) of every frame, from its difference function.

    ``difference`` has shape (n_frames, n_lags); both results have shape (n_frames,). A frame without a dip at a lag of
    at least ``shortest`` has an infinite aperiodicity.
    """
    lag = np.arange(1, difference.shape[1])
    running_sum = np.cumsum(difference[:, 1:], axis=1)
    normalised = difference[:, 1:] * lag / np.maximum(running_sum, np.finfo(float).tiny)
    before, here, after = normalised[:, :-2], normalised[:, 1:-1], normalised[:, 2:]
    is_dip = (here <= before) & (here < after) & (lag[1:-1] >= shortest)
    shift = 0.5 * (before - after) / np.where(is_dip, before - 2 * here + after, np.inf)
    depth = np.where(is_dip, here - 0.25 * (before - after) * shift, np.inf)
    first = np.argmax(depth < np.min(depth, axis=1, keepdims=True) + DIP_MARGIN, axis=1)
    row = np.arange(len(depth))
    return lag[1:-1][first] + shift[row, first], depth[row, first]
