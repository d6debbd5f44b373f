"""Fuzz one target: ``python -m tests.fuzz manifest --seconds 60 --seed 1``.

With the engine ``atheris`` libFuzzer mutates further what reached new lines of ``clear_gen``; ``random`` mutates the
seeds blindly and needs no package. A finding is shown once per place in the code, and its input kept in a folder that
is named. The last line says how many executions and findings there were. Exit code 1 if there were any, 2 for wrong
usage. A run with ``--runs`` is the same each time that the seed is.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

MAX_BYTES = 1 << 16  # of an input
TIMEOUT_S = 10  # of one execution
CRASHED = "last-input"  # in the scratch folder, which only a crash of the interpreter leaves behind


class Campaign:
    """Calls a target until the executions or the seconds are used up, and counts what it finds."""

    def __init__(self, name: str, scratch: Path, runs: int | None, seconds: float | None) -> None:
        from tests.fuzz.targets import TARGETS, checked

        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            self.target = TARGETS[name](scratch)
        self.name, self.scratch, self.runs, self.seconds = name, scratch, runs, seconds
        self.call = checked(self.target.read)
        self.executions = 0
        self.findings: dict[str, int] = {}
        self.kept: Path | None = None
        self.start = time.monotonic()

    def execute(self, data: bytes) -> None:
        """One execution; ends the process after the last."""
        (self.scratch / CRASHED).write_bytes(data)
        self.executions += 1
        signal.alarm(TIMEOUT_S)
        try:
            self.call(data)
        except Exception as error:
            signal.alarm(0)
            self._found(error, data)
        signal.alarm(0)
        out_of_time = self.seconds is not None and time.monotonic() - self.start >= self.seconds
        if self.executions == self.runs or out_of_time:
            self._end()

    def _found(self, error: Exception, data: bytes) -> None:
        place = traceback.extract_tb((error.__cause__ or error).__traceback__)[-1]
        kind = f"{str(error).split(':')[0]} at {Path(place.filename).name}:{place.lineno}"
        self.findings[kind] = self.findings.get(kind, 0) + 1
        if self.findings[kind] == 1:
            self.kept = self.kept or Path(tempfile.mkdtemp(prefix=f"fuzz-{self.name}-"))
            path = self.kept / f"{len(self.findings)}.bin"
            path.write_bytes(data)
            traceback.print_exception(error)
            print(f"finding {len(self.findings)}: {kind}; input in {path}", flush=True)

    def _end(self) -> NoReturn:
        spent_s = time.monotonic() - self.start
        for kind, times in self.findings.items():
            print(f"{times} times: {kind}")
        print(f"{self.name}: {spent_s:.1f} s, {self.executions} executions, {len(self.findings)} findings", flush=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os._exit(1 if self.findings else 0)  # libFuzzer, which may be below, never returns


def with_random(campaign: Campaign, seed: int) -> NoReturn:
    """The seeds as they are, the empty input, then mutations of the seeds."""
    rng = random.Random(seed)
    for data in [*campaign.target.seeds, b""]:
        campaign.execute(data)
    while True:
        campaign.execute(mutated(rng, campaign.target.seeds, campaign.target.words))


def mutated(rng: random.Random, seeds: list[bytes], words: list[bytes]) -> bytes:
    """One of ``seeds`` after a few edits: bytes changed, words put in, parts removed, doubled or taken from another."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([1, 1, 2, 3, 5, 9])):
        at = rng.randrange(len(data) + 1)
        stop = min(len(data), at + rng.choice([1, 2, 4, 8, 64, 512]))
        edit = rng.randrange(5)
        if edit == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif edit == 1:
            data[at:at] = rng.choice(words) if words else rng.randbytes(rng.choice([1, 5, 10]))
        elif edit == 2:
            del data[at:stop]
        elif edit == 3:
            data[at:at] = data[at:stop] * rng.choice([1, 2, 50])
        else:
            other = rng.choice(seeds)
            data[at:stop] = other[at:stop]
    return bytes(data[:MAX_BYTES])


def with_atheris(campaign: Campaign, seed: int) -> None:
    """libFuzzer, guided by the lines of code that an input reaches."""
    import atheris

    corpus = campaign.scratch / "corpus"
    corpus.mkdir()
    for place, data in enumerate(campaign.target.seeds):
        (corpus / f"seed-{place}").write_bytes(data)
    words = campaign.scratch / "words"
    words.write_text("".join(f'"{escaped(word)}"\n' for word in campaign.target.words))
    options = [f"-seed={seed or 1}", f"-max_len={MAX_BYTES}", "-rss_limit_mb=16384", "-verbosity=0"]
    options += [f"-artifact_prefix={tempfile.gettempdir()}/fuzz-{campaign.name}-"]
    options += [f"-dict={words}"] if campaign.target.words else []  # libFuzzer takes an empty one for a mistake
    atheris.Setup([sys.argv[0], *options, str(corpus)], campaign.execute)
    atheris.Fuzz()


def escaped(word: bytes) -> str:
    """``word`` as libFuzzer's dictionaries write it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def instrumented() -> None:
    """Import what is fuzzed so that atheris sees which of its lines run."""
    import atheris

    with atheris.instrument_imports(include=["clear_gen", "yaml", "tests.fuzz"]):
        importlib.import_module("tests.fuzz.targets")


def _too_slow(*_: Any) -> NoReturn:
    raise TimeoutError(f"more than {TIMEOUT_S} s")


ENGINES: dict[str, Callable[[Campaign, int], object]] = {"atheris": with_atheris, "random": with_random}


def main() -> None:
    """Read the options and fuzz until the executions or the seconds are used up."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser.add_argument("target", choices=["manifest", "domain", "graph", "planted"])
    parser.add_argument("--runs", type=int, help="end after so many executions")
    parser.add_argument("--seconds", type=float, help="end after so much time; 60 without --runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=list(ENGINES), default="atheris" if has_atheris else "random")
    options = parser.parse_args()
    if options.runs is None and options.seconds is None:
        options.seconds = 60
    if options.engine == "atheris":
        if not has_atheris:
            parser.error("--engine atheris: not installed here; pip install atheris, or --engine random")
        instrumented()
    signal.signal(signal.SIGALRM, _too_slow)
    memory = Path("/dev/shm")
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
    ENGINES[options.engine](Campaign(options.target, scratch, options.runs, options.seconds), options.seed)


if __name__ == "__main__":
    main()
