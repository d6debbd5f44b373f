"""Progress on stderr while a command works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LOG_S = 30.0  # between two lines where stderr is no terminal
Advance = Callable[[int], None]
NotedAdvance = Callable[[int, str | None], None]


@contextmanager
def progress(left: int, total: int, what: str = "scenes") -> Iterator[Advance]:
    """A progress bar on stderr; yields a callback that takes the number of scenes (or ``what``) made.

    If stderr is not a terminal, prints a line every 30 seconds and the bar at the end.
    """
    with _bar(left, total, what, transient=False) as advance:
        yield lambda n: advance(n, None)


@contextmanager
def noted_progress(left: int, total: int, what: str, shown: bool = True) -> Iterator[NotedAdvance]:
    """Like ``progress``, for one of many stages: the bar disappears at the end, and the callback also takes a note.

    The note, such as a running loss, stays until the next; None leaves it. Nothing is printed unless ``shown``.
    """
    if not shown:
        yield lambda _n, _note: None
        return
    with _bar(left, total, what, transient=True) as advance:
        yield advance


@contextmanager
def _bar(left: int, total: int, what: str, transient: bool) -> Iterator[NotedAdvance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    columns += [TextColumn("{task.fields[note]}")] * transient
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=transient) as bar:
        task = bar.add_task(what, total=total, completed=total - left, note="")
        logged = time.monotonic()

        def advance(n: int, note: str | None) -> None:
            nonlocal logged
            bar.advance(task, n)
            if note is not None:
                bar.update(task, note=note)
            if not console.is_terminal and time.monotonic() - logged > LOG_S:
                logged = time.monotonic()
                console.print(_line(bar.tasks[0]), soft_wrap=True, highlight=False)

        yield advance


def _line(task: Any) -> str:
    """Progress of a task as a log line."""
    left = "" if task.time_remaining is None else f", {task.time_remaining:,.0f} s left"
    note = f", {task.fields['note']}" if task.fields["note"] else ""
    return f"{task.description}: {task.completed:,.0f} of {task.total:,.0f}{note}{left}"


@contextmanager
def silent(left: int, total: int) -> Iterator[Advance]:
    """Like ``progress``, but shows nothing."""
    yield lambda _: None
