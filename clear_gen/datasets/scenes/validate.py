"""Is a dataset what its ``clear.json`` says? Every file's hash, every scene's graph and audio, banks, and questions.

Graphs are drawn again from the seed, scenes rendered again from their graphs, and answers found again from the
programs, so that an alteration is found even where somebody has adapted the hashes to it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.progress import Progress
from clear_gen.datasets.scenes.banks import bank_path, needed_banks
from clear_gen.datasets.scenes.checks import Inspection, InspectionState, inspect_chunk
from clear_gen.datasets.scenes.finish import card_of
from clear_gen.datasets.scenes.layout import bank_name, questions_name, scene_files
from clear_gen.datasets.scenes.manifest import Settings, settings_of
from clear_gen.datasets.scenes.questions.checks import inspect_answers, inspect_split
from clear_gen.datasets.scenes.questions.files import QuestionsManifest, questions_manifest_of
from clear_gen.sounds.bank import Bank, check_attributes, is_without_audio, read_bank
from clear_gen.sounds.verify import check_pair
from clear_gen.store.checks import Inspected
from clear_gen.store.layout import CARD, IDENTITY, DataFile
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


def validate(folder: Path, sample: int | None, workers: int, progress: Progress) -> Validation:
    """Check a finished dataset; ``sample`` scenes (all if None) are rendered again.

    Raises InputError if there is no dataset in ``folder``, CheckFailed if it is not finished or its ``clear.json``
    cannot be understood.
    """
    stored = manifest_to_validate(folder)
    try:
        settings = settings_of(stored["identity"], folder / IDENTITY)
    except InputError as error:
        raise CheckFailed(str(error)) from None
    result, files = Validation(), scene_files(settings.sizes)
    asked = _check_section(folder, stored, settings, result)
    check_manifest(folder, stored, _expected_files(settings, files, stored, asked), result)
    banks = _check_banks(folder, stored["identity"], settings, result)
    usable = len(banks) == len(needed_banks(settings.sizes)) and not settings.imported
    same_generator = stored["identity"]["generator"] == GENERATOR
    if settings.imported:
        result.remarks.append(
            "imported: its elementary sounds are not in it, so no scene can be drawn or rendered again"
        )
    elif not same_generator:
        result.remarks.append(f"not drawn again: made by {stored['identity']['generator']}, another version")
    digest, same_environment = sha256_json(stored["identity"]), stored["environment"] == environment()
    inspection = Inspection(folder, settings, digest, usable and same_generator, usable, same_environment, asked)
    _inspect(inspection, files, sample if usable else 0, workers, progress, result)
    _check_imported_audio(settings, result)
    if same_environment:
        check_exactness("scene", result)
    if same_generator and not result.findings and (usable or settings.imported):
        check_card(folder, card_of(folder, stored), result)
    result.looked_at = _looked_at(result.counts)
    return result


def _check_section(
    folder: Path, stored: dict[str, Any], settings: Settings, result: Validation
) -> QuestionsManifest | None:
    """What ``clear.json`` says of the questions, if it has a section of them that can be understood."""
    if (section := stored.get("questions")) is None:
        return None
    try:
        asked = questions_manifest_of(section, settings, folder / IDENTITY)
    except InputError as error:
        result.find("questions", IDENTITY, str(error))
        return None
    if asked.scenes_sha256 != (expected := sha256_json({**stored["identity"], "audio": False})):
        found = f"found {asked.scenes_sha256[:60]}, expected {expected} of this dataset's scenes"
        result.find("questions", IDENTITY, f"questions.identity.scenes_sha256: {found}")
    return asked


def _expected_files(
    settings: Settings, files: list[DataFile], stored: dict[str, Any], asked: QuestionsManifest | None
) -> set[str]:
    """The names of a dataset's files; of questions that cannot be understood, those that there can be."""
    sides = [] if settings.imported else needed_banks(settings.sizes)
    splits = asked.splits if asked else [split for split, size in settings.sizes.items() if size]
    questions = {questions_name(split) for split in splits} if "questions" in stored else set()
    return {CARD, *(file.name for file in files), *map(bank_name, sides), *questions}


def _check_banks(folder: Path, identity: dict[str, Any], settings: Settings, result: Validation) -> dict[str, Bank]:
    """The banks that can be used, after a look at hashes, attributes and independence of train and test."""
    banks = {}
    for side in [] if settings.imported else needed_banks(settings.sizes):
        path = bank_path(folder, side)
        result.counts["banks"] += 1
        try:
            if not settings.audio and is_without_audio(path, identity.get("banks", {}).get(side)):
                result.remarks.append(f"{side} bank: its audio is left out, so no scene can be drawn or rendered again")
                continue
            bank = read_bank(path)
            check_attributes(bank, settings.domain.attributes, str(path))
        except InputError as error:
            result.find("banks", side, str(error))
            continue
        if bank.sha256 != identity.get("banks", {}).get(side):
            result.find("banks", side, f"{path}: found another bank than the scenes were made from")
        else:
            banks[side] = bank
    if len(banks) == 2:
        problems = list(check_pair(banks["train"], banks["test"]))
        if settings.allow_leak and (leaked := [one for one in problems if one.check == "leak"]):
            result.remarks.append(f"test bank: {len(leaked)} sounds are training recordings, as --allow-leak allows")
            problems = [one for one in problems if one.check != "leak"]
        for problem in problems:
            result.find("banks", f"{problem.side} {problem.sound_id}", problem.problem)
    return banks


def _inspect(
    inspection: Inspection,
    files: list[DataFile],
    sample: int | None,
    workers: int,
    progress: Progress,
    result: Validation,
) -> None:
    """Let workers look at every chunk: a file so damaged that its reader crashes takes only a worker with it."""
    places = [(file, chunk) for file in files if (inspection.folder / file.name).is_file() for chunk in file.chunks]
    chosen = chosen_places(places, sample)
    total = sum(chunk.stop - chunk.first for _, chunk in places)
    order: dict[str, int] = {}
    found: list[tuple[int, Inspected]] = []
    with progress(total, total) as advance, Pool(workers, InspectionState, inspection) as pool:

        def submit(call: Call) -> None:
            order[call.name] = len(order)
            pool.submit(call)

        for file, chunk in places:
            submit(Call(chunk.name, inspect_chunk, (file, chunk, chosen[chunk])))
        for split in _asked_about(inspection):
            submit(Call(questions_name(split), inspect_split, (split,)))
        for call, inspected in pool.results():
            if call.function is inspect_chunk:
                advance(call.arguments[1].stop - call.arguments[1].first)
            if isinstance(inspected, Died):
                check = "schema" if call.function is inspect_chunk else "questions"
                inspected = Inspected([Finding(check, call.name, f"reading it kills the reader ({inspected.how})")])
            for number in range(inspected.n_groups):
                submit(Call(f"{call.name}, row group {number}", inspect_answers, (*call.arguments, number)))
            found.append((order[call.name], inspected))
    for _, inspected in sorted(found, key=lambda pair: pair[0]):
        result.findings += inspected.findings
        result.counts += inspected.counts


def _check_imported_audio(settings: Settings, result: Validation) -> None:
    """An imported dataset has as many scenes with audio as its source had."""
    n_scenes, n_without = result.counts["scenes"], result.counts["without audio"]
    if not settings.imported or not settings.audio or n_scenes < sum(settings.sizes.values()):
        return
    if n_without:
        result.remarks.append(f"imported: {n_without:,} of {n_scenes:,} scenes came without audio")
    expected = (settings.imported.get("audio_files") or {}).get("n")
    if n_scenes - n_without != expected:
        problem = f"found {n_scenes - n_without:,} scenes with audio, expected {expected} of its source"
        result.find("audio", IDENTITY, problem)


def _asked_about(inspection: Inspection) -> list[str]:
    """The splits whose question file is there."""
    splits = inspection.asked.splits if inspection.asked else ()
    return [split for split in splits if (inspection.folder / questions_name(split)).is_file()]


def _looked_at(counts: Counter[str]) -> dict[str, str]:
    scenes, again = f"{counts['scenes']:,} scenes", made_again(counts)
    return {
        "provenance": IDENTITY,
        "files": f"{counts['files']} files",
        "banks": f"{counts['banks']} banks",
        "schema": scenes,
        "graph": scenes,
        "drawn again": again["drawn again"],
        "audio": f"{counts['decoded']:,} decoded",
        "rendered again": again["rendered again"],
        "questions": f"{counts['questions']:,} questions",
    }
