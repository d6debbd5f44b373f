"""Predictions about mixtures as a file: one JSON object a line, and what is true of the mixtures that they are about.

``{"mixture_id": "fold1-000000", "scores": {"Bark": 0.9, ...}, "events": [["Bark", 0.5, 2.5], ...]}``: a score for every
class of the dataset, the higher the likelier; events with onset and offset in seconds, in all lines or in none. Other
fields are passed over. Every mixture of the fold must be there once, in any order.
"""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines.tasks.aqa.predictions import listed
from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of, present
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_json, write_text
from clear_gen.core.parquet import read_row_group
from clear_gen.core.prediction_file import numbered_lines, typed
from clear_gen.core.text import shown
from clear_gen.datasets.mixtures.load import config_of
from clear_gen.datasets.mixtures.manifest import finished_mixtures
from clear_gen.mixtures.graph import mixture_schema
from clear_gen.store.chunks import check_file
from clear_gen.store.manifest import stored_identity

EXPECTED = '{"mixture_id": ..., "scores": {...}} lines'


class Truth(NamedTuple):
    """The mixtures of a fold: ``targets`` bool [N, K], which classes are in each, and ``events``, when.

    ``config``: their name, such as mixtures-snr0; ``snr_db``: None where the rules drew it.
    """

    config: str
    snr_db: float | None
    corpus: Corpus
    targets: np.ndarray
    events: Events


def read_truth(folder: Path, snr: str | float | None, split: str) -> Truth:
    """What is true of a fold, without its audio; the classes are those of all folds.

    Raises InputError if there are no such mixtures.
    """
    identity = stored_identity(folder)
    settings = finished_mixtures(folder, identity)
    config = config_of(folder, settings, snr)
    if split not in settings.sizes:
        raise InputError(f"{folder}: fold: found {split!r}, expected one of: {', '.join(settings.sizes)}")
    names: list[str] = []
    labels: set[str] = set()
    events: list[Event] = []
    for file in settings.files:
        if file.config != config:
            continue
        path = folder / file.name
        opened = check_file(path, file, sha256_json(identity or {}))
        if not opened.schema_arrow.equals(mixture_schema(1)):
            raise InputError(f"{path}: found other columns than mixtures have")
        for number in range(opened.num_row_groups):
            rows = read_row_group(opened, number, path, ["mixture_id", "events"]).to_pylist()
            labels |= {event["label"] for row in rows for event in row["events"]}
            if file.split == split:
                names += [row["mixture_id"] for row in rows]
                events += [
                    Event(row["mixture_id"], event["onset_s"], event["offset_s"], event["label"])
                    for row in rows
                    for event in row["events"]
                ]
    corpus = Corpus(tuple(names), np.full(len(names), settings.duration_s), tuple(sorted(labels)))
    columns = events_of(events, corpus)
    return Truth(config, settings.snr_of_config[config], corpus, present(columns), columns)


def write_sed_predictions(path: Path, scores: np.ndarray, events: Events) -> None:
    """Write what a model says of the clips of ``events``, atomically. Shape: ``scores`` float32 [N, K]."""
    corpus = events.corpus
    of_clip: dict[str, list[list[Any]]] = {clip: [] for clip in corpus.clips}
    for event in events.rows():
        of_clip[event.clip].append([event.label, round(event.onset_s, 6), round(event.offset_s, 6)])
    lines = []
    for clip, row in zip(corpus.clips, scores.astype(str).astype(float).tolist(), strict=True):  # no digits too many
        said = {"scores": dict(zip(corpus.labels, row, strict=True)), "events": of_clip[clip]}
        lines.append(json.dumps({"mixture_id": clip, **said}) + "\n")
    write_text(path, "".join(lines))


def read_sed_predictions(path: Path, corpus: Corpus) -> tuple[np.ndarray, Events | None]:
    """Scores float64 [N, K] and events, None if the file has none, in the order of the corpus.

    Raises InputError naming file, line and field if the file is not what it must be, and CheckFailed listing the
    mixtures that are missing, there twice or unknown.
    """
    scores: dict[str, list[float]] = {}
    events: list[Event] = []
    duplicate: list[str] = []
    has_events: bool | None = None
    known = dict(zip(corpus.clips, corpus.duration_s, strict=True))
    for number, line in numbered_lines(path, EXPECTED):
        at = f"{path}:{number}"
        record = _record(line, at)
        clip = record["mixture_id"]
        if clip in scores:
            duplicate.append(clip)
        scores[clip] = _scores(record["scores"], corpus.labels, at)
        if has_events not in (None, "events" in record):
            raise InputError(f"{at}: events: found {'them' if 'events' in record else 'none'}, unlike in lines before")
        has_events = "events" in record
        if has_events and clip in known:
            rows = _events(record["events"], clip, at)
            alone = Corpus((clip,), known[clip].reshape(1), corpus.labels)
            events += events_of(rows, alone, f"{at}: events").rows()
    kinds = {
        "missing": [clip for clip in corpus.clips if clip not in scores],
        "duplicate": list(dict.fromkeys(duplicate)),
        "unknown": [clip for clip in scores if clip not in known],
    }
    if wrong := [listed(kind, names) for kind, names in kinds.items() if names]:
        raise CheckFailed(f"{path}: mixture_id: {'; '.join(wrong)}; expected each of {len(known):,} mixtures once")
    return np.array([scores[clip] for clip in corpus.clips]), events_of(events, corpus) if has_events else None


def _record(line: str, at: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = getattr(error, "msg", "too deep")
        raise InputError(f"{at}: not valid JSON ({detail}), expected an object a line") from None
    if not isinstance(record, dict):
        raise InputError(f"{at}: found {typed(record)}, expected an object with mixture_id and scores")
    for field, kind, expected in (("mixture_id", str, "a text"), ("scores", dict, "an object of scores by class")):
        if field not in record:
            raise InputError(f"{at}: {field}: found no such field, expected {expected}")
        if not isinstance(record[field], kind):
            raise InputError(f"{at}: {field}: found {typed(record[field])}, expected {expected}")
    return record


def _scores(found: dict[str, Any], labels: tuple[str, ...], at: str) -> list[float]:
    if unknown := [label for label in found if label not in labels]:
        raise InputError(f"{at}: scores: found {shown(unknown[0])!r}, expected the classes: {', '.join(labels)}")
    if missing := [label for label in labels if label not in found]:
        raise InputError(f"{at}: scores: found none of {shown(missing[0])!r}, expected one for every class")
    for label, score in found.items():
        if not _is_number(score):
            raise InputError(f"{at}: scores: {shown(label)}: found {typed(score)}, expected a finite number")
    return [float(found[label]) for label in labels]


def _events(found: Any, clip: str, at: str) -> list[Event]:
    expected = "expected a list of [label, onset in s, offset in s]"
    if not isinstance(found, list):
        raise InputError(f"{at}: events: found {typed(found)}, {expected}")
    rows = []
    for number, row in enumerate(found):
        fits = isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and all(map(_is_number, row[1:]))
        if not fits:
            raise InputError(f"{at}: events: row {number}: found {shown(json.dumps(row)[:60])}, {expected}")
        rows.append(Event(clip, float(row[1]), float(row[2]), row[0]))
    return rows


def _is_number(value: Any) -> bool:
    """Whether a JSON value is a number that a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False
