"""What rendering is made of, whatever the recipe: the background, each event alone, and how loud they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.dsp.levels import level_db, rms_dbfs
from clear_gen.mixtures.graph import MixtureGraph, PlacedBackground, PlacedEvent
from clear_gen.mixtures.recordings.cache import Source, Sources
from clear_gen.mixtures.spec import MixturePlan, PlannedEvent, samples_of

FULL_SCALE = 1.0
MIN_LOOP_S = 0.1  # a shorter loop is a buzz


def background_stem(graph: MixtureGraph, sources: Sources) -> np.ndarray:
    """The background [n_samples] at the graph's gain, before any of the whole clip."""
    if graph.sample_rate != sources.sample_rate:
        found, expected = sources.sample_rate, graph.sample_rate
        raise InputError(f"{graph.mixture_id}: sample rate of the recordings: found {found} Hz, expected {expected} Hz")
    return _amplified(_excerpt(graph.background, graph.n_samples, sources), graph.background.gain_db)


def event_segments(graph: MixtureGraph, sources: Sources) -> list[np.ndarray]:
    """Each event alone at its gain, before any of the whole clip."""
    return [_event_segment(event, sources) for event in graph.events]


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


def place_background(plan: MixturePlan, n_samples: int, sources: Sources, *, loops: bool) -> PlacedBackground:
    """Where the excerpt begins, and the gain that brings it to the plan's RMS level."""
    source, rate = sources.background(plan.background_id), sources.sample_rate
    spare, n_fade = len(source.samples) - n_samples, None
    if spare < 0 and loops:
        if source.duration_s < MIN_LOOP_S:
            found = f"{source.duration_s:.3f} s"
            raise InputError(f"{source.path}: duration: found {found}, expected at least {MIN_LOOP_S} s of background")
        n_fade = max(1, min(samples_of(plan.crossfade_s, rate), len(source.samples) // 2))
        spare = len(source.samples) - n_fade - 1
    start = int(plan.background_place * (spare + 1)) if spare >= 0 else 0
    placed = PlacedBackground(plan.background_id, start / rate, 0.0, None if n_fade is None else n_fade / rate)
    level = rms_dbfs(_excerpt(placed, n_samples, sources))
    if level == -math.inf:
        found = f"silence from {start / rate:.3f} s on"
        raise InputError(f"{source.path}: samples: found {found}, expected a background for {plan.duration_s:g} s")
    return replace(placed, gain_db=plan.background_dbfs - level)


def nominal_snr_db(plan: MixturePlan, event: PlannedEvent, snr_db: float | None) -> float:
    """SNR of an event in dB: ``snr_db`` of the dataset, else the planned one. Raises InputError if both are None."""
    chosen = event.snr_db if snr_db is None else snr_db
    if chosen is None:
        raise InputError(f"{plan.mixture_id}: snr_db: found none, expected one in the rules or for the whole dataset")
    return chosen


def peak(waveform: np.ndarray) -> float:
    """Largest absolute value of a waveform."""
    return float(max(waveform.max(), -waveform.min()))


def _event_segment(event: PlacedEvent, sources: Sources) -> np.ndarray:
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


def _excerpt(background: PlacedBackground, n_samples: int, sources: Sources) -> np.ndarray:
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
