"""Text output: aligned tables, and strings that are safe to print on one line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def shown(text: str) -> str:
    """``text`` for a message of one line: as it is, or quoted and escaped if it breaks the line or steers a terminal.

    >>> print(shown("naïve"), shown("two\\nlines"))
    naïve 'two\\nlines'
    """
    text = text if len(text) <= 80 else text[:79] + "…"
    return repr(text) if has_controls(text) else text


def has_controls(text: str) -> bool:
    """Whether ``text`` holds control characters, line separators or halves of surrogate pairs."""
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as aligned lines: the first column to the left, the others to the right.

    >>> table([["a", "n"], ["bass", "12"]])
    ['a      n', 'bass  12']
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    aligned = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join([row[0].ljust(widths[0]), *cells[1:]]) for row, cells in zip(rows, aligned, strict=True)]
