"""What can be wrong with the scenes of one chunk: the part of ``validate`` that runs in a worker process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import read_row_group
from clear_gen.core.pcm import decode_flac, encode_flac
from clear_gen.datasets.scenes.banks import bank_path
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT
from clear_gen.datasets.scenes.manifest import Settings, spec_of
from clear_gen.datasets.scenes.questions.files import Checker, QuestionsManifest
from clear_gen.questions.language.vocabulary import answers
from clear_gen.scenes.graph import SceneGraph, graph_of_row, scene_schema, tail_samples
from clear_gen.scenes.render import render_pcm
from clear_gen.scenes.sampler import SEED_BITS, sample_scenes
from clear_gen.sounds.bank import Bank, read_bank, resampled_bank
from clear_gen.store.checks import (
    PCM_BITS,
    SHOWN_VALUE,
    TOLERANCE_DB,
    Inspected,
    differences_of,
    flac_bits,
    wrong_audio,
)
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import Chunk, DataFile
from clear_gen.store.validate import Finding

MAX_DURATION_S = 3600  # of a scene; what claims more would take memory without end


@dataclass(frozen=True)
class Inspection:
    """What a worker must know: ``draws_again`` and ``renders_again`` which of the checks that make scenes again are
    possible, ``asked`` what ``clear.json`` says of the questions (None if there are none)."""

    folder: Path
    settings: Settings
    identity_sha256: str
    draws_again: bool
    renders_again: bool
    same_environment: bool
    asked: QuestionsManifest | None = None


class InspectionState:
    """A worker's state. ``bank(side)`` reads a bank once; ``checker``, ``answers``: what questions are checked with."""

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.bank = cache(partial(_bank, inspection))
        self.checker = Checker(inspection.settings.domain)
        self.answers = frozenset(answers(inspection.settings.domain))


def _bank(inspection: Inspection, side: str) -> Bank:
    return resampled_bank(read_bank(bank_path(inspection.folder, side)), inspection.settings.sample_rate)


def inspect_chunk(state: InspectionState, file: DataFile, chunk: Chunk, rendered_again: frozenset[int]) -> Inspected:
    """Check every scene of a chunk; those of the indices ``rendered_again`` are rendered and compared."""
    found, inspection = Inspected(), state.inspection
    settings, path = inspection.settings, inspection.folder / file.name
    try:
        table = read_row_group(check_file(path, file, inspection.identity_sha256), chunk.number, path)
    except InputError as error:
        found.findings.append(Finding("schema", chunk.name, str(error)))
        return found
    expected = scene_schema(settings.domain.attributes, settings.sample_rate, inspection.identity_sha256)
    if not table.schema.equals(expected, check_metadata=True):
        found.findings.append(Finding("schema", chunk.name, f"{path}: found other columns or metadata than expected"))
        return found
    rows = table.to_pylist()
    bank = state.bank(BANK_OF_SPLIT[chunk.split]) if inspection.renders_again else None
    for index, row in zip(range(chunk.first, chunk.stop), rows, strict=True):
        name = f"{chunk.split}-{index:06d}"
        found.counts["scenes"] += 1
        try:
            problems = list(_wrong_row(settings, row, name, chunk.split)) or list(_wrong_graph(settings, row, bank))
            found.findings += [Finding("graph", name, problem) for problem in problems]
            if not problems:
                _inspect_audio(inspection, row, bank if index in rendered_again else None, found)
        except Exception as error:  # whatever an altered scene can do to its reader, the others are looked at
            problem = f"cannot be looked at ({type(error).__name__}: {first_line(error)})"
            found.findings.append(Finding("graph", name, problem))
    if missing := found.without_audio:
        problem = f"no audio in {len(missing)} of the {len(rows)} scenes of its chunk, this one first"
        found.findings.append(Finding("audio", missing[0], problem))
    if inspection.draws_again and bank is not None:
        _draw_again(settings, table, rows, chunk, bank, found)
    return found


# --- graphs -----------------------------------------------------------------------------------------------------------


def _wrong_row(settings: Settings, row: dict[str, Any], name: str, split: str) -> Iterator[str]:
    fixed = {"scene_id": name, "split": split, "domain": settings.domain.name, "sample_rate": settings.sample_rate}
    for column, expected in fixed.items():
        if row[column] != expected:
            yield f"{column}: found {row[column]!r}, expected {expected!r}"
    empty = [column for column in ("n_samples", "n_samples_dry", "sounds") if not row[column]]
    if empty:
        yield f"{empty[0]}: found {row[empty[0]]!r}, expected more"
    for place, sound in enumerate(row["sounds"] or ()):
        for column in ("sound_id", "onset_sample", "n_samples", "gain_db", "duration_s"):
            if sound is None or sound[column] is None:
                yield f"sounds[{place}]: found no {column}"
                return


def _wrong_graph(settings: Settings, row: dict[str, Any], bank: Bank | None) -> Iterator[str]:
    graph = graph_of_row(row)
    if problems := list(_wrong_numbers(graph)):
        yield from problems
        return
    yield from _wrong_times(settings, graph)
    ids = [sound.sound_id for sound in graph.sounds]
    if len(set(ids)) < len(ids):
        yield f"sounds: found {next(name for name in ids if ids.count(name) > 1)} twice, expected once"
    for place, sound in enumerate(graph.sounds):
        for name, rule in settings.domain.attributes.items():
            value = sound.attributes[name]
            if value is not None and value not in rule.values:
                yield f"sounds[{place}].{name}: found {value!r}, expected a value of the domain"
        if bank is not None:
            yield from (f"sounds[{place}]{problem}" for problem in _differs_from_bank(settings, sound, bank))


def _wrong_times(settings: Settings, graph: SceneGraph) -> Iterator[str]:
    end = 0
    for place, sound in enumerate(graph.sounds):
        if sound.onset_sample < end:
            yield f"sounds[{place}].onset_sample: found {sound.onset_sample}, expected at least {end}"
        end = max(end, sound.onset_sample + sound.n_samples)
        duration_s = sound.n_samples / graph.sample_rate
        if sound.attributes["duration_s"] != duration_s:
            yield f"sounds[{place}].duration_s: found {sound.attributes['duration_s']}, expected {duration_s}"
    if graph.n_samples_dry < end:
        yield f"n_samples_dry: found {graph.n_samples_dry}, expected at least {end}"
    if not settings.imported:
        room, n_tail = graph.reverb, 0
        if room is not None:
            n_tail = int(tail_samples(room.rt60_s, room.pre_delay_s, graph.sample_rate))
        if graph.n_samples != graph.n_samples_dry + n_tail:
            yield f"n_samples: found {graph.n_samples}, expected {graph.n_samples_dry + n_tail}"


def _wrong_numbers(graph: SceneGraph) -> Iterator[str]:
    numbers = {f"sounds[{place}].gain_db": sound.gain_db for place, sound in enumerate(graph.sounds)}
    for part, content in (("reverb", graph.reverb), ("noise", graph.noise)):
        if content is not None:
            numbers |= {f"{part}.{name}": getattr(content, name) for name in content.__slots__}
    for name, value in numbers.items():
        if value is None or not math.isfinite(value):
            yield f"{name}: found {value}, expected a finite number"
        elif name.endswith("seed") and not 0 <= value < 1 << SEED_BITS:
            yield f"{name}: found {value}, expected 0 to 2^{SEED_BITS}"
    longest = MAX_DURATION_S * graph.sample_rate
    if not 0 < graph.n_samples_dry <= graph.n_samples <= longest:
        lengths = f"{graph.n_samples_dry} and {graph.n_samples}"
        yield f"n_samples_dry, n_samples: found {lengths}, expected 1 <= n_samples_dry <= n_samples <= {longest}"


def _differs_from_bank(settings: Settings, sound: Any, bank: Bank) -> Iterator[str]:
    recording = bank.by_id.get(sound.sound_id)
    if recording is None:
        yield f".sound_id: found {sound.sound_id!r}, expected a sound of the bank"
        return
    if sound.n_samples != len(recording.pcm):
        yield f".n_samples: found {sound.n_samples}, expected the bank's {len(recording.pcm)}"
    given_level = sound.gain_db != 0  # then a level of its own, with a label of its own
    rules = settings.domain.sampling.independent_levels
    for name, value in recording.attributes.items():
        if given_level and rules is not None and name == rules.attribute:
            continue
        if sound.attributes.get(name) != value:
            yield f".{name}: found {sound.attributes.get(name)!r}, expected the bank's {value!r}"


def _draw_again(
    settings: Settings, table: pa.Table, rows: list[dict[str, Any]], chunk: Chunk, bank: Bank, found: Inspected
) -> None:
    """Sample the chunk's graphs from the seed and compare."""
    spec = spec_of(settings)
    drawn = sample_scenes(bank, settings.domain, spec, chunk.split, range(chunk.first, chunk.stop))
    graph_columns = [name for name in drawn.column_names if name not in ("rendered", "audio")]
    if table.select(graph_columns).equals(drawn.select(graph_columns)):
        found.counts["drawn identical"] += table.num_rows
        return
    for row, expected in zip(rows, drawn.to_pylist(), strict=True):
        name = expected["scene_id"]
        differences = [list(differences_of(row[column], expected[column], column)) for column in graph_columns]
        flat = [difference for some in differences for difference in some]
        if real := [text for text, is_rounding in flat if not is_rounding]:
            found.counts["drawn different"] += 1
            found.findings.append(Finding("drawn again", name, "; ".join(real[:3]) + " …" * (len(real) > 3)))
        else:
            found.counts["drawn within rounding" if flat else "drawn identical"] += 1


# --- audio ------------------------------------------------------------------------------------------------------------


def _inspect_audio(inspection: Inspection, row: dict[str, Any], bank: Bank | None, found: Inspected) -> None:
    """Decode a scene's audio and compare its hash; with ``bank`` also render the scene and compare."""
    name = row["scene_id"]
    if not inspection.settings.audio:
        if row["audio"] is not None:
            found.findings.append(Finding("audio", name, "audio: found some, expected none"))
        return
    if inspection.settings.imported and row["audio"] is None and row["rendered"] is None:
        found.counts["without audio"] += 1  # as there are; how many, the identity says
        return
    if row["audio"] is None or row["audio"]["bytes"] is None or row["rendered"] is None:
        found.without_audio.append(name)
        return
    data, imported = row["audio"]["bytes"], inspection.settings.imported
    if not imported and row["audio"]["path"] != f"{name}.flac":
        shown = str(row["audio"]["path"])[:SHOWN_VALUE]
        found.findings.append(Finding("audio", name, f"audio.path: found {shown!r}, expected {name}.flac"))
    if data[:4] != b"fLaC" or not (imported or flac_bits(data) == PCM_BITS):
        found.findings.append(Finding("audio", name, f"audio: found another format, expected FLAC of {PCM_BITS} bit"))
        return
    try:
        pcm, rate = decode_flac(data, "audio")
    except InputError as error:
        found.findings.append(Finding("audio", name, str(error)))
        return
    found.counts["decoded"] += 1
    problems = list(wrong_audio(row, pcm, rate))
    found.findings += [Finding("audio", name, problem) for problem in problems]
    if bank is not None:
        _render_again(inspection, row, pcm, bank, found)


def _render_again(inspection: Inspection, row: dict[str, Any], pcm: np.ndarray, bank: Bank, found: Inspected) -> None:
    name = row["scene_id"]
    try:
        expected, rendered = render_pcm(graph_of_row(row), bank)
    except InputError as error:
        found.findings.append(Finding("rendered again", name, str(error)))
        return
    differs = np.abs(pcm.astype(np.int32) - expected) if len(pcm) == len(expected) else np.array([np.inf])
    worst = differs.max(initial=0)
    outcome = "identical" if worst == 0 else "within 1 LSB" if worst <= 1 else "different"
    found.counts[f"rendered {outcome}"] += 1
    exact = outcome == "identical" and inspection.same_environment
    if exact and encode_flac(expected, row["sample_rate"]) != row["audio"]["bytes"]:
        found.findings.append(Finding("rendered again", name, "audio: found other FLAC bytes for the same samples"))
    if outcome == "different":
        problem = f"{np.count_nonzero(differs > 1)} of {len(pcm)} samples differ, by up to {worst:.0f} steps of 16 bit"
        found.findings.append(Finding("rendered again", name, problem))
    for key in ("scale_db", "peak_dbfs"):
        value, again = row["rendered"][key], getattr(rendered, key)
        known = value is not None and again is not None
        tolerance = 0 if inspection.same_environment else TOLERANCE_DB
        if value != again and not (known and abs(value - again) < tolerance):
            found.findings.append(Finding("rendered again", name, f"rendered.{key}: found {value}, expected {again}"))
