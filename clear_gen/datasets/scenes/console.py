"""Output of the dataset commands: progress on stderr, results on stdout."""

from __future__ import annotations

import time
from pathlib import Path
from shlex import quote

from clear_gen.core.hints import next_line
from clear_gen.core.pcm import encode_flac
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT, QUESTIONS, scene_files
from clear_gen.datasets.scenes.manifest import Settings, finished_settings, spec_of
from clear_gen.datasets.scenes.statistics import statistics, statistics_lines
from clear_gen.questions.templates.collection import has_templates
from clear_gen.scenes.graph import graph_of_row
from clear_gen.scenes.render import render_pcm
from clear_gen.scenes.sampler import sample_scenes
from clear_gen.sounds.bank import Bank, resampled_bank
from clear_gen.store.build import Execution
from clear_gen.store.finish import is_finished
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import read_provenance
from clear_gen.store.outlook import outlook

PROBED_SCENES = 30
GRAPH_BYTES = 900  # of one scene's graph in a file, about


def summary(folder: Path, domain_folder: str | None = None) -> str:
    """Statistics of a finished dataset next to the published ones, and the next commands to run.

    ``domain_folder``: the folder of the domain, if the command was given it.
    """
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
    return "\n".join([*lines, *_next_lines(folder, settings, domain_folder)])


def _next_lines(folder: Path, settings: Settings, domain_folder: str | None) -> list[str]:
    lines = []
    named = [["--domain", domain_folder]] if domain_folder else []
    has_questions = QUESTIONS in read_provenance(folder / IDENTITY)
    for option in [] if has_questions else [[], *named]:
        if has_templates(settings.domain, *option[1:]):
            lines = [next_line("clear-gen questions", folder, *option)]
    if settings.audio:
        return [*lines, next_line("clear-gen show", folder, "--out", "scene.png")]
    return lines if settings.imported else [*lines, next_line("clear-gen render", folder)]


def plan(settings: Settings, banks: dict[str, Bank], execution: Execution) -> str:
    """Estimate a run's files, duration and size from a few scenes rendered now."""
    splits = ", ".join(f"{split} {count:,}" for split, count in settings.sizes.items())
    first = f"{sum(settings.sizes.values()):,} scenes: {splits}"
    return "\n".join([first, *outlook(scene_files(settings.sizes), execution, *_probe(settings, banks))])


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
