"""The spectrogram against a slow one in NumPy, written from the papers' formulas, and its promises to other modules."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.audio.spectrogram import MelSettings, mel_filters, mel_spectrogram, settings_at
from tests.counts import examples

RATES = (8000, 16000, 22050, 48000)


@cache
def triangles(sample_rate: int, window: int, n_bands: int) -> list[list[tuple[int, float]]]:
    """Of every band from the lowest: the bins that it holds with their weights, by the two sides of a triangle."""
    per_neper = 2595 / np.log(10)
    step_mel = per_neper * np.log1p(sample_rate / 2 / 700) / (n_bands + 1)
    bands = []
    for band in range(n_bands):
        low, centre, high = (700 * np.expm1((band + k) * step_mel / per_neper) for k in range(3))
        weights = []
        for number in range(window // 2 + 1):
            hz = number * sample_rate / window
            if low < hz <= centre:
                weights.append((number, (hz - low) / (centre - low)))
            elif centre < hz < high:
                weights.append((number, 1 - (hz - centre) / (high - centre)))
        bands.append(weights)
    return bands


def slow_spectrogram(x: np.ndarray, mel: MelSettings) -> np.ndarray:
    """float64 [64, n // hop + 1] of one scene: every sample, bin and band by the definition."""
    n, window = len(x), mel.window
    hann = [0.5 * (1 - np.cos(2 * np.pi * k / window)) for k in range(window)]
    energy = sum(w * w for w in hann)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(window // 2 + 1), np.arange(window)) / window)
    bands = triangles(mel.sample_rate, window, mel.n_bands)
    out = np.zeros((mel.n_bands, n // mel.hop + 1))
    for frame in range(out.shape[1]):
        samples = np.zeros(window)
        for k in range(window):
            at = abs(frame * mel.hop - window // 2 + k)  # mirrored at sample 0
            at = at if at < n else 2 * (n - 1) - at  # and at the last one
            samples[k] = float(x[at]) * hann[k] / np.sqrt(energy)
        power = np.abs(turns @ samples) ** 2
        for band, weights in enumerate(bands):
            out[mel.n_bands - 1 - band, frame] = sum(weight * power[number] for number, weight in weights)
    return np.log10(out + 1e-10) if mel.log else out


def padded(scenes: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 [B, longest], int64 [B]."""
    n_samples = torch.tensor([len(scene) for scene in scenes])
    waveforms = torch.zeros((len(scenes), int(n_samples.max())))
    for row, scene in zip(waveforms, scenes, strict=True):
        row[: len(scene)] = torch.from_numpy(scene)
    return waveforms, n_samples


def spectrogram(scenes: list[np.ndarray], mel: MelSettings) -> np.ndarray:
    return mel_spectrogram(*padded(scenes), mel).numpy()


def noise(n: int, seed: int = 0, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@st.composite
def batches(draw: st.DrawFn) -> tuple[MelSettings, list[np.ndarray]]:
    mel = settings_at(draw(st.sampled_from(RATES)), log=draw(st.booleans()))
    shortest = mel.window // 2 + 1
    edges = st.sampled_from([shortest, mel.window, mel.hop - 1, mel.hop, mel.hop + 1, 2 * mel.hop])
    lengths = draw(st.lists(edges | st.integers(shortest, 4 * mel.hop), min_size=1, max_size=4))
    seed, level = draw(st.integers(0, 2**32)), draw(st.sampled_from([1e-4, 0.1, 1.0]))
    return mel, [noise(n, seed + k, level) for k, n in enumerate(lengths)]


@examples(25, derandomize=True)
@given(batches())
def test_spectrograms_are_those_of_the_slow_one(batch: tuple[MelSettings, list[np.ndarray]]) -> None:
    mel, scenes = batch
    found = spectrogram(scenes, mel)
    assert found.dtype == np.float32
    assert found.shape == (len(scenes), 64, max(map(len, scenes)) // mel.hop + 1)
    for one, scene in zip(found, scenes, strict=True):
        expected = slow_spectrogram(scene, mel)
        n_frames = expected.shape[1]
        assert n_frames == mel.n_frames(np.array(len(scene)))
        atol = 1e-3 if mel.log else 1e-6 * expected.max()
        np.testing.assert_allclose(one[:, :n_frames], expected, rtol=2e-5, atol=atol)
        assert not one[:, n_frames:].any()


@pytest.mark.parametrize("mel", [MelSettings(sample_rate=16000, window=400, hop=160), settings_at(96_000)])
def test_other_windows_and_overlapping_frames_too(mel: MelSettings) -> None:
    scene = noise(3 * mel.window + 7)
    expected = slow_spectrogram(scene, mel)
    np.testing.assert_allclose(spectrogram([scene], mel)[0], expected, rtol=2e-5, atol=1e-6 * expected.max())


@pytest.mark.parametrize("rate", RATES)
def test_a_scene_is_the_same_in_any_company(rate: int) -> None:
    mel = settings_at(rate)
    scenes = [noise(n, seed=n) for n in (mel.hop * 5 + 3, mel.hop, mel.window, mel.hop * 9)]
    together = spectrogram(scenes, mel)
    for one, scene in zip(together, scenes, strict=True):
        alone = spectrogram([scene], mel)[0]
        np.testing.assert_allclose(one[:, : alone.shape[1]], alone, rtol=1e-5, atol=1e-7 * alone.max())
    again = mel_spectrogram(torch.nn.functional.pad(padded(scenes)[0], (0, 4 * mel.hop)), padded(scenes)[1], mel)
    assert again.shape[2] == together.shape[2] + 4
    np.testing.assert_allclose(again[..., :-4], together, rtol=1e-5, atol=1e-7 * together.max())
    assert not again[..., -4:].any()


def test_window_and_hop_last_as_long_at_every_rate() -> None:
    assert settings_at(48_000) == MelSettings(sample_rate=48_000, window=512, hop=2048, n_bands=64, log=False)
    for rate in (8000, 11025, 16000, 22050, 44100, 96000, 192_000):
        mel = settings_at(rate)
        assert mel.window % 2 == 0  # so that frames are centred
        assert abs(mel.window - 512 * rate / 48_000) <= 1.5
        assert abs(mel.hop - 2048 * rate / 48_000) <= 0.5


def test_the_longest_scene_of_the_paper_has_418_frames() -> None:
    assert settings_at(48_000).n_frames(np.array([round(17.82 * 48_000)])).tolist() == [418]


def test_filters_peak_at_one_and_one_of_64_is_empty_at_the_papers_resolution() -> None:
    filters = mel_filters(settings_at(48_000))
    assert filters.shape == (64, 257)
    assert filters.min() == 0
    assert filters.max() <= 1
    assert (filters.sum(1) == 0).sum() == 1  # measured in the papers' own code, shared/MODELS.md 1.1
    fine = mel_filters(MelSettings(sample_rate=48_000, window=1 << 16, hop=2048))
    assert np.allclose(fine.max(1), 1, atol=0.02)
    between = slice(fine[0].argmax(), fine[-1].argmax())
    assert np.allclose(fine.sum(0)[between], 1)  # neighbouring triangles add up


@pytest.mark.parametrize("log", [False, True])
def test_silence(log: bool) -> None:
    found = spectrogram([np.zeros(9000, np.float32), np.zeros(4000, np.float32)], settings_at(48_000, log))
    assert (found[0] == (-10 if log else 0)).all()
    assert (found[1, :, :2] == found[0, :, :2]).all()
    assert not found[1, :, 2:].any()


@pytest.mark.parametrize("factor", [0.25, 2.0, 3.0])
def test_power_grows_with_the_square(factor: float) -> None:
    scene, mel = noise(9000), settings_at(48_000)
    one, other = spectrogram([scene], mel), spectrogram([np.float32(factor) * scene], mel)
    np.testing.assert_allclose(other, factor**2 * one, rtol=1e-5, atol=1e-7 * other.max())


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_is_in_its_row_and_row_0_is_the_highest(rate: int) -> None:
    mel = settings_at(rate)
    step_mel = 2595 * np.log10(1 + rate / 2 / 700) / 65
    time = np.arange(6 * mel.hop) / rate
    for band in (35, 45, 55, 63):
        hz = 700 * (10 ** ((band + 1) * step_mel / 2595) - 1)
        rows = spectrogram([np.sin(2 * np.pi * hz * time).astype(np.float32)], mel)[0, :, 1:-1].argmax(0)
        assert set(rows.tolist()) == {63 - band}


def test_white_noise_has_the_power_of_its_filters() -> None:
    """Each frame is divided by the window's energy: a bin's mean power is the variance of the samples."""
    mel = settings_at(48_000)
    mean = spectrogram([noise(2_000_000, level=0.5)], mel)[0].mean(1)
    expected = 0.25 * mel_filters(mel).sum(1)[::-1]
    wide = expected > 0.5
    np.testing.assert_allclose(mean[wide], expected[wide], rtol=0.15)


@pytest.mark.parametrize("rate", RATES)
def test_a_scene_too_short_to_be_mirrored(rate: int) -> None:
    mel = settings_at(rate)
    half = mel.window // 2
    assert spectrogram([noise(half + 1)], mel).shape == (1, 64, 1)
    for lengths in ([half], [half, 9000], [9000, 1]):
        with pytest.raises(ValueError, match=f"found a scene of {min(lengths)} samples, expected more than {half}"):
            spectrogram([noise(n) for n in lengths], mel)


def test_the_waveforms_are_left_as_they_were() -> None:
    waveforms, n_samples = padded([noise(5000), noise(3000)])
    before = waveforms.clone()
    mel_spectrogram(waveforms, n_samples, settings_at(48_000))
    assert torch.equal(waveforms, before)
