"""Finishes a dataset: checks that every file is complete, writes the card, and ``clear.json`` last."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file, sha256_json, write_text
from clear_gen.core.progress import busy, counted
from clear_gen.store.chunks import check_file, recorded_hash
from clear_gen.store.kind import DatasetKind
from clear_gen.store.layout import CARD, IDENTITY, PARTIAL, DataFile, is_record_file, temporary_files
from clear_gen.store.lock import at_work
from clear_gen.store.manifest import (
    KEPT_SECTIONS,
    environment,
    how_to_go_on,
    kept_sections,
    no_dataset,
    read_provenance,
    read_record,
    stored_identity,
    unfinished_section,
    write_provenance,
)


def finish(folder: Path, kind: DatasetKind) -> None:
    """Check that every file is complete, then write the card and ``clear.json``, and remove ``.partial``.

    A finished dataset is only checked against its ``clear.json``; a missing card is rewritten.

    Raises CheckFailed naming the first file that is missing or altered, or if another run is using the folder.
    """
    if not is_finished(folder):
        if stored_identity(folder) is None:
            raise no_dataset(folder)
        with at_work(folder):
            finish_locked(folder, kind, read_again=True)
        return
    manifest = read_provenance(folder / IDENTITY)
    tidy(folder, sections_too=unfinished_section(folder, manifest) is None)
    check_hashes(folder, manifest["files"])
    kind.settings(manifest["identity"], folder / IDENTITY)
    if not (folder / CARD).exists():
        write_text(folder / CARD, kind.card(folder, manifest))


def finish_locked(folder: Path, kind: DatasetKind, read_again: bool = False) -> None:
    """Like ``finish``, but the caller already holds the lock, and the dataset is not finished.

    ``clear.json`` stores the hashes recorded when the files were written; ``read_again`` verifies them.
    """
    identity = stored_identity(folder) or {}
    settings = kind.settings(identity, folder / IDENTITY)
    files = kind.files(settings)
    missing = [file.name for file in files if not (folder / file.name).exists()]
    if missing:
        found = f"{len(missing)} of {len(files)} files missing, first {missing[0]}"
        raise CheckFailed(f"{folder}: {found}; {how_to_go_on(identity)}")
    try:
        for file in counted(files, "files read"):
            check_file(folder / file.name, file, sha256_json(identity))
        names = [*(file.name for file in files), *kind.attached(folder, identity, settings)]
        hashes = hashes_when_written(folder, names, read_again)
        made, sections = made_with(folder, files), kept_sections(folder)
        with busy("writing the card"):
            card = kind.card(folder, {"identity": identity, "environment": made, **sections})
    except InputError as error:
        raise CheckFailed(str(error)) from None
    write_manifest(folder, identity, made, sections, hashes, card)
    remove_leftovers(folder)


def write_manifest(
    folder: Path,
    identity: dict[str, Any],
    made_with: dict[str, str],
    sections: dict[str, Any],
    hashes: dict[str, str],
    card: str,
) -> None:
    """Write the card, then ``clear.json``, which holds the hashes of all other files."""
    write_text(folder / CARD, card)
    write_provenance(folder, identity, made_with, {**hashes, CARD: sha256_file(folder / CARD)}, sections)


def check_hashes(folder: Path, files: dict[str, Any]) -> None:
    """Raise CheckFailed unless every file except the card has its SHA-256."""
    for name, expected in counted(list(files.items()), "files hashed"):
        path = folder / name
        if name != CARD and not (path.is_file() and sha256_file(path) == expected):
            raise CheckFailed(f"{path}: missing or altered since the dataset was finished")


def hashes_when_written(folder: Path, names: Sequence[str], read_again: bool) -> dict[str, str]:
    """SHA-256 of files; for files of records the hash recorded when they were written, if known.

    ``read_again`` compares it with the current hash. Files other than records may have been validly replaced since.

    Raises CheckFailed naming the first file that is missing or was altered.
    """
    hashes = {}
    for name in counted(names, "files hashed"):
        if not (folder / name).exists():
            raise CheckFailed(f"{folder / name}: missing; delete {folder / PARTIAL / KEPT_SECTIONS} to do without")
        recorded = recorded_hash(folder, name) if is_record_file(name) else None
        hashes[name] = sha256_file(folder / name) if read_again or recorded is None else recorded
        if recorded not in (None, hashes[name]):
            raise CheckFailed(f"{folder / name}: altered since it was written; delete it and run again")
    return hashes


def made_with(folder: Path, files: list[DataFile]) -> dict[str, str]:
    """This machine's environment, with a note if some files were made on another machine."""
    here = environment()
    records = [read_record(folder, file.name) for file in files]
    elsewhere = sum(record is not None and record.get("environment") != here for record in records)
    return {**here, "files made elsewhere": str(elsewhere)} if elsewhere else here


def remove_leftovers(folder: Path, sections_too: bool = False) -> None:
    """Remove temporary files of killed runs, and ``.partial``; unless ``sections_too``, keep partial work on further
    sections, such as question candidates."""
    for leftover in temporary_files(folder):
        leftover.unlink(missing_ok=True)
    plans = (folder / PARTIAL).glob("*.json")
    begun = tuple(path.stem for path in plans if path.name not in (IDENTITY, KEPT_SECTIONS))
    if sections_too or not begun:
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        return
    for path in (folder / PARTIAL).iterdir():
        if not path.is_dir() and not path.name.startswith(begun):
            path.unlink(missing_ok=True)


def tidy(folder: Path, sections_too: bool = False) -> None:
    """Remove the ``.partial`` of a run that was killed just before it ended, unless another run is using it."""
    if (folder / PARTIAL).exists():
        with suppress(CheckFailed, OSError), at_work(folder):
            remove_leftovers(folder, sections_too)


def is_finished(folder: Path) -> bool:
    """Whether ``clear.json``, which is written last, exists."""
    return (folder / IDENTITY).exists()
