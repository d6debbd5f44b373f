"""Output of the commands on datasets of mixtures."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from clear_gen.core.hints import next_line
from clear_gen.datasets.mixtures.finish import read_tables
from clear_gen.datasets.mixtures.manifest import finished_mixtures
from clear_gen.datasets.mixtures.source_tables import EVENTS
from clear_gen.datasets.mixtures.statistics import (
    coverage_lines,
    file_sizes,
    mixture_statistics,
    range_lines,
    snr_lines,
)
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.corpora import RESTRICTED
from clear_gen.store.finish import is_finished
from clear_gen.store.manifest import stored_identity


def mixture_summary(folder: Path) -> str:
    """Statistics of a finished dataset, its measured SNRs, and the next command to run."""
    path = quote(str(folder))
    if not is_finished(folder):
        return f"{folder}: this shard is done, others are not; the last one, or clear-gen finish {path}, completes it"
    settings = finished_mixtures(folder, stored_identity(folder))
    found, tables = mixture_statistics(folder, settings), read_tables(folder)
    mixtures, stems = file_sizes(folder, settings)
    folds = ", ".join(f"{split} {size:,}" for split, size in found.mixtures.items())
    labels = {row.label for row in tables[EVENTS] if row.label is not None}
    sizes = f"{mixtures / 1e6:,.0f} MB" + (f", stems {stems / 1e6:,.0f} MB" if settings.stems else "")
    lines = [
        f"{folder}: {folds} mixtures of {len(labels)} labels; {found.hours:.1f} h at each SNR, "
        f"{settings.sample_rate} Hz; {sizes}",
        "",
        *coverage_lines(found.recordings, settings.sizes, labels),
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
    lines.append(next_line("clear-gen validate", folder))
    lines.append(next_line("clear-gen show", folder, "--out", "mixture.png"))
    return "\n".join(lines)
