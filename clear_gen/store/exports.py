"""Exports in third-party layouts: claiming, continuing or overwriting a folder, and writing files into it.

A hidden file says of which dataset the export is, so that only our own exports are continued or made anew. Readers of
the layouts do not see it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path, sha256_json, write_text

MARKER = ".exporting.json"  # present while the export is incomplete
DONE = ".exported.json"  # afterwards; both say what is exported


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

    ``about`` identifies the export, its ``layout`` among others: one with equal values is continued, or made again to
    the same bytes; one of the same layout and folder, which has changed since, is made anew. ``check`` raises
    InputError if the dataset is damaged. ``patterns``: the files of such an export, which are removed before it is made
    anew, also with ``overwrite``. Raises InputError if ``out`` holds anything else.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{out}: lies inside the dataset {folder}, expected a folder outside of it")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: found a file, expected a new or an empty folder")
    about = {**about, "folder_sha256": sha256_json(str(folder.resolve()))}  # not the path: exports are published
    found, used = _exported(out), out.is_dir() and any(out.iterdir())
    if used and not overwrite and not all(found.get(name) == about[name] for name in ("layout", "folder_sha256")):
        holds = "an export of another dataset or layout" if found else "files in it"
        raise InputError(f"{out}: found {holds}, expected a new or an empty folder (or --overwrite)")
    check()
    if overwrite or found not in ({}, about):
        for path in [path for pattern in patterns for path in out.glob(pattern)]:
            path.unlink()
    write_text(out / MARKER, json.dumps(about))
    (out / DONE).unlink(missing_ok=True)
    yield
    (out / MARKER).replace(out / DONE)


def _exported(out: Path) -> dict[str, Any]:
    """What the export in ``out`` says of itself, complete or not; empty if there is none."""
    for name in (MARKER, DONE):
        try:
            found = json.loads((out / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def check_exported(out: Path) -> None:
    """Raise InputError if ``out`` holds an export that is not complete."""
    if (out / MARKER).exists():
        expected = "expected a complete one; the clear-gen export command that began it goes on where it stopped"
        raise InputError(f"{out}: found an unfinished export, {expected}")


def put(path: Path, data: bytes) -> None:
    """Write a file atomically, unless it already has these bytes."""
    try:
        if not path.is_symlink() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    except OSError:
        pass  # missing or unreadable: write it
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
