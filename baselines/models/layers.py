"""What several architectures share: SAME convolutions, coordinate maps, FiLM, the question encoder, initial weights.

Layout: audio maps are [B, C, F, T], F being frequency (rows) and T time (columns). Tokens are int64 [B, L], padded with
0 behind each question's ``lengths`` int64 [B] real ones.
References: Abdelnour, Rouat, Salvi, "NAAQA: A Neural Architecture for Acoustic Question Answering", TPAMI 2023;
Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018; Liu et al., "An intriguing failing
of convolutional neural networks and the CoordConv solution", NeurIPS 2018 (coordinate maps).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.models.aqa.tokenizer import PADDING
from clear_gen.core.streams import stream

BATCH_NORM_EPS = 1e-3  # that of TensorFlow, where these architectures come from

Maps = Literal["none", "time", "freq", "both"]
WeightRule = Literal["kaiming", "xavier", "framework"]


# --- audio maps -------------------------------------------------------------------------------------------------------


def n_maps(maps: Maps) -> int:
    """How many coordinate maps there are."""
    return {"none": 0, "time": 1, "freq": 1, "both": 2}[maps]


def with_maps(x: Tensor, maps: Maps) -> Tensor:
    """[B, C, F, T] -> [B, C + n_maps, F, T]: behind the channels, first where in frequency, then where in time.

    Each map runs from -1 (first row or column) to 1 (last).
    """
    batch, _, rows, columns = x.shape
    added = []
    if maps in ("freq", "both"):
        added.append(torch.linspace(-1, 1, rows, device=x.device).view(1, 1, rows, 1))
    if maps in ("time", "both"):
        added.append(torch.linspace(-1, 1, columns, device=x.device).view(1, 1, 1, columns))
    if not added:
        return x
    return torch.cat([x, *(one.to(x.dtype).expand(batch, 1, rows, columns) for one in added)], 1)


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding that also sees coordinate maps.

    SAME: ceil(n / stride) outputs; only as many zeros as that takes, the odd one behind the last row or column.
    Shape: [B, in, F, T] -> [B, out, ceil(F / stride[0]), ceil(T / stride[1])]. ``kernel`` and ``stride`` are (F, T).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        bias: bool = True,
        maps: Maps = "none",
    ) -> None:
        super().__init__(in_channels + n_maps(maps), out_channels, kernel, stride, bias=bias)
        self.maps: Maps = maps

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        x = with_maps(x, self.maps)
        rows = _same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        columns = _same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
        if rows % 2 or columns % 2:
            x = functional.pad(x, (0, columns % 2, 0, rows % 2))
        return functional.conv2d(x, self.weight, self.bias, self.stride, (rows // 2, columns // 2))


def _same_padding(n: int, kernel: int, stride: int) -> int:
    """Zeros to add, on both sides together."""
    return max((-(-n // stride) - 1) * stride + kernel - n, 0)


def conv_norm_relu(conv: nn.Conv2d) -> nn.Sequential:
    """A convolution, batch normalisation and ReLU."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels, eps=BATCH_NORM_EPS), nn.ReLU())


def max_pool(x: Tensor, rows: int, columns: int) -> Tensor:
    """Maxima of blocks of rows x columns of [B, C, F, T]; what does not fill a block is dropped.

    A map smaller than one block is one block, so that short audio passes too.
    """
    return functional.max_pool2d(x, (min(rows, x.shape[2]), min(columns, x.shape[3])))


def film(x: Tensor, coefficients: Tensor) -> Tensor:
    """Feature-wise linear modulation, (1 + gamma) x + beta: x [B, M, F, T], gamma and beta side by side in [B, 2M]."""
    gamma, beta = coefficients[:, :, None, None].chunk(2, 1)
    return (1 + gamma) * x + beta


def of_scenes(x: Tensor, scene: Tensor | None) -> Tensor:
    """What each question hears: rows of x [S, ...] by ``scene``, int64 [B] -> [B, ...]; x itself if None.

    Several questions of a scene share all that is computed before.
    """
    return x if scene is None else x.index_select(0, scene)


# --- questions --------------------------------------------------------------------------------------------------------


def word_embedding(n_words: int, units: int) -> nn.Embedding:
    """An embedding whose row for padding gets no gradient. Its weights are for ``initialise`` to draw."""
    return nn.Embedding.from_pretrained(torch.empty(n_words, units), freeze=False, padding_idx=PADDING)


def at_last_token(states: Tensor, lengths: Tensor) -> Tensor:
    """[B, L, H] -> [B, H]: the state after the last real token.

    In one direction padding comes after it, so that this equals a recurrence over packed sequences, which would need
    the lengths on the host.
    """
    last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
    return states.gather(1, last).squeeze(1)


class QuestionEncoder(nn.Module):
    """Embedding, dropout, one GRU, dropout. Shape: tokens [B, L], lengths [B] -> [B, gru_units]."""

    def __init__(self, n_words: int, embedding: int, gru_units: int, dropout: float) -> None:
        super().__init__()
        self.embedding = word_embedding(n_words, embedding)
        self.gru = nn.GRU(embedding, gru_units, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        words = self.dropout(self.embedding(tokens))  # [B, L, embedding]
        states, _ = self.gru(words)  # [B, L, gru_units]
        return self.dropout(at_last_token(states, lengths))


# --- frozen trunks ----------------------------------------------------------------------------------------------------


@runtime_checkable
class WithFrozenTrunk(Protocol):
    """A model whose first part, the trunk, is not trained: its maps are the same in every epoch.

    ``model(spectrogram, *rest)`` equals ``model.head(model.trunk_maps(spectrogram), *rest)``.
    """

    @property
    def head(self) -> nn.Module:
        """The trainable part of the model after the trunk."""

    def trunk_maps(self, spectrogram: Tensor) -> Tensor:
        """[B, 1, F, T] -> [B, C, F', T']."""
        ...

    def load_trunk(self, path: Path) -> None:
        """Take the trunk's weights from a safetensors file."""
        ...


# --- initial weights --------------------------------------------------------------------------------------------------


def initialise(model: nn.Module, rng: np.random.Generator, rule: WeightRule) -> None:
    """Draw every weight of ``model`` from ``rng``; what is not random is reset.

    Every tensor has its own stream, named after it: a part that is added, removed or resized shifts no other's weights.
    ``rule`` is for the weights of Linear and Conv2d. kaiming: uniform, fan in, gain sqrt(2) (He et al., ICCV 2015).
    xavier: normal (Glorot and Bengio, AISTATS 2010). framework: U(+-1 / sqrt(fan in)), which is PyTorch's own. Their
    biases, recurrences (U(+-1 / sqrt(units))) and embeddings are distributed as in PyTorch.
    """
    seed = int(rng.integers(1 << 63))
    for name, module in reversed(list(model.named_modules())):  # a module resets after its parts, and may correct them
        if isinstance(module, nn.Linear | nn.Conv2d | nn.RNNBase | nn.Embedding):
            for tensor, parameter in module.named_parameters(recurse=False):
                values = _drawn(stream(seed, *f"{name}.{tensor}".encode()), module, tensor, parameter.shape, rule)
                with torch.no_grad():
                    parameter.copy_(torch.from_numpy(values))
        elif callable(reset := getattr(module, "reset_parameters", None)):
            reset()


def _drawn(rng: np.random.Generator, module: nn.Module, tensor: str, shape: torch.Size, rule: WeightRule) -> np.ndarray:
    """float32 initial values of one parameter."""
    if isinstance(module, nn.Embedding):
        values = rng.standard_normal(shape, np.float32)
        values[PADDING] = 0
        return values
    if isinstance(module, nn.RNNBase):
        return _uniform(rng, shape, module.hidden_size**-0.5)
    assert isinstance(module, nn.Linear | nn.Conv2d)
    fan_in = module.weight[0].numel()
    if tensor == "bias" or rule == "framework":
        return _uniform(rng, shape, fan_in**-0.5)
    if rule == "kaiming":
        return _uniform(rng, shape, (6 / fan_in) ** 0.5)
    fan_out = module.weight.numel() // shape[1]
    return rng.standard_normal(shape, np.float32) * np.float32((2 / (fan_in + fan_out)) ** 0.5)


def _uniform(rng: np.random.Generator, shape: torch.Size, bound: float) -> np.ndarray:
    return rng.random(shape, np.float32) * np.float32(2 * bound) - np.float32(bound)
