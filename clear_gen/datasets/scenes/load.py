"""Reading scenes and questions back, without torch: by number, in order, in shards; one row group is in memory."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.core.parquet import open_parquet, read_row_group
from clear_gen.datasets.scenes.banks import bank_path
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT, QUESTIONS, SCENES, questions_name, scene_files
from clear_gen.datasets.scenes.manifest import Settings, finished_settings
from clear_gen.datasets.scenes.questions.files import (
    QuestionsManifest,
    open_questions,
    questions_manifest_of,
    read_question_group,
    read_questions_manifest,
)
from clear_gen.datasets.scenes.scene import Question, Scene
from clear_gen.scenes.graph import SceneGraph, graph_of_row, scene_schema
from clear_gen.store.layout import CHUNK_RECORDS, IDENTITY, DataFile
from clear_gen.store.rows import RowGroup, Rows, row_groups


def rows(
    folder: Path, settings: Settings, questions: dict[str, Any] | None, config: str | None, split: str | None
) -> Rows[Any]:
    """The scenes (``config`` "scenes" or None) or questions ("questions") of a split, of all splits if None.

    ``questions`` is that section of ``clear.json``, None if there is none. Raises InputError naming what there is if
    there is no such config or split.
    """
    if split is not None and not settings.sizes.get(split):
        there = [name for name, size in settings.sizes.items() if size]
        raise InputError(f"{folder}: split: {not_among(split, there)}")
    if config in (None, SCENES):
        files = [file for file in scene_files(settings.sizes) if split in (None, file.split)]
        return Rows(row_groups(folder, files), partial(_read_scenes, settings), partial(_scene, folder, settings))
    if config != QUESTIONS:
        raise InputError(f"{folder}: config: found {config!r}, expected scenes or questions")
    asked = None if questions is None else questions_manifest_of(questions, settings, folder / IDENTITY)
    if asked is None or split is None or split not in asked.splits:
        where = "" if split is None else f" of the split {split}"
        raise InputError(f"{folder}: found no questions{where}; run clear-gen questions {quote(str(folder))}")
    path, opened = folder / questions_name(split), open_questions(folder, split, asked, settings.sample_rate)
    sizes = [opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups)]
    groups = [RowGroup(path, number, n_rows) for number, n_rows in enumerate(sizes)]
    scenes = SceneReader(rows(folder, settings, None, SCENES, split), split)
    read = partial(_read_questions, folder, split, asked, settings.sample_rate)
    return Rows(groups, read, partial(_question, scenes))


class SceneReader:
    """The scenes of a split by id."""

    def __init__(self, scenes: Rows[Scene], split: str) -> None:
        self._scenes, self._split = scenes, split

    def __call__(self, scene_id: str) -> Scene:
        """The scene of this id. Raises InputError if its file is missing or damaged."""
        return self._scenes[_index_of(scene_id, self._split)]

    def has(self, scene_id: str) -> bool:
        """Whether the split has a scene of this id."""
        return 0 <= _index_of(scene_id, self._split) < len(self._scenes)


def _read_scenes(settings: Settings, path: Path, number: int) -> pa.Table:
    return read_row_group(open_scene_file(path, settings), number, path)


def _scene(folder: Path, settings: Settings, row: dict[str, Any], _path: Path) -> Scene:
    bank = None if settings.imported else bank_path(folder, BANK_OF_SPLIT[row["split"]])
    flac = row["audio"]["bytes"] if row["audio"] else None
    return Scene(graph_of_row(row), settings.domain, settings.levels, bank, flac)


def _read_questions(
    folder: Path, split: str, asked: QuestionsManifest, sample_rate: int, path: Path, number: int
) -> pa.Table:
    return read_question_group(open_questions(folder, split, asked, sample_rate), number, path)


def _question(scenes: SceneReader, row: dict[str, Any], path: Path) -> Question:
    expected = row["question_id"].rpartition("-")[0]
    if row["scene_id"] != expected or not scenes.has(expected):
        where = f"{path}: {row['question_id']}: scene_id: found {row['scene_id']!r}"
        raise InputError(f"{where}, expected the scene {expected} of this split")
    return Question.of_record(row, scenes)


def load_scenes(folder: str | Path, split: str) -> Rows[Scene]:
    """The scenes of one split of a finished dataset.

    Raises InputError if there is no dataset in ``folder`` or no such split in it.
    """
    folder = Path(folder)
    found: Rows[Scene] = rows(folder, finished_settings(folder), None, SCENES, split)
    return found


def load_scene(folder: str | Path, scene_id: str | None = None) -> Scene:
    """One scene of a finished dataset, the first if no id is given; reads one row group.

    Raises InputError if there is no dataset in ``folder`` or no such scene in it.
    """
    folder = Path(folder)
    settings = finished_settings(folder)
    file, index = _place(folder, settings.sizes, scene_id)
    found: Rows[Scene] = rows(folder, settings, None, SCENES, file.split)
    return found[index]


def read_questions(folder: Path, split: str) -> pa.Table:
    """All questions of a split. Raises InputError if there are none, or their file is damaged or of others."""
    settings = finished_settings(folder)
    asked = read_questions_manifest(folder, settings)
    if asked is None or split not in asked.splits:
        command = f"clear-gen questions {quote(str(folder))}"
        raise InputError(f"{folder}: found no questions of the split {split}; run {command}")
    opened, path = open_questions(folder, split, asked, settings.sample_rate), folder / questions_name(split)
    groups = [read_question_group(opened, number, path) for number in range(opened.num_row_groups)]
    return pa.concat_tables(groups) if groups else opened.schema_arrow.empty_table()


def load_graph(folder: Path, scene_id: str) -> SceneGraph:
    """The graph of one scene of a finished dataset, its audio left alone.

    Raises InputError if there is no dataset in ``folder`` or no such scene in it.
    """
    settings = finished_settings(folder)
    file, index = _place(folder, settings.sizes, scene_id)
    row_group, row = divmod(index - file.first, CHUNK_RECORDS)
    path = folder / file.name
    columns = [name for name in scene_schema(settings.domain.attributes, settings.sample_rate).names if name != "audio"]
    table = read_row_group(open_scene_file(path, settings), row_group, path, columns)
    return graph_of_row(table.slice(row, 1).to_pylist()[0])


def open_scene_file(path: Path, settings: Settings) -> pq.ParquetFile:
    """The file, if its columns are those of the dataset's domain."""
    file = open_parquet(path)
    expected = scene_schema(settings.domain.attributes, settings.sample_rate)
    if not file.schema_arrow.equals(expected):
        raise InputError(f"{path}: found other columns than {settings.domain.name} scenes have")
    return file


def _index_of(scene_id: str, split: str) -> int:
    """The number in an id of this split, -1 if it is none."""
    named = re.fullmatch(r"([a-z]+)-(\d{6,12})", scene_id)
    return int(named[2]) if named and scene_id == f"{split}-{int(named[2]):06d}" else -1


def _place(folder: Path, sizes: dict[str, int], scene_id: str | None) -> tuple[DataFile, int]:
    """The file that holds a scene, and the scene's index in its split: both follow from the id."""
    files = scene_files(sizes)
    if scene_id is None:
        return files[0], files[0].first
    for file in files:
        if file.first <= (index := _index_of(scene_id, file.split)) < file.stop:
            return file, index
    expected = ", ".join(f"{split}-000000 to {split}-{size - 1:06d}" for split, size in sizes.items() if size)
    raise InputError(f"{folder}: scene: found {scene_id!r}, expected {expected}")
