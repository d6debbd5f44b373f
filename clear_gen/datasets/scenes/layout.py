"""Where the files of a dataset of scenes lie, and how many scenes each split has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clear_gen.core.records import SPLITS
from clear_gen.store.layout import DataFile, files_of

SCENES = "scenes"
BANK = "bank"
QUESTIONS = "questions"
BANK_OF_SPLIT = {"train": "train", "validation": "train", "test": "test"}


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


def scene_files(sizes: Mapping[str, int]) -> list[DataFile]:
    """All files of scenes, split by split."""
    return files_of(sizes, SCENES)


def questions_name(split: str) -> str:
    """Path of a split's questions below the dataset's folder: one file, they are small."""
    return f"{QUESTIONS}/{split}-00000-of-00001.parquet"


def bank_name(side: str) -> str:
    """Path of the bank of one side (train, test) below the dataset's folder."""
    return f"{BANK}/{side}.parquet"
