"""Encoded audio as an Arrow column, without copying every file on the way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from clear_gen.core.parquet import AUDIO


class AudioColumn:
    """FLAC files concatenated in one buffer, which Arrow uses without copying.

    The buffer is reserved for ``n_samples`` uncompressed samples of ``bits`` bits; unwritten pages take no memory.
    """

    def __init__(self, n_samples: int, bits: int = 16) -> None:
        self._buffer = np.empty(n_samples * bits // 8, np.uint8)
        self._ends = [0]

    def append(self, data: bytes) -> None:
        """Add a file as returned by ``encode_flac``."""
        start, end = self._ends[-1], self._ends[-1] + len(data)
        if end > len(self._buffer):  # noise at full scale: FLAC then is a little larger than PCM
            self._buffer = np.concatenate([self._buffer[:start], np.empty(len(self._buffer) + len(data), np.uint8)])
        self._buffer[start:end] = np.frombuffer(data, np.uint8)
        self._ends.append(end)

    def array(self, names: list[str]) -> pa.Array:
        """The column ``audio``: bytes, and the name of each file."""
        offsets = pa.array(np.array(self._ends, np.int32)).buffers()[1]
        files = pa.py_buffer(self._buffer[: self._ends[-1]])
        data = pa.Array.from_buffers(pa.binary(), len(self._ends) - 1, [None, offsets, files])
        return pa.StructArray.from_arrays([data, pa.array(names)], fields=list(AUDIO))


def with_columns(table: pa.Table, **columns: pa.Array) -> pa.Table:
    """The table with the columns of the same names replaced by these."""
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table
