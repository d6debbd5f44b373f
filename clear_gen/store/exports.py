"""Exports in third-party layouts: claiming, continuing or overwriting a folder, and writing files into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path, write_text

MARKER = ".exporting.json"  # present while the export is incomplete


@contextmanager
def claiming(
    folder: Path,
    out: Path,
    about: dict[str, str],
    check: Callable[[], None],
    patterns: Sequence[str],
    overwrite: bool,
) -> Iterator[None]:
    """Claim ``out`` for an export of the dataset in ``folder`` until the export is complete.

    ``about`` identifies the export: only one with equal values is continued. ``check`` raises InputError if the
    dataset is damaged. ``patterns``: the files of such an export, which ``overwrite`` removes. Raises InputError if
    ``out`` holds anything else.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{out}: lies inside the dataset {folder}, expected a folder outside of it")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: found a file, expected a new or an empty folder")
    marker = json.dumps(about)
    used = out.is_dir() and any(out.iterdir())
    if used and not overwrite and not _continues(out / MARKER, marker):
        raise InputError(f"{out}: found files in it, expected a new or an empty folder (or --overwrite)")
    check()
    if overwrite:
        for path in [path for pattern in patterns for path in out.glob(pattern)]:
            path.unlink()
    write_text(out / MARKER, marker)
    yield
    (out / MARKER).unlink()


def _continues(path: Path, marker: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == marker
    except (OSError, UnicodeDecodeError):
        return False


def put(path: Path, data: bytes) -> None:
    """Write a file atomically, unless it already has these bytes."""
    try:
        if not path.is_symlink() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    except OSError:
        pass  # missing or unreadable: write it
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
