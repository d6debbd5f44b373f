"""A dataset from beginning to end: claim the folder, make the files, finish; add audio later."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clear_gen.dataset import generate
from clear_gen.dataset.banks import bank_path, check_banks, check_sampling, missing_banks, read_banks
from clear_gen.dataset.finish import finish_alone, is_finished, remove_leftovers, tidy
from clear_gen.dataset.generate import Advance, Job
from clear_gen.dataset.identity import (
    Settings,
    begin,
    check_folder,
    check_unchanged,
    identity_of,
    read_provenance,
    settings_of,
    spec_of,
    stored_identity,
)
from clear_gen.dataset.layout import BANK, CARD, IDENTITY, PARTIAL, QUESTIONS, SCENES, DataFile, scene_files, shard_of
from clear_gen.dataset.lock import LOCK, at_work, let_finish, wait_to_finish
from clear_gen.dataset.scene_work import SceneWork
from clear_gen.io import InputError, sha256_file, sha256_json, write_text
from clear_gen.sounds.bank import Bank, write_bank

# What lies in the folders of a dataset, half-written files included
FILE_NAMES = re.compile(r"\.?(train|validation|test)(-\d{5}-of-\d{5})?\.parquet(\..*\.tmp)?")
# (scenes still to make, scenes in all) -> a context that yields the function to call with the number of scenes made
Progress = Callable[[int, int], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class Shard:
    """Which part of the files this job makes: the ``index``-th of ``of``."""

    index: int = 0
    of: int = 1


def create(
    folder: Path,
    settings: Settings,
    banks: dict[str, Bank],
    shard: Shard,
    workers: int,
    progress: Progress,
    overwrite: bool = False,
) -> None:
    """Make this shard's missing files of a new or unfinished dataset, and finish it if they were the last.

    With ``overwrite`` a dataset that is there already is removed first, after the banks were found to be usable.

    Raises InputError if ``folder`` holds something else, CheckFailed if another run is at work in it or a worker died.
    """
    check_banks(settings, banks)
    check_sampling(settings, banks)
    identity = identity_of(settings, banks)
    claim(folder, identity, overwrite)
    _complete(folder, identity, settings, banks, shard, workers, progress)


def claim(folder: Path, identity: dict[str, Any], overwrite: bool) -> None:
    """See that ``folder`` is free for the dataset of this identity; with ``overwrite`` remove the one that is there.

    Raises InputError if it holds another dataset or something else, CheckFailed if another run is at work in it.
    """
    check_folder(folder, identity, overwrite)
    if overwrite and stored_identity(folder) is not None:
        with at_work(folder):
            discard(folder, identity)


def add_audio(folder: Path, workers: int, progress: Progress) -> None:
    """Render the stored graphs of a dataset that was made without audio, or go on with it.

    The result is the same, byte for byte, as if it had been made with audio at once.

    Raises InputError if there is no dataset whose graphs are complete in ``folder``.
    """
    identity = stored_identity(folder)
    if identity is None or not (identity.get("audio") or is_finished(folder)):
        raise InputError(f"{folder}: found no finished dataset, expected one made by clear-gen scenes --no-audio")
    settings = settings_of(identity, folder / IDENTITY)
    banks = read_banks(folder, settings)
    audio_too = {**identity, "audio": True}
    _complete(folder, audio_too, replace(settings, audio=True), banks, Shard(), workers, progress)


def _complete(
    folder: Path,
    identity: dict[str, Any],
    settings: Settings,
    banks: dict[str, Bank],
    shard: Shard,
    workers: int,
    progress: Progress,
) -> None:
    """Make what is missing of this shard, alone on its files; the last shard finishes the dataset."""
    files = scene_files(settings.sizes)
    mine = shard_of(files, shard.of, shard.index)
    job = _job(folder, settings, identity)
    if _is_complete(job, files, banks):
        tidy(folder)
        return
    with at_work(folder, [files.index(file) for file in mine] if shard.of > 1 else None) as lock:
        try:  # before anything is written
            check_unchanged(folder, identity)
            if _is_complete(job, files, banks):  # by another shard, meanwhile
                remove_leftovers(folder)
                return
            if generate.missing_files(job, mine):
                generate.check_version(job, mine, identity["generator"])
            to_write = missing_banks(folder, banks)
        except InputError:
            if is_finished(folder):
                remove_leftovers(folder)
            raise
        begin(folder, identity)
        generate.remove_damaged(job, mine)
        for side in to_write:
            write_bank(banks[side], bank_path(folder, side))
        let_finish(lock)
        _make(job, mine, workers, progress)
        if all((folder / file.name).exists() for file in files):
            wait_to_finish(lock)
            if not is_finished(folder):  # or another shard has seen the last file first
                finish_alone(folder)
    if is_finished(folder):
        tidy(folder)


def _is_complete(job: Job, files: list[DataFile], banks: dict[str, Bank]) -> bool:
    """Whether the dataset is finished and nothing is missing or cut; what was altered within, ``validate`` finds."""
    if not is_finished(job.folder) or not (job.folder / CARD).exists():
        return False
    hashes = read_provenance(job.folder / IDENTITY)["files"]
    for path in (bank_path(job.folder, side) for side in banks):
        if not path.exists() or hashes.get(f"{BANK}/{path.name}") != sha256_file(path):
            return False
    return not generate.missing_files(job, files)


def discard(folder: Path, identity: dict[str, Any]) -> None:
    """Remove the dataset that is in ``folder``, and nothing else, to make room for the one of this identity.

    The new identity is written first, so that a run that is killed meanwhile leaves a folder that can be overwritten.
    """
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    (folder / IDENTITY).unlink(missing_ok=True)
    for name in (SCENES, BANK, QUESTIONS):
        for path in (folder / name).glob("*"):
            if FILE_NAMES.fullmatch(path.name) and not path.is_dir():
                path.unlink()
        with suppress(OSError):  # not there, or the user's files are
            (folder / name).rmdir()
    (folder / CARD).unlink(missing_ok=True)
    for path in (folder / PARTIAL).glob("*"):
        if path.name not in (IDENTITY, LOCK):
            path.unlink()


def _make(job: Job, files: list[DataFile], workers: int, progress: Progress) -> None:
    left = generate.missing_files(job, files)
    total, to_do = (sum(file.stop - file.first for file in some) for some in (files, left))
    with progress(to_do - generate.partial_scenes(job.folder, left), total) as advance:
        if left:
            generate.make_files(job, left, workers, advance)


def _job(folder: Path, settings: Settings, identity: dict[str, Any]) -> Job:
    if settings.imported:
        raise InputError(f"{folder}: found an imported dataset, whose sounds are unknown, expected one made here")
    work = SceneWork(settings.domain, spec_of(settings))
    without_audio = {**identity, "audio": False}
    return Job(folder, work, settings.audio, sha256_json(identity), sha256_json(without_audio))
