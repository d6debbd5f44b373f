"""--quiet and --verbose of every command, and where its log goes."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator

import click
import pytest

from baselines.cli import cli as bench
from clear_gen.cli import cli as gen
from clear_gen.cli.common import DONE, WRONG_INPUT, run_group
from clear_gen.cli.verbosity import with_verbosity
from clear_gen.core.errors import InputError
from clear_gen.core.progress import busy, progress


@click.group()
def group() -> None:
    pass


@group.command()
@click.option("--fails", is_flag=True)
def work(fails: bool) -> None:
    with busy("reading"), progress(2, 2, "scenes") as advance:
        advance(2)
    logging.getLogger("clear_gen.work").warning("left out: 3 recordings")
    logging.getLogger("other.package").warning("a warning of theirs")
    warnings.warn("deprecated", stacklevel=1)
    if fails:
        raise InputError("a.wav: not found")
    click.echo("result")


@group.command()
def outer() -> None:
    run_group(group, "program", ["work", "--quiet"])
    with progress(1, 1, "outer") as advance:
        advance(1)


with_verbosity(group)


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from leaves(one, (*path, name))
    else:
        yield " ".join(path), command


@pytest.mark.parametrize(("name", "program"), [("clear-gen", gen), ("clear-bench", bench)])
def test_every_command_takes_them(name: str, program: click.Command) -> None:
    commands = dict(leaves(program))
    assert len(commands) > 5
    for command in commands.values():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--quiet", "--verbose"} <= options


@pytest.mark.parametrize("arguments", [["work", "--quiet"], ["--quiet", "work"], ["work", "-q"]])
def test_quiet_prints_results_and_errors_only(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert run_group(group, "program", arguments) == DONE
        assert capsys.readouterr() == ("result\n", "")
        assert run_group(group, "program", [*arguments, "--fails"]) == WRONG_INPUT
    assert capsys.readouterr() == ("", "program: a.wav: not found\n")


@pytest.mark.filterwarnings("ignore:deprecated")
def test_as_it_is_a_command_shows_progress_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # one command leaves nothing for the next
        assert run_group(group, "program", ["work"]) == DONE
        lines = capsys.readouterr().err.splitlines()
        assert [line for line in lines if "theirs" not in line] == ["scenes 2/2 in 0 s", "left out: 3 recordings"]


@pytest.mark.filterwarnings("ignore:deprecated")
def test_verbose_adds_every_step_with_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_group(group, "program", ["work", "--verbose"]) == DONE
    lines = [line for line in capsys.readouterr().err.splitlines() if "theirs" not in line]
    timed = [re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (.*)", line) for line in lines]
    assert [match and match[1] for match in timed] == [
        "reading begins",
        "scenes 0/2 begins",
        "scenes 2/2 in 0 s",
        "reading took 0 s",
        "left out: 3 recordings",
    ]


@pytest.mark.filterwarnings("ignore:deprecated")
def test_a_command_that_runs_another_says_its_lines_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_group(group, "program", ["outer"]) == DONE
    assert capsys.readouterr().err == "outer 1/1 in 0 s\n"


def test_both_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_group(group, "program", ["--quiet", "work", "--verbose"]) == WRONG_INPUT
    assert "--verbose: found with --quiet, expected one of them" in capsys.readouterr().err
