"""Files that complete a dataset of mixtures: tables of sources, annotations and the card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.datasets.mixtures.annotations import LINES, Labelled, annotation_name, labelled
from clear_gen.datasets.mixtures.card import mixture_card
from clear_gen.datasets.mixtures.manifest import MixtureSettings, mixture_settings_of
from clear_gen.datasets.mixtures.source_tables import KINDS, SourceTable, read_sources, source_name, sources_sha256
from clear_gen.datasets.mixtures.statistics import metadata, mixture_statistics
from clear_gen.store.chunks import recorded_path
from clear_gen.store.layout import IDENTITY


def attached_files(folder: Path, identity: dict[str, Any], settings: MixtureSettings) -> list[str]:
    """Write the annotations; returns their names and those of the tables of sources.

    Raises InputError if a table or a record is damaged, or a table is another one.
    """
    check_tables(folder, identity, read_tables(folder))
    return [*map(source_name, KINDS), *write_annotations(folder, settings)]


def card_of(folder: Path, manifest: dict[str, Any]) -> str:
    """The card of the dataset in ``folder``, whose files are all there. Raises InputError if one is damaged."""
    identity = manifest["identity"]
    settings = mixture_settings_of(identity, folder / IDENTITY)
    found = mixture_statistics(folder, settings)
    return mixture_card(identity, settings, manifest["environment"], read_tables(folder), found)


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
            with recorded_path(folder, names[-1]) as path, open(path, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines(labels_of(folder, settings, split)))
    return names


def labels_of(folder: Path, settings: MixtureSettings, split: str, config: str | None = None) -> Iterator[Labelled]:
    """The annotations of the mixtures of a fold, in order, from the records of a config (the first if None)."""
    config = config or next(iter(settings.snr_of_config))
    for file in settings.files:
        if (file.config, file.split) == (config, split):
            yield from (labelled(row) for row in metadata(folder, file))
