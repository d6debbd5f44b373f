"""The command that shows a dataset to people."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from clear_gen.cli.common import OUT_FOLDER
from clear_gen.cli.parameters import DATASET, Source
from clear_gen.core.progress import busy, counting

LIMIT = 200


@click.command()
@click.argument("folder", type=DATASET, metavar="[DIR]", default=Path("clear2"))
@click.option(
    "--predictions",
    type=Source("predictions (JSON lines) or the folder of a run"),
    metavar="FILE.jsonl|RUN",
    help="A model's answers, beside the true ones.",
)
@click.option("--export", "out", type=OUT_FOLDER, metavar="OUT", help="Write the page as a folder of files instead.")
@click.option("--limit", type=click.IntRange(min=1), help=f"With --export: how many scenes.  [default: {LIMIT}]")
@click.option("--overwrite", is_flag=True, help="With --export: write into a folder that is not empty.")
@click.option("--port", type=click.IntRange(0, 65535), help="On this machine.  [default: a free one]")
@click.option("--no-browser", is_flag=True, help="Do not open it.")
def explore(
    folder: Path,
    predictions: Path | None,
    out: Path | None,
    limit: int | None,
    overwrite: bool,
    port: int | None,
    no_browser: bool,
) -> None:
    """Look at a dataset in the browser, and listen: scenes and their sounds, questions step by step, mixtures.

    The page is served to this machine alone, until Ctrl-C. Its folder of files, with --export, suits a Hugging Face
    Space or any other server of files.

    \b
    Example:
        clear-gen explore clear2
        clear-gen explore clear2 --predictions run
        clear-gen explore clear2 --export page --limit 200
    """
    if out is None and (limit is not None or overwrite):
        raise click.UsageError(f"--{'overwrite' if limit is None else 'limit'}: found it without --export")
    if out is not None and (port is not None or no_browser):
        raise click.UsageError(f"--{'no-browser' if port is None else 'port'}: found it with --export")
    from clear_gen.explore.library import open_library

    with busy("reading the dataset"):
        library = open_library(folder, predictions)
    if out is not None:
        from clear_gen.explore.export import export_page

        click.echo(export_page(library, folder, out, limit or LIMIT, counting("records written"), overwrite))
        return
    from clear_gen.explore.server import Server

    with Server(library, folder, port or 0) as server:
        try:
            click.echo(f"{folder}: {server.url} (Ctrl-C ends it)")
            if not no_browser and _has_display():
                click.launch(server.url)
            server.serve_forever()
        except KeyboardInterrupt:  # how one ends it
            click.echo()


def _has_display() -> bool:
    """Whether a browser can open a window; a terminal browser would replace this command's output."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


COMMANDS = (explore,)
