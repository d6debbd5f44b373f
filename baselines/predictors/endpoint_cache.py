"""On-disk cache of endpoint answers, one small file each, so that no request is sent, or paid for, twice.

The key is the SHA-256 of everything on which a reply may depend. Neither the address nor the API key is stored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json, write_text
from clear_gen.store.manifest import read_json

FORMAT = 1


def cache_key(asked: dict[str, Any]) -> str:
    """The hexadecimal cache key of a request (JSON values), independent of the order of its fields."""
    return sha256_json({"format": FORMAT, **asked})


def read_answer(folder: Path, key: str) -> str | None:
    """The text stored under ``key``; None if there is none, or its file is damaged or of another format."""
    try:
        kept = read_json(_path(folder, key))
    except (FileNotFoundError, InputError):
        return None
    text = kept.get("raw")
    return text if (kept.get("format"), kept.get("key")) == (FORMAT, key) and isinstance(text, str) else None


def keep_answer(folder: Path, key: str, text: str) -> None:
    """Store ``text`` under ``key``, atomically."""
    write_text(_path(folder, key), json.dumps({"format": FORMAT, "key": key, "raw": text}))


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.json"
