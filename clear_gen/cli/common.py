"""What several commands share: options, and a sign of life while they work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


def shard_of_array(index: int | None, of: int | None) -> tuple[int, int]:
    """(index from 0, number of shards), by flags or by the SLURM array, whatever its first index and step are."""
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


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """A spinner on stderr while something takes seconds."""
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
