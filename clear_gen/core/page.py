"""Self-contained HTML pages from Jinja2 templates.

The template of a page lies beside its module. It extends ``shell.html.j2`` (document, security policy, common styles)
and takes macros from ``elements.html.j2`` and ``charts.html.j2``. Every text is escaped; Markup, which comes from other
templates, is inserted as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


@cache
def environment(folder: Path) -> Environment:
    """The templates in ``folder`` and the shared ones, with escaping on."""
    loader = FileSystemLoader([folder, Path(__file__).parent])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip


def render(template: Path, **values: object) -> str:
    """Render a page from its template and ``values``, among them ``title`` and ``summary``."""
    return environment(template.parent).get_template(template.name).render(values)


# --- data of the macro row_chart --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """A share on a row, with a whisker of ``error`` on either side. ``style``: 0 stroke, 1 square, 2 dot, 3 diamond."""

    style: int
    share: float
    tip: str
    error: float = 0.0


@dataclass(frozen=True)
class Row:
    """A row of a chart of shares, each 0..1.

    ``bar``: length of a bar from 0; ``interval``: range of a whisker around its end. ``zone``: range in which the marks
    should lie. ``note``: text at the right edge. ``tip``: of the bar.
    """

    label: str
    marks: Sequence[Mark] = ()
    bar: float | None = None
    interval: tuple[float, float] | None = None
    zone: tuple[float, float] | None = None
    note: str = ""
    tip: str = ""
