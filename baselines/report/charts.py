"""Plots of the report as SVG; colours come from the page's style sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from baselines.tasks.aqa.metrics import Score
from baselines.tasks.aqa.results import in_words, interval, percent
from clear_gen.core.page import CHARACTER, QUARTERS, diamond, share_axis, svg, text

WIDE, NARROW, ROW = 640, 480, 26
NOTE_WIDTH = 120
CURVE_WIDTH, CURVE_HEIGHT, CURVE_LEFT, CURVE_BOTTOM = 480, 240, 52, 206
# Drawings in a legend
KEY_WIDTH = 24
BAR_KEY = '<rect class="bar" x="0" width="16" y="2" height="14"/><path class="whisker" d="M10 4v10m0 -5H22m0 -5v10"/>'
PAPER_KEY = f'<path class="paper" d="{diamond(12, 9)}"/>'
LINE_KEYS = [f'<path class="line l{style}" d="M1 9H23"/>' for style in (0, 1)]


class Bar(NamedTuple):
    """A share 0..1 with a range around it. ``words`` are its tip, ``note`` stands beside it; ``paper``: its share."""

    share: float
    low: float
    high: float
    words: str
    note: str
    paper: float | None = None


def interval_chart(
    scores: Mapping[str, Score], papers: Mapping[str, float | None], label: str, width: int = WIDE
) -> str:
    """A bar with its interval for every score, and a diamond where the paper prints a share; ``label`` says of what."""
    bars = {}
    for name, score in scores.items():
        words = f"{percent(score.accuracy)} %, interval {interval(score)}"
        note = f"{percent(score.accuracy)} % of {score.n:,}"
        bars[in_words(name)] = Bar(score.accuracy, score.low, score.high, words, note, papers.get(name))
    return bar_chart(bars, label, width)


def bar_chart(bars: Mapping[str, Bar], label: str, width: int = WIDE) -> str:
    """Bars by name with their ranges, and a diamond where the paper prints a share; ``label`` says of what."""
    left = 14 + CHARACTER * max(map(len, bars))
    scale = width - left - NOTE_WIDTH
    bottom = ROW * len(bars) + 4
    drawn = share_axis(QUARTERS, left, scale, bottom, width)
    for row, (name, bar) in enumerate(bars.items()):
        y = row * ROW + ROW / 2 + 2
        drawn.append(text(left - 8, y + 4, name, "end"))
        drawn.append(_bar(bar, left, scale, y))
        if bar.paper is not None:
            place = diamond(left + bar.paper * scale, y)
            drawn.append(f'<path class="paper" d="{place}"><title>paper: {percent(bar.paper)} %</title></path>')
        drawn.append(text(width, y + 4, bar.note, "end", "tick"))
    return svg(width, bottom + 20, label, drawn)


def _bar(bar: Bar, left: float, scale: float, y: float) -> str:
    share, low, high = (left + scale * value for value in (bar.share, bar.low, bar.high))
    return (
        f"<g><title>{escape(bar.words)}</title>"
        f'<rect class="bar" x="{left:.1f}" width="{share - left:.1f}" y="{y - 8}" height="16"/>'
        f'<path class="whisker" d="M{low:.1f} {y - 5}v10m0 -5H{high:.1f}m0 -5v10"/></g>'
    )


def curves(lines: Mapping[str, Sequence[float]], label: str, is_share: bool) -> str:
    """Values per epoch, the first epoch being 1, as lines of different strokes; ``is_share``: in per cent of 1."""
    n = max(len(values) for values in lines.values())
    most = 1.0 if is_share else 1.05 * max(max(values) for values in lines.values()) or 1.0
    step = (CURVE_WIDTH - CURVE_LEFT - 10) / max(n - 1, 1)
    drawn = []
    for share in QUARTERS:
        y = CURVE_BOTTOM - 190 * share
        drawn.append(f'<line class="grid" x1="{CURVE_LEFT}" x2="{CURVE_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        words = f"{100 * share:g} %" if is_share else f"{most * share:.3g}"
        drawn.append(text(CURVE_LEFT - 6, y + 4, words, "end", "tick"))
    every = -(-n // 8)
    for epoch in range(1, n + 1, every):
        drawn.append(text(CURVE_LEFT + (epoch - 1) * step, CURVE_BOTTOM + 18, str(epoch), "middle", "tick"))
    for style, (name, values) in enumerate(lines.items()):
        points = [(CURVE_LEFT + k * step, CURVE_BOTTOM - 190 * (value / most)) for k, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline class="line l{style}" points="{path}"><title>{escape(name)}</title></polyline>')
        x, y = points[-1]
        drawn.append(f'<circle class="end l{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    drawn.append(text(CURVE_WIDTH, CURVE_HEIGHT - 2, "epoch", "end", "tick"))
    return svg(CURVE_WIDTH, CURVE_HEIGHT, label, drawn)
