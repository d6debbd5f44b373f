"""Chosen candidates as question records: text, answer and program, the latter column by column.

The programs of a template differ in their values only, so a record's nodes are copied from one flat table of all
templates' nodes, and no program is ever an object of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.questions.language.program import n_relations
from clear_gen.questions.language.vocabulary import answers_of_type, values_of
from clear_gen.questions.language.wording import Pattern
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain

FORMAT = 1
PROGRAM = pa.list_(
    pa.field(
        "element",
        pa.struct(
            [
                ("function", pa.string()),
                ("inputs", pa.list_(pa.field("element", pa.int32()))),
                ("values", pa.list_(pa.field("element", pa.string()))),
            ]
        ),
    )
)
FIELDS = [
    *(pa.field(name, pa.string()) for name in ("question_id", "scene_id", "split", "question", "answer")),
    pa.field("question_type", pa.string()),
    pa.field("template_id", pa.string()),
    pa.field("n_relations", pa.int32()),
    pa.field("program", PROGRAM),
]
NEEDS_HOLDOUT = pa.field("needs_holdout", pa.bool_())  # only where a combination was held out


@dataclass(frozen=True)
class Chosen:
    """Q chosen candidates of one split: ``scene``, ``template``, ``answer`` int [Q], ``values`` int [Q, P], ``phrase``
    float [Q] in 0..1, ``needs_holdout`` bool [Q] or None."""

    scene: np.ndarray
    template: np.ndarray
    values: np.ndarray
    answer: np.ndarray
    phrase: np.ndarray
    needs_holdout: np.ndarray | None

    def batches(self, n: int) -> Iterator[Chosen]:
        """The same in parts of about ``n`` questions, no scene in two of them."""
        new = np.flatnonzero(np.diff(self.scene, prepend=-1))
        n_questions = len(self.scene)
        places = np.searchsorted(new, np.arange(0, n_questions, n), side="right") - 1
        starts = new[np.unique(places)]
        for start, stop in zip(starts, [*starts[1:], n_questions][: len(starts)], strict=True):
            parts = {field.name: getattr(self, field.name) for field in fields(self)}
            parts = {name: column if column is None else column[start:stop] for name, column in parts.items()}
            yield replace(self, **parts)


class Recorder:
    """Turns chosen candidates into records; made once for all templates."""

    def __init__(self, templates: Sequence[Template], domain: Domain) -> None:
        self._templates, self._domain = templates, domain
        self._names = [[parameter.name for parameter in template.parameters] for template in templates]
        lists = {parameter.kind for template in templates for parameter in template.parameters}
        self._values = {kind: values_of(kind, domain) for kind in lists}
        self._kinds = [[self._values[parameter.kind] for parameter in template.parameters] for template in templates]
        self._patterns: dict[tuple[int, int], Pattern] = {}
        self._answers = {name: answers_of_type(name, domain) for name in domain.question_types}
        self._nodes = _Nodes(templates, self._values)

    def records(self, chosen: Chosen, split: str) -> pa.Table:
        """The records, without those whose text occurs in their scene already."""
        texts = [
            self._text(*row)
            for row in zip(chosen.template.tolist(), chosen.values.tolist(), chosen.phrase.tolist(), strict=True)
        ]
        first: dict[tuple[int, str], int] = {}
        for place, key in enumerate(zip(chosen.scene.tolist(), texts, strict=True)):
            first.setdefault(key, place)
        kept = np.array(list(first.values()), np.int64)
        return self._table(chosen, [texts[place] for place in kept.tolist()], kept, split)

    def _text(self, template: int, values: list[int], phrase: float) -> str:
        patterns = self._templates[template].text
        number = int(phrase * len(patterns))
        pattern = self._patterns.get((template, number))
        if pattern is None:
            pattern = self._patterns[template, number] = Pattern(patterns[number], self._domain)
        named = zip(self._names[template], self._kinds[template], values, strict=False)
        return pattern.text({name: words[value] for name, words, value in named})

    def _table(self, chosen: Chosen, texts: list[str], kept: np.ndarray, split: str) -> pa.Table:
        template, scenes = chosen.template[kept], chosen.scene[kept].tolist()
        seen: Counter[int] = Counter()
        ids = []
        for scene in scenes:
            ids.append(f"{split}-{scene:06d}-{seen[scene]}")
            seen[scene] += 1
        types = [self._templates[number].question_type for number in template.tolist()]
        answers = [self._answers[name][place] for name, place in zip(types, chosen.answer[kept].tolist(), strict=True)]
        related = np.array([n_relations(one.program) for one in self._templates], np.int32)
        columns: list[Any] = [
            pa.array(ids),
            pa.array([f"{split}-{scene:06d}" for scene in scenes]),
            pa.array([split] * len(kept)),
            pa.array(texts),
            pa.array(answers),
            pa.array(types),
            pa.array([self._templates[number].template_id for number in template.tolist()]),
            pa.array(related[template]),
            self._nodes.programs(template, chosen.values[kept]),
        ]
        wanted = list(FIELDS)
        if chosen.needs_holdout is not None:
            columns.append(pa.array(chosen.needs_holdout[kept]))
            wanted.append(NEEDS_HOLDOUT)
        return pa.Table.from_arrays(columns, schema=pa.schema(wanted))


class _Nodes:
    """The nodes of all templates, one after the other, as flat columns."""

    def __init__(self, templates: Sequence[Template], values: dict[str, list[str]]) -> None:
        nodes = [node for template in templates for node in template.program]
        self._count = np.array([len(template.program) for template in templates], np.int64)
        functions = sorted({node.function for node in nodes})
        self._functions = pa.array(functions)
        self._function = np.array([functions.index(node.function) for node in nodes], np.int32)
        self._inputs = np.array([place for node in nodes for place in node.inputs], np.int32)
        self._n_inputs = np.array([len(node.inputs) for node in nodes], np.int64)
        self._n_values = np.array([len(node.values) for node in nodes], np.int64)
        starts = dict(zip(values, np.cumsum([0, *map(len, values.values())]).tolist(), strict=False))
        words = [word for listed in values.values() for word in listed]
        # of every node with a value: the parameter it comes from (or -1), and where its kind's words (or it) begin
        parameters, places = [], []
        for template in templates:
            kinds = {parameter.name: (k, parameter.kind) for k, parameter in enumerate(template.parameters)}
            for value in (value for node in template.program for value in node.values):
                number, kind = kinds.get(value, (-1, None))
                parameters.append(number)
                places.append(len(words) if kind is None else starts[kind])
                if kind is None:
                    words.append(value)
        self._words, self._parameter, self._place = (
            pa.array(words, pa.string()),
            np.array(parameters, int),
            np.array(places, int),
        )

    def programs(self, template: np.ndarray, values: np.ndarray) -> pa.ListArray:
        """The programs of rows, each a template with its values [Q, P]."""
        count = self._count[template]
        node = _ranges((np.cumsum(self._count) - self._count)[template], count)
        n_inputs, n_values = self._n_inputs[node], self._n_values[node]
        inputs = self._inputs[_ranges((np.cumsum(self._n_inputs) - self._n_inputs)[node], n_inputs)]
        of = _ranges((np.cumsum(self._n_values) - self._n_values)[node], n_values)
        row = np.repeat(np.repeat(np.arange(len(template)), count), n_values)
        parameter = self._parameter[of]
        given = values[row, np.maximum(parameter, 0)] if values.shape[1] else np.zeros(len(row), int)
        word = self._place[of] + np.where(parameter >= 0, given, 0)
        element = PROGRAM.value_type
        struct = pa.StructArray.from_arrays(
            [
                self._functions.take(pa.array(self._function[node])),
                _lists(n_inputs, pa.array(inputs), element.field("inputs").type),
                _lists(n_values, self._words.take(pa.array(word)), element.field("values").type),
            ],
            fields=list(element),
        )
        return _lists(count, struct, PROGRAM)


def _lists(lengths: np.ndarray, values: pa.Array, type_: pa.DataType) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=type_)


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """int64: start, start + 1, ... for each range, one after the other.

    >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
