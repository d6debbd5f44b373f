"""Exports of mixtures: audio files and tables in DCASE's layout, or audio and JAMS files in Scaper's.

dcase   OUT/<config>/audio/<fold>/<mixture>.flac, OUT/<config>/metadata/<fold>.{strong,weak}.tsv
jams    OUT/<config>/<fold>/<mixture>.flac and <mixture>.jams beside it
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import read_row_group
from clear_gen.core.progress import Progress
from clear_gen.datasets.mixtures.annotations import LINES, jams_text
from clear_gen.datasets.mixtures.finish import labels_of
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.datasets.mixtures.records import mixture_file
from clear_gen.mixtures.graph import mixture_of_row
from clear_gen.store.chunks import check_file
from clear_gen.store.exports import claiming, put
from clear_gen.store.manifest import stored_identity

Layout = Literal["dcase", "jams"]
PATTERNS = {
    "dcase": ("mixtures*/audio/fold*/fold*.flac", "mixtures*/metadata/fold*.tsv"),
    "jams": ("mixtures*/fold*/fold*.flac", "mixtures*/fold*/fold*.jams"),
}


def export_mixtures(folder: Path, out: Path, layout: Layout, progress: Progress, overwrite: bool = False) -> str:
    """Write the mixtures of a finished dataset in another layout, the audio's bytes as they are; returns a summary.

    Raises InputError if there is no such dataset, if a file of it is damaged, or if ``out`` holds something else.
    """
    identity = stored_identity(folder) or {}
    settings = finished_mixtures(folder, identity)
    if not settings.audio:
        raise InputError(f"{folder}: audio: found none, expected a dataset with audio to export")
    digest = sha256_json(identity)
    n = sum(settings.sizes.values()) * len(settings.snr_of_config)

    def check() -> None:
        for file in settings.files:
            check_file(folder / file.name, file, digest)

    about = {"layout": layout, "identity_sha256": digest}
    with claiming(folder, out, about, check, PATTERNS[layout], overwrite), progress(n, n) as advance:
        for config in settings.snr_of_config:
            for split, row in _rows(folder, settings, config, digest):
                if layout == "jams":
                    _put_jams(out / config / split, row, identity["generator"])
                else:
                    put(out / config / "audio" / split / mixture_file(row["mixture_id"]), row["audio"]["bytes"])
                advance(1)
            if layout == "dcase":
                _put_tables(folder, settings, config, out / config / "metadata")
    configs = ", ".join(settings.snr_of_config)
    return f"{out}: {n:,} mixtures with {'tables' if layout == 'dcase' else 'JAMS'} ({configs})"


def _put_jams(out: Path, row: dict[str, Any], generator: str) -> None:
    put(out / mixture_file(row["mixture_id"]), row["audio"]["bytes"])
    put(out / f"{row['mixture_id']}.jams", jams_text(mixture_of_row(row), generator).encode())


def _put_tables(folder: Path, settings: MixtureSettings, config: str, out: Path) -> None:
    for split in settings.sizes:
        for kind, lines in LINES.items():
            text = "".join(f"{line}\n" for line in lines(labels_of(folder, settings, split, config)))
            put(out / f"{split}.{kind}.tsv", text.encode())


def _rows(folder: Path, settings: MixtureSettings, config: str, digest: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a config with their fold. Raises InputError unless the ids can be file names."""
    for file in settings.files:
        if file.config != config:
            continue
        path = folder / file.name
        opened = check_file(path, file, digest)
        for number in range(len(file.chunks)):
            for row in read_row_group(opened, number, path).to_pylist():
                if not re.fullmatch(rf"{file.split}-\d{{6,12}}", row["mixture_id"]):
                    raise InputError(f"{path}: mixture_id: found {row['mixture_id']!r}, expected {file.split}-NUMBER")
                yield file.split, row
