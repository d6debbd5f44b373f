"""Tables of recordings that mixtures are made of, from outside: every message names the line."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text
from clear_gen.core.text import has_controls, shown
from clear_gen.mixtures.recordings.types import Background, Event

MAX_TABLE_BYTES = 50_000_000  # some 300 000 rows; read, they take ten times as much


@dataclass(frozen=True)
class Row:
    """The cells of the columns that were asked for, without blanks around them; ``where``: file and line."""

    where: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Clip:
    """What is known of a recording before anybody looked for its file; ``where``: file and line, for messages."""

    where: str
    source_id: str
    path: Path
    group: str
    licence: str
    label: str = ""
    is_verified: bool = True

    @property
    def is_there(self) -> bool:
        """Whether its file is; no if the name is none that a file can have."""
        return os.path.isfile(self.path)

    def event(self) -> Event:
        """The clip as an event."""
        return Event(self.source_id, self.path, self.label, self.group, self.licence, self.is_verified)

    def background(self) -> Background:
        """The clip as a background."""
        return Background(self.source_id, self.path, self.group, self.licence)


def read_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, delimiter: str = ",", has_header: bool = True
) -> list[Row]:
    """The rows of a table in UTF-8, with or without byte order mark, whatever ends its lines; empty lines are nothing.

    A row has a cell for each of ``required``, never empty, and for those of ``optional`` that are columns; other
    columns are ignored. Without a header the columns are ``required``. Raises InputError naming file, line and column.
    """
    lines = _lines(path, delimiter)
    names = list(required) if not has_header else [name.strip() for name in next(lines, (1, []))[1]]
    if missing := [name for name in required if name not in names]:
        found = shown(", ".join(names)) or "none"
        raise InputError(f"{path}:1: {missing[0]}: found no such column among {found}, expected {', '.join(required)}")
    columns = [name for name in (*required, *optional) if name in names]
    if twice := [name for name in columns if names.count(name) > 1]:
        raise InputError(f"{path}:1: {twice[0]}: found twice, expected one column of that name")
    rows = []
    for line, cells in lines:
        if len(cells) != len(names):
            raise InputError(
                f"{path}:{line}: found {len(cells)} cells, expected {len(names)}: {shown(', '.join(names))}"
            )
        row = {name: cells[names.index(name)].strip() for name in columns}
        for name, cell in row.items():
            if has_controls(cell) or (name in required and not cell):
                raise InputError(f"{path}:{line}: {name}: found {shown(cell) or 'nothing'}, expected text of one line")
        rows.append(Row(f"{path}:{line}", row))
    if not rows:
        raise InputError(f"{path}: {required[0]}: found no rows, expected one per recording")
    return rows


def _lines(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line where the row begins, its cells)"""
    text = read_text(path, MAX_TABLE_BYTES, "a table of recordings")
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)  # a quote left open is an error
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"{path}:{line}: not valid CSV: {error}") from None
        if cells:
            yield line, cells


def present(clips: Sequence[Clip], allow_missing: bool) -> list[Clip]:
    """The clips whose file is there, in their order.

    Raises InputError that counts the others and names the first, unless ``allow_missing`` and at least one is there.
    """
    missing = [clip for clip in clips if not clip.is_there]
    if missing and not (allow_missing and len(missing) < len(clips)):
        first, expected = missing[0], "at least one of them" if allow_missing else "all of them, or --allow-missing"
        found = f"{first.path} and {len(missing) - 1:,} more" if len(missing) > 1 else str(first.path)
        raise InputError(f"{first.where}: found no file {found} of {len(clips):,}, expected {expected}")
    absent = {clip.source_id for clip in missing}
    return [clip for clip in clips if clip.source_id not in absent]
