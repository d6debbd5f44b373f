"""Commands on corpora that others published."""

from __future__ import annotations

from pathlib import Path

import click

from clear_gen.cli.common import PATH, busy


@click.group()
def corpus() -> None:
    """Corpora of events and backgrounds: look whether a copy is whole.

    \b
    Example:
        clear-gen corpus check tau2019 TAU-urban-acoustic-scenes-2019-development
    """


@corpus.command("check")
@click.argument("name", metavar="NAME", type=click.Choice(["fsdkaggle2018", "tut2018", "tau2019"]))
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--decode", is_flag=True, help="Read every recording to its end, not only its header.")
def corpus_check(name: str, folder: Path, decode: bool) -> None:
    """Compare a copy of a corpus with what is published about it: files, tables, names, labels, counts, audio.

    Also says under which licence the corpus is, and whether its audio may be published.

    Exit code 1 if anything is missing or wrong.

    \b
    Corpora (NAME), in the folders that their archives unpack to:
        fsdkaggle2018  FSDKaggle2018, events; as Zenodo or as Kaggle has it
        tut2018        TUT Urban Acoustic Scenes 2018 development, backgrounds
        tau2019        TAU Urban Acoustic Scenes 2019 development, backgrounds

    \b
    Example:
        clear-gen corpus check fsdkaggle2018 FSDKaggle2018
        clear-gen corpus check tau2019 TAU-urban-acoustic-scenes-2019-development --decode
    """
    from clear_gen.core.errors import CheckFailed
    from clear_gen.mixtures.recordings.corpus_check import check_corpus, described

    with busy("looking at every recording"):
        report = check_corpus(name, folder, decode=decode)
    click.echo(described(report))
    if number := len(report.problems):
        raise CheckFailed(f"{number:,} problem{'s' * (number > 1)} in {folder}")
