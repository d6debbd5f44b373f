"""Auditing the questions of a dataset: figures, limits and baselines as a table, as JSON, as a page.

The scenes are read file by file, in worker processes if there are several; the baselines learn in this process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import open_parquet, read_row_group
from clear_gen.core.progress import busy, progress
from clear_gen.datasets.scenes.banks import bank_path
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT, scene_files
from clear_gen.datasets.scenes.load import read_questions
from clear_gen.datasets.scenes.manifest import Settings, finished_settings
from clear_gen.datasets.scenes.questions.files import Checker, program_of, read_questions_manifest
from clear_gen.questions.audit.clause_ablation import ClauseAblation, ablate_clauses
from clear_gen.questions.audit.figures import Figures, figures_of
from clear_gen.questions.audit.ngrams import words_of
from clear_gen.questions.audit.text_only_baselines import (
    ALL,
    QuestionColumns,
    Score,
    Scores,
    fit_baselines,
    look_up,
    score_baselines,
    scores_of,
)
from clear_gen.questions.audit.thresholds import RELATION_BLIND, Threshold, thresholds_of
from clear_gen.questions.language.program import Program
from clear_gen.questions.language.scene_facts import Facts, facts_of
from clear_gen.questions.language.vocabulary import values_of
from clear_gen.scenes.domain import Domain, Published
from clear_gen.scenes.graph import graph_of_row, scene_schema
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import IDENTITY, DataFile
from clear_gen.store.manifest import GENERATOR, environment, read_provenance
from clear_gen.store.workers import Call, Died, Pool, run_calls

FORMAT = 2


@dataclass(frozen=True)
class Audit:
    """All that was found. ``figures``: split (and ALL) -> figures; ``baselines``: name -> split -> scores;
    ``readers``: question type -> what was chosen for its model of the text; ``judged``: the split that the trained
    baselines are judged on. ``templates``: how many there were to choose from, None if nobody said. ``published``: the
    dataset that the domain resembles, None if it resembles none or its questions are not known."""

    folder: str
    generator: str
    environment: dict[str, str]
    scenes: dict[str, Any]
    questions: dict[str, Any]
    templates: int | None
    published: Published | None
    figures: dict[str, Figures]
    baselines: dict[str, dict[str, Scores]]
    readers: dict[str, dict[str, Any]]
    judged: str | None
    thresholds: list[Threshold]

    def as_json(self) -> str:
        """The same as JSON, shares and verdicts beside the numbers that they follow from."""
        content = {"format": FORMAT, **asdict(self)}
        content["published"] = self.published and self.published.model_dump()
        content["baselines"] = {
            name: {
                split: {kind: _score_as_json(one) for kind, one in scores.items()} for split, scores in splits.items()
            }
            for name, splits in self.baselines.items()
        }
        del content["thresholds"]
        content["goals"] = [{**asdict(one), "verdict": one.verdict} for one in self.thresholds]
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _score_as_json(score: Score) -> dict[str, float]:
    return {"n": score.n, "right": score.correct, "share": score.share, "error": score.error}


def audit(folder: Path, workers: int = 1) -> Audit:
    """Audit the questions of the finished dataset in ``folder``.

    Raises InputError if there are none, or if scenes or questions cannot be read, CheckFailed if a worker died.
    """
    settings = finished_settings(folder)
    identity, about = read_provenance(folder / IDENTITY)["identity"], read_questions_manifest(folder, settings)
    if about is None:
        raise InputError(f"{folder}: found no questions; run clear-gen questions {quote(str(folder))}")
    files = [file for file in scene_files(settings.sizes) if file.split in about.splits]
    found = _ablated(_Job(folder, settings, sha256_json(identity), _banks(folder, settings, files)), files, workers)
    if not found:
        raise InputError(f"{folder}: found no question in its files, expected at least one")
    types = [name for name in settings.domain.question_types if name in about.identity.get("types", [name])]
    everything = (_together([asked for asked, _ in found.values()]), [*chain(*(parts for _, parts in found.values()))])
    figures = {
        split: figures_of(asked, ablations, settings.domain, types, about.type_shares)
        for split, (asked, ablations) in [*found.items(), (ALL, everything)]
    }
    with busy("training the text-only baselines"):
        baselines, readers = _baselines(found)
    published = settings.domain.published
    judged = next((split for split in ("test", "validation") if split in found and readers), None)
    return Audit(
        folder=folder.resolve().name,
        generator=GENERATOR,
        environment=environment(),
        scenes={name: identity.get(name) for name in ("scenes", "seed", "levels", "imported")},
        questions=about.identity,
        templates=about.identity.get("templates", {}).get("n"),
        published=published if published and published.type_shares else None,
        figures=figures,
        baselines=baselines,
        readers=readers,
        judged=judged,
        thresholds=thresholds_of(figures[ALL], baselines, judged, independent_attribute(settings), settings.domain),
    )


def _together(parts: Sequence[QuestionColumns]) -> QuestionColumns:
    return QuestionColumns(
        *([*chain(*columns)] for columns in zip(*(vars(part).values() for part in parts), strict=True))
    )


def independent_attribute(settings: Settings) -> str | None:
    """The attribute whose label a coin decided, whatever the bank says."""
    levels = settings.domain.sampling.independent_levels
    return levels.attribute if levels is not None and settings.levels == "independent" else None


def _baselines(
    found: dict[str, tuple[QuestionColumns, list[ClauseAblation]]],
) -> tuple[dict[str, dict[str, Scores]], dict[str, dict[str, Any]]]:
    """Baseline -> split -> scores, and what was chosen for the n-gram models. Without training questions nothing is
    fitted."""
    baselines: dict[str, dict[str, Scores]] = {RELATION_BLIND: {}}
    for split, (asked, ablations) in found.items():
        hits = [
            (name, one.relation_blind)
            for name, one in zip(asked.types, ablations, strict=True)
            if one.relation_blind is not None
        ]
        baselines[RELATION_BLIND][split] = scores_of([name for name, _ in hits], [hit for _, hit in hits])
    others = [split for split in found if split != "train"]
    if "train" not in found or not others:
        return baselines, {}
    fitted = fit_baselines(found["train"][0], found["validation"][0] if "validation" in found else None)
    for split in others:
        for name, scores in score_baselines(fitted, found[split][0]).items():
            baselines.setdefault(name, {})[split] = scores
    return baselines, {
        name: {"longest": model.longest, "penalty": model.penalty, "n_grams": len(model.columns)}
        for name, model in fitted.ngram_models.items()
    }


# --- in workers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """What a worker must know. ``banks``: side -> attribute -> label of every elementary sound."""

    folder: Path
    settings: Settings
    scenes_sha256: str
    banks: dict[str, dict[str, list[Any]]]


class _AuditState:
    """A worker's state. ``questions(split)`` keeps those of one split in memory; ``checker`` checks programs."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.questions = lru_cache(maxsize=1)(partial(_questions, job))
        self.checker = Checker(job.settings.domain)


def _questions(job: _Job, split: str) -> pa.Table:
    columns = ["question_id", "scene_id", "question", "answer", "question_type", "template_id", "program"]
    return read_questions(job.folder, split).select(columns)


def _ablated(
    job: _Job, files: Sequence[DataFile], workers: int
) -> dict[str, tuple[QuestionColumns, list[ClauseAblation]]]:
    """Split -> its questions and what executing them again showed; splits without questions are left out."""
    results = {}
    calls = [Call(file.name, examine_file, (file,)) for file in files]
    n = sum(file.stop - file.first for file in files)
    with progress(n, n, "scenes whose questions are executed again") as advance:

        def done(call: Call, _: object) -> None:
            advance(call.arguments[0].stop - call.arguments[0].first)

        for call, result in run_calls(calls, workers, Pool, _AuditState, job, done).items():
            if isinstance(result, Died):
                raise CheckFailed(f"not audited: {result.of(call)}")
            results[call.name] = result
    found = {}
    for split in job.settings.sizes:
        parts = [results[file.name] for file in files if file.split == split]
        if any(part[1] for part in parts):
            found[split] = (_together([asked for asked, _ in parts]), [*chain(*(ablations for _, ablations in parts))])
    return found


def _banks(folder: Path, settings: Settings, files: Sequence[DataFile]) -> dict[str, dict[str, list[Any]]]:
    """The labels that a look-up can know: of the banks or, in an imported dataset, of the scenes' different sounds."""
    sides = sorted({BANK_OF_SPLIT[file.split] for file in files})
    known = [name for name in settings.domain.attributes if name != independent_attribute(settings)]
    if not settings.imported:
        return {side: open_parquet(bank_path(folder, side)).read(known).to_pydict() for side in sides}
    banks = {}
    for side in sides:
        labels: dict[str, list[Any]] = {}
        for file in files:
            if BANK_OF_SPLIT[file.split] == side:
                sounds = open_parquet(folder / file.name).read(["sounds"])["sounds"].combine_chunks().flatten()
                labels |= {sound["sound_id"]: [sound[name] for name in known] for sound in sounds.to_pylist()}
        banks[side] = dict(zip(known, map(list, zip(*labels.values(), strict=True)), strict=True))
    return banks


def examine_file(state: _AuditState, file: DataFile) -> tuple[QuestionColumns, list[ClauseAblation]]:
    """The questions about the scenes of one file, and what executing them again shows."""
    job = state.job
    bank, names = job.banks[BANK_OF_SPLIT[file.split]], names_of(job.settings.domain)
    asked, ablations = QuestionColumns([], [], [], [], [], []), []
    by_scene = _rows_by_scene(state.questions(file.split), file)
    for scene_id, facts in _facts(job, file):
        for row in by_scene.get(scene_id, ()):
            program = _program(state, row)
            ablations.append(ablate_clauses(program, row["answer"], facts))
            asked.words.append(words_of(row["question"], names))
            asked.looked_up.append(look_up(program, bank))
            asked.n_nodes.append(len(program))
            # many questions share these few texts: one object each
            asked.answers.append(sys.intern(row["answer"]))
            asked.types.append(sys.intern(row["question_type"]))
            asked.templates.append(sys.intern(row["template_id"]))
    return asked, ablations


def _program(state: _AuditState, row: dict[str, Any]) -> Program:
    """The program of a record. Raises InputError if a field of the record is empty or the program not well-typed."""
    if empty := [name for name, value in row.items() if value is None]:
        raise InputError(f"{state.job.folder}: {row['question_id']}: {empty[0]}: found nothing, expected a value")
    try:
        program = program_of(row["program"])
        problem = state.checker.problem(program)
    except TypeError:
        problem = "found nothing where a node has its function, inputs and values"
    if problem:
        raise InputError(f"{state.job.folder}: {row['question_id']}: program: {problem}")
    return program


def names_of(domain: Domain) -> set[str]:
    """The labels that are written in capitals, such as notes: "A" is no article."""
    values = {value for name in domain.attributes for value in values_of(name, domain)}
    return {value for value in values if value != value.lower()}


def _rows_by_scene(table: pa.Table, file: DataFile) -> dict[str, list[dict[str, Any]]]:
    """The questions about the scenes of a file, of a table of those of its split."""
    ids = [f"{file.split}-{index:06d}" for index in range(file.first, file.stop)]
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.filter(pc.is_in(table["scene_id"], pa.array(ids))).to_pylist():
        rows.setdefault(row["scene_id"], []).append(row)
    return rows


def _facts(job: _Job, file: DataFile) -> Iterator[tuple[str, Facts]]:
    """The scenes of a file, by id."""
    path, settings = job.folder / file.name, job.settings
    opened = check_file(path, file, job.scenes_sha256)
    columns = [name for name in scene_schema(settings.domain.attributes, settings.sample_rate).names if name != "audio"]
    for number in range(opened.num_row_groups):
        for row in read_row_group(opened, number, path, columns).to_pylist():
            yield row["scene_id"], facts_of(graph_of_row(row), settings.domain)
