"""Writes the questions of an imported dataset next to its scenes, never overwriting others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import metadata_of, open_parquet
from clear_gen.datasets.scenes.clear_format.questions import Questions
from clear_gen.datasets.scenes.layout import QUESTIONS, questions_name
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.questions.files import (
    open_questions,
    questions_manifest_of,
    questions_schema,
    write_questions_file,
)
from clear_gen.questions.generation.records import NEEDS_HOLDOUT
from clear_gen.store import chunks
from clear_gen.store.finish import is_finished
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import GENERATOR, difference, keep_sections, kept_sections, read_provenance


def section_of(source: Path, identity: dict[str, Any], questions: Mapping[str, Questions]) -> dict[str, Any] | None:
    """The section of ``clear.json`` about the questions of a source; None if it has none."""
    if not questions:
        return None
    files = {some.path.relative_to(source).as_posix(): some.sha256 for some in questions.values()}
    return {
        "identity": {
            "generator": GENERATOR,
            "scenes_sha256": sha256_json({**identity, "audio": False}),
            "imported": {"layout": "clear", "files": files},
        },
        "splits": {split: some.counts for split, some in questions.items()},
    }


def _stored(out: Path) -> dict[str, Any] | None:
    return read_provenance(out / IDENTITY).get(QUESTIONS) if is_finished(out) else kept_sections(out).get(QUESTIONS)


def check_no_others(out: Path, section: dict[str, Any] | None) -> None:
    """Raise InputError if ``out`` holds other questions than those that are to be imported, if any are."""
    if section is None:
        return
    stored = _stored(out)
    if stored is not None and stored.get("identity") != section["identity"]:
        how = difference(stored.get("identity") or {}, section["identity"])
        raise InputError(f"{out}: holds other questions ({how}); choose another --out, or --overwrite")
    for split in section["splits"]:
        path = out / questions_name(split)
        if path.exists() and stored is None and _identity_in(path) != sha256_json(section["identity"]):
            raise InputError(f"{path}: found a file that is none of this dataset's; move it away and run again")


def _identity_in(path: Path) -> str | None:
    try:
        return metadata_of(open_parquet(path).schema_arrow, path).get("questions_sha256")
    except InputError:
        return None


def are_there(out: Path, section: dict[str, Any] | None, settings: Settings) -> bool:
    """Whether a finished dataset has these questions already, or there are none to be had."""
    if section is None:
        return True
    if _stored(out) != section:
        return False
    asked = questions_manifest_of(section, settings, out / IDENTITY)
    try:
        for split in asked.splits:
            open_questions(out, split, asked, settings.sample_rate)
    except InputError:
        return False
    return True


def write_questions(
    out: Path, section: dict[str, Any], questions: Mapping[str, Questions | None], settings: Settings
) -> None:
    """Write the files of questions, and what ``finish`` needs to know of them."""
    keep_sections(out, {QUESTIONS: section})
    found = {split: some.records for split, some in questions.items() if some is not None}
    with_holdout = any(_is_known(records) for records in found.values())
    schema = questions_schema(settings.sample_rate, sha256_json(section["identity"]), with_holdout)
    for split, records in found.items():
        with chunks.recorded_path(out, questions_name(split)) as path:
            write_questions_file(path, records.select(schema.names), schema)


def _is_known(records: pa.Table) -> bool:
    column = records[NEEDS_HOLDOUT.name]
    return column.null_count < len(column)
