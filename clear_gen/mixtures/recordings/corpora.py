"""The published corpora that mixtures can be made of. A new one is a file in this folder and a row of ``CORPORA``."""

from __future__ import annotations

from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.mixtures.recordings import fsdkaggle2018, tau2019, tut2018
from clear_gen.mixtures.recordings.corpus import Corpus, Holds, Part
from clear_gen.mixtures.recordings.table import Clip, present
from clear_gen.mixtures.recordings.types import Background, Event

CORPORA = {corpus.name: corpus for corpus in (fsdkaggle2018.CORPUS, tut2018.CORPUS, tau2019.CORPUS)}
RESTRICTED = frozenset(corpus.licence for corpus in CORPORA.values() if not corpus.redistribution)


def corpus_named(name: str) -> Corpus:
    """The corpus of that name. Raises InputError naming those that there are."""
    if name not in CORPORA:
        raise InputError(f"corpus: {not_among(name, CORPORA)}")
    return CORPORA[name]


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

    Raises InputError if several do, or if nothing tells which of those of one layout it is.
    """
    answers = {name: corpus.recognise(corpus, folder) for name, corpus in CORPORA.items()}
    found = [name for name, answer in answers.items() if answer == "yes"]
    undecided = [CORPORA[name] for name, answer in answers.items() if answer == "undecided"]
    if undecided and not found:
        expected = " or ".join(f"{corpus.sign} ({corpus.title})" for corpus in undecided)
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
    return corpus.read(corpus, folder)


def _clips(name: str, folder: Path, holds: Holds, allow_missing: bool) -> list[Clip]:
    corpus = corpus_named(name)
    if corpus.holds != holds:
        raise InputError(f"{folder}: found {corpus.title}, which has {corpus.holds}, expected {holds}")
    part = corpus_parts(corpus, folder)[0]
    if part.problems:
        more = f" (and {len(part.problems) - 1:,} more; see clear-gen corpus check)" if part.problems[1:] else ""
        raise InputError(part.problems[0].text + more)
    return present(part.clips, allow_missing)
