"""What a task is: a kind of data, models, a way to train them and a way to score them.

A task is a folder of ``baselines/tasks`` with one object in ``registry.TASKS``; everything else finds it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import click
import torch

from baselines.core.run import RunConfig
from baselines.core.trainer import Learner
from baselines.models.registry import ModelRow


class Task(Protocol):
    """A task of the benchmark.

    ``name`` is stored in config.yaml, results and cards; ``title`` is for people. ``kind``: that of the datasets it
    reads. ``options``: those of ``clear-bench train`` that only this task takes; one that is no field of ``Config`` is
    for ``configs``. ``presets``: names of files in ``baselines/presets``. ``panels``: columns of metrics.jsonl by the
    title of the panel of curves.png that shows them.
    """

    name: str
    title: str
    kind: str
    Config: type[RunConfig]
    models: Mapping[str, ModelRow]
    options: Sequence[click.Option]
    presets: Sequence[str]
    panels: Mapping[str, Sequence[str]]

    def preset_data(self, preset: str, run: Path) -> Path | None:
        """The dataset that a preset makes for a run in ``run`` where none is given; None if it makes none."""
        ...

    def configs(self, asked: Any, choices: Mapping[str, Any]) -> dict[Path, Any]:
        """The runs that are asked for: the configuration of each by its folder below that of the command.

        ``asked``: the configuration by options, file and preset; ``choices``: options that are no fields of it. Raises
        InputError for choices that contradict each other or the dataset.
        """
        ...

    def open(self, config: Any, device: torch.device) -> Any:
        """The data of runs with this configuration. Raises InputError if it is missing, or not what it must be."""
        ...

    def learner(self, config: Any, data: Any, device: torch.device) -> Learner:
        """A model at its first step, with the items of ``data`` that the run learns from."""
        ...
