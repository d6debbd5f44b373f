"""DAQA's FiLM and MALiMo: a small VGG-like network, modulated blocks, and a classifier on the mean of the map.

Inside, maps are [B, C, T, F], as DAQA lays them out; the interface is that of the other models.
Reference: Fayek and Johnson, "Temporal Reasoning via Audio Question Answering", IEEE/ACM TASLP 28, 2020, and the
settings of its published code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.models.layers import at_last_token, film, max_pool, n_maps, of_scenes, with_maps, word_embedding

MAX_BASE_FILTERS = 512
FIRST_KERNEL, FIRST_STRIDE = (12, 3), (9, 1)  # (T, F), frames of 10 ms


@dataclass(frozen=True)
class Config:
    """``blocks``: the question's; MALiMo has as many for the audio besides. ``malimo_frames``: pooled for its LSTM."""

    embedding: int = 256
    lstm_units: int = 512
    lstm_layers: int = 2
    base_filters: int = 32
    base_stages: int = 3
    filters: int = 128
    blocks: int = 6
    classifier_filters: int = 512
    hidden: int = 1024
    malimo: bool = False
    malimo_units: int = 512
    malimo_layers: int = 2
    malimo_frames: int = 8


class Stage(nn.Module):
    """Two convolutions with batch normalisation, then a maximum of 2 x 2."""

    def __init__(self, in_channels: int, filters: int, first: bool) -> None:
        super().__init__()
        kernel, stride = (FIRST_KERNEL, FIRST_STRIDE) if first else ((3, 3), (1, 1))
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, filters, kernel, stride, padding=1),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, padding=1),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return max_pool(self.layers(x), 2, 2)


class Block(nn.Module):
    """A modulated residual block. Shape: [B, in, T, F], [B, 2 filters] -> [B, filters, T, F]."""

    def __init__(self, in_channels: int, filters: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels + n_maps("both"), filters, 3, padding=1)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1)
        self.norm = nn.BatchNorm2d(filters, affine=False)

    def forward(self, x: Tensor, coefficients: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        shortcut = torch.relu(self.conv1(with_maps(x, "both")))
        return torch.relu(film(self.norm(self.conv2(shortcut)), coefficients)) + shortcut


class Daqa(nn.Module):
    """Shape: spectrogram [S, 1, F, T], tokens [B, L], lengths [B], scene [B] -> logits [B, answers]."""

    def __init__(self, config: Config, n_words: int, n_answers: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = word_embedding(n_words, config.embedding)
        self.question = nn.LSTM(config.embedding, config.lstm_units, config.lstm_layers, batch_first=True)
        widths = [min(config.base_filters << stage, MAX_BASE_FILTERS) for stage in range(config.base_stages)]
        pairs = zip([1, *widths[:-1]], widths, strict=True)
        self.base = nn.Sequential(*(Stage(m, n, first=stage == 0) for stage, (m, n) in enumerate(pairs)))
        n_coefficients = config.blocks * 2 * config.filters
        self.coefficients = nn.Linear(config.lstm_units, n_coefficients)
        first = widths[-1]
        if config.malimo:
            self.audio = nn.LSTM(widths[-1], config.malimo_units, config.malimo_layers, batch_first=True)
            self.audio_coefficients = nn.Linear(config.malimo_units, n_coefficients)
            self.audio_blocks = _blocks(config, first)
            first = config.filters
        self.blocks = _blocks(config, first)
        self.conv = nn.Conv2d(config.filters + n_maps("both"), config.classifier_filters, 1)
        self.output = nn.Sequential(
            nn.Linear(config.classifier_filters, config.hidden), nn.ReLU(), nn.Linear(config.hidden, n_answers)
        )

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        states, _ = self.question(self.embedding(tokens))  # [B, L, lstm_units]
        question = self._split(self.coefficients(at_last_token(states, lengths)))
        missing = max(FIRST_KERNEL[0] - 2 - spectrogram.shape[3], 0)  # the first convolution adds 2 frames itself
        x = self.base(functional.pad(spectrogram.transpose(2, 3), (0, 0, 0, missing)))  # [B, C, T, F]
        audio = None
        if self.config.malimo:
            audio = self._split(of_scenes(self.audio_coefficients(self._audio_state(x)), scene))
        x = of_scenes(x, scene)
        for j, block in enumerate(self.blocks):
            if audio is not None:
                x = self.audio_blocks[j](x, audio[j])
            x = block(x, question[j])
        return self.output(self.conv(with_maps(x, "both")).mean((2, 3)))

    def _split(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """[B, blocks * 2 filters] -> per block [B, 2 filters]."""
        return coefficients.chunk(self.config.blocks, 1)

    def _audio_state(self, x: Tensor) -> Tensor:
        """[B, C, T, F] -> [B, malimo_units]: an LSTM over maxima of ``malimo_frames`` frames and all frequencies."""
        pooled = max_pool(x, self.config.malimo_frames, x.shape[3]).squeeze(3)  # [B, C, T']
        states, _ = self.audio(pooled.transpose(1, 2))
        return states[:, -1]


def _blocks(config: Config, first: int) -> nn.ModuleList:
    """The ``blocks`` of one controller; ``first``: channels that come into the first.

    With MALiMo the two controllers' blocks alternate, audio before question, so only the first audio block sees the
    base network.
    """
    return nn.ModuleList(Block(config.filters if j else first, config.filters) for j in range(config.blocks))
