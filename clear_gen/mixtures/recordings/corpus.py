"""A published corpus that mixtures are made of: what is published about it, and how a copy on disk is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.mixtures.recordings.table import Clip, Row, read_table

PROBLEMS = ("missing", "table", "name", "label", "duplicate", "count", "fold", "extra", "audio")
UNSTATED = "Creative Commons, not stated for this clip"  # where a table has neither licences nor Freesound ids
Holds = Literal["events", "backgrounds"]
Recognition = Literal["yes", "no", "undecided"]


@dataclass(frozen=True)
class Form:
    """The audio of a corpus. ``duration_s``: of every recording, or None if it varies."""

    sample_rate: int
    channels: int
    subtype: str
    duration_s: float | None = None


@dataclass(frozen=True)
class Corpus:
    """What is published about a corpus, and the functions that read a copy of it.

    ``redistribution``: whether its audio, and audio made of it, may be published. ``figures``: counts by what is
    counted, of the tables and of the recordings, as ``check_corpus`` names them. ``archive``: the folder that its
    archives unpack to, if there is one. ``layout``: how it unpacks, for the help of a command.

    ``recognise``: whether it lies in a folder. ``read``: what the tables of a copy say, first the part that is used,
    each with what is wrong with its table. ``check_folds``: what is wrong with official folds, and their sizes, or
    None if it has none. ``sign``: the file that tells it from others of the same layout.
    """

    name: str
    title: str
    holds: Holds
    licence: str
    redistribution: bool
    labels: tuple[str, ...]
    form: Form
    figures: Mapping[str, int]
    recognise: Callable[[Corpus, Path], Recognition]
    read: Callable[[Corpus, Path], list[Part]]
    check_folds: Callable[[Corpus, Path, Part], tuple[list[Problem], dict[str, int]]] | None = None
    archive: str = ""
    layout: str = ""
    sign: str = ""


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

    def fill(
        self,
        clip_of: Callable[[Row], Clip],
        columns: tuple[str, ...],
        *optional: str,
        delimiter: str,
        is_unused: Callable[[Row], bool] = lambda row: False,
    ) -> None:
        """Read the table; what is wrong with it becomes a problem. ``clip_of``: makes a clip of a row."""
        if not self.table.exists():
            text = f"{self.table}: not found, expected the table of the recordings"
            self.problems.append(Problem("missing", text))
            return
        try:
            rows = read_table(self.table, columns, optional, delimiter=delimiter)
        except InputError as error:
            self.problems.append(Problem("table", str(error)))
            return
        seen: set[str] = set()
        for row in rows:
            clip = clip_of(row)
            if clip.source_id in seen:
                self.wrong("duplicate", row, columns[0], "every recording once")
            seen.add(clip.source_id)
            if is_unused(row):
                self.unused.add(clip.path)
            else:
                self.clips.append(clip)


def harmless(name: str) -> str:
    """The last part of a name that is not what it must be, so that nothing outside the folder is looked for."""
    return Path(name).name or "unnamed"
