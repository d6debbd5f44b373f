"""Estimates the files, duration and size of a run of ``clear-gen mix``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.datasets.mixtures.records import MixtureMaker
from clear_gen.datasets.mixtures.statistics import coverage_lines
from clear_gen.mixtures.plan import assign_folds
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.store.build import Execution
from clear_gen.store.layout import Chunk
from clear_gen.store.outlook import outlook

PROBED_MIXTURES = 30


def mixture_outlook(
    settings: MixtureSettings, events: Sequence[Event], backgrounds: Sequence[Background], execution: Execution
) -> str:
    """Estimate a run's files, duration and size from a few mixtures made now, which have been planned."""
    assignments = assign_folds(events, backgrounds, settings.spec)
    used = {(one.fold, event.label, event.source_id) for one in assignments for some in one.events for event in some}
    recordings = Counter((f"fold{fold}", label) for fold, label, _ in used)
    coverage = coverage_lines(recordings, settings.sizes, {event.label for event in events})
    cpu_s, n_bytes = _probe(MixtureMaker(settings, tuple(events), tuple(backgrounds)))
    folds = ", ".join(f"{split} {size:,}" for split, size in settings.sizes.items())
    files = [file for file in settings.files if file.config in settings.snr_of_config]
    first = f"{sum(settings.sizes.values()):,} mixtures at each SNR: {folds}; in {', '.join(settings.configs)}"
    return "\n".join([first, *coverage, *outlook(files, execution, cpu_s, n_bytes, "mixture")])


def _probe(maker: MixtureMaker) -> tuple[float, float]:
    """(CPU seconds, bytes) of one mixture, its stems included; those of the start, of imports, are left out."""
    maker.start()
    n = min(PROBED_MIXTURES, maker.settings.spec.n_per_fold)
    maker.with_audio(Path(), None, Chunk("fold1", 0, 1, 0, maker.settings.configs[0]))
    start = time.process_time()
    tables = [maker.with_audio(Path(), None, Chunk("fold1", 0, n, 0, config)) for config in maker.settings.configs]
    n_mixtures = n * len(maker.settings.snr_of_config)
    return (time.process_time() - start) / n_mixtures, sum(table.nbytes for table in tables) / n_mixtures
