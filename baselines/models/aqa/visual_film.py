"""Visual FiLM: the frozen features of a network trained on images, then the FiLM network of NAAQA.

Reference: Abdelnour, Rouat, Salvi, "NAAQA", TPAMI 2023, where it is the baseline "Visual FiLM Resnet101".
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from baselines.models.aqa.film import FilmConfig, FilmNetwork
from baselines.models.aqa.resnet import OUT_CHANNELS, ResNet101


class VisualFilm(nn.Module):
    """Shape: spectrogram [S, 1, F, T], tokens [B, L], lengths [B], scene [B] -> logits [B, answers]."""

    def __init__(self, config: FilmConfig, n_words: int, n_answers: int) -> None:
        super().__init__()
        self.trunk = ResNet101()
        self.film = FilmNetwork(config, OUT_CHANNELS, n_words, n_answers)

    @property
    def head(self) -> FilmNetwork:
        """What answers from the trunk's maps."""
        return self.film

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.film(self.trunk_maps(spectrogram), tokens, lengths, scene)

    def trunk_maps(self, spectrogram: Tensor) -> Tensor:
        """The trunk's features, the same for every question: [B, 1, F, T] -> [B, 1024, F / 16, T / 16]."""
        return self.trunk(spectrogram.expand(-1, 3, -1, -1))

    def load_trunk(self, path: Path) -> None:
        """The trunk's weights from a safetensors file; see ``ResNet101.load_imagenet``."""
        self.trunk.load_imagenet(path)
