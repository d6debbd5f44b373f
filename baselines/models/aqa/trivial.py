"""The floor: answers drawn at random, and always the most common answer. Neither has anything to train."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Random(nn.Module):
    """Scores drawn uniformly from 0..1, anew in every call. Shape: any, tokens [B, L], any -> [B, answers]."""

    def __init__(self, n_answers: int) -> None:
        super().__init__()
        self.n_answers = n_answers
        self.generator = torch.Generator()

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return torch.rand(len(tokens), self.n_answers, generator=self.generator).to(tokens.device)


class MostCommon(nn.Module):
    """Scores are how often each answer was given in training. Shape: any, tokens [B, L], any -> [B, answers]."""

    counts: Tensor

    def __init__(self, n_answers: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(n_answers))

    def reset_parameters(self) -> None:
        """Forget what was counted."""
        self.counts.zero_()

    def fit(self, answer_ids: Tensor) -> None:
        """Count the answers of training, int64 [Q], each 0..answers - 1."""
        counts = torch.bincount(answer_ids, minlength=len(self.counts))
        self.counts.copy_(counts)

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.counts.expand(len(tokens), -1)


def initialise_random(model: nn.Module, rng: np.random.Generator) -> None:
    """Seed the scores of ``Random`` with the second number that ``rng`` draws: the first seeds a model's weights."""
    assert isinstance(model, Random)
    model.generator.manual_seed(int(rng.integers(1 << 63, size=2)[1]))
