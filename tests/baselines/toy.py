"""A task in one file: a line through points. Its dataset is any folder whose manifest says ``kind: points``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import torch
from torch import nn

from baselines.core.checkpoints import load_tensors
from baselines.core.optim import Objective
from baselines.core.predictions import Format, Prediction
from baselines.core.results import Hashes, ResultsConfig, ResultsFile, Scored
from baselines.core.run import BEST, RunConfig
from baselines.models.layers import initialise
from baselines.models.registry import ModelRow, NoConfig
from baselines.report.page import section, table
from clear_gen.core.jsonl import field_of
from tests.baselines.core.learners import LineLearner


class ToyConfig(RunConfig):
    """``noise`` is an option of this task alone."""

    task: Literal["toy"] = "toy"
    noise: float = 0.1


class ToyResults(ResultsFile):
    """``scores``: the mean error."""

    task: Literal["toy"] = "toy"
    scores: float


class Points:
    """A split: twenty points and their heights."""

    task, name, format = "toy", "test", Format("point_id", "points", '{"point_id": ..., "y": ...}')

    def __init__(self, folder: Path) -> None:
        learner = LineLearner(ToyConfig(), n_items=20)
        self.folder, self.x, self.y, self.n_original = folder, learner.x, learner.y, 20
        self.item_ids = [f"point-{number}" for number in range(20)]

    def checked(self, item_id: str, record: dict[str, Any], at: str) -> dict[str, float]:
        return {"y": field_of(record, "y", float, at, "a number")}

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return dict(values)


class Line:
    """A trained line."""

    name = "line"

    def __init__(self, run: Path, device: str | None) -> None:
        self.weights, _ = load_tensors(run / BEST, torch.device("cpu"))

    def predict(self, split: Points) -> list[Prediction]:
        heights = split.x @ self.weights["weight"][0] + self.weights["bias"]
        return [Prediction(one, {"y": y}) for one, y in zip(split.item_ids, heights.tolist(), strict=True)]


class Toy:
    """See ``baselines.tasks.base.Task``."""

    name, title, kind, tag, usage, report_note = "toy", "line fitting", "points", "lines", "none", "Mean errors."
    percent = False
    Config: type[RunConfig] = ToyConfig
    Results: type[ResultsFile] = ToyResults
    row = ModelRow("toy", lambda _, n: nn.Linear(n, 1), NoConfig(), {"n": 3}, lambda m, r: initialise(m, r, "xavier"))
    models: Mapping[str, ModelRow] = {"line": row}
    options: Sequence[click.Option] = (click.Option(["--noise"], type=float, help="Of the points."),)
    presets, own_options, state_files = (), (), ()
    panels: Mapping[str, Sequence[str]] = {"loss": ("train_loss",), "validation": ("validation_loss",)}
    objective: Objective = LineLearner.objective
    predictor = Line
    preset_data = load = open = staticmethod(lambda *_: None)
    configs = staticmethod(lambda asked, _choices: {Path(): asked})
    learner = staticmethod(lambda config, _data, _device: LineLearner(config, n_items=2000))
    split = staticmethod(lambda folder, _which: Points(folder))
    split_of_run = staticmethod(lambda _run, folder, _which, _opened: Points(folder))
    lines = staticmethod(lambda files: [f"{name}: error {file.scores:.3f}" for name, file in files.items()])
    figures = staticmethod(lambda *_: [])
    card = staticmethod(lambda file: f"Mean error: {file.scores:.3f}")

    def score(self, split: Points, predictions: Sequence[Prediction], scored: Scored) -> ToyResults:
        error = (torch.tensor([one.values["y"] for one in predictions]) - split.y).abs().mean()
        config = ResultsConfig(model=scored.model, data=scored.data, predictions=scored.predictions)
        hashes = Hashes(predictions=scored.predictions_sha256)
        return ToyResults(config=config, hashes=hashes, n_original=20, scores=float(error))

    def sections(self, runs: Any) -> list[Any]:
        rows = [[path, self.card(file)] for run in runs for path, file in run.results.items()]
        return [section("Errors", "", table([["results", "error"], *rows]))]
