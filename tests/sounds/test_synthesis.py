"""The default bank: complete, in tune, deterministic, and two sides that are different recordings."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clear_gen.core.config import load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import content_path
from clear_gen.sounds import synthesis
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.synthesis import SAMPLE_RATE, Model, synthesise

CHROMATIC = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
# The 135 notes of the bank of CLEAR: (octave, first note, last note), a note given by its place in CHROMATIC.
OFFICIAL = {
    "bass": [(3, 0, 11), (4, 0, 7)],
    "cello": [(3, 0, 11), (4, 0, 9)],
    "clarinet": [(3, 2, 11), (4, 0, 11)],
    "flute": [(4, 0, 11), (5, 0, 11)],
    "trumpet": [(4, 0, 11), (5, 0, 10)],
    "violin": [(4, 0, 11), (5, 0, 11)],
}
HASH_SCRIPT = (
    "import hashlib; from clear_gen.sounds.synthesis import synthesise; "
    "print(hashlib.sha256(b''.join(sound.samples.tobytes() for sound in synthesise('test'))).hexdigest())"
)

Sides = dict[str, list[Recording]]


@pytest.fixture(scope="module")
def sides() -> Sides:
    return {side: synthesise(side) for side in ("train", "test")}


def both(sides: Sides) -> list[Recording]:
    return sides["train"] + sides["test"]


def label(sound: Recording) -> tuple[str | int, ...]:
    return tuple(sound.attributes[name] for name in ("instrument", "note", "octave"))


def sha256(sounds: list[Recording]) -> str:
    return hashlib.sha256(b"".join(sound.samples.tobytes() for sound in sounds)).hexdigest()


def period_pitch_hz(samples: np.ndarray, lowest_hz: float = 100, highest_hz: float = 1200) -> float:
    """Pitch by autocorrelation of 0.4 s: the first peak within 10 % of the highest one, refined by a parabola."""
    steady = samples[round(0.12 * SAMPLE_RATE) : round(0.52 * SAMPLE_RATE)].astype(float)
    size = 1 << 16
    correlation = np.fft.irfft(np.abs(np.fft.rfft(steady, size)) ** 2)[: int(SAMPLE_RATE / lowest_hz)]
    correlation /= len(steady) - np.arange(len(correlation))
    middle = correlation[1:-1]
    is_peak = (middle >= correlation[:-2]) & (middle > correlation[2:])
    is_peak[: int(SAMPLE_RATE / highest_hz)] = False
    lag = 1 + int(np.argmax(is_peak & (middle > 0.9 * middle[is_peak].max())))
    before, here, after = correlation[lag - 1 : lag + 2]
    return SAMPLE_RATE / (lag + 0.5 * (before - after) / (before - 2 * here + after))


def residual(reference: np.ndarray, other: np.ndarray) -> float:
    """Share of the energy of ``other`` that no gain and no shift of ``reference`` explains: 0 = a copy, 1 = nothing."""
    size = 1 << 17
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(reference, size))
    best = np.abs(np.fft.irfft(spectrum, size)).max()
    return 1 - best**2 / (np.sum(reference.astype(float) ** 2) * np.sum(other.astype(float) ** 2))


def peak(samples: np.ndarray) -> float:
    return float(np.abs(samples).max())


def centroid_hz(samples: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE) * power) / np.sum(power))


def test_both_sides_hold_the_notes_of_the_official_bank(sides: Sides) -> None:
    expected = {
        (instrument, CHROMATIC[index], octave)
        for instrument, octaves in OFFICIAL.items()
        for octave, first, last in octaves
        for index in range(first, last + 1)
    }
    assert len(expected) == 135
    for sounds in sides.values():
        assert len(sounds) == 135
        assert {label(sound) for sound in sounds} == expected


def test_identifiers_are_unique_and_speak(sides: Sides) -> None:
    identifiers = [sound.sound_id for sound in both(sides)]
    assert len(set(identifiers)) == 270
    assert {"default-train-flute-4-C#", "default-test-bass-3-A"} <= set(identifiers)


def test_samples_are_the_same_in_another_process(sides: Sides) -> None:
    done = subprocess.run([sys.executable, "-c", HASH_SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sha256(sides["test"])


def test_samples_are_the_same_every_time_and_global_random_state_is_neither_read_nor_changed(sides: Sides) -> None:
    np.random.seed(1)  # noqa: NPY002 - the global state is what is under test
    before = np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    assert sha256(synthesise("train")) == sha256(sides["train"])
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index] # noqa: NPY002


def test_durations_are_those_of_the_official_bank(sides: Sides) -> None:
    for sounds in sides.values():
        durations_s = np.array([len(sound.samples) / sound.sample_rate for sound in sounds])
        assert 0.69 <= durations_s.min() < 0.75
        assert 1.0 < durations_s.max() <= 1.11
        assert durations_s.mean() == pytest.approx(0.86, abs=0.02)


def test_samples_are_float32_at_48_khz_and_never_near_clipping(sides: Sides) -> None:
    for sound in both(sides):
        assert sound.samples.dtype == np.float32
        assert sound.samples.ndim == 1
        assert sound.sample_rate == 48_000
        assert np.isfinite(sound.samples).all()
        assert 0.01 < peak(sound.samples) < 0.9, sound.sound_id


def test_sounds_start_at_once_and_fade_to_nothing(sides: Sides) -> None:
    for sound in both(sides):
        audible = np.flatnonzero(np.abs(sound.samples) > 0.01 * peak(sound.samples))
        assert audible[0] < 0.005 * SAMPLE_RATE, sound.sound_id
        assert peak(sound.samples[-48:]) < 0.01 * peak(sound.samples), sound.sound_id


def test_pitch_is_the_one_on_the_label(sides: Sides) -> None:
    for sound in both(sides):
        _, note, octave = label(sound)
        expected_hz = 440 * 2 ** (int(octave) - 4 + (CHROMATIC.index(str(note)) - 9) / 12)
        cents = 1200 * np.log2(period_pitch_hz(sound.samples) / expected_hz)
        assert abs(cents) < 30, f"{sound.sound_id}: {cents:.1f} cents"


def test_test_sounds_are_not_train_sounds_with_another_gain(sides: Sides) -> None:
    train = {label(sound): sound.samples for sound in sides["train"]}
    residuals = {sound.sound_id: residual(train[label(sound)], sound.samples) for sound in sides["test"]}
    assert len(residuals) == 135
    assert min(residuals.values()) > 0.3, min(residuals, key=lambda sound_id: residuals[sound_id])


def test_residual_finds_a_copy_with_another_gain_and_delay(sides: Sides) -> None:
    sound = sides["train"][0].samples
    assert residual(sound, np.concatenate([np.zeros(100), 0.3 * sound])) < 1e-6


def test_sides_share_no_player_and_no_microphone(sides: Sides) -> None:
    players, microphones = (
        {side: {sound.source.split(", ")[place] for sound in sounds} for side, sounds in sides.items()}
        for place in (1, 2)
    )
    assert len(players["train"]) == len(players["test"]) == 6
    assert not players["train"] & players["test"]
    assert not microphones["train"] & microphones["test"]
    assert {sound.licence for sound in both(sides)} == {"CC0-1.0"}


@pytest.mark.parametrize("instrument", OFFICIAL)
def test_an_instrument_is_both_loud_and_quiet_both_bright_and_dark(sides: Sides, instrument: str) -> None:
    for sounds in sides.values():
        mine = [sound.samples for sound in sounds if sound.attributes["instrument"] == instrument]
        level_db = 20 * np.log10([np.sqrt(np.mean(samples**2)) for samples in mine])
        brightness = np.log2([centroid_hz(samples) for samples in mine])
        assert np.ptp(np.percentile(level_db, [10, 90])) > 6
        assert np.ptp(np.percentile(brightness, [10, 90])) > 0.5
        # and loud against quiet is a matter of the sound, not of the instrument
        everything_db = 20 * np.log10([np.sqrt(np.mean(sound.samples**2)) for sound in sounds])
        assert 0.25 < np.mean(level_db > np.median(everything_db)) < 0.75


def test_low_clarinet_lacks_the_second_harmonic_and_low_flute_does_not(sides: Sides) -> None:
    def second_re_first_db(instrument: str, note: str, octave: int, frequency_hz: float) -> float:
        sound = next(s for s in sides["train"] if label(s) == (instrument, note, octave))
        power = np.abs(np.fft.rfft(sound.samples)) ** 2
        hz = np.fft.rfftfreq(len(sound.samples), 1 / SAMPLE_RATE)
        first, second = (power[np.abs(hz / (k * frequency_hz) - 1) < 0.03].sum() for k in (1, 2))
        return float(10 * np.log10(second / first))

    assert second_re_first_db("clarinet", "E", 3, 164.81) < -15
    assert second_re_first_db("flute", "D", 4, 293.66) > -12


def test_unknown_side_is_refused() -> None:
    with pytest.raises(InputError, match="side: found 'validation', expected one of: train, test"):
        synthesise("validation")


@pytest.mark.parametrize(
    ("original", "broken", "named"),
    [
        ("attack_s: 0.09", "attack_s: -0.09", "instruments.bass.attack_s"),
        (
            "attack_s: 0.09",
            "atack_s: 0.09",
            "instruments.bass.atack_s: found 0.09, expected: no such field; did you mean attack_s",
        ),
        ("lowest: C3", "lowest: H3", "instruments.bass.lowest"),
        ("kind: bow", "kind: hammer", "instruments.bass.noise.kind"),
        ("detune_cents: 6,", "detune_cents: 60,", "sides.train.players.flute.detune_cents"),
        ("name: T3, microphone: M2", "name: T3, microphone: M9", "sides.train.players.clarinet.microphone"),
        ("      violin:   {name: E6", "      viola:   {name: E6", "sides.test.players.violin"),
        ("duration_s: [0.69, 0.79, 1.11]", "duration_s: [0.69, 0.6, 1.11]", "duration_s"),
        ("cutoff_hz: 1800", "cutoff_hz: .inf", "instruments.clarinet.cutoff_hz"),
        ("seed: 20260", "seed: [", "not valid YAML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_file_and_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, original: str, broken: str, named: str
) -> None:
    text = content_path("banks", "default.yaml").read_text(encoding="utf-8")
    assert original in text
    path = tmp_path / "default.yaml"
    path.write_text(text.replace(original, broken, 1), encoding="utf-8")
    monkeypatch.setattr(synthesis, "content_path", lambda kind, name: path)
    with pytest.raises(InputError) as caught:
        synthesise("train")
    message = str(caught.value)
    assert message.startswith(str(path))
    assert named in message
    assert "\n" not in message


def test_order_of_registers_in_the_file_does_not_matter() -> None:
    model = load_yaml(content_path("banks", "default.yaml"), Model)
    flute = model.instruments["flute"]
    turned = flute.model_copy(update={"registers": dict(reversed(flute.registers.items()))})
    player, microphone = model.sides["test"].players["flute"], model.sides["test"].microphones["M6"]
    order = np.arange(1, 9)
    levels = [
        synthesis._harmonics_db(synthesis.Take(70, instrument, player, microphone, 0.0, 0.0), order, 466.16)
        for instrument in (flute, turned)
    ]
    assert np.array_equal(*levels)
