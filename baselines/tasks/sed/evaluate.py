"""Scores the tags and events predicted for a fold of mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from baselines.core.predictions import Prediction
from baselines.core.results import Scored
from baselines.tasks.sed.detect import operating_points_in
from baselines.tasks.sed.event_columns import Event, events_of
from baselines.tasks.sed.metrics import scores as sed_scores
from baselines.tasks.sed.metrics.tagging import DEFAULT_THRESHOLD
from baselines.tasks.sed.results import SedConfig, SedHashes, SedResults
from baselines.tasks.sed.split import Fold

# known only for a run
UNKNOWN: dict[str, Any] = {
    "options": {}, "alpha": None, "seed": None, "train": [], "selection": None, "select_on_test": False
}  # fmt: skip


def score(fold: Fold, predictions: Sequence[Prediction], scored: Scored) -> SedResults:
    """All scores; predictions must be in the order of the fold's mixtures.

    Time-based scores require events, PSDS requires frames (which predictions files do not hold). Clip thresholds are
    0.5 unless ``scored.about`` (see ``TrainedPredictor.about``) gives others.
    """
    about, labels = scored.about, fold.corpus.labels
    scores = np.array([[one.values["scores"][label] for label in labels] for one in predictions])
    thresholds = about.get("thresholds", dict.fromkeys(labels, DEFAULT_THRESHOLD))
    events, points = None, []
    if "events" in predictions[0].values:
        rows = [
            Event(one.item_id, on_s, off_s, label) for one in predictions for label, on_s, off_s in one.values["events"]
        ]
        events = events_of(rows, fold.corpus)
    if "frames" in predictions[0].values:
        frames = np.stack([one.values["frames"] for one in predictions])
        points = operating_points_in(frames, fold.corpus, about["frame_s"])
    return SedResults(
        config=SedConfig(
            model=scored.model,
            data=scored.data,
            predictions=scored.predictions,
            mixtures=fold.mixtures.config,
            snr_db=fold.mixtures.snr_db,
            test=fold.fold,
            **{name: about.get(name, value) for name, value in UNKNOWN.items()},
        ),
        hashes=SedHashes(
            data=fold.mixtures.sha256, weights=about.get("weights"), predictions=scored.predictions_sha256
        ),
        n_original=fold.n_original,
        frame_thresholds=about.get("frame_thresholds"),
        scores=sed_scores.evaluate(
            fold.corpus,
            fold.targets,
            scores,
            np.array([thresholds[label] for label in labels]),
            None if events is None else fold.events,
            events,
            points,
        ),
    )
