"""Text output: aligned tables, and strings that are safe to print on one line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Of no width: zero-width space, word joiner, byte order mark, soft hyphen, marks of writing direction. Not the joiners
# U+200C and U+200D, which change how letters look.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_BLANK = re.compile(r"[^\S\n\r\t]")  # no-break, thin, ideographic and other spaces, besides the common one


def seen_text(text: str) -> str:
    """Text as it looks: composed (NFC), one kind of blank, nothing invisible. Lines, tabs and blanks stay in number.

    >>> seen_text("cafe\u0301\u00a0noir\u200b")
    'café noir'
    """
    return _BLANK.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))


def seen_name(name: str) -> str:
    """A name as it looks, so that two that look the same are one: ``seen_text`` with single blanks.

    >>> seen_name(" dog  bark ") == seen_name("dog\u00a0bark\u200b")
    True
    """
    return " ".join(seen_text(name).split())


def shown(text: str) -> str:
    """``text`` for a message of one line: as it is, or quoted and escaped if it breaks the line or steers a terminal.

    >>> print(shown("naïve"), shown("two\\nlines"))
    naïve 'two\\nlines'
    """
    text = text if len(text) <= 80 else text[:79] + "…"
    return repr(text) if has_controls(text) else text


def duration(seconds: float) -> str:
    """How long something takes, in words.

    >>> duration(0.4), duration(90), duration(7500)
    ('0.4 s', '1 min 30 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


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
