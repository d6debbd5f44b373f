"""The FiLM network that answers from a map of audio features: NAAQA and Visual FiLM differ only in those features.

A question's GRU state modulates J residual blocks. With MALiMo, a second GRU over the features themselves modulates as
many blocks more, one after each question block, and the convolution before the blocks is absent.
References: Abdelnour, Rouat, Salvi, "NAAQA", TPAMI 2023; Perez et al., "FiLM", AAAI 2018; Fayek and Johnson, "Temporal
Reasoning via Audio Question Answering", 2020 (MALiMo).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from baselines.models.layers import BATCH_NORM_EPS, Conv, Maps, QuestionEncoder, conv_norm_relu, film, of_scenes


@dataclass(frozen=True)
class FilmConfig:
    """Letters are the paper's. ``*_maps``: the coordinate maps seen there.

    ``malimo_axis``: what the audio GRU runs along, after a maximum over the other axis. The reference code takes
    frequency; time is what MALiMo's authors describe.
    """

    embedding: int = 200
    gru_units: int = 4096  # G
    dropout: float = 0.25
    filters: int = 128  # M
    blocks: int = 4  # J
    classifier_filters: int = 512  # C
    hidden: int = 1024  # H
    stem_maps: Maps = "both"
    block_maps: Maps = "both"
    classifier_maps: Maps = "both"
    malimo: bool = False
    malimo_units: int = 512
    malimo_axis: Literal["freq", "time"] = "freq"


class FilmBlock(nn.Module):
    """A residual block whose second convolution is modulated. Shape: [B, in, F, T], [B, context] -> [B, M, F, T]."""

    def __init__(self, in_channels: int, filters: int, context: int, maps: Maps) -> None:
        super().__init__()
        self.reduce = Conv(in_channels, filters, (1, 1), maps=maps)
        self.conv = Conv(filters, filters, (3, 3))
        self.norm = nn.BatchNorm2d(filters, eps=BATCH_NORM_EPS, affine=False)
        self.coefficients = nn.Linear(context, 2 * filters)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        shortcut = torch.relu(self.reduce(x))
        return torch.relu(film(self.norm(self.conv(shortcut)), self.coefficients(context))) + shortcut


class AudioController(nn.Module):
    """MALiMo's context: a GRU along one axis of the features. Shape: [B, C, F, T] -> [B, units]."""

    def __init__(self, in_channels: int, units: int, axis: Literal["freq", "time"]) -> None:
        super().__init__()
        self.pooled = 3 if axis == "freq" else 2
        self.gru = nn.GRU(in_channels, units, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        sequence = features.amax(self.pooled).transpose(1, 2)  # [B, F or T, C]
        states, _ = self.gru(sequence)
        return states[:, -1]


class Classifier(nn.Module):
    """1x1 convolution, maximum over the map, one hidden layer. Shape: [B, M, F, T] -> [B, answers]."""

    def __init__(self, config: FilmConfig, n_answers: int) -> None:
        super().__init__()
        filters, hidden = config.classifier_filters, config.hidden
        self.conv = conv_norm_relu(Conv(config.filters, filters, (1, 1), bias=False, maps=config.classifier_maps))
        self.hidden = nn.Sequential(
            nn.Linear(filters, hidden, bias=False),
            nn.BatchNorm1d(hidden, eps=BATCH_NORM_EPS),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.output = nn.Linear(hidden, n_answers)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.output(self.hidden(self.conv(x).amax((2, 3))))


class FilmNetwork(nn.Module):
    """Shape: features [S, in_channels, F, T], tokens [B, L], lengths [B], scene [B] -> logits [B, answers]."""

    def __init__(self, config: FilmConfig, in_channels: int, n_words: int, n_answers: int) -> None:
        super().__init__()
        self.question = QuestionEncoder(n_words, config.embedding, config.gru_units, config.dropout)
        m, first = config.filters, config.filters
        self.stem: nn.Module = nn.Identity()
        if config.malimo:
            first = in_channels
            self.controller = AudioController(in_channels, config.malimo_units, config.malimo_axis)
        else:
            self.stem = conv_norm_relu(Conv(in_channels, m, (3, 3), bias=False, maps=config.stem_maps))
        blocks = [FilmBlock(m if j else first, m, config.gru_units, config.block_maps) for j in range(config.blocks)]
        audio_blocks = [FilmBlock(m, m, config.malimo_units, config.block_maps) for _ in blocks if config.malimo]
        self.blocks = nn.ModuleList(blocks)
        self.audio_blocks = nn.ModuleList(audio_blocks)
        self.classifier = Classifier(config, n_answers)

    def forward(self, features: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        question = self.question(tokens, lengths)  # [B, G]
        x = of_scenes(self.stem(features), scene)  # [B, M, F, T]
        if not self.audio_blocks:
            for block in self.blocks:
                x = block(x, question)
            return self.classifier(x)
        audio = of_scenes(self.controller(features), scene)  # [B, malimo_units]
        for block, audio_block in zip(self.blocks, self.audio_blocks, strict=True):
            x = audio_block(block(x, question), audio)
        return self.classifier(x)
