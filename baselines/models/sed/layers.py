"""What the models of sound event detection share: what they return, their settings, convolutions and initial weights.

Layout: spectrograms are [B, T, F] and maps [B, C, T, F], T being time and F the mel band, as the references lay them
out. K is the number of classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from baselines.models.layers import initialise

MIN_CHANNELS = 4
HE_GAIN = 6**0.5  # bound of He's uniform rule, sqrt(6 / fan in), in units of the framework's 1 / sqrt(fan in)


class SedOutput(NamedTuple):
    """What a model hears in clips. All are probabilities, 0..1, but for the reconstruction.

    ``reconstruction``: of the input, [B, T, F], where the model makes one. ``attention``: what a picture of the model
    shows, by name: weights or maps over time and frequency [B, K, T, F], or over time [B, K, T].
    """

    clip: Tensor  # [B, K], of the class anywhere in the clip
    frames: Tensor  # [B, K, T], of the class in each frame
    reconstruction: Tensor | None
    attention: dict[str, Tensor]


@dataclass(frozen=True)
class SedConfig:
    """Settings of every model. ``width``: factor of all numbers of channels, which stay at least ``MIN_CHANNELS``.

    The number of classes and of frames (on which only 2APAE's weights depend) are the data's, not options.
    """

    n_classes: int = field(default=41, metadata={"option": False})
    n_frames: int = field(default=311, metadata={"option": False})  # 10 s
    width: float = field(default=1.0, metadata={"above": 0, "most": 8})

    def channels(self, *published: int) -> list[int]:
        """Numbers of channels at this width."""
        return [max(MIN_CHANNELS, round(n * self.width)) for n in published]


def double_conv(in_channels: int, filters: int) -> nn.Sequential:
    """Twice a 3x3 convolution without bias, batch normalisation, ReLU. Shape: [B, in, T, F] -> [B, filters, T, F]."""
    layers: list[nn.Module] = []
    for n in (in_channels, filters):
        layers += [nn.Conv2d(n, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
    return nn.Sequential(*layers)


def single(x: Tensor) -> Tensor:
    """``x`` in single precision or better: where training computes in half, that is too rough for what is pooled."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def probability(x: Tensor) -> Tensor:
    """``x`` in 0..1: a weighted mean of probabilities can leave it by a rounding, which a loss refuses."""
    return x.clamp(0, 1)


def initialise_sed(model: nn.Module, rng: np.random.Generator) -> None:
    """Draw every weight of ``model`` from ``rng``, as ``initialise`` does: each tensor has a stream of its own.

    Convolutions: uniform, fan in, gain sqrt(2), biases 0 (He et al., ICCV 2015). Linear layers: the framework's
    U(+-1 / sqrt(fan in)). A part that must start otherwise has a method ``reset_parameters``.
    """
    initialise(model, rng, "framework")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(HE_GAIN)
                if module.bias is not None:
                    module.bias.zero_()
