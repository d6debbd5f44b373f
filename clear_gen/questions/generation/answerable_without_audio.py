"""Finds questions that their text, or the rules that all scenes follow, answer: from skeleton and values alone."""

from __future__ import annotations

import numpy as np

from clear_gen.questions.generation.value_sampler import BankLabels
from clear_gen.questions.language.execute_batch import Rows
from clear_gen.questions.language.functions.function import REFERENT, SET
from clear_gen.questions.language.program_skeleton import ANY, ProgramSkeleton, Step
from clear_gen.questions.language.vocabulary import EXIST, RANKS, label_kinds
from clear_gen.scenes.domain import Domain

FIRST = 0


def answerable_without_audio(skeleton: ProgramSkeleton, rows: Rows, bank: BankLabels, domain: Domain) -> np.ndarray:
    """bool [R]: whether the text of a question, or what is true of every scene, gives its answer."""
    found = _named_by_its_rank(skeleton, rows) | _beside_a_rank(skeleton, rows)
    found |= _other_than_an_anchor(skeleton, rows, bank) | _only_of_its_kind(skeleton, rows, bank, domain)
    return found | _in_every_scene(skeleton, rows, domain)


def _named_by_its_rank(skeleton: ProgramSkeleton, rows: Rows) -> np.ndarray:
    """ "At what position is the third sound", "which of the violins is the second violin"."""
    none = np.zeros(len(rows), bool)
    if not skeleton.is_query:
        return none
    sound = skeleton.steps[skeleton.steps[-1].inputs[0]]
    rank = skeleton.steps[sound.inputs[0]] if sound.row.describes == REFERENT else sound
    if not rank.is_rank or not _of_scene(skeleton, rank.inputs[0]):
        return none
    named = _described(skeleton, rows, rank.inputs[0])
    n_named, position = (named != ANY).sum(axis=1), skeleton.asked[rows.templates] - named.shape[1]
    return ((n_named == 0) & (position == RANKS.index(rank.row.value))) | ((n_named == 1) & (position == 1))


def _described(skeleton: ProgramSkeleton, rows: Rows, step: int) -> np.ndarray:
    """int64 [R, K]: the values by which the sounds of a step are described, ANY if they are not."""
    one: Step = skeleton.steps[step]
    if one.is_description:
        return rows.named(skeleton).descriptions[:, one.slot]
    return np.full((len(rows), skeleton.descriptions.shape[2]), ANY)


def _within(wide: np.ndarray, narrow: np.ndarray) -> np.ndarray:
    """bool [R]: whether all that a description [R, K] names is named by the other, too."""
    return np.all((wide == ANY) | (wide == narrow), axis=1)


def _of_scene(skeleton: ProgramSkeleton, step: int) -> bool:
    """Whether a step gives sounds of the whole scene, described or not."""
    one = skeleton.steps[step]
    return not one.inputs or (one.is_description and not skeleton.steps[one.inputs[0]].inputs)


def _beside_a_rank(skeleton: ProgramSkeleton, rows: Rows) -> np.ndarray:
    """ "How many violins before the third violin", "the position of the sound after the third sound"."""
    found = np.zeros(len(rows), bool)
    for related in skeleton.related:
        anchor = skeleton.steps[skeleton.steps[related].inputs[0]]
        rank = skeleton.steps[anchor.inputs[0]] if anchor.row.describes == REFERENT else anchor
        if not rank.is_rank or not _of_scene(skeleton, rank.inputs[0]):
            continue
        named = _described(skeleton, rows, rank.inputs[0])
        if skeleton.is_query:
            position = skeleton.asked[rows.templates] - named.shape[1]  # 0 absolute, 1 relative
            found |= ((position == 0) & (named == ANY).all(axis=1)) | (position == 1)
            continue
        is_first = rows.named(skeleton).ranks[:, rank.slot] == FIRST
        users = [number for number, step in enumerate(skeleton.steps) if related in step.inputs]
        for user in users:
            target = _described(skeleton, rows, user)
            found |= _within(named, target) & (_within(target, named) | is_first)
    return found


def _other_than_an_anchor(skeleton: ProgramSkeleton, rows: Rows, bank: BankLabels) -> np.ndarray:
    """ "How loud is the cello after the quiet cello": that was the only quiet one."""
    found = np.zeros(len(rows), bool)
    if not skeleton.is_query or skeleton.referent == ANY:
        return found
    target, asked = rows.named(skeleton).descriptions[:, skeleton.referent], skeleton.asked[rows.templates]
    kinds = np.arange(target.shape[1])
    of_two = np.append(bank.n_values == 2, [False, False])[asked]
    for number, step in enumerate(skeleton.steps):
        is_anchor = step.is_description and step.slot != skeleton.referent
        if is_anchor and skeleton.purposes[step.slot] == REFERENT and _of_scene(skeleton, number):
            anchor = _described(skeleton, rows, number)
            is_asked = kinds == asked[:, None]
            names_it = (is_asked & (anchor != ANY)).any(axis=1)
            found |= of_two & names_it & _within(np.where(is_asked, ANY, anchor), target)
    return found


def _only_of_its_kind(skeleton: ProgramSkeleton, rows: Rows, bank: BankLabels, domain: Domain) -> np.ndarray:
    """ "Which of the trumpets is the bright one", where the bank has no other trumpet."""
    none, name = np.zeros(len(rows), bool), domain.relative_position_among
    if (
        not skeleton.is_query
        or skeleton.referent == ANY
        or skeleton.purposes[skeleton.referent] != REFERENT
        or name is None
    ):
        return none
    described = next(
        number for number, step in enumerate(skeleton.steps) if step.is_description and step.slot == skeleton.referent
    )
    if not _of_scene(skeleton, described):
        return none
    target, among = rows.named(skeleton).descriptions[:, skeleton.referent], label_kinds(domain).index(name)
    of_kind = np.full_like(target, ANY)
    of_kind[:, among] = target[:, among]
    sounds = np.full(len(rows), ANY)
    alone = bank.n_labels(of_kind, sounds) <= bank.n_labels(target, sounds)
    return alone & (skeleton.asked[rows.templates] == target.shape[1] + 1)


def _in_every_scene(skeleton: ProgramSkeleton, rows: Rows, domain: Domain) -> np.ndarray:
    """ "Is there a bright sound", where the rules of sampling see to it."""
    found = np.zeros(len(rows), bool)
    last = skeleton.steps[-1]
    if last.row.question_type != EXIST or last.row.inputs != (SET,) or not _of_scene(skeleton, last.inputs[0]):
        return found
    target, kinds = _described(skeleton, rows, last.inputs[0]), label_kinds(domain)
    found |= (target == ANY).all(axis=1)
    for rule in domain.sampling.constraints:
        if rule.each_share_over is not None:
            kind = kinds.index(rule.attribute)
            found |= (target[:, kind] != ANY) & ((target != ANY).sum(axis=1) == 1)
    return found
