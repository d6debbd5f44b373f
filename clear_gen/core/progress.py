"""Progress of long work on stderr: a bar on a terminal, elsewhere a line now and then, both in the same words.

Shown where this module's logger is enabled for INFO, as the command lines enable it (``clear_gen.cli.verbosity``); the
Python API is silent. Nothing is silent for long: the first line comes after FIRST_S, the next ones every LOG_S, also
while nothing is counted, so that a log tells slow work from work that hangs.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from clear_gen.core.text import duration

FIRST_S, LOG_S = 5.0, 30.0  # until the first line where stderr is no terminal, and between two lines
Advance = Callable[[int], None]
NotedAdvance = Callable[[int, str | None], None]
# (number of items left, of all items) -> context manager yielding a callback that takes the number of items done
Progress = Callable[[int, int], AbstractContextManager[Advance]]
Item = TypeVar("Item")
log = logging.getLogger(__name__)


@contextmanager
def progress(left: int, total: int, what: str) -> Iterator[Advance]:
    """Show how many of ``total`` items are done; yields a callback that takes the number of items done since.

    ``what``: the items, such as "scenes"; ``left``: those that are not done yet.
    """
    with noted_progress(left, total, what, stays=True) as advance:
        yield lambda n: advance(n, None)


def counting(what: str) -> Progress:
    """``progress`` of these items, for code that does not know what it counts."""
    return partial(progress, what=what)


def counted(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items one after the other, with progress while each is worked on."""
    with noted_progress(len(items), len(items), what) as advance:
        for item in items:
            yield item
            advance(1, None)


@contextmanager
def noted_progress(left: int, total: int, what: str, stays: bool = False) -> Iterator[NotedAdvance]:
    """Like ``progress``, for one of many stages: the bar disappears at the end, and the callback also takes a note.

    The note, such as a running loss, stays until the next; None leaves it. ``stays``: the bar stays, and
    a log gets a last line, also of what took no time.
    """
    count = _Count(what, total, total - left)
    log.debug("%s begins", count.so_far())
    with _bar(count, stays) if _on_terminal() else _lines(count.line) as draw:

        def advance(n: int, note: str | None) -> None:
            count.done += n
            count.note = count.note if note is None else note
            draw()

        yield advance
    if not _on_terminal():
        stays = stays or time.monotonic() - count.began > FIRST_S
        log.log(logging.INFO if stays else logging.DEBUG, "%s", count.line(ended=True))


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """Show what is being done while something takes seconds and there is nothing to count."""
    began = time.monotonic()
    log.debug("%s begins", doing)
    if _on_terminal():
        from rich.console import Console

        with _drawing(lambda: Console(stderr=True).status(doing)):
            yield
    else:
        with _lines(lambda: f"{doing}, {duration(time.monotonic() - began)}"):
            yield
    log.debug("%s took %s", doing, duration(time.monotonic() - began))


@contextmanager
def silent(left: int, total: int) -> Iterator[Advance]:
    """Like ``progress``, but shows nothing."""
    yield lambda _: None


def is_shown() -> bool:
    """Whether progress is shown at all."""
    return log.isEnabledFor(logging.INFO)


def hide() -> None:
    """Show none from now on, as in all processes but one that do the same work."""
    log.setLevel(logging.WARNING)


def _on_terminal() -> bool:
    return sys.stderr.isatty() and is_shown()


_drawn = threading.Lock()  # held while a bar or a spinner is drawn: a terminal has room for one


@contextmanager
def _drawing(live: Callable[[], AbstractContextManager[object]]) -> Iterator[object]:
    """Draw what ``live`` makes, or nothing, yielding None, while something else is drawn."""
    if not _drawn.acquire(blocking=False):
        yield None
        return
    try:
        with live() as drawn:
            yield drawn
    finally:
        _drawn.release()


@dataclass
class _Count:
    """How many of ``total`` items are done; ``began`` in seconds of the monotonic clock."""

    what: str
    total: int
    done: int
    note: str = ""
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._before = self.done

    def so_far(self) -> str:
        return f"{self.what} {self.done:,}/{self.total:,}"

    def line(self, ended: bool = False) -> str:
        """Such as "scenes 400/1,500, 12/s, 1 min 30 s left"."""
        took_s, n = time.monotonic() - self.began, self.done - self._before
        if ended:
            return f"{self.so_far()} in {duration(took_s)}"
        parts = [self.so_far()]
        if n and took_s:
            parts += [rate(n / took_s), f"{duration(took_s / n * (self.total - self.done))} left"]
        return ", ".join([*parts, *[self.note] * bool(self.note)])


def rate(per_s: float) -> str:
    """How many items a second, or, of slow ones, how long one takes.

    >>> rate(12.34), rate(0.25), rate(4321)
    ('12.3/s', '4 s each', '4,321/s')
    """
    if per_s < 1:
        return f"{duration(1 / per_s)} each"
    return f"{per_s:.3g}/s" if per_s < 1000 else f"{per_s:,.0f}/s"


@contextmanager
def _bar(count: _Count, stays: bool) -> Iterator[Callable[[], None]]:
    """A bar; yields a function that draws it again."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with _drawing(lambda: Bar(*columns, console=Console(stderr=True), transient=not stays)) as bar:
        if not isinstance(bar, Bar):
            yield lambda: None
            return
        task = bar.add_task(count.line(), total=count.total, completed=count.done)
        yield lambda: bar.update(task, completed=count.done, description=count.line())
        bar.update(task, description=count.line(ended=True))


@contextmanager
def _lines(line: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """Log a line now and then, until the work is done; yields a function that does nothing."""
    ended = threading.Event()

    def report() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # Ctrl-C is for those who work
        wait_s = FIRST_S
        while not ended.wait(wait_s):
            log.info("%s", line())
            wait_s = LOG_S

    thread = threading.Thread(target=report, daemon=True)
    if is_shown():
        thread.start()
    try:
        yield lambda: None
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
