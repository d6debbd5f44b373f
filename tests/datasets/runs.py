"""What the tests of whole runs share: small banks, commands in processes of their own, hashes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.core.files import sha256_file
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.bank import Bank, build_bank, write_bank
from clear_gen.sounds.recording import Recording
from tests.banks import tone_bank

RATE = 8000  # Hz, the lowest there is
ROOT = Path(__file__).parents[2]
SCENES = tuple(f"clear_gen.datasets.scenes.{name}" for name in ("build", "console", "validate"))
PROGRESS = re.compile(r"[\w: ]+ [\d,]+/[\d,]+($| in |, )|[a-z ]+, (\d+ min )?\d+ s$")


@cache
def small_banks() -> dict[str, Bank]:
    """40 short sounds a side: tones to train, pairs of tones to test, so that no recording is in both."""
    train = tone_bank(40, RATE)
    train = replace(train, sounds=tuple(replace(sound, licence="CC0-1.0") for sound in train.sounds))
    recordings = []
    for index, sound in enumerate(train.sounds):
        other = train.sounds[(index + 7) % 40]
        n = min(len(sound.pcm), len(other.pcm))
        pair = (sound.waveform[:n], other.waveform[:n])
        level = (0.03, 0.1)[index % 2]  # both labels of loudness must occur
        samples = sum((level / np.float32(wave.std())) * wave for wave in pair)  # as loud, or one would hide the other
        given = {name: sound.attributes[name] for name in ("instrument", "note", "octave")}
        recordings.append(Recording(f"pair-{index:03d}", given, samples, RATE, "test, pairs", "CC0-1.0"))
    attributes = load_domain("clear2").attributes
    return {"train": train, "test": build_bank(recordings, "clear2", attributes, train.thresholds)}


def write_banks(folder: Path, banks: Mapping[str, Bank] | None = None) -> list[str]:
    """The options of ``clear-gen scenes`` that name these banks (else the small ones), written below ``folder``."""
    options = []
    for side, bank in (small_banks() if banks is None else banks).items():
        path = folder / f"{side}.parquet"
        write_bank(bank, path)
        options += [{"train": "--bank", "test": "--test-bank"}[side], str(path)]
    return options


def make_scenes(
    folder: Path, *options: str, banks: Mapping[str, Bank] | None = None, audio: bool = True, asked: bool = False
) -> Path:
    """A dataset of ``clear-gen scenes`` in ``folder / "data"``, from banks beside it, with questions if ``asked``."""
    arguments = ["--sample-rate", str(RATE), "--workers", "1", *write_banks(folder, banks), *options]
    assert run(["scenes", *arguments, *["--no-audio"] * (not audio), "--out", str(folder / "data")]) == DONE
    if asked:
        assert run(["questions", str(folder / "data"), "--workers", "1"]) == DONE
    return folder / "data"


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder``, hidden ones too, by relative path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256_file(path) for path in paths}


def inodes(folder: Path) -> dict[str, tuple[int, int]]:
    """What changes when a file is written anew, of every whole file below ``folder``."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".arrow", ".parquet")]
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def environment(tmp_path: Path, fault: dict[str, Any] | None = None) -> dict[str, str]:
    """Variables with which a process, and all that it starts, meets ``fault``."""
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site/sitecustomize.py").write_text("import tests.datasets.faultpoints\n")
    added = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    return added if fault is None else {**added, "CLEAR_FAULT": json.dumps(fault)}


@dataclass(frozen=True)
class Done:
    """How a command ended: process id, exit code (negative: the signal), what it printed, seconds."""

    pid: int
    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> list[str]:
        """The lines on stderr besides progress."""
        lines = [line.strip() for line in self.err.splitlines()]
        return [line for line in lines if line and not PROGRESS.match(line)]


class Runner:
    """Runs ``clear-gen`` commands, each in a process of its own, one after the other."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self.pid = 0
        self._running = False

    def start(self, *arguments: str, **how: Any) -> None:
        """Begin a command, whose process is ``pid``; ``how``: what ``faultpoints.serve`` understands."""
        request = {"arguments": arguments, "out": str(self._folder / "out"), "err": str(self._folder / "err"), **how}
        if self._running:  # a test failed before it asked for the end of its run
            self.result()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        self.pid = json.loads(self._process.stdout.readline())
        self._running = True

    def result(self) -> Done:
        """Wait for its end."""
        assert self._process.stdout is not None
        code, seconds = json.loads(self._process.stdout.readline())
        self._running = False
        return Done(self.pid, code, (self._folder / "out").read_text(), (self._folder / "err").read_text(), seconds)

    def kill(self) -> Done | None:
        """Kill the command, if one still runs, as the system does."""
        if not self._running:
            return None
        os.kill(self.pid, signal.SIGKILL)
        return self.result()

    def __call__(self, *arguments: str, **how: Any) -> Done:
        """Start a command and wait for its end."""
        self.start(*arguments, **how)
        return self.result()


@contextmanager
def runner(folder: Path, program: str = "clear_gen.cli", late: Sequence[str] = SCENES) -> Iterator[Runner]:
    """A ``Runner`` of a program's commands, whose output lies below ``folder``; see ``faultpoints.serve``."""
    folder.mkdir(exist_ok=True)
    served = ", ".join(map(repr, [program, *late]))
    process = subprocess.Popen(
        [sys.executable, "-c", f"from tests.datasets import faultpoints; faultpoints.serve({served})"],
        env={**os.environ, **environment(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Runner(process, folder)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
