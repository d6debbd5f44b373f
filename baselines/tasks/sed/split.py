"""The mixtures of one fold as a split to predict: ground truth, and the format of predictions.

A line of predictions is ``{"mixture_id": "fold1-000000", "scores": {"Bark": 0.9, ...}, "events": [["Bark", 0.5, 2.5],
...]}``: a score for every class of the dataset, the higher the likelier; events with onset and offset in seconds, in
all lines or in none. Other fields are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from baselines.core.predictions import Format
from baselines.tasks.sed.data import Clips, n_clips, read_clips
from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of, present
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.jsonl import field_of, value_shown
from clear_gen.core.names import not_among
from clear_gen.core.parquet import read_row_group
from clear_gen.core.progress import progress
from clear_gen.core.text import shown
from clear_gen.datasets.mixtures.load import config_of
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.mixtures.graph import mixture_schema
from clear_gen.store.chunks import check_file
from clear_gen.store.manifest import stored_identity

EXAMPLE = '{"mixture_id": ..., "scores": {...}}'


@dataclass(frozen=True)
class Mixtures:
    """The N mixtures of one dataset at one SNR. ``config``: their name, such as mixtures-snr0; ``labels``: K classes.

    Spectrograms are computed on first use and kept, so that several runs on the same mixtures share them.
    """

    folder: Path
    settings: MixtureSettings
    config: str
    labels: tuple[str, ...]
    sha256: str
    _clips: dict[tuple[int, torch.device], Clips] = field(default_factory=dict)

    @property
    def snr_db(self) -> float | None:
        """SNR in dB; None where the dataset's rules drew it per mixture."""
        snr_db: float | None = self.settings.snr_of_config[self.config]
        return snr_db

    def clips(self, fold: int, device: torch.device) -> Clips:
        """The spectrograms of a fold on a device, with their labels."""
        if (fold, device) not in self._clips:
            n = n_clips(self.settings, fold)
            with progress(n, n, f"fold{fold}: features of mixtures") as advance:
                self._clips[fold, device] = read_clips(self.folder, self.config, device, advance, fold, self.labels)
        return self._clips[fold, device]


def open_mixtures(folder: Path, snr: str | float | None, labels: Sequence[str] | None = None) -> Mixtures:
    """The mixtures at an SNR, the lowest if None. ``labels``: the classes, those of all folds if None.

    Raises InputError if there are no such mixtures.
    """
    identity = stored_identity(folder)
    settings = finished_mixtures(folder, identity)
    config = config_of(folder, settings, snr)
    classes = labels or sorted({row["label"] for _, events in _event_rows(folder, settings, config) for row in events})
    return Mixtures(folder, settings, config, tuple(classes), sha256_json(identity or {}))


@dataclass(frozen=True)
class Fold:
    """The mixtures of a fold: a split as ``baselines.core.predictions`` describes it.

    ``targets``: bool [N, K], which classes are in each; ``events``: when.
    """

    task: ClassVar[Literal["sed"]] = "sed"
    format: ClassVar[Format] = Format("mixture_id", "mixtures", EXAMPLE, ("events",))

    mixtures: Mixtures
    fold: int
    corpus: Corpus
    targets: np.ndarray
    events: Events

    @property
    def folder(self) -> Path:
        """Of the dataset."""
        return self.mixtures.folder

    @property
    def name(self) -> str:
        """Mixtures and fold, as in the names of files."""
        return f"{self.mixtures.config}-fold{self.fold}"

    @property
    def item_ids(self) -> Sequence[str]:
        """The ids of the mixtures."""
        return self.corpus.clips

    @property
    def n_original(self) -> int:
        """How many there are."""
        return len(self.corpus.clips)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {clip: place for place, clip in enumerate(self.corpus.clips)}

    def checked(self, item_id: str, record: dict[str, Any], at: str) -> dict[str, Any]:
        """Scores by class and, where there are, events of a prediction. Raises InputError, beginning with ``at``."""
        values: dict[str, Any] = {"scores": _scores(record, self.corpus.labels, at)}
        if "events" in record:
            rows = _events(record["events"], item_id, at)
            if item_id in self._places:
                duration_s = self.corpus.duration_s[self._places[item_id]].reshape(1)
                events_of(rows, Corpus((item_id,), duration_s, self.corpus.labels), f"{at}: events")
            values["events"] = [[row.label, row.onset_s, row.offset_s] for row in rows]
        return values

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A prediction as its file has it: as many digits as single precision has, times to a microsecond."""
        record: dict[str, Any] = {"scores": {label: float(str(score)) for label, score in values["scores"].items()}}
        if "events" in values:
            record["events"] = [[label, round(on_s, 6), round(off_s, 6)] for label, on_s, off_s in values["events"]]
        return record


def open_fold(mixtures: Mixtures, fold: str) -> Fold:
    """A fold by name, such as fold1, without its audio. Raises InputError if there is no such fold."""
    if fold not in mixtures.settings.sizes:
        raise InputError(f"{mixtures.folder}: fold: {not_among(fold, mixtures.settings.sizes)}")
    found = list(_event_rows(mixtures.folder, mixtures.settings, mixtures.config, fold))
    names = tuple(name for name, _ in found)
    corpus = Corpus(names, np.full(len(names), mixtures.settings.duration_s), mixtures.labels)
    rows = [Event(name, row["onset_s"], row["offset_s"], row["label"]) for name, events in found for row in events]
    columns = events_of(rows, corpus, f"{mixtures.folder}: {fold}: events")
    return Fold(mixtures, int(fold.removeprefix("fold")), corpus, present(columns), columns)


def _event_rows(
    folder: Path, settings: MixtureSettings, config: str, fold: str | None = None
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Ids and events of the mixtures of a fold, of all if None."""
    found = []
    identity_sha256 = sha256_json(stored_identity(folder) or {})
    for file in settings.files:
        if file.config != config or fold not in (None, file.split):
            continue
        path = folder / file.name
        opened = check_file(path, file, identity_sha256)
        if not opened.schema_arrow.equals(mixture_schema(1)):
            raise InputError(f"{path}: found other columns than mixtures have")
        for number in range(opened.num_row_groups):
            rows = read_row_group(opened, number, path, ["mixture_id", "events"]).to_pylist()
            found += [(row["mixture_id"], row["events"]) for row in rows]
    return found


# --- the values of a line ---------------------------------------------------------------------------------------------


def _scores(record: dict[str, Any], labels: tuple[str, ...], at: str) -> dict[str, float]:
    found: dict[str, Any] = field_of(record, "scores", dict, at, "an object of scores by class")
    if unknown := [label for label in found if label not in labels]:
        raise InputError(f"{at}: scores: found {shown(unknown[0])!r}, expected the classes: {', '.join(labels)}")
    if missing := [label for label in labels if label not in found]:
        raise InputError(f"{at}: scores: found none of {shown(missing[0])!r}, expected one for every class")
    for label, score in found.items():
        if not _is_number(score):
            raise InputError(f"{at}: scores: {shown(label)}: found {value_shown(score)}, expected a finite number")
    return {label: float(found[label]) for label in labels}


def _events(found: Any, clip: str, at: str) -> list[Event]:
    expected = "expected a list of [label, onset in s, offset in s]"
    if not isinstance(found, list):
        raise InputError(f"{at}: events: found {value_shown(found)}, {expected}")
    rows = []
    for number, row in enumerate(found):
        fits = isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and all(map(_is_number, row[1:]))
        if not fits:
            raise InputError(f"{at}: events: row {number}: found {shown(json.dumps(row)[:60])}, {expected}")
        rows.append(Event(clip, float(row[1]), float(row[2]), row[0]))
    return rows


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False
