"""Optimisers, learning-rate schedules, and the objective that epochs are compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Literal, NamedTuple

import torch
from torch import nn

from baselines.core.run import RunConfig

SGD_MOMENTUM = 0.9
STOP_GAIN = 5e-4  # absolute; a smaller improvement of the objective does not reset early stopping
FIRST_COUNTED_EPOCH = 5  # early stopping does not count epochs before this one


class Objective(NamedTuple):
    """The validation metric that epochs are compared by, and whether lower or higher is better."""

    name: str
    better: Literal["min", "max"]

    def improves(self, value: float, best: float | None, relative: float = 0.0, absolute: float = 0.0) -> bool:
        """Whether ``value`` is better than ``best``, by more than a fraction of it or a constant.

        >>> Objective("loss", "min").improves(0.98, 1.0), Objective("loss", "min").improves(0.98, 1.0, relative=0.05)
        (True, False)
        """
        if best is None:
            return True
        if self.better == "max":
            return value > best * (1 + relative) + absolute
        return value < best * (1 - relative) - absolute


def epochs_without_gain(values: Sequence[float], objective: Objective) -> tuple[float | None, int]:
    """The objective's value that early stopping compares with, and the epochs counted since it was reached.

    ``values``: of the objective, one per epoch.

    >>> epochs_without_gain([1.0, 0.5] + 5 * [0.5], Objective("loss", "min"))
    (0.5, 2)
    """
    best, n = None, 0
    for epoch, value in enumerate(values, 1):
        if objective.improves(value, best, absolute=STOP_GAIN):
            best, n = value, 0
        elif epoch > FIRST_COUNTED_EPOCH:
            n += 1
    return best, n


@dataclass(frozen=True)
class Plateau:
    """Lowers the learning rate after ``patience`` consecutive epochs without a relative gain of ``least_gain``.

    ``fall``: rate -> next lower rate; its rounding is part of a run's reproducibility. ``restore_best``: continue
    from the weights of the best epoch, with the optimiser's moments as they are.
    """

    patience: int
    least_gain: float = 1e-4
    fall: Callable[[float], float] = lambda rate: rate / 10
    restore_best: bool = False


def optimizer_of(config: RunConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser of a run. Weight decay is L2 in Adam and SGD, decoupled in AdamW."""
    rates = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "fused": True}
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=SGD_MOMENTUM, **rates)  # type: ignore[arg-type]
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(parameters, **rates)


def rate_at(config: RunConfig, step: int, n_steps: int, plateau_rate: float) -> float:
    """The learning rate of a step, counted from 0 over the whole training, of which an epoch has ``n_steps``.

    ``plateau_rate``: the configured rate as lowered by the plateau so far.

    >>> config = RunConfig(task="any", learning_rate=1.0, schedule="cosine", warmup_steps=2, max_epochs=3)
    >>> [round(rate_at(config, step, 2, 1.0), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    top = config.learning_rate
    if config.schedule == "plateau":
        top = plateau_rate
    elif config.schedule == "step":
        top /= 10 ** (step // n_steps // config.step_epochs)
    if step < config.warmup_steps:
        return top * (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        rest = max(config.max_epochs * n_steps - config.warmup_steps, 1)
        return top * (1 + cos(pi * (step - config.warmup_steps) / rest)) / 2
    return top
