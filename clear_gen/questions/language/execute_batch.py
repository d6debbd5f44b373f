"""Programs of one shape on many rows at once: a row is a template on a scene with some values.

Sets of sounds are two bit masks, those that ``may`` and those that ``must`` be in them; numbers and truth values are a
lower and an upper bound. A row is ``ok`` only if every completion of unknown labels gives its answer, and ``ill`` only
if it is certainly ill-posed. Few rows are neither: ``program.execute`` enumerates the completions and knows them, too.

Shapes: R rows, P parameters, K kinds of labels, N sounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clear_gen.questions.language.program import MARGIN_S, MARGIN_SHARE
from clear_gen.questions.language.scene_batch import ABSENT, ONE, SceneColumns, kinds_of
from clear_gen.questions.language.vocabulary import ABSOLUTE, RELATIVE
from clear_gen.questions.templates.program_skeleton import ANY, Shape, Step
from clear_gen.scenes.domain import Domain

Bounds = tuple[np.ndarray, np.ndarray]  # of a set (may, must), of a number or a truth value (low, high)
UNBOUNDED = 64  # more sounds than a scene has

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
class Named:
    """The values that R rows name: ``descriptions`` int64 [R, description, K], ``ranks`` [R, rank], ``relations``
    [R, relation]; ANY where a row names none."""

    descriptions: np.ndarray
    ranks: np.ndarray
    relations: np.ndarray


@dataclass
class Rows:
    """R rows of one shape. ``scenes`` and ``templates`` (place in the shape) int64 [R]; ``values`` int64 [R, P]: number
    of each parameter's value, ANY while it is open."""

    scenes: np.ndarray
    templates: np.ndarray
    values: np.ndarray
    _named: Named | None = None

    def __len__(self) -> int:
        return len(self.scenes)

    def at(self, kept: np.ndarray) -> Rows:
        """Some of the rows."""
        named = self._named
        if named is not None:
            named = Named(named.descriptions[kept], named.ranks[kept], named.relations[kept])
        return Rows(self.scenes[kept], self.templates[kept], self.values[kept], named)

    def named(self, shape: Shape) -> Named:
        """The values that the rows name; asked for when none is open any more."""
        if self._named is None:
            places = (shape.descriptions, shape.ranks, shape.relations)
            self._named = Named(*(self.at_places(some[self.templates]) for some in places))
        return self._named

    def at_places(self, places: np.ndarray) -> np.ndarray:
        """int64 [R, ...]: the values at places [R, ...], as ``Places`` numbers them; ANY where a place is ANY."""
        values = np.where(places == ANY, ANY, -2 - places)
        if self.values.shape[1]:
            row = np.arange(len(self)).reshape(-1, *[1] * (places.ndim - 1))
            values = np.where(places >= 0, self.values[row, np.maximum(places, 0)], values)
        return values


@dataclass(frozen=True)
class Setting:
    """What does not change from shape to shape. ``among``: kind of label of relative positions, or ANY.
    ``asked`` int16 [S, K + 2, N]: what can be asked of a sound, its labels, then its absolute and relative position.
    ``n_ranks``: how many ranks have a word that may be used."""

    columns: SceneColumns
    relations: Relations
    among: int
    asked: np.ndarray
    n_ranks: int


def setting_of(columns: SceneColumns, domain: Domain) -> Setting:
    """The setting of these scenes."""
    name = domain.relative_position_among
    among = ANY if name is None else kinds_of(domain).index(name)
    within = columns.labels[:, :1] != ABSENT
    earlier = columns.same_must[:, among] & (columns.bits - ONE)
    absolute = np.where(within, np.arange(columns.labels.shape[2]), ABSENT)
    relative = np.where(within, popcount(earlier)[:, None], ABSENT)
    asked = np.concatenate([columns.labels, absolute, relative], axis=1).astype(np.int16)
    return Setting(columns, relations_of(domain), among, asked, domain.sampling.sounds.max)


def popcount(masks: np.ndarray) -> np.ndarray:
    """int64: the number of sounds in each mask."""
    return np.bitwise_count(masks).astype(np.int64)


def first_of(masks: np.ndarray) -> np.ndarray:
    """int64: the first sound in each mask (64 if it is empty)."""
    return popcount((masks & -masks) - ONE)


class Run:
    """One execution of a shape's steps on rows. ``open_`` is called before a step whose values are still open."""

    def __init__(
        self,
        shape: Shape,
        rows: Rows,
        setting: Setting,
        change: Change = UNCHANGED,
        open_: Callable[[Run, int, Step], None] | None = None,
    ) -> None:
        self.shape, self.rows, self.setting, self.change = shape, rows, setting, change
        self._is_open = open_ is not None
        self.ok = np.ones(len(rows), bool)
        self.ill = np.zeros(len(rows), bool)
        self.everything = setting.columns.everything[rows.scenes]
        self.outputs: list[object] = []
        needed = self._needed()
        for number, step in enumerate(shape.steps):
            if open_ is not None:
                open_(self, number, step)
            self.outputs.append(_FUNCTIONS[step.function](self, number, step) if number in needed else None)
        self._certain = self.ok.copy()
        self._range: Bounds | None = None
        self.answer = self._answer(shape.steps[-1])

    def _needed(self) -> set[int]:
        """The steps that lead to the last one; none leads through a relation that is left out."""
        needed: set[int] = set()
        waiting = [len(self.shape.steps) - 1]
        while waiting:
            number = waiting.pop()
            needed.add(number)
            if self.change.relations.get(number) != EVERYTHING:
                waiting += self.shape.steps[number].inputs
        return needed

    def _answer(self, last: Step) -> np.ndarray:
        """int64 [R]: place of the answer in ``answers_of_type``."""
        if last.function == "query":
            return self.sound(len(self.outputs) - 1)
        low, high = self.bounds(len(self.outputs) - 1)
        self._range = (low, high) if low.dtype != bool else (1 - high.astype(np.int64), 1 - low.astype(np.int64))
        self.require(low == high)
        return self._range[0]

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
        """The set, number or truth value that a step gave."""
        output = self.outputs[number]
        assert isinstance(output, tuple)
        return output

    def sound(self, number: int) -> np.ndarray:
        """The sound, or the label, that a step gave."""
        output = self.outputs[number]
        assert isinstance(output, np.ndarray)
        return output

    def inputs(self, step: Step) -> list[Bounds]:
        """The sets, numbers or truth values that a step takes."""
        return [self.bounds(number) for number in step.inputs]

    # --- sets ---

    def scene(self, _number: int, _step: Step) -> Bounds:
        return self.everything, self.everything

    def describe(self, _number: int, step: Step) -> Bounds:
        (may, must), scenes = self.bounds(step.inputs[0]), self.rows.scenes
        columns = self.setting.columns
        for kind in self.shape.kinds[step.slot]:
            if (step.slot, kind) != self.change.dropped:
                values = self._value("descriptions", step.slot, kind)
                may = may & columns.may[scenes, kind, values]
                must = must & columns.must[scenes, kind, values]
        return may, must

    def _value(self, field: str, *place: int) -> np.ndarray:
        """int64 [R]: a value that the rows name; while some are still open, each is looked up by itself."""
        if self._is_open:
            return self.rows.at_places(getattr(self.shape, field)[:, *place][self.rows.templates])
        found: np.ndarray = getattr(self.rows.named(self.shape), field)[:, *place]
        return found

    def absolute(self, _number: int, step: Step) -> Bounds:
        may, must = self.bounds(step.inputs[0])
        self.require(may == must)
        rank = self._value("ranks", step.slot)
        left = must
        for passed in range(int(rank.max(initial=0))):
            left = np.where(passed < rank, left & (left - ONE), left)
        only = left & -left
        return only, only

    def relative(self, _number: int, step: Step) -> Bounds:
        may, must = self.bounds(step.inputs[0])
        self.require(may == must)
        rank = self._value("ranks", step.slot)
        bits = self.setting.columns.bits
        same = self.setting.columns.same_must[self.rows.scenes, self.setting.among]
        ranks = popcount(must[:, None] & same & (bits - ONE))
        chosen = ((must[:, None] & bits) != 0) & (ranks == rank[:, None])
        mask = (chosen * bits).sum(axis=1, dtype=np.uint64)
        return mask, mask

    def relate(self, number: int, step: Step) -> Bounds:
        how = self.change.relations.get(number)
        if how == EVERYTHING:
            return self.everything, self.everything
        sound = self.sound(step.inputs[0])
        if how == OTHERS:
            others = self.everything & ~(ONE << sound.astype(np.uint64))
            return others, others
        relations = self.setting.relations
        relation = self._value("relations", step.slot)
        if how == REVERSED:
            relation = relations.reverse[relation]
            self.require(relation != ANY)
        nearest, n_sounds = relations.nearest[relation], self.setting.columns.n_sounds[self.rows.scenes]
        is_after = relations.is_after[relation]
        start = np.where(is_after, sound + 1, np.maximum(0, sound - nearest))
        stop = np.where(is_after, np.minimum(n_sounds, sound + 1 + nearest), sound)
        stop = np.maximum(start, stop)
        mask = (ONE << stop.astype(np.uint64)) - (ONE << start.astype(np.uint64))
        return mask, mask

    def same(self, number: int, step: Step) -> Bounds:
        if self.change.relations.get(number) == EVERYTHING:
            return self.everything, self.everything
        sound, columns, scenes = self.sound(step.inputs[0]), self.setting.columns, self.rows.scenes
        label = columns.labels[scenes, step.kind, sound].astype(np.int64)
        self.require(label >= 0, label < 0)
        others = ~(ONE << sound.astype(np.uint64))
        may, must = (masks[scenes, step.kind, label] & others for masks in (columns.may, columns.must))
        return may, must

    def union(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        return left[0] | right[0], left[1] | right[1]

    def intersect(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        return left[0] & right[0], left[1] & right[1]

    # --- sounds ---

    def unique(self, _number: int, step: Step) -> np.ndarray:
        may, must = self.bounds(step.inputs[0])
        self.require((may == must) & (popcount(may) == 1), (may == 0) | (popcount(must) > 1))
        return self._within(first_of(may))

    def longest(self, _number: int, step: Step) -> np.ndarray:
        return self._extreme(step, 1)

    def shortest(self, _number: int, step: Step) -> np.ndarray:
        return self._extreme(step, -1)

    def _extreme(self, step: Step, sign: int) -> np.ndarray:
        """As ``program`` does it: beyond the next by more than both margins."""
        may, must = self.bounds(step.inputs[0])
        columns, rows = self.setting.columns, np.arange(len(self.rows))
        inside = (must[:, None] & columns.bits) != 0
        none = -(1 << 62)
        lengths = np.where(inside, sign * columns.n_samples[self.rows.scenes], none)
        best = lengths.argmax(axis=1)
        first = lengths[rows, best]
        lengths[rows, best] = none
        second = lengths.max(axis=1)
        longer = np.abs(first if sign > 0 else second)
        clear = first - second > np.maximum(MARGIN_S * columns.sample_rate, MARGIN_SHARE * longer)
        clear |= second == none
        self.require((may == must) & (must != 0) & clear, (may == 0) | ((may == must) & ~clear))
        return best

    def _within(self, sound: np.ndarray) -> np.ndarray:
        """Some sound of the scene also where the row is not ok, so that it can be gone on with."""
        return np.minimum(sound, self.setting.columns.labels.shape[2] - 1)

    # --- answers ---

    def query(self, _number: int, step: Step) -> np.ndarray:
        sound, asked = self.sound(step.inputs[0]), self.shape.asked[self.rows.templates]
        label = self.setting.asked[self.rows.scenes, asked, sound].astype(np.int64)
        self.require(label >= 0, label < 0)
        return label

    def count(self, _number: int, step: Step) -> Bounds:
        may, must = self.bounds(step.inputs[0])
        return popcount(must), popcount(may)

    def count_different(self, _number: int, step: Step) -> Bounds:
        may, must = self.bounds(step.inputs[0])
        columns, scenes = self.setting.columns, self.rows.scenes
        low = ((must[:, None] & columns.must[scenes, step.kind, :-1]) != 0).sum(axis=1)
        high = ((may[:, None] & columns.may[scenes, step.kind, :-1]) != 0).sum(axis=1)
        return low, high

    def exist(self, _number: int, step: Step) -> Bounds:
        may, must = self.bounds(step.inputs[0])
        return must != 0, may != 0

    def or_(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        return left[0] | right[0], left[1] | right[1]

    def add(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        return left[0] + right[0], left[1] + right[1]

    def equal_integer(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        certain = (left[0] == left[1]) & (right[0] == right[1]) & (left[0] == right[0])
        return certain, (left[0] <= right[1]) & (right[0] <= left[1])

    def less_than(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        return left[1] < right[0], left[0] < right[1]

    def greater_than(self, _number: int, step: Step) -> Bounds:
        left, right = self.inputs(step)
        return left[0] > right[1], left[1] > right[0]


_FUNCTIONS: dict[str, Callable[[Run, int, Step], object]] = {
    "scene": Run.scene,
    "describe": Run.describe,
    ABSOLUTE: Run.absolute,
    RELATIVE: Run.relative,
    "relate": Run.relate,
    "same": Run.same,
    "union": Run.union,
    "intersect": Run.intersect,
    "unique": Run.unique,
    "longest": Run.longest,
    "shortest": Run.shortest,
    "query": Run.query,
    "count": Run.count,
    "count_different": Run.count_different,
    "exist": Run.exist,
    "or": Run.or_,
    "add": Run.add,
    "equal_integer": Run.equal_integer,
    "less_than": Run.less_than,
    "greater_than": Run.greater_than,
}
