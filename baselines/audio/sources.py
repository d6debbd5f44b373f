"""Where the waveforms of a split come from: the audio of its dataset, or its graphs and bank."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from baselines.audio.scenes import AudioScenes, Scenes
from baselines.audio.virtual import virtual_scenes
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.datasets.scenes.manifest import finished_settings

SourceName = Literal["audio", "virtual"]


def open_scenes(folder: Path, split: str, source: SourceName | None = None) -> Scenes:
    """The scenes of a split: decoded from their audio if the dataset has it, else rendered.

    Raises InputError if there is no such split, or the dataset cannot serve that ``source``.
    """
    settings = finished_settings(folder)
    if not settings.sizes.get(split):
        there = [name for name, size in settings.sizes.items() if size]
        raise InputError(f"{folder}: split: {not_among(split, there)}")
    if source is None:
        source = "audio" if settings.audio else "virtual"
    if source == "audio":
        return AudioScenes(folder, split, settings)
    return virtual_scenes(folder, split, settings)
