"""The picture of a mixture: a colour for each label, nothing clipped, nothing printed over something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clear_gen.datasets.mixtures.figure import mixture_figure
from clear_gen.datasets.mixtures.load import Mixture
from clear_gen.mixtures.graph import MixtureGraph, PlacedBackground, PlacedEvent
from tests.pictures import is_clipped, overlapping_words

RATE = 16_000


def crowded(n_labels: int, name: str, duration_s: float = 2.0) -> Mixture:
    """An event of each of so many labels, from the first instant to the last."""
    starts_s = np.linspace(0, 0.95 * duration_s, n_labels).tolist()
    events = [
        PlacedEvent(f"{name} {k}", f"{k}.wav", 0.0, at, at + 0.05 * duration_s, 0.0, -5.0, -5.0, 0.0, 0.0)
        for k, at in enumerate(starts_s)
    ]
    n_samples = round(duration_s * RATE)
    under = PlacedBackground(f"{name}.wav", 0.0, 0.0, None)
    graph = MixtureGraph("fold1-000000", 1, "default", RATE, n_samples, "rms", under, tuple(events))
    return Mixture(graph, np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32), RATE)


@pytest.mark.parametrize("n_labels", [1, 9, 20])
@pytest.mark.parametrize("name", ["bell", "a $large$ crowd that applauds and cheers in the distance"])
def test_texts_have_room(n_labels: int, name: str) -> None:
    figure = mixture_figure(crowded(n_labels, name))
    assert not is_clipped(figure)
    assert not overlapping_words(figure)
    _, panel = figure.axes
    box = panel.get_window_extent()
    for text in panel.texts:
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0
        assert extent.x1 <= box.x1


def test_every_label_has_a_colour_of_its_own() -> None:
    _, panel = mixture_figure(crowded(20, "bell")).axes
    assert len({patch.get_facecolor() for patch in panel.patches}) == 20


def test_no_events() -> None:
    mixture = crowded(1, "bell")
    empty = Mixture(replace(mixture.graph, events=()), mixture.waveform, RATE)
    assert [text.get_text() for text in mixture_figure(empty).axes[1].texts] == ["no events"]
