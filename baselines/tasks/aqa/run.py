"""A run: the folder of one training with all that follows from it, and what it is made of.

config.yaml        every choice
environment.json   versions, device, dataset
tokenizer.json     words and answers
features.json      spectrogram, frames, mean and standard deviation of the training scenes
metrics.jsonl      one line per epoch
timing.json        questions of an epoch, seconds of each
curves.png
model.safetensors  weights of the best epoch
last.safetensors   weights, optimiser and progress, to go on from
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import yaml
from pydantic import Field
from torch import nn

from baselines.audio.features import (
    Features,
    FeatureSettings,
    Fit,
    features_of,
    read_feature_settings,
    write_feature_settings,
)
from baselines.audio.scenes import SourceName, open_scenes
from baselines.core.checkpoints import device_named, environment, load_tensors, load_weights
from baselines.models import build
from baselines.models.aqa.tokenizer import Tokenizer, read_tokenizer, write_tokenizer
from baselines.models.aqa.visual_film import VisualFilm
from baselines.tasks.aqa.questions import Questions, read_split
from clear_gen.core.config import Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import write_text
from clear_gen.core.progress import progress
from clear_gen.core.streams import stream

CONFIG, ENVIRONMENT, TOKENIZER, FEATURES = "config.yaml", "environment.json", "tokenizer.json", "features.json"
METRICS, TIMING, CURVES = "metrics.jsonl", "timing.json", "curves.png"
BEST, LAST = "model.safetensors", "last.safetensors"
STAGE_WEIGHTS, STAGE_ORDER, STAGE_DROPOUT, STAGE_ROOMS = range(4)  # of a run's random streams
EVALUATION_BATCH, TRUNK_BATCH = 256, 32


class RunConfig(Strict):
    """Every choice of a run. The defaults are the protocol of the paper (supplement A); data and model have none.

    ``options`` replaces fields of the model's configuration. ``imagenet``: a safetensors file with the weights of a
    frozen trunk, which are random without one. ``source``: audio if the dataset has it, if None.
    ``learning_rate`` falls tenfold after ``plateau_epochs`` without a better validation loss; after ``stop_epochs``
    training ends.
    """

    data: str = ""
    model: str = ""
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    imagenet: str | None = None
    seed: int = Field(0, ge=0)
    source: SourceName | None = None
    log_mel: bool = False
    fit: Fit = "pad"
    augment: bool = False
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(5e-6, ge=0)
    batch: int = Field(128, ge=2)
    max_epochs: int = Field(40, ge=1)
    plateau_epochs: int = Field(3, ge=1)
    stop_epochs: int = Field(6, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False


@dataclass(frozen=True)
class Split:
    """The Q questions of a split on the device.

    ``tokens``: int64 [Q, L]. ``lengths``, ``classes``, ``scenes``: int64 [Q]; a class is -1 if no training question has
    that answer. ``maps``: float16 [N, C, F', T'], what a frozen trunk has made of each scene, if a model has one.
    """

    questions: Questions
    features: Features
    tokens: torch.Tensor
    lengths: torch.Tensor
    classes: torch.Tensor
    scenes: torch.Tensor
    maps: torch.Tensor | None = None

    def inputs(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Spectrograms float32 [B, 1, 64, T] or the trunk's maps, tokens and lengths of the questions int64 [B]."""
        scenes = self.scenes[index]
        heard = self.features.standardised(scenes) if self.maps is None else self.maps[scenes].float()
        return heard, self.tokens[index], self.lengths[index]


def split_of(questions: Questions, features: Features, tokenizer: Tokenizer) -> Split:
    """The questions on the device of their features."""
    device = features.power.device
    ids, lengths = tokenizer.encode(questions.question)
    arrays = (ids, lengths, tokenizer.classes(questions.answer), questions.scene)
    return Split(questions, features, *(torch.tensor(array, device=device) for array in arrays))


@torch.no_grad()
def once_per_scene(model: nn.Module, split: Split) -> tuple[nn.Module, Split]:
    """The part of a model that is asked, and the split with what a frozen trunk before it makes of every scene.

    A scene has several questions and is seen in every epoch, so the trunk, which costs the most, runs once.
    """
    if not isinstance(model, VisualFilm):
        return model, split
    scenes = torch.arange(len(split.features.power), device=split.features.power.device).split(TRUNK_BATCH)
    maps = [model.heard(split.features.standardised(part)).half() for part in scenes]
    return model.film, replace(split, maps=torch.cat(maps))


def new_model(config: RunConfig, tokenizer: Tokenizer) -> nn.Module:
    """The model of a run before it has learnt anything. Raises InputError for an unknown model or option."""
    rng = stream(config.seed, STAGE_WEIGHTS)
    return build(config.model, len(tokenizer.words), len(tokenizer.answers), rng, config.options)


# --- files ------------------------------------------------------------------------------------------------------------


def write_run(run: Path, config: RunConfig, tokenizer: Tokenizer, features: FeatureSettings, device: str) -> None:
    """Begin a run's folder: everything but the weights. The configuration, which makes it a run, comes last."""
    write_tokenizer(tokenizer, run / TOKENIZER)
    write_feature_settings(features, run / FEATURES)
    write_text(run / ENVIRONMENT, json.dumps(environment(device), indent=1) + "\n")
    write_text(run / CONFIG, yaml.safe_dump(config.model_dump(), sort_keys=False))


def read_config(run: Path) -> RunConfig:
    """The configuration of a run. Raises InputError if there is none in the folder or it is malformed."""
    if not (run / CONFIG).is_file():
        raise InputError(f"{run}: found no {CONFIG}, expected the folder of a run made by clear-bench train")
    return load_yaml(run / CONFIG, RunConfig)


@dataclass(frozen=True)
class Trained:
    """A trained model, ready to be asked."""

    config: RunConfig
    tokenizer: Tokenizer
    features: FeatureSettings
    model: nn.Module
    device: torch.device


def load_run(run: Path, device: str | None = None) -> Trained:
    """The best model of a run. Raises InputError naming the file that is missing or malformed."""
    config, tokenizer = read_config(run), read_tokenizer(run / TOKENIZER)
    on = device_named(device)
    model = new_model(config, tokenizer).to(on)
    weights, _ = load_tensors(run / BEST, on)
    load_weights(model, weights, run / BEST)
    return Trained(config, tokenizer, read_feature_settings(run / FEATURES), model.eval(), on)


# --- predictions ------------------------------------------------------------------------------------------------------


@torch.no_grad()
def logits_of(model: nn.Module, split: Split, batch: int = EVALUATION_BATCH) -> torch.Tensor:
    """float32 [Q, O] of all questions of a split, without dropout."""
    model, split = once_per_scene(model.eval(), split)
    index = torch.arange(len(split.questions), device=split.tokens.device)
    return torch.cat([model(*split.inputs(part)).float() for part in index.split(batch)])


def predict_split(run: Path, folder: Path | None, split: str, device: str | None) -> tuple[Path, list[str], str]:
    """The dataset that was asked (the run's own if ``folder`` is None), an answer to each question, the model's name.

    Raises InputError if run or dataset are missing or do not fit together.
    """
    trained = load_run(run, device)
    folder = folder or Path(trained.config.data)
    questions = read_split(folder, split)
    scenes = open_scenes(folder, split, trained.config.source)
    with progress(len(scenes.n_samples), len(scenes.n_samples)) as advance:
        features = features_of(scenes, trained.features, trained.device, advance)
    answers = trained.tokenizer.answers
    classes = logits_of(trained.model, split_of(questions, features, trained.tokenizer)).argmax(1).tolist()
    return folder, [answers[number] for number in classes], trained.config.model
