"""Checkpoint files (safetensors, so nothing is unpickled), and the environment of a run.

A checkpoint holds weights as ``model.<name>``, the optimiser's state of each parameter as
``optimizer.<number>.<name>``, and the training state as JSON in the metadata.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from clear_gen import __version__
from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import atomic_path
from clear_gen.core.names import not_among

PROGRESS = "progress"
DEVICES = "cpu", "cuda"


class Paused(Exception):
    """Training was interrupted after writing a checkpoint from which it can resume."""


def default_device() -> torch.device:
    """The GPU if one is available, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_named(name: str | None) -> torch.device:
    """The named device, or the default one for None. Raises InputError if torch cannot compute on it."""
    if not name:
        return default_device()
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"--device: found {name!r}, expected cpu, or cuda where torch has a GPU") from None
    if device.type not in DEVICES:
        raise InputError(f"--device: {not_among(name, DEVICES)}")
    return device


def environment(device: str) -> dict[str, Any]:
    """Versions and hardware, which besides the configuration determine a run's last digits."""
    is_gpu = device.startswith("cuda")
    return {
        "clear_gen": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": torch.cuda.get_device_name() if is_gpu else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, atomically."""
    with atomic_path(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)


def load_tensors(path: Path, device: torch.device) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a safetensors file, and its metadata. Raises InputError if it is missing or damaged."""
    try:
        with safe_open(path, "pt") as opened:
            metadata = opened.metadata() or {}
        return load_file(path, str(device)), metadata
    except FileNotFoundError:
        raise InputError(
            f"{path}: not found, expected the weights of a run; train it, or go on with --resume"
        ) from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged or no safetensors file ({first_line(error)})") from None


def load_weights(model: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Load weights into a model. Raises InputError naming the first missing, unexpected or wrongly shaped tensor."""
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        found, wanted = (tuple(group[name].shape) if name in group else None for group in (tensors, expected))
        if found != wanted:
            raise InputError(f"{path}: {name}: found {found or 'nothing'}, expected {wanted or 'nothing'}")
    model.load_state_dict(tensors)


Progress = TypeVar("Progress", bound=BaseModel)


def save_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: BaseModel) -> None:
    """Write everything a run needs to resume, atomically."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        kept = {name: value for name, value in values.items() if value is not None}
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in kept.items()}
    save_tensors(tensors, path, {PROGRESS: progress.model_dump_json()})


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, kind: type[Progress], device: torch.device
) -> Progress:
    """Restore model and optimiser; returns the training state. Raises InputError if the checkpoint is malformed."""
    tensors, metadata = load_tensors(path, device)
    try:
        progress = kind.model_validate_json(metadata.get(PROGRESS, ""))
    except ValidationError:
        raise InputError(f"{path}: progress: found {metadata!s:.40}, expected a checkpoint of clear-bench") from None
    weights = {name.removeprefix("model."): one for name, one in tensors.items() if name.startswith("model.")}
    load_weights(model, weights, path)
    learnt = optimizer.param_groups[0]["params"]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name in tensors:
        if name.startswith("optimizer."):
            _, number, field = name.split(".")
            state.setdefault(int(number), {})[field] = _laid_out_as(learnt[int(number)], tensors[name])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return progress


def _laid_out_as(parameter: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """An optimiser's moment with the strides of its parameter: the fused optimiser relies on them without checking."""
    return torch.empty_like(parameter).copy_(stored) if stored.shape == parameter.shape else stored
