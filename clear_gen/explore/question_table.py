"""The questions of a dataset as columns: small enough to be filtered all at once. Programs are read when looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clear_gen.core.errors import InputError
from clear_gen.core.parquet import read_row_group
from clear_gen.datasets.scenes.layout import questions_name
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.questions.files import QuestionsManifest, open_questions
from clear_gen.datasets.scenes.questions.predictions import answers_in
from clear_gen.explore.query import Query
from clear_gen.questions.language.vocabulary import answers_of_type

COLUMNS = ["question_id", "scene_id", "question", "answer", "question_type"]
# What a prediction is: unread if it is none of the answers that its type of question can have, in whatever case
NONE, RIGHT, WRONG, UNREAD = VERDICTS = ("none", "right", "wrong", "unread")


@dataclass(frozen=True)
class Coded:
    """A column of texts that repeat: ``codes`` int32 [Q] into ``values``."""

    codes: np.ndarray
    values: list[str]

    def __getitem__(self, number: int) -> str:
        return self.values[self.codes[number]]

    def equal(self, value: str) -> np.ndarray:
        """Whether each row equals the value: bool [Q]."""
        return self.codes == (self.values.index(value) if value in self.values else -1)


class Questions:
    """All Q questions of a dataset, split by split. ``scene``: int [Q], the number of each one's scene among all."""

    def __init__(self, folder: Path, settings: Settings, asked: QuestionsManifest, scene_ids: Sequence[str]) -> None:
        self._folder, self._settings, self._asked = folder, settings, asked
        self._groups: list[tuple[str, int, int]] = []  # split, number of the row group, its first question
        table = pa.concat_tables(self._read())
        self.id, self.text = (table[name].combine_chunks() for name in ("question_id", "question"))
        self.type, self.answer = _coded(table["question_type"]), _coded(table["answer"])
        places = pc.index_in(table["scene_id"], pa.array(scene_ids, pa.string()))
        if places.null_count:
            number = pc.is_null(places).to_pylist().index(True)
            found = f"scene_id: found {str(table['scene_id'][number])[:60]!r}, expected a scene of this dataset"
            raise InputError(f"{folder}: {self.id[number]}: {found}")
        self.scene = places.to_numpy(zero_copy_only=False)
        self.predicted: dict[int, str | None] = {}
        self.verdict = Coded(np.zeros(len(self.scene), np.int32), list(VERDICTS))

    def __len__(self) -> int:
        return len(self.scene)

    def _read(self) -> Iterator[pa.Table]:
        first = 0
        for split in self._asked.splits:
            opened = open_questions(self._folder, split, self._asked, self._settings.sample_rate)
            yield opened.schema_arrow.empty_table().select(COLUMNS)
            for number in range(opened.num_row_groups):
                self._groups.append((split, number, first))
                found = read_row_group(opened, number, self._folder / questions_name(split), COLUMNS)
                yield found
                first += found.num_rows

    def predict(self, paths: Sequence[Path]) -> None:
        """Add predictions. Raises InputError for an unknown question or a duplicate."""
        numbers = {name: number for number, name in enumerate(self.id.to_pylist())}
        domain = self._settings.domain
        readable = {
            name: {answer.lower() for answer in answers_of_type(name, domain)} for name in domain.question_types
        }
        for path in paths:
            for name, said in answers_in(path):
                number = numbers.get(name)
                if number is None or number in self.predicted:
                    problem = "no such question in this dataset" if number is None else "a second prediction"
                    raise InputError(f"{path}: question_id {name[:60]!r}: found {problem}, expected each question once")
                self.predicted[number] = said
                verdict = _verdict(said, self.answer[number], readable.get(self.type[number], set()))
                self.verdict.codes[number] = VERDICTS.index(verdict)

    def kept(self, query: Query) -> np.ndarray:
        """The questions that match a query, ignoring its scene filters: bool [Q]."""
        found = np.ones(len(self), bool)
        for name in ("type", "answer", "verdict"):
            if name in query.wanted:
                found &= getattr(self, name).equal(query.wanted[name])
        if query.text:
            said = [pc.match_substring(column, query.text, ignore_case=True) for column in (self.text, self.id)]
            found &= pc.fill_null(pc.or_(*said), False).to_numpy(zero_copy_only=False)
        return found

    def program(self, number: int) -> list[dict[str, Any]] | None:
        """The stored program of a question; reads this column of its row group."""
        split, group, first = next(place for place in reversed(self._groups) if place[2] <= number)
        path = self._folder / questions_name(split)
        opened = open_questions(self._folder, split, self._asked, self._settings.sample_rate)
        table = read_row_group(opened, group, path, ["program"])
        found: list[dict[str, Any]] | None = table["program"][number - first].as_py()
        return found

    def answers_by_type(self) -> dict[str, list[str]]:
        """The types that were asked and the answers that occur, both in the domain's order."""
        pairs = np.unique(np.stack([self.type.codes, self.answer.codes]), axis=1)
        domain, found = self._settings.domain, dict[str, list[str]]()
        for name in sorted(self.type.values, key=[*domain.question_types, *self.type.values].index):
            there = [self.answer.values[code] for type_, code in pairs.T if self.type.values[type_] == name]
            order = [*(answers_of_type(name, domain) if name in domain.question_types else ()), *sorted(there)]
            found[name] = sorted(there, key=order.index)
        return found


def _coded(column: pa.ChunkedArray) -> Coded:
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return Coded(encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist())


def _verdict(said: str | None, answer: str, readable: set[str]) -> str:
    found = (said or "").strip().lower()
    if found == answer.lower():
        return RIGHT
    return WRONG if found in readable else UNREAD


def prediction_files(path: Path, splits: Sequence[str]) -> list[Path]:
    """A file of predictions, or those of the splits in the folder of a run. Raises InputError if there are none."""
    if not path.is_dir():
        return [path]
    names = [f"predictions-{split}.jsonl" for split in splits]
    if not (found := [path / name for name in names if (path / name).exists()]):
        raise InputError(f"{path}: found no predictions, expected one of: {', '.join(names)} (clear-bench evaluate)")
    return found
