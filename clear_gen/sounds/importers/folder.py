"""Any recordings in a folder, beside a JSON or CSV table of their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.gathering import Gathering
from clear_gen.core.progress import counted
from clear_gen.core.text import shown
from clear_gen.sounds.attributes import Attribute
from clear_gen.sounds.importers.common import Format, ImportOptions, excerpt, recording_of_row, text_of_cell
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.tables import only_table, read_rows


def import_folder(
    folder: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    duration_s: tuple[float, float],
    rng: np.random.Generator,
    table: Path | None = None,
    licence: str | None = None,
    shortest_s: float | None = None,
    root: Path | None = None,
    gathering: Gathering | None = None,
) -> list[Recording]:
    """Recordings of any kind beside a JSON list or a CSV table of their attributes.

    Every row has ``filename`` and the domain's given attributes, and may have ``licence``, ``source`` or ``pack``.
    Silence at both ends is trimmed; a recording longer than a length drawn from the range ``duration_s`` is cut to it,
    with a fade-out; one shorter than ``shortest_s`` (default: the range's least) is refused. Raises InputError naming
    file and field; with ``gathering`` that keeps those of single recordings.
    """
    least_s = duration_s[0] if shortest_s is None else shortest_s
    table = table or only_table(folder)
    recordings = []
    for row in counted(read_rows(table), "recordings read"):
        length_s = rng.uniform(*duration_s)  # drawn for every row, so that one sound's length never moves another's
        with gathering.item() if gathering else nullcontext():
            recording = _recording(row, folder, table, attributes, sample_rate, licence, root)
            recordings.append(excerpt(recording, length_s, least_s))
    return recordings


def _recording(
    row: dict[str, Any],
    folder: Path,
    table: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    licence: str | None,
    root: Path | None,
) -> Recording:
    own_licence = text_of_cell(row, "licence", table) or licence
    if not own_licence:
        name = shown(str(row.get("filename")))
        raise InputError(f"{table}: {name}: licence: found none, expected a column, or --licence NAME")
    source = text_of_cell(row, "source", table) or text_of_cell(row, "pack", table) or folder.name
    return recording_of_row(row, folder, table, attributes, sample_rate, source, own_licence, root)


def _read(
    source: Path,
    attributes: Mapping[str, Attribute],
    options: ImportOptions,
    rng: np.random.Generator,
    gathering: Gathering,
) -> list[Recording]:
    chosen = options.table, options.licence, options.shortest, options.root
    return import_folder(source, attributes, options.sample_rate, options.duration, rng, *chosen, gathering)


FORMAT = Format(
    "any recordings beside a JSON or CSV of their attributes",
    _read,
    options=("duration", "seed", "licence", "table", "root", "shortest"),
)
