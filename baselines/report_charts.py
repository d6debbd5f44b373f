"""Plots of the report as SVG; colours come from the page's style sheet (``report.html``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from baselines.metrics.aqa import Score
from baselines.results import in_words, interval, percent

CHARACTER = 7.0  # width of a character of a label, in units of the view box (pixels at full width)
WIDE, NARROW, ROW = 640, 480, 26
NOTE_WIDTH = 120
CURVE_WIDTH, CURVE_HEIGHT, CURVE_LEFT, CURVE_BOTTOM = 480, 240, 52, 206
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def interval_chart(
    scores: Mapping[str, Score], papers: Mapping[str, float | None], label: str, width: int = WIDE
) -> str:
    """A bar with its interval for every score, and a diamond where the paper prints a share; ``label`` says of what."""
    left = 14 + CHARACTER * max(len(in_words(name)) for name in scores)
    scale = width - left - NOTE_WIDTH
    bottom = ROW * len(scores) + 4
    drawn = []
    for tick in QUARTERS:
        x = left + tick * scale
        drawn.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}"/>')
        drawn.append(_text(x, bottom + 15, f"{100 * tick:g} %", "middle", "tick"))
    for row, (name, score) in enumerate(scores.items()):
        y = row * ROW + ROW / 2 + 2
        drawn.append(_text(left - 8, y + 4, in_words(name), "end"))
        drawn.append(_bar(score, left, scale, y))
        if (paper := papers.get(name)) is not None:
            place = f"M{left + paper * scale:.1f} {y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
            drawn.append(f'<path class="paper" d="{place}"><title>paper: {percent(paper)} %</title></path>')
        drawn.append(_text(width, y + 4, f"{percent(score.accuracy)} % of {score.n:,}", "end", "tick"))
    return _svg(width, bottom + 20, label, drawn)


def _bar(score: Score, left: float, scale: float, y: float) -> str:
    share, low, high = (left + scale * value for value in (score.accuracy, score.low, score.high))
    words = f"{percent(score.accuracy)} %, interval {interval(score)}"
    return (
        f"<g><title>{words}</title>"
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
        drawn.append(_text(CURVE_LEFT - 6, y + 4, words, "end", "tick"))
    every = -(-n // 8)
    for epoch in range(1, n + 1, every):
        drawn.append(_text(CURVE_LEFT + (epoch - 1) * step, CURVE_BOTTOM + 18, str(epoch), "middle", "tick"))
    for style, (name, values) in enumerate(lines.items()):
        points = [(CURVE_LEFT + k * step, CURVE_BOTTOM - 190 * (value / most)) for k, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline class="line l{style}" points="{path}"><title>{escape(name)}</title></polyline>')
        x, y = points[-1]
        drawn.append(f'<circle class="end l{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    drawn.append(_text(CURVE_WIDTH, CURVE_HEIGHT - 2, "epoch", "end", "tick"))
    return _svg(CURVE_WIDTH, CURVE_HEIGHT, label, drawn)


def legend(keys: Mapping[str, str]) -> str:
    """HTML that says what is what: name -> drawing in a box of 24 x 18."""
    parts = [
        f'<span><svg class="key" viewBox="0 0 24 18" aria-hidden="true">{drawn}</svg>{escape(name)}</span>'
        for name, drawn in keys.items()
    ]
    return f'<p class="legend">{"".join(parts)}</p>'


BAR_KEY = '<rect class="bar" x="0" width="16" y="2" height="14"/><path class="whisker" d="M10 4v10m0 -5H22m0 -5v10"/>'
PAPER_KEY = '<path class="paper" d="M12 3.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>'
LINE_KEYS = [f'<path class="line l{style}" d="M1 9H23"/>' for style in (0, 1)]


def _text(x: float, y: float, words: str, anchor: str, class_: str = "") -> str:
    named = f' class="{class_}"' if class_ else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, label: str, drawn: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {width:g}px"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">\n' + "\n".join(drawn) + "\n</svg>"
