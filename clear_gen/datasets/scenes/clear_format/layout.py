"""The layout of the published CLEAR generator, and our datasets written in it.

::

    OUT/attributes.json                          the answers by family: existing readers ask for it
    OUT/scenes/CLEAR_<split>_scenes.json         splits: train, val, test
    OUT/audio/<split>/CLEAR_<split>_NNNNNN.flac
    OUT/questions/CLEAR_<split>_questions.json

Times there are whole milliseconds. Under the key ``clear_gen`` every scene and every question carries what they and the
other published fields leave out, so that ``importer`` gives back exactly the same records.
Existing readers look fields up by name and never see it. Published programs carry the output of every node, which
gives the answer away: it is not written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path
from clear_gen.core.progress import Advance, Progress
from clear_gen.datasets.scenes.banks import read_banks
from clear_gen.datasets.scenes.exports.source import (
    ExportSummary,
    Source,
    exporting,
    open_source,
    questions,
    questions_line,
    row_groups,
    rows,
)
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT
from clear_gen.questions.language.functions.table import function_named
from clear_gen.questions.language.vocabulary import ordinal
from clear_gen.scenes.domain import Domain
from clear_gen.sounds.attributes import Attribute
from clear_gen.store.exports import put

PUBLISHED_SPLITS = {"train": "train", "validation": "val", "test": "test"}
OWN_KEY = "clear_gen"
FLAC = f"audio/{{0}}/CLEAR_{{0}}_{'[0-9]' * 6}.flac"
WRITTEN = ("scenes/CLEAR_{0}_scenes.json", "questions/CLEAR_{0}_questions.json", FLAC)
PATTERNS = ("attributes.json", *(name.format(split) for split in PUBLISHED_SPLITS.values() for name in WRITTEN))
OBJECT_FIELDS = ("duration", "filename", "id", "is_ref", "pack", "silence_after")
EXACT_SCENE_FIELDS = ("scene_id", "domain", "sample_rate", "n_samples", "n_samples_dry", "reverb", "noise", "rendered")
OWN_QUESTION_FIELDS = ("question_id", "question_type", "n_relations")
EXACT_SOUND_FIELDS = ("sound_id", "onset_sample", "n_samples", "gain_db")


@dataclass(frozen=True)
class PublishedBank:
    """What the layout says of each sound besides its attributes: its number and where it comes from, if known.

    ``licence`` is that of all of them, None if they are those of an imported dataset.
    """

    ids: dict[str, int]
    packs: dict[str, str]
    licence: str | None = None


def scenes_path(folder: Path, split: str) -> Path:
    """Where the scenes of a split (of ours: train, validation, test) lie in the published layout."""
    return folder / "scenes" / f"CLEAR_{PUBLISHED_SPLITS[split]}_scenes.json"


def questions_path(folder: Path, split: str) -> Path:
    """Where the questions of a split (of ours) lie in the published layout."""
    return folder / "questions" / f"CLEAR_{PUBLISHED_SPLITS[split]}_questions.json"


def audio_folder_path(folder: Path, split: str) -> Path:
    """Where the audio of a split (of ours) lies in the published layout."""
    return folder / "audio" / PUBLISHED_SPLITS[split]


def check_names(attributes: Mapping[str, Attribute]) -> None:
    """Raise InputError if an attribute of the domain has the name of one of the layout's own fields."""
    taken = [name for name in attributes if name in OBJECT_FIELDS]
    if taken:
        raise InputError(f"domain: attributes: found {taken[0]}, which the CLEAR layout uses for something else")


def export_clear(folder: Path, out: Path, progress: Progress, overwrite: bool = False) -> ExportSummary:
    """Write the finished dataset in ``folder`` to ``out`` in the published layout; the audio's bytes stay as they are.

    The scenes' JSON is written after the scenes' audio, so a reader finds either all of a split or none of it. The
    same call continues an export that was interrupted.

    Raises InputError if there is no finished dataset, ``out`` holds something else, or sounds of a scene overlap.
    """
    source = open_source(folder)
    settings = source.settings
    check_names(settings.domain.attributes)
    banks = _published_banks(source)
    n, most_sounds = sum(settings.sizes.values()), settings.domain.sampling.sounds.max
    with_audio = dict.fromkeys(settings.sizes, 0)
    given: set[str] = set()
    with exporting(source, out, "clear", PATTERNS, overwrite), progress(n, n) as advance:
        for split, size in settings.sizes.items():
            if size:
                info = _info(source, split, banks[split].licence)
                with_audio[split], most = _export_split(source, split, banks[split], info, out, advance)
                most_sounds = max(most_sounds, most)
                given |= _export_questions(source, split, info, out)
        put(out / "attributes.json", _json_bytes(answers(settings.domain, most_sounds, given), indent=2))
    remarks = [] if sum(with_audio.values()) else ["no audio folder: the dataset has no audio"]
    asked = questions_line(source) if source.asked else "questions: none, an empty list per split"
    return ExportSummary(out, settings.sizes, with_audio, (*remarks, asked))


def _export_split(
    source: Source, split: str, bank: PublishedBank, info: dict[str, Any], out: Path, advance: Advance
) -> tuple[int, int]:
    """Write the scenes of a split; returns how many of them have audio, and the greatest number of sounds."""
    n_audio = most_sounds = 0
    with atomic_path(scenes_path(out, split)) as path, open(path, "wb") as file:
        file.write(b'{"info": ' + _json_bytes(info) + b', "scenes": [')
        for index, row in rows(source, split):
            scene = published_scene(row, index, bank)
            if row["audio"] is not None:
                put(audio_folder_path(out, split) / scene["scene_filename"], row["audio"]["bytes"])
                n_audio += 1
            most_sounds = max(most_sounds, len(row["sounds"]))
            file.write((b",\n" if index else b"\n") + _json_bytes(scene))
            advance(1)
        file.write(b"\n]}\n")
    return n_audio, most_sounds


def _export_questions(source: Source, split: str, info: dict[str, Any], out: Path) -> set[str]:
    """Write the questions of a split; returns the answers that there are."""
    found = set()
    with atomic_path(questions_path(out, split)) as path, open(path, "wb") as file:
        file.write(b'{"info": ' + _json_bytes(info) + b', "questions": [')
        for number, row in enumerate(questions(source, split)):
            file.write((b",\n" if number else b"\n") + _json_bytes(published_question(row, number)))
            found.add(row["answer"])
        file.write(b"\n]}\n" if found else b"]}\n")
    return found


def _json_bytes(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False, indent=indent).encode()


def _info(source: Source, split: str, licence: str | None) -> dict[str, Any]:
    """The head of a split's files. Its date stays empty: the same dataset gives the same bytes on any day."""
    about = {"date": None, "set_type": PUBLISHED_SPLITS[split]}
    if imported := source.settings.imported:
        return {**about, "name": imported["name"], "version": imported["version"], "license": imported["licence"]}
    return {**about, "name": source.settings.domain.name, "version": source.identity["generator"], "license": licence}


def _published_banks(source: Source) -> dict[str, PublishedBank]:
    """Per split. An imported dataset has no banks: its sounds are numbered as they occur in the split, sorted."""
    splits = [split for split, size in source.settings.sizes.items() if size]
    if source.settings.imported:
        return {split: PublishedBank(_numbered(_sound_ids(source, split)), {}) for split in splits}
    made = {}
    for side, bank in read_banks(source.folder, source.settings).items():
        packs = {sound.sound_id: sound.source for sound in bank.sounds}
        licences = sorted({sound.licence for sound in bank.sounds})
        made[side] = PublishedBank(_numbered(packs), packs, ", ".join(licences))
    return {split: made[BANK_OF_SPLIT[split]] for split in splits}


def _sound_ids(source: Source, split: str) -> set[str]:
    found: set[str] = set()
    for table in row_groups(source, split, ["sounds"]):
        sounds = pc.list_flatten(table.column("sounds"))
        found.update(pc.unique(pc.struct_field(sounds, "sound_id")).to_pylist())
    return found


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names))}


def published_scene(row: Mapping[str, Any], index: int, bank: PublishedBank) -> dict[str, Any]:
    """One row of the scenes' table as the published layout has it, with the exact graph under ``clear_gen``.

    Positions are rounded to milliseconds and lengths are differences of rounded positions, so that the roundings never
    add up: whatever position a reader derives is within half a millisecond.

    Raises InputError if sounds overlap, are not in order, or are not in the bank.
    """
    rate, sounds = row["sample_rate"], row["sounds"]
    starts = [to_ms(sound["onset_sample"], rate) for sound in sounds]
    ends = [to_ms(sound["onset_sample"] + sound["n_samples"], rate) for sound in sounds]
    gaps = [after - end for end, after in zip(ends, [*starts[1:], to_ms(row["n_samples_dry"], rate)], strict=True)]
    objects = []
    for sound, start, end, gap in zip(sounds, starts, ends, gaps, strict=True):
        name = sound["sound_id"]
        if name not in bank.ids:
            raise InputError(f"{row['scene_id']}: sound_id: found {name!r}, expected a sound of the bank")
        if gap < 0 or end <= start:
            raise InputError(f"{row['scene_id']}: {name}: found overlapping sounds, expected one after the other")
        times = {"duration": end - start, "silence_after": gap}
        known = {"filename": f"{name}.wav", "id": bank.ids[name], "is_ref": True, "pack": bank.packs.get(name)}
        attributes = {key: value for key, value in sound.items() if key not in (*EXACT_SOUND_FIELDS, "duration_s")}
        objects.append({**attributes, **times, **known})
    exact = {name: row[name] for name in EXACT_SCENE_FIELDS}
    exact["sounds"] = [{name: sound[name] for name in EXACT_SOUND_FIELDS} for sound in sounds]
    return {
        "scene_index": f"{index:06d}",
        "scene_filename": f"CLEAR_{PUBLISHED_SPLITS[row['split']]}_{index:06d}.flac",
        "silence_before": starts[0],
        "objects": objects,
        "relationships": relationships(len(objects)),
        OWN_KEY: exact,
    }


def published_question(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A question's record as the published layout has it; ``number`` counts the questions of its split from 0."""
    digits = row["scene_id"].rpartition("-")[2]
    own = {name: row[name] for name in OWN_QUESTION_FIELDS}
    if row.get("needs_holdout") is not None:
        own["needs_holdout"] = row["needs_holdout"]
    program = []
    for node in row["program"]:
        name = function_named(node["function"]).published_name
        program.append({"type": name, "inputs": node["inputs"], "value_inputs": node["values"]})
    return {
        "question_index": number,
        "scene_index": digits,
        "scene_filename": f"CLEAR_{PUBLISHED_SPLITS[row['split']]}_{digits}.flac",
        "question": row["question"],
        "answer": row["answer"],
        "template_index": row["template_id"],
        "program": program,
        OWN_KEY: own,
    }


def to_ms(n_samples: int, sample_rate: int) -> int:
    """Samples at ``sample_rate`` (Hz) as the nearest whole number of milliseconds.

    >>> to_ms(47999, 48000), to_ms(12, 8000)
    (1000, 2)
    """
    return (2000 * n_samples + sample_rate) // (2 * sample_rate)


def relationships(n_sounds: int) -> list[dict[str, Any]]:
    """Which sounds lie before and after each one.

    >>> relationships(2)
    [{'type': 'before', 'indexes': [[], [0]]}, {'type': 'after', 'indexes': [[1], []]}]
    """
    everything = range(n_sounds)
    before = [list(everything[:index]) for index in everything]
    after = [list(everything[index + 1 :]) for index in everything]
    return [{"type": "before", "indexes": before}, {"type": "after", "indexes": after}]


# --- attributes.json --------------------------------------------------------------------------------------------------


def answers(domain: Domain, most_sounds: int, given: Iterable[str] = ()) -> dict[str, list[str]]:
    """The possible answers by family, as text: the attributes that are asked for, and what the other questions give.

    Of the answers that are ``given``, those that are none of these are the family "other": only imported ones are.
    """
    asked = set(domain.question_types)
    positions = [ordinal(number) for number in range(1, most_sounds + 1)]
    families: dict[str, tuple[set[str], Sequence[str]]] = {
        "boolean": ({"exist", "count_compare"}, ["yes", "no"]),
        "count": ({"count", "count_instruments"}, [str(number) for number in range(most_sounds + 1)]),
        "position": ({"absolute_position"}, positions),
        "position_instrument": ({"relative_position"}, positions),
        "position_global": ({"global_position"}, domain.parts),
    }
    found = {name: [str(value) for value in rule.values] for name, rule in domain.attributes.items() if name in asked}
    found |= {name: list(values) for name, (types, values) in families.items() if asked & types}
    other = sorted(set(given).difference(*found.values()))
    return {**found, **({"other": other} if other else {})}
