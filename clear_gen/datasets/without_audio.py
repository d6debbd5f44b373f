"""A copy of a dataset without audio: what may be published of recordings that others must not hear from us.

Every audio column is null, those of banks and stems too. Graphs, questions, labels and the hashes of what was rendered
stay, and say together with the recordings what the audio is.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from clear_gen.core.files import sha256_file, sha256_json
from clear_gen.core.parquet import AUDIO, metadata_of, open_parquet, parquet_writer, read_row_group
from clear_gen.core.progress import counted
from clear_gen.datasets.registry import kind_of
from clear_gen.store.finish import write_manifest
from clear_gen.store.layout import CARD, IDENTITY
from clear_gen.store.manifest import read_provenance, sections_of


def write_without_audio(folder: Path, out: Path) -> None:
    """Write a copy of the finished dataset in ``folder`` to the empty folder ``out``; what has no audio is linked.

    The same dataset gives the same bytes. Raises InputError if a file is damaged.
    """
    stored = read_provenance(folder / IDENTITY)
    identity = {**stored["identity"], "audio": False}
    hashes = {}
    for name in counted(sorted(stored["files"].keys() - {CARD}), "files copied without audio"):
        (out / name).parent.mkdir(exist_ok=True, parents=True)
        if name.endswith(".parquet") and _has_audio(folder / name):
            _write_null(folder / name, out / name, sha256_json(identity))
            hashes[name] = sha256_file(out / name)
        else:
            (out / name).symlink_to((folder / name).resolve())
            hashes[name] = stored["files"][name]
    card = kind_of(identity, folder / IDENTITY).card_without_audio(folder, {**stored, "identity": identity})
    write_manifest(out, identity, stored["environment"], sections_of(stored), hashes, card)


def _has_audio(path: Path) -> bool:
    return AUDIO in open_parquet(path).schema_arrow.types


def _write_null(path: Path, out: Path, identity_sha256: str) -> None:
    """Copy a Parquet file, row group by row group, its columns of audio null and never read."""
    opened = open_parquet(path)
    schema, extra = opened.schema_arrow, metadata_of(opened.schema_arrow, path)
    if "identity_sha256" in extra:
        extra["identity_sha256"] = identity_sha256
    schema = schema.with_metadata({**schema.metadata, b"clear_gen": json.dumps(extra, sort_keys=True).encode()})
    kept = [field.name for field in schema if field.type != AUDIO]
    with parquet_writer(out, schema, audio=False) as writer:
        for number in range(opened.num_row_groups):
            table = read_row_group(opened, number, path, kept)
            columns = [table[name] if name in kept else pa.nulls(table.num_rows, AUDIO) for name in schema.names]
            writer.write_table(pa.table(columns, schema=schema))
