"""Acoustic question answering datasets with exact labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clear_gen.datasets.mixtures.load import Mixture
    from clear_gen.datasets.scenes.load import Record, SceneRecord

__version__ = "0.2.0"


def load(folder: str | Path, split: str) -> Iterator[Record]:
    """The questions of one split of a dataset, in order, each with its scene: waveform (float32), sample rate,
    question, answer, question type, program, graph. Of a dataset without questions, its scenes.

    See ``clear_gen.datasets.scenes.load``, imported here only when called, so that the command line starts at once.
    """
    from clear_gen.datasets.scenes.load import load as load_records

    return load_records(folder, split)


def load_scenes(folder: str | Path, split: str) -> Iterator[SceneRecord]:
    """The scenes of one split of a dataset, in order: graph, waveform (float32), sample rate."""
    from clear_gen.datasets.scenes.load import load_scenes as load_all

    return load_all(folder, split)


def load_mixtures(
    folder: str | Path, snr: str | float | None = None, fold: str | int | None = None
) -> Iterator[Mixture]:
    """The mixtures of a dataset in order, at an SNR in dB (the first if None), of a fold from 1 (of all if None): each
    is its graph, waveform (float32) and sample rate.
    """
    from clear_gen.datasets.mixtures.load import load_mixtures as load_all

    return load_all(folder, snr, fold)
