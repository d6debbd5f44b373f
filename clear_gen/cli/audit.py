"""The command that audits questions."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from clear_gen.cli.common import OUT_FILE, cores
from clear_gen.cli.parameters import DATASET


@click.command()
@click.argument("folder", type=DATASET, metavar="DIR", default=Path("clear2"))
@click.option("--out", type=OUT_FILE, default=Path("audit.html"), show_default=True, help="Page to write, with plots.")
@click.option("--json", "json_path", type=OUT_FILE, help="JSON file to write, with every figure.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
def audit(folder: Path, out: Path, json_path: Path | None, workers: int | None) -> None:
    """Look for shortcuts in the questions of a dataset: balance, words and relations that do not matter, and what
    text-only baselines answer correctly. Prints tables, and writes a page.

    It reports and does not judge: the exit code is 0 whatever it finds.

    \b
    Example:
        clear-gen audit clear2 --json audit.json --out audit.html
    """
    from clear_gen.core.files import write_text
    from clear_gen.datasets.scenes.audit import console, page
    from clear_gen.datasets.scenes.audit import run as auditing

    found = auditing.audit(folder, workers or cores())
    page.write_page(found, out)
    if json_path is not None:
        write_text(json_path, found.as_json())
    click.echo("\n".join(console.lines(found)))
    click.echo(f"\nplots: {quote(str(out))}")


COMMANDS = (audit,)
