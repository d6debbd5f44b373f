"""Validation of a dataset against its ``clear.json``: checks common to all kinds, and reporting."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file
from clear_gen.core.progress import counted
from clear_gen.core.streams import STAGE_VALIDATE, stream
from clear_gen.core.text import table
from clear_gen.store.layout import CARD, IDENTITY, PARTIAL, Chunk, DataFile, owned_files
from clear_gen.store.manifest import (
    no_dataset,
    provenance_text,
    read_provenance,
    stored_identity,
    unfinished_section,
)

SHOWN_CAUSES, SHOWN_EXAMPLES = 100, 4
# What differs between findings of one cause: quoted values, words with digits, labels, what was drawn
VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*|(?<=unknown label: ).*|(?<=found ).*(?=, the seed gives )")
# Outcomes of regenerated records
DRAWN = ("identical", "within rounding", "different")
RENDERED = ("identical", "within 1 LSB", "different")


@dataclass(frozen=True)
class Finding:
    """A problem: the check, the file, record or sound, and a description."""

    check: str
    where: str
    problem: str


@dataclass
class Validation:
    """Validation outcome: findings, amount inspected by check, outcomes of regenerated records, remarks.

    ``looked_at``: description of what each check inspected, in table order.
    """

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    looked_at: dict[str, str] = field(default_factory=dict)

    def find(self, check: str, where: str, problem: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(check, where, problem))


def manifest_to_validate(folder: Path) -> dict[str, Any]:
    """The ``clear.json`` of a finished dataset.

    Raises InputError if there is no dataset in ``folder``, CheckFailed if it is not finished or its ``clear.json``
    is malformed.
    """
    if not (folder / IDENTITY).exists():
        if stored_identity(folder) is not None:
            raise CheckFailed(str(no_dataset(folder)))
        if owned_files(folder):
            raise CheckFailed(f"{folder / IDENTITY}: missing; run the clear-gen command that made the dataset again")
        raise no_dataset(folder)
    try:
        return read_provenance(folder / IDENTITY)
    except InputError as error:
        raise CheckFailed(str(error)) from None


def check_manifest(folder: Path, manifest: dict[str, Any], expected: set[str], result: Validation) -> None:
    """Check that ``clear.json`` is unaltered and lists exactly the files in ``expected``, each with its hash."""
    if (folder / IDENTITY).read_text(encoding="utf-8") != provenance_text(manifest):
        result.find("provenance", IDENTITY, "altered: its content is not what its sha256 says")
    if (folder / PARTIAL).exists():
        problem = unfinished_section(folder, manifest) or f"found what a run left; clear-gen finish {folder} removes it"
        result.find("provenance", PARTIAL, problem)
    result.counts["provenance"] = 1
    _check_listed(folder, manifest["files"], expected, result)
    folders = {folder / name.partition("/")[0] for name in expected if "/" in name}
    inside = {entry for path in folders for entry in path.glob("*")} | set(folder.rglob("*.parquet"))
    for name in sorted(path.relative_to(folder).as_posix() for path in inside):
        if name not in expected and not name.startswith(f"{PARTIAL}/"):
            result.find("files", name, "found a file that is none of this dataset's")


def _check_listed(folder: Path, hashes: dict[str, Any], expected: set[str], result: Validation) -> None:
    """Check that exactly the expected files are listed, each present with its hash."""
    for name in counted(sorted(expected | set(hashes)), "files hashed"):
        result.counts["files"] += 1
        if name not in expected:
            result.find("files", IDENTITY, f"files: found {name}, which is no file of this dataset")
        elif not (folder / name).is_file():
            result.find("files", name, "missing")
        elif sha256_file(folder / name) != hashes.get(name):
            advice = "; delete it and run clear-gen finish to have it written again" if name == CARD else ""
            result.find("files", name, f"its SHA-256 is not the one in {IDENTITY}{advice}")


def check_card(folder: Path, expected: str, result: Validation) -> None:
    """Check the card, which is derived from all other files, once those are verified."""
    if (folder / CARD).read_bytes() != expected.encode():
        result.find("files", CARD, "says something else than the dataset; delete it and run clear-gen finish")


def check_exactness(record: str, result: Validation) -> None:
    """Check that regeneration on the same machine is identical. ``record``: noun for one record."""
    for check, outcome in (("drawn", DRAWN[1]), ("rendered", RENDERED[1])):
        if inexact := result.counts[f"{check} {outcome}"]:
            where = f"{inexact:,} {record}{'s' * (inexact > 1)}"
            result.find(f"{check} again", where, f"{outcome}, expected identical on the same machine")


def chosen_places(places: list[tuple[DataFile, Chunk]], sample: int | None) -> dict[Chunk, frozenset[int]]:
    """Records of each chunk to regenerate: a random sample over all splits, the same at every call."""
    records = [(chunk, index) for _, chunk in places for index in range(chunk.first, chunk.stop)]
    if sample is not None and sample < len(records):
        drawn = stream(0, STAGE_VALIDATE).choice(len(records), sample, replace=False)
        records = [records[place] for place in sorted(drawn.tolist())]
    chosen: dict[Chunk, set[int]] = {chunk: set() for _, chunk in places}
    for chunk, index in records:
        chosen[chunk].add(index)
    return {chunk: frozenset(indices) for chunk, indices in chosen.items()}


def made_again(counts: Counter[str]) -> dict[str, str]:
    """Describe what the checks ``drawn again`` and ``rendered again`` inspected."""
    outcomes = {"drawn": DRAWN, "rendered": RENDERED}
    return {
        f"{name} again": ", ".join(f"{outcome} {counts[f'{name} {outcome}']:,}" for outcome in some)
        for name, some in outcomes.items()
    }


# --- reporting --------------------------------------------------------------------------------------------------------


def cause_of(problem: str) -> str:
    """A description of a problem without the values that differ from one finding to the next.

    >>> cause_of("answer: found 'ninth', but step 6 found 2 sounds")
    'answer: found …, but step … found … sounds'
    """
    return VALUES.sub("…", problem)


def causes(findings: Sequence[Finding]) -> list[list[Finding]]:
    """The findings in groups of one check and one cause, in the order of their first."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, cause_of(finding.problem)), []).append(finding)
    return list(groups.values())


def outcome_lines(result: Validation) -> Iterator[str]:
    """A table of what each check inspected, the remarks, and one line per cause, with the first findings of it."""
    wrong = Counter(finding.check for finding in result.findings)
    rows = [[name, at, str(wrong[name])] for name, at in result.looked_at.items()]
    yield from table([["check", "looked at", "wrong"], *rows])
    yield from (f"note: {remark}" for remark in result.remarks)
    groups = causes(result.findings)
    for first, *others in groups[:SHOWN_CAUSES]:
        also = ", ".join(finding.where for finding in others[:SHOWN_EXAMPLES]) + ", …" * (len(others) > SHOWN_EXAMPLES)
        more = f" (and {len(others):,} more such: {also})" if others else ""
        yield f"{first.check}: {first.where}: {first.problem}{more}"
    if len(groups) > SHOWN_CAUSES:
        yield f"and {len(groups) - SHOWN_CAUSES:,} more causes; --json lists all"


def outcome_json(result: Validation, folder: Path) -> str:
    """The outcome as JSON, with every finding (docs/validate.md)."""
    wrong = Counter(finding.check for finding in result.findings)
    content = {
        "format": 1,
        "dataset": folder.resolve().name,
        "valid": not result.findings,
        "checks": [{"check": name, "looked_at": at, "wrong": wrong[name]} for name, at in result.looked_at.items()],
        "remarks": result.remarks,
        "causes": [
            {"check": group[0].check, "n": len(group), "findings": [_as_json(finding) for finding in group]}
            for group in causes(result.findings)
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def _as_json(finding: Finding) -> dict[str, str]:
    return {"where": finding.where, "problem": finding.problem}
