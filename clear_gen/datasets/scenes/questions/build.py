"""Questions of a dataset: candidates scene file by scene file (pass 1), then one selection per split (pass 2).

Candidates are kept under ``.partial`` until complete; shards divide them like scene files. The selection needs all
candidates of a split and is one call per split.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import refresh, sha256_json, write_text
from clear_gen.core.names import not_among
from clear_gen.core.progress import Advance, progress
from clear_gen.core.records import SPLITS
from clear_gen.datasets.scenes.finish import card_of
from clear_gen.datasets.scenes.layout import QUESTIONS, questions_name, scene_files
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.datasets.scenes.questions.records import (
    QuestionJob,
    QuestionState,
    is_whole,
    write_candidates,
    write_questions,
)
from clear_gen.questions.generation.candidates import Rules
from clear_gen.questions.generation.type_shares import normalised, published_shares, read_type_shares
from clear_gen.questions.language.vocabulary import values_of
from clear_gen.questions.templates.template import Template, as_json
from clear_gen.scenes.domain import Domain
from clear_gen.store.build import Execution, Shard
from clear_gen.store.finish import remove_leftovers, tidy, write_manifest
from clear_gen.store.layout import CARD, IDENTITY, PARTIAL, DataFile, shard_of
from clear_gen.store.lock import LOCK, at_work, let_finish, wait_to_finish
from clear_gen.store.manifest import GENERATOR, difference, read_json, read_provenance
from clear_gen.store.workers import Call, Died, not_made, run_calls

FILES_AT_A_TIME = 4  # of scenes with
USUAL_PER_SCENE = 4  # questions or fewer


def checked_rules(
    domain: Domain,
    seed: int,
    per_scene: int,
    types: str | None,
    strict: bool,
    holdout: tuple[tuple[str, str], ...],
    templates: Sequence[Template],
    type_shares: str | None = None,
) -> Rules:
    """The rules requested by the options. Raises InputError naming the invalid option.

    Unless ``strict``, types are asked as the dataset does that the domain resembles. ``type_shares``: see
    ``read_type_shares``; by default uniform or, unless ``strict``, those of that dataset.
    """
    published = None if strict else domain.published
    shares = {}
    if type_shares is not None:
        shares = read_type_shares(type_shares, domain)
    elif published:
        shares = published_shares(domain)
    named = None if types is None else [name.strip() for name in types.split(",")]
    wanted = tuple(domain.question_types if named is None else dict.fromkeys(named))
    for name in wanted:
        if name not in domain.question_types:
            raise InputError(f"--types: {not_among(name, domain.question_types, 'some of')}")
    for name, value in holdout:
        if name not in domain.attributes:
            raise InputError(f"--holdout: {not_among(name, domain.attributes, 'an attribute')}")
        if value not in (known := values_of(name, domain)):
            raise InputError(f"--holdout: {name}: {not_among(value, known)}")
    there = {template.question_type for template in templates}
    if types is None:
        wanted = tuple(name for name in wanted if name in there)
    if missing := [name for name in wanted if name not in there]:
        raise InputError(f"--types: found {missing[0]}, of which there is no template")
    if shares:
        if types is not None and (missing := [name for name in wanted if name not in shares]):
            raise InputError(f"--types: found {missing[0]}, expected types that have a share: {', '.join(shares)}")
        wanted = tuple(name for name in wanted if name in shares)
        shares = normalised({name: shares[name] for name in wanted})
    plain = tuple(name for name in published.without_relations if name in wanted) if published else ()
    return Rules(seed, per_scene, wanted, strict, holdout, tuple(shares.values()), plain)


def question_job(folder: Path, rules: Rules, templates: Sequence[Template]) -> QuestionJob:
    """The question job for the finished dataset in ``folder``. Raises InputError if there is none."""
    settings = finished_settings(folder)
    scenes = read_provenance(folder / IDENTITY)["identity"]
    identity = {
        "generator": GENERATOR,
        "scenes_sha256": sha256_json({**scenes, "audio": False}),  # questions do not depend on audio
        "seed": rules.seed,
        "per_scene": rules.per_scene,
        "types": list(rules.types),
        "rules": "strict" if rules.strict else "paper",
        "holdout": dict(rules.holdout),
        **({"type_shares": dict(zip(rules.types, rules.type_shares, strict=True))} if rules.type_shares else {}),
        **({"without_relations": list(rules.without_relations)} if rules.without_relations else {}),
        "templates": {"n": len(templates), "sha256": sha256_json(as_json(templates))},
    }
    return QuestionJob(folder, settings, sha256_json(scenes), rules, tuple(templates), identity)


def check(job: QuestionJob, execution: Execution) -> None:
    """Raise what ``make_questions`` would refuse before it writes anything; nothing is changed.

    Raises InputError if the folder holds other questions, CheckFailed if another run is at work in it.
    """
    _check(job, execution.overwrite)
    if (job.folder / PARTIAL / LOCK).exists():
        with at_work(job.folder, _numbers(job, execution.shard)):
            pass


def make_questions(job: QuestionJob, execution: Execution, select_only: bool = False) -> bool:
    """Write this shard's missing candidates and, once all exist, the questions; returns whether they are finished.

    Raises InputError if the folder holds other questions, unless ``execution.overwrite``; CheckFailed if another run is
    at work in it, if a worker died, or, with ``select_only``, if candidates are missing.
    """
    _check(job, execution.overwrite)
    if execution.overwrite and not _goes_on(job):
        with at_work(job.folder):
            _begin(job, anew=True)
    if _is_finished(job):
        tidy(job.folder, sections_too=True)
        return True
    files = scene_files(job.settings.sizes)
    shard = execution.shard
    mine = shard_of(files, shard.of, shard.index)
    with at_work(job.folder, _numbers(job, shard)) as lock:
        _check(job)  # checked again: another run may have ended meanwhile
        _begin(job)
        let_finish(lock)
        left = [file for file in files if not is_whole(job, file)]
        if select_only and left:
            names = ", ".join(file.name for file in left[:5])
            raise CheckFailed(f"{job.folder}: {len(left)} of {len(files)} files have no candidates yet, first {names}")
        to_do = [file for file in left if file in mine]
        total = sum(job.settings.sizes.values())
        calls = [Call(some[0].name, write_candidates, (some,)) for some in _batches(to_do, job.rules.per_scene)]
        with execution.progress(sum(file.stop - file.first for file in to_do), total) as advance:
            _results(job, calls, execution, advance)
        refresh(job.folder / PARTIAL)
        if all(is_whole(job, file) for file in left if file not in to_do):
            wait_to_finish(lock)
            if not _is_finished(job):  # else another shard found the candidates complete first
                _select(job, execution)
        return _is_finished(job)


def _numbers(job: QuestionJob, shard: Shard) -> list[int] | None:
    """The numbers of the files of scenes that a shard locks; None: all."""
    files = scene_files(job.settings.sizes)
    return [files.index(file) for file in shard_of(files, shard.of, shard.index)] if shard.of > 1 else None


def _batches(files: list[DataFile], per_scene: int) -> list[tuple[DataFile, ...]]:
    """Batches of files of one split: larger batches are faster but take more memory."""
    n = max(1, FILES_AT_A_TIME * USUAL_PER_SCENE // max(per_scene, USUAL_PER_SCENE))
    batches = []
    for split in SPLITS:
        of = [file for file in files if file.split == split]
        batches += [tuple(of[start : start + n]) for start in range(0, len(of), n)]
    return batches


def _check(job: QuestionJob, overwrite: bool = False) -> None:
    """Raise InputError if the folder holds other questions, finished or begun."""
    if overwrite:
        return
    stored = read_provenance(job.folder / IDENTITY).get("questions")
    begun = _begun(job.folder)
    for found in (stored["identity"] if stored else None, begun):
        if found is not None and found != job.identity:
            raise InputError(
                f"{job.folder}: holds other questions ({difference(found, job.identity)}); --overwrite replaces them"
            )
    if stored is None and begun is None:
        entries = sorted(path.name for path in (job.folder / QUESTIONS).glob("*"))
        if entries:
            raise InputError(f"{job.folder / QUESTIONS / entries[0]}: found a file that is none of this dataset's")


def _goes_on(job: QuestionJob) -> bool:
    """Whether the same questions were begun and none is finished, so that nothing needs replacing."""
    try:
        begun = _begun(job.folder)
    except InputError:
        return False
    return begun == job.identity and "questions" not in read_provenance(job.folder / IDENTITY)


def _begun(folder: Path) -> dict[str, Any] | None:
    try:
        return read_json(folder / PARTIAL / f"{QUESTIONS}.json")
    except FileNotFoundError:
        return None


def _is_finished(job: QuestionJob) -> bool:
    """Whether these questions are complete; ``validate`` finds altered content."""
    stored = read_provenance(job.folder / IDENTITY)
    if (stored.get("questions") or {}).get("identity") != job.identity:
        return False
    names = [questions_name(split) for split, size in job.settings.sizes.items() if size]
    return all((job.folder / name).is_file() for name in names) and (job.folder / CARD).exists()


def _begin(job: QuestionJob, anew: bool = False) -> None:
    """Record the questions to be made; existing questions and candidates no longer belong to the dataset."""
    if not anew and _begun(job.folder) == job.identity:
        return
    for path in (job.folder / PARTIAL).glob(f"{QUESTIONS}-*.arrow"):
        path.unlink()
    write_text(job.folder / PARTIAL / f"{QUESTIONS}.json", json.dumps(job.identity, indent=1))
    discard_questions(job.folder)


def discard_questions(folder: Path) -> None:
    """Remove the questions of a finished dataset."""
    stored = read_provenance(folder / IDENTITY)
    files = {name: sha for name, sha in stored["files"].items() if not name.startswith(f"{QUESTIONS}/")}
    if stored.pop("questions", None) is not None:
        _write(folder, stored, files, None)
    for split in SPLITS:
        (folder / questions_name(split)).unlink(missing_ok=True)


def _write(folder: Path, stored: dict[str, Any], files: dict[str, str], questions: dict[str, Any] | None) -> None:
    """Write the card first and ``clear.json`` last, since it holds the hashes of all other files."""
    sections = {} if questions is None else {QUESTIONS: questions}
    card = card_of(folder, {**stored, **sections})
    write_manifest(folder, stored["identity"], stored["environment"], sections, files, card)


def _results(job: QuestionJob, calls: list[Call], execution: Execution, advance: Advance) -> dict[Call, Any]:
    """The results of calls. Raises CheckFailed if a worker died over one of them, once the others have ended."""

    def done(_: Call, result: Any) -> None:
        advance(result if isinstance(result, int) else 1)  # scenes, or a split

    results = run_calls(calls, execution.workers, execution.engine, QuestionState, job, done)
    if lost := [result.of(call) for call, result in results.items() if isinstance(result, Died)]:
        raise not_made(lost)
    return results


def _select(job: QuestionJob, execution: Execution) -> None:
    """Write every split's questions, then the card and ``clear.json``."""
    splits = [split for split, size in job.settings.sizes.items() if size]
    calls = [Call(f"questions of {split}", write_questions, (split,)) for split in splits]
    with progress(len(splits), len(splits), "splits whose questions are selected") as advance:
        results = {call.arguments[0]: found for call, found in _results(job, calls, execution, advance).items()}
    stored = read_provenance(job.folder / IDENTITY)
    files_of = {name: sha for name, sha in stored["files"].items() if not name.startswith(f"{QUESTIONS}/")}
    questions = {"identity": job.identity, "splits": {split: asdict(results[split]) for split in splits}}
    for split in splits:
        files_of[questions_name(split)] = questions["splits"][split].pop("sha256")
    _write(job.folder, stored, files_of, questions)
    remove_leftovers(job.folder, sections_too=True)
