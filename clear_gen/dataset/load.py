"""Reading a dataset back, scene by scene, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clear_gen.dataset.build import finished_settings
from clear_gen.dataset.layout import scene_files
from clear_gen.io import InputError, decode_flac, from_pcm16, open_parquet
from clear_gen.scenes.graph import SceneGraph, graph_of_row


@dataclass(frozen=True)
class Scene:
    """One scene. ``waveform``: float32 [n_samples], full scale 1; None in a dataset without audio."""

    graph: SceneGraph
    waveform: np.ndarray | None
    sample_rate: int


def load(folder: str | Path, split: str) -> Iterator[Scene]:
    """The scenes of one split of a finished dataset, in order, one row group in memory at a time.

    Raises InputError if there is no dataset in ``folder`` or no such split in it.
    """
    folder = Path(folder)
    settings = finished_settings(folder)
    if not settings.sizes.get(split):
        expected = ", ".join(name for name, size in settings.sizes.items() if size)
        raise InputError(f"{folder}: split: found {split!r}, expected one of: {expected}")
    return _scenes([folder / file.name for file in scene_files(settings.sizes) if file.split == split])


def _scenes(paths: list[Path]) -> Iterator[Scene]:
    for path in paths:
        file = open_parquet(path)
        for number in range(file.num_row_groups):
            for row in file.read_row_group(number).to_pylist():
                graph = graph_of_row(row)
                waveform = None
                if row["audio"] is not None:
                    pcm, _ = decode_flac(row["audio"]["bytes"], f"{path}: {graph.scene_id}")
                    waveform = from_pcm16(pcm)
                yield Scene(graph, waveform, graph.sample_rate)
