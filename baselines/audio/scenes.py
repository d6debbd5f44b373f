"""Scenes as waveforms, whatever they are made from, and those decoded from the audio of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import torch

from clear_gen.core.errors import InputError
from clear_gen.core.parquet import read_row_group
from clear_gen.core.pcm import decode_flac, from_pcm16
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.datasets.scenes.load import open_scene_file
from clear_gen.datasets.scenes.manifest import Settings

AHEAD = 2  # batches that are prepared while one is computed
Given = TypeVar("Given")
Made = TypeVar("Made")


class Scenes(Protocol):
    """The N scenes of a split. ``n_samples``: int64 [N], with the tail; ``sample_rate`` in Hz."""

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""

    @property
    def n_samples(self) -> np.ndarray:
        """Length of each scene in samples: int64 [N]."""

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        """float32 [at most ``batch``, N] on ``device``, full scale 1, zero after each scene's end; in order."""
        ...


def scene_tables(folder: Path, split: str, settings: Settings, columns: list[str]) -> Iterator[tuple[pa.Table, Path]]:
    """The row groups of a split's scenes, in order, and the file of each."""
    for path in [folder / file.name for file in scene_files(settings.sizes) if file.split == split]:
        opened = open_scene_file(path, settings)
        for number in range(opened.num_row_groups):
            yield read_row_group(opened, number, path, columns), path


def ahead(
    function: Callable[[Given], Made], items: Iterator[Given], pool: ThreadPoolExecutor, n: int
) -> Iterator[Made]:
    """``map(function, items)`` in the pool's threads, in order, never more than ``n`` results ahead of their reader."""
    waiting: list[Future[Made]] = [pool.submit(function, item) for item in islice(items, n)]
    while waiting:
        done = waiting.pop(0).result()
        waiting += [pool.submit(function, item) for item in islice(items, 1)]
        yield done


class AudioScenes:
    """Scenes decoded from the FLAC of a dataset."""

    def __init__(self, folder: Path, split: str, settings: Settings) -> None:
        self._folder, self._split, self._settings = folder, split, settings
        self.sample_rate = settings.sample_rate
        lengths = [table["n_samples"].to_numpy() for table, _ in scene_tables(folder, split, settings, ["n_samples"])]
        self.n_samples = np.concatenate(lengths)

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        """See ``Scenes``. Raises InputError naming the scene whose audio is missing, damaged or of another length."""
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            decoded = ahead(self._decoded, self._rows(), pool, AHEAD * batch)
            for first in range(0, len(self.n_samples), batch):
                expected = self.n_samples[first : first + batch]
                out = torch.zeros((len(expected), int(expected.max())))
                for row, waveform in enumerate(islice(decoded, batch)):
                    out[row, : len(waveform)] = torch.from_numpy(waveform)
                yield out.to(device)

    def _rows(self) -> Iterator[tuple[dict, Path]]:
        columns = ["scene_id", "n_samples", "audio"]
        for table, path in scene_tables(self._folder, self._split, self._settings, columns):
            yield from ((row, path) for row in table.to_pylist())

    def _decoded(self, item: tuple[dict, Path]) -> np.ndarray:
        row, path = item
        name = f"{path}: {row['scene_id']}"
        if row["audio"] is None:
            raise InputError(f"{name}: found no audio; run clear-gen render, or train with --source virtual")
        pcm, rate = decode_flac(row["audio"]["bytes"], name)
        if (len(pcm), rate) != (row["n_samples"], self.sample_rate):
            expected = f"{row['n_samples']} samples at {self.sample_rate} Hz"
            raise InputError(f"{name}: audio: found {len(pcm)} samples at {rate} Hz, expected {expected}")
        return from_pcm16(pcm)
