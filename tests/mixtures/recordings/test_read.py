"""Events and backgrounds from folders and tables: what comes in, and what is said of what is not as it must be."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.core.text import has_controls
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.sounds.files import read_audio
from tests.counts import examples
from tests.sounds import one_line

TABLE = "filename,label\ndog_1.wav,dog\ndog_0.wav,dog\nrain.wav,rain\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``sounds/``: three recordings in ``events/``, two in ``events/deep/``, one beside it, one outside."""
    for name in ("dog_0.wav", "dog_1.wav", "rain.wav", "deep/cat.wav", "deep/dog_0.wav", "../wind.flac", "../../x.wav"):
        path = tmp_path / "sounds/events" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked into")
    return tmp_path / "sounds"


@pytest.fixture
def table(folder: Path) -> Callable[..., Path]:
    """Writes ``events.csv`` beside the recordings."""

    def write(text: str | bytes, name: str = "events.csv") -> Path:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder / name

    return write


def wrong(path: Path, read: Callable[..., Any] = read_events, **options: Any) -> str:
    """The one line that reading ends with."""
    with pytest.raises(InputError) as caught:
        read(path, **options)
    return one_line(caught)


def ids(sources: list[Event] | list[Background]) -> list[str]:
    return [source.source_id for source in sources]


# --- a table ----------------------------------------------------------------------------------------------------------


def test_a_table_of_events_in_the_folder_called_as_it_is(table, folder):
    path = folder / "events/dog_0.wav"
    events = read_events(table(TABLE))
    assert events[1] == Event("events/dog_0.wav", path, "dog", "events/dog_0.wav", "unknown", True)
    assert ids(events) == ["events/dog_1.wav", "events/dog_0.wav", "events/rain.wav"]
    assert [event.label for event in events] == ["dog", "dog", "rain"]


def test_every_column_is_read_and_others_are_ignored(table):
    text = "note,verified,licence,label,group,filename,source,licence_2\n"
    text += '"two\nlines",0,CC0,dog,kennel,dog_0.wav,Freesound,x\n,TRUE,,dog,,dog_1.wav,Freesound,\n'
    first, second = read_events(table(text), licence="stated")
    assert (first.label, first.group, first.licence, first.is_verified) == ("dog", "kennel", "CC0", False)
    assert (second.label, second.group, second.licence, second.is_verified) == (
        "dog",
        "events/dog_1.wav",
        "Freesound",
        True,
    )


@pytest.mark.parametrize(
    ("header", "row", "licence"),
    [
        ("licence,license,source", "a,b,c", "a"),
        ("source,license", "c,b", "b"),
        ("source", "OpenSFX (CC0)", "OpenSFX (CC0)"),
        ("license,source", ",", "stated"),
        ("pack", "a", "stated"),
    ],
)
def test_the_licence_is_what_says_most_about_it(table, header, row, licence):
    path = table(f"filename,label,{header}\nrain.wav,rain,{row}\n")
    assert [event.licence for event in read_events(path, licence="stated")] == [licence]
    assert [background.licence for background in read_backgrounds(path, licence="stated")] == [licence]


@pytest.mark.parametrize(
    "text",
    [
        TABLE.encode("utf-8-sig"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.replace("\n", "\n\n").encode(),
        TABLE.removesuffix("\n").encode(),
        TABLE.replace(",", " , ").encode(),
        ('"' + TABLE.strip().replace(",", '","').replace("\n", '"\n"') + '"\n').encode(),
    ],
)
def test_the_dialect_of_a_table_makes_no_difference(table, text):
    assert read_events(table(text)) == read_events(table(TABLE))


def test_recordings_come_in_the_order_of_their_table(table):
    header, *rows = TABLE.splitlines()
    events = read_events(table("\n".join([header, *reversed(rows)])))
    assert events == read_events(table(TABLE))[::-1]
    assert ids(read_backgrounds(table(TABLE))) == ids(events)[::-1]


def test_names_are_looked_for_beside_the_table_first_then_in_the_folder_called_as_it_is(table, folder):
    path = table(
        "filename,label\nevents/dog_0.wav,dog\nrain.wav,rain\ndeep/cat.wav,cat\nwind.flac,wind\n./deep//dog_0.wav,dog\n"
    )
    expected = ["events/dog_0.wav", "events/rain.wav", "events/deep/cat.wav", "wind.flac", "events/deep/dog_0.wav"]
    assert ids(read_events(path)) == expected
    (folder / "rain.wav").touch()
    assert "rain.wav" in ids(read_events(path))


def test_the_folder_of_the_recordings_may_be_named(table, folder):
    path = table("filename,label\ncat.wav,cat\ndog_0.wav,dog\n", "labels.csv")
    events = read_events(path, audio=folder / "events/deep")
    assert ids(events) == ["cat.wav", "dog_0.wav"]
    assert events[1].path == folder / "events/deep/dog_0.wav"
    assert "nowhere: not found" in wrong(path, audio=folder / "nowhere")
    assert "expected a CSV" in wrong(folder, audio=folder / "events")


def test_a_table_in_the_working_folder(table, folder, monkeypatch):
    table(TABLE)
    monkeypatch.chdir(folder)
    assert ids(read_events(Path("events.csv"))) == ["events/dog_1.wav", "events/dog_0.wav", "events/rain.wav"]


def test_backgrounds_need_no_label_and_know_no_verified(table):
    (background,) = read_backgrounds(table("filename,group,verified\nwind.flac,hill,perhaps\n"))
    assert (background.source_id, background.group, background.licence) == ("wind.flac", "hill", "unknown")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "events.csv:1: filename: found no such column among none, expected filename, label"),
        ("filename,label\n", "events.csv: filename: found no rows"),
        ("file,label\nrain.wav,rain\n", "events.csv:1: filename: found no such column among file, label"),
        ("filename;label\nrain.wav;rain\n", "events.csv:1: filename: found no such column among filename;label"),
        ("filename\nrain.wav\n", "events.csv:1: label: found no such column"),
        ("filename,label,label\nrain.wav,a,b\n", "events.csv:1: label: found twice"),
        ("filename,label\nrain.wav\n", "events.csv:2: found 1 cells, expected 2: filename, label"),
        ("filename,label\n\n\nrain.wav,a,b\n", "events.csv:4: found 3 cells"),
        ('filename,label,x\nrain.wav,rain,"a\nb"\ndog_0.wav,\n', "events.csv:4: found 2 cells"),
        ('filename,label\nrain.wav,"rain\n', "events.csv:2: not valid CSV"),
        ("filename,label\n,rain\n", "events.csv:2: filename: found nothing"),
        ("filename,label\nrain.wav, \n", "events.csv:2: label: found nothing"),
        ('filename,label\nrain.wav,"a\nb"\n', r"events.csv:2: label: found 'a\nb', expected text of one line"),
        ("filename,label\nrain.wav,a\0b\n", r"events.csv:2: label: found 'a\x00b'"),
        ("filename,label,group\nrain.wav,rain,\x1b[2J\n", r"events.csv:2: group: found '\x1b[2J'"),
        ("filename,label,verified\nrain.wav,rain,maybe\n", "events.csv:2: verified: found maybe, expected 1 or 0"),
        ("filename,label,verified\nrain.wav,rain,\n", "events.csv:2: verified: found nothing, expected 1 or 0"),
        ("filename,label\nrain.wav,a\nrain.wav,b\n", "events.csv:3: found the file of "),
        ("filename,label\nrain.wav,a\nevents/rain.wav,a\n", "events.csv:3: found the file of "),
        ("filename,label\nrain.wav,a\nsnow.wav,a\nhail.wav,a\n", "events.csv:3: found no file "),
        ("filename,label\nevents,a\n", "events.csv:2: filename: found 'events', expected a file inside"),
        ("filename,label\n../x.wav,a\n", "events.csv:2: filename: found ../x.wav, expected a path below"),
        ("filename,label\nevents/../wind.flac,a\n", "events.csv:2: filename: found events/../wind.flac"),
        ("filename,label\n/etc/passwd,a\n", "events.csv:2: filename: found /etc/passwd"),
        (f"filename,label\n{'x' * 300}.wav,a\n", "events.csv:2: filename: found 'xxx"),
        (TABLE.encode("utf-16"), "events.csv: cannot be read as UTF-8 text"),
        (b"filename,label\nrain.wav,caf\xe9\n", "events.csv: cannot be read as UTF-8 text"),
    ],
)
def test_a_wrong_table_is_an_error_that_names_the_line(table, text, message):
    path = table(text)
    assert wrong(path).startswith(str(path.parent / message))


def test_files_that_are_not_there_are_counted_and_left_out_only_if_asked_for(table, folder):
    path = table("filename,label\nsnow.wav,a\nrain.wav,a\nhail.wav,a\n")
    assert f"{folder / 'snow.wav'} and 1 more of 3, expected all of them, or --allow-missing" in wrong(path)
    assert ids(read_events(path, allow_missing=True)) == ["events/rain.wav"]
    path = table("filename\nsnow.wav\n")
    assert wrong(path, read_backgrounds, allow_missing=True).endswith("of 1, expected at least one of them")


@pytest.mark.parametrize("kind", ["a link out", "a linked folder out", "a loop", "a pipe"])
def test_a_name_in_a_table_that_is_no_file_inside(table, folder, tmp_path, kind):
    link = folder / "link.wav"
    if kind == "a pipe":
        os.mkfifo(link)
    else:
        link.symlink_to({"a link out": tmp_path / "x.wav", "a linked folder out": tmp_path, "a loop": link}[kind])
    name = "link.wav/x.wav" if kind == "a linked folder out" else "link.wav"
    assert "expected a file inside" in wrong(table(f"filename,label\n{name},a\n"))


def test_one_file_under_two_names_is_there_twice(table, folder):
    (folder / "again.wav").symlink_to("events/rain.wav")
    assert "found the file of" in wrong(table("filename,label\nrain.wav,a\nagain.wav,b\n"))


def test_paths_that_are_no_folder_and_no_table(folder):
    assert "nowhere.csv: not found, expected a folder of recordings or a CSV" in wrong(folder / "nowhere.csv")
    assert "wind.flac: found a file, expected a folder" in wrong(folder / "wind.flac", read_backgrounds)


CELL = st.one_of(
    st.text(max_size=12), st.sampled_from(["rain.wav", "..", "../x.wav", "/x", '"', '""', "'", ",", "\r", "."])
)


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=4), st.booleans(), st.sampled_from("\n\r"))
@example([("rain.wav", "rain", "g", "1")], True, "\n")
@example([("events/../../x.wav", "rain", "g", "1")], True, "\n")
@examples(200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_cells_say_is_one_line_or_lies_inside(table, folder, cells, quoted, end):
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if quoted else text

    rows = [("filename", "label", "group", "verified"), *cells]
    path = table(end.join(",".join(map(cell, row)) for row in rows).encode("utf-8", "surrogatepass"))
    events, message = outcome(path)
    assert not has_controls(message)
    assert all(event.path.resolve().is_relative_to(folder.resolve()) for event in events)
    assert not any(has_controls(text) for event in events for text in (event.label, event.group, event.source_id))
    assert all(event.label and event.group for event in events)


def outcome(path: Path) -> tuple[list[Event], str]:
    """The events whose files are there, and the message if the table is refused."""
    try:
        return read_events(path, allow_missing=True), ""
    except InputError as error:
        return [], str(error)


# --- a folder ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """One sub-folder per label, with what lies in folders beside recordings."""
    names = ["dog/b.wav", "dog/a.FLAC", "dog/far/below/a.ogg", "cat noises/a.mp3", "dog/notes.txt", "README.md"]
    for name in [*names, ".hidden/a.wav", "dog/._a.wav", "dog/.cache/x.wav"]:
        path = tmp_path / "labelled" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked into")
    return tmp_path / "labelled"


def test_a_folder_of_labels(labelled):
    events = read_events(labelled, licence="CC0")
    assert ids(events) == ["cat noises/a.mp3", "dog/a.FLAC", "dog/b.wav", "dog/far/below/a.ogg"]
    assert Counter(event.label for event in events) == {"cat noises": 1, "dog": 3}
    assert all(event.group == event.source_id and event.licence == "CC0" and event.is_verified for event in events)
    assert all(event.path == labelled / event.source_id for event in events)


def test_a_folder_of_backgrounds(labelled, folder):
    expected = [
        Background(source_id, labelled / source_id, source_id, "unknown") for source_id in ids(read_events(labelled))
    ]
    assert read_backgrounds(labelled) == expected
    (labelled / "wind.wav").touch()
    assert ids(read_backgrounds(labelled))[-1] == "wind.wav"
    assert len(read_backgrounds(folder)) == 6


def test_a_folder_in_the_working_folder(labelled, monkeypatch):
    monkeypatch.chdir(labelled)
    assert ids(read_events(Path("."))) == ids(read_events(labelled))


def test_recordings_without_a_label_and_labels_without_recordings(labelled, tmp_path):
    (labelled / "stray.wav").touch()
    assert "stray.wav: found in no sub-folder, expected one sub-folder per label, or a CSV" in wrong(labelled)
    (labelled / "stray.wav").unlink()
    (labelled / "empty").mkdir()
    assert "empty: found no recordings, expected one sub-folder per label with some" in wrong(labelled)
    assert read_backgrounds(labelled)
    for read in (read_events, read_backgrounds):
        (tmp_path / "nothing/.hidden").mkdir(parents=True, exist_ok=True)
        assert "nothing: found no recordings, expected at least one" in wrong(tmp_path / "nothing", read)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("a linked folder", "cow: found a link to a folder, expected the folder itself"),
        ("a link out", "'dog/cow.wav', expected a file inside"),
        ("a link to nothing", "cow.wav: found a link to nothing"),
        ("a loop", "expected a file inside"),
        ("a pipe", "expected a file inside"),
        ("a link inside", "b.wav again, expected every recording once"),
        ("a folder like a file", "cow.wav: found no recordings"),
        ("a name of two lines", r"'dog/a\nb.wav', expected a name of one line"),
        ("a label of two lines", r"found 'a\nb', expected a name of one line"),
    ],
)
def test_what_is_no_recording_in_a_folder(labelled, tmp_path, kind, message):
    link = labelled / ("cow" if kind == "a linked folder" else "dog/cow.wav")
    targets = {"a linked folder": "dog", "a link out": tmp_path / "x.wav", "a link to nothing": "y", "a loop": link}
    (tmp_path / "x.wav").touch()
    if kind == "a pipe":
        os.mkfifo(link)
    elif kind == "a folder like a file":
        (labelled / "cow.wav").mkdir()
    elif kind == "a name of two lines":
        (labelled / "dog/a\nb.wav").touch()
    elif kind == "a label of two lines":
        (labelled / "a\nb").mkdir()
    else:
        link.symlink_to({**targets, "a link inside": "b.wav"}[kind])
    assert message in wrong(labelled)


def test_a_folder_that_cannot_be_read_is_not_left_out(labelled, monkeypatch):
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "far":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "far: cannot be read (Permission denied), expected a folder" in wrong(labelled)


# --- real recordings --------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_real_recordings(shared):
    events = read_events(shared / "sounds/events.csv")
    assert (len(events), len({event.label for event in events})) == (53, 34)
    assert {event.licence for event in events} == {"OpenSFX (CC0 or CC BY 3.0 per file)", "FluidR3 (MIT)"}
    backgrounds = read_backgrounds(shared / "sounds/backgrounds")
    assert ids(backgrounds) == ["rain.flac", "river.flac", "sea_shore.flac", "wind.flac"]
    assert all(read_audio(source.path)[0].any() for source in (*events[:5], *backgrounds))
    assert "expected one sub-folder per label, or a CSV" in wrong(shared / "sounds/events")


# --- paths of the user's own table ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """``home/sounds/a.wav`` and ``home/lists/events.csv``, and a recording outside of ``home``."""
    for name in ("home/sounds/a.wav", "other/b.wav"):
        (tmp_path / name).parent.mkdir(parents=True)
        soundfile.write(tmp_path / name, 0.1 * np.ones(800), 8000)
    (tmp_path / "home/lists").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize("form", ["{home}/sounds/a.wav", "../sounds/a.wav", "sounds/a.wav"])
def test_root_says_where_paths_may_lead(elsewhere: Path, form: str) -> None:
    path = elsewhere / "lists/events.csv"
    path.write_text(f"filename,label\n{form.format(home=elsewhere)},siren\n")
    (event,) = read_events(path, root=elsewhere)
    assert event.path.samefile(elsewhere / "sounds/a.wav")
    assert event.source_id == event.group == "sounds/a.wav"


@pytest.mark.parametrize("form", ["{home}/../other/b.wav", "../../other/b.wav", "/etc/passwd", "../link.wav"])
def test_nothing_leads_out_of_the_root(elsewhere: Path, form: str) -> None:
    (elsewhere / "link.wav").symlink_to(elsewhere.parent / "other/b.wav")
    path = elsewhere / "lists/events.csv"
    path.write_text(f"filename,label\n{form.format(home=elsewhere)},siren\n")
    with pytest.raises(InputError, match=rf"filename: found .*, expected a file inside {elsewhere}$"):
        read_events(path, root=elsewhere)


def test_without_a_root_the_message_names_it(elsewhere: Path) -> None:
    path = elsewhere / "lists/events.csv"
    path.write_text("filename,label\n../sounds/a.wav,siren\n")
    with pytest.raises(InputError, match=r"expected a path below .*lists, or --root DIR$"):
        read_events(path)
