"""Whatever dies, the run or a worker, nothing is lost, and the same command again ends with the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.counts import NIGHTLY
from tests.datasets.faultpoints import workers_of
from tests.datasets.runs import Runner, hashes, inodes
from tests.store.commands import (
    CHUNK,
    FEW,
    ITS_NAME,
    MANY,
    SLOWLY,
    TRAIN,
    comes_again,
    command,
    gone,
    is_there,
    nothing_lost,
    steps_of,
    wait_for_a_chunk,
)

# --- SIGKILL ----------------------------------------------------------------------------------------------------------


def test_a_run_killed_before_every_step_in_turn_goes_on_to_the_same_bytes(
    run: Runner, few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(folder, FEW), folder)
    making = [step for step in steps[: steps.index("fsync README.md~")] if comes_again(step)]
    assert len(making) > 15
    left: dict[str, tuple[int, int]] = {}
    for step in dict.fromkeys(making):
        fault = {"folder": str(folder), "action": "kill", "step": step, "number": 1}
        assert run(*command(folder, FEW), fault=fault).code == -signal.SIGKILL, step
        nothing_lost(folder, left)
        left = inodes(folder)
        for earlier in steps[: steps.index(step)]:
            if earlier.startswith("replace") and comes_again(earlier):
                assert is_there(folder, earlier.split()[1], left), f"{step}: {earlier}"
    assert run(*command(folder, FEW)).code == 0
    nothing_lost(folder, left)
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("action", ["kill", "full"])
def test_a_run_stopped_while_it_keeps_a_files_hash_goes_on_to_the_same_bytes(
    run: Runner, few: Path, tmp_path: Path, action: str
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(folder, FEW), folder)
    keeping = [step for step in dict.fromkeys(steps) if ".sha256" in step and not step.startswith("unlink")]
    assert len(keeping) >= 4
    for step in keeping:
        fault = {"folder": str(folder), "action": action, "step": step, "number": 1}
        assert run(*command(folder, FEW), fault=fault).code == (-signal.SIGKILL if action == "kill" else 1)
        left = inodes(folder)
        assert run(*command(folder, FEW)).code == 0
        nothing_lost(folder, left)
        assert hashes(folder) == hashes(few)
        shutil.rmtree(folder)


def test_a_run_killed_at_any_step_of_the_end_leaves_nothing_behind(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(folder, FEW), folder)
    wrong = []
    for number in range(steps.index("fsync README.md~") + 1, len(steps) + 1):
        killed = run(*command(folder, FEW), fault={"folder": str(folder), "action": "kill", "number": number})
        assert killed.code == -signal.SIGKILL
        left = inodes(folder)
        again = run(*command(folder, FEW))
        assert again.code == 0, again
        nothing_lost(folder, left)
        if hashes(folder) != hashes(few):
            wrong.append(f"{steps[number - 1]}: {sorted(hashes(folder).keys() ^ hashes(few).keys())}")
        shutil.rmtree(folder)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("workers", "kills"), [(1, 16), (2, 4)] if NIGHTLY else [(1, 3), (2, 1)])
def test_a_run_killed_at_random_moments_goes_on_to_the_same_bytes(
    run: Runner, many: Path, tmp_path: Path, workers: int, kills: int
) -> None:
    whole = run(*command(tmp_path / "whole", MANY, workers))
    assert hashes(tmp_path / "whole") == hashes(many)
    rng = np.random.default_rng(workers)
    killed, number = 0, 0
    left: dict[str, tuple[int, int]] = {}
    while killed < kills:
        folder = tmp_path / f"data{number}"
        group = workers == 1 or killed % 2 == 0  # else the parent alone, and its workers have to notice
        done = run(*command(folder, MANY, workers), signals=[[rng.uniform(0, whole.seconds), 9, group]])
        assert gone(done.pid, 30)
        nothing_lost(folder, left)
        left = inodes(folder)
        if done.code == 0:
            assert hashes(folder) == hashes(many)
            number, left = number + 1, {}
        else:
            assert done.code == -signal.SIGKILL, done
            killed += 1
    assert run(*command(folder, MANY, workers)).code == 0
    nothing_lost(folder, left)
    assert hashes(folder) == hashes(many)


# --- a worker that dies -----------------------------------------------------------------------------------------------


def killing(folder: Path, **how: object) -> dict[str, dict[str, str]]:
    """What makes the worker die that is about to rename one certain chunk."""
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {CHUNK}", **how}
    return {"environment": {"CLEAR_FAULT": json.dumps(fault)}}


def test_a_worker_that_dies_once_costs_nothing(run: Runner, many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    done = run(*command(folder, MANY, 2), **killing(folder, once=str(tmp_path / "happened")))
    assert (tmp_path / "happened").exists()
    assert done.code == 0, done
    assert done.said == [f"{ITS_NAME}: its worker died (killed by SIGKILL, out of memory?); trying once more"]
    assert hashes(folder) == hashes(many)


def test_a_worker_that_dies_when_its_file_is_there_and_its_chunks_are_partly_removed_costs_nothing(
    run: Runner, many: Path, tmp_path: Path
) -> None:
    folder, how = tmp_path / "data", {"step": f"unlink {CHUNK}", "once": str(tmp_path / "happened")}
    done = run(*command(folder, MANY, 2), **killing(folder, **how))
    assert (tmp_path / "happened").exists()
    assert done.code == 0, done
    assert done.said == [f"{TRAIN}: its worker died (killed by SIGKILL, out of memory?); trying once more"]
    assert hashes(folder) == hashes(many)


def test_a_chunk_that_kills_its_worker_is_named_and_the_rest_is_made(run: Runner, many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    done = run(*command(folder, MANY, 2), **killing(folder))
    assert done.code == 1
    assert done.said[-1].startswith(f"clear-gen: 1 not made: {ITS_NAME} (its worker died 2 times, killed by SIGKILL")
    assert done.said[-1].endswith("the rest is written: run again to go on")
    made = {name for name in hashes(folder) if name.startswith("records/") or name.endswith(".arrow")}
    others = {f".partial/records-train-{first:07d}.arrow" for first in (0, 200)}
    assert made - {name for name in made if name.endswith(".tmp")} == others | {
        f"records/{split}-00000-of-00001.parquet" for split in ("validation", "test")
    }
    before = inodes(folder)
    assert run(*command(folder, MANY)).code == 0
    nothing_lost(folder, before)
    assert hashes(folder) == hashes(many)


def test_workers_killed_from_outside(run: Runner, many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run.start(*command(folder, MANY, 2, *SLOWLY))
    wait_for_a_chunk(folder)  # from now on both are at work
    os.kill(workers_of(run.pid)[0], signal.SIGKILL)
    done = run.result()
    assert done.code == 0, done
    assert [line for line in done.said if "its worker died (killed by SIGKILL" in line] == done.said != []
    assert hashes(folder) == hashes(many)
