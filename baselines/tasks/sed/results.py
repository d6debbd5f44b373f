"""Results on mixtures: the file, ``results-<mixtures>-fold<k>.json``, and figures for tables.

``note`` states on which data the thresholds, and a run's epoch, were chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import model_validator

from baselines.core.fields import Finite
from baselines.core.results import Hashes, ResultsConfig, ResultsFile
from baselines.tasks.sed.metrics.psds import SETTINGS
from baselines.tasks.sed.metrics.scores import OFFSET_SHARES, Results
from baselines.tasks.sed.metrics.tagging import DEFAULT_THRESHOLD
from baselines.tasks.sed.metrics.time import COLLAR_S, SEGMENT_S

ON_TEST = (
    "selected on the held-out fold itself: rate, epoch and thresholds were chosen on the clips that are scored, "
    "which makes the scores too good"
)
Figures = dict[str, float | None]


class SedConfig(ResultsConfig):
    """What was scored. ``mixtures``: the config of the dataset, ``snr_db`` its SNR, None where the rules drew it.

    ``train``, ``selection``, ``test``: folds; only ``test`` is known for an external predictions file.
    """

    options: dict[str, bool | int | float | str | None]
    alpha: Finite | None
    seed: int | None
    mixtures: str
    snr_db: Finite | None
    train: list[int]
    selection: int | None
    test: int
    select_on_test: bool


class SedHashes(Hashes):
    """``data``: SHA-256 of the dataset's identity; ``weights``: of the model's file, None for a predictions file."""

    data: str
    weights: str | None


class SedResults(ResultsFile):
    """A results file. ``frame_thresholds``: above which a class is active; None for a predictions file."""

    task: Literal["sed"] = "sed"
    config: SedConfig
    hashes: SedHashes
    frame_thresholds: dict[str, Finite] | None
    scores: Results

    @model_validator(mode="after")
    def _one_set_of_classes(self) -> Self:
        classes = {*self.scores.clip.by_class}
        event, psds = self.scores.event, self.scores.psds
        of_time = [one.by_class for one in (self.scores.segment, *(event or {}).values()) if one is not None]
        if not classes or any({*found} != classes for found in of_time):
            raise ValueError("the same classes, at least one, in all scores")
        if self.frame_thresholds is not None and {*self.frame_thresholds} != classes:
            raise ValueError("a frame threshold for every class")
        if (event is None) != (self.scores.segment is None) or {*(event or _SHARES)} != _SHARES:
            raise ValueError(f"scores of segments and of events by offset shares {', '.join(sorted(_SHARES))}, or none")
        if {*(psds or SETTINGS)} != {*SETTINGS}:
            raise ValueError(f"psds by {', '.join(SETTINGS)}, or none")
        return self

    @property
    def note(self) -> str:
        """A sentence stating what was chosen on which clips."""
        if self.config.select_on_test:
            return ON_TEST
        if self.config.selection is None:
            return f"nothing was chosen: thresholds are {DEFAULT_THRESHOLD:g}"
        return f"rate, epoch and thresholds were chosen on fold {self.config.selection}"

    def more(self) -> dict[str, Any]:
        """The note."""
        return {"note": self.note}


_SHARES = {str(share) for share in OFFSET_SHARES}


# --- figures of tables ------------------------------------------------------------------------------------------------

PRECISION = "micro-AP", "macro-AP", "AUC"


def clip_figures(scores: Results) -> Figures:
    """Clip-level scores by column header."""
    clip = scores.clip
    precision = dict(zip(PRECISION, (clip.micro_ap, clip.macro_ap, clip.macro_auc), strict=True))
    return {**precision, "d'": clip.d_prime, "micro-F1": clip.micro_f1, "macro-F1": clip.macro_f1}


def time_figures(scores: Results) -> Figures:
    """The scores in time of all classes pooled, and the macro-averaged PSDS; nothing where no events were scored."""
    found: Figures = {}
    if scores.segment is not None and scores.event is not None:
        of_segments = f"of segments of {SEGMENT_S:g} s"
        found = {f"F1 {of_segments}": scores.segment.overall.f1}
        found |= {f"error rate {of_segments}": scores.segment.overall.error_rate}
        found |= {event_f1_name(float(share)): one.overall.f1 for share, one in scores.event.items()}
    return found | {f"PSDS {name}": one.value for name, one in (scores.psds or {}).items()}


def event_f1_name(offset_share: float) -> str:
    """What the F1 of events is called whose offset may be off by a share of their length.

    >>> event_f1_name(0.5)
    'F1 of events, onset within 0.2 s, offset within 0.2 s or 50 % of the length'
    """
    onset = f"onset within {COLLAR_S:g} s"
    return f"F1 of events, {onset}, offset within {COLLAR_S:g} s or {offset_share:.0%} of the length".replace("%", " %")


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def mean_figures(rows: Sequence[Mapping[str, float | None]]) -> Figures:
    """The mean of each figure over folds, as the paper averages."""
    return {name: mean([row.get(name) for row in rows]) for name in rows[0]}


def four(value: float | None) -> str:
    """Format a score to four decimals, as in the paper; an empty string for None."""
    return "" if value is None else f"{value:.4f}"
