"""``render_mixture(graph, sources)``: the waveform of a mixture and its stems. Pure, as ``render`` is for scenes.

``with_gains`` makes a graph of a plan: it looks at the recordings, cuts them, and finds the gains for an SNR. It draws
nothing, so that one plan serves any number of SNRs and gives each time the same cuts at the same places.

Recipe ``default``: an event is cut to what is heard of it, faded in and out, and its SNR is that of what was placed
against the background under it. A background too short for the clip is a loop. Mixture = background + events; one gain
for mixture and stems where one of them would exceed full scale.

Recipe ``kong2018``, as the published files were made: the background has RMS 1 over the clip; an event has an RMS of
``10^(snr/20)`` *as a whole recording*, before its first two seconds are cut out; both stems are divided by their
greatest absolute sample, and the mixture is their **mean**, not their sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.pcm import sha256_pcm, to_pcm16
from clear_gen.core.records import Rendered
from clear_gen.dsp.levels import gain_to, level_db, rms_dbfs
from clear_gen.mixtures.graph import MixtureGraph, PlacedBackground, PlacedEvent
from clear_gen.mixtures.plan import MixturePlan, PlannedEvent, onset_samples, samples_of
from clear_gen.mixtures.recordings.cache import Source, Sources

__all__ = [
    "MixtureAudio",
    "Source",
    "Sources",
    "achieved_snr_db",
    "levels_under",
    "render_mixture",
    "render_mixture_pcm",
    "with_gains",
]

FULL_SCALE = 1.0
MIN_LOOP_S = 0.1  # a shorter loop is a buzz


@dataclass(frozen=True)
class MixtureAudio:
    """A rendered mixture; all waveforms float32, full scale 1, with the same gain.

    ``mixture``, ``background``, ``events``: [n_samples], the last being all events together. ``segments``: each event
    alone, [its length], heard on ``graph.extent(event)``. ``scale_db``: the gain that keeps all within full scale.
    """

    mixture: np.ndarray
    background: np.ndarray
    events: np.ndarray
    segments: tuple[np.ndarray, ...]
    scale_db: float

    @property
    def peak_dbfs(self) -> float | None:
        """Greatest absolute sample of the mixture in dBFS, None for digital silence."""
        peak = _peak(self.mixture)
        return 20 * math.log10(peak) if peak > 0 else None


# --- rendering --------------------------------------------------------------------------------------------------------


def render_mixture(graph: MixtureGraph, sources: Sources) -> MixtureAudio:
    """The mixture and its stems. ``sources`` is at ``graph.sample_rate``.

    Raises InputError if a recording of the graph is missing, unusable or too short.
    """
    background, segments = _background(graph, sources), _segments(graph, sources)
    events = np.zeros(graph.n_samples, np.float32)
    for event, segment in zip(graph.events, segments, strict=True):
        if graph.recipe == "kong2018":
            events[graph.extent(event)] = segment
        else:
            events[graph.extent(event)] += segment
    mixture = background + events
    peak = max(_peak(background), _peak(events))
    if graph.recipe != "kong2018":
        peak = max(peak, _peak(mixture), FULL_SCALE)
    scale = FULL_SCALE / peak
    if scale != 1:
        for waveform in (background, events, *segments):
            waveform *= np.float32(scale)
        np.add(background, events, out=mixture)
    if graph.recipe == "kong2018":
        mixture *= np.float32(0.5)
    return MixtureAudio(mixture, background, events, tuple(segments), 20 * math.log10(scale))


def render_mixture_pcm(graph: MixtureGraph, sources: Sources) -> tuple[np.ndarray, Rendered]:
    """The mixture as int16 [graph.n_samples], and what rendering found out about it."""
    audio = render_mixture(graph, sources)
    pcm = to_pcm16(audio.mixture)
    return pcm, Rendered(audio.scale_db, audio.peak_dbfs, sha256_pcm(pcm))


def levels_under(graph: MixtureGraph, background: np.ndarray) -> list[float]:
    """Level in dB, by the graph's measure, of the background [n_samples] under each event; -inf for silence."""
    return [level_db(background[graph.extent(event)], graph.sample_rate, graph.snr_measure) for event in graph.events]


def achieved_snr_db(
    graph: MixtureGraph, under_db: Sequence[float], segments: Sequence[np.ndarray]
) -> list[float | None]:
    """SNR in dB of every event as it was placed, by the graph's measure: it alone against the background under it.

    ``under_db``: as ``levels_under`` measures it; ``segments``: each event alone, [its length]. None where one of both
    is silent.
    """
    found: list[float | None] = []
    for segment, under in zip(segments, under_db, strict=True):
        level = level_db(segment, graph.sample_rate, graph.snr_measure)
        found.append(level - under if math.isfinite(level) and math.isfinite(under) else None)
    return found


def _background(graph: MixtureGraph, sources: Sources) -> np.ndarray:
    """The background [n_samples] at the graph's gain, before any of the whole clip."""
    if graph.sample_rate != sources.sample_rate:
        found, expected = sources.sample_rate, graph.sample_rate
        raise InputError(f"{graph.mixture_id}: sample rate of the recordings: found {found} Hz, expected {expected} Hz")
    return _amplified(_bed(graph.background, graph.n_samples, sources), graph.background.gain_db)


def _segments(graph: MixtureGraph, sources: Sources) -> list[np.ndarray]:
    """Each event alone at its gain, before any of the whole clip."""
    return [_segment(event, sources) for event in graph.events]


def _segment(event: PlacedEvent, sources: Sources) -> np.ndarray:
    source, rate = sources.event(event.source_id), sources.sample_rate
    start = round(event.source_time_s * rate)
    length = round(event.offset_s * rate) - round(event.onset_s * rate)
    segment = _amplified(_stretch(source, start, length), event.gain_db)
    fade_in, fade_out = round(event.fade_in_s * rate), round(event.fade_out_s * rate)
    if fade_in:
        segment[:fade_in] *= _rise(fade_in)
    if fade_out:
        segment[-fade_out:] *= _rise(fade_out)[::-1]
    return segment


def _bed(background: PlacedBackground, n_samples: int, sources: Sources) -> np.ndarray:
    """The background's excerpt without its gain; where it is a loop, its ends overlap with equal power."""
    source, rate = sources.background(background.source_id), sources.sample_rate
    start = round(background.offset_s * rate)
    if background.crossfade_s is None:
        return _stretch(source, start, n_samples)
    n_fade = round(background.crossfade_s * rate)
    period = len(source.samples) - n_fade
    if not 0 <= start < period:
        found = f"{source.duration_s:.3f} s"
        raise InputError(f"{source.path}: duration: found {found}, expected a loop of over {background.offset_s:.3f} s")
    loop = source.samples[:period].copy()
    angle = (np.arange(n_fade) + 0.5) * (math.pi / 2 / n_fade)
    loop[:n_fade] *= np.sin(angle)
    loop[:n_fade] += source.samples[period:] * np.cos(angle)
    return np.resize(np.roll(loop, -start), n_samples)


def _stretch(source: Source, start: int, length: int) -> np.ndarray:
    stretch = source.samples[start : start + length]
    if start < 0 or len(stretch) < length:
        expected = f"at least {(start + length) / source.sample_rate:.3f} s"
        raise InputError(f"{source.path}: duration: found {source.duration_s:.3f} s, expected {expected}")
    return stretch


@lru_cache
def _rise(n: int) -> np.ndarray:
    """Half a Hann window, float32 [n], strictly between 0 and 1."""
    rise = np.sin((np.arange(n) + 0.5) * (math.pi / 2 / n)) ** 2
    return rise.astype(np.float32)


def _amplified(waveform: np.ndarray, gain_db: float) -> np.ndarray:
    return waveform * np.float32(10 ** (gain_db / 20))


def _peak(waveform: np.ndarray) -> float:
    return float(max(waveform.max(), -waveform.min()))


# --- from a plan to a graph -------------------------------------------------------------------------------------------


def with_gains(plan: MixturePlan, snr_db: float | None, sources: Sources) -> MixtureGraph:
    """The graph of a plan at an SNR in dB, at the rate of ``sources``; of None, at those that the plan holds.

    Deterministic. Graphs of one plan differ in gains and SNRs of the events alone. ``snr_achieved_db`` is measured on
    the stems as they are rendered.

    Raises InputError if a recording is missing, unusable or silent where it must be heard, or if there is no SNR.
    """
    rate, n_samples = sources.sample_rate, samples_of(plan.duration_s, sources.sample_rate)
    background = _placed_background(plan, n_samples, sources)
    place = _kong_events if plan.recipe == "kong2018" else _default_events
    graph = MixtureGraph(
        mixture_id=plan.mixture_id,
        fold=plan.fold,
        recipe=plan.recipe,
        sample_rate=rate,
        n_samples=n_samples,
        snr_measure=plan.snr_measure,
        background=background,
        events=tuple(place(plan, snr_db, sources)),
    )
    under_db = levels_under(graph, _background(graph, sources))
    if plan.recipe != "kong2018":
        graph = replace(graph, events=tuple(_levelled(graph, under_db, sources)))
    achieved = achieved_snr_db(graph, under_db, _segments(graph, sources))
    events = (replace(event, snr_achieved_db=snr) for event, snr in zip(graph.events, achieved, strict=True))
    return replace(graph, events=tuple(events))


def _placed_background(plan: MixturePlan, n_samples: int, sources: Sources) -> PlacedBackground:
    """Where the excerpt begins, and the gain that brings it to the plan's RMS level."""
    source, rate = sources.background(plan.background_id), sources.sample_rate
    spare, n_fade = len(source.samples) - n_samples, None
    if spare < 0 and plan.recipe != "kong2018":
        if source.duration_s < MIN_LOOP_S:
            found = f"{source.duration_s:.3f} s"
            raise InputError(f"{source.path}: duration: found {found}, expected at least {MIN_LOOP_S} s of background")
        n_fade = max(1, min(samples_of(plan.crossfade_s, rate), len(source.samples) // 2))
        spare = len(source.samples) - n_fade - 1
    start = int(plan.background_place * (spare + 1)) if spare >= 0 else 0
    placed = PlacedBackground(plan.background_id, start / rate, 0.0, None if n_fade is None else n_fade / rate)
    level = rms_dbfs(_bed(placed, n_samples, sources))
    if level == -math.inf:
        found = f"silence from {start / rate:.3f} s on"
        raise InputError(f"{source.path}: samples: found {found}, expected a background for {plan.duration_s:g} s")
    return replace(placed, gain_db=plan.background_dbfs - level)


def _nominal_db(plan: MixturePlan, event: PlannedEvent, snr_db: float | None) -> float:
    chosen = event.snr_db if snr_db is None else snr_db
    if chosen is None:
        raise InputError(f"{plan.mixture_id}: snr_db: found none, expected one in the rules or for the whole dataset")
    return chosen


def _kong_events(plan: MixturePlan, snr_db: float | None, sources: Sources) -> list[PlacedEvent]:
    """The first seconds of each recording; its gain is that of the whole recording. Times are cut to whole samples."""
    placed, rate = [], sources.sample_rate
    for event in plan.events:
        source = sources.event(event.source_id)
        onset_s, nominal_db = event.onset_s or 0.0, _nominal_db(plan, event, snr_db)
        end = int((onset_s + min(source.duration_s, event.max_duration_s)) * rate)
        times = (0.0, int(onset_s * rate) / rate, end / rate)
        gain_db = nominal_db - source.rms_dbfs
        placed.append(PlacedEvent(event.label, event.source_id, *times, gain_db, nominal_db, None, 0.0, 0.0))
    return placed


def _default_events(plan: MixturePlan, snr_db: float | None, sources: Sources) -> list[PlacedEvent]:
    """What is heard of each recording, where it fits; without gains."""
    rate = sources.sample_rate
    cuts = [
        sources.event(event.source_id).excerpt(samples_of(event.max_duration_s, rate), event.place, plan.trim_db)
        for event in plan.events
    ]
    lengths = [stop - start for start, stop in cuts]
    placed = []
    onsets = onset_samples(plan, lengths, rate)
    for event, (start, _), length, onset in zip(plan.events, cuts, lengths, onsets, strict=True):
        fades = [min(samples_of(fade_s, rate), length // 2) / rate for fade_s in (event.fade_in_s, event.fade_out_s)]
        times = (start / rate, onset / rate, (onset + length) / rate)
        nominal_db = _nominal_db(plan, event, snr_db)
        placed.append(PlacedEvent(event.label, event.source_id, *times, 0.0, nominal_db, None, *fades))
    return placed


def _levelled(graph: MixtureGraph, under_db: Sequence[float], sources: Sources) -> list[PlacedEvent]:
    """The events of a graph without their gains, with the gains that give them their nominal SNRs."""
    rate, measure = graph.sample_rate, graph.snr_measure
    silence = "silence" if measure == "rms" else "nothing over the gate of -70 LUFS"
    levelled = []
    for event, segment, under in zip(graph.events, _segments(graph, sources), under_db, strict=True):
        if under == -math.inf:
            path, when = sources.background(graph.background.source_id).path, f"{event.onset_s:.3f} s of the clip"
            raise InputError(f"{path}: samples: found {silence} at {when}, expected sound under every event")
        gain_db = gain_to(segment, rate, measure, under + event.snr_nominal_db)
        if not math.isfinite(gain_db):
            path, when = sources.event(event.source_id).path, f"{event.source_time_s:.3f} s"
            expected = f"an event at {event.snr_nominal_db:g} dB over its background"
            raise InputError(f"{path}: samples: found {silence} at {when}, expected {expected}")
        levelled.append(replace(event, gain_db=gain_db))
    return levelled
