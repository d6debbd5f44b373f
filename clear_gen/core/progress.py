"""Progress on stderr while a command works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(left: int, total: int, what: str = "scenes") -> Iterator[Advance]:
    """A progress bar on stderr; yields the function to call with the number of scenes, or ``what``, made."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, completed=total - left)
        yield lambda n: bar.advance(task, n)


Advance = Callable[[int], None]
