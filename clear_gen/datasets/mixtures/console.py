"""What the commands on datasets of mixtures print."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from clear_gen.datasets.mixtures.build import check_possible
from clear_gen.datasets.mixtures.finish import read_tables
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.datasets.mixtures.records import MixtureWork
from clear_gen.datasets.mixtures.source_tables import EVENTS, RESTRICTED
from clear_gen.datasets.mixtures.statistics import file_sizes, mixture_statistics, range_lines, snr_lines
from clear_gen.datasets.scenes.console import outlook
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.store.build import Shard
from clear_gen.store.finish import is_finished
from clear_gen.store.layout import Chunk
from clear_gen.store.manifest import stored_identity

PROBED_MIXTURES = 30


def mixture_summary(folder: Path) -> str:
    """Statistics of a finished dataset, what was measured of its SNRs, and what to type next."""
    path = quote(str(folder))
    if not is_finished(folder):
        return f"{folder}: this shard is done, others are not; the last one, or clear-gen finish {path}, completes it"
    settings = finished_mixtures(folder, stored_identity(folder))
    found, tables = mixture_statistics(folder, settings), read_tables(folder)
    mixtures, stems = file_sizes(folder, settings)
    folds = ", ".join(f"{split} {size:,}" for split, size in found.mixtures.items())
    labels = {label for _, label in found.events}
    sizes = f"{mixtures / 1e6:,.0f} MB" + (f", stems {stems / 1e6:,.0f} MB" if settings.stems else "")
    lines = [
        f"{folder}: {folds} mixtures of {len(labels)} labels; {found.hours:.1f} h at each SNR, "
        f"{settings.sample_rate} Hz; {sizes}",
        "",
        *range_lines(found),
        "",
        *snr_lines(found),
        "",
    ]
    if note := recipe_named(settings.spec.recipe).note:
        lines.append(f"note: {note}")
    if unverified := sum(row.verified is False for row in tables[EVENTS]):
        lines.append(f"note: {unverified:,} events are not verified by a person")
    if any(row.licence in RESTRICTED for rows in tables.values() for row in rows):
        lines.append("note: holds recordings whose licence forbids redistribution: its audio must not be published")
    lines.append(f"next: clear-gen validate {path}, clear-gen show {path} --out mixture.png")
    return "\n".join(lines)


def mixture_outlook(
    settings: MixtureSettings, events: Sequence[Event], backgrounds: Sequence[Background], shard: Shard, workers: int
) -> str:
    """What a run would make, and how long it takes and how large it gets, from a few mixtures made now.

    Raises InputError if they cannot be made of these recordings.
    """
    check_possible(settings, events, backgrounds)
    cpu_s, n_bytes = _probe(MixtureWork(settings, tuple(events), tuple(backgrounds)))
    folds = ", ".join(f"{split} {size:,}" for split, size in settings.sizes.items())
    files = [file for file in settings.files if file.config in settings.snr_of_config]
    first = f"{sum(settings.sizes.values()):,} mixtures at each SNR: {folds}; in {', '.join(settings.configs)}"
    return "\n".join([first, *outlook(files, shard, workers, cpu_s, n_bytes, "mixture")])


def _probe(work: MixtureWork) -> tuple[float, float]:
    """(CPU seconds, bytes) of one mixture, its stems included; those of the start, of imports, are left out."""
    work.start()
    n = min(PROBED_MIXTURES, work.settings.spec.n_per_fold)
    work.with_audio(Path(), None, Chunk("fold1", 0, 1, 0, work.settings.configs[0]))
    start = time.process_time()
    tables = [work.with_audio(Path(), None, Chunk("fold1", 0, n, 0, config)) for config in work.settings.configs]
    n_mixtures = n * len(work.settings.snr_of_config)
    return (time.process_time() - start) / n_mixtures, sum(table.nbytes for table in tables) / n_mixtures
