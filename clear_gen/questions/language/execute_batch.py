"""Executes one program skeleton on many rows at once; a row is a template on a scene with parameter values.

Sets of sounds are two bit masks, those that ``may`` and those that ``must`` be in them; numbers and truth values are a
lower and an upper bound. A row is ``ok`` only if every completion of unknown labels gives its answer, and ``ill`` only
if it is certainly ill-posed. The few rows that are neither need ``execute``, which enumerates the completions.

Shapes: R rows, P parameters, K kinds of labels, N sounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clear_gen.questions.language.functions.function import LABEL
from clear_gen.questions.language.program_skeleton import ANY, ProgramSkeleton, Step
from clear_gen.questions.language.scene_batch import ABSENT, ONE, Bounds, SceneBatch, popcount
from clear_gen.questions.language.vocabulary import label_kinds
from clear_gen.scenes.domain import Domain

UNBOUNDED = 64  # exceeds the number of sounds in any scene

EVERYTHING, OTHERS, REVERSED = "everything", "others", "reversed"


@dataclass(frozen=True)
class Change:
    """What to do otherwise. ``relations``: step (a relation, or ``same``) -> its set is EVERYTHING, all OTHERS, or the
    relation is REVERSED. ``dropped``: a description and the kind of label that it no longer names."""

    relations: dict[int, str]
    dropped: tuple[int, int] | None = None


UNCHANGED = Change({})


@dataclass(frozen=True)
class Relations:
    """The domain's relations as arrays [relation]: on which side, how many sounds at most, the number of its reverse
    (ANY if there is none)."""

    is_after: np.ndarray
    nearest: np.ndarray
    reverse: np.ndarray


def relations_of(domain: Domain) -> Relations:
    """The relations in the domain's order."""
    rules = [(rule.side, rule.nearest) for rule in domain.relations.values()]
    mirrored = [("before" if side == "after" else "after", nearest) for side, nearest in rules]
    return Relations(
        np.array([side == "after" for side, _ in rules], bool),
        np.array([nearest or UNBOUNDED for _, nearest in rules], np.int64),
        np.array([rules.index(mirror) if mirror in rules else ANY for mirror in mirrored], np.int64),
    )


@dataclass(frozen=True)
class NamedValues:
    """The values that R rows name: ``descriptions`` int64 [R, description, K], ``ranks`` [R, rank], ``relations``
    [R, relation]; ANY where a row names none."""

    descriptions: np.ndarray
    ranks: np.ndarray
    relations: np.ndarray


@dataclass
class Rows:
    """R rows of one skeleton. ``scenes`` and ``templates`` (place in the skeleton) int64 [R]; ``values`` int64 [R, P]:
    number of each parameter's value, ANY while it is open."""

    scenes: np.ndarray
    templates: np.ndarray
    values: np.ndarray
    _named: NamedValues | None = None

    def __len__(self) -> int:
        return len(self.scenes)

    def at(self, kept: np.ndarray) -> Rows:
        """A subset of the rows."""
        named = self._named
        if named is not None:
            named = NamedValues(named.descriptions[kept], named.ranks[kept], named.relations[kept])
        return Rows(self.scenes[kept], self.templates[kept], self.values[kept], named)

    def named(self, skeleton: ProgramSkeleton) -> NamedValues:
        """The values that the rows name; valid once no parameter is open."""
        if self._named is None:
            places = (skeleton.descriptions, skeleton.ranks, skeleton.relations)
            self._named = NamedValues(*(self.at_places(some[self.templates]) for some in places))
        return self._named

    def at_places(self, places: np.ndarray) -> np.ndarray:
        """int64 [R, ...]: the values at places [R, ...], as ``Places`` numbers them; ANY where a place is ANY."""
        values = np.where(places == ANY, ANY, -2 - places)
        if self.values.shape[1]:
            row = np.arange(len(self)).reshape(-1, *[1] * (places.ndim - 1))
            values = np.where(places >= 0, self.values[row, np.maximum(places, 0)], values)
        return values


@dataclass(frozen=True)
class BatchContext:
    """Data shared by all skeletons. ``among``: kind of label of relative positions, or ANY.
    ``asked`` int16 [S, K + 2, N]: the answers to queries about a sound: its labels, absolute and relative position.
    ``n_ranks``: how many ranks have a word that may be used."""

    scenes: SceneBatch
    relations: Relations
    among: int
    asked: np.ndarray
    n_ranks: int


def batch_context(scenes: SceneBatch, domain: Domain) -> BatchContext:
    """The context of these scenes."""
    name = domain.relative_position_among
    among = ANY if name is None else label_kinds(domain).index(name)
    within = scenes.labels[:, :1] != ABSENT
    earlier = scenes.same_must[:, among] & (scenes.bits - ONE)
    absolute = np.where(within, np.arange(scenes.labels.shape[2]), ABSENT)
    relative = np.where(within, popcount(earlier)[:, None], ABSENT)
    asked = np.concatenate([scenes.labels, absolute, relative], axis=1).astype(np.int16)
    return BatchContext(scenes, relations_of(domain), among, asked, domain.sampling.sounds.max)


class BatchExecutor:
    """One execution of a skeleton's steps on rows. ``fill`` is called before each step, whose values are still open."""

    def __init__(
        self,
        skeleton: ProgramSkeleton,
        rows: Rows,
        context: BatchContext,
        change: Change = UNCHANGED,
        fill: Callable[[BatchExecutor, int, Step], None] | None = None,
    ) -> None:
        self.skeleton, self.rows, self.context, self.change = skeleton, rows, context, change
        self._is_open = fill is not None
        self.ok = np.ones(len(rows), bool)
        self.ill = np.zeros(len(rows), bool)
        self.everything = context.scenes.everything[rows.scenes]
        self.outputs: list[object] = []
        needed = self._needed()
        for number, step in enumerate(skeleton.steps):
            if fill is not None:
                fill(self, number, step)
            self.outputs.append(self._output(number, step) if number in needed else None)
        self._certain = self.ok.copy()
        self._range: Bounds | None = None
        self.answer = self._answer(skeleton.steps[-1])

    def _needed(self) -> set[int]:
        """The steps on which the last one depends, not counting those behind an omitted relation."""
        needed: set[int] = set()
        waiting = [len(self.skeleton.steps) - 1]
        while waiting:
            number = waiting.pop()
            needed.add(number)
            if self.change.relations.get(number) != EVERYTHING:
                waiting += self.skeleton.steps[number].inputs
        return needed

    def _output(self, number: int, step: Step) -> object:
        how = self.change.relations.get(number)
        if how == EVERYTHING:
            return self.everything, self.everything
        if how == OTHERS:
            others = self.everything & ~(ONE << self.sound(step.inputs[0]).astype(np.uint64))
            return others, others
        return step.row.batch(self, number, *(self.outputs[place] for place in step.inputs))

    def _answer(self, last: Step) -> np.ndarray:
        """int64 [R]: index of the answer in ``answers_of_type``."""
        if last.row.output == LABEL:
            return self.sound(len(self.outputs) - 1)
        low, high = self.bounds(len(self.outputs) - 1)
        self._range = (low, high) if low.dtype != bool else (1 - high.astype(np.int64), 1 - low.astype(np.int64))
        self.require(low == high)
        return self._range[0]

    def value(self, field: str, *place: int) -> np.ndarray:
        """int64 [R]: a value that the rows name, at a place of the skeleton's field ``descriptions``, ``ranks`` or
        ``relations``."""
        if self._is_open:  # while some are still open, each is looked up by itself
            return self.rows.at_places(getattr(self.skeleton, field)[:, *place][self.rows.templates])
        found: np.ndarray = getattr(self.rows.named(self.skeleton), field)[:, *place]
        return found

    def require(self, well: np.ndarray, ill: np.ndarray | None = None) -> None:
        """Rows that are not ``well`` are no longer ok; those that are ``ill``, and certain until now, are ill-posed."""
        if ill is not None:
            self.ill |= ill & self.ok
        self.ok &= well

    def might_be(self, answer: np.ndarray) -> np.ndarray:
        """bool [R]: whether some row's answer may be this one."""
        if self._range is None:
            return ~self.ill & (~self.ok | (self.answer == answer))
        return ~self.ill & (~self._certain | ((self._range[0] <= answer) & (answer <= self._range[1])))

    def bounds(self, number: int) -> Bounds:
        """Bounds of the set, number or truth value that a step returned."""
        output = self.outputs[number]
        assert isinstance(output, tuple)
        return output

    def sound(self, number: int) -> np.ndarray:
        """The sound or the label that a step returned."""
        output = self.outputs[number]
        assert isinstance(output, np.ndarray)
        return output
