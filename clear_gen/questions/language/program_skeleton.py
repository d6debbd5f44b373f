"""Program skeletons: programs without the values and attributes in which templates differ.

Templates of one skeleton have the same program but for which attributes their filters name, and run side by side.
Neighbouring filters by label become one step, ``describe``; which kinds of labels it names, and whether by a parameter
or by a constant, is a template's data. ``templates.skeletons`` compiles templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clear_gen.questions.language.functions.function import SOME, SOUND, Function
from clear_gen.questions.language.vocabulary import RANKS, RELATION

ANY = -1  # a place that a template leaves open
DESCRIBE, QUERY = "describe", "query"  # steps that stand for several functions


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``slot``: number of the description, rank or relation; ``kind``: number of the kind of label that a
    function without a value is about. ``row`` of the function table: that of one of the functions it stands for."""

    function: str
    inputs: tuple[int, ...] = ()
    slot: int = ANY
    kind: int = ANY
    row: Function = field(kw_only=True, repr=False, compare=False)

    @property
    def is_description(self) -> bool:
        """Whether the step filters by labels."""
        return self.function == DESCRIBE

    @property
    def is_rank(self) -> bool:
        """Whether the step filters by rank."""
        return self.row.value in RANKS

    @property
    def is_relation(self) -> bool:
        """Whether the step selects the sounds in a relation to one."""
        return self.row.value == RELATION


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
class ProgramSkeleton:
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
        steps = list(enumerate(self.steps))
        self.purposes = [_purpose(self.steps, number) for number, step in steps if step.is_description]
        self.targets = _targets(self.steps)
        self.related = [number for number, step in steps if step.is_relation]
        self.compared = [number for number, step in steps if step.row.leads_to_others and not step.is_relation]
        self.singled_out = [number for number, step in steps if step.row.output == SOUND]
        self.asked = np.array([places.asked for places in self.places])
        self.is_query = self.steps[-1].function == QUERY

    @property
    def referent(self) -> int:
        """Index of the description of the queried sound, or ANY."""
        return self.targets[0] if len(self.targets) == 1 else ANY


def _purpose(steps: Sequence[Step], number: int) -> str:
    """The purpose of the description made by a step, determined by the first step that uses it."""
    return next((step.row.describes for step in steps if number in step.inputs), SOME)


def _targets(steps: Sequence[Step]) -> list[int]:
    """The descriptions that lead to the last step without leading through a relation or a comparison with a sound."""
    found: list[int] = []
    waiting = [len(steps) - 1]
    while waiting:
        step = steps[waiting.pop()]
        if step.is_description:
            found.append(step.slot)
        if not step.row.leads_to_others:
            waiting += step.inputs
    return sorted(found)
