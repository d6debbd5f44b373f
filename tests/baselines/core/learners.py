"""A task of the smallest size for tests of the trainer: a line through points, learnt without batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from baselines.core.optim import Objective, Plateau
from baselines.core.processes import Processes
from baselines.core.run import RunConfig


class LineConfig(RunConfig):
    """The choices of a run."""

    task: Literal["line"] = "line"


class LineLearner:
    """Learns y = w x + b from points with known noise; see ``baselines.core.trainer.Learner``.

    ``values``: what validation is to say of each epoch, in place of the loss. ``scale``: a factor of the loss.
    """

    unit, summary, cuda_graphs = "points", "points on a line", False
    device = torch.device("cpu")
    objective = Objective("validation_loss", "min")

    def __init__(
        self,
        config: RunConfig,
        n_items: int = 24,
        values: Sequence[float] | None = None,
        restore_best: bool = False,
        scale: float = 1.0,
    ) -> None:
        generator = torch.Generator().manual_seed(5)
        self.x = torch.rand((n_items, 3), generator=generator)
        self.y = self.x @ torch.tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(n_items, generator=generator)
        self.n_items, self.values, self.scale = n_items, values, scale
        self.plateau = Plateau(config.plateau_epochs, restore_best=restore_best)
        self.model: nn.Module = nn.Linear(3, 1)
        self.epoch = 0
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))

    @property
    def module(self) -> nn.Module:
        return self.model

    def save_settings(self, run: Path) -> None: ...

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def order(self, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(self.n_items)

    def loss(self, module: nn.Module, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss = self.scale * (module(self.x[index])[:, 0] - self.y[index]).square().mean()
        return loss, loss.detach().double()[None] * len(index)

    def training_row(self, sums: Sequence[float], n_items: int, n_batches: int) -> dict[str, float]:
        return {"train_loss": sums[0] / n_items}

    def validate(self, processes: Processes) -> dict[str, float]:
        loss = float((self.model(self.x)[:, 0] - self.y).square().mean())
        return {"validation_loss": loss if self.values is None else self.values[self.epoch]}

    def describe(self, row: Mapping[str, Any]) -> str:
        return f"train {row['train_loss']:.4f}"
