"""Functions that give a set of sounds, on one scene and on a batch of rows.

On one scene a set is a sorted tuple of sounds. In a batch it is two bit masks uint64 [R]: the sounds that may, and
those that must be in it.
"""

from __future__ import annotations

import numpy as np

from clear_gen.questions.language.execute_batch import REVERSED, BatchExecutor
from clear_gen.questions.language.program_skeleton import ANY
from clear_gen.questions.language.scene_batch import ONE, Bounds, popcount
from clear_gen.questions.language.scene_facts import CompletedScene, NoAnswer
from clear_gen.questions.language.vocabulary import ordinal

Sounds = tuple[int, ...]


def scene(scene: CompletedScene) -> Sounds:
    """All sounds of the scene."""
    return scene.sounds


def batch_scene(executor: BatchExecutor, _number: int) -> Bounds:
    """Batched ``scene``; see ``execute_batch``."""
    return executor.everything, executor.everything


# --- filters ----------------------------------------------------------------------------------------------------------


def filter_label(scene: CompletedScene, sounds: Sounds, value: str, *, kind: str) -> Sounds:
    """The sounds with this label."""
    return tuple(sound for sound in sounds if scene.label(kind, sound) == value)


def batch_describe(executor: BatchExecutor, number: int, sounds: Bounds) -> Bounds:
    """Neighbouring filters by label, in one step."""
    (may, must), rows = sounds, executor.rows.scenes
    slot, scenes = executor.skeleton.steps[number].slot, executor.context.scenes
    for kind in executor.skeleton.kinds[slot]:
        if (slot, kind) != executor.change.dropped:
            values = executor.value("descriptions", slot, kind)
            may = may & scenes.may[rows, kind, values]
            must = must & scenes.must[rows, kind, values]
    return may, must


def filter_absolute_position(_scene: CompletedScene, sounds: Sounds, value: str) -> Sounds:
    """The sound with this rank among the given ones."""
    return tuple(sound for rank, sound in enumerate(sounds, 1) if ordinal(rank) == value)


def batch_absolute_position(executor: BatchExecutor, number: int, sounds: Bounds) -> Bounds:
    """Batched ``filter_absolute_position``."""
    may, must = sounds
    executor.require(may == must)
    rank = executor.value("ranks", executor.skeleton.steps[number].slot)
    left = must
    for passed in range(int(rank.max(initial=0))):
        left = np.where(passed < rank, left & (left - ONE), left)
    only = left & -left
    return only, only


def filter_relative_position(scene: CompletedScene, sounds: Sounds, value: str) -> Sounds:
    """The sounds with this rank among those of their own kind."""
    ranks = ranks_among_own_kind(scene, sounds)
    return tuple(sound for sound in sounds if ordinal(ranks[sound]) == value)


def ranks_among_own_kind(scene: CompletedScene, sounds: Sounds) -> dict[int, int]:
    """Sound -> its rank, from 1, among those of the sounds that are of its own kind."""
    among = scene.facts.domain.relative_position_among or ""
    seen: dict[str, int] = {}
    ranks = {}
    for sound in sounds:
        label = scene.label(among, sound)
        seen[label] = ranks[sound] = seen.get(label, 0) + 1
    return ranks


def batch_relative_position(executor: BatchExecutor, number: int, sounds: Bounds) -> Bounds:
    """Batched ``filter_relative_position``."""
    may, must = sounds
    executor.require(may == must)
    rank = executor.value("ranks", executor.skeleton.steps[number].slot)
    scenes = executor.context.scenes
    same = scenes.same_must[executor.rows.scenes, executor.context.among]
    ranks = popcount(must[:, None] & same & (scenes.bits - ONE))
    chosen = ((must[:, None] & scenes.bits) != 0) & (ranks == rank[:, None])
    mask = (chosen * scenes.bits).sum(axis=1, dtype=np.uint64)
    return mask, mask


# --- from a sound to others -------------------------------------------------------------------------------------------


def relate(scene: CompletedScene, sound: int, relation: str) -> Sounds:
    """The sounds in this relation to a sound."""
    rule = scene.facts.domain.relations[relation]
    before, after = scene.sounds[:sound], scene.sounds[sound + 1 :]
    nearest = rule.nearest or len(scene.sounds)
    return before[-nearest:] if rule.side == "before" else after[:nearest]


def batch_relate(executor: BatchExecutor, number: int, sound: np.ndarray) -> Bounds:
    """Batched ``relate``; see ``execute_batch``."""
    relations = executor.context.relations
    relation = executor.value("relations", executor.skeleton.steps[number].slot)
    if executor.change.relations.get(number) == REVERSED:
        relation = relations.reverse[relation]
        executor.require(relation != ANY)
    nearest, n_sounds = relations.nearest[relation], executor.context.scenes.n_sounds[executor.rows.scenes]
    is_after = relations.is_after[relation]
    start = np.where(is_after, sound + 1, np.maximum(0, sound - nearest))
    stop = np.where(is_after, np.minimum(n_sounds, sound + 1 + nearest), sound)
    stop = np.maximum(start, stop)
    mask = (ONE << stop.astype(np.uint64)) - (ONE << start.astype(np.uint64))
    return mask, mask


def same(scene: CompletedScene, sound: int, *, kind: str) -> Sounds:
    """The other sounds with the same label. Raises NoAnswer if the label of ``sound`` is unknown."""
    if scene.facts.labels[kind][sound] is None:
        raise NoAnswer(f"the {kind} of sound {sound + 1} is unknown")
    label = scene.label(kind, sound)
    return tuple(other for other in scene.sounds if other != sound and scene.label(kind, other) == label)


def batch_same(executor: BatchExecutor, number: int, sound: np.ndarray) -> Bounds:
    """Batched ``same``; see ``execute_batch``."""
    scenes, rows = executor.context.scenes, executor.rows.scenes
    kind = executor.skeleton.steps[number].kind
    label = scenes.labels[rows, kind, sound].astype(np.int64)
    executor.require(label >= 0, label < 0)
    others = ~(ONE << sound.astype(np.uint64))
    may, must = (masks[rows, kind, label] & others for masks in (scenes.may, scenes.must))
    return may, must


# --- two sets ---------------------------------------------------------------------------------------------------------


def union(_scene: CompletedScene, left: Sounds, right: Sounds) -> Sounds:
    """The sounds of either set."""
    return tuple(sorted({*left, *right}))


def batch_or(_executor: BatchExecutor, _number: int, left: Bounds, right: Bounds) -> Bounds:
    """Of two sets their union, of two truth values whether one of them holds."""
    return left[0] | right[0], left[1] | right[1]


def intersect(_scene: CompletedScene, left: Sounds, right: Sounds) -> Sounds:
    """The sounds of both sets."""
    return tuple(sorted({*left} & {*right}))


def batch_intersect(_executor: BatchExecutor, _number: int, left: Bounds, right: Bounds) -> Bounds:
    """Batched ``intersect``; see ``execute_batch``."""
    return left[0] & right[0], left[1] & right[1]
