"""Many scenes as arrays: for each label, a bit mask of the sounds that have it.

Bit k of a mask stands for the k-th sound of a scene in the order of onsets. Every label has two masks: the sounds that
``must`` have it, and those that ``may``, because their label is unknown.

Shapes: S scenes, K kinds of labels (the domain's attributes, then ``global_position``), N sounds at most, V values at
most of a kind; value V stands for "any".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from clear_gen.questions.language.scene_facts import BOUNDARY_SHARE
from clear_gen.questions.language.vocabulary import label_kinds, values_of
from clear_gen.scenes.domain import Domain

UNKNOWN = -1
ABSENT = -2
ONE = np.uint64(1)
Bounds = tuple[np.ndarray, np.ndarray]  # of a set (may, must), of a number or a truth value (low, high)


def popcount(masks: np.ndarray) -> np.ndarray:
    """int64: the number of sounds in each mask."""
    return np.bitwise_count(masks).astype(np.int64)


def first_of(masks: np.ndarray) -> np.ndarray:
    """int64: the first sound in each mask (64 if it is empty)."""
    return popcount((masks & -masks) - ONE)


@dataclass(frozen=True)
class SceneBatch:
    """S scenes. ``labels`` int16 [S, K, N]: number of the value, UNKNOWN, or ABSENT beyond the scene's last sound;
    ``n_samples`` int64 [S, N]; ``n_sounds`` int64 [S]."""

    labels: np.ndarray
    n_samples: np.ndarray
    n_sounds: np.ndarray
    sample_rate: int
    n_values: int

    @cached_property
    def everything(self) -> np.ndarray:
        """uint64 [S]: the mask of all sounds."""
        return (ONE << self.n_sounds.astype(np.uint64)) - ONE

    @cached_property
    def bits(self) -> np.ndarray:
        """uint64 [N]: the mask of each sound alone."""
        return ONE << np.arange(self.labels.shape[2], dtype=np.uint64)

    @cached_property
    def must(self) -> np.ndarray:
        """uint64 [S, K, V + 1]: the sounds that certainly have a value."""
        return self._masks(unknown_too=False)

    @cached_property
    def may(self) -> np.ndarray:
        """uint64 [S, K, V + 1]: the sounds that may have a value."""
        return self._masks(unknown_too=True)

    @cached_property
    def same_must(self) -> np.ndarray:
        """uint64 [S, K, N]: the sounds that certainly share each sound's label; meaningless where it is unknown."""
        return self._same(self.must)

    @cached_property
    def same_may(self) -> np.ndarray:
        """uint64 [S, K, N]: the sounds that may share each sound's label; meaningless where it is unknown."""
        return self._same(self.may)

    def _same(self, masks: np.ndarray) -> np.ndarray:
        return np.take_along_axis(masks, np.maximum(self.labels, 0).astype(np.int64), axis=2)

    def _masks(self, unknown_too: bool) -> np.ndarray:
        n_scenes, n_kinds, _ = self.labels.shape
        masks = np.empty((n_scenes, n_kinds, self.n_values + 1), np.uint64)
        for value in range(self.n_values):
            has = self.labels == value
            if unknown_too:
                has |= self.labels == UNKNOWN
            masks[:, :, value] = has @ self.bits
        masks[:, :, self.n_values] = self.everything[:, None]
        return masks


def scene_batch(table: pa.Table, domain: Domain) -> SceneBatch:
    """The scenes of a table, with the columns of the config ``scenes``; their audio is not needed."""
    lists = table["sounds"].combine_chunks()
    sounds, n_sounds = lists.flatten(), lists.value_lengths().to_numpy().astype(np.int64)
    within = np.arange(max(1, n_sounds.max(initial=0))) < n_sounds[:, None]
    onsets = _padded(sounds.field("onset_sample"), within, np.iinfo(np.int64).max)
    order = np.argsort(onsets, axis=1, kind="stable")
    n_samples = np.take_along_axis(_padded(sounds.field("n_samples"), within, 0), order, axis=1)
    kinds = label_kinds(domain)
    values = {name: values_of(name, domain) for name in kinds}
    labels = np.full((len(n_sounds), len(kinds), within.shape[1]), ABSENT, np.int16)
    for number, name in enumerate(domain.attributes):
        codes = pa.compute.index_in(sounds.field(name).cast(pa.string()), pa.array(values[name]))
        padded = _padded(codes.fill_null(UNKNOWN), within, ABSENT)
        labels[:, number] = np.take_along_axis(padded, order, axis=1)
    if domain.parts:
        middle = 2 * np.take_along_axis(onsets, order, axis=1) + n_samples  # twice the middle
        parts = _parts(middle, table["n_samples_dry"].to_numpy(), len(domain.parts))
        labels[:, -1] = np.where(within, parts, ABSENT)
    rate = table["sample_rate"][0].as_py() if table.num_rows else 1
    return SceneBatch(labels, n_samples, n_sounds, rate, max(map(len, values.values())))


def _padded(column: pa.Array, within: np.ndarray, beyond: int) -> np.ndarray:
    padded = np.full(within.shape, beyond, np.int64)
    padded[within] = column.to_numpy(zero_copy_only=False)
    return padded


def _parts(twice_the_middle: np.ndarray, n_samples_dry: np.ndarray, n: int) -> np.ndarray:
    """int64 [S, N]: the part that a sound's middle falls into, UNKNOWN near a boundary; as ``part_of_scene``."""
    whole = 2 * n_samples_dry[:, None]
    parts = np.minimum(n * twice_the_middle // whole, n - 1)
    for boundary in range(1, n):
        near = np.abs(n * twice_the_middle - boundary * whole) <= BOUNDARY_SHARE * n * whole
        parts = np.where(near, UNKNOWN, parts)
    return parts
