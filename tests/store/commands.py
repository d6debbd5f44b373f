"""What the tests of the engine's faults share: commands on stub datasets, steps on the disk, damage to files."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

from tests.datasets.runs import Done, Runner, inodes

FEW = "2,0,2"  # two chunks, two files
MANY = "297,17,16"  # five chunks, three files
TRAIN, TEST = "records/train-00000-of-00001.parquet", "records/test-00000-of-00001.parquet"
WORDS = "extra/words.txt"
CHUNK, ITS_NAME = ".partial/records-train-0000100.arrow", "records train-000100 to train-000199"
FIRST_CHUNK = ".partial/records-train-0000000.arrow"
SLOWLY = ("--pause-s", "0.5")  # a chunk
TO_GO_ON = "interrupted; run the same command again to go on"


def command(folder: Path, sizes: str, workers: int = 1, *more: str) -> list[str]:
    """The command that makes a dataset of these sizes."""
    return ["make", str(folder), "--sizes", sizes, "--workers", str(workers), *more]


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


def wait_for_a_chunk(folder: Path, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not list(folder.glob(".partial/*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.01)


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


def nothing_lost(folder: Path, before: dict[str, tuple[int, int]]) -> None:
    """What was whole before is there as it was; a chunk may also have become part of its file."""
    now = inodes(folder)
    for name, inode in before.items():
        assert is_there(folder, name, now), name
        assert now.get(name, inode) == inode, name


def is_there(folder: Path, name: str, now: dict[str, tuple[int, int]]) -> bool:
    """Whether a file is there, or, if it is a chunk, the file of which it is a part."""
    config, split = (*Path(name).name.split("-"), "")[:2]
    in_its_file = name.endswith(".arrow") and f"{config}/{split}-00000-of-00001.parquet" in now
    return (folder / name).exists() or in_its_file


def unfinished(run: Runner, folder: Path, *more: str) -> None:
    """The chunk of the first file is there, no file is."""
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN}"}
    assert run(*command(folder, FEW, 1, *more), fault=fault).code == -signal.SIGKILL
    assert (folder / FIRST_CHUNK).exists()


# --- damage -----------------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("years of work\n" * 100)


def flip(path: Path, part: float) -> None:
    """Alter one byte, that far into the file."""
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 4
    path.write_bytes(content)
