"""What can be wrong with the questions of a split: the part of ``validate`` that runs in a worker process.

Ids, texts and counts are looked at split by split; programs and answers row group by row group, each answer found
again from the graph of its scene.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow.parquet as pq

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import read_row_group
from clear_gen.datasets.scenes.checks import Finding, Inspection, InspectionState
from clear_gen.datasets.scenes.layout import questions_name, scene_files
from clear_gen.datasets.scenes.questions.files import (
    ROWS_PER_GROUP,
    QuestionsManifest,
    open_questions,
    program_of,
)
from clear_gen.questions.language.execute import IllPosed, execute_on
from clear_gen.questions.language.program import n_relations, question_type
from clear_gen.questions.language.scene_facts import Facts, facts_of
from clear_gen.scenes.graph import graph_of_row, scene_schema
from clear_gen.store.checks import Inspected
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import CHUNK_RECORDS, FILE_RECORDS

CHECK = "questions"
SHOWN_VALUE = 60  # characters
MAX_GROUP = 2 * ROWS_PER_GROUP  # questions in a row group: a writer need not split a scene's
TEXT_COLUMNS = ["question_id", "scene_id", "split", "question", "question_type", "template_id"]


def _asked(inspection: Inspection) -> QuestionsManifest:
    assert inspection.asked is not None
    return inspection.asked


def _opened(inspection: Inspection, split: str) -> pq.ParquetFile:
    return open_questions(inspection.folder, split, _asked(inspection), inspection.settings.sample_rate)


def _finding(where: str, problem: str) -> Finding:
    return Finding(CHECK, where, problem)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_VALUE else f"{text[: SHOWN_VALUE - 1]}…"


# --- ids, texts and counts of a split ---------------------------------------------------------------------------------


def inspect_split(state: InspectionState, split: str) -> Inspected:
    """Check that the questions of a split are in order, each once, and as many as ``clear.json`` says.

    ``n_groups`` of the result is the number of row groups whose answers are still to be looked at.
    """
    found, name, inspection = Inspected(), questions_name(split), state.inspection
    try:
        opened = _opened(inspection, split)
        sizes = [opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups)]
        order, types = _Order(inspection, split), Counter[str]()
        for number in range(opened.num_row_groups):
            table = read_row_group(opened, number, inspection.folder / name, TEXT_COLUMNS)
            for row in zip(*(table[column].to_pylist() for column in TEXT_COLUMNS), strict=True):
                where, problems = order.problems(*row)
                found.findings += [_finding(where, problem) for problem in problems]
                types[str(row[TEXT_COLUMNS.index("question_type")])] += 1
    except InputError as error:
        found.findings.append(_finding(name, str(error)))
        return found
    found.n_groups = len(sizes)
    found.findings += [_finding(name, problem) for problem in _wrong_counts(inspection, split, sizes, types)]
    return found


def _wrong_counts(inspection: Inspection, split: str, sizes: list[int], types: Counter[str]) -> Iterator[str]:
    counts, n = _asked(inspection).splits[split], sum(sizes)
    if n != counts.written:
        yield f"found {n:,} questions, expected {counts.written:,} as clear.json says"
    if max(sizes, default=0) > MAX_GROUP:
        yield f"found a row group of {max(sizes):,} questions, expected at most {MAX_GROUP:,}, to be read one by one"
    stated = {name: number for name, number in counts.of_type.items() if number}
    for name in sorted({*types, *stated}):
        if types[name] != stated.get(name, 0):
            yield f"question_type {name[:SHOWN_VALUE]}: found {types[name]:,}, clear.json says {stated.get(name, 0):,}"
    if (per_scene := _asked(inspection).per_scene) is not None:
        wanted = inspection.settings.sizes[split] * per_scene
        if counts.wanted != wanted:
            yield f"wanted: clear.json says {counts.wanted}, expected {wanted:,}, {per_scene} a scene"


class _Order:
    """The questions of a split as they come: scene after scene, numbered within each."""

    def __init__(self, inspection: Inspection, split: str) -> None:
        self._split, self._size = split, inspection.settings.sizes[split]
        self._per_scene = _asked(inspection).per_scene
        self._id = re.compile(rf"{split}-(\d{{6,12}})")
        self._scene, self._n = -1, 0
        self._texts: set[str | None] = set()

    def problems(
        self, question_id: Any, scene_id: Any, split: Any, question: Any, _type: Any, template_id: Any
    ) -> tuple[str, list[str]]:
        """What to call a question, and what is wrong with it."""
        where, found = str(question_id)[:SHOWN_VALUE], []
        if split != self._split:
            found.append(f"split: found {_shown(split)}, expected {self._split!r}")
        named = self._id.fullmatch(scene_id or "")
        scene = int(named[1]) if named else -1
        if scene_id != f"{self._split}-{scene:06d}" or scene >= self._size:
            return where, [*found, f"scene_id: found {_shown(scene_id)}, expected a scene of this split"]
        if scene < self._scene:
            found.append(
                f"scene_id: found {scene_id} after {self._split}-{self._scene:06d}, expected the scenes in order"
            )
        if scene != self._scene:
            self._scene, self._n = scene, 0
            self._texts.clear()
        if question_id != (expected := f"{scene_id}-{self._n}"):
            found.append(f"question_id: found {_shown(question_id)}, expected {expected!r}")
        self._n += 1
        if self._per_scene is not None and self._n == self._per_scene + 1:
            found.append(f"found more than {self._per_scene} questions of its scene")
        if not question or question in self._texts:
            found.append(
                f"question: found {_shown(question)}{' twice in its scene' * bool(question)}, expected another"
            )
        if not template_id:
            found.append(f"template_id: found {_shown(template_id)}, expected a name")
        self._texts.add(question)
        return where, found


# --- programs and answers of a row group ------------------------------------------------------------------------------


def inspect_answers(state: InspectionState, split: str, number: int) -> Inspected:
    """Check the programs of a row group, and find their answers again."""
    found, path = Inspected(), state.inspection.folder / questions_name(split)
    try:
        rows = read_row_group(_opened(state.inspection, split), number, path).to_pylist()
    except InputError as error:
        found.findings.append(_finding(f"{questions_name(split)}, row group {number}", str(error)))
        return found
    scenes = _Scenes(state.inspection)
    for row in rows:
        found.counts["questions"] += 1
        where = str(row["question_id"])[:SHOWN_VALUE]
        try:
            found.findings += [_finding(where, problem) for problem in _wrong_question(state, row, scenes)]
        except Exception as error:  # whatever an altered question can do to its reader, the others are looked at
            problem = f"cannot be looked at ({type(error).__name__}: {first_line(error)[: 2 * SHOWN_VALUE]})"
            found.findings.append(_finding(where, problem))
    return found


def _wrong_question(state: InspectionState, row: dict[str, Any], scenes: _Scenes) -> Iterator[str]:
    program = program_of(row["program"])
    if problem := state.checker.problem(program):
        yield f"program: {problem}"
        return
    for name, value in (("question_type", question_type(program)), ("n_relations", n_relations(program))):
        if row[name] != value:
            yield f"{name}: found {_shown(row[name])}, expected {value!r} by its program"
    if "needs_holdout" in row and not _asked(state.inspection).imported:
        held_out_of = row["split"] == "train"
        if row["needs_holdout"] is None or (held_out_of and row["needs_holdout"]):
            expected = "false in a training question" if held_out_of else "true or false"
            yield f"needs_holdout: found {_shown(row['needs_holdout'])}, expected {expected}"
    facts = scenes.facts(str(row["scene_id"]))
    if facts is None:
        return
    outcome = execute_on(program, facts)
    if isinstance(outcome, IllPosed):
        yield f"answer: found {_shown(row['answer'])}, but the question is ill-posed: {outcome.reason}"
    elif outcome != row["answer"]:
        yield f"answer: found {_shown(row['answer'])}, expected {outcome!r}"
    elif outcome not in state.answers:
        yield f"answer: found {_shown(row['answer'])}, expected an answer of the domain"


class _Scenes:
    """The facts of scenes that come in order: one chunk's graphs are in memory at a time."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection, settings = inspection, inspection.settings
        schema = scene_schema(settings.domain.attributes, settings.sample_rate)
        self._columns = [name for name in schema.names if name != "audio"]
        self._files = {(file.split, file.number): file for file in scene_files(settings.sizes)}
        self._held: tuple[str, int] | None = None
        self._rows: dict[str, dict[str, Any]] = {}
        self._last: tuple[str, Facts | None] = ("", None)

    def facts(self, scene_id: str) -> Facts | None:
        """The facts of a scene; None if it is not there or damaged, which its own checks say."""
        if self._last[0] != scene_id:
            row = self._row(scene_id)
            domain = self._inspection.settings.domain
            self._last = (scene_id, None if row is None else facts_of(graph_of_row(row), domain))
        return self._last[1]

    def _row(self, scene_id: str) -> dict[str, Any] | None:
        split, _, digits = scene_id.partition("-")
        if not digits.isdecimal() or (file := self._files.get((split, int(digits) // FILE_RECORDS))) is None:
            return None
        number = (int(digits) - file.first) // CHUNK_RECORDS
        if self._held != (chunk := (file.name, number)):
            self._held, self._rows, path = chunk, {}, self._inspection.folder / file.name
            try:
                opened = check_file(path, file, self._inspection.identity_sha256)
                rows = read_row_group(opened, number, path, self._columns).to_pylist()
            except InputError:
                return None
            names = (f"{split}-{index:06d}" for index in range(file.first + number * CHUNK_RECORDS, file.stop))
            self._rows = dict(zip(islice(names, len(rows)), rows, strict=True))
        return self._rows.get(scene_id)
