"""Recordings in a folder, at any depth: labelled ones in a sub-folder per label."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from clear_gen.core.errors import InputError
from clear_gen.core.text import has_controls, shown
from clear_gen.mixtures.recordings.table import Clip
from clear_gen.sounds.tables import file_inside

# What libsndfile reads, or ffmpeg in its place (``clear_gen.sounds.files.read_audio``)
SUFFIXES = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64 .m4a .mp4 .aac .wma .webm"
AUDIO_SUFFIXES = frozenset(SUFFIXES.split())


def clips_in_folder(folder: Path, licence: str, is_labelled: bool) -> list[Clip]:
    """The recordings in the order of their names. Raises InputError if there are none, or one without a label."""
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
