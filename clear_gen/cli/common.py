"""Shared by several commands: how they are run, options, worker pools."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clear_gen.cli.verbosity import logging_to_stderr
from clear_gen.core.choice import Choice

if TYPE_CHECKING:
    from clear_gen.store.workers import Engine

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def run_group(group: click.Command, name: str, arguments: list[str]) -> int:
    """Run a command line called ``name``, every expected error being one line.

    Returns 0 done, 1 a check or a job failed, 2 wrong usage or input, 130 interrupted.
    """
    try:
        with logging_to_stderr():
            group.main(arguments, prog_name=name, standalone_mode=False)
        return DONE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to go on", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains as it exits
        return DONE
    except Exception as error:
        return _expected(error, name)


def _expected(error: Exception, name: str) -> int:
    from clear_gen.core.errors import CheckFailed, InputError
    from clear_gen.core.extras import missing

    if isinstance(error, ModuleNotFoundError):
        error = missing(error) or error
    if not isinstance(error, InputError | CheckFailed | OSError):
        raise error
    message = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{os.fsdecode(error.filename)}: {error.strerror}"
    click.echo(f"{name}: {' '.join(message.split())}", err=True)
    return WRONG_INPUT if isinstance(error, InputError) else FAILED


def shard_of_array(index: int | None, of: int | None) -> tuple[int, int]:
    """(index from 0, number of shards) from the flags or the SLURM array, for any first index and step of the array."""
    texts = {name: os.environ.get(f"SLURM_ARRAY_TASK_{name}", "0") for name in ("ID", "COUNT", "MIN", "STEP")}
    if wrong := [f"SLURM_ARRAY_TASK_{name}" for name, text in texts.items() if not text.isdecimal()]:
        raise click.UsageError(f"{wrong[0]}: found no whole number; unset it, or give --num-shards and --shard-index")
    array = {name: int(text) for name, text in texts.items()}
    if of is None:
        of = array["COUNT"] or 1
    if index is None:
        index = (array["ID"] - array["MIN"]) // (array["STEP"] or 1) if array["COUNT"] else 0
    if not 0 <= index < of:
        raise click.UsageError(f"--shard-index: found {index}, expected 0 to {of - 1} (--num-shards {of})")
    return index, of


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--workers``, ``--engine`` and ``--address`` of commands whose chunks a cluster can make."""
    for option in (
        click.option("--address", help="Of the Ray cluster: HOST:PORT, or auto.  [default: this machine's]"),
        click.option(
            "--engine",
            type=Choice(["processes", "ray"]),
            default="processes",
            show_default=True,
            help="Where workers run: on this machine, or on a Ray cluster that shares the folder.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="Processes, or chunks at a time on Ray.  [default: one per core]",
        ),
    ):
        command = option(command)
    return command


def shard_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--num-shards`` to ``--overwrite`` of commands that make a dataset."""
    for option in (
        click.option("--overwrite", is_flag=True, help="Replace a dataset that is already in the folder."),
        click.option("--dry-run", is_flag=True, help="Print what would be made, how long it takes, how large it gets."),
        click.option(
            "--shard-index", type=int, help="Which of them, from 0.  [default: from SLURM_ARRAY_TASK_ID, or 0]"
        ),
        click.option(
            "--num-shards",
            type=click.IntRange(min=1),
            help="Jobs that share the work.  [default: SLURM_ARRAY_TASK_COUNT, or 1]",
        ),
    ):
        command = option(command)
    return command


class Output(click.Path):
    """A path that a command writes to. That it can be written is checked before any work."""

    def __init__(self, is_folder: bool) -> None:
        super().__init__(path_type=Path)
        self._is_folder = is_folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises InputError if it cannot be written."""
        from clear_gen.core.files import check_writable

        path = super().convert(value, param, ctx)
        assert isinstance(path, Path)  # by path_type
        check_writable(path, self._is_folder)
        return path


OUT_FILE, OUT_FOLDER = Output(is_folder=False), Output(is_folder=True)


class ListingCommand(click.Command):
    """A command whose help ends with a list of names and summaries, read when the help is shown."""

    def __init__(
        self, *arguments: Any, listing: str, summaries: Callable[[], Mapping[str, str]], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._listing, self._summaries = listing, summaries

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list after the options."""
        with formatter.section(self._listing):
            formatter.write_dl(list(self._summaries().items()))


@contextmanager
def workers_of(engine: str, address: str | None, workers: int | None) -> Iterator[tuple[int, Engine]]:
    """How many workers there are by these options, and what they run in, while a command has work for them."""
    from clear_gen.store import workers as processes

    if engine == "processes":
        if address is not None:
            raise click.UsageError("--address: found without --engine ray")
        yield workers or cores(), processes.Pool
        return
    from clear_gen.store import ray_pool

    with ray_pool.connected(address) as n:
        yield workers or n, ray_pool.RayPool


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
