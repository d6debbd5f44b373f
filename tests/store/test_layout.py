"""Which scene lies in which file, for any number of scenes, splits and shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.datasets.scenes.layout import scene_files, split_sizes
from clear_gen.store.layout import CHUNK_RECORDS, FILE_CHUNKS, shard_of

SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda shares: sum(shares) > 0.01)


@given(n=st.integers(1, 100_000), shares=SHARES)
def test_split_sizes_add_up_and_are_within_one_of_the_exact_share(n: int, shares: list[float]) -> None:
    sizes = split_sizes(n, shares)
    assert sum(sizes.values()) == n
    for size, share in zip(sizes.values(), shares, strict=True):
        assert abs(size - n * share / sum(shares)) < 1 + 1e-6


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, (1, 0, 0)), (10, (7, 2, 1)), (100, (70, 15, 15)), (50_000, (35_000, 7_500, 7_500))]
)
def test_default_splits(n: int, sizes: tuple[int, int, int]) -> None:
    assert tuple(split_sizes(n, (0.7, 0.15, 0.15)).values()) == sizes


@given(sizes=st.lists(st.integers(0, 5000), min_size=3, max_size=3))
def test_every_scene_lies_in_exactly_one_chunk_of_one_file(sizes: list[int]) -> None:
    files = scene_files(dict(zip(("train", "validation", "test"), sizes, strict=True)))
    for split, size in zip(("train", "validation", "test"), sizes, strict=True):
        mine = [file for file in files if file.split == split]
        chunks = [chunk for file in mine for chunk in file.chunks]
        assert [index for chunk in chunks for index in range(chunk.first, chunk.stop)] == list(range(size))
        assert all(len(file.chunks) <= FILE_CHUNKS for file in mine)
        assert all(chunk.stop - chunk.first == CHUNK_RECORDS for chunk in chunks[:-1])
        assert [file.name for file in mine] == [
            f"scenes/{split}-{number:05d}-of-{len(mine):05d}.parquet" for number in range(len(mine))
        ]


@given(n=st.integers(1, 30_000), of=st.integers(1, 9))
def test_shards_are_a_partition_of_the_files(n: int, of: int) -> None:
    files = scene_files(split_sizes(n, (0.7, 0.15, 0.15)))
    shards = [shard_of(files, of, index) for index in range(of)]
    assert sorted(file.name for shard in shards for file in shard) == sorted(file.name for file in files)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
