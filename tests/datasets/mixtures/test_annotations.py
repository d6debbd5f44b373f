"""Annotations in the forms of others, exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clear_gen.datasets.mixtures.annotations import jams_text, labelled, strong_lines, weak_lines
from clear_gen.mixtures.graph import MixtureGraph, PlacedBackground, PlacedEvent, row_of_mixture

RATE = 32_000


def event(label: str, onset_s: float, offset_s: float) -> PlacedEvent:
    return PlacedEvent(label, f"{label}/1.wav", 0.5, onset_s, offset_s, -3.0, 10.0, 10.001, 0.01, 0.01)


def graph(*events: PlacedEvent, mixture_id: str = "fold1-000000") -> MixtureGraph:
    under = PlacedBackground("park/7.wav", 2.25, -6.0, None)
    return MixtureGraph(mixture_id, 1, "default", RATE, 10 * RATE, "rms", under, events)


DOG, BELL = event("Dog", 4 + 1 / RATE, 5.5), event("bell", 0.25, 0.75)
GRAPHS = [graph(DOG, BELL, event("Dog", 7, 10)), graph(mixture_id="fold1-000001")]
ROWS = [labelled(row_of_mixture(one)) for one in GRAPHS]


def test_strong_labels() -> None:
    assert list(strong_lines(ROWS)) == [
        "filename\tonset\toffset\tevent_label",
        "fold1-000000.flac\t0.250000\t0.750000\tbell",
        "fold1-000000.flac\t4.000031\t5.500000\tDog",
        "fold1-000000.flac\t7.000000\t10.000000\tDog",
        "fold1-000001.flac\t\t\t",
    ]


def test_weak_labels() -> None:
    assert list(weak_lines(ROWS)) == [
        "filename\tevent_labels",
        "fold1-000000.flac\tDog,bell",
        "fold1-000001.flac\t",
    ]


# --- JAMS: what the published schema (draft 4) of jams 0.3 asks for, by hand ------------------------------------------


def keys(value: dict[str, Any], required: dict[str, Any]) -> None:
    for name, kind in required.items():
        assert isinstance(value[name], kind), name
        assert not isinstance(value[name], bool), name


@pytest.fixture
def jams() -> dict[str, Any]:
    content = json.loads(jams_text(GRAPHS[0], "clear-gen 0.1.0"))
    assert isinstance(content, dict)
    return content


def test_jams_has_the_form_of_its_schema(jams: dict[str, Any]) -> None:
    assert set(jams) == {"file_metadata", "annotations", "sandbox"}
    keys(jams["file_metadata"], {"title": str, "artist": str, "release": str, "duration": float, "identifiers": dict})
    assert jams["file_metadata"]["duration"] == 10.0
    (annotation,) = jams["annotations"]
    keys(annotation, {"annotation_metadata": dict, "data": list, "namespace": str, "sandbox": dict})
    keys(annotation["annotation_metadata"]["curator"], {"name": str, "email": str})
    for observation in annotation["data"]:
        assert set(observation) == {"time", "duration", "value", "confidence"}
        assert observation["time"] >= 0 <= observation["duration"]


def test_jams_holds_events_as_scaper_writes_them(jams: dict[str, Any]) -> None:
    (annotation,) = jams["annotations"]
    assert annotation["namespace"] == "scaper"
    numbers = dict.fromkeys(("source_time", "event_time", "event_duration", "snr"), (int, float))
    for observation in annotation["data"]:
        keys(observation["value"], {"label": str, "source_file": str, "role": str, **numbers})
        assert observation["value"]["event_time"] == observation["time"]
    found = [(one["value"]["role"], one["value"]["label"], one["time"], one["duration"]) for one in annotation["data"]]
    assert found == [
        ("background", "background", 0.0, 10.0),
        ("foreground", "bell", 0.25, 0.5),
        ("foreground", "Dog", DOG.onset_s, DOG.offset_s - DOG.onset_s),
        ("foreground", "Dog", 7, 3),
    ]
    assert annotation["data"][1]["value"]["source_file"] == "bell/1.wav"
    sandbox = annotation["sandbox"]["scaper"]
    assert (sandbox["n_events"], sandbox["polyphony_max"], sandbox["sr"]) == (3, 1, RATE)


@pytest.mark.parametrize(("third_s", "most"), [(3, 1), (2.5, 2)])
def test_events_that_touch_are_not_at_the_same_time(third_s: float, most: int) -> None:
    touching = graph(event("a", 1, 2), event("b", 2, 3), event("c", third_s, 4))
    content = json.loads(jams_text(touching, "x"))
    assert content["annotations"][0]["sandbox"]["scaper"]["polyphony_max"] == most
