"""Training as a command in processes of its own, which are forked from one that has imported torch."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from baselines.cli import run as clear_bench
from baselines.core.run import BEST, METRICS
from baselines.tasks import registry
from clear_gen.cli.common import DONE
from tests.baselines.toy import Toy
from tests.datasets.runs import Runner

LATE = (
    "torch._dynamo",  # which torch's optimisers import: 11 s
    "matplotlib.pyplot",
    "baselines.tasks.training",
    "baselines.tasks.aqa.learner",
    "baselines.tasks.sed.learner",
    "clear_gen.datasets.scenes.load",
    "clear_gen.datasets.mixtures.load",
)
POLL_S = 0.002


def run(arguments: list[str]) -> int:
    """``clear-bench``, with the task of ``toy`` for folders that are called points."""
    kind_of_data = registry.kind_of_data
    registry.TASKS["toy"] = Toy()
    registry.kind_of_data = lambda folder: "points" if folder.name == "points" else kind_of_data(folder)
    return clear_bench(arguments)


def epochs_before_a_kill(runner: Runner, folder: Path, *command: str) -> int:
    """Train twice, once killed after its first epoch and resumed; the bytes are the same.

    Returns the number of epochs before the kill.
    """
    killed, whole = folder / "killed", folder / "whole"
    runner.start(*command, "--out", str(killed))
    while not (killed / METRICS).exists() and Path(f"/proc/{runner.pid}").exists():
        time.sleep(POLL_S)
    done = runner.kill()
    assert done is not None
    assert done.code == -signal.SIGKILL, done.err
    n_epochs = len((killed / METRICS).read_text().splitlines())
    for arguments in (["--resume", "--out", str(killed)], ["--out", str(whole)]):
        done = runner(*command, *arguments)
        assert done.code == DONE, done.err
    for name in (METRICS, BEST):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    return n_epochs
