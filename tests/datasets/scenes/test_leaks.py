"""Test sounds that are training recordings are noticed before scenes are made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.core.pcm import sha256_pcm
from clear_gen.sounds import verify
from clear_gen.sounds.bank import Bank, write_bank
from tests.datasets.runs import RATE, small_banks

FEW = ["scenes", "--n", "10", "--no-audio", "--workers", "1", "--sample-rate", str(RATE)]


def options(folder: Path, train: Bank, test: Bank) -> list[str]:
    write_bank(train, folder / "train.parquet")
    write_bank(test, folder / "test.parquet")
    banks = ["--bank", str(folder / "train.parquet"), "--test-bank", str(folder / "test.parquet")]
    return [*FEW, *banks, "--out", str(folder / "data")]


@pytest.fixture
def leaking() -> tuple[Bank, Bank]:
    """Banks of which two test sounds are training recordings: one bit by bit, one at half its level."""
    banks = small_banks()
    stolen = [banks["train"].sounds[3], banks["train"].sounds[8]]
    halved = (stolen[1].pcm // 2).astype(np.int16)
    stolen[1] = replace(stolen[1], pcm=halved, pcm_sha256=sha256_pcm(halved))
    kept = banks["test"].sounds[2:]
    sounds = sorted((*stolen, *kept), key=lambda sound: sound.sound_id)
    return banks["train"], replace(banks["test"], sounds=tuple(sounds))


def test_a_leak_is_refused_or_named_in_the_card(
    leaking: tuple[Bank, Bank], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = options(tmp_path, *leaking)
    assert run(command) == WRONG_INPUT
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clear-gen: ")]
    assert "--test-bank: found 2 of 40 test sounds" in line
    assert line.endswith("expected none; clear-gen bank verify TRAIN TEST lists them, --allow-leak goes on")
    assert not (tmp_path / "data").exists()
    assert run([*command, "--allow-leak"]) == DONE
    card = (tmp_path / "data/README.md").read_text()
    assert "2 of 40 test sounds are recordings of the training bank (`--allow-leak`)" in card
    assert "allow_leak: true" in card
    assert run(["validate", str(tmp_path / "data"), "--workers", "1"]) == DONE


def test_the_folder_comes_before_the_long_search_for_leaks(
    leaking: tuple[Bank, Bank], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = options(tmp_path, *leaking)
    assert run([*command, "--dry-run"]) == WRONG_INPUT
    assert "--test-bank: found 2 of 40 test sounds" in capsys.readouterr().err
    (tmp_path / "data").mkdir()
    (tmp_path / "data/notes.txt").write_text("mine")
    for how in ([], ["--dry-run"]):
        assert run([*command, *how]) == WRONG_INPUT
        (line,) = capsys.readouterr().err.splitlines()
        assert "found files that are no clear-gen dataset" in line


def test_the_same_bank_twice_is_a_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = small_banks()["train"]
    assert run(options(tmp_path, train, train)) == WRONG_INPUT
    assert "found 40 of 40 test sounds" in capsys.readouterr().err


def test_of_large_banks_equal_samples_are_found(leaking: tuple[Bank, Bank], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MOST_COMPARED", 80)
    assert verify.leaked_sounds(*leaking) == [leaking[0].sounds[3].sound_id]


def test_banks_without_a_leak_leave_no_trace(tmp_path: Path) -> None:
    banks = small_banks()
    assert run(options(tmp_path, banks["train"], banks["test"])) == DONE
    assert "leak" not in (tmp_path / "data/clear.json").read_text()
