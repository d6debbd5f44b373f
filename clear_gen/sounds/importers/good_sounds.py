"""Good-Sounds: single notes of twelve instruments, by several players and microphones (Romani Picas et al. 2015).

Three tables, in ``database.sqlite`` or in ``packs.json``, ``sounds.json`` and ``takes.json`` (``{"<id>": {...}}``), and
the recordings that ``takes.filename`` names, in the folder or in ``good-sounds`` below it; a take is one sound by one
microphone. Source: https://zenodo.org/records/820937
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.gathering import Gathering
from clear_gen.core.names import not_among
from clear_gen.core.progress import counted
from clear_gen.core.text import has_controls
from clear_gen.dsp.resample import resampled
from clear_gen.sounds.attributes import Attribute, GivenAttribute, given
from clear_gen.sounds.bank import check_usable
from clear_gen.sounds.files import read_audio
from clear_gen.sounds.importers.common import GOOD_SOUNDS_LICENCE, Format, ImportOptions, excerpt
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.tables import file_inside

DATABASE = "database.sqlite"
BELOW = "good-sounds"  # where the corpus's own archive unpacks to
SOURCE = re.compile("Good-Sounds, player (?P<player>[^,]+), microphone (?P<microphone>[^,]+), pack (?P<pack>[^,]+)")

Row = dict[str, Any]
Rows = dict[int, Row]


@dataclass(frozen=True)
class Selection:
    """Which takes of the corpus are used: ``klass`` is a prefix, of the others an empty tuple means all."""

    klass: str = "good-sound"
    instruments: tuple[str, ...] = ()
    microphones: tuple[str, ...] = ()
    players: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()


def import_good_sounds(
    folder: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    duration_s: tuple[float, float],
    rng: np.random.Generator,
    selection: Selection,
    gathering: Gathering | None = None,
) -> list[Recording]:
    """One recording of the corpus in ``folder`` per combination of the given attributes (instrument, note, octave).

    Of several takes of one note the one of a reference sound is used, then the one of the lowest ``sounds.id``, then
    the lowest ``takes.id``; a ``reference`` that is null counts as 0. The recordings are in the order of the domain's
    instruments, then octaves, then notes, whatever the order of the tables. Silence at both ends is trimmed; what is
    longer than a length drawn from the range ``duration_s`` is cut to it, with a fade-out.

    Instruments that the domain lacks are left out, unless ``selection`` names them. Raises InputError naming file and
    field if a table or a recording is not what it must be, or if ``selection`` names something that is not there; with
    ``gathering`` that keeps those of single recordings.
    """
    named = ("instrument", "octave", "note", *given(dict(attributes)))
    rules = dict(sorted(given(dict(attributes)).items(), key=lambda item: named.index(item[0])))
    takes = _selected(_joined(_tables(folder, tuple(rules))), selection, rules, folder)
    recordings = []
    for take in counted(_one_per_note(takes, rules), "recordings read"):
        length_s = rng.uniform(*duration_s)
        with gathering.item() if gathering else nullcontext():
            recordings.append(excerpt(_recording(take, folder, sample_rate), length_s, duration_s[0]))
    return recordings


def source_of(player: str, microphone: str, pack: str) -> str:
    """What ``Recording.source`` says. ``%`` and ``,`` within a value are percent-encoded, so that it can be parsed.

    >>> source_of("Smith, John", "akg", "solo")
    'Good-Sounds, player Smith%2C John, microphone akg, pack solo'
    """
    player, microphone, pack = (value.replace("%", "%25").replace(",", "%2C") for value in (player, microphone, pack))
    return f"Good-Sounds, player {player}, microphone {microphone}, pack {pack}"


def origin(source: str) -> dict[str, str] | None:
    """The values that ``source_of`` was given: ``player``, ``microphone`` and ``pack``; None for any other source."""
    match = SOURCE.fullmatch(source)
    return {field: unquote(value) for field, value in match.groupdict().items()} if match else None


def shared_origins(train_sources: Iterable[str], test_sources: Iterable[str]) -> list[str]:
    """The players and microphones that both sides have, sorted; sources of another form have none.

    >>> shared_origins([source_of("ana", "akg", "a")], [source_of("ana", "neumann", "b"), "another corpus"])
    ['player ana']
    """
    sides = [
        {f"{field} {found[field]}" for found in map(origin, sources) if found for field in ("player", "microphone")}
        for sources in (train_sources, test_sources)
    ]
    return sorted(sides[0] & sides[1])


def _tables(folder: Path, given_names: tuple[str, ...]) -> dict[str, Rows]:
    columns = {
        "packs": ("name",),
        "sounds": ("pack_id", "klass", "player", "reference", "instrument", *given_names),
        "takes": ("sound_id", "microphone", "filename"),
    }
    roots = (folder, folder / BELOW)
    layouts = [dict.fromkeys(columns, root / DATABASE) for root in roots]
    layouts += [{table: root / f"{table}.json" for table in columns} for root in roots]
    for files in layouts:
        if files["takes"].exists():
            return {table: _rows(file, table, columns[table]) for table, file in files.items()}
    raise InputError(f"{folder}: tables: found none, expected {DATABASE} or takes.json, there or in {BELOW}/")


def _from_sqlite(file: Path, table: str) -> list[tuple[Any, Any]]:
    uri = f"{file.resolve().as_uri()}?mode=ro&immutable=1"  # immutable: no lock and no file beside it
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            # a comment in another encoding harms nothing, and a name in one is refused as not printable
            connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
    except sqlite3.Error as error:
        raise InputError(f"{file}: {table}: found {first_line(error)}, expected a table in SQLite") from None
    return [(row.get("id"), row) for row in rows]


def _from_json(file: Path) -> list[tuple[Any, Any]]:
    try:
        found = json.loads(file.read_bytes().decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: found {first_line(error)}, expected a JSON table in UTF-8") from None
    if not isinstance(found, dict):
        raise InputError(f'{file}: found {type(found).__name__}, expected an object {{"<id>": {{...}}}}')
    return list(found.items())


def _without_repeats(pairs: list[tuple[str, Any]]) -> Row:
    """An object of JSON; the parser's own way is to keep the last of two equal keys and to say nothing."""
    if len(row := dict(pairs)) < len(pairs):
        raise ValueError("a key twice in one object")
    return row


def _rows(file: Path, table: str, columns: tuple[str, ...]) -> Rows:
    """The rows by id, each with ``id`` and ``where``: what messages call it."""
    found = _from_sqlite(file, table) if file.name == DATABASE else _from_json(file)
    rows: Rows = {}
    for key, row in found:
        number = _number(key, f"{file}: {table}: id")
        where = f"{file}: {table} {number}"
        if missing := [column for column in columns if not isinstance(row, dict) or column not in row]:
            raise InputError(f"{where}: {missing[0]}: found no such field, expected one")
        if number in rows or _number(row.get("id", key), f"{where}: id") != number:
            raise InputError(f"{where}: id: found twice or another in the row, expected one id for one row")
        rows[number] = {**{column: row[column] for column in columns}, "id": number, "where": where}
    if not rows:
        raise InputError(f"{file}: {table}: id: found no rows, expected at least one")
    return rows


def _number(cell: Any, where: str) -> int:
    text = str(cell)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InputError(f"{where}: found {cell!r:.100}, expected a whole number")
    return int(text)


def _joined(tables: dict[str, Rows]) -> list[Row]:
    """Every take with the fields of its sound and the name of its pack."""
    for sound in tables["sounds"].values():
        sound["pack"] = _referred(sound, "pack_id", tables["packs"])["name"]
    own = {"id": "take_id", "where": "take_where"}
    return [
        _referred(take, "sound_id", tables["sounds"]) | {own.get(name, name): cell for name, cell in take.items()}
        for take in tables["takes"].values()
    ]


def _referred(row: Row, field: str, rows: Rows) -> Row:
    number = _number(row[field], f"{row['where']}: {field}")
    if number not in rows:
        raise InputError(f"{row['where']}: {field}: found {number}, expected the id of one of {len(rows)} rows")
    return rows[number]


def _selected(takes: list[Row], selection: Selection, rules: Mapping[str, GivenAttribute], folder: Path) -> list[Row]:
    wanted: dict[str, tuple[str, ...]] = {}
    for field in ("instrument", "microphone", "player", "pack"):
        there = {take[field] for take in takes if isinstance(take[field], str) and not has_controls(take[field])}
        if field == "instrument" and field in rules:
            there &= set(rules[field].values)
        names = getattr(selection, f"{field}s")
        if unknown := [name for name in names if name not in there]:
            raise InputError(f"{folder}: {field}: {not_among(unknown[0], sorted(there))}")
        if names or field == "instrument":
            wanted[field] = names or tuple(sorted(there))
    selected = [take for take in takes if str(take["klass"] or "").startswith(selection.klass)]
    selected = [take for take in selected if all(take[field] in names for field, names in wanted.items())]
    if not selected:
        criteria = "".join(f", {field} {' or '.join(names)}" for field, names in wanted.items())
        raise InputError(f"{folder}: found no sounds with klass {selection.klass}*{criteria}, expected at least one")
    return selected


def _one_per_note(takes: list[Row], rules: Mapping[str, GivenAttribute]) -> list[Row]:
    chosen: dict[tuple[int, ...], Row] = {}
    for take in takes:
        if take["reference"] not in (None, 0, 1, "0", "1"):
            raise InputError(f"{take['where']}: reference: found {take['reference']!r:.100}, expected 0 or 1")
    for take in sorted(takes, key=lambda take: (take["reference"] not in (1, "1"), take["id"], take["take_id"])):
        take["values"] = {name: _value(take, name, rule) for name, rule in rules.items()}
        chosen.setdefault(tuple(rules[name].values.index(value) for name, value in take["values"].items()), take)
    return [chosen[key] for key in sorted(chosen)]


def _value(take: Row, name: str, rule: GivenAttribute) -> str | int:
    """The value of the domain that a cell names."""
    cell = take[name]  # a float where a tool met gaps in the column, as scales leave in octave
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    if text in (named := {str(value): value for value in rule.values}):
        return named[text]
    raise InputError(f"{take['where']}: {name}: {not_among(cell, named)}")


def _recording(take: Row, folder: Path, sample_rate: int) -> Recording:
    name = _text(take, "filename", take["take_where"])
    paths = [file_inside(root, Path(take["take_where"]), take) for root in (folder, folder / BELOW)]
    if not (path := next((found for found in paths if found.is_file()), None)):
        raise InputError(f"{take['take_where']}: filename: found no file {name}, expected it in {folder} or {BELOW}/")
    player, pack = (_text(take, field, take["where"]) for field in ("player", "pack"))
    microphone = _text(take, "microphone", take["take_where"])
    sound_id = "_".join(map(str, (*take["values"].values(), re.sub(r"\W+", "-", microphone), take["take_id"])))
    samples, source = resampled(*read_audio(path), sample_rate), source_of(player, microphone, pack)
    recording = Recording(sound_id, take["values"], samples, sample_rate, source, GOOD_SOUNDS_LICENCE, str(path))
    check_usable(recording)
    return recording


def _text(row: Row, field: str, where: str) -> str:
    cell = row[field]
    if not isinstance(cell, str) or not cell or has_controls(cell):
        raise InputError(f"{where}: {field}: found {cell!r:.100}, expected a name")
    return cell


def _read(
    source: Path,
    attributes: Mapping[str, Attribute],
    options: ImportOptions,
    rng: np.random.Generator,
    gathering: Gathering,
) -> list[Recording]:
    selection = Selection(options.klass, options.instrument, options.microphone, options.player, options.pack)
    return import_good_sounds(source, attributes, options.sample_rate, options.duration, rng, selection, gathering)


FORMAT = Format(
    "the Good-Sounds corpus (database.sqlite or JSON tables): one reference take per note, selected by the options",
    _read,
    options=("duration", "seed", "klass", "instrument", "microphone", "player", "pack"),
)
