"""Functions that give one sound, on one scene and on a batch of rows.

On one scene a sound is its number in the order of onsets. In a batch it is int64 [R].
"""

from __future__ import annotations

import numpy as np

from clear_gen.questions.language.execute_batch import BatchExecutor
from clear_gen.questions.language.scene_batch import Bounds, first_of, popcount
from clear_gen.questions.language.scene_facts import CompletedScene, NoAnswer

# The longest of some sounds must be longer than the next by more than both, and so the shortest shorter.
MARGIN_S = 0.05
MARGIN_SHARE = 0.1  # of the longer of the two


def unique(_scene: CompletedScene, sounds: tuple[int, ...]) -> int:
    """The only sound of a set. Raises NoAnswer unless there is exactly one."""
    if len(sounds) != 1:
        raise NoAnswer(f"found {len(sounds)} sounds, expected 1")
    return sounds[0]


def batch_unique(executor: BatchExecutor, _number: int, sounds: Bounds) -> np.ndarray:
    """Batched ``unique``; see ``execute_batch``."""
    may, must = sounds
    executor.require((may == must) & (popcount(may) == 1), (may == 0) | (popcount(must) > 1))
    # some sound of the scene also in rows that are not ok, so that execution can continue
    return np.minimum(first_of(may), executor.context.scenes.labels.shape[2] - 1)


def longest(scene: CompletedScene, sounds: tuple[int, ...]) -> int:
    """The longest sound of a set. Raises NoAnswer if it is empty or the lengths are too close."""
    return _extreme(scene, sounds, -1)


def shortest(scene: CompletedScene, sounds: tuple[int, ...]) -> int:
    """The shortest sound of a set. Raises NoAnswer if it is empty or the lengths are too close."""
    return _extreme(scene, sounds, 1)


def _extreme(scene: CompletedScene, sounds: tuple[int, ...], sign: int) -> int:
    if not sounds:
        raise NoAnswer("found no sound")
    lengths, rate = scene.facts.n_samples, scene.facts.sample_rate
    first, *others = sorted(sounds, key=lambda sound: (sign * lengths[sound], sound))
    if others:
        difference = abs(lengths[first] - lengths[others[0]])
        if difference <= max(MARGIN_S * rate, MARGIN_SHARE * max(lengths[first], lengths[others[0]])):
            by = f"{1000 * difference / rate:.0f} ms"
            raise NoAnswer(f"sounds {first + 1} and {others[0] + 1} differ by {by}, too little to hear")
    return first


def batch_longest(executor: BatchExecutor, _number: int, sounds: Bounds) -> np.ndarray:
    """Batched ``longest``; see ``execute_batch``."""
    return _batch_extreme(executor, sounds, 1)


def batch_shortest(executor: BatchExecutor, _number: int, sounds: Bounds) -> np.ndarray:
    """Batched ``shortest``; see ``execute_batch``."""
    return _batch_extreme(executor, sounds, -1)


def _batch_extreme(executor: BatchExecutor, sounds: Bounds, sign: int) -> np.ndarray:
    may, must = sounds
    scenes, rows = executor.context.scenes, np.arange(len(executor.rows))
    inside = (must[:, None] & scenes.bits) != 0
    none = -(1 << 62)
    lengths = np.where(inside, sign * scenes.n_samples[executor.rows.scenes], none)
    best = lengths.argmax(axis=1)
    first = lengths[rows, best]
    lengths[rows, best] = none
    second = lengths.max(axis=1)
    longer = np.abs(first if sign > 0 else second)
    clear = first - second > np.maximum(MARGIN_S * scenes.sample_rate, MARGIN_SHARE * longer)
    clear |= second == none
    executor.require((may == must) & (must != 0) & clear, (may == 0) | ((may == must) & ~clear))
    return best
