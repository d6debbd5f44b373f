"""Recipe ``kong2018``: the mixtures of Kong et al., as the published files were made.

Source: Kong, Xu, Sobieraj, Wang and Plumbley, "Sound event detection and time-frequency segmentation from weakly
labelled data", TASLP 27, 2019, and its published code. Mixtures are numbered through the folds: mixture i of fold f is
file (f - 1) n + i.

The background has RMS 1 over the clip. An event has an RMS of ``10^(snr/20)`` *as a whole recording*, before its first
two seconds are cut out. Both stems are divided by their greatest absolute sample, and the mixture is their **mean**,
not their sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.mixtures.graph import MixtureGraph, PlacedEvent
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.rules import Constant, MixtureRules
from clear_gen.mixtures.spec import FoldAssignment, MixturePlan, MixtureSpec, PlannedEvent, mixture_id
from clear_gen.mixtures.stems import FULL_SCALE, nominal_snr_db, peak

SEED = 1234
ONSETS_S = (0.5, 3.0, 5.5)
EVENT_S = 2.0
RULES = MixtureRules(
    duration_s=10.0,
    n_events=Constant(constant=len(ONSETS_S)),
    event_duration_s=Constant(constant=EVENT_S),
    min_gap_s=0.0,
    fade_in_s=Constant(constant=0.0),
    fade_out_s=Constant(constant=0.0),
    trim_db=None,
    background_dbfs=Constant(constant=0.0),
)
DESCRIPTION = """\
Recipe `kong2018` (Kong, Xu, Sobieraj, Wang and Plumbley, TASLP 27, 2019): three events at 0.5, 3.0 and 5.5 s,
the first 2 s of each recording; levels are those of whole recordings, so that the SNR of what is heard differs from the
SNR that was asked for; the mixture is the mean of its stems."""


class Kong2018:
    """See ``clear_gen.mixtures.recipes.registry.Recipe``. Of ``spec`` it ignores seed and rules."""

    summary = (
        "that of Kong et al., TASLP 2019, which goes by the order of the tables: with whole corpora and "
        "--legacy-repeat it mixes what the published files hold"
    )
    options = frozenset({"legacy_repeat"})
    fixed_rules: MixtureRules | None = RULES
    keeps_table_order = True
    folds_by_group = False
    loops_backgrounds = False
    snr_is_exact = False
    stem_divisor = 2
    note = "kong2018 asks for the SNR of whole recordings; measured is that of what is heard"

    def assign_folds(
        self, events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec
    ) -> tuple[FoldAssignment, ...]:
        """By the order of the recordings, which must be that of the published tables."""
        verified = [event.is_verified for event in events]
        rows, order = rows_of_mixtures(verified, len(backgrounds), spec.n_per_fold, spec.n_folds, spec.legacy_repeat)
        return tuple(
            FoldAssignment(
                fold + 1,
                tuple(backgrounds[k] for k in under),
                tuple(tuple(events[k] for k in triple) for triple in rows[fold]),
            )
            for fold, under in enumerate(order.reshape(spec.n_folds, spec.n_per_fold))
        )

    def may_not_fit(self, spec: MixtureSpec) -> bool:
        """No: the places are fixed."""
        return False

    def plan(self, assignment: FoldAssignment, spec: MixtureSpec, index: int) -> MixturePlan:
        """Onsets are fixed, the first two seconds of each event are heard, the background has RMS 1."""
        events = tuple(
            PlannedEvent(event.label, event.source_id, 0.0, EVENT_S, 0.0, 0.0, None, onset_s)
            for event, onset_s in zip(assignment.events[index], ONSETS_S, strict=True)
        )
        return MixturePlan(
            mixture_id=mixture_id(assignment.fold, index),
            fold=assignment.fold,
            recipe=spec.recipe,
            duration_s=RULES.duration_s,
            snr_measure=RULES.snr_measure,
            trim_db=RULES.trim_db,
            min_gap_s=RULES.min_gap_s,
            background_id=assignment.backgrounds[index].source_id,
            background_place=0.0,
            background_dbfs=0.0,
            crossfade_s=0.0,
            events=events,
        )

    def place_events(self, plan: MixturePlan, snr_db: float | None, sources: Sources) -> list[PlacedEvent]:
        """The first seconds of each recording; the gain is that of the whole recording. Times are truncated."""
        placed, rate = [], sources.sample_rate
        for event in plan.events:
            source = sources.event(event.source_id)
            source.check_event(plan.trim_db)
            onset_s, nominal_db = event.onset_s or 0.0, nominal_snr_db(plan, event, snr_db)
            end = int((onset_s + min(source.duration_s, event.max_duration_s)) * rate)
            times = (0.0, int(onset_s * rate) / rate, end / rate)
            gain_db = nominal_db - source.rms_dbfs
            placed.append(PlacedEvent(event.label, event.source_id, *times, gain_db, nominal_db, None, 0.0, 0.0))
        return placed

    def set_gains(self, graph: MixtureGraph, under_db: Sequence[float], sources: Sources) -> list[PlacedEvent]:
        """As they were placed: whatever the background under them."""
        return list(graph.events)

    def mix(self, background: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, float]:
        """The mean of both stems, after the greater peak of the two has become full scale."""
        gain = FULL_SCALE / max(peak(background), peak(events))
        background *= np.float32(gain)
        events *= np.float32(gain)
        return (background + events) * np.float32(1 / self.stem_divisor), gain

    def command_options(self, spec: MixtureSpec) -> list[str]:
        """The recipe, and whether passes repeat."""
        return [f"--recipe {spec.recipe}", *(["--legacy-repeat"] if spec.legacy_repeat else [])]

    def description(self, spec: MixtureSpec) -> str:
        """In a paragraph."""
        return DESCRIPTION

    def limitations(self, spec: MixtureSpec) -> list[str]:
        """Of untrimmed recordings, and of folds by recording."""
        return [
            "Silence at the beginning of a recording is part of its event.",
            "Folds share uploaders and recording places: they were drawn by recording.",
        ]


def folds_of_table(n_events: int, n_folds: int = 4) -> np.ndarray:
    """Fold of every row of the table of events, int64 [n_events], counted from 1, as in the published mixtures.

    All rows of ``train.csv`` are shuffled, verified or not; the fold is the position modulo ``n_folds``.
    """
    rows = np.arange(n_events)
    _legacy_stream().shuffle(rows)
    folds = np.empty(n_events, np.int64)
    folds[rows] = np.arange(n_events) % n_folds + 1
    return folds


def rows_of_mixtures(
    is_verified: Sequence[bool], n_backgrounds: int, n_per_fold: int, n_folds: int, legacy_repeat: bool
) -> tuple[list[np.ndarray], np.ndarray]:
    """Rows of the events of every fold's mixtures, int64 [n_per_fold, 3] each, and the backgrounds' [all mixtures].

    Backgrounds, rows of ``meta.csv``, are shuffled and each is used once. Then, fold by fold, the verified events are
    shuffled as often as it takes to have three for each mixture. The published code shuffles one array in place and
    joins it with itself, so that every pass has the order of the last one; ``legacy_repeat`` does the same. Otherwise
    every pass keeps its own order.

    Raises InputError if there are too few backgrounds or a fold has no verified event.
    """
    n_mixtures, n_events = n_per_fold * n_folds, len(ONSETS_S)
    if n_backgrounds < n_mixtures:
        expected = f"at least {n_mixtures:,}: kong2018 uses each once"
        raise InputError(f"backgrounds: found {n_backgrounds:,}, expected {expected}")
    rng = _legacy_stream()
    backgrounds = np.arange(n_backgrounds)
    rng.shuffle(backgrounds)
    fold_of = folds_of_table(len(is_verified), n_folds)
    rows = []
    for fold in range(1, n_folds + 1):
        pool = np.flatnonzero((fold_of == fold) & np.asarray(is_verified, bool))
        if not len(pool):
            raise InputError(f"events: fold {fold}: found no verified recording, expected some")
        passes = []
        for _ in range(n_events * n_per_fold // len(pool) + 1):
            rng.shuffle(pool)
            passes.append(pool if legacy_repeat else pool.copy())
        rows.append(np.concatenate(passes)[: n_events * n_per_fold].reshape(n_per_fold, n_events))
    return rows, backgrounds[:n_mixtures]


def _legacy_stream() -> np.random.RandomState:
    """The generator that the published mixtures were drawn with; nothing else may use it."""
    return np.random.RandomState(SEED)
