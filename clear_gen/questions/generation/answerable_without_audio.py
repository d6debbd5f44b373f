"""Questions whose text gives the answer, or whose scenes' rules do: told from the shape and the values alone."""

from __future__ import annotations

import numpy as np

from clear_gen.questions.generation.value_sampler import BankLabels
from clear_gen.questions.language.execute_batch import Rows
from clear_gen.questions.language.scene_batch import kinds_of
from clear_gen.questions.language.vocabulary import ABSOLUTE, RELATIVE
from clear_gen.questions.templates.program_skeleton import ANY, REFERENT, Shape, Step
from clear_gen.scenes.domain import Domain

RANKS = (ABSOLUTE, RELATIVE)
FIRST = 0


def entailed(shape: Shape, rows: Rows, bank: BankLabels, domain: Domain) -> np.ndarray:
    """bool [R]: whether the text of a question, or what is true of every scene, gives its answer."""
    found = _named_by_its_rank(shape, rows) | _beside_a_rank(shape, rows)
    found |= _other_than_an_anchor(shape, rows, bank) | _only_of_its_kind(shape, rows, bank, domain)
    return found | _in_every_scene(shape, rows, domain)


def _named_by_its_rank(shape: Shape, rows: Rows) -> np.ndarray:
    """ "At what position is the third sound", "which of the violins is the second violin"."""
    none = np.zeros(len(rows), bool)
    if not shape.is_query:
        return none
    sound = shape.steps[shape.steps[-1].inputs[0]]
    rank = shape.steps[sound.inputs[0]] if sound.function == "unique" else sound
    if rank.function not in RANKS or not _of_scene(shape, rank.inputs[0]):
        return none
    named = _described(shape, rows, rank.inputs[0])
    n_named, position = (named != ANY).sum(axis=1), shape.asked[rows.templates] - named.shape[1]
    return ((n_named == 0) & (position == RANKS.index(rank.function))) | ((n_named == 1) & (position == 1))


def _described(shape: Shape, rows: Rows, step: int) -> np.ndarray:
    """int64 [R, K]: the values by which the sounds of a step are described, ANY if they are not."""
    one: Step = shape.steps[step]
    if one.function == "describe":
        return rows.named(shape).descriptions[:, one.slot]
    return np.full((len(rows), shape.descriptions.shape[2]), ANY)


def _within(wide: np.ndarray, narrow: np.ndarray) -> np.ndarray:
    """bool [R]: whether all that a description [R, K] names is named by the other, too."""
    return np.all((wide == ANY) | (wide == narrow), axis=1)


def _of_scene(shape: Shape, step: int) -> bool:
    """Whether a step gives sounds of the whole scene, described or not."""
    one = shape.steps[step]
    return one.function == "scene" or (one.function == "describe" and shape.steps[one.inputs[0]].function == "scene")


def _beside_a_rank(shape: Shape, rows: Rows) -> np.ndarray:
    """ "How many violins before the third violin", "the position of the sound after the third sound"."""
    found = np.zeros(len(rows), bool)
    for related in shape.related:
        anchor = shape.steps[shape.steps[related].inputs[0]]
        rank = shape.steps[anchor.inputs[0]] if anchor.function == "unique" else anchor
        if rank.function not in RANKS or not _of_scene(shape, rank.inputs[0]):
            continue
        named = _described(shape, rows, rank.inputs[0])
        if shape.is_query:
            position = shape.asked[rows.templates] - named.shape[1]  # 0 absolute, 1 relative
            found |= ((position == 0) & (named == ANY).all(axis=1)) | (position == 1)
            continue
        is_first = rows.named(shape).ranks[:, rank.slot] == FIRST
        users = [number for number, step in enumerate(shape.steps) if related in step.inputs]
        for user in users:
            target = _described(shape, rows, user)
            found |= _within(named, target) & (_within(target, named) | is_first)
    return found


def _other_than_an_anchor(shape: Shape, rows: Rows, bank: BankLabels) -> np.ndarray:
    """ "How loud is the cello after the quiet cello": that was the only quiet one."""
    found = np.zeros(len(rows), bool)
    if not shape.is_query or shape.referent == ANY:
        return found
    target, asked = rows.named(shape).descriptions[:, shape.referent], shape.asked[rows.templates]
    kinds = np.arange(target.shape[1])
    of_two = np.append(bank.n_values == 2, [False, False])[asked]
    for number, step in enumerate(shape.steps):
        is_anchor = step.function == "describe" and step.slot != shape.referent
        if is_anchor and shape.purposes[step.slot] == REFERENT and _of_scene(shape, number):
            anchor = _described(shape, rows, number)
            is_asked = kinds == asked[:, None]
            names_it = (is_asked & (anchor != ANY)).any(axis=1)
            found |= of_two & names_it & _within(np.where(is_asked, ANY, anchor), target)
    return found


def _only_of_its_kind(shape: Shape, rows: Rows, bank: BankLabels, domain: Domain) -> np.ndarray:
    """ "Which of the trumpets is the bright one", where the bank has no other trumpet."""
    none, name = np.zeros(len(rows), bool), domain.relative_position_among
    if not shape.is_query or shape.referent == ANY or shape.purposes[shape.referent] != REFERENT or name is None:
        return none
    described = next(
        number for number, step in enumerate(shape.steps) if step.function == "describe" and step.slot == shape.referent
    )
    if not _of_scene(shape, described):
        return none
    target, among = rows.named(shape).descriptions[:, shape.referent], kinds_of(domain).index(name)
    of_kind = np.full_like(target, ANY)
    of_kind[:, among] = target[:, among]
    sounds = np.full(len(rows), ANY)
    alone = bank.n_labels(of_kind, sounds) <= bank.n_labels(target, sounds)
    return alone & (shape.asked[rows.templates] == target.shape[1] + 1)


def _in_every_scene(shape: Shape, rows: Rows, domain: Domain) -> np.ndarray:
    """ "Is there a bright sound", where the rules of sampling see to it."""
    found = np.zeros(len(rows), bool)
    if shape.steps[-1].function != "exist" or not _of_scene(shape, shape.steps[-1].inputs[0]):
        return found
    target, kinds = _described(shape, rows, shape.steps[-1].inputs[0]), kinds_of(domain)
    found |= (target == ANY).all(axis=1)
    for rule in domain.sampling.constraints:
        if rule.each_share_over is not None:
            kind = kinds.index(rule.attribute)
            found |= (target[:, kind] != ANY) & ((target != ANY).sum(axis=1) == 1)
    return found
