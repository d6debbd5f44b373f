"""A task that is registered from here, and nowhere else: it trains, and resumes after a kill to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
import pytest
import torch
from torch import nn

from baselines.cli import run as clear_bench
from baselines.core.run import RunConfig
from baselines.models.layers import initialise
from baselines.models.registry import ModelRow, NoConfig
from baselines.tasks import registry
from clear_gen.cli.common import DONE, WRONG_INPUT
from tests.baselines.core.learners import LineLearner


class ToyConfig(RunConfig):
    """``noise`` is an option of this task alone."""

    task: Literal["toy"] = "toy"
    noise: float = 0.1


class Toy:
    """Points on a line; its dataset is any folder whose manifest says ``kind: points``."""

    name, title, kind = "toy", "line fitting", "points"
    Config: type[RunConfig] = ToyConfig
    models: Mapping[str, ModelRow] = {
        "line": ModelRow(
            "toy", lambda _config, n: nn.Linear(n, 1), NoConfig(), {"n": 3}, partial(initialise, rule="xavier")
        )
    }
    options: Sequence[click.Option] = (click.Option(["--noise"], type=float, help="Of the points."),)
    presets: Sequence[str] = ()
    panels: Mapping[str, Sequence[str]] = {"loss": ("train_loss",), "validation": ("validation_loss",)}

    def preset_data(self, preset: str, run: Path) -> Path | None:
        return None

    def configs(self, asked: Any, choices: Mapping[str, Any]) -> dict[Path, Any]:
        return {Path(): asked}

    def open(self, config: Any, device: torch.device) -> None: ...

    def learner(self, config: Any, data: None, device: torch.device) -> LineLearner:
        return LineLearner(config, n_items=2000)


# --- what is done with it ---------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A dataset of the task, which is registered for the test."""
    monkeypatch.setitem(registry.TASKS, "toy", Toy())
    monkeypatch.setattr(registry, "kind_of_data", lambda folder: "points")
    (tmp_path / "points").mkdir()
    return tmp_path / "points"


def test_its_command_trains_it_and_shows_its_options(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", str(points), "--model", "line", "--max-epochs", "2", "--noise", "0.2", "--schedule", "cosine"]
    assert clear_bench([*command, "--out", str(points / "run"), "--device", "cpu"]) == DONE
    assert {"task: toy", "noise: 0.2", "schedule: cosine"} <= {*(points / "run/config.yaml").read_text().splitlines()}
    assert {path.name for path in (points / "run").iterdir()} >= {"model.safetensors", "metrics.jsonl", "curves.png"}
    assert registry.read_run(points / "run")[1] == ToyConfig(
        data=str(points), model="line", max_epochs=2, noise=0.2, schedule="cosine"
    )
    capsys.readouterr()
    assert clear_bench(["train", "--help"]) == DONE
    shown = capsys.readouterr().out
    assert shown.index("Line fitting (datasets of points):") < shown.index("--noise")
    assert clear_bench(["train", str(points), "--model", "line", "--fold", "1", "--out", "x"]) == WRONG_INPUT
    assert "--fold: found it with points, expected mixtures: sound event detection takes it" in capsys.readouterr().err
    assert clear_bench(["train", str(points), "--model", "2apae", "--out", "x"]) == WRONG_INPUT
    assert (
        "found 2apae, a model of sound event detection, expected one of line fitting: line" in capsys.readouterr().err
    )


TRAIN = """
import sys
from pathlib import Path
from baselines.core.trainer import train
from tests.baselines.test_new_task import Toy, ToyConfig
config = ToyConfig(model="line", max_epochs=30, batch=8, learning_rate=1e-4)
train(config, Toy().learner(config, None, "cpu"), Path(sys.argv[1]))
"""


def test_killed_by_the_system_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRAIN]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment)
    while process.poll() is None and not (tmp_path / "killed/metrics.jsonl").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    n_before = len((tmp_path / "killed/metrics.jsonl").read_text().splitlines())
    for name in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / name)], env=environment, check=True)
    assert 1 <= n_before < 30
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
