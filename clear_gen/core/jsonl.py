"""Reader of JSON-lines files whose errors name line and field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.text import has_controls, shown

MAX_LINE_BYTES = 1_000_000  # a hundred times an answer with a long chain of thought
MAX_SHOWN = 200  # characters of a value in a message
KINDS: dict[type, str] = {str: "a text", dict: "an object", list: "a list"}


def json_objects(path: Path, example: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, object) for every line that is not empty; a place is ``path:line``, for messages.

    ``example``: what a line looks like, such as ``{"question_id": ..., "answer": ...}``.

    Raises InputError if ``path`` is no regular file, a line is longer than MAX_LINE_BYTES, not UTF-8 or no JSON object.
    """
    for number, line in _lines(path, f"expected a text file of {example} lines"):
        at = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            detail = getattr(error, "msg", "too deep")
            raise InputError(f"{at}: not valid JSON ({detail}), expected an object a line") from None
        if not isinstance(record, dict):
            raise InputError(f"{at}: found {value_shown(record)}, expected an object: {example}")
        yield at, record


def field_of(record: dict[str, Any], name: str, kind: type, at: str, expected: str = "", nullable: bool = False) -> Any:
    """The field ``name`` of an object. Raises InputError, which begins with ``at``, if it is missing or no ``kind``."""
    expected = (expected or KINDS[kind]) + (" or null" if nullable else "")
    if name not in record:
        raise InputError(f"{at}: {name}: found no such field, expected {expected}")
    value = record[name]
    if not isinstance(value, kind) and not (nullable and value is None):
        raise InputError(f"{at}: {name}: found {value_shown(value)}, expected {expected}")
    return value


def value_shown(value: Any) -> str:
    """A JSON value for a message: scalars as they are, lists and objects by their type."""
    if isinstance(value, dict | list):
        return KINDS[type(value)]
    text = json.dumps(value, default=repr)[:MAX_SHOWN]
    return shown(text) if has_controls(text) else text[:60]


def _lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1."""
    if path.exists() and not path.is_file():  # reading a pipe would block
        raise InputError(f"{path}: found no regular file, {expected}")
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(f"{path}:{number}: found a line of more than {MAX_LINE_BYTES:,} bytes, {expected}")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield number, text
    except FileNotFoundError:
        raise InputError(f"{path}: not found, {expected}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{number}: found bytes that are not UTF-8 ({error.reason}), {expected}") from None
