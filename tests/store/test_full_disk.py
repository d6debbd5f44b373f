"""No space and no permission: one line that names the file, and the same bytes in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets.runs import Runner, hashes, inodes
from tests.store.commands import (
    FEW,
    MANY,
    TRAIN,
    comes_again,
    command,
    nothing_lost,
    one_line,
    steps_of,
)


def test_a_disk_that_is_full_at_every_step_in_turn_is_named_and_costs_nothing(
    run: Runner, few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(folder, FEW), folder)
    using = [step for step in steps if comes_again(step) and not step.startswith("rmdir")]
    assert len(using) > 18
    left: dict[str, tuple[int, int]] = {}
    for step in dict.fromkeys(using):
        fault = {"folder": str(folder), "action": "full", "step": step, "number": 1}
        full = run(*command(folder, FEW), fault=fault)
        name = step.split()[1].removesuffix("~") if step != "fsync ." else "README.md"
        if step.startswith("fsync") and "." not in Path(name).suffix:  # of a folder: its latest file is named
            one_line(full, 1, f"{folder / name}", "No space left on device")
        else:
            assert (full.code, full.said) == (1, [f"clear-gen: {folder / name}: No space left on device"]), step
        if folder.exists():
            assert not [path for path in hashes(folder) if path.endswith(".tmp")], step
            nothing_lost(folder, left)
            left = inodes(folder)
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_write_that_fails_inside_the_libraries_is_one_line(
    run: Runner, many: Path, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "data"
    done = run(*command(folder, MANY, workers), file_bytes=100_000)
    one_line(done, 1, str(folder / ".partial"), "File too large")
    assert not [name for name in hashes(folder) if name.endswith(".tmp")]
    assert run(*command(folder, MANY)).code == 0
    assert hashes(folder) == hashes(many)


@pytest.mark.parametrize("place", ["the folder", "its parent", "an unfinished dataset"])
def test_a_folder_that_cannot_be_written(run: Runner, few: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "parent/data"
    closed = folder.parent if place == "its parent" else folder
    closed.mkdir(parents=True)
    if place == "an unfinished dataset":
        run(*command(folder, FEW), fault={"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"})
        closed = folder / ".partial"
    before = hashes(folder.parent)
    closed.chmod(0o555)
    try:
        done = run(*command(folder, FEW), permissions_bind=True)
    finally:
        closed.chmod(0o755)
    one_line(done, 1, str(closed), "Permission denied")
    assert hashes(folder.parent) == before
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


def test_every_file_is_on_the_disk_before_it_has_its_name_and_the_name_right_after(run: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    steps = steps_of(run, tmp_path, command(folder, FEW), folder)
    renamed = [(number, Path(step.split()[1])) for number, step in enumerate(steps) if step.startswith("replace")]
    assert len(renamed) > 8
    for number, path in renamed:
        assert f"fsync {path}~" in steps[:number], path
        assert steps[number + 1] == f"fsync {path.parent}", path
