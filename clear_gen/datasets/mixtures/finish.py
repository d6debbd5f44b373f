"""The end of making mixtures: everything is there and whole, then annotations, card, and ``clear.json`` last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import atomic_path, sha256_file, sha256_json, write_text
from clear_gen.datasets.mixtures.annotations import LINES, Labelled, annotation_name, labelled
from clear_gen.datasets.mixtures.card import mixture_card
from clear_gen.datasets.mixtures.manifest import MixtureSettings, mixture_settings_of
from clear_gen.datasets.mixtures.source_tables import KINDS, SourceTable, read_sources, source_name, sources_sha256
from clear_gen.datasets.mixtures.statistics import MixtureStatistics, metadata, mixture_statistics
from clear_gen.store.chunks import check_file
from clear_gen.store.finish import check_hashes, hashes_when_written, is_finished, made_with, remove_leftovers, tidy
from clear_gen.store.layout import CARD, IDENTITY
from clear_gen.store.lock import at_work
from clear_gen.store.manifest import read_provenance, stored_identity, write_provenance


def finish_mixtures(folder: Path) -> MixtureStatistics:
    """Check that every file is there and whole, then write annotations, card and ``clear.json``.

    A finished dataset is only checked against its ``clear.json``; a card that is missing is written again.

    Raises CheckFailed naming the first file that is missing or altered, or if a run is at work in the folder.
    """
    if not is_finished(folder):
        with at_work(folder):
            return finish_mixtures_alone(folder, read_again=True)
    tidy(folder)
    stored = read_provenance(folder / IDENTITY)
    check_hashes(folder, stored["files"])
    settings = mixture_settings_of(stored["identity"], folder / IDENTITY)
    found = mixture_statistics(folder, settings)
    if not (folder / CARD).exists():
        tables = read_tables(folder)
        write_text(folder / CARD, mixture_card(stored["identity"], settings, stored["environment"], tables, found))
    return found


def finish_mixtures_alone(folder: Path, read_again: bool = False) -> MixtureStatistics:
    """The same, by whoever holds the lock and when nothing is finished.

    ``clear.json`` gets the hashes that the files had when they were written; with ``read_again`` they are compared.
    """
    identity = stored_identity(folder) or {}
    settings = mixture_settings_of(identity, folder / IDENTITY)
    if missing := [file.name for file in settings.files if not (folder / file.name).exists()]:
        raise CheckFailed(f"{folder}: {len(missing)} of {len(settings.files)} files missing, first {missing[0]}")
    try:
        for file in settings.files:
            check_file(folder / file.name, file, sha256_json(identity))
        tables = read_tables(folder)
        check_tables(folder, identity, tables)
        found = mixture_statistics(folder, settings)
        names = write_annotations(folder, settings)
    except InputError as error:
        raise CheckFailed(str(error)) from None
    hashes = hashes_when_written(folder, (file.name for file in settings.files), read_again)
    for name in (*(source_name(kind) for kind in KINDS), *names):
        hashes[name] = sha256_file(folder / name)
    made = made_with(folder, settings.files)
    write_text(folder / CARD, mixture_card(identity, settings, made, tables, found))
    hashes[CARD] = sha256_file(folder / CARD)
    write_provenance(folder, identity, made, dict(sorted(hashes.items())))
    remove_leftovers(folder)
    return found


def read_tables(folder: Path) -> dict[str, SourceTable]:
    """The tables of sources, by kind. Raises InputError if one is missing or damaged."""
    return {kind: read_sources(folder / source_name(kind)) for kind in KINDS}


def check_tables(folder: Path, identity: dict[str, Any], tables: dict[str, SourceTable]) -> None:
    """Raise InputError unless the tables are those that the identity names."""
    for kind, rows in tables.items():
        if sources_sha256(rows) != identity["sources"][kind]:
            raise InputError(f"{folder / source_name(kind)}: found other sources than the mixtures were made from")


def write_annotations(folder: Path, settings: MixtureSettings) -> list[str]:
    """Write the tables of strong and weak labels of every fold; returns their names. They hold for every SNR."""
    names = []
    for split in settings.sizes:
        for kind, lines in LINES.items():
            names.append(annotation_name(split, kind))
            with atomic_path(folder / names[-1]) as path, open(path, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines(labels_of(folder, settings, split)))
    return names


def labels_of(folder: Path, settings: MixtureSettings, split: str, config: str | None = None) -> Iterator[Labelled]:
    """What annotations say of the mixtures of a fold, in order, by the records of a config (of the first if None)."""
    config = config or next(iter(settings.snr_of_config))
    for file in settings.files:
        if (file.config, file.split) == (config, split):
            yield from (labelled(row) for row in metadata(folder, file))
