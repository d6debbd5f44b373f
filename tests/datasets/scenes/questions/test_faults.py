"""Whatever happens to a run that asks, nothing is lost, and damaged candidates are made again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.counts import NIGHTLY, thinned
from tests.datasets.faultpoints import workers_of
from tests.datasets.runs import Runner, hashes
from tests.datasets.scenes.questions.commands import (
    FEW,
    MANY,
    TEST_CANDIDATES,
    TRAIN,
    TRAIN_CANDIDATES,
    Scenes,
    ask,
    empty,
    files,
    one_line,
    steps_of,
    stop,
    text,
    tidy,
    unfinished,
)

TO_GO_ON = "interrupted; run the same command again to go on"


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["kill", "full", "interrupt"])
def test_a_run_stopped_before_every_step_in_turn_goes_on_to_the_same_bytes(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, action: str
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    steps = steps_of(run, tmp_path, folder, *four)
    shutil.rmtree(folder)
    scenes(folder, *FEW)
    skipped = "unlink" if action == "kill" else ("unlink", "rmdir", "mkdir .partial")
    making = [step for step in steps[: steps.index("replace clear.json")] if not step.startswith(skipped)]
    assert len(making) > 15
    for step in thinned(list(dict.fromkeys(making)), 1 if action == "kill" else 4):
        done = ask(run, folder, *four, **stop(folder, step, action))
        if action == "full":
            one_line(done, 1, str(folder), "No space left on device")
            assert "~" not in done.said[0]
        else:
            assert done.code == {"kill": -signal.SIGKILL, "interrupt": 130}[action], step
        if action == "interrupt":
            assert done.said == [TO_GO_ON], step
        if action != "kill":
            assert all(map(tidy, hashes(folder))), step
        for earlier in [step.split()[1] for step in steps[: steps.index(step)] if step.startswith("replace")]:
            assert (folder / earlier).exists(), f"{step}: {earlier}"
    assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_a_run_killed_at_its_end_has_made_the_questions(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    for step in ("fsync clear.json~", "replace clear.json", "unlink .partial/lock", f"unlink {TEST_CANDIDATES}"):
        folder = scenes(tmp_path / step.replace("/", "-"), *FEW)
        assert ask(run, folder, *four, **stop(folder, step)).code == -signal.SIGKILL
        assert ask(run, folder, *four).code == 0
        assert files(folder) == files(few), step


@pytest.mark.parametrize("step", [f"replace {TRAIN}", "replace README.md", "replace clear.json", "unlink clear.json~"])
def test_what_a_killed_run_left_is_removed(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, step: str
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    assert ask(run, folder, *four, **stop(folder, step)).code == -signal.SIGKILL
    assert ask(run, folder, *four).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize(("workers", "kills"), [(1, 10), (2, 2)] if NIGHTLY else [(1, 3), (2, 1)])
def test_a_run_killed_at_random_moments_goes_on_to_the_same_bytes(
    run: Runner, scenes: Scenes, some: list[str], many: Path, tmp_path: Path, workers: int, kills: int
) -> None:
    rng = np.random.default_rng(workers)
    folder = scenes(tmp_path / "data", *MANY)
    for number in range(kills):
        moment = rng.uniform(0.1, 0.8 * workers)
        done = ask(run, folder, *some, workers=workers, signals=[[moment, 9, workers == 1 or number % 2 == 0]])
        assert done.code in (0, -signal.SIGKILL), done
        if done.code == 0:
            break
    wait_until_gone(run)
    assert ask(run, folder, *some).code == 0
    assert files(folder) == files(many)


def wait_until_gone(run: Runner, within_s: float = 30) -> None:
    """Workers whose parent was killed alone notice that, and end."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and run.pid in map(session_of, Path("/proc").glob("[0-9]*/stat")):
        time.sleep(0.02)


def session_of(stat: Path) -> int | None:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None  # it ended meanwhile
    return None if fields[0] == "Z" else int(fields[3])


@pytest.mark.parametrize("once", [True, False])
def test_a_worker_that_dies(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, once: bool
) -> None:
    folder, happened = scenes(tmp_path / "data", *FEW), tmp_path / "happened"
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN_CANDIDATES}"}
    fault |= {"once": str(happened)} if once else {}
    name = "scenes/train-00000-of-00001.parquet"
    done = ask(run, folder, *four, workers=2, environment={"CLEAR_FAULT": json.dumps(fault)})
    if once:
        assert happened.exists()
        assert done.said == [f"{name}: its worker died (killed by SIGKILL, out of memory?); trying once more"]
        assert done.code == 0
    else:
        assert done.code == 1
        assert done.said[-1].startswith(f"clear-gen: 1 not made: {name} (its worker died 2 times, killed by SIGKILL")
        assert (folder / TEST_CANDIDATES).exists()
        assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_workers_killed_from_outside_and_ctrl_c(
    run: Runner, scenes: Scenes, some: list[str], many: Path, tmp_path: Path
) -> None:
    folder = scenes(tmp_path / "data", *MANY)
    run.start("questions", str(folder), *some, "--workers", "2")
    deadline = time.monotonic() + 30
    while not list(folder.glob(".partial/*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.005)
    if workers := workers_of(run.pid):
        os.kill(workers[0], signal.SIGKILL)
    time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    done = run.result()
    assert done.code == 130
    assert done.said[-1] == TO_GO_ON
    assert ask(run, folder, *some).code == 0
    assert files(folder) == files(many)


def test_ctrl_c_while_workers_start_is_one_line(run: Runner, scenes: Scenes, four: list[str], tmp_path: Path) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    said = []
    for _ in range(2):
        run.start("questions", str(folder), *four, "--workers", "2", "--overwrite")
        deadline = time.monotonic() + 30
        while not workers_of(run.pid) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        done = run.result()
        assert done.code == 130
        said += done.said
    assert set(said) == {TO_GO_ON}


# --- what lies under .partial -----------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Alter one byte of the candidates' values."""
    content = bytearray(path.read_bytes())
    content[content.index(b"ARROW1", 6) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, empty, text, flip])
def test_damaged_candidates_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    damage(folder / TRAIN_CANDIDATES)
    done = ask(run, folder, *four)
    assert (done.code, done.said) == (0, [f"{folder / TRAIN_CANDIDATES}: damaged; making it again"])
    assert files(folder) == files(few)


def test_candidates_of_other_questions_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    other = unfinished(run, scenes, tmp_path / "other", ["--seed", "1", *four])
    shutil.copy(other / TRAIN_CANDIDATES, folder / TRAIN_CANDIDATES)
    assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_candidates_in_the_place_of_others_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    shutil.copy(folder / TRAIN_CANDIDATES, folder / TEST_CANDIDATES)
    assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_candidates_with_other_names_of_columns_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    unfinished(run, scenes, tmp_path / "whole", four)
    raw = (tmp_path / "whole" / TRAIN_CANDIDATES).read_bytes()
    for at in {place for name in (b"scene", b"answer") for place in (raw.index(name), raw.rindex(name))}:
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / TRAIN_CANDIDATES).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert ask(run, folder, *four).code == 0, at
        assert files(folder) == files(few)


@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_damaged_note_of_what_was_begun_is_refused(
    run: Runner, scenes: Scenes, four: list[str], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    damage(folder / ".partial/questions.json")
    before = hashes(folder)
    one_line(ask(run, folder, *four), 2, str(folder / ".partial/questions.json"))
    assert hashes(folder) == before


def test_a_damaged_note_of_what_was_begun_can_be_overwritten(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    cut(folder / ".partial/questions.json")
    assert ask(run, folder, *four, "--overwrite").code == 0
    assert files(folder) == files(few)
