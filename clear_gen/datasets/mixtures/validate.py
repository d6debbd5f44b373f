"""Validates a dataset of mixtures: hashes, graphs, audio, SNRs, folds, annotations, stems.

Given the recordings, mixtures are drawn and rendered again, which detects alterations even if the hashes were adapted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.progress import Progress
from clear_gen.datasets.mixtures.annotations import LINES, annotation_name
from clear_gen.datasets.mixtures.checks import InspectedMixtures, MixtureInspection, inspect_mixtures, start, stems_of
from clear_gen.datasets.mixtures.finish import card_of, labels_of
from clear_gen.datasets.mixtures.manifest import MixtureSettings, mixture_settings_of
from clear_gen.datasets.mixtures.records import MixtureMaker
from clear_gen.datasets.mixtures.source_tables import (
    BACKGROUNDS,
    EVENTS,
    KINDS,
    SourceTable,
    read_sources,
    source_name,
    source_tables,
    sources_sha256,
)
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.store.layout import CARD, IDENTITY
from clear_gen.store.manifest import GENERATOR, environment
from clear_gen.store.validate import (
    Finding,
    Validation,
    check_card,
    check_exactness,
    check_manifest,
    chosen_places,
    made_again,
    manifest_to_validate,
)
from clear_gen.store.workers import Call, Died, Pool

Recording = TypeVar("Recording", Event, Background)
Recordings = tuple[Sequence[Event], Sequence[Background]]


def validate_mixtures(
    folder: Path,
    recordings: Recordings | None,
    sample: int | None,
    workers: int,
    progress: Progress,
) -> Validation:
    """Check a finished dataset; with its ``recordings``, ``sample`` mixtures (all if None) are made again.

    Raises InputError if these are other recordings, CheckFailed if the dataset is not finished or its ``clear.json``
    cannot be understood.
    """
    stored = manifest_to_validate(folder)
    result, identity = Validation(), stored["identity"]
    try:
        settings = mixture_settings_of(identity, folder / IDENTITY)
    except InputError as error:
        raise CheckFailed(str(error)) from None
    expected = {CARD, *(file.name for file in settings.files), *map(source_name, KINDS), *_annotation_names(settings)}
    check_manifest(folder, stored, expected, result)
    tables = _check_sources(folder, identity, result)
    maker = None if recordings is None else _maker(folder, identity, settings, recordings)
    same_generator = identity["generator"] == GENERATOR
    if maker is None:
        result.remarks.append("not made again: give --events and --backgrounds for that")
    elif not same_generator:
        result.remarks.append(f"not drawn again: made by {identity['generator']}, another version")
    if len(tables) == len(KINDS):
        by_id = {kind: {row.source_id: row for row in rows} for kind, rows in tables.items()}
        here = stored["environment"] == environment()
        inspection = MixtureInspection(folder, settings, sha256_json(identity), by_id, maker, same_generator, here)
        used = _inspect(inspection, sample if maker else 0, workers, progress, result)
        _check_folds(settings, tables, used, result)
        if here:
            check_exactness("mixture", result)
    _check_annotations(folder, settings, result)
    if same_generator and not result.findings:
        check_card(folder, card_of(folder, stored), result)
    result.looked_at = _looked_at(result.counts)
    return result


def _maker(folder: Path, identity: dict[str, Any], settings: MixtureSettings, recordings: Recordings) -> MixtureMaker:
    """What makes the mixtures again. Raises InputError if the recordings are not those that they were made from."""
    events, backgrounds = _named(folder, EVENTS, recordings[0]), _named(folder, BACKGROUNDS, recordings[1])
    for kind, rows in source_tables(events, backgrounds, settings.spec.recipe).items():
        if sources_sha256(rows) != identity["sources"][kind]:
            expected = f"those that {folder / source_name(kind)} names"
            raise InputError(f"--{kind}: found other recordings ({len(rows):,} in all), expected {expected}")
    return MixtureMaker(settings, tuple(events), tuple(backgrounds))


def _named(folder: Path, kind: str, found: Sequence[Recording]) -> list[Recording]:
    """The recordings that the dataset's table names: it may have been made without some that cannot be used."""
    try:
        named = {row.source_id for row in read_sources(folder / source_name(kind))}
    except InputError:
        return list(found)
    return [one for one in found if one.source_id in named]


# --- files ------------------------------------------------------------------------------------------------------------


def _annotation_names(settings: MixtureSettings) -> list[str]:
    return [annotation_name(split, kind) for split in settings.sizes for kind in LINES]


def _check_sources(folder: Path, identity: dict[str, Any], result: Validation) -> dict[str, SourceTable]:
    """The tables that can be read; in one of others than the identity names, mixtures can still be looked up."""
    tables = {}
    for kind in KINDS:
        result.counts["sources"] += 1
        try:
            tables[kind] = read_sources(folder / source_name(kind))
        except InputError as error:
            result.find("sources", source_name(kind), str(error))
            continue
        if sources_sha256(tables[kind]) != identity["sources"][kind]:
            result.find("sources", source_name(kind), "found other sources than the mixtures were made from")
    return tables


def _check_folds(
    settings: MixtureSettings,
    tables: dict[str, SourceTable],
    used: set[tuple[str, str, str]],
    result: Validation,
) -> None:
    """No group is heard in two folds; no recording, where the recipe draws folds by recording."""
    by_recording = not recipe_named(settings.spec.recipe).folds_by_group
    for kind, rows in tables.items():
        group_of = {row.source_id: row.source_id if by_recording else row.group for row in rows}
        folds: defaultdict[str, set[str]] = defaultdict(set)
        for _, source_id, split in (one for one in used if one[0] == kind and one[1] in group_of):
            folds[group_of[source_id]].add(split)
        result.counts["groups"] += len(folds)
        for group, where in sorted(folds.items()):
            if len(where) > 1:
                found = f"found in {', '.join(sorted(where))}, expected in one fold"
                result.find("folds", f"{kind}, {'recording' if by_recording else 'group'} {group}", found)


def _check_annotations(folder: Path, settings: MixtureSettings, result: Validation) -> None:
    """The tables of labels say what the records of every config say; of a file the first difference is named."""
    for split in settings.sizes:
        for kind, lines in LINES.items():
            name = annotation_name(split, kind)
            result.counts["annotations"] += 1
            for config in settings.snr_of_config:
                try:
                    expected = lines(labels_of(folder, settings, split, config))
                    problem = _first_difference(folder / name, expected)
                except (InputError, OSError, KeyError, TypeError) as error:
                    problem = f": cannot be compared with {config} ({error})"
                if problem:
                    result.find("annotations", f"{name}{problem[: problem.find(':')]}", problem.partition(": ")[2])
                    break


def _first_difference(path: Path, expected: Iterator[str]) -> str | None:
    """``:line: found …, expected …`` of the first line that differs, if one does."""
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        for number, (line, text) in enumerate(zip_longest(file, expected), 1):
            if line is None or text is None or line != f"{text}\n":
                found = "the end" if line is None else repr(line.rstrip("\n")[:80])
                return f" line {number}: found {found}, expected {'the end' if text is None else repr(text)}"
    return None


# --- mixtures ---------------------------------------------------------------------------------------------------------


def _inspect(
    inspection: MixtureInspection,
    sample: int | None,
    workers: int,
    progress: Progress,
    result: Validation,
) -> set[tuple[str, str, str]]:
    """Inspect every chunk in workers; returns which recordings occur in which fold."""
    settings = inspection.settings
    files = [file for file in settings.files if file.config in settings.snr_of_config]
    places = [(file, chunk) for file in files if (inspection.folder / file.name).is_file() for chunk in file.chunks]
    chosen = chosen_places(places, sample)
    total = sum(chunk.stop - chunk.first for _, chunk in places)
    used: set[tuple[str, str, str]] = set()
    found: dict[str, InspectedMixtures] = {}
    with progress(total, total) as advance, Pool(workers, start, inspection) as pool:
        for file, chunk in places:
            stems = stems_of(file, settings.files) if settings.stems else None
            pool.submit(Call(chunk.name, inspect_mixtures, (file, chunk, chosen[chunk], stems)))
        for call, inspected in pool.results():
            advance(call.arguments[1].stop - call.arguments[1].first)
            if isinstance(inspected, Died):
                problem = f"reading it kills the reader ({inspected.how})"
                inspected = InspectedMixtures([Finding("schema", call.name, problem)])
            found[call.name] = inspected
    for _, chunk in places:
        result.findings += found[chunk.name].findings
        result.counts += found[chunk.name].counts
        used |= found[chunk.name].used
    return used


def _looked_at(counts: Counter[str]) -> dict[str, str]:
    mixtures, again = f"{counts['mixtures']:,} mixtures", made_again(counts)
    return {
        "provenance": IDENTITY,
        "files": f"{counts['files']} files",
        "sources": f"{counts['sources']} tables",
        "schema": mixtures,
        "graph": mixtures,
        "folds": f"{counts['groups']:,} groups",
        "annotations": f"{counts['annotations']} tables",
        "audio": f"{counts['decoded']:,} decoded",
        "SNR": f"{mixtures}, {counts['measured']:,} events measured",
        "stems": f"{counts['stems']:,} pairs",
        "drawn again": again["drawn again"],
        "rendered again": again["rendered again"],
    }
