"""Templates of one shape have the same program but for which attributes their filters name: they run side by side.

Neighbouring attribute filters become one step, ``describe``; which kinds of labels it names, and whether by a parameter
or by a constant, is a template's data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clear_gen.questions.language.program import question_type
from clear_gen.questions.language.scene_batch import kinds_of
from clear_gen.questions.language.vocabulary import ABSOLUTE, RELATION, RELATIVE, values_of
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain

ANY = -1  # a place that a template leaves open
SINGLING_OUT = ("unique", "longest", "shortest")
REFERENT, ORDINAL, EXTREME, SOME = "referent", "ordinal", "extreme", "some"  # what a description is for


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``slot``: number of the description, rank or relation; ``kind``: of ``same``, ``count_different``."""

    function: str
    inputs: tuple[int, ...] = ()
    slot: int = ANY
    kind: int = ANY


@dataclass(frozen=True, slots=True)
class Places:
    """Where a template's values go: [description, kind], [rank], [relation] -> number of a parameter, or a constant.

    A constant value v is stored as -2 - v; ANY means that the description does not name the kind. ``asked``: the kind
    of label that the last step queries (K and K + 1: absolute and relative position), or ANY.
    """

    descriptions: np.ndarray
    ranks: np.ndarray
    relations: np.ndarray
    asked: int


@dataclass
class Shape:
    """Steps, and the templates that have them. Arrays have one row per template; P is the most parameters one has.

    ``kinds``: that each description names. ``purposes``: what it is for. ``targets``: the descriptions that the answer
    is about, not the anchors.
    ``singled_out``, ``related``, ``compared``: the steps that give a sound, a relation's and a comparison's sounds.
    ``different`` [T, D, 2]: parameters that must differ.
    """

    steps: tuple[Step, ...]
    question_types: list[str] = field(default_factory=list)
    templates: list[int] = field(default_factory=list)
    places: list[Places] = field(default_factory=list)
    pairs: list[list[tuple[int, int]]] = field(default_factory=list)

    def finish(self) -> None:
        """Turn the lists of templates into arrays."""
        self.descriptions = np.stack([places.descriptions for places in self.places])
        self.ranks = np.stack([places.ranks for places in self.places])
        self.relations = np.stack([places.relations for places in self.places])
        most = max(map(len, self.pairs))
        self.different = np.full((len(self.pairs), most, 2), ANY)
        for number, pairs in enumerate(self.pairs):
            for place, pair in enumerate(pairs):
                self.different[number, place] = pair
        named = (self.descriptions != ANY).any(axis=0)
        self.kinds = [np.flatnonzero(kinds).tolist() for kinds in named]
        self.purposes = [_purpose(self.steps, number) for number, step in self._numbered("describe")]
        self.targets = _targets(self.steps)
        self.compared = [number for number, _ in self._numbered("same")]
        self.singled_out = [number for number, step in enumerate(self.steps) if step.function in SINGLING_OUT]
        self.related = [number for number, _ in self._numbered("relate")]
        self.asked = np.array([places.asked for places in self.places])
        self.is_query = self.steps[-1].function == "query"

    def _numbered(self, function: str) -> list[tuple[int, Step]]:
        return [(number, step) for number, step in enumerate(self.steps) if step.function == function]

    @property
    def referent(self) -> int:
        """The description that a query's sound has, or ANY."""
        return self.targets[0] if len(self.targets) == 1 else ANY


def shapes_of(templates: Sequence[Template], domain: Domain) -> list[Shape]:
    """The templates' shapes, in the order of their first templates."""
    shapes: dict[tuple[Step, ...], Shape] = {}
    for number, template in enumerate(templates):
        steps, places = _compiled(template, domain)
        shape = shapes.setdefault(steps, Shape(steps))
        names = [parameter.name for parameter in template.parameters]
        shape.question_types.append(question_type(template.program))
        shape.templates.append(number)
        shape.places.append(places)
        shape.pairs.append([(names.index(left), names.index(right)) for left, right in template.different])
    for shape in shapes.values():
        shape.finish()
    return list(shapes.values())


def _compiled(template: Template, domain: Domain) -> tuple[tuple[Step, ...], Places]:
    kinds = kinds_of(domain)
    numbers = {parameter.name: number for number, parameter in enumerate(template.parameters)}
    consumers = [sum(number in node.inputs for node in template.program) for number in range(len(template.program))]
    steps: list[Step] = []
    step_of: list[int] = []  # node -> step
    descriptions: list[np.ndarray] = []
    ranks: list[int] = []
    relations: list[int] = []
    asked = ANY

    def place(kind: str, value: str) -> int:
        return numbers[value] if value in numbers else -2 - values_of(kind, domain).index(value)

    for node in template.program:
        inputs = tuple(step_of[number] for number in node.inputs)
        prefix, _, name = node.function.partition("_")
        kind = kinds.index(name) if name in kinds else ANY
        if prefix == "filter" and kind != ANY:
            before = steps[inputs[0]]
            named = before.function == "describe" and descriptions[before.slot][kind] != ANY
            if before.function == "describe" and consumers[node.inputs[0]] == 1 and not named:
                descriptions[before.slot][kind] = place(name, node.values[0])
                step_of.append(inputs[0])
                continue
            descriptions.append(np.full(len(kinds), ANY))
            descriptions[-1][kind] = place(name, node.values[0])
            steps.append(Step("describe", inputs, len(descriptions) - 1))
        elif prefix == "filter":
            ranks.append(place(ABSOLUTE, node.values[0]))
            steps.append(Step(name, inputs, len(ranks) - 1))
        elif node.function == "relate":
            relations.append(place(RELATION, node.values[0]))
            steps.append(Step("relate", inputs, len(relations) - 1))
        elif prefix == "query":
            asked = [*kinds, ABSOLUTE, RELATIVE].index(name)
            steps.append(Step("query", inputs))
        elif prefix == "same":
            steps.append(Step("same", inputs, kind=kind))
        elif node.function.startswith("count_different_"):
            kind = kinds.index(node.function.removeprefix("count_different_"))
            steps.append(Step("count_different", inputs, kind=kind))
        else:
            steps.append(Step(node.function, inputs))
        step_of.append(len(steps) - 1)
    described = np.stack(descriptions) if descriptions else np.empty((0, len(kinds)), np.int64)
    return tuple(steps), Places(described, np.array(ranks, np.int64), np.array(relations, np.int64), asked)


def _purpose(steps: Sequence[Step], number: int) -> str:
    """What the description made by a step is for: follows from the steps that use it."""
    for step in steps:
        if number in step.inputs:
            if step.function in (ABSOLUTE, RELATIVE):
                return ORDINAL
            if step.function == "unique":
                return REFERENT
            return EXTREME if step.function in ("longest", "shortest") else SOME
    return SOME


def _targets(steps: Sequence[Step]) -> list[int]:
    """The descriptions that lead to the last step without leading through a relation or a comparison with a sound."""
    found: list[int] = []
    waiting = [len(steps) - 1]
    while waiting:
        step = steps[waiting.pop()]
        if step.function == "describe":
            found.append(step.slot)
        if step.function not in ("relate", "same"):
            waiting += step.inputs
    return sorted(found)
