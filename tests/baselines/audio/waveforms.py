"""Waveforms of a split as the tests compare them."""

from __future__ import annotations

import numpy as np
import torch

from baselines.audio.scenes import Scenes

CPU = torch.device("cpu")
CLOSE = 2e-6  # of full scale: two orders of float32 sums


def waveforms_of(scenes: Scenes, batch: int) -> list[np.ndarray]:
    """Every scene, cut at its end; what batches hold behind it must be zero."""
    found: list[np.ndarray] = []
    for part in scenes.waveforms(batch, CPU):
        lengths = scenes.n_samples[len(found) : len(found) + batch]
        assert part.dtype == torch.float32
        assert part.shape == (len(lengths), max(lengths))
        for row, n in zip(part.numpy(), lengths, strict=True):
            assert not row[n:].any()
            found.append(row[:n])
    assert len(found) == len(scenes.n_samples)
    return found
