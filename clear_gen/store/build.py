"""Builds the missing parts of a dataset of any kind: claim the folder, make the files; the last run finishes it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import refresh, sha256_file, write_text
from clear_gen.core.progress import Progress, silent
from clear_gen.store import chunks
from clear_gen.store.chunks import BuildContext
from clear_gen.store.finish import finish_locked, is_finished, remove_leftovers, tidy
from clear_gen.store.kind import DatasetKind
from clear_gen.store.layout import CARD, IDENTITY, PARTIAL, DataFile, owned_files, shard_of, temporary_files
from clear_gen.store.lock import LOCK, at_work, let_finish, wait_to_finish
from clear_gen.store.manifest import (
    begin,
    check_folder,
    check_unchanged,
    environment,
    read_provenance,
    recorded_names,
    stored_identity,
    write_record,
)
from clear_gen.store.workers import Engine, Pool

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """The part of the files that this run makes: the ``index``-th of ``of``."""

    index: int = 0
    of: int = 1


@dataclass(frozen=True)
class Execution:
    """How a dataset is made; not part of its identity.

    ``workers``: processes, or concurrent chunks on Ray; ``engine``: where they run; ``overwrite``: whether to replace a
    dataset already in the folder.
    """

    workers: int = 1
    engine: Engine = Pool
    shard: Shard = Shard()
    progress: Progress = silent
    overwrite: bool = False


@dataclass(frozen=True)
class BuildPlan:
    """Plan of a dataset to build.

    ``attached``: files besides those of the records, as path below the folder -> function that writes the file.
    ``missing`` lists those still to be written, and raises InputError where other files are in their place.
    ``kind`` finishes the dataset once every file is there.
    """

    kind: DatasetKind
    context: BuildContext
    identity: dict[str, Any]
    files: list[DataFile]
    attached: Mapping[str, Callable[[Path], None]]
    missing: Callable[[], list[str]]


def check(plan: BuildPlan, execution: Execution) -> None:
    """Raise what ``make`` would refuse before it writes anything; nothing is changed.

    Raises InputError if the folder holds something else, CheckFailed if another run is at work in it.
    """
    folder, shard = plan.context.folder, execution.shard
    check_folder(folder, plan.identity, execution.overwrite)
    if (folder / PARTIAL / LOCK).exists():
        with at_work(folder, _numbers(plan, shard)):
            pass
    if not execution.overwrite and not _is_complete(plan):
        _to_write(plan, shard)


def make(plan: BuildPlan, execution: Execution) -> None:
    """Make the dataset, or this shard of it; with ``execution.overwrite`` what is there is removed first.

    Raises InputError and CheckFailed as ``claim`` and ``complete`` do.
    """
    claim(plan.context.folder, plan.identity, execution.overwrite)
    complete(plan, execution)


def complete(plan: BuildPlan, execution: Execution) -> None:
    """Make the missing files of this shard under their lock; the last shard finishes the dataset.

    Raises InputError if the folder holds something else, CheckFailed if another run is at work in it or a worker died.
    """
    context, files = plan.context, plan.files
    folder, shard = context.folder, execution.shard
    mine = shard_of(files, shard.of, shard.index)
    if _is_complete(plan):
        tidy(folder)
        return
    with at_work(folder, _numbers(plan, shard)) as lock:
        try:  # before anything is written
            check_unchanged(folder, plan.identity)
            if _is_complete(plan):  # by another shard, meanwhile
                remove_leftovers(folder)
                return
            to_write = _to_write(plan, shard)
        except InputError:
            if is_finished(folder):
                remove_leftovers(folder)
            raise
        begin(folder, plan.identity)
        chunks.remove_damaged(context, mine)
        for name in to_write:
            if (folder / name).exists():
                log.warning("%s: damaged; writing it again", folder / name)
            plan.attached[name](folder / name)
            write_record(folder, name, sha256_file(folder / name), environment())
        let_finish(lock)
        _make(context, mine, execution)
        for name in {file.config for file in files}:
            refresh(folder / name)
        if all((folder / file.name).exists() for file in files):
            wait_to_finish(lock)
            if not is_finished(folder):  # or another shard has seen the last file first
                finish_locked(folder, plan.kind)
    if is_finished(folder):
        tidy(folder)


def _numbers(plan: BuildPlan, shard: Shard) -> list[int] | None:
    """The numbers of the files that a shard locks; None: all."""
    mine = shard_of(plan.files, shard.of, shard.index)
    return [plan.files.index(file) for file in mine] if shard.of > 1 else None


def _to_write(plan: BuildPlan, shard: Shard) -> list[str]:
    """The attached files to write. Raises InputError if files are there, or missing, that this run cannot do with."""
    mine = shard_of(plan.files, shard.of, shard.index)
    if chunks.missing_files(plan.context, mine):
        chunks.check_version(plan.context, mine, plan.identity["generator"])
    return plan.missing()


def _is_complete(plan: BuildPlan) -> bool:
    """Whether the dataset is finished and no file is missing or truncated; ``validate`` finds altered content."""
    folder = plan.context.folder
    if not is_finished(folder) or not (folder / CARD).exists():
        return False
    hashes = read_provenance(folder / IDENTITY)["files"]
    for name in plan.attached:
        if not (folder / name).exists() or hashes.get(name) != sha256_file(folder / name):
            return False
    return not chunks.missing_files(plan.context, plan.files)


def _make(context: BuildContext, files: list[DataFile], execution: Execution) -> None:
    left = chunks.missing_files(context, files)
    total, to_do = (sum(file.stop - file.first for file in some) for some in (files, left))
    with execution.progress(to_do - chunks.partial_scenes(context.folder, left), total) as advance:
        if left:
            chunks.make_files(context, left, execution.workers, execution.engine, advance)


def claim(folder: Path, identity: dict[str, Any], overwrite: bool) -> None:
    """Check that ``folder`` is free for the dataset of this identity; ``overwrite`` removes an existing dataset.

    Raises InputError if it holds another dataset or anything else, CheckFailed if another run is using it.
    """
    check_folder(folder, identity, overwrite)
    if overwrite and stored_identity(folder, any_format=True) is not None:
        with at_work(folder):
            discard(folder, identity)


def discard(folder: Path, identity: dict[str, Any]) -> None:
    """Remove the dataset in ``folder``, and nothing else, to make room for the one of this identity.

    The new identity is written first, so that a run killed meanwhile leaves a folder that can be overwritten.
    """
    names = {*recorded_names(folder), *owned_files(folder)}
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    for path in (*(folder / name for name in sorted(names)), *temporary_files(folder)):
        path.unlink(missing_ok=True)
        if path.parent != folder:
            with suppress(OSError):  # other files remain, perhaps the user's
                path.parent.rmdir()
    (folder / CARD).unlink(missing_ok=True)
    (folder / IDENTITY).unlink(missing_ok=True)  # not before: it names the files
    for path in (folder / PARTIAL).glob("*"):
        if path.name not in (IDENTITY, LOCK):
            path.unlink()
