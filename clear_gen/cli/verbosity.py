"""What commands print besides their results: ``--quiet``, ``--verbose``, and where the log goes.

The log is Python's own. As they are, commands show warnings and progress (INFO); ``--quiet`` leaves errors alone,
``--verbose`` adds every step and file (DEBUG) and the time of day. The Python API leaves logging to its user.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from click import Context, Parameter

LOGGERS = ("clear_gen", "baselines")
LEVELS = {"quiet": logging.ERROR, "verbose": logging.DEBUG}


class _Stderr(logging.Handler):
    """Prints records to what stderr is at the time: a progress bar replaces it while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


_STDERR = _Stderr()


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Print warnings and progress on stderr while a command runs, also one that another command runs."""
    loggers = [logging.getLogger(name) for name in ("", *LOGGERS)]
    before = [(logger, logger.level, _STDERR in logger.handlers) for logger in loggers]
    for logger in loggers[1:]:
        logger.addHandler(_STDERR)
    _set_level(logging.INFO)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger, level, had_it in before:
            logger.setLevel(level)
            if not had_it:
                logger.removeHandler(_STDERR)


def _set_level(level: int) -> None:
    _STDERR.setFormatter(logging.Formatter("%(asctime)s %(message)s" if level == logging.DEBUG else "%(message)s"))
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)
    if level > logging.WARNING:  # of other packages neither
        logging.getLogger().setLevel(level)
        logging.captureWarnings(True)


def _choose(context: Context, parameter: Parameter, chosen: bool) -> None:
    if not chosen:
        return
    name = str(parameter.name)
    if context.meta.setdefault(__name__, name) != name:
        raise click.UsageError("--verbose: found with --quiet, expected one of them")
    _set_level(LEVELS[name])


OPTIONS = (
    click.Option(
        ["--quiet", "-q"], is_flag=True, expose_value=False, callback=_choose, help="Print results and errors only."
    ),
    click.Option(
        ["--verbose", "-v"], is_flag=True, expose_value=False, callback=_choose, help="Print every step, with the time."
    ),
)


def with_verbosity(command: click.Command) -> None:
    """Give a command, or a group and every command in it, the options ``--quiet`` and ``--verbose``."""
    command.params += OPTIONS
    if isinstance(command, click.Group):
        for one in command.commands.values():
            with_verbosity(one)
