"""One run at a time on each file of a dataset.

The lock is a record lock on bytes of ``.partial/lock``: the system releases it when the process ends, however it ends,
and network file systems carry it to other machines. Byte 0 stands for finishing, byte k + 1 for the k-th scene file.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clear_gen.core.errors import CheckFailed
from clear_gen.store.layout import PARTIAL

LOCK = "lock"
FINISHING = 0
NOT_SUPPORTED = (
    errno.ENOLCK,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
)  # some cluster file systems do not support locks; proceed without


@contextmanager
def at_work(folder: Path, files: Sequence[int] | None = None) -> Iterator[int]:
    """Lock the files of these numbers (all if None) and finishing; yields the handle for the functions below.

    Waits while another shard finishes the dataset. Raises CheckFailed if another run has locked one of the files.
    """
    path = folder / PARTIAL / LOCK
    places = [(1, 0)] if files is None else [(number + 1, 1) for number in files]
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not all(_lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, *place) for place in places):
                raise CheckFailed(f"{folder}: another run is at work in it; wait for its end, or stop it")
            wait_to_finish(descriptor)
            if os.fstat(
                descriptor
            ).st_nlink:  # else a finishing run removed the lock file meanwhile, so this lock excludes nobody
                yield descriptor
                return
        finally:
            os.close(descriptor)


def wait_to_finish(descriptor: int) -> None:
    """Acquire the lock for finishing, waiting until no other shard holds it."""
    _lock(descriptor, fcntl.LOCK_EX, FINISHING, 1)


def let_finish(descriptor: int) -> None:
    """Release the lock for finishing."""
    _lock(descriptor, fcntl.LOCK_UN, FINISHING, 1)


def _lock(descriptor: int, operation: int, start: int, length: int) -> bool:
    try:
        fcntl.lockf(descriptor, operation, length, start)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno not in NOT_SUPPORTED:
            raise
    return True
