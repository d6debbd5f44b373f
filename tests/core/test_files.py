"""Files appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clear_gen.core.files import atomic_path, write_text

HALF_WRITTEN = """
import os, signal, sys
from pathlib import Path
from clear_gen.core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary, open(temporary, "wb") as file:
    file.write(b"half of the new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_finished_write_replaces_the_file_and_leaves_no_temporary(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    for text in ("first", "second: Ωメ\n"):
        write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert list(path.parent.iterdir()) == [path]


def write_half(path: Path, error: type[BaseException]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half of the new")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_an_error_leaves_the_old_file_and_no_temporary(tmp_path, error, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(error):
        write_half(path, error)
    assert [entry.name for entry in tmp_path.iterdir()] == ([] if old is None else ["file"])
    assert old is None or path.read_bytes() == old


def test_the_old_file_is_there_until_the_body_ends(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_body_that_writes_nothing_is_an_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No such file"), atomic_path(path):
        pass
    assert path.read_bytes() == b"old"


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file_and_the_next_write_works(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", HALF_WRITTEN, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_text(path, "new")
    assert path.read_bytes() == b"new"


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_is_before_the_write_returns(tmp_path, monkeypatch):
    steps = []

    def watched(name: str):
        original = getattr(os, name)

        def call(first, *others):
            place = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else str(first)
            steps.append((name, place if Path(place) == tmp_path else "the file"))
            return original(first, *others)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, watched(name))
    write_text(tmp_path / "file", "content")
    assert steps == [("fsync", "the file"), ("replace", "the file"), ("fsync", str(tmp_path))]
