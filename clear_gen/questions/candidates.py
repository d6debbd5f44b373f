"""Pass 1: candidate questions of some scenes, each well-posed, worth asking, and drawn from its scene's own stream.

A scene has ``per_scene`` slots and a few spare ones, each of one question type in turn; a slot gets several candidates,
of which pass 2 selects one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from clear_gen.io import STAGE_QUESTIONS, stream
from clear_gen.questions.columns import UNKNOWN, SceneColumns, kinds_of
from clear_gen.questions.draw import BankLabels, Drawer, n_draws
from clear_gen.questions.evaluate import EVERYTHING, OTHERS, REVERSED, Change, Rows, Run, Setting, setting_of
from clear_gen.questions.features import N_FEATURES, Described, features_of
from clear_gen.questions.shapes import ANY, Shape, shapes_of
from clear_gen.questions.template import Template
from clear_gen.questions.vocabulary import answers_of_type, is_count, values_of
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SPLITS

SPARE_SLOTS = 2  # for the types of which a scene has no question
CANDIDATES_PER_SLOT = 4
TRIES = 3  # at finding values for a candidate's template
FREE_DRAWS = 3  # of a candidate besides its values: template, paraphrase, place among equals
NO_RELATION, BLIND_WRONG, BLIND_RIGHT = -1, 0, 1  # whether the answer is the same without any relation


@dataclass(frozen=True)
class Rules:
    """What questions are made by. ``strict``: every relation must matter (principle 5); else only well-posed, as in the
    paper. ``holdout``: attribute -> value, a combination that training questions do not need."""

    seed: int
    per_scene: int
    types: tuple[str, ...]
    strict: bool = True
    holdout: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Maker:
    """All that pass 1 needs besides the scenes: rules, templates in shapes, what the bank can give."""

    domain: Domain
    rules: Rules
    templates: Sequence[Template]
    shapes: list[Shape]
    bank: BankLabels

    @property
    def n_slots(self) -> int:
        """Slots of a scene, the spare ones included."""
        return self.rules.per_scene + min(SPARE_SLOTS, len(self.rules.types))

    @cached_property
    def n_parameters(self) -> int:
        """Most parameters that a template has."""
        return max(len(template.parameters) for template in self.templates)


def maker_of(domain: Domain, rules: Rules, templates: Sequence[Template], bank: BankLabels) -> Maker:
    """The maker of these templates' questions."""
    asked = [template for template in templates if template.question_type in rules.types]
    return Maker(domain, rules, asked, shapes_of(asked, domain), bank)


def schema(maker: Maker) -> pa.Schema:
    """One row per candidate. ``values``: number of each parameter's value; ``answer``: place among its type's answers;
    ``features``: hashes of what a deaf reader can know; ``order`` decides between equals."""
    return pa.schema(
        {
            "scene": pa.int32(),
            "slot": pa.int16(),
            "template": pa.int32(),
            "values": pa.list_(pa.int16(), maker.n_parameters),
            "answer": pa.int16(),
            "blind": pa.int8(),
            "droppable": pa.int8(),
            "needs_holdout": pa.bool_(),
            "phrase": pa.float32(),
            "order": pa.float32(),
            "features": pa.list_(pa.uint32(), N_FEATURES),
        }
    )


def bank_labels(columns: Mapping[str, Sequence[object]], domain: Domain) -> BankLabels:
    """The labels of a bank's sounds, given attribute -> value per sound."""
    kinds = kinds_of(domain)
    names = {kind: values_of(kind, domain) for kind in kinds}
    n = len(next(iter(columns.values())))
    labels = np.full((n, len(kinds)), UNKNOWN, np.int8)
    for number, kind in enumerate(kinds):
        for place, value in enumerate(columns.get(kind, ())):
            if value is not None:
                labels[place, number] = names[kind].index(str(value))
    return BankLabels(labels, np.array([len(names[kind]) for kind in kinds]))


def candidates(maker: Maker, columns: SceneColumns, split: str, first: int) -> pa.Table:
    """The candidates of consecutive scenes of a split, the first of which has the number ``first``."""
    n_scenes, rules = len(columns.n_sounds), maker.rules
    setting = setting_of(columns, maker.domain)
    n_uniform = FREE_DRAWS + TRIES * max(n_draws(shape) for shape in maker.shapes)
    uniform = np.empty((n_scenes, maker.n_slots, CANDIDATES_PER_SLOT, n_uniform), np.float32)
    for scene in range(n_scenes):
        key = (STAGE_QUESTIONS, SPLITS.index(split), first + scene)
        stream(rules.seed, *key).random(out=uniform[scene], dtype=np.float32)
    type_of_slot = (np.arange(first, first + n_scenes)[:, None] * rules.per_scene + np.arange(maker.n_slots)) % len(
        rules.types
    )
    flat = uniform.reshape(-1, n_uniform)
    slots = np.indices(uniform.shape[:3]).reshape(3, -1)  # scene, slot, candidate
    template = _templates(maker, type_of_slot[slots[0], slots[1]], flat[:, 0], slots[2])
    shape_of, place_of = _places(maker)
    parts = []
    for number, shape in enumerate(maker.shapes):
        rows = np.flatnonzero((template != ANY) & (shape_of[template] == number))
        if len(rows):
            asking = _Asking(maker, shape, setting, split)
            parts.append(asking.ask(slots[0][rows], place_of[template[rows]], flat[rows], rows))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    return _table(maker, found, slots, template, flat, first)


def _templates(maker: Maker, types: np.ndarray, uniform: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """int64: a template per candidate, of its slot's type; a slot's candidates are spread over the type's templates."""
    names = np.array([maker.rules.types.index(template.question_type) for template in maker.templates])
    by_type = np.argsort(names, kind="stable")
    counts = np.bincount(names, minlength=len(maker.rules.types))
    starts = np.cumsum(counts) - counts
    spread = (uniform + candidate / CANDIDATES_PER_SLOT) % 1.0
    places = starts[types] + np.minimum((spread * counts[types]).astype(np.int64), counts[types] - 1)
    return np.where(counts[types] > 0, by_type[np.minimum(places, len(by_type) - 1)], ANY)


def _places(maker: Maker) -> tuple[np.ndarray, np.ndarray]:
    """int64 [template]: its shape, and its place in it."""
    shape_of, place_of = np.empty((2, len(maker.templates)), np.int64)
    for number, shape in enumerate(maker.shapes):
        shape_of[shape.templates] = number
        place_of[shape.templates] = np.arange(len(shape.templates))
    return shape_of, place_of


def _table(
    maker: Maker,
    found: dict[str, np.ndarray],
    slots: np.ndarray,
    template: np.ndarray,
    uniform: np.ndarray,
    first: int,
) -> pa.Table:
    wanted = schema(maker)
    if not found:
        return wanted.empty_table()
    order = np.argsort(found["row"], kind="stable")
    rows = found["row"][order]
    columns = {
        "scene": slots[0][rows] + first,
        "slot": slots[1][rows],
        "template": template[rows],
        "phrase": uniform[rows, 1],
        "order": uniform[rows, 2],
        **{name: column[order] for name, column in found.items() if name != "row"},
    }
    arrays = []
    for name in wanted.names:
        column, type_ = columns[name], wanted.field(name).type
        if pa.types.is_fixed_size_list(type_):
            flat = pa.array(np.ascontiguousarray(column).reshape(-1).astype(type_.value_type.to_pandas_dtype()))
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=type_))
        else:
            arrays.append(pa.array(column).cast(type_))
    return pa.Table.from_arrays(arrays, schema=wanted)


class _Asking:
    """Candidates of one shape's templates."""

    def __init__(self, maker: Maker, shape: Shape, setting: Setting, split: str) -> None:
        self._maker, self._shape, self._setting = maker, shape, setting
        self._split = split
        kinds = kinds_of(maker.domain)
        domain = maker.domain
        self._holdout = [
            (kinds.index(name), values_of(name, domain).index(value)) for name, value in maker.rules.holdout
        ]
        self._n_answers = np.array([len(answers_of_type(name, domain)) for name in shape.question_types])

    def ask(self, scenes: np.ndarray, templates: np.ndarray, uniform: np.ndarray, numbers: np.ndarray) -> dict:
        """Draw values, up to TRIES times a row, until the question is worth asking; ``numbers`` names the rows."""
        left = np.arange(len(scenes))
        parts = []
        n = n_draws(self._shape)
        for attempt in range(TRIES):
            start = FREE_DRAWS + attempt * n
            values = np.full((len(left), self._maker.n_parameters), ANY)
            rows = Rows(scenes[left], templates[left], values)
            passed, part = self._attempt(rows, uniform[left, start : start + n])
            parts.append({"row": numbers[left[passed]], **part})
            left = np.delete(left, passed)
            if not len(left):
                break
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _attempt(self, rows: Rows, uniform: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The rows that passed, and what is to be known of them."""
        run = Run(self._shape, rows, self._setting, open_=Drawer(uniform, self._maker.bank).open)
        kept = np.flatnonzero(run.ok & self._differ(rows) & (run.answer < self._n_answers[rows.templates]))
        kept = kept[self._possible(rows.at(kept))]
        needs = self._needs_holdout(rows, run)
        if self._split == "train" and self._holdout:
            kept = kept[~needs[kept]]
        if self._maker.rules.strict:
            kept = self._relations_matter(rows, run.answer, kept)
        rows, answer = rows.at(kept), run.answer[kept]
        blind = np.full(len(kept), NO_RELATION)
        if self._shape.related:
            change = Change(dict.fromkeys(self._shape.related, EVERYTHING))
            without = Run(self._shape, rows, self._setting, change)
            blind = np.where(without.ok & (without.answer == answer), BLIND_RIGHT, BLIND_WRONG)
        return kept, {
            "values": rows.values,
            "answer": answer,
            "blind": blind,
            "droppable": self._droppable(rows, answer),
            "needs_holdout": needs[kept],
            "features": features_of(self._shape, rows, self._setting),
        }

    def _differ(self, rows: Rows) -> np.ndarray:
        """Whether the values that must differ do."""
        differ = np.ones(len(rows), bool)
        for left, right in self._shape.different[rows.templates].transpose(1, 2, 0):
            is_pair, at = left != ANY, np.arange(len(rows))
            differ &= ~is_pair | (rows.values[at, left] != rows.values[at, right])
        return differ

    def _possible(self, rows: Rows) -> np.ndarray:
        """Whether the bank has sounds of every description, and, if one is asked about, sounds of several answers."""
        possible = np.ones(len(rows), bool)
        described, asked = Described(self._shape, rows).descriptions(), self._shape.asked[rows.templates]
        for slot in range(described.shape[1]):
            kind = np.where(asked < described.shape[2], asked, ANY) if slot == self._shape.referent else ANY + 0 * asked
            codes, which = np.unique(np.column_stack([described[:, slot], kind]), axis=0, return_inverse=True)
            enough = [
                self._maker.bank.n_labels(tuple(code)) >= (1 if code[-1] == ANY else 2) for code in codes.tolist()
            ]
            possible &= np.array(enough, bool)[which.reshape(-1)]
        return possible

    def _relations_matter(self, rows: Rows, answer: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Principle 5, each relation alone: removed (for labels, counts) or reversed (for counts, truth values)."""
        is_label = self._shape.is_query
        removed = [EVERYTHING, OTHERS] if is_label or is_count(self._shape.question_types[0]) else []
        changes = [*removed, *([] if is_label else [REVERSED])]
        tested = [Change({step: how}) for step in self._shape.related for how in changes]
        if len(self._shape.related) > 1 and removed:
            tested.append(Change(dict.fromkeys(self._shape.related, EVERYTHING)))
        for change in tested:
            without = Run(self._shape, rows.at(kept), self._setting, change)
            kept = kept[~without.might_be(answer[kept])]
        return kept

    def _droppable(self, rows: Rows, answer: np.ndarray) -> np.ndarray:
        """int64 [R]: how many words of the descriptions could be left out without changing the answer."""
        n = np.zeros(len(rows), np.int64)
        named = self._shape.descriptions[rows.templates] != ANY
        for slot, kind in np.argwhere(named.any(axis=0)).tolist():
            here = np.flatnonzero(named[:, slot, kind])
            without = Run(self._shape, rows.at(here), self._setting, Change({}, (slot, kind)))
            n[here] += without.ok & (without.answer == answer[here])
        return n

    def _needs_holdout(self, rows: Rows, run: Run) -> np.ndarray:
        """Whether a description names the combination that is held out, or a sound that is singled out has it."""
        needs = np.zeros(len(rows), bool)
        if not self._holdout:
            return needs
        described = Described(self._shape, rows).descriptions()
        for slot in range(described.shape[1]):
            needs |= np.all([described[:, slot, kind] == value for kind, value in self._holdout], axis=0)
        labels = self._setting.columns.labels
        for number, step in enumerate(self._shape.steps):
            if step.function in ("unique", "longest", "shortest"):
                sound = run.sound(number)
                has = [labels[rows.scenes, kind, sound] == value for kind, value in self._holdout]
                needs |= np.all(has, axis=0)
        return needs
