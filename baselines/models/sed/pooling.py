"""Five ways to one probability of a clip from those of its frames.

Frames are y [..., T] and the clip is ŷ [...]. All but the maximum are means of the frames, weighted by 1, by y itself,
by e^y, or by weights that the model learns; they differ in how a clip's gradient reaches its frames:

- max: ŷ = max y; gradient 1 at the (first) maximum, else 0
- average: ŷ = sum y / T; gradient 1 / T
- linear: ŷ = sum y² / sum y; gradient (2 y - ŷ) / sum y, which pulls frames below ŷ / 2 down
- exponential: ŷ = sum y e^y / sum e^y; gradient (1 - ŷ + y) e^y / sum e^y
- attention: ŷ = sum w y / sum w; gradient w / sum w, and with respect to w, (y - ŷ) / sum w

Reference: Wang, Li, Metze, "A Comparison of Five Multiple Instance Learning Pooling Functions for Sound Event Detection
with Weak Labeling", ICASSP 2019.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def maximum(frames: Tensor) -> Tensor:
    """[..., T] -> [...].

    >>> maximum(torch.tensor([0.25, 0.5])).item()
    0.5
    """
    return frames.max(-1).values


def average(frames: Tensor) -> Tensor:
    """[..., T] -> [...].

    >>> average(torch.tensor([0.25, 0.5])).item()
    0.375
    """
    return frames.mean(-1)


def linear_softmax(frames: Tensor) -> Tensor:
    """[..., T] -> [...]. Frames weigh what they hold; where all are 0, so is the clip.

    >>> round(linear_softmax(torch.tensor([0.25, 0.5])).item(), 6)
    0.416667
    """
    return attention(frames, frames)


def exponential_softmax(frames: Tensor) -> Tensor:
    """[..., T] -> [...].

    >>> round(exponential_softmax(torch.tensor([0.25, 0.5])).item(), 6)
    0.390544
    """
    return (frames * torch.softmax(frames, -1)).sum(-1)


def attention(frames: Tensor, weights: Tensor) -> Tensor:
    """[..., T], weights of at least 0 [..., T] -> [...]. Where all weights are 0, so is the clip.

    >>> attention(torch.tensor([0.25, 0.5]), torch.tensor([3.0, 1.0])).item()
    0.3125
    """
    total = weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    return (frames * (weights / total)).sum(-1)


POOLINGS: dict[str, Callable[..., Tensor]] = {
    "max": maximum,
    "average": average,
    "linear": linear_softmax,
    "exponential": exponential_softmax,
    "attention": attention,  # the only one that takes weights
}
