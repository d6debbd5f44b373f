"""Random clips, events and scores for the tests of sound event detection, plain and for Hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from baselines.tasks.sed.event_columns import Corpus, Event, Events, events_of

LENGTH_S = 4.0


def corpus_of(n_clips: int = 3, n_labels: int = 3, length_s: float = LENGTH_S) -> Corpus:
    """Clips c0, c1 ... of one length, classes A, B ..."""
    clips = tuple(f"c{number}" for number in range(n_clips))
    return Corpus(clips, np.full(n_clips, length_s), tuple("ABCDEFGH"[:n_labels]))


def random_events(corpus: Corpus, n: int, rng: np.random.Generator, longest_s: float = 2.0) -> Events:
    """``n`` events anywhere, at times that are no multiples of anything."""
    clip = rng.integers(len(corpus.clips), size=n)
    onset_s = rng.uniform(0, corpus.duration_s[clip] - 0.05)
    offset_s = np.minimum(onset_s + rng.uniform(0.05, longest_s, n), corpus.duration_s[clip])
    return Events(corpus, clip, onset_s, offset_s, rng.integers(len(corpus.labels), size=n))


def like(reference: Events, rng: np.random.Generator, spread_s: float = 0.15) -> Events:
    """Most of the reference's events, moved a little, some of another class, and some from nowhere."""
    kept = reference.take(rng.random(len(reference)) < 0.85)
    ends = kept.corpus.duration_s[kept.clip]
    onset_s = np.clip(kept.onset_s + rng.normal(0, spread_s, len(kept)), 0, ends - 0.04)
    offset_s = np.clip(kept.offset_s + rng.normal(0, spread_s, len(kept)), onset_s + 0.03, ends)
    other = rng.integers(len(kept.corpus.labels), size=len(kept))
    label = np.where(rng.random(len(kept)) < 0.8, kept.label, other)
    extra = random_events(kept.corpus, max(len(kept) // 3, 1), rng)
    return joined(Events(kept.corpus, kept.clip, onset_s, offset_s, label), extra)


def joined(first: Events, second: Events) -> Events:
    """The events of both."""
    columns = ("clip", "onset_s", "offset_s", "label")
    return Events(first.corpus, *(np.concatenate([getattr(first, name), getattr(second, name)]) for name in columns))


@st.composite
def events_on_grid(draw: st.DrawFn, corpus: Corpus, step_s: float, most: int = 8) -> Events:
    """Few events at multiples of ``step_s``, so that many begin, end or overlap together."""
    n_steps = int(LENGTH_S / step_s)
    rows = []
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, n_steps - 1))
        end = draw(st.integers(start + 1, n_steps))
        clip, label = draw(st.sampled_from(corpus.clips)), draw(st.sampled_from(corpus.labels))
        rows.append(Event(clip, start * step_s, end * step_s, label))
    return events_of(rows, corpus)


@st.composite
def scored(draw: st.DrawFn, most_clips: int = 12, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties and targets: float [N, K], bool [N, K]."""
    n_clips = draw(st.integers(1, most_clips))
    size = n_clips * n_classes
    scores = draw(st.lists(st.integers(0, 6), min_size=size, max_size=size))
    targets = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return np.array(scores).reshape(n_clips, -1) / 6, np.array(targets).reshape(n_clips, -1)
