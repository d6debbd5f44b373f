"""Leaks between banks: the residual against a slow oracle, then planted leaks, then the published banks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.sounds.leak import RESIDUAL_LIMIT, find_leaks, recording_residual
from tests.counts import examples

SEEDS = st.integers(0, 2**32 - 1)
quick = examples(40)


def noise(seed: int, n_samples: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n_samples)


def slow_residual(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Every allowed shift tried, the gain fitted by least squares over the overlapping samples alone."""
    pad = len(candidate)
    padded = np.pad(reference, pad)
    products = np.correlate(padded, candidate)
    best = 1.0
    for start, product in enumerate(products):
        window = padded[start : start + len(candidate)]
        overlap = min(start + len(candidate), pad + len(reference)) - max(start, pad)
        if 2 * overlap >= min(len(reference), len(candidate)):
            gain = product / np.sum(window**2)
            best = min(best, np.sum((candidate - gain * window) ** 2) / np.sum(candidate**2))
    return best


@given(n_reference=st.integers(1, 40), n_candidate=st.integers(1, 40), seed=SEEDS)
def test_residual_is_that_of_the_slow_oracle(n_reference, n_candidate, seed):
    both = noise(seed, n_reference + n_candidate)
    reference, candidate = both[:n_reference], both[n_reference:]
    assert recording_residual(reference, candidate) == pytest.approx(slow_residual(reference, candidate), abs=1e-9)


@given(
    seed=SEEDS,
    gain_db=st.floats(-80, 40),
    polarity=st.sampled_from([-1, 1]),
    head=st.integers(0, 900),
    tail=st.integers(0, 900),
)
@quick
def test_gain_shift_and_inversion_leave_nothing(seed, gain_db, polarity, head, tail):
    sound = noise(seed, 2000)
    copy = polarity * 10 ** (gain_db / 20) * np.pad(sound, (head, tail))
    assert recording_residual(sound, copy) < 1e-12
    assert recording_residual(copy, sound) < 1e-12


@given(seed=SEEDS, start=st.integers(0, 1000), length=st.integers(200, 1000))
@quick
def test_a_cut_is_explained_by_the_whole_and_leaves_the_rest_of_it(seed, start, length):
    sound = noise(seed, 2000) * np.exp(-np.arange(2000) / 300)
    cut = sound[start : start + length]
    assert recording_residual(sound, cut) < 1e-9
    rest = 1 - np.sum(cut**2) / np.sum(sound**2)
    assert recording_residual(cut, sound) <= rest + 1e-9


@given(seed=SEEDS, snr_db=st.floats(0, 60))
@quick
def test_added_noise_leaves_its_share_of_the_energy(seed, snr_db):
    sound, added = noise(seed, 4000).reshape(2, 2000)
    added -= sound * (sound @ added) / (sound @ sound)
    added *= np.sqrt(np.sum(sound**2) / np.sum(added**2)) * 10 ** (-snr_db / 20)
    assert recording_residual(sound, sound + added) == pytest.approx(1 / (1 + 10 ** (snr_db / 10)), rel=1e-6)


@given(seed=SEEDS)
@quick
def test_independent_noise_is_unrelated(seed):
    first, second = noise(seed, 16000).reshape(2, 8000)
    assert recording_residual(first, second) > 0.98


@given(seed=SEEDS, f0_hz=st.floats(60, 1000))
@quick
def test_the_same_steady_note_with_other_phases_is_another_recording(seed, f0_hz):
    rng = np.random.default_rng(seed)
    time_s, partial = np.arange(8000) / 16000, np.arange(1, 8)[:, None]
    first, second = (
        np.sum(np.sin(2 * np.pi * f0_hz * partial * time_s + rng.uniform(0, 2 * np.pi, (7, 1))), axis=0)
        for _ in range(2)
    )
    assert recording_residual(first, second) > RESIDUAL_LIMIT


def test_leaks_are_found_whatever_their_place_and_length():
    train = [noise(seed, 3000 + 100 * seed) for seed in range(6)]
    test = [
        noise(100, 4000),
        -0.01 * np.pad(train[4], (300, 0)),
        train[2][500:],
        np.concatenate([noise(101, 1000), 0.5 * train[0], noise(102, 500)]),
        noise(103, 900),
        1e6 * train[2],
    ]
    leaks = find_leaks(train, test)
    assert [leak[:2] for leak in leaks] == [(4, 1), (2, 2), (0, 3), (2, 5)]
    assert max(residual for _, _, residual in leaks) < 1e-12


@given(seed=SEEDS, limit=st.floats(0.02, 0.9), swapped=st.booleans())
@examples(15, few=5)
def test_the_screening_loses_no_pair(seed, limit, swapped):
    rng = np.random.default_rng(seed)
    decays = [np.exp(-np.arange(rng.integers(300, 600)) / 200) for _ in range(5)]
    train = [decay * rng.normal(size=len(decay)) for decay in decays]
    test = [sound[rng.integers(100) :] for sound in train]
    test = [sound + rng.uniform(0, 0.5) * rng.normal(size=len(sound)) for sound in test]
    if swapped:
        train, test = test, train
    slow = [
        (i, j, min(slow_residual(first, second), slow_residual(second, first)))
        for j, second in enumerate(test)
        for i, first in enumerate(train)
    ]
    expected = [entry for entry in slow if entry[2] < limit]
    found = find_leaks(train, test, limit)
    assert [leak[:2] for leak in found] == [leak[:2] for leak in expected]
    assert [leak[2] for leak in found] == pytest.approx([leak[2] for leak in expected], abs=1e-9)


def test_an_empty_bank_has_no_leaks():
    assert find_leaks([], [noise(1, 100)]) == []
    assert find_leaks([noise(1, 100)], []) == []


@pytest.mark.parametrize("bad", [np.zeros(100), np.array([]), np.full(100, np.nan), np.array([1.0, np.inf])])
def test_silence_is_refused_on_either_side(bad):
    good = noise(1, 100)
    for call in (recording_residual, lambda first, second: find_leaks([first], [second])):
        with pytest.raises(ValueError, match="expected a sound"):
            call(good, bad)
        with pytest.raises(ValueError, match="expected a sound"):
            call(bad, good)


def recordings(folder: Path) -> list[np.ndarray]:
    sounds = json.loads((folder / "elementary_sounds.json").read_text(encoding="utf-8"))
    read = [soundfile.read(folder / sound["filename"], dtype="float32") for sound in sounds]
    assert {sample_rate for _, sample_rate in read} == {48000}
    return [samples for samples, _ in read]


@pytest.mark.shared
def test_93_sounds_of_the_published_test_bank_are_training_recordings(shared):
    official = shared / "banks" / "clear2-official"
    pairs = find_leaks(recordings(official / "train"), recordings(official / "test"), limit=0.2)
    leaks = [pair for pair in pairs if pair[2] < RESIDUAL_LIMIT]
    assert len({test_index for _, test_index, _ in leaks}) == len(leaks) == 93
    assert max(residual for _, _, residual in leaks) < 1e-6
    assert all(residual > 0.07 for _, _, residual in pairs if residual >= RESIDUAL_LIMIT)


@pytest.mark.nightly
@pytest.mark.shared
def test_the_orchestral_bank_shares_no_recording_with_the_published_one(shared):
    train = recordings(shared / "banks" / "clear2-official" / "train")
    assert find_leaks(train, recordings(shared / "banks" / "orchestral"), limit=0.25) == []
