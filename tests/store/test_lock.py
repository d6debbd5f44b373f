"""One run at a time on each file: who is refused, who waits, and that a lock never outlives its run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from clear_gen.core.errors import CheckFailed
from clear_gen.store.lock import LOCK, at_work

OTHER = """
import json, shutil, sys
from pathlib import Path
from clear_gen.store.lock import at_work, let_finish, wait_to_finish
from clear_gen.core.errors import CheckFailed

def say(text):
    print(text, flush=True)

folder, files = Path(sys.argv[1]), json.loads(sys.argv[2])
try:
    with at_work(folder, files) as lock:
        say("in")
        for line in sys.stdin:
            if line.strip() == "let":
                let_finish(lock)
            elif line.strip() == "wait":
                wait_to_finish(lock)
            elif line.strip() == "remove":
                shutil.rmtree(folder / ".partial")
            else:
                break
            say(line.strip())
except CheckFailed as error:
    say(error)
"""


class Other:
    """Another process that takes the lock and does as it is told."""

    def __init__(self, folder: Path, files: Sequence[int] | None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(folder), json.dumps(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def says(self, within_s: float = 20) -> str | None:
        """Its next line; None if there is none in this time."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if line := self.process.stdout.readline():
                return line.strip()
            time.sleep(0.01)
        return None

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        print(word, file=self.process.stdin, flush=True)


Start = Callable[[Sequence[int] | None], Other]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Start]:
    others: list[Other] = []

    def start(files: Sequence[int] | None) -> Other:
        others.append(Other(tmp_path, files))
        return others[-1]

    yield start
    for one in others:
        one.process.kill()
        one.process.communicate()


def refused(folder: Path) -> str:
    return f"{folder}: another run is at work in it; wait for its end, or stop it"


def test_who_is_refused_and_who_is_not(tmp_path: Path, other: Start) -> None:
    first = other([0, 2])
    assert first.says() == "in"
    first.tell("let")
    assert first.says() == "let"
    for files, answer in (([1, 3], "in"), ([0, 2], refused(tmp_path)), ([3, 2], refused(tmp_path)), ([], "in")):
        with _trying(tmp_path, files) as found:
            assert found == answer, files
    with _trying(tmp_path, None) as found:
        assert found == refused(tmp_path)
    first.tell("leave")
    first.process.wait(20)
    with _trying(tmp_path, None) as found:
        assert found == "in"
        assert other([5]).says() == refused(tmp_path)
        assert other(None).says() == refused(tmp_path)


class _trying:
    """Take the lock in this process; gives "in", or why not."""

    def __init__(self, folder: Path, files: Sequence[int] | None) -> None:
        self._lock = at_work(folder, files)
        self._inside = False

    def __enter__(self) -> str:
        try:
            self._lock.__enter__()
        except CheckFailed as error:
            return str(error)
        self._inside = True
        return "in"

    def __exit__(self, *error: object) -> None:
        if self._inside:
            self._lock.__exit__(None, None, None)


def test_a_killed_holder_locks_nobody_out(tmp_path: Path, other: Start) -> None:
    first = other(None)
    assert first.says() == "in"
    first.process.kill()
    first.process.wait()
    assert (tmp_path / ".partial" / LOCK).exists()
    with at_work(tmp_path):
        pass


def test_finishing_keeps_the_others_waiting(other: Start) -> None:
    first, second = other([0]), None
    assert first.says() == "in"  # and has not yet said that another may finish
    second = other([1])
    assert second.says(within_s=1) is None
    first.tell("let")
    assert first.says() == "let"
    assert second.says() == "in"  # now the second holds the finishing
    first.tell("wait")
    assert first.says(within_s=0.5) is None
    second.tell("leave")
    assert first.says() == "wait"


def test_a_lock_removed_by_who_finishes_neither_locks_out_nor_lets_in_two(tmp_path: Path, other: Start) -> None:
    first = other([0])
    assert first.says() == "in"
    waiting = other([1])  # has opened the file that is about to be removed
    assert waiting.says(within_s=1) is None
    first.tell("remove")
    assert first.says() == "remove"
    first.tell("leave")
    assert waiting.says() == "in"
    assert other([1]).says() == refused(tmp_path)  # so the one that waited holds the file that is there now
    waiting.tell("leave")
    waiting.process.wait(20)
    with at_work(tmp_path):
        pass


def test_the_lock_comes_with_the_folder_and_does_no_harm_to_an_error(tmp_path: Path) -> None:
    def work() -> None:
        with at_work(tmp_path / "new"):
            raise ValueError("an error of the work")

    with pytest.raises(ValueError, match="an error of the work"):
        work()
    with at_work(tmp_path / "new"):
        pass
