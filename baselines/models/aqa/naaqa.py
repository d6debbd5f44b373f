"""NAAQA: a spectrogram's features from 1D or 2D convolutions, then a FiLM network that the question steers.

Reference: Abdelnour, Rouat, Salvi, "NAAQA: A Neural Architecture for Acoustic Question Answering", TPAMI 2023.
Where paper and published code differ, the paper's reading is the default, unless only the code's gives the published
numbers of parameters (MALiMo without stem).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from baselines.models.aqa.extractors import Interleaved, Parallel, Plain
from baselines.models.aqa.film import FilmConfig, FilmNetwork
from baselines.models.layers import Maps
from clear_gen.core.errors import InputError

Extractor = Literal["2d", "interleaved-time", "interleaved-freq", "parallel"]


@dataclass(frozen=True)
class Config(FilmConfig):
    """The extractor's settings, besides those of the network behind it. Letters are the paper's.

    The paper's variant without projection (P = 0) is published with its last block missing, too; here all K remain.
    """

    extractor: Extractor = "parallel"
    extractor_blocks: int = 3  # K
    extractor_filters: int = 8  # N1, doubled from block to block
    projection: int = field(default=64, metadata={"least": 0})  # P
    extractor_maps: Maps = "none"
    legacy_stride: bool = False  # interleaved: the published code's stride of 3

    def __post_init__(self) -> None:
        if self.legacy_stride and not self.extractor.startswith("interleaved"):
            raise InputError(f"legacy_stride: found true with extractor {self.extractor}, expected an interleaved one")


class Naaqa(nn.Module):
    """Shape: spectrogram [S, 1, F, T], tokens [B, L], lengths [B], scene [B] -> logits [B, answers]."""

    def __init__(self, config: Config, n_words: int, n_answers: int) -> None:
        super().__init__()
        self.extractor = _extractor(config)
        self.film = FilmNetwork(config, self.extractor.out_channels, n_words, n_answers)

    def forward(self, spectrogram: Tensor, tokens: Tensor, lengths: Tensor, scene: Tensor | None = None) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.film(self.extractor(spectrogram), tokens, lengths, scene)


def _extractor(config: Config) -> Plain | Interleaved | Parallel:
    filters = [config.extractor_filters << k for k in range(config.extractor_blocks)]
    if config.extractor == "2d":
        return Plain(filters, config.projection, config.extractor_maps)
    if config.extractor == "parallel":
        return Parallel(filters, config.projection, config.extractor_maps)
    time_first = config.extractor == "interleaved-time"
    return Interleaved(filters, config.projection, config.extractor_maps, time_first, config.legacy_stride)
