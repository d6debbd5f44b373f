"""Atrous attention pooling: dilated convolutions, and attention over time and frequency at once.

Reference: Ren, Kong, Han, Plumbley, Schuller, "Attention-based Atrous Convolutional Neural Networks: Visualisation and
Understanding Perspectives of Acoustic Scenes", ICASSP 2019, as published with the code of 2APAE (arXiv 2008.07085).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.models.sed.layers import SedConfig, SedOutput, single

CHANNELS = 64, 128, 256
KERNEL, DILATIONS = 5, (1, 2, 4)
MIN_ATTENTION, MAX_ATTENTION = 0.1, 0.9  # before they are normalised


@dataclass(frozen=True)
class Config(SedConfig):
    """The settings of every model, and no others."""


class Atrous(nn.Module):
    """Shape: log-mel spectrogram [B, T, F], each band normalised -> SedOutput. T and F can be any.

    No probability exceeds 0.5: it is the sigmoid of a mean of log-probabilities. Ranks are meaningful, 0.5 is not a
    threshold. A frame's probability is that of the same mean within the frame, so that the clip's logit is the mean of
    the frames' logits, weighted by the attention that they get.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.channels(*CHANNELS)
        pairs = zip([1, *widths[:-1]], widths, DILATIONS, strict=True)
        self.trunk = nn.Sequential(*(_dilated(*pair) for pair in pairs))
        self.attention = nn.Conv2d(widths[-1], config.n_classes, 1)
        self.classes = nn.Conv2d(widths[-1], config.n_classes, 1)

    def reset_parameters(self) -> None:
        """Attend everywhere alike at first."""
        nn.init.zeros_(self.attention.weight)

    def forward(self, log_mel: Tensor) -> SedOutput:
        """Compute the output; shapes are given by the class."""
        x = self.trunk(log_mel[:, None])  # [B, C, T, F]
        attention = torch.sigmoid(single(self.attention(x))).clamp(MIN_ATTENTION, MAX_ATTENTION)  # [B, K, T, F]
        attention = attention / attention.sum((2, 3), keepdim=True)
        heard = attention * torch.log_softmax(single(self.classes(x)), 1)  # [B, K, T, F], at most 0
        clip = torch.sigmoid(heard.sum((2, 3)))
        frames = torch.sigmoid(heard.sum(3) / attention.sum(3))
        return SedOutput(clip, frames, None, {"time_frequency": attention})


def _dilated(in_channels: int, filters: int, dilation: int) -> nn.Sequential:
    """[B, in, T, F] -> [B, filters, T, F]."""
    padding = dilation * (KERNEL // 2)
    conv = nn.Conv2d(in_channels, filters, KERNEL, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), nn.ReLU())
