"""Making a dataset: chunks by any number of workers, chunks into files, files into a finished dataset.

Every step leaves whole files behind: a chunk is made, written under a temporary name and renamed; a file is put
together from its chunks the same way. What is there already is not made again.
"""

from __future__ import annotations

import logging
import signal
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import atomic_path, refresh, sha256_file
from clear_gen.core.parquet import DAMAGED, metadata_of, open_parquet, parquet_writer, read_row_group
from clear_gen.core.progress import Advance
from clear_gen.store.layout import PARTIAL, Chunk, DataFile
from clear_gen.store.manifest import GENERATOR, environment, read_record, write_record
from clear_gen.store.workers import Call, CallPool, Died, Engine, Pool, not_made

log = logging.getLogger(__name__)
REUSED_BYTES = 31 << 20  # glibc's ceiling for what it keeps instead of returning it to the kernel is 32 MiB


class RecordMaker(Protocol):
    """What is particular to a kind of records. Every worker gets a copy, which holds the worker's state."""

    def start(self) -> None:
        """Runs once per worker, before all else: prepares its state."""

    def schema(self, config: str, identity_sha256: str) -> pa.Schema:
        """Of the records in one of a dataset's folders."""

    def graphs(self, folder: Path, chunk: Chunk) -> pa.Table:
        """The records of a chunk without audio, drawn anew."""

    def with_audio(self, folder: Path, table: pa.Table | None, chunk: Chunk) -> pa.Table:
        """The records of a chunk with audio: ``table`` being those without it, if they are stored already."""


@dataclass(frozen=True)
class BuildContext:
    """What a worker must know: where, which records, with or without audio.

    ``identity_sha256`` is that of the dataset, ``graphs_sha256`` that of the same dataset without audio: a file of the
    latter holds graphs that only have to be rendered.
    """

    folder: Path
    maker: RecordMaker
    audio: bool
    identity_sha256: str
    graphs_sha256: str

    def schema(self, file: DataFile) -> pa.Schema:
        """Of the records in a file."""
        return self.maker.schema(file.config, self.identity_sha256)


def make_files(context: BuildContext, files: list[DataFile], workers: int, engine: Engine, advance: Advance) -> None:
    """Make the files that are missing. ``advance`` is called with the number of scenes that were made.

    Raises CheckFailed, after all the rest was made, if a worker died twice over the same chunk.
    """
    if workers == 1 and engine is Pool:
        context = _start_worker(context)
        with interrupt_between() as check:
            for group in _side_by_side(files):
                for together in _missing_chunks(context, group):
                    for place in together:
                        advance(write_chunk(context, *place))
                        check()
                for file in group:
                    advance(write_file(context, file))
                    log.debug("%s written", file.name)
                    check()
        return
    with engine(workers, _start_worker, context) as pool:
        lost = _make_in_pool(context, files, pool, advance)
    if lost:
        raise not_made(lost)


@contextmanager
def interrupt_between() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the yielded check is called: inside libsndfile's callbacks it would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked = threading.Event()

    def check() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


Place = tuple[DataFile, Chunk]


def _side_by_side(files: list[DataFile]) -> list[list[DataFile]]:
    """The files in groups of the same things in several configs."""
    groups: dict[tuple[str, int], list[DataFile]] = {}
    for file in files:
        groups.setdefault((file.split, file.number), []).append(file)
    return list(groups.values())


def _missing_chunks(context: BuildContext, files: list[DataFile]) -> list[list[Place]]:
    """The chunks that have to be made before the files of a group can be written, those of the same things together.

    One worker makes them one after the other, so that it reads recordings once. Graphs alone need no chunks: they are
    quick.
    """
    rows = zip(*(file.chunks for file in files), strict=True)
    places = [
        [
            (file, chunk)
            for file, chunk in zip(files, row, strict=True)
            if context.audio and not _is_whole(context, chunk)
        ]
        for row in rows
    ]
    return [together for together in places if together]


def _is_whole(context: BuildContext, chunk: Chunk) -> bool:
    """Whether a chunk lies under ``.partial`` and is one of this dataset; one that was damaged is made again."""
    path = chunk.partial_path(context.folder)
    if not path.exists():
        return False
    try:
        data, end = _parts(chunk, context.folder)
        if _end(data, chunk) == end:
            schema = pa.ipc.open_file(pa.BufferReader(data)).schema
            if metadata_of(schema, path).get("identity_sha256") == context.identity_sha256:
                return True
    except (InputError, *DAMAGED):
        pass
    log.warning("%s: damaged; making it again", path)
    return False


def _make_in_pool(context: BuildContext, files: list[DataFile], pool: CallPool, advance: Advance) -> list[str]:
    """Make the files; returns what was lost, chunk by chunk, with the reason."""
    left: Counter[DataFile] = Counter()
    lost = []
    for group in _side_by_side(files):
        chunks = _missing_chunks(context, group)
        left.update(file for together in chunks for file, _ in together)
        for together in chunks:
            pool.submit(Call(together[0][1].name, write_chunks, (tuple(together),)))
        for file in group:
            if not left[file]:
                pool.submit(Call(file.name, write_file, (file,)))
    for call, result in pool.results():
        if isinstance(result, Died):
            lost.append(result.of(call))
            continue
        advance(result)
        log.debug("%s written", call.name)
        for file, _ in call.arguments[0] if call.function is write_chunks else ():
            left[file] -= 1
            if left[file] == 0:
                pool.submit(Call(file.name, write_file, (file,)))
    return lost


# --- in a worker ------------------------------------------------------------------------------------------------------


def _start_worker(context: BuildContext) -> BuildContext:
    context.maker.start()
    # Freeing one large array raises glibc's dynamic limits: from then on freed buffers are reused, not unmapped and
    # mapped again page by page for every scene, which would cost as much as the FFTs.
    np.empty(REUSED_BYTES, np.uint8)
    return context


def write_chunks(context: BuildContext, places: Sequence[Place]) -> int:
    """Make chunks one after the other; returns the number of records."""
    return sum(write_chunk(context, *place) for place in places)


def write_chunk(context: BuildContext, file: DataFile, chunk: Chunk) -> int:
    """Make a chunk with audio and write it under ``.partial``; returns its number of records."""
    table = context.maker.with_audio(context.folder, _stored_graphs(context, file, chunk), chunk)
    with atomic_path(chunk.partial_path(context.folder)) as path:
        with pa.ipc.new_file(path, context.schema(file)) as writer:
            writer.write_table(table)
        with pa.memory_map(str(path)) as written:
            end = _end(written.read_buffer(), chunk)
        with open(path, "ab") as appended:
            appended.write(end)
    return chunk.stop - chunk.first


def write_file(context: BuildContext, file: DataFile) -> int:
    """Put a file together, one row group per chunk, and remove its chunks; returns the scenes not counted before.

    A worker that died when it had removed some chunks already has left a whole file.
    """
    refresh(context.folder / PARTIAL)
    if not _is_made(context, file):
        with (
            recorded_path(context.folder, file.name) as path,
            parquet_writer(path, context.schema(file), context.audio) as writer,
        ):
            for chunk in file.chunks:
                writer.write_table(
                    _read_chunk(context.folder, chunk) if context.audio else _graphs(context, file, chunk)
                )
    for chunk in file.chunks:
        chunk.partial_path(context.folder).unlink(missing_ok=True)
    return 0 if context.audio else file.stop - file.first


def _end(data: bytes | pa.Buffer, chunk: Chunk) -> bytes:
    """What a chunk's file ends with, so that no damaged and no other chunk is taken for it."""
    return f"{zlib.crc32(data):08x} {chunk.name}".encode()


def _parts(chunk: Chunk, folder: Path) -> tuple[pa.Buffer, bytes]:
    """A chunk's Arrow file, mapped into memory rather than read, and what ends it."""
    mapped = pa.memory_map(str(chunk.partial_path(folder)))
    n_end = len(_end(b"", chunk))
    return mapped.read_buffer(mapped.size() - n_end), mapped.read(n_end)


def _read_chunk(folder: Path, chunk: Chunk) -> pa.Table:
    """The rows of a chunk. Raises InputError if the file is no such chunk."""
    try:
        return pa.ipc.open_file(pa.BufferReader(_parts(chunk, folder)[0])).read_all()
    except DAMAGED as error:
        path = chunk.partial_path(folder)
        raise InputError(f"{path}: not a readable chunk ({first_line(error)}); delete it and run again") from None


def _graphs(context: BuildContext, file: DataFile, chunk: Chunk) -> pa.Table:
    stored = _stored_graphs(context, file, chunk)
    return context.maker.graphs(context.folder, chunk) if stored is None else stored


def _stored_graphs(context: BuildContext, file: DataFile, chunk: Chunk) -> pa.Table | None:
    """The graphs of a chunk as they are stored, if the dataset was made without audio first."""
    path = context.folder / file.name
    if path.exists() and _identity_in(path) == context.graphs_sha256:
        return read_row_group(open_parquet(path), chunk.number, path)
    return None


# --- what there is ----------------------------------------------------------------------------------------------------


@contextmanager
def recorded_path(folder: Path, name: str) -> Iterator[Path]:
    """``atomic_path``, and the SHA-256 is kept: what happens to the file before the dataset is finished is noticed."""
    with atomic_path(folder / name) as path:
        yield path
        write_record(folder, name, sha256_file(path), environment())


def recorded_hash(folder: Path, name: str) -> str | None:
    """The SHA-256 that a file had when it was written, if that is known."""
    record = read_record(folder, name)
    return record["sha256"] if record else None


def remove_damaged(context: BuildContext, files: list[DataFile]) -> None:
    """Remove, and name, the files that are no longer what was written, so that they are made again."""
    for file in files:
        path = context.folder / file.name
        if problem := _damage(context, file) if path.exists() else None:
            log.warning("%s; making it again", problem)
            path.unlink()


def _damage(context: BuildContext, file: DataFile) -> str | None:
    """What is wrong with a file. Graphs that are to be rendered are only read, which checks them page by page."""
    path, expected = context.folder / file.name, recorded_hash(context.folder, file.name)
    found = _identity_in(path)
    if found is not None and found != context.identity_sha256:
        return None
    if expected is not None and sha256_file(path) != expected:
        return f"{path}: altered since it was written"
    try:
        check_file(path, file, context.identity_sha256)
    except InputError as error:
        return str(error)
    return None


def check_version(context: BuildContext, files: list[DataFile], generator: str) -> None:
    """Raise InputError if graphs are missing that another version of this package has drawn, and only it can."""
    if generator == GENERATOR:
        return
    for file in files:
        path = context.folder / file.name
        if not path.exists() or _damage(context, file):
            raise InputError(f"{path}: missing or damaged, and made by {generator}, which alone can make it again")


def missing_files(context: BuildContext, files: list[DataFile]) -> list[DataFile]:
    """The files that are still to be made: not there, damaged, or with graphs that have no audio yet.

    Raises InputError if there is a file of another dataset in the place of one.
    """
    return [file for file in files if not _is_made(context, file)]


def _is_made(context: BuildContext, file: DataFile) -> bool:
    path = context.folder / file.name
    if not path.exists():
        return False
    try:
        check_file(path, file, context.identity_sha256)
    except InputError:
        if _identity_in(path) in (None, context.identity_sha256, context.graphs_sha256):
            return False
        raise InputError(f"{path}: found scenes of another dataset; move the file away and run again") from None
    return True


def _identity_in(path: Path) -> str | None:
    """The dataset that a Parquet file says it belongs to; None if the file cannot be read."""
    try:
        schema = open_parquet(path).schema_arrow
    except InputError:
        return None
    try:
        return str(metadata_of(schema, path).get("identity_sha256"))
    except InputError:
        return "unknown"


def check_file(path: Path, file: DataFile, identity_sha256: str) -> pq.ParquetFile:
    """Open a scene file. Raises InputError unless it is one of this dataset, with as many scenes as it must have."""
    opened = open_parquet(path)
    if metadata_of(opened.schema_arrow, path).get("identity_sha256") != identity_sha256:
        raise InputError(f"{path}: found scenes of another dataset, expected those that clear.json describes")
    found = [opened.metadata.row_group(k).num_rows for k in range(opened.metadata.num_row_groups)]
    expected = [chunk.stop - chunk.first for chunk in file.chunks]
    if found != expected:
        raise InputError(
            f"{path}: found {sum(found)} scenes in {len(found)} row groups, expected {sum(expected)} in {len(expected)}"
        )
    return opened


def partial_scenes(folder: Path, files: list[DataFile]) -> int:
    """Scenes in chunks that an earlier run left under ``.partial``."""
    if not (folder / PARTIAL).exists():
        return 0
    chunks = [chunk for file in files for chunk in file.chunks]
    return sum(chunk.stop - chunk.first for chunk in chunks if chunk.partial_path(folder).exists())
