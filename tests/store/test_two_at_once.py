"""Two runs in one folder: the later one is refused, and harms nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets.runs import Runner, hashes, runner
from tests.store.commands import (
    FEW,
    TRAIN,
    command,
    one_line,
    unfinished,
    wait_for,
)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("second"), "tests.store.stub") as it:
        yield it


def test_a_second_run_in_the_folder_says_so_and_stops(run: Runner, second: Runner, few: Path, tmp_path: Path) -> None:
    folder, go_on, arrived = tmp_path / "data", tmp_path / "go on", tmp_path / "arrived"
    first = command(folder, FEW)
    fault = {"folder": str(folder), "action": "wait", "step": f"replace {TRAIN}"}
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
    run: Runner, second: Runner, few: Path, tmp_path: Path, state: str
) -> None:
    folder, go_on, arrived = tmp_path / "data", tmp_path / "go on", tmp_path / "arrived"
    fault = {"folder": str(folder), "action": "wait", "step": "mkdir .partial"}
    other = command(folder, FEW, 1, "--seed", "1")
    run.start(*other, fault={**fault, "once": str(arrived), "until": str(go_on)})
    wait_for(arrived)
    try:
        if state == "finished":
            assert second(*command(folder, FEW)).code == 0
        else:
            unfinished(second, folder)
        before = hashes(folder)
    finally:
        go_on.touch()
        late = run.result()
    assert hashes(folder) == before
    one_line(late, 2, f"{folder}: holds another dataset (seed: found 0, asked 1)")
