"""The command line: one thin command per verb. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import os
import sys

import click

from clear_gen import __version__
from clear_gen.cli import audit, banks, datasets, questions

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Entry point ``clear-gen``: run a command, turn every expected error into one line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; returns 0 done, 1 a check or a job failed, 2 wrong usage or input, 130 interrupted."""
    try:
        cli.main(arguments, prog_name="clear-gen", standalone_mode=False)
        return DONE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to go on", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains as it exits
        return DONE
    except Exception as error:
        return _expected(error)


def _expected(error: Exception) -> int:
    from clear_gen.io import CheckFailed, InputError

    if not isinstance(error, InputError | CheckFailed | OSError):
        raise error
    message = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{os.fsdecode(error.filename)}: {error.strerror}"
    click.echo(f"clear-gen: {' '.join(message.split())}", err=True)
    return WRONG_INPUT if isinstance(error, InputError) else FAILED


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


for command in (*datasets.COMMANDS, *questions.COMMANDS, audit.audit, banks.bank):
    cli.add_command(command)
