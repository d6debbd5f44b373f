"""A few seconds of fuzzing find nothing, and the harness would say it if they did."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.counts import NIGHTLY
from tests.fuzz.__main__ import ENGINES
from tests.fuzz.targets import EDIT, TARGETS, edited

ROOT = Path(__file__).resolve().parents[2]
FULL = {"manifest": 3000, "domain": 300, "graph": 1000}
RUNS = FULL if NIGHTLY else {name: n // 15 for name, n in FULL.items()}
INSTALLED = [name for name in ENGINES if name == "random" or importlib.util.find_spec(name) is not None]


def fuzz(scratch: Path, *arguments: object) -> tuple[int, int, int, str]:
    """(exit code, executions, findings, all output) of a run of the driver in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    counts = re.search(r" s, (\d+) executions, (\d+) findings\n$", done.stdout)
    assert counts, done.stdout + done.stderr
    return done.returncode, int(counts[1]), int(counts[2]), done.stdout + done.stderr


@pytest.mark.parametrize("name", RUNS)
def test_a_short_run_finds_nothing(tmp_path, name):
    """With atheris where it is installed, else with blind mutations."""
    code, executions, findings, output = fuzz(tmp_path, name, "--runs", RUNS[name], "--seed", 1)
    assert (code, executions, findings) == (0, RUNS[name], 0), output


@pytest.mark.parametrize("engine", INSTALLED)
def test_a_mistake_in_a_reader_is_found_and_its_input_kept(tmp_path, engine):
    code, executions, findings, output = fuzz(tmp_path, "planted", "--runs", 2000, "--seed", 1, "--engine", engine)
    assert (code, executions, findings) == (1, 2000, 1), output
    kept = Path(re.search(r"finding 1: ValueError at targets\.py:\d+; input in (.*)", output)[1])
    assert kept.read_bytes()[:1] == b"!"
    assert kept.is_relative_to(tmp_path)


def test_a_seed_makes_a_run_of_its_own(tmp_path):
    times = [
        re.search(r"(\d+) times: ", fuzz(tmp_path, "planted", "--runs", 900, "--seed", seed, "--engine", "random")[3])[
            1
        ]
        for seed in (1, 1, 2)
    ]
    assert times[0] == times[1] != times[2]


@pytest.mark.parametrize("name", RUNS)
def test_the_seeds_of_a_target_are_read(tmp_path, name):
    """Else the mutations would not get beyond the first check."""
    target = TARGETS[name](tmp_path)
    for data in target.seeds:
        target.read(data)


def test_edits_of_a_file_are_where_they_say():
    assert edited(b"abcdef", b"\0") == b"abcdef"
    assert edited(b"abcdef", b"\2" + b"\2\0\0\0X" + b"\7\0\0\0Y" + b"\1\0") == b"aYXdef"
    assert edited(b"abcdef", b"\1xyz") == b"xyz"
    assert EDIT == 5
