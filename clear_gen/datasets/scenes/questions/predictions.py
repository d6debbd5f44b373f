"""Predicted answers to a dataset's questions as a file: one JSON object a line.

``{"question_id": "test-000000-0", "answer": "A#"}``: ``answer`` is free text or null (the model gave none); ``raw``,
where present, is the whole text of the model that ``answer`` was taken from; ``cause``, why that is no answer (such as
``refusal``); ``error``, why there is none at all. Other fields are ignored.

The format lies here, beside the questions that it refers to, because both the explorer and the benchmark read it: the
explorer belongs to the generator and must not import the benchmark, while the benchmark may import the generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clear_gen.core.jsonl import field_of, json_objects

ID = "question_id"
WHY = ("cause", "error")
EXAMPLE = '{"question_id": ..., "answer": ...}'


def answers_in(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield (question id, answer) as they stand in the file. Raises InputError naming file, line and field."""
    for at, record in json_objects(path, EXAMPLE):
        question_id: str = field_of(record, ID, str, at)
        yield question_id, checked_answer(record, at)["answer"]


def checked_answer(record: dict[str, Any], at: str) -> dict[str, str | None]:
    """``answer`` and, where present, ``raw``, ``cause`` and ``error`` of a line.

    Raises InputError, beginning with ``at``, if ``answer`` or ``raw`` is no text.
    """
    values: dict[str, str | None] = {"answer": field_of(record, "answer", str, at, nullable=True)}
    if "raw" in record:
        values["raw"] = field_of(record, "raw", str, at, nullable=True)
    return values | {name: record[name] for name in WHY if isinstance(record.get(name), str)}
