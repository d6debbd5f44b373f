"""What importers share: a row of a table becomes a recording, which is trimmed, cut and brought to a level."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.gathering import Gathering
from clear_gen.core.text import seen_name, shown
from clear_gen.dsp.resample import resampled
from clear_gen.sounds.analysis import loudness_lufs
from clear_gen.sounds.attributes import Attribute, GivenAttribute, given
from clear_gen.sounds.bank import check_usable
from clear_gen.sounds.files import read_audio
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.tables import file_inside

GOOD_SOUNDS_LICENCE = "CC-BY-SA-4.0"  # Romani Picas et al. 2015; also of what was taken from there
TRIM_DB = -40.0  # what lies further below the peak, at either end, is silence
KEEP_S = 0.005  # kept before the first audible sample, so that no attack loses its start
FADE_SHARE = 0.2  # of the length, as in the published generator


Read = Callable[[Path, Mapping[str, Attribute], "ImportOptions", np.random.Generator, Gathering], list[Recording]]


@dataclass(frozen=True)
class Format:
    """A form in which recordings come from outside.

    ``read``: (source, the domain's attributes, options, a generator for random lengths, what gathers recordings that
    cannot be used) to recordings. ``options``: those of ``ImportOptions`` that it takes, of the ones that not every
    format takes. ``keeps_sounds``: they are neither cut nor brought to the training bank's level. ``summary``: for
    ``clear-gen bank import --help``.
    """

    summary: str
    read: Read
    options: tuple[str, ...] = ()
    keeps_sounds: bool = False


@dataclass(frozen=True)
class ImportOptions:
    """What the user asks of an import; every format takes ``sample_rate`` (Hz), and those that its row names.

    ``duration``: shortest and longest length in s, of which one is drawn for each sound. ``shortest``: of a recording,
    in s. ``klass`` to ``pack``: which takes of a corpus are used; ``klass`` is a prefix, an empty tuple means all.
    """

    sample_rate: int = 48_000
    duration: tuple[float, float] = (0.7, 1.1)
    seed: int = 0
    table: Path | None = None
    root: Path | None = None
    licence: str | None = None
    shortest: float | None = None
    presets: Path | None = None
    klass: str = "good-sound"
    instrument: tuple[str, ...] = ()
    microphone: tuple[str, ...] = ()
    player: tuple[str, ...] = ()
    pack: tuple[str, ...] = ()


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


def recording_of_row(
    row: dict[str, Any],
    folder: Path,
    table: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    source: str,
    licence: str,
    root: Path | None = None,
) -> Recording:
    """The recording that a row of a table names, with its attributes; mono at ``sample_rate``.

    Raises InputError naming file and field.
    """
    path = file_inside(folder, table, row, root)
    samples, rate = read_audio(path)
    samples = resampled(samples, rate, sample_rate)
    values = {name: _value(row, name, rule, table) for name, rule in given(dict(attributes)).items()}
    recording = Recording(path.stem, values, samples, sample_rate, source, licence, str(path))
    check_usable(recording)
    return recording


def text_of_cell(row: dict[str, Any], name: str, table: Path) -> str:
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
    text = seen_name(str(cell))
    number = isinstance(cell, int) and not isinstance(cell, bool) and len(text) < 20
    return next((value for value in rule.values if str(value) == text), cell if number else text[:60])
