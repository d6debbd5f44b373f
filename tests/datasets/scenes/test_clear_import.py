"""Sources in the published CLEAR layout that others wrote: taken as they are, continued, or refused in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file
from clear_gen.core.pcm import encode_flac
from clear_gen.datasets.scenes.clear_format.importer import import_clear_layout
from clear_gen.datasets.scenes.clear_format.layout import export_clear
from clear_gen.datasets.scenes.validate import validate
from clear_gen.scenes.domain import Domain
from clear_gen.store.lock import at_work
from clear_gen.store.manifest import provenance_text
from tests.datasets.scenes.published import (
    RATE,
    altered,
    edit,
    hashes,
    length_ms,
    noise,
    read_in,
    rows,
    scenes_in,
    silent,
    stopping_after,
    write_source,
)

# --- what others wrote ------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_published_sample(shared: Path, tmp_path: Path, clear2: Domain) -> None:
    source = shared / "clear-layout-sample"
    summary = read_in(source, tmp_path / "data", clear2)
    assert summary.scenes == {"train": 0, "validation": 300, "test": 0}
    assert summary.with_audio == {"train": 0, "validation": 5, "test": 0}
    assert "questions: 1,200, answers as they were found" in str(summary)
    assert "left out of 4 programs" in str(summary)
    assert "cannot be rendered again" in str(summary)
    for one, row in zip(scenes_in(source, "val"), rows(tmp_path / "data"), strict=True):
        position = one["silence_before"]
        for item, sound in zip(one["objects"], row["sounds"], strict=True):
            assert sound["onset_sample"] == 48 * position
            assert sound["n_samples"] == 48 * item["duration"]
            assert sound["duration_s"] == item["duration"] / 1000
            assert f"{sound['sound_id']}.wav" == item["filename"]
            assert sound["gain_db"] == 0
            for attribute in ("instrument", "note", "octave", "brightness", "loudness"):
                assert sound[attribute] == item[attribute]
            position += item["duration"] + item["silence_after"]
        flac = source / "audio/val" / one["scene_filename"]
        assert row["scene_id"] == f"validation-{one['scene_index']}"
        assert (row["reverb"], row["noise"]) == (None, None)
        assert (row["audio"] is None) == (not flac.exists())
        if flac.exists():
            assert row["audio"] == {"bytes": flac.read_bytes(), "path": flac.name}
            assert row["n_samples"] == soundfile.info(flac).frames
            assert row["n_samples_dry"] == min(48 * position, row["n_samples"])
            assert row["rendered"]["scale_db"] is row["rendered"]["peak_dbfs"] is None
        else:
            assert row["n_samples"] == row["n_samples_dry"] == 48 * position


@pytest.mark.shared
def test_the_published_sample_there_and_back(shared: Path, tmp_path: Path, clear2: Domain) -> None:
    source = shared / "clear-layout-sample"
    read_in(source, tmp_path / "data", clear2)
    export_clear(tmp_path / "data", tmp_path / "again", silent)
    for index, (first, second) in enumerate(
        zip(scenes_in(source, "val"), scenes_in(tmp_path / "again", "val"), strict=True)
    ):
        del second["clear_gen"]
        for one in (first, second):
            for item in one["objects"]:
                del item["id"], item["pack"]
        if index < 5:  # the audio is up to 2 ms shorter than its fields, and the audio is what is true
            shorter = first["objects"][-1].pop("silence_after") - second["objects"][-1].pop("silence_after")
            assert 0 <= shorter <= 2
        assert first == second
    assert hashes(source / "audio") == hashes(tmp_path / "again/audio")
    info = json.loads((tmp_path / "again/scenes/CLEAR_val_scenes.json").read_text())["info"]
    published = json.loads((source / "scenes/CLEAR_val_scenes.json").read_text())["info"]
    assert {**info, "date": None} == {**published, "date": None}


def test_scenes_without_flac_are_counted(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=3)
    (source / "audio/val/CLEAR_val_000001.flac").unlink()
    assert read_in(source, tmp_path / "data", clear2).with_audio["validation"] == 2
    assert [row["audio"] is None for row in rows(tmp_path / "data")] == [False, True, False]
    assert [row["rendered"] is None for row in rows(tmp_path / "data")] == [False, True, False]
    assert {row["sample_rate"] for row in rows(tmp_path / "data")} == {RATE}


def test_scenes_that_came_without_flac_are_not_wrong_and_those_that_lost_theirs_are(
    tmp_path: Path, clear2: Domain
) -> None:
    source, data = write_source(tmp_path / "clear", val=3), tmp_path / "data"
    (source / "audio/val/CLEAR_val_000001.flac").unlink()
    read_in(source, data, clear2)
    result = validate(data, 0, 1, silent)
    assert result.findings == []
    assert "imported: 1 of 3 scenes came without audio" in result.remarks
    path = next((data / "scenes").glob("*.parquet"))
    table = pq.read_table(path)
    kept = [{**row, "audio": None, "rendered": None} if number == 2 else row for number, row in enumerate(rows(data))]
    pq.write_table(pa.Table.from_pylist(kept, table.schema), path)
    stored = json.loads((data / "clear.json").read_text())
    stored["files"][f"scenes/{path.name}"] = sha256_file(path)
    (data / "clear.json").write_text(provenance_text(stored))
    problems = [(finding.check, finding.problem) for finding in validate(data, 0, 1, silent).findings]
    assert problems == [("audio", "found 1 scenes with audio, expected 2 of its source")]


def test_a_source_without_any_audio_is_taken_at_48_khz(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", audio=False, val=1, test=1)
    read_in(source, tmp_path / "data", clear2)
    identity = json.loads((tmp_path / "data/clear.json").read_text())["identity"]
    assert (identity["audio"], identity["sample_rate"]) == (False, 48000)
    assert rows(tmp_path / "data")[0]["sounds"][0]["onset_sample"] == 150 * 48
    assert identity["imported"]["licence"] == "CC-BY 4.0"
    assert identity["imported"]["files"].keys() == {"scenes/CLEAR_val_scenes.json", "scenes/CLEAR_test_scenes.json"}


def test_order_in_the_file_does_not_matter(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=3)
    read_in(source, tmp_path / "one", clear2)
    edit(source, "val", lambda content: content["scenes"].reverse())
    edit(source, "val", lambda content: content["scenes"][0].update(scene_filename="CLEAR_val_000002.wav"))
    read_in(source, tmp_path / "two", clear2)
    assert rows(tmp_path / "two") == rows(tmp_path / "one")


# --- interrupted, repeated, refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_calls", [1, 2, 3, 4])
def test_an_import_that_stopped_goes_on_to_the_same_bytes(tmp_path: Path, clear2: Domain, n_calls: int) -> None:
    exported = write_source(tmp_path / "clear", train=101, val=2, test=1)
    read_in(exported, tmp_path / "whole", clear2)
    with pytest.raises(RuntimeError, match="stopped"):
        import_clear_layout(exported, tmp_path / "data", clear2, stopping_after(n_calls))
    assert not (tmp_path / "data/clear.json").exists()
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "data/scenes").glob("*.parquet")}
    read_in(exported, tmp_path / "data", clear2)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert hashes(tmp_path / "data") == hashes(tmp_path / "whole")


def test_an_import_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", train=12, val=12)
    read_in(source, tmp_path / "whole", clear2)
    script = """
import sys, time
from pathlib import Path
from clear_gen.datasets.scenes.clear_format import importer
from clear_gen.scenes.domain import load_domain
from tests.datasets.scenes.published import silent
decode = importer.decode_flac
importer.decode_flac = lambda *a: (time.sleep(0.02), print("decoded", flush=True), decode(*a))[2]
importer.import_clear_layout(Path(sys.argv[1]), Path(sys.argv[2]), load_domain("clear2"), silent)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, source, tmp_path / "data"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    for _ in range(15):  # in the second file
        assert process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert sorted(path.name for path in (tmp_path / "data/scenes").glob("*.parquet")) == [
        "train-00000-of-00001.parquet"
    ]
    read_in(source, tmp_path / "data", clear2)
    assert hashes(tmp_path / "data") == hashes(tmp_path / "whole")


def test_the_same_import_again_changes_nothing(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=2)
    first = read_in(source, tmp_path / "data", clear2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    time.sleep(0.01)
    assert read_in(source, tmp_path / "data", clear2) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before


def test_another_source_is_refused_with_the_difference(tmp_path: Path, clear2: Domain) -> None:
    read_in(write_source(tmp_path / "one", val=2), tmp_path / "data", clear2)
    other = write_source(tmp_path / "two", val=3)
    before = hashes(tmp_path / "data")
    with pytest.raises(InputError, match=r"scenes.validation: found 2, asked 3"):
        read_in(other, tmp_path / "data", clear2)
    assert hashes(tmp_path / "data") == before
    read_in(other, tmp_path / "data", clear2, overwrite=True)
    assert len(rows(tmp_path / "data")) == 3


def test_more_audio_than_at_the_first_import_is_another_source(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=2)
    flac = source / "audio/val/CLEAR_val_000001.flac"
    data = flac.read_bytes()
    flac.unlink()
    read_in(source, tmp_path / "data", clear2)
    flac.write_bytes(data)
    with pytest.raises(InputError, match=r"imported.audio_files.n: found 1, asked 2"):
        read_in(source, tmp_path / "data", clear2)


def test_a_second_import_at_the_same_time_is_refused(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=2)
    script = """
import sys
from pathlib import Path
from clear_gen.store.lock import at_work
from clear_gen.store.manifest import provenance_text
with at_work(Path(sys.argv[1])):
    print("at work", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "data"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    with pytest.raises(CheckFailed, match="another run is at work"):
        read_in(source, tmp_path / "data", clear2)
    other.communicate()
    read_in(source, tmp_path / "data", clear2)


def test_a_domain_with_a_name_of_the_layout_is_refused(tmp_path: Path, clear2: Domain) -> None:
    taken = clear2.model_copy(update={"attributes": {**clear2.attributes, "pack": clear2.attributes["note"]}})
    with pytest.raises(InputError, match="attributes: found pack"):
        read_in(write_source(tmp_path / "clear", val=1), tmp_path / "data", taken)


# --- broken sources ---------------------------------------------------------------------------------------------------


BROKEN: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    (r"scenes: found nothing, expected this field", lambda c: c.pop("scenes")),
    (r"info: found nothing", lambda c: c.pop("info")),
    (r"info: found 3, expected an object", lambda c: c.update(info=3)),
    (r"info.license: found \['x'\], expected text", lambda c: c["info"].update(license=["x"])),
    (r"scenes: found {}, expected a list", lambda c: c.update(scenes={})),
    (r"found no scenes, expected at least one", lambda c: c.update(scenes=[])),
    (r"scenes\[1\]: scene: found None, expected an object", lambda c: c["scenes"].__setitem__(1, None)),
    (r"scene_index: found nothing", lambda c: altered(c).pop("scene_index")),
    (r"scene_index: found 'two', expected a number", lambda c: altered(c).update(scene_index="two")),
    (r"scene_index: found -1", lambda c: altered(c).update(scene_index=-1)),
    (r"scene_index: found '000000', expected each of 0 to 1 once", lambda c: altered(c).update(scene_index="000000")),
    (r"scene_index: found '000002', expected each of 0 to 1 once", lambda c: altered(c).update(scene_index="000002")),
    (r"scene 000001: scene_filename: found '../x.flac'", lambda c: altered(c).update(scene_filename="../x.flac")),
    (r"scene_filename: found '/etc/x.flac'", lambda c: altered(c).update(scene_filename="/etc/x.flac")),
    (r"scene_filename: found '..'", lambda c: altered(c).update(scene_filename="..")),
    (r"scene_filename: found 'a\\n.flac'", lambda c: altered(c).update(scene_filename="a\n.flac")),
    (r"scene_filename: found 7", lambda c: altered(c).update(scene_filename=7)),
    (r"another than scene 000000", lambda c: altered(c).update(scene_filename="CLEAR_val_000000.flac")),
    (r"silence_before: found nothing", lambda c: altered(c).pop("silence_before")),
    (r"silence_before: found -1, expected milliseconds", lambda c: altered(c).update(silence_before=-1)),
    (r"silence_before: found nan", lambda c: altered(c).update(silence_before=float("nan"))),
    (r"silence_before: found True", lambda c: altered(c).update(silence_before=True)),
    (r"silence_before: found '150'", lambda c: altered(c).update(silence_before="150")),
    (r"silence_before: found 1000.*000, expected", lambda c: altered(c).update(silence_before=10**300)),
    (r"objects: found {}, expected a list of 1 to 64", lambda c: altered(c).update(objects={})),
    (r"objects: found \[\]", lambda c: altered(c).update(objects=[])),
    (r"objects\[0\]: found 'x'", lambda c: altered(c)["objects"].__setitem__(0, "x")),
    (r"objects\[2\].duration: found 0, expected more than 0", lambda c: altered(c)["objects"][2].update(duration=0)),
    (r"objects\[2\].duration: found inf", lambda c: altered(c)["objects"][2].update(duration=float("inf"))),
    (r"objects\[2\].silence_after: found None", lambda c: altered(c)["objects"][2].update(silence_after=None)),
    (r"objects\[2\].filename: found '', expected text", lambda c: altered(c)["objects"][2].update(filename="")),
    (r"filename: found 'x\\ud800'", lambda c: altered(c)["objects"][2].update(filename="x\ud800")),
    (r"objects\[2\].note: found nothing", lambda c: altered(c)["objects"][2].pop("note")),
    (r"note: found 'H', expected one of: A, A#", lambda c: altered(c)["objects"][2].update(note="H")),
    (r"note: found None, expected one of", lambda c: altered(c)["objects"][2].update(note=None)),
    (r"note: found \['A'\]", lambda c: altered(c)["objects"][2].update(note=["A"])),
    (r"octave: found '4'", lambda c: altered(c)["objects"][2].update(octave="4")),
    (r"octave: found True", lambda c: altered(c)["objects"][2].update(octave=True)),
    (r"octave: found 4.0", lambda c: altered(c)["objects"][2].update(octave=4.0)),
    (r"brightness: found 'dull', expected .* or null", lambda c: altered(c)["objects"][2].update(brightness="dull")),
    (r"relationships: found nothing", lambda c: altered(c).pop("relationships")),
    (r"relationships: found 'x'", lambda c: altered(c).update(relationships="x")),
    (r"relationships: found .* one of type before", lambda c: altered(c)["relationships"].pop(0)),
    (r"relationships: .* one of type after", lambda c: altered(c)["relationships"][1].update(indexes=[[2], [], []])),
    (r"scene 000001: clear_gen: scene: found 7, expected an object", lambda c: altered(c).update(clear_gen=7)),
    (r"clear_gen: scene_id: found nothing", lambda c: altered(c).update(clear_gen={})),
]


@pytest.mark.parametrize(("message", "change"), BROKEN, ids=[message for message, _ in BROKEN])
def test_a_broken_source_is_refused_in_one_line_and_leaves_nothing(
    tmp_path: Path, clear2: Domain, message: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    source = write_source(tmp_path / "clear", audio=False, val=2)
    edit(source, "val", change)
    with pytest.raises(InputError, match=message) as raised:
        read_in(source, tmp_path / "data", clear2)
    text = str(raised.value)
    assert text.startswith(str(source))
    assert len(text.splitlines()) == 1
    assert len(text) < 500
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '{"scenes": [', "[" * 100_000, '{"info": {}, "scenes": [1' + "0" * 5000 + "]}", "\xff"]
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, clear2: Domain, text: str) -> None:
    source = write_source(tmp_path / "clear", audio=False, val=1)
    (source / "scenes/CLEAR_val_scenes.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"CLEAR_val_scenes.json: ") as raised:
        read_in(source, tmp_path / "data", clear2)
    assert len(str(raised.value).splitlines()) == 1


def test_a_pipe_is_not_waited_for(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", audio=False, val=1)
    os.mkfifo(source / "scenes/CLEAR_train_scenes.json")
    with pytest.raises(InputError, match="no regular file"):
        read_in(source, tmp_path / "data", clear2)


def test_a_folder_of_something_else_is_refused(tmp_path: Path, clear2: Domain) -> None:
    with pytest.raises(InputError, match=r"found no scenes, expected at least one in scenes/CLEAR_train_scenes.json"):
        read_in(tmp_path / "nowhere", tmp_path / "data", clear2)


def wrong_rate(path: Path) -> None:
    path.write_bytes(encode_flac(noise(50000), 16000))


def stereo(path: Path) -> None:
    soundfile.write(path, np.zeros((20000, 2), np.int16), RATE, format="FLAC", subtype="PCM_16")


def a_wave(path: Path) -> None:
    soundfile.write(path, np.zeros(20000, np.int16), RATE, format="WAV", subtype="PCM_16")


def rubbish(path: Path) -> None:
    path.write_bytes(b"fLaC and no more")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def linked(path: Path) -> None:
    target = path.parent.parent / "elsewhere.flac"
    path.rename(target)
    path.symlink_to(target)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def too_short(path: Path) -> None:
    path.write_bytes(encode_flac(noise(16000), RATE))


def too_large(path: Path) -> None:
    with open(path, "ab") as file:
        file.truncate(30_000_000)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (wrong_rate, r"sample rate: found \d+ Hz, expected \d+ Hz"),
        (stereo, "found FLAC, 2 channels, expected FLAC, 1 channel"),
        (a_wave, "found WAV, 1 channels"),
        (rubbish, "audio does not decode"),
        (cut, "audio does not decode|shorter than its scene"),
        (linked, "found a link"),
        (a_folder, "found a link or no regular file"),
        (too_short, r"found 2.000 s, shorter than its scene, expected \d.\d+ s"),
        (too_large, "found 30,000,000 bytes, expected at most 20,000,000"),
    ],
)
def test_broken_audio_is_refused(tmp_path: Path, clear2: Domain, spoil: Callable[[Path], None], message: str) -> None:
    source = write_source(tmp_path / "clear", val=3)
    spoil(source / "audio/val/CLEAR_val_000001.flac")
    with pytest.raises(InputError, match=message) as raised:
        read_in(source, tmp_path / "data", clear2)
    assert "CLEAR_val_000001.flac" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert (tmp_path / "data").exists() == (spoil is cut)  # the others show in the header: then nothing is written
    assert not (tmp_path / "data/clear.json").exists()


def test_audio_some_milliseconds_shorter_than_its_fields_is_what_is_true(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=1)
    edit(source, "val", lambda content: content["scenes"][0]["objects"][-1].update(silence_after=0))
    one = scenes_in(source, "val")[0]
    n_samples = (length_ms(one) - 19) * RATE // 1000
    (source / "audio/val/CLEAR_val_000000.flac").write_bytes(encode_flac(noise(n_samples), RATE))
    read_in(source, tmp_path / "data", clear2)
    (row,) = rows(tmp_path / "data")
    last = row["sounds"][-1]
    assert row["n_samples"] == row["n_samples_dry"] == last["onset_sample"] + last["n_samples"] == n_samples
    assert last["duration_s"] == last["n_samples"] / RATE


def test_locks_are_released_after_an_import(tmp_path: Path, clear2: Domain) -> None:
    read_in(write_source(tmp_path / "clear", val=1), tmp_path / "data", clear2)
    with at_work(tmp_path / "data"):
        pass
