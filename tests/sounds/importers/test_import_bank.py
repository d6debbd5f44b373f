"""Folders of recordings from outside: what comes in is what was there, and what is wrong with them is said."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.core.streams import stream
from clear_gen.sounds.analysis import loudness_lufs, pitch_hz
from clear_gen.sounds.bank import Bank, read_bank, write_bank
from clear_gen.sounds.importers.clear import import_clear
from clear_gen.sounds.importers.common import TRIM_DB, ImportOptions
from clear_gen.sounds.importers.folder import import_folder
from clear_gen.sounds.importers.import_bank import import_bank
from clear_gen.sounds.recording import Recording
from tests.counts import examples
from tests.sounds import (
    ATTRIBUTES,
    GIVEN,
    RATE,
    csv_text,
    fill,
    note_hz,
    note_samples,
    one_line,
    real_banks,
    rows_for,
)

DURATION_S = (0.7, 1.1)
LOSSLESS = [
    ("WAV", "PCM_U8", 8),
    ("WAV", "PCM_16", 16),
    ("WAV", "PCM_24", 24),
    ("WAV", "PCM_32", 32),
    ("WAV", "FLOAT", 24),
    ("WAV", "DOUBLE", 53),
    ("FLAC", "PCM_16", 16),
    ("FLAC", "PCM_24", 24),
    ("AIFF", "PCM_24", 24),
]
LOSSY = [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


def clear(folder: Path, sample_rate: int = RATE) -> list[Recording]:
    return import_clear(folder, ATTRIBUTES, sample_rate)


def imported(folder: Path, **options: Any) -> Bank:
    """The bank of a folder with the command's defaults, at the rate of the synthetic notes."""
    labels_from = options.pop("labels_from", None)
    chosen = ImportOptions(**{"sample_rate": RATE, "duration": DURATION_S, **options})
    return import_bank("folder", folder, "clear2", ATTRIBUTES, chosen, labels_from)


def wrong(folder: Path, **options: Any) -> str:
    """The one line that an import of ``folder`` ends with."""
    with pytest.raises(InputError) as caught:
        imported(folder, **options)
    return one_line(caught)


def long_note(seed: int = 0, duration_s: float = 1.6, **how: Any) -> np.ndarray:
    return note_samples(seed=seed, duration_s=duration_s, **how)


def lengths(bank: Bank) -> dict[str, int]:
    return {sound.sound_id: len(sound.pcm) for sound in bank.sounds}


# --- the published generator's folder ---------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("side", ["train", "test"])
def test_the_official_folder_comes_in_as_it_is(shared, tmp_path_factory, side):
    folder = shared / "banks" / "clear2-official" / side
    bank = read_bank(real_banks(shared, tmp_path_factory)[side])
    rows = json.loads((folder / "elementary_sounds.json").read_text(encoding="utf-8"))
    triples = {(row["instrument"], row["note"], row["octave"]) for row in rows}
    assert len(bank.sounds) == len(rows) == len(triples) == 135
    assert {tuple(sound.attributes[name] for name in GIVEN) for sound in bank.sounds} == triples
    for row in rows:
        samples, rate = soundfile.read(folder / row["filename"], dtype="float32", always_2d=True)
        sound = bank.by_id[Path(row["filename"]).stem]
        assert rate == sound.sample_rate == 48000
        assert np.array_equal(sound.pcm, np.rint(np.float32(32767) * samples.mean(axis=1)))
        assert (sound.attributes["instrument"], sound.attributes["octave"]) == (row["instrument"], row["octave"])
        assert row["pack"] in sound.source
        assert sound.licence == "CC-BY-SA-4.0"


@pytest.mark.shared
def test_the_official_training_bank_has_every_label_in_balance(shared, tmp_path_factory):
    bank = read_bank(real_banks(shared, tmp_path_factory)["train"])
    for name, rule in (("brightness", ATTRIBUTES["brightness"]), ("loudness", ATTRIBUTES["loudness"])):
        found = [sound.attributes[name] for sound in bank.sounds]
        # both halves lose what the dead zone takes: they are equal but for a lopsided dead zone
        assert abs(found.count(rule.low) - found.count(rule.high)) <= found.count(None)
        assert min(found.count(rule.low), found.count(rule.high)) > len(found) / 3


def test_a_clear_folder_is_neither_trimmed_nor_cut(tmp_path):
    samples = np.concatenate([np.zeros(RATE, np.float32), long_note(duration_s=3), np.zeros(RATE, np.float32)])
    (recording,) = clear(fill(tmp_path, {"a.wav": samples}))
    assert np.array_equal(recording.samples, samples)


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("container", "subtype", "bits"), LOSSLESS)
def test_a_lossless_file_comes_in_within_its_own_step(tmp_path, container, subtype, bits):
    samples = note_samples()
    name = f"a.{container.lower()}"
    write = {name: lambda path: soundfile.write(path, samples, RATE, subtype=subtype, format=container)}
    (recording,) = clear(fill(tmp_path, write))
    assert recording.samples.dtype == np.float32
    assert np.abs(recording.samples - samples).max() <= 2.0 ** (1 - bits)
    assert recording.sound_id == "a"


@pytest.mark.parametrize(("container", "subtype"), LOSSY)
def test_a_lossy_file_keeps_length_pitch_and_loudness(tmp_path, container, subtype):
    samples = note_samples(duration_s=1.0, sample_rate=44100)
    write = {f"a.{container.lower()}": lambda path: soundfile.write(path, samples, 44100, format=container)}
    (recording,) = clear(fill(tmp_path, write), 44100)
    assert len(recording.samples) == pytest.approx(len(samples), abs=0.06 * 44100)
    assert pitch_hz(recording.samples, 44100) == pytest.approx(440, rel=1e-3)
    assert loudness_lufs(recording.samples, 44100) == pytest.approx(loudness_lufs(samples, 44100), abs=0.5)


def test_stereo_becomes_the_mean_of_its_channels(tmp_path):
    left, right = note_samples(seed=1), note_samples("E", seed=2)
    stereo = np.stack([left, right], axis=1)
    (recording,) = clear(fill(tmp_path, {"a.wav": stereo}))
    assert np.abs(recording.samples - (left + right) / 2).max() < 1e-6


@examples(12)
@given(
    from_rate=st.sampled_from([22050, 32000, 44100, 48000, 96000]),
    to_rate=st.sampled_from([16000, 44100, 48000]),
    duration_s=st.floats(0.25, 0.5),
    note=st.sampled_from(["C", "E", "A"]),
)
def test_resampling_keeps_duration_and_pitch(tmp_path_factory, from_rate, to_rate, duration_s, note):
    samples = note_samples(note, sample_rate=from_rate, duration_s=duration_s)
    folder = fill(tmp_path_factory.mktemp("rate"), {"a.wav": samples}, sample_rate=from_rate)
    (recording,) = clear(folder, to_rate)
    assert recording.sample_rate == to_rate
    assert abs(len(recording.samples) / to_rate - len(samples) / from_rate) <= 1 / to_rate
    assert pitch_hz(recording.samples, to_rate) == pytest.approx(note_hz(note, 4), rel=5e-4)
    assert loudness_lufs(recording.samples, to_rate) == pytest.approx(loudness_lufs(samples, from_rate), abs=0.2)


def test_a_file_name_of_any_script_comes_in(tmp_path):
    names = ["violon é (1).wav", "笛 #2.wav", "файл.wav", "🎻.wav"]
    folder = fill(tmp_path / "мои записи", {name: note_samples(seed=k) for k, name in enumerate(names)})
    assert [recording.sound_id + ".wav" for recording in clear(folder)] == names


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("renamed.wav", b"just some text\n" * 50),
        ("empty.wav", b""),
        ("header-only.wav", b"RIFF\x00\x00\x00\x00WAVE"),
        ("cut.flac", b"fLaC\x00\x00\x00\x22"),
        ("page.mp3", b"<html>not found</html>"),
    ],
)
def test_a_file_that_is_no_recording_is_named_in_one_line(tmp_path, name, content):
    folder = fill(tmp_path, {"good.wav": long_note(), name: content})
    assert wrong(folder).startswith(f"{folder / name}: ")


def test_a_format_of_the_optional_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydub", None)  # as if it were not installed
    line = wrong(fill(tmp_path, {"a.m4a": b"\0\0\0\x20ftypM4A " + bytes(100)}))
    assert line.startswith(f"{tmp_path / 'a.m4a'}: ")
    assert "pip install '.[formats]' in a checkout, pip install 'clear-gen[formats]' from a package index" in line


@pytest.mark.parametrize("n_samples", [0, 1, 100, RATE // 10])
@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_recording_that_is_too_short_is_named_in_one_line(tmp_path, n_samples, rate):
    folder = fill(tmp_path, {"short.wav": long_note()[:n_samples]}, sample_rate=rate)
    with pytest.raises(InputError) as caught:
        clear(folder)
    assert one_line(caught).startswith(f"{folder / 'short.wav'}: duration: ")
    assert "short.wav: duration: " in wrong(folder)


@pytest.mark.parametrize(("value", "reason"), [(0.0, "silence"), (1.0, "clipping"), (np.nan, "NaN"), (np.inf, "Inf")])
@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_recording_that_cannot_be_used_is_named_in_one_line(tmp_path, value, reason, rate):
    samples = long_note(sample_rate=rate)
    samples[slice(None) if value == 0 else slice(1000, 1500)] = value
    folder = fill(tmp_path, {"good.wav": long_note(sample_rate=rate), "bad.wav": samples}, sample_rate=rate)
    assert wrong(folder).startswith(f"{folder / 'bad.wav'}: ")
    assert reason in wrong(folder)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_csv_with_bom_crlf_and_quoted_commas_says_what_json_says(tmp_path):
    files = {"one, two.wav": long_note(1), 'a "b".wav': long_note(2)}
    rows = rows_for(*files, source='Smith, John "Jo"; Zoë')
    from_json = imported(fill(tmp_path / "json", files, rows, "table.json"))
    text = csv_text(rows)
    assert "\r\n" in text
    from_csv = imported(fill(tmp_path / "csv", files, b"\xef\xbb\xbf" + text.encode(), "table.CSV"))
    assert from_csv.sha256 == from_json.sha256
    assert [sound.source for sound in from_csv.sounds] == ['Smith, John "Jo"; Zoë'] * 2
    assert [sound.attributes["octave"] for sound in from_csv.sounds] == [4, 4]  # a number, not text


def test_a_quoted_line_break_stays_within_its_cell(tmp_path):
    rows = rows_for("a.wav", source="first line\r\nsecond line") + rows_for("b.wav", source="one\u2028two")
    folder = fill(tmp_path, {"a.wav": long_note(1), "b.wav": long_note(2)}, csv_text(rows), "table.csv")
    assert [sound.source for sound in imported(folder).sounds] == ["first line\r\nsecond line", "one\u2028two"]


def test_json_with_a_bom_is_read(tmp_path):
    text = b"\xef\xbb\xbf" + json.dumps(rows_for("a.wav")).encode()
    assert len(clear(fill(tmp_path, {"a.wav": note_samples()}, text))) == 1


def test_broken_json_is_an_error_that_names_the_line(tmp_path):
    text = '[\n  {"filename": "a.wav"},\n  {"filename": }\n]'
    assert wrong(fill(tmp_path, {}, text, "table.json")).startswith(f"{tmp_path / 'table.json'}:3: ")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '"text"', "[1, 2]", '[{"filename": "a.wav"}, null]'])
def test_json_of_another_shape_is_an_error_that_names_the_table(tmp_path, text):
    assert wrong(fill(tmp_path, {}, text, "table.json")).startswith(f"{tmp_path / 'table.json'}:")


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "9" * 5000 + "]"])
def test_absurd_json_is_an_error_that_names_the_table(tmp_path, text):
    assert wrong(fill(tmp_path, {}, text, "table.json")).startswith(f"{tmp_path / 'table.json'}:")


def test_an_absurdly_long_cell_is_an_error_that_names_the_table(tmp_path):
    rows = csv_text(rows_for("a.wav", source="x" * 200_000))
    assert str(tmp_path / "table.csv") in wrong(fill(tmp_path, {"a.wav": long_note()}, rows, "table.csv"))


@pytest.mark.parametrize("text", ["", "filename,instrument\r\n"])
def test_a_csv_without_rows_is_an_error_that_names_the_table(tmp_path, text):
    assert wrong(fill(tmp_path, {}, text, "table.csv")).startswith(f"{tmp_path / 'table.csv'}:")


def test_a_table_in_another_encoding_is_an_error_that_names_the_table(tmp_path):
    line = wrong(fill(tmp_path, {}, "filename,instrument\r\né.wav,cello\r\n".encode("latin-1"), "table.csv"))
    assert line.startswith(f"{tmp_path / 'table.csv'}: ")
    assert "UTF-8" in line


@pytest.mark.parametrize("name", [*GIVEN, "licence", "filename"])
def test_a_missing_column_is_named(tmp_path, name):
    rows = rows_for("a.wav")
    del rows[0][name]
    line = wrong(fill(tmp_path, {"a.wav": long_note()}, csv_text(rows), "table.csv"))
    assert str(tmp_path) in line
    assert f"{name}: found" in line


@pytest.mark.parametrize(("name", "value"), [("instrument", "kazoo"), ("note", "H"), ("octave", "four"), ("octave", 9)])
def test_a_value_outside_the_domain_is_named(tmp_path, name, value):
    folder = fill(tmp_path, {"a.wav": long_note()}, rows_for("a.wav", **{name: value}))
    line = wrong(folder)
    assert line.startswith(f"{folder / 'a.wav'}: {name}: found {value!r}, expected one of: ")


def test_a_missing_recording_is_named(tmp_path):
    folder = fill(tmp_path, {"a.wav": long_note()}, rows_for("a.wav", "gone.wav"))
    assert wrong(folder).startswith(f"{folder / 'gone.wav'}: not found")


def test_two_rows_for_one_recording_are_an_error(tmp_path):
    folder = fill(tmp_path, {"a.wav": long_note()}, rows_for("a.wav", "a.wav"))
    assert "found twice" in wrong(folder)


@pytest.mark.parametrize("make", ["up", "absolute", "link", "folder link", "through"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, make):
    outside = fill(tmp_path / "outside", {"x.wav": long_note()}, "", "unused.txt")
    folder = tmp_path / "inside"
    folder.mkdir()
    name = {"up": "../outside/x.wav", "absolute": str(outside / "x.wav"), "through": "y/../../outside/x.wav"}.get(make)
    if make == "link":
        name = "x.wav"
        (folder / name).symlink_to(outside / "x.wav")
    elif make == "folder link":
        name = "y/x.wav"
        (folder / "y").symlink_to(outside)
    assert name is not None
    line = wrong(fill(folder, {}, rows_for(name)))
    assert "expected a file inside" in line
    assert repr(name) in line


@pytest.mark.parametrize("name", ["a\0.wav", "a" * 300 + ".wav", "loop.wav", "", "."])
def test_a_file_name_that_cannot_exist_is_an_error_of_one_line(tmp_path, name):
    folder = fill(tmp_path, {}, rows_for(name))
    (folder / "loop.wav").symlink_to("loop.wav")
    assert wrong(folder).startswith(str(folder))


def test_a_recording_in_a_folder_below_is_read(tmp_path):
    (tmp_path / "below").mkdir()
    bank = imported(fill(tmp_path, {"below/a.wav": long_note()}))
    assert [sound.sound_id for sound in bank.sounds] == ["a"]


def test_two_tables_are_an_error_that_names_both_and_the_option(tmp_path):
    folder = fill(tmp_path, {"a.wav": long_note()}, rows_for("a.wav"), "one.json")
    (folder / "two.csv").write_text(csv_text(rows_for("a.wav", octave=5)), encoding="utf-8")
    line = wrong(folder)
    assert "one.json, two.csv" in line
    assert "--table" in line
    assert imported(folder, table=folder / "two.csv").sounds[0].attributes["octave"] == 5


def test_a_missing_folder_a_file_and_a_folder_without_a_table_are_errors(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for name in ("missing", "file", "empty"):
        assert wrong(tmp_path / name).startswith(f"{tmp_path / name}: ")


def test_the_licence_of_a_row_goes_before_the_one_for_all(tmp_path):
    rows = [*rows_for("a.wav"), *rows_for("b.wav", licence="")]
    folder = fill(tmp_path, {"a.wav": long_note(1), "b.wav": long_note(2)}, rows)
    assert "licence" in wrong(folder)
    found = imported(folder, licence="CC-BY-4.0").by_id
    assert (found["a"].licence, found["b"].licence) == ("CC0-1.0", "CC-BY-4.0")


def test_a_domain_whose_values_are_digits_as_text_can_be_imported(tmp_path):
    digits = {**ATTRIBUTES, "octave": replace_values(ATTRIBUTES["octave"], ["3", "4"])}
    folder = fill(tmp_path, {"a.wav": note_samples()}, rows_for("a.wav", octave="4"))
    assert import_clear(folder, digits, RATE)[0].attributes["octave"] == "4"


def replace_values(rule, values):
    return rule.model_copy(update={"values": values})


# --- lengths, fades and levels ----------------------------------------------------------------------------------------


@examples(15)
@given(lead_s=st.floats(0, 0.5), seed=st.integers(0, 99), floor=st.sampled_from([0.0, 1e-4]))
def test_silence_before_the_sound_is_trimmed_and_the_attack_is_kept(tmp_path_factory, lead_s, seed, floor):
    note = long_note(seed, level=0.3)
    n_lead = round(lead_s * RATE)
    silence = floor * np.random.default_rng(seed).standard_normal(n_lead)
    samples = np.concatenate([silence, note]).astype(np.float32)
    folder = fill(tmp_path_factory.mktemp("lead"), {"a.wav": samples})
    (recording,) = import_folder(folder, ATTRIBUTES, RATE, DURATION_S, stream(seed))
    first = recording.samples[: round(0.4 * RATE)]
    places = np.lib.stride_tricks.sliding_window_view(samples, len(first))[: n_lead + RATE // 10]
    start = int(np.flatnonzero((places == first).all(axis=1))[0])  # where in the source the excerpt starts
    assert n_lead - 0.01 * RATE <= start <= n_lead + 2


def test_silence_after_the_sound_is_trimmed(tmp_path):
    samples = np.concatenate([long_note(duration_s=0.8), np.zeros(RATE, np.float32)])
    (recording,) = import_folder(fill(tmp_path, {"a.wav": samples}), ATTRIBUTES, RATE, (0.7, 3.0), stream(1))
    assert len(recording.samples) / RATE == pytest.approx(0.8, abs=0.01)


def test_a_sound_that_is_mostly_silence_is_too_short(tmp_path):
    samples = np.concatenate([long_note(duration_s=0.5), np.zeros(2 * RATE, np.float32)])
    folder = fill(tmp_path, {"a.wav": samples})
    line = wrong(folder)
    assert line.startswith(f"{folder / 'a.wav'}: duration: ")
    assert "0.7 s" in line


@examples(15)
@example(duration_s=0.921875, low=0.625, width=0.4375, seed=88)  # four samples are cut off
@given(duration_s=st.floats(0.75, 2.5), low=st.floats(0.3, 0.7), width=st.floats(0, 0.5), seed=st.integers(0, 99))
def test_lengths_lie_in_the_range_and_only_what_is_cut_fades(tmp_path_factory, duration_s, low, width, seed):
    samples = long_note(seed, duration_s)
    folder = fill(tmp_path_factory.mktemp("lengths"), {"a.wav": samples})
    (recording,) = import_folder(folder, ATTRIBUTES, RATE, (low, low + width), stream(seed))
    n_samples = len(recording.samples)
    assert round(low * RATE) <= n_samples <= round((low + width) * RATE)
    n_whole = n_samples // 2  # a fade-out leaves the first half alone
    offset = next(k for k in range(0, 200) if np.array_equal(samples[k : k + n_whole], recording.samples[:n_whole]))
    original = samples[offset : offset + n_samples]
    end = 1 + np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (TRIM_DB / 20))[-1]
    if offset + n_samples == end:
        assert np.array_equal(recording.samples, original)  # the whole sound: not faded
    else:
        faded = np.sqrt(np.mean(recording.samples[-RATE // 200 :] ** 2))
        assert faded < 0.05 * np.sqrt(np.mean(original[-RATE // 200 :] ** 2))
        gain = recording.samples[original != 0] / original[original != 0]
        assert np.all(np.diff(gain) <= 1e-5)  # falls all the way, and never rises
        assert gain[0] == 1


def test_the_same_seed_gives_the_same_lengths_and_another_seed_others(tmp_path):
    folder = fill(tmp_path, {f"{k}.wav": long_note(k) for k in range(4)})
    first, again, other = (imported(folder, seed=seed) for seed in (3, 3, 4))
    assert first.sha256 == again.sha256
    assert all(lengths(first)[name] != length for name, length in lengths(other).items())
    assert len(set(lengths(first).values())) == 4


def test_a_row_added_at_the_end_changes_no_other_sound(tmp_path):
    files = {f"{k}.wav": long_note(k) for k in range(5)}
    four = imported(fill(tmp_path, files, rows_for(*list(files)[:4])))
    five = imported(fill(tmp_path, files, rows_for(*files)))
    assert len(five.sounds) == 5
    assert [five.by_id[sound.sound_id].pcm_sha256 for sound in four.sounds] == [s.pcm_sha256 for s in four.sounds]


def test_one_gain_for_all_brings_the_median_loudness_to_that_of_the_training_bank(tmp_path):
    train = imported(fill(tmp_path / "a", {f"{k}.wav": long_note(k, level=0.05 * (k + 1)) for k in range(5)}))
    write_bank(train, tmp_path / "train.parquet")
    files = {f"{k}.wav": long_note(50 + k, level=0.3 - 0.03 * k) for k in range(5)}
    folder = fill(tmp_path / "b", files)
    before, after = imported(folder), imported(folder, labels_from=tmp_path / "train.parquet")
    medians = [median(sound.loudness_lufs for sound in bank.sounds) for bank in (train, before, after)]
    assert abs(medians[1] - medians[0]) > 1
    assert medians[2] == pytest.approx(medians[0], abs=0.01)
    assert after.thresholds == train.thresholds
    gains = []
    for sound in before.sounds:
        amplified = after.by_id[sound.sound_id].waveform
        gains.append(float(amplified @ sound.waveform / (sound.waveform @ sound.waveform)))
        assert np.abs(amplified - gains[-1] * sound.waveform).max() < 2 / 32767
    assert max(gains) / min(gains) == pytest.approx(1, abs=1e-3)


def test_a_gain_that_would_clip_is_not_blamed_on_the_recording(tmp_path):
    """The recording is fine; the message must say that the alignment of levels clips it."""
    train = imported(fill(tmp_path / "a", {"a.wav": long_note(level=0.9)}))
    write_bank(train, tmp_path / "train.parquet")
    peaked = long_note(level=0.02)
    peaked[8000:8004] = [0.8, 0.9, 0.9, 0.8]
    folder = fill(tmp_path / "b", {"a.wav": peaked})
    imported(folder)
    reason = wrong(folder, labels_from=tmp_path / "train.parquet").removeprefix(f"{folder / 'a.wav'}: ")
    assert "gain" in reason or "--labels-from" in reason


@pytest.mark.parametrize("duration", [(0.1, 0.5), (1.0, 0.5), (np.nan, 1.0), (0.7, np.nan), (0.7, np.inf), (-1.0, 1.0)])
def test_an_impossible_range_of_lengths_is_an_error_of_one_line(tmp_path, duration):
    assert "--duration" in wrong(fill(tmp_path, {"a.wav": long_note()}), duration=duration)


def test_labels_of_another_domain_are_refused(tmp_path):
    train = imported(fill(tmp_path / "a", {"a.wav": long_note()}))
    write_bank(replace(train, domain="daqa"), tmp_path / "train.parquet")
    line = wrong(tmp_path / "a", labels_from=tmp_path / "train.parquet")
    assert str(tmp_path / "train.parquet") in line
    assert "daqa" in line


@pytest.mark.shared
def test_the_orchestral_folder_is_trimmed_cut_faded_and_aligned(shared, tmp_path_factory):
    paths, folder = real_banks(shared, tmp_path_factory), shared / "banks" / "orchestral"
    train, bank = read_bank(paths["train"]), read_bank(paths["orchestral"])
    rows = json.loads((folder / "elementary_sounds.json").read_text(encoding="utf-8"))
    assert len(bank.sounds) == len(rows) == 204
    loudness = [median(sound.loudness_lufs for sound in each.sounds) for each in (train, bank)]
    assert loudness[1] == pytest.approx(loudness[0], abs=0.01)
    assert bank.thresholds == train.thresholds
    gains, trimmed, faded = [], 0, 0
    for row in rows:
        sound = bank.by_id[Path(row["filename"]).stem]
        source, rate = soundfile.read(folder / row["filename"], dtype="float32")
        assert rate == sound.sample_rate
        assert 0.7 <= sound.duration_s <= 1.1
        assert (sound.licence, sound.source) == (row["licence"], row["pack"])
        start, gain = place(sound.waveform, source)
        gains.append(gain)
        quiet = np.abs(source[: max(0, start - rate // 100)])
        assert quiet.max(initial=0) <= 0.011 * np.abs(source).max()  # nothing audible was cut off
        assert np.abs(sound.waveform[: rate // 150]).max() >= 0.009 * np.abs(sound.waveform).max()  # no silence left
        trimmed += start > 0
        if start + len(sound.pcm) < len(source) - rate // 10:
            faded += 1
            end = np.abs(sound.waveform[-rate // 500 :]).max()
            assert end < 0.02 * np.abs(sound.waveform).max()
    assert max(gains) / min(gains) == pytest.approx(1, abs=0.01)  # one gain for all, within rounding of soft notes
    assert trimmed > 0
    assert faded > 100


def place(excerpt: np.ndarray, source: np.ndarray) -> tuple[int, float]:
    """Where in ``source`` the first half of ``excerpt`` was taken from, and its gain, by correlation."""
    head = excerpt[: len(excerpt) // 2].astype(np.float64)
    size = 1 << (len(source) + len(head)).bit_length()
    products = np.fft.irfft(np.fft.rfft(source, size) * np.conj(np.fft.rfft(head, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(source.astype(np.float64) ** 2)])
    within = np.maximum(energy[len(head) :] - energy[: -len(head)], 1e-9)
    start = int(np.argmax(products[: len(within)] ** 2 / within))
    part = source[start : start + len(head)].astype(np.float64)
    return start, float(head @ part / (part @ part))


def test_the_shortest_recording_is_a_matter_of_its_own(tmp_path):
    folder = fill(tmp_path, {"a.wav": long_note(duration_s=0.4), "b.wav": long_note(1, duration_s=1.5)})
    assert "expected at least 0.7 s" in wrong(folder)
    first, second = imported(folder, shortest=0.3, duration=(1.0, 1.0)).sounds
    assert first.duration_s == pytest.approx(0.4, abs=0.01)
    assert second.duration_s == pytest.approx(1.0, abs=0.001)
    assert wrong(folder, shortest=0.1).startswith("--shortest: found 0.1, expected 0.2 to 1.1")
    assert wrong(folder, shortest=float("nan")).startswith("--shortest: found nan")
