"""The training loop of every task; a killed run can be resumed at any point.

Every random choice of a step follows from (seed, epoch, step): the order of the items, dropout, augmentation. A
checkpoint therefore holds only weights, optimiser and a few numbers, and a resumed run gives the same result as an
uninterrupted one (on the same device, with as many threads and processes).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from baselines.core.checkpoints import (
    Paused,
    environment,
    load_checkpoint,
    load_tensors,
    load_weights,
    save_checkpoint,
    save_tensors,
)
from baselines.core.optim import Objective, Plateau, epochs_without_gain, optimizer_of, rate_at
from baselines.core.processes import Processes
from baselines.core.run import (
    BEST,
    CONFIG,
    ENVIRONMENT,
    LAST,
    METRICS,
    TIMING,
    Precision,
    RunConfig,
    check_config,
    write_config,
)
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import write_text
from clear_gen.core.progress import noted_progress
from clear_gen.core.streams import STAGE_DROPOUT, STAGE_ORDER, stream

CHECKPOINT_S = 120.0  # between two checkpoints of one epoch
NOTE_S = 1.0  # between two readings of the running loss, which wait for the device


class Learner(Protocol):
    """What a task provides to the trainer: a model on its device, training items, and validation.

    ``model`` is saved and loaded. ``unit``: plural noun for the items. ``summary``: describes the training data.
    ``cuda_graphs``: whether ``module`` may be compiled to CUDA graphs.
    """

    model: nn.Module
    device: torch.device
    unit: str
    summary: str
    n_items: int
    objective: Objective
    plateau: Plateau
    cuda_graphs: bool

    @property
    def module(self) -> nn.Module:
        """The part of the model that a step calls; first accessed when training begins."""

    def save_settings(self, run: Path) -> None:
        """Write the files that a trained model needs besides weights and configuration."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Prepare the training items of an epoch, where they change between epochs."""
        ...

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """The training items of an epoch in random order: int64 [n_items]. Neighbours come into the same step."""
        ...

    def loss(self, module: nn.Module, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss over the training items int64 [B], and the quantities summed over the epoch: float64 [n]."""
        ...

    def training_row(self, sums: Sequence[float], n_items: int, n_batches: int) -> dict[str, float]:
        """Metrics of the training items from sums over ``n_batches`` calls of ``loss``; the loss comes first."""
        ...

    def validate(self, processes: Processes) -> dict[str, float]:
        """Metrics of the validation items, the same in every process; ``objective`` is among them."""
        ...

    def describe(self, row: Mapping[str, Any]) -> str:
        """The metrics of an epoch's row as text for the progress line."""
        ...


class State(BaseModel):
    """Training progress. ``sums``: of the current epoch, over ``step`` steps.

    ``epoch_seconds``: duration of each finished epoch, without its validation.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    epoch: int = 0
    step: int = 0
    sums: list[float] = []
    seconds: float = 0.0
    plateau_rate: float
    plateau_best: float | None = None
    plateau_epochs: int = 0
    stop_best: float | None = None
    stop_epochs: int = 0
    best: float | None = None
    best_epoch: int = -1
    finished: bool = False
    epoch_seconds: list[float] = []
    history: list[dict[str, int | float]] = []


def in_precision(precision: Precision, device: torch.device) -> torch.autocast:
    """Autocast context for this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def train(
    config: RunConfig,
    learner: Learner,
    run: Path,
    processes: Processes | None = None,
    say: Callable[[str], None] = lambda _: None,
    pause: Callable[[], bool] = lambda: False,
) -> State:
    """Train a model and write everything to the folder ``run``; resumes a run that is already there.

    ``say`` gets a line about every epoch. Raises InputError if the folder holds a run with another configuration or a
    damaged one, CheckFailed if the objective is no longer a number, and Paused after the first step after which
    ``pause()`` is true (of one process; several would have to agree).
    """
    processes = processes or Processes()
    if processes.is_first:
        begin_run(run, config, learner)
    torch.backends.cudnn.deterministic = True
    trainer = Trainer(config, learner, run, processes, pause)
    for line in trainer.epochs():
        say(line)
    return trainer.state


def begin_run(run: Path, config: RunConfig, learner: Learner) -> None:
    """Write a run's folder, except the weights. Raises InputError if it holds a run with another configuration."""
    if (run / CONFIG).is_file():
        check_config(run, config)
        return
    learner.save_settings(run)
    write_text(run / ENVIRONMENT, json.dumps(environment(str(learner.device)), indent=1) + "\n")
    write_config(run, config)


class Trainer:
    """Trains ``learner.model`` epoch by epoch. ``state``: progress so far."""

    def __init__(
        self, config: RunConfig, learner: Learner, run: Path, processes: Processes, pause: Callable[[], bool]
    ) -> None:
        self.config, self.learner, self.run, self.processes, self.pause = config, learner, run, processes, pause
        self.device, self.model = learner.device, learner.model
        self.state = State(plateau_rate=config.learning_rate)
        parts = processes.n * config.accumulate
        self.batch = min(config.batch, learner.n_items) // parts * parts
        if self.batch == 0:
            found = f"{config.batch} with {learner.n_items} training {learner.unit}"
            raise InputError(f"--batch: found {found}, expected at least {parts} in a step: one for each part of it")
        self.n_steps = learner.n_items // self.batch
        self.learnt = [one for one in self.model.parameters() if one.requires_grad]
        if not self.learnt:
            self.state.finished = True
            self._save_best()
            return
        self.optimizer = optimizer_of(config, self.learnt)
        if (run / LAST).is_file():
            self.state = load_checkpoint(run / LAST, self.model, self.optimizer, State, self.device)
            if not processes.is_first:
                self.state.sums = []  # the sums of all are the first's
        if not self.state.finished:
            self.replica = self._replica()

    def _replica(self) -> nn.Module:
        """The module as a step calls it: compiled, one of several processes'."""
        module = self.learner.module
        if self.config.compile:
            graphs = self.learner.cuda_graphs and self.device.type == "cuda"
            module.compile(mode="reduce-overhead" if graphs else "default")
        return DistributedDataParallel(module) if self.processes.n > 1 else module

    # --- epochs -------------------------------------------------------------------------------------------------------

    def epochs(self) -> Iterator[str]:
        """Train until done; yields a line about every epoch."""
        while not self.state.finished:
            self._train_epoch()
            self.processes.share_buffers(self.model)
            self.model.eval()
            with torch.no_grad():
                metrics = self.learner.validate(self.processes)
            yield self._end_epoch(metrics)

    def _train_epoch(self) -> None:
        state, processes, n_items = self.state, self.processes, self.n_steps * self.batch
        self.learner.begin_epoch(state.epoch)
        order = self.learner.order(stream(self.config.seed, STAGE_ORDER, state.epoch))[:n_items]
        parts = order.reshape(self.n_steps, processes.n, self.batch // processes.n)
        rows = torch.tensor(parts[:, processes.rank], device=self.device)
        sums = torch.tensor(state.sums or 0.0, dtype=torch.float64, device=self.device)
        began = saved = noted = time.monotonic()
        self.replica.train()
        left = n_items - state.step * self.batch
        with noted_progress(left, n_items, f"epoch {state.epoch + 1}: {self.learner.unit}") as advance:
            while state.step < self.n_steps:
                sums = sums + self._step(rows[state.step])
                state.step += 1
                now, note = time.monotonic(), None
                if now - noted > NOTE_S:
                    noted, note = now, f"loss {self._mean_loss(sums):.4f}"
                advance(self.batch, note)
                pauses = self.pause()
                if processes.n == 1 and (pauses or now - saved > CHECKPOINT_S):  # several would have to agree
                    under_way = {"sums": sums.tolist(), "seconds": state.seconds + now - began}
                    save_checkpoint(self.run / LAST, self.model, self.optimizer, state.model_copy(update=under_way))
                    saved = now
                if pauses:
                    raise Paused
        state.sums = processes.sum(sums).tolist()
        state.seconds += time.monotonic() - began

    def _mean_loss(self, sums: torch.Tensor) -> float:
        """The loss of this process's items over the steps of the epoch under way."""
        step, n = self.state.step, self.processes.n
        row = self.learner.training_row(sums.tolist(), step * self.batch // n, step * self.config.accumulate)
        return next(iter(row.values()))

    def _step(self, index: torch.Tensor) -> torch.Tensor:
        """One step of the optimiser on the training items int64 [B]; returns their sums, float64 [n]."""
        state, config = self.state, self.config
        key = STAGE_DROPOUT, state.epoch, state.step, self.processes.rank
        torch.manual_seed(int(stream(config.seed, *key).integers(1 << 62)))  # dropout has no generator to be given
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        parts = index.chunk(config.accumulate)
        for number, part in enumerate(parts):
            is_last = number + 1 == len(parts)
            with nullcontext() if is_last or self.processes.n == 1 else self.replica.no_sync():  # type: ignore[operator]
                loss, sums = self.learner.loss(self.replica, part)
                (loss / len(parts) if len(parts) > 1 else loss).backward()
            total = total + sums
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.learnt, config.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(state.step)
        self.optimizer.step()
        return total

    def _rate(self, step: int) -> float:
        """The learning rate of a step of the epoch under way."""
        return rate_at(self.config, self.state.epoch * self.n_steps + step, self.n_steps, self.state.plateau_rate)

    # --- the end of an epoch ------------------------------------------------------------------------------------------

    def _end_epoch(self, metrics: Mapping[str, float]) -> str:
        state, learner, n = self.state, self.learner, self.n_steps * self.batch
        value = metrics[learner.objective.name]
        if value != value:
            raise CheckFailed(
                f"{self.run}: epoch {state.epoch + 1}: {learner.objective.name} is not a number; "
                "train into another folder with a lower --learning-rate"
            )
        n_batches = self.n_steps * self.config.accumulate * self.processes.n
        rate = self._rate(self.n_steps - 1)
        row = {
            "epoch": state.epoch,
            **learner.training_row(state.sums, n, n_batches),
            **metrics,
            "learning_rate": rate,
        }
        seconds = state.seconds
        state.history.append(row)
        state.epoch_seconds.append(seconds)
        if learner.objective.improves(value, state.best):
            state.best, state.best_epoch = value, state.epoch
            self._save_best()
        self._watch(value)
        state.epoch, state.step, state.sums, state.seconds = state.epoch + 1, 0, [], 0.0
        stops = self.config.stop_epochs is not None and state.stop_epochs >= self.config.stop_epochs
        state.finished = stops or state.epoch >= self.config.max_epochs
        if self.processes.is_first:
            self._write_epoch(n)
        return (
            f"epoch {state.epoch:2d}  {learner.describe(row)}  lr {rate:.0e}  {seconds:.1f} s, "
            f"{n / max(seconds, 1e-9):,.0f} {learner.unit}/s"
        )

    def _watch(self, value: float) -> None:
        """Lower the plateau's learning rate, and count the epochs without a gain, by the objective's new value."""
        state, objective, plateau = self.state, self.learner.objective, self.learner.plateau
        if objective.improves(value, state.plateau_best, relative=plateau.least_gain):
            state.plateau_best, state.plateau_epochs = value, 0
        else:
            state.plateau_epochs += 1
        if self.config.schedule == "plateau" and state.plateau_epochs >= plateau.patience:
            state.plateau_rate, state.plateau_epochs = plateau.fall(state.plateau_rate), 0
            if plateau.restore_best:
                self.processes.wait()
                weights, _ = load_tensors(self.run / BEST, self.device)
                load_weights(self.model, weights, self.run / BEST)
        values = [row[objective.name] for row in state.history]
        state.stop_best, state.stop_epochs = epochs_without_gain(values, objective)

    def _save_best(self) -> None:
        if self.processes.is_first:
            save_tensors(self.model.state_dict(), self.run / BEST)

    def _write_epoch(self, n_items: int) -> None:
        state = self.state
        write_text(self.run / METRICS, "".join(json.dumps(one) + "\n" for one in state.history))
        timing = {self.learner.unit: n_items, "epoch_seconds": state.epoch_seconds}
        write_text(self.run / TIMING, json.dumps(timing) + "\n")
        save_checkpoint(self.run / LAST, self.model, self.optimizer, state)  # last: a finished run writes no more
