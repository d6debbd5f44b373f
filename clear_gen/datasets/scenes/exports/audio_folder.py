"""A dataset as the audio folder of the Hugging Face Hub: one FLAC per scene, and the graphs beside them.

::

    OUT/README.md                  licence and sources, from the dataset's card
    OUT/<split>/<scene_id>.flac
    OUT/<split>/metadata.jsonl     one scene a line: ``file_name`` and the fields of its graph
    OUT/questions/<split>.jsonl    one question a line: ``file_name`` of its scene's audio below OUT, and its fields

``datasets.load_dataset("audiofolder", data_dir=OUT)`` reads it; since version 4 it asks for torchcodec, even if nothing
is decoded. That loader guesses the types of a split from its first lines. Where they cannot show them, because a field
that has values elsewhere is unknown in all of them, the same fields are written as ``metadata.parquet``, which carries
its types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path
from clear_gen.core.progress import Advance, Progress
from clear_gen.core.records import SPLITS
from clear_gen.datasets.scenes.exports.source import (
    ExportSummary,
    Source,
    exporting,
    open_source,
    questions,
    row_groups,
    rows,
)
from clear_gen.scenes.graph import scene_schema
from clear_gen.store.exports import put
from clear_gen.store.layout import CARD, CHUNK_RECORDS

METADATA, TYPED_METADATA = "metadata.jsonl", "metadata.parquet"
WRITTEN = (f"*-{'[0-9]' * 6}.flac", METADATA, TYPED_METADATA)
ASKED = "questions/{}.jsonl"
PATTERNS = (CARD, *(f"{split}/{name}" for split in SPLITS for name in WRITTEN), *map(ASKED.format, SPLITS))
LOOKED_AT_SCENES = 500  # the loader looks at 10 MB; a scene with the most sounds there can be takes 11 kB


def export_audio_folder(folder: Path, out: Path, progress: Progress, overwrite: bool = False) -> ExportSummary:
    """Write the finished dataset in ``folder`` to ``out`` as an audio folder; scenes without audio stay behind.

    A split's metadata are written after its audio. The same call continues an export that was interrupted.

    Raises InputError if there is no finished dataset with audio, or ``out`` holds something else.
    """
    source = open_source(folder)
    sizes = source.settings.sizes
    if not source.settings.audio:
        command = f"clear-gen render {quote(str(folder))}"
        raise InputError(f"{folder}: found scenes without audio, expected audio ({command} adds it)")
    head, sections = parts_of_card(source.folder / CARD)
    typed = _needs_types(source)
    names = (TYPED_METADATA, METADATA) if typed else (METADATA, TYPED_METADATA)
    n = sum(sizes.values())
    written = dict.fromkeys(sizes, 0)
    with exporting(source, out, "audiofolder", PATTERNS, overwrite), progress(n, n) as advance:
        for split, size in sizes.items():
            if size:
                path, other = (out / split / name for name in names)
                other.unlink(missing_ok=True)  # of an older export: the loader refuses to find both
                written[split] = _export_split(source, split, path, advance)
                if not written[split]:  # the loader refuses a split of nothing
                    path.unlink()
                    with suppress(OSError):  # not empty: of an older export
                        path.parent.rmdir()
        n_questions = sum(_export_questions(source, split, out) for split in sizes if written[split])
        put(out / CARD, _card(source, written, head, sections).encode())
    left_out = n - sum(written.values())
    remarks = [f"questions: {n_questions:,}, in {ASKED.format('<split>')}"] if n_questions else []
    remarks += [f"{left_out:,} scenes without audio left out"] if left_out else []
    remarks += [f"metadata as {TYPED_METADATA}: some fields are unknown in a whole split"] if typed else []
    return ExportSummary(out, sizes, written, tuple(remarks))


def _export_split(source: Source, split: str, metadata: Path, advance: Advance) -> int:
    """Write one split; returns how many scenes had audio."""
    found = (_with_file(row, metadata.parent, advance) for _, row in rows(source, split))
    written = (row for row in found if row is not None)
    with atomic_path(metadata) as path:
        return (
            _write_lines(path, written) if metadata.name == METADATA else _write_typed(path, _schema(source), written)
        )


def _export_questions(source: Source, split: str, out: Path) -> int:
    """Write the questions of the scenes that have audio; returns how many there are."""
    path = out / ASKED.format(split)
    if source.asked is None or split not in source.asked.splits:
        return 0
    with_audio = {
        scene_id for table in row_groups(source, split, ["scene_id", "audio.path"]) for scene_id in _heard(table)
    }
    found = (
        {"file_name": f"{split}/{row['scene_id']}.flac", **row}
        for row in questions(source, split)
        if row["scene_id"] in with_audio
    )
    with atomic_path(path) as temporary:
        return _write_lines(temporary, found)


def _heard(table: pa.Table) -> list[str]:
    """The scenes that have audio."""
    return table.filter(pc.is_valid(table.column("audio"))).column("scene_id").to_pylist()


def _with_file(row: dict[str, Any], out: Path, advance: Advance) -> dict[str, Any] | None:
    """Write the audio of a row; returns its metadata, or None if it has no audio."""
    audio = row.pop("audio")
    advance(1)
    if audio is None:
        return None
    name = f"{row['scene_id']}.flac"
    put(out / name, audio["bytes"])
    return {"file_name": name, **row}


def _write_lines(path: Path, found: Iterator[dict[str, Any]]) -> int:
    n = 0
    with open(path, "w", encoding="utf-8") as file:
        for row in found:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            n += 1
    return n


def _write_typed(path: Path, schema: pa.Schema, found: Iterator[dict[str, Any]]) -> int:
    n, some = 0, []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for row in found:
            some.append(row)
            n += 1
            if len(some) == CHUNK_RECORDS:
                writer.write_table(pa.Table.from_pylist(some, schema))
                some = []
        writer.write_table(pa.Table.from_pylist(some, schema))
    return n


def _schema(source: Source) -> pa.Schema:
    schema = scene_schema(source.settings.domain.attributes, source.settings.sample_rate).remove_metadata()
    fields = [field for field in schema if field.name != "audio"]
    return pa.schema([pa.field("file_name", pa.string()), *fields])


# --- types ------------------------------------------------------------------------------------------------------------


def _needs_types(source: Source) -> bool:
    """Whether a field has values somewhere, but none in the first lines of some split."""
    columns = [field.name for field in _schema(source) if field.name != "file_name"]
    anywhere: set[str] = set()
    early: list[set[str]] = []
    for split, size in source.settings.sizes.items():
        seen: set[str] = set()
        n = 0
        for table in row_groups(source, split, [*columns, "audio.path"]) if size else ():
            table = table.filter(pc.is_valid(table.column("audio"))).drop_columns(["audio"])
            known = {leaf for name in columns for leaf in _known(name, table.column(name).combine_chunks())}
            anywhere |= known
            if n < LOOKED_AT_SCENES:
                seen |= known
            n += table.num_rows
        early += [seen] if n else []
    return any(seen != anywhere for seen in early)


def _known(name: str, column: pa.Array) -> set[str]:
    """The fields at any depth that have a value in some row, as dotted names."""
    if pa.types.is_list(column.type):
        return _known(name, pc.list_flatten(column))
    if pa.types.is_struct(column.type):
        return {
            leaf
            for field in column.type
            for leaf in _known(f"{name}.{field.name}", pc.struct_field(column, field.name))
        }
    return {name} if column.null_count < len(column) else set()


# --- README.md --------------------------------------------------------------------------------------------------------


def _card(source: Source, written: dict[str, int], head: dict[str, Any], sections: list[str]) -> str:
    """Licence and sources as the dataset's card has them."""
    front = {name: head[name] for name in ("license", "task_categories", "tags", "size_categories") if name in head}
    counts = ", ".join(f"{split} {n:,}" for split, n in written.items() if n)
    domain = source.settings.domain.name
    asked = (
        "`questions/<split>.jsonl` holds the questions, one a line, with the `file_name` of the scene's audio.\n"
        if source.asked
        else ""
    )
    kept = "\n".join(section for section in sections if section.startswith("## Source"))
    return f"""---
{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---

# {domain}: {sum(written.values()):,} acoustic scenes

One FLAC file per scene, and its graph in a row of the metadata beside it: {counts}.
`datasets.load_dataset("audiofolder", data_dir="this/folder")` reads both, where torchcodec is installed.
{asked}
{kept}"""


def parts_of_card(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The card's YAML head and its sections. Raises InputError if the card is missing or has no such head."""
    try:
        _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
        found = yaml.safe_load(head)
    except (OSError, ValueError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        again = f"clear-gen finish {quote(str(path.parent))} writes it if it is missing"
        raise InputError(f"{path}: found no dataset card, expected one with a YAML head ({again})")
    return found, [f"## {section}" for section in body.split("\n## ")[1:]]
