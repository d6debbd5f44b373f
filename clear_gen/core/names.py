"""Names that are none of those there are: the nearest one, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_SHOWN = 60  # characters of what was found


def nearest(found: object, names: Iterable[object]) -> str | None:
    """The name most like ``found``, whatever the case; None if none is like it.

    >>> nearest("Violins", ["bass", "violin"]), nearest("bsas", ["bass"]), nearest("xylophone", ["bass", "violin"])
    ('violin', 'bass', None)
    """
    by_lower = {str(name).lower(): str(name) for name in names}
    wanted = str(found).lower()
    exchanged = [name for name in by_lower if sorted(name) == sorted(wanted)]  # letters: unlike, if the name is short
    close = exchanged or get_close_matches(wanted, by_lower, n=1)
    return by_lower[close[0]] if close else None


def guess(found: object, names: Iterable[object]) -> str:
    """A remark to follow ``found`` in a message: the nearest name, or nothing.

    >>> guess("tset", ["train", "test"]), guess("fold1", ["train", "test"])
    (' (did you mean test?)', '')
    """
    name = nearest(found, names) if isinstance(found, str) else None
    return "" if name in (None, str(found)) else f" (did you mean {name}?)"


def not_among(found: object, names: Iterable[object], expected: str = "one of") -> str:
    """What a message says about a name that is none of ``names``.

    >>> not_among("tset", ["train", "test"])
    "found 'tset' (did you mean test?), expected one of: train, test"
    """
    there = [str(name) for name in names]
    return f"found {repr(found)[:MAX_SHOWN]}{guess(found, there)}, expected {expected}: {', '.join(there)}"
