"""Which scene lies in which file: follows from the split sizes alone.

A chunk is 100 consecutive scenes of one split: one Parquet row group, the unit of work and of loss. A file is 12
chunks, near 500 MB of audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clear_gen.scenes.graph import SPLITS

CHUNK_SCENES = 100
FILE_CHUNKS = 12
FILE_SCENES = CHUNK_SCENES * FILE_CHUNKS
SCENES = "scenes"
BANK = "bank"
QUESTIONS = "questions"
PARTIAL = ".partial"
IDENTITY = "clear.json"
CARD = "README.md"
BANK_OF_SPLIT = {"train": "train", "validation": "train", "test": "test"}


@dataclass(frozen=True, order=True)
class Chunk:
    """Scenes ``first`` to ``stop - 1`` of a split, the ``number``-th row group of its file."""

    split: str
    first: int
    stop: int
    number: int
    config: str = SCENES

    @property
    def name(self) -> str:
        """What messages call it: its first and its last scene."""
        of = "" if self.config == SCENES else f"{self.config} "
        return f"{of}{self.split}-{self.first:06d} to {self.split}-{self.stop - 1:06d}"

    def partial_path(self, folder: Path) -> Path:
        """Where the chunk lies until its file is complete."""
        of = "" if self.config == SCENES else f"{self.config}-"
        return folder / PARTIAL / f"{of}{self.split}-{self.first:07d}.arrow"


@dataclass(frozen=True)
class DataFile:
    """The ``number``-th of ``of`` files of a split, holding the scenes ``first`` to ``stop - 1``.

    ``config``: the folder of the dataset that it lies in, one kind of records.
    """

    split: str
    number: int
    of: int
    first: int
    stop: int
    config: str = SCENES

    @property
    def name(self) -> str:
        """Path below the dataset's folder."""
        return f"{self.config}/{self.split}-{self.number:05d}-of-{self.of:05d}.parquet"

    @property
    def chunks(self) -> list[Chunk]:
        """The chunks of the file, in order."""
        starts = range(self.first, self.stop, CHUNK_SCENES)
        return [
            Chunk(self.split, start, min(start + CHUNK_SCENES, self.stop), number, self.config)
            for number, start in enumerate(starts)
        ]


def split_sizes(n: int, shares: Sequence[float]) -> dict[str, int]:
    """Whole numbers of scenes per split, by largest remainder (ties: the earlier split).

    >>> split_sizes(1000, (0.7, 0.15, 0.15))
    {'train': 700, 'validation': 150, 'test': 150}
    >>> split_sizes(10, (1, 1, 1))
    {'train': 4, 'validation': 3, 'test': 3}
    """
    exact = [n * share / sum(shares) for share in shares]
    sizes = [int(size + 1e-9) for size in exact]  # 0.15 x 1000 is a hair under 150 in binary
    by_remainder = sorted(range(len(shares)), key=lambda k: (round(sizes[k] - exact[k], 9), k))
    for k in by_remainder[: n - sum(sizes)]:
        sizes[k] += 1
    return dict(zip(SPLITS, sizes, strict=True))


def scene_files(sizes: dict[str, int], config: str = SCENES) -> list[DataFile]:
    """All files of one kind of records, split by split."""
    files = []
    for split, size in sizes.items():
        of = -(-size // FILE_SCENES)
        for number in range(of):
            first = number * FILE_SCENES
            files.append(DataFile(split, number, of, first, min(first + FILE_SCENES, size), config))
    return files


def shard_of(files: Sequence[DataFile], num_shards: int, shard_index: int) -> list[DataFile]:
    """The files that one of several jobs makes: every ``num_shards``-th."""
    return list(files[shard_index::num_shards])


def questions_name(split: str) -> str:
    """Path of a split's questions below the dataset's folder: one file, they are small."""
    return f"{QUESTIONS}/{split}-00000-of-00001.parquet"
