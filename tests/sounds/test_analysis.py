"""Brightness against the published package, loudness against the standard's own reference, pitch against the notes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.sounds.analysis import NOTES, brightness, loudness_lufs, pitch_class, pitch_hz
from tests.counts import NIGHTLY, examples, thinned

ORACLE = json.loads((Path(__file__).parents[1] / "data" / "brightness_oracle.json").read_text(encoding="utf-8"))
BANKS = {"clear2-official/train": 135, "clear2-official/test": 135, "orchestral": 204}
RATES = st.sampled_from([16000, 44100, 48000])
SEEDS = st.integers(0, 2**32 - 1)
quick = examples(40)


def recordings(folder: Path) -> Iterator[tuple[dict, np.ndarray, int]]:
    for sound in thinned(json.loads((folder / "elementary_sounds.json").read_text(encoding="utf-8"))):
        samples, sample_rate = soundfile.read(folder / sound["filename"], dtype="float32")
        yield sound, samples, sample_rate


def pcm_sha256(samples: np.ndarray) -> str:
    return hashlib.sha256(np.rint(32767 * samples).astype("<i2").tobytes()).hexdigest()


def tone(f0_hz: float, amplitudes: np.ndarray, sample_rate: int, duration_s: float = 0.4, seed: int = 0) -> np.ndarray:
    """Sum of partials with random phases, those above the Nyquist frequency left out."""
    partial = np.arange(1, len(amplitudes) + 1)
    partial = partial[partial * f0_hz < sample_rate / 2]
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(amplitudes))[: len(partial)]
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return amplitudes[: len(partial)] @ np.sin(2 * np.pi * f0_hz * np.outer(partial, time_s) + phase[:, None])


def synthetic() -> dict[str, tuple[np.ndarray, int]]:
    """Signals given by formulas, for which the oracle has the package's values too."""
    time_s = np.arange(24000) / 48000
    sawtooth = sum(np.sin(2 * np.pi * 440 * k * time_s) / k for k in range(1, 21))
    sweep = np.sin(2 * np.pi * (50 * time_s + 9000 * time_s**2))
    return {
        "sawtooth of 440 Hz": (sawtooth, 48000),
        "sine of 3 kHz": (np.sin(2 * np.pi * 3000 * time_s), 48000),
        "sine of 30 Hz, an offset and a little of 5 kHz": (
            0.3 + np.sin(2 * np.pi * 30 * time_s) + 0.01 * np.sin(2 * np.pi * 5000 * time_s),
            48000,
        ),
        "sweep to 9 kHz at 44.1 kHz": (sweep, 44100),
        "sawtooth between digital silences": (np.pad(0.01 * sawtooth, (9000, 9000)), 48000),
        "one frame and a bit at 96 kHz": (sawtooth[:2100], 96000),
    }


@pytest.mark.parametrize("name", synthetic())
def test_brightness_has_the_values_of_the_published_package(name):
    assert brightness(*synthetic()[name]) == pytest.approx(ORACLE["synthetic"][name], abs=1e-6)


@pytest.mark.shared
def test_brightness_of_the_official_sounds_is_that_of_the_published_package(shared):
    measured = {
        pcm_sha256(samples): brightness(samples, sample_rate)
        for _, samples, sample_rate in recordings(shared / "banks" / "clear2-official" / "train")
    }
    assert len(measured) == (135 if NIGHTLY else 46)
    assert measured == pytest.approx({key: ORACLE["official"][key] for key in measured}, abs=1e-6, rel=0)


@given(seed=SEEDS, gain_db=st.floats(-100, 100), sample_rate=RATES)
@quick
def test_brightness_does_not_depend_on_gain(seed, gain_db, sample_rate):
    samples = np.random.default_rng(seed).normal(size=6000)
    assert brightness(10 ** (gain_db / 20) * samples, sample_rate) == pytest.approx(
        brightness(samples, sample_rate), abs=1e-6
    )


@given(seed=SEEDS, cutoff_hz=st.floats(200, 7000), sample_rate=RATES)
@quick
def test_a_lowpassed_sound_is_darker(seed, cutoff_hz, sample_rate):
    samples = np.random.default_rng(seed).normal(size=12000)
    lowpass = scipy.signal.butter(2, cutoff_hz, output="sos", fs=sample_rate)
    assert brightness(scipy.signal.sosfilt(lowpass, samples), sample_rate) < brightness(samples, sample_rate) - 0.2


@pytest.mark.parametrize("sample_rate", [11025, 16000, 22050, 32000])
def test_brightness_hardly_depends_on_a_low_sample_rate(sample_rate):
    amplitudes = 1.0 / np.arange(1, 9)
    reference = brightness(tone(440.0, amplitudes, 44100, duration_s=1.0), 44100)
    assert brightness(tone(440.0, amplitudes, sample_rate, duration_s=1.0), sample_rate) == pytest.approx(
        reference, abs=0.1
    )


@given(seed=SEEDS, gain_db=st.floats(-30, 30), sample_rate=RATES)
@quick
def test_loudness_follows_the_gain(seed, gain_db, sample_rate):
    samples = 0.03 * np.random.default_rng(seed).normal(size=sample_rate // 2)
    moved = loudness_lufs(10 ** (gain_db / 20) * samples, sample_rate) - loudness_lufs(samples, sample_rate)
    assert moved == pytest.approx(gain_db, abs=1e-9)


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_loudness_of_a_full_scale_sine_is_the_standards_reference(sample_rate):
    sine = np.sin(2 * np.pi * 997 * np.arange(sample_rate) / sample_rate)
    assert loudness_lufs(sine, sample_rate) == pytest.approx(-3.01, abs=0.1)  # the tolerance of EBU Tech 3341


@given(
    f0_hz=st.floats(np.log(41), np.log(2000)).map(np.exp),
    decay=st.floats(0, 1.5),
    n_partials=st.integers(1, 12),
    fundamental=st.floats(0.3, 1),
    noise_db=st.floats(-60, -20),
    seed=SEEDS,
    sample_rate=RATES,
)
@quick
def test_pitch_of_a_harmonic_tone(f0_hz, decay, n_partials, fundamental, noise_db, seed, sample_rate):
    amplitudes = np.arange(1, n_partials + 1) ** -decay
    amplitudes[0] = fundamental
    clean = tone(f0_hz, amplitudes, sample_rate, seed=seed)
    noise = np.random.default_rng(seed).normal(size=len(clean)) * np.std(clean) * 10 ** (noise_db / 20)
    assert abs(1200 * np.log2(pitch_hz(clean + noise, sample_rate) / f0_hz)) < 20


@given(f0_hz=st.floats(41, 500), decay=st.floats(0, 1.5), n_partials=st.integers(4, 12), seed=SEEDS, sample_rate=RATES)
@quick
def test_pitch_of_a_tone_without_its_fundamental(f0_hz, decay, n_partials, seed, sample_rate):
    amplitudes = np.arange(1, n_partials + 1) ** -decay
    amplitudes[0] = 0
    assert abs(1200 * np.log2(pitch_hz(tone(f0_hz, amplitudes, sample_rate, seed=seed), sample_rate) / f0_hz)) < 20


@given(f0_hz=st.floats(41, 500), seed=SEEDS)
@quick
def test_pitch_of_a_clarinet_like_tone_without_even_partials(f0_hz, seed):
    amplitudes = np.array([0.5, 0, 1, 0, 0.7, 0, 0.5])
    assert abs(1200 * np.log2(pitch_hz(tone(f0_hz, amplitudes, 48000, seed=seed), 48000) / f0_hz)) < 20


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100, 48000, 96000])
def test_pitch_of_rich_tones_whose_detail_is_finer_than_a_sample(sample_rate):
    amplitudes = np.arange(1, 21) ** -0.3
    f0_hz = np.geomspace(41, 2000, 30)
    found = [pitch_hz(tone(f0, amplitudes, sample_rate, seed=seed), sample_rate) for seed, f0 in enumerate(f0_hz)]
    assert np.max(np.abs(1200 * np.log2(found / f0_hz))) < 5


def test_pitch_listens_to_the_loud_part():
    samples = 0.05 * tone(311.0, np.array([1.0, 0.5, 0.3]), 48000, duration_s=1.0)
    samples[12000:30000] = tone(220.0, np.array([1.0, 0.5, 0.3]), 48000, duration_s=0.375)
    assert abs(1200 * np.log2(pitch_hz(samples, 48000) / 220)) < 5


@given(semitone=st.integers(-45, 30), cents=st.floats(-49.9, 49.9))
def test_pitch_class_is_the_nearest_note(semitone, cents):
    note, deviation = pitch_class(440 * 2 ** ((100 * semitone + cents) / 1200))
    assert note == NOTES[semitone % 12]
    assert deviation == pytest.approx(cents, abs=1e-6)


@pytest.mark.parametrize(("f0_hz", "note"), [(41.2, "E"), (261.63, "C"), (466.16, "A#"), (1864.66, "A#"), (442.0, "A")])
def test_pitch_class_of_known_frequencies(f0_hz, note):
    assert pitch_class(f0_hz)[0] == note


@pytest.mark.parametrize("f0_hz", [0.0, -440.0, float("nan"), float("inf")])
def test_pitch_class_refuses_what_is_no_frequency(f0_hz):
    with pytest.raises(ValueError, match="expected a positive number"):
        pitch_class(f0_hz)


@pytest.mark.parametrize("measure", [brightness, loudness_lufs, pitch_hz])
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(48000), "silence"),
        (np.full(48000, np.nan), "not finite"),
        (np.ones((48000, 2)), "expected mono"),
        (np.ones(2047), "expected at least"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, samples, message):
    with pytest.raises(ValueError, match=message):
        measure(samples, 48000)


def test_a_sound_below_the_absolute_gate_has_no_loudness():
    with pytest.raises(ValueError, match="-70 LUFS"):
        loudness_lufs(1e-5 * np.random.default_rng(1).normal(size=48000), 48000)


def test_a_sound_of_one_block_has_a_loudness():
    samples = np.random.default_rng(1).normal(size=9600)
    assert np.isfinite(loudness_lufs(samples, 48000))
    with pytest.raises(ValueError, match="expected at least"):
        loudness_lufs(samples[:-1], 48000)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_pitch(seed):
    with pytest.raises(ValueError, match="no periodic frame"):
        pitch_hz(np.random.default_rng(seed).normal(size=48000), 48000)


@pytest.mark.shared
@pytest.mark.parametrize("bank", BANKS)
def test_pitch_of_every_real_note_is_the_annotated_one(shared, bank):
    found, annotated = {}, {}
    for sound, samples, sample_rate in recordings(shared / "banks" / bank):
        f0_hz = pitch_hz(samples, sample_rate)
        semitones_above_c0 = round(12 * np.log2(f0_hz / 440)) + 57
        found[sound["filename"]] = (pitch_class(f0_hz)[0], semitones_above_c0 // 12)
        annotated[sound["filename"]] = (sound["note"], sound["octave"])
    assert len(found) == BANKS[bank] if NIGHTLY else len(found) > BANKS[bank] // 3
    assert found == annotated


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # the other package's
@pytest.mark.parametrize("name", synthetic())
def test_brightness_live_on_synthetic_signals(name):
    from timbral_models import timbral_brightness

    samples, sample_rate = synthetic()[name]
    assert brightness(samples, sample_rate) == pytest.approx(
        timbral_brightness(samples.copy(), fs=sample_rate), abs=1e-6
    )


@pytest.mark.peers
@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")  # the other package's
@pytest.mark.parametrize("bank", BANKS)
def test_brightness_live_on_real_sounds(shared, bank):
    from timbral_models import timbral_brightness

    for _, samples, sample_rate in recordings(shared / "banks" / bank):
        expected = timbral_brightness(samples.astype(np.float64), fs=sample_rate)
        assert brightness(samples, sample_rate) == pytest.approx(expected, abs=1e-6)
