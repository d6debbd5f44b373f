"""Recordings and tables on disk, from outside: these readers expect anything and say in one line what is wrong."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from clear_gen.io import InputError, first_line

MAX_CHANNELS = 8  # 7.1 surround; a header that says more is damaged
MAX_DURATION_S = 3600.0  # an elementary sound lasts seconds; what is longer is no recording of one


def file_inside(folder: Path, table: Path, row: dict[str, Any]) -> Path:
    """The file that a row names, links followed. Raises InputError unless it lies inside ``folder``."""
    name = row.get("filename")
    if not isinstance(name, str) or not name:
        raise InputError(f"{table}: filename: found {name!r}, expected a file name")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) and (path.is_file() or not path.exists())
    except (OSError, ValueError, RuntimeError):
        inside = False  # a name that no file can have, or a link to itself
    if not inside:
        raise InputError(f"{table}: filename: found {name[:200]!r}, expected a file inside {folder}")
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
    try:
        text = table.read_bytes().decode("utf-8-sig")  # as it is: a quoted cell may hold line breaks
    except FileNotFoundError:
        raise InputError(f"{table}: not found, expected a table of the recordings") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table}: cannot be read as UTF-8 text ({error})") from None
    try:
        rows: Any = list(csv.DictReader(StringIO(text, newline=""))) if _is_csv(table) else json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{table}:{error.lineno}: not valid JSON: {error.msg}") from None
    except (csv.Error, ValueError, RecursionError) as error:
        raise InputError(f"{table}: not a table that can be read ({first_line(error)})") from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{table}: found {type(rows).__name__}, expected a list with one object per recording")
    return rows


def read_audio(path: Path) -> tuple[np.ndarray, int]:
    """float32 [n] mono and the sample rate in Hz, whatever libsndfile reads; other formats through pydub and ffmpeg."""
    if not path.is_file():
        raise InputError(f"{path}: not found, expected a recording")
    try:
        found = soundfile.info(path)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        if path.suffix.lower() not in (".m4a", ".mp4", ".aac", ".wma", ".webm"):
            raise InputError(f"{path}: unreadable ({error})") from None
        samples, rate = _read_with_ffmpeg(path)
        return samples.mean(axis=1), rate
    _check_header(path, found.channels, found.frames, found.samplerate)
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"{path}: unreadable ({error})") from None
    return samples.mean(axis=1), rate


def _check_header(path: Path, channels: int, frames: int, sample_rate: int) -> None:
    """Before memory is taken for what a header promises."""
    if channels > MAX_CHANNELS:
        raise InputError(f"{path}: channels: found {channels}, expected at most {MAX_CHANNELS}")
    if frames > MAX_DURATION_S * sample_rate:
        found = f"{frames / sample_rate:,.0f} s"
        raise InputError(f"{path}: duration: found {found} by its header, expected at most {MAX_DURATION_S:,.0f} s")


def _read_with_ffmpeg(path: Path) -> tuple[np.ndarray, int]:
    try:
        from pydub import AudioSegment
        from pydub.exceptions import CouldntDecodeError
    except ImportError:
        raise InputError(
            f"{path}: unreadable here; pip install 'clear-gen[formats]' and ffmpeg, or convert it"
        ) from None
    try:
        segment = AudioSegment.from_file(path)
    except (CouldntDecodeError, OSError) as error:
        raise InputError(f"{path}: unreadable ({str(error).splitlines()[0]})") from None
    integers = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    return (integers / float(1 << (8 * segment.sample_width - 1))).astype(np.float32), segment.frame_rate
