"""2APAE: attention pooling in two steps, over frequency and then over time, with an auto-encoder as a second task.

Reference: Deshmukh, Raj, Singh, "Multi-Task Learning for Interpretable Weakly Labelled Sound Event Detection", 2020
(arXiv 2008.07085), and the settings of its published code. Where they differ, the code's reading is taken: the sigmoid
is on the value of an attention (on its weights in the paper, which leaves the output unbounded), and the decoder reads
the encoder's map (the paper once says that of the classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from baselines.models.sed.layers import SedConfig, SedOutput, double_conv, probability, single

ENCODER_CHANNELS = 32, 64, 128, 256
DECODER_CHANNELS = 128, 64, 32  # and one


@dataclass(frozen=True)
class Config(SedConfig):
    """``final_activation``: relu is published, though its reconstruction cannot follow an input of zero mean below 0.

    ``decoder``: false leaves out the second task, and a third of the cost.
    """

    n_bands: int = 64
    final_activation: Literal["relu", "linear"] = "relu"
    decoder: bool = True


class Block(nn.Module):
    """A double convolution and a 3x3 average, which keeps the size and counts the zeros around the map.

    Shape: [B, in, T, F] -> [B, filters, T, F]. ``activate``: end the convolutions in ReLU.
    """

    def __init__(self, in_channels: int, filters: int, activate: bool = True) -> None:
        super().__init__()
        layers = double_conv(in_channels, filters)
        self.layers = layers if activate else layers[:-1]
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.pool(self.layers(x))


class Attention(nn.Module):
    """Attention over the last axis, of size n. Shape: [..., n] -> pooled [...], weights that sum to 1 [..., n]."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.value = nn.Linear(n, n)
        self.weight = nn.Linear(n, n)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the output; shapes are given by the class."""
        weights = torch.softmax(single(self.weight(x)), -1)
        return (torch.sigmoid(single(self.value(x))) * weights).sum(-1), weights


class TwoStepAttention(nn.Module):
    """Shape: log-mel spectrogram [B, T, F], each band normalised -> SedOutput. T and F are the configuration's.

    Raises ValueError for another T or F: the attentions hold a weight for each pair of frames and of bands.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = config.channels(*ENCODER_CHANNELS)
        self.encoder = nn.Sequential(*(Block(m, n) for m, n in pairwise([1, *widths])))
        self.classes = nn.Conv2d(widths[-1], config.n_classes, 1)
        self.over_frequency = Attention(config.n_bands)
        self.over_time = Attention(config.n_frames)
        self.decoder = _decoder(config, widths[-1]) if config.decoder else None

    def forward(self, log_mel: Tensor) -> SedOutput:
        """Compute the output; shapes are given by the class."""
        expected = self.config.n_frames, self.config.n_bands
        if tuple(log_mel.shape[1:]) != expected:
            raise ValueError(f"log_mel: found shape {list(log_mel.shape)}, expected [B, {expected[0]}, {expected[1]}]")
        encoded = self.encoder(log_mel[:, None])  # [B, C, T, F]
        frames, in_frequency = self.over_frequency(self.classes(encoded))  # [B, K, T], [B, K, T, F]
        clip, in_time = self.over_time(frames)  # [B, K], [B, K, T]
        reconstruction = None if self.decoder is None else single(self.decoder(encoded)[:, 0])  # [B, T, F]
        attention = {"frequency": in_frequency, "time": in_time}
        return SedOutput(probability(clip), probability(frames), reconstruction, attention)


def _decoder(config: Config, in_channels: int) -> nn.Sequential:
    """[B, C, T, F] -> [B, 1, T, F]."""
    widths = [in_channels, *config.channels(*DECODER_CHANNELS)]
    blocks = [Block(m, n) for m, n in pairwise(widths)]
    return nn.Sequential(*blocks, Block(widths[-1], 1, activate=config.final_activation == "relu"))
