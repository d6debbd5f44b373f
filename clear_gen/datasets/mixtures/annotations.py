"""Annotations in third-party formats: DCASE's tables of strong and weak labels, and JAMS as written by Scaper.

Strong: ``filename onset offset event_label``, one row per event, by file and time. Weak: ``filename event_labels``,
the labels separated by commas. Tabs between the columns, a header, times in seconds with six decimals. A file without
events has one row of empty cells.

References: DCASE task 4 (https://dcase.community/challenge2019/task-sound-event-detection-in-domestic-environments);
JAMS (E. J. Humphrey et al., ISMIR 2014), its namespace ``scaper`` (J. Salamon et al., WASPAA 2017).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from clear_gen.datasets.mixtures.layout import ANNOTATIONS
from clear_gen.datasets.mixtures.records import mixture_file
from clear_gen.mixtures.graph import MixtureGraph

STRONG, WEAK = "strong", "weak"
STRONG_HEAD = "filename\tonset\toffset\tevent_label"
WEAK_HEAD = "filename\tevent_labels"
JAMS_VERSION = "0.3.4"
Labelled = tuple[str, list[tuple[float, float, str]]]  # mixture_id; onset in s, offset in s, label of its events


def annotation_name(split: str, kind: str) -> str:
    """Path of a fold's table below the dataset's folder; ``kind`` is strong or weak."""
    return f"{ANNOTATIONS}/{split}.{kind}.tsv"


def labelled(row: dict[str, Any]) -> Labelled:
    """The annotation of one mixture record, events ordered by time."""
    events = sorted((event["onset_s"], event["offset_s"], event["label"]) for event in row["events"])
    return row["mixture_id"], events


def strong_lines(mixtures: Iterable[Labelled]) -> Iterator[str]:
    """The lines of a table of strong labels."""
    yield STRONG_HEAD
    for mixture_id, events in mixtures:
        name = mixture_file(mixture_id)
        for onset_s, offset_s, label in events:
            yield f"{name}\t{onset_s:.6f}\t{offset_s:.6f}\t{label}"
        if not events:
            yield f"{name}\t\t\t"


def weak_lines(mixtures: Iterable[Labelled]) -> Iterator[str]:
    """The lines of a table of weak labels."""
    yield WEAK_HEAD
    for mixture_id, events in mixtures:
        yield f"{mixture_file(mixture_id)}\t{','.join(sorted({label for _, _, label in events}))}"


LINES = {STRONG: strong_lines, WEAK: weak_lines}


def jams_text(graph: MixtureGraph, generator: str) -> str:
    """A mixture as JAMS: namespace ``scaper``, the background first, then the events by time.

    ``source_file`` is the ``source_id``, a path below the corpus' folder. A background has no label of its own: it is
    called "background". The SNR is the nominal one.
    """
    duration_s = graph.n_samples / graph.sample_rate
    under = graph.background
    data = [_observation("background", under.source_id, under.offset_s, (0.0, duration_s), 0.0, "background")]
    for event in sorted(graph.events, key=lambda event: (event.onset_s, event.offset_s, event.label)):
        when = (event.onset_s, event.offset_s)
        source = (event.label, event.source_id, event.source_time_s)
        data.append(_observation(*source, when, event.snr_nominal_db, "foreground"))
    about = ("corpus", "validation", "annotation_rules", "data_source", "version")
    annotation = {
        "namespace": "scaper",
        "time": 0.0,
        "duration": duration_s,
        "data": data,
        "annotation_metadata": {
            **dict.fromkeys(about, ""),
            "annotation_tools": generator,
            "curator": {"name": "", "email": ""},
            "annotator": {},
        },
        "sandbox": {"scaper": _sandbox(graph, generator, duration_s)},
    }
    metadata = {"title": graph.mixture_id, "artist": "", "release": "", "identifiers": {}}
    content = {
        "file_metadata": {**metadata, "duration": duration_s, "jams_version": JAMS_VERSION},
        "annotations": [annotation],
        "sandbox": {},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _observation(
    label: str, source_id: str, source_time_s: float, when: tuple[float, float], snr_db: float, role: str
) -> dict[str, Any]:
    onset_s, offset_s = when
    value = {
        "label": label,
        "source_file": source_id,
        "source_time": source_time_s,
        "event_time": onset_s,
        "event_duration": offset_s - onset_s,
        "snr": snr_db,
        "role": role,
        "pitch_shift": None,
        "time_stretch": None,
    }
    return {"time": onset_s, "duration": offset_s - onset_s, "value": value, "confidence": 1.0}


def _sandbox(graph: MixtureGraph, generator: str, duration_s: float) -> dict[str, Any]:
    ends = [(event.onset_s, 1) for event in graph.events] + [(event.offset_s, -1) for event in graph.events]
    polyphony, most = 0, 0
    for _, change in sorted(ends):
        polyphony += change
        most = max(most, polyphony)
    return {
        "duration": duration_s,
        "sr": graph.sample_rate,
        "n_channels": 1,
        "n_events": len(graph.events),
        "polyphony_max": most,
        "fg_labels": list(graph.weak_labels),
        "bg_labels": ["background"],
        "soundscape_audio_path": mixture_file(graph.mixture_id),
        "isolated_events_audio_path": [],
        "generator": generator,
        "recipe": graph.recipe,
        "snr_measure": graph.snr_measure,
    }
