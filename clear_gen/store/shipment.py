"""The files of a folder to publish, and those left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown


@dataclass(frozen=True)
class Shipment:
    """The files of ``folder`` to publish, by name, with their SHA-256.

    ``owned``: patterns of file names that such shipments use. A matching file that is not in this shipment is from
    an earlier one, and is removed from the Hub.
    """

    folder: Path
    kind: Literal["dataset", "model"]
    hashes: Mapping[str, str]
    owned: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of the files, by name."""
        return {name: (self.folder / name).stat().st_size for name in self.hashes}


def check_inside(folder: Path, names: Iterable[str]) -> None:
    """Raise InputError naming the first of these files that is a link leading out of its folder.

    For files without a known hash; in a folder from elsewhere such a link could expose any of the user's files.
    """
    for name in names:
        if not (path := (folder / name).resolve()).is_relative_to(folder.resolve()):
            raise InputError(f"{folder / name}: found a link to {path}, expected a file in the folder; copy it there")


# --- what is not shipped ----------------------------------------------------------------------------------------------


def left_out(folder: Path, names: Iterable[str]) -> list[str]:
    """Other entries of ``folder``; a subfolder without any of these files is listed by name only."""
    kept = set(names)
    used = {parent.as_posix() for name in kept for parent in Path(name).parents}

    def walk(at: Path) -> Iterator[str]:
        for path in sorted(at.iterdir()):
            name = path.relative_to(folder).as_posix()
            if path.is_dir() and name in used:
                yield from walk(path)
            elif name not in kept:
                yield f"{name}/" if path.is_dir() else name

    return list(walk(folder))


def listing(names: list[str]) -> str:
    """Names in one line, truncated to the first few."""
    return ", ".join(map(shown, names[:10])) + (f" and {len(names) - 10:,} more" if names[10:] else "")
