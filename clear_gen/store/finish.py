"""The end of making a dataset: everything is there and whole, then the card, and ``clear.json`` last."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file, sha256_json, write_text
from clear_gen.datasets.scenes.banks import bank_path, read_banks
from clear_gen.datasets.scenes.card import card
from clear_gen.datasets.scenes.statistics import Statistics, statistics
from clear_gen.store.chunks import check_file, recorded_hash
from clear_gen.store.layout import (
    BANK,
    CARD,
    IDENTITY,
    PARTIAL,
    QUESTIONS,
    DataFile,
    data_folders,
    questions_name,
    scene_files,
)
from clear_gen.store.lock import at_work
from clear_gen.store.manifest import (
    KEPT_QUESTIONS,
    Settings,
    environment,
    kept_questions,
    read_provenance,
    read_record,
    settings_of,
    stored_identity,
    write_provenance,
)


def finish(folder: Path) -> Statistics:
    """Check that every file is there and whole, then write the card and ``clear.json``, and remove ``.partial``.

    A finished dataset is only checked against its ``clear.json``; a card that is missing is written again.

    Raises CheckFailed naming the first file that is missing or altered, or if a run is at work in the folder.
    """
    if not is_finished(folder):
        if stored_identity(folder) is None:
            raise InputError(f"{folder}: found no dataset, expected one begun by clear-gen scenes")
        with at_work(folder):
            return finish_alone(folder, read_again=True)
    tidy(folder)
    stored = read_provenance(folder / IDENTITY)
    check_hashes(folder, stored["files"])
    settings = settings_of(stored["identity"], folder / IDENTITY)
    found = statistics(folder, scene_files(settings.sizes))
    if not (folder / CARD).exists():
        banks = read_banks(folder, settings)
        made, questions = stored["environment"], stored.get("questions")
        write_text(folder / CARD, card(stored["identity"], settings, made, banks, found, questions))
    return found


def check_hashes(folder: Path, files: dict[str, Any]) -> None:
    """Raise CheckFailed unless every file, the card aside, has its SHA-256."""
    for name, expected in files.items():
        if name != CARD and _hash(folder / name) != expected:
            raise CheckFailed(f"{folder / name}: missing or altered since the dataset was finished")


def _hash(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None


def finish_alone(folder: Path, read_again: bool = False) -> Statistics:
    """The same, by whoever holds the lock and when nothing is finished.

    ``clear.json`` gets the hashes that the files had when they were written; with ``read_again`` they are compared.
    """
    identity = stored_identity(folder) or {}
    settings = settings_of(identity, folder / IDENTITY)
    files = scene_files(settings.sizes)
    missing = [file.name for file in files if not (folder / file.name).exists()]
    if missing:
        raise CheckFailed(f"{folder}: {len(missing)} of {len(files)} files missing, first {missing[0]}")
    try:
        for file in files:
            check_file(folder / file.name, file, sha256_json(identity))
        banks = read_banks(folder, settings)
        found = statistics(folder, files)
    except InputError as error:
        raise CheckFailed(str(error)) from None
    for side, bank in banks.items():
        if bank.sha256 != identity["banks"][side]:
            raise CheckFailed(f"{bank_path(folder, side)}: found another bank than the scenes were made from")
    asked = [questions_name(split) for split in (kept_questions(folder) or {}).get("splits", ())]
    names = [*(file.name for file in files), *(f"{BANK}/{side}.parquet" for side in banks), *asked]
    if missing := [name for name in asked if not (folder / name).exists()]:
        raise CheckFailed(f"{folder / missing[0]}: missing; delete {folder / PARTIAL / KEPT_QUESTIONS} to do without")
    hashes = hashes_when_written(folder, names, read_again)
    made, questions = made_with(folder, files), kept_questions(folder)
    write_text(folder / CARD, card(identity, settings, made, banks, found, questions))
    hashes[CARD] = sha256_file(folder / CARD)
    write_provenance(folder, identity, made, dict(sorted(hashes.items())), questions)
    remove_leftovers(folder)
    return found


def hashes_when_written(folder: Path, names: Iterable[str], read_again: bool) -> dict[str, str]:
    """SHA-256 of files as it was when they were written, where that was kept; with ``read_again`` they are compared.

    Raises CheckFailed naming the first file that was altered.
    """
    hashes = {}
    for name in names:
        recorded = recorded_hash(folder, name)
        hashes[name] = sha256_file(folder / name) if read_again or recorded is None else recorded
        if recorded not in (None, hashes[name]):
            raise CheckFailed(f"{folder / name}: altered since it was written; delete it and run again")
    return hashes


def made_with(folder: Path, files: list[DataFile]) -> dict[str, str]:
    """This machine's environment; where files come from another one, too, it says so."""
    here = environment()
    records = [read_record(folder, file.name) for file in files]
    elsewhere = sum(record is not None and record.get("environment") != here for record in records)
    return {**here, "files made elsewhere": str(elsewhere)} if elsewhere else here


def remove_leftovers(folder: Path, candidates_too: bool = False) -> None:
    """What runs left that were killed while they wrote, and ``.partial``; but candidates of questions stay there."""
    leftovers = [path for name in (CARD, IDENTITY) for path in folder.glob(f".{name}.*.tmp")]
    leftovers += [path for data in data_folders(folder) for path in data.glob(".*.tmp")]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    if candidates_too or not (folder / PARTIAL / f"{QUESTIONS}.json").exists():
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        return
    for path in (folder / PARTIAL).iterdir():
        if not path.is_dir() and not path.name.startswith(QUESTIONS):
            path.unlink(missing_ok=True)


def tidy(folder: Path, candidates_too: bool = False) -> None:
    """Remove the ``.partial`` that a run left which was killed at its very end, unless another is at work there."""
    if (folder / PARTIAL).exists():
        with suppress(CheckFailed, OSError), at_work(folder):
            remove_leftovers(folder, candidates_too)


def finished_settings(folder: Path) -> Settings:
    """The settings of a finished dataset. Raises InputError if ``folder`` holds none."""
    if not is_finished(folder):
        raise InputError(f"{folder}: found no finished dataset, expected clear.json (clear-gen finish DIR writes it)")
    return settings_of(stored_identity(folder) or {}, folder / IDENTITY)


def is_finished(folder: Path) -> bool:
    """Whether ``clear.json`` is there: it is written last."""
    return (folder / IDENTITY).exists()
