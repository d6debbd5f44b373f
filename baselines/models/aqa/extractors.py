"""NAAQA's four extractors of features from a spectrogram.

All halve both axes K times while the number of filters doubles, then project to P channels. Kernels and strides are
(frequency, time). Every convolution but the last is followed by batch normalisation and ReLU.
Reference: Abdelnour, Rouat, Salvi, "NAAQA", TPAMI 2023, section 4 and its published code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.models.layers import Conv, Maps, conv_norm_relu, max_pool

ALONG_TIME, ALONG_FREQ = (1, 3), (3, 1)
HALF_TIME, HALF_FREQ = (1, 2), (2, 1)


class Plain(nn.Module):
    """2D Conv: K convolutions of 3 x 3. Shape: [B, 1, F, T] -> [B, out_channels, F / 2^K, T / 2^K]."""

    def __init__(self, filters: list[int], projection: int, maps: Maps) -> None:
        super().__init__()
        pairs = zip([1, *filters[:-1]], filters, strict=True)
        self.blocks = nn.Sequential(*(conv_norm_relu(Conv(m, n, (3, 3), (2, 2), maps=maps)) for m, n in pairs))
        self.project, self.out_channels = _projection(filters[-1], projection, bias=True)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.project(self.blocks(spectrogram))


class Interleaved(nn.Module):
    """Each block convolves along one axis, then along the other. Shape: as ``Plain``.

    ``legacy_stride``: the published code took the kernel for the second convolution's stride, 3 instead of the 2 of
    the paper, so that its axis shrinks to F / 3^K or T / 3^K.
    """

    def __init__(
        self, filters: list[int], projection: int, maps: Maps, time_first: bool, legacy_stride: bool = False
    ) -> None:
        super().__init__()
        axes = [(ALONG_TIME, HALF_TIME), (ALONG_FREQ, HALF_FREQ)]
        (kernel, stride), (second_kernel, second_stride) = axes if time_first else axes[::-1]
        if legacy_stride:
            second_stride = second_kernel
        layers: list[nn.Module] = []
        for m, n in zip([1, *filters[:-1]], filters, strict=True):
            layers.append(conv_norm_relu(Conv(m, n, kernel, stride, maps=maps)))
            layers.append(conv_norm_relu(Conv(n, n, second_kernel, second_stride)))
        self.blocks = nn.Sequential(*layers)
        self.project, self.out_channels = _projection(filters[-1], projection, bias=True)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        return self.project(self.blocks(spectrogram))


class Pipeline(nn.Module):
    """One half of ``Parallel``: convolutions along one axis, each followed by max-pooling along the other."""

    def __init__(self, filters: list[int], maps: Maps, along_time: bool) -> None:
        super().__init__()
        kernel, stride = (ALONG_TIME, HALF_TIME) if along_time else (ALONG_FREQ, HALF_FREQ)
        self.pool = HALF_FREQ if along_time else HALF_TIME
        pairs = zip([1, *filters[:-1]], filters, strict=True)
        self.blocks = nn.ModuleList(conv_norm_relu(Conv(m, n, kernel, stride, maps=maps)) for m, n in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        for block in self.blocks:
            x = max_pool(block(x), *self.pool)
        return x


class Parallel(nn.Module):
    """A pipeline along time and one along frequency, side by side. Shape: as ``Plain``, each axis the longer of two.

    Convolutions round sizes up and pooling rounds down, so one pipeline's map can be shorter: zeros follow at its end.
    """

    def __init__(self, filters: list[int], projection: int, maps: Maps) -> None:
        super().__init__()
        self.time = Pipeline(filters, maps, along_time=True)
        self.freq = Pipeline(filters, maps, along_time=False)
        self.project, self.out_channels = _projection(2 * filters[-1], projection, bias=False)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        time, freq = self.time(spectrogram), self.freq(spectrogram)  # [B, N, F', T'], [B, N, F'', T'']
        rows, columns = max(time.shape[2], freq.shape[2]), max(time.shape[3], freq.shape[3])
        return self.project(torch.cat([_extended(time, rows, columns), _extended(freq, rows, columns)], 1))


def _projection(in_channels: int, projection: int, bias: bool) -> tuple[nn.Module, int]:
    """The last 1x1 convolution, and the number of channels it leaves; projection 0 is none."""
    if not projection:
        return nn.Identity(), in_channels
    return Conv(in_channels, projection, (1, 1), bias=bias), projection


def _extended(x: Tensor, rows: int, columns: int) -> Tensor:
    return functional.pad(x, (0, columns - x.shape[3], 0, rows - x.shape[2]))
