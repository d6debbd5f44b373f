"""Runs on questions: configuration, tensors of a split, and loading a trained model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from baselines.audio.features import Features, FeatureSettings, Fit, read_feature_settings
from baselines.audio.sources import SourceName
from baselines.core.checkpoints import device_named, load_tensors, load_weights
from baselines.core.run import BEST, FEATURES, RunConfig, read_config
from baselines.models.aqa.tokenizer import Tokenizer, read_tokenizer
from baselines.models.layers import WithFrozenTrunk
from baselines.models.registry import build
from baselines.tasks.aqa.questions import Questions
from clear_gen.core.progress import counted
from clear_gen.core.streams import STAGE_WEIGHTS, stream

TOKENIZER = "tokenizer.json"
EVALUATION_BATCH, TRUNK_BATCH = 256, 32


class Config(RunConfig):
    """Configuration of a run on questions. The defaults are the protocol of NAAQA (TPAMI 2023, supplement A).

    ``imagenet``: a safetensors file with the weights of a frozen trunk, which are random without one. ``source``: audio
    if the dataset has it, if None. The learning rate falls after ``plateau_epochs`` without a better validation loss.
    """

    task: Literal["aqa"] = "aqa"
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(5e-6, ge=0)
    batch: int = Field(128, ge=2)
    max_epochs: int = Field(40, ge=1)
    plateau_epochs: int = Field(3, ge=1)
    stop_epochs: int | None = Field(6, ge=1)
    imagenet: str | None = None
    source: SourceName | None = None
    log_mel: bool = False
    fit: Fit = "pad"
    augment: bool = False


@dataclass(frozen=True)
class Split:
    """The Q questions of a split on the device.

    ``tokens``: int64 [Q, L]. ``lengths``, ``classes``, ``scenes``: int64 [Q]; a class is -1 if no training question has
    that answer. ``maps``: float16 [N, C, F', T'], the output of a frozen trunk for each scene, if the model has one.
    """

    questions: Questions
    features: Features
    tokens: torch.Tensor
    lengths: torch.Tensor
    classes: torch.Tensor
    scenes: torch.Tensor
    maps: torch.Tensor | None = None

    def inputs(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """A model's inputs for the questions int64 [B]: their S scenes' spectrograms float32 [S, 1, 64, T] or the
        trunk's maps; tokens; lengths; for each question the place of its scene among the S."""
        scenes, scene = torch.unique(self.scenes[index], return_inverse=True)
        heard = self.features.standardised(scenes) if self.maps is None else self.maps[scenes].float()
        lengths = self.lengths[index]
        return heard, self.tokens[index][:, : int(lengths.max())], lengths, scene


def split_of(questions: Questions, features: Features, tokenizer: Tokenizer) -> Split:
    """The questions on the device of their features."""
    device = features.power.device
    ids, lengths = tokenizer.encode(questions.question)
    arrays = (ids, lengths, tokenizer.classes(questions.answer), questions.scene)
    return Split(questions, features, *(torch.tensor(array, device=device) for array in arrays))


@torch.no_grad()
def once_per_scene(model: nn.Module, split: Split) -> tuple[nn.Module, Split]:
    """The part of a model after a frozen trunk, and the split with the trunk's output for every scene.

    A scene has several questions and recurs in every epoch, so the trunk, the most expensive part, runs only once.
    """
    if not isinstance(model, WithFrozenTrunk):
        return model, split
    scenes = torch.arange(len(split.features.power), device=split.features.power.device).split(TRUNK_BATCH)
    batches = counted(scenes, "batches of scenes through the frozen trunk")
    maps = [model.trunk_maps(split.features.standardised(part)).half() for part in batches]
    return model.head, replace(split, maps=torch.cat(maps))


def new_model(config: Config, tokenizer: Tokenizer) -> nn.Module:
    """A newly initialised model for a run. Raises InputError for an unknown model or option."""
    sizes = {"n_words": len(tokenizer.words), "n_answers": len(tokenizer.answers)}
    return build(config.model, sizes, stream(config.seed, STAGE_WEIGHTS), config.options)


# --- trained models ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """A trained model with its vocabulary, answers and features, ready for inference."""

    config: Config
    tokenizer: Tokenizer
    features: FeatureSettings
    model: nn.Module
    device: torch.device


def load_run(run: Path, device: str | None = None) -> Trained:
    """The best model of a run. Raises InputError naming the file that is missing or malformed."""
    config, tokenizer = read_config(run, Config), read_tokenizer(run / TOKENIZER)
    on = device_named(device)
    model = new_model(config, tokenizer).to(on)
    weights, _ = load_tensors(run / BEST, on)
    load_weights(model, weights, run / BEST)
    return Trained(config, tokenizer, read_feature_settings(run / FEATURES), model.eval(), on)


# --- predictions ------------------------------------------------------------------------------------------------------


@torch.no_grad()
def logits_of(model: nn.Module, split: Split, batch: int = EVALUATION_BATCH) -> torch.Tensor:
    """Logits of all questions of a split, without dropout: float32 [Q, O]."""
    model, split = once_per_scene(model.eval(), split)
    index = torch.arange(len(split.questions), device=split.tokens.device)
    batches = counted(index.split(batch), "batches of questions answered")
    return torch.cat([model(*split.inputs(part)).float() for part in batches])
