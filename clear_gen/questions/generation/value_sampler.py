"""Samples values for a template's parameters: only values that can lead to an answer on the scene at hand.

A description's values are those of a sound, its guide. The guides that make a referent unique are enumerated by bit
masks, and one of them is drawn; where a description need not match anything (to count, to ask whether there is one),
the guide is as often a sound from elsewhere in the scene, or from the bank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clear_gen.questions.language.execute_batch import BatchContext, BatchExecutor, Rows
from clear_gen.questions.language.functions.function import REFERENT, SOME
from clear_gen.questions.language.program_skeleton import ANY, ProgramSkeleton, Step
from clear_gen.questions.language.scene_batch import UNKNOWN, popcount
from clear_gen.questions.language.vocabulary import RELATIVE

INSIDE_SHARE = 0.5  # of the guides of descriptions that need not match
DRAWS_PER_DESCRIPTION = 3
MAX_COUNTED = 4_000_000  # of the packaged domain: 180,000


@dataclass(eq=False)
class BankLabels:
    """``labels`` int16 [B, K]: number of each elementary sound's value, UNKNOWN where it is unknown, or of no bank (the
    part of the scene, drawn independently). ``n_values`` int64 [K]."""

    labels: np.ndarray
    n_values: np.ndarray

    @cached_property
    def known(self) -> np.ndarray:
        """bool [K]: the kinds that some sound has a value of."""
        return (self.labels != UNKNOWN).any(axis=0)

    @cached_property
    def _counted(self) -> np.ndarray | None:
        """int16: the answers of ``n_labels`` by the number of the question, ANY where it was not asked yet; None if
        there are too many."""
        size = math.prod((self.n_values + 1).tolist()) * (len(self.n_values) + 1)
        return np.full(size, ANY, np.int16) if size <= MAX_COUNTED else None

    def n_labels(self, described: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """int64 [R]: how many labels of the kinds ``asked`` [R] the sounds have that have the values ``described``
        [R, K]; how many sounds there are where ``asked`` is ANY.

        Kinds that the bank does not know, such as the part of the scene, exclude none.
        """
        if self._counted is None:
            codes, which = np.unique(np.column_stack([described, asked]), axis=0, return_inverse=True)
            return np.array([self._count(code[:-1], int(code[-1])) for code in codes], np.int64)[which.reshape(-1)]
        number = asked + 1
        for kind, n_values in enumerate(self.n_values.tolist()):
            number = number * (n_values + 1) + described[:, kind] + 1
        new = np.flatnonzero(self._counted[number] == ANY)
        for row in new[np.unique(number[new], return_index=True)[1]].tolist():
            self._counted[number[row]] = self._count(described[row], int(asked[row]))
        return self._counted[number].astype(np.int64)

    def _count(self, described: np.ndarray, asked: int) -> int:
        named = (described != ANY) & self.known
        match = (self.labels[:, named] == described[named]).all(axis=1)
        if asked == ANY:
            return int(match.sum())
        if described[asked] != ANY:
            return 1
        if not self.known[asked]:
            return int(self.n_values[asked])
        labels = self.labels[match, asked]
        return len(np.unique(labels[labels != UNKNOWN]))


def n_draws(skeleton: ProgramSkeleton) -> int:
    """Random numbers that one row of a skeleton takes."""
    return (
        DRAWS_PER_DESCRIPTION * skeleton.descriptions.shape[1] + skeleton.ranks.shape[1] + skeleton.relations.shape[1]
    )


class ValueSampler:
    """Fills open values step by step. ``uniform`` float [R, n_draws]: random numbers of each row's scene."""

    def __init__(self, uniform: np.ndarray, bank: BankLabels) -> None:
        self._uniform, self._bank = uniform, bank
        self._next = 0
        self._guides: dict[int, np.ndarray] = {}  # description's step -> guide, a sound of the scene

    def fill(self, executor: BatchExecutor, number: int, step: Step) -> None:
        """Give values to what a step leaves open; rows for which there are none are no longer ok."""
        if step.is_description:
            self._description(executor, number, step)
        elif step.is_rank:
            self._rank(executor, step)
        elif step.is_relation:
            places = executor.skeleton.relations[executor.rows.templates, step.slot]
            n = len(executor.context.relations.nearest)
            _fill(executor.rows, places, (self._draw() * n).astype(np.int64))

    def _draw(self) -> np.ndarray:
        self._next += 1
        return self._uniform[:, self._next - 1].astype(np.float64)

    # --- descriptions ---

    def _description(self, executor: BatchExecutor, number: int, step: Step) -> None:
        rows, batch = executor.rows, executor.context.scenes
        mode, pick, part = (self._draw() for _ in range(DRAWS_PER_DESCRIPTION))
        places = executor.skeleton.descriptions[rows.templates, step.slot]  # [R, K]
        base_may, base_must = executor.bounds(step.inputs[0])
        labels = batch.labels[rows.scenes]  # [R, K, N]
        named, possible = places != ANY, (base_must[:, None] & batch.bits) != 0
        purpose = executor.skeleton.purposes[step.slot]
        matches = _Matches(executor.context, rows.scenes, base_may, base_must, purpose)
        fits = np.ones_like(possible)
        given = rows.at_places(places)
        for kind in executor.skeleton.kinds[step.slot]:
            here, wanted = named[:, kind], given[:, kind]
            fits &= (labels[:, kind] >= 0) | ~here[:, None]
            fits &= (labels[:, kind] == wanted[:, None]) | (wanted == ANY)[:, None]
            if purpose != SOME:
                matches.narrow(kind, here)
        if purpose == SOME:
            self._some(executor, step, places, (possible & fits, ~possible & fits), mode, pick, part)
            return
        suits = possible & fits & matches.suit()
        if purpose == REFERENT:
            terse = suits & matches.terse()
            suits = np.where(terse.any(axis=1)[:, None], terse, suits)
        guide = _chosen(suits, pick)
        executor.require(suits.any(axis=1))
        self._guides[number] = guide
        _fill_labels(rows, places, labels[np.arange(len(rows)), :, guide])

    def _some(
        self,
        executor: BatchExecutor,
        step: Step,
        places: np.ndarray,
        pools: tuple[np.ndarray, np.ndarray],
        mode: np.ndarray,
        pick: np.ndarray,
        part: np.ndarray,
    ) -> None:
        """A guide from the set, from the rest of the scene, or, where there is no rest, from the bank."""
        rows, batch = executor.rows, executor.context.scenes
        inside, outside = pools
        outside = outside & ((executor.everything[:, None] & batch.bits) != 0)
        take_inside = (mode < INSIDE_SHARE) & inside.any(axis=1)
        guide = _chosen(np.where(take_inside[:, None], inside, outside), pick)
        found = batch.labels[rows.scenes, :, guide]
        from_bank = ~take_inside & ~outside.any(axis=1)
        drawn = self._bank.labels[(pick * len(self._bank.labels)).astype(np.int64)]
        drawn = np.where(drawn == UNKNOWN, (part[:, None] * self._bank.n_values).astype(np.int64), drawn)
        _fill_labels(rows, places, np.where(from_bank[:, None], drawn, found))

    # --- ranks ---

    def _rank(self, executor: BatchExecutor, step: Step) -> None:
        """The rank of the guide of the description before, or of any sound of the set."""
        batch, rows = executor.context.scenes, executor.rows
        pick = self._draw()
        _, must = executor.bounds(step.inputs[0])
        guide = self._guides.get(step.inputs[0])
        if guide is None:
            guide = _chosen((must[:, None] & batch.bits) != 0, pick)
        earlier = must & (batch.bits[guide] - np.uint64(1))
        if step.row.value == RELATIVE:
            earlier &= batch.same_must[rows.scenes, executor.context.among, guide]
        rank = popcount(earlier)
        executor.require(rank < executor.context.n_ranks)
        _fill(rows, executor.skeleton.ranks[rows.templates, step.slot], rank)


class _Matches:
    """For every sound of a set, as a guide: the sounds of the set that may, and that must, match its description."""

    def __init__(
        self, context: BatchContext, scenes: np.ndarray, may: np.ndarray, must: np.ndarray, purpose: str
    ) -> None:
        n_sounds = context.scenes.labels.shape[2]
        self._context, self._scenes, self._purpose = context, scenes, purpose
        self._may = np.repeat(may[:, None], n_sounds, axis=1)
        self._must = np.repeat(must[:, None], n_sounds, axis=1)
        self._without: list[np.ndarray] = []  # of each kind: the sounds that must match all the other kinds

    def narrow(self, kind: int, here: np.ndarray) -> None:
        """Let the description name one more kind of label, in the rows that are ``here``."""
        batch = self._context.scenes
        keep = np.where(here, np.uint64(0), ~np.uint64(0))[:, None]
        must = batch.same_must[self._scenes, kind] | keep
        if self._purpose == REFERENT:
            self._without = [before & must for before in self._without]
            self._without.append(np.where(here[:, None], self._must, ~np.uint64(0)))
        self._may &= batch.same_may[self._scenes, kind] | keep
        self._must &= must

    def suit(self) -> np.ndarray:
        """bool [R, N]: the guides that a description can have: matched by itself alone; for ranks and extremes, by
        others too."""
        certain = self._may == self._must
        n = popcount(self._may)
        return certain & ((n == 1) if self._purpose == REFERENT else (n >= 2))

    def terse(self) -> np.ndarray:
        """bool [R, N]: the guides that others match as soon as one kind is left out."""
        terse = np.ones(self._may.shape, bool)
        for without in self._without:
            terse &= (without & (without - np.uint64(1))) != 0
        return terse


def _chosen(suits: np.ndarray, pick: np.ndarray) -> np.ndarray:
    """int64 [R]: one of the sounds for which ``suits`` [R, N], by a random number; 0 where there are none."""
    place = (pick * suits.sum(axis=1)).astype(np.int64)
    return np.argmax(np.cumsum(suits, axis=1) > place[:, None], axis=1)


def _fill_labels(rows: Rows, places: np.ndarray, labels: np.ndarray) -> None:
    for kind in np.flatnonzero((places >= 0).any(axis=0)).tolist():
        _fill(rows, places[:, kind], labels[:, kind].astype(np.int64))


def _fill(rows: Rows, places: np.ndarray, values: np.ndarray) -> None:
    """Give a value to the parameters at ``places`` [R] that are still open."""
    wanted = np.flatnonzero(places >= 0)
    still = wanted[rows.values[wanted, places[wanted]] == ANY]
    rows.values[still, places[still]] = values[still]
