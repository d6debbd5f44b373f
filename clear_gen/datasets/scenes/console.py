"""What the dataset commands print: progress on stderr, results on stdout."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from clear_gen.core.pcm import encode_flac
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT, scene_files
from clear_gen.datasets.scenes.manifest import Settings, finished_settings, spec_of
from clear_gen.datasets.scenes.statistics import statistics, statistics_lines
from clear_gen.scenes.graph import graph_of_row
from clear_gen.scenes.render import render_pcm
from clear_gen.scenes.sampler import sample_scenes
from clear_gen.sounds.bank import Bank, resampled_bank
from clear_gen.store.build import Execution
from clear_gen.store.finish import is_finished
from clear_gen.store.layout import FILE_SCENES, DataFile, shard_of

PROBED_SCENES = 30
GRAPH_BYTES = 900  # of one scene's graph in a file, about


def summary(folder: Path) -> str:
    """Statistics of a finished dataset beside the published ones, and what to type next."""
    path = quote(str(folder))
    if not is_finished(folder):
        return f"{folder}: this shard is done, others are not; the last one, or clear-gen finish {path}, completes it"
    settings = finished_settings(folder)
    files = scene_files(settings.sizes)
    found = statistics(folder, files)
    size = sum((folder / file.name).stat().st_size for file in files)
    splits = ", ".join(f"{split} {count:,}" for split, count in found.scenes_of_split.items())
    lines = [
        f"{folder}: {splits} scenes; {found.audio_hours:.1f} h at {settings.sample_rate} Hz; {size / 1e6:,.0f} MB",
        "",
    ]
    lines += statistics_lines(settings.domain, found.ranges)
    counts = " ".join(f"{length}:{count}" for length, count in found.scenes_of_length.items())
    lines += [f"scenes of each length  {counts}", ""]
    if not settings.audio and not settings.imported:
        lines.append(f"next: clear-gen questions {path}, clear-gen render {path}")
    else:
        lines.append(f"next: clear-gen questions {path}, clear-gen show {path} --out scene.png")
    return "\n".join(lines)


def plan(settings: Settings, banks: dict[str, Bank], execution: Execution) -> str:
    """What a run would make, and how long it takes and how large it gets, from a few scenes rendered now."""
    splits = ", ".join(f"{split} {count:,}" for split, count in settings.sizes.items())
    first = f"{sum(settings.sizes.values()):,} scenes: {splits}"
    return "\n".join([first, *outlook(scene_files(settings.sizes), execution, *_probe(settings, banks))])


def outlook(
    files: Sequence[DataFile], execution: Execution, cpu_s: float, n_bytes: float, what: str = "scene"
) -> list[str]:
    """What a shard of some files takes, by the CPU seconds and the bytes of one ``what``, and which files it makes."""
    shard, workers = execution.shard, execution.workers
    mine = shard_of(files, shard.of, shard.index)
    n, n_mine = (sum(file.stop - file.first for file in some) for some in (files, mine))
    lines = [
        f"{len(files)} files of up to {FILE_SCENES:,} {what}s; this shard: {len(mine)} files, {n_mine:,} {what}s",
        f"time for this shard: about {_duration(n_mine * cpu_s / workers)} on {workers} workers "
        f"({cpu_s * 1e3:.1f} ms CPU a {what})",
        f"disk: about {n * n_bytes / 1e9:.2f} GB in all ({n_bytes / 1e3:,.0f} kB a {what})",
        "",
        *(f"{file.name}  {file.stop - file.first:,} {what}s" for file in mine[:20]),
    ]
    return [*lines, *([f"and {len(mine) - 20} more files"] if len(mine) > 20 else [])]


def _probe(settings: Settings, banks: dict[str, Bank]) -> tuple[float, float]:
    """(CPU seconds, bytes) of one scene."""
    split = next(split for split, size in settings.sizes.items() if size)
    bank = resampled_bank(banks[BANK_OF_SPLIT[split]], settings.sample_rate)
    spec = spec_of(settings)
    start = time.process_time()
    rows = sample_scenes(bank, settings.domain, spec, split, range(PROBED_SCENES)).to_pylist()
    if not settings.audio:
        return (time.process_time() - start) / PROBED_SCENES, GRAPH_BYTES
    size = sum(len(encode_flac(render_pcm(graph_of_row(row), bank)[0], settings.sample_rate)) for row in rows)
    return (time.process_time() - start) / PROBED_SCENES, GRAPH_BYTES + size / PROBED_SCENES


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
