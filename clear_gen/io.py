"""Leaf of the package: what every other module needs to touch the disk and to tell the user what is wrong.

Nothing here imports from the rest of ``clear_gen``.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(Exception):
    """Something from outside is not what it must be: a file, a field, an option. Exit code 2.

    The message is one line that names file, field, found and expected.
    """


class CheckFailed(Exception):
    """A check or a job that ran to its end and failed. Exit code 1."""


def content_path(kind: str, name: str) -> Path:
    """Path of a piece of packaged content, ``kind`` being the top-level folder ``banks`` or ``templates``.

    In a checkout the content lies beside the package; a wheel carries it inside.
    """
    package = Path(__file__).resolve().parent
    for root in (package, package.parent):
        path = root / kind / name
        if path.exists():
            return path
    available = sorted(entry.name for root in (package, package.parent) for entry in (root / kind).glob("*"))
    raise InputError(f"{kind}/{name}: not found, expected one of: {', '.join(available)}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success fsync it and rename it to ``path``.

    On any error the temporary file is removed and ``path`` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
