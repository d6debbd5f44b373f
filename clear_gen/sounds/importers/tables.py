"""Recordings from outside: the published CLEAR generator's folder, and any folder of recordings with a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.dsp.resample import resampled
from clear_gen.sounds.analysis import loudness_lufs
from clear_gen.sounds.attributes import Attribute, GivenAttribute, given
from clear_gen.sounds.bank import check_usable
from clear_gen.sounds.files import file_inside, only_table, read_audio, read_rows
from clear_gen.sounds.recording import Recording

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
    for row in read_rows(table):
        source = f"Good-Sounds, pack {_text(row, 'pack', table) or 'unknown'}"
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
    shortest_s: float | None = None,
) -> list[Recording]:
    """Recordings of any kind beside a JSON list or a CSV table of their attributes.

    Every row has ``filename`` and the domain's given attributes, and may have ``licence``, ``source`` or ``pack``.
    Silence at both ends is trimmed; a recording longer than a length drawn from the range ``duration_s`` is cut to it,
    with a fade-out; one shorter than ``shortest_s`` (default: the range's least) is refused. Raises InputError naming
    file and field.
    """
    least_s = duration_s[0] if shortest_s is None else shortest_s
    table = table or only_table(folder)
    recordings = []
    for row in read_rows(table):
        own_licence = _text(row, "licence", table) or licence
        if not own_licence:
            name = shown(str(row.get("filename")))
            raise InputError(f"{table}: {name}: licence: found none, expected a column, or --licence NAME")
        source = _text(row, "source", table) or _text(row, "pack", table) or folder.name
        recording = _recording(row, folder, table, attributes, sample_rate, source, own_licence)
        length_s = rng.uniform(*duration_s)  # drawn for every row, so that one sound's length never moves another's
        recordings.append(excerpt(recording, length_s, least_s))
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


def excerpt(recording: Recording, length_s: float, min_duration_s: float) -> Recording:
    """The recording without silence at its ends, cut to ``length_s`` with a fade-out if it is longer.

    Raises InputError if less than ``min_duration_s`` is left.
    """
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
    path = file_inside(folder, table, row)
    samples, rate = read_audio(path)
    samples = resampled(samples, rate, sample_rate)
    values = {name: _value(row, name, rule, table) for name, rule in given(dict(attributes)).items()}
    recording = Recording(path.stem, values, samples, sample_rate, source, licence, str(path))
    check_usable(recording)
    return recording


def _text(row: dict[str, Any], name: str, table: Path) -> str:
    """A cell of free text, which may hold line breaks; "" if there is none."""
    cell = row.get(name)
    text = str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else "" if cell is None else cell
    if not isinstance(text, str) or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        at = f"{table}: {shown(str(row.get('filename')))}: {name}"
        raise InputError(f"{at}: found {repr(cell)[:60]}, expected text")
    return text


def _value(row: dict[str, Any], name: str, rule: GivenAttribute, table: Path) -> str | int:
    """The value of the domain that a cell names; a cell that names none is left for the bank to refuse."""
    cell = row.get(name)
    if cell is None or cell == "":
        raise InputError(f"{table}: {row['filename']}: {name}: found nothing, expected a value")
    text = str(cell).strip()
    number = isinstance(cell, int) and not isinstance(cell, bool) and len(text) < 20
    return next((value for value in rule.values if str(value) == text), cell if number else text[:60])
