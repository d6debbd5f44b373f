"""A dataset of any kind as served to the explorer page, by the server and the export."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from clear_gen.core.errors import InputError
from clear_gen.core.pcm import decode_flac, from_pcm16
from clear_gen.datasets.mixtures.layout import MIXTURES
from clear_gen.datasets.registry import kind_name
from clear_gen.explore.mixtures import Mixtures
from clear_gen.explore.pictures import frequencies, outline, spectrogram
from clear_gen.explore.query import Query
from clear_gen.explore.scenes import Scenes
from clear_gen.explore.store import Store

SITE = Path(__file__).parent / "site"
LIVE, STATIC = "live_source.js", "static_source.js"  # what ``source.js`` is on a server of ours, and on one of files
# What the page consists of
SITE_FILES = (
    "index.html",
    "icon.svg",
    "style.css",
    "app.js",
    "page.js",
    "filters.js",
    "source.js",
    "timeline.js",
    "record.js",
)


def site_file(name: str, source: str) -> bytes:
    """One of ``SITE_FILES``; ``source``: LIVE or STATIC."""
    return (SITE / (source if name == "source.js" else name)).read_bytes()


class Library(Protocol):
    """Scenes with their questions, or mixtures."""

    store: Store
    ids: list[str]

    def about(self) -> dict[str, Any]:
        """Data that the page loads first; ``lists``: the available lists with their filters."""

    def rows(self, name: str, query: Query) -> dict[str, Any]:
        """A page of one of the lists."""

    def some(self, limit: int) -> dict[str, list[dict[str, Any]]]:
        """Rows of every list for about ``limit`` records, spread evenly over all, or the splits that were predicted."""

    def record(self, config: str, name: str) -> dict[str, Any]:
        """All data of a record. Raises NotThere, or InputError if it is damaged."""


def open_library(folder: Path, predictions: Path | None = None) -> Library:
    """The finished dataset in ``folder``, with a model's predictions. Raises InputError if something is missing."""
    if kind_name(folder) != MIXTURES:
        return Scenes(folder, predictions)
    if predictions is not None:
        raise InputError(f"--predictions: found them, but {folder} holds mixtures, of which nothing is asked")
    return Mixtures(folder)


def about(library: Library, folder: Path) -> dict[str, Any]:
    """Data that the page loads first."""
    return {"name": folder.resolve().name, **library.about()}


def record(library: Library, config: str, name: str) -> dict[str, Any]:
    """A record as the page shows it, with the outline of its audio, None where there is none, and
    the frequencies beside its spectrogram."""
    found = library.record(config, name)
    heard = _decoded(library, config, name)
    seen = (None, []) if heard is None else (outline(heard[0]), frequencies(heard[1]))
    return found | {"record": f"{config}/{name}", "outline": seen[0], "frequencies": seen[1]}


def picture(library: Library, config: str, name: str) -> bytes | None:
    """The mel spectrogram of a record as a PNG file; None if it has no audio."""
    heard = _decoded(library, config, name)
    return None if heard is None else spectrogram(*heard)


def _decoded(library: Library, config: str, name: str) -> Any:
    """float32 [n] and the rate in Hz."""
    flac = library.store.audio(config, name)
    if flac is None:
        return None
    pcm, sample_rate = decode_flac(flac, f"{config}/{name}")
    return from_pcm16(pcm), sample_rate
