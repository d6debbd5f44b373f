"""Predictions about the items of a split, in memory and as a JSON-lines file.

A ``Predictor`` can be a trained network, an endpoint, a constant, a predictions file or a symbolic executor.
All are scored the same way (``baselines.tasks.scoring.evaluate``). What a prediction holds depends on the task: an
answer to a question, the scores and events of a clip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import write_text
from clear_gen.core.jsonl import field_of, json_objects
from clear_gen.core.text import shown

PREDICTIONS = "predictions-{}.jsonl"
LISTED = 10  # ids in a message


@dataclass(frozen=True)
class Prediction:
    """The prediction for one item. ``values``: by field, as defined by the task's split."""

    item_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """How a task writes its predictions, one JSON object a line.

    ``id_field``: such as ``question_id``. ``items``: plural noun for the items. ``example``: a sample line.
    ``all_or_none``: optional fields that must be in every line or in none.
    """

    id_field: str
    items: str
    example: str
    all_or_none: tuple[str, ...] = field(default=())


class Split(Protocol):
    """The items of one split of a dataset with their ground truth; each task has its own class.

    A predictor may read anything a task's split offers: waveforms, scenes, questions with their programs.
    """

    format: ClassVar[Format]

    @property
    def task(self) -> str:
        """The task's name in ``baselines.tasks.TASKS``."""
        ...

    @property
    def folder(self) -> Path:
        """Of the dataset."""
        ...

    @property
    def name(self) -> str:
        """Such as ``test`` or ``fold1``."""
        ...

    @property
    def item_ids(self) -> Sequence[str]:
        """Ids of the items, in the dataset's order."""

    @property
    def n_original(self) -> int:
        """Number of items in the whole split, also when a limit selects fewer."""

    def checked(self, item_id: str, record: dict[str, Any], at: str) -> Mapping[str, Any]:
        """The validated values of a prediction. Raises InputError, beginning with ``at``, if they are malformed."""
        ...

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a prediction's values that is written to a file, as JSON values."""
        ...


class Predictor(Protocol):
    """Predicts the items of a split."""

    @property
    def name(self) -> str:
        """Name shown in tables and results."""

    def predict(self, split: Any) -> Iterable[Prediction]:
        """Yield one prediction for every item of the split, in any order. Raises CheckFailed if it gives up."""
        ...


@runtime_checkable
class Documented(Protocol):
    """A predictor that adds information about itself to the results."""

    def about(self, split: Any) -> Mapping[str, Any]:
        """Fields of the task's results, such as the seed of a trained network; called after ``predict``."""
        ...


def write_predictions(path: Path, split: Split, predictions: Iterable[Prediction]) -> list[Prediction]:
    """Write predictions as they come, atomically, and return them in the order of the split.

    If the predictor gives up (CheckFailed), the predictions made so far are still written.

    Raises InputError for a malformed prediction, CheckFailed as ``in_order`` does.
    """
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected a file for the predictions")
    lines: list[str] = []
    try:
        found = list(_each_checked(predictions, split, lines))
    except CheckFailed as error:
        write_text(path, "".join(lines))
        raise CheckFailed(f"{error}; {path} has what there is") from None
    write_text(path, "".join(lines))
    return in_order(found, split, f"{path}")


def _each_checked(predictions: Iterable[Prediction], split: Split, lines: list[str]) -> Iterator[Prediction]:
    for one in predictions:
        split.checked(one.item_id, dict(one.values), f"prediction of {shown(one.item_id)}")
        lines.append(json.dumps({split.format.id_field: one.item_id, **split.stored(one.values)}) + "\n")
        yield one


def read_predictions(path: Path, split: Split) -> list[Prediction]:
    """The predictions in a file, in the order of the split.

    Raises InputError naming file, line and field if the file is malformed, CheckFailed as ``in_order`` does.
    """
    found: list[Prediction] = []
    first: dict[str, Any] | None = None
    for at, record in json_objects(path, split.format.example):
        _check_task(record, split, at)
        item_id: str = field_of(record, split.format.id_field, str, at)
        found.append(Prediction(item_id, split.checked(item_id, record, at)))
        first = record if first is None else first
        for name in split.format.all_or_none:
            if (name in first) != (name in record):
                has = "them" if name in record else "none"
                raise InputError(f"{at}: {name}: found {has}, unlike in lines before")
    return in_order(found, split, f"{path}")


def _check_task(record: Mapping[str, Any], split: Split, at: str) -> None:
    """Raise InputError if an item has another task's id instead of its own."""
    own = split.format.id_field
    others = [name for name in record if name.endswith("_id")]
    if own not in record and others:
        found = f"found {shown(others[0])} instead, as predictions of another task have"
        raise InputError(f"{at}: {own}: {found}, expected {split.format.items} of {split.folder}")


def in_order(predictions: Iterable[Prediction], split: Split, source: str) -> list[Prediction]:
    """The predictions in the order of the split.

    Raises CheckFailed, beginning with ``source``, listing the items that are missing, predicted twice or unknown.
    """
    by_id: dict[str, Prediction] = {}
    duplicate: dict[str, None] = {}
    for one in predictions:
        if one.item_id in by_id:
            duplicate[one.item_id] = None
        by_id[one.item_id] = one
    wanted = dict.fromkeys(split.item_ids)
    kinds = {
        "missing": [name for name in wanted if name not in by_id],
        "duplicate": list(duplicate),
        "unknown": [name for name in by_id if name not in wanted],
    }
    if wrong := [_listed(kind, names) for kind, names in kinds.items() if names]:
        expected = f"expected each of {len(wanted):,} {split.format.items} once"
        raise CheckFailed(f"{source}: {split.format.id_field}: {'; '.join(wrong)}; {expected}")
    return [by_id[name] for name in wanted]


def _listed(kind: str, names: Sequence[str]) -> str:
    """``3 missing (a, b, c)``; only the first few are named."""
    more = ", …" if len(names) > LISTED else ""
    return f"{len(names):,} {kind} ({', '.join(map(shown, names[:LISTED]))}{more})"
