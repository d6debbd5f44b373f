"""The questions of a split as columns: model inputs and the answers that predictions are scored against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from baselines.core.predictions import Format
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.core.parquet import read_row_group
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.datasets.scenes.load import load_scenes, open_scene_file, read_questions
from clear_gen.datasets.scenes.manifest import Settings, finished_settings
from clear_gen.datasets.scenes.questions.files import program_of, read_questions_manifest
from clear_gen.datasets.scenes.questions.predictions import EXAMPLE, ID, checked_answer
from clear_gen.datasets.scenes.scene import Scene
from clear_gen.questions.language.program import Program
from clear_gen.scenes.domain import Domain
from clear_gen.store.rows import Rows

COLUMNS = "question_id", "question", "answer", "question_type", "scene", "n_relations", "scene_s"


@dataclass(frozen=True)
class Questions:
    """The Q questions of one split, in the dataset's order: a split as ``baselines.core.predictions`` describes it.

    Scenes and programs are read on first use. ``n_original``: number of questions in the whole split.

    ``question_id``, ``question``, ``answer``, ``question_type``: object [Q] of str. ``scene``: int64 [Q], the index of
    the scene in its split. ``n_relations``: int64 [Q]. ``scene_s``: float64 [Q], length of the dry scene in seconds.
    ``sha256``: of the questions' identity in the dataset.
    """

    task: ClassVar[Literal["aqa"]] = "aqa"
    format: ClassVar[Format] = Format(ID, "questions", EXAMPLE)

    folder: Path
    split: str
    n_original: int
    domain: Domain
    sha256: str
    question_id: np.ndarray
    question: np.ndarray
    answer: np.ndarray
    question_type: np.ndarray
    scene: np.ndarray
    n_relations: np.ndarray
    scene_s: np.ndarray

    def __len__(self) -> int:
        return len(self.question_id)

    @property
    def name(self) -> str:
        """Of the split, as in the names of files."""
        return self.split

    @property
    def item_ids(self) -> list[str]:
        """The ids of the questions."""
        ids: list[str] = self.question_id.tolist()
        return ids

    def first(self, limit: int | None) -> Self:
        """The first ``limit`` questions, or all if None."""
        return self if limit is None else replace(self, **{name: getattr(self, name)[:limit] for name in COLUMNS})

    def scenes(self) -> Rows[Scene]:
        """The scenes of the split, indexed by ``scene``: graphs and waveforms, read when indexed."""
        return load_scenes(self.folder, self.split)

    def programs(self) -> Iterator[Program]:
        """The programs of the questions, in order, for symbolic predictors. Reads the questions' file."""
        column = read_questions(self.folder, self.split)["program"]
        return (program_of(column[place].as_py()) for place in range(len(self)))

    def checked(self, item_id: str, record: dict[str, Any], at: str) -> dict[str, str | None]:
        """Answer and raw text of a prediction. Raises InputError, beginning with ``at``, unless they are texts."""
        return checked_answer(record, at)

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A prediction as its file has it."""
        return {name: value for name, value in values.items() if name == "answer" or value is not None}


def read_split(folder: Path, split: str) -> Questions:
    """The questions of a split of a finished dataset.

    Raises InputError if there is no dataset in ``folder``, no such split or no questions in it, or a file is damaged.
    """
    settings = finished_settings(folder)
    if not settings.sizes.get(split):
        there = [name for name, size in settings.sizes.items() if size]
        raise InputError(f"{folder}: split: {not_among(split, there)}")
    table = read_questions(folder, split)
    asked = read_questions_manifest(folder, settings)
    assert asked is not None  # else read_questions would have raised
    names = "question_id", "question", "answer", "question_type"
    columns = {name: np.array(table[name].to_pylist(), object) for name in names}
    scene_id, n_samples_dry = _lengths(folder, split, settings)
    place = {name: index for index, name in enumerate(scene_id)}
    try:
        scene = np.array([place[name] for name in table["scene_id"].to_pylist()], np.int64)
    except KeyError as error:
        raise InputError(
            f"{folder}: questions of {split}: scene_id: found {error}, expected one of its scenes"
        ) from None
    return Questions(
        folder=folder,
        split=split,
        n_original=len(scene),
        domain=settings.domain,
        sha256=asked.sha256,
        **columns,
        scene=scene,
        n_relations=table["n_relations"].to_numpy().astype(np.int64),
        scene_s=n_samples_dry[scene] / settings.sample_rate,
    )


def _lengths(folder: Path, split: str, settings: Settings) -> tuple[list[str], np.ndarray]:
    """The ids of a split's scenes, and their dry lengths: int64 [N] samples."""
    scene_ids: list[str] = []
    lengths: list[np.ndarray] = []
    for path in [folder / file.name for file in scene_files(settings.sizes) if file.split == split]:
        opened = open_scene_file(path, settings)
        for number in range(opened.num_row_groups):
            table = read_row_group(opened, number, path, ["scene_id", "n_samples_dry"])
            scene_ids += table["scene_id"].to_pylist()
            lengths.append(table["n_samples_dry"].to_numpy())
    return scene_ids, np.concatenate(lengths)
