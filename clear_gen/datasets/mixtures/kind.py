"""Implements the ``DatasetKind`` interface for mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clear_gen.core.progress import counting
from clear_gen.datasets.mixtures import console, figure, load, validate
from clear_gen.datasets.mixtures.exports.audio_and_tables import export_mixtures
from clear_gen.datasets.mixtures.finish import attached_files, card_of
from clear_gen.datasets.mixtures.layout import ANNOTATIONS, MIXTURES, SOURCES, STEMS
from clear_gen.datasets.mixtures.manifest import MixtureSettings, mixture_settings_of
from clear_gen.datasets.redistribution import forbidden, unlicensed
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.store.kind import Export, SourcePaths
from clear_gen.store.layout import IDENTITY, DataFile
from clear_gen.store.rows import Rows
from clear_gen.store.validate import Validation

WRITTEN = counting("mixtures written")


class MixturesKind:
    """See ``clear_gen.store.kind.DatasetKind``."""

    name = MIXTURES
    record = "mixture"
    folders: tuple[str, ...] = (MIXTURES, f"{MIXTURES}-snr*", STEMS, f"{STEMS}-snr*", SOURCES, ANNOTATIONS)
    exports: Mapping[str, Export] = {
        "dcase": lambda folder, out, overwrite: export_mixtures(folder, out, "dcase", WRITTEN, overwrite),
        "jams": lambda folder, out, overwrite: export_mixtures(folder, out, "jams", WRITTEN, overwrite),
    }

    def settings(self, identity: dict[str, Any], path: Path) -> MixtureSettings:
        """See ``DatasetKind.settings``."""
        return mixture_settings_of(identity, path)

    def files(self, settings: MixtureSettings) -> list[DataFile]:
        """See ``DatasetKind.files``."""
        return settings.files

    def attached(self, folder: Path, identity: dict[str, Any], settings: MixtureSettings) -> list[str]:
        """See ``DatasetKind.attached``."""
        return attached_files(folder, identity, settings)

    def card(self, folder: Path, manifest: dict[str, Any]) -> str:
        """See ``DatasetKind.card``."""
        return card_of(folder, manifest)

    def card_without_audio(self, folder: Path, manifest: dict[str, Any]) -> str:
        """See ``DatasetKind.card_without_audio``."""
        return card_of(folder, manifest)

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        """See ``DatasetKind.rows``."""
        settings = mixture_settings_of(manifest["identity"], folder / IDENTITY)
        return load.rows(folder, settings, manifest["identity"], config, split)

    def summary(self, folder: Path) -> str:
        """See ``DatasetKind.summary``."""
        return console.mixture_summary(folder)

    def validate(self, folder: Path, recordings: SourcePaths | None, sample: int | None, workers: int) -> Validation:
        """See ``DatasetKind.validate``."""
        found = None
        if recordings is not None:  # recordings missing now were missing at build time too, else the tables differ
            found = (
                read_events(recordings.events, allow_missing=True, root=recordings.root),
                read_backgrounds(recordings.backgrounds, allow_missing=True, root=recordings.root),
            )
        return validate.validate_mixtures(folder, found, sample, workers, counting("mixtures checked"))

    def draw(self, folder: Path, record_id: str | None, config: str | None, out: Path) -> None:
        """See ``DatasetKind.draw``."""
        figure.draw_mixture(folder, config, record_id, out)

    def unpublishable(self, folder: Path, manifest: dict[str, Any]) -> str | None:
        """See ``DatasetKind.unpublishable``."""
        return forbidden(folder, _heard_tables(manifest))

    def unlicensed(self, folder: Path, manifest: dict[str, Any]) -> list[str]:
        """See ``DatasetKind.unlicensed``."""
        return unlicensed(folder, _heard_tables(manifest), "source_id")


def _heard_tables(manifest: dict[str, Any]) -> list[str]:
    """The tables of the recordings that the audio holds; none where it was left out."""
    has_audio = manifest["identity"].get("audio", True)
    return [name for name in manifest["files"] if name.startswith(f"{SOURCES}/") and has_audio]


KIND = MixturesKind()
