"""Worker processes: each is handed one call at a time, so a crash identifies its call.

A worker's state is what ``initialise(argument)`` returns when the worker starts. Every call gets it as its first
argument, so that nothing is global and nothing survives from an earlier job.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, Self

from clear_gen.core.errors import CheckFailed

TRIES = 2  # a call whose worker died is tried once more: the machine may have been short of memory for a moment

log = logging.getLogger(__name__)
PACKAGE_LOG = logging.getLogger("clear_gen")


@dataclass(frozen=True)
class Call:
    """A call for a worker: ``function(state, *arguments)``. ``name`` is what messages call it."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Died:
    """What there is instead of a result when the worker died at every try; ``how`` in words."""

    how: str

    def of(self, call: Call) -> str:
        """The call and how its worker died, for a message."""
        return f"{call.name} (its worker died {TRIES} times, {self.how})"


class CallPool(Protocol):
    """What makes datasets needs of workers, whether they are the processes of ``Pool`` or elsewhere."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def submit(self, call: Call) -> None:
        """Put a call at the end of the queue."""

    def results(self) -> Iterator[tuple[Call, Any]]:
        """Tasks with their results as they end, until none is left; more may be submitted meanwhile.

        An exception in a worker is raised here; a call whose worker died ``TRIES`` times has the result ``Died``.
        """


Initialise = Callable[[Any], Any]  # argument -> the worker's state
Engine = Callable[[int, Initialise, Any], CallPool]  # n, initialise, argument, as of ``Pool``


def attempt(function: Callable[..., Any], *arguments: Any) -> tuple[bool, Any]:
    """(True, what a function returns), or (False, the exception it raised)."""
    try:
        return True, function(*arguments)
    except Exception as error:
        error.add_note(traceback.format_exc())  # shown only if nobody expected it
        return False, error


def after_death(call: Call, how: str, deaths: Counter[Call], queue: deque[Call]) -> Iterator[tuple[Call, Died]]:
    """Put a call whose worker died in front of the queue, or, the ``TRIES``-th time, give it up with its result."""
    deaths[call] += 1
    if deaths[call] < TRIES:
        log.warning("%s: its worker died (%s); trying once more", call.name, how)
        queue.appendleft(call)
    else:
        yield call, Died(how)


def run_calls(
    calls: Sequence[Call],
    n: int,
    engine: Engine,
    initialise: Initialise,
    argument: Any,
    done: Callable[[Call, Any], None] = lambda *_: None,
) -> dict[Call, Any]:
    """The results of calls, from at most ``n`` workers, or from this process if one is enough.

    ``done`` is called with each call and its result as it arrives. Raises what a call raised; a call whose worker died
    ``TRIES`` times has the result ``Died``.
    """
    results = {}
    if len(calls) <= 1 or (n == 1 and engine is Pool):
        state = initialise(argument)
        for call in calls:
            results[call] = call.function(state, *call.arguments)
            done(call, results[call])
        return results
    with engine(min(n, len(calls)), initialise, argument) as pool:
        for call in calls:
            pool.submit(call)
        for call, result in pool.results():
            results[call] = result
            done(call, result)
    return results


def not_made(lost: Sequence[str]) -> CheckFailed:
    """The error for calls whose workers died."""
    shown = f"{'; '.join(lost[:5])}{' …' * (len(lost) > 5)}"
    return CheckFailed(f"{len(lost)} not made: {shown}; the rest is written: run again to go on")


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    call: Call


class Pool:
    """At most ``n`` processes, started when there is work, each with ``initialise(argument)`` as its state.

    Leaving the ``with`` block lets every worker end the call that it has, so that nothing is left half written.
    """

    def __init__(self, n: int, initialise: Initialise, argument: Any) -> None:
        self._n, self._initialise, self._argument = n, initialise, argument
        self._context = multiprocessing.get_context("spawn")
        self._queue: deque[Call] = deque()
        self._busy: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._deaths: Counter[Call] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self._idle, *self._busy):
            worker.connection.close()
        for worker in (*self._idle, *self._busy):
            worker.process.join()

    def submit(self, call: Call) -> None:
        """Put a call at the end of the queue."""
        self._queue.append(call)

    def results(self) -> Iterator[tuple[Call, Any]]:
        """See ``CallPool``."""
        while self._queue or self._busy:
            while self._queue and len(self._busy) < self._n:
                self._hand_out(self._queue.popleft())
            ready = wait([worker.connection for worker in self._busy])
            for worker in [worker for worker in self._busy if worker.connection in ready]:
                self._busy.remove(worker)
                yield from self._outcome(worker)

    def _hand_out(self, call: Call) -> None:
        if self._idle:
            worker = self._idle.pop()
            worker.call = call
        else:
            ours, theirs = self._context.Pipe()
            arguments = theirs, self._initialise, self._argument, PACKAGE_LOG.getEffectiveLevel()
            process = self._context.Process(target=_work, args=arguments, daemon=True)
            with _interrupt_blocked():  # until the worker ignores it
                process.start()
            theirs.close()  # so that the end of the process is the end of the connection
            worker = _Worker(process, ours, call)
        self._busy.append(worker)
        with suppress(OSError):  # it died while idle: reading from it will tell
            worker.connection.send((call.function, call.arguments))

    def _outcome(self, worker: _Worker) -> Iterator[tuple[Call, Any]]:
        try:
            done, result = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._after_death(worker)
            return
        self._idle.append(worker)
        if not done:
            raise result
        yield worker.call, result

    def _after_death(self, worker: _Worker) -> Iterator[tuple[Call, Any]]:
        worker.connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}, out of memory?" if code < 0 else f"exit code {code}"
        yield from after_death(worker.call, how, self._deaths, self._queue)


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Ctrl-C reaches neither this thread nor the processes that it starts; afterwards it reaches this thread."""
    resource_tracker.ensure_running()  # as it starts, it lets Ctrl-C through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, initialise: Initialise, argument: Any, log_level: int) -> None:
    PACKAGE_LOG.setLevel(log_level)  # a command that is quiet has quiet workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent lets its workers end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    initialised, state = False, None
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        if not initialised:
            initialised, state = attempt(initialise, argument)
        answer = attempt(function, state, *arguments) if initialised else (False, state)
        try:
            connection.send(answer)
        except OSError:
            return  # the parent stopped listening
        except Exception as error:  # a result that cannot be sent is no death
            connection.send((False, RuntimeError(f"{answer[1]!r} cannot be sent: {error}")))


def _end_with_parent() -> None:
    """End this process at once when its parent is gone: nobody is left to give it work."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
