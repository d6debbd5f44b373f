"""What the HTML pages share: the document with its policy and style sheet (``page.html``), tables, parts of drawings.

A page is one file that holds everything. Its module adds sections and, in a CSS file of its own, what only it shows.
All functions but ``document`` return pieces of HTML or SVG; texts are escaped here, pieces are taken as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

CHARACTER = 7.0  # width of a character of a drawing's text, in units of the view box (pixels at full width)
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def document(title: str, summary: str, sections: Iterable[str], style: Path, allowed: str = "") -> str:
    """A whole page. ``style``: CSS file of what only this page shows.

    Nothing is fetched or run when the page is opened, unless ``allowed``, more directives of the content security
    policy, permits it.
    """
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title),
        summary=escape(summary),
        sections="\n".join(sections),
        style=style.read_text(encoding="utf-8").rstrip(),
        allowed=f"; {allowed}" if allowed else "",
    )


def section(title: str, about: str, *parts: str) -> str:
    """A section: heading, a paragraph about it, pieces of HTML."""
    body = "\n".join(parts)
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(about)}</p>\n{body}\n</section>"


def table(rows: Sequence[Sequence[str]], class_: str = "", set_off: str = "", marked: Collection[str] = ()) -> str:
    """Rows of cells; the first row and the first column are heads.

    The row named ``set_off`` is set off; a cell that says one of ``marked`` has it as its class, too.
    """
    body = []
    for first, *cells in rows[1:]:
        rest = "".join(
            f'<td class="{cell}">{escape(cell)}</td>' if cell in marked else f"<td>{escape(cell)}</td>"
            for cell in cells
        )
        body.append(f'<tr{" class=all" * (first == set_off)}><th scope="row">{escape(first)}</th>{rest}</tr>')
    return table_of(rows[0], body, class_)


def table_of(head: Iterable[str], body: Iterable[str], class_: str = "") -> str:
    """A table that scrolls where it is too wide. ``body``: its rows as HTML."""
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    whole = f"<table><thead><tr>{cells}</tr></thead>\n<tbody>\n" + "\n".join(body) + "\n</tbody></table>"
    return f'<div class="{f"scroll {class_}".rstrip()}">{whole}</div>'


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and what each stands for."""
    items = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>\n{items}\n</dl>"


# --- drawings: colours come from the style sheets ---------------------------------------------------------------------


def svg(width: float, height: float, label: str, drawn: Iterable[str]) -> str:
    """A drawing as large as the page has room, up to ``width`` pixels. ``label`` says what it shows."""
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {width:g}px"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">\n' + "\n".join(drawn) + "\n</svg>"


def text(x: float, y: float, words: str, anchor: str = "start", class_: str = "") -> str:
    """Words in a drawing; ``anchor``: which end of them, or the middle, lies at ``x``."""
    named = f' class="{class_}"' if class_ else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def share_axis(ticks: Iterable[float], left: float, scale: float, bottom: float, width: float) -> list[str]:
    """Grid lines down to ``bottom`` at some shares, 0..1, which stand below them in per cent.

    ``left``: where 0 lies; ``scale``: from there to 1; ``width``: of the drawing, which no label leaves.
    """
    drawn = []
    for tick in ticks:
        x = left + tick * scale
        drawn.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}"/>')
        drawn.append(text(x, bottom + 15, f"{100 * tick:g} %", "end" if x + 18 > width else "middle", "tick"))
    return drawn


def diamond(x: float, y: float) -> str:
    """The path of a diamond around a point.

    >>> diamond(12, 9)
    'M12.0 3.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z'
    """
    return f"M{x:.1f} {y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"


def legend(keys: Mapping[str, str], width: int) -> str:
    """What is what: names with their drawings, each in a box of ``width`` x 18."""
    parts = [
        f'<span><svg class="key" viewBox="0 0 {width} 18" aria-hidden="true">{drawn}</svg>{escape(name)}</span>'
        for name, drawn in keys.items()
    ]
    return f'<p class="legend">{"".join(parts)}</p>'
