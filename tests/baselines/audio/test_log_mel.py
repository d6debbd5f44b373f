"""The log-mel spectrogram against a slow one on SciPy's magnitudes, and its promises to other modules."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import signal

from baselines.audio.log_mel import LogMelSettings, log_mel, slaney_filters
from tests.counts import examples

REFERENCE = LogMelSettings()
CLIP = 320_000  # samples: 10 s
SMALL = LogMelSettings(sample_rate=8000, window=256, hop=100, n_bands=12, low_hz=30, high_hz=3900)


def corner_hz(mel: float) -> float:
    """Slaney's scale: 15 steps of 66.7 Hz up to 1 kHz, then 27 equal ratios up to 6.4 kHz, and so on."""
    return 200 * mel / 3 if mel <= 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def corner_mel(hz: float) -> float:
    return 3 * hz / 200 if hz <= 1000 else 15 + 27 * math.log(hz / 1000, 6.4)


@cache
def triangles(mel: LogMelSettings) -> np.ndarray:
    """float64 [F, bins], one weight at a time: a triangle over Hz whose base times height is 2."""
    lowest, highest = corner_mel(mel.low_hz), corner_mel(mel.high_hz)
    step = (highest - lowest) / (mel.n_bands + 1)
    filters = np.zeros((mel.n_bands, mel.window // 2 + 1))
    for band in range(mel.n_bands):
        low, centre, high = (corner_hz(lowest + (band + k) * step) for k in range(3))
        for number in range(filters.shape[1]):
            hz = number * mel.sample_rate / mel.window
            height = 2 / (high - low)
            if low < hz <= centre:
                filters[band, number] = height * (hz - low) / (centre - low)
            elif centre < hz < high:
                filters[band, number] = height * (high - hz) / (high - centre)
    return filters


def slow_log_mel(x: np.ndarray, mel: LogMelSettings = REFERENCE) -> np.ndarray:
    """float64 [T, F] of one clip. SciPy scales magnitudes as a density: by the window's energy, at a rate of 1."""
    window = signal.get_window("hamming", mel.window, fftbins=False)
    options = {"nperseg": mel.window, "noverlap": mel.window - mel.hop, "detrend": False, "mode": "magnitude"}
    _, _, magnitude = signal.spectrogram(x.astype(np.float64), 1.0, window, **options)
    return np.log(np.einsum("ft,bf->tb", magnitude, triangles(mel)) + mel.floor)


def noise(n: int, seed: int = 0, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(n)


def spectrogram(x: np.ndarray, mel: LogMelSettings = REFERENCE, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """[T, F] of one clip."""
    return log_mel(torch.tensor(x, dtype=dtype)[None], mel)[0].numpy()


TIME = np.arange(CLIP) / 32_000
CLIPS = {
    "noise": noise(CLIP),
    "quiet": noise(CLIP, level=1e-6),
    "clicks": (np.arange(CLIP) % 5000 == 0).astype(float),
    "steps": np.sign(np.sin(2 * np.pi * 3 * TIME)) * noise(CLIP),
    "tone in noise": 0.5 * np.sin(2 * np.pi * 440 * TIME) + noise(CLIP, level=1e-2),
    "half silent": noise(CLIP) * (TIME < 5),
}


@pytest.mark.parametrize("name", CLIPS)
def test_clips_are_those_of_the_slow_one(name: str) -> None:
    found = spectrogram(CLIPS[name])
    assert found.dtype == np.float32
    assert found.shape == (311, 64)
    np.testing.assert_allclose(found, slow_log_mel(CLIPS[name].astype(np.float32)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("x", [0.5 * np.sin(2 * np.pi * 440 * TIME), np.ones(CLIP)], ids=["tone", "constant"])
def test_bands_far_below_a_tone_take_double_precision(x: np.ndarray) -> None:
    np.testing.assert_allclose(spectrogram(x, dtype=torch.float64), slow_log_mel(x), rtol=0, atol=1e-6)


def test_single_precision_of_a_tone() -> None:
    x = (0.5 * np.sin(2 * np.pi * 440 * TIME)).astype(np.float32)
    np.testing.assert_allclose(spectrogram(x), slow_log_mel(x), rtol=0, atol=1e-3)


@st.composite
def cases(draw: st.DrawFn) -> tuple[LogMelSettings, np.ndarray]:
    rate = draw(st.sampled_from([8000, 16_000, 44_100]))
    window = draw(st.integers(16, 300))
    low = draw(st.sampled_from([0.0, 20.0, 999.0, 1000.0, 1050.0]))
    high = draw(st.sampled_from([rate / 2, 3000.0, 1600.0]))
    n_bands, hop = draw(st.integers(1, 20)), draw(st.integers(1, window))
    mel = LogMelSettings(
        sample_rate=rate, window=window, hop=hop, n_bands=n_bands, low_hz=low, high_hz=high, floor=1e-5
    )
    n = draw(st.sampled_from([window, window + hop - 1, window + hop]) | st.integers(window, 3 * window))
    return mel, np.stack([noise(n, draw(st.integers(0, 2**32))) for _ in range(draw(st.integers(1, 3)))])


@examples(40, derandomize=True)
@given(cases())
def test_any_settings_are_those_of_the_slow_one(case: tuple[LogMelSettings, np.ndarray]) -> None:
    mel, clips = case
    found = log_mel(torch.tensor(clips), mel)
    assert found.shape == (len(clips), mel.n_frames(clips.shape[1]), mel.n_bands)
    for one, clip in zip(found, clips, strict=True):
        np.testing.assert_allclose(one.numpy(), slow_log_mel(clip, mel), rtol=0, atol=1e-9)
    single = log_mel(torch.tensor(clips, dtype=torch.float32), mel)
    torch.testing.assert_close(single.double(), found, rtol=0, atol=1e-4)


def test_ten_seconds_have_311_frames() -> None:
    assert (CLIP - 2048) // 1024 + 1 == (CLIP - 1024) // 1024 == 311
    assert REFERENCE.n_frames(CLIP) == 311
    assert [REFERENCE.n_frames(n) for n in (0, 2047, 2048, 3071, 3072)] == [0, 0, 1, 1, 2]


def test_frames_lie_where_they_should() -> None:
    click = np.zeros(SMALL.window + 5 * SMALL.hop)
    click[0] = 1
    heard = spectrogram(click, SMALL).max(1) > math.log(2 * SMALL.floor)
    assert np.flatnonzero(heard).tolist() == [0]  # nothing is mirrored
    click = np.roll(click, SMALL.window + 2 * SMALL.hop)  # the first sample behind frame 2
    heard = spectrogram(click, SMALL).max(1) > math.log(2 * SMALL.floor)
    assert np.flatnonzero(heard).tolist() == [3, 4]


def test_filters_are_librosas() -> None:
    """Of librosa 0.11: filters.mel(sr=32000, n_fft=2048, n_mels=64, fmin=50, fmax=16000, dtype=float64)."""
    filters = slaney_filters(REFERENCE)
    assert filters.shape == (64, 1025)
    np.testing.assert_allclose(filters, triangles(REFERENCE), rtol=0, atol=1e-12)
    assert filters.argmax(1)[[0, 1, 10, 15, 16, 30, 50, 63]].tolist() == [7, 10, 43, 61, 64, 144, 456, 967]
    peaks = [0.016780041371051033, 0.015467961564108412, 0.01679525486525666, 0.0011376034968607355]
    np.testing.assert_allclose(filters.max(1)[[0, 15, 16, 63]], peaks, rtol=1e-12)
    assert [np.flatnonzero(filters[band])[[0, -1]].tolist() for band in (0, 63)] == [[4, 10], [913, 1023]]


def test_filters_have_equal_areas() -> None:
    fine = LogMelSettings(window=1 << 15)
    areas = slaney_filters(fine).sum(1) * fine.sample_rate / fine.window
    np.testing.assert_allclose(areas, 1, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_is_the_floor(dtype: torch.dtype) -> None:
    found = log_mel(torch.zeros((2, CLIP), dtype=dtype), REFERENCE)
    torch.testing.assert_close(found, torch.full((2, 311, 64), math.log(1e-8), dtype=dtype))


def test_gain_adds() -> None:
    x = noise(20_000)
    np.testing.assert_allclose(spectrogram(4 * x) - spectrogram(x), math.log(4), atol=1e-5)
    np.testing.assert_allclose(spectrogram(-x), spectrogram(x), atol=1e-5)


def test_a_clip_is_the_same_in_any_company() -> None:
    clips = torch.tensor(np.stack([noise(9000, seed) for seed in range(5)]), dtype=torch.float32)
    together = log_mel(clips, SMALL)
    for one, clip in zip(together, clips, strict=True):
        torch.testing.assert_close(one, log_mel(clip[None], SMALL)[0], rtol=0, atol=1e-6)


def test_gradients_reach_the_waveform() -> None:
    x = torch.tensor(noise(600)[None], requires_grad=True)
    log_mel(x, SMALL).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad[0, : SMALL.window].any()


def test_clips_shorter_than_a_window() -> None:
    with pytest.raises(ValueError, match="found clips of 2047 samples, expected at least 2048"):
        log_mel(torch.zeros(1, 2047), REFERENCE)


@pytest.mark.parametrize(
    "wrong", [{"high_hz": 16_001}, {"low_hz": 16_000}, {"hop": 0}, {"window": 1}, {"floor": 0}, {"n_mels": 64}]
)
def test_settings_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        LogMelSettings(**wrong)
