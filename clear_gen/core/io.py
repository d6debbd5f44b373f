"""Leaf of the package: what every other module needs to touch the disk and to tell the user what is wrong.

Nothing here imports from the rest of ``clear_gen``.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

# First element of a random stream's spawn key: what the stream is for. The numbers are part of the format.
STAGE_SCENE = 0
STAGE_IMPORT = 1
STAGE_VALIDATE = 2
STAGE_QUESTIONS = 3
STAGE_MIXTURE = 4
STAGE_CAST = 5


def stream(seed: int, *key: int) -> np.random.Generator:
    """The random stream of one item, ``key`` being (stage, split, index): the same however the work is divided."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


class InputError(Exception):
    """Something from outside is not what it must be: a file, a field, an option. Exit code 2.

    The message is one line that names file, field, found and expected.
    """


class CheckFailed(Exception):
    """A check or a job that ran to its end and failed. Exit code 1."""


def content_path(kind: str, name: str) -> Path:
    """Path of a piece of packaged content, ``kind`` being the top-level folder ``banks`` or ``templates``.

    In a checkout the content lies beside the package; a wheel carries it inside.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package, package.parent):
        path = root / kind / name
        if path.exists():
            return path
    entries = {entry.name for root in (package, package.parent) for entry in (root / kind).glob("*")}
    available = sorted(entries - {"README.md"})
    raise InputError(f"{kind}/{name}: not found, expected one of: {', '.join(available)}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success fsync it and rename it to ``path``.

    On any error the temporary file is removed and ``path`` is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None  # not the temporary name
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def refresh(folder: Path) -> None:
    """Have a network file system ask its server what is in ``folder``, by opening it.

    A file that was looked for before another machine wrote it may be held to be missing for up to a minute otherwise.
    """
    with suppress(FileNotFoundError):
        os.scandir(folder).close()


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_json(value: Any) -> str:
    """SHA-256 of a JSON value, hexadecimal, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as aligned lines: the first column to the left, the others to the right.

    >>> table([["a", "n"], ["bass", "12"]])
    ['a      n', 'bass  12']
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    aligned = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join([row[0].ljust(widths[0]), *cells[1:]]) for row, cells in zip(rows, aligned, strict=True)]


# --- PCM 16 and FLAC --------------------------------------------------------------------------------------------------

PCM_PEAK = 32767  # one step of PCM 16 is 1 / 32767 of full scale


def to_pcm16(waveform: np.ndarray) -> np.ndarray:
    """float32 [n] in -1..1 -> int16 [n], ``rint(32767 x)`` without dither; what lies beyond full scale is clipped."""
    scaled = np.multiply(waveform, PCM_PEAK, dtype=np.float32)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -PCM_PEAK, PCM_PEAK, out=scaled)
    return scaled.astype("<i2")


def from_pcm16(pcm: np.ndarray) -> np.ndarray:
    """int16 [n] -> float32 [n] in -1..1; the inverse of ``to_pcm16``."""
    return pcm.astype(np.float32) / np.float32(PCM_PEAK)


def sha256_pcm(pcm: np.ndarray) -> str:
    """SHA-256 of the samples as little-endian int16, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(pcm, "<i2").data).hexdigest()


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Hold Ctrl-C back: inside libsndfile's callbacks it would be lost, and the read or write would fail instead."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    asked = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked.is_set():
        raise KeyboardInterrupt


PCM24_STEPS = 256  # of PCM 24 in a step of PCM 16: both have the same full scale
PCM24_PEAK = PCM24_STEPS * PCM_PEAK


def to_pcm24(waveform: np.ndarray) -> np.ndarray:
    """float32 [n] in -1..1 -> int32 [n], ``rint(8388352 x)`` without dither; what lies beyond full scale is clipped."""
    scaled = np.multiply(waveform, PCM24_PEAK, dtype=np.float64)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -PCM24_PEAK, PCM24_PEAK, out=scaled)
    return scaled.astype("<i4")


def from_pcm24(pcm: np.ndarray) -> np.ndarray:
    """int32 [n] as ``to_pcm24`` makes it -> float32 [n]."""
    return (pcm / PCM24_PEAK).astype(np.float32)


def encode_flac(pcm: np.ndarray, sample_rate: int) -> bytes:
    """A FLAC file (mono) in memory: 16 bit of int16 [n], 24 bit of int32 [n] as ``to_pcm24`` makes it."""
    buffer = BytesIO()
    is_24 = pcm.dtype.itemsize == 4
    with _interrupt_held():
        samples = pcm << 8 if is_24 else pcm  # libsndfile takes the upper bits
        soundfile.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_24" if is_24 else "PCM_16")
    return buffer.getvalue()


def decode_flac(data: bytes, name: str, bits: Literal[16, 24] = 16) -> tuple[np.ndarray, int]:
    """A FLAC file in memory -> (int16 [n], or int32 [n] of 24 bits; sample rate in Hz).

    Raises InputError naming ``name`` if it does not decode.
    """
    try:
        with _interrupt_held():
            pcm, sample_rate = soundfile.read(BytesIO(data), dtype="int16" if bits == 16 else "int32")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"{name}: audio does not decode ({error})") from None
    if pcm.ndim != 1:
        raise InputError(f"{name}: found {pcm.shape[1]} channels, expected 1")
    return pcm if bits == 16 else pcm >> 8, sample_rate


# --- Parquet ----------------------------------------------------------------------------------------------------------

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


def _feature(type_: pa.DataType, sample_rate: int) -> dict[str, Any]:
    if type_ == AUDIO:
        return {"sampling_rate": sample_rate, "decode": False, "_type": "Audio"}
    if pa.types.is_struct(type_):
        return {field.name: _feature(field.type, sample_rate) for field in type_}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type, sample_rate), "_type": "List"}
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


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
