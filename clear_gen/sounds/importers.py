"""Recordings from outside: the published CLEAR generator's folder, and any folder of recordings with a table."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile

from clear_gen.io import InputError, first_line
from clear_gen.sounds.analysis import loudness_lufs
from clear_gen.sounds.attributes import Attribute, GivenAttribute, given
from clear_gen.sounds.bank import check_usable
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.resample import resampled

CLEAR_TABLE = "elementary_sounds.json"
CLEAR_LICENCE = "CC-BY-SA-4.0"  # Good-Sounds, Romani Picas et al. 2015
TRIM_DB = -40.0  # what lies further below the peak, at either end, is silence
KEEP_S = 0.005  # kept before the first audible sample, so that no attack loses its start
FADE_SHARE = 0.2  # of the length, as in the published generator


def import_clear(folder: Path, attributes: Mapping[str, Attribute], sample_rate: int) -> list[Recording]:
    """The sounds of the published generator's folder, as they are (mono, resampled if they have another rate).

    Raises InputError naming file and field.
    """
    table = folder / CLEAR_TABLE
    recordings = []
    for row in _rows(table):
        source = f"Good-Sounds, pack {row.get('pack', 'unknown')}"
        recordings.append(_recording(row, folder, table, attributes, sample_rate, source, CLEAR_LICENCE))
    return recordings


def import_folder(
    folder: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    duration_s: tuple[float, float],
    rng: np.random.Generator,
    table: Path | None = None,
    licence: str | None = None,
) -> list[Recording]:
    """Recordings of any kind beside a JSON list or a CSV table of their attributes.

    Every row has ``filename`` and the domain's given attributes, and may have ``licence``, ``source`` or ``pack``.
    Silence at both ends is trimmed; a recording longer than a length drawn from the range ``duration_s`` is cut to it,
    with a fade-out. Raises InputError naming file and field.
    """
    table = table or _only_table(folder)
    recordings = []
    for row in _rows(table):
        own_licence = row.get("licence") or licence
        if not own_licence:
            raise InputError(
                f"{table}: {row.get('filename')}: licence: found none, expected a column, or --licence NAME"
            )
        source = row.get("source") or row.get("pack") or folder.name
        recording = _recording(row, folder, table, attributes, sample_rate, str(source), str(own_licence))
        length_s = rng.uniform(*duration_s)  # drawn for every row, so that one sound's length never moves another's
        recordings.append(_excerpt(recording, length_s, duration_s[0]))
    return recordings


def aligned_level(recordings: list[Recording], median_lufs: float) -> list[Recording]:
    """The recordings times one gain for all, so that their median loudness is ``median_lufs``.

    The gain of a recording library is arbitrary; loudness labels of two libraries can be compared only after this.
    """
    found = median(loudness_lufs(recording.samples, recording.sample_rate) for recording in recordings)
    gain_db = median_lufs - found
    for recording in recordings:
        peak_dbfs = 20 * math.log10(float(np.abs(recording.samples).max()))
        if peak_dbfs + gain_db > 0:
            raise InputError(
                f"{recording.name}: peak: found {peak_dbfs:.1f} dBFS, expected at most {-gain_db:.1f} dBFS, because "
                f"--labels-from raises the level of all recordings by {gain_db:.1f} dB"
            )
    gain = np.float32(10 ** (gain_db / 20))
    return [replace(recording, samples=recording.samples * gain) for recording in recordings]


def _excerpt(recording: Recording, length_s: float, min_duration_s: float) -> Recording:
    samples, rate = recording.samples, recording.sample_rate
    audible = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (TRIM_DB / 20))
    start = max(0, int(audible[0]) - round(KEEP_S * rate))
    samples = samples[start : int(audible[-1]) + 1]
    if len(samples) < round(min_duration_s * rate):
        found = f"{len(samples) / rate:.3f} s without silence"
        raise InputError(f"{recording.name}: duration: found {found}, expected at least {min_duration_s} s")
    cut = samples[: round(length_s * rate)].copy()
    if len(cut) < len(samples):
        n_fade = round(FADE_SHARE * len(cut))
        cut[-n_fade:] *= np.cos(np.linspace(0, np.pi / 2, n_fade, dtype=np.float32)) ** 2
    return replace(recording, samples=cut)


def _recording(
    row: dict[str, Any],
    folder: Path,
    table: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    source: str,
    licence: str,
) -> Recording:
    path = _inside(folder, table, row)
    samples, rate = _read_audio(path)
    samples = resampled(samples, rate, sample_rate)
    values = {name: _value(row, name, rule, table) for name, rule in given(dict(attributes)).items()}
    recording = Recording(path.stem, values, samples, sample_rate, source, licence, str(path))
    check_usable(recording)
    return recording


def _value(row: dict[str, Any], name: str, rule: GivenAttribute, table: Path) -> str | int:
    """The value of the domain that a cell names; a cell that names none is left for the bank to refuse."""
    cell = row.get(name)
    if cell is None or cell == "":
        raise InputError(f"{table}: {row['filename']}: {name}: found nothing, expected a value")
    text = str(cell).strip()
    return next((value for value in rule.values if str(value) == text), cell if isinstance(cell, int) else text[:60])


def _inside(folder: Path, table: Path, row: dict[str, Any]) -> Path:
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


def _only_table(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder}: not found, expected a folder of recordings")
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".json", ".csv"))
    if len(tables) != 1:
        found = ", ".join(path.name for path in tables) or "none"
        raise InputError(f"{folder}: found {found}, expected one JSON or CSV table (or --table FILE)")
    return tables[0]


def _is_csv(table: Path) -> bool:
    return table.suffix.lower() == ".csv"


def _rows(table: Path) -> list[dict[str, Any]]:
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


def _read_audio(path: Path) -> tuple[np.ndarray, int]:
    """float32 [n] mono and the sample rate in Hz, whatever libsndfile reads; other formats through pydub and ffmpeg."""
    if not path.is_file():
        raise InputError(f"{path}: not found, expected a recording")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        if path.suffix.lower() not in (".m4a", ".mp4", ".aac", ".wma", ".webm"):
            raise InputError(f"{path}: unreadable ({error})") from None
        samples, rate = _read_with_ffmpeg(path)
    return samples.mean(axis=1), rate


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
