"""Types of parameters that several commands share: paths to read or to write, and names out of a list."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from clear_gen.core.choice import Choice
from clear_gen.core.errors import InputError

PATH = click.Path(path_type=Path)  # to write


class Source(click.Path):
    """A path to read. It must exist: this is checked before the command begins, in the order of the command line."""

    def __init__(self, expected: str) -> None:
        """``expected``: what it is the path of, for the message."""
        super().__init__(path_type=Path)
        self._expected = expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises InputError if nothing is there."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"{path}: not found, expected {self._expected}") from None
        except OSError:  # what reads it says why it cannot
            pass
        return path


DATASET = Source("the folder of a dataset")
RUN = Source("the folder of a run made by clear-bench train")
BANK = Source("a bank (a Parquet file)")
RECORDINGS = Source("a folder of recordings or a CSV table of them")
ROOT = Source("a folder that paths of tables may lead into")
YAML = Source("a YAML file")


class RegistryChoice(Choice):
    """One of the names in a registry, which is imported only when it is needed: its modules are slow to import."""

    def __init__(self, registry: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__(())
        self._registry = registry

    @property
    def choices(self) -> tuple[str, ...]:
        """The names, in the registry's order."""
        return tuple(self._registry())

    @choices.setter
    def choices(self, names: Iterable[str]) -> None:
        pass  # the base class sets them; the registry has them
