"""Training on questions: the protocol of NAAQA (Abdelnour, Rouat, Salvi, TPAMI 2023, supplement A)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from baselines.audio.features import FeatureSettings, features_of, training_features, write_feature_settings
from baselines.audio.scenes import Scenes
from baselines.audio.sources import open_scenes
from baselines.audio.spectrogram import settings_at
from baselines.audio.virtual import VirtualScenes, with_fresh_rooms
from baselines.core.optim import Objective, Plateau
from baselines.core.processes import Processes
from baselines.core.run import FEATURES
from baselines.core.trainer import in_precision
from baselines.models.aqa.tokenizer import Tokenizer, tokenizer_of, write_tokenizer
from baselines.models.aqa.trivial import MostCommon
from baselines.models.layers import WithFrozenTrunk
from baselines.tasks.aqa.questions import read_split
from baselines.tasks.aqa.run import EVALUATION_BATCH, TOKENIZER, Config, Split, new_model, once_per_scene, split_of
from clear_gen.core.errors import InputError
from clear_gen.core.progress import counted, noted_progress, progress
from clear_gen.core.streams import STAGE_ROOMS, stream
from clear_gen.datasets.scenes.manifest import finished_settings

LEAST_GAIN = 5e-4  # of the validation loss, relative
NO_ANSWER = -1


@dataclass(frozen=True)
class Data:
    """Data shared by runs on one dataset. ``rooms``: generator -> the training scenes in newly drawn rooms."""

    tokenizer: Tokenizer
    features: FeatureSettings
    train: Split
    validation: Split
    rooms: Callable[[np.random.Generator], VirtualScenes] | None


def load_data(config: Config, device: torch.device) -> Data:
    """Questions and features of the training and the validation split.

    Raises InputError if the dataset is missing, has no questions, or cannot provide the requested source.
    """
    folder = Path(config.data)
    questions = {split: read_split(folder, split) for split in ("train", "validation")}
    scenes = {split: open_scenes(folder, split, config.source) for split in questions}
    n_scenes = sum(len(one.n_samples) for one in scenes.values())
    with progress(n_scenes, n_scenes, "features of scenes") as advance:
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


def _fresh_rooms(folder: Path, scenes: Scenes) -> Callable[[np.random.Generator], VirtualScenes]:
    if not isinstance(scenes, VirtualScenes):
        raise InputError("--augment: found scenes from audio, expected --source virtual: only graphs get fresh rooms")
    return partial(with_fresh_rooms, scenes, finished_settings(folder).domain.sampling)


class AqaLearner:
    """A model that learns the answers of the training questions. See ``baselines.core.trainer.Learner``."""

    unit = "questions"
    objective = Objective("validation_loss", "min")
    cuda_graphs = True

    def __init__(self, config: Config, data: Data, device: torch.device) -> None:
        self.config, self.data, self.device = config, data, device
        self.n_items = len(data.train.questions)
        questions = f"{self.n_items:,} training and {len(data.validation.questions):,} validation questions"
        self.summary = f"{questions}, input 1 x 64 x {data.features.n_frames}"
        self.plateau = Plateau(config.plateau_epochs, LEAST_GAIN, restore_best=True)
        model = new_model(config, data.tokenizer)
        if isinstance(model, WithFrozenTrunk):
            if config.imagenet:
                model.load_trunk(Path(config.imagenet))
            else:
                self.summary += "; the frozen trunk has random weights, --imagenet FILE gives it trained ones"
        if isinstance(model, MostCommon):
            model.fit(data.train.classes.cpu())
        self.model = model.to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @cached_property
    def _once(self) -> tuple[nn.Module, Split, Split]:
        """The trainable part of the model, and both splits with the outputs of a frozen trunk for their scenes."""
        module, self._epoch_split = once_per_scene(self.model, self.data.train)
        _, validation = once_per_scene(self.model, self.data.validation)
        return module, self._epoch_split, validation

    @property
    def module(self) -> nn.Module:
        """The module that a step calls: the model, or its head where the trunk is frozen."""
        return self._once[0]

    def save_settings(self, run: Path) -> None:
        """Write vocabulary, answers and feature settings."""
        write_tokenizer(self.data.tokenizer, run / TOKENIZER)
        write_feature_settings(self.data.features, run / FEATURES)

    def begin_epoch(self, epoch: int) -> None:
        """Render the training scenes in newly drawn rooms, if the run is configured so."""
        if self.data.rooms is None:
            return
        rooms = self.data.rooms(stream(self.config.seed, STAGE_ROOMS, epoch))
        n_scenes = len(rooms.n_samples)
        with noted_progress(n_scenes, n_scenes, f"epoch {epoch + 1}: scenes in new rooms") as advance:
            fresh = features_of(rooms, self.data.features, self.device, lambda n: advance(n, None))
        _, self._epoch_split = once_per_scene(
            self.model, split_of(self.data.train.questions, fresh, self.data.tokenizer)
        )

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """Scenes in random order, each with all its questions, whose step then hears it once.

        The reference draws questions one by one.
        """
        scene = self.data.train.questions.scene
        place = rng.permutation(int(scene.max()) + 1)
        return np.argsort(place[scene], kind="stable")

    def loss(self, module: nn.Module, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of the answers; the sums are of losses and of correct answers."""
        split = self._epoch_split
        logits, classes = self._logits(module, split, index), split.classes[index]
        loss = cross_entropy(logits, classes)
        correct = (logits.detach().argmax(1) == classes).sum()
        return loss, torch.stack([loss.detach().double() * len(index), correct.double()])

    def _logits(self, module: nn.Module, split: Split, index: torch.Tensor) -> torch.Tensor:
        with in_precision(self.config.precision, self.device):
            logits = module(*split.inputs(index))
        return logits.float()

    def training_row(self, sums: Sequence[float], n_items: int, n_batches: int) -> dict[str, float]:
        """Mean loss and accuracy."""
        return {"train_loss": sums[0] / n_items, "train_accuracy": sums[1] / n_items}

    def validate(self, processes: Processes) -> dict[str, float]:
        """Mean loss and accuracy on the validation split, shared by the processes.

        A question whose answer does not occur in training counts as wrong and is left out of the loss.
        """
        module, _, split = self._once
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        places = torch.arange(processes.rank, len(split.questions), processes.n, device=self.device)
        for index in counted(places.split(EVALUATION_BATCH), "batches of validation questions"):
            logits, classes = self._logits(module, split, index), split.classes[index]
            loss = cross_entropy(logits, classes, ignore_index=NO_ANSWER, reduction="sum")
            known = (classes != NO_ANSWER).sum()
            sums += torch.stack([loss, (logits.argmax(1) == classes).sum(), known]).double()
        loss_sum, n_correct, n_known = processes.sum(sums).tolist()
        return {
            "validation_loss": loss_sum / max(1, n_known),
            "validation_accuracy": n_correct / len(split.questions),
        }

    def describe(self, row: Mapping[str, Any]) -> str:
        """Losses and accuracies of both splits."""
        return (
            f"train {row['train_loss']:.4f} {row['train_accuracy']:6.2%}  "
            f"validation {row['validation_loss']:.4f} {row['validation_accuracy']:6.2%}"
        )
