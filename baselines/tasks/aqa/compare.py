"""Paired comparison of models on the same questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.core.intervals import Interval, bootstrap_mean, bootstrap_weighted, mcnemar
from baselines.core.predictions import read_predictions
from baselines.core.results import RESULTS, read_results
from baselines.core.unfinished import scored_after
from baselines.tasks.aqa.evaluate import BOOTSTRAP_SEED, normalised
from baselines.tasks.aqa.metrics import correct_answers, published_weights
from baselines.tasks.aqa.questions import Questions, read_split
from baselines.tasks.aqa.results import AqaResults, percent
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file
from clear_gen.core.text import shown, table


@dataclass(frozen=True)
class Entry:
    """A model to compare: its name, its predictions and, where results name them, their dataset and its questions.

    ``limit``: number of questions predicted, if not all. ``unfinished``: as in results files.
    """

    model: str
    predictions: Path
    limit: int | None = None
    data: Path | None = None
    questions_sha256: str | None = None
    unfinished: str | None = None


@dataclass(frozen=True)
class Comparison:
    """A model against the first one, on the same questions; ``difference`` is its accuracy minus the first one's.

    ``weighted``, ``weighted_difference``: the same with the types weighted as in the published dataset that the domain
    resembles; None if there is none. ``only_first``, ``only_this``: questions that only one of the two answers
    correctly. ``p_value``: McNemar's, mid-p.
    """

    model: str
    accuracy: float
    difference: Interval
    weighted: float | None
    weighted_difference: Interval | None
    only_first: int
    only_this: int
    p_value: float


@dataclass(frozen=True)
class Compared:
    """The first model's name and accuracy on ``n`` questions, and all others against it.

    ``like``: the published dataset as which ``weighted`` accuracies are weighted. ``notes``: lines about models whose
    training was interrupted.
    """

    model: str
    accuracy: float
    weighted: float | None
    like: str | None
    n: int
    questions_sha256: str
    others: list[Comparison]
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self)


def read_entry(path: Path, split: str) -> Entry:
    """Read an entry from the folder of a run or of results, a results file or a predictions file.

    Raises InputError if a folder holds no results of the split, or the predictions changed after they were scored.
    """
    if not path.exists():
        raise InputError(f"{path}: not found, expected a run, results or predictions")
    if path.is_dir():
        path = _results_in(path, split)
    if path.suffix != ".json":
        return Entry(path.stem, path)
    file = read_results(path, AqaResults)
    predictions = path.parent / file.config.predictions
    if not predictions.is_file() or sha256_file(predictions) != file.hashes.predictions:
        raise InputError(f"{path}: {predictions}: found other predictions or none, expected those that were scored")
    data = path.parent / file.config.data
    return Entry(file.config.model, predictions, file.config.limit, data, file.hashes.questions, file.unfinished)


def _results_in(folder: Path, split: str) -> Path:
    """The results of a split in a folder: on the run's own dataset, or else on the only other one."""
    own = folder / RESULTS.format(split)
    found = [own] if own.is_file() else sorted(folder.glob(RESULTS.format(f"*-{split}")))
    if len(found) != 1:
        for other in sorted(folder.glob(RESULTS.format("*"))):
            read_results(other, AqaResults)  # says so if they are another task's
        names = ", ".join(path.name for path in found) or f"no {own.name}"
        raise InputError(f"{folder}: found {names}, expected one results file; name it, or run clear-bench evaluate")
    return found[0]


def compare(entries: Sequence[Entry], folder: Path | None, split: str) -> Compared:
    """Compare every model with the first one. ``folder``: the dataset; if None, the first one that results name.

    Models evaluated only on the first questions of the split are compared on those.

    Raises InputError if no dataset is named, or results are of other questions than it has.
    """
    folder = folder or next((one.data for one in entries if one.data is not None), None)
    if folder is None:
        raise InputError("--data: found none, expected the dataset whose questions the predictions answer")
    whole = read_split(folder, split)
    questions = whole.first(min((one.limit for one in entries if one.limit is not None), default=None))
    correct = [_correct(one, whole)[: len(questions)] for one in entries]
    first, *names = every = _distinct_names(entries)
    others = [_against(correct[0], this, questions, name) for this, name in zip(correct[1:], names, strict=True)]
    notes = [
        scored_after(shown(name), one.unfinished) for name, one in zip(every, entries, strict=True) if one.unfinished
    ]
    weighted = _weighted(correct[0], questions)
    accuracies = float(correct[0].mean()), weighted.value if weighted else None
    published = questions.domain.published
    like = published.name if published and weighted else None
    return Compared(first, *accuracies, like, len(questions), whole.sha256, others, notes)


def _distinct_names(entries: Sequence[Entry]) -> list[str]:
    """The models' names, with the folder where two runs have the same model."""
    n = Counter(one.model for one in entries)
    return [one.model if n[one.model] == 1 else f"{one.model}, {one.predictions.parent}" for one in entries]


def _correct(one: Entry, whole: Questions) -> np.ndarray:
    """Whether each of a model's questions is answered correctly: bool [Q]."""
    if one.questions_sha256 not in (None, whole.sha256):
        raise InputError(f"{one.predictions}: scored on other questions, expected those of {whole.folder}")
    asked = whole.first(one.limit)
    return correct_answers(asked, normalised(asked, read_predictions(one.predictions, asked)))


def _against(first: np.ndarray, correct: np.ndarray, questions: Questions, model: str) -> Comparison:
    difference = correct.astype(np.int64) - first
    found = bootstrap_mean(difference, questions.scene, np.random.default_rng(BOOTSTRAP_SEED))
    weighted = _weighted(correct, questions)
    only_first, only_this = int((difference < 0).sum()), int((difference > 0).sum())
    return Comparison(
        model=model,
        accuracy=float(correct.mean()),
        difference=found,
        weighted=weighted.value if weighted else None,
        weighted_difference=_weighted(difference, questions),
        only_first=only_first,
        only_this=only_this,
        p_value=mcnemar(only_first, only_this),
    )


def _weighted(values: np.ndarray, questions: Questions) -> Interval | None:
    """The mean of a value per question, the types weighted as published; None if the domain has no shares."""
    chosen, group, weights = published_weights(questions)
    if not len(weights):
        return None
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return bootstrap_weighted(values[chosen], questions.scene[chosen], group, weights, rng)


def lines(found: Compared) -> list[str]:
    """The comparison as aligned lines."""
    like = [f"as {shown(found.like)} %", "difference", "95 % interval"] if found.like else []
    rows = [["", "right %", "difference", "95 % interval", *like, "only first", "only this", "McNemar p"]]
    first = [percent(found.weighted), "", ""] if like else []
    rows.append([shown(found.model), percent(found.accuracy), "", "", *first, "", "", ""])
    for one in found.others:
        weighted = [percent(one.weighted), *_points(one.weighted_difference)] if like else []
        counts = [
            f"{one.only_first:,}",
            f"{one.only_this:,}",
            f"{one.p_value:.4f}" if one.p_value >= 1e-4 else "<0.0001",
        ]
        rows.append([shown(one.model), percent(one.accuracy), *_points(one.difference), *weighted, *counts])
    return [line.rstrip() for line in [*table(rows), *[""] * bool(found.notes), *found.notes]]


def _points(difference: Interval | None) -> list[str]:
    """A difference and its interval, in points."""
    if difference is None:
        return ["", ""]
    return [f"{100 * difference.value:+.1f}", f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"]
