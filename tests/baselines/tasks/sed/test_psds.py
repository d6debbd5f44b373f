"""PSDS against a slow, obvious computation in fractions and against what must hold of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from statistics import mean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of
from baselines.tasks.sed.metrics.events import merge, operating_points
from baselines.tasks.sed.metrics.psds import SETTINGS, Psds, PsdsSettings, psds, rates_of, validate_settings
from clear_gen.core.errors import InputError
from tests.baselines.tasks.sed.data import corpus_of, events_on_grid, like, random_events
from tests.counts import examples

CORPUS = corpus_of(2, 3)
EVENTS = events_on_grid(CORPUS, 0.25, most=10)
BASE = SETTINGS["dcase2020"]
ANY = st.builds(
    PsdsSettings,
    dtc=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    gtc=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    cttc=st.sampled_from([0.25, 0.5, 1.0]),
    alpha_ct=st.sampled_from([0.0, 0.5, 1.0]),
    alpha_st=st.sampled_from([0.0, 0.5, 1.0]),
    e_max=st.sampled_from([50.0, 450.0, 1000.0, 5000.0]),
)


def shared(one: Event, other: Event) -> Fraction:
    """Seconds that two events have in common."""
    if one.clip != other.clip:
        return Fraction(0)
    return max(Fraction(0), Fraction(min(one.offset_s, other.offset_s)) - Fraction(max(one.onset_s, other.onset_s)))


def length(event: Event) -> Fraction:
    return Fraction(event.offset_s) - Fraction(event.onset_s)


def slow_rates(reference: list[Event], detected: list[Event], label: str, of: PsdsSettings) -> tuple[float, float]:
    """True positive rate and effective false positive rate per hour of a class, by the definitions of the paper."""
    own_true, own_said = ([row for row in rows if row.label == label] for rows in (reference, detected))
    counts, false = [], []
    for event in own_said:
        inside = sum(shared(event, true) for true in own_true) / length(event)
        (counts if inside >= of.dtc else false).append(event)
    found = sum(sum(shared(true, event) for event in counts) / length(true) >= of.gtc for true in own_true)
    hours = sum(CORPUS.duration_s.tolist()) / 3600
    others = sorted({row.label for row in reference} - {label})
    triggers = []
    for other in others:
        others_true = [row for row in reference if row.label == other]
        n = sum(sum(shared(event, true) for true in others_true) / length(event) >= of.cttc for event in false)
        triggers.append(n / (float(sum(map(length, others_true))) / 3600))
    cross = mean(triggers) if triggers else 0.0
    return found / len(own_true), len(false) / hours + of.alpha_ct * cross


def slow_psds(reference: Events, points: list[Events], of: PsdsSettings) -> float | None:
    rows = merge(reference).rows()
    labels = sorted({row.label for row in rows})
    if not labels:
        return None
    curves = [[(0.0, 0.0)] + [slow_rates(rows, merge(p).rows(), name, of)[::-1] for p in points] for name in labels]
    corners = sorted({efpr for curve in curves for efpr, _ in curve if efpr < of.e_max})
    area = 0.0
    for start, end in zip(corners, [*corners[1:], of.e_max], strict=True):
        heights = [max(tpr for efpr, tpr in curve if efpr <= start) for curve in curves]
        area += (end - start) * max(mean(heights) - of.alpha_st * pstdev(heights), 0.0)
    return area / of.e_max


@examples(80)
@given(EVENTS, st.lists(EVENTS, max_size=4), ANY)
def test_psds_is_the_slow_one(reference: Events, points: list[Events], of: PsdsSettings) -> None:
    found = psds(reference, points, of)
    expected = slow_psds(reference, points, of)
    assert found.value == (None if expected is None else pytest.approx(expected, abs=1e-12))
    assert found.n_classes == len({row.label for row in reference.rows()})
    assert found.n_operating_points == len(points)
    assert len(found.efpr) == len(found.etpr)
    assert found.efpr[0] == 0
    assert found.efpr == sorted({*found.efpr})


@examples(30)
@given(EVENTS, EVENTS, ANY)
def test_rates_are_those_of_the_paper(reference: Events, detected: Events, of: PsdsSettings) -> None:
    reference, detected = merge(reference), merge(detected)
    found = rates_of(reference, detected, of)
    for k, label in enumerate(CORPUS.labels):
        both = found.tpr[k], found.fpr[k] + of.alpha_ct * found.ctr[k]
        if label in {row.label for row in reference.rows()}:
            assert both == pytest.approx(slow_rates(reference.rows(), detected.rows(), label, of))
        else:
            assert np.isnan(both).all()


@examples(30)
@given(EVENTS, ANY)
def test_perfect_and_empty(reference: Events, of: PsdsSettings) -> None:
    nothing = events_of([], CORPUS)
    some = bool(len(reference))
    assert psds(reference, [reference], of).value == (pytest.approx(1) if some else None)
    assert psds(reference, [reference, nothing], of).value == (pytest.approx(1) if some else None)
    assert psds(reference, [nothing], of).value == (0 if some else None)
    assert psds(reference, [], of).value == (0 if some else None)
    assert psds(nothing, [reference], of).value is None


@examples(30)
@given(EVENTS, st.lists(EVENTS, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_order_of_clips_events_and_points_changes_nothing(
    reference: Events, points: list[Events], random: object
) -> None:
    of = SETTINGS["dcase2021-2"]
    renamed = Corpus(CORPUS.clips[::-1], CORPUS.duration_s[::-1], CORPUS.labels)
    moved = [events_of(events.rows()[::-1], renamed) for events in (reference, *points)]
    shuffled = moved[1:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert psds(moved[0], shuffled, of).value == pytest.approx(psds(reference, points, of).value, abs=1e-12)


@examples(30)
@given(EVENTS, st.lists(EVENTS, min_size=1, max_size=3), EVENTS)
def test_costs_and_operating_points(reference: Events, points: list[Events], another: Events) -> None:
    """Every cost lowers the score; another operating point never does, where classes are not weighed by spread."""
    if not len(reference):
        return
    value = psds(reference, points, BASE).value
    assert value is not None
    for costly in (replace(BASE, alpha_ct=1.0), replace(BASE, alpha_st=1.0), replace(BASE, gtc=0.9)):
        less = psds(reference, points, costly).value
        assert less is not None
        assert less <= value + 1e-12
    more = psds(reference, [*points, another], BASE).value
    assert more is not None
    assert more >= value - 1e-12


def test_an_example_by_hand() -> None:
    """One hour of clips. One of two events is found with one false alarm, the other only with three."""
    corpus = Corpus(("a",), np.array([3600.0]), ("A", "B"))
    reference = events_of([("a", 100.0, 110.0, "A"), ("a", 200.0, 210.0, "A"), ("a", 300.0, 320.0, "B")], corpus)
    strict = events_of([("a", 102.0, 109.0, "A"), ("a", 302.0, 308.0, "A"), ("a", 300.0, 319.0, "B")], corpus)
    loose = events_of([*strict.rows(), ("a", 195.0, 205.0, "A"), ("a", 0.0, 9.0, "A"), ("a", 9.0, 18.0, "A")], corpus)
    found = psds(reference, [strict, loose], replace(BASE, e_max=10.0))
    # A: 1/2 from 1 to 3 false alarms per hour, then 1. B: 1 from the start.
    assert (found.efpr, found.etpr) == ([0.0, 1.0, 3.0], [0.5, 0.75, 1.0])
    assert found.value == pytest.approx((1 * 0.5 + 2 * 0.75 + 7 * 1) / 10)
    # The false alarm inside B is a cross-trigger: one per 20 s of B, which is 180 per hour.
    costly = psds(reference, [strict, loose], replace(BASE, e_max=200.0, alpha_ct=1.0))
    assert (costly.efpr, costly.etpr) == ([0.0, 181.0, 183.0], [0.5, 0.75, 1.0])
    steady = psds(reference, [strict, loose], replace(BASE, e_max=10.0, alpha_st=1.0))
    assert steady.etpr == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(("e_max", "area"), [(0.5, 0.25), (1.0, 0.5), (2.0, 0.5 + 0.75), (3.0, 0.5 + 1.5)])
def test_the_area_ends_at_the_highest_rate(e_max: float, area: float) -> None:
    """Of the staircase of the example above: 0.5, from 1 on 0.75, from 3 on 1."""
    corpus = Corpus(("a",), np.array([3600.0]), ("A", "B"))
    reference = events_of([("a", 100.0, 110.0, "A"), ("a", 200.0, 210.0, "A"), ("a", 300.0, 320.0, "B")], corpus)
    found = [*reference.rows()[::2], ("a", 0.0, 1.0, "A")]
    more = [*reference.rows(), *(("a", onset_s, onset_s + 1, "A") for onset_s in (0.0, 2.0, 4.0))]
    score = psds(reference, [events_of(found, corpus), events_of(more, corpus)], replace(BASE, e_max=e_max))
    assert score.value == pytest.approx(area / e_max)
    assert max(score.efpr) <= e_max


def test_a_spread_above_the_mean_is_worth_nothing() -> None:
    """One class of three is found: mean 1/3, standard deviation 0.47."""
    corpus = corpus_of(1, 3)
    reference = events_of([("c0", onset_s, onset_s + 1, label) for onset_s, label in enumerate("ABC")], corpus)
    found = psds(reference, [reference.take(reference.label == 0)], replace(BASE, alpha_st=1.0))
    assert (found.value, found.etpr) == (0, [0.0])


def test_events_of_a_class_that_overlap_are_joined() -> None:
    corpus = corpus_of(1, 1)
    parts = events_of([("c0", 1.0, 2.0, "A"), ("c0", 1.5, 3.0, "A")], corpus)
    whole = events_of([("c0", 1.0, 3.0, "A")], corpus)
    for reference, detected in ((parts, whole), (whole, parts), (parts, parts)):
        assert psds(reference, [detected], replace(BASE, dtc=1.0, gtc=1.0)).value == 1


def test_better_probabilities_score_higher() -> None:
    rng = np.random.default_rng(0)
    corpus = corpus_of(20, 4, 10.0)
    reference = random_events(corpus, 60, rng)
    truth = np.zeros((20, 100, 4))
    for row, label in zip(reference.rows(), reference.label, strict=True):
        truth[int(row.clip[1:]), round(row.onset_s * 10) : round(row.offset_s * 10), label] = 1
    values = []
    for noise in (0.1, 0.75, 0.9):
        smooth = np.apply_along_axis(np.convolve, 1, rng.random((20, 100, 4)), np.ones(15) / 15, "same")
        points = operating_points((1 - noise) * truth + noise * smooth, corpus, 0.1)
        values.append([psds(reference, points, of).value for of in SETTINGS.values()])
    assert (np.diff(np.array(values), axis=0) < 0).all()
    assert np.array(values)[0].min() > 0.6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dtc": 0.0}, "dtc: found 0.0, expected above 0, at most 1"),
        ({"gtc": 1.5}, "gtc: found 1.5, expected above 0, at most 1"),
        ({"cttc": np.nan}, "cttc: found nan, expected above 0, at most 1"),
        ({"alpha_ct": 1.5}, "alpha_ct: found 1.5, expected 0 to 1"),
        ({"alpha_st": -1.0}, "alpha_st: found -1.0, expected at least 0"),
        ({"e_max": 0.0}, "e_max: found 0.0, expected above 0"),
    ],
)
def test_settings_that_cannot_be(changed: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        validate_settings(replace(BASE, **changed))


def test_settings_are_those_of_the_challenges() -> None:
    for of in SETTINGS.values():
        validate_settings(of)
        assert (of.cttc, of.e_max) == (0.3, 100)
    thresholds = [(of.dtc, of.gtc, of.alpha_ct, of.alpha_st) for of in SETTINGS.values()]
    assert thresholds == [(0.5, 0.5, 0, 0), (0.7, 0.7, 0, 1), (0.1, 0.1, 0.5, 1)]


def test_the_score_is_a_plain_record() -> None:
    rng = np.random.default_rng(1)
    reference = random_events(CORPUS, 9, rng)
    found = psds(reference, [like(reference, rng)], BASE)
    assert isinstance(found, Psds)
    assert [type(value) for value in (found.value, found.efpr[0], found.etpr[0])] == [float] * 3
