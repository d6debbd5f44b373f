"""The layers of a model at its published settings, as it calls them: what each gives out, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.models.registry import MODELS, skeleton

CLEAR2_FRAMES, CLEAR2_WORDS = 418, 17  # of the longest scene; of a question on average
DAQA_FRAMES = 8000  # an audio of 80 s in frames of 10 ms
N_BANDS = 64


@dataclass(frozen=True)
class Layer:
    """A call of a module that has no parts of its own. ``output``: shape without the batch; ``params``: its own."""

    name: str
    kind: str
    output: tuple[int, ...]
    params: int


def layers(name: str, options: Mapping[str, Any] | None = None) -> list[Layer]:
    """The layers of a model, in the order in which they are called, for the longest input of its paper's data.

    A module that is called several times has a row for each call, and its parameters only in the first. Raises
    InputError as ``config_of`` does.
    """
    model = skeleton(name, options=options)
    found: list[Layer] = []
    counted: set[nn.Module] = set()

    def note(module: nn.Module, path: str) -> None:
        def called(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = output if isinstance(output, Tensor) else output[0]
            n = 0 if module in counted else sum(one.numel() for one in module.parameters())
            counted.add(module)
            found.append(Layer(path, type(module).__name__, tuple(first.shape[1:]), n))

        module.register_forward_hook(called)

    for path, module in model.named_modules():
        if not list(module.children()):
            note(module, path)
    with torch.device("meta"), torch.no_grad():
        model(*_example(name))
    return found


def _example(name: str) -> tuple[Tensor, ...]:
    """Inputs of a batch of two, as batch normalisation needs."""
    row = MODELS[name]
    if row.task == "sed":
        return (torch.zeros(2, row.sizes["n_frames"], N_BANDS),)
    n_frames = DAQA_FRAMES if name.startswith("daqa") else CLEAR2_FRAMES
    tokens = torch.zeros(2, CLEAR2_WORDS, dtype=torch.int64)
    return torch.zeros(2, 1, N_BANDS, n_frames), tokens, torch.full((2,), CLEAR2_WORDS)
