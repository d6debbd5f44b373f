"""What passes between the steps of drawing mixtures: the specification, who meets in a fold, and the plans.

A plan holds every random choice of one mixture, made before any recording is read. What depends on how long the
recordings are is held as a share of what there is, so that one plan serves every sample rate and SNR.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clear_gen.dsp.levels import Measure
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.rules import MixtureRules


@dataclass(frozen=True)
class MixtureSpec:
    """What all mixtures of a dataset have in common. ``recipe``: a key of ``RECIPES``, which says what it makes of it.

    ``allow_missing``: a label may be missing in a fold. ``legacy_repeat``: repeat a defect of published code.
    """

    n_per_fold: int
    n_folds: int = 4
    seed: int = 0
    recipe: str = "default"
    rules: MixtureRules = field(default_factory=MixtureRules)
    legacy_repeat: bool = False
    allow_missing: bool = False


@dataclass(frozen=True)
class FoldAssignment:
    """Which recordings meet in the mixtures of one fold: per mixture a background, and the events. From fold 1."""

    fold: int
    backgrounds: tuple[Background, ...]
    events: tuple[tuple[Event, ...], ...]


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """An event before its recording is read.

    ``place``: where it is cut from a longer recording, 0 to 1. ``onset_s`` is None where it follows from ``lane`` and
    ``gap`` once the lengths are known. ``snr_db`` is None where it is chosen for a whole dataset.
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
    """One mixture before its recordings are read. ``last_gaps``: per lane, what follows its last event."""

    mixture_id: str
    fold: int
    recipe: str
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


def mixture_id(fold: int, index: int) -> str:
    """The id of mixture ``index`` (from 0) of a fold (from 1)."""
    return f"fold{fold}-{index:06d}"


def samples_of(seconds: float, sample_rate: int) -> int:
    """Whole samples in a time; a fraction lost to rounding error does not cost a sample.

    >>> samples_of(0.29, 100)
    29
    """
    return int(seconds * sample_rate + 1e-6)
