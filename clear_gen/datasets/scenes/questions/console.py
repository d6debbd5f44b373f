"""Output of the commands about questions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shlex import quote
from typing import Any

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text
from clear_gen.core.hints import next_line
from clear_gen.core.text import table
from clear_gen.datasets.scenes.layout import questions_name
from clear_gen.datasets.scenes.load import load_graph, read_questions
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.datasets.scenes.questions.files import program_of
from clear_gen.datasets.scenes.questions.records import QuestionJob
from clear_gen.questions.language.execute import IllPosed, execute
from clear_gen.questions.language.program import Program, parse_program, problem_of
from clear_gen.questions.language.trace import trace
from clear_gen.scenes.domain import Domain
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import read_provenance

MAX_PROGRAM_BYTES = 1_000_000


def summary(folder: Path) -> str:
    """Questions per type and split, missing ones, and the next command to run."""
    about = read_provenance(folder / IDENTITY)["questions"]
    splits: dict[str, dict[str, Any]] = about["splits"]
    types = about["identity"]["types"]
    rows = [["type", *splits]]
    rows += [[name, *(f"{found['of_type'].get(name, 0):,}" for found in splits.values())] for name in types]
    rows.append(["all", *(f"{found['written']:,}" for found in splits.values())])
    wanted, written, droppable = (
        sum(found[name] for found in splits.values()) for name in ("wanted", "written", "with_droppable_word")
    )
    return "\n".join(
        [
            *table(rows),
            "",
            f"{folder}: {written:,} of {wanted:,} questions ({written / max(1, wanted):.2%}), "
            f"{droppable / max(1, written):.1%} with a word that could be left out",
            next_line("clear-gen audit", folder),
        ]
    )


def plan(job: QuestionJob) -> str:
    """How many questions a run would ask."""
    sizes, per_scene = job.settings.sizes, job.rules.per_scene
    n = sum(sizes.values()) * per_scene
    splits = ", ".join(f"{split} {size * per_scene:,}" for split, size in sizes.items())
    return f"{n:,} questions: {splits}; from {len(job.templates):,} templates of {len(job.rules.types)} types"


def shard_done(folder: Path) -> str:
    """Message of a shard that was not the last."""
    path = quote(str(folder))
    return f"{folder}: this shard's candidates are done, others' are not; the last shard selects the questions ({path})"


def answered(folder: Path, question_id: str, with_trace: bool) -> tuple[list[str], bool]:
    """Describe a question, its steps and its answer; also returns whether the stored answer is right.

    Raises InputError if there is no such dataset or question.
    """
    row = question_of(folder, question_id)
    domain, graph = finished_settings(folder).domain, load_graph(folder, row["scene_id"])
    program = _stored_program(row, domain, folder / questions_name(row["split"]))
    lines = [row["question"]]
    if with_trace:
        lines += trace(program, graph, domain)
    found = execute(program, graph, domain)
    right = found == row["answer"]
    if not with_trace:
        lines.append(f"ill-posed: {found.reason}" if isinstance(found, IllPosed) else f"answer: {found}")
    if not right:
        lines.append(f"stored answer: {row['answer']}")
    return lines, right


def _stored_program(row: dict[str, Any], domain: Domain, path: Path) -> Program:
    try:
        program = program_of(row["program"])
    except TypeError:
        program = ()
    if problem := problem_of(program, domain):
        raise InputError(f"{path}: {row['question_id']}: program: {problem}; the file was altered")
    return program


def asked(folder: Path, scene_id: str, path: Path, with_trace: bool) -> tuple[list[str], str | None]:
    """Describe a program's steps and answer on a scene, or why it has none. Raises InputError naming the problem."""
    domain = finished_settings(folder).domain
    program = read_program(path, domain)
    graph = load_graph(folder, scene_id)
    found = execute(program, graph, domain)
    lines = trace(program, graph, domain) if with_trace else []
    if isinstance(found, IllPosed):
        return lines, f"ill-posed: {found.reason}"
    return lines or [found], None


def question_of(folder: Path, question_id: str) -> dict[str, Any]:
    """The record of one question. Raises InputError if there is none of this id."""
    settings = finished_settings(folder)
    named = re.fullmatch(r"([a-z]+)-\d{6,}-\d+", question_id)
    splits = [split for split, size in settings.sizes.items() if size]
    if named is None or named[1] not in splits:
        raise InputError(f"--question: found {question_id!r}, expected an id such as {splits[0]}-000000-0")
    found = read_questions(folder, named[1])
    places = [place for place, name in enumerate(found["question_id"].to_pylist()) if name == question_id]
    if not places:
        raise InputError(f"{folder}: question: found none with the id {question_id}")
    return dict(found.slice(places[0], 1).to_pylist()[0])


def read_program(path: Path, domain: Domain) -> Program:
    """A program from a JSON file, checked. Raises InputError naming file, node, found and expected."""
    try:
        content = json.loads(read_text(path, MAX_PROGRAM_BYTES, "a program as JSON"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON ({first_line(error)})") from None
    return parse_program(content, domain, str(path))
