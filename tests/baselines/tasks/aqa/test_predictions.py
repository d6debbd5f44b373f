"""Files of predictions: what is written is read; every mistake is named with its line."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.core.predictions import Prediction
from baselines.core.predictions import read_predictions as read
from baselines.core.predictions import write_predictions as write_all
from baselines.tasks.aqa.questions import Questions
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.jsonl import MAX_LINE_BYTES
from tests.baselines.tasks.aqa.test_metrics import questions_of

IDS = ["test-000000-0", "test-000000-1", "test-000001-0"]


def split_of(ids: list[str]) -> Questions:
    """Questions with these ids."""
    questions = questions_of(["exist"] * len(ids), ["yes"] * len(ids))
    return replace(questions, question_id=np.array(ids, object))


def read_predictions(path: Path, ids: list[str]) -> list[str | None]:
    """The answers in a file, in the order of these questions."""
    return [one.values["answer"] for one in read(path, split_of(ids))]


def write_predictions(
    path: Path, ids: list[str], answers: list[str | None], raw: list[str | None] | None = None
) -> None:
    """Write answers, and the texts that they were taken from."""
    rows = zip(ids, answers, raw or [None] * len(ids), strict=True)
    write_all(path, split_of(ids), [Prediction(one, {"answer": answer, "raw": text}) for one, answer, text in rows])


def lines_of(*answers: object) -> list[str]:
    return [json.dumps({"question_id": one, "answer": answer}) for one, answer in zip(IDS, answers, strict=True)]


def write(folder: Path, lines: list[str]) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@given(st.lists(st.none() | st.text(), min_size=3, max_size=3))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, answers: list[str | None]) -> None:
    path = tmp_path_factory.mktemp("predictions") / "mine.jsonl"
    write_predictions(path, IDS, answers, raw=["It is...", None, "\n"])
    assert read_predictions(path, IDS) == answers
    assert read_predictions(path, IDS[::-1]) == answers[::-1]
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row.get("raw") for row in written] == ["It is...", None, "\n"]
    assert os.listdir(path.parent) == ["mine.jsonl"]


def test_other_fields_empty_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    lines = [line.replace("}", ', "confidence": 0.5}') for line in lines_of("A", None, "yes")]
    assert read_predictions(write(tmp_path, ["﻿" + lines[2], "", *lines[:2], "  ", ""]), IDS) == ["A", None, "yes"]


def test_missing_duplicate_and_unknown_questions_are_listed(tmp_path: Path) -> None:
    lines = lines_of("A", "B", "C")
    unknown = [json.dumps({"question_id": f"other-{n}", "answer": "A"}) for n in range(12)]
    path = write(tmp_path, [lines[0], lines[0], lines[0], lines[1], *unknown])
    with pytest.raises(CheckFailed) as raised:
        read_predictions(path, IDS)
    listed = ", ".join(f"other-{n}" for n in range(10))
    assert str(raised.value) == (
        f"{path}: question_id: 1 missing (test-000001-0); 1 duplicate (test-000000-0); 12 unknown ({listed}, …); "
        "expected each of 3 questions once"
    )


def test_a_hostile_id_stays_on_its_line(tmp_path: Path) -> None:
    hostile = json.dumps({"question_id": "\x1b[2J\nEverything is fine" + "x" * 1000 + "\ud800", "answer": "A"})
    with pytest.raises(CheckFailed) as raised:
        read_predictions(write(tmp_path, [*lines_of("A", "B", "C"), hostile]), IDS)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not valid JSON (Expecting property name enclosed in double quotes)"),
        ("[" * 100_000, "not valid JSON (too deep)"),
        ("[]", "found a list, expected an object"),
        ("3", "found 3, expected an object"),
        ('{"answer": "A"}', "question_id: found no such field, expected a text"),
        ('{"question_id": "test-000000-1"}', "answer: found no such field, expected a text or null"),
        ('{"question_id": null, "answer": "A"}', "question_id: found null, expected a text"),
        ('{"question_id": 3, "answer": "A"}', "question_id: found 3, expected a text"),
        ('{"question_id": "test-000000-1", "answer": 3}', "answer: found 3, expected a text or null"),
        ('{"question_id": "test-000000-1", "answer": ["A"]}', "answer: found a list, expected a text or null"),
        ('{"question_id": "test-000000-1", "answer": true}', "answer: found true, expected a text or null"),
        ('{"question_id": "test-000000-1", "answer": "A", "raw": {}}', "raw: found an object, expected a text or null"),
        ('{"question_id": "test-000000-1", "answer": ' + "9" * 5000 + "}", "not valid JSON"),
        ('"' + "x" * MAX_LINE_BYTES + '"', "found a line of more than 1,000,000 bytes"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    lines = lines_of("A", "B", "C")
    path = write(tmp_path, [lines[0], line, lines[2]])
    with pytest.raises(InputError, match=rf"^{re.escape(f'{path}:2: {problem}')}[^\n]*$") as raised:
        read_predictions(path, IDS)
    assert len(str(raised.value)) < 400


def test_what_is_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    with pytest.raises(InputError, match=r"mine\.jsonl: not found, expected a text file"):
        read_predictions(path, IDS)
    path.write_bytes(lines_of("A", "B", "C")[0].encode() + b'\n{"question_id": "\xff\xfe"}')
    with pytest.raises(InputError, match=r"mine\.jsonl:2: found bytes that are not UTF-8"):
        read_predictions(path, IDS)
    with pytest.raises(InputError, match="found no regular file"):
        read_predictions(tmp_path, IDS)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="found no regular file"):
        read_predictions(tmp_path / "pipe", IDS)
