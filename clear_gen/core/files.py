"""Files: packaged content, atomic writes, hashes, bounded reads."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among


def read_text(path: Path, max_bytes: int, expected: str) -> str:
    """The text of a file from outside, in UTF-8 with or without a byte order mark.

    Raises InputError unless it is a regular file (a pipe or a device may never end) of at most ``max_bytes``.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: found no regular file, expected {expected}")
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise InputError(f"{path}: size: found more than {max_bytes:,} bytes, expected {expected} of at most that")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: not found, expected {expected}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None


def content_path(kind: str, name: str) -> Path:
    """Path of a piece of packaged content, ``kind`` being the top-level folder ``banks`` or ``templates``.

    In a checkout the content lies beside the package; a wheel carries it inside.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package, package.parent):
        path = root / kind / name
        if path.exists():
            return path
    raise InputError(f"{kind}: {not_among(name, content_names(kind))}")


def content_names(kind: str) -> list[str]:
    """The names of the pieces of packaged content of a ``kind``."""
    package = Path(__file__).resolve().parents[1]
    entries = {entry.name for root in (package, package.parent) for entry in (root / kind).glob("*")}
    return sorted(entries - {"README.md"})


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success fsync it and rename it to ``path``.

    On any error the temporary file is removed and ``path`` is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None  # not the temporary name
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_writable(path: Path, is_folder: bool) -> None:
    """Raise InputError unless a file, or a folder, can be made or replaced at ``path``: before hours of work for it.

    Tried with a file without a name, which leaves no trace.
    """
    at = next(one for one in (path, *path.absolute().parents) if one.exists())
    if at != path and not at.is_dir():
        raise InputError(f"{path}: found a file at {at}, expected a folder")
    if at == path and is_folder and not path.is_dir():
        raise InputError(f"{path}: found a file, expected a folder")
    if at == path and not is_folder and not path.is_file():
        raise InputError(f"{path}: found a {'folder' if path.is_dir() else 'device'}, expected a file")
    folder = at if at.is_dir() else at.absolute().parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({folder}: {error.strerror}); choose another place") from None


def refresh(folder: Path) -> None:
    """Refresh a network file system's cached listing of ``folder``, by opening it.

    Otherwise a file looked up before another machine wrote it may appear missing for up to a minute.
    """
    with suppress(FileNotFoundError):
        os.scandir(folder).close()


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_json(value: Any) -> str:
    """SHA-256 of a JSON value, hexadecimal, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
