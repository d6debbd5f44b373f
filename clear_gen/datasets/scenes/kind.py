"""Implements the ``DatasetKind`` interface for scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.progress import counting
from clear_gen.core.text import shown
from clear_gen.datasets.redistribution import forbidden, is_unknown, unlicensed
from clear_gen.datasets.scenes import console, figure, load, validate
from clear_gen.datasets.scenes.clear_format.layout import export_clear
from clear_gen.datasets.scenes.exports.audio_folder import export_audio_folder
from clear_gen.datasets.scenes.finish import attached_files, card_of
from clear_gen.datasets.scenes.layout import BANK, QUESTIONS, SCENES, scene_files
from clear_gen.datasets.scenes.manifest import Settings, settings_of
from clear_gen.store.kind import Export, SourcePaths
from clear_gen.store.layout import IDENTITY, DataFile
from clear_gen.store.rows import Rows
from clear_gen.store.validate import Validation

WRITTEN = counting("scenes written")


class ScenesKind:
    """See ``clear_gen.store.kind.DatasetKind``."""

    name = SCENES
    record = "scene"
    folders: tuple[str, ...] = (SCENES, BANK, QUESTIONS)
    exports: Mapping[str, Export] = {
        "clear": lambda folder, out, overwrite: str(export_clear(folder, out, WRITTEN, overwrite)),
        "audiofolder": lambda folder, out, overwrite: str(export_audio_folder(folder, out, WRITTEN, overwrite)),
    }

    def settings(self, identity: dict[str, Any], path: Path) -> Settings:
        """See ``DatasetKind.settings``."""
        return settings_of(identity, path)

    def files(self, settings: Settings) -> list[DataFile]:
        """See ``DatasetKind.files``."""
        return scene_files(settings.sizes)

    def attached(self, folder: Path, identity: dict[str, Any], settings: Settings) -> list[str]:
        """See ``DatasetKind.attached``."""
        return attached_files(folder, identity, settings)

    def card(self, folder: Path, manifest: dict[str, Any]) -> str:
        """See ``DatasetKind.card``."""
        return card_of(folder, manifest)

    def card_without_audio(self, folder: Path, manifest: dict[str, Any]) -> str:
        """See ``DatasetKind.card_without_audio``."""
        text = card_of(folder, manifest)
        return text if "imported" in manifest["identity"] else f"{text}\n{LEFT_OUT}"

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        """See ``DatasetKind.rows``."""
        settings = settings_of(manifest["identity"], folder / IDENTITY)
        return load.rows(folder, settings, manifest.get(QUESTIONS), config, split)

    def summary(self, folder: Path) -> str:
        """See ``DatasetKind.summary``."""
        return console.summary(folder)

    def validate(self, folder: Path, recordings: SourcePaths | None, sample: int | None, workers: int) -> Validation:
        """See ``DatasetKind.validate``."""
        if recordings is not None:
            raise InputError(f"{folder}: found scenes, expected mixtures where --events and --backgrounds are given")
        return validate.validate(folder, sample, workers, counting("scenes checked"))

    def draw(self, folder: Path, record_id: str | None, config: str | None, out: Path) -> None:
        """See ``DatasetKind.draw``."""
        if config is not None:
            raise InputError(f"--snr: found one, but {folder} holds no mixtures")
        figure.draw_scene(folder, record_id, out)

    def unpublishable(self, folder: Path, manifest: dict[str, Any]) -> str | None:
        """See ``DatasetKind.unpublishable``."""
        return forbidden(folder, _bank_tables(manifest))

    def unlicensed(self, folder: Path, manifest: dict[str, Any]) -> list[str]:
        """See ``DatasetKind.unlicensed``."""
        settings = settings_of(manifest["identity"], folder / IDENTITY)
        if settings.imported and is_unknown(str(settings.imported.get("licence") or "")):
            counted = f"{sum(settings.sizes.values()):,} scenes of {shown(str(settings.imported.get('name')))}"
            return [f"{folder / IDENTITY}: imported: licence unknown for {counted}"] if settings.audio else []
        return unlicensed(folder, _bank_tables(manifest), "source")


def _bank_tables(manifest: dict[str, Any]) -> list[str]:
    return [name for name in manifest["files"] if name.startswith(f"{BANK}/")]


LEFT_OUT = """## Audio

The audio is left out, that of the banks too. Whoever has these banks puts them in the place of the ones here; then
`clear-gen render .` makes the audio, and says of which scenes it is not what `rendered.pcm_sha256` says it was.
"""
KIND = ScenesKind()
