"""The task of sound event detection, as ``baselines.tasks.base.Task`` describes one."""

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
from baselines.core.run import FEATURES, RunConfig, read_config
from baselines.models.registry import ModelRow, models_of
from baselines.report.runs import ReportedRun
from baselines.tasks.options import different_numbers
from baselines.tasks.sed.console import card, lines
from baselines.tasks.sed.data import Clips, n_clips, read_clips
from baselines.tasks.sed.evaluate import score
from baselines.tasks.sed.learner import SedLearner
from baselines.tasks.sed.predictor import ListeningModel, TrainedPredictor
from baselines.tasks.sed.report import sections
from baselines.tasks.sed.results import SedResults
from baselines.tasks.sed.run import Config as SedRun
from baselines.tasks.sed.run import folds_of, read_features
from baselines.tasks.sed.split import Fold, open_fold, open_mixtures
from clear_gen.core.errors import InputError
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures.layout import MIXTURES
from clear_gen.datasets.mixtures.load import config_of
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.store.manifest import stored_identity


def _folds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """None if it is not given, () for all."""
    return () if value == "all" else different_numbers(value, "all, or different folds such as 1,2")


class Sed:
    """Training on mixtures with weak labels, scoring with strong labels; one fold is held out."""

    name = "sed"
    title = "sound event detection"
    kind = MIXTURES
    Config: type[RunConfig] = SedRun
    models: Mapping[str, ModelRow] = models_of("sed")
    options: Sequence[click.Option] = (
        click.Option(["--fold"], type=click.IntRange(min=1), help="The fold to hold out."),
        click.Option(["--folds"], callback=_folds, help="Several runs, RUN/fold-K: all, or such as 1,2."),
        click.Option(["--snr"], help="Which SNR, in dB.  [default: the lowest]"),
        click.Option(["--width"], type=float, help="Factor of the model's numbers of channels.  [default: 1]"),
        click.Option(["--alpha"], type=float, help="Weight of the reconstruction.  [default: 0.001]"),
        click.Option(
            ["--select-on-test"],
            is_flag=True,
            default=None,
            help="Learn from all other folds, choose rate and epoch on the held-out one, as the paper's code does.",
        ),
    )
    presets: Sequence[str] = ("narrow",)
    panels: Mapping[str, Sequence[str]] = {
        "loss": ("train_loss", "selection_loss"),
        "precision of the selection fold": ("selection_micro_ap", "selection_macro_ap"),
    }
    objective: Objective = SedLearner.objective
    Results: type[ResultsFile] = SedResults
    own_options: Collection[str] = ("snr",)
    state_files: Sequence[str] = (FEATURES,)
    tag = "sound-event-detection"
    usage = "clear-bench predict run --audio street.wav\nclear-bench evaluate run --data DATASET"
    report_note = "Average precision and AUC are fractions, as the paper prints them."
    percent = False

    # --- training -----------------------------------------------------------------------------------------------------

    def preset_data(self, preset: str, run: Path) -> Path | None:
        """None: no preset makes mixtures."""
        return None

    def configs(self, asked: SedRun, choices: Mapping[str, Any]) -> dict[Path, SedRun]:
        """One run, or one for each of several folds to hold out, in fold-K.

        Raises InputError if no fold is to be held out, one is not there, or the dataset does not have the SNR.
        """
        folds: Sequence[int] | None = choices.get("folds")
        if folds is not None and asked.fold:
            raise InputError("--folds: found with --fold, expected one of them")
        if folds is None and asked.fold == 0:
            raise InputError("--fold: found none, expected the fold to hold out, or --folds all")
        data = Path(asked.data)
        settings = _settings(data)
        n_folds = settings.spec.n_folds
        update: dict[str, Any] = {"snr": config_of(data, settings, asked.snr or None)}
        if "width" in choices:
            update["options"] = {**asked.options, "width": choices["width"]}
        asked = asked.model_copy(update=update)
        if folds is None:
            runs = {Path(): asked}
        else:
            of_folds = folds or range(1, n_folds + 1)
            runs = {Path(f"fold-{fold}"): asked.model_copy(update={"fold": fold}) for fold in of_folds}
        for config in runs.values():
            folds_of(config, n_folds)
        return runs

    def open(self, config: SedRun, device: torch.device) -> Clips:
        """All mixtures at the run's SNR, as spectrograms on the device."""
        folder = Path(config.data)
        n = n_clips(_settings(folder), None)
        with progress(n, n, "features of mixtures") as advance:
            return read_clips(folder, config.snr, device, advance)

    def learner(self, config: SedRun, data: Clips, device: torch.device) -> SedLearner:
        """An untrained model with its training data."""
        return SedLearner(config, data, device)

    # --- scoring ------------------------------------------------------------------------------------------------------

    def split(self, folder: Path, which: Mapping[str, Any]) -> Fold:
        """The fold ``split`` of the mixtures at ``snr``, the lowest by default."""
        if "split" not in which:
            raise InputError("--split: found none, expected the fold that is predicted, such as fold1")
        return open_fold(open_mixtures(folder, which.get("snr")), which["split"])

    def split_of_run(self, run: Path, folder: Path, which: Mapping[str, Any], opened: dict[Any, Any]) -> Fold:
        """The fold that the run held out; runs on the same mixtures share their spectrograms."""
        if wrong := next(iter(which), None):
            expected = "none: a run on mixtures is scored on the fold that it held out"
            raise InputError(f"--{wrong}: found it with {run}, expected {expected}")
        config, labels = read_config(run, SedRun), read_features(run).labels
        key = folder, config.snr, tuple(labels)
        if key not in opened:
            opened[key] = open_mixtures(folder, config.snr, labels)
        return open_fold(opened[key], f"fold{config.fold}")

    def predictor(self, run: Path, device: str | None) -> TrainedPredictor:
        """The network that detects events, with thresholds from the run's selection fold."""
        return TrainedPredictor(run, device)

    def score(self, split: Fold, predictions: Sequence[Prediction], scored: Scored) -> SedResults:
        """Clip-level scores and, if events are predicted, time-based scores."""
        return score(split, predictions, scored)

    def load(self, run: Path, device: str | None) -> ListeningModel:
        """``model(waveform, sample_rate)``."""
        return ListeningModel(run, device)

    # --- showing scores -----------------------------------------------------------------------------------------------

    def lines(self, files: Mapping[str, SedResults]) -> list[str]:
        """Scores by fold with their mean beside the paper's, in time, and by class."""
        return lines(files)

    def figures(self, file: SedResults, out: Path, name: str) -> list[Path]:
        """None: ``clear-bench show`` draws single clips."""
        return []

    def sections(self, runs: Sequence[ReportedRun]) -> list[Markup]:
        """The paper's tables beside ours, and a section for every experiment."""
        return sections(runs)

    def card(self, file: SedResults) -> str:
        """All figures, and those of each class by clip."""
        return card(file)


def _settings(folder: Path) -> MixtureSettings:
    return finished_mixtures(folder, stored_identity(folder))


SED = Sed()
