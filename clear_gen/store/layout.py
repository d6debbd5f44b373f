"""Which scene or mixture lies in which file: follows from the sizes of splits and folds alone.

A chunk is 100 consecutive records of one split: one Parquet row group, the unit of work and of loss. A file is 12
chunks, near 500 MB of audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clear_gen.core.records import SPLITS

CHUNK_SCENES = 100
FILE_CHUNKS = 12
FILE_SCENES = CHUNK_SCENES * FILE_CHUNKS
SCENES = "scenes"
BANK = "bank"
QUESTIONS = "questions"
MIXTURES = "mixtures"
STEMS = "stems"
SOURCES = "sources"
ANNOTATIONS = "annotations"
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


def mixture_config(snr_db: float | None) -> str:
    """The config of the mixtures at an SNR in dB; None: at those that the rules draw.

    >>> mixture_config(10.0), mixture_config(-2.5), mixture_config(None)
    ('mixtures-snr10', 'mixtures-snr-2.5', 'mixtures')
    """
    return MIXTURES if snr_db is None else f"{MIXTURES}-snr{snr_db:g}"


def stems_config(config: str) -> str:
    """The config of the stems of a config of mixtures.

    >>> stems_config("mixtures-snr10")
    'stems-snr10'
    """
    return STEMS + config.removeprefix(MIXTURES)


def record_folders(folder: Path) -> list[Path]:
    """The folders of scenes, or of mixtures and stems, that are there."""
    patterns = (SCENES, *(pattern for kind in (MIXTURES, STEMS) for pattern in (kind, f"{kind}-snr*")))
    return [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_dir()]


def data_folders(folder: Path) -> list[Path]:
    """All folders of a dataset, of whatever kind, that are there."""
    others = [folder / name for name in (BANK, QUESTIONS, SOURCES, ANNOTATIONS)]
    return [*record_folders(folder), *(path for path in others if path.is_dir())]


def side_by_side(sizes: dict[str, int], configs: Sequence[str]) -> list[DataFile]:
    """The files of several kinds of records of the same things: those of the same things one after the other."""
    columns = [scene_files(sizes, config) for config in configs]
    return [file for row in zip(*columns, strict=True) for file in row]


def shard_of(files: Sequence[DataFile], num_shards: int, shard_index: int) -> list[DataFile]:
    """The files that one of several jobs makes: every ``num_shards``-th, files of the same things being one."""
    numbers = {place: number for number, place in enumerate(dict.fromkeys((file.split, file.number) for file in files))}
    return [file for file in files if numbers[file.split, file.number] % num_shards == shard_index]


def questions_name(split: str) -> str:
    """Path of a split's questions below the dataset's folder: one file, they are small."""
    return f"{QUESTIONS}/{split}-00000-of-00001.parquet"
