"""Is a dataset what its ``clear.json`` says? Every file's hash, every scene's graph and audio, banks, and questions.

Graphs are drawn again from the seed, scenes rendered again from their graphs, and answers found again from the
programs, so that an alteration is found even where somebody has adapted the hashes to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clear_gen import __version__
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file, sha256_json
from clear_gen.core.progress import Advance
from clear_gen.core.streams import STAGE_VALIDATE, stream
from clear_gen.core.text import table
from clear_gen.datasets.scenes import checks
from clear_gen.datasets.scenes.banks import bank_path, needed_banks
from clear_gen.datasets.scenes.card import card
from clear_gen.datasets.scenes.checks import Finding, Inspected, Inspection, inspect_chunk
from clear_gen.datasets.scenes.questions import checks as question_checks
from clear_gen.datasets.scenes.questions.checks import inspect_answers, inspect_split
from clear_gen.datasets.scenes.questions.files import Asked, asked_of
from clear_gen.datasets.scenes.statistics import statistics
from clear_gen.sounds.bank import Bank, check_attributes, is_without_audio, read_bank
from clear_gen.sounds.verify import check_pair
from clear_gen.store.layout import (
    BANK,
    CARD,
    IDENTITY,
    PARTIAL,
    QUESTIONS,
    SCENES,
    Chunk,
    DataFile,
    questions_name,
    scene_files,
)
from clear_gen.store.manifest import (
    Settings,
    environment,
    provenance_text,
    read_provenance,
    settings_of,
    stored_identity,
)
from clear_gen.store.workers import Died, Pool, Task

CHECKS = ("provenance", "files", "banks", "schema", "graph", "drawn again", "audio", "rendered again", "questions")
SHOWN_FINDINGS = 200


@dataclass
class Validation:
    """The outcome: findings; how much was looked at, by check; how scenes came out that were made again; remarks."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)

    def find(self, check: str, where: str, problem: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(check, where, problem))


def validate(
    folder: Path, sample: int | None, workers: int, progress: Callable[[int, int], AbstractContextManager[Advance]]
) -> Validation:
    """Check a finished dataset; ``sample`` scenes (all if None) are rendered again.

    Raises InputError if there is no dataset in ``folder``, CheckFailed if it is not finished or its ``clear.json``
    cannot be understood.
    """
    stored, settings = _provenance(folder)
    result = Validation()
    if (folder / IDENTITY).read_text(encoding="utf-8") != provenance_text(stored):
        result.find("provenance", IDENTITY, "altered: its content is not what its sha256 says")
    if (folder / PARTIAL).exists():
        result.find("provenance", PARTIAL, "found unfinished work; run clear-gen finish")
    result.counts["provenance"] = 1
    files = scene_files(settings.sizes)
    asked = _check_section(folder, stored, settings, result)
    _check_files(folder, stored["files"], _expected_files(settings, files, stored, asked), result)
    banks = _check_banks(folder, stored["identity"], settings, result)
    usable = len(banks) == len(needed_banks(settings.sizes)) and not settings.imported
    same_generator = stored["identity"].get("generator") == f"clear-gen {__version__}"
    if settings.imported:
        result.remarks.append(
            "imported: its elementary sounds are not in it, so no scene can be drawn or rendered again"
        )
    elif not same_generator:
        result.remarks.append(f"not drawn again: made by {stored['identity'].get('generator')}, another version")
    digest, same_environment = sha256_json(stored["identity"]), stored["environment"] == environment()
    inspection = Inspection(folder, settings, digest, usable and same_generator, usable, same_environment, asked)
    _inspect(inspection, files, sample if usable else 0, workers, progress, result)
    for check, outcome in (("drawn", "within rounding"), ("rendered", "within 1 LSB")):
        if same_environment and (inexact := result.counts[f"{check} {outcome}"]):
            where = f"{inexact:,} scene{'s' * (inexact > 1)}"
            result.find(f"{check} again", where, f"{outcome}, expected identical on the same machine")
    if same_generator and not result.findings and (usable or settings.imported):
        _check_card(folder, stored, settings, files, banks, result)
    return result


def _check_card(
    folder: Path,
    stored: dict[str, Any],
    settings: Settings,
    files: list[DataFile],
    banks: dict[str, Bank],
    result: Validation,
) -> None:
    """The card follows from all the rest, once that is known to be right."""
    found, questions = statistics(folder, files), stored.get("questions")
    expected = card(stored["identity"], settings, stored["environment"], banks, found, questions)
    if (folder / CARD).read_bytes() != expected.encode():
        result.find("files", CARD, "says something else than the dataset; delete it and run clear-gen finish")


def _provenance(folder: Path) -> tuple[dict[str, Any], Settings]:
    if not (folder / IDENTITY).exists():
        if stored_identity(folder) is not None:
            raise CheckFailed(f"{folder}: not finished; run clear-gen scenes again, or clear-gen finish to see why")
        if any((folder / name).exists() for name in (SCENES, BANK)):
            raise CheckFailed(f"{folder / IDENTITY}: missing; run the clear-gen command that made the dataset again")
        raise InputError(f"{folder}: found no dataset, expected one made by clear-gen")
    try:
        stored = read_provenance(folder / IDENTITY)
        return stored, settings_of(stored["identity"], folder / IDENTITY)
    except InputError as error:
        raise CheckFailed(str(error)) from None


def _check_section(folder: Path, stored: dict[str, Any], settings: Settings, result: Validation) -> Asked | None:
    """What ``clear.json`` says of the questions, if it has a section of them that can be understood."""
    if (section := stored.get("questions")) is None:
        return None
    try:
        asked = asked_of(section, settings, folder / IDENTITY)
    except InputError as error:
        result.find("questions", IDENTITY, str(error))
        return None
    if asked.scenes_sha256 != (expected := sha256_json({**stored["identity"], "audio": False})):
        found = f"found {asked.scenes_sha256[:60]}, expected {expected} of this dataset's scenes"
        result.find("questions", IDENTITY, f"questions.identity.scenes_sha256: {found}")
    return asked


def _expected_files(settings: Settings, files: list[DataFile], stored: dict[str, Any], asked: Asked | None) -> set[str]:
    """The names of a dataset's files; of questions that cannot be understood, those that there can be."""
    sides = [] if settings.imported else needed_banks(settings.sizes)
    splits = asked.splits if asked else [split for split, size in settings.sizes.items() if size]
    questions = {questions_name(split) for split in splits} if "questions" in stored else set()
    return {CARD, *(file.name for file in files), *(f"{BANK}/{side}.parquet" for side in sides), *questions}


def _check_files(folder: Path, hashes: dict[str, Any], expected: set[str], result: Validation) -> None:
    """Every file is there with its hash, and no other lies among them."""
    check_listed(folder, hashes, expected, result)
    inside = {entry for name in (SCENES, BANK, QUESTIONS) for entry in (folder / name).glob("*")} | set(
        folder.rglob("*.parquet")
    )
    for name in sorted(path.relative_to(folder).as_posix() for path in inside):
        if name not in expected and not name.startswith(f"{PARTIAL}/"):
            result.find("files", name, "found a file that is none of this dataset's")


def check_listed(folder: Path, hashes: dict[str, Any], expected: set[str], result: Validation) -> None:
    """Every file that is expected, and no other, is listed, and there with its hash."""
    for name in sorted(expected | set(hashes)):
        result.counts["files"] += 1
        if name not in expected:
            result.find("files", IDENTITY, f"files: found {name}, which is no file of this dataset")
        elif not (folder / name).is_file():
            result.find("files", name, "missing")
        elif sha256_file(folder / name) != hashes.get(name):
            advice = "; delete it and run clear-gen finish to have it written again" if name == CARD else ""
            result.find("files", name, f"its SHA-256 is not the one in {IDENTITY}{advice}")


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
        for problem in check_pair(banks["train"], banks["test"]):
            result.find("banks", f"{problem.side} {problem.sound_id}", problem.problem)
    return banks


def _inspect(
    inspection: Inspection,
    files: list[DataFile],
    sample: int | None,
    workers: int,
    progress: Callable[[int, int], AbstractContextManager[Advance]],
    result: Validation,
) -> None:
    """Let workers look at every chunk: a file so damaged that its reader crashes takes only a worker with it."""
    places = [(file, chunk) for file in files if (inspection.folder / file.name).is_file() for chunk in file.chunks]
    chosen = chosen_places(places, sample)
    total = sum(chunk.stop - chunk.first for _, chunk in places)
    order: dict[str, int] = {}
    found: list[tuple[int, Inspected]] = []
    with progress(total, total) as advance, Pool(workers, _start, inspection) as pool:

        def submit(task: Task) -> None:
            order[task.name] = len(order)
            pool.submit(task)

        for file, chunk in places:
            submit(Task(chunk.name, inspect_chunk, (file, chunk, chosen[chunk])))
        for split in _asked_about(inspection):
            submit(Task(questions_name(split), inspect_split, (split,)))
        for task, inspected in pool.results():
            if task.function is inspect_chunk:
                advance(task.arguments[1].stop - task.arguments[1].first)
            if isinstance(inspected, Died):
                check = "schema" if task.function is inspect_chunk else "questions"
                inspected = Inspected([Finding(check, task.name, f"reading it kills the reader ({inspected.how})")])
            for number in range(inspected.n_groups):
                submit(Task(f"{task.name}, row group {number}", inspect_answers, (*task.arguments, number)))
            found.append((order[task.name], inspected))
    for _, inspected in sorted(found, key=lambda pair: pair[0]):
        result.findings += inspected.findings
        result.counts += inspected.counts


def _asked_about(inspection: Inspection) -> list[str]:
    """The splits whose question file is there."""
    splits = inspection.asked.splits if inspection.asked else ()
    return [split for split in splits if (inspection.folder / questions_name(split)).is_file()]


def _start(inspection: Inspection) -> None:
    """Prepare a worker."""
    checks.start(inspection)
    question_checks.start(inspection)


def chosen_places(places: list[tuple[DataFile, Chunk]], sample: int | None) -> dict[Chunk, frozenset[int]]:
    """The scenes of each chunk to render again: the same at every call, spread over all splits by chance."""
    scenes = [(chunk, index) for _, chunk in places for index in range(chunk.first, chunk.stop)]
    if sample is not None and sample < len(scenes):
        drawn = stream(0, STAGE_VALIDATE).choice(len(scenes), sample, replace=False)
        scenes = [scenes[place] for place in sorted(drawn.tolist())]
    chosen: dict[Chunk, set[int]] = {chunk: set() for _, chunk in places}
    for chunk, index in scenes:
        chosen[chunk].add(index)
    return {chunk: frozenset(indices) for chunk, indices in chosen.items()}


def lines(result: Validation) -> Iterator[str]:
    """The outcome as a table, remarks, and one line per finding."""
    counts = result.counts
    again = {
        kind: ", ".join(f"{outcome} {counts[f'{kind} {outcome}']:,}" for outcome in outcomes)
        for kind, outcomes in (
            ("drawn", ("identical", "within rounding", "different")),
            ("rendered", ("identical", "within 1 LSB", "different")),
        )
    }
    looked_at = {
        "provenance": IDENTITY,
        "files": f"{counts['files']} files",
        "banks": f"{counts['banks']} banks",
        "schema": f"{counts['scenes']:,} scenes",
        "graph": f"{counts['scenes']:,} scenes",
        "drawn again": again["drawn"],
        "audio": f"{counts['decoded']:,} decoded",
        "rendered again": again["rendered"],
        "questions": f"{counts['questions']:,} questions",
    }
    yield from outcome_lines(result, {name: looked_at[name] for name in CHECKS})


def outcome_lines(result: Validation, looked_at: dict[str, str]) -> Iterator[str]:
    """A table of what was looked at by each check, remarks, and one line per finding."""
    wrong = Counter(finding.check for finding in result.findings)
    yield from table(
        [["check", "looked at", "wrong"], *([name, at, str(wrong[name])] for name, at in looked_at.items())]
    )
    yield from (f"note: {remark}" for remark in result.remarks)
    for finding in result.findings[:SHOWN_FINDINGS]:
        yield f"{finding.check}: {finding.where}: {finding.problem}"
    if len(result.findings) > SHOWN_FINDINGS:
        yield f"and {len(result.findings) - SHOWN_FINDINGS:,} more"
