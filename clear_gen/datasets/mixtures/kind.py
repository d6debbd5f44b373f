"""Datasets of mixtures, as the engine and the commands see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clear_gen.datasets.mixtures import load
from clear_gen.datasets.mixtures.manifest import MixtureSettings, mixture_settings_of
from clear_gen.store.layout import IDENTITY, MIXTURES, DataFile
from clear_gen.store.rows import Rows


class MixturesKind:
    """See ``clear_gen.datasets.kind.DatasetKind``."""

    name = MIXTURES

    def settings(self, identity: dict[str, Any], path: Path) -> MixtureSettings:
        return mixture_settings_of(identity, path)

    def files(self, settings: MixtureSettings) -> list[DataFile]:
        return settings.files

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        settings = self.settings(manifest["identity"], folder / IDENTITY)
        return load.rows(folder, settings, manifest["identity"], config, split)
