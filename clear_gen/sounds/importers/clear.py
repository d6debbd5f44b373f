"""The published CLEAR generator's folder: ``elementary_sounds.json`` beside WAV files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from clear_gen.core.gathering import Gathering
from clear_gen.core.progress import counted
from clear_gen.sounds.attributes import Attribute
from clear_gen.sounds.importers.common import GOOD_SOUNDS_LICENCE, Format, ImportOptions, recording_of_row, text_of_cell
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.tables import read_rows

TABLE = "elementary_sounds.json"


def import_clear(
    folder: Path, attributes: Mapping[str, Attribute], sample_rate: int, gathering: Gathering | None = None
) -> list[Recording]:
    """The sounds of the published generator's folder, as they are (mono, resampled if they have another rate).

    Raises InputError naming file and field; with ``gathering`` that keeps those of single recordings.
    """
    table = folder / TABLE
    recordings = []
    for row in counted(read_rows(table), "recordings read"):
        with gathering.item() if gathering else nullcontext():
            source = f"Good-Sounds, pack {text_of_cell(row, 'pack', table) or 'unknown'}"
            made = recording_of_row(row, folder, table, attributes, sample_rate, source, GOOD_SOUNDS_LICENCE)
            recordings.append(made)
    return recordings


def _read(
    source: Path,
    attributes: Mapping[str, Attribute],
    options: ImportOptions,
    rng: np.random.Generator,
    gathering: Gathering,
) -> list[Recording]:
    return import_clear(source, attributes, options.sample_rate, gathering)


FORMAT = Format("the published generator's folder: elementary_sounds.json + WAV", _read, keeps_sounds=True)
