"""Sound events as columns, made from rows.

Conventions: an event lasts from its onset to its offset, in seconds from the beginning of its clip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among

TIME_SLACK_S = 1e-6  # rounding tolerance for events that end after their clip


class Event(NamedTuple):
    """One event as a row."""

    clip: str
    onset_s: float
    offset_s: float
    label: str


@dataclass(frozen=True, eq=False)
class Corpus:
    """N clips with durations (``duration_s``: float64 [N]), and K classes."""

    clips: tuple[str, ...]
    duration_s: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Events:
    """E events of a corpus. ``clip``, ``label``: int64 [E], indices into it; ``onset_s``, ``offset_s``: float64 [E]."""

    corpus: Corpus
    clip: np.ndarray
    onset_s: np.ndarray
    offset_s: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.clip)

    @property
    def length_s(self) -> np.ndarray:
        """float64 [E]."""
        return self.offset_s - self.onset_s

    def rows(self) -> list[Event]:
        """The events as rows, in their order."""
        columns = self.clip.tolist(), self.onset_s.tolist(), self.offset_s.tolist(), self.label.tolist()
        names = self.corpus.clips, self.corpus.labels
        return [Event(names[0][clip], on, off, names[1][label]) for clip, on, off, label in zip(*columns, strict=True)]

    def take(self, chosen: np.ndarray) -> Events:
        """A subset of the events, by index or by mask."""
        columns = self.clip, self.onset_s, self.offset_s, self.label
        return Events(self.corpus, *(column[chosen] for column in columns))


def events_of(rows: Iterable[Event | tuple[str, float, float, str]], corpus: Corpus, name: str = "events") -> Events:
    """Rows as columns. Raises InputError as ``validate_events`` does; ``name`` denotes the events in its message.

    >>> corpus = Corpus(("a.wav", "b.wav"), np.array([10.0, 10.0]), ("Bark", "Bus"))
    >>> events_of([("b.wav", 0.5, 2.5, "Bark")], corpus).clip
    array([1])
    """
    clips = {clip: at for at, clip in enumerate(corpus.clips)}
    labels = {label: at for at, label in enumerate(corpus.labels)}
    listed = [Event(*row) for row in rows]
    for number, event in enumerate(listed):
        if event.clip not in clips:
            raise InputError(f"{name}: row {number}: clip: found {event.clip!r}, expected one of {len(clips)} clips")
        if event.label not in labels:
            raise InputError(f"{name}: row {number}: label: {not_among(event.label, corpus.labels)}")
    times = np.array([(event.onset_s, event.offset_s) for event in listed], np.float64).reshape(-1, 2)
    events = Events(
        corpus,
        np.array([clips[event.clip] for event in listed], np.int64),
        times[:, 0],
        times[:, 1],
        np.array([labels[event.label] for event in listed], np.int64),
    )
    validate_events(events, name)
    return events


def validate_corpus(corpus: Corpus) -> None:
    """Raise InputError unless names of clips and of classes are unique and every clip has a positive length."""
    for name, values in (("clips", corpus.clips), ("labels", corpus.labels)):
        if not values:
            raise InputError(f"{name}: found none, expected at least one")
        if len({*values}) < len(values):
            twice = next(value for at, value in enumerate(values) if value in values[:at])
            raise InputError(f"{name}: found {twice!r} twice, expected every one once")
    if corpus.duration_s.shape != (len(corpus.clips),):
        raise InputError(f"duration_s: found shape {corpus.duration_s.shape}, expected ({len(corpus.clips)},)")
    for clip, duration_s in zip(corpus.clips, corpus.duration_s.tolist(), strict=True):
        if not 0 < duration_s < np.inf:
            raise InputError(f"duration_s: {clip}: found {duration_s}, expected seconds above 0")


def validate_events(events: Events, name: str) -> None:
    """Raise InputError unless 0 <= onset < offset <= clip length; ``name`` denotes the events in the message."""
    end = events.corpus.duration_s[events.clip] + TIME_SLACK_S
    fits = (events.onset_s >= 0) & (events.onset_s < events.offset_s) & (events.offset_s <= end)
    if not fits.all():
        number = int(np.flatnonzero(~fits)[0])
        event = events.take(np.array([number])).rows()[0]
        of = events.corpus.duration_s[events.clip[number]]
        raise InputError(
            f"{name}: row {number}: {event.clip}, {event.label}: found {event.onset_s} to {event.offset_s} s, "
            f"expected 0 <= onset < offset <= {of} s, the clip's length"
        )


def present(events: Events) -> np.ndarray:
    """Weak labels of these events, bool [N, K]: whether a class occurs in a clip."""
    found = np.zeros((len(events.corpus.clips), len(events.corpus.labels)), bool)
    found[events.clip, events.label] = True
    return found
