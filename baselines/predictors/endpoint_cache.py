"""On-disk cache of endpoint answers, one small file each, so that no request is sent, or paid for, twice.

The key is the SHA-256 of everything on which a reply may depend. Neither the address nor the API key is stored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from baselines.predictors.endpoint_reply import Reply
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json, write_text
from clear_gen.store.manifest import read_json

FORMAT = 1


def cache_key(asked: dict[str, Any]) -> str:
    """The hexadecimal cache key of a request (JSON values), independent of the order of its fields."""
    return sha256_json({"format": FORMAT, **asked})


def read_answer(folder: Path, key: str) -> Reply | None:
    """The reply stored under ``key``; None if there is none, or its file is damaged or of another format."""
    try:
        kept = read_json(_path(folder, key))
    except (FileNotFoundError, InputError):
        return None
    text, cause = kept.get("raw"), kept.get("cause")
    if (kept.get("format"), kept.get("key")) != (FORMAT, key):
        return None
    is_reply = isinstance(text, str) if cause is None else isinstance(cause, str) and isinstance(text, str | None)
    return Reply(text, cause) if is_reply else None


def keep_answer(folder: Path, key: str, reply: Reply) -> None:
    """Store a reply under ``key``, atomically. ``cause`` is stored only where the text is no answer."""
    why = {} if reply.cause is None else {"cause": reply.cause}
    write_text(_path(folder, key), json.dumps({"format": FORMAT, "key": key, "raw": reply.text, **why}))


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.json"
