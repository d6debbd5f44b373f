"""The kinds of datasets: what each puts into the engine of ``store``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clear_gen.datasets.dataset import Dataset


def open_dataset(folder: str | Path) -> Dataset:
    """The finished dataset in ``folder``: see ``clear_gen.datasets.dataset``, which is imported when it is needed.

    Raises InputError if there is none, or if its ``clear.json`` is malformed or of another format.
    """
    from clear_gen.datasets.dataset import open_dataset

    return open_dataset(folder)
