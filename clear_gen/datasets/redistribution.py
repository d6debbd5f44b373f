"""What the licences of a dataset's recordings say about the redistribution of its audio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import DAMAGED, open_parquet
from clear_gen.core.text import shown
from clear_gen.mixtures.recordings.corpora import CORPORA, RESTRICTED
from clear_gen.mixtures.recordings.corpus import UNSTATED

# What stands in tables where no licence is known, in lower case
UNKNOWN = frozenset({"", "unknown", "none", "null", "nan", "n/a", "na", "-", "?", "unspecified", UNSTATED.lower()})
MOST_NAMED = 3  # sources


def forbidden(folder: Path, tables: Iterable[str]) -> str | None:
    """The recordings whose licence forbids publishing the audio, with file and licence; None if there are none.

    ``tables``: the dataset's tables of recordings. Raises InputError if one is damaged.
    """
    for name in tables:
        licences = Counter(licence or "" for licence, _ in _rows(folder / name, "licence"))
        for licence in sorted(licences.keys() & RESTRICTED):
            titles = [corpus.title for corpus in CORPORA.values() if corpus.licence == licence]
            what = f"{licences[licence]:,} recordings of {' or '.join(titles)}"
            return f"{folder / name}: licence: found {what} ({licence})"
    return None


def unlicensed(folder: Path, tables: Iterable[str], source: str) -> list[str]:
    """A line for each table with recordings of unknown licence: how many of all, from which sources.

    ``tables``: as for ``forbidden``; ``source``: the column that names where a recording is from.
    """
    lines = []
    for name in tables:
        rows = _rows(folder / name, source)
        sources = [of for licence, of in rows if is_unknown(licence)]
        if sources:
            counted = f"{len(sources):,} of {len(rows):,} recordings"
            lines.append(f"{folder / name}: licence unknown for {counted} ({_named(sources)})")
    return lines


def is_unknown(licence: str | None) -> bool:
    """Whether a cell of a table names no licence.

    >>> is_unknown(" Unknown "), is_unknown(None), is_unknown("by the recordist")
    (True, True, False)
    """
    return (licence or "").strip().lower() in UNKNOWN


def _named(sources: list[str]) -> str:
    distinct = list(dict.fromkeys(shown(source) for source in sources))
    more = len(distinct) - MOST_NAMED
    return ", ".join(distinct[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _rows(path: Path, source: str) -> list[tuple[str | None, str]]:
    """The licence and the source of each recording of a table. Raises InputError if it is damaged."""
    try:
        table = open_parquet(path).read(["licence", source])
        return list(zip(table["licence"].to_pylist(), map(str, table[source].to_pylist()), strict=True))
    except DAMAGED as error:
        raise InputError(f"{path}: damaged ({first_line(error)})") from None
