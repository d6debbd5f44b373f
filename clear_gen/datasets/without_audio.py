"""A copy of a dataset without audio: what may be published of recordings that others must not hear from us.

Every audio column is null, those of banks and stems too. Graphs, questions, labels and the hashes of what was rendered
stay, and say together with the recordings what the audio is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from clear_gen.core.files import sha256_file, sha256_json, write_text
from clear_gen.core.parquet import AUDIO, metadata_of, open_parquet, parquet_writer, read_row_group
from clear_gen.datasets.mixtures.card import mixture_card
from clear_gen.datasets.mixtures.finish import read_tables
from clear_gen.datasets.mixtures.manifest import mixture_settings_of
from clear_gen.datasets.mixtures.statistics import mixture_statistics
from clear_gen.datasets.scenes.banks import read_banks
from clear_gen.datasets.scenes.card import card
from clear_gen.datasets.scenes.statistics import statistics
from clear_gen.store.layout import CARD, IDENTITY, MIXTURES, scene_files
from clear_gen.store.manifest import kind_of, read_provenance, settings_of, write_provenance


def write_without_audio(folder: Path, out: Path) -> None:
    """Write a copy of the finished dataset in ``folder`` to the empty folder ``out``; what has no audio is linked.

    The same dataset gives the same bytes. Raises InputError if a file is damaged.
    """
    stored = read_provenance(folder / IDENTITY)
    identity = {**stored["identity"], "audio": False}
    hashes = {}
    for name in sorted(stored["files"].keys() - {CARD}):
        (out / name).parent.mkdir(exist_ok=True, parents=True)
        if name.endswith(".parquet") and _has_audio(folder / name):
            _write_null(folder / name, out / name, sha256_json(identity))
            hashes[name] = sha256_file(out / name)
        else:
            (out / name).symlink_to((folder / name).resolve())
            hashes[name] = stored["files"][name]
    write_text(out / CARD, _card(folder, identity, stored))
    hashes[CARD] = sha256_file(out / CARD)
    write_provenance(out, identity, stored["environment"], dict(sorted(hashes.items())), stored.get("questions"))


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


def _card(folder: Path, identity: dict[str, Any], stored: dict[str, Any]) -> str:
    made = stored["environment"]
    if kind_of(identity) == MIXTURES:
        mixtures = mixture_settings_of(identity, folder / IDENTITY)
        return mixture_card(identity, mixtures, made, read_tables(folder), mixture_statistics(folder, mixtures))
    settings = settings_of(identity, folder / IDENTITY)
    found = statistics(folder, scene_files(settings.sizes))
    text = card(identity, settings, made, read_banks(folder, settings), found, stored.get("questions"))
    return text if settings.imported else f"{text}\n{LEFT_OUT}"


LEFT_OUT = """## Audio

The audio is left out, that of the banks too. Whoever has these banks puts them in the place of the ones here; then
`clear-gen render .` makes the audio, and says of which scenes it is not what `rendered.pcm_sha256` says it was.
"""
