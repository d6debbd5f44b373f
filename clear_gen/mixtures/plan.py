"""Plans of mixtures: every random choice, made once, before any recording is read.

Two steps. ``cast_folds`` says for a whole fold which recordings meet in which mixture, so that labels and recordings
come equally often; it is quick, and the same wherever it is done. ``plan_mixtures`` draws the rest of each mixture from
that mixture's own stream, so that a plan does not depend on how the mixtures are divided. What depends on how long the
recordings are is held as a share of what there is: ``clear_gen.mixtures.render.with_gains`` makes samples and gains of
it, deterministically, at any SNR.

Recipe ``kong2018`` is that of the published mixtures: Kong, Xu, Sobieraj, Wang and Plumbley, "Sound event detection and
time-frequency segmentation from weakly labelled data", TASLP 27, 2019. Its mixtures are numbered through the folds:
mixture i of fold f is file (f - 1) n + i.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.streams import STAGE_CAST, STAGE_MIXTURE, stream
from clear_gen.core.text import shown
from clear_gen.dsp.levels import Measure
from clear_gen.mixtures.folds import grouped_folds, kong_rows
from clear_gen.mixtures.graph import Recipe
from clear_gen.mixtures.recordings.sources import Background, Event
from clear_gen.mixtures.rules import MixtureRules

MAX_TRIES = 1000
CLOSE_S = 1e-9  # far less than a sample: sums of decimal fractions

KONG_DURATION_S = 10.0
KONG_ONSETS_S = (0.5, 3.0, 5.5)
KONG_EVENT_S = 2.0

Item = TypeVar("Item")
Recording = TypeVar("Recording", Event, Background)


@dataclass(frozen=True)
class MixtureSpec:
    """What a dataset's mixtures have in common. ``kong2018`` has its own rules and seed and looks at neither here.

    ``legacy_repeat``, of ``kong2018``: repeat the defect of the published code (``kong_rows``). ``allow_missing``, of
    ``default``: a label may be missing in a fold.
    """

    n_per_fold: int
    n_folds: int = 4
    seed: int = 0
    recipe: Recipe = "default"
    rules: MixtureRules = field(default_factory=MixtureRules)
    legacy_repeat: bool = False
    allow_missing: bool = False


@dataclass(frozen=True)
class Cast:
    """Which recordings meet in the mixtures of one fold: per mixture a background, and the events."""

    fold: int
    backgrounds: tuple[Background, ...]
    events: tuple[tuple[Event, ...], ...]


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """An event before its recording is known.

    ``place``: where it is cut from a longer recording, 0 to 1. ``onset_s`` is None where it follows from ``lane`` and
    ``gap`` by ``onset_samples``. ``snr_db`` is None where it is chosen for a whole dataset.
    """

    label: str
    source_id: str
    place: float
    max_duration_s: float
    fade_in_s: float
    fade_out_s: float
    snr_db: float | None
    onset_s: float | None
    lane: int = 0
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class MixturePlan:
    """One mixture before its recordings are known. ``last_gaps``: per lane, what follows its last event."""

    mixture_id: str
    fold: int
    recipe: Recipe
    duration_s: float
    snr_measure: Measure
    trim_db: float | None
    min_gap_s: float
    background_id: str
    background_place: float
    background_dbfs: float
    crossfade_s: float
    events: tuple[PlannedEvent, ...]
    last_gaps: tuple[float, ...] = ()


def samples_of(seconds: float, sample_rate: int) -> int:
    """Whole samples that a time holds; what is missing to a sample by rounding error is not missing.

    >>> samples_of(0.29, 100)
    29
    """
    return int(seconds * sample_rate + 1e-6)


# --- who plays in which mixture ---------------------------------------------------------------------------------------


def cast_folds(events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec) -> tuple[Cast, ...]:
    """The cast of every fold. ``kong2018`` goes by the order of the recordings: it must be that of published tables.

    ``default``: folds that share no group, whatever the order. In a fold every label comes equally often, to within
    one, and so does every recording of a label and every background; the first mixtures are the same whatever
    ``n_per_fold``.

    Raises InputError where the recordings do not suffice.
    """
    _check_ids("events", events)
    _check_ids("backgrounds", backgrounds)
    if spec.recipe == "kong2018":
        return _kong_casts(events, backgrounds, spec)
    usable = _by_id(event for event in events if event.is_verified or not spec.rules.verified_only)
    folds = grouped_folds(usable, _by_id(backgrounds), spec.n_folds, allow_missing=spec.allow_missing)
    return tuple(_cast(fold.number, fold.events, fold.backgrounds, spec) for fold in folds)


def _by_id(recordings: Iterable[Recording]) -> list[Recording]:
    return sorted(recordings, key=lambda recording: recording.source_id)


def _check_ids(kind: str, recordings: Sequence[Event | Background]) -> None:
    for source_id, times in Counter(recording.source_id for recording in recordings).items():
        if times > 1:
            raise InputError(f"{kind}: source_id: found {shown(source_id)} {times} times, expected once")


def _kong_casts(events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec) -> tuple[Cast, ...]:
    verified = [event.is_verified for event in events]
    rows, order = kong_rows(verified, len(backgrounds), spec.n_per_fold, spec.n_folds, spec.legacy_repeat)
    return tuple(
        Cast(
            fold + 1,
            tuple(backgrounds[k] for k in under),
            tuple(tuple(events[k] for k in triple) for triple in rows[fold]),
        )
        for fold, under in enumerate(order.reshape(spec.n_folds, spec.n_per_fold))
    )


def _cast(number: int, events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec) -> Cast:
    rng = stream(spec.seed, STAGE_CAST, number, 0)
    by_label: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_label[event.label].append(event)
    labels = sorted(by_label)
    labels_left: list[str] = []
    under_left: list[Background] = []
    events_left: dict[str, list[Event]] = {label: [] for label in labels}
    chosen, hands = [], []
    for _ in range(spec.n_per_fold):
        hand: list[Event] = []
        for _ in range(spec.rules.sample_n_events(rng)):
            label = _next(labels_left, labels, [event.label for event in hand], rng)
            hand.append(_next(events_left[label], by_label[label], hand, rng))
        hands.append(tuple(hand))
        chosen.append(_next(under_left, backgrounds, [], rng))
    return Cast(number, tuple(chosen), tuple(hands))


def _next(left: list[Item], items: Sequence[Item], avoid: Sequence[Item], rng: np.random.Generator) -> Item:
    """The next of ``items``, which come pass after pass, each in an order of its own; none of ``avoid`` if possible.

    ``left``, changed in place, is what is left of the pass under way; so items come equally often, to within one.
    """
    if not left:
        left.extend(items[k] for k in rng.permutation(len(items)))
    item = next((item for item in left if item not in avoid), left[0])
    left.remove(item)
    return item


# --- the rest of a mixture --------------------------------------------------------------------------------------------


def plan_mixtures(cast: Cast, spec: MixtureSpec, indices: Sequence[int]) -> list[MixturePlan]:
    """The plans of the mixtures ``indices`` (from 0) of the fold of ``cast``; no recording is read.

    Mixture i depends on corpus, rules, seed, fold and i alone. Raises InputError if events find no room.
    """
    if spec.recipe == "kong2018":
        return [_kong_plan(cast, index) for index in indices]
    return [_plan(cast, spec, index) for index in indices]


def _id(cast: Cast, index: int) -> str:
    return f"fold{cast.fold}-{index:06d}"


def _kong_plan(cast: Cast, index: int) -> MixturePlan:
    """Onsets are fixed, the first two seconds of each event are heard, the background has RMS 1."""
    events = tuple(
        PlannedEvent(event.label, event.source_id, 0.0, KONG_EVENT_S, 0.0, 0.0, None, onset_s)
        for event, onset_s in zip(cast.events[index], KONG_ONSETS_S, strict=True)
    )
    return MixturePlan(
        mixture_id=_id(cast, index),
        fold=cast.fold,
        recipe="kong2018",
        duration_s=KONG_DURATION_S,
        snr_measure="rms",
        trim_db=None,
        min_gap_s=0.0,
        background_id=cast.backgrounds[index].source_id,
        background_place=0.0,
        background_dbfs=0.0,
        crossfade_s=0.0,
        events=events,
    )


def _plan(cast: Cast, spec: MixtureSpec, index: int) -> MixturePlan:
    rules, rng = spec.rules, stream(spec.seed, STAGE_MIXTURE, cast.fold, index)
    labels = [event.label for event in cast.events[index]]
    durations = [rules.event_duration_s.sample(rng) for _ in labels]
    onsets, lanes, gaps, last_gaps = _places(_id(cast, index), durations, labels, rules, rng)
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
        for k, event in enumerate(cast.events[index])
    )
    return MixturePlan(
        mixture_id=_id(cast, index),
        fold=cast.fold,
        recipe="default",
        duration_s=rules.duration_s,
        snr_measure=rules.snr_measure,
        trim_db=rules.trim_db,
        min_gap_s=rules.min_gap_s,
        background_id=cast.backgrounds[index].source_id,
        background_place=float(rng.random()),
        background_dbfs=rules.background_dbfs.sample(rng),
        crossfade_s=rules.crossfade_s.sample(rng),
        events=events,
        last_gaps=last_gaps,
    )


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
