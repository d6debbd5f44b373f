"""Workers on a Ray cluster, whose nodes share the dataset's folder.

A chunk whose process or node is lost is tried again by the rules of ``workers.Pool``, on whatever node has room.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import lru_cache
from typing import Any, Self

from clear_gen import __version__
from clear_gen.core.errors import CheckFailed, InputError, first_line
from clear_gen.core.extras import how_to_install
from clear_gen.store.layout import PARTIAL
from clear_gen.store.workers import Call, Initialise, after_death, attempt

try:
    import ray
except ImportError:  # ``connected`` says so
    ray = None

REACH_S = 5
DEATHS = {
    "LocalRayletDiedError": "its node was lost",
    "NodeDiedError": "its node was lost",
    "OutOfMemoryError": "out of memory",
    "WorkerCrashedError": "killed",
}


@contextmanager
def connected(address: str | None) -> Iterator[int]:
    """Be connected to the cluster at ``address``; yields its number of processors.

    None: the cluster that ``RAY_ADDRESS`` names or that runs on this machine, else one started here for the while.
    Ray prints what happens in the cluster: that goes to stderr. Raises InputError if Ray or the cluster is not there.
    """
    if ray is None:
        raise InputError(f"--engine ray: needs Ray: {how_to_install('ray')}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster started here tells nobody
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:  # OverflowError: no such port
        raise InputError(
            f"--address: found {address or 'none'}, expected a running Ray cluster: {first_line(error)}"
        ) from None
    try:
        with redirect_stdout(sys.stderr):
            yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Raise OSError if nobody listens at HOST:PORT, which Ray tries for minutes to find out."""
    host, _, port = (address or "").rpartition(":")
    if port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), REACH_S).close()


class RayPool:
    """See ``workers.CallPool``: at most ``n`` tasks at a time, each wherever the connected cluster has room.

    Leaving the ``with`` block takes back the tasks that no process has begun and lets the others end.
    """

    def __init__(self, n: int, initialise: Initialise, argument: Any) -> None:
        self._n = n
        self._call = ray.remote(max_retries=0)(_call)
        self._how = ray.put((__version__, os.getcwd(), initialise, argument))
        self._queue: deque[Call] = deque()
        self._busy: dict[Any, Call] = {}
        self._deaths: Counter[Call] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._busy:
            ray.cancel(reference)
        if self._busy:
            ray.wait(list(self._busy), num_returns=len(self._busy))

    def submit(self, task: Call) -> None:
        """See ``workers.CallPool``."""
        self._queue.append(task)

    def results(self) -> Iterator[tuple[Call, Any]]:
        """See ``workers.CallPool``."""
        while self._queue or self._busy:
            while self._queue and len(self._busy) < self._n:
                task = self._queue.popleft()
                call = self._call.options(name=task.name)  # what Ray calls it, in its dashboard and in ps
                self._busy[call.remote([self._how], task.function, task.arguments)] = task
            for reference in ray.wait(list(self._busy))[0]:
                yield from self._outcome(self._busy.pop(reference), reference)

    def _outcome(self, task: Call, reference: Any) -> Iterator[tuple[Call, Any]]:
        try:
            done, result = ray.get(reference)
            if not done:
                raise result
        except ray.exceptions.RayError as error:
            how = DEATHS.get(type(error).__name__)
            if how is None:
                raise CheckFailed(f"{task.name}: Ray failed: {str(error).strip().splitlines()[-1]}") from None
            yield from after_death(task, how, self._deaths, self._queue)
            return
        yield task, result


# --- in a worker ------------------------------------------------------------------------------------------------------


def _call(how: list[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Run a task, in a process that may have served other pools before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a task that is under way when it is taken back ends
    initialised, state = attempt(_state, how[0])
    return attempt(function, state, *arguments) if initialised else (False, state)


@lru_cache(maxsize=1)  # a process serves one pool after the other: each has its own ``how``
def _state(how: Any) -> Any:
    """This process's state for the pool whose version, directory, initialise and argument ``how`` refers to.

    Raises InputError if this node has another version of clear-gen or lacks the dataset's folder.
    """
    version, directory, initialise, argument = ray.get(how)
    host = socket.gethostname()
    if version != __version__:
        raise InputError(f"{host}: found clear-gen {__version__}, expected {version} as where the command was given")
    with suppress(OSError):  # without it relative paths are not found, which is said next
        os.chdir(directory)
    if not (argument.folder / PARTIAL).is_dir():
        raise InputError(f"{argument.folder}: not found on {host}, expected a folder that all nodes share")
    return initialise(argument)
