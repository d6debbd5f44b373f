"""What workers do for ``clear-gen questions``: candidates of scene files (pass 1), one split's questions (pass 2)."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.core.errors import CheckFailed
from clear_gen.core.files import atomic_path, refresh, sha256_file, sha256_json
from clear_gen.core.parquet import open_parquet, parquet_writer, read_row_group
from clear_gen.datasets.scenes.banks import bank_path
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT, QUESTIONS, questions_name, scene_files
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.questions.files import ROWS_PER_GROUP, questions_schema
from clear_gen.questions.generation.candidates import QuestionPlan, Rules, bank_labels, candidates, question_plan
from clear_gen.questions.generation.records import Chosen, Recorder
from clear_gen.questions.generation.selection import pool_of, select
from clear_gen.questions.language.scene_batch import scene_batch
from clear_gen.questions.templates.template import Template
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import PARTIAL, DataFile

GRAPH_COLUMNS = ["sounds", "n_samples_dry", "sample_rate"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuestionJob:
    """What a worker must know: where, by which rules, from which templates."""

    folder: Path
    settings: Settings
    scenes_sha256: str
    rules: Rules
    templates: tuple[Template, ...]
    identity: dict[str, Any]

    @property
    def sha256(self) -> str:
        """SHA-256 of the questions' identity."""
        return sha256_json(self.identity)


class QuestionState:
    """A worker's state. ``plan(side)``, made once: what is asked about scenes made from the bank of a side."""

    def __init__(self, job: QuestionJob) -> None:
        self.job = job
        self.plan = cache(partial(_plan, job))


def _plan(job: QuestionJob, side: str) -> QuestionPlan:
    domain, levels = job.settings.domain, job.settings.domain.sampling.independent_levels
    columns = _bank_columns(job, side)
    if job.settings.levels == "independent" and levels is not None:
        columns.pop(levels.attribute)  # drawn by a coin, whatever the sound
    return question_plan(domain, job.rules, job.templates, bank_labels(columns, domain))


def _bank_columns(job: QuestionJob, side: str) -> dict[str, list[Any]]:
    """Attribute -> value of every elementary sound: of the bank or, in an imported dataset, of the scenes."""
    attributes = list(job.settings.domain.attributes)
    if not job.settings.imported:
        path = bank_path(job.folder, side)
        return dict(open_parquet(path).read(attributes).to_pydict())
    distinct: dict[str, tuple[Any, ...]] = {}
    for file in scene_files(job.settings.sizes):
        if BANK_OF_SPLIT[file.split] == side:
            path = job.folder / file.name
            sounds = open_parquet(path).read(["sounds"])["sounds"].combine_chunks().flatten()
            rows = zip(*(sounds.field(name).to_pylist() for name in ("sound_id", *attributes)), strict=True)
            distinct.update({sound_id: values for sound_id, *values in rows})
    return {name: [values[k] for values in distinct.values()] for k, name in enumerate(attributes)}


# --- pass 1 -----------------------------------------------------------------------------------------------------------


def candidates_path(folder: Path, file: DataFile) -> Path:
    """Where the candidates of a scene file lie until all are selected."""
    return folder / PARTIAL / f"{QUESTIONS}-{file.split}-{file.number:05d}.arrow"


def write_candidates(state: QuestionState, files: tuple[DataFile, ...]) -> int:
    """Pass 1 for the scenes of some files of one split; returns their number."""
    job, tables = state.job, []
    for file in files:
        path = job.folder / file.name
        opened = check_file(path, file, job.scenes_sha256)
        tables += [read_row_group(opened, number, path, GRAPH_COLUMNS) for number in range(opened.num_row_groups)]
    split, numbers = files[0].split, np.concatenate([np.arange(file.first, file.stop) for file in files])
    scenes = scene_batch(pa.concat_tables(tables), job.settings.domain)
    found = candidates(state.plan(BANK_OF_SPLIT[split]), scenes, split, numbers)
    scene = found["scene"].to_numpy()
    for file in files:
        start, stop = np.searchsorted(scene, [file.first, file.stop]).tolist()
        _write_candidates(job, file, found.slice(start, stop - start))
    return len(numbers)


def _write_candidates(job: QuestionJob, file: DataFile, found: pa.Table) -> None:
    found = pa.table({name: pa.concat_arrays(found[name].chunks) for name in found.column_names}, schema=found.schema)
    found = found.replace_schema_metadata({"questions_sha256": job.sha256, "sha256": _digest(found, file)})
    with atomic_path(candidates_path(job.folder, file)) as path, pa.ipc.new_file(path, found.schema) as out:
        out.write_table(found)


def _digest(table: pa.Table, file: DataFile) -> str:
    """SHA-256 of the candidates of a scene file: its name, the columns' names and types, their values."""
    digest = sha256(f"{file.name} {table.schema.remove_metadata()}".encode())
    for batch in table.combine_chunks().to_batches():
        for column in batch.columns:
            for buffer in (column.flatten() if pa.types.is_fixed_size_list(column.type) else column).buffers():
                if buffer is not None:
                    digest.update(buffer)
    return digest.hexdigest()


def read_candidates(job: QuestionJob, file: DataFile) -> pa.Table | None:
    """The candidates of a scene file, or None if they are missing, damaged or others'."""
    path = candidates_path(job.folder, file)
    if not path.exists():
        return None
    try:
        with pa.memory_map(str(path)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
        found = table.schema.metadata or {}
        if (
            found.get(b"questions_sha256") == job.sha256.encode()
            and found.get(b"sha256") == _digest(table, file).encode()
        ):
            return table
    except (pa.ArrowException, OSError, ValueError):
        pass
    log.warning("%s: damaged; making it again", path)
    return None


def is_whole(job: QuestionJob, file: DataFile) -> bool:
    """Whether the candidates of a scene file are there and undamaged."""
    return read_candidates(job, file) is not None


# --- pass 2 -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """One split's questions: how many were wanted, how many there are, of each type, with a word too many; the hash."""

    wanted: int
    written: int
    of_type: dict[str, int]
    with_droppable_word: int
    sha256: str


def write_questions(state: QuestionState, split: str) -> Written:
    """Pass 2 for one split."""
    job, plan = state.job, state.plan(BANK_OF_SPLIT[split])
    pool = pool_of(_all_candidates(job, split), plan.templates, job.settings.domain, job.rules)
    places = select(pool, job.rules.per_scene, job.rules.strict)
    n_droppable = int(np.count_nonzero(pool.droppable[places]))
    chosen = Chosen(
        scene=pool.scene[places],
        template=pool.template[places],
        values=pool.values[places],
        answer=pool.answer[places],
        phrase=pool.phrase[places],
        needs_holdout=pool.needs_holdout[places] if job.rules.holdout else None,
    )
    del pool
    recorder = Recorder(plan.templates, job.settings.domain)
    of_type: Counter[str] = Counter()
    path, schema = (
        job.folder / questions_name(split),
        questions_schema(job.settings.sample_rate, job.sha256, bool(job.rules.holdout)),
    )
    with atomic_path(path) as temporary:
        with parquet_writer(temporary, schema, audio=False) as writer:
            for batch in chosen.batches(ROWS_PER_GROUP):
                records = recorder.records(batch, split)
                of_type.update(records["question_type"].to_pylist())
                writer.write_table(records.cast(schema))
        sha256 = sha256_file(temporary)
    wanted = job.settings.sizes[split] * job.rules.per_scene
    return Written(wanted, of_type.total(), dict(sorted(of_type.items())), n_droppable, sha256)


def _all_candidates(job: QuestionJob, split: str) -> pa.Table:
    refresh(job.folder / PARTIAL)
    tables = []
    for file in (file for file in scene_files(job.settings.sizes) if file.split == split):
        table = read_candidates(job, file)
        if table is None:
            raise CheckFailed(f"{candidates_path(job.folder, file)}: missing or damaged; run again to make it again")
        tables.append(table.replace_schema_metadata())
    return pa.concat_tables(tables).combine_chunks()
