"""What the dataset commands print: progress on stderr, results on stdout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from clear_gen.audio.render import render_pcm
from clear_gen.dataset.build import Shard
from clear_gen.dataset.finish import finished_settings, is_finished
from clear_gen.dataset.generate import Advance
from clear_gen.dataset.identity import Settings, spec_of
from clear_gen.dataset.layout import BANK_OF_SPLIT, CHUNK_SCENES, scene_files, shard_of
from clear_gen.dataset.statistics import statistics, statistics_lines
from clear_gen.io import encode_flac
from clear_gen.scenes.graph import graph_of_row
from clear_gen.scenes.sampler import sample_scenes
from clear_gen.sounds.bank import Bank, resampled_bank

PROBED_SCENES = 30
GRAPH_BYTES = 900  # of one scene's graph in a file, about


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


def plan(settings: Settings, banks: dict[str, Bank], shard: Shard, workers: int) -> str:
    """What a run would make, and how long it takes and how large it gets, from a few scenes rendered now."""
    files = scene_files(settings.sizes)
    mine = shard_of(files, shard.of, shard.index)
    n, n_mine = sum(settings.sizes.values()), sum(file.stop - file.first for file in mine)
    cpu_s, size = _probe(settings, banks)
    splits = ", ".join(f"{split} {count:,}" for split, count in settings.sizes.items())
    lines = [
        f"{n:,} scenes: {splits}",
        f"{len(files)} files of up to {CHUNK_SCENES * 12:,} scenes; this shard: {len(mine)} files, {n_mine:,} scenes",
        f"time for this shard: about {_duration(n_mine * cpu_s / workers)} on {workers} workers "
        f"({cpu_s * 1e3:.1f} ms CPU a scene)",
        f"disk: about {n * size / 1e9:.2f} GB in all ({size / 1e3:,.0f} kB a scene)",
        "",
        *(f"{file.name}  {file.stop - file.first:,} scenes" for file in mine[:20]),
    ]
    if len(mine) > 20:
        lines.append(f"and {len(mine) - 20} more files")
    return "\n".join(lines)


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
