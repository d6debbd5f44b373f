"""Fixtures of the benchmark's tests: small datasets of scenes, with audio and without, and of mixtures with runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from clear_gen.cli import run
from clear_gen.cli.common import DONE
from tests.baselines.tasks.sed.runs import mixtures, write_run
from tests.datasets.runs import RATE, write_banks

SIZES = {"train": 18, "validation": 6, "test": 6}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """What is small is fastest in one thread, and rounds the same everywhere."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="session")
def _bank_options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_banks(tmp_path_factory.mktemp("banks"))


@pytest.fixture(scope="session")
def dataset(_bank_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty scenes of ``SIZES`` at 8 kHz with audio and questions. To read only."""
    return _made(tmp_path_factory.mktemp("heard") / "data", *_bank_options)


@pytest.fixture(scope="session")
def unheard(_bank_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without audio. To read only."""
    return _made(tmp_path_factory.mktemp("unheard") / "data", *_bank_options, "--no-audio")


def _made(folder: Path, *options: str) -> Path:
    n = sum(SIZES.values())
    shares = ",".join(str(size / n) for size in SIZES.values())
    arguments = ["--n", str(n), "--splits", shares, "--sample-rate", str(RATE), "--workers", "1"]
    assert run(["scenes", *arguments, *options, "--out", str(folder)]) == DONE
    assert run(["questions", str(folder), "--workers", "1"]) == DONE
    return folder


@pytest.fixture(scope="session")
def sed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of six mixtures of three labels at 0 and 20 dB. To read only."""
    return mixtures(tmp_path_factory.mktemp("sed"))


@pytest.fixture(scope="session")
def sed_folds(sed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 2APAE for each fold, scored. To read only."""
    from baselines.tasks.sed.evaluate import evaluate_sed_runs

    folder = tmp_path_factory.mktemp("sed-runs") / "folds"
    for fold in (1, 2, 3):
        write_run(folder / f"fold-{fold}", sed_data, fold)
    evaluate_sed_runs({run: run for run in sorted(folder.iterdir())}, device="cpu")
    return folder
