"""Parquet files that ``datasets`` understands, validated when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clear_gen.core.errors import InputError, first_line

# What reading an altered Parquet file can raise
DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError)


AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def dataset_schema(fields: list[pa.Field], sample_rate: int, extra: dict[str, Any] | None = None) -> pa.Schema:
    """An Arrow schema that ``datasets`` understands: columns of type ``AUDIO`` become undecoded Audio features.

    ``extra`` is stored as JSON under the key ``clear_gen``.
    """
    features = {field.name: _feature(field.type, sample_rate) for field in fields}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    if extra is not None:
        metadata["clear_gen"] = json.dumps(extra, sort_keys=True)
    return pa.schema(fields, metadata=metadata)


def _feature(type_: pa.DataType, sample_rate: int) -> Any:
    if type_ == AUDIO:
        return {"sampling_rate": sample_rate, "decode": False, "_type": "Audio"}
    if pa.types.is_struct(type_):
        return {field.name: _feature(field.type, sample_rate) for field in type_}
    if pa.types.is_list(type_):
        return [_feature(type_.value_type, sample_rate)]  # datasets 3 has no "List"; later versions read both
    return {"dtype": {"double": "float64", "float": "float32"}.get(str(type_), str(type_)), "_type": "Value"}


ROWS_WITHOUT_AUDIO = 1024


ROWS_WITH_AUDIO = 8


def parquet_writer(path: Path, schema: pa.Schema, audio: bool) -> pq.ParquetWriter:
    """A writer with a page index and small pages. FLAC is left as it is: compressing it again saves nothing.

    With ``audio`` a page ends after a few rows, so that neither writer nor reader ever holds a row group's audio twice.
    """
    flac = [f"{field.name}.bytes" for field in schema if field.type == AUDIO]
    leaves = _leaves(schema)
    return pq.ParquetWriter(
        path,
        schema,
        compression={leaf: "NONE" if leaf in flac else "ZSTD" for leaf in leaves},
        use_dictionary=[leaf for leaf in leaves if leaf not in flac],
        write_page_index=True,
        write_page_checksum=True,
        data_page_size=1 << 20,
        write_batch_size=ROWS_WITH_AUDIO if audio else ROWS_WITHOUT_AUDIO,
    )


def _leaves(schema: pa.Schema) -> list[str]:
    def walk(type_: pa.DataType, path: str) -> list[str]:
        if pa.types.is_struct(type_):
            return [leaf for field in type_ for leaf in walk(field.type, f"{path}.{field.name}")]
        if pa.types.is_list(type_):
            return walk(type_.value_type, f"{path}.list.element")
        return [path]

    return [leaf for field in schema for leaf in walk(field.type, field.name)]


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file; InputError in one line if it is missing, truncated or something else."""
    if path.exists() and not path.is_file():  # a pipe would keep its reader waiting
        raise InputError(f"{path}: found no regular file, expected a Parquet file")
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise InputError(f"{path}: not found, expected a Parquet file") from None
    except DAMAGED as error:
        raise InputError(f"{path}: not a readable Parquet file ({first_line(error)})") from None


def metadata_of(schema: pa.Schema, path: Path) -> dict[str, Any]:
    """The JSON that ``dataset_schema`` stored; InputError if ``path`` was not written by this package."""
    stored = (schema.metadata or {}).get(b"clear_gen")
    if stored is None:
        raise InputError(f"{path}: found no clear_gen metadata, expected a file written by clear-gen")
    try:
        found = json.loads(stored)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: found damaged clear_gen metadata, expected a JSON object")
    return found


def read_row_group(file: pq.ParquetFile, number: int, path: Path, columns: list[str] | None = None) -> pa.Table:
    """One row group of an open file; InputError in one line if its bytes were altered."""
    try:
        return file.read_row_group(number, columns=columns)
    except DAMAGED as error:
        raise InputError(f"{path}: row group {number}: damaged ({first_line(error)})") from None
