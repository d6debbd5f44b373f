"""Publishing a dataset: its files unchanged, or a copy without audio where redistribution is not allowed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file
from clear_gen.datasets.registry import KINDS, kind_of
from clear_gen.datasets.without_audio import write_without_audio
from clear_gen.store.finish import check_hashes, is_finished
from clear_gen.store.layout import CARD, IDENTITY
from clear_gen.store.manifest import no_dataset, read_provenance, unfinished_section
from clear_gen.store.shipment import Shipment, check_inside

log = logging.getLogger(__name__)


@contextmanager
def dataset_shipment(folder: Path, without_audio: bool) -> Iterator[Shipment]:
    """The files of a finished dataset to publish; ``without_audio``: graphs, questions and hashes only.

    Warns of recordings whose licence is unknown. Raises InputError if the dataset is not finished or its audio must not
    be redistributed, CheckFailed if a file is missing.
    """
    stored = finished(folder)
    if not without_audio:
        kind = kind_of(stored["identity"], folder / IDENTITY)
        if why := kind.unpublishable(folder, stored):
            raise InputError(f"{why}, expected one that allows to publish; --without-audio ships the rest")
        for line in kind.unlicensed(folder, stored):
            log.warning("%s; --without-audio ships the rest", line)
        yield _shipment(folder)
        return
    with TemporaryDirectory(prefix="clear-gen-") as name:
        write_without_audio(folder, Path(name))
        yield _shipment(Path(name))


def check_whole(folder: Path) -> None:
    """Raise CheckFailed naming the first file of a finished dataset that was altered since."""
    check_hashes(folder, finished(folder)["files"])


def finished(folder: Path) -> dict[str, Any]:
    """The ``clear.json`` of a finished dataset whose files are there. Raises InputError if there is none."""
    if not is_finished(folder):
        raise no_dataset(folder)
    stored = read_provenance(folder / IDENTITY)
    if problem := unfinished_section(folder, stored):
        raise InputError(f"{folder}: {problem}")
    for name in stored["files"]:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"{folder / IDENTITY}: files: found {name[:60]!r}, expected files in the folder")
        if not (folder / name).is_file():
            raise CheckFailed(f"{folder / name}: missing; run clear-gen finish {quote(str(folder))}")
    return stored


def _shipment(folder: Path) -> Shipment:
    check_inside(folder, (CARD, IDENTITY))
    hashes = dict(read_provenance(folder / IDENTITY)["files"])
    hashes |= {name: sha256_file(folder / name) for name in (CARD, IDENTITY)}  # a card may have been edited
    owned = (CARD, IDENTITY, *(f"{name}/*" for kind in KINDS.values() for name in kind.folders))
    return Shipment(folder, "dataset", hashes, owned)
