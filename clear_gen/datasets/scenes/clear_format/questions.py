"""The questions of a source in the published CLEAR layout, from outside: checked field by field, as our records.

Answers are taken as they are. Programs there carry the output of every node, which is not read; functions have our
names; a node that only checks whether there are several sounds is left out, and so is one that no other reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.core.names import guess
from clear_gen.core.text import has_controls
from clear_gen.datasets.scenes.clear_format.json_stream import JsonList
from clear_gen.datasets.scenes.clear_format.layout import (
    OWN_KEY,
    OWN_QUESTION_FIELDS,
    questions_path,
)
from clear_gen.datasets.scenes.clear_format.scenes import entry, filename_of, scene_index, text_of, wrong
from clear_gen.datasets.scenes.questions.files import Checker
from clear_gen.questions.generation.records import FIELDS, NEEDS_HOLDOUT
from clear_gen.questions.language.functions.table import functions_of
from clear_gen.questions.language.program import Node, Program, n_relations, question_type
from clear_gen.scenes.domain import Domain

SEVERAL = "not_unique"  # gives back the set that it takes, after a look whether it holds several sounds
MAX_NODES = 100
MAX_QUESTION = 2000  # characters
BATCH = 10_000  # questions that are Python objects at a time


@dataclass
class Questions:
    """The questions of one split of a source, in the order of their scenes: records, SHA-256 of their file, and how
    many programs had nodes of no use, which were left out."""

    path: Path
    records: pa.Table
    sha256: str
    with_unused: int

    @property
    def counts(self) -> dict[str, Any]:
        """How many there are, in all and of each type."""
        of_type = Counter(self.records["question_type"].to_pylist())
        return {"written": self.records.num_rows, "of_type": dict(sorted(of_type.items()))}


def read_published(source: Path, split: str, filenames: Sequence[str], domain: Domain) -> Questions | None:
    """The questions of a split, every field checked; ``filenames`` are those of its scenes' audio, by index.

    None if there is no file of them, or none in it. Raises InputError naming file, question, field, found, expected.
    """
    path = questions_path(source, split)
    if not path.exists():
        return None
    items, reader = JsonList(path, "questions"), _Reader(split, filenames, domain)
    tables, rows = [], []
    for number, raw in enumerate(items.items()):
        rows.append(reader.row(raw, f"{path}: questions[{number}]"))
        if len(rows) == BATCH:
            tables.append(pa.Table.from_pylist(rows, SCHEMA))
            rows = []
    records = pa.concat_tables([*tables, pa.Table.from_pylist(rows, SCHEMA)])
    if not records.num_rows:
        return None
    return Questions(path, records.sort_by([(name, "ascending") for name in ORDER]), items.sha256, reader.with_unused)


ORDER = ("scene", "place")  # index of the scene, and place in it
SCHEMA = pa.schema([*FIELDS, NEEDS_HOLDOUT, *(pa.field(name, pa.int64()) for name in ORDER)])


@dataclass
class _Reader:
    """Turns the questions of a split into rows; those of a scene are numbered as they come."""

    split: str
    filenames: Sequence[str]
    domain: Domain
    with_unused: int = 0
    _seen: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._checker = Checker(self.domain)
        self._functions = {row.published_name: name for name, row in functions_of(self.domain).items()} | {
            SEVERAL: SEVERAL
        }

    def row(self, raw: Any, at: str) -> dict[str, Any]:
        """The record of one question, and where it belongs."""
        scene = scene_index(raw, at, "question")
        if scene >= len(self.filenames):
            raise wrong(at, "scene_index", raw["scene_index"], f"a scene of this split, 0 to {len(self.filenames) - 1}")
        if "scene_filename" in raw and (found := filename_of(at, raw)) != self.filenames[scene]:
            raise wrong(at, "scene_filename", found, f"{self.filenames[scene]!r}, that of scene {scene:06d}")
        if type(index := raw.get("question_index", 0)) is not int or index < 0:
            raise wrong(at, "question_index", index, "a whole number")
        program = self._program(entry(at, "", raw, "program"), at)
        scene_id = f"{self.split}-{scene:06d}"
        row = {
            "question_id": f"{scene_id}-{self._seen[scene]}",
            "scene_id": scene_id,
            "split": self.split,
            "question": _sentence(at, entry(at, "", raw, "question")),
            "answer": _text_or_number(at, "answer", entry(at, "", raw, "answer")),
            "question_type": question_type(program),
            "template_id": _text_or_number(at, "template_index", entry(at, "", raw, "template_index")),
            "n_relations": n_relations(program),
            "program": [{"function": node.function, "inputs": node.inputs, "values": node.values} for node in program],
            "scene": scene,
            "place": self._seen[scene],
        }
        self._seen[scene] += 1
        return {**row, NEEDS_HOLDOUT.name: _own(raw, row, at)}

    def _program(self, raw: Any, at: str) -> Program:
        """A program in our terms. Raises InputError if it is none that answers a question of this domain."""
        if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_NODES:
            raise wrong(at, "program", raw, f"a list of 1 to {MAX_NODES} nodes")
        nodes: dict[int, Node] = {}  # by the numbers that they have in the file
        meant = list(range(len(raw)))  # whose output a number stands for
        for place, item in enumerate(raw):
            node = self._node(item, place, at)
            inputs = tuple(meant[number] for number in node.inputs)
            if node.function != SEVERAL:
                nodes[place] = Node(node.function, inputs, node.values)
            elif len(inputs) == 1 and not node.values:
                meant[place] = inputs[0]
            else:
                raise wrong(at, f"program[{place}]", item, f"one input and no value of {SEVERAL}")
        used = _used(nodes, meant[-1])
        self.with_unused += len(used) < len(nodes)
        program = tuple(
            Node(nodes[place].function, tuple(map(used.index, nodes[place].inputs)), nodes[place].values)
            for place in used
        )
        if problem := self._checker.problem(program):
            named = re.match(r"node (\d+): ", problem)
            where = f"program[{used[int(named[1])]}]: {problem[named.end() :]}" if named else f"program: {problem}"
            raise InputError(f"{at}: {where}")
        return program

    def _node(self, item: Any, place: int, at: str) -> Node:
        where = f"program[{place}]"
        if not isinstance(item, dict):
            raise wrong(at, where, item, "an object")
        name = entry(at, f"{where}.", item, "type")
        if not isinstance(name, str) or name not in self._functions:
            raise wrong(
                at, f"{where}.type", name, f"one of: {', '.join(sorted(self._functions))}{guess(name, self._functions)}"
            )
        inputs = _inputs(at, f"{where}.inputs", entry(at, f"{where}.", item, "inputs"), place)
        values = item.get("value_inputs", [])
        if not isinstance(values, list):
            raise wrong(at, f"{where}.value_inputs", values, "a list of texts")
        texts = tuple(_text_or_number(at, f"{where}.value_inputs", value) for value in values)
        return Node(self._functions[name], tuple(inputs), texts)


def _used(nodes: Mapping[int, Node], last: int) -> list[int]:
    """The nodes that the last one needs, in order: some published programs have others, which nothing reads."""
    used, waiting = {last}, [last]
    while waiting:
        new = set(nodes[waiting.pop()].inputs) - used
        used |= new
        waiting += new
    return sorted(used)


def _inputs(at: str, field: str, value: Any, place: int) -> list[int]:
    if not isinstance(value, list) or not all(type(number) is int and 0 <= number < place for number in value):
        raise wrong(at, field, value, "a list of the numbers of earlier nodes")
    return value


def _sentence(at: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_QUESTION or has_controls(value):
        raise wrong(at, "question", value, f"text of 1 to {MAX_QUESTION} characters without controls")
    return value


def _text_or_number(at: str, field: str, value: Any) -> str:
    """Counts are numbers in the published files; here every answer is text."""
    if type(value) is int and 0 <= value < 10**9:
        return str(value)
    return text_of(at, field, value)


def _own(raw: Mapping[str, Any], row: Mapping[str, Any], at: str) -> bool | None:
    """Check what our key says; returns whether a combination that was held out is needed, if that is known."""
    own = raw.get(OWN_KEY, {})
    if not isinstance(own, dict):
        raise wrong(at, OWN_KEY, own, "an object")
    for name in OWN_QUESTION_FIELDS:
        if name in own and (type(own[name]) is not type(row[name]) or own[name] != row[name]):
            raise wrong(at, f"{OWN_KEY}.{name}", own[name], f"{row[name]!r}, as the other fields say")
    needs = own.get(NEEDS_HOLDOUT.name)
    if needs is not None and not isinstance(needs, bool):
        raise wrong(at, f"{OWN_KEY}.{NEEDS_HOLDOUT.name}", needs, "true or false")
    return needs
