"""ResNet-101 up to its third stage, frozen: 1024 features at a stride of 16.

Reference: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, with the stride in the 3x3 convolution.
Parameters carry torchvision's names, so that its ImageNet weights fit.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from clear_gen.core.errors import InputError, first_line

OUT_CHANNELS = 1024
EXPANSION = 4
UNTRAINED_BRANCH = 0.2  # gain of an untrained residual branch: over 30 blocks its variance grows by 1.04^30 = 3.2


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut. Shape: [B, in, F, T] -> [B, 4 width, F / stride, T / stride]."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def reset_parameters(self) -> None:
        """Keep an untrained trunk's features in range: in eval mode its batch normalisation does not."""
        nn.init.constant_(self.bn3.weight, UNTRAINED_BRANCH)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet101(nn.Module):
    """Shape: [B, 3, F, T] -> [B, 1024, ceil(F / 16), ceil(T / 16)]. Always frozen, in eval mode, without gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, 3, 1)
        self.layer2 = _stage(256, 128, 4, 2)
        self.layer3 = _stage(512, 256, 23, 2)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> ResNet101:
        """Stay in eval mode, whatever the model around it does."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; shapes are given by the class."""
        x = torch.relu(self.bn1(self.conv1(x)))  # [B, 64, F / 2, T / 2]
        x = functional.max_pool2d(x, 3, 2, padding=1)  # [B, 64, F / 4, T / 4]
        return self.layer3(self.layer2(self.layer1(x)))

    def load_imagenet(self, path: Path) -> None:
        """Take the weights from a safetensors file with torchvision's names; what it holds besides is ignored.

        Raises InputError if the file cannot be read, or lacks a tensor or has it in another shape or type.
        """
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            raise InputError(f"{path}: not found, expected a safetensors file of ResNet-101")
        try:
            with safe_open(path, "pt") as file, torch.no_grad():
                names = set(file.keys())
                for key, own in self.state_dict().items():
                    if not key.endswith("num_batches_tracked"):  # unused in eval mode
                        own.copy_(_checked(file.get_tensor(key) if key in names else None, own, f"{path}: {key}"))
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: not a readable safetensors file ({first_line(error)})") from None


def _stage(in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(in_channels, width, stride), *rest)


def _checked(found: Tensor | None, own: Tensor, what: str) -> Tensor:
    expected = f"floating point {list(own.shape)}"
    if found is None:
        raise InputError(f"{what}: found no such tensor, expected {expected}")
    if found.shape != own.shape or not found.is_floating_point():
        raise InputError(f"{what}: found {found.dtype} {list(found.shape)}, expected {expected}")
    return found
