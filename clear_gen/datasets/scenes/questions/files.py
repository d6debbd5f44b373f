"""The question files of a dataset: their section in ``clear.json``, schema and rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import dataset_schema, metadata_of, open_parquet, parquet_writer, read_row_group
from clear_gen.core.rejected import first_wrong
from clear_gen.datasets.scenes.layout import questions_name
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.questions.generation.records import FIELDS, FORMAT, NEEDS_HOLDOUT
from clear_gen.questions.language.program import Node, Program, problem_of, question_type
from clear_gen.scenes.domain import Domain
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import read_provenance, unfinished_section

KIND = "questions"
ROWS_PER_GROUP = 5000


class _Stored(BaseModel):
    """Base model: known fields are validated, unknown ones allowed."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


Model = TypeVar("Model", bound=_Stored)
Number = Annotated[int, Field(ge=0, le=10**12)]


class _Templates(_Stored):
    n: Number
    sha256: str


class _Made(_Stored):
    generator: str
    scenes_sha256: str
    seed: Annotated[int, Field(ge=0)]
    per_scene: Annotated[int, Field(ge=1)]
    types: list[str]
    rules: Literal["strict", "paper"]
    holdout: dict[str, str]
    templates: _Templates
    type_shares: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    without_relations: list[str] = Field(default_factory=list)


class _Origin(_Stored):
    layout: str
    files: dict[str, str]


class _Imported(_Stored):
    generator: str
    scenes_sha256: str
    imported: _Origin


class Counts(_Stored):
    """Number of questions of a split, in total and by type; ``clear-gen`` questions also store the number requested."""

    written: Number
    of_type: dict[str, Number]
    wanted: Number | None = None


class _Splits(_Stored):
    splits: dict[Literal["train", "validation", "test"], Counts]


@dataclass(frozen=True)
class QuestionsManifest:
    """The section ``questions`` of ``clear.json``: the inputs that determine the questions, and counts by split.

    ``imported`` holds the source's files with their SHA-256; ``per_scene`` and ``holdout`` are None then.
    ``type_shares``: how often each type was to be asked, as fractions; empty if equally often, or imported.
    """

    identity: dict[str, Any]
    splits: dict[str, Counts]
    scenes_sha256: str
    per_scene: int | None = None
    holdout: dict[str, str] | None = None
    imported: dict[str, str] = field(default_factory=dict)
    type_shares: dict[str, float] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """SHA-256 of the questions' identity, which their files carry."""
        return sha256_json(self.identity)

    @property
    def total(self) -> int:
        """Questions in all splits."""
        return sum(counts.written for counts in self.splits.values())


def questions_manifest_of(section: Mapping[str, Any], settings: Settings, path: Path) -> QuestionsManifest:
    """The section "questions" of the ``clear.json`` at ``path``, checked. Raises InputError naming a wrong field."""
    identity = section.get("identity")
    imported = isinstance(identity, dict) and "imported" in identity
    counts = _checked(_Splits, {"splits": section.get("splits")}, f"{path}: questions").splits
    splits: dict[str, Counts] = dict(counts.items())
    there = [split for split, size in settings.sizes.items() if size]
    if not set(splits) <= set(there) or not (splits and (imported or len(splits) == len(there))):
        found, expected = (", ".join(names) or "none" for names in (splits, there))
        raise InputError(f"{path}: questions.splits: found {found}, expected {'some of ' * imported}{expected}")
    at = f"{path}: questions.identity"
    if imported:
        taken = _checked(_Imported, identity, at)
        return QuestionsManifest(dict(identity or {}), splits, taken.scenes_sha256, imported=taken.imported.files)
    made = _checked(_Made, identity, at)
    return QuestionsManifest(
        dict(identity or {}),
        splits,
        made.scenes_sha256,
        made.per_scene,
        made.holdout,
        type_shares=made.type_shares,
    )


def _checked(model: type[Model], value: Any, at: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = first_wrong(error, model)
        raise InputError(f"{at}{'.' * bool(wrong.location)}{'.'.join(map(str, wrong.location))}: {wrong}") from None


def read_questions_manifest(folder: Path, settings: Settings) -> QuestionsManifest | None:
    """The questions section of a finished dataset; None if it has none.

    Raises InputError if it is malformed, or the questions were interrupted.
    """
    stored = read_provenance(folder / IDENTITY)
    if problem := unfinished_section(folder, stored):
        raise InputError(f"{folder}: {problem}")
    section = stored.get("questions")
    return None if section is None else questions_manifest_of(section, settings, folder / IDENTITY)


# --- files ------------------------------------------------------------------------------------------------------------


def questions_schema(sample_rate: int, questions_sha256: str, with_holdout: bool = False) -> pa.Schema:
    """Schema of the config ``questions``; a file's says to which questions it belongs."""
    extra = {"kind": KIND, "format": FORMAT, "questions_sha256": questions_sha256}
    return dataset_schema([*FIELDS, *[NEEDS_HOLDOUT] * with_holdout], sample_rate, extra)


def write_questions_file(path: Path, records: pa.Table, schema: pa.Schema) -> None:
    """Write the records of a split, in the order in which they are."""
    with parquet_writer(path, schema, audio=False) as writer:
        writer.write_table(records.cast(schema), row_group_size=ROWS_PER_GROUP)


def open_questions(folder: Path, split: str, asked: QuestionsManifest, sample_rate: int) -> pq.ParquetFile:
    """The question file of a split. Raises InputError if it is missing, damaged, or of other questions."""
    path = folder / questions_name(split)
    opened = open_parquet(path)
    found = metadata_of(opened.schema_arrow, path)
    if (found.get("kind"), found.get("questions_sha256")) != (KIND, asked.sha256):
        raise InputError(f"{path}: found other questions than those that {IDENTITY} describes")
    if not any(opened.schema_arrow.equals(schema, check_metadata=True) for schema in _schemas(asked, sample_rate)):
        raise InputError(f"{path}: found other columns or metadata than questions have")
    return opened


def _schemas(asked: QuestionsManifest, sample_rate: int) -> list[pa.Schema]:
    """Accepted schemas: for imported questions the held-out column is optional."""
    possible = (False, True) if asked.holdout is None else (bool(asked.holdout),)
    return [questions_schema(sample_rate, asked.sha256, with_holdout) for with_holdout in possible]


def read_question_group(opened: pq.ParquetFile, number: int, path: Path) -> pa.Table:
    """One row group of an open question file. Raises InputError if it was altered."""
    table = read_row_group(opened, number, path)
    for name in table.column_names:
        if name != NEEDS_HOLDOUT.name and (row := _first_with_null(table[name].combine_chunks())) is not None:
            where = table["question_id"][row].as_py() or f"row group {number}, row {row}"
            raise InputError(f"{path}: {where}: {name}: found nothing, expected a value")
    return table


def question_rows(folder: Path, split: str, asked: QuestionsManifest, sample_rate: int) -> Iterator[dict[str, Any]]:
    """The rows of a split in order, one row group in memory at a time. Raises InputError if the file was altered."""
    if split not in asked.splits:
        return
    opened, path = open_questions(folder, split, asked, sample_rate), folder / questions_name(split)
    for number in range(opened.num_row_groups):
        yield from read_question_group(opened, number, path).to_pylist()


def _first_with_null(column: pa.Array) -> int | None:
    """The first row that holds a null at any depth; None if no row does."""
    if not _has_null(column):
        return None
    return next(row for row in range(len(column)) if _has_null(column.slice(row, 1)))


def _has_null(column: pa.Array) -> bool:
    if pa.types.is_list(column.type):
        return column.null_count > 0 or _has_null(column.flatten())
    if pa.types.is_struct(column.type):
        return column.null_count > 0 or any(map(_has_null, column.flatten()))
    return column.null_count > 0


def program_of(stored: Sequence[Mapping[str, Any]]) -> Program:
    """A program from its record."""
    return tuple(Node(node["function"], tuple(node["inputs"]), tuple(node["values"])) for node in stored)


class Checker:
    """Cached ``problem_of`` for many programs, most of which repeat known steps and values."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._steps: set[tuple[tuple[str, tuple[int, ...], int], ...]] = set()
        self._values: set[tuple[str, tuple[str, ...]]] = set()

    def problem(self, program: Program) -> str | None:
        """The first problem of a program, including a question type unknown to the domain; None if there is none."""
        steps = tuple((node.function, node.inputs, len(node.values)) for node in program)
        values = {(node.function, node.values) for node in program}
        if steps in self._steps and values <= self._values:
            return None
        if problem := problem_of(program, self._domain):
            return problem
        if (found := question_type(program)) not in self._domain.question_types:
            return f"last node: it answers {found!r}, expected one of: {', '.join(self._domain.question_types)}"
        self._steps.add(steps)
        self._values |= values
        return None
