"""``render_mixture(graph, sources)``: the waveform of a mixture and its stems. Pure, as ``render`` is for scenes.

``with_gains`` makes a graph of a plan: it looks at the recordings, cuts them, and finds the gains for an SNR. It draws
nothing, so that one plan serves any number of SNRs and gives each time the same cuts at the same places. How events are
placed and stems are combined is the recipe's affair; what all recipes share is in ``clear_gen.mixtures.stems``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from clear_gen.core.pcm import sha256_pcm, to_pcm16
from clear_gen.core.records import Rendered
from clear_gen.mixtures.graph import MixtureGraph
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.spec import MixturePlan, samples_of
from clear_gen.mixtures.stems import (
    achieved_snr_db,
    background_stem,
    event_segments,
    levels_under,
    peak,
    place_background,
)


@dataclass(frozen=True)
class MixtureAudio:
    """A rendered mixture; all waveforms float32, full scale 1, with the same gain.

    ``mixture``, ``background``, ``events``: [n_samples], the last being all events together. ``segments``: each event
    alone, [its length], heard on ``graph.extent(event)``. ``scale_db``: the gain of the recipe for the whole clip.
    """

    mixture: np.ndarray
    background: np.ndarray
    events: np.ndarray
    segments: tuple[np.ndarray, ...]
    scale_db: float

    @property
    def peak_dbfs(self) -> float | None:
        """Greatest absolute sample of the mixture in dBFS, None for digital silence."""
        greatest = peak(self.mixture)
        return 20 * math.log10(greatest) if greatest > 0 else None


def render_mixture(graph: MixtureGraph, sources: Sources) -> MixtureAudio:
    """The mixture and its stems. ``sources`` is at ``graph.sample_rate``.

    Raises InputError if a recording of the graph is missing, unusable or too short.
    """
    background, segments = background_stem(graph, sources), event_segments(graph, sources)
    events = np.zeros(graph.n_samples, np.float32)
    for event, segment in zip(graph.events, segments, strict=True):
        events[graph.extent(event)] += segment
    mixture, gain = recipe_named(graph.recipe).mix(background, events)
    for segment in segments:
        segment *= np.float32(gain)
    return MixtureAudio(mixture, background, events, tuple(segments), 20 * math.log10(gain))


def render_mixture_pcm(graph: MixtureGraph, sources: Sources) -> tuple[np.ndarray, Rendered]:
    """The mixture as int16 [graph.n_samples], and what rendering found out about it."""
    audio = render_mixture(graph, sources)
    pcm = to_pcm16(audio.mixture)
    return pcm, Rendered(audio.scale_db, audio.peak_dbfs, sha256_pcm(pcm))


def with_gains(plan: MixturePlan, snr_db: float | None, sources: Sources) -> MixtureGraph:
    """The graph of a plan at an SNR in dB, at the rate of ``sources``; of None, at those that the plan holds.

    Deterministic. Graphs of one plan differ in gains and SNRs of the events alone. ``snr_achieved_db`` is measured on
    the stems as they are rendered.

    Raises InputError if a recording is missing, unusable or silent where it must be heard, or if there is no SNR.
    """
    recipe, rate = recipe_named(plan.recipe), sources.sample_rate
    n_samples = samples_of(plan.duration_s, rate)
    graph = MixtureGraph(
        mixture_id=plan.mixture_id,
        fold=plan.fold,
        recipe=plan.recipe,
        sample_rate=rate,
        n_samples=n_samples,
        snr_measure=plan.snr_measure,
        background=place_background(plan, n_samples, sources, loops=recipe.loops_backgrounds),
        events=tuple(recipe.place_events(plan, snr_db, sources)),
    )
    under_db = levels_under(graph, background_stem(graph, sources))
    graph = replace(graph, events=tuple(recipe.set_gains(graph, under_db, sources)))
    achieved = achieved_snr_db(graph, under_db, event_segments(graph, sources))
    events = (replace(event, snr_achieved_db=snr) for event, snr in zip(graph.events, achieved, strict=True))
    return replace(graph, events=tuple(events))
