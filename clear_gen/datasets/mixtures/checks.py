"""What can be wrong with the mixtures of one chunk: the part of ``validate`` that runs in a worker process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import read_row_group
from clear_gen.core.pcm import PCM24_STEPS, decode_flac, encode_flac, from_pcm24, sha256_pcm, to_pcm16
from clear_gen.datasets.mixtures.layout import stems_config
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.datasets.mixtures.records import (
    STEM_BITS,
    STEM_COLUMNS,
    MixtureMaker,
    fold_number,
    mixture_file,
    stem_file,
    stems_schema,
)
from clear_gen.datasets.mixtures.source_tables import BACKGROUNDS, EVENTS, SourceRow
from clear_gen.dsp.levels import level_db
from clear_gen.mixtures.graph import MixtureGraph, mixture_of_row, mixture_schema, row_of_mixture
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.spec import samples_of
from clear_gen.store.checks import PCM_BITS, Inspected, differences_of, flac_bits, wrong_audio
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import Chunk, DataFile
from clear_gen.store.validate import Finding

TOLERANCE_DB = 0.05
STEP = 1 / 32767  # of PCM 16
SAMPLE_ERROR = 1e-3  # of a sample: by how much a time may miss the grid
GRAPH_COLUMNS = [name for name in mixture_schema(1).names if name not in ("rendered", "audio")]


@dataclass(frozen=True)
class MixtureInspection:
    """What a worker must know. ``sources``: the rows of each table by id; ``maker``: what makes mixtures again, if
    anything; ``draws_again``: whether it also draws them as the same version of this package did."""

    folder: Path
    settings: MixtureSettings
    identity_sha256: str
    sources: dict[str, dict[str, SourceRow]]
    maker: MixtureMaker | None
    draws_again: bool
    same_environment: bool


@dataclass
class InspectedMixtures(Inspected):
    """``used``: (kind of source, its id, fold) of every recording that is heard."""

    used: set[tuple[str, str, str]] = field(default_factory=set)


def start(inspection: MixtureInspection) -> MixtureInspection:
    """Runs once per worker: prepares the worker's copy of the inspection, which is its state."""
    if inspection.maker is not None:
        inspection.maker.start()
    return inspection


def inspect_mixtures(
    inspection: MixtureInspection, file: DataFile, chunk: Chunk, again: frozenset[int], stems: DataFile | None
) -> InspectedMixtures:
    """Check every mixture of a chunk, and its stems; those of the indices ``again`` are made again and compared."""
    found = InspectedMixtures()
    rows = _rows(inspection, file, chunk, found)
    apart = None if stems is None else _rows(inspection, stems, chunk, found)
    for place, row in enumerate(rows or ()):
        name = f"{chunk.split}-{chunk.first + place:06d}"
        found.counts["mixtures"] += 1
        try:
            problems = list(_wrong_row(inspection.settings, row, name, chunk))
            found.findings += [Finding("graph", _at(chunk, name), problem) for problem in problems]
            if not problems:
                _note_used(row, chunk, found)
                _inspect_one(
                    inspection, row, chunk, apart[place] if apart else None, chunk.first + place in again, found
                )
        except Exception as error:  # whatever an altered record can do to its reader, the others are looked at
            problem = f"cannot be looked at ({type(error).__name__}: {first_line(error)})"
            found.findings.append(Finding("graph", _at(chunk, name), problem))
    return found


def _at(chunk: Chunk, name: str) -> str:
    return f"{chunk.config} {name}"


def _rows(inspection: MixtureInspection, file: DataFile, chunk: Chunk, found: Inspected) -> list[dict[str, Any]] | None:
    """The records of a chunk, or of its stems; None, and a finding, if they cannot be read."""
    path, settings = inspection.folder / file.name, inspection.settings
    is_stems = file.config != chunk.config
    try:
        table = read_row_group(check_file(path, file, inspection.identity_sha256), chunk.number, path)
    except InputError as error:
        found.findings.append(Finding("schema", chunk.name, str(error)))
        return None
    schema: pa.Schema = (stems_schema if is_stems else mixture_schema)(settings.sample_rate, inspection.identity_sha256)
    if not table.schema.equals(schema, check_metadata=True):
        found.findings.append(Finding("schema", chunk.name, f"{path}: found other columns or metadata than expected"))
        return None
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _inspect_one(
    inspection: MixtureInspection,
    row: dict[str, Any],
    chunk: Chunk,
    stems: dict[str, Any] | None,
    again: bool,
    found: InspectedMixtures,
) -> None:
    graph, at = mixture_of_row(row), _at(chunk, row["mixture_id"])
    problems = {"graph": list(_wrong_graph(inspection, graph, chunk)), "SNR": list(_wrong_snrs(graph))}
    found.findings += [Finding(check, at, problem) for check, some in problems.items() for problem in some]
    if problems["graph"]:
        return
    if not inspection.settings.audio:
        _inspect_left_out(inspection, row, graph, stems, chunk, again, found)
        return
    pcm = _decoded(row, "audio", mixture_file(graph.mixture_id), 16, at, found)
    if pcm is None:
        return
    found.counts["decoded"] += 1
    found.findings += [Finding("audio", at, problem) for problem in wrong_audio(row, *pcm)]
    if stems is not None:
        _inspect_stems(graph, row, pcm[0], stems, at, found)
    if again:
        _compare_again(inspection, row, graph, pcm[0], chunk, found)


# --- graphs -----------------------------------------------------------------------------------------------------------


def _wrong_row(settings: MixtureSettings, row: dict[str, Any], name: str, chunk: Chunk) -> Iterator[str]:
    fixed = {
        "mixture_id": name,
        "fold": fold_number(chunk.split),
        "recipe": settings.spec.recipe,
        "sample_rate": settings.sample_rate,
        "n_samples": samples_of(settings.duration_s, settings.sample_rate),
        "snr_measure": settings.rules.snr_measure,
    }
    for column, expected in fixed.items():
        if row[column] != expected:
            yield f"{column}: found {row[column]!r}, expected {expected!r}"
    for column in ("background", "events", "rendered", *["audio"] * settings.audio):
        if row[column] is None:
            yield f"{column}: found none"
    for place, event in enumerate(row["events"] or ()):
        missing = [key for key, value in (event or {"": None}).items() if value is None and key != "snr_achieved_db"]
        if missing:
            yield f"events[{place}].{missing[0]}: found none"


def _wrong_graph(inspection: MixtureInspection, graph: MixtureGraph, chunk: Chunk) -> Iterator[str]:
    yield from _wrong_source(inspection, "background", BACKGROUNDS, graph.background.source_id, None)
    numbers = {"background.offset_s": graph.background.offset_s, "background.gain_db": graph.background.gain_db}
    nominal_db = inspection.settings.snr_of_config[chunk.config]
    duration_s = graph.n_samples / graph.sample_rate
    for place, event in enumerate(graph.events):
        at = f"events[{place}]"
        yield from _wrong_source(inspection, at, EVENTS, event.source_id, event.label)
        names = ("source_time_s", "onset_s", "offset_s", "gain_db", "snr_nominal_db", "fade_in_s", "fade_out_s")
        numbers |= {f"{at}.{name}": getattr(event, name) for name in names}
        if not 0 <= event.onset_s < event.offset_s <= duration_s:
            found = f"{event.onset_s} to {event.offset_s} s"
            yield f"{at}: found {found}, expected a time within the clip of {duration_s:g} s"
        for name in ("onset_s", "offset_s"):
            samples = getattr(event, name) * graph.sample_rate
            if math.isfinite(samples) and abs(samples - round(samples)) > SAMPLE_ERROR:
                yield f"{at}.{name}: found {getattr(event, name)}, expected a whole number of samples"
        if nominal_db is not None and event.snr_nominal_db != nominal_db:
            yield f"{at}.snr_nominal_db: found {event.snr_nominal_db}, expected {nominal_db:g}"
    for name, value in numbers.items():
        if not math.isfinite(value):
            yield f"{name}: found {value}, expected a finite number"


def _wrong_source(
    inspection: MixtureInspection, at: str, kind: str, source_id: str, label: str | None
) -> Iterator[str]:
    source = inspection.sources[kind].get(source_id)
    if source is None:
        yield f"{at}.source_id: found {source_id!r}, expected one of the table of {kind}"
    elif source.label != label:
        yield f"{at}.label: found {label!r}, expected {source.label!r}, that of {source_id}"


def _wrong_snrs(graph: MixtureGraph) -> Iterator[str]:
    """Of recipes whose events have their nominal SNR as placed; the others say with what they were made."""
    for place, event in enumerate(graph.events if recipe_named(graph.recipe).snr_is_exact else ()):
        achieved = event.snr_achieved_db
        if achieved is None or not abs(achieved - event.snr_nominal_db) <= TOLERANCE_DB:
            expected = f"{event.snr_nominal_db:g} within {TOLERANCE_DB} dB"
            yield f"events[{place}].snr_achieved_db: found {achieved}, expected {expected}"


def _note_used(row: dict[str, Any], chunk: Chunk, found: InspectedMixtures) -> None:
    found.used.add((BACKGROUNDS, row["background"]["source_id"], chunk.split))
    found.used |= {(EVENTS, event["source_id"], chunk.split) for event in row["events"]}


# --- audio ------------------------------------------------------------------------------------------------------------


def _decoded(
    row: dict[str, Any], column: str, name: str, bits: Any, at: str, found: Inspected
) -> tuple[np.ndarray, int] | None:
    """The samples of a column and their rate; None, and a finding, if they are not what they must be."""
    check = "audio" if bits == PCM_BITS else "stems"
    audio = row[column] or {}
    data = audio.get("bytes") or b""
    if audio.get("path") != name:
        found.findings.append(
            Finding(check, at, f"{column}.path: found {str(audio.get('path'))[:60]!r}, expected {name}")
        )
        return None
    if data[:4] != b"fLaC" or flac_bits(data) != bits:
        found.findings.append(Finding(check, at, f"{column}: found another format, expected FLAC of {bits} bit"))
        return None
    try:
        return decode_flac(data, column, bits)
    except InputError as error:
        found.findings.append(Finding(check, at, str(error)))
        return None


def _inspect_left_out(
    inspection: MixtureInspection,
    row: dict[str, Any],
    graph: MixtureGraph,
    stems: dict[str, Any] | None,
    chunk: Chunk,
    again: bool,
    found: Inspected,
) -> None:
    """There is no audio; what is made again has the hash of what was left out."""
    at = _at(chunk, graph.mixture_id)
    columns = {"audio": row["audio"], **{name: (stems or {}).get(name) for name in STEM_COLUMNS}}
    found.findings += [
        Finding("audio", at, f"{name}: found some, expected none")
        for name, audio in columns.items()
        if audio is not None
    ]
    if again and (expected := _made_again(inspection, row, graph, chunk, found)) is not None:
        is_same = sha256_pcm(expected) == row["rendered"]["pcm_sha256"]
        found.counts["rendered identical" if is_same else "rendered different"] += 1
        if not is_same and inspection.same_environment:
            found.findings.append(Finding("rendered again", at, "found other samples than pcm_sha256 says"))


def _inspect_stems(
    graph: MixtureGraph, row: dict[str, Any], pcm: np.ndarray, stems: dict[str, Any], at: str, found: Inspected
) -> None:
    """The stems add up to the mixture, and are as loud as it says."""
    if stems["mixture_id"] != graph.mixture_id or stems["fold"] != graph.fold:
        problem = f"mixture_id: found {stems['mixture_id']!r}, expected {graph.mixture_id!r}"
        found.findings.append(Finding("stems", at, problem))
        return
    names = [(column, stem_file(graph.mixture_id, column)) for column in STEM_COLUMNS]
    decoded = [_decoded(stems, *name, STEM_BITS, at, found) for name in names]
    samples = [one[0] for one in decoded if one is not None]
    if len(samples) < len(names):
        return
    found.counts["stems"] += 1
    if any(len(one) != len(pcm) for one in samples):
        found.findings.append(Finding("stems", at, f"found another length, expected {len(pcm)} samples"))
        return
    n = recipe_named(graph.recipe).stem_divisor
    worst = int(np.abs(samples[0] + samples[1] - pcm.astype(np.int32) * (n * PCM24_STEPS)).max(initial=0))
    if worst > n:  # where the background would leave 24 bits
        problem = f"their {'sum' if n == 1 else 'mean'} misses the mixture by up to {worst / n / PCM24_STEPS:.3g} steps"
        found.findings.append(Finding("stems", at, f"{problem} of 16 bit"))
    waves = [from_pcm24(one) for one in samples]
    scale = 10 ** (row["rendered"]["scale_db"] / 20)
    _measure(graph, waves[0] / scale, waves[1] / scale, STEP / 2 / scale, at, found)


def _measure(
    graph: MixtureGraph, background: np.ndarray, events: np.ndarray, rounding: float, at: str, found: Inspected
) -> None:
    """The SNR of every event that is heard alone, in the stems as they are stored; silence where there is no event.

    ``rounding``: the most that the background may be off by, since it has that of the mixture.
    """
    heard = np.zeros(graph.n_samples, np.int64)
    for event in graph.events:
        heard[graph.extent(event)] += 1
    if np.any(events[heard == 0]):
        found.findings.append(Finding("stems", at, "events: found sound where there is no label"))
    for place, event in enumerate(graph.events if recipe_named(graph.recipe).snr_is_exact else ()):
        extent = graph.extent(event)
        if heard[extent].max() > 1:
            continue
        power = float(np.mean(np.square(background[extent]), dtype=np.float64))
        slack_db = TOLERANCE_DB + 10 * math.log10(1 + rounding**2 / power) if power else math.inf
        levels = [level_db(wave[extent], graph.sample_rate, graph.snr_measure) for wave in (events, background)]
        found.counts["measured"] += 1
        if not abs(levels[0] - levels[1] - event.snr_nominal_db) <= slack_db:
            problem = f"events[{place}]: measured {levels[0] - levels[1]:.2f} dB, expected {event.snr_nominal_db:g}"
            found.findings.append(Finding("SNR", at, problem))


# --- again ------------------------------------------------------------------------------------------------------------


def _made_again(
    inspection: MixtureInspection, row: dict[str, Any], graph: MixtureGraph, chunk: Chunk, found: Inspected
) -> np.ndarray | None:
    """Draw a mixture from the seed and compare the graphs; the stored graph rendered, int16 [n], if it can be.

    Where no stems are stored, SNRs are measured on what is rendered.
    """
    maker, at = inspection.maker, _at(chunk, graph.mixture_id)
    if maker is None:
        return None
    index = int(graph.mixture_id.rpartition("-")[2])
    try:
        drawn = next(maker.mixtures(chunk, range(index, index + 1))) if inspection.draws_again else graph
        made = maker.render(graph)
    except InputError as error:
        found.findings.append(Finding("rendered again", at, str(error)))
        return None
    if inspection.draws_again:
        _compare_graphs(row, row_of_mixture(drawn), at, found)
    if not inspection.settings.stems:
        scale = 10 ** (made.scale_db / 20)
        _measure(graph, made.background / scale, made.events / scale, 0.0, at, found)
    return to_pcm16(made.mixture)


def _compare_again(
    inspection: MixtureInspection,
    row: dict[str, Any],
    graph: MixtureGraph,
    pcm: np.ndarray,
    chunk: Chunk,
    found: Inspected,
) -> None:
    """Make a mixture again and compare the samples."""
    expected, at = _made_again(inspection, row, graph, chunk, found), _at(chunk, graph.mixture_id)
    if expected is None:
        return
    differs = np.abs(pcm.astype(np.int32) - expected) if len(pcm) == len(expected) else np.array([np.inf])
    worst = differs.max(initial=0)
    outcome = "identical" if worst == 0 else "within 1 LSB" if worst <= 1 else "different"
    found.counts[f"rendered {outcome}"] += 1
    if outcome == "different":
        problem = f"{np.count_nonzero(differs > 1)} of {len(pcm)} samples differ, by up to {worst:.0f} steps of 16 bit"
        found.findings.append(Finding("rendered again", at, problem))
    exact = inspection.same_environment and outcome == "identical"
    if exact and encode_flac(expected, graph.sample_rate) != row["audio"]["bytes"]:
        found.findings.append(Finding("rendered again", at, "audio: found other FLAC bytes for the same samples"))


def _compare_graphs(row: dict[str, Any], expected: dict[str, Any], at: str, found: Inspected) -> None:
    expected = {**expected, "events": [dict(event) for event in expected["events"]]}
    flat = [one for name in GRAPH_COLUMNS for one in differences_of(row[name], expected[name], name)]
    if real := [text for text, is_rounding in flat if not is_rounding]:
        found.counts["drawn different"] += 1
        found.findings.append(Finding("drawn again", at, "; ".join(real[:3]) + " …" * (len(real) > 3)))
    else:
        found.counts["drawn within rounding" if flat else "drawn identical"] += 1


def stems_of(file: DataFile, files: list[DataFile]) -> DataFile:
    """The file of stems of a file of mixtures."""
    config = stems_config(file.config)
    return next(one for one in files if (one.config, one.split, one.number) == (config, file.split, file.number))
