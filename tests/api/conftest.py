"""A small dataset that the tests of the Python API read; nobody may change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE
from tests.datasets.runs import RATE, write_banks

SIZES = {"train": 170, "validation": 5, "test": 5}
PER_SCENE = 5  # about 850 questions about the training scenes


@pytest.fixture(scope="package")
def banks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of a training and a test bank."""
    folder = tmp_path_factory.mktemp("banks")
    write_banks(folder)
    return {side: folder / f"{side}.parquet" for side in ("train", "test")}


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory, banks: dict[str, Path]) -> Path:
    """Scenes with audio and questions, made by the command line with seed 3."""
    folder = tmp_path_factory.mktemp("api") / "data"
    n = sum(SIZES.values())
    options = ["--bank", str(banks["train"]), "--test-bank", str(banks["test"]), "--sample-rate", str(RATE)]
    options += ["--splits", ",".join(str(size / n) for size in SIZES.values()), "--seed", "3", "--workers", "1"]
    assert run(["scenes", "--n", str(n), "--out", str(folder), *options]) == DONE
    assert run(["questions", str(folder), "--per-scene", str(PER_SCENE), "--workers", "1"]) == DONE
    return folder
