"""Rows of Parquet files as a sequence that can be shared between processes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.store.layout import DataFile

Item = TypeVar("Item")


@dataclass(frozen=True)
class RowGroup:
    """The ``number``-th row group of the Parquet file at ``path``, which holds ``n_rows`` rows."""

    path: Path
    number: int
    n_rows: int


def row_groups(folder: Path, files: Sequence[DataFile]) -> list[RowGroup]:
    """The row groups of some of a dataset's files, in order; no file is opened."""
    return [
        RowGroup(folder / file.name, chunk.number, chunk.stop - chunk.first) for file in files for chunk in file.chunks
    ]


class Rows(Sequence[Item], Generic[Item]):
    """Items made from rows in order: ``len``, ``[i]``, slices, iteration and ``shard``.

    ``read(path, number)`` returns a row group as a table, ``item(row, path)`` makes an item of a row.

    One row group is in memory at a time, and no file stays open between two calls, so an instance may be pickled, or
    inherited by a forked process, such as the workers of a ``torch.utils.data.DataLoader``. Reading in order is fast;
    reading at random reads a row group for every item.
    """

    def __init__(
        self,
        groups: Sequence[RowGroup],
        read: Callable[[Path, int], pa.Table],
        item: Callable[[dict[str, Any], Path], Item],
        places: range | None = None,
    ) -> None:
        self._groups, self._read, self._item = tuple(groups), read, item
        self._starts = [0, *accumulate(group.n_rows for group in groups)]
        self._places = range(self._starts[-1]) if places is None else places
        self._held: tuple[int, pa.Table] | None = None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Rows[Item]:
        """The item at ``index``, from the end if negative; for a slice, the rows of that part.

        Raises IndexError out of range, InputError if the file is missing or damaged.
        """
        if isinstance(index, slice):
            return Rows(self._groups, self._read, self._item, self._places[index])
        return self._at(self._places[index])

    def __iter__(self) -> Iterator[Item]:
        return map(self._at, self._places)

    def shard(self, index: int, of: int) -> Rows[Item]:
        """The ``index``-th, from 0, of ``of`` consecutive parts whose lengths differ by at most one.

        Raises InputError unless 0 <= ``index`` < ``of``.
        """
        if not 0 <= index < of:
            raise InputError(f"shard: found {index} of {of}, expected 0 to {of - 1}")
        n = len(self)
        return self[n * index // of : n * (index + 1) // of]

    def _at(self, place: int) -> Item:
        number = bisect_right(self._starts, place) - 1
        group, row = self._groups[number], place - self._starts[number]
        if self._held is None or self._held[0] != number:
            self._held = None  # one row group of audio in memory, not two
            table = self._read(group.path, group.number)
            if table.num_rows != group.n_rows:
                found = f"row group {group.number}: found {table.num_rows} rows, expected {group.n_rows}"
                raise InputError(f"{group.path}: {found}")
            self._held = number, table
        return self._item(self._held[1].slice(row, 1).to_pylist()[0], group.path)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": None}
