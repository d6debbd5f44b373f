"""A page to listen to a bank: its sounds sorted by each measured attribute, with the thresholds of the labels drawn.

One HTML file that holds everything, the sounds included. Its own style sheet is ``page.css``, its script ``page.js``.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from clear_gen.core.files import write_text
from clear_gen.core.page import CHARACTER, document, svg, text
from clear_gen.core.pcm import encode_flac
from clear_gen.sounds.attributes import Attribute, MeasuredAttribute, given, measured
from clear_gen.sounds.bank import MEASURES, Bank, ElementarySound

ALLOWED = "script-src 'unsafe-inline'; media-src blob:"  # its own script, and the sounds
UNITS = {"brightness": "points", "loudness": "LUFS", "duration": "s"}
# Of the chart, in units of its view box (pixels at full width)
CHART_WIDTH = 1048
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
    first = next(iter(given(dict(attributes))))
    groups = _groups(bank, attributes, first)
    of_measure = [_measured(bank, name, rule) for name, rule in measured(dict(attributes)).items()]
    durations = [sound.duration_s for sound in bank.sounds]
    seconds = f"{min(durations):.2f} to {max(durations):.2f} s each"
    summary = f"{len(bank.sounds)} sounds, {bank.domain}, {bank.sample_rate} Hz, {seconds}"
    sections = [_counts(bank, attributes, first, groups), _origins(bank)]
    sections += [*(_section(of, first, groups) for of in of_measure), _player(bank)]
    write_text(path, document(title, summary, sections, Path(__file__).with_name("page.css"), ALLOWED))


def _player(bank: Bank) -> str:
    """What plays the sounds: their audio, the script, and a line for its messages."""
    recordings = [base64.b64encode(encode_flac(sound.pcm, sound.sample_rate)).decode() for sound in bank.sounds]
    audio = json.dumps(recordings)  # base64: holds nothing that could end the script element
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    return f"""<p id="status" role="status"></p>
<script type="application/json" id="audio">{audio}</script>
<script type="module">
{script}</script>"""


# --- counts and origins -----------------------------------------------------------------------------------------------


def _groups(bank: Bank, attributes: Mapping[str, Attribute], first: str) -> list[str | int]:
    """The values of the attribute ``first`` that occur in the bank, in the order of the domain."""
    found = {sound.attributes[first] for sound in bank.sounds}
    return [value for value in attributes[first].values if value in found]


def _counts(bank: Bank, attributes: Mapping[str, Attribute], first: str, groups: Sequence[str | int]) -> str:
    rules = measured(dict(attributes))
    above = "".join(f'<th class="first" colspan="3">{escape(name)}</th>' for name in rules)
    names = "".join(
        f'<th class="low first">{escape(rule.low)}</th><th class="unknown">unknown</th>'
        f'<th class="high">{escape(rule.high)}</th>'
        for rule in rules.values()
    )
    rows = []
    for group in [*groups, None]:
        sounds = [sound for sound in bank.sounds if group in (None, sound.attributes[first])]
        cells = f"<td>{len(sounds)}</td>"
        for name, rule in rules.items():
            of_label = Counter(sound.attributes[name] for sound in sounds)
            low, unknown, high = (of_label[value] for value in (rule.low, None, rule.high))
            cells += f'<td class="first">{low}</td><td>{unknown}</td><td>{high}</td>'
        name = "all" if group is None else str(group)
        rows.append(f'<tr{" class=all" * (group is None)}><th scope="row">{escape(name)}</th>{cells}</tr>')
    head = f"<tr><td></td><td></td>{above}</tr><tr><th>{escape(first)}</th><th>sounds</th>{names}</tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _origins(bank: Bank) -> str:
    origins = Counter((sound.licence, sound.source) for sound in bank.sounds)
    items = "\n".join(
        f"<li>{count} {'sounds' if count > 1 else 'sound'}: {escape(source)}, {escape(licence)}</li>"
        for (licence, source), count in sorted(origins.items())
    )
    return f'<ul class="origins">\n{items}\n</ul>'


# --- one measured attribute -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Measured:
    """One measured attribute of a bank. ``sounds``: (number in the bank, sound) by rising value."""

    name: str
    rule: MeasuredAttribute
    lower: float
    upper: float
    sounds: tuple[tuple[int, ElementarySound], ...]

    @property
    def unit(self) -> str:
        return UNITS[self.rule.measure]

    def value(self, sound: ElementarySound) -> float:
        return getattr(sound, MEASURES[self.rule.measure][0])

    def style(self, sound: ElementarySound) -> str:
        """Class by the label that the bank holds, whatever the value: a wrong label shows."""
        label = sound.attributes[self.name]
        return "unknown" if label is None else "low" if label == self.rule.low else "high"

    def words(self, sound: ElementarySound) -> str:
        label = sound.attributes[self.name]
        return f"{self.value(sound):.2f} {self.unit}, {'unknown' if label is None else label}"

    def played(self, number: int, sound: ElementarySound) -> str:
        """HTML attributes of an element that plays the sound when clicked."""
        name = escape(f"{sound.sound_id}: {self.words(sound)}")
        return f'class="{self.style(sound)}" data-sound="{number}" data-name="{name}"'


def _measured(bank: Bank, name: str, rule: MeasuredAttribute) -> _Measured:
    column = MEASURES[rule.measure][0]
    rising = sorted(enumerate(bank.sounds), key=lambda item: getattr(item[1], column))
    return _Measured(name, rule, *bank.thresholds[name], tuple(rising))


def _section(of: _Measured, first: str, groups: Sequence[str | int]) -> str:
    name, low, high = escape(of.name), escape(of.rule.low), escape(of.rule.high)
    return f"""<section aria-labelledby="of-{name}">
<div class="head"><h2 id="of-{name}">{name}</h2>
<button class="order" data-label="Play in order">Play in order</button></div>
<p>{low} below {of.lower:.2f} {of.unit}, {high} above {of.upper:.2f} {of.unit}, unknown between.
A click on a dot or a button plays the sound; arrow keys go from button to button, Escape stops.</p>
<div class="scroll">{_chart(of, first, groups)}</div>
{_list(of)}
</section>"""


def _list(of: _Measured) -> str:
    """The sounds by rising value as buttons, interrupted where the thresholds lie."""
    parts: list[list[str]] = [[], [], []]
    for number, sound in of.sounds:
        value = of.value(sound)
        words = f"<b>{escape(sound.sound_id)}</b><span>{escape(of.words(sound))}</span>"
        parts[(value >= of.lower) + (value > of.upper)].append(f"<button {of.played(number, sound)}>{words}</button>")
    below, between, above = ('<div class="sounds">\n' + "\n".join(part) + "\n</div>" for part in parts)
    low_edge = f'<div class="threshold">{of.lower:.2f} {of.unit}: {escape(of.rule.low)} below</div>'
    high_edge = f'<div class="threshold">{of.upper:.2f} {of.unit}: {escape(of.rule.high)} above</div>'
    return "\n".join([below, low_edge, between, high_edge, above])


# --- chart ------------------------------------------------------------------------------------------------------------


def ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) within ``low`` < ``high``, at most ``MOST_TICKS`` + 1.

    >>> ticks(41.0, 72.5)
    [45, 50, 55, 60, 65, 70]
    """
    power = 10 ** math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * MOST_TICKS >= high - low)
    return [round(k * step, 9) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


@dataclass(frozen=True)
class _Axis:
    """From values ``low`` to ``high`` to horizontal places, the first at ``left``."""

    low: float
    high: float
    left: float

    def x(self, value: float) -> float:
        return round(self.left + (value - self.low) / (self.high - self.low) * (CHART_WIDTH - MARGIN - self.left), 1)


def _chart(of: _Measured, first: str, groups: Sequence[str | int]) -> str:
    """One row of dots per group, from left to right by value; the dead zone shaded, the thresholds written above it."""
    values = [of.lower, of.upper, *(of.value(sound) for _, sound in of.sounds)]
    left = MARGIN + CHARACTER * max(len(str(group)) for group in groups)
    axis = _Axis(min(values), max(values), left)
    bottom = TOP + len(groups) * ROW_HEIGHT
    drawn = [*_zone(of, axis, bottom), *_scale(of, axis, bottom)]
    for number, group in enumerate(groups):
        sounds = [item for item in of.sounds if item[1].attributes[first] == group]
        drawn += _row(of, axis, str(group), sounds, TOP + number * ROW_HEIGHT)
    label = f"{of.name} of every sound, in rows by {first}; the same sounds follow as buttons"
    return svg(CHART_WIDTH, bottom + 48, label, drawn)


def _zone(of: _Measured, axis: _Axis, bottom: float) -> list[str]:
    low, high, y = axis.x(of.lower), axis.x(of.upper), TOP - 12
    return [
        f'<rect class="zone" x="{low}" y="{TOP}" width="{high - low:.1f}" height="{bottom - TOP}"/>',
        *(f'<line class="edge" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{bottom}"/>' for x in (low, high)),
        text(low, y, f"{of.rule.low} ← {of.lower:.2f}", "end", "low"),
        text(high, y, f"{of.upper:.2f} → {of.rule.high}", class_="high"),
    ]


def _scale(of: _Measured, axis: _Axis, bottom: float) -> list[str]:
    middle = (axis.x(axis.low) + axis.x(axis.high)) / 2
    drawn = [text(middle, bottom + 42, of.unit, "middle", "tick")]
    for value in ticks(axis.low, axis.high):
        x = axis.x(value)
        drawn.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 6}"/>')
        drawn.append(text(x, bottom + 21, f"{value:g}", "middle", "tick"))
    return drawn


def _row(
    of: _Measured, axis: _Axis, group: str, sounds: Sequence[tuple[int, ElementarySound]], top: float
) -> list[str]:
    middle, bottom = top + ROW_HEIGHT / 2, top + ROW_HEIGHT
    drawn = [
        f'<line class="grid" x1="0" x2="{CHART_WIDTH}" y1="{bottom}" y2="{bottom}"/>',
        text(0, middle + 4, group),
    ]
    last_x = dict.fromkeys(LANES, -math.inf)
    for number, sound in sounds:
        x = axis.x(of.value(sound))
        # The lane nearest to the middle with room; where none has, the one whose last dot is farthest away.
        free = [lane for lane in LANES if x - last_x[lane] > 2 * RADIUS]
        lane = free[0] if free else min(LANES, key=lambda lane: last_x[lane])
        last_x[lane] = x
        dot = f'{of.played(number, sound)} cx="{x}" cy="{middle + lane}" r="{RADIUS}"'
        drawn.append(f"<circle {dot}><title>{escape(f'{sound.sound_id}: {of.words(sound)}')}</title></circle>")
    return drawn
