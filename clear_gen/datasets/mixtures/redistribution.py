"""Whether the audio of a dataset may be given to others, by the licences of the recordings in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import DAMAGED, open_parquet
from clear_gen.datasets.mixtures.source_tables import RESTRICTED
from clear_gen.mixtures.recordings.corpora import CORPORA
from clear_gen.store.layout import BANK, SOURCES


def forbidden(folder: Path, stored: dict[str, Any]) -> str | None:
    """Which recordings forbid that the audio of a dataset is published, with file and licence; None if none does.

    ``stored``: its ``clear.json``. Raises InputError if a table of recordings is damaged.
    """
    heard = (f"{BANK}/", f"{SOURCES}/") if stored["identity"].get("audio", True) else f"{BANK}/"
    for name in stored["files"]:
        if not name.startswith(heard):
            continue
        try:
            licences = Counter(open_parquet(folder / name).read(["licence"])["licence"].to_pylist())
        except DAMAGED as error:
            raise InputError(f"{folder / name}: damaged ({first_line(error)})") from None
        for licence in sorted(licences.keys() & RESTRICTED):
            titles = [corpus.title for corpus in CORPORA.values() if corpus.licence == licence]
            what = f"{licences[licence]:,} recordings of {' or '.join(titles)}"
            return f"{folder / name}: licence: found {what} ({licence})"
    return None
