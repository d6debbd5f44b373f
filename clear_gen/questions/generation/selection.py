"""Pass 2: selects one candidate question per slot so that a text-only baseline learns nothing.

For every key that such a baseline can see (``balance_keys``), answers are kept near their target shares. The slots of a
few scenes at a time take the candidate that disturbs the balance least; further passes repeat the choice given all
others. Selection depends only on the candidates of one split, in an order given by each scene's own stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clear_gen.questions.generation.balance_keys import N_KEYS, NONE, RANKS, RELATIONS, SIGNATURE, SKELETON, TYPE
from clear_gen.questions.generation.candidates import NO_RELATION, RELATION_BLIND_CORRECT, SPARE_SLOTS, Rules
from clear_gen.questions.language.program_skeleton import ANY
from clear_gen.questions.language.vocabulary import ABSOLUTE, RELATIVE, answers_of_type, is_count
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain

SCENES_AT_A_TIME = 12
SWEEPS = 3
# Weight of the balance within a feature; features shared by many questions are the most visible.
WEIGHTS = np.ones(N_KEYS, np.float32)
WEIGHTS[[TYPE, RELATIONS, SKELETON, SIGNATURE, RANKS]] = 4.0, 2.0, 1.0, 1.0, 1.0
RELATION_BLIND_WEIGHT = 3.0
TEMPLATE_WEIGHT = 0.5
UNUSED_BONUS = 3.0  # bonus of a template's first question, so that every template with candidates is used
DROPPABLE_COST = 4.0  # penalty of a question with a superfluous word
NATURAL_SHARE = 0.01  # share of an answer among the candidates; rarer ranks and numbers are not balanced
FLATTEST = 2.0  # largest share of a rank or a number, as a multiple of the uniform share
LEAST_CANDIDATES = {
    SIGNATURE: 3,
    RANKS: 6,
}  # this many candidates with the same answer are taken to have no other possible answer


@dataclass(frozen=True)
class Pool:
    """The candidates of one split, sorted by scene and slot. C candidates, F balance_keys.

    ``scene``, ``slot``, ``template``, ``type``, ``answer``, ``relation_blind``, ``droppable`` [C], ``values`` [C, P],
    ``balance_keys`` uint32 [C, F], ``phrase``, ``order`` float [C], ``needs_holdout`` bool [C]; ``n_answers`` [type];
    ``is_graded`` [type]: whether the answers are ranks or numbers, whose natural shares differ.
    """

    scene: np.ndarray
    slot: np.ndarray
    template: np.ndarray
    type: np.ndarray
    answer: np.ndarray
    relation_blind: np.ndarray
    droppable: np.ndarray
    values: np.ndarray
    balance_keys: np.ndarray
    phrase: np.ndarray
    order: np.ndarray
    needs_holdout: np.ndarray
    n_answers: np.ndarray
    is_graded: np.ndarray


def pool_of(table: pa.Table, templates: Sequence[Template], domain: Domain, rules: Rules) -> Pool:
    """The candidates of all scenes of a split, without duplicate questions per scene."""
    types = rules.types
    if rules.type_shares or (table.num_rows and pc.max(table["slot"]).as_py() >= len(types)):
        # slots of one type can hold the same question
        table = _each_once(table)
    lists = {name: table[name].combine_chunks() for name in ("values", "balance_keys")}
    flat = {
        name: column.flatten().to_numpy().reshape(len(column), column.type.list_size) for name, column in lists.items()
    }
    template = table["template"].to_numpy()
    type_of = np.array([types.index(one.question_type) for one in templates], np.int64)
    names = ("scene", "slot", "answer", "relation_blind", "droppable", "phrase", "order", "needs_holdout")
    return Pool(
        **{name: table[name].to_numpy() for name in names},
        **flat,
        template=template,
        type=type_of[template],
        n_answers=np.array([len(answers_of_type(name, domain)) for name in types]),
        is_graded=np.array([is_count(name) or name in (ABSOLUTE, RELATIVE) for name in types]),
    )


def _each_once(table: pa.Table) -> pa.Table:
    values = table["values"].combine_chunks()
    columns = values.flatten().to_numpy().reshape(len(values), values.type.list_size)
    same = np.column_stack([table["scene"].to_numpy(), table["template"].to_numpy(), columns])
    return table.take(pa.array(np.sort(np.unique(same, axis=0, return_index=True)[1])))


def select(pool: Pool, per_scene: int, strict: bool) -> np.ndarray:
    """Select candidates: int64 indices in the order of the pool, at most ``per_scene`` per scene.

    With ``strict`` answers are balanced within every feature, else within each type only.
    """
    usable = _usable(pool) if strict else np.arange(len(pool.scene))
    usable = usable[_in_used_slots(pool, usable, per_scene)]
    if not len(usable):
        return usable
    return usable[_balanced(pool, usable, strict)]


def _usable(pool: Pool) -> np.ndarray:
    """The candidates, except those whose signature or ranks allow only one answer."""
    usable = np.ones(len(pool.scene), bool)
    for feature, least in LEAST_CANDIDATES.items():
        names, name = np.unique(pool.balance_keys[:, feature], return_inverse=True)
        low, high = np.full(len(names), pool.n_answers.max()), np.full(len(names), -1)
        np.minimum.at(low, name, pool.answer)
        np.maximum.at(high, name, pool.answer)
        one = (low == high) & (np.bincount(name, minlength=len(names)) >= least) & (names != NONE)
        usable &= ~one[name]
    return np.flatnonzero(usable)


def _in_used_slots(pool: Pool, usable: np.ndarray, per_scene: int) -> np.ndarray:
    """bool: whether a candidate belongs to one of its scene's first ``per_scene`` non-empty slots."""
    scene, slot = pool.scene[usable].astype(np.int64), pool.slot[usable]
    place = scene * (per_scene + SPARE_SLOTS) + slot
    distinct, which = np.unique(place, return_inverse=True)
    owner = distinct // (per_scene + SPARE_SLOTS)
    first = np.searchsorted(owner, owner)
    return (np.arange(len(distinct)) - first)[which] < per_scene


def _targets(pool: Pool, chosen: np.ndarray) -> np.ndarray:
    """Target shares of answers, from the candidates ``chosen``: float [type, answer]."""
    shares = np.zeros((len(pool.n_answers), int(pool.n_answers.max())))
    for number, n in enumerate(pool.n_answers.tolist()):
        natural = np.bincount(pool.answer[chosen][pool.type[chosen] == number], minlength=n)[:n].astype(float)
        if not natural.sum():
            natural[:] = 1
        natural /= natural.sum()
        shares[number, :n] = _flattened(natural) if pool.is_graded[number] else 1 / n
    return shares


def _flattened(natural: np.ndarray) -> np.ndarray:
    """Shares between the natural ones and uniform: the largest at most FLATTEST times uniform among those not rare."""
    common = natural >= NATURAL_SHARE
    for power in np.arange(1.0, 0.0, -0.05):
        flat = np.round(natural**power, 9)  # the last bits depend on the processor
        flat = np.where(common, flat / flat[common].sum() * natural[common].sum(), natural)
        if flat.max() <= FLATTEST / common.sum():
            return flat
    return np.where(common, natural[common].sum() / common.sum(), natural)


def _balanced(pool: Pool, chosen: np.ndarray, strict: bool) -> np.ndarray:
    """One candidate of ``chosen`` per slot, in several passes over blocks of scenes in random order."""
    columns = _Columns(pool, chosen, strict)
    scenes, where = np.unique(pool.scene[chosen], return_index=True)
    ends = np.append(where[1:], len(chosen))
    shuffled = np.argsort(pool.order[chosen][where], kind="stable")
    blocks = [shuffled[start : start + SCENES_AT_A_TIME] for start in range(0, len(scenes), SCENES_AT_A_TIME)]
    members = [np.concatenate([np.arange(where[scene], ends[scene]) for scene in block]) for block in blocks]
    slots = [_starts(pool, chosen[rows]) for rows in members]
    selected: list[np.ndarray | None] = [None] * len(blocks)
    for _ in range(SWEEPS):
        for number, rows in enumerate(members):
            before = selected[number]
            if before is not None:
                columns.count(before, -1.0)
            now = rows[_cheapest(columns.cost(rows), slots[number])]
            columns.count(now, 1.0)
            selected[number] = now
    return np.sort(np.concatenate([rows for rows in selected if rows is not None]))


def _starts(pool: Pool, candidates: np.ndarray) -> np.ndarray:
    """The first candidate of each slot; candidates are sorted by slot."""
    place = pool.scene[candidates].astype(np.int64) * 1000 + pool.slot[candidates]
    return np.flatnonzero(np.diff(place, prepend=-1))


def _cheapest(cost: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The index of the lowest cost in every slot."""
    least = np.minimum.reduceat(cost, starts)
    slot = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(cost)))
    hit = np.flatnonzero(cost == least[slot])
    return hit[np.diff(slot[hit], prepend=-1) > 0]


class _Columns:
    """Counts of chosen answers within each feature, and the cost of choosing one more.

    A cell is a feature with an answer; templates, and right and wrong blind answers, are counted like cells.
    """

    def __init__(self, pool: Pool, chosen: np.ndarray, strict: bool) -> None:
        balance_keys = pool.balance_keys[chosen]
        names = np.unique(balance_keys)
        places = [np.searchsorted(names, column).astype(np.int32) for column in balance_keys.T]
        self._feature = np.column_stack(places)
        self._cell = self._feature * np.int32(pool.n_answers.max()) + pool.answer[chosen][:, None].astype(np.int32)
        self._weight = np.where(balance_keys == NONE, np.float32(0), WEIGHTS)
        if not strict:
            self._weight[:, [column for column in range(N_KEYS) if column != TYPE]] = 0.0
        types, self._template = pool.type[chosen], pool.template[chosen]
        self._share = _targets(pool, chosen)[types, pool.answer[chosen]]
        self._extra = DROPPABLE_COST * (pool.droppable[chosen] > 0) * strict + 1e-6 * pool.order[chosen]
        # the answer without any relation: to be right as often as wrong, where it ever is
        blind = pool.relation_blind[chosen]
        counted = (blind != NO_RELATION) & np.isin(types, types[blind == RELATION_BLIND_CORRECT]) & strict
        self._blind = np.where(counted, 2 * types + (blind == RELATION_BLIND_CORRECT), ANY)
        self._counts = np.zeros(len(names) * int(pool.n_answers.max()))
        self._totals = np.zeros(len(names))
        self._templates = np.zeros(int(self._template.max()) + 1)
        self._blinds = np.zeros(2 * len(pool.n_answers))

    def count(self, rows: np.ndarray, sign: float) -> None:
        """Add candidates to the counts, or remove them."""
        np.add.at(self._counts, self._cell[rows].ravel(), sign)
        np.add.at(self._totals, self._feature[rows].ravel(), sign)
        np.add.at(self._templates, self._template[rows], sign)
        blind = self._blind[rows]
        np.add.at(self._blinds, blind[blind != ANY], sign)

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """float [R]: by how many standard deviations the answers are over-represented, weighted, over all keys."""
        expected = self._totals[self._feature[rows]] * self._share[rows][:, None]
        excess = (self._counts[self._cell[rows]] - expected) / np.sqrt(expected + 1)
        used, blind = self._templates[self._template[rows]], self._blind[rows]
        same, other = self._blinds[blind], self._blinds[blind ^ 1]
        half = np.where(blind == ANY, 0.0, (same - other) / 2 / np.sqrt((same + other) / 2 + 1))
        cost: np.ndarray = (excess * self._weight[rows]).sum(axis=1) + self._extra[rows]
        cost += TEMPLATE_WEIGHT * used / np.sqrt(used + 1) - UNUSED_BONUS * (used == 0)
        return cost + RELATION_BLIND_WEIGHT * half
