"""Damaged files are made again, foreign ones are refused and kept."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.runs import Runner, hashes, inodes
from tests.store.commands import (
    CHUNK,
    FEW,
    FIRST_CHUNK,
    MANY,
    TEST,
    TRAIN,
    WORDS,
    command,
    cut,
    empty,
    flip,
    one_line,
    text,
    unfinished,
)


def parquet(path: Path) -> None:
    pq.write_table(pa.table({"thesis": ["years of work"]}), path)


@pytest.mark.parametrize("damage", [cut, empty, text])
def test_what_an_unfinished_run_left_damaged_is_made_again(
    run: Runner, few: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    unfinished(run, folder)
    damage(folder / FIRST_CHUNK)
    done = run(*command(folder, FEW))
    assert done.code == 0
    assert len(done.said) == 1
    assert str(folder / FIRST_CHUNK) in done.said[0]
    assert done.said[0].endswith("ing it again")
    assert hashes(folder) == hashes(few)


def test_a_chunk_of_another_dataset_is_made_again(run: Runner, few: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "data", tmp_path / "other"
    unfinished(run, folder)
    unfinished(run, other, "--seed", "1")
    shutil.copy(other / FIRST_CHUNK, folder / ".partial")
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_damaged_file_is_made_again(run: Runner, few: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    damage(folder / TRAIN)
    one = inodes(folder)[TEST]
    finish = run("finish", str(folder))
    one_line(finish, 1, f"{folder / TRAIN}: missing or altered since the dataset was finished")
    done = run(*command(folder, FEW))
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


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_one_byte_of_a_chunk_is_no_chunk(run: Runner, few: Path, tmp_path: Path, part: float) -> None:
    folder = tmp_path / "data"
    unfinished(run, folder)
    flip(folder / FIRST_CHUNK, part)
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


def test_a_chunk_in_the_place_of_another_is_no_chunk(run: Runner, many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"}
    assert run(*command(folder, MANY), fault=fault).code == -signal.SIGKILL
    shutil.copy(folder / FIRST_CHUNK, folder / CHUNK)
    assert run(*command(folder, MANY)).code == 0
    assert hashes(folder) == hashes(many)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_file_altered_before_the_end_is_made_again(run: Runner, few: Path, tmp_path: Path, part: float) -> None:
    folder = tmp_path / "data"
    fault = {"folder": str(folder), "action": "kill", "step": "fsync README.md~"}
    assert run(*command(folder, FEW), fault=fault).code == -signal.SIGKILL
    flip(folder / TRAIN, part)
    one_line(run("finish", str(folder)), 1, str(folder / TRAIN))
    done = run(*command(folder, FEW))
    assert done.code == 0
    assert done.said == [f"{folder / TRAIN}: altered since it was written; making it again"]
    assert hashes(folder) == hashes(few)


def test_making_a_lost_file_again_does_not_bless_an_altered_one(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    flip(folder / TRAIN, 0.5)
    (folder / TEST).unlink()
    done = run(*command(folder, FEW))
    assert done.code == 0
    assert done.said == [f"{folder / TRAIN}: altered since it was written; making it again"]
    assert hashes(folder) == hashes(few)


MOVE = "move the file away and run again"


@pytest.mark.parametrize("state", ["finished", "unfinished"])
@pytest.mark.parametrize("put", [from_other_seed, foreign_parquet])
def test_a_foreign_file_is_refused_and_kept(
    run: Runner,
    few: Path,
    other_seed: Path,
    tmp_path: Path,
    state: str,
    put: Callable[[Path, Path], None],
) -> None:
    folder = tmp_path / "data"
    if state == "finished":
        shutil.copytree(few, folder)
    else:
        unfinished(run, folder)
    put(folder, other_seed)
    before = hashes(folder)
    one_line(run(*command(folder, FEW)), 2, f"{folder / TRAIN}: found", "of another dataset", MOVE)
    now = hashes(folder)
    assert now[TRAIN] == before[TRAIN]
    assert before.keys() - {"clear.json"} <= now.keys()
    (folder / TRAIN).rename(tmp_path / "moved")
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (WORDS, Path.unlink),
        (TEST, Path.unlink),
        (TEST, cut),
        ("README.md", Path.unlink),
    ],
)
def test_the_same_command_mends_a_finished_dataset(
    run: Runner, few: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    damage(folder / name)
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("name", ["clear.json", ".partial/clear.json"])
@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_damaged_identity_is_refused(
    run: Runner, few: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    if name == "clear.json":
        shutil.copytree(few, folder)
    else:
        unfinished(run, folder)
    damage(folder / name)
    before = hashes(folder)
    one_line(run(*command(folder, FEW)), 2, str(folder / name))
    assert hashes(folder) == before


def test_a_finished_dataset_whose_identity_was_lost_can_be_had_again(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    (folder / "clear.json").unlink()
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)
