"""What a model knows without the audio, and without the question: the paper's ablation of modalities.

Reference: Abdelnour, Rouat, Salvi, "NAAQA", TPAMI 2023, supplement F.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.models.aqa.tokenizer import UNKNOWN

PATCH = 64  # rows and columns
RUN_LENGTH = 12  # tokens; the published code draws a length from 5 to 20


class TextOnly(nn.Module):
    """A model that hears a patch of ones. Shape: as the model's.

    The same small patch for all: ones carry nothing, however many there are, and the size of a scene's own spectrogram
    would tell how long it is.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        ones = spectrogram.new_ones(len(tokens), 1, PATCH, PATCH)
        return self.model(ones, tokens, lengths)


class AudioOnly(nn.Module):
    """A model that reads a run of unknown words. Shape: as the model's.

    The run has a fixed length: its own would tell what kind of question it is.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        unknown = torch.full((len(tokens), RUN_LENGTH), UNKNOWN, dtype=tokens.dtype, device=tokens.device)
        return self.model(spectrogram, unknown, torch.full_like(lengths, RUN_LENGTH), scene)
