"""Training on weak labels: the protocol of 2APAE (Deshmukh, Raj, Singh, arXiv 2008.07085), to be killed and continued.

The order of the clips follows from (seed, epoch), so a run that goes on from a checkpoint ends as if it had never
stopped (on the same device, with as many threads).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch.nn.functional import binary_cross_entropy, mse_loss
from torch.optim.lr_scheduler import ReduceLROnPlateau

from baselines.core.checkpoints import Paused, load_checkpoint, save_checkpoint, save_tensors
from baselines.models.sed.layers import SedOutput
from baselines.tasks.aqa.run import BEST, CONFIG, LAST, METRICS, STAGE_ORDER, TIMING
from baselines.tasks.sed.data import Clips
from baselines.tasks.sed.metrics import tagging
from baselines.tasks.sed.run import (
    Folds,
    SedFeatures,
    SedRunConfig,
    folds_of,
    hear,
    in_precision,
    moments,
    new_sed_model,
    read_sed_config,
    write_sed_run,
)
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import write_text
from clear_gen.core.streams import stream

CHECKPOINT_S = 120.0  # between two checkpoints of one epoch
RATE_FACTOR = 0.1  # of the learning rate on a plateau


class SedProgress(BaseModel):
    """How far a run has come. ``loss_sum`` is that of the epoch under way, over ``step`` steps.

    ``plateau``: the state of the learning rate's schedule. ``epoch_seconds``: what each finished epoch took, without
    its selection.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")  # no score is yet the best

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best_ap: float = -1.0
    best_epoch: int = -1
    finished: bool = False
    plateau: dict[str, int | float | str | list[float]] = {}
    epoch_seconds: list[float] = []
    history: list[dict[str, int | float]] = []


def features_for(config: SedRunConfig, clips: Clips, n_folds: int) -> SedFeatures:
    """How a run's clips become its model's input: means and deviations of the folds that it learns from."""
    mean, std = moments(clips.log_mel, clips.of_folds(folds_of(config, n_folds).train))
    return SedFeatures(
        mel=clips.settings, n_frames=clips.log_mel.shape[1], labels=list(clips.corpus.labels), mean=mean, std=std
    )


def train_sed(
    config: SedRunConfig,
    clips: Clips,
    n_folds: int,
    run: Path,
    say: Callable[[str], None],
    pause: Callable[[], bool] = lambda: False,
) -> SedProgress:
    """Train a model on all mixtures of a dataset but the held-out fold's, on the device that they lie on.

    Leaves everything in the folder ``run``; goes on where a run that is there has stopped. Raises InputError if the
    folder holds a run with another configuration, or the folds do not suffice, CheckFailed if the model's probabilities
    are no numbers after an epoch, and Paused after the first step after which ``pause()`` is true.
    """
    features = features_for(config, clips, n_folds)
    _begin(run, config, features, clips.log_mel.device)
    torch.backends.cudnn.deterministic = True
    trainer = _Trainer(config, clips, features, folds_of(config, n_folds), run, pause)
    for line in trainer.epochs():
        say(line)
    return trainer.progress


def _begin(run: Path, config: SedRunConfig, features: SedFeatures, device: torch.device) -> None:
    if (run / CONFIG).is_file():
        stored, wanted = read_sed_config(run).model_dump(), config.model_dump()
        for name in wanted:
            if stored[name] != wanted[name]:
                raise InputError(f"{run / CONFIG}: {name}: found {stored[name]!r}, expected {wanted[name]!r}, as asked")
        return
    write_sed_run(run, config, features, str(device))


class _Trainer:
    """The state of one training: model, optimiser, progress."""

    def __init__(
        self,
        config: SedRunConfig,
        clips: Clips,
        features: SedFeatures,
        folds: Folds,
        run: Path,
        pause: Callable[[], bool],
    ) -> None:
        self.config, self.features, self.run, self.pause = config, features, run, pause
        self.device = clips.log_mel.device
        self.log_mel = clips.log_mel
        self.targets = torch.from_numpy(clips.targets).float().to(self.device)
        self.train, self.selection = clips.of_folds(folds.train), clips.of_folds([folds.selection])
        self.batch = min(config.batch, len(self.train))
        self.n_steps = len(self.train) // self.batch
        self.progress = SedProgress()
        self.model = new_sed_model(config, features).to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.model.parameters(), config.learning_rate, fused=True)
        self.schedule = ReduceLROnPlateau(self.optimizer, "max", RATE_FACTOR, config.plateau_epochs)
        if (run / LAST).is_file():
            self._load()
        if config.compile and not self.progress.finished:
            self.model.compile()

    # --- epochs -------------------------------------------------------------------------------------------------------

    def epochs(self) -> Iterator[str]:
        """Train until done; a line about every epoch."""
        while not self.progress.finished:
            self._train_epoch()
            yield self._end_epoch()

    def _train_epoch(self) -> None:
        state = self.progress
        order = stream(self.config.seed, STAGE_ORDER, state.epoch).permutation(self.train)
        rows = torch.from_numpy(order[: self.n_steps * self.batch].reshape(self.n_steps, self.batch)).to(self.device)
        loss_sum = torch.tensor(state.loss_sum, dtype=torch.float64, device=self.device)
        began = saved = time.monotonic()
        self.model.train()
        while state.step < self.n_steps:
            loss_sum += self._step(rows[state.step])
            state.step += 1
            now, pauses = time.monotonic(), self.pause()
            if pauses or now - saved > CHECKPOINT_S:
                under_way = {"loss_sum": loss_sum.item(), "seconds": state.seconds + now - began}
                save_checkpoint(self.run / LAST, self.model, self.optimizer, state.model_copy(update=under_way))
                saved = now
            if pauses:
                raise Paused
        state.loss_sum = loss_sum.item()
        state.seconds += time.monotonic() - began

    def _step(self, index: torch.Tensor) -> torch.Tensor:
        """One step of the optimiser on the clips ``index``: their mean loss."""
        heard = self.features.standardised(self.log_mel[index])
        with in_precision(self.config.precision, self.device):
            output = self.model(heard)
        loss = loss_of(output, self.targets[index], heard, self.config.alpha)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    # --- the end of an epoch ------------------------------------------------------------------------------------------

    def _end_epoch(self) -> str:
        state = self.progress
        rate = self.optimizer.param_groups[0]["lr"]
        row = {
            "epoch": state.epoch,
            "train_loss": state.loss_sum / self.n_steps,
            **self._selected_on(),
            "learning_rate": rate,
        }
        state.history.append(row)
        if row["selection_micro_ap"] > state.best_ap:
            state.best_ap, state.best_epoch = row["selection_micro_ap"], state.epoch
            save_tensors(self.model.state_dict(), self.run / BEST)
        self.schedule.step(row["selection_micro_ap"])
        seconds = state.seconds
        state.epoch_seconds.append(seconds)
        state.plateau = self.schedule.state_dict()
        state.epoch, state.step, state.loss_sum, state.seconds = state.epoch + 1, 0, 0.0, 0.0
        state.finished = state.epoch >= self.config.max_epochs
        n = self.n_steps * self.batch
        write_text(self.run / METRICS, "".join(json.dumps(one) + "\n" for one in state.history))
        write_text(self.run / TIMING, json.dumps({"clips": n, "epoch_seconds": state.epoch_seconds}) + "\n")
        save_checkpoint(self.run / LAST, self.model, self.optimizer, state)  # last: a finished run writes no more
        return (
            f"epoch {state.epoch:2d}  train {row['train_loss']:.4f}  selection {row['selection_loss']:.4f}  "
            f"micro-AP {row['selection_micro_ap']:.4f}  macro-AP {row['selection_macro_ap']:.4f}  lr {rate:.0e}  "
            f"{seconds:.1f} s, {n / max(seconds, 1e-9):,.0f} clips/s"
        )

    def _selected_on(self) -> dict[str, float]:
        """Loss of the labels and scores on the fold that rate and epoch are chosen on; 0 for what cannot be told."""
        log_mel = self.log_mel[torch.from_numpy(self.selection).to(self.device)]
        scores = hear(self.model, self.features, log_mel, self.config.precision).clip
        if not np.isfinite(scores).all():
            raise CheckFailed(
                f"{self.run}: epoch {self.progress.epoch + 1}: the model's probabilities are no numbers any more; "
                "train it into another folder with a lower --learning-rate"
            )
        targets = self.targets.cpu().numpy()[self.selection] > 0
        found = tagging.evaluate(scores, targets, self.features.labels)
        return {
            "selection_loss": float(binary_cross_entropy(torch.from_numpy(scores), torch.from_numpy(targets).float())),
            "selection_micro_ap": found.micro_ap or 0.0,
            "selection_macro_ap": found.macro_ap or 0.0,
            "selection_auc": found.macro_auc or 0.0,
        }

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self.progress = load_checkpoint(self.run / LAST, self.model, self.optimizer, SedProgress, self.device)
        if self.progress.plateau:
            self.schedule.load_state_dict(self.progress.plateau)
        if self.progress.history:
            for group, rate in zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True):
                group["lr"] = rate


def loss_of(output: SedOutput, targets: torch.Tensor, heard: torch.Tensor, alpha: float) -> torch.Tensor:
    """Binary cross-entropy of the weak labels, plus ``alpha`` times the reconstruction's mean square error (eq. 17).

    The paper prints its first term twice; the second is the error. Shape: ``targets`` float [B, K], ``heard``, the
    normalised input, float [B, T, F] -> scalar.
    """
    # What is no number ends the run once the epoch is over: torch's own check would have no message on a GPU.
    loss = binary_cross_entropy(output.clip.float().nan_to_num(), targets)
    if output.reconstruction is None or alpha == 0:
        return loss
    return loss + alpha * mse_loss(output.reconstruction.float(), heard)
