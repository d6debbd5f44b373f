"""A page to listen to a bank: its sounds sorted by each measured attribute, with the thresholds of the labels drawn.

One HTML file that holds everything, the sounds included; ``page.html.j2`` lays it out.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clear_gen.core.files import write_text
from clear_gen.core.page import render
from clear_gen.core.pcm import encode_flac
from clear_gen.sounds.attributes import Attribute, MeasuredAttribute, given, measured
from clear_gen.sounds.bank import MEASURES, Bank

UNITS = {"brightness": "points", "loudness": "LUFS", "duration": "s"}
# Of the chart, in units of its view box (pixels at full width)
CHARACTER = 7.0
WIDTH = 1048
MARGIN = 24
TOP = 30
ROW_HEIGHT = 46
RADIUS = 4.5
LANES = (0.0, -9.0, 9.0, -17.0, 17.0)  # where a dot may lie in its row, the middle first
MOST_TICKS = 10


def write_page(bank: Bank, attributes: Mapping[str, Attribute], title: str, path: Path) -> None:
    """Write ``bank`` as a self-contained HTML page at ``path``, atomically.

    ``attributes`` are those of the bank's domain; the values of the first given one are the rows of the charts.
    Nothing is fetched when the page is opened, and every text from outside is escaped.
    """
    group_name = next(iter(given(dict(attributes))))
    found = {sound.attributes[group_name] for sound in bank.sounds}
    groups = [value for value in attributes[group_name].values if value in found]
    durations = [sound.duration_s for sound in bank.sounds]
    seconds = f"{min(durations):.2f} to {max(durations):.2f} s each"
    html = render(
        Path(__file__).with_name("page.html.j2"),
        title=title,
        summary=f"{len(bank.sounds)} sounds, {bank.domain}, {bank.sample_rate} Hz, {seconds}",
        group_name=group_name,
        counts=_counts(bank, attributes, group_name, groups),
        origins=sorted(Counter((sound.licence, sound.source) for sound in bank.sounds).items()),
        measures=[_measure(bank, name, rule, group_name, groups) for name, rule in measured(dict(attributes)).items()],
        audio=[base64.b64encode(encode_flac(sound.pcm, sound.sample_rate)).decode() for sound in bank.sounds],
        **{"WIDTH": WIDTH, "TOP": TOP, "ROW_HEIGHT": ROW_HEIGHT, "RADIUS": RADIUS},
    )
    write_text(path, html)


def _counts(
    bank: Bank, attributes: Mapping[str, Attribute], group_name: str, groups: Sequence[str | int]
) -> list[tuple[str, int, list[list[int]]]]:
    """Per group, and for all: name, number of sounds, and the low, unknown and high ones of each measured attribute."""
    rows = []
    for group in [*groups, None]:
        sounds = [sound for sound in bank.sounds if group in (None, sound.attributes[group_name])]
        counts = []
        for name, rule in measured(dict(attributes)).items():
            by_label = Counter(sound.attributes[name] for sound in sounds)
            counts.append([by_label[label] for label in (rule.low, None, rule.high)])
        rows.append(("all" if group is None else str(group), len(sounds), counts))
    return rows


# --- one measured attribute -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sound:
    """A sound under one attribute. ``number``: in the bank. ``label``: low, unknown or high, as the bank holds it
    whatever the value, so that a wrong label shows."""

    number: int
    sound_id: str
    value: float
    words: str
    label: str


Dot = tuple[_Sound, float, float]  # sound, x, lane


@dataclass(frozen=True)
class _Axis:
    """Places the values ``low`` to ``high`` between ``left`` and ``right``."""

    low: float
    high: float
    left: float
    right: float = WIDTH - MARGIN

    def x(self, value: float) -> float:
        return round(self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left), 1)

    @property
    def ticks(self) -> list[float]:
        return ticks(self.low, self.high)


@dataclass(frozen=True)
class _Measure:
    """One measured attribute. ``sounds``: by rising value. ``rows``: the dots of every group."""

    name: str
    rule: MeasuredAttribute
    lower: float
    upper: float
    sounds: list[_Sound]
    axis: _Axis
    rows: list[tuple[str, list[Dot]]]

    @property
    def unit(self) -> str:
        return UNITS[self.rule.measure]

    @property
    def parts(self) -> list[list[_Sound]]:
        """The sounds below, between and above the thresholds."""
        parts: list[list[_Sound]] = [[], [], []]
        for sound in self.sounds:
            parts[(sound.value >= self.lower) + (sound.value > self.upper)].append(sound)
        return parts


def _measure(bank: Bank, name: str, rule: MeasuredAttribute, group_name: str, groups: Sequence[str | int]) -> _Measure:
    lower, upper = bank.thresholds[name]
    labels: dict[str | int | None, str] = {rule.low: "low", None: "unknown", rule.high: "high"}
    sounds = []
    for number, sound in enumerate(bank.sounds):
        value, label = getattr(sound, MEASURES[rule.measure][0]), sound.attributes[name]
        words = f"{value:.2f} {UNITS[rule.measure]}, {label or 'unknown'}"
        sounds.append(_Sound(number, sound.sound_id, value, words, labels[label]))
    sounds.sort(key=lambda sound: sound.value)
    values = [lower, upper, *(sound.value for sound in sounds)]
    axis = _Axis(min(values), max(values), MARGIN + CHARACTER * max(len(str(group)) for group in groups))
    rows = []
    for group in groups:
        of_group = [sound for sound in sounds if bank.sounds[sound.number].attributes[group_name] == group]
        rows.append((str(group), _dots(of_group, axis)))
    return _Measure(name, rule, lower, upper, sounds, axis, rows)


def _dots(sounds: Sequence[_Sound], axis: _Axis) -> list[Dot]:
    """Sounds, by rising value, as dots that do not overlap while there is room."""
    last_x = dict.fromkeys(LANES, -math.inf)
    dots = []
    for sound in sounds:
        x = axis.x(sound.value)
        # The lane nearest to the middle with room; where none has, the one whose last dot is farthest away.
        free = [lane for lane in LANES if x - last_x[lane] > 2 * RADIUS]
        lane = free[0] if free else min(LANES, key=lambda lane: last_x[lane])
        last_x[lane] = x
        dots.append((sound, x, lane))
    return dots


def ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) within ``low`` < ``high``, at most ``MOST_TICKS`` + 1.

    >>> ticks(41.0, 72.5)
    [45, 50, 55, 60, 65, 70]
    """
    power = 10 ** math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * MOST_TICKS >= high - low)
    return [round(k * step, 9) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
