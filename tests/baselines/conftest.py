"""Fixtures of the benchmark's tests: small datasets of scenes, with audio and without, and of mixtures with runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.baselines.commands import LATE
from tests.baselines.tasks.sed.runs import mixtures, write_run
from tests.datasets.runs import Runner, make_scenes, runner
from tests.once import made_once

SIZES = {"train": 18, "validation": 6, "test": 6}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """What is small is fastest in one thread, and rounds the same everywhere."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Runs ``clear-bench`` commands in one thread, each in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with runner(tmp_path_factory.mktemp("bench"), "tests.baselines.commands", LATE) as it:
            yield it


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty scenes of ``SIZES`` at 8 kHz with audio and questions. To read only."""
    return made_once(tmp_path_factory, "thirty-heard", _make) / "data"


@pytest.fixture(scope="session")
def unheard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without audio. To read only."""
    return made_once(tmp_path_factory, "thirty-unheard", partial(_make, audio=False)) / "data"


def _make(folder: Path, audio: bool = True) -> None:
    n = sum(SIZES.values())
    shares = ",".join(str(size / n) for size in SIZES.values())
    make_scenes(folder, "--n", str(n), "--splits", shares, asked=True, audio=audio)


@pytest.fixture(scope="session")
def sed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of six mixtures of three labels at 0 and 20 dB. To read only."""
    return made_once(tmp_path_factory, "eighteen-mixtures", mixtures) / "mixtures"


@pytest.fixture(scope="session")
def sed_folds(sed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 2APAE for each fold, scored. To read only."""
    from baselines.tasks.scoring import evaluate_runs

    def make(folder: Path) -> None:
        for fold in (1, 2, 3):
            write_run(folder / f"fold-{fold}", sed_data, fold)
        evaluate_runs(folder, None, {}, None, "cpu")

    return made_once(tmp_path_factory, "folds", make)
