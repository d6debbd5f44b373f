"""Estimates of a run's duration and size."""

from __future__ import annotations

from collections.abc import Sequence

from clear_gen.store.build import Execution
from clear_gen.store.layout import FILE_RECORDS, DataFile, shard_of


def outlook(
    files: Sequence[DataFile], execution: Execution, cpu_s: float, n_bytes: float, what: str = "scene"
) -> list[str]:
    """Describe a shard's files and its estimated time and size, from the CPU seconds and bytes of one ``what``."""
    shard, workers = execution.shard, execution.workers
    mine = shard_of(files, shard.of, shard.index)
    n, n_mine = (sum(file.stop - file.first for file in some) for some in (files, mine))
    lines = [
        f"{len(files)} files of up to {FILE_RECORDS:,} {what}s; this shard: {len(mine)} files, {n_mine:,} {what}s",
        f"time for this shard: about {_duration(n_mine * cpu_s / workers)} on {workers} workers "
        f"({cpu_s * 1e3:.1f} ms CPU a {what})",
        f"disk: about {n * n_bytes / 1e9:.2f} GB in all ({n_bytes / 1e3:,.0f} kB a {what})",
        "",
        *(f"{file.name}  {file.stop - file.first:,} {what}s" for file in mine[:20]),
    ]
    return [*lines, *([f"and {len(mine) - 20} more files"] if len(mine) > 20 else [])]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
