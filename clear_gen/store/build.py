"""Making what is missing of a dataset of any kind: claim the folder, make the files, let the last job finish."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import refresh, sha256_file, write_text
from clear_gen.core.progress import Advance
from clear_gen.store import chunks
from clear_gen.store.chunks import Job
from clear_gen.store.finish import is_finished, remove_leftovers, tidy
from clear_gen.store.layout import CARD, IDENTITY, PARTIAL, DataFile, data_folders, shard_of
from clear_gen.store.lock import LOCK, at_work, let_finish, wait_to_finish
from clear_gen.store.manifest import begin, check_folder, check_unchanged, read_provenance, stored_identity
from clear_gen.store.workers import Engine

# What lies in the folders of a dataset, half-written files included
FILE_NAMES = re.compile(
    r"\.?((train|validation|test|fold\d+)(-\d{5}-of-\d{5})?|events|backgrounds)\.(parquet|(strong|weak)\.tsv)(\..*\.tmp)?"
)
# (records still to make, records in all) -> a context that yields the function to call with the number made
Progress = Callable[[int, int], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class Shard:
    """Which part of the files this job makes: the ``index``-th of ``of``."""

    index: int = 0
    of: int = 1


@dataclass(frozen=True)
class Making:
    """A dataset that is to be made.

    ``attached``: what it takes along besides the files of its records, as path below the folder -> what writes the file
    there. ``missing`` says which of them are to be written, and raises InputError where others are in their place.
    ``finish``, called by whoever is alone in the folder when every file is there, writes what ends a dataset.
    """

    job: Job
    identity: dict[str, Any]
    files: list[DataFile]
    attached: Mapping[str, Callable[[Path], None]]
    missing: Callable[[], list[str]]
    finish: Callable[[Path], object]


def complete(making: Making, shard: Shard, workers: int, engine: Engine, progress: Progress) -> None:
    """Make what is missing of this shard, alone on its files; the last shard finishes the dataset.

    Raises InputError if the folder holds something else, CheckFailed if another run is at work in it or a worker died.
    """
    job, files = making.job, making.files
    folder, mine = job.folder, shard_of(files, shard.of, shard.index)
    if _is_complete(making):
        tidy(folder)
        return
    with at_work(folder, [files.index(file) for file in mine] if shard.of > 1 else None) as lock:
        try:  # before anything is written
            check_unchanged(folder, making.identity)
            if _is_complete(making):  # by another shard, meanwhile
                remove_leftovers(folder)
                return
            if chunks.missing_files(job, mine):
                chunks.check_version(job, mine, making.identity["generator"])
            to_write = making.missing()
        except InputError:
            if is_finished(folder):
                remove_leftovers(folder)
            raise
        begin(folder, making.identity)
        chunks.remove_damaged(job, mine)
        for name in to_write:
            making.attached[name](folder / name)
        let_finish(lock)
        _make(job, mine, workers, engine, progress)
        for data in data_folders(folder):
            refresh(data)
        if all((folder / file.name).exists() for file in files):
            wait_to_finish(lock)
            if not is_finished(folder):  # or another shard has seen the last file first
                making.finish(folder)
    if is_finished(folder):
        tidy(folder)


def _is_complete(making: Making) -> bool:
    """Whether the dataset is finished and nothing is missing or cut; what was altered within, ``validate`` finds."""
    folder = making.job.folder
    if not is_finished(folder) or not (folder / CARD).exists():
        return False
    hashes = read_provenance(folder / IDENTITY)["files"]
    for name in making.attached:
        if not (folder / name).exists() or hashes.get(name) != sha256_file(folder / name):
            return False
    return not chunks.missing_files(making.job, making.files)


def _make(job: Job, files: list[DataFile], workers: int, engine: Engine, progress: Progress) -> None:
    left = chunks.missing_files(job, files)
    total, to_do = (sum(file.stop - file.first for file in some) for some in (files, left))
    with progress(to_do - chunks.partial_scenes(job.folder, left), total) as advance:
        if left:
            chunks.make_files(job, left, workers, engine, advance)


def claim(folder: Path, identity: dict[str, Any], overwrite: bool) -> None:
    """See that ``folder`` is free for the dataset of this identity; with ``overwrite`` remove the one that is there.

    Raises InputError if it holds another dataset or something else, CheckFailed if another run is at work in it.
    """
    check_folder(folder, identity, overwrite)
    if overwrite and stored_identity(folder, any_format=True) is not None:
        with at_work(folder):
            discard(folder, identity)


def discard(folder: Path, identity: dict[str, Any]) -> None:
    """Remove the dataset that is in ``folder``, and nothing else, to make room for the one of this identity.

    The new identity is written first, so that a run that is killed meanwhile leaves a folder that can be overwritten.
    """
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    (folder / IDENTITY).unlink(missing_ok=True)
    for data in data_folders(folder):
        for path in data.glob("*"):
            if FILE_NAMES.fullmatch(path.name) and not path.is_dir():
                path.unlink()
        with suppress(OSError):  # the user's files are there
            data.rmdir()
    (folder / CARD).unlink(missing_ok=True)
    for path in (folder / PARTIAL).glob("*"):
        if path.name not in (IDENTITY, LOCK):
            path.unlink()
