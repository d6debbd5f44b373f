"""Whether the licences of a dataset's recordings allow redistribution of its audio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import DAMAGED, open_parquet
from clear_gen.mixtures.recordings.corpora import CORPORA, RESTRICTED


def forbidden(folder: Path, tables: Iterable[str]) -> str | None:
    """The recordings whose licence forbids publishing the audio, with file and licence; None if there are none.

    ``tables``: the dataset's tables of recordings. Raises InputError if one is damaged.
    """
    for name in tables:
        try:
            licences = Counter(open_parquet(folder / name).read(["licence"])["licence"].to_pylist())
        except DAMAGED as error:
            raise InputError(f"{folder / name}: damaged ({first_line(error)})") from None
        for licence in sorted(licences.keys() & RESTRICTED):
            titles = [corpus.title for corpus in CORPORA.values() if corpus.licence == licence]
            what = f"{licences[licence]:,} recordings of {' or '.join(titles)}"
            return f"{folder / name}: licence: found {what} ({licence})"
    return None
