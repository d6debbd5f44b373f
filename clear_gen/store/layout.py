"""Assignment of records to files, determined only by the sizes of splits and folds.

A chunk is 100 consecutive records of one split: one Parquet row group, the unit of work and of loss. A file is 12
chunks, near 500 MB of audio.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHUNK_RECORDS = 100
FILE_CHUNKS = 12
FILE_RECORDS = CHUNK_RECORDS * FILE_CHUNKS
PARTIAL = ".partial"
IDENTITY = "clear.json"
CARD = "README.md"


RECORD_FILE = re.compile(r"[a-z]+\d*-\d{5}-of-\d{5}\.parquet")
TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]+\.tmp")  # temporary names used by ``atomic_path``


@dataclass(frozen=True, order=True)
class Chunk:
    """Records ``first`` to ``stop - 1`` of a split, the ``number``-th row group of its file."""

    split: str
    first: int
    stop: int
    number: int
    config: str

    @property
    def name(self) -> str:
        """Name for messages: its config, its first and its last record."""
        return f"{self.config} {self.split}-{self.first:06d} to {self.split}-{self.stop - 1:06d}"

    def partial_path(self, folder: Path) -> Path:
        """Location of the chunk until its file is complete."""
        return folder / PARTIAL / f"{self.config}-{self.split}-{self.first:07d}.arrow"


@dataclass(frozen=True)
class DataFile:
    """The ``number``-th of ``of`` files of a split, holding the records ``first`` to ``stop - 1``.

    ``config``: the folder of the dataset that it lies in, one kind of records.
    """

    split: str
    number: int
    of: int
    first: int
    stop: int
    config: str

    @property
    def name(self) -> str:
        """Path below the dataset's folder."""
        return f"{self.config}/{self.split}-{self.number:05d}-of-{self.of:05d}.parquet"

    @property
    def chunks(self) -> list[Chunk]:
        """The chunks of the file, in order."""
        starts = range(self.first, self.stop, CHUNK_RECORDS)
        return [
            Chunk(self.split, start, min(start + CHUNK_RECORDS, self.stop), number, self.config)
            for number, start in enumerate(starts)
        ]


def files_of(sizes: Mapping[str, int], config: str) -> list[DataFile]:
    """All files of the records of one config, split by split; ``sizes``: the number of records in each split."""
    files = []
    for split, size in sizes.items():
        of = -(-size // FILE_RECORDS)
        for number in range(of):
            first = number * FILE_RECORDS
            files.append(DataFile(split, number, of, first, min(first + FILE_RECORDS, size), config))
    return files


def side_by_side(sizes: Mapping[str, int], configs: Sequence[str]) -> list[DataFile]:
    """Interleave the files of several configs, so that corresponding files are adjacent."""
    columns = [files_of(sizes, config) for config in configs]
    return [file for row in zip(*columns, strict=True) for file in row]


def shard_of(files: Sequence[DataFile], num_shards: int, shard_index: int) -> list[DataFile]:
    """The files of one of several jobs: every ``num_shards``-th, counting corresponding files as one."""
    numbers = {place: number for number, place in enumerate(dict.fromkeys((file.split, file.number) for file in files))}
    return [file for file in files if numbers[file.split, file.number] % num_shards == shard_index]


def is_record_file(name: str) -> bool:
    """Whether a path below a dataset's folder names a file of records."""
    return RECORD_FILE.fullmatch(name.rpartition("/")[2]) is not None


def owned_files(folder: Path) -> list[str]:
    """The files of records in a dataset's folder, of any kind and config, recognised by name."""
    return [f"{path.parent.name}/{path.name}" for path in _entries(folder) if is_record_file(path.name)]


def temporary_files(folder: Path) -> list[Path]:
    """Temporary files left in a dataset's folder by killed runs."""
    paths = [*(path for name in (CARD, IDENTITY) for path in folder.glob(f".{name}.*.tmp")), *_entries(folder)]
    return [path for path in paths if TEMPORARY.fullmatch(path.name)]


def _entries(folder: Path) -> list[Path]:
    """What lies in the folders of a dataset, those of configs and others, one level below it."""
    inside = [path for path in folder.glob("*") if path.is_dir() and not path.name.startswith(".")]
    return sorted(entry for path in inside for entry in path.iterdir() if not entry.is_dir())
