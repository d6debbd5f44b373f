"""Plots of an audit as SVG: bars of answers, scores of baselines, curves. Colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from clear_gen.core.page import CHARACTER, diamond, share_axis, svg, text

NARROW, WIDE = 340, 1040
ROW = 19
MARKS = 4  # styles of marks there are: 0 to 3
KEY = 18  # side of a drawing in a legend


@dataclass(frozen=True)
class Mark:
    """A value 0..1 on a row, in one of the MARKS styles, with a whisker of ``error`` to both sides."""

    style: int
    value: float
    words: str
    error: float = 0.0


@dataclass(frozen=True)
class Row:
    """A row of a chart. ``bar`` from 0 on, ``zone`` (from, to) where its marks are to lie; ``note`` at its end."""

    label: str
    marks: Sequence[Mark] = ()
    bar: float | None = None
    zone: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class Frame:
    """How a chart is laid out: width, height of a row, the value at its right end, the ticks and their unit."""

    width: int
    row: int
    most: float
    ticks: Sequence[float] = field(default_factory=tuple)
    note_width: float = 8.0


def row_chart(rows: Sequence[Row], frame: Frame, label: str) -> str:
    """Rows of bars or marks above a common horizontal axis in per cent. ``label`` says what it shows."""
    left = 14 + CHARACTER * max(len(row.label) for row in rows)
    scale = (frame.width - left - frame.note_width) / frame.most
    bottom = frame.row * len(rows) + 4
    drawn = share_axis(frame.ticks, left, scale, bottom, frame.width)
    for number, row in enumerate(rows):
        drawn += _row(row, left, scale, number * frame.row, frame)
    height = bottom + (20 if frame.ticks else 0)
    return svg(frame.width, height, label, drawn)


def _row(row: Row, left: float, scale: float, top: float, frame: Frame) -> list[str]:
    middle = top + frame.row / 2 + 2
    drawn = []
    if row.zone is not None:
        low, high = (max(0.0, min(edge, frame.most)) for edge in row.zone)
        place = f'x="{left + low * scale:.1f}" width="{max((high - low) * scale, 3.0):.1f}"'
        drawn.append(f'<rect class="zone" {place} y="{top + 2}" height="{frame.row + 0.5}"/>')
    if row.bar is not None:
        place = f'x="{left:.1f}" width="{row.bar * scale:.1f}" y="{top + 5}" height="{frame.row - 6}"'
        drawn.append(f'<rect class="bar" {place}/>')
    drawn.append(text(left - 8, middle + 4, row.label, "end"))
    for mark in row.marks:
        drawn.append(_mark(mark, left, scale, middle))
    if row.note:
        drawn.append(text(frame.width, middle + 4, row.note, "end", "tick"))
    return drawn


def _mark(mark: Mark, left: float, scale: float, y: float) -> str:
    x = left + mark.value * scale
    whisker = ""
    if mark.error:
        low, high = (left + max(0.0, mark.value + sign * mark.error) * scale for sign in (-1, 1))
        whisker = f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
    return f'<g class="mark m{mark.style}"><title>{escape(mark.words)}</title>{whisker}{shape(mark.style, x, y)}</g>'


def shape(style: int, x: float, y: float) -> str:
    """What a mark looks like besides its colour: a stroke, a square, a dot or a diamond."""
    if style == 0:
        return f'<rect x="{x - 1.25:.1f}" y="{y - 8}" width="2.5" height="16"/>'
    if style == 1:
        return f'<rect x="{x - 4:.1f}" y="{y - 4}" width="8" height="8"/>'
    if style == 2:
        return f'<circle cx="{x:.1f}" cy="{y}" r="4.5"/>'
    return f'<path d="{diamond(x, y)}"/>'


def keys(names: Mapping[int, str], zone: str) -> dict[str, str]:
    """For a legend: which mark is what, and what a shaded zone means."""
    marks = {name: f'<g class="mark m{style}">{shape(style, KEY / 2, KEY / 2)}</g>' for style, name in names.items()}
    return {**marks, zone: f'<rect class="zone" width="{KEY}" height="{KEY}"/>'}


def histogram(counts: Mapping[int, int], unit: str, label: str) -> str:
    """Upright bars, one for every whole number from the least to the greatest."""
    low, high, most = min(counts), max(counts), max(counts.values())
    width, height = NARROW + 160, 170
    step = width / (high - low + 1)
    drawn = []
    for number in range(low, high + 1):
        n = counts.get(number, 0)
        x, tall = (number - low) * step, 125 * n / most
        title = f"<title>{number} {escape(unit)}: {n:,}</title>"
        place = f'x="{x + 1:.1f}" y="{height - 28 - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}"'
        drawn.append(f'<rect class="bar" {place}>{title}</rect>')
        if n == most:
            drawn.append(text(x + step / 2, height - 34 - tall, f"{n:,}", "middle", "tick"))
        if number % 5 == 0 or high - low < 10:
            drawn.append(text(x + step / 2, height - 12, str(number), "middle", "tick"))
    return svg(width, height, label, drawn)


def curve(values: Sequence[int], label: str) -> str:
    """Values in falling order as a filled curve over their ranks."""
    width, height, left, bottom = NARROW + 160, 170, 44, 142
    falling = sorted(values, reverse=True)
    most, step = max(falling), (width - left) / len(falling)
    points = [(left, bottom), *((left + (k + 0.5) * step, bottom - 130 * n / most) for k, n in enumerate(falling))]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*points, (width, bottom)])
    drawn = [f'<polygon class="bar" points="{path}"/>']
    for share in (0.5, 1.0):
        y = bottom - 130 * share
        drawn.append(f'<line class="grid" x1="{left}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(text(left - 6, y + 4, f"{most * share:,.0f}", "end", "tick"))
    drawn.append(text(left, height - 12, "1", class_="tick"))
    drawn.append(text(width, height - 12, f"{len(falling):,}", "end", "tick"))
    return svg(width, height, label, drawn)
