"""The records of a dataset one by one: which row of which file, its small columns, its audio."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import DAMAGED, ROWS_WITH_AUDIO, read_row_group
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import CHUNK_RECORDS, FILE_RECORDS, DataFile

KEPT_FILES = 8  # FLAC files in memory: the page plays a record, draws it, and asks for it in pieces


class NotThere(InputError):
    """A record that the dataset does not have."""


class Store:
    """The records of some files, by config and id. ``id_column`` holds their ids; ``schema`` is that of the files.

    Only names that follow from the sizes of the splits are known, so nothing that is asked for becomes a path.
    """

    def __init__(
        self, folder: Path, files: Sequence[DataFile], id_column: str, schema: pa.Schema, identity_sha256: str
    ) -> None:
        self._folder, self._id_column, self._schema, self._sha256 = folder, id_column, schema, identity_sha256
        self._files = {(file.config, file.split, file.number): file for file in files}
        self._columns = [*(name for name in schema.names if name != "audio"), "audio.path"]
        self.audio = lru_cache(KEPT_FILES)(self._audio)

    def row(self, config: str, name: str) -> dict[str, Any]:
        """A record; of its ``audio`` only the name, None where there is none. Raises NotThere, or InputError."""
        file, group, place = self._place(config, name)
        table = read_row_group(self._open(file), group, self._folder / file.name, self._columns)
        row: dict[str, Any] = table.slice(place, 1).to_pylist()[0]
        if row[self._id_column] != name:
            found = f"found {str(row[self._id_column])[:60]!r}, expected {name!r}"
            raise InputError(f"{self._folder / file.name}: {self._id_column}: {found}")
        return row

    def columns(self, config: str, columns: list[str]) -> Iterator[pa.Table]:
        """Small columns of all records of a config, file by file."""
        for file in self._files.values():
            if file.config == config:
                opened = self._open(file)
                groups = range(opened.num_row_groups)
                yield pa.concat_tables(
                    read_row_group(opened, group, self._folder / file.name, columns) for group in groups
                )

    def _audio(self, config: str, name: str) -> bytes | None:
        """The FLAC file of a record, None if it has none; reads its row group up to it, a few rows at a time."""
        file, group, place = self._place(config, name)
        path = self._folder / file.name
        try:
            batches = self._open(file).iter_batches(ROWS_WITH_AUDIO, row_groups=[group], columns=["audio"])
            for batch in batches:
                if place < batch.num_rows:
                    audio = batch["audio"][place].as_py()
                    return None if audio is None else audio["bytes"]
                place -= batch.num_rows
        except DAMAGED as error:
            raise InputError(f"{path}: row group {group}: damaged ({first_line(error)})") from None
        raise InputError(f"{path}: row group {group}: found fewer rows than expected")

    def _place(self, config: str, name: str) -> tuple[DataFile, int, int]:
        """The file of a record, the row group in it, the row in that: all follow from its id."""
        named = re.fullmatch(r"([a-z]+[0-9]{0,3})-([0-9]{6,12})", name)
        split, index = (named[1], int(named[2])) if named else ("", 0)
        file = self._files.get((config, split, index // FILE_RECORDS))
        if file is None or not file.first <= index < file.stop or name != f"{split}-{index:06d}":
            raise NotThere(f"{config[:60]}/{name[:60]}: found no such record in this dataset")
        return file, *divmod(index - file.first, CHUNK_RECORDS)

    def _open(self, file: DataFile) -> pq.ParquetFile:
        path = self._folder / file.name
        opened = check_file(path, file, self._sha256)
        if not opened.schema_arrow.equals(self._schema):
            raise InputError(f"{path}: found other columns than {file.config} have")
        return opened
