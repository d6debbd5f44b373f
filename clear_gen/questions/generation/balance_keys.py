"""What a text-only baseline can know of a question, as hashes: the answers are balanced within each of these keys.

A signature is the question type, the kinds of relations, and the attribute values that the text names for its referent;
single values, the skeleton of the program and ranks are informative, too.
"""

from __future__ import annotations

import zlib

import numpy as np

from clear_gen.questions.language.execute_batch import Rows
from clear_gen.questions.language.program_skeleton import ANY, ProgramSkeleton

N_VALUES = 6  # values of the targets' descriptions that are keys of their own
TYPE, RELATIONS, SKELETON, SIGNATURE, RANKS, VALUES = range(6)  # columns; the values are the last ones
N_KEYS = VALUES + N_VALUES
NONE = 0
FACTOR = np.uint64(0x9E3779B97F4A7C15)


def balance_keys(skeleton: ProgramSkeleton, rows: Rows) -> np.ndarray:
    """uint32 [R, N_KEYS]: hashes; NONE where a row has no such key."""
    named = rows.named(skeleton)
    n_targets = len(skeleton.targets) * skeleton.descriptions.shape[2]
    targets = named.descriptions[:, skeleton.targets].reshape(len(rows), n_targets)
    relations, ranks = named.relations, named.ranks
    last = skeleton.steps[-1].function
    start = _hashes([f"{name} {last}" for name in skeleton.question_types])[rows.templates]
    form = np.full(len(rows), zlib.crc32(repr(skeleton.steps).encode()), np.uint64)
    related = _mixed(start, relations)
    found = np.full((len(rows), N_KEYS), NONE, np.uint64)
    found[:, TYPE] = _hashes(skeleton.question_types)[rows.templates]
    found[:, RELATIONS] = related
    found[:, SKELETON] = _mixed(related ^ form, targets == ANY)
    found[:, SIGNATURE] = _mixed(related, targets) + np.uint64(1)
    if ranks.shape[1]:
        found[:, RANKS] = _mixed(_mixed(start ^ np.uint64(7), relations), ranks)
    n_named = (targets != ANY).cumsum(axis=1)
    for place in range(targets.shape[1]):
        has = np.flatnonzero((targets[:, place] != ANY) & (n_named[:, place] <= N_VALUES))
        kind = np.full(len(has), place % skeleton.descriptions.shape[2])
        value = _mixed(start[has], np.stack([kind, targets[has, place]], axis=1)) + np.uint64(2)
        found[has, VALUES + n_named[has, place] - 1] = value
    return (found >> np.uint64(32) ^ found).astype(np.uint32)


def _hashes(texts: list[str]) -> np.ndarray:
    return np.array([zlib.crc32(text.encode()) for text in texts], np.uint64)


def _mixed(start: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """uint64 [R]: a hash of ``start`` and the columns [R, C]."""
    mixed = start.copy()
    for column in columns.T:
        mixed = (mixed ^ (column.astype(np.int64).view(np.uint64) + np.uint64(3))) * FACTOR
        mixed ^= mixed >> np.uint64(29)
    return mixed
