"""Events and backgrounds of mixtures from files: a folder, a CSV table, or a corpus that is recognised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from clear_gen.core.errors import InputError
from clear_gen.core.text import has_controls, shown
from clear_gen.mixtures.recordings.corpora import corpus_backgrounds, corpus_events, recognised
from clear_gen.mixtures.recordings.sources import Background, Event
from clear_gen.mixtures.recordings.tables import Clip, Row, present, read_table
from clear_gen.sounds.files import file_inside

UNKNOWN_LICENCE = "unknown"
LICENCES = ("licence", "license", "source")  # columns that may say it; the first that says something counts
VERIFIED = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
# What libsndfile reads, or ffmpeg in its place (``files.read_audio``)
SUFFIXES = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64 .m4a .mp4 .aac .wma .webm"
AUDIO_SUFFIXES = frozenset(SUFFIXES.split())


def read_events(
    path: Path, *, audio: Path | None = None, licence: str = UNKNOWN_LICENCE, allow_missing: bool = False
) -> list[Event]:
    """Labelled recordings: those of a table in its order, those of a folder by their names.

    ``path`` is a corpus (``corpora.recognised``); or a folder with one sub-folder per label, recordings at any depth
    below it; or a CSV with the columns ``filename`` and ``label``, and where there is more to say ``group``,
    ``licence`` (or ``license``, or ``source``) and ``verified`` (1 or 0). Other columns are ignored. File names are
    relative to the folder ``audio``, else to the folder of the CSV or to the one beside it that is called as it is
    (``events/`` beside ``events.csv``). ``licence`` is that of the recordings that name none; with ``allow_missing``
    those whose file is not there are left out. A folder's recordings are its files of known suffix that are not
    hidden. Every recording is a group of its own unless the table says otherwise.

    Raises InputError, in one line, if a name leads elsewhere, a file is not there or comes twice, or none is left.
    """
    if name := _corpus(path, audio):
        return corpus_events(name, path, allow_missing=allow_missing)
    return [clip.event() for clip in present(_clips(path, audio, licence, is_labelled=True), allow_missing)]


def read_backgrounds(
    path: Path, *, audio: Path | None = None, licence: str = UNKNOWN_LICENCE, allow_missing: bool = False
) -> list[Background]:
    """Backgrounds: as ``read_events``, without labels and without ``verified``.

    ``path`` is a corpus, a folder with recordings at any depth, or a CSV with the column ``filename``.
    """
    if name := _corpus(path, audio):
        return corpus_backgrounds(name, path, allow_missing=allow_missing)
    return [clip.background() for clip in present(_clips(path, audio, licence, is_labelled=False), allow_missing)]


def _corpus(path: Path, audio: Path | None) -> str | None:
    if not path.is_dir():
        return None
    if audio is not None:
        raise InputError(f"{path}: found a folder of recordings and another, {audio}, expected a CSV for that one")
    if path.name == "audio" and (name := recognised(path.parent)):  # without its table no place of recording is known
        raise InputError(f"{path}: found the audio of {name} alone, expected the folder above it")
    return recognised(path)


def _clips(path: Path, audio: Path | None, licence: str, is_labelled: bool) -> list[Clip]:
    if path.is_dir():
        clips = _in_folder(path, licence, is_labelled)
    elif not path.exists():
        raise InputError(f"{path}: not found, expected a folder of recordings or a CSV table of them")
    elif path.suffix.lower() != ".csv":
        raise InputError(f"{path}: found a file, expected a folder of recordings or a CSV table of them")
    else:
        clips = _in_table(path, audio, licence, is_labelled)
    seen: dict[Path, Clip] = {}
    for clip in clips:
        first = seen.setdefault(clip.path.resolve(), clip)
        if first is not clip:
            raise InputError(f"{clip.where}: found the file of {first.where} again, expected every recording once")
    return clips


# --- a CSV ------------------------------------------------------------------------------------------------------------


def _in_table(path: Path, audio: Path | None, licence: str, is_labelled: bool) -> list[Clip]:
    if audio is not None and not audio.is_dir():
        raise InputError(f"{audio}: not found, expected the folder of the recordings of {path}")
    optional = ("group", *LICENCES, *(("verified",) if is_labelled else ()))
    rows = read_table(path, ("filename", "label") if is_labelled else ("filename",), optional)
    base = audio or path.parent
    roots = [audio] if audio else [path.parent, path.with_suffix("")]
    return [_row_clip(row, base, roots, licence) for row in rows]


def _row_clip(row: Row, base: Path, roots: list[Path], licence: str) -> Clip:
    file = _file(row.cells["filename"], row.where, roots)
    source_id = file.relative_to(base).as_posix()
    stated = next((row.cells[name] for name in LICENCES if row.cells.get(name)), licence)
    verified = row.cells.get("verified", "1").lower()
    if verified not in VERIFIED:
        raise InputError(f"{row.where}: verified: found {verified or 'nothing'}, expected 1 or 0")
    group = row.cells.get("group") or source_id
    return Clip(row.where, source_id, file, group, stated, row.cells.get("label", ""), VERIFIED[verified])


def _file(name: str, where: str, roots: list[Path]) -> Path:
    """The file of that name in the first of ``roots`` that has it; in the very first if none has."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(f"{where}: filename: found {shown(name)}, expected a path below {roots[0]}")
    files = [file_inside(root, Path(where), {"filename": name}) for root in roots]
    return next((file for file in files if file.is_file()), files[0])


# --- a folder ---------------------------------------------------------------------------------------------------------


def _in_folder(folder: Path, licence: str, is_labelled: bool) -> list[Clip]:
    clips = []
    for path in _recordings(folder):
        name = path.relative_to(folder).as_posix()
        label = name.split("/")[0] if is_labelled else ""
        if label == name:
            raise InputError(f"{path}: found in no sub-folder, expected one sub-folder per label, or a CSV with labels")
        clips.append(Clip(str(path), name, path, name, licence, label))
    if is_labelled:
        _check_labels(folder, {clip.label for clip in clips})
    if not clips:
        raise InputError(f"{folder}: found no recordings, expected at least one ({SUFFIXES})")
    return sorted(clips, key=lambda clip: clip.source_id)


def _check_labels(folder: Path, labels: set[str]) -> None:
    """Raise InputError for a sub-folder without recordings: nobody should lose a label without being told."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in labels:
            raise InputError(f"{path}: found no recordings, expected one sub-folder per label with some")


def _recordings(folder: Path) -> Iterator[Path]:
    """The recordings in a folder, in the order of their names; what is hidden or has another suffix is none."""
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in (*folders, *(name for name in sorted(files) if _is_recording(name))):
            path = Path(parent) / name
            if has_controls(name):
                raise InputError(f"{folder}: found {shown(str(path.relative_to(folder)))}, expected a name of one line")
            if name in folders and path.is_symlink():
                raise InputError(f"{path}: found a link to a folder, expected the folder itself")
            if name not in folders:
                yield _regular(folder, path)


def _is_recording(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES


def _regular(folder: Path, path: Path) -> Path:
    file_inside(folder, folder, {"filename": path.relative_to(folder).as_posix()})
    if not path.is_file():
        raise InputError(f"{path}: found a link to nothing, expected a recording")
    return path


def _unreadable(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror}), expected a folder of recordings")
