"""Functions that give an answer: a label, a number or a truth value, on one scene and on a batch of rows.

In a batch a label is its number among its kind's values, int64 [R]; numbers (int64) and truth values (bool) are a lower
and an upper bound [R].
"""

from __future__ import annotations

import numpy as np

from clear_gen.questions.language.execute_batch import BatchExecutor
from clear_gen.questions.language.functions.sets import ranks_among_own_kind
from clear_gen.questions.language.scene_batch import Bounds, popcount
from clear_gen.questions.language.scene_facts import CompletedScene
from clear_gen.questions.language.vocabulary import ordinal

# --- labels -----------------------------------------------------------------------------------------------------------


def query_label(scene: CompletedScene, sound: int, *, kind: str) -> str:
    """A sound's label of one kind."""
    return scene.label(kind, sound)


def query_absolute_position(_scene: CompletedScene, sound: int) -> str:
    """A sound's rank among all sounds, in words."""
    return ordinal(sound + 1)


def query_relative_position(scene: CompletedScene, sound: int) -> str:
    """A sound's rank among those of its own kind, in words."""
    return ordinal(ranks_among_own_kind(scene, scene.sounds)[sound])


def batch_query(executor: BatchExecutor, _number: int, sound: np.ndarray) -> np.ndarray:
    """The label or position that each row queries: int64 [R]."""
    asked = executor.skeleton.asked[executor.rows.templates]
    label = executor.context.asked[executor.rows.scenes, asked, sound].astype(np.int64)
    executor.require(label >= 0, label < 0)
    return label


# --- numbers ----------------------------------------------------------------------------------------------------------


def count(_scene: CompletedScene, sounds: tuple[int, ...]) -> int:
    """Number of sounds."""
    return len(sounds)


def batch_count(_executor: BatchExecutor, _number: int, sounds: Bounds) -> Bounds:
    """Batched ``count``; see ``execute_batch``."""
    may, must = sounds
    return popcount(must), popcount(may)


def count_different(scene: CompletedScene, sounds: tuple[int, ...], *, kind: str) -> int:
    """Number of different labels of one kind."""
    return len({scene.label(kind, sound) for sound in sounds})


def batch_count_different(executor: BatchExecutor, number: int, sounds: Bounds) -> Bounds:
    """Batched ``count_different``; see ``execute_batch``."""
    may, must = sounds
    scenes, rows = executor.context.scenes, executor.rows.scenes
    kind = executor.skeleton.steps[number].kind
    low = ((must[:, None] & scenes.must[rows, kind, :-1]) != 0).sum(axis=1)
    high = ((may[:, None] & scenes.may[rows, kind, :-1]) != 0).sum(axis=1)
    return low, high


def add(_scene: CompletedScene, left: int, right: int) -> int:
    """Sum of two numbers."""
    return left + right


def batch_add(_executor: BatchExecutor, _number: int, left: Bounds, right: Bounds) -> Bounds:
    """Batched ``add``; see ``execute_batch``."""
    return left[0] + right[0], left[1] + right[1]


# --- truth values -----------------------------------------------------------------------------------------------------


def exist(_scene: CompletedScene, sounds: tuple[int, ...]) -> bool:
    """Whether there is a sound."""
    return bool(sounds)


def batch_exist(_executor: BatchExecutor, _number: int, sounds: Bounds) -> Bounds:
    """Batched ``exist``; see ``execute_batch``."""
    may, must = sounds
    return must != 0, may != 0


def or_(_scene: CompletedScene, left: bool, right: bool) -> bool:
    """Whether at least one of two truth values holds."""
    return left or right


def equal_integer(_scene: CompletedScene, left: int, right: int) -> bool:
    """Whether two numbers are equal."""
    return left == right


def batch_equal_integer(_executor: BatchExecutor, _number: int, left: Bounds, right: Bounds) -> Bounds:
    """Batched ``equal_integer``; see ``execute_batch``."""
    certain = (left[0] == left[1]) & (right[0] == right[1]) & (left[0] == right[0])
    return certain, (left[0] <= right[1]) & (right[0] <= left[1])


def less_than(_scene: CompletedScene, left: int, right: int) -> bool:
    """Whether the left number is less than the right."""
    return left < right


def batch_less_than(_executor: BatchExecutor, _number: int, left: Bounds, right: Bounds) -> Bounds:
    """Batched ``less_than``; see ``execute_batch``."""
    return left[1] < right[0], left[0] < right[1]


def greater_than(_scene: CompletedScene, left: int, right: int) -> bool:
    """Whether the left number is greater than the right."""
    return left > right


def batch_greater_than(_executor: BatchExecutor, _number: int, left: Bounds, right: Bounds) -> Bounds:
    """Batched ``greater_than``; see ``execute_batch``."""
    return left[0] > right[1], left[1] > right[0]
