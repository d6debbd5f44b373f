"""What cannot be written is found before the work, by every command that writes something."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from baselines.cli import cli as bench
from baselines.cli import run as run_bench
from clear_gen.cli import cli as gen
from clear_gen.cli import run
from clear_gen.cli.common import WRONG_INPUT, Output
from clear_gen.core.errors import InputError
from clear_gen.core.files import check_writable
from tests.cli.test_verbosity import leaves

WRITTEN = {"--out", "--export", "--cache", "OUT"}  # and --json with a file


@pytest.mark.parametrize("program", [gen, bench])
def test_every_output_is_checked(program: click.Command) -> None:
    n = 0
    for command in dict(leaves(program)).values():
        for parameter in command.params:
            names = {*parameter.opts, parameter.human_readable_name}
            is_output = bool(names & WRITTEN) or ("--json" in names and isinstance(parameter.type, click.Path))
            assert isinstance(parameter.type, Output) == is_output, (command.name, parameter.name)
            n += is_output
    assert n >= 5


@pytest.mark.parametrize(
    ("program", "arguments", "problem"),
    [
        (run, ["audit", "nothing", "--out", "{file}/page.html"], "found a file at {file}, expected a folder"),
        (run, ["audit", "nothing", "--json", "{tmp}"], "{tmp}: found a folder, expected a file"),
        (run, ["scenes", "--out", "{file}", "--dry-run"], "{file}: found a file, expected a folder"),
        (run, ["show", "nothing", "--out", os.devnull], f"{os.devnull}: found a device, expected a file"),
        (run_bench, ["compare", "a", "b", "--json", "{tmp}"], "{tmp}: found a folder, expected a file"),
        (run_bench, ["train", "nothing", "--out", "{file}"], "{file}: found a file, expected a folder"),
    ],
)
def test_the_output_comes_before_all_else(
    program: object, arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(program)
    (tmp_path / "file").write_text("")
    places = {"file": tmp_path / "file", "tmp": tmp_path}
    assert program([argument.format(**places) for argument in arguments]) == WRONG_INPUT
    assert capsys.readouterr().err.strip().endswith(problem.format(**places))


def test_trying_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("old")
    for path, is_folder in (("file", False), ("new/deep/file", False), ("new/deep", True), (".", True)):
        check_writable(tmp_path / path, is_folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]
    monkeypatch.chdir(tmp_path)
    check_writable(Path("new"), is_folder=True)


def test_a_place_that_refuses_files_is_named() -> None:
    if not Path("/proc/self").exists():
        pytest.skip("no file system here that nobody can write to")
    with pytest.raises(InputError, match=r"/proc/page\.html: cannot be written \(/proc: .*\); choose another place"):
        check_writable(Path("/proc/page.html"), is_folder=False)
