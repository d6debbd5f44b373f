"""Tables of recordings on disk, from outside: these readers expect anything and say in one line what is wrong."""

from __future__ import annotations

import csv
import json
import math
import os
from collections import Counter
from collections.abc import Iterable
from functools import partial
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text
from clear_gen.core.text import has_controls, seen_name, shown

MAX_TABLE_BYTES = 50_000_000  # some 300 000 rows; read, they take ten times as much


def file_inside(folder: Path, table: Path, row: dict[str, Any], root: Path | None = None) -> Path:
    """The file that a row names, links followed. Raises InputError unless it lies inside ``folder``.

    ``root``: the folder in which it must lie instead, for a table whose paths are the user's own; then the path may be
    absolute, or lead out of ``folder``.
    """
    name = row.get("filename")
    if not isinstance(name, str) or not name:
        raise InputError(f"{table}: filename: found {name!r}, expected a file name")
    path = _as_on_disk(folder, name)
    try:
        inside = path.resolve().is_relative_to((root or folder).resolve()) and (path.is_file() or not path.exists())
    except (OSError, ValueError, RuntimeError):
        inside = False  # a name that no file can have, or a link to itself
    if not inside or has_controls(name):
        raise InputError(f"{table}: filename: found {name[:200]!r}, expected a file inside {root or folder}")
    return path


def _as_on_disk(folder: Path, name: str) -> Path:
    """The file of that name, or the one whose name looks the same, as where another system composed its letters."""
    path = folder / name
    if name.isascii() and " " not in name:  # looks like no other; a folder is not listed for every missing file
        return path
    try:
        if path.exists() or not seen_name(name):
            return path
        found = folder
        for part in PurePosixPath(name).parts:  # of an absolute one, "/" comes first
            alike = [entry for entry in os.listdir(found) if seen_name(entry) == seen_name(part)]
            found = found / (part if part in alike or len(alike) != 1 else alike[0])
        return found if found.exists() else path
    except (OSError, ValueError):
        return path


def only_table(folder: Path) -> Path:
    """The one JSON or CSV table of a folder. Raises InputError if there is none or several."""
    if not folder.is_dir():
        raise InputError(f"{folder}: not found, expected a folder of recordings")
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".json", ".csv"))
    if len(tables) != 1:
        found = ", ".join(path.name for path in tables) or "none"
        raise InputError(f"{folder}: found {found}, expected one JSON or CSV table (or --table FILE)")
    return tables[0]


def _is_csv(table: Path) -> bool:
    return table.suffix.lower() == ".csv"


def read_rows(table: Path) -> list[dict[str, Any]]:
    """The rows of a CSV table or of a JSON list of objects. Raises InputError naming the line."""
    text = read_text(table, MAX_TABLE_BYTES, "a table of the recordings")  # as it is: a cell may hold line breaks
    try:
        rows: Any = (
            _csv_rows(text, table) if _is_csv(table) else json.loads(text, object_pairs_hook=partial(_object, table))
        )
    except json.JSONDecodeError as error:
        raise InputError(f"{table}:{error.lineno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{table}: not a table that can be read ({first_line(error)})") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{table}: found {type(rows).__name__}, expected a list with one object per recording")
    if not rows:
        raise InputError(f"{table}: found no rows, expected one per recording")
    return rows


def _csv_rows(text: str, table: Path) -> list[dict[str, Any]]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)  # strict: a quote left open would swallow rows
    try:
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise InputError(f"{table}:{reader.line_num}: not valid CSV: {error}") from None
    names = rows[0][1] if rows else []
    if twice := _twice(name for name in names if name):
        raise InputError(f"{table}:1: {shown(twice)}: found twice, expected one column of that name")
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            name = names[len(cells)] if len(cells) < len(names) else names[-1]
            raise InputError(f"{table}:{line}: {shown(name)}: found {len(cells)} cells, expected {len(names)}")
        for name, cell in zip(names, cells, strict=True):
            if "\0" in cell:
                raise InputError(f"{table}:{line}: {shown(name)}: found {shown(cell)}, expected text")
    return [dict(zip(names, cells, strict=True)) for _, cells in rows[1:]]


def _twice(names: Iterable[str]) -> str | None:
    return next((name for name, number in Counter(names).items() if number > 1), None)


def _object(table: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object without what Python's reader lets pass: a name twice, NaN, numbers beyond the largest float."""
    values = dict(pairs)
    at = f"{table}: {shown(str(values.get('filename')))}"
    if (twice := _twice(name for name, _ in pairs)) is not None:
        raise InputError(f"{at}: {shown(twice)}: found twice, expected once")
    for name, value in pairs:
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{at}: {shown(name)}: found {value}, expected a finite number")
    return values
