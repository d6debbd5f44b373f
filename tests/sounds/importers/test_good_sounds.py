"""The Good-Sounds corpus: which takes come in, that both forms say the same, and what is said of a broken one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.core.streams import stream
from clear_gen.sounds.analysis import cents_from, pitch_hz
from clear_gen.sounds.attributes import GivenAttribute
from clear_gen.sounds.bank import build_bank
from clear_gen.sounds.importers.good_sounds import (
    Selection,
    import_good_sounds,
    origin,
    shared_origins,
    source_of,
)
from clear_gen.sounds.recording import Recording
from tests.counts import examples
from tests.sounds import ATTRIBUTES, one_line
from tests.sounds.importers.good_sounds_tree import (
    AUDIO_RATE,
    SILENCE_S,
    Form,
    Tables,
    corpus,
    write_audio,
    write_tables,
)

DURATION_S = (0.7, 1.1)
FORMS: tuple[Form, Form] = ("sqlite", "json")
SIDES = [Selection(players=("almudena", "nico"), microphones=("neumann",)), Selection(microphones=("akg", "iphone"))]
ORACLE = """
SELECT id FROM (
  SELECT takes.id, ROW_NUMBER() OVER (
    PARTITION BY instrument, note, octave ORDER BY reference DESC, sounds.id, takes.id) AS place
  FROM takes JOIN sounds ON sounds.id = takes.sound_id JOIN packs ON packs.id = sounds.pack_id
  WHERE klass LIKE 'good-sound%' AND instrument IN ('flute', 'cello') AND ({})
) WHERE place = 1
"""
SELECTIONS = [
    (Selection(), "1"),
    (Selection(klass="good-sound-rich"), "klass = 'good-sound-rich'"),
    (Selection(instruments=("cello",)), "instrument = 'cello'"),
    (Selection(microphones=("akg",)), "microphone = 'akg'"),
    (Selection(microphones=("akg", "iphone")), "microphone <> 'neumann'"),
    (Selection(players=("nico", "zoë")), "player IN ('nico', 'zoë')"),
    (Selection(players=("Smith, John",)), "player = 'Smith, John'"),
    (Selection(packs=("flute_zoë_sesión",)), "packs.name = 'flute_zoë_sesión'"),
    (
        Selection(instruments=("flute",), microphones=("akg",), players=("almudena",)),
        "instrument = 'flute' AND microphone = 'akg' AND player = 'almudena'",
    ),
]


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings alone, written once."""
    folder = tmp_path_factory.mktemp("good-sounds-audio")
    write_audio(folder, corpus())
    return folder


@pytest.fixture
def tree(audio: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a corpus of the given tables and form; its recordings are links to those written once."""

    def make(form: Form = "sqlite", tables: Tables | None = None, name: str = "corpus") -> Path:
        folder = tmp_path / name
        shutil.copytree(audio, folder, copy_function=os.link)
        write_tables(folder, corpus() if tables is None else tables, form)
        return folder

    return make


def imported(folder: Path, selection: Selection | None = None, **options: Any) -> list[Recording]:
    rng = stream(options.pop("seed", 0), 1)
    rate, attributes = options.pop("sample_rate", AUDIO_RATE), options.pop("attributes", ATTRIBUTES)
    return import_good_sounds(folder, attributes, rate, DURATION_S, rng, selection or Selection())


def wrong(folder: Path, selection: Selection | None = None, **options: Any) -> str:
    """The one line that an import of ``folder`` ends with."""
    with pytest.raises(InputError) as caught:
        imported(folder, selection, **options)
    return one_line(caught)


def take_ids(recordings: Sequence[Recording]) -> list[int]:
    return [int(recording.sound_id.rsplit("_", 1)[1]) for recording in recordings]


def same(ours: Sequence[Recording], theirs: Sequence[Recording]) -> bool:
    """Equal in everything but the folder they were read from."""

    def facts(recording: Recording) -> tuple[Any, ...]:
        samples = recording.samples.tobytes()
        return recording.sound_id, recording.attributes, samples, recording.source, recording.licence

    return list(map(facts, ours)) == list(map(facts, theirs))


def table_file(folder: Path, form: Form, table: str) -> str:
    return str(folder / ("database.sqlite" if form == "sqlite" else f"{table}.json"))


# --- what comes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("selection", "condition"), SELECTIONS)
def test_the_takes_are_those_that_sql_selects(tree, selection, condition):
    folder = tree()
    with closing(sqlite3.connect(folder / "database.sqlite")) as connection:
        expected = {number for (number,) in connection.execute(ORACLE.format(condition))}
    found = take_ids(imported(folder, selection))
    assert expected
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("selection", [selection for selection, _ in SELECTIONS])
def test_both_forms_give_the_same(tree, selection):
    assert same(imported(tree("sqlite", name="a"), selection), imported(tree("json", name="b"), selection))


def test_every_recording_is_that_of_its_row(tree):
    folder, tables = tree(), corpus()
    sounds, takes = ({row["id"]: row for row in tables[name]} for name in ("sounds", "takes"))
    packs = {row["id"]: row["name"] for row in tables["packs"]}
    for recording, number in zip(found := imported(folder), take_ids(found), strict=True):
        take = takes[number]
        sound = sounds[take["sound_id"]]
        assert recording.attributes == {name: sound[name] for name in ("instrument", "note", "octave")}
        assert recording.file == str(folder / take["filename"])
        start = f"{sound['instrument']}_{sound['octave']}_{sound['note']}_{take['microphone']}_"
        assert recording.sound_id == f"{start}{number}"
        assert (recording.licence, recording.sample_rate) == ("CC-BY-SA-4.0", AUDIO_RATE)
        expected = {"player": sound["player"], "microphone": take["microphone"], "pack": packs[sound["pack_id"]]}
        assert origin(recording.source) == expected
        assert abs(cents_from(pitch_hz(recording.samples, AUDIO_RATE), sound["note"])) < 10


def test_the_source_says_player_microphone_and_pack(tree):
    (recording, *_) = imported(tree(), Selection(packs=("flute_almudena_reference",)))
    assert recording.source == "Good-Sounds, player almudena, microphone neumann, pack flute_almudena_reference"


def test_the_order_is_instrument_octave_note_of_the_domain(tree):
    names = ("instrument", "octave", "note")
    values = [tuple(recording.attributes[name] for name in names) for recording in imported(tree())]
    rules = [ATTRIBUTES[name].values for name in names]
    assert values == sorted(values, key=lambda each: [rule.index(v) for rule, v in zip(rules, each, strict=True)])
    assert len(set(values)) == len(values) == 8


def test_the_domain_orders_its_values(tree):
    attributes = {**ATTRIBUTES, "instrument": GivenAttribute(values=["flute", "cello"])}
    found = [recording.attributes["instrument"] for recording in imported(tree(), attributes=attributes)]
    assert found == ["flute"] * 5 + ["cello"] * 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_changes_nothing(tree, form, seed):
    rng, tables = np.random.default_rng(seed), corpus()
    shuffled = {name: [rows[k] for k in rng.permutation(len(rows))] for name, rows in tables.items()}
    assert same(imported(tree(form, shuffled, "a")), imported(tree(form, name="b")))


def test_reference_first_then_the_lowest_sound_then_the_lowest_take(tree):
    tables, found = corpus(), imported(tree())
    notes = [(recording.attributes["note"], recording.attributes["octave"]) for recording in found]
    chosen = dict(zip(notes, take_ids(found), strict=True))
    sound = {row["id"]: row["sound_id"] for row in tables["takes"]}
    assert sound[chosen["A", 4]] == 89  # a reference, though sound 85 has a lower id
    assert sound[chosen["G", 3]] == 94  # not 103, whose takes have the lower ids
    assert chosen["E", 5] == 99  # not take 100 of the same sound


def test_a_reference_that_is_null_is_none(tree):
    tables = corpus()
    for sound in tables["sounds"]:
        sound["reference"] = None if sound["id"] == 89 else 0
    found = imported(tree("json", tables), Selection(instruments=("flute",)))
    assert next(r for r in found if r.attributes["note"] == "A").source.startswith("Good-Sounds, player zoë")


def test_ids_and_numbers_as_text_or_float_say_the_same(tree):
    tables = corpus()
    for row in tables["sounds"]:
        row |= {"pack_id": str(row["pack_id"]), "reference": str(row["reference"])}
        row["octave"] = None if row["octave"] is None else float(row["octave"])
    for row in tables["takes"]:
        row["sound_id"] = str(row["sound_id"])
    assert same(imported(tree("json", tables, "a")), imported(tree(name="b")))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("tables_below", "audio_below"), [(True, True), (False, True), (True, False)])
def test_tables_and_recordings_may_lie_below(tree, tmp_path, form, tables_below, audio_below):
    expected = imported(tree(form))
    folder = tmp_path / "below"
    write_tables(folder / "good-sounds" if tables_below else folder, corpus(), form)
    target = folder / "good-sounds" if audio_below else folder
    target.mkdir(exist_ok=True)
    (tmp_path / "corpus" / "sound_files").rename(target / "sound_files")
    assert same(imported(folder), expected)


def test_the_database_goes_before_json(tree):
    folder = tree()
    for name in ("packs", "sounds", "takes"):
        (folder / f"{name}.json").write_text("not JSON", encoding="utf-8")
    assert len(imported(folder)) == 8


def test_a_folder_of_any_name_is_read_and_never_written(tree, tmp_path):
    folder = tree(name="a?b#c %41 é")
    before = sorted(folder.iterdir())
    with closing(sqlite3.connect(folder / "database.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")  # a lock of another program does not matter
        assert len(imported(folder)) == 8
    assert sorted(folder.iterdir()) == before


def test_silence_is_trimmed_and_lengths_are_drawn_in_order(tree):
    found, rng = imported(tree(), seed=5), stream(5, 1)
    tables = corpus()
    names = {row["id"]: row["filename"] for row in tables["takes"]}
    for recording, number in zip(found, take_ids(found), strict=True):
        assert len(recording.samples) == round(rng.uniform(*DURATION_S) * AUDIO_RATE)
        samples, _ = soundfile.read(recording.file, dtype="float32")
        assert recording.file.endswith(names[number])
        kept = recording.samples[: len(recording.samples) // 2]
        start = round(SILENCE_S * AUDIO_RATE)
        places = [k for k in range(start - 300, start + 300) if np.array_equal(samples[k : k + len(kept)], kept)]
        assert len(places) == 1


def test_another_sample_rate_makes_a_bank(tree):
    recordings = imported(tree(), sample_rate=16_000)
    bank = build_bank(recordings, "clear2", ATTRIBUTES)
    assert bank.sample_rate == 16_000
    assert {sound.sound_id for sound in bank.sounds} == {recording.sound_id for recording in recordings}
    assert all(0.69 < sound.duration_s < 1.11 for sound in bank.sounds)


def test_a_domain_with_fewer_attributes_gets_one_recording_for_each_value(tree):
    found = imported(tree(), attributes={"instrument": ATTRIBUTES["instrument"]})
    assert [recording.attributes for recording in found] == [{"instrument": "cello"}, {"instrument": "flute"}]


def test_bad_notes_scales_and_other_instruments_never_come_in(tree):
    tables = corpus()
    tables["sounds"][-1]["klass"] = None
    found = imported(tree(tables=tables))
    assert {recording.attributes["instrument"] for recording in found} == {"cello", "flute"}
    files = {row["filename"]: row["sound_id"] for row in tables["takes"]}
    klass = {row["id"]: row["klass"] for row in tables["sounds"]}
    used = {klass[number] for name, number in files.items() if any(r.file.endswith(name) for r in found)}
    assert used == {"good-sound", "good-sound-rich"}


# --- two sides --------------------------------------------------------------------------------------------------------


def test_train_and_test_share_no_player_and_no_microphone(tree):
    folder = tree()
    test_side = Selection(players=("zoë", "Smith, John"), microphones=("akg", "iphone"))
    train, test = (imported(folder, side) for side in (SIDES[0], test_side))
    sources = [[recording.source for recording in side] for side in (train, test)]
    assert shared_origins(*sources) == []
    for field in ("player", "microphone", "pack"):
        sides = [{(origin(source) or {})[field] for source in side} for side in sources]
        assert sides[0]
        assert sides[1]
        assert not sides[0] & sides[1]
    assert not {recording.file for recording in train} & {recording.file for recording in test}


def test_what_both_sides_have_is_listed(tree):
    folder = tree()
    everything = [recording.source for recording in imported(folder)]
    train = [recording.source for recording in imported(folder, SIDES[0])]
    akg = [recording.source for recording in imported(folder, SIDES[1])]
    assert shared_origins(train, everything) == ["microphone neumann", "player almudena", "player nico"]
    assert shared_origins(iter(train), iter(akg)) == ["player almudena", "player nico"]
    commas = [source_of("Smith, John", "akg", "a"), source_of("Smith", "neumann", "a")]
    assert shared_origins(commas[:1], commas[1:]) == []
    assert shared_origins(commas, [*commas[:1], "x"]) == ["microphone akg", "player Smith, John"]


@examples(40)
@given(*[st.text(min_size=1)] * 3)
def test_a_source_can_be_parsed_whatever_the_names(player, microphone, pack):
    values = {"player": player, "microphone": microphone, "pack": pack}
    assert origin(source_of(**values)) == values


@given(st.sampled_from([", microphone b", ", pack x", "%2C", "%", ",", "a, player b"]), st.integers(0, 2))
def test_a_name_that_looks_like_the_format_is_still_parsed(name, place):
    values = ["a", "b", "c"]
    values[place] = name
    assert list((origin(source_of(*values)) or {}).values()) == values


@pytest.mark.parametrize("source", ["", "Good-Sounds, pack x", "the Good-Sounds, player a, microphone b, pack c", "x"])
def test_any_other_source_has_no_origin(source):
    assert origin(source) is None


# --- selections that cannot be ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("selection", "field", "there"),
    [
        (Selection(microphones=("zoom",)), "microphone", "akg, iphone, neumann"),
        (Selection(microphones=("akg", "zoom")), "microphone", "akg, iphone, neumann"),
        (Selection(players=("zoom",)), "player", "Smith, John, almudena, marta, nico, zoë"),
        (Selection(packs=("zoom",)), "pack", ", ".join(sorted(pack["name"] for pack in corpus()["packs"]))),
        (Selection(instruments=("zoom",)), "instrument", "cello, flute"),
    ],
)
def test_a_name_that_is_not_there_is_said_with_those_that_are(tree, form, selection, field, there):
    folder = tree(form)
    assert wrong(folder, selection) == f"{folder}: {field}: found 'zoom', expected one of: {there}"


def test_an_instrument_of_the_corpus_that_the_domain_lacks_can_not_be_named(tree):
    folder = tree()
    line = wrong(folder, Selection(instruments=("flute", "oboe")))
    assert line == f"{folder}: instrument: found 'oboe', expected one of: cello, flute"


@pytest.mark.parametrize(
    ("selection", "criteria"),
    [
        (Selection(klass="excellent"), "klass excellent*"),
        (Selection(klass="ood-sound"), "klass ood-sound*"),
        (Selection(microphones=("iphone",), players=("nico",)), "microphone iphone, player nico"),
        (Selection(microphones=("akg", "iphone"), packs=("oboe_marta_recordings",)), "microphone akg or iphone"),
    ],
)
def test_a_selection_that_leaves_nothing_is_said(tree, selection, criteria):
    folder = tree()
    line = wrong(folder, selection)
    assert line.startswith(f"{folder}: found no sounds with klass ")
    assert criteria in line
    assert line.endswith(", expected at least one")


# --- broken tables ----------------------------------------------------------------------------------------------------

A4 = 4  # row of sounds (id 89): the reference A4 of the flute, which an import uses
Edit = Callable[[Tables], object]
BOTH_FORMS: list[tuple[str, str, str, Edit]] = [
    ("takes", "sound_id", "999", lambda t: t["takes"][0].update(sound_id=999)),
    ("takes", "sound_id", "None", lambda t: t["takes"][0].update(sound_id=None)),
    ("takes", "sound_id", "'first'", lambda t: t["takes"][0].update(sound_id="first")),
    ("sounds", "pack_id", "999", lambda t: t["sounds"][0].update(pack_id=999)),
    ("sounds", "pack_id", "None", lambda t: t["sounds"][0].update(pack_id=None)),
    ("sounds", "pack_id", "2.5", lambda t: t["sounds"][0].update(pack_id=2.5)),
    ("sounds", "id", "found twice", lambda t: t["sounds"].append(dict(t["sounds"][0], id="085"))),
    ("packs", "id", "'one'", lambda t: t["packs"][0].update(id="one")),
    ("packs", "id", "-1", lambda t: t["packs"][0].update(id=-1)),
    ("sounds", "note", "None", lambda t: t["sounds"][A4].update(note=None)),
    ("sounds", "note", "''", lambda t: t["sounds"][A4].update(note="")),
    ("sounds", "note", "'H'", lambda t: t["sounds"][A4].update(note="H")),
    ("sounds", "octave", "None", lambda t: t["sounds"][A4].update(octave=None)),
    ("sounds", "octave", "9", lambda t: t["sounds"][A4].update(octave=9)),
    ("sounds", "octave", "4.5", lambda t: t["sounds"][A4].update(octave=4.5)),
    ("sounds", "octave", "'four'", lambda t: t["sounds"][A4].update(octave="four")),
    ("sounds", "reference", "2", lambda t: t["sounds"][A4].update(reference=2)),
    ("sounds", "reference", "'yes'", lambda t: t["sounds"][A4].update(reference="yes")),
    ("sounds", "player", "None", lambda t: t["sounds"][A4].update(player=None)),
    ("sounds", "player", r"'a\nb'", lambda t: t["sounds"][A4].update(player="a\nb")),
    ("sounds", "player", "''", lambda t: t["sounds"][A4].update(player="")),
    ("sounds", "pack", "None", lambda t: t["packs"][1].update(name=None)),
    ("takes", "microphone", "None", lambda t: [row.update(microphone=None) for row in t["takes"]]),
    ("takes", "filename", "None", lambda t: [row.update(filename=None) for row in t["takes"]]),
    ("takes", "filename", "'a\\x00b'", lambda t: [row.update(filename="a\0b") for row in t["takes"]]),
    ("takes", "id", "found no rows", lambda t: t["takes"].clear()),
    ("sounds", "id", "found no rows", lambda t: t["sounds"].clear()),
    ("packs", "id", "found no rows", lambda t: t["packs"].clear()),
    *[
        (table, field, "found no such field", lambda t, table=table, field=field: [row.pop(field) for row in t[table]])
        for table, fields in {
            "packs": ("name",),
            "sounds": ("pack_id", "klass", "player", "reference", "instrument", "note", "octave"),
            "takes": ("sound_id", "microphone", "filename"),
        }.items()
        for field in fields
    ],
]
JSON_ONLY: list[tuple[str, str, str, Edit]] = [
    ("sounds", "note", "nan", lambda t: t["sounds"][A4].update(note=float("nan"))),
    ("sounds", "octave", "nan", lambda t: t["sounds"][A4].update(octave=float("nan"))),
    ("sounds", "octave", "inf", lambda t: t["sounds"][A4].update(octave=float("inf"))),
    ("sounds", "octave", "[4]", lambda t: t["sounds"][A4].update(octave=[4])),
    ("sounds", "pack_id", "True", lambda t: t["sounds"][0].update(pack_id=True)),
    ("sounds", "player", "['a']", lambda t: t["sounds"][A4].update(player=["a"])),
    ("sounds", "player", r"'\ud800'", lambda t: t["sounds"][A4].update(player="\ud800")),
    ("takes", "microphone", "7", lambda t: [row.update(microphone=7) for row in t["takes"]]),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("table", "field", "found", "edit"), BOTH_FORMS)
def test_a_broken_cell_is_named(tree, form, table, field, found, edit):
    tables = corpus()
    edit(tables)
    folder = tree(form, tables)
    line = wrong(folder)
    assert line.startswith(f"{table_file(folder, form, table)}: {table}")
    assert f" {field}: found " in line
    assert found in line
    assert ", expected " in line


@pytest.mark.parametrize(("table", "field", "found", "edit"), JSON_ONLY)
def test_a_type_that_only_json_has_is_named(tree, table, field, found, edit):
    tables = corpus()
    edit(tables)
    folder = tree("sqlite", name="corpus")
    (folder / "database.sqlite").unlink()
    for name, rows in tables.items():
        text = json.dumps({str(row["id"]): row for row in rows})
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    line = wrong(folder)
    assert line.startswith(f"{folder / table}.json: {table} ")
    assert f" {field}: found " in line
    assert found in line


@pytest.mark.parametrize("table", ["packs", "sounds", "takes"])
def test_a_missing_table_is_named(tree, table):
    folder = tree()
    with closing(sqlite3.connect(folder / "database.sqlite")) as connection:
        connection.execute(f"DROP TABLE {table}")
    assert wrong(folder).startswith(f"{folder / 'database.sqlite'}: {table}: found no such table")


@pytest.mark.parametrize("table", ["packs", "sounds"])
def test_a_missing_json_table_is_named(tree, table):
    folder = tree("json")
    (folder / f"{table}.json").unlink()
    assert wrong(folder).startswith(f"{folder / table}.json: found ")


def test_a_name_in_another_encoding_is_refused_and_a_comment_in_one_is_not(tree):
    folder = tree()
    with closing(sqlite3.connect(folder / "database.sqlite")) as connection:
        connection.execute("UPDATE sounds SET comments = CAST(x'e9' AS TEXT)")
        connection.commit()
        assert len(imported(folder)) == 8
        connection.execute("UPDATE sounds SET player = CAST(x'e9' AS TEXT)")
        connection.commit()
    line = wrong(folder)
    assert line.startswith(f"{folder / 'database.sqlite'}: sounds ")
    assert "player: found " in line


def test_the_same_id_twice_is_an_error(tree):
    folder = tree()
    with closing(sqlite3.connect(folder / "database.sqlite")) as connection:
        connection.execute("INSERT INTO takes SELECT * FROM takes WHERE id = 99")
        connection.commit()
    assert wrong(folder).startswith(f"{folder / 'database.sqlite'}: takes 99: id: found twice")


@pytest.mark.parametrize("content", [b"just text\n" * 100, b"", b"SQLite format 3\0" + bytes(84), "folder"])
def test_a_file_that_is_no_database_is_named(tree, content):
    folder = tree()
    (folder / "database.sqlite").unlink()
    if isinstance(content, bytes):
        (folder / "database.sqlite").write_bytes(content)
    else:
        (folder / "database.sqlite").mkdir()
    line = wrong(folder)
    assert line.startswith(f"{folder / 'database.sqlite'}: packs: found ")
    assert line.endswith("expected a table in SQLite")


def test_a_database_cut_in_half_is_named(tree):
    file = tree() / "database.sqlite"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert wrong(file.parent).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[]", "found list"),
        (b"null", "found NoneType"),
        (b'[{"id": 1, "name": "a"}]', "found list"),
        (b"", "found "),
        (b'{"1": {"name": "a"},\n "2" }', "found "),
        (b"{}", "id: found no rows"),
        (b'{"1": []}', "packs 1: name: found no such field"),
        (b'{"1": {"name": "a", "id": 2}}', "packs 1: id: found "),
        (b'{"1": {"name": "a"}, "1": {"name": "b"}}', "found a key twice"),
        (b'{"1": {"name": "a"}, "01": {"name": "b"}}', "packs 1: id: found twice"),
        (b'{"one": {"name": "a"}}', "packs: id: found 'one'"),
        (b"[" * 100_000, "found "),
        (b'{"1": {"name": "\xe9"}}', "found "),
        (b'{"1": {"name": ' + b"9" * 5000 + b"}}", "found "),
    ],
)
def test_json_of_another_shape_is_named(tree, content, found):
    folder = tree("json")
    (folder / "packs.json").write_bytes(content)
    line = wrong(folder)
    assert line.startswith(f"{folder / 'packs.json'}: ")
    assert found in line
    assert ", expected " in line


def test_json_with_a_bom_is_read(tree):
    folder = tree("json")
    content = (folder / "packs.json").read_bytes()
    (folder / "packs.json").write_bytes(b"\xef\xbb\xbf" + content)
    assert len(imported(folder)) == 8


def test_a_folder_without_tables_or_no_folder_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "gone", Path(__file__)):
        line = wrong(folder)
        assert line.startswith(f"{folder}: tables: found none, expected database.sqlite ")


# --- broken recordings ------------------------------------------------------------------------------------------------

ONE = Selection(instruments=("flute",), packs=("flute_zoë_sesión",), microphones=("iphone",))


def file_of_a4(folder: Path) -> Path:
    return folder / "sound_files" / "flute_zoë_sesión" / "iphone" / "0085.wav"


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_recording_is_named(tree, form):
    folder = tree(form)
    file_of_a4(folder).unlink()
    line = wrong(folder, ONE)
    assert line.startswith(f"{table_file(folder, form, 'takes')}: takes ")
    assert "filename: found no file sound_files/flute_zoë_sesión/iphone/0085.wav, expected" in line


@pytest.mark.parametrize("below", ["", "good-sounds"])
@pytest.mark.parametrize("make", ["up", "absolute", "link", "folder link", "through"])
def test_a_path_out_of_the_folder_is_refused(tree, tmp_path, make, below):
    outside = tmp_path / "outside"
    outside.mkdir()
    tables = corpus()
    folder = tree(tables=tables)
    root = folder / below
    root.mkdir(exist_ok=True)
    shutil.copy(file_of_a4(folder), outside / "x.wav")
    up = "../../outside/x.wav" if below else "../outside/x.wav"
    name = {"up": up, "absolute": str(outside / "x.wav"), "through": f"y/../{up}"}.get(make, "y/x.wav")
    if make == "link":
        (root / "y").mkdir()
        (root / name).symlink_to(outside / "x.wav")
    elif make == "folder link":
        (root / "y").symlink_to(outside)
    for take in tables["takes"]:
        take["filename"] = name
    (folder / "database.sqlite").unlink()
    write_tables(folder, tables, "sqlite")
    line = wrong(folder, ONE)
    assert line.startswith(f"{folder / 'database.sqlite'}: takes ")
    assert f"filename: found {name!r}, expected a file inside {folder}" in line


@pytest.mark.parametrize(
    ("value", "where", "reason"),
    [
        (np.nan, slice(20_000, 20_001), "NaN"),
        (np.inf, slice(20_000, 20_001), "Inf"),
        (1.0, slice(20_000, 20_500), "clipping"),
        (0.0, slice(None), "silence"),
        (0.0, slice(9000, None), "duration"),
    ],
)
def test_a_recording_that_cannot_be_used_is_named(tree, value, where, reason):
    folder = tree()
    file = file_of_a4(folder)
    samples, _ = soundfile.read(file, dtype="float32")
    samples[where] = value
    file.unlink()  # it is a link to the recording that all tests read
    soundfile.write(file, samples, AUDIO_RATE, subtype="FLOAT")
    line = wrong(folder, ONE)
    assert line.startswith(f"{file}: ")
    assert reason in line


@pytest.mark.parametrize("n_samples", [0, 100, AUDIO_RATE // 10, AUDIO_RATE // 2])
def test_a_recording_that_is_too_short_is_named(tree, n_samples):
    folder = tree()
    file = file_of_a4(folder)
    samples, _ = soundfile.read(file, dtype="float32")
    file.unlink()
    soundfile.write(file, samples[8000 : 8000 + n_samples], AUDIO_RATE, subtype="PCM_32")
    assert wrong(folder, ONE).startswith(f"{file}: duration: found ")


def test_a_recording_that_is_text_is_named(tree):
    folder = tree()
    file_of_a4(folder).unlink()
    file_of_a4(folder).write_bytes(b"not found\n" * 50)
    assert wrong(folder, ONE).startswith(f"{file_of_a4(folder)}: ")


def test_what_is_not_selected_may_be_broken(tree):
    tables = corpus()
    tables["sounds"][A4].update(note="H", player=None, reference="yes")
    folder = tree(tables=tables)
    shutil.rmtree(folder / "sound_files" / "flute_almudena_reference")
    assert len(imported(folder, ONE)) == 3
