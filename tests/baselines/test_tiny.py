"""The tiny preset, as a user runs it: it learns to hear, and a kill on the way loses nothing that was written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baselines.cli import run
from baselines.results import read_results
from clear_gen.cli.common import DONE

KILLED_AFTER = 4  # epochs


def metrics(folder: Path) -> list[dict[str, float]]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def best_accuracy(folder: Path) -> float:
    return min(metrics(folder), key=lambda row: row["validation_loss"])["validation_accuracy"]


def test_killed_and_resumed_it_hears_what_the_text_does_not_tell(tmp_path: Path) -> None:
    heard, read = tmp_path / "heard", tmp_path / "read"
    command = [sys.executable, "-m", "baselines", "train", "--preset", "tiny", "--out", str(heard)]
    started = subprocess.Popen(command)
    try:
        while len(metrics(heard)) < KILLED_AFTER:
            assert started.poll() is None
            time.sleep(0.1)
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
    before = metrics(heard)
    assert subprocess.run([*command, "--resume"]).returncode == DONE
    assert metrics(heard)[: len(before)] == before
    narrow = ["--set", "gru_units=64", "--set", "embedding=32", "--learning-rate", "3e-3", "--max-epochs", "8"]
    assert run(["train", str(heard / "data"), "--model", "text-only", *narrow, "--out", str(read)]) == DONE
    assert run(["evaluate", str(heard), "--split", "validation", "--out", str(tmp_path / "scores")]) == DONE
    scored = read_results(tmp_path / "scores" / "results-validation.json").scores.overall
    assert scored.n >= 1000
    assert scored.accuracy == pytest.approx(best_accuracy(heard))
    assert scored.accuracy >= best_accuracy(read) + 0.10
