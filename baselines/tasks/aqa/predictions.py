"""The predictions for a split, written and read: every question must be there once, in any order.

The lines are those of ``clear_gen.core.prediction_file``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from clear_gen.core.errors import CheckFailed
from clear_gen.core.files import write_text
from clear_gen.core.prediction_file import predictions_in
from clear_gen.core.text import shown

LISTED = 10


def write_predictions(
    path: Path,
    question_ids: Sequence[str],
    answers: Sequence[str | None],
    raw: Sequence[str | None] | None = None,
) -> None:
    """Write the predictions of a model, atomically; ``raw`` where the model said more than its answer."""
    lines = []
    for place, (question_id, answer) in enumerate(zip(question_ids, answers, strict=True)):
        record = {"question_id": question_id, "answer": answer}
        if raw is not None and raw[place] is not None:
            record["raw"] = raw[place]
        lines.append(json.dumps(record) + "\n")
    write_text(path, "".join(lines))


def read_predictions(path: Path, question_ids: Sequence[str]) -> list[str | None]:
    """The answers to ``question_ids``, in their order, as they stand in the file.

    Raises InputError naming file, line and field if the file is not what it must be, and CheckFailed listing the
    questions that are missing, there twice or unknown.
    """
    answers: dict[str, str | None] = {}
    duplicate: list[str] = []
    for question_id, answer in predictions_in(path):
        if question_id in answers:
            duplicate.append(question_id)
        answers[question_id] = answer
    missing = [name for name in question_ids if name not in answers]
    asked = {*question_ids}
    unknown = [name for name in answers if name not in asked]
    kinds = {"missing": missing, "duplicate": list(dict.fromkeys(duplicate)), "unknown": unknown}
    if wrong := [listed(kind, names) for kind, names in kinds.items() if names]:
        raise CheckFailed(f"{path}: question_id: {'; '.join(wrong)}; expected each of {len(asked):,} questions once")
    return [answers[name] for name in question_ids]


def listed(kind: str, names: Sequence[str]) -> str:
    """``3 missing (a, b, c)``; only the first few are named."""
    more = ", …" if len(names) > LISTED else ""
    return f"{len(names):,} {kind} ({', '.join(map(shown, names[:LISTED]))}{more})"
