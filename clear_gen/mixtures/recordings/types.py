"""Recordings that mixtures are made of: events with a label, and backgrounds.

``group`` names what must not be shared between folds: the recording that a clip was cut from, its uploader, or the
place where a background was recorded. Where nothing is known it is the clip itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIN_EVENT_S = 0.05  # what is heard of an event that can be placed and labelled


@dataclass(frozen=True)
class Event:
    """A labelled recording. ``source_id``: unique, the path below the corpus' folder. ``licence``: as it was stated."""

    source_id: str
    path: Path
    label: str
    group: str
    licence: str
    is_verified: bool = True


@dataclass(frozen=True)
class Background:
    """A recording without events of interest."""

    source_id: str
    path: Path
    group: str
    licence: str
