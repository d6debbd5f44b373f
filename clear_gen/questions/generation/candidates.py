"""Pass 1: candidate questions of some scenes, each well-posed, worth asking, and drawn from its scene's own stream.

A scene has ``per_scene`` slots and a few spare ones, each of one question type, as often as the types' shares say; a
slot gets several candidates, of which pass 2 selects one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from clear_gen.core.records import SPLITS
from clear_gen.core.streams import STAGE_QUESTIONS, stream
from clear_gen.questions.generation.answerable_without_audio import answerable_without_audio
from clear_gen.questions.generation.balance_keys import N_KEYS, balance_keys
from clear_gen.questions.generation.type_shares import type_cycle
from clear_gen.questions.generation.value_sampler import BankLabels, ValueSampler, n_draws
from clear_gen.questions.language.execute_batch import (
    EVERYTHING,
    OTHERS,
    REVERSED,
    BatchContext,
    BatchExecutor,
    Change,
    Rows,
    batch_context,
)
from clear_gen.questions.language.functions.function import SOME
from clear_gen.questions.language.program import n_relations
from clear_gen.questions.language.program_skeleton import ANY, ProgramSkeleton
from clear_gen.questions.language.scene_batch import UNKNOWN, SceneBatch
from clear_gen.questions.language.vocabulary import answers_of_type, is_count, label_kinds, values_of
from clear_gen.questions.templates.skeletons import skeletons_of
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain

SPARE_SLOTS = 3  # for the types of which a scene has no question
CANDIDATES_PER_SLOT = 3
ROUNDS = 2  # templates that a candidate tries
TRIES = 2  # at finding values for a template
FREE_DRAWS = 2  # of a candidate besides its templates and values: paraphrase, place among equals
# Whether the answer is the same without any relation
NO_RELATION, RELATION_BLIND_WRONG, RELATION_BLIND_CORRECT = -1, 0, 1


@dataclass(frozen=True)
class Rules:
    """What questions are made by. ``strict``: every relation must matter (principle 5); else only well-posed, as in the
    paper. ``holdout``: attribute -> value, a combination that training questions do not need. ``type_shares``: how
    often each type is asked, as fractions; equally often if empty. ``without_relations``: types that are asked only
    without a relation."""

    seed: int
    per_scene: int
    types: tuple[str, ...]
    strict: bool = True
    holdout: tuple[tuple[str, str], ...] = ()
    type_shares: tuple[float, ...] = ()
    without_relations: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuestionPlan:
    """All that pass 1 needs besides the scenes: rules, templates by skeleton, what the bank can give."""

    domain: Domain
    rules: Rules
    templates: Sequence[Template]
    bank: BankLabels

    @cached_property
    def skeletons(self) -> list[ProgramSkeleton]:
        """The templates by skeleton; pass 2 does without."""
        return skeletons_of(self.templates, self.domain)

    @property
    def n_slots(self) -> int:
        """Slots of a scene, the spare ones included."""
        return self.rules.per_scene + min(SPARE_SLOTS, len(self.rules.types))

    @cached_property
    def n_parameters(self) -> int:
        """Most parameters that a template has, at least one."""
        return max(1, *(len(template.parameters) for template in self.templates))

    @cached_property
    def type_cycle(self) -> np.ndarray:
        """The types of successive slots, see ``type_shares.type_cycle``: int64 [n]."""
        return type_cycle(self.rules.type_shares or [1.0] * len(self.rules.types))


def question_plan(domain: Domain, rules: Rules, templates: Sequence[Template], bank: BankLabels) -> QuestionPlan:
    """The plan for questions of the rules' types."""
    plain = rules.without_relations
    asked = [
        template
        for template in templates
        if template.question_type in rules.types
        and not (template.question_type in plain and n_relations(template.program))
    ]
    return QuestionPlan(domain, rules, asked, bank)


def schema(plan: QuestionPlan) -> pa.Schema:
    """One row per candidate. ``values``: number of each parameter's value; ``answer``: place among its type's answers;
    ``balance_keys``: hashes of what a text-only baseline can know; ``order`` decides between equals."""
    return pa.schema(
        {
            "scene": pa.int32(),
            "slot": pa.int16(),
            "template": pa.int32(),
            "values": pa.list_(pa.int16(), plan.n_parameters),
            "answer": pa.int16(),
            "relation_blind": pa.int8(),
            "droppable": pa.int8(),
            "needs_holdout": pa.bool_(),
            "phrase": pa.float32(),
            "order": pa.float32(),
            "balance_keys": pa.list_(pa.uint32(), N_KEYS),
        }
    )


def bank_labels(columns: Mapping[str, Sequence[object]], domain: Domain) -> BankLabels:
    """The labels of a bank's sounds, given attribute -> value per sound."""
    kinds = label_kinds(domain)
    names = {kind: values_of(kind, domain) for kind in kinds}
    n = len(next(iter(columns.values())))
    labels = np.full((n, len(kinds)), UNKNOWN, np.int16)
    for number, kind in enumerate(kinds):
        for place, value in enumerate(columns.get(kind, ())):
            if value is not None:
                labels[place, number] = names[kind].index(str(value))
    return BankLabels(labels, np.array([len(names[kind]) for kind in kinds]))


def candidates(plan: QuestionPlan, scenes: SceneBatch, split: str, numbers: np.ndarray) -> pa.Table:
    """The candidates of scenes of a split, in their order; ``numbers`` int64 [S] are the scenes' in the split."""
    draw = _CandidateDraw(plan, batch_context(scenes, plan.domain), split, numbers)
    draw.draw()
    return draw.table()


class _CandidateDraw:
    """The candidates of some scenes: which slots there are, and what was drawn for them."""

    def __init__(self, plan: QuestionPlan, context: BatchContext, split: str, numbers: np.ndarray) -> None:
        self._plan, self._context, self._split, self._numbers = plan, context, split, numbers
        self._n_values = max(n_draws(skeleton) for skeleton in plan.skeletons)
        uniform = _uniform(plan, split, numbers, FREE_DRAWS + ROUNDS * (1 + TRIES * self._n_values))
        self.slots = np.indices(uniform.shape[:3]).reshape(3, -1)  # scene, slot, candidate
        self._uniform = uniform.reshape(-1, uniform.shape[-1])
        place = numbers[self.slots[0]] * plan.rules.per_scene + self.slots[1]
        self._types = plan.type_cycle[place % len(plan.type_cycle)]
        self._template = np.full(len(self._types), ANY)
        self._parts: list[dict[str, np.ndarray]] = []

    def draw(self) -> None:
        """Draw candidates: a template each, values for it, and once more for those that found none; from the second
        round on also for the spare slots of scenes that lack a slot."""
        scene, slot, candidate = self.slots
        choice, (skeleton_of, place_of) = _TemplateChoice(self._plan), _places(self._plan)
        is_spare = slot >= self._plan.rules.per_scene
        left = np.flatnonzero(~is_spare)
        for round_ in range(ROUNDS):
            start = FREE_DRAWS + round_ * (1 + TRIES * self._n_values)
            uniform, easy = self._uniform[left, start], round_ > 0
            self._template[left] = choice.templates(self._types[left], uniform, candidate[left], easy)
            for number, skeleton in enumerate(self._plan.skeletons):
                rows = left[skeleton_of[self._template[left]] == number]
                if len(rows):
                    of_skeleton = _SkeletonCandidates(self._plan, skeleton, self._context, self._split)
                    places, draws = place_of[self._template[rows]], self._uniform[rows, start + 1 :]
                    self._parts.append(of_skeleton.ask(scene[rows], places, draws, rows))
            passed = np.concatenate([np.empty(0, np.int64), *(part["row"] for part in self._parts)])
            filled = np.zeros((len(self._numbers), self._plan.n_slots), bool)
            filled[scene[passed], slot[passed]] = True
            lacking = ~np.all(filled[:, : self._plan.rules.per_scene], axis=1)
            open_ = np.ones(len(scene), bool)
            open_[passed] = False
            left = np.flatnonzero(open_ & (~is_spare | lacking[scene]))

    def table(self) -> pa.Table:
        """All that passed, by scene and slot."""
        wanted = schema(self._plan)
        if not self._parts:
            return wanted.empty_table()
        found = {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
        order = np.argsort(found["row"], kind="stable")
        rows = found.pop("row")[order]
        columns = {
            "scene": self._numbers[self.slots[0][rows]],
            "slot": self.slots[1][rows],
            "template": self._template[rows],
            "phrase": self._uniform[rows, 0],
            "order": self._uniform[rows, 1],
            **{name: column[order] for name, column in found.items()},
        }
        return pa.Table.from_arrays([_array(columns[field.name], field.type) for field in wanted], schema=wanted)


def _array(column: np.ndarray, type_: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(type_):
        return pa.array(column).cast(type_)
    flat = np.ascontiguousarray(column).reshape(-1).astype(type_.value_type.to_pandas_dtype())
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), type=type_)


def _uniform(plan: QuestionPlan, split: str, numbers: np.ndarray, n: int) -> np.ndarray:
    """float32 [S, slot, candidate, n]: random numbers from each scene's own stream."""
    uniform = np.empty((len(numbers), plan.n_slots, CANDIDATES_PER_SLOT, n), np.float32)
    for scene, number in enumerate(numbers.tolist()):
        stream(plan.rules.seed, STAGE_QUESTIONS, SPLITS.index(split), number).random(
            out=uniform[scene], dtype=np.float32
        )
    return uniform


class _TemplateChoice:
    """Templates by question type, those with at most one relation first."""

    def __init__(self, plan: QuestionPlan) -> None:
        names, self._n = plan.rules.types, len(plan.rules.types)
        types = np.array([names.index(template.question_type) for template in plan.templates])
        is_hard = np.array([n_relations(template.program) > 1 for template in plan.templates])
        self._by_type = np.lexsort((is_hard, types))
        self._counts = np.bincount(types, minlength=self._n)
        self._starts = np.cumsum(self._counts) - self._counts
        easy = np.bincount(types[~is_hard], minlength=self._n)
        self._easy_counts = np.where(easy > 0, easy, self._counts)

    def templates(self, types: np.ndarray, uniform: np.ndarray, candidate: np.ndarray, easy: bool) -> np.ndarray:
        """int64: a template per candidate, of its slot's type; a slot's candidates are spread over the type's
        templates, or over those that most scenes have a question of."""
        counts = (self._easy_counts if easy else self._counts)[types]
        spread = (uniform.astype(np.float64) + candidate / CANDIDATES_PER_SLOT) % 1.0
        return self._by_type[self._starts[types] + (spread * counts).astype(np.int64)]


def _places(plan: QuestionPlan) -> tuple[np.ndarray, np.ndarray]:
    """int64 [template]: its skeleton, and its place in it."""
    skeleton_of, place_of = np.empty((2, len(plan.templates)), np.int64)
    for number, skeleton in enumerate(plan.skeletons):
        skeleton_of[skeleton.templates] = number
        place_of[skeleton.templates] = np.arange(len(skeleton.templates))
    return skeleton_of, place_of


class _SkeletonCandidates:
    """Candidates of one skeleton's templates."""

    def __init__(self, plan: QuestionPlan, skeleton: ProgramSkeleton, context: BatchContext, split: str) -> None:
        self._plan, self._skeleton, self._context = plan, skeleton, context
        self._split = split
        kinds = label_kinds(plan.domain)
        domain = plan.domain
        self._holdout = [
            (kinds.index(name), values_of(name, domain).index(value)) for name, value in plan.rules.holdout
        ]
        self._n_answers = np.array([len(answers_of_type(name, domain)) for name in skeleton.question_types])

    def ask(self, scenes: np.ndarray, templates: np.ndarray, uniform: np.ndarray, numbers: np.ndarray) -> dict:
        """Draw values, up to TRIES times a row, until the question is worth asking; ``numbers`` names the rows."""
        left = np.arange(len(scenes))
        parts = []
        n = n_draws(self._skeleton)
        for attempt in range(TRIES):
            start = attempt * n
            values = np.full((len(left), self._plan.n_parameters), ANY)
            rows = Rows(scenes[left], templates[left], values)
            passed, part = self._attempt(rows, uniform[left, start : start + n])
            parts.append({"row": numbers[left[passed]], **part})
            left = np.delete(left, passed)
            if not len(left):
                break
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _attempt(self, rows: Rows, uniform: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The rows that passed, and what is to be known of them."""
        executor = BatchExecutor(self._skeleton, rows, self._context, fill=ValueSampler(uniform, self._plan.bank).fill)
        good = (
            executor.ok
            & self._differ(rows)
            & self._no_way_back(executor)
            & (executor.answer < self._n_answers[rows.templates])
        )
        kept = np.flatnonzero(good)
        kept = kept[self._possible(rows.at(kept))]
        needs = self._needs_holdout(rows, executor)
        if self._split == "train" and self._holdout:
            kept = kept[~needs[kept]]
        if self._plan.rules.strict:
            kept = self._relations_matter(rows, executor.answer, kept)
        rows, answer = rows.at(kept), executor.answer[kept]
        blind = np.full(len(kept), NO_RELATION)
        if self._skeleton.related:
            change = Change(dict.fromkeys(self._skeleton.related, EVERYTHING))
            without = BatchExecutor(self._skeleton, rows, self._context, change)
            blind = np.where(without.ok & (without.answer == answer), RELATION_BLIND_CORRECT, RELATION_BLIND_WRONG)
        return kept, {
            "values": rows.values,
            "answer": answer,
            "relation_blind": blind,
            "droppable": self._droppable(rows, answer),
            "needs_holdout": needs[kept],
            "balance_keys": balance_keys(self._skeleton, rows),
        }

    def _differ(self, rows: Rows) -> np.ndarray:
        """Whether the values that must differ do."""
        differ = np.ones(len(rows), bool)
        for left, right in self._skeleton.different[rows.templates].transpose(1, 2, 0):
            is_pair, at = left != ANY, np.arange(len(rows))
            differ &= ~is_pair | (rows.values[at, left] != rows.values[at, right])
        return differ

    def _no_way_back(self, executor: BatchExecutor) -> np.ndarray:
        """Whether all sounds that the text singles out differ: "after the one before the flute" is that flute."""
        sounds = [executor.sound(number) for number in self._skeleton.singled_out]
        apart = np.ones(len(executor.rows), bool)
        for place, sound in enumerate(sounds):
            for earlier in sounds[:place]:
                apart &= sound != earlier
        return apart

    def _possible(self, rows: Rows) -> np.ndarray:
        """Whether the bank has sounds of every description, and, if one is asked about, sounds of several answers; and
        no answer follows from the description."""
        possible = ~answerable_without_audio(self._skeleton, rows, self._plan.bank, self._plan.domain)
        described, asked = rows.named(self._skeleton).descriptions, self._skeleton.asked[rows.templates]
        if self._skeleton.is_query:
            referent, any_sound = self._skeleton.referent, np.full((len(rows), described.shape[2]), ANY)
            named = any_sound if referent == ANY else described[:, referent]
            kind = np.where(asked < described.shape[2], asked, ANY)
            possible &= self._plan.bank.n_labels(named, kind) >= np.where(kind == ANY, 1, 2)
        for slot, purpose in enumerate(self._skeleton.purposes):
            if purpose == SOME:  # others are described after a sound that is there
                possible &= self._plan.bank.n_labels(described[:, slot], np.full(len(rows), ANY)) >= 1
        return possible

    def _relations_matter(self, rows: Rows, answer: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Principle 5, each relation alone: removed (for labels, counts) or reversed (for counts, truth values); and
        having the same label as a sound, removed."""
        is_label = self._skeleton.is_query
        removed = [EVERYTHING, OTHERS] if is_label or is_count(self._skeleton.question_types[0]) else []
        changes = [*removed, *([] if is_label else [REVERSED])]
        tested = [Change({step: how}) for step in self._skeleton.related for how in changes]
        if removed:
            tested += [Change({step: EVERYTHING}) for step in self._skeleton.compared]
        if len(self._skeleton.related) > 1 and removed:
            tested.append(Change(dict.fromkeys(self._skeleton.related, EVERYTHING)))
        for change in tested:
            without = BatchExecutor(self._skeleton, rows.at(kept), self._context, change)
            kept = kept[~without.might_be(answer[kept])]
        return kept

    def _droppable(self, rows: Rows, answer: np.ndarray) -> np.ndarray:
        """int64 [R]: how many words of the descriptions could be left out without changing the answer.

        Where the answer is yes or no, only those of the anchors are meant: a yes stays a yes with fewer words. Where it
        is a relative position, the kind among which it ranks has to be said.
        """
        n = np.zeros(len(rows), np.int64)
        named = self._skeleton.descriptions[rows.templates] != ANY
        if not (self._skeleton.is_query or is_count(self._skeleton.question_types[0])):
            named[:, self._skeleton.targets] = False
        relative = self._skeleton.asked[rows.templates] == self._context.scenes.labels.shape[1] + 1
        if self._context.among != ANY:
            named[np.ix_(relative, self._skeleton.targets, [self._context.among])] = False
        for slot, kind in np.argwhere(named.any(axis=0)).tolist():
            here = np.flatnonzero(named[:, slot, kind])
            without = BatchExecutor(self._skeleton, rows.at(here), self._context, Change({}, (slot, kind)))
            n[here] += without.ok & (without.answer == answer[here])
        return n

    def _needs_holdout(self, rows: Rows, executor: BatchExecutor) -> np.ndarray:
        """Whether a description names the combination that is held out, or a sound that is singled out has it."""
        needs = np.zeros(len(rows), bool)
        if not self._holdout:
            return needs
        described = rows.named(self._skeleton).descriptions
        for slot in range(described.shape[1]):
            needs |= np.all([described[:, slot, kind] == value for kind, value in self._holdout], axis=0)
        labels = self._context.scenes.labels
        for number in self._skeleton.singled_out:
            sound = executor.sound(number)
            has = [labels[rows.scenes, kind, sound] == value for kind, value in self._holdout]
            needs |= np.all(has, axis=0)
        return needs
