"""A dataset of scenes after faults: the same command again ends with the same bytes.

``tests/store`` tests the engine under every fault; here are what scenes add to it, banks and rendering, and one run of
each fault. Every command is a process of its own, forked from one that has imported all it needs.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from clear_gen.sounds.bank import write_bank
from tests.counts import NIGHTLY, thinned
from tests.datasets.runs import RATE, Runner, hashes, inodes, runner, small_banks, write_banks
from tests.store.commands import TO_GO_ON, comes_again, cut, empty, gone, nothing_lost, one_line, steps_of, text

FEW = ["--n", "4", "--splits", "0.5,0,0.5"]  # two chunks, two files
MANY = ["--n", "330", "--splits", "0.9,0.05,0.05"]  # five chunks, three files
TRAIN, TEST = "scenes/train-00000-of-00001.parquet", "scenes/test-00000-of-00001.parquet"
BANK = "bank/train.parquet"


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


# --- the engine's faults, once each -----------------------------------------------------------------------------------


def test_a_run_killed_before_steps_in_turn_goes_on_to_the_same_bytes(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    making = [step for step in steps[: steps.index("fsync README.md~")] if comes_again(step)]
    assert len(making) > 20
    left: dict[str, tuple[int, int]] = {}
    for step in thinned(list(dict.fromkeys(making)), 4):
        fault = {"folder": str(folder), "action": "kill", "step": step, "number": 1}
        assert run(*command(banks, folder, FEW), fault=fault).code == -signal.SIGKILL, step
        nothing_lost(folder, left)
        left = inodes(folder)
    assert run(*command(banks, folder, FEW)).code == 0
    nothing_lost(folder, left)
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize(("workers", "kills"), [(1, 16), (2, 4)] if NIGHTLY else [(1, 2), (2, 1)])
def test_a_run_killed_at_random_moments_goes_on_to_the_same_bytes(
    run: Runner, banks: list[str], many: Path, tmp_path: Path, workers: int, kills: int
) -> None:
    whole = run(*command(banks, tmp_path / "whole", MANY, workers))
    assert hashes(tmp_path / "whole") == hashes(many)
    rng = np.random.default_rng(workers)
    folder = tmp_path / "data"
    left: dict[str, tuple[int, int]] = {}
    for number in range(kills):
        group = workers == 1 or number % 2 == 0  # else the parent alone, and its workers have to notice
        done = run(*command(banks, folder, MANY, workers), signals=[[rng.uniform(0, whole.seconds), 9, group]])
        assert gone(done.pid, 30)
        nothing_lost(folder, left)
        left = inodes(folder)
        if done.code == 0:
            break
        assert done.code == -signal.SIGKILL, done
    assert run(*command(banks, folder, MANY, workers)).code == 0
    nothing_lost(folder, left)
    assert hashes(folder) == hashes(many)


def test_a_disk_that_is_full_is_named_and_costs_nothing(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(banks, folder, FEW), folder)
    writing = [step for step in dict.fromkeys(steps) if step.startswith("fsync") and step.endswith("~")]
    for step in thinned([step for step in writing if comes_again(step)], 3):
        fault = {"folder": str(folder), "action": "full", "step": step, "number": 1}
        full = run(*command(banks, folder, FEW), fault=fault)
        name = step.split()[1].removesuffix("~")
        assert (full.code, full.said) == (1, [f"clear-gen: {folder / name}: No space left on device"]), step
        assert not [path for path in hashes(folder) if path.endswith(".tmp")], step
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize(("file_bytes", "place"), [(20_000, BANK), (200_000, ".partial/")])
def test_a_write_that_fails_inside_the_libraries_is_one_line(
    run: Runner, banks: list[str], many: Path, tmp_path: Path, file_bytes: int, place: str
) -> None:
    folder = tmp_path / "data"
    done = run(*command(banks, folder, MANY), file_bytes=file_bytes)
    one_line(done, 1, str(folder / place), "File too large")
    assert not [name for name in hashes(folder) if name.endswith(".tmp")]
    assert run(*command(banks, folder, MANY)).code == 0
    assert hashes(folder) == hashes(many)


@pytest.mark.parametrize("number", [5, 100, 200])
def test_ctrl_c_while_the_banks_are_read(run: Runner, banks: list[str], few: Path, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "data"
    fault = {"folder": str(folder), "action": "interrupt", "step": "decode", "number": number}
    done = run(*command(banks, folder, FEW), fault=fault)
    assert (done.code, done.said) == (130, [TO_GO_ON])
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


# --- damaged and foreign banks ----------------------------------------------------------------------------------------


def unfinished(run: Runner, banks: list[str], folder: Path) -> None:
    """Both banks and the chunk of the first file are there, no file is."""
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"}
    assert run(*command(banks, folder, FEW), fault=fault).code == -signal.SIGKILL
    assert list((folder / ".partial").glob("*.arrow"))


@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_bank_that_an_unfinished_run_left_damaged_is_written_again(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    unfinished(run, banks, folder)
    damage(folder / BANK)
    done = run(*command(banks, folder, FEW))
    assert done.code == 0
    assert len(done.said) == 1
    assert str(folder / BANK) in done.said[0]
    assert done.said[0].endswith("writing it again")
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_a_foreign_bank_is_refused_and_kept(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, state: str
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder) if state == "finished" else unfinished(run, banks, folder)
    write_bank(small_banks()["test"], folder / BANK)
    before = hashes(folder)
    advice = "move the file away and run again"
    message = f"{folder / BANK}: found another bank than the dataset's; {advice}"
    one_line(run(*command(banks, folder, FEW)), 2, message)
    now = hashes(folder)
    assert now[BANK] == before[BANK]
    assert before.keys() - {"clear.json"} <= now.keys()
    (folder / BANK).rename(tmp_path / "moved")
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("damage", [Path.unlink, cut])
def test_the_same_command_mends_the_bank_of_a_finished_dataset(
    run: Runner, banks: list[str], few: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    damage(folder / BANK)
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


# --- the right command at the wrong time ------------------------------------------------------------------------------


def test_a_finished_dataset_whose_identity_was_lost_can_be_had_again(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    (folder / "clear.json").unlink()
    one_line(run("validate", str(folder)), 1, "run the clear-gen command that made the dataset again")
    assert run(*command(banks, folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


def test_another_identity_is_refused_with_the_difference(
    run: Runner, banks: list[str], few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    unfinished(run, banks, folder)
    before = hashes(folder)
    one_line(run(*command(banks, folder, [*FEW, "--seed", "9"])), 2, "seed: found 0, asked 9", "--overwrite")
    one_line(run(*command(banks, folder, ["--n", "5"])), 2, "scenes.train: found 2, asked 3")
    assert hashes(folder) == before


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
    (folder / "README.md").unlink()
    assert run("finish", str(folder)).code == 0
    assert hashes(folder) == hashes(few)
    for name in (TEST, "bank/test.parquet"):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        one_line(run("finish", str(folder)), 1, f"{folder / name}: missing or altered")
        shutil.copy(few / name, folder / name)
