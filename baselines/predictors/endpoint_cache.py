"""Answers of endpoints on disk: one small file per answer, so that nothing is asked, or paid for, twice.

The key is the SHA-256 of everything that a reply may depend on. Neither the address nor the API key is written.
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
    """The key of what was asked (JSON values), hexadecimal: the same whatever the order of the fields."""
    return sha256_json({"format": FORMAT, **asked})


def read_answer(folder: Path, key: str) -> str | None:
    """The text kept under ``key``; None if there is none, or its file is damaged or of another format."""
    try:
        kept = read_json(_path(folder, key))
    except (FileNotFoundError, InputError):
        return None
    text = kept.get("raw")
    return text if (kept.get("format"), kept.get("key")) == (FORMAT, key) and isinstance(text, str) else None


def keep_answer(folder: Path, key: str, text: str) -> None:
    """Keep ``text`` under ``key``; a kill leaves either all of it or nothing."""
    write_text(_path(folder, key), json.dumps({"format": FORMAT, "key": key, "raw": text}))


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.json"
