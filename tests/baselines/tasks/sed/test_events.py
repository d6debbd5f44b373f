"""Events from rows and frames, pairs and joins, against slow, obvious computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of, present, validate_corpus
from baselines.tasks.sed.metrics.events import THRESHOLDS, decode, merge, operating_points, pairs
from clear_gen.core.errors import InputError
from tests.baselines.tasks.sed.data import corpus_of, events_on_grid, random_events
from tests.counts import examples

CORPUS = corpus_of()
FRAME_S = 0.1


def test_rows_and_columns() -> None:
    rows = [Event("c2", 0.5, 2.5, "B"), Event("c0", 0.0, 4.0, "A"), Event("c2", 1.0, 1.5, "B")]
    events = events_of(rows, CORPUS)
    assert events.rows() == rows
    assert events.length_s.tolist() == [2.0, 4.0, 0.5]
    assert present(events).tolist() == [[True, False, False], [False] * 3, [False, True, False]]
    assert len(events_of([], CORPUS)) == 0
    assert present(events_of([], CORPUS)).sum() == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("c9", 0.0, 1.0, "A"), "truth: row 1: clip: found 'c9', expected one of 3 clips"),
        (("c0", 0.0, 1.0, "Z"), "truth: row 1: label: found 'Z', expected one of: A, B, C"),
        (("c0", 1.0, 1.0, "A"), "truth: row 1: c0, A: found 1.0 to 1.0 s, expected 0 <= onset < offset <= 4.0 s"),
        (("c0", -0.1, 1.0, "A"), "truth: row 1: c0, A: found -0.1 to 1.0 s, expected 0 <= onset < offset <= 4.0 s"),
        (("c0", 0.0, 4.1, "A"), "truth: row 1: c0, A: found 0.0 to 4.1 s, expected 0 <= onset < offset <= 4.0 s"),
        (("c0", np.nan, 4.0, "A"), "truth: row 1: c0, A: found nan to 4.0 s, expected 0 <= onset < offset <= 4.0 s"),
        (("c0", 0.0, np.inf, "A"), "truth: row 1: c0, A: found 0.0 to inf s, expected 0 <= onset < offset <= 4.0 s"),
    ],
)
def test_rows_that_cannot_be(row: tuple[str, float, float, str], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        events_of([("c0", 0.0, 4.0 + 1e-9, "A"), row], CORPUS, "truth")


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (Corpus((), np.zeros(0), ("A",)), "clips: found none, expected at least one"),
        (Corpus(("a",), np.ones(1), ()), "labels: found none, expected at least one"),
        (Corpus(("a", "b", "a"), np.ones(3), ("A",)), "clips: found 'a' twice, expected every one once"),
        (Corpus(("a",), np.ones(1), ("A", "A")), "labels: found 'A' twice, expected every one once"),
        (Corpus(("a", "b"), np.ones(1), ("A",)), r"duration_s: found shape \(1,\), expected \(2,\)"),
        (Corpus(("a", "b"), np.array([1.0, 0.0]), ("A",)), "duration_s: b: found 0.0, expected seconds above 0"),
        (Corpus(("a", "b"), np.array([1.0, np.nan]), ("A",)), "duration_s: b: found nan, expected seconds above 0"),
    ],
)
def test_corpora_that_cannot_be(corpus: Corpus, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        validate_corpus(corpus)


# --- from frames ------------------------------------------------------------------------------------------------------


def slow_decode(row: list[float], high: float, low: float | None, join: int, drop: int) -> list[list[int]]:
    """First and past-the-end frames of the events of one row, frame by frame."""
    active = [value > high for value in row]
    if low is not None:
        for frame in [frame for frame, on in enumerate(active) if on]:
            for step in (-1, 1):
                at = frame + step
                while 0 <= at < len(row) and row[at] >= low:
                    active[at] = True
                    at += step
    found: list[list[int]] = []
    for frame, on in enumerate(active):
        if on and frame and active[frame - 1]:
            found[-1][1] = frame + 1
        elif on:
            found.append([frame, frame + 1])
    joined: list[list[int]] = []
    for start, end in found:
        if joined and start - joined[-1][1] <= join:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [[start, end] for start, end in joined if end - start > drop]


@examples(50)
@given(
    st.lists(st.integers(0, 5), min_size=6, max_size=90),
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_decode_frame_by_frame(levels: list[int], cut: tuple[int, int, bool], join: int, drop: int) -> None:
    corpus = corpus_of(2, 3)
    probabilities = (np.array(levels[: len(levels) // 6 * 6]) / 5).reshape(2, -1, 3)
    high, low = max(cut[:2]) / 5, min(cut[:2]) / 5 if cut[2] else None
    found = decode(probabilities, corpus, FRAME_S, high, low, join, drop)
    expected = [
        (clip, start * FRAME_S, end * FRAME_S, label)
        for clip in range(2)
        for label in range(3)
        for start, end in slow_decode(probabilities[clip, :, label].tolist(), high, low, join, drop)
    ]
    columns = found.clip.tolist(), found.onset_s.tolist(), found.offset_s.tolist(), found.label.tolist()
    assert list(zip(*columns, strict=True)) == expected


def frames(values: str) -> np.ndarray:
    """Probabilities in tenths, of one clip and class: [1, T, 1]."""
    return np.array([int(value) / 10 for value in values])[None, :, None]


@pytest.mark.parametrize(
    ("values", "join", "drop", "expected"),
    [
        ("0001310000", 0, 0, [(3, 6)]),  # 0.3 is above 0.2, its neighbours are not below 0.1
        ("0001210000", 0, 0, []),  # 0.2 is not above 0.2
        ("3110113000", 0, 0, [(0, 3), (4, 7)]),
        ("3110113000", 1, 0, [(0, 7)]),
        ("3110113000", 0, 3, []),
        ("3110113000", 1, 3, [(0, 7)]),  # joined before what is short is dropped
        ("0000000013", 9, 0, [(8, 10)]),
    ],
)
def test_hysteresis_of_the_paper(values: str, join: int, drop: int, expected: list[tuple[int, int]]) -> None:
    for dtype in (np.float64, np.float32):
        found = decode(frames(values).astype(dtype), corpus_of(1, 1), 1 / 8, join_frames=join, drop_frames=drop)
        assert list(zip((found.onset_s * 8).tolist(), (found.offset_s * 8).tolist(), strict=True)) == expected


def test_ten_frames_are_joined_and_dropped_by_default() -> None:
    corpus = corpus_of(1, 1, 100.0)
    text = "0" + "3" * 11 + "0" * 10 + "3" * 11 + "0" * 11 + "3" * 10 + "0"
    assert decode(frames(text), corpus, 1.0).rows() == [("c0", 1.0, 33.0, "A")]


def test_thresholds_by_class_and_padding() -> None:
    corpus = Corpus(("a", "b"), np.array([0.25, 0.4]), ("A", "B"))
    probabilities = np.full((2, 6, 2), 0.5)
    found = decode(probabilities, corpus, FRAME_S, np.array([0.4, 0.6]), None, 0, 0)
    assert found.rows() == [("a", 0.0, 0.25, "A"), ("b", 0.0, 0.4, "A")]
    probabilities[0, :4] = 0
    assert decode(probabilities, corpus, FRAME_S, 0.4, None, 0, 0).clip.tolist() == [1, 1]


def test_operating_points_are_decoded_at_each_threshold() -> None:
    probabilities = np.random.default_rng(0).random((3, 40, 3))
    for low_share in (None, 0.5):
        points = operating_points(probabilities, CORPUS, FRAME_S, low_share=low_share, join_frames=1, drop_frames=1)
        assert len(points) == len(THRESHOLDS) == 50
        for threshold, point in zip(THRESHOLDS, points, strict=True):
            low = None if low_share is None else low_share * threshold
            assert point.rows() == decode(probabilities, CORPUS, FRAME_S, threshold, low, 1, 1).rows()
    assert (THRESHOLDS[0], THRESHOLDS[-1]) == (0.01, 0.99)


@pytest.mark.parametrize(
    ("probabilities", "options", "message"),
    [
        (np.zeros((3, 9)), {}, r"probabilities: found shape \(3, 9\), expected \(3, frames, 3\)"),
        (np.zeros((3, 9, 2)), {}, r"probabilities: found shape \(3, 9, 2\), expected \(3, frames, 3\)"),
        (np.zeros((3, 9, 3), int), {}, "probabilities: found int64, expected float"),
        (np.full((3, 9, 3), np.nan), {}, "probabilities: c0, frame 0, A: found nan, expected a finite number"),
        (np.zeros((3, 9, 3)), {"low": 0.3}, "low: found 0.3, expected at most high, which is 0.2"),
        (np.zeros((3, 9, 3)), {"frame_s": 0.0}, "frame_s: found 0.0, expected seconds above 0"),
    ],
)
def test_frames_that_cannot_be(probabilities: np.ndarray, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        decode(probabilities, CORPUS, **{"frame_s": FRAME_S, **options})


def test_a_share_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"^low_share: found 1.5, expected 0 to 1$"):
        operating_points(np.zeros((3, 9, 3)), CORPUS, FRAME_S, low_share=1.5)


# --- pairs and joins --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 5), (5, 0), (12, 30)])
def test_pairs_are_of_one_clip(n: int, m: int) -> None:
    rng = np.random.default_rng(n + m)
    first, second = random_events(CORPUS, n, rng), random_events(CORPUS, m, rng)
    i, j = pairs(first, second)
    expected = {(a, b) for a in range(n) for b in range(m) if first.clip[a] == second.clip[b]}
    assert len(i) == len(expected)
    assert {*zip(i.tolist(), j.tolist(), strict=True)} == expected


def slow_merge(events: Events) -> list[Event]:
    """Join any two that overlap until none do."""
    rows = events.rows()
    while True:
        overlapping = (
            (one, other)
            for at, one in enumerate(rows)
            for other in rows[at + 1 :]
            if (one.clip, one.label) == (other.clip, other.label)
            and one.onset_s < other.offset_s
            and other.onset_s < one.offset_s
        )
        pair = next(overlapping, None)
        if pair is None:
            return sorted(rows, key=lambda row: (row.clip, row.label, row.onset_s))
        for row in pair:
            rows.remove(row)
        onset_s, offset_s = min(row.onset_s for row in pair), max(row.offset_s for row in pair)
        rows.append(Event(pair[0].clip, onset_s, offset_s, pair[0].label))


@examples(50)
@given(events_on_grid(corpus_of(2, 2), 0.25, most=14))
def test_merge_is_the_slow_one(events: Events) -> None:
    merged = merge(events)
    assert merged.rows() == slow_merge(events)
    assert merge(merged).rows() == merged.rows()
