"""The interface of a task: a kind of dataset, models, training and scoring.

A task is a folder of ``baselines/tasks`` with one object in ``registry.TASKS``, through which all other code uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import click
import torch
from markupsafe import Markup

from baselines.core.optim import Objective
from baselines.core.predictions import Prediction, Predictor
from baselines.core.results import ResultsFile, Scored
from baselines.core.run import RunConfig
from baselines.core.trainer import Learner
from baselines.models.registry import ModelRow
from baselines.report.runs import ReportedRun


class Output(Protocol):
    """A model's output for one recording."""

    def table(self) -> list[list[str]]:
        """Rows of a table, headers first."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        ...


Model = Callable[..., Output]  # (waveform float [n_samples], sample rate in Hz, further arguments of the task)


class Task(Protocol):
    """A task of the benchmark.

    ``name`` is stored in config.yaml, results and cards; ``title`` is for people. ``kind``: that of the datasets it
    reads. ``options``: those of ``clear-bench train`` that only this task takes; one that is no field of ``Config`` is
    for ``configs``. ``presets``: names of files in ``baselines/presets``. ``panels``: columns of metrics.jsonl by the
    title of the panel of curves.png that shows them; ``objective``: the one of them by which epochs are compared.

    ``Results``: the schema of results files. ``own_options``: options of ``evaluate`` and ``predict`` that not every
    task takes. ``state_files``: what a trained model needs besides weights and configuration. ``tag``: on the Hub;
    ``usage``: commands that use a published model. ``report_note``: what the figures of the report are. ``percent``:
    whether shares are given in per cent, on every axis too, else as fractions.
    """

    name: str
    title: str
    kind: str
    Config: type[RunConfig]
    models: Mapping[str, ModelRow]
    options: Sequence[click.Option]
    presets: Sequence[str]
    panels: Mapping[str, Sequence[str]]
    objective: Objective
    Results: type[ResultsFile]
    own_options: Collection[str]
    state_files: Sequence[str]
    tag: str
    usage: str
    report_note: str
    percent: bool

    # --- training -----------------------------------------------------------------------------------------------------

    def preset_data(self, preset: str, run: Path) -> Path | None:
        """Generate the dataset of a preset for the run folder ``run`` if none is given; None if the preset has none."""
        ...

    def configs(self, asked: Any, choices: Mapping[str, Any]) -> dict[Path, Any]:
        """The configurations of the requested runs, by their folder below the command's output folder.

        ``asked``: the configuration by options, file and preset; ``choices``: options that are no fields of it. Raises
        InputError for choices that contradict each other or the dataset.
        """
        ...

    def open(self, config: Any, device: torch.device) -> Any:
        """Load the data for runs with this configuration. Raises InputError if it is missing or malformed."""
        ...

    def learner(self, config: Any, data: Any, device: torch.device) -> Learner:
        """An untrained model with the training items that the run takes from ``data``."""
        ...

    # --- scoring ------------------------------------------------------------------------------------------------------

    def split(self, folder: Path, which: Mapping[str, Any]) -> Any:
        """The items of a dataset selected by ``which`` (options such as ``split`` and ``snr``), as a ``Split``.

        Raises InputError if there are none.
        """
        ...

    def split_of_run(self, run: Path, folder: Path, which: Mapping[str, Any], opened: dict[Any, Any]) -> Any:
        """The items that a run is scored on. ``opened``: cache of data already read, shared between runs.

        Raises InputError if there are none, or ``which`` selects others.
        """
        ...

    def predictor(self, run: Path, device: str | None) -> Predictor:
        """The best model of a run. Raises InputError naming the file that is missing or malformed."""
        ...

    def score(self, split: Any, predictions: Sequence[Prediction], scored: Scored) -> Any:
        """All scores, as ``Results``. Predictions must be in the order of the split."""
        ...

    def load(self, run: Path, device: str | None) -> Model:
        """The best model of a run as a function of any recording."""
        ...

    # --- showing scores -----------------------------------------------------------------------------------------------

    def lines(self, files: Mapping[str, Any]) -> list[str]:
        """The tables that ``evaluate`` prints about one results file, or about those of several runs by name."""
        ...

    def figures(self, file: Any, out: Path, name: str) -> list[Path]:
        """Draw plots of a results file into a folder; returns their paths."""
        ...

    def sections(self, runs: Sequence[ReportedRun]) -> list[Markup]:
        """The sections of the report about the results of some runs, of which there is at least one."""
        ...

    def card(self, file: Any) -> str:
        """The scores of a results file in Markdown, for a model card."""
        ...
