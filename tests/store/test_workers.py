"""The pool: every task has its result, whoever dies; nothing is left running."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.store.workers import Call, Died, Pool
from tests.datasets.faultpoints import workers_of

# --- what the workers do ----------------------------------------------------------------------------------------------


def start(argument: str) -> str:
    return f"with {argument}"


def never_start(argument: str) -> NoReturn:
    raise InputError(f"{argument}: not found")


def twice(state: str, x: int) -> tuple[str, int, int]:
    return state, 2 * x, os.getpid()


def die(_state: str, how: int) -> None:
    os.kill(os.getpid(), how)


def die_once(_state: str, marker: Path) -> str:
    try:
        marker.open("x").close()
    except FileExistsError:
        return "alive"
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leave(_state: str, code: int) -> NoReturn:
    os._exit(code)


def fail(_state: str, error: Exception) -> NoReturn:
    raise error


def note(_state: str, path: Path) -> None:
    time.sleep(0.5)
    path.touch()


def idle(_state: str, marker: Path) -> None:
    marker.touch()
    time.sleep(60)


# --- tests ------------------------------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def results_of(n: int, prepare: Callable[[str], Any], *tasks: Call) -> dict[str, Any]:
    with Pool(n, prepare, "bank") as pool:
        for task in tasks:
            pool.submit(task)
        return {task.name: result for task, result in pool.results()}


def test_results_come_from_n_processes_that_were_prepared() -> None:
    tasks = [Call(str(x), twice, (x,)) for x in range(50)]
    with Pool(2, start, "ready") as pool:
        for task in tasks:
            pool.submit(task)
        results = dict(pool.results())
        pids = {pid for _, _, pid in results.values()}
        assert len(pids) == 2
        assert os.getpid() not in pids
        assert all(map(alive, pids))
        assert set(workers_of(os.getpid())) >= pids
    assert {task: result[:2] for task, result in results.items()} == {
        task: ("with ready", 2 * task.arguments[0]) for task in tasks
    }
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)  # not even as zombies


def test_no_more_processes_than_tasks_and_none_without() -> None:
    with Pool(8, start, "") as pool:
        assert list(pool.results()) == []
        pool.submit(Call("one", twice, (1,)))
        assert [result[1] for _, result in pool.results()] == [2]
        assert len(workers_of(os.getpid())) == 1


def test_tasks_submitted_while_results_come() -> None:
    seen = []
    with Pool(2, start, "") as pool:
        pool.submit(Call("1", twice, (1,)))
        for _, (_, x, _) in pool.results():
            seen.append(x)
            if x < 64:
                pool.submit(Call(str(x), twice, (x,)))
    assert seen == [2, 4, 8, 16, 32, 64]


def test_a_task_whose_worker_dies_once_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with Pool(2, start, "") as pool:
        pool.submit(Call("the unlucky one", die_once, (tmp_path / "marker",)))
        pool.submit(Call("another", twice, (4,)))
        results = {task.name: result for task, result in pool.results()}
    assert results["the unlucky one"] == "alive"
    assert results["another"][1] == 8
    assert caplog.messages == ["the unlucky one: its worker died (killed by SIGKILL, out of memory?); trying once more"]


def test_a_task_that_always_kills_its_worker_is_given_up_and_the_others_are_done() -> None:
    tasks = [
        Call("killed", die, (signal.SIGKILL,)),
        Call("crashed", die, (signal.SIGSEGV,)),
        Call("left", leave, (3,)),
        *(Call(str(x), twice, (x,)) for x in range(6)),
    ]
    with Pool(2, start, "") as pool:
        for task in tasks:
            pool.submit(task)
        results = {task.name: result for task, result in pool.results()}
        pids = workers_of(os.getpid())
    assert results["killed"] == Died("killed by SIGKILL, out of memory?")
    assert isinstance(results["crashed"], Died)
    assert "SIGSEGV" in results["crashed"].how
    assert results["left"] == Died("exit code 3")
    assert [results[str(x)][1] for x in range(6)] == [0, 2, 4, 6, 8, 10]
    assert not any(map(alive, pids))


@pytest.mark.parametrize(
    "error", [InputError("a.parquet: wrong"), CheckFailed("no"), OSError(28, "No space left on device", "a.arrow")]
)
def test_an_exception_is_raised_here_with_type_and_message_after_the_others_ended(
    tmp_path: Path, error: Exception
) -> None:
    with pytest.raises(type(error)) as caught:
        results_of(2, start, Call("slow", note, (tmp_path / "written",)), Call("bad", fail, (error,)))
    assert str(caught.value) == str(error)
    assert getattr(caught.value, "filename", None) == getattr(error, "filename", None)
    assert "in fail" in caught.value.__notes__[0]  # where it was raised, for those who did not expect it
    assert (tmp_path / "written").exists()
    assert workers_of(os.getpid()) == []


def test_a_worker_that_cannot_be_prepared_raises_its_error() -> None:
    with pytest.raises(InputError, match="bank: not found"):
        results_of(1, never_start, Call("1", twice, (1,)))


PARENT = """
import sys
from pathlib import Path
from tests.store.test_workers import idle, start
from clear_gen.store.workers import Pool, Call

if __name__ == "__main__":
    with Pool(2, start, "") as pool:
        for name in sys.argv[1:]:
            pool.submit(Call(name, idle, (Path(name),)))
        list(pool.results())
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    markers = [tmp_path / "1", tmp_path / "2"]
    path = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), *map(str, markers)], env={**os.environ, "PYTHONPATH": path}
    )
    deadline = time.monotonic() + 60
    while not all(marker.exists() for marker in markers) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = workers_of(parent.pid)
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 2
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers))
