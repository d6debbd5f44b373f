"""GMP, GAP and GWRP: probabilities over time and frequency from a VGG-like network, and one number out of each map.

Reference: Kong, Xu, Sobieraj, Wang, Plumbley, "Sound Event Detection and Time-Frequency Segmentation from Weakly
Labelled Data", IEEE/ACM TASLP 27, 2019, and the settings of its published code. Global weighted rank pooling:
Kolesnikov and Lampert, "Seed, Expand and Constrain", ECCV 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from baselines.models.sed.layers import SedConfig, SedOutput, double_conv, probability, single
from clear_gen.core.errors import InputError

CHANNELS = 32, 64, 128, 128
DECAY = 0.9998

Pooling = Literal["gmp", "gap", "gwrp"]


@dataclass(frozen=True)
class Config(SedConfig):
    """``pooling``: global maximum, average, or weighted rank. ``decay``: of the last, from one rank to the next."""

    pooling: Pooling = field(default="gwrp", metadata={"option": False})
    decay: float = field(default=DECAY, metadata={"above": 0, "most": 1})

    def __post_init__(self) -> None:
        if self.decay != DECAY and self.pooling != "gwrp":
            raise InputError(f"decay: found {self.decay} with {self.pooling}, expected gwrp")


class VggishPool(nn.Module):
    """Shape: log-mel spectrogram [B, T, F], each band normalised -> SedOutput. T and F can be any."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = config.channels(*CHANNELS)
        self.trunk = nn.Sequential(*(double_conv(m, n) for m, n in pairwise([1, *widths])))
        self.classes = nn.Conv2d(widths[-1], config.n_classes, 1)

    def forward(self, log_mel: Tensor) -> SedOutput:
        """Compute the output; shapes are given by the class."""
        map_ = torch.sigmoid(single(self.classes(self.trunk(log_mel[:, None]))))  # [B, K, T, F]
        return SedOutput(self._pooled(map_.flatten(2)), map_.mean(3), None, {"map": map_})

    def _pooled(self, x: Tensor) -> Tensor:
        """[B, K, T F] -> [B, K]."""
        if self.config.pooling == "gmp":
            return x.max(2).values
        if self.config.pooling == "gap":
            return x.mean(2)
        return probability(weighted_rank(x, self.config.decay))


def weighted_rank(x: Tensor, decay: float) -> Tensor:
    """Mean over the last axis, where the j-th largest value (from 0) weighs decay^j: [..., n] -> [...]."""
    ranks = torch.arange(x.shape[-1], dtype=x.dtype, device=x.device)
    weights = torch.exp(ranks * math.log(decay))  # a power would take decay itself, rounded to float32, 20,000 times
    return (x.sort(-1, descending=True).values * weights).sum(-1) / weights.sum()
