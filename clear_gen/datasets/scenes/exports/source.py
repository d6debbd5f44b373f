"""Shared by all exports: claiming the output folder, and reading the scenes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import read_row_group
from clear_gen.datasets.scenes.layout import questions_name, scene_files
from clear_gen.datasets.scenes.manifest import Settings, finished_settings
from clear_gen.datasets.scenes.questions.files import (
    QuestionsManifest,
    open_questions,
    question_rows,
    read_questions_manifest,
)
from clear_gen.store.chunks import check_file
from clear_gen.store.exports import claiming
from clear_gen.store.manifest import stored_identity


@dataclass(frozen=True)
class Source:
    """A finished dataset that is to be exported; ``asked`` is what it says of its questions, None if it has none."""

    folder: Path
    settings: Settings
    identity: dict[str, Any]
    asked: QuestionsManifest | None = None


@dataclass(frozen=True)
class ExportSummary:
    """What was written: scenes per split as the dataset has them, how many of them with audio, and remarks."""

    out: Path
    scenes: dict[str, int]
    with_audio: dict[str, int]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        splits = ", ".join(f"{split} {n:,}" for split, n in self.scenes.items() if n)
        audio = sum(self.with_audio.values())
        return "\n".join([f"{self.out}: {splits} scenes, {audio:,} with audio", *self.remarks])


def open_source(folder: Path) -> Source:
    """The dataset in ``folder``. Raises InputError if it is not a finished one."""
    settings = finished_settings(folder)
    return Source(folder, settings, stored_identity(folder) or {}, read_questions_manifest(folder, settings))


@contextmanager
def exporting(source: Source, out: Path, layout: str, patterns: Sequence[str], overwrite: bool) -> Iterator[None]:
    """Claim ``out`` for the time of the export; what lies there half written is of this dataset and this layout.

    ``patterns`` are those of the layout's files: with ``overwrite`` the ones of an older export are removed first.

    Raises InputError unless ``out`` is new, empty, or holds the beginning of the same export, or with ``overwrite``.
    """
    asked = {"questions_sha256": source.asked.sha256} if source.asked else {}
    marker = {"layout": layout, "identity_sha256": sha256_json(source.identity), **asked}

    def check() -> None:
        for file in scene_files(source.settings.sizes):
            check_file(source.folder / file.name, file, sha256_json(source.identity))
        if source.asked is not None:
            for split in source.asked.splits:
                open_questions(source.folder, split, source.asked, source.settings.sample_rate)

    with claiming(source.folder, out, marker, check, patterns, overwrite):
        yield


def row_groups(source: Source, split: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a split in order, one row group at a time. Raises InputError if a file was altered or is missing."""
    digest = sha256_json(source.identity)
    for file in scene_files(source.settings.sizes):
        if file.split == split:
            path = source.folder / file.name
            opened = check_file(path, file, digest)
            for number in range(len(file.chunks)):
                yield read_row_group(opened, number, path, columns)


def rows(source: Source, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a split with their index. Raises InputError unless the ids, which become file names, follow it."""
    index = 0
    for table in row_groups(source, split):
        for place in range(table.num_rows):
            row = table.slice(place, 1).to_pylist()[0]  # one at a time: its audio is copied
            expected = f"{split}-{index:06d}"
            if row["scene_id"] != expected:
                raise InputError(f"{source.folder}: scene_id: found {row['scene_id']!r}, expected {expected!r}")
            yield index, row
            index += 1


def questions(source: Source, split: str) -> Iterator[dict[str, Any]]:
    """The questions of a split in order. Raises InputError unless each belongs to a scene of the split."""
    if source.asked is None:
        return
    path, size = source.folder / questions_name(split), source.settings.sizes[split]
    for row in question_rows(source.folder, split, source.asked, source.settings.sample_rate):
        named = re.fullmatch(rf"{split}-(\d{{6,12}})", row["scene_id"])
        if row["split"] != split or named is None or int(named[1]) >= size:
            found = f"found {row['scene_id']!r}, expected a scene of this split"
            raise InputError(f"{path}: {row['question_id']}: scene_id: {found}")
        yield row


def questions_line(source: Source) -> str:
    """How many questions of each split an export holds."""
    splits = source.asked.splits if source.asked else {}
    return "questions: " + ", ".join(f"{split} {counts.written:,}" for split, counts in splits.items())
