"""Whatever happens to a run, nothing is lost and the same command again ends with the same bytes.

Every command is a process of its own, forked from one that has imported all it needs (``faultpoints.serve``), so that
the moments of a fault fall into the work and not into the imports.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clear_gen.sounds.bank import write_bank
from tests.counts import NIGHTLY
from tests.datasets.faultpoints import workers_of
from tests.datasets.runs import RATE, Done, Runner, hashes, inodes, runner, small_banks, write_banks

FEW = ["--n", "4", "--splits", "0.5,0,0.5"]  # two chunks, two files
MANY = ["--n", "330", "--splits", "0.9,0.05,0.05"]  # five chunks, three files
TRAIN, TEST = "scenes/train-00000-of-00001.parquet", "scenes/test-00000-of-00001.parquet"
TO_GO_ON = "interrupted; run the same command again to go on"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("runner")) as it:
        yield it


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*write_banks(tmp_path_factory.mktemp("banks")), "--sample-rate", str(RATE)]


def command(banks: list[str], folder: Path, n: list[str], workers: int = 1) -> list[str]:
    return ["scenes", *n, *banks, "--workers", str(workers), "--out", str(folder)]


def undisturbed(banks: list[str], folder: Path, n: list[str]) -> Path:
    """A dataset by the command as it is installed, without anything in between."""
    subprocess.run([sys.executable, "-m", "clear_gen", *command(banks, folder, n)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def few(banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(banks, tmp_path_factory.mktemp("few") / "data", FEW)


@pytest.fixture(scope="module")
def many(banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(banks, tmp_path_factory.mktemp("many") / "data", MANY)


def one_line(done: Done, code: int, *parts: str) -> None:
    """The run ended with this code and said one line with these parts."""
    assert done.code == code, done
    assert len(done.said) == 1, done.said
    assert done.said[0].startswith("clear-gen: ")
    for part in parts:
        assert part in done.said[0]


def wait_for(path: Path, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def steps_of(run: Runner, tmp_path: Path, arguments: list[str], folder: Path) -> list[str]:
    """What an undisturbed run of this command does on the disk, step by step."""
    trace = tmp_path / "trace"
    assert run(*arguments, fault={"folder": str(folder), "trace": str(trace)}).code == 0
    steps = trace.read_text().splitlines()
    shutil.rmtree(folder)
    return steps


def comes_again(step: str) -> bool:
    """Whether a run that was stopped there does it when it is run again; a file's hash is kept right after the file."""
    return not step.startswith("unlink") and ".sha256" not in step


# --- SIGKILL ----------------------------------------------------------------------------------------------------------


def test_a_run_killed_before_every_step_in_turn_goes_on_to_the_same_bytes(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    making = [step for step in steps[: steps.index("fsync README.md~")] if comes_again(step)]
    assert len(making) > 20
    left: dict[str, tuple[int, int]] = {}
    for step in dict.fromkeys(making):
        fault = {"folder": str(folder), "action": "kill", "step": step, "number": 1}
        assert run(*command(banks, folder, FEW), fault=fault).code == -signal.SIGKILL, step
        nothing_lost(folder, left)
        left = inodes(folder)
        for earlier in steps[: steps.index(step)]:
            if earlier.startswith("replace") and comes_again(earlier):
                assert is_there(folder, earlier.split()[1], left), f"{step}: {earlier}"
    assert run(*command(banks, folder, FEW)).code == 0
    nothing_lost(folder, left)
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("action", ["kill", "full"])
def test_a_run_stopped_while_it_keeps_a_files_hash_goes_on_to_the_same_bytes(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, action: str
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    keeping = [step for step in dict.fromkeys(steps) if ".sha256" in step and not step.startswith("unlink")]
    assert len(keeping) >= 4
    for step in keeping:
        fault = {"folder": str(folder), "action": action, "step": step, "number": 1}
        assert run(*command(banks, folder, FEW), fault=fault).code == (-signal.SIGKILL if action == "kill" else 1)
        left = inodes(folder)
        assert run(*command(banks, folder, FEW)).code == 0
        nothing_lost(folder, left)
        assert hashes(folder) == hashes(few)
        shutil.rmtree(folder)


def test_a_run_killed_at_any_step_of_the_end_leaves_nothing_behind(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    wrong = []
    for number in range(steps.index("fsync README.md~") + 1, len(steps) + 1):
        killed = run(*command(banks, folder, FEW), fault={"folder": str(folder), "action": "kill", "number": number})
        assert killed.code == -signal.SIGKILL
        left = inodes(folder)
        again = run(*command(banks, folder, FEW))
        assert again.code == 0, again
        nothing_lost(folder, left)
        if hashes(folder) != hashes(few):
            wrong.append(f"{steps[number - 1]}: {sorted(hashes(folder).keys() ^ hashes(few).keys())}")
        shutil.rmtree(folder)
    assert not wrong, "\n".join(wrong)


def gone(session: int, within_s: float) -> bool:
    """Whether all processes of a session end within this time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if session not in [_session(path) for path in Path("/proc").glob("[0-9]*/stat")]:
            return True
        time.sleep(0.02)
    return False


def _session(stat: Path) -> int | None:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None  # it ended meanwhile
    return None if fields[0] == "Z" else int(fields[3])


@pytest.mark.parametrize(("workers", "kills"), [(1, 16), (2, 4)] if NIGHTLY else [(1, 4), (2, 2)])
def test_a_run_killed_at_random_moments_goes_on_to_the_same_bytes(
    run: Runner, banks: list[str], many: Path, tmp_path: Path, workers: int, kills: int
) -> None:
    whole = run(*command(banks, tmp_path / "whole", MANY, workers))
    assert hashes(tmp_path / "whole") == hashes(many)
    rng = np.random.default_rng(workers)
    killed, number = 0, 0
    left: dict[str, tuple[int, int]] = {}
    while killed < kills:
        folder = tmp_path / f"data{number}"
        group = workers == 1 or killed % 2 == 0  # else the parent alone, and its workers have to notice
        done = run(*command(banks, folder, MANY, workers), signals=[[rng.uniform(0, whole.seconds), 9, group]])
        assert gone(done.pid, 30)
        nothing_lost(folder, left)
        left = inodes(folder)
        if done.code == 0:
            assert hashes(folder) == hashes(many)
            number, left = number + 1, {}
        else:
            assert done.code == -signal.SIGKILL, done
            killed += 1
    assert run(*command(banks, folder, MANY, workers)).code == 0
    nothing_lost(folder, left)
    assert hashes(folder) == hashes(many)


def nothing_lost(folder: Path, before: dict[str, tuple[int, int]]) -> None:
    """What was whole before is there as it was; a chunk may also have become part of its file."""
    now = inodes(folder)
    for name, inode in before.items():
        assert is_there(folder, name, now), name
        assert now.get(name, inode) == inode, name


def is_there(folder: Path, name: str, now: dict[str, tuple[int, int]]) -> bool:
    """Whether a file is there, or, if it is a chunk, the file of which it is a part."""
    config, split, *_ = [*Path(name).name.split("-"), ""]
    in_its_file = name.endswith(".arrow") and f"{config}/{split}-00000-of-00001.parquet" in now
    return (folder / name).exists() or in_its_file


# --- a worker that dies -----------------------------------------------------------------------------------------------

CHUNK, ITS_NAME = ".partial/scenes-train-0000100.arrow", "scenes train-000100 to train-000199"


def killing(folder: Path, **how: object) -> dict[str, dict[str, str]]:
    """What makes the worker die that is about to rename one certain chunk."""
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {CHUNK}", **how}
    return {"environment": {"CLEAR_FAULT": json.dumps(fault)}}


def test_a_worker_that_dies_once_costs_nothing(run: Runner, banks: list[str], many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    done = run(*command(banks, folder, MANY, 2), **killing(folder, once=str(tmp_path / "happened")))
    assert (tmp_path / "happened").exists()
    assert done.code == 0, done
    assert done.said == [f"{ITS_NAME}: its worker died (killed by SIGKILL, out of memory?); trying once more"]
    assert hashes(folder) == hashes(many)


def test_a_worker_that_dies_when_its_file_is_there_and_its_chunks_are_partly_removed_costs_nothing(
    run: Runner, banks: list[str], many: Path, tmp_path: Path
) -> None:
    folder, how = tmp_path / "data", {"step": f"unlink {CHUNK}", "once": str(tmp_path / "happened")}
    done = run(*command(banks, folder, MANY, 2), **killing(folder, **how))
    assert (tmp_path / "happened").exists()
    assert done.code == 0, done
    assert done.said == [f"{TRAIN}: its worker died (killed by SIGKILL, out of memory?); trying once more"]
    assert hashes(folder) == hashes(many)


def test_a_chunk_that_kills_its_worker_is_named_and_the_rest_is_made(
    run: Runner, banks: list[str], many: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    done = run(*command(banks, folder, MANY, 2), **killing(folder))
    assert done.code == 1
    assert done.said[-1].startswith(f"clear-gen: 1 not made: {ITS_NAME} (its worker died 2 times, killed by SIGKILL")
    assert done.said[-1].endswith("the rest is written: run again to go on")
    made = {name for name in hashes(folder) if name.startswith("scenes/") or name.endswith(".arrow")}
    others = {f".partial/scenes-train-{first:07d}.arrow" for first in (0, 200)}
    assert made - {name for name in made if name.endswith(".tmp")} == others | {
        f"scenes/{split}-00000-of-00001.parquet" for split in ("validation", "test")
    }
    before = inodes(folder)
    assert run(*command(banks, folder, MANY)).code == 0
    nothing_lost(folder, before)
    assert hashes(folder) == hashes(many)


def test_workers_killed_from_outside(run: Runner, banks: list[str], many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run.start(*command(banks, folder, MANY, 2))
    deadline = time.monotonic() + 30
    while not (workers := workers_of(run.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(workers[0], signal.SIGKILL)
    done = run.result()
    assert done.code == 0, done
    assert [line for line in done.said if "its worker died (killed by SIGKILL" in line] == done.said != []
    assert hashes(folder) == hashes(many)


# --- no space, no permission ------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_at_every_step_in_turn_is_named_and_costs_nothing(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    using = [step for step in steps if comes_again(step) and not step.startswith("rmdir")]
    assert len(using) > 25
    left: dict[str, tuple[int, int]] = {}
    for step in dict.fromkeys(using):
        fault = {"folder": str(folder), "action": "full", "step": step, "number": 1}
        full = run(*command(banks, folder, FEW), fault=fault)
        name = step.split()[1].removesuffix("~") if step != "fsync ." else "README.md"
        if step.startswith("fsync") and "." not in Path(name).suffix:  # of a folder: its latest file is named
            one_line(full, 1, f"{folder / name}", "No space left on device")
        else:
            assert (full.code, full.said) == (1, [f"clear-gen: {folder / name}: No space left on device"]), step
        if folder.exists():
            assert not [path for path in hashes(folder) if path.endswith(".tmp")], step
            nothing_lost(folder, left)
            left = inodes(folder)
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("file_bytes", "place"), [(20_000, "bank/train.parquet"), (200_000, ".partial/")])
def test_a_write_that_fails_inside_the_libraries_is_one_line(
    run: Runner, banks: list[str], many: Path, tmp_path: Path, workers: int, file_bytes: int, place: str
) -> None:
    if workers == 2 and place.startswith("bank"):
        return  # written by the parent, as with one worker
    folder = tmp_path / "data"
    done = run(*command(banks, folder, MANY, workers), file_bytes=file_bytes)
    one_line(done, 1, str(folder / place), "File too large")
    assert not [name for name in hashes(folder) if name.endswith(".tmp")]
    assert run(*command(banks, folder, MANY)).code == 0
    assert hashes(folder) == hashes(many)


@pytest.mark.parametrize("place", ["the folder", "its parent", "an unfinished dataset"])
def test_a_folder_that_cannot_be_written(run: Runner, banks: list[str], few: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "parent/data"
    closed = folder.parent if place == "its parent" else folder
    closed.mkdir(parents=True)
    if place == "an unfinished dataset":
        run(*command(banks, folder, FEW), fault={"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"})
        closed = folder / ".partial"
    before = hashes(folder.parent)
    closed.chmod(0o555)
    try:
        done = run(*command(banks, folder, FEW), permissions_bind=True)
    finally:
        closed.chmod(0o755)
    one_line(done, 1, str(closed), "Permission denied")
    assert hashes(folder.parent) == before
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


def test_ctrl_c_at_the_end_of_a_run(run: Runner, banks: list[str], few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    last = max(number for number, step in enumerate(steps, 1) if step == f"replace {TEST}")
    for number in range(last, len(steps) + 1, 2):
        fault = {"folder": str(folder), "action": "interrupt", "number": number}
        done = run(*command(banks, folder, FEW), fault=fault)
        assert (done.code, done.said) == (130, [TO_GO_ON]), steps[number - 1]
        assert run(*command(banks, folder, FEW)).code == 0
        files = {name: sha for name, sha in hashes(folder).items() if not name.startswith(".")}
        assert files == hashes(few), steps[number - 1]
        shutil.rmtree(folder)


@pytest.mark.parametrize("number", [5, 100, 200])
def test_ctrl_c_while_the_banks_are_read(run: Runner, banks: list[str], few: Path, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "data"
    fault = {"folder": str(folder), "action": "interrupt", "step": "decode", "number": number}
    done = run(*command(banks, folder, FEW), fault=fault)
    assert (done.code, done.said) == (130, [TO_GO_ON])
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("workers", [1, 2])
def test_two_ctrl_c_in_a_row(run: Runner, banks: list[str], many: Path, tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "data"
    run.start(*command(banks, folder, MANY, workers))
    deadline = time.monotonic() + 30
    while not list(folder.glob(".partial/*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.01)
    for _ in range(2):
        with suppress(ProcessLookupError):  # the first was enough
            os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.03)
    done = run.result()
    assert (done.code, done.said) == (130, [TO_GO_ON])
    assert gone(done.pid, 30)
    before = inodes(folder)
    assert run(*command(banks, folder, MANY)).code == 0
    nothing_lost(folder, before)
    assert hashes(folder) == hashes(many)


# --- two at once ------------------------------------------------------------------------------------------------------


def test_a_second_run_in_the_folder_says_so_and_stops(run: Runner, banks: list[str], few: Path, tmp_path: Path) -> None:
    folder, go_on, arrived = tmp_path / "data", tmp_path / "go on", tmp_path / "arrived"
    first = command(banks, folder, FEW)
    fault = {"folder": str(folder), "action": "wait", "step": f"replace {TRAIN}"}
    with runner(tmp_path / "second") as second:
        run.start(*first, fault={**fault, "once": str(arrived), "until": str(go_on)})
        wait_for(arrived)
        before = hashes(folder)
        try:
            for other in (
                first,
                [*first, "--overwrite"],
                [*first, "--num-shards", "2", "--shard-index", "1"],
                ["finish", str(folder)],
            ):
                refused = second(*other)
                one_line(refused, 1, f"{folder}: another run is at work in it")
                assert refused.seconds < 5
            one_line(second(*first, "--seed", "1"), 2, "seed: found 0, asked 1")
            assert hashes(folder) == before
        finally:
            go_on.touch()
            done = run.result()
    assert done.code == 0, done
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_a_run_that_found_the_folder_empty_does_not_harm_what_another_made_there_meanwhile(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, state: str
) -> None:
    folder, go_on, arrived = tmp_path / "data", tmp_path / "go on", tmp_path / "arrived"
    fault = {"folder": str(folder), "action": "wait", "step": "mkdir .partial"}
    other = command(banks, folder, [*FEW, "--seed", "1"])
    with runner(tmp_path / "second") as second:
        run.start(*other, fault={**fault, "once": str(arrived), "until": str(go_on)})
        wait_for(arrived)
        try:
            if state == "finished":
                assert second(*command(banks, folder, FEW)).code == 0
            else:
                unfinished(second, banks, folder)
            before = hashes(folder)
        finally:
            go_on.touch()
            late = run.result()
    assert hashes(folder) == before
    one_line(late, 2, f"{folder}: holds another dataset (seed: found 0, asked 1)")


# --- damaged and foreign files ----------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("years of work\n" * 100)


def parquet(path: Path) -> None:
    pq.write_table(pa.table({"thesis": ["years of work"]}), path)


@pytest.fixture(scope="module")
def other_seed(banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(banks, tmp_path_factory.mktemp("other") / "data", [*FEW, "--seed", "1"])


def unfinished(run: Runner, banks: list[str], folder: Path) -> None:
    """Both banks and the chunk of the first file are there, no file is."""
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"}
    assert run(*command(banks, folder, FEW), fault=fault).code == -signal.SIGKILL
    assert (folder / ".partial/scenes-train-0000000.arrow").exists()


@pytest.mark.parametrize("damage", [cut, empty, text])
@pytest.mark.parametrize("name", [".partial/scenes-train-0000000.arrow", "bank/train.parquet"])
def test_what_an_unfinished_run_left_damaged_is_made_again(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    unfinished(run, banks, folder)
    damage(folder / name)
    done = run(*command(banks, folder, FEW))
    assert done.code == 0
    assert len(done.said) == 1
    assert str(folder / name) in done.said[0]
    assert done.said[0].endswith("ing it again")
    assert hashes(folder) == hashes(few)


def test_a_chunk_of_another_dataset_is_made_again(run: Runner, banks: list[str], few: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "data", tmp_path / "other"
    unfinished(run, banks, folder)
    unfinished(run, [*banks, "--seed", "1"], other)
    shutil.copy(other / ".partial/scenes-train-0000000.arrow", folder / ".partial")
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_damaged_scene_file_is_made_again(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    damage(folder / TRAIN)
    one = inodes(folder)[TEST]
    finish = run("finish", str(folder))
    one_line(finish, 1, f"{folder / TRAIN}: missing or altered since the dataset was finished")
    done = run(*command(banks, folder, FEW))
    assert done.code == 0
    assert len(done.said) == 1
    assert done.said[0].startswith(str(folder / TRAIN))
    assert done.said[0].endswith("making it again")
    assert inodes(folder)[TEST] == one
    assert hashes(folder) == hashes(few)


def from_other_seed(folder: Path, other: Path) -> None:
    shutil.copy(other / TRAIN, folder / TRAIN)


def foreign_parquet(folder: Path, other: Path) -> None:
    parquet(folder / TRAIN)


def foreign_bank(folder: Path, other: Path) -> None:
    write_bank(small_banks()["test"], folder / "bank/train.parquet")


def flip(path: Path, part: float) -> None:
    """Alter one byte, that far into the file."""
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_one_byte_of_a_chunk_is_no_chunk(run: Runner, banks: list[str], few: Path, tmp_path: Path, part: float) -> None:
    folder = tmp_path / "data"
    unfinished(run, banks, folder)
    flip(folder / ".partial/scenes-train-0000000.arrow", part)
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


def test_a_chunk_in_the_place_of_another_is_no_chunk(run: Runner, banks: list[str], many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"}
    assert run(*command(banks, folder, MANY), fault=fault).code == -signal.SIGKILL
    shutil.copy(folder / ".partial/scenes-train-0000000.arrow", folder / ".partial/scenes-train-0000100.arrow")
    assert run(*command(banks, folder, MANY)).code == 0
    assert hashes(folder) == hashes(many)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_file_altered_before_the_end_is_made_again(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, part: float
) -> None:
    folder = tmp_path / "data"
    fault = {"folder": str(folder), "action": "kill", "step": "fsync README.md~"}
    assert run(*command(banks, folder, FEW), fault=fault).code == -signal.SIGKILL
    flip(folder / TRAIN, part)
    one_line(run("finish", str(folder)), 1, str(folder / TRAIN))
    done = run(*command(banks, folder, FEW))
    assert done.code == 0
    assert done.said == [f"{folder / TRAIN}: altered since it was written; making it again"]
    assert hashes(folder) == hashes(few)


def test_making_a_lost_file_again_does_not_bless_an_altered_one(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    flip(folder / TRAIN, 0.5)
    (folder / "scenes/test-00000-of-00001.parquet").unlink()
    done = run(*command(banks, folder, FEW))
    assert done.code == 0
    assert done.said == [f"{folder / TRAIN}: altered since it was written; making it again"]
    assert hashes(folder) == hashes(few)


MOVE = "move the file away and run again"


@pytest.mark.parametrize(
    ("state", "put", "name", "message"),
    [
        ("finished", from_other_seed, TRAIN, "found scenes of another dataset"),
        ("unfinished", from_other_seed, TRAIN, "found scenes of another dataset"),
        ("finished", foreign_parquet, TRAIN, "found scenes of another dataset"),
        ("unfinished", foreign_parquet, TRAIN, "found scenes of another dataset"),
        ("finished", foreign_bank, "bank/train.parquet", "found another bank than the dataset's"),
        ("unfinished", foreign_bank, "bank/train.parquet", "found another bank than the dataset's"),
    ],
)
def test_a_foreign_file_is_refused_and_kept(
    run: Runner,
    banks: list[str],
    few: Path,
    other_seed: Path,
    tmp_path: Path,
    state: str,
    put: Callable[[Path, Path], None],
    name: str,
    message: str,
) -> None:
    folder = tmp_path / "data"
    if state == "finished":
        shutil.copytree(few, folder)
    else:
        unfinished(run, banks, folder)
    put(folder, other_seed)
    before = hashes(folder)
    one_line(run(*command(banks, folder, FEW)), 2, f"{folder / name}: {message}; {MOVE}")
    now = hashes(folder)
    assert now[name] == before[name]
    assert before.keys() - {"clear.json"} <= now.keys()
    (folder / name).rename(tmp_path / "moved")
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("bank/train.parquet", Path.unlink),
        ("bank/train.parquet", cut),
        ("README.md", Path.unlink),
    ],
)
def test_the_same_command_mends_a_finished_dataset(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    damage(folder / name)
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("name", ["clear.json", ".partial/clear.json"])
@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_damaged_identity_is_refused(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    if name == "clear.json":
        shutil.copytree(few, folder)
    else:
        unfinished(run, banks, folder)
    damage(folder / name)
    before = hashes(folder)
    one_line(run(*command(banks, folder, FEW)), 2, str(folder / name))
    assert hashes(folder) == before


def test_a_finished_dataset_whose_identity_was_lost_can_be_had_again(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    (folder / "clear.json").unlink()
    one_line(run("validate", str(folder)), 1, "run the clear-gen command that made the dataset again")
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


# --- the right command at the wrong time ------------------------------------------------------------------------------


def test_another_identity_is_refused_with_the_difference(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    unfinished(run, banks, folder)
    before = hashes(folder)
    one_line(run(*command(banks, folder, [*FEW, "--seed", "9"])), 2, "seed: found 0, asked 9", "--overwrite")
    one_line(run(*command(banks, folder, ["--n", "5"])), 2, "scenes.train: found 2, asked 3")
    assert hashes(folder) == before
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


def test_graphs_then_audio_with_kills_in_between(run: Runner, banks: list[str], few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    graphs = [*command(banks, folder, FEW), "--no-audio"]
    assert run(*graphs).code == 0
    one_line(run(*command(banks, folder, FEW)), 2, "audio: found false, asked true", f"clear-gen render {folder} adds")
    for step in ("replace .partial/clear.json", "unlink clear.json", f"replace {TRAIN}", f"replace {TEST}"):
        fault = {"folder": str(folder), "action": "kill", "step": step}
        assert run("render", str(folder), "--workers", "1", fault=fault).code == -signal.SIGKILL, step
    one_line(run(*graphs), 2, "audio: found true, asked false", "it has the audio, or is being given it")
    assert run("render", str(folder), "--workers", "1").code == 0
    assert hashes(folder) == hashes(few)


def test_graphs_alone_can_be_had_again_after_a_kill_at_the_start_of_render(
    run: Runner, banks: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    graphs = [*command(banks, folder, FEW), "--no-audio"]
    assert run(*graphs).code == 0
    whole = hashes(folder)
    fault = {"folder": str(folder), "action": "kill", "step": "unlink clear.json"}
    assert run("render", str(folder), "--workers", "1", fault=fault).code == -signal.SIGKILL
    assert run(*graphs).code == 0
    assert hashes(folder) == whole


def test_finish_on_a_finished_dataset(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    trace = tmp_path / "trace"
    assert run("finish", str(folder), fault={"folder": str(folder), "trace": str(trace)}).code == 0
    assert not trace.exists()
    (folder / "README.md").unlink()
    assert run("finish", str(folder)).code == 0
    assert hashes(folder) == hashes(few)
    for name in (TEST, "bank/test.parquet"):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        one_line(run("finish", str(folder)), 1, f"{folder / name}: missing or altered")
        shutil.copy(few / name, folder / name)


def test_overwriting_that_is_killed_at_any_step_can_be_begun_again(
    run: Runner, banks: list[str], few: Path, other_seed: Path, tmp_path: Path
) -> None:
    folder, trace = tmp_path / "data", tmp_path / "trace"
    shutil.copytree(other_seed, folder)
    anew = [*command(banks, folder, FEW), "--overwrite"]
    assert run(*anew, fault={"folder": str(folder), "trace": str(trace)}).code == 0
    assert hashes(folder) == hashes(few)
    steps = trace.read_text().splitlines()
    stop = steps.index("replace .partial/clear.json")
    for number in range(1, stop + 2):
        shutil.rmtree(folder)
        shutil.copytree(other_seed, folder)
        fault = {"folder": str(folder), "action": "kill", "number": number}
        assert run(*anew, fault=fault).code == -signal.SIGKILL
        assert run(*anew).code == 0, steps[number - 1]
        assert hashes(folder) == hashes(few), steps[number - 1]
