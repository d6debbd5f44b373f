"""Filter queries on a list, and paging of the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.names import guess

PAGE_ROWS = 50
MAX_TEXT = 200  # characters


class BadQuery(InputError):
    """The query is invalid."""


@dataclass(frozen=True)
class Query:
    """``text``: to be found, in small letters; lengths in s; ``wanted``: value by name of filter; pages from 1."""

    text: str = ""
    from_s: float = 0.0
    to_s: float = math.inf
    wanted: dict[str, str] = field(default_factory=dict)
    page: int = 1


def query_of(given: Mapping[str, Sequence[str]], filters: Collection[str]) -> Query:
    """A query from the parameters of an address; empty ones are left out. ``filters``: the names that there are.

    >>> query_of({"type": ["note"], "from_s": ["4.5"]}, ["type"])
    Query(text='', from_s=4.5, to_s=inf, wanted={'type': 'note'}, page=1)
    """
    known = {"text", "from_s", "to_s", "page", *filters}
    if unknown := sorted(set(given) - known):
        found = f"found an unknown filter{guess(unknown[0], known)}"
        raise BadQuery(f"{unknown[0][:60]}: {found}, expected one of: {', '.join(sorted(known))}")
    if twice := [name for name, values in given.items() if len(values) != 1]:
        raise BadQuery(f"{twice[0]}: found it {len(given[twice[0]])} times, expected once")
    values = {name: value for name, (value,) in given.items() if value}
    return Query(
        text=values.get("text", "")[:MAX_TEXT].lower(),
        from_s=_number(values, "from_s", 0.0),
        to_s=_number(values, "to_s", math.inf),
        wanted={name: values[name] for name in filters if name in values},
        page=int(_number(values, "page", 1)),
    )


def _number(values: Mapping[str, str], name: str, otherwise: float) -> float:
    try:
        found = float(values.get(name, otherwise))
    except ValueError:
        found = math.nan
    if not (0 <= found < 1e9 or found == otherwise):
        raise BadQuery(f"{name}: found {values[name][:60]!r}, expected a number from 0")
    return found


def page_of(kept: np.ndarray, query: Query, row: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """The requested page of results: ``kept`` int [K], the indices of the items; ``row`` describes one of them."""
    pages = max(1, -(-len(kept) // PAGE_ROWS))
    first = (max(1, query.page) - 1) * PAGE_ROWS
    rows = [row(int(number)) for number in kept[first : first + PAGE_ROWS]]
    return {"total": len(kept), "page": max(1, query.page), "pages": pages, "first": first + 1, "rows": rows}


def spread(n: int, limit: int) -> list[int]:
    """At most ``limit`` of the numbers from 0 to ``n`` - 1, at even distances.

    >>> spread(10, 4), spread(3, 8)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    some = min(n, limit)
    return [number * n // some for number in range(some)]
