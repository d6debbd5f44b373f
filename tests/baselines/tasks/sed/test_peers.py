"""Scores of sound event detection against scikit-learn, sed_eval and psds_eval on random data, live.

Run by ``make peers-test``, which installs them in an environment of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from baselines.tasks.sed.event_columns import Events
from baselines.tasks.sed.metrics.events import merge
from baselines.tasks.sed.metrics.psds import SETTINGS, PsdsSettings, psds
from baselines.tasks.sed.metrics.tagging import average_precision, evaluate, roc_auc
from baselines.tasks.sed.metrics.time import TimeScore, TimeScores, event_scores, segment_scores
from tests.baselines.tasks.sed.data import corpus_of, like, random_events

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]  # the other packages'
SEEDS = range(6)


# --- clips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("levels", [5, 50, 10**9])
def test_clip_scores_are_scikit_learns(seed: int, levels: int) -> None:
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    rng = np.random.default_rng(seed)
    targets = rng.random((200, 8)) < rng.uniform(0.02, 0.5, 8)
    targets[0], targets[1] = True, False
    scores = np.floor((rng.random(targets.shape) * 0.7 + 0.3 * targets) * levels) / levels
    found = evaluate(scores, targets, tuple("ABCDEFGH"), 0.6)
    exact = {"abs": 1e-12}
    assert average_precision(scores, targets) == pytest.approx(
        average_precision_score(targets, scores, average=None), **exact
    )
    assert roc_auc(scores, targets) == pytest.approx(roc_auc_score(targets, scores, average=None), **exact)
    assert found.micro_ap == pytest.approx(average_precision_score(targets, scores, average="micro"), **exact)
    assert found.macro_ap == pytest.approx(average_precision_score(targets, scores, average="macro"), **exact)
    assert found.macro_auc == pytest.approx(roc_auc_score(targets, scores, average="macro"), **exact)
    assert found.micro_f1 == pytest.approx(f1_score(targets, scores > 0.6, average="micro"), **exact)
    assert found.macro_f1 == pytest.approx(f1_score(targets, scores > 0.6, average="macro"), **exact)


# --- times ------------------------------------------------------------------------------------------------------------


def two_systems(seed: int, crowded: bool) -> tuple[Events, Events]:
    rng = np.random.default_rng(seed)
    reference = random_events(corpus_of(30, 5, 4.0 if crowded else 600.0), 250, rng)
    return reference, like(reference, rng, 0.1)


def told_by_sed_eval(metrics: Any, reference: Events, estimated: Events) -> dict[str, Any]:
    for clip in reference.corpus.clips:
        lists = [
            [
                {"filename": row.clip, "event_label": row.label, "onset": row.onset_s, "offset": row.offset_s}
                for row in events.rows()
                if row.clip == clip
            ]
            for events in (reference, estimated)
        ]
        metrics.evaluate(*lists)
    return metrics.results()


def assert_told(found: TimeScore, told: dict[str, Any], rates: list[str]) -> None:
    for name, ours in (("f_measure", "f1"), ("precision", "precision"), ("recall", "recall")):
        assert getattr(found, ours) == pytest.approx(told["f_measure"][name], abs=1e-12), name
    for name in rates:
        assert getattr(found, name) == pytest.approx(told["error_rate"][name], abs=1e-12), name


def assert_classes_told(found: TimeScores, told: dict[str, Any]) -> None:
    rates = ["error_rate", "deletion_rate", "insertion_rate"]
    for label, score in found.by_class.items():
        assert told["class_wise"][label]["count"] == {"Nref": score.n_reference, "Nsys": score.n_estimated}
        assert_told(score, told["class_wise"][label], rates)
    averages = told["class_wise_average"]
    assert found.macro.f1 == pytest.approx(averages["f_measure"]["f_measure"], abs=1e-12)
    for name in rates:
        assert getattr(found.macro, name) == pytest.approx(averages["error_rate"][name], abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("segment_s", [1.0, 0.1])
def test_segments_are_sed_evals(seed: int, crowded: bool, segment_s: float) -> None:
    from sed_eval.sound_event import SegmentBasedMetrics

    reference, estimated = two_systems(seed, crowded)
    told = told_by_sed_eval(SegmentBasedMetrics(list("ABCDE"), segment_s), reference, estimated)
    found = segment_scores(reference, estimated, segment_s)
    rates = ["error_rate", "substitution_rate", "deletion_rate", "insertion_rate"]
    assert_told(found.overall, told["overall"], rates)
    assert_classes_told(found, told)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_events_are_sed_evals(seed: int, crowded: bool, share: float) -> None:
    """All but the overall error rate of a crowd, where sed_eval may miss substitutions and the order decides."""
    from sed_eval.sound_event import EventBasedMetrics

    reference, estimated = two_systems(seed, crowded)
    metrics = EventBasedMetrics(list("ABCDE"), t_collar=0.2, percentage_of_length=share)
    told = told_by_sed_eval(metrics, reference, estimated)
    found = event_scores(reference, estimated, 0.2, share)
    rates = ["error_rate", "substitution_rate", "deletion_rate", "insertion_rate"]
    assert_told(found.overall, told["overall"], [] if crowded else rates)
    assert_classes_told(found, told)
    theirs, ours = told["overall"]["error_rate"]["error_rate"], found.overall.error_rate
    assert ours is not None
    assert theirs - 0.02 <= ours <= theirs + 1e-12


@pytest.mark.parametrize("matching", ["segment", "event"])
def test_a_silent_system_is_zero_as_sed_eval_can_be_told(matching: str) -> None:
    from sed_eval import sound_event

    reference, _ = two_systems(0, False)
    nothing = reference.take(np.zeros(len(reference), bool))
    if matching == "segment":
        metrics, found = sound_event.SegmentBasedMetrics(list("ABCDE"), 1.0), segment_scores(reference, nothing)
    else:
        metrics, found = sound_event.EventBasedMetrics(list("ABCDE")), event_scores(reference, nothing)
    metrics.empty_system_output_handling = "zero_score"
    told = told_by_sed_eval(metrics, reference, nothing)
    assert_told(found.overall, told["overall"], ["error_rate", "deletion_rate"])
    assert_classes_told(found, told)


# --- operating points -------------------------------------------------------------------------------------------------


def frame_of(events: Events) -> Any:
    import pandas

    return pandas.DataFrame(
        {
            "filename": [row.clip for row in events.rows()],
            "onset": events.onset_s,
            "offset": events.offset_s,
            "event_label": [row.label for row in events.rows()],
        }
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize(
    "of",
    [
        *SETTINGS.values(),
        PsdsSettings(0.3, 0.6, 0.1, alpha_ct=1.0, alpha_st=0.3, e_max=900.0),
        PsdsSettings(0.5, 0.5, 0.3, alpha_ct=1.0, alpha_st=0.0, e_max=5000.0),
    ],
)
def test_psds_is_psds_evals(seed: int, crowded: bool, of: PsdsSettings) -> None:
    import pandas
    from psds_eval import PSDSEval

    rng = np.random.default_rng(seed)
    corpus = corpus_of(30, 5, 4.0 if crowded else 60.0)
    reference = merge(random_events(corpus, 200, rng))
    points = [merge(like(reference, rng, spread_s)) for spread_s in (0.05, 0.2, 0.4, 0.8)]
    points += [merge(random_events(corpus, n, rng)) for n in (3, 800)]
    durations = pandas.DataFrame({"filename": corpus.clips, "duration": corpus.duration_s})
    theirs = PSDSEval(of.dtc, of.gtc, of.cttc, ground_truth=frame_of(reference), metadata=durations)
    for point in points:
        theirs.add_operating_point(frame_of(point))
    told = theirs.psds(alpha_ct=of.alpha_ct, alpha_st=of.alpha_st, max_efpr=of.e_max)
    found = psds(reference, points, of)
    assert found.value == pytest.approx(told.value, abs=1e-12)
    within = told.plt.xp <= of.e_max
    assert found.efpr == pytest.approx(told.plt.xp[within].tolist())
    assert found.etpr == pytest.approx(told.plt.yp[within].tolist(), abs=1e-12)
    assert crowded or 0 < told.value < 1
