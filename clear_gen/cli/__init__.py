"""The command line: one thin command per verb. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import sys

import click

from clear_gen import __version__
from clear_gen.cli import audit, banks, corpora, datasets, exploring, mixtures, publishing, questions
from clear_gen.cli.common import run_group
from clear_gen.cli.verbosity import with_verbosity


def main() -> None:
    """Entry point ``clear-gen``: run a command, turn every expected error into one line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; returns 0 done, 1 a check or a job failed, 2 wrong usage or input, 130 interrupted."""
    return run_group(cli, "clear-gen", arguments)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="clear-gen")
def cli() -> None:
    """Acoustic question answering datasets with exact labels.

    Elementary sounds become scenes, scenes become audio and questions. Start with:

    \b
        clear-gen scenes --n 100 --out clear2
        clear-gen questions clear2
        clear-gen show clear2 --out scene.png
    """


GROUPS = (datasets, questions, mixtures, exploring, publishing)
for command in (
    *(command for module in GROUPS for command in module.COMMANDS),
    audit.audit,
    banks.bank,
    corpora.corpus,
):
    cli.add_command(command)
with_verbosity(cli)
