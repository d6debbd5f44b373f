"""A task that is registered from here, and nowhere else, is trained, resumed, scored, reported and published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from baselines.cli import run as clear_bench
from baselines.core.publish import run_shipment
from baselines.core.results import read_results
from baselines.tasks import registry
from clear_gen.cli.common import DONE, WRONG_INPUT
from tests.baselines.commands import epochs_before_a_kill
from tests.baselines.toy import Points, Toy, ToyConfig, ToyResults
from tests.datasets.runs import Runner


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
    assert "found 2apae, a model of sound event detection, which learns from mixtures; " in capsys.readouterr().err


def test_killed_by_the_system_it_resumes_to_the_same_bytes(bench: Runner, points: Path, tmp_path: Path) -> None:
    command = ["train", str(points), "--model", "line", "--batch", "8", "--learning-rate", "1e-4", "--device", "cpu"]
    assert 1 <= epochs_before_a_kill(bench, tmp_path, *command, "--max-epochs", "6") < 6


# --- scored, reported, published --------------------------------------------------------------------------------------


@pytest.fixture
def trained(points: Path) -> Path:
    """A run of the task, scored."""
    command = ["train", str(points), "--model", "line", "--max-epochs", "3", "--device", "cpu"]
    assert clear_bench([*command, "--out", str(points / "run")]) == DONE
    assert clear_bench(["evaluate", str(points / "run"), "--device", "cpu"]) == DONE
    return points / "run"


def test_it_is_scored(trained: Path, points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in (trained / "predictions-test.jsonl").read_text().splitlines()]
    truth = Points(points)
    assert [row["point_id"] for row in rows] == truth.item_ids
    error = float(np.abs(np.array([row["y"] for row in rows]) - truth.y.numpy()).mean())
    file = read_results(trained / "results-test.json", ToyResults)
    assert (file.task, file.config.model, file.n_original) == ("toy", "line", 20)
    assert file.scores == pytest.approx(error, rel=1e-5)
    predictions = ["--predictions", str(trained / "predictions-test.jsonl"), "--data", str(points)]
    assert clear_bench(["evaluate", *predictions, "--out", str(points / "again")]) == DONE
    assert f"test: error {error:.3f}" in capsys.readouterr().out
    assert read_results(points / "again/results-test.json", ToyResults).scores == file.scores
    for scored in ([str(trained)], predictions):
        assert clear_bench(["evaluate", *scored, "--snr", "0"]) == WRONG_INPUT
        assert "--snr: found it with line fitting, expected sound event detection" in capsys.readouterr().err


def test_it_is_reported_beside_others(trained: Path, sed_folds: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert clear_bench(["report", str(trained), str(sed_folds / "fold-1"), "--out", str(page)]) == DONE
    text = page.read_text()
    assert "Sound event detection: 2apae; Line fitting: line" in text
    assert "3 epochs; the lowest validation loss" in text
    assert "task: toy" in text
    assert f"Mean error: {read_results(trained / 'results-test.json', ToyResults).scores:.3f}" in text


def test_it_is_published(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with run_shipment(trained, registry.TASKS["toy"]) as shipment:
        card = (shipment.folder / "README.md").read_text()
        assert {"config.yaml", "model.safetensors", "results-test.json"} <= set(shipment.hashes)
    assert "## Results: test\n\nMean error: " in card
    assert "lines" in card.split("---")[1]
    assert clear_bench(["publish", str(trained), "--repo", "me/toy", "--dry-run"]) == DONE
    assert "results-test.json" in capsys.readouterr().out
