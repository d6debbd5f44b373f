"""Recordings that a CSV table lists: one row each, with whatever else is known of them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.mixtures.recordings.table import Clip, Row, read_table
from clear_gen.sounds.tables import file_inside

LICENCES = ("licence", "license", "source")  # columns that may say it; the first that says something counts
VERIFIED = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def clips_in_csv(path: Path, audio: Path | None, licence: str, is_labelled: bool, root: Path | None) -> list[Clip]:
    """The rows of a table as clips, in its order; ``audio``: their folder, or None for the usual ones.

    ``root``: the folder that paths may lead to, be they absolute or out of those folders; ids are relative to it.
    """
    if audio is not None and not audio.is_dir():
        raise InputError(f"{audio}: not found, expected the folder of the recordings of {path}")
    optional = ("group", *LICENCES, *(("verified",) if is_labelled else ()))
    rows = read_table(path, ("filename", "label") if is_labelled else ("filename",), optional)
    base = audio or path.parent
    roots = [audio] if audio else [path.parent, path.with_suffix("")]
    return [_row_clip(row, base, roots, licence, root) for row in rows]


def _row_clip(row: Row, base: Path, roots: list[Path], licence: str, root: Path | None) -> Clip:
    file = _file(row.cells["filename"], row.where, roots, root)
    source_id = (file.resolve().relative_to(root.resolve()) if root else file.relative_to(base)).as_posix()
    stated = next((row.cells[name] for name in LICENCES if row.cells.get(name)), licence)
    verified = row.cells.get("verified", "1").lower()
    if verified not in VERIFIED:
        raise InputError(f"{row.where}: verified: found {verified or 'nothing'}, expected 1 or 0")
    group = row.cells.get("group") or source_id
    return Clip(row.where, source_id, file, group, stated, row.cells.get("label", ""), VERIFIED[verified])


def _file(name: str, where: str, roots: list[Path], root: Path | None) -> Path:
    """The file of that name in the first of ``roots`` that has it; in the very first if none has."""
    if root is not None:
        places = [one for one in (*roots, root) if (one / name).is_file()] or [root]
        return file_inside(places[0], Path(where), {"filename": name}, root)
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(f"{where}: filename: found {shown(name)}, expected a path below {roots[0]}, or --root DIR")
    files = [file_inside(root, Path(where), {"filename": name}) for root in roots]
    return next((file for file in files if file.is_file()), files[0])
