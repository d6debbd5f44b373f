"""Predictions as a file: one JSON object a line, ``{"question_id": "test-000000-0", "answer": "A#"}``.

``answer`` is free text or null (the model gave none); ``raw``, where it is, the whole text of the model that ``answer``
was taken from. Other fields are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.text import has_controls, shown

MAX_LINE_BYTES = 1_000_000  # an answer with a long chain of thought is a hundredth of that
MAX_TYPED = 200


def predictions_in(path: Path) -> Iterator[tuple[str, str | None]]:
    """Question ids and answers as they stand in the file. Raises InputError naming file, line and field."""
    for number, line in numbered_lines(path, '{"question_id": ..., "answer": ...} lines'):
        record = _record(line, f"{path}:{number}")
        yield record["question_id"], record["answer"]


def numbered_lines(path: Path, lines: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not empty, with their numbers from 1; ``lines`` says what they must be.

    Raises InputError if it is no such file, a line is very long or no UTF-8.
    """
    expected = f"expected a text file of {lines}"
    if path.exists() and not path.is_file():  # a pipe would keep its reader waiting
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


def _record(line: str, at: str) -> dict[str, Any]:
    """The object of a line with its fields checked."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = getattr(error, "msg", "too deep")
        raise InputError(f"{at}: not valid JSON ({detail}), expected an object a line") from None
    if not isinstance(record, dict):
        raise InputError(f"{at}: found {typed(record)}, expected an object with question_id and answer")
    for field, kinds, expected in (
        ("question_id", (str,), "a text"),
        ("answer", (str, type(None)), "a text or null"),
        ("raw", (str, type(None)), "a text or null"),
    ):
        if field not in record and field != "raw":
            raise InputError(f"{at}: {field}: found no such field, expected {expected}")
        if not isinstance(record.get(field, ""), kinds):
            raise InputError(f"{at}: {field}: found {typed(record[field])}, expected {expected}")
    return record


def typed(value: Any) -> str:
    """A JSON value for a message: numbers as they are, what holds others by its type."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)[:MAX_TYPED]
    return shown(text) if has_controls(text) else text[:60]
