"""Recordings that cannot be used: all named at once, or left out and written down."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clear_gen.cli import run
from clear_gen.cli.common import DONE, WRONG_INPUT
from tests.mixtures.data import write_corpus

RATE = 16_000


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    """A corpus with five recordings that cannot be used, as options of ``mix``."""
    options = write_corpus(tmp_path, n_each=6)
    label = next(path for path in sorted((tmp_path / "events").iterdir()) if path.is_dir())
    rng = np.random.default_rng(0)
    for name, n in (("short", 48), ("shorter", 1), ("padded", RATE)):
        samples = np.zeros(n)
        samples[:48] = 0.3 * rng.standard_normal(min(n, 48))
        soundfile.write(label / f"{name}.wav", samples, RATE)
    (label / "broken.wav").write_bytes(b"RIFF, and nothing else")
    soundfile.write(label / "silent.flac", np.zeros(RATE), RATE)
    return ["mix", *options, "--n", "16", "--folds", "2", "--snr", "0", "--workers", "1"]


def test_all_that_cannot_be_used_is_said_at_once(
    corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*corpus, "--out", str(tmp_path / "out")]) == WRONG_INPUT
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clear-gen: ")]
    assert "5 of " in line
    assert "recordings cannot be used: 3 by duration (" in line
    assert "s without silence, expected at least 0.05 s of an event" in line
    assert "1 by samples (" in line
    assert "1 by unreadable (" in line
    assert line.endswith("; --skip-unusable goes on without them")


def test_they_are_left_out_and_written_down(
    corpus: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run([*corpus, "--skip-unusable", "--out", str(tmp_path / "out")]) == DONE
    assert "left out: 5 of " in caplog.text
    with open(tmp_path / "out.unusable.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["item"]).name for row in rows} == {
        "short.wav",
        "shorter.wav",
        "padded.wav",
        "broken.wav",
        "silent.flac",
    }
    assert {row["cause"] for row in rows} == {"duration", "samples", "unreadable"}


def test_other_settings_are_refused_before_any_recording_is_read_and_a_dry_run_writes_nothing(
    corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*corpus, "--skip-unusable", "--out", str(tmp_path / "out")]
    assert run([*command, "--dry-run"]) == DONE
    assert not (tmp_path / "out.unusable.csv").exists()
    assert run(command) == DONE
    capsys.readouterr()
    assert run([*command, "--seed", "3", "--dry-run"]) == WRONG_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds another dataset (seed: found 0, asked 3)" in line


def test_one_alone_is_said_as_it_is(corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("shorter.wav", "padded.wav", "broken.wav", "silent.flac"):
        next((tmp_path / "events").rglob(name)).unlink()
    assert run([*corpus, "--out", str(tmp_path / "out")]) == WRONG_INPUT
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith("short.wav: duration: found 0.003 s without silence, expected at least 0.05 s of an event")
