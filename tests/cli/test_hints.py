"""Every ``next:`` line runs as it is printed, in folders with a space in their names and for a domain of one's own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines.cli import run as clear_bench
from clear_gen.cli import run as clear_gen
from clear_gen.cli.common import DONE
from clear_gen.core.hints import COMMANDS
from clear_gen.sounds.bank import write_bank
from tests.banks import tone_bank
from tests.baselines.tasks.sed.runs import mixtures
from tests.mixtures.data import write_corpus
from tests.test_docs import own_domain

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"clear-gen": clear_gen, "clear-bench": clear_bench}
OWN = (
    "clear-gen bank import folder recordings --domain ./environmental --duration 3 5 --shortest 0.25 --sample-rate 8000"
)
SMALL = "--n 6 --splits 1,0,0 --sample-rate 8000 --workers 1"
HELD_OUT = "--model gmp --preset narrow --max-epochs 1 --fold 1"
# Command lines, in the order of a user, and the commands that the next: lines of each begin with.
STEPS = {
    f"{OWN} --table train.csv --out 'my bank'": ["clear-gen bank verify"],
    f"{OWN} --table test.csv --labels-from 'my bank' --out 'test bank'": ["clear-gen bank verify"],
    f"clear-gen scenes --domain ./environmental --bank 'my bank' {SMALL} --out 'my data'": [
        "clear-gen questions",
        "clear-gen show",
    ],
    "clear-gen questions 'my data' --domain ./environmental --workers 1": ["clear-gen audit"],
    "clear-gen finish 'my data'": ["clear-gen show"],
    f"clear-gen scenes --bank tones {SMALL} --no-audio --out graphs": ["clear-gen questions", "clear-gen render"],
    "clear-gen export 'my data' --format clear layout": [],
    "clear-gen import clear layout --domain ./environmental --out 'come back'": ["clear-gen validate"],
    "clear-gen mix --events events --backgrounds under --folds 3 --n 6 --sample-rate 8000 --snr 0 --workers 1": [
        "clear-gen validate",
        "clear-gen show",
    ],
    f"clear-bench train heard {HELD_OUT} --out 'my run'": ["clear-bench evaluate"],
}


def next_commands(printed: str) -> list[str]:
    return re.findall(r"^next: (.*)$", printed, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the command lines start from."""
    folder = tmp_path_factory.mktemp("hints")
    own_domain(folder)
    write_corpus(folder)
    mixtures(folder)
    (folder / "mixtures").rename(folder / "heard")
    write_bank(tone_bank(), folder / "tones")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def typed(line: str) -> int:
    program, *arguments = shlex.split(line)
    return PROGRAMS[program](arguments)


@pytest.mark.parametrize("line", STEPS)
def test_next_lines_run_as_printed(folder: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(line) == DONE, capsys.readouterr().err
    found = next_commands(capsys.readouterr().out)
    assert [one.startswith(f"{command} ") for one, command in zip(found, STEPS[line], strict=True)] == [True] * len(
        found
    )
    for one in found:
        assert typed(one) == DONE, (one, capsys.readouterr().err)


def test_every_command_of_a_next_line_is_tried() -> None:
    assert {command for commands in STEPS.values() for command in commands} == set(COMMANDS)


def test_no_next_line_is_written_elsewhere() -> None:
    written = [path for name in ("clear_gen", "baselines") for path in (ROOT / name).rglob("*.py")]
    assert [path.name for path in written if "next: " in path.read_text(encoding="utf-8")] == ["hints.py"]
