"""The task of acoustic question answering, as ``baselines.tasks.base.Task`` describes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from baselines.core.run import RunConfig
from baselines.models.aqa.visual_film import VisualFilm
from baselines.models.registry import ModelRow, models_of
from baselines.tasks.aqa.learner import AqaLearner, Data, load_data
from baselines.tasks.aqa.run import Config as AqaRun
from baselines.tasks.aqa.tiny import make_tiny_dataset
from clear_gen.core.errors import InputError
from clear_gen.store.layout import SCENES

TINY_DATA = "data"


class Aqa:
    """Questions about scenes, answered with one of the training questions' answers."""

    name = "aqa"
    title = "acoustic question answering"
    kind = SCENES
    Config: type[RunConfig] = AqaRun
    models: Mapping[str, ModelRow] = models_of("aqa")
    options: Sequence[click.Option] = (
        click.Option(
            ["--imagenet"], metavar="FILE", help="Weights of ResNet-101 for visual-film models (safetensors)."
        ),
        click.Option(
            ["--source"], type=click.Choice(["audio", "virtual"]), help="[default: audio if the dataset has it]"
        ),
        click.Option(["--log-mel"], is_flag=True, default=None, help="log10 of the mel power."),
        click.Option(
            ["--fit"], type=click.Choice(["pad", "resize"]), help="How scenes get one length.  [default: pad]"
        ),
        click.Option(
            ["--augment"], is_flag=True, default=None, help="Fresh rooms and noise each epoch (--source virtual)."
        ),
    )
    presets: Sequence[str] = ("tiny",)
    panels: Mapping[str, Sequence[str]] = {
        "loss (nats)": ("train_loss", "validation_loss"),
        "accuracy": ("train_accuracy", "validation_accuracy"),
    }

    def preset_data(self, preset: str, run: Path) -> Path | None:
        """A small dataset of short scenes, made in the folder of the run unless it is there."""
        make_tiny_dataset(run / TINY_DATA)
        return run / TINY_DATA

    def configs(self, asked: AqaRun, choices: Mapping[str, Any]) -> dict[Path, AqaRun]:
        """One run. Raises InputError where a model without a frozen trunk is given weights for one."""
        if asked.imagenet and self.models[asked.model].make is not VisualFilm:
            raise InputError(f"--imagenet: found it with {asked.model}, expected a model that begins with visual-film")
        return {Path(): asked}

    def open(self, config: AqaRun, device: torch.device) -> Data:
        """Questions and features of the training and the validation split."""
        return load_data(config, device)

    def learner(self, config: AqaRun, data: Data, device: torch.device) -> AqaLearner:
        """A model at its first step."""
        return AqaLearner(config, data, device)


AQA = Aqa()
