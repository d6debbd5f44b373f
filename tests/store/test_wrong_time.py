"""The right command at the wrong time: another identity, a finished dataset, overwriting."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from tests.datasets.runs import Runner, hashes
from tests.store.commands import (
    FEW,
    TEST,
    WORDS,
    command,
    one_line,
    unfinished,
)


def test_another_identity_is_refused_with_the_difference(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    unfinished(run, folder)
    before = hashes(folder)
    one_line(run(*command(folder, FEW, 1, "--seed", "9")), 2, "seed: found 0, asked 9", "--overwrite")
    one_line(run(*command(folder, "3,0,2")), 2, "sizes.train: found 2, asked 3")
    assert hashes(folder) == before
    assert run(*command(folder, FEW)).code == 0
    assert hashes(folder) == hashes(few)


def test_finish_on_a_finished_dataset(run: Runner, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    trace = tmp_path / "trace"
    assert run("finish", str(folder), fault={"folder": str(folder), "trace": str(trace)}).code == 0
    assert not trace.exists()
    (folder / "README.md").unlink()
    assert run("finish", str(folder)).code == 0
    assert hashes(folder) == hashes(few)
    for name in (TEST, WORDS):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        one_line(run("finish", str(folder)), 1, f"{folder / name}: missing or altered")
        shutil.copy(few / name, folder / name)


def test_overwriting_that_is_killed_at_any_step_can_be_begun_again(
    run: Runner, few: Path, other_seed: Path, tmp_path: Path
) -> None:
    folder, trace = tmp_path / "data", tmp_path / "trace"
    shutil.copytree(other_seed, folder)
    anew = [*command(folder, FEW), "--overwrite"]
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
