"""All scores of sound event detection together: that they are those of their modules, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from baselines.tasks.sed.event_columns import Corpus, Events, events_of, present
from baselines.tasks.sed.metrics import tagging
from baselines.tasks.sed.metrics.psds import SETTINGS, psds
from baselines.tasks.sed.metrics.scores import evaluate, validate
from baselines.tasks.sed.metrics.time import event_scores, segment_scores
from clear_gen.core.errors import InputError
from tests.baselines.tasks.sed.data import corpus_of, like, random_events

CORPUS = corpus_of(20, 4, 10.0)


def one_model(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Events, Events, list[Events]]:
    """Targets, scores, reference, estimated events and operating points."""
    rng = np.random.default_rng(seed)
    reference = random_events(CORPUS, 50, rng)
    targets = present(reference)
    scores = np.clip(0.5 * targets + rng.random(targets.shape) * 0.7, 0, 1)
    return targets, scores, reference, like(reference, rng), [like(reference, rng) for _ in range(4)]


def test_everything_at_once() -> None:
    targets, scores, reference, estimated, points = one_model()
    thresholds = tagging.tune_thresholds(scores, targets)
    found = evaluate(CORPUS, targets, scores, thresholds, reference, estimated, points)
    assert found.clip == tagging.evaluate(scores, targets, CORPUS.labels, thresholds)
    assert found.segment == segment_scores(reference, estimated, 1.0)
    assert found.event == {str(share): event_scores(reference, estimated, 0.2, share) for share in (0.2, 0.5)}
    assert found.psds == {name: psds(reference, points, settings) for name, settings in SETTINGS.items()}
    read = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert read["event"]["0.5"]["overall"]["f1"] == found.event["0.5"].overall.f1
    assert 0 < found.event["0.2"].overall.n_right <= found.event["0.5"].overall.n_right


def test_clips_alone() -> None:
    targets, scores, reference, *_ = one_model()
    found = evaluate(CORPUS, targets, scores)
    assert (found.segment, found.event, found.psds) == (None, None, None)
    assert found.clip == tagging.evaluate(scores, targets, CORPUS.labels, 0.5)
    assert evaluate(CORPUS, targets, scores, reference=reference) == found


def test_perfect() -> None:
    targets, _, reference, *_ = one_model()
    found = evaluate(CORPUS, targets, targets.astype(float), 0.5, reference, reference, [reference])
    assert found.segment is not None
    assert found.event is not None
    assert found.psds is not None
    assert (found.clip.micro_ap, found.clip.macro_f1, found.segment.overall.f1) == (1, 1, 1)
    assert [score.overall.f1 for score in found.event.values()] == [1, 1]
    assert [score.value for score in found.psds.values()] == pytest.approx([1, 1, 1])


def test_nothing_there_and_nothing_found_is_json() -> None:
    nothing = events_of([], CORPUS)
    silent = np.zeros((20, 4))
    found = evaluate(CORPUS, silent.astype(bool), silent, 0.5, nothing, nothing, [nothing])
    assert found.clip.n_classes == 0
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["psds"]["dcase2020"]["value"] is None


def moved(events: Events, **columns: Any) -> Events:
    return replace(events, **columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus": Corpus((), np.zeros(0), ("A",))}, "clips: found none, expected at least one"),
        ({"targets": np.zeros((19, 4), bool)}, "targets: found 19 clips, expected the corpus's 20"),
        ({"scores": np.zeros((20, 3))}, r"scores: found shape \(20, 3\), expected 20 clips x 4 classes"),
        ({"thresholds": np.nan}, "thresholds: found nan, expected finite numbers"),
        ({"reference": None}, "reference: found no events, expected those to compare the estimated events with"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    targets, scores, reference, estimated, points = one_model()
    whole: dict[str, Any] = {"corpus": CORPUS, "targets": targets, "scores": scores, "reference": reference}
    whole |= {"estimated": estimated, "operating_points": points}
    validate(**whole)
    with pytest.raises(InputError, match=f"^{message}$"):
        validate(**whole | change)
    with pytest.raises(InputError, match=f"^{message}$"):
        evaluate(**whole | change)


def test_events_that_do_not_fit_are_refused() -> None:
    targets, scores, reference, estimated, points = one_model()
    other = random_events(corpus_of(21, 4, 10.0), 5, np.random.default_rng(0))
    late = moved(points[2], offset_s=points[2].offset_s + 10)

    def refused(message: str, truth: Events, said: Events, at: Sequence[Events]) -> None:
        with pytest.raises(InputError, match=f"^{message}"):
            validate(CORPUS, targets, scores, 0.5, truth, said, at)

    refused(
        "reference: found events of other clips or classes, expected those of the corpus$", other, estimated, points
    )
    refused(
        "estimated: found events of other clips or classes, expected those of the corpus$", reference, other, points
    )
    refused(
        r"operating point 2: row 0: c\d+, .: found .* s, the clip's length$", reference, estimated, [*points[:2], late]
    )
