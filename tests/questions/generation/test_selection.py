"""The selection on pools that are made up: what it must hold to, and how even it makes the answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.questions.generation.balance_keys import N_KEYS, RANKS, RELATIONS, SIGNATURE, SKELETON, TYPE
from clear_gen.questions.generation.candidates import (
    NO_RELATION,
    RELATION_BLIND_CORRECT,
    RELATION_BLIND_WRONG,
    SPARE_SLOTS,
)
from clear_gen.questions.generation.selection import FLATTEST, NATURAL_SHARE, Pool, select
from tests.counts import examples

PER_SLOT = 3
TWO, TWELVE, GRADED = 0, 1, 2  # types: of two answers, of twelve, of sixteen numbers
N_ANSWERS = np.array([2, 12, 16])


def pool_of(
    n_scenes: int,
    per_scene: int,
    seed: int = 0,
    *,
    per_slot: int = PER_SLOT,
    spare: int = SPARE_SLOTS,
    empty: float = 0.0,
    signatures: int = 6,
    skew: float = 0.0,
) -> Pool:
    """Candidates of slots whose types take turns. ``empty``: share of slots without any; ``skew``: how much a signature
    tells of the answer, 0..1; numbers are as likely as a binomial's."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, int, int, int]] = []
    favourite = rng.integers(0, 12, (3, signatures))
    for scene in range(n_scenes):
        for slot in range(per_scene + spare):
            kind = (scene * per_scene + slot) % 3
            for _ in range(0 if rng.random() < empty else per_slot):
                signature = int(rng.integers(signatures))
                answer = int(rng.binomial(15, 0.2) if kind == GRADED else rng.integers(N_ANSWERS[kind]))
                if rng.random() < skew:
                    answer = int(favourite[kind, signature] % N_ANSWERS[kind])
                blind = int(rng.choice([NO_RELATION, RELATION_BLIND_WRONG, RELATION_BLIND_CORRECT], p=[0.4, 0.4, 0.2]))
                rows.append((scene, slot, kind, signature, answer, blind))
    return _pool(np.array(rows, np.int64).reshape(-1, 6).T, signatures, rng)


def _pool(columns: np.ndarray, signatures: int, rng: np.random.Generator) -> Pool:
    scene, slot, kind, signature, answer, blind = columns
    n = len(scene)
    balance_keys = np.zeros((n, N_KEYS), np.uint32)
    balance_keys[:, TYPE], balance_keys[:, RELATIONS] = 1 + kind, 10 + kind
    balance_keys[:, SKELETON], balance_keys[:, SIGNATURE] = (
        20 + kind * 3 + signature % 3,
        100 + kind * signatures + signature,
    )
    return Pool(
        scene=scene.astype(np.int32),
        slot=slot.astype(np.int16),
        template=(kind * 20 + rng.integers(20, size=n)).astype(np.int32),
        type=kind,
        answer=answer.astype(np.int16),
        relation_blind=blind.astype(np.int8),
        droppable=(rng.random(n) < 0.3).astype(np.int8),
        values=np.zeros((n, 2), np.int16),
        balance_keys=balance_keys,
        phrase=rng.random(n, np.float32),
        order=rng.random(n, np.float32),
        needs_holdout=np.zeros(n, bool),
        n_answers=N_ANSWERS,
        is_graded=np.array([False, False, True]),
    )


def some(pool: Pool, kept: np.ndarray) -> Pool:
    """Some of the candidates."""
    per_type = ("n_answers", "is_graded")
    return replace(
        pool, **{one.name: getattr(pool, one.name)[kept] for one in fields(pool) if one.name not in per_type}
    )


def at_random(pool: Pool, per_scene: int) -> np.ndarray:
    """The first candidate of each slot that is not a spare one."""
    place = pool.scene.astype(int) * 1000 + pool.slot
    first = np.flatnonzero(np.diff(place, prepend=-1))
    return first[pool.slot[first] < per_scene]


def shares(pool: Pool, chosen: np.ndarray, kind: int) -> np.ndarray:
    """The shares of a type's answers."""
    answers = pool.answer[chosen][pool.type[chosen] == kind]
    return np.bincount(answers, minlength=N_ANSWERS[kind])[: N_ANSWERS[kind]] / len(answers)


def check(pool: Pool, per_scene: int, chosen: np.ndarray, usable: np.ndarray) -> None:
    """One candidate of every slot that counts: a scene's first ones that have a usable candidate."""
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert set(chosen.tolist()) <= set(usable.tolist())
    slots = defaultdict(set)
    for place in usable.tolist():
        slots[int(pool.scene[place])].add(int(pool.slot[place]))
    expected = {(scene, slot) for scene, of in slots.items() for slot in sorted(of)[:per_scene]}
    found = [(int(pool.scene[place]), int(pool.slot[place])) for place in chosen]
    assert len(set(found)) == len(found)
    assert set(found) == expected


def one_sided(pool: Pool) -> set[int]:
    """The signatures that have one answer, where more than chance can be the reason."""
    answers = defaultdict(list)
    for signature, answer in zip(pool.balance_keys[:, SIGNATURE].tolist(), pool.answer.tolist(), strict=True):
        answers[signature].append(answer)
    return {signature for signature, of in answers.items() if len(set(of)) == 1 and len(of) >= 3}


def usable_of(pool: Pool, strict: bool) -> np.ndarray:
    without = one_sided(pool) if strict else set()
    return np.flatnonzero([signature not in without for signature in pool.balance_keys[:, SIGNATURE].tolist()])


@examples(60)
@given(
    st.integers(0, 40),
    st.integers(1, 5),
    st.integers(0, 1000),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from([2, 40]),
)
def test_one_of_each_slot_and_no_more_than_asked_for(
    n_scenes: int, per_scene: int, seed: int, strict: bool, empty: float, signatures: int
) -> None:
    pool = pool_of(n_scenes, per_scene, seed, empty=empty, signatures=signatures, skew=0.5)
    chosen = select(pool, per_scene, strict)
    check(pool, per_scene, chosen, usable_of(pool, strict))
    assert max(Counter(pool.scene[chosen].tolist()).values(), default=0) <= per_scene


def test_the_same_again() -> None:
    pool = pool_of(60, 4, empty=0.1)
    assert np.array_equal(select(pool, 4, True), select(pool, 4, True))


def test_the_selection_does_not_change_its_pool() -> None:
    pool, before = pool_of(30, 4), pool_of(30, 4)
    select(pool, 4, True)
    for one in fields(pool):
        assert np.array_equal(getattr(pool, one.name), getattr(before, one.name)), one.name


def test_numbers_of_scenes_do_not_matter() -> None:
    """A split may begin anywhere, and its scenes may lie apart; large numbers do not run over."""
    pool = pool_of(50, 4, empty=0.1)
    chosen = select(pool, 4, True)
    for scene in (pool.scene + 7, pool.scene * 13, pool.scene + 10_000_000):
        assert np.array_equal(select(replace(pool, scene=scene), 4, True), chosen)


# ---- balance ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> tuple[Pool, np.ndarray]:
    pool = pool_of(1500, 4, skew=0.3)
    return pool, select(pool, 4, True)


def test_answers_are_even_within_the_bands(large: tuple[Pool, np.ndarray]) -> None:
    pool, chosen = large
    two, twelve = (shares(pool, chosen, kind) for kind in (TWO, TWELVE))
    assert (np.abs(two - 0.5) < 0.01).all()
    assert (np.abs(twelve - 1 / 12) < 0.0135).all()
    random = at_random(pool, 4)
    assert np.ptp(two) < np.ptp(shares(pool, random, TWO)) / 3
    assert np.ptp(twelve) < np.ptp(shares(pool, random, TWELVE)) / 3


def test_rare_numbers_come_as_they_come_and_frequent_ones_are_flattened() -> None:
    pool = pool_of(1500, 4)
    rng = np.random.default_rng(1)
    likely = np.array([0.5, *[0.055] * 9, *[0.005 / 6] * 6])
    numbers = rng.choice(16, size=len(pool.scene), p=likely / likely.sum())
    pool = replace(pool, answer=np.where(pool.type == GRADED, numbers, pool.answer).astype(np.int16))
    natural, found = (shares(pool, which, GRADED) for which in (at_random(pool, 4), select(pool, 4, True)))
    common = natural >= NATURAL_SHARE
    assert common.sum() == 10
    assert natural.max() > 0.45
    assert abs(found.max() - FLATTEST / 10) < 0.02
    assert found.argmax() == 0  # flatter, not the other way round
    assert found[~common].sum() < 2 * natural[~common].sum() + 0.005


def within(pool: Pool, chosen: np.ndarray, column: int) -> float:
    """How uneven two answers are within a feature: mean distance of the share from one half, weighted by questions."""
    here = chosen[pool.type[chosen] == TWO]
    names = pool.balance_keys[here, column]
    unevenness = [
        abs(np.mean(pool.answer[here][names == name] == 0) - 0.5) * np.sum(names == name) for name in np.unique(names)
    ]
    return float(np.sum(unevenness) / len(here))


@pytest.mark.parametrize("column", [TYPE, RELATIONS, SKELETON, SIGNATURE])
def test_answers_are_even_within_what_a_text_only_baseline_sees(large: tuple[Pool, np.ndarray], column: int) -> None:
    pool, chosen = large
    found, random = within(pool, chosen, column), within(pool, at_random(pool, 4), column)
    assert found < 0.02
    assert found < max(random / 3, 0.01)


def test_templates_take_turns(large: tuple[Pool, np.ndarray]) -> None:
    pool, chosen = large
    used, random = (np.bincount(pool.template[which], minlength=60) for which in (chosen, at_random(pool, 4)))
    assert (used > 0).all()
    assert used.std() < random.std()


def test_questions_with_a_word_too_many_are_rationed(large: tuple[Pool, np.ndarray]) -> None:
    pool, chosen = large
    assert pool.droppable[chosen].mean() < 0.5 * pool.droppable.mean()


def test_the_answer_without_any_relation_is_right_as_often_as_wrong(large: tuple[Pool, np.ndarray]) -> None:
    pool, chosen = large
    for kind in (TWO, TWELVE, GRADED):
        blind = pool.relation_blind[chosen][pool.type[chosen] == kind]
        right, wrong = (np.sum(blind == value) for value in (RELATION_BLIND_CORRECT, RELATION_BLIND_WRONG))
        assert abs(right / (right + wrong) - 0.5) < 0.02, kind


def test_where_the_answer_without_relations_is_never_right_nothing_is_gained_by_avoiding_relations() -> None:
    pool = pool_of(600, 4)
    blind = np.where(pool.relation_blind == RELATION_BLIND_CORRECT, RELATION_BLIND_WRONG, pool.relation_blind)
    pool = replace(pool, relation_blind=blind)
    chosen = select(pool, 4, True)
    assert abs(np.mean(pool.relation_blind[chosen] == NO_RELATION) - np.mean(pool.relation_blind == NO_RELATION)) < 0.05


def test_loose_rules_balance_types_only() -> None:
    """Answers are even within a type; within a signature they are as they come, and so are words too many."""
    pool = pool_of(1500, 4, skew=0.3)
    chosen = select(pool, 4, False)
    assert (np.abs(shares(pool, chosen, TWO) - 0.5) < 0.01).all()
    assert within(pool, chosen, SIGNATURE) > 0.5 * within(pool, at_random(pool, 4), SIGNATURE)
    assert abs(pool.droppable[chosen].mean() - pool.droppable.mean()) < 0.03
    right, wrong = (
        np.sum(pool.relation_blind[chosen] == value) for value in (RELATION_BLIND_CORRECT, RELATION_BLIND_WRONG)
    )
    assert abs(right / (right + wrong) - 1 / 3) < 0.05


# ---- signatures with one answer, spare slots -------------------------------------------------------------------------


def test_a_signature_with_one_answer_is_never_chosen() -> None:
    pool = pool_of(300, 4)
    told = pool.balance_keys[:, SIGNATURE] % 4 == 0
    pool = replace(pool, answer=np.where(told, 1, pool.answer).astype(np.int16))
    assert not told[select(pool, 4, True)].any()
    assert told[select(pool, 4, False)].any()
    other = np.flatnonzero(told)[0]  # one candidate with another answer is enough
    answer = pool.answer.copy()
    answer[other] = 0
    alike = pool.balance_keys[:, SIGNATURE] == pool.balance_keys[other, SIGNATURE]
    chosen = select(replace(pool, answer=answer), 4, True)
    assert alike[chosen].any()
    assert not (told & ~alike)[chosen].any()


def test_ranks_with_one_answer_are_never_chosen() -> None:
    """Whatever the signature: "the third" of whatever, of which only the rank tells the answer."""
    pool = pool_of(300, 4)
    told = (pool.type == TWELVE) & (pool.template % 3 == 0)
    balance_keys = pool.balance_keys.copy()
    balance_keys[told, RANKS] = 555
    balance_keys[(pool.type == TWELVE) & (pool.template % 3 == 1), RANKS] = 556
    pool = replace(pool, balance_keys=balance_keys, answer=np.where(told, 5, pool.answer).astype(np.int16))
    chosen = select(pool, 4, True)
    assert not told[chosen].any()
    assert (balance_keys[chosen, RANKS] == 556).any()
    check(pool, 4, chosen, np.flatnonzero(~told))
    assert told[select(pool, 4, False)].any()


def test_spare_slots_only_where_a_slot_has_no_question() -> None:
    pool = pool_of(200, 4)
    assert (pool.slot[select(pool, 4, True)] < 4).all()
    lacking = pool.scene % 10 == 0
    pool = some(pool, np.flatnonzero(~(lacking & (pool.slot == 1))))
    chosen = select(pool, 4, True)
    spare = chosen[pool.slot[chosen] >= 4]
    assert pool.scene[spare].tolist() == list(range(0, 200, 10))
    assert (pool.slot[spare] == 4).all()
    assert Counter(Counter(pool.scene[chosen].tolist()).values()) == {4: 200}


def test_a_slot_whose_candidates_are_told_by_their_signature_is_replaced_by_a_spare_one() -> None:
    pool = pool_of(100, 4, spare=1)
    told = (pool.slot == 0) & (pool.scene < 20)
    balance_keys = pool.balance_keys.copy()
    balance_keys[told, SIGNATURE] = 999
    pool = replace(pool, balance_keys=balance_keys, answer=np.where(told, 1, pool.answer).astype(np.int16))
    chosen = select(pool, 4, True)
    assert sorted(Counter(zip(pool.scene[chosen].tolist(), pool.slot[chosen].tolist(), strict=True))) == sorted(
        (scene, slot) for scene in range(100) for slot in (range(1, 5) if scene < 20 else range(4))
    )


# ---- small pools -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_pools_of_no_one_or_two_candidates(strict: bool) -> None:
    pool = pool_of(2, 1, spare=0, per_slot=1)
    assert select(some(pool, np.arange(0)), 1, strict).tolist() == []
    assert select(some(pool, np.arange(1)), 1, strict).tolist() == [0]
    assert select(pool, 1, strict).tolist() == [0, 1]
    twice = some(pool, np.array([0, 0]))
    assert len(select(twice, 1, strict)) == 1


def test_all_of_one_answer() -> None:
    """Whoever knows the type knows the answer: nothing is asked, or by the loose rules everything."""
    pool = pool_of(20, 3)
    pool = replace(pool, answer=np.zeros_like(pool.answer))
    assert select(pool, 3, True).tolist() == []
    check(pool, 3, select(pool, 3, False), np.arange(len(pool.scene)))


def test_more_slots_than_types() -> None:
    """A scene then has several slots of a type, each with a candidate of its own."""
    pool = pool_of(100, 8)
    chosen = select(pool, 8, True)
    check(pool, 8, chosen, np.arange(len(pool.scene)))
    assert max(Counter(zip(pool.scene[chosen].tolist(), pool.type[chosen].tolist(), strict=True)).values()) >= 3


def test_one_candidate_a_slot_leaves_no_choice() -> None:
    pool = pool_of(50, 4, per_slot=1, spare=0)
    assert select(pool, 4, True).tolist() == list(range(len(pool.scene)))
