"""The tiny preset, as a user runs it: it learns to hear, and a kill on the way loses nothing that was written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from baselines.cli import run
from baselines.core.results import read_results
from baselines.tasks.aqa.questions import read_split
from baselines.tasks.aqa.results import AqaResults
from clear_gen.cli.common import DONE

KILLED_AFTER = 4  # epochs


def metrics(folder: Path) -> list[dict[str, float]]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def best_accuracy(folder: Path) -> float:
    return min(metrics(folder), key=lambda row: row["validation_loss"])["validation_accuracy"]


def accuracy_of_the_words(folder: Path) -> float:
    """What knows the training questions by heart and never hears gets right: no text-only model does much better."""
    answers: dict[str, Counter[str]] = {}
    asked = read_split(folder, "train")
    for question, answer in zip(asked.question, asked.answer, strict=True):
        answers.setdefault(question, Counter())[answer] += 1
    asked = read_split(folder, "validation")
    pairs = zip(asked.question, asked.answer, strict=True)
    return float(np.mean([answers[question].most_common(1)[0][0] == answer for question, answer in pairs]))


@pytest.mark.nightly
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
    text_only = ["--preset", "tiny", "--model", "text-only", "--max-epochs", "3"]
    assert run(["train", str(heard / "data"), *text_only, "--out", str(read)]) == DONE
    assert run(["evaluate", str(heard), "--split", "validation", "--out", str(tmp_path / "scores")]) == DONE
    scored = read_results(tmp_path / "scores" / "results-validation.json", AqaResults).scores.overall
    assert scored.n >= 1000
    assert scored.accuracy == pytest.approx(best_accuracy(heard))
    assert scored.accuracy >= max(best_accuracy(read), accuracy_of_the_words(heard / "data")) + 0.10
