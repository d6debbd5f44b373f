"""The tables of sources of a dataset of mixtures: ids, labels, groups and licences, no local paths."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path, sha256_json
from clear_gen.core.parquet import dataset_schema, metadata_of, open_parquet, parquet_writer
from clear_gen.core.progress import counted
from clear_gen.core.text import shown
from clear_gen.datasets.mixtures.layout import SOURCES
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.types import Background, Event

EVENTS, BACKGROUNDS = "events", "backgrounds"
KINDS = (EVENTS, BACKGROUNDS)
PIECE_BYTES = 1 << 16  # of a recording, three of which tell it from others


@dataclass(frozen=True)
class SourceRow:
    """One recording. ``label`` and ``verified`` are None for backgrounds; ``n_bytes``, ``fingerprint``: of its file."""

    source_id: str
    label: str | None
    group: str
    licence: str
    n_bytes: int
    fingerprint: str
    verified: bool | None


SourceTable = tuple[SourceRow, ...]
_FIELDS = [
    pa.field("source_id", pa.string()),
    pa.field("label", pa.string()),
    pa.field("group", pa.string()),
    pa.field("licence", pa.string()),
    pa.field("n_bytes", pa.int64()),
    pa.field("fingerprint", pa.string()),
    pa.field("verified", pa.bool_()),
]


def source_name(kind: str) -> str:
    """Path of a table below the dataset's folder."""
    return f"{SOURCES}/{kind}.parquet"


def source_tables(events: Sequence[Event], backgrounds: Sequence[Background], recipe: str) -> dict[str, SourceTable]:
    """The tables of recordings, by kind: in their order where the recipe goes by it, else by id."""
    tables = {
        EVENTS: tuple(map(_row, counted(events, "events fingerprinted"))),
        BACKGROUNDS: tuple(map(_row, counted(backgrounds, "backgrounds fingerprinted"))),
    }
    if recipe_named(recipe).keeps_table_order:
        return tables
    return {kind: tuple(sorted(rows, key=lambda row: row.source_id)) for kind, rows in tables.items()}


def _row(one: Event | Background) -> SourceRow:
    label, verified = (one.label, one.is_verified) if isinstance(one, Event) else (None, None)
    return SourceRow(one.source_id, label, one.group, one.licence, *_fingerprint(one.path), verified)


def _fingerprint(path: Path) -> tuple[int, str]:
    """The size of a file in bytes, and the SHA-256 of its first, middle and last 64 KiB, hexadecimal.

    Another recording under the same name is noticed, and so is a filter or a gain, which leave a WAV file's size as it
    is; what was changed in between is not. Reading corpora of 30 GB whole would take minutes for every run and shard.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        n_bytes = file.seek(0, 2)
        for start in (0, (n_bytes - PIECE_BYTES) // 2, n_bytes - PIECE_BYTES):
            file.seek(max(0, start))
            digest.update(file.read(PIECE_BYTES))
    return n_bytes, digest.hexdigest()


def sources_sha256(rows: SourceTable) -> str:
    """SHA-256 of a table's content."""
    return sha256_json([asdict(row) for row in rows])


def write_sources(rows: SourceTable, path: Path) -> None:
    """Write a table, atomically."""
    extra = {"kind": SOURCES, "format": 1, "sha256": sources_sha256(rows)}
    schema = dataset_schema(_FIELDS, 0, extra)
    with atomic_path(path) as temporary, parquet_writer(temporary, schema, audio=False) as writer:
        writer.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema))


def read_sources(path: Path) -> SourceTable:
    """Read a table. Raises InputError if it is damaged or something else."""
    opened = open_parquet(path)
    if metadata_of(opened.schema_arrow, path).get("kind") != SOURCES or not opened.schema_arrow.equals(
        pa.schema(_FIELDS)
    ):
        raise InputError(f"{path}: found something else, expected a table of sources")
    try:
        return tuple(SourceRow(**row) for row in opened.read().to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged ({shown(str(error))})") from None


def missing_sources(folder: Path, tables: dict[str, SourceTable]) -> list[str]:
    """The paths of the tables that are not in the dataset's folder, or damaged.

    Raises InputError if another is in its place.
    """
    missing = []
    for kind, rows in tables.items():
        path = folder / source_name(kind)
        try:
            found = sources_sha256(read_sources(path)) if path.exists() else None
        except InputError:
            found = None
        if found not in (None, sources_sha256(rows)):
            raise InputError(f"{path}: found other sources than the dataset's; move the file away and run again")
        if found is None:
            missing.append(source_name(kind))
    return missing
