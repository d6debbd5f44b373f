"""How a development set of DCASE's urban acoustic scenes is laid out: ``meta.csv``, ``audio/`` and one official fold.

The folder of its archives may be around it or not. The fold's tables end in ``.txt`` (2018) or ``.csv`` (2019).
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.mixtures.recordings.corpus import Corpus, Form, Part, Problem, Recognition, harmless
from clear_gen.mixtures.recordings.table import Clip, Row, read_table

SCENES = "airport bus metro metro_station park public_square shopping_mall street_pedestrian street_traffic tram"
LABELS = tuple(SCENES.split())
LICENCE = "Tampere University, non-commercial research only, audio not to be redistributed"
FORM = Form(48_000, 2, "PCM_24", 10.0)
FOLD_TABLES = (".txt", ".csv")  # their suffixes
FOLD_COLUMNS = {"train": ("filename", "scene_label"), "test": ("filename",), "evaluate": ("filename", "scene_label")}
# The tables of TUT and TAU corpora of several devices look the same: device a is the only one here
NAME = re.compile(r"audio/(?P<scene>[a-z_]+)-(?P<identifier>[a-z]+-[0-9]+)-[0-9]+-a\.wav")


def recognise(corpus: Corpus, folder: Path) -> Recognition:
    """By the fold's tables or, if there are none, by the folder's name."""
    root = _root(corpus, folder)
    if not _is_scenes(corpus, root):
        return "no"
    there = [f"fold1_train{suffix}" for suffix in FOLD_TABLES if (_folds(root) / f"fold1_train{suffix}").is_file()]
    is_this = corpus.sign in there if there else root.resolve().name == corpus.archive
    return "yes" if is_this else "undecided"


def read(corpus: Corpus, folder: Path) -> list[Part]:
    """The one table."""
    root = _root(corpus, folder)
    part = Part("", root / "meta.csv", root / "audio")
    columns = ("filename", "scene_label", "identifier", "source_label")
    part.fill(partial(_clip, corpus, part, root), columns, delimiter="\t")
    return [part]


def check_folds(corpus: Corpus, folder: Path, part: Part) -> tuple[list[Problem], dict[str, int]]:
    """What is wrong with the tables of the official fold, and their lengths."""
    problems: list[Problem] = []
    names: dict[str, set[str]] = {}
    counts: dict[str, int] = {}
    root, suffix = _root(corpus, folder), Path(corpus.sign).suffix
    for side, columns in FOLD_COLUMNS.items():
        path = _folds(root) / f"fold1_{side}{suffix}"
        if not path.exists():
            problems.append(Problem("missing", f"{path}: not found, expected a table of fold 1"))
            continue
        try:
            rows = read_table(path, columns, delimiter="\t", has_header=suffix == ".csv")
        except InputError as error:
            problems.append(Problem("fold", str(error)))
            continue
        names[side] = {row.cells["filename"] for row in rows}
        counts[f"fold 1 {side}"] = len(rows)
        problems += _fold_rows(rows, part)
    for name in sorted(names.get("train", set()) & names.get("test", set())):
        problems.append(Problem("fold", f"{root}: {name}: found in train and test of fold 1, expected in one of them"))
    return problems, counts


def _root(corpus: Corpus, folder: Path) -> Path:
    """``folder``, or the folder below it that the corpus' archives unpack to."""
    below = folder / corpus.archive
    return below if below.is_dir() and not (folder / "meta.csv").exists() else folder


def _folds(root: Path) -> Path:
    return root / "evaluation_setup"


def _is_scenes(corpus: Corpus, root: Path) -> bool:
    """Whether a folder is a scene corpus, of this name if it has no table any more: without it all places are lost."""
    table = root / "meta.csv"
    if not table.is_file():
        return root.resolve().name == corpus.archive
    with open(table, "rb") as file:
        return b"scene_label" in file.readline(1000)


def _clip(corpus: Corpus, part: Part, root: Path, row: Row) -> Clip:
    """The clip of a row; what is wrong with the row is noted."""
    cells, name = row.cells, row.cells["filename"]
    named = NAME.fullmatch(name)
    if not named or named["scene"] not in corpus.labels:
        part.wrong("name", row, "filename", f"audio/SCENE-CITY-LOCATION-SEGMENT-a.wav of {corpus.title}")
        name = f"audio/{harmless(name)}"
    elif cells["scene_label"] != named["scene"]:
        part.wrong("label", row, "scene_label", f"{named['scene']}, as its name says")
    elif cells["identifier"] != named["identifier"]:
        part.wrong("label", row, "identifier", f"{named['identifier']}, as its name says")
    elif cells["source_label"] != "a":
        part.wrong("label", row, "source_label", "a, as its name says")
    return Clip(row.where, name, root / name, cells["identifier"], corpus.licence, cells["scene_label"])


def _fold_rows(rows: list[Row], part: Part) -> list[Problem]:
    labels = {clip.source_id: clip.label for clip in part.clips}
    problems = []
    for row in rows:
        name, label = row.cells["filename"], row.cells.get("scene_label")
        if name not in labels:
            text = f"filename: found {shown(name)}, expected one of {part.table.name}"
            problems.append(Problem("fold", f"{row.where}: {text}"))
        elif label not in (None, labels[name]):
            text = f"scene_label: found {shown(label)}, expected {labels[name]}, as {part.table.name} says"
            problems.append(Problem("fold", f"{row.where}: {text}"))
    return problems
