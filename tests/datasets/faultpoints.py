"""Faults on demand: a process that runs ``clear-gen`` dies, is interrupted or finds the disk full before a step.

A step is a call that changes what lies on the disk below one folder: mkdir, creating open, fsync, replace, unlink,
rmdir. ``arm`` counts them and strikes at the one that was chosen. ``serve`` runs many commands, each in a process of
its own that is forked from this one, so that no command waits for imports. Spawned workers get at their faults through
the variable ``CLEAR_FAULT`` and a ``sitecustomize`` that imports this module.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

STEPS = ("mkdir", "open", "fsync", "replace", "unlink", "rmdir")
POLL_S = 0.005
CAPABILITIES_VERSION = 0x20080522  # of the kernel's header struct
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # with which permissions do not bind root


def arm(fault: dict[str, Any]) -> None:
    """Strike at a step below ``folder``, or at ``decode``, a read of the decoder from memory.

    ``action``: kill, interrupt, full (ENOSPC), wait (until the file ``until`` is there) or nothing; ``number``: at
    which of the steps that match, from 1, or at each if 0; ``step``: the step's name if it matters;
    ``once``: a file that remembers over all processes that it happened; ``trace``: a file for every step's name.
    """
    count = 0

    def before(name: str, path: str | None = None) -> None:
        nonlocal count
        if fault.get("trace"):
            with open(fault["trace"], "a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        if fault.get("step", name) != name:
            return
        count += 1
        if fault.get("number", 0) in (0, count) and fault.get("action") and _first_time(fault.get("once")):
            _strike(fault, path)

    if fault.get("step") == "decode":
        _watch_decoding(before)
    for step in STEPS:
        setattr(os, step, _watched(step, getattr(os, step), os.path.realpath(fault["folder"]), before))


def _watched(
    step: str, original: Callable[..., Any], folder: str, before: Callable[[str, str | None], None]
) -> Callable[..., Any]:
    def call(target: Any, *arguments: Any, **options: Any) -> Any:
        nothing = (step == "mkdir" and os.path.isdir(target)) or (step == "open" and not arguments[0] & os.O_CREAT)
        if not nothing:
            place = arguments[0] if step == "replace" else target
            path = _path(place, options.get("dir_fd"))
            if path == folder or path.startswith(folder + "/"):
                before(
                    f"{step} {_steady(os.path.relpath(path, folder))}", None if step == "fsync" else os.fspath(target)
                )
        return original(target, *arguments, **options)

    return call


def _path(place: Any, dir_fd: int | None) -> str:
    if isinstance(place, int):
        return os.readlink(f"/proc/self/fd/{place}")
    base = os.readlink(f"/proc/self/fd/{dir_fd}") if dir_fd is not None else os.getcwd()
    return os.path.normpath(os.path.join(base, os.fsdecode(place)))


def _steady(path: str) -> str:
    """The same name in every run: temporary names hold a process id and random digits."""
    return re.sub(r"\.([^/]+)\.\d+-[0-9a-f]{8}\.tmp", r"\1~", path)


def _first_time(marker: str | None) -> bool:
    if marker is None:
        return True
    try:
        with open(marker, "x"):
            return True
    except FileExistsError:
        return False


def _strike(fault: dict[str, Any], path: str | None) -> None:
    if fault["action"] == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([path] if path else []))
    if fault["action"] == "wait":
        while not os.path.exists(fault["until"]):
            time.sleep(POLL_S)
        return
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}[fault["action"]])


def _watch_decoding(before: Callable[[str], None]) -> None:
    """libsndfile reads through callbacks into Python, in which an exception is lost."""
    import io

    import clear_gen.core.pcm

    class Watched(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            before("decode")
            return super().readinto(buffer)

        def read(self, *arguments: Any) -> bytes:
            before("decode")
            return super().read(*arguments)

    clear_gen.core.pcm.BytesIO = Watched  # type: ignore[misc]


def workers_of(parent: int) -> list[int]:
    """The worker processes of a run, without multiprocessing's own helper."""
    found = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if b"--multiprocessing-fork" in Path(f"/proc/{child}/cmdline").read_bytes():
            found.append(int(child))
    return found


# --- a process that forks one per command -----------------------------------------------------------------------------


def serve(program: str, *late: str) -> None:
    """Run the commands that come as JSON lines on standard input; answer with id, then [exit status, seconds].

    ``program``: the module whose ``run`` takes a command's arguments; ``late``: what its commands would import.
    """
    run = import_module(program).run
    for name in ("rich.progress", "scipy.fft", *late):
        import_module(name)
    with suppress(ImportError):
        import_module("pandas")  # as pyarrow does where it is installed
    for line in sys.stdin:
        request = json.loads(line)
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _run(run, request)
        print(json.dumps(pid), flush=True)
        status = _wait(pid, request)
        print(json.dumps([status, time.monotonic() - start]), flush=True)


def _wait(pid: int, request: dict[str, Any]) -> int:
    """The exit status, after the signals that were asked for: (seconds since start, number, to the whole group)."""
    start = time.monotonic()
    signals = sorted(request.get("signals", []))
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG if signals else 0)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - start >= signals[0][0]:
            _, number, group = signals.pop(0)
            (os.killpg if group else os.kill)(pid, number)
        else:
            time.sleep(POLL_S)


def _run(run: Callable[[list[str]], int], request: dict[str, Any]) -> NoReturn:
    code = 99
    try:
        os.setsid()
        for number, path in ((1, request["out"]), (2, request["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.environ |= request.get("environment", {})
        if request.get("file_bytes"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_bytes"],) * 2)
        if request.get("permissions_bind"):
            _let_permissions_bind()
        if request.get("fault"):
            arm(request["fault"])
        code = run(request["arguments"])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # the interpreter's end, and with it pytest's, belongs to the process that was forked


def _let_permissions_bind() -> None:
    """Give up the right of root to write where permissions forbid it."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low words, then high words
    libc.capget(header, sets)
    sets[0] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


if "CLEAR_FAULT" in os.environ:
    arm(json.loads(os.environ["CLEAR_FAULT"]))
