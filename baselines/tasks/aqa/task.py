"""The task of acoustic question answering, as ``baselines.tasks.base.Task`` describes one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from markupsafe import Markup

from baselines.core.optim import Objective
from baselines.core.predictions import Prediction
from baselines.core.results import ResultsFile, Scored
from baselines.core.run import FEATURES, RunConfig
from baselines.models.aqa.visual_film import VisualFilm
from baselines.models.registry import ModelRow, models_of
from baselines.report.runs import ReportedRun
from baselines.tasks.aqa.evaluate import lines, score
from baselines.tasks.aqa.learner import AqaLearner, Data, load_data
from baselines.tasks.aqa.predictor import AskedModel, TrainedPredictor
from baselines.tasks.aqa.questions import Questions, read_split
from baselines.tasks.aqa.report import sections
from baselines.tasks.aqa.results import AqaResults, card
from baselines.tasks.aqa.run import TOKENIZER
from baselines.tasks.aqa.run import Config as AqaRun
from baselines.tasks.aqa.tiny import make_tiny_dataset
from clear_gen.core.choice import Choice
from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.layout import SCENES

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
        click.Option(["--source"], type=Choice(["audio", "virtual"]), help="[default: audio if the dataset has it]"),
        click.Option(["--log-mel"], is_flag=True, default=None, help="log10 of the mel power."),
        click.Option(["--fit"], type=Choice(["pad", "resize"]), help="How scenes get one length.  [default: pad]"),
        click.Option(
            ["--augment"], is_flag=True, default=None, help="Fresh rooms and noise each epoch (--source virtual)."
        ),
    )
    presets: Sequence[str] = ("tiny",)
    panels: Mapping[str, Sequence[str]] = {
        "loss (nats)": ("train_loss", "validation_loss"),
        "accuracy": ("train_accuracy", "validation_accuracy"),
    }
    objective: Objective = AqaLearner.objective
    Results: type[ResultsFile] = AqaResults
    own_options: Collection[str] = ("endpoint", "limit", "question", "top", "force")
    state_files: Sequence[str] = (FEATURES, TOKENIZER)
    tag = "acoustic-question-answering"
    usage = (
        'clear-bench predict run --audio scene.flac --question "How many violins are there?"\n'
        "clear-bench evaluate run --data DATASET"
    )
    report_note = "Shares of correct answers in per cent."
    percent = True

    # --- training -----------------------------------------------------------------------------------------------------

    def preset_data(self, preset: str, run: Path) -> Path | None:
        """A small dataset of short scenes, generated in the run folder unless already there."""
        make_tiny_dataset(run / TINY_DATA)
        return run / TINY_DATA

    def configs(self, asked: AqaRun, choices: Mapping[str, Any]) -> dict[Path, AqaRun]:
        """A single run. Raises InputError if trunk weights are given for a model without a frozen trunk."""
        if asked.imagenet and self.models[asked.model].make is not VisualFilm:
            raise InputError(f"--imagenet: found it with {asked.model}, expected a model that begins with visual-film")
        return {Path(): asked}

    def open(self, config: AqaRun, device: torch.device) -> Data:
        """Questions and features of the training and the validation split."""
        return load_data(config, device)

    def learner(self, config: AqaRun, data: Data, device: torch.device) -> AqaLearner:
        """An untrained model with its training data."""
        return AqaLearner(config, data, device)

    # --- scoring ------------------------------------------------------------------------------------------------------

    def split(self, folder: Path, which: Mapping[str, Any]) -> Questions:
        """The questions of a split, test by default, all or the first few (``limit``)."""
        return read_split(folder, which.get("split", "test")).first(which.get("limit"))

    def split_of_run(self, run: Path, folder: Path, which: Mapping[str, Any], opened: dict[Any, Any]) -> Questions:
        """Like ``split``: every run is scored on the requested split."""
        key = folder, *sorted(which.items())
        if key not in opened:
            opened[key] = self.split(folder, which)
        questions: Questions = opened[key]
        return questions

    def predictor(self, run: Path, device: str | None) -> TrainedPredictor:
        """The network that answers questions."""
        return TrainedPredictor(run, device)

    def score(self, split: Questions, predictions: Sequence[Prediction], scored: Scored) -> AqaResults:
        """Shares of correct answers."""
        return score(split, predictions, scored)

    def load(self, run: Path, device: str | None) -> AskedModel:
        """``model(waveform, sample_rate, question, force=False)``."""
        return AskedModel(run, device)

    # --- showing scores -----------------------------------------------------------------------------------------------

    def lines(self, files: Mapping[str, AqaResults]) -> list[str]:
        """Tables by type, relations and length, and Markdown rows."""
        return lines(files)

    def figures(self, file: AqaResults, out: Path, name: str) -> list[Path]:
        """Accuracies by type and by number of relations, confusion matrices. Needs matplotlib."""
        from baselines.tasks.aqa.figures import write_figures

        return write_figures(file, out, name)

    def sections(self, runs: Sequence[ReportedRun]) -> list[Markup]:
        """Summary, question types, and a section for every results file."""
        return sections(runs)

    def card(self, file: AqaResults) -> str:
        """A row for all questions and one for each type, as the harness has them."""
        return card(file)


AQA = Aqa()
