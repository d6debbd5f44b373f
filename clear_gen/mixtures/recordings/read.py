"""Events and backgrounds of mixtures from files: a folder, a CSV table, or a corpus that is recognised."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.text import seen_name
from clear_gen.mixtures.recordings.corpora import corpus_backgrounds, corpus_events, recognised
from clear_gen.mixtures.recordings.csv_table import clips_in_csv
from clear_gen.mixtures.recordings.folder import clips_in_folder
from clear_gen.mixtures.recordings.table import Clip, present
from clear_gen.mixtures.recordings.types import Background, Event

UNKNOWN_LICENCE = "unknown"
log = logging.getLogger(__name__)


def read_events(
    path: Path,
    *,
    audio: Path | None = None,
    licence: str = UNKNOWN_LICENCE,
    allow_missing: bool = False,
    root: Path | None = None,
) -> list[Event]:
    """Labelled recordings: those of a table in its order, those of a folder by their names.

    ``path`` is a corpus (``corpora.recognised``); or a folder with one sub-folder per label, recordings at any depth
    below it; or a CSV with the columns ``filename`` and ``label``, and where there is more to say ``group``,
    ``licence`` (or ``license``, or ``source``) and ``verified`` (1 or 0). Other columns are ignored. File names are
    relative to the folder ``audio``, else to the folder of the CSV or to the one beside it that is called as it is
    (``events/`` beside ``events.csv``); with ``root`` they may be absolute and lead anywhere in it. ``licence`` is that
    of the recordings that name none; with ``allow_missing`` those whose file is not there are left out. A folder's
    recordings are its files of known suffix that are not hidden. Every recording is a group of its own unless the table
    says otherwise.

    Raises InputError, in one line, if a name leads elsewhere, a file is not there or comes twice, or none is left.
    """
    if name := _corpus(path, audio):
        return corpus_events(name, path, allow_missing=allow_missing)
    clips = _with_seen_labels(_clips(path, audio, licence, root, is_labelled=True))
    return [clip.event() for clip in present(clips, allow_missing)]


def read_backgrounds(
    path: Path,
    *,
    audio: Path | None = None,
    licence: str = UNKNOWN_LICENCE,
    allow_missing: bool = False,
    root: Path | None = None,
) -> list[Background]:
    """Backgrounds: as ``read_events``, without labels and without ``verified``.

    ``path`` is a corpus, a folder with recordings at any depth, or a CSV with the column ``filename``.
    """
    if name := _corpus(path, audio):
        return corpus_backgrounds(name, path, allow_missing=allow_missing)
    return [clip.background() for clip in present(_clips(path, audio, licence, root, is_labelled=False), allow_missing)]


def _with_seen_labels(clips: list[Clip]) -> list[Clip]:
    """The clips with labels as they look; what becomes one label is logged. Raises InputError if nothing is left."""
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        spellings[seen_name(clip.label)].add(clip.label)
        if not seen_name(clip.label):
            raise InputError(f"{clip.where}: label: found {clip.label!a}, expected characters that can be seen")
    for label, spelled in sorted(spellings.items()):
        if len(spelled) > 1:
            log.warning("label %s: found in %d spellings that look the same, taken as one", label, len(spelled))
    return [replace(clip, label=seen_name(clip.label)) for clip in clips]


def _corpus(path: Path, audio: Path | None) -> str | None:
    if not path.is_dir():
        return None
    if audio is not None:
        raise InputError(f"{path}: found a folder of recordings and another, {audio}, expected a CSV for that one")
    if path.name == "audio" and (name := recognised(path.parent)):  # without its table no place of recording is known
        raise InputError(f"{path}: found the audio of {name} alone, expected the folder above it")
    return recognised(path)


def _clips(path: Path, audio: Path | None, licence: str, root: Path | None, is_labelled: bool) -> list[Clip]:
    if path.is_dir():
        clips = clips_in_folder(path, licence, is_labelled)
    elif not path.exists():
        raise InputError(f"{path}: not found, expected a folder of recordings or a CSV table of them")
    elif path.suffix.lower() != ".csv":
        raise InputError(f"{path}: found a file, expected a folder of recordings or a CSV table of them")
    else:
        clips = clips_in_csv(path, audio, licence, is_labelled, root)
    seen: dict[Path, Clip] = {}
    for clip in clips:
        first = seen.setdefault(clip.path.resolve(), clip)
        if first is not clip:
            raise InputError(f"{clip.where}: found the file of {first.where} again, expected every recording once")
    return clips
