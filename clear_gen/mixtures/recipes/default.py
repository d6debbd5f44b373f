"""Recipe ``default``: folds that share no group, labels equally often, events trimmed and at random places.

An event is cut to what is heard of it, faded in and out, and its SNR is that of what was placed against the background
under it. A background too short for the clip is a loop. Mixture = background + events; one gain for mixture and stems
where one of them would exceed full scale. ``clear_gen.mixtures.rules`` has the parameters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import yaml

from clear_gen.core.errors import InputError
from clear_gen.core.streams import STAGE_FOLDS, STAGE_MIXTURE, stream
from clear_gen.dsp.levels import gain_to
from clear_gen.mixtures.folds import grouped_folds
from clear_gen.mixtures.graph import MixtureGraph, PlacedEvent
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.rules import MixtureRules
from clear_gen.mixtures.spec import FoldAssignment, MixturePlan, MixtureSpec, PlannedEvent, mixture_id, samples_of
from clear_gen.mixtures.stems import FULL_SCALE, event_segments, nominal_snr_db, peak

MAX_TRIES = 1000
CLOSE_S = 1e-9  # far less than a sample: sums of decimal fractions

Item = TypeVar("Item")
Recording = TypeVar("Recording", Event, Background)


class DefaultRecipe:
    """See ``clear_gen.mixtures.recipes.registry.Recipe``."""

    summary = (
        "events trimmed, at random places, none over another; the SNR is that of what is heard; labels equally often. "
        "Its rules can be changed with --config"
    )
    options = frozenset({"config", "duration", "snr_measure", "max_polyphony", "seed"})
    fixed_rules: MixtureRules | None = None
    keeps_table_order = False
    folds_by_group = True
    loops_backgrounds = True
    snr_is_exact = True
    stem_divisor = 1
    note = ""

    def assign_folds(
        self, events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec
    ) -> tuple[FoldAssignment, ...]:
        """Folds that share no group, whatever the order of the recordings.

        In a fold every label comes equally often, to within one, and so does every recording of a label and every
        background; the first mixtures are the same whatever ``n_per_fold``.
        """
        usable = _by_id(event for event in events if event.is_verified or not spec.rules.verified_only)
        left_out = len(events) - len(usable)
        advice = f"verified_only: false in --config, for {left_out:,} recordings that nobody verified" * (left_out > 0)
        folds = grouped_folds(
            usable, _by_id(backgrounds), spec.n_folds, allow_missing=spec.allow_missing, advice=advice
        )
        return tuple(_assigned(fold.number, fold.events, fold.backgrounds, spec) for fold in folds)

    def may_not_fit(self, spec: MixtureSpec) -> bool:
        """Whether places are drawn until they fit; otherwise the rules alone guarantee that they do."""
        return spec.rules.onset_s is not None or spec.rules.max_polyphony > 1

    def plan(self, assignment: FoldAssignment, spec: MixtureSpec, index: int) -> MixturePlan:
        """From the stream of this mixture."""
        rules, rng = spec.rules, stream(spec.seed, STAGE_MIXTURE, assignment.fold, index)
        labels = [event.label for event in assignment.events[index]]
        durations = [rules.event_duration_s.sample(rng) for _ in labels]
        onsets, lanes, gaps, last_gaps = _places(mixture_id(assignment.fold, index), durations, labels, rules, rng)
        events = tuple(
            PlannedEvent(
                label=event.label,
                source_id=event.source_id,
                place=rules.source_place.sample(rng),
                max_duration_s=durations[k],
                fade_in_s=rules.fade_in_s.sample(rng),
                fade_out_s=rules.fade_out_s.sample(rng),
                snr_db=rules.snr_db.sample(rng) if rules.snr_db else None,
                onset_s=onsets[k],
                lane=lanes[k],
                gap=gaps[k],
            )
            for k, event in enumerate(assignment.events[index])
        )
        return MixturePlan(
            mixture_id=mixture_id(assignment.fold, index),
            fold=assignment.fold,
            recipe=spec.recipe,
            duration_s=rules.duration_s,
            snr_measure=rules.snr_measure,
            trim_db=rules.trim_db,
            min_gap_s=rules.min_gap_s,
            background_id=assignment.backgrounds[index].source_id,
            background_place=float(rng.random()),
            background_dbfs=rules.background_dbfs.sample(rng),
            crossfade_s=rules.crossfade_s.sample(rng),
            events=events,
            last_gaps=last_gaps,
        )

    def place_events(self, plan: MixturePlan, snr_db: float | None, sources: Sources) -> list[PlacedEvent]:
        """What is heard of each recording, where it fits; without gains."""
        rate = sources.sample_rate
        cuts = []
        for event in plan.events:
            source = sources.event(event.source_id)
            source.check_event(plan.trim_db)
            cuts.append(source.excerpt(samples_of(event.max_duration_s, rate), event.place, plan.trim_db))
        lengths = [stop - start for start, stop in cuts]
        placed = []
        onsets = onset_samples(plan, lengths, rate)
        for event, (start, _), length, onset in zip(plan.events, cuts, lengths, onsets, strict=True):
            fades = [
                min(samples_of(fade_s, rate), length // 2) / rate for fade_s in (event.fade_in_s, event.fade_out_s)
            ]
            times = (start / rate, onset / rate, (onset + length) / rate)
            nominal_db = nominal_snr_db(plan, event, snr_db)
            placed.append(PlacedEvent(event.label, event.source_id, *times, 0.0, nominal_db, None, *fades))
        return placed

    def set_gains(self, graph: MixtureGraph, under_db: Sequence[float], sources: Sources) -> list[PlacedEvent]:
        """With the gains that give the events their nominal SNRs."""
        rate, measure = graph.sample_rate, graph.snr_measure
        silence = "silence" if measure == "rms" else "nothing over the gate of -70 LUFS"
        levelled = []
        for event, segment, under in zip(graph.events, event_segments(graph, sources), under_db, strict=True):
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

    def mix(self, background: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, float]:
        """The sum of both stems, with a gain only where something would exceed full scale."""
        mixture = background + events
        gain = FULL_SCALE / max(peak(background), peak(events), peak(mixture), FULL_SCALE)
        if gain != 1:
            background *= np.float32(gain)
            events *= np.float32(gain)
            np.add(background, events, out=mixture)
        return mixture, gain

    def command_options(self, spec: MixtureSpec) -> list[str]:
        """The seed, and the rules as a file."""
        return [f"--seed {spec.seed}", "--config rules.yaml"]

    def description(self, spec: MixtureSpec) -> str:
        """The rules in full."""
        text = yaml.safe_dump(spec.rules.model_dump(mode="json"), sort_keys=False).rstrip()
        return f"The rules, as `rules.yaml` beside this card:\n\n```yaml\n{text}\n```"

    def limitations(self, spec: MixtureSpec) -> list[str]:
        """Of untrimmed recordings."""
        return ["Silence at the ends of a recording is part of its event."] if spec.rules.trim_db is None else []


# --- which recordings meet --------------------------------------------------------------------------------------------


def _by_id(recordings: Iterable[Recording]) -> list[Recording]:
    return sorted(recordings, key=lambda recording: recording.source_id)


def _assigned(
    number: int, events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec
) -> FoldAssignment:
    rng = stream(spec.seed, STAGE_FOLDS, number, 0)
    by_label: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_label[event.label].append(event)
    labels = sorted(by_label)
    labels_left: list[str] = []
    under_left: list[Background] = []
    events_left: dict[str, list[Event]] = {label: [] for label in labels}
    chosen, groups = [], []
    for _ in range(spec.n_per_fold):
        together: list[Event] = []
        for _ in range(spec.rules.sample_n_events(rng)):
            label = _next(labels_left, labels, [event.label for event in together], rng)
            together.append(_next(events_left[label], by_label[label], together, rng))
        groups.append(tuple(together))
        chosen.append(_next(under_left, backgrounds, [], rng))
    return FoldAssignment(number, tuple(chosen), tuple(groups))


def _next(left: list[Item], items: Sequence[Item], avoid: Sequence[Item], rng: np.random.Generator) -> Item:
    """The next of ``items``, which come pass after pass, each in an order of its own; none of ``avoid`` if possible.

    ``left``, changed in place, is what is left of the pass under way; so items come equally often, to within one.
    """
    if not left:
        left.extend(items[k] for k in rng.permutation(len(items)))
    item = next((item for item in left if item not in avoid), left[0])
    left.remove(item)
    return item


# --- when -------------------------------------------------------------------------------------------------------------


def onset_samples(plan: MixturePlan, lengths: Sequence[int], sample_rate: int) -> list[int]:
    """First samples of the events, given how long they are in samples: [n_events] each, at ``sample_rate`` Hz.

    Events of a lane follow each other; the time that is left in it is shared out as ``gap`` of each event and
    ``last_gaps`` of the lane say, like a stick broken at uniform places.
    """
    onsets = [samples_of(event.onset_s or 0.0, sample_rate) for event in plan.events]
    n_samples, n_between = samples_of(plan.duration_s, sample_rate), samples_of(plan.min_gap_s, sample_rate)
    for lane, last_gap in enumerate(plan.last_gaps):
        members = [k for k, event in enumerate(plan.events) if event.lane == lane]
        free = n_samples - sum(lengths[k] for k in members) - n_between * max(0, len(members) - 1)
        until = np.cumsum([*(plan.events[k].gap for k in members), last_gap])
        taken = 0
        for place, k in enumerate(members):
            onsets[k] = taken + int(free * until[place] / until[-1])
            taken += lengths[k] + n_between
    return onsets


_Places = tuple[list[float | None], list[int], list[float], tuple[float, ...]]


def _places(
    name: str, durations: list[float], labels: list[str], rules: MixtureRules, rng: np.random.Generator
) -> _Places:
    """Onsets, lanes, gaps of the events and last gaps of the lanes, by the rules; durations in s are the longest."""
    n = len(durations)
    for _ in range(MAX_TRIES):
        if rules.onset_s is not None:
            onsets = [rules.onset_s.sample(rng) for _ in durations]
            if _is_clear(onsets, durations, labels, rules):
                return list(onsets), [0] * n, [0.0] * n, ()
        elif (lanes := _lanes(durations, labels, rules, rng)) is not None:
            gaps = rng.standard_exponential(n).tolist()
            return [None] * n, lanes, gaps, tuple(rng.standard_exponential(rules.max_polyphony).tolist())
    found = f"{n} events of {sum(durations):.3g} s in all, which do not fit in {MAX_TRIES} draws of their places"
    expected = "fewer or shorter ones, or more at a time (max_polyphony)"
    raise InputError(f"{name}: events: found {found}, expected {expected}")


def _is_clear(onsets: list[float], durations: list[float], labels: list[str], rules: MixtureRules) -> bool:
    """Whether events end within the clip and, each with its gap, never are too many at a time or two of a label."""
    ends = [onset + duration for onset, duration in zip(onsets, durations, strict=True)]
    if max(ends, default=0) > rules.duration_s + CLOSE_S:
        return False
    for onset in onsets:
        during = [k for k, end in enumerate(ends) if onsets[k] <= onset < end + rules.min_gap_s - CLOSE_S]
        if len(during) > rules.max_polyphony or len({labels[k] for k in during}) < len(during):
            return False
    return True


def _lanes(
    durations: list[float], labels: list[str], rules: MixtureRules, rng: np.random.Generator
) -> list[int] | None:
    """A lane for each event, one of those with room for it, events of a label in the same; None if one finds none."""
    used = [0.0] * rules.max_polyphony
    of_label: dict[str, int] = {}
    lanes = []
    for duration, label in zip(durations, labels, strict=True):
        own = [of_label[label]] if label in of_label else range(rules.max_polyphony)
        free = [lane for lane in own if used[lane] + duration <= rules.duration_s + CLOSE_S]
        if not free:
            return None
        lane = free[int(rng.integers(len(free)))]
        used[lane] += duration + rules.min_gap_s
        of_label[label] = lane
        lanes.append(lane)
    return lanes
