"""The page that reports runs: its shell, and the parts that a task fills it with. No task writes HTML.

Every part is Markup. Texts are escaped; Markup given as part of another part is inserted as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from clear_gen import __version__
from clear_gen.core.page import Mark, Row, environment, render

FOLDER = Path(__file__).parent
WIDE, NARROW = 640, 480  # pixels
DIAMOND = 3
Rows = Sequence[Sequence[str]]


class Bar(NamedTuple):
    """A share 0..1 with the range ``low`` to ``high``; ``paper``: the published share. ``note`` stands beside it."""

    share: float
    low: float
    high: float
    tip: str
    note: str
    paper: float | None = None


class MatrixRow(NamedTuple):
    """Counts of one row of a matrix; ``shares``: of the row, 0..1. ``correct``: the column that is outlined."""

    label: str
    note: str
    counts: Sequence[int]
    shares: Sequence[float]
    correct: int


def report_page(title: str, note: str, sections: Iterable[Markup]) -> str:
    """A whole page. Nothing is fetched or run when it is opened. ``note``: what its figures are."""
    summary = f"Made by clear-bench {__version__}. {note}"
    return render(FOLDER / "report.html.j2", title=title, summary=summary, sections=list(sections))


# --- parts ------------------------------------------------------------------------------------------------------------


def section(title: str, about: str, *parts: Markup) -> Markup:
    """A section: heading, a paragraph about it, parts."""
    return _report().section(title, about, parts)


def subsection(title: str, *parts: Markup) -> Markup:
    """A small heading above parts; several can stand side by side."""
    return _report().subsection(title, parts)


def side_by_side(*parts: Markup) -> Markup:
    """Parts beside each other where the page is wide enough."""
    return _report().side_by_side(parts)


def details(summary: str, *parts: Markup) -> Markup:
    """Parts that are shown when the reader asks for them."""
    return _report().details(summary, parts)


def paragraph(words: str) -> Markup:
    """A paragraph."""
    return _report().paragraph(words)


def table(rows: Rows, class_: str = "", set_off: str = "") -> Markup:
    """Rows of cells; the first row and the first column are headers. The row named ``set_off`` stands out."""
    return _shared().table(rows, class_, set_off)


def matrix(head: Sequence[str], rows: Sequence[MatrixRow]) -> Markup:
    """A table of counts, shaded by their shares. ``head``: names of label, note and every column."""
    return _report().matrix(head, rows)


def definitions(pairs: Iterable[tuple[str, object]]) -> Markup:
    """A list of names and what each stands for."""
    return _shared().definitions(list(pairs))


def configuration(run: Path, texts: Mapping[str, str]) -> Markup:
    """The section with a run's text files, by name."""
    parts = [details(name, _report().preformatted(text)) for name, text in texts.items()]
    return section(f"Configuration of {run}", "As the run was made.", *parts)


# --- charts -----------------------------------------------------------------------------------------------------------


def bar_chart(bars: Mapping[str, Bar], label: str, percent: bool, width: int = WIDE) -> Markup:
    """Bars by name with their ranges, and a diamond at each published share. ``label`` says what the chart shows.

    ``percent``: the unit of the axis, else fractions.
    """
    rows = []
    for name, bar in bars.items():
        said = "" if bar.paper is None else f"{100 * bar.paper:.1f} %" if percent else f"{bar.paper:.4f}"
        paper = [] if bar.paper is None else [Mark(DIAMOND, bar.paper, f"paper: {said}")]
        rows.append(Row(name, paper, bar.share, (bar.low, bar.high), note=bar.note, tip=bar.tip))
    return _report().bar_chart(rows, label, width, percent)


def bar_keys(bar: str, paper: str | None) -> Markup:
    """Legend of a bar chart: what a bar with its range and what a diamond means."""
    return _report().bar_keys(bar, paper)


def curves(lines: Mapping[str, Sequence[float]], label: str, is_share: bool, percent: bool = True) -> Markup:
    """Values per epoch, the first epoch being 1, as lines of different strokes.

    ``is_share``: the axis ends at 1; it is in per cent of that, or fractions, as ``percent`` says.
    """
    return _report().curves(lines, label, is_share, percent)


def curve_keys(names: Iterable[str]) -> Markup:
    """Legend of curves, in their order."""
    return _report().curve_keys(list(names))


def _report() -> Any:
    return environment(FOLDER).get_template("report_elements.html.j2").module


def _shared() -> Any:
    return environment(FOLDER).get_template("elements.html.j2").module
