"""The facts of a scene that programs can query: the labels of its sounds, some of them unknown.

Sounds are numbered from 0 in the order of their onsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clear_gen.questions.language.vocabulary import GLOBAL
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph

# The part of the scene is unknown this close to a boundary between two parts, as a share of the dry scene's length.
BOUNDARY_SHARE = 0.02


class UnknownLabel(Exception):
    """A program asked for a label that is unknown and not yet completed."""

    def __init__(self, sound: int, kind: str) -> None:
        self.sound, self.kind = sound, kind


class NoAnswer(Exception):
    """The program has no answer, for the reason given."""


@dataclass(frozen=True)
class Facts:
    """The facts of one scene.

    ``labels``: kind (an attribute, or ``global_position``) -> label per sound, None if unknown; ``n_samples`` per
    sound; ``sample_rate`` in Hz.
    """

    domain: Domain
    labels: dict[str, list[str | None]]
    n_samples: list[int]
    sample_rate: int


@dataclass
class CompletedScene:
    """A scene with some of its unknown labels completed. ``completion``: (kind, sound) -> label."""

    facts: Facts
    completion: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def sounds(self) -> tuple[int, ...]:
        """All sounds."""
        return tuple(range(len(self.facts.n_samples)))

    def label(self, kind: str, sound: int) -> str:
        """A sound's label. Raises UnknownLabel if it is unknown and not completed."""
        known = self.facts.labels[kind][sound] or self.completion.get((kind, sound))
        if known is None:
            raise UnknownLabel(sound, kind)
        return known


def facts_of(graph: SceneGraph, domain: Domain) -> Facts:
    """The facts of a scene graph."""
    sounds = sorted(graph.sounds, key=lambda sound: sound.onset_sample)
    labels = {
        name: [None if sound.attributes[name] is None else str(sound.attributes[name]) for sound in sounds]
        for name in domain.attributes
    }
    twice_the_middle = [2 * sound.onset_sample + sound.n_samples for sound in sounds]
    labels[GLOBAL] = [part_of_scene(middle, graph.n_samples_dry, domain.parts) for middle in twice_the_middle]
    return Facts(domain, labels, [sound.n_samples for sound in sounds], graph.sample_rate)


def part_of_scene(twice_the_middle: int, n_samples_dry: int, parts: Sequence[str]) -> str | None:
    """Which of equal parts of the dry scene a sound's middle (twice it, in samples) falls into; None near a boundary.

    >>> [part_of_scene(2 * middle, 300, ("beginning", "middle", "end")) for middle in (50, 95, 107, 299)]
    ['beginning', None, 'middle', 'end']
    """
    n = len(parts)
    whole = 2 * n_samples_dry
    if not n:
        return None
    for boundary in range(1, n):
        if abs(n * twice_the_middle - boundary * whole) <= BOUNDARY_SHARE * n * whole:
            return None
    return parts[min(n * twice_the_middle // whole, n - 1)]
