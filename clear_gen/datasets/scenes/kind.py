"""Datasets of scenes, as the engine and the commands see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clear_gen.datasets.scenes import load
from clear_gen.store.layout import IDENTITY, SCENES, DataFile, scene_files
from clear_gen.store.manifest import Settings, settings_of
from clear_gen.store.rows import Rows


class ScenesKind:
    """See ``clear_gen.datasets.kind.DatasetKind``."""

    name = SCENES

    def settings(self, identity: dict[str, Any], path: Path) -> Settings:
        return settings_of(identity, path)

    def files(self, settings: Settings) -> list[DataFile]:
        return scene_files(settings.sizes)

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        settings = self.settings(manifest["identity"], folder / IDENTITY)
        return load.rows(folder, settings, manifest.get("questions"), config, split)
