"""Ctrl-C at any moment is one line, and costs nothing."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.datasets.runs import Runner, hashes, inodes
from tests.store.commands import (
    FEW,
    MANY,
    SLOWLY,
    TEST,
    TO_GO_ON,
    command,
    gone,
    nothing_lost,
    steps_of,
    wait_for_a_chunk,
)


def test_ctrl_c_at_the_end_of_a_run(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(folder, FEW), folder)
    last = max(number for number, step in enumerate(steps, 1) if step == f"replace {TEST}")
    for number in range(last, len(steps) + 1, 2):
        fault = {"folder": str(folder), "action": "interrupt", "number": number}
        done = run(*command(folder, FEW), fault=fault)
        assert (done.code, done.said) == (130, [TO_GO_ON]), steps[number - 1]
        assert run(*command(folder, FEW)).code == 0
        files = {name: sha for name, sha in hashes(folder).items() if not name.startswith(".")}
        assert files == hashes(few), steps[number - 1]
        shutil.rmtree(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_two_ctrl_c_in_a_row(run: Runner, many: Path, tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "data"
    run.start(*command(folder, MANY, workers, *SLOWLY))
    wait_for_a_chunk(folder)
    for _ in range(2):
        with suppress(ProcessLookupError):  # the first was enough
            os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.03)
    done = run.result()
    assert (done.code, done.said) == (130, [TO_GO_ON])
    assert gone(done.pid, 30)
    before = inodes(folder)
    assert run(*command(folder, MANY)).code == 0
    nothing_lost(folder, before)
    assert hashes(folder) == hashes(many)
