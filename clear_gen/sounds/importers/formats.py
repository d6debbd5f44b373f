"""The formats that banks are imported from. A new one is a file in this folder and a row of ``FORMATS``."""

from __future__ import annotations

from clear_gen.sounds.importers import clear, folder, good_sounds, soundfont
from clear_gen.sounds.importers.common import Format

FORMATS: dict[str, Format] = {
    "clear": clear.FORMAT,
    "folder": folder.FORMAT,
    "good-sounds": good_sounds.FORMAT,
    "soundfont": soundfont.FORMAT,
}


def formats_taking(option: str) -> list[str]:
    """The formats that take an option; none for one that every format takes."""
    return [name for name, format_ in FORMATS.items() if option in format_.options]
