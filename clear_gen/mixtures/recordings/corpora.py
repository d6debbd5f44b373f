"""Corpora that mixtures are made of, as they unpack: their events, their backgrounds, and where they lie.

FSDKaggle2018 has two layouts, Zenodo's and Kaggle's; the scene corpora have their archives' folder around them or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.mixtures.recordings.corpus_facts import CORPORA, Corpus, Holds, corpus_of
from clear_gen.mixtures.recordings.sources import Background, Event
from clear_gen.mixtures.recordings.tables import Clip, Row, present, read_table

PROBLEMS = ("missing", "table", "name", "label", "duplicate", "count", "fold", "extra", "audio")
FSD_NAME = re.compile(r"[0-9a-f]{8}\.wav")
# The tables of TUT and TAU corpora of several devices look the same: device a is the only one here
SCENE_NAME = re.compile(r"audio/(?P<scene>[a-z_]+)-(?P<identifier>[a-z]+-[0-9]+)-[0-9]+-a\.wav")
UNSTATED = "Creative Commons, not stated for this clip"  # Kaggle's train.csv has neither licences nor Freesound ids


@dataclass(frozen=True)
class Problem:
    """Something missing or wrong, in one line. ``kind``: one of ``PROBLEMS``."""

    kind: str
    text: str


@dataclass
class Part:
    """A table and the recordings it lists. ``prefix``: of its figures. ``unused``: recordings listed for nothing."""

    prefix: str
    table: Path
    audio: Path
    clips: list[Clip] = field(default_factory=list)
    unused: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, kind: str, row: Row, column: str, expected: str) -> None:
        """Note what is wrong with a cell."""
        found = shown(row.cells[column]) or "nothing"
        self.problems.append(Problem(kind, f"{row.where}: {column}: found {found}, expected {expected}"))


def corpus_events(name: str, folder: Path, *, allow_missing: bool = False) -> list[Event]:
    """The training clips of a corpus of events, in the order of its table.

    ``group`` is the Freesound id where the table has it (no table has the uploader). With ``allow_missing`` a partial
    copy will do: clips whose file is not there are left out. Raises InputError naming the line if the table is not what
    it must be.
    """
    return [clip.event() for clip in _clips(name, folder, "events", allow_missing)]


def corpus_backgrounds(name: str, folder: Path, *, allow_missing: bool = False) -> list[Background]:
    """The clips of a corpus of scenes, in the order of ``meta.csv``; ``group`` is the place of recording.

    A place is a city and a number. ``allow_missing`` and InputError as in ``corpus_events``.
    """
    return [clip.background() for clip in _clips(name, folder, "backgrounds", allow_missing)]


def recognised(folder: Path) -> str | None:
    """The name of the corpus that lies in ``folder``, by its layout; None if none does.

    Raises InputError if several do, or if it is a corpus of scenes and nothing tells which.
    """
    found = ["fsdkaggle2018"] if _is_zenodo(folder) or _is_kaggle(folder) else []
    scenes = [
        corpus for corpus in CORPORA.values() if corpus.archive and _is_scenes(corpus, scene_root(corpus, folder))
    ]
    found += [corpus.name for corpus in scenes if _is_of(corpus, scene_root(corpus, folder))]
    if scenes and not found:
        expected = " or ".join(f"fold1_train{corpus.folds} ({corpus.title})" for corpus in scenes)
        raise InputError(
            f"{folder}: evaluation_setup: found nothing that tells which scenes these are, expected {expected}"
        )
    if len(found) > 1:
        raise InputError(f"{folder}: found {' and '.join(found)}, expected one; give the folder of one of them")
    return found[0] if found else None


def corpus_parts(corpus: Corpus, folder: Path) -> list[Part]:
    """What the tables of a copy say, first the part that is used, each with what is wrong with its table.

    Raises InputError if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: not found, expected a folder with {corpus.title}")
    return [_scenes(corpus, scene_root(corpus, folder))] if corpus.archive else _fsdkaggle(corpus, folder)


def scene_root(corpus: Corpus, folder: Path) -> Path:
    """``folder``, or the folder below it that the corpus' archives unpack to."""
    below = folder / corpus.archive
    return below if below.is_dir() and not (folder / "meta.csv").exists() else folder


def _clips(name: str, folder: Path, holds: Holds, allow_missing: bool) -> list[Clip]:
    corpus = corpus_of(name)
    if corpus.holds != holds:
        raise InputError(f"{folder}: found {corpus.title}, which has {corpus.holds}, expected {holds}")
    part = corpus_parts(corpus, folder)[0]
    if part.problems:
        more = f" (and {len(part.problems) - 1:,} more; see clear-gen corpus check)" if part.problems[1:] else ""
        raise InputError(part.problems[0].text + more)
    return present(part.clips, allow_missing)


def _fill(part: Part, clip_of: Callable[[Row], Clip], columns: tuple[str, ...], *more: str, delimiter: str) -> None:
    """Read the table of a part into it; what is wrong becomes a problem."""
    if not part.table.exists():
        part.problems.append(Problem("missing", f"{part.table}: not found, expected the table of the recordings"))
        return
    try:
        rows = read_table(part.table, columns, more, delimiter=delimiter)
    except InputError as error:
        part.problems.append(Problem("table", str(error)))
        return
    seen: set[str] = set()
    for row in rows:
        clip = clip_of(row)
        if clip.source_id in seen:
            part.wrong("duplicate", row, columns[0], "every recording once")
        seen.add(clip.source_id)
        if row.cells.get("usage") == "Ignored":
            part.unused.add(clip.path)
        else:
            part.clips.append(clip)


# --- FSDKaggle2018 ----------------------------------------------------------------------------------------------------


def _is_zenodo(folder: Path) -> bool:
    return any((folder / f"FSDKaggle2018.{name}").is_dir() for name in ("meta", "audio_train"))


def _is_kaggle(folder: Path) -> bool:
    return (folder / "audio_train").is_dir() and _kaggle_table(folder).is_file()


def _kaggle_table(folder: Path) -> Path:
    """That of after the competition, which says more, or the first one."""
    table = folder / "train_post_competition.csv"
    return table if table.exists() else folder / "train.csv"


def _fsdkaggle(corpus: Corpus, folder: Path) -> list[Part]:
    if _kaggle_table(folder).exists() and not _is_zenodo(folder):
        train = Part("", _kaggle_table(folder), folder / "audio_train")
        test = Part("test ", folder / "test_post_competition.csv", folder / "audio_test")
        parts = [train, test] if test.table.exists() else [train]  # it came after the competition
    else:
        meta = folder / "FSDKaggle2018.meta"
        train = Part("", meta / "train_post_competition.csv", folder / "FSDKaggle2018.audio_train")
        scoring = meta / "test_post_competition_scoring_clips.csv"
        parts = [train, Part("test ", scoring, folder / "FSDKaggle2018.audio_test")]
    for part, column in zip(parts, ("manually_verified", "usage"), strict=False):
        columns = ("fname", "label", column)
        _fill(part, _reader(part, corpus), columns, "freesound_id", "license", delimiter=",")
    return parts


def _reader(part: Part, corpus: Corpus) -> Callable[[Row], Clip]:
    """What makes a clip of a row of FSDKaggle2018's tables, and notes what is wrong with it."""
    allowed = {"manually_verified": ("0", "1"), "usage": ("Public", "Private", "Ignored")}

    def clip_of(row: Row) -> Clip:
        cells, name = row.cells, row.cells["fname"]
        if not FSD_NAME.fullmatch(name):
            part.wrong("name", row, "fname", "eight hexadecimal digits and .wav")
            name = _harmless(name)
        for column, values in allowed.items():
            if cells.get(column, values[0]) not in values:
                part.wrong("table", row, column, " or ".join(values))
        if cells.get("usage") != "Ignored" and cells["label"] not in corpus.labels:  # of the ignored the label is None
            part.wrong("label", row, "label", f"one of the {len(corpus.labels)} labels of {corpus.title}")
        for column in ("freesound_id", "license"):
            if cells.get(column) == "":
                part.wrong("table", row, column, "something")
        source_id = f"{part.audio.name}/{name}"
        group, licence = cells.get("freesound_id") or source_id, cells.get("license") or UNSTATED
        is_verified = cells.get("manually_verified", "1") == "1"
        return Clip(row.where, source_id, part.audio / name, group, licence, cells["label"], is_verified)

    return clip_of


def _harmless(name: str) -> str:
    """The last part of a name that is not what it must be, so that nothing outside the folder is looked for."""
    return Path(name).name or "unnamed"


# --- TUT and TAU Urban Acoustic Scenes --------------------------------------------------------------------------------


def _is_scenes(corpus: Corpus, root: Path) -> bool:
    """Whether a folder is a scene corpus, of this name if it has no table any more: without it all places are lost."""
    table = root / "meta.csv"
    if not table.is_file():
        return root.resolve().name == corpus.archive
    with open(table, "rb") as file:
        return b"scene_label" in file.readline(1000)


def _is_of(corpus: Corpus, root: Path) -> bool:
    """Whether a folder of scenes is of this corpus: by its fold tables or, if there are none, by its name."""
    suffixes = [other.folds for other in CORPORA.values() if other.folds]
    there = [suffix for suffix in suffixes if (root / "evaluation_setup" / f"fold1_train{suffix}").is_file()]
    return corpus.folds in there if there else root.resolve().name == corpus.archive


def _scenes(corpus: Corpus, root: Path) -> Part:
    part = Part("", root / "meta.csv", root / "audio")

    def clip_of(row: Row) -> Clip:
        cells, name = row.cells, row.cells["filename"]
        said = SCENE_NAME.fullmatch(name)
        if not said or said["scene"] not in corpus.labels:
            part.wrong("name", row, "filename", f"audio/SCENE-CITY-LOCATION-SEGMENT-a.wav of {corpus.title}")
            name = f"audio/{_harmless(name)}"
        elif cells["scene_label"] != said["scene"]:
            part.wrong("label", row, "scene_label", f"{said['scene']}, as its name says")
        elif cells["identifier"] != said["identifier"]:
            part.wrong("label", row, "identifier", f"{said['identifier']}, as its name says")
        elif cells["source_label"] != "a":
            part.wrong("label", row, "source_label", "a, as its name says")
        return Clip(row.where, name, root / name, cells["identifier"], corpus.licence, cells["scene_label"])

    columns = ("filename", "scene_label", "identifier", "source_label")
    _fill(part, clip_of, columns, delimiter="\t")
    return part
