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


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Print warnings and progress on stderr while a command runs."""
    handler = _Stderr()
    before = {name: logging.getLogger(name).level for name in ("", *LOGGERS)}
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
    _set_level(logging.INFO)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(handler)


def _set_level(level: int) -> None:
    form = logging.Formatter("%(asctime)s %(message)s" if level == logging.DEBUG else "%(message)s")
    for logger in map(logging.getLogger, LOGGERS):
        logger.setLevel(level)
        for handler in logger.handlers:
            if isinstance(handler, _Stderr):
                handler.setFormatter(form)
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
