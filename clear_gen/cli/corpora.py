"""Commands on corpora that others published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clear_gen.cli.common import ListingCommand
from clear_gen.cli.parameters import PATH, RegistryChoice

if TYPE_CHECKING:
    from clear_gen.mixtures.recordings.corpus import Corpus


@click.group()
def corpus() -> None:
    """Corpora of events and backgrounds: look whether a copy is whole.

    \b
    Example:
        clear-gen corpus check tau2019 TAU-urban-acoustic-scenes-2019-development
    """


def _corpora() -> dict[str, Corpus]:
    from clear_gen.mixtures.recordings.corpora import CORPORA

    return CORPORA


def _summaries() -> dict[str, str]:
    return {name: f"{one.title}: {one.holds}; {one.layout}" for name, one in _corpora().items()}


@corpus.command("check", cls=ListingCommand, listing="Corpora (NAME)", summaries=_summaries)
@click.argument("name", metavar="NAME", type=RegistryChoice(_corpora))
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--decode", is_flag=True, help="Read every recording to its end, not only its header.")
def corpus_check(name: str, folder: Path, decode: bool) -> None:
    """Compare a copy of a corpus with what is published about it: files, tables, names, labels, counts, audio.

    Also says under which licence the corpus is, and whether its audio may be published.

    Exit code 1 if anything is missing or wrong.

    \b
    Example:
        clear-gen corpus check fsdkaggle2018 FSDKaggle2018
        clear-gen corpus check tau2019 TAU-urban-acoustic-scenes-2019-development --decode
    """
    from clear_gen.core.errors import CheckFailed
    from clear_gen.mixtures.recordings.check import check_corpus, described

    report = check_corpus(name, folder, decode=decode)
    click.echo(described(report))
    if number := len(report.problems):
        raise CheckFailed(f"{number:,} problem{'s' * (number > 1)} in {folder}")
