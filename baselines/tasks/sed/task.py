"""The task of sound event detection, as ``baselines.tasks.base.Task`` describes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from baselines.core.run import RunConfig
from baselines.models.registry import ModelRow, models_of
from baselines.tasks.options import different_numbers
from baselines.tasks.sed.data import Clips, n_clips, read_clips
from baselines.tasks.sed.learner import SedLearner
from baselines.tasks.sed.run import Config as SedRun
from baselines.tasks.sed.run import folds_of
from clear_gen.core.errors import InputError
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures.load import config_of
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.store.layout import MIXTURES
from clear_gen.store.manifest import stored_identity


def _folds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """None if it is not given, () for all."""
    return () if value == "all" else different_numbers(value, "all, or different folds such as 1,2")


class Sed:
    """Mixtures with weak labels to learn from, and with strong ones to be scored on; one fold is held out."""

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
        with progress(n, n, "mixtures") as advance:
            return read_clips(folder, config.snr, device, advance)

    def learner(self, config: SedRun, data: Clips, device: torch.device) -> SedLearner:
        """A model at its first step."""
        return SedLearner(config, data, device)


def _settings(folder: Path) -> MixtureSettings:
    return finished_mixtures(folder, stored_identity(folder))


SED = Sed()
