"""Training: the protocol of NAAQA (Abdelnour, Rouat, Salvi, TPAMI 2023, supplement A), to be killed and continued.

Every random choice of a step follows from (seed, epoch, step): the order of the questions, dropout, fresh rooms. A
checkpoint therefore holds weights, optimiser and a few numbers, and a run that goes on from one ends as if it had never
stopped (on the same device, with as many threads and processes).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from baselines.audio.features import FeatureSettings, features_of, training_features
from baselines.audio.scenes import open_scenes
from baselines.audio.spectrogram import settings_at
from baselines.audio.virtual import VirtualScenes, with_fresh_rooms
from baselines.core.checkpoints import (
    Paused,
    load_checkpoint,
    load_tensors,
    load_weights,
    save_checkpoint,
    save_tensors,
)
from baselines.models.aqa.tokenizer import Tokenizer, tokenizer_of
from baselines.models.aqa.visual_film import VisualFilm
from baselines.tasks.aqa.questions import read_split
from baselines.tasks.aqa.run import (
    BEST,
    CONFIG,
    EVALUATION_BATCH,
    LAST,
    METRICS,
    STAGE_DROPOUT,
    STAGE_ORDER,
    STAGE_ROOMS,
    TIMING,
    RunConfig,
    Split,
    new_model,
    once_per_scene,
    read_config,
    split_of,
    write_run,
)
from clear_gen.core.errors import InputError
from clear_gen.core.files import write_text
from clear_gen.core.progress import progress
from clear_gen.core.streams import stream
from clear_gen.store.finish import finished_settings

LEAST_GAIN = 5e-4  # of the validation loss: relative for the plateau, absolute for stopping
FIRST_COUNTED_EPOCH = 5  # epochs before it do not count as without gain for stopping
CHECKPOINT_S = 120.0  # between two checkpoints of one epoch
NO_ANSWER = -1


class Progress(BaseModel):
    """How far a run has come. Sums are those of the epoch under way, over ``step`` steps.

    ``epoch_seconds``: what each finished epoch took, without its validation.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")  # no loss is yet the best

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    n_right: float = 0.0
    seconds: float = 0.0
    learning_rate: float
    best_loss: float = float("inf")
    best_epoch: int = -1
    plateau_loss: float = float("inf")
    plateau_epochs: int = 0
    stop_loss: float = float("inf")
    stop_epochs: int = 0
    finished: bool = False
    epoch_seconds: list[float] = []
    history: list[dict[str, int | float]] = []


@dataclass(frozen=True)
class Data:
    """What runs on one dataset share."""

    tokenizer: Tokenizer
    features: FeatureSettings
    train: Split
    validation: Split
    rooms: Callable[[np.random.Generator], VirtualScenes] | None


@dataclass(frozen=True)
class Processes:
    """The processes of torchrun; one, if there is no other."""

    rank: int = 0
    n: int = 1


def load_data(config: RunConfig, device: torch.device) -> Data:
    """Questions and features of the training and the validation split.

    Raises InputError if the dataset is missing, has no questions, or cannot serve the source that is asked for.
    """
    folder = Path(config.data)
    questions = {split: read_split(folder, split) for split in ("train", "validation")}
    scenes = {split: open_scenes(folder, split, config.source) for split in questions}
    n_scenes = sum(len(one.n_samples) for one in scenes.values())
    with progress(n_scenes, n_scenes) as advance:
        mel = settings_at(scenes["train"].sample_rate, config.log_mel)
        train = training_features(scenes["train"], mel, config.fit, device, advance)
        validation = features_of(scenes["validation"], train.settings, device, advance)
    tokenizer = tokenizer_of(questions["train"].question, questions["train"].answer)
    return Data(
        tokenizer,
        train.settings,
        split_of(questions["train"], train, tokenizer),
        split_of(questions["validation"], validation, tokenizer),
        _fresh_rooms(folder, scenes["train"]) if config.augment else None,
    )


def _fresh_rooms(folder: Path, scenes: Any) -> Callable[[np.random.Generator], VirtualScenes]:
    if not isinstance(scenes, VirtualScenes):
        raise InputError("--augment: found scenes from audio, expected --source virtual: only graphs get fresh rooms")
    return partial(with_fresh_rooms, scenes, finished_settings(folder).domain.sampling)


def train(
    config: RunConfig,
    data: Data,
    run: Path,
    device: torch.device,
    processes: Processes,
    say: Callable[[str], None],
    pause: Callable[[], bool] = lambda: False,
) -> Progress:
    """Train a model and leave everything in the folder ``run``; goes on where a run that is there has stopped.

    Raises InputError if the folder holds a run with another configuration, and Paused after the first step after which
    ``pause()`` is true (of one process; several would have to agree).
    """
    if processes.rank == 0:
        _begin(run, config, data, device)
    torch.backends.cudnn.deterministic = True
    trainer = _Trainer(config, data, run, device, processes, pause)
    for line in trainer.epochs():
        say(line)
    return trainer.progress


def _begin(run: Path, config: RunConfig, data: Data, device: torch.device) -> None:
    if (run / CONFIG).is_file():
        stored, wanted = read_config(run).model_dump(), config.model_dump()
        for name in wanted:
            if stored[name] != wanted[name]:
                raise InputError(f"{run / CONFIG}: {name}: found {stored[name]!r}, expected {wanted[name]!r}, as asked")
        return
    write_run(run, config, data.tokenizer, data.features, str(device))


class _Trainer:
    """The state of one training: model, optimiser, progress."""

    def __init__(
        self,
        config: RunConfig,
        data: Data,
        run: Path,
        device: torch.device,
        processes: Processes,
        pause: Callable[[], bool],
    ) -> None:
        self.config, self.data, self.run, self.device, self.processes = config, data, run, device, processes
        self.pause = pause
        self.progress = Progress(learning_rate=config.learning_rate)
        model = new_model(config, data.tokenizer)
        if isinstance(model, VisualFilm) and config.imagenet:
            model.load_imagenet(Path(config.imagenet))
        self.model = model.to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch = min(config.batch, len(data.train.questions)) // processes.n * processes.n
        self.n_steps = len(data.train.questions) // self.batch
        learnt = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.Adam(
            learnt or [nn.Parameter(torch.zeros(1))],
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        if not learnt:
            self.progress.finished = True
            self._fit()
        elif (run / LAST).is_file():
            self._load()
        if not self.progress.finished:
            self.asked, self.train = once_per_scene(self.model, data.train)
            _, self.validation = once_per_scene(self.model, data.validation)
            self.replica = self._replica()

    def _replica(self) -> nn.Module:
        """The model as a step calls it: compiled, one of several processes'."""
        model = self.asked
        if self.config.compile:
            model.compile(mode="reduce-overhead" if self.device.type == "cuda" else "default")
        return DistributedDataParallel(model) if self.processes.n > 1 else model

    def _fit(self) -> None:
        """A model without anything to train: it looks at the training answers, if it looks at all."""
        if fit := getattr(self.model, "fit", None):
            fit(self.data.train.classes)
        if self.processes.rank == 0:
            save_tensors(self.model.state_dict(), self.run / BEST)

    # --- epochs -------------------------------------------------------------------------------------------------------

    def epochs(self) -> Iterator[str]:
        """Train until done; a line about every epoch."""
        while not self.progress.finished:
            self._train_epoch()
            yield self._end_epoch(*self._validate())

    def _train_epoch(self) -> None:
        state, train = self.progress, self.train
        if self.data.rooms:
            rooms = self.data.rooms(stream(self.config.seed, STAGE_ROOMS, state.epoch))
            fresh = features_of(rooms, self.data.features, self.device, lambda _: None)
            _, train = once_per_scene(self.model, split_of(train.questions, fresh, self.data.tokenizer))
        order = stream(self.config.seed, STAGE_ORDER, state.epoch).permutation(len(train.questions))
        order = order[: self.n_steps * self.batch].reshape(self.n_steps, self.batch)
        rows = torch.tensor(order[:, self.processes.rank :: self.processes.n].copy(), device=self.device)
        sums = torch.tensor([state.loss_sum, state.n_right], dtype=torch.float64, device=self.device)
        began = saved = time.monotonic()
        self.replica.train()
        while state.step < self.n_steps:
            sums += self._step(train, rows[state.step])
            state.step += 1
            now = time.monotonic()
            pauses = self.pause()
            if self.processes.n == 1 and (pauses or now - saved > CHECKPOINT_S):  # several would have to agree
                self._save(sums, state.seconds + now - began)
                saved = now
            if pauses:
                raise Paused
        state.loss_sum, state.n_right = self._over_processes(sums)
        state.seconds += time.monotonic() - began

    def _step(self, train: Split, index: torch.Tensor) -> torch.Tensor:
        """One step of the optimiser on the questions ``index``: float64 [2], summed loss and right answers."""
        state = self.progress
        key = STAGE_DROPOUT, state.epoch, state.step, self.processes.rank
        torch.manual_seed(int(stream(self.config.seed, *key).integers(1 << 62)))  # dropout has no generator to be given
        logits = self._logits(self.replica, train, index)
        classes = train.classes[index]
        loss = cross_entropy(logits, classes)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        right = (logits.detach().argmax(1) == classes).sum()
        return torch.stack([loss.detach().double() * len(index), right.double()])

    def _logits(self, model: nn.Module, split: Split, index: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            logits = model(*split.inputs(index))
        return logits.float()

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        """Mean loss and accuracy on the validation split, shared by the processes."""
        split, (rank, n) = self.validation, (self.processes.rank, self.processes.n)
        if n > 1:  # the running means of each are of its own questions; those of the first are kept
            for buffer in self.model.buffers():
                distributed.broadcast(buffer, 0)
        self.model.eval()
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        for index in torch.arange(rank, len(split.questions), n, device=self.device).split(EVALUATION_BATCH):
            logits, classes = self._logits(self.asked, split, index), split.classes[index]
            loss = cross_entropy(logits, classes, ignore_index=NO_ANSWER, reduction="sum")
            known = (classes != NO_ANSWER).sum()
            sums += torch.stack([loss, (logits.argmax(1) == classes).sum(), known]).double()
        loss_sum, n_right, n_known = self._over_processes(sums)
        return loss_sum / max(1, n_known), n_right / len(split.questions)

    def _over_processes(self, sums: torch.Tensor) -> list[float]:
        if self.processes.n > 1:
            distributed.all_reduce(sums)
        return sums.tolist()

    # --- the end of an epoch ------------------------------------------------------------------------------------------

    def _end_epoch(self, loss: float, accuracy: float) -> str:
        state, n = self.progress, self.n_steps * self.batch
        row = {
            "epoch": state.epoch,
            "train_loss": state.loss_sum / n,
            "train_accuracy": state.n_right / n,
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "learning_rate": state.learning_rate,
        }
        state.history.append(row)
        seconds = state.seconds
        state.epoch_seconds.append(seconds)
        if loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            if self.processes.rank == 0:
                save_tensors(self.model.state_dict(), self.run / BEST)
        self._schedule(loss)
        state.epoch, state.step, state.loss_sum, state.n_right, state.seconds = state.epoch + 1, 0, 0.0, 0.0, 0.0
        state.finished = state.epoch >= self.config.max_epochs or state.stop_epochs >= self.config.stop_epochs
        self._save(torch.zeros(2), 0.0)
        if self.processes.rank == 0:
            write_text(self.run / METRICS, "".join(json.dumps(one) + "\n" for one in state.history))
            write_text(self.run / TIMING, json.dumps({"questions": n, "epoch_seconds": state.epoch_seconds}) + "\n")
        return (
            f"epoch {row['epoch'] + 1:2d}  train {row['train_loss']:.4f} {row['train_accuracy']:6.2%}  "
            f"validation {loss:.4f} {accuracy:6.2%}  lr {row['learning_rate']:.0e}  {seconds:.1f} s, "
            f"{n / max(seconds, 1e-9):,.0f} questions/s"
        )

    def _schedule(self, loss: float) -> None:
        """Lower the learning rate on a plateau, from the best weights on, as the reference code does; count to stop."""
        state = self.progress
        if loss < state.plateau_loss * (1 - LEAST_GAIN):
            state.plateau_loss, state.plateau_epochs = loss, 0
        else:
            state.plateau_epochs += 1
        if state.plateau_epochs >= self.config.plateau_epochs:
            state.learning_rate, state.plateau_epochs = state.learning_rate / 10, 0
            self._set_learning_rate()
            self._barrier()
            weights, _ = load_tensors(self.run / BEST, self.device)
            load_weights(self.model, weights, self.run / BEST)
        if loss < state.stop_loss - LEAST_GAIN:
            state.stop_loss, state.stop_epochs = loss, 0
        elif state.epoch + 1 > FIRST_COUNTED_EPOCH:
            state.stop_epochs += 1

    def _set_learning_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.progress.learning_rate

    def _barrier(self) -> None:
        if self.processes.n > 1:
            distributed.barrier()

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def _save(self, sums: torch.Tensor, seconds: float) -> None:
        """Write the checkpoint of this moment; of several processes, the first does, with the sums of all."""
        loss_sum, n_right = self._over_processes(sums.clone().to(self.device))
        if self.processes.rank:
            return
        state = self.progress.model_copy(update={"loss_sum": loss_sum, "n_right": n_right, "seconds": seconds})
        save_checkpoint(self.run / LAST, self.model, self.optimizer, state)

    def _load(self) -> None:
        self.progress = load_checkpoint(self.run / LAST, self.model, self.optimizer, Progress, self.device)
        self._set_learning_rate()
        if self.processes.rank:  # the sums of all are the first's
            self.progress.loss_sum = self.progress.n_right = 0.0


def processes_of_torchrun(device: torch.device) -> Processes:
    """Join the other processes that torchrun has started, if it has."""
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        return Processes()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(distributed.get_rank(), n)
