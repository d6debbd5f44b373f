"""Random streams: one per item, independent of how work is divided."""

from __future__ import annotations

import numpy as np

# First element of a random stream's spawn key: what the stream is for. The numbers are part of the formats.
# Streams of the seed of a bank, a dataset or its questions:
STAGE_SCENE = 0
STAGE_IMPORT = 1
STAGE_VALIDATE = 2
STAGE_QUESTIONS = 3
STAGE_MIXTURE = 4
STAGE_FOLDS = 5
# Streams of the seed of a training run, which draws nothing else, so that the numbers start again:
STAGE_WEIGHTS = 0
STAGE_ORDER = 1
STAGE_DROPOUT = 2
STAGE_ROOMS = 3


def stream(seed: int, *key: int) -> np.random.Generator:
    """The random stream of one item, ``key`` being (stage, split, index): independent of how work is divided."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))
