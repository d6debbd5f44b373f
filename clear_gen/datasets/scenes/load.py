"""Reading a dataset back, question by question or scene by scene, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clear_gen.core.errors import InputError
from clear_gen.core.parquet import open_parquet, read_row_group
from clear_gen.core.pcm import decode_flac, from_pcm16
from clear_gen.core.text import shown
from clear_gen.datasets.scenes.questions.files import (
    Asked,
    asked_of,
    open_questions,
    program_of,
    question_rows,
    read_asked,
)
from clear_gen.questions.language.program import Program
from clear_gen.scenes.graph import SceneGraph, graph_of_row, scene_schema
from clear_gen.store.finish import finished_settings
from clear_gen.store.layout import CHUNK_SCENES, IDENTITY, QUESTIONS, SCENES, DataFile, questions_name, scene_files
from clear_gen.store.manifest import Settings
from clear_gen.store.rows import RowGroup, Rows, row_groups


@dataclass(frozen=True)
class SceneRecord:
    """One scene. ``waveform``: float32 [n_samples], full scale 1; None in a dataset without audio."""

    graph: SceneGraph
    waveform: np.ndarray | None
    sample_rate: int


@dataclass(frozen=True)
class QuestionRecord:
    """One question of a dataset. Its scene is read when it is first asked for: graph, waveform (float32 [n_samples],
    full scale 1, this record's own; None in a scene without audio) and sample rate in Hz."""

    question_id: str
    scene_id: str
    question: str
    answer: str
    question_type: str
    program: Program
    _scenes: SceneReader = field(repr=False, compare=False)

    @cached_property
    def scene(self) -> SceneRecord:
        """The scene that the question is about. Raises InputError if its file is missing or damaged."""
        return self._scenes.scene(self.scene_id)

    @property
    def graph(self) -> SceneGraph:
        return self.scene.graph

    @property
    def waveform(self) -> np.ndarray | None:
        return self.scene.waveform

    @property
    def sample_rate(self) -> int:
        return self.scene.sample_rate


class SceneReader:
    """The scenes of a split by id. The last one is kept: questions of one scene follow one another."""

    def __init__(self, scenes: Rows[SceneRecord], split: str) -> None:
        self._scenes, self._split = scenes, split
        self._last: tuple[str, SceneRecord] | None = None

    def scene(self, scene_id: str) -> SceneRecord:
        """A scene, its waveform a copy of its own. Raises InputError if there is none of this id."""
        if self._last is None or self._last[0] != scene_id:
            digits = scene_id.removeprefix(f"{self._split}-")
            index = int(digits) if digits.isdecimal() else len(self._scenes)
            if index >= len(self._scenes):
                expected = f"{self._split}-000000 to {self._split}-{len(self._scenes) - 1:06d}"
                raise InputError(f"scene_id: found {shown(scene_id)}, expected {expected}")
            self._last = scene_id, self._scenes[index]
        kept = self._last[1]
        return kept if kept.waveform is None else replace(kept, waveform=kept.waveform.copy())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}


def rows(
    folder: Path, settings: Settings, questions: dict[str, Any] | None, config: str | None, split: str | None
) -> Rows[Any]:
    """The scenes (``config`` "scenes" or None) or questions ("questions") of a split, of all splits if None.

    ``questions`` is that section of ``clear.json``, None if there is none. Raises InputError naming what there is if
    there is no such config or split.
    """
    if split is not None:
        _check_split(folder, settings, split)
    if config in (None, SCENES):
        files = [file for file in scene_files(settings.sizes) if split in (None, file.split)]
        return Rows(row_groups(folder, files), partial(_read_scenes, settings), _scene)
    if config != QUESTIONS:
        raise InputError(f"{folder}: config: found {config!r}, expected scenes or questions")
    asked = None if questions is None else asked_of(questions, settings, folder / IDENTITY)
    if asked is None or split is None or split not in asked.splits:
        where = "" if split is None else f" of the split {split}"
        raise InputError(f"{folder}: found no questions{where}; run clear-gen questions {folder}")
    path, opened = folder / questions_name(split), open_questions(folder, split, asked, settings.sample_rate)
    sizes = [opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups)]
    reader = SceneReader(rows(folder, settings, None, SCENES, split), split)
    groups = [RowGroup(path, number, n_rows) for number, n_rows in enumerate(sizes)]
    return Rows(
        groups, partial(_read_questions, folder, split, asked, settings.sample_rate), partial(_question, reader)
    )


def _read_scenes(settings: Settings, path: Path, number: int) -> pa.Table:
    return read_row_group(open_scene_file(path, settings), number, path)


def _read_questions(folder: Path, split: str, asked: Asked, sample_rate: int, path: Path, number: int) -> pa.Table:
    return read_row_group(open_questions(folder, split, asked, sample_rate), number, path)


def _question(reader: SceneReader, row: dict[str, Any], _path: Path) -> QuestionRecord:
    texts = {name: row[name] for name in ("question_id", "scene_id", "question", "answer", "question_type")}
    return QuestionRecord(**texts, program=program_of(row["program"]), _scenes=reader)


@dataclass(frozen=True)
class Record:
    """One question with its scene, or a scene alone, where the fields of the question are None.

    ``waveform``: float32 [n_samples], full scale 1; None in a scene without audio. The questions of a scene share it,
    so it is read-only.
    """

    graph: SceneGraph
    waveform: np.ndarray | None
    sample_rate: int
    question: str | None = None
    answer: str | None = None
    question_type: str | None = None
    question_id: str | None = None
    program: Program | None = None


def load(folder: str | Path, split: str) -> Iterator[Record]:
    """The questions of one split of a finished dataset, each with its scene; without questions, its scenes.

    They come in order; a scene is decoded once, and one row group of scenes and one of questions are in memory at a
    time.

    Raises InputError if there is no dataset in ``folder`` or no such split in it, and on the way if a file is damaged.
    """
    folder = Path(folder)
    settings = _settings_with(folder, split)
    asked = read_asked(folder, settings)
    scenes = _rows(folder, split, settings)
    if asked is None:
        return (_record(row, path) for row, path in scenes)
    return _joined(question_rows(folder, split, asked, settings.sample_rate), scenes, folder / questions_name(split))


def _joined(
    questions: Iterator[dict[str, Any]], scenes: Iterator[tuple[dict[str, Any], Path]], at: Path
) -> Iterator[Record]:
    scene_id, record = None, None
    for question in questions:
        if question["scene_id"] != scene_id:
            found = next((row for row in scenes if row[0]["scene_id"] == question["scene_id"]), None)
            if found is None:
                where = f"{at}: {question['question_id']}: scene_id: found {question['scene_id']!r}"
                raise InputError(f"{where}, expected the scenes of this split in order")
            scene_id, record = question["scene_id"], _record(*found)
        assert record is not None
        asked = {name: question[name] for name in ("question", "answer", "question_type", "question_id")}
        yield replace(record, **asked, program=program_of(question["program"]))


def load_scenes(folder: str | Path, split: str) -> Iterator[SceneRecord]:
    """The scenes of one split of a finished dataset, in order, one row group in memory at a time.

    Raises InputError if there is no dataset in ``folder`` or no such split in it.
    """
    folder = Path(folder)
    return (_scene(row, path) for row, path in _rows(folder, split, _settings_with(folder, split)))


def _settings_with(folder: Path, split: str) -> Settings:
    """The settings of a dataset that has such a split."""
    settings = finished_settings(folder)
    _check_split(folder, settings, split)
    return settings


def _check_split(folder: Path, settings: Settings, split: str) -> None:
    if not settings.sizes.get(split):
        expected = ", ".join(name for name, size in settings.sizes.items() if size)
        raise InputError(f"{folder}: split: found {split!r}, expected one of: {expected}")


def load_scene(folder: str | Path, scene_id: str | None = None) -> SceneRecord:
    """One scene of a finished dataset, the first if no id is given; reads one row group.

    Raises InputError if there is no dataset in ``folder`` or no such scene in it.
    """
    folder = Path(folder)
    settings = finished_settings(folder)
    file, index = _place(folder, settings.sizes, scene_id)
    row_group, row = divmod(index - file.first, CHUNK_SCENES)
    table = read_row_group(open_scene_file(folder / file.name, settings), row_group, folder / file.name)
    if row >= table.num_rows:
        raise InputError(f"{folder / file.name}: row group {row_group}: found {table.num_rows} scenes, expected more")
    return _scene(table.slice(row, 1).to_pylist()[0], folder / file.name)


def read_questions(folder: Path, split: str) -> pa.Table:
    """All questions of a split. Raises InputError if there are none, or their file is damaged or of others."""
    settings = finished_settings(folder)
    asked = read_asked(folder, settings)
    if asked is None or split not in asked.splits:
        raise InputError(f"{folder}: found no questions of the split {split}; run clear-gen questions {folder}")
    opened, path = open_questions(folder, split, asked, settings.sample_rate), folder / questions_name(split)
    groups = [read_row_group(opened, number, path) for number in range(opened.num_row_groups)]
    return pa.concat_tables(groups) if groups else opened.schema_arrow.empty_table()


def load_graph(folder: Path, scene_id: str) -> SceneGraph:
    """The graph of one scene of a finished dataset, its audio left alone.

    Raises InputError if there is no dataset in ``folder`` or no such scene in it.
    """
    settings = finished_settings(folder)
    file, index = _place(folder, settings.sizes, scene_id)
    row_group, row = divmod(index - file.first, CHUNK_SCENES)
    path = folder / file.name
    columns = [name for name in scene_schema(settings.domain.attributes, settings.sample_rate).names if name != "audio"]
    table = read_row_group(open_scene_file(path, settings), row_group, path, columns)
    return graph_of_row(table.slice(row, 1).to_pylist()[0])


def _rows(folder: Path, split: str, settings: Settings) -> Iterator[tuple[dict[str, Any], Path]]:
    """The rows of a split's scenes, and the files that they are in."""
    for path in [folder / file.name for file in scene_files(settings.sizes) if file.split == split]:
        file = open_scene_file(path, settings)
        for number in range(file.num_row_groups):
            yield from ((row, path) for row in read_row_group(file, number, path).to_pylist())


def open_scene_file(path: Path, settings: Settings) -> pq.ParquetFile:
    """The file, if its columns are those of the dataset's domain."""
    file = open_parquet(path)
    expected = scene_schema(settings.domain.attributes, settings.sample_rate)
    if not file.schema_arrow.equals(expected):
        raise InputError(f"{path}: found other columns than {settings.domain.name} scenes have")
    return file


def _scene(row: dict[str, Any], path: Path) -> SceneRecord:
    graph = graph_of_row(row)
    if row["audio"] is None:
        return SceneRecord(graph, None, graph.sample_rate)
    pcm, _ = decode_flac(row["audio"]["bytes"], f"{path}: {graph.scene_id}")
    return SceneRecord(graph, from_pcm16(pcm), graph.sample_rate)


def _record(row: dict[str, Any], path: Path) -> Record:
    scene = _scene(row, path)
    if scene.waveform is not None:
        scene.waveform.flags.writeable = False
    return Record(scene.graph, scene.waveform, scene.sample_rate)


def _place(folder: Path, sizes: dict[str, int], scene_id: str | None) -> tuple[DataFile, int]:
    """The file that holds a scene, and the scene's index in its split: both follow from the id."""
    files = scene_files(sizes)
    if scene_id is None:
        return files[0], files[0].first
    named = re.fullmatch(r"[a-z]+-(\d{6,12})", scene_id)
    index = int(named[1]) if named else -1
    for file in files:
        if file.first <= index < file.stop and scene_id == f"{file.split}-{index:06d}":
            return file, index
    expected = ", ".join(f"{split}-000000 to {split}-{size - 1:06d}" for split, size in sizes.items() if size)
    raise InputError(f"{folder}: scene: found {scene_id!r}, expected {expected}")
