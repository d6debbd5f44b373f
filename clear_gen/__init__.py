"""Acoustic question answering datasets with exact labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clear_gen.dataset.load import Scene

__version__ = "0.1.0"


def load(folder: str | Path, split: str) -> Iterator[Scene]:
    """The scenes of one split of a dataset, in order: graph, waveform (float32), sample rate.

    See ``clear_gen.dataset.load``, imported here only when called, so that the command line starts at once.
    """
    from clear_gen.dataset.load import load as load_scenes

    return load_scenes(folder, split)
