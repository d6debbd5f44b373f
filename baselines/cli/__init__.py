"""The command line ``clear-bench``: one thin command per verb. What is slow to import is imported by its command."""

from __future__ import annotations

import sys

import click

from baselines.cli import models, predicting, publishing, scoring, training
from clear_gen import __version__
from clear_gen.cli.common import run_group
from clear_gen.cli.verbosity import with_verbosity


def main() -> None:
    """Entry point ``clear-bench``: run a command, turn every expected error into one line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; returns 0 done, 1 a check or a job failed, 2 wrong usage or input, 130 interrupted."""
    return run_group(cli, "clear-bench", arguments)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="clear-bench")
def cli() -> None:
    """Reference models for acoustic question answering, and scores per question type.

    \b
        clear-bench train clear2 --model naaqa-parallel-optimized --out run
        clear-bench evaluate run
        clear-bench evaluate --predictions mine.jsonl --data clear2
    """


for command in (*models.COMMANDS, *training.COMMANDS, *scoring.COMMANDS, *predicting.COMMANDS, *publishing.COMMANDS):
    cli.add_command(command)
with_verbosity(cli)
