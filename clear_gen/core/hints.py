"""The next command to run, as commands print it at their end; ``tests/cli/test_hints.py`` runs each as printed."""

from __future__ import annotations

import shlex
from pathlib import Path

COMMANDS = (
    "clear-gen audit",
    "clear-gen bank verify",
    "clear-gen questions",
    "clear-gen render",
    "clear-gen show",
    "clear-gen validate",
    "clear-bench evaluate",
)


def next_line(command: str, *words: str | Path) -> str:
    """The line that names the next command: one of ``COMMANDS``, with its arguments and options.

    >>> next_line("clear-gen audit", Path("my data"))
    "next: clear-gen audit 'my data'"
    """
    assert command in COMMANDS, command
    return f"next: {command} {shlex.join(map(str, words))}"
