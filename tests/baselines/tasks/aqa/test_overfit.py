"""The training code can make a network learn: a narrow one gets a handful of questions by heart."""

from __future__ import annotations

import json
from pathlib import Path

from baselines.cli import run
from clear_gen.cli.common import DONE

CONFIG = """
model: naaqa-2d-optimized
options: {gru_units: 32, embedding: 32, filters: 16, blocks: 1, classifier_filters: 32, hidden: 64, projection: 16,
  extractor_filters: 4, dropout: 0.0}
learning_rate: 0.005
batch: 16
max_epochs: 30
plateau_epochs: 30
stop_epochs: 30
"""


def test_a_narrow_network_fits_a_handful_of_questions(unheard: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = ["train", str(unheard), "--config", str(tmp_path / "config.yaml"), "--device", "cpu"]
    assert run([*command, "--out", str(tmp_path / "run")]) == DONE
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert rows[0]["train_accuracy"] < 0.6
    assert rows[-1]["train_accuracy"] > 0.95, [row["train_accuracy"] for row in rows]
