"""Scores of sound event detection: which classes are in a clip, and when.

Clip level (``tagging``): average precision, ROC-AUC, d', F1. Time level: segment- and event-based F1
and error rate (``time``), and PSDS over operating points (``psds``). Events come as rows or are decoded from
frame probabilities (``events``). Definitions, ties and references are in those modules.

Conventions: fractions are 0..1, times in seconds, rates of PSDS per hour. What is undefined is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baselines.tasks.sed.event_columns import Corpus, Events, validate_corpus, validate_events
from baselines.tasks.sed.metrics import tagging
from baselines.tasks.sed.metrics.psds import SETTINGS, Psds, psds
from baselines.tasks.sed.metrics.tagging import DEFAULT_THRESHOLD, ClipScores
from baselines.tasks.sed.metrics.time import COLLAR_S, SEGMENT_S, TimeScores, event_scores, segment_scores
from clear_gen.core.errors import InputError

OFFSET_SHARES = (0.2, 0.5)


@dataclass(frozen=True)
class Results:
    """The scores of one model on one set of clips.

    ``segment``, ``event``, ``psds``: None without events. ``event``: by offset tolerance as a fraction of the event's
    length, "0.2" and "0.5" (sed_eval's default). ``psds``: by the name of its settings.
    """

    clip: ClipScores
    segment: TimeScores | None
    event: dict[str, TimeScores] | None
    psds: dict[str, Psds] | None


def validate(
    corpus: Corpus,
    targets: np.ndarray,
    scores: np.ndarray,
    thresholds: np.ndarray | float = DEFAULT_THRESHOLD,
    reference: Events | None = None,
    estimated: Events | None = None,
    operating_points: Sequence[Events] = (),
) -> None:
    """Raise InputError, one line with what was found and expected, unless ``evaluate`` can score these."""
    validate_corpus(corpus)
    if len(targets) != len(corpus.clips):
        raise InputError(f"targets: found {len(targets)} clips, expected the corpus's {len(corpus.clips)}")
    tagging.validate(scores, targets, corpus.labels, thresholds)
    if reference is None and (estimated is not None or operating_points):
        raise InputError("reference: found no events, expected those to compare the estimated events with")
    numbered = {f"operating point {number}": events for number, events in enumerate(operating_points)}
    for name, events in {"reference": reference, "estimated": estimated, **numbered}.items():
        if events is None:
            continue
        if (events.corpus.clips, events.corpus.labels) != (corpus.clips, corpus.labels):
            raise InputError(f"{name}: found events of other clips or classes, expected those of the corpus")
        validate_events(events, name)


def evaluate(
    corpus: Corpus,
    targets: np.ndarray,
    scores: np.ndarray,
    thresholds: np.ndarray | float = DEFAULT_THRESHOLD,
    reference: Events | None = None,
    estimated: Events | None = None,
    operating_points: Sequence[Events] = (),
) -> Results:
    """All scores; ``dataclasses.asdict`` of them is JSON.

    ``targets`` bool [N, K], ``scores`` float [N, K], ``thresholds`` float or [K] for F1 by clip. With ``reference`` and
    ``estimated`` events there are scores in time, with ``operating_points`` PSDS.
    """
    validate(corpus, targets, scores, thresholds, reference, estimated, operating_points)
    segment, event, by_settings = None, None, None
    if reference is not None and estimated is not None:
        segment = segment_scores(reference, estimated, SEGMENT_S)
        event = {str(share): event_scores(reference, estimated, COLLAR_S, share) for share in OFFSET_SHARES}
    if reference is not None and operating_points:
        by_settings = {name: psds(reference, operating_points, settings) for name, settings in SETTINGS.items()}
    return Results(tagging.evaluate(scores, targets, corpus.labels, thresholds), segment, event, by_settings)
