"""Mixtures and their labels as the page shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import DAMAGED
from clear_gen.datasets.drawing import colour_of
from clear_gen.datasets.mixtures.manifest import finished_mixtures
from clear_gen.datasets.mixtures.records import is_stems
from clear_gen.explore.query import Query, page_of, spread
from clear_gen.explore.store import Store
from clear_gen.mixtures.graph import MixtureGraph, PlacedEvent, mixture_of_row, mixture_schema
from clear_gen.store.manifest import stored_identity


class Mixtures:
    """A finished dataset of mixtures: N of them in each of C configs, which differ in the SNR alone.

    They are numbered config by config, 0 to C N - 1; the labels of one config, which are those of all, are held.
    """

    def __init__(self, folder: Path) -> None:
        """Raises InputError if there is no finished dataset of mixtures in ``folder``, or a file is damaged."""
        self._settings = finished_mixtures(folder, stored_identity(folder))
        files = [file for file in self._settings.files if not is_stems(file.config)]
        digest = sha256_json(stored_identity(folder) or {})
        self.store = Store(folder, files, "mixture_id", mixture_schema(1), digest)
        self._configs = list(self._settings.snr_of_config)
        sizes = self._settings.sizes
        self._fold = [fold for fold, size in sizes.items() for _ in range(size)]
        self.ids = [f"{fold}-{index:06d}" for fold, size in sizes.items() for index in range(size)]
        tables = self.store.columns(self._configs[0], ["events.list.element.label"])
        self._labels = [_weak(events) for table in tables for events in table["events"].to_pylist()]
        self._text = [f"{name} {' '.join(labels)}".lower() for name, labels in zip(self.ids, self._labels, strict=True)]

    def about(self) -> dict[str, Any]:
        """Data that the page loads first; ``lists``: the available lists with their filters."""
        labels = sorted({label for labels in self._labels for label in labels})
        settings = self._settings
        facts = [f"{len(self.ids):,} mixtures", f"{settings.spec.n_folds} folds", f"{settings.sample_rate:,} Hz"]
        facts.append(f"{settings.duration_s:g} s each")
        filters = {"config": self._configs, "fold": list(settings.sizes), "label": labels}
        return {"lists": ["mixtures"], "facts": facts, "filters": filters, "answers": {}, "lengths_s": None}

    def rows(self, name: str, query: Query) -> dict[str, Any]:
        """A page of mixtures; a label filter keeps those that contain it."""
        kept = np.ones(len(self.ids), bool)
        if fold := query.wanted.get("fold"):
            kept &= np.array(self._fold) == fold
        if label := query.wanted.get("label"):
            kept &= np.array([label in labels for labels in self._labels])
        if query.text:
            kept &= np.array([query.text in text for text in self._text])
        configs = [query.wanted.get("config") in (None, config) for config in self._configs]
        return page_of(np.flatnonzero(np.outer(configs, kept)), query, self.row)

    def some(self, limit: int) -> dict[str, list[dict[str, Any]]]:
        """The rows of the list for about so many mixtures, spread evenly over all, each in every config."""
        places = spread(len(self.ids), max(1, limit // len(self._configs)))
        firsts = range(0, len(self._configs) * len(self.ids), len(self.ids))
        return {"mixtures": [self.row(first + place) for first in firsts for place in places]}

    def row(self, number: int) -> dict[str, Any]:
        """A mixture as it is listed."""
        config, place = self._configs[number // len(self.ids)], number % len(self.ids)
        return {
            "record": f"{config}/{self.ids[place]}",
            "title": self.ids[place],
            "note": f"{config}: {', '.join(self._labels[place]) or 'no events'}",
            "config": config,
            "fold": self._fold[place],
            "label": self._labels[place],
        }

    def record(self, config: str, name: str) -> dict[str, Any]:
        """A mixture with its strong and weak labels. Raises NotThere, or InputError if it is damaged."""
        row = self.store.row(config, name)
        try:
            found = _described(mixture_of_row(row))
        except DAMAGED as error:
            raise InputError(f"{name}: damaged record ({first_line(error)})") from None
        found["also"] = {other: f"{other}/{name}" for other in self._configs if other != config}
        return found


def _weak(events: list[dict[str, Any]] | None) -> list[str]:
    return sorted({str(event["label"]) for event in events or ()})


def _described(graph: MixtureGraph) -> dict[str, Any]:
    labels = list(graph.weak_labels)
    under, loop = graph.background, "" if graph.background.crossfade_s is None else ", a loop"
    events = sorted(graph.events, key=lambda event: event.onset_s)
    return {
        "title": graph.mixture_id,
        "facts": {
            "weak labels": ", ".join(labels) or "none",
            "fold": str(graph.fold),
            "length": f"{graph.n_samples / graph.sample_rate:.2f} s",
            "background": f"{under.source_id} from {under.offset_s:.2f} s{loop}",
            "recipe": graph.recipe,
            "SNR in": "dB (RMS)" if graph.snr_measure == "rms" else "LU",
        },
        "duration_s": graph.n_samples / graph.sample_rate,
        "dry_s": graph.n_samples / graph.sample_rate,
        "lanes": labels,
        "legend": [],  # the lanes are named
        "blocks": [_block(number, event, labels) for number, event in enumerate(events, 1)],
        "head": ["event", "label", "onset", "offset", "SNR", "asked", "gain", "recording", "from"],
        "table": [[str(number), *_cells(event)] for number, event in enumerate(events, 1)],
        "questions": [],
    }


def _block(number: int, event: PlacedEvent, labels: list[str]) -> dict[str, Any]:
    lane = labels.index(event.label)
    words = [f"{number} {event.label} {_db(event.snr_achieved_db)} dB"]
    return {"start_s": event.onset_s, "stop_s": event.offset_s, "lane": lane, "colour": colour_of(lane), "words": words}


def _cells(event: PlacedEvent) -> list[str]:
    levels = [_db(event.snr_achieved_db), _db(event.snr_nominal_db), _db(event.gain_db)]
    times = [f"{event.onset_s:.3f} s", f"{event.offset_s:.3f} s"]
    return [event.label, *times, *levels, event.source_id, f"{event.source_time_s:.2f} s"]


def _db(level: float | None) -> str:
    """A level in dB, with a sign that is not a hyphen.

    >>> _db(-4.96), _db(-0.01), _db(None)
    ('−5.0', '0.0', 'unknown')
    """
    return "unknown" if level is None else f"{round(level, 1) + 0.0:.1f}".replace("-", "−")
