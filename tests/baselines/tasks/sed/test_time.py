"""Segment- and event-based scores against slow, obvious computations and against what must hold of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of
from baselines.tasks.sed.metrics.time import TimeScore, TimeScores, event_scores, segment_scores
from tests.baselines.tasks.sed.data import corpus_of, events_on_grid, like, random_events
from tests.counts import examples

CORPUS = corpus_of(2, 3)
ON_GRID = events_on_grid(CORPUS, 0.1)
CROWDED = events_on_grid(corpus_of(1, 2), 0.5, most=6)  # so that there are many ways to match


def expected_score(true: int, said: int, right: int, substituted: int | None, deleted: int, inserted: int) -> TimeScore:
    if not true:
        return TimeScore(true, said, right, *(None,) * 7)
    precision, recall = (right / said if said else 0.0), right / true
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    errors = (None if substituted is None else substituted / true), deleted / true, inserted / true
    return TimeScore(true, said, right, f1, precision, recall, sum(rate or 0 for rate in errors), *errors)


def assert_same(found: TimeScore, expected: TimeScore) -> None:
    assert asdict(found) == pytest.approx(asdict(expected), abs=1e-12)


def assert_macro(found: TimeScores) -> None:
    """Means over classes in the reference."""
    json.dumps(asdict(found), allow_nan=False)
    scored = [score for score in found.by_class.values() if score.n_reference]
    assert found.macro.n_classes == len(scored)
    for name in ("f1", "precision", "recall", "error_rate", "deletion_rate", "insertion_rate"):
        mean = sum(getattr(score, name) for score in scored) / len(scored) if scored else None
        assert getattr(found.macro, name) == (None if mean is None else pytest.approx(mean))


# --- segments ---------------------------------------------------------------------------------------------------------


def active_in(events: Events, clip: str, segment: int, segment_s: float) -> set[str]:
    return {
        row.label
        for row in events.rows()
        if row.clip == clip and floor(row.onset_s / segment_s) <= segment < ceil(row.offset_s / segment_s)
    }


@examples(60)
@given(ON_GRID, ON_GRID, st.sampled_from([1.0, 0.3, 0.1]))
def test_segments_one_by_one(reference: Events, estimated: Events, segment_s: float) -> None:
    found = segment_scores(reference, estimated, segment_s)
    counts = {label: [0, 0, 0] for label in CORPUS.labels}
    substituted = deleted = inserted = 0
    for clip in CORPUS.clips:
        for segment in range(ceil(4.0 / segment_s) + 1):
            true, said = (active_in(events, clip, segment, segment_s) for events in (reference, estimated))
            substituted += min(len(true), len(said)) - len(true & said)
            deleted += max(0, len(true) - len(said))
            inserted += max(0, len(said) - len(true))
            for number, labels in enumerate((true, said, true & said)):
                for label in labels:
                    counts[label][number] += 1
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    assert_same(found.overall, expected_score(*total, substituted, deleted, inserted))
    for label, (n_true, n_said, n_right) in counts.items():
        expected = expected_score(n_true, n_said, n_right, None, n_true - n_right, n_said - n_right)
        assert_same(found.by_class[label], expected)
    assert_macro(found)


def test_segments_of_an_example() -> None:
    """Applied Sciences 6:162, section 3.1: a segment counts once however much of it is active."""
    corpus = corpus_of(1, 2)
    reference = events_of([("c0", 0.2, 1.0, "A"), ("c0", 2.9, 3.1, "A")], corpus)
    estimated = events_of([("c0", 0.9, 1.1, "A"), ("c0", 3.0, 4.0, "B")], corpus)
    found = segment_scores(reference, estimated)
    # Segment 0: A right. 1: A inserted. 2: A deleted. 3: B for A.
    assert_same(found.overall, TimeScore(3, 3, 1, 1 / 3, 1 / 3, 1 / 3, 1.0, 1 / 3, 1 / 3, 1 / 3))
    assert_same(found.by_class["A"], TimeScore(3, 2, 1, 0.4, 0.5, 1 / 3, 1.0, None, 2 / 3, 1 / 3))
    assert found.by_class["B"] == TimeScore(0, 1, 0, *(None,) * 7)
    assert found.macro.n_classes == 1


# --- events -----------------------------------------------------------------------------------------------------------


def fits(true: Event, said: Event, collar_s: float, share: float) -> bool:
    late_s = max(collar_s, share * (true.offset_s - true.onset_s))
    return (
        true.clip == said.clip
        and abs(true.onset_s - said.onset_s) <= collar_s
        and abs(true.offset_s - said.offset_s) <= late_s
    )


def best_match(reference: list[Event], estimated: list[Event], collar_s: float, share: float) -> tuple[int, int]:
    """(right, substituted) of the best of all ways to pair the events: every one is tried."""
    if not reference:
        return 0, 0
    first, rest = reference[0], reference[1:]
    best = best_match(rest, estimated, collar_s, share)
    for at, event in enumerate(estimated):
        if fits(first, event, collar_s, share):
            right, substituted = best_match(rest, estimated[:at] + estimated[at + 1 :], collar_s, share)
            same = first.label == event.label
            best = max(best, (right + same, substituted + (not same)))
    return best


def assert_best(reference: Events, estimated: Events, collar_s: float, share: float) -> None:
    found = event_scores(reference, estimated, collar_s, share)
    true, said = reference.rows(), estimated.rows()
    right, substituted = best_match(true, said, collar_s, share)
    missed, surplus = len(true) - right - substituted, len(said) - right - substituted
    assert_same(found.overall, expected_score(len(true), len(said), right, substituted, missed, surplus))
    for label, score in found.by_class.items():
        own_true, own_said = ([row for row in rows if row.label == label] for rows in (true, said))
        n, m = len(own_true), len(own_said)
        own_right, _ = best_match(own_true, own_said, collar_s, share)
        assert_same(score, expected_score(n, m, own_right, None, n - own_right, m - own_right))
    assert_macro(found)


@examples(60)
@given(ON_GRID, ON_GRID, st.sampled_from([0.2, 0.05, 0.6]), st.sampled_from([0.0, 0.2, 0.5]))
def test_no_matching_is_better(reference: Events, estimated: Events, collar_s: float, share: float) -> None:
    assert_best(reference, estimated, collar_s, share)


@examples(60)
@given(CROWDED, CROWDED, st.sampled_from([0.5, 1.0]))
def test_no_matching_is_better_in_a_crowd(reference: Events, estimated: Events, collar_s: float) -> None:
    assert_best(reference, estimated, collar_s, 0.5)


def test_a_greedy_matching_is_not_enough() -> None:
    """The first estimate fits both references, the second only the first: taken in order, one would be left."""
    corpus = corpus_of(1, 1)
    reference = events_of([("c0", 1.0, 2.0, "A"), ("c0", 1.25, 2.25, "A")], corpus)
    estimated = events_of([("c0", 1.125, 2.125, "A"), ("c0", 0.875, 2.0, "A")], corpus)
    assert event_scores(reference, estimated).overall.n_right == 2


def test_as_many_substitutions_as_can_be() -> None:
    """First come, first served would pair the first two and leave the others alone."""
    corpus = corpus_of(1, 2)
    reference = events_of([("c0", 1.0, 2.0, "A"), ("c0", 1.25, 2.25, "A")], corpus)
    estimated = events_of([("c0", 1.125, 2.125, "B"), ("c0", 0.875, 2.0, "B")], corpus)
    found = event_scores(reference, estimated).overall
    assert_same(found, TimeScore(2, 2, 0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("onset_s", "offset_s", "share", "right"),
    [
        (0.75, 3.5, 0.5, 1),  # 0.25 s early: inside the collar of this test
        (0.625, 3.5, 0.5, 0),
        (1.25, 2.25, 0.5, 1),  # 1.25 s is half the length
        (1.25, 2.125, 0.5, 0),
        (1.0, 3.0, 0.2, 1),  # 0.5 s is a fifth
        (1.0, 2.875, 0.2, 0),
        (1.0, 3.25, 0.0, 1),  # the collar is the least
        (1.0, 3.125, 0.0, 0),
    ],
)
def test_bounds_belong_to_the_tolerance(onset_s: float, offset_s: float, share: float, right: int) -> None:
    corpus = corpus_of(1, 1)
    reference = events_of([("c0", 1.0, 3.5, "A")], corpus)
    estimated = events_of([("c0", onset_s, offset_s, "A")], corpus)
    assert event_scores(reference, estimated, 0.25, share).overall.n_right == right


# --- both -------------------------------------------------------------------------------------------------------------


@examples(40)
@given(ON_GRID)
def test_perfect_and_empty(events: Events) -> None:
    nothing = events_of([], CORPUS)
    for score in (segment_scores, event_scores):
        perfect = score(events, events).overall
        assert (perfect.f1, perfect.error_rate) == ((1, 0) if len(events) else (None, None))
        empty = score(events, nothing)
        assert (empty.overall.f1, empty.overall.error_rate) == ((0, 1) if len(events) else (None, None))
        assert empty.macro.f1 == (0 if len(events) else None)
        assert score(nothing, events).overall.f1 is None
        assert score(nothing, events).macro.n_classes == 0


@examples(40)
@given(ON_GRID, ON_GRID, st.permutations(range(2)), st.randoms(use_true_random=False))
def test_order_of_clips_and_events_changes_nothing(
    reference: Events, estimated: Events, clips: list[int], random: object
) -> None:
    renamed = Corpus(tuple(CORPUS.clips[clip] for clip in clips), CORPUS.duration_s[clips], CORPUS.labels)
    moved = []
    for events in (reference, estimated):
        rows = events.rows()
        random.shuffle(rows)  # type: ignore[attr-defined]
        moved.append(events_of(rows, renamed))
    for score in (segment_scores, event_scores):
        assert score(*moved) == score(reference, estimated)


def test_many_clips_are_the_sum_of_their_clips() -> None:
    rng = np.random.default_rng(4)
    corpus = corpus_of(60, 6)
    reference = random_events(corpus, 400, rng)
    estimated = like(reference, rng)
    for score in (segment_scores, event_scores):
        whole = score(reference, estimated).overall
        parts = [
            score(reference.take(reference.clip == clip), estimated.take(estimated.clip == clip)).overall
            for clip in range(60)
        ]
        for name in ("n_reference", "n_estimated", "n_right"):
            assert getattr(whole, name) == sum(getattr(part, name) for part in parts)
        errors = sum((part.error_rate or 0) * part.n_reference for part in parts)
        surplus = sum(part.n_estimated for part in parts if not part.n_reference)
        assert whole.error_rate is not None
        assert whole.error_rate * whole.n_reference == pytest.approx(errors + surplus)
        assert 0 < whole.n_right < whole.n_reference
