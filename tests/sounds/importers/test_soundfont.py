"""SoundFonts: what the presets file may say, what is refused, and that notes are what their labels say.

Tests with the marker ``soundfont`` need the FluidSynth library; some play FluidR3 GM, some a font of one sine wave.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import yaml

from clear_gen.core.errors import InputError
from clear_gen.core.files import content_path
from clear_gen.sounds.analysis import NOTES, cents_from, loudness_lufs, pitch_hz
from clear_gen.sounds.attributes import GivenAttribute
from clear_gen.sounds.bank import build_bank
from clear_gen.sounds.importers import soundfont
from clear_gen.sounds.importers.soundfont import import_soundfont, note_of_key, read_presets
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.verify import verify
from tests.sounds import ATTRIBUTES, note_hz, one_line

FLUID_R3 = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE = 48_000
DURATION_S = (0.69, 1.11)
LOW, HIGH = 57, 81  # keys of the sine font
PRESETS = """\
velocities: [60, 100]
held_s: 1.5
instruments:
  flute:
    program: 73
    keys: [60, 61]
"""
VIOLIN = "  violin: {program: 40, keys: [67, 67]}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "presets.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def played(file: Path, presets: Path | None = None, duration_s: tuple[float, float] = DURATION_S) -> list[Recording]:
    return import_soundfont(file, ATTRIBUTES, RATE, duration_s, np.random.default_rng(1), "MIT", presets)


def refused(file: Path, presets: Path | None = None, sample_rate: int = RATE) -> str:
    with pytest.raises(InputError) as caught:
        import_soundfont(file, ATTRIBUTES, sample_rate, DURATION_S, np.random.default_rng(1), "MIT", presets)
    return one_line(caught)


def lufs(sound: Recording) -> float:
    return loudness_lufs(sound.samples, sound.sample_rate)


# --- a SoundFont of one sine wave -------------------------------------------------------------------------------------


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def sine_font(path: Path, *, level: float = 0.5, pan: int = -500) -> Path:
    """A font whose one preset loops a sine of 440 Hz at 48 kHz, key 69, on the keys LOW to HIGH; pan -500 to 500."""
    sine = level * np.sin(2 * np.pi * 440 / RATE * np.arange(3600))  # 33 periods
    samples = np.rint(32767 * np.append(sine, np.zeros(46))).astype("<i2")
    zone = [(43, LOW | HIGH << 8), (17, pan % 2**16), (54, 1), (53, 0)]  # key range, pan, loop, sample
    first_sample = struct.pack("<20s5I2B2H", b"sine", 0, 3600, 1200, 2400, RATE, 69, 0, 0, 1)
    pdta = [
        chunk(b"phdr", struct.pack("<20s3H3I", b"Test \nsine", 73, 0, 0, 0, 0, 0)
              + struct.pack("<20s3H3I", b"EOP", 0, 0, 1, 0, 0, 0)),
        chunk(b"pbag", struct.pack("<4H", 0, 0, 1, 0)),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", struct.pack("<4H", 41, 0, 0, 0)),
        chunk(b"inst", struct.pack("<20sH", b"sine", 0) + struct.pack("<20sH", b"EOI", 1)),
        chunk(b"ibag", struct.pack("<4H", 0, 0, len(zone), 0)),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", b"".join(struct.pack("<2H", *generator) for generator in [*zone, (0, 0)])),
        chunk(b"shdr", first_sample + struct.pack("<20s5I2B2H", b"EOS", *[0] * 9)),
    ]  # fmt: skip
    info = chunk(b"ifil", struct.pack("<2H", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", b"test\0\0")
    lists = [b"INFO" + info, b"sdta" + chunk(b"smpl", samples.tobytes()), b"pdta" + b"".join(pdta)]
    path.write_bytes(chunk(b"RIFF", b"sfbk" + b"".join(chunk(b"LIST", part) for part in lists)))
    return path


# --- without FluidSynth -----------------------------------------------------------------------------------------------


def test_the_packaged_presets_cover_the_domain() -> None:
    plan = read_presets(content_path("banks", "general_midi.yaml"), ATTRIBUTES)
    assert list(plan.instruments) == ATTRIBUTES["instrument"].values
    for preset in plan.instruments.values():
        notes = [note_of_key(key)[0] for key in range(preset.keys[0], preset.keys[1] + 1)]
        assert {note: notes.count(note) for note in NOTES} == dict.fromkeys(NOTES, 2)
    assert plan.held_s > DURATION_S[1]


def test_a_key_has_the_note_of_its_frequency() -> None:
    keys = range(128)
    assert [note_hz(*note_of_key(key)) for key in keys] == pytest.approx([440 * 2 ** ((key - 69) / 12) for key in keys])


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("held_s", "held", 2, "held: found 1.5, expected: no such field; did you mean held_s?"),
        (
            "program",
            "programme",
            5,
            "instruments.flute.programme: found 73, expected: no such field; did you mean program?",
        ),
        ("73", "128", 5, "instruments.flute.program: found 128"),
        ("73", "'73'", 5, "instruments.flute.program"),
        ("[60, 61]", "[61, 60]", 6, "instruments.flute.keys: found [61, 60], expected: [low, high] with low <= high"),
        ("[60, 61]", "[60, 128]", 6, "instruments.flute.keys.1: found 128"),
        ("[60, 61]", "[60]", 6, "instruments.flute.keys"),
        ("[60, 100]", "[]", 1, "velocities"),
        ("[60, 100]", "[60, 60]", 1, "velocities: found [60, 60], expected: distinct velocities"),
        ("[60, 100]", "[0]", 1, "velocities.0: found 0"),
        ("1.5", "0", 2, "held_s: found 0"),
        ("flute", "oboe", 4, "instruments.oboe: instrument: found 'oboe', expected one of: bass, cello"),
        ("[60, 61]", "[23, 24]", 6, "instruments.flute.keys: octave: found 0, expected one of: 1, 2"),
    ],
)
def test_a_wrong_field_names_its_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    presets = written(tmp_path, PRESETS.replace(old, new))
    found = refused(tmp_path / "no.sf2", presets)
    assert found.startswith(f"{presets}:{line}: {message}")


@pytest.mark.parametrize("change", ["more", "fewer"])
def test_a_domain_with_other_given_attributes_is_refused(tmp_path: Path, change: str) -> None:
    attributes = dict(ATTRIBUTES)
    if change == "more":
        attributes["player"] = GivenAttribute(values=["A", "B"])
    else:
        del attributes["octave"]
    with pytest.raises(InputError) as caught:
        read_presets(written(tmp_path, PRESETS), attributes)
    assert "expected instrument, note, octave" in one_line(caught)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no RIFF sfbk header"),
        (b"RIFF", "no RIFF sfbk header"),
        (b"RIFF\x04\0\0\0WAVEfmt ", "no RIFF sfbk header"),
        (b"# a text\n" * 9, "no RIFF sfbk header"),
        (b"RIFF\xff\0\0\0sfbkLIST", "truncated: found 16 bytes, expected 263 by its header"),
    ],
)
def test_what_is_no_soundfont_is_refused(
    tmp_path: Path, content: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "font.sf2"
    file.write_bytes(content)
    assert refused(file).startswith(f"{file}: ")
    assert message in refused(file)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "no.sf2")
    assert "directory" in refused(tmp_path)


def test_a_rate_that_fluidsynth_would_replace_is_refused(tmp_path: Path) -> None:
    assert "8000 to 96000 Hz" in refused(sine_font(tmp_path / "sine.sf2"), sample_rate=192_000)


@pytest.mark.parametrize("missing", ["pyfluidsynth", "library"])
def test_a_missing_package_or_library_says_what_to_install(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "pyfluidsynth":
        monkeypatch.setitem(sys.modules, "fluidsynth", None)
    else:
        monkeypatch.delitem(sys.modules, "fluidsynth", raising=False)
        monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
        monkeypatch.delenv("HOMEBREW_PREFIX", raising=False)
    message = refused(sine_font(tmp_path / "sine.sf2"))
    assert "pip install '.[soundfont]' in a checkout" in message
    assert "libfluidsynth3" in message


# --- with FluidSynth, one sine wave -----------------------------------------------------------------------------------


def sine_presets(folder: Path, keys: tuple[int, int] = (LOW, HIGH)) -> Path:
    return written(folder, PRESETS.replace("[60, 61]", str(list(keys))))


@pytest.mark.soundfont
def test_pitch_velocity_and_length_are_those_asked_for(tmp_path: Path) -> None:
    sounds = played(sine_font(tmp_path / "sine.sf2"), sine_presets(tmp_path))
    assert len(sounds) == 2 * (HIGH - LOW + 1)
    for soft, hard in zip(sounds[::2], sounds[1::2], strict=True):
        for sound in (soft, hard):
            expected_hz = note_hz(str(sound.attributes["note"]), int(sound.attributes["octave"]))
            assert 1200 * abs(np.log2(pitch_hz(sound.samples, RATE) / expected_hz)) < 2
            assert sound.samples.dtype == np.float32
            assert DURATION_S[0] - 0.001 <= len(sound.samples) / RATE <= DURATION_S[1] + 0.001
        rms = [float(np.sqrt(np.mean(sound.samples[: RATE // 2] ** 2))) for sound in (soft, hard)]
        assert 20 * np.log10(rms[1] / rms[0]) == pytest.approx(40 * np.log10(100 / 60), abs=0.1)  # of the standard
    assert len({len(sound.samples) for sound in sounds}) > len(sounds) / 2
    assert np.array_equal(np.sort([sound.sound_id for sound in sounds]), np.unique([s.sound_id for s in sounds]))
    first, last = sounds[0], sounds[-1]
    assert (first.sound_id, last.sound_id) == ("flute_3_A_v060", "flute_5_A_v100")
    assert first.source == "sine.sf2, preset 0:73 Test sine"
    assert first.licence == "MIT"


@pytest.mark.soundfont
def test_a_key_released_early_ends_the_sound(tmp_path: Path) -> None:
    presets = written(tmp_path, PRESETS.replace("1.5", "0.8"))
    sounds = played(sine_font(tmp_path / "sine.sf2"), presets, (0.5, 1.5))
    lengths_s = [len(sound.samples) / RATE for sound in sounds]
    assert max(lengths_s) > 0.79
    assert max(lengths_s) < 0.9


@pytest.mark.soundfont
def test_no_reverberation_and_a_level_far_below_full_scale(tmp_path: Path) -> None:
    fluidsynth = soundfont._fluidsynth()
    with soundfont._logged(fluidsynth) as log:
        font = soundfont._Font(sine_font(tmp_path / "sine.sf2", level=1.0), fluidsynth, RATE, log)
        preset = read_presets(written(tmp_path, PRESETS), ATTRIBUTES).instruments["flute"]
        samples = soundfont._played(font, preset, 69, 127, 0.5, "note")
    assert len(samples) == 1.5 * RATE
    assert 0.05 < np.abs(samples).max() < 0.5
    assert not np.any(samples[round(0.7 * RATE) :])


@pytest.mark.soundfont
def test_both_channels_count_alike(tmp_path: Path) -> None:
    presets = written(tmp_path, PRESETS)
    left, right = (played(sine_font(tmp_path / f"{pan}.sf2", pan=pan), presets) for pan in (-500, 500))
    for one, other in zip(left, right, strict=True):
        assert np.array_equal(one.samples, other.samples)


@pytest.mark.soundfont
def test_fluidsynths_own_log_is_given_back(tmp_path: Path) -> None:
    fluidsynth = soundfont._fluidsynth()
    with soundfont._logged(fluidsynth) as outer:
        refused(sine_font(tmp_path / "sine.sf2"), sine_presets(tmp_path, (HIGH, HIGH + 1)))
        synth = fluidsynth.Synth()
        synth.sfload(str(tmp_path / "no.sf2"))
        synth.delete()
    assert any("no.sf2" in message for message in outer)


@pytest.mark.soundfont
def test_a_key_without_a_sample_is_refused(tmp_path: Path) -> None:
    message = refused(sine_font(tmp_path / "sine.sf2"), sine_presets(tmp_path, (HIGH, HIGH + 1)))
    assert f"flute_5_A#_v060: found no sample for key {HIGH + 1}" in message


@pytest.mark.soundfont
def test_a_silent_sample_is_refused(tmp_path: Path) -> None:
    assert "flute_3_A_v060: samples: found silence" in refused(
        sine_font(tmp_path / "sine.sf2", level=0.0), sine_presets(tmp_path)
    )


@pytest.mark.soundfont
@pytest.mark.parametrize("at", [b"phdr", b"shdr", b"sdta", b"igen"])
def test_a_damaged_font_is_refused_with_fluidsynths_reason(
    tmp_path: Path, at: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    file = sine_font(tmp_path / "sine.sf2")
    file.write_bytes(file.read_bytes().replace(at, b"\0\0\0\0"))
    message = refused(file, sine_presets(tmp_path))
    assert message.startswith(f"{file}: damaged: FluidSynth cannot load it (")
    assert "Failed to load SoundFont" not in message  # which only says it again
    assert (
        "fluidsynth" not in capfd.readouterr().err
    )  # GLib may still print a line of its own, from a loader of other formats


@pytest.mark.soundfont
@pytest.mark.parametrize("bank", [0, 3])
def test_a_preset_that_the_font_lacks_is_refused(tmp_path: Path, bank: int, capfd: pytest.CaptureFixture[str]) -> None:
    program = 72 if bank == 0 else 73
    file = sine_font(tmp_path / "sine.sf2")
    presets = written(tmp_path, PRESETS.replace("program: 73", f"program: {program}\n    bank: {bank}"))
    message = refused(file, presets)
    assert message.startswith(f"{file}: flute: found no preset {bank}:{program}, expected")
    assert str(presets) in message
    assert capfd.readouterr() == ("", "")


# --- with FluidSynth and FluidR3 --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fluid_r3() -> list[Recording]:
    assert FLUID_R3.is_file(), f"{FLUID_R3}: not found; apt install fluid-soundfont-gm, or pytest -m 'not soundfont'"
    return played(FLUID_R3)


@pytest.mark.soundfont
def test_every_key_and_velocity_is_there_once(fluid_r3: list[Recording]) -> None:
    plan = yaml.safe_load(content_path("banks", "general_midi.yaml").read_text(encoding="utf-8"))
    n_keys = sum(preset["keys"][1] - preset["keys"][0] + 1 for preset in plan["instruments"].values())
    assert len({sound.sound_id for sound in fluid_r3}) == len(fluid_r3) == n_keys * len(plan["velocities"])
    assert fluid_r3[0].source == "FluidR3_GM.sf2, preset 0:43 Contrabass"


@pytest.mark.soundfont
def test_the_bank_is_free_of_findings_and_in_tune(fluid_r3: list[Recording]) -> None:
    bank = build_bank(fluid_r3, "clear2", ATTRIBUTES)
    assert verify({"train": bank}, ATTRIBUTES) == []
    cents = [cents_from(pitch_hz(sound.samples, RATE), str(sound.attributes["note"])) for sound in fluid_r3]
    assert median(map(abs, cents)) < 5


@pytest.mark.soundfont
def test_octaves_are_right(fluid_r3: list[Recording]) -> None:
    for sound in fluid_r3:
        expected_hz = note_hz(str(sound.attributes["note"]), int(sound.attributes["octave"]))
        assert abs(np.log2(pitch_hz(sound.samples, RATE) / expected_hz)) < 60 / 1200, sound.sound_id


@pytest.mark.soundfont
def test_a_key_struck_harder_is_louder(fluid_r3: list[Recording]) -> None:
    for soft, hard in zip(fluid_r3[::2], fluid_r3[1::2], strict=True):
        assert soft.sound_id.replace("v060", "v100") == hard.sound_id
        assert lufs(hard) > lufs(soft) + 3, hard.sound_id


@pytest.mark.soundfont
def test_no_silence_before_a_note_and_no_peak_near_full_scale(fluid_r3: list[Recording]) -> None:
    for sound in fluid_r3:
        level = np.abs(sound.samples)
        assert np.argmax(level > 0.01 * level.max()) <= 0.02 * RATE, sound.sound_id
        assert level.max() < 0.25, sound.sound_id


@pytest.mark.soundfont
def test_samples_depend_neither_on_the_run_nor_on_the_order(fluid_r3: list[Recording], tmp_path: Path) -> None:
    alone = played(FLUID_R3, written(tmp_path, PRESETS.replace("[60, 100]", "[100]")), (1.0, 1.0))
    text = PRESETS.replace("[60, 100]", "[100, 60]").replace("  flute", f"{VIOLIN}  flute")
    twice = [played(FLUID_R3, written(tmp_path, text), (1.0, 1.0)) for _ in range(2)]
    assert [sound.sound_id for sound in twice[0]][-2:] == ["violin_4_G_v060", "violin_4_G_v100"]
    for first, second in zip(*twice, strict=True):
        assert np.array_equal(first.samples, second.samples)
    by_id = {sound.sound_id: sound.samples for sound in twice[0]}
    for sound in alone:
        assert np.array_equal(sound.samples, by_id[sound.sound_id])
    fades_from = round(0.8 * DURATION_S[0] * RATE)  # sooner in no sound of the whole bank
    whole = {sound.sound_id: sound.samples[:fades_from] for sound in fluid_r3}
    for sound_id, samples in by_id.items():
        assert np.array_equal(samples[:fades_from], whole[sound_id])


@pytest.mark.soundfont
def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    monkeypatch.delitem(sys.modules, "fluidsynth", raising=False)
    assert len(played(FLUID_R3, written(tmp_path, PRESETS))) == 4
    assert capfd.readouterr() == ("", "")
