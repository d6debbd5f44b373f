"""Recordings and tables on disk, from outside: these readers expect anything and say in one line what is wrong."""

from __future__ import annotations

import csv
import json
import math
import struct
from collections import Counter
from collections.abc import Iterable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text
from clear_gen.core.text import has_controls, shown

MAX_TABLE_BYTES = 50_000_000  # some 300 000 rows; read, they take ten times as much
MAX_CHANNELS = 8  # 7.1 surround; a header that says more is damaged
MAX_DURATION_S = 3600.0  # an elementary sound lasts seconds; what is longer is no recording of one
MAX_FRAMES = 1 << 28  # 1 GiB as float32, an hour at 74 kHz: a few bytes of FLAC can hold any number of equal samples
SAMPLE_RATES = (1_000, 1_000_000)  # Hz; a change between rates far apart takes a filter of as many coefficients
MAX_PEAK = 10.0  # 20 dB over full scale: more than any decoder overshoots
BLOCK_FRAMES = 1 << 20


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
    if not inside or has_controls(name):
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


def read_audio(path: Path) -> tuple[np.ndarray, int]:
    """float32 [n] mono and the sample rate in Hz, whatever libsndfile reads; other formats through pydub and ffmpeg."""
    if not path.is_file():
        raise InputError(f"{path}: not found, expected a recording")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:  # TypeError: a name that ends in .raw
        if path.suffix.lower() not in (".m4a", ".mp4", ".aac", ".wma", ".webm"):
            raise InputError(f"{path}: unreadable ({error})") from None
        samples, rate = _read_with_ffmpeg(path)
        return samples.mean(axis=1), rate
    with file:
        _check_header(path, file.channels, file.frames, file.samplerate)
        mono = _read_mono(path, file)
    peak = float(np.abs(mono).max(initial=0))
    if MAX_PEAK < peak < math.inf:
        raise InputError(f"{path}: samples: found a peak of {peak:.3g}, expected at most full scale, which is 1")
    return mono, file.samplerate


def _read_mono(path: Path, file: soundfile.SoundFile) -> np.ndarray:
    """Block by block, so that memory is taken for what the file delivers and not for what its header promises."""
    blocks: list[np.ndarray] = []
    try:
        while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            with np.errstate(all="ignore"):  # of NaN and Inf, which are refused once the recording is whole
                blocks.append(_mean_of_channels(block))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"{path}: unreadable ({error})") from None
    n_samples = sum(map(len, blocks))
    if n_samples < file.frames:
        raise InputError(f"{path}: samples: found {n_samples:,}, expected {file.frames:,} by its header")
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _mean_of_channels(block: np.ndarray) -> np.ndarray:
    """float32 [n_frames, n_channels] -> [n_frames]. Channel by channel: ``mean`` takes twenty times as long for two."""
    mono: np.ndarray = block[:, 0].copy()
    for channel in block.T[1:]:
        mono += channel
    return mono / np.float32(block.shape[1])


def _check_header(path: Path, channels: int, frames: int, sample_rate: int) -> None:
    """Before memory is taken for what a header promises."""
    if channels > MAX_CHANNELS:
        raise InputError(f"{path}: channels: found {channels}, expected at most {MAX_CHANNELS}")
    if not SAMPLE_RATES[0] <= sample_rate <= SAMPLE_RATES[1]:
        expected = f"{SAMPLE_RATES[0]:,} to {SAMPLE_RATES[1]:,} Hz"
        raise InputError(f"{path}: sample rate: found {sample_rate:,} Hz, expected {expected}")
    if frames > MAX_DURATION_S * sample_rate:
        found = f"{frames / sample_rate:,.0f} s"
        raise InputError(f"{path}: duration: found {found} by its header, expected at most {MAX_DURATION_S:,.0f} s")
    if frames > MAX_FRAMES:
        raise InputError(f"{path}: samples: found {frames:,} by its header, expected at most {MAX_FRAMES:,}")
    with open(path, "rb") as file:
        found_bytes, promised_bytes = _sample_bytes(file)
    if found_bytes < promised_bytes:
        expected = f"{promised_bytes:,} by its header: it was cut off"
        raise InputError(f"{path}: samples: found {found_bytes:,} bytes, expected {expected}")


# First four bytes of a file made of chunks: where the first chunk begins, the form of a chunk's head (name, size), the
# name of the chunk of the samples, how much of its own head a chunk's size counts, and what chunks are aligned to.
_CONTAINERS = {
    b"RIFF": (12, "<4sI", b"data", 0, 2),
    b"RF64": (12, "<4sI", b"data", 0, 2),
    b"RIFX": (12, ">4sI", b"data", 0, 2),
    b"FORM": (12, ">4sI", b"SSND", 0, 2),
    b"riff": (40, "<4s12xQ", b"data", 24, 8),  # Sony's Wave64
    b"caff": (8, ">4sq", b"data", 0, 1),
}


def _sample_bytes(file: BinaryIO) -> tuple[int, int]:
    """(bytes that follow the head of the chunk of the samples, bytes that it promises); (0, 0) of another format.

    libsndfile reads a file that was cut off as if it were a shorter one.
    """
    size = file.seek(0, 2)
    file.seek(0)
    magic = file.read(4)
    if magic not in _CONTAINERS:
        return 0, 0
    start, form, samples, own, alignment = _CONTAINERS[magic]
    long_size = 0  # RF64 has the size of its samples in a chunk before them
    file.seek(start)
    while len(head := file.read(struct.calcsize(form))) == struct.calcsize(form):
        name, length = struct.unpack(form, head)
        start, length = file.tell(), length - own
        if name == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if name == samples:
            return size - start, long_size if magic == b"RF64" and length == 0xFFFFFFFF else length
        file.seek(start - max(length, 0) // -alignment * alignment)  # rounded up
    return 0, 0


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
        raise InputError(f"{path}: unreadable ({first_line(error)})") from None
    integers = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    return (integers / float(1 << (8 * segment.sample_width - 1))).astype(np.float32), segment.frame_rate
