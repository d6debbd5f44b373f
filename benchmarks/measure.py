"""Run one `clear-gen` command in a process of its own and say what it cost (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click

POLL_S = 0.02


def run_cli(arguments: list[str]) -> tuple[float, float]:
    """(CPU seconds of the command and its workers, peak memory in MB of the largest of these processes)."""
    command = [sys.executable, "-m", "clear_gen", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks: dict[int, float] = {}
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    while pid == 0:
        _note_peaks(process.pid, peaks)
        time.sleep(POLL_S)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if status:
        raise click.ClickException(f"clear-gen {' '.join(arguments)} failed with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, max(peaks.values())


def _note_peaks(parent: int, peaks: dict[int, float]) -> None:
    """Note the peak memory of a process and its children. wait4's own figure begins with what this process used."""
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue  # it ended while we looked
        pid = int(fields["Pid"])
        if parent in (pid, int(fields["PPid"])) and "VmHWM" in fields:
            peaks[pid] = int(fields["VmHWM"].split()[0]) / 1024
