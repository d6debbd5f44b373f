"""Making a dataset: chunks by any number of workers, chunks into files, files into a finished dataset.

Every step leaves whole files behind: a chunk is made, written under a temporary name and renamed; a file is put
together from its chunks the same way. What is there already is not made again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from clear_gen.audio.render import render_pcm
from clear_gen.dataset.layout import BANK_OF_SPLIT, PARTIAL, Chunk, SceneFile
from clear_gen.io import AUDIO, CheckFailed, InputError, atomic_path, encode_flac, open_parquet, parquet_writer
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import RENDERED_TYPE, graph_of_row, scene_schema
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank, read_bank, resampled_bank

Advance = Callable[[int], None]
PCM_BYTES = 2  # a sample of PCM 16
REUSED_BYTES = 31 << 20  # glibc's ceiling for what it keeps instead of returning it to the kernel is 32 MiB


@dataclass(frozen=True)
class Job:
    """What a worker must know: where, by which rules, with or without audio, and from where the graphs come."""

    folder: Path
    domain: Domain
    spec: SceneSpec
    audio: bool
    graphs: Literal["sampled", "stored"] = "sampled"


def make_files(job: Job, files: list[SceneFile], workers: int, advance: Advance) -> None:
    """Make the files that are missing. ``advance`` is called with the number of scenes that were made.

    Raises CheckFailed if a worker died; finished chunks stay.
    """
    if workers == 1:
        _start_worker(job)
        with _interrupt_between() as check:
            for file in files:
                for chunk in _missing_chunks(job, file):
                    advance(write_chunk(file, chunk))
                    check()
                advance(write_file(file))
                check()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_process, (job,)) as pool:
        try:
            _make_in_pool(job, files, pool, advance)
        except BrokenProcessPool:
            raise CheckFailed("a worker died (out of memory?); what was finished is kept: run again to go on") from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupt_between() -> Iterator[Callable[[], None]]:
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


def _missing_chunks(job: Job, file: SceneFile) -> list[Chunk]:
    """The chunks that have to be made before the file can be written. Graphs alone need none: they are quick."""
    return [chunk for chunk in file.chunks if job.audio and not chunk.partial_path(job.folder).exists()]


def _make_in_pool(job: Job, files: list[SceneFile], pool: ProcessPoolExecutor, advance: Advance) -> None:
    waiting: dict[Future, SceneFile] = {}
    left: dict[SceneFile, int] = {}
    for file in files:
        chunks = _missing_chunks(job, file)
        left[file] = len(chunks)
        waiting |= {pool.submit(write_chunk, file, chunk): file for chunk in chunks}
        if not chunks:
            waiting[pool.submit(write_file, file)] = file
    while waiting:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            file = waiting.pop(future)
            advance(future.result())
            left[file] -= 1
            if left[file] == 0:
                waiting[pool.submit(write_file, file)] = file


# --- in a worker ------------------------------------------------------------------------------------------------------

_job: Job


def _start_worker(job: Job) -> None:
    global _job
    _job = job
    _bank.cache_clear()
    # Freeing one large array raises glibc's dynamic limits: from then on freed buffers are reused, not unmapped and
    # mapped again page by page for every scene, which would cost as much as the FFTs.
    np.empty(REUSED_BYTES, np.uint8)


def _start_process(job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _start_worker(job)


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: nobody is left to give it work."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@cache
def _bank(side: str) -> Bank:
    return resampled_bank(read_bank(_job.folder / "bank" / f"{side}.parquet"), _job.spec.sample_rate)


def write_chunk(file: SceneFile, chunk: Chunk) -> int:
    """Make a chunk with audio and write it under ``.partial``; returns its number of scenes."""
    table = _with_audio(_graphs(file, chunk), _bank(BANK_OF_SPLIT[chunk.split]))
    with atomic_path(chunk.partial_path(_job.folder)) as path, pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    return chunk.stop - chunk.first


def write_file(file: SceneFile) -> int:
    """Put a file together, one row group per chunk, and remove its chunks; returns the scenes not counted before."""
    chunks = [chunk.partial_path(_job.folder) for chunk in file.chunks]
    schema = scene_schema(_job.domain.attributes, _job.spec.sample_rate)
    with atomic_path(_job.folder / file.name) as path, parquet_writer(path, schema, _job.audio) as writer:
        for chunk, partial in zip(file.chunks, chunks, strict=True):
            writer.write_table(_read_partial(partial) if _job.audio else _graphs(file, chunk))
    for partial in chunks:
        partial.unlink(missing_ok=True)
    return 0 if _job.audio else file.stop - file.first


def _read_partial(path: Path) -> pa.Table:
    """A chunk, mapped into memory rather than read. Raises InputError if the file is no such chunk."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable chunk ({error}); delete it and run again") from None


def _graphs(file: SceneFile, chunk: Chunk) -> pa.Table:
    if _job.graphs == "stored":
        return open_parquet(_job.folder / file.name).read_row_group(chunk.number)
    bank = _bank(BANK_OF_SPLIT[chunk.split])
    return sample_scenes(bank, _job.domain, _job.spec, chunk.split, range(chunk.first, chunk.stop))


def _with_audio(table: pa.Table, bank: Bank) -> pa.Table:
    """The rows with ``rendered`` and ``audio`` filled in."""
    graphs = [graph_of_row(row) for row in table.to_pylist()]
    rendered, flac = [], _Files(sum(graph.n_samples for graph in graphs) * PCM_BYTES)
    for graph in graphs:
        pcm, found = render_pcm(graph, bank)
        rendered.append(asdict(found))
        flac.append(encode_flac(pcm, graph.sample_rate))
    paths = pa.array([f"{graph.scene_id}.flac" for graph in graphs])
    audio = pa.StructArray.from_arrays([flac.array(), paths], fields=list(AUDIO))
    for name, column in (("rendered", pa.array(rendered, RENDERED_TYPE)), ("audio", audio)):
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table


class _Files:
    """Files one after the other in one buffer, so that Arrow can take them as they are.

    The buffer has room for uncompressed audio; what is never written takes no memory.
    """

    def __init__(self, n_bytes: int) -> None:
        self.buffer = np.empty(n_bytes, np.uint8)
        self.ends = [0]

    def append(self, data: bytes) -> None:
        start, end = self.ends[-1], self.ends[-1] + len(data)
        if end > len(self.buffer):  # noise at full scale: FLAC then is a little larger than PCM
            self.buffer = np.concatenate([self.buffer[:start], np.empty(len(self.buffer) + len(data), np.uint8)])
        self.buffer[start:end] = np.frombuffer(data, np.uint8)
        self.ends.append(end)

    def array(self) -> pa.Array:
        offsets = pa.array(np.array(self.ends, np.int32)).buffers()[1]
        files = pa.py_buffer(self.buffer[: self.ends[-1]])
        return pa.Array.from_buffers(pa.binary(), len(self.ends) - 1, [None, offsets, files])


# --- what there is ----------------------------------------------------------------------------------------------------


def missing_files(job: Job, files: list[SceneFile]) -> list[SceneFile]:
    """The files that are not there yet, or, when audio is added to stored graphs, have none yet."""
    return [file for file in files if not _is_made(job, file)]


def _is_made(job: Job, file: SceneFile) -> bool:
    path = job.folder / file.name
    if job.graphs == "sampled":
        return path.exists()
    rendered = open_parquet(path).read_row_group(0, columns=["rendered"])
    return rendered.column("rendered").null_count == 0


def count_scenes(folder: Path, file: SceneFile) -> int:
    """Rows of a file. Raises InputError if it is missing or no Parquet file."""
    metadata = open_parquet(folder / file.name).metadata
    if metadata.num_row_groups != len(file.chunks):
        found = metadata.num_row_groups
        raise InputError(f"{folder / file.name}: found {found} row groups, expected {len(file.chunks)}")
    return metadata.num_rows


def partial_scenes(folder: Path, files: list[SceneFile]) -> int:
    """Scenes in chunks that an earlier run left under ``.partial``."""
    if not (folder / PARTIAL).exists():
        return 0
    chunks = [chunk for file in files for chunk in file.chunks]
    return sum(chunk.stop - chunk.first for chunk in chunks if chunk.partial_path(folder).exists())
