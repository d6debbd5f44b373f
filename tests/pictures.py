"""Where the texts of a matplotlib figure lie: what a reader would find clipped, or printed over something else."""

from __future__ import annotations

from itertools import combinations
from typing import Any

SLACK = 1.0  # pixels


def is_clipped(figure: Any) -> bool:
    """Whether anything that is drawn reaches out of the figure."""
    figure.draw_without_rendering()
    inches = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    slack = SLACK / figure.dpi
    return min(inches.x0, inches.y0) < -slack or inches.x1 > width + slack or inches.y1 > height + slack


def overlapping_words(figure: Any) -> list[tuple[str, str]]:
    """Pairs of titles, legends and neighbouring labels of axes that are printed over one another."""
    figure.draw_without_rendering()
    words = {}
    for panel in (panel for panel in figure.axes if panel.axison):
        for place in ("left", "center", "right"):
            title = {"left": panel._left_title, "center": panel.title, "right": panel._right_title}[place]
            words |= {title: title.get_text()}
        words |= {panel.get_legend(): "legend"} if panel.get_legend() else {}
        for axis in (panel.xaxis, panel.yaxis):
            words |= {tick.label1: tick.label1.get_text() for tick in axis._update_ticks() if tick.label1.get_visible()}
    words |= dict.fromkeys(figure.legends, "legend")
    boxes = [(text, artist.get_window_extent()) for artist, text in words.items() if text]
    return [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if _overlap(one, other)]


def _overlap(one: Any, other: Any) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    return across > SLACK and min(one.y1, other.y1) - max(one.y0, other.y0) > SLACK
