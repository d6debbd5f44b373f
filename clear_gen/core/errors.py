"""Errors that end a command with a one-line message."""

from __future__ import annotations


class InputError(Exception):
    """Invalid external input: a file, a field or an option. Exit code 2.

    The message is one line that names file, field, found and expected.
    """


class CheckFailed(Exception):
    """A check or a job failed. Exit code 1."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
