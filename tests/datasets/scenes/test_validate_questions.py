"""``clear-gen validate`` on questions: answers are found again, and whatever was altered is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE, FAILED
from clear_gen.core.errors import CheckFailed
from clear_gen.core.files import sha256_file, sha256_json
from clear_gen.datasets.scenes import validate as validation
from clear_gen.datasets.scenes.kind import KIND
from clear_gen.datasets.scenes.questions.files import ROWS_PER_GROUP, questions_schema, write_questions_file
from clear_gen.datasets.scenes.validate import validate
from clear_gen.store.finish import finish
from clear_gen.store.manifest import read_provenance, write_provenance
from tests.datasets.runs import RATE, make_scenes
from tests.datasets.scenes.published import hashes, silent
from tests.datasets.scenes.test_validate import Inline

Row = dict[str, Any]
TRAIN = "questions/train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred scenes without audio, four questions each."""
    return make_scenes(tmp_path_factory.mktemp("clean"), "--n", "100", audio=False, asked=True)


@pytest.fixture
def data(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to be altered; the pool's work is done in this process."""
    monkeypatch.setattr(validation, "Pool", Inline)
    return shutil.copytree(clean, tmp_path / "data")


def found(folder: Path) -> list[str]:
    findings = validate(folder, 0, 1, silent).findings
    return [f"{finding.check}: {finding.where}: {finding.problem}" for finding in findings]


def seal(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda section: None) -> None:
    """Alter the section of questions and adapt every hash, as somebody who wants it not to be noticed would."""
    stored = read_provenance(folder / "clear.json")
    change(stored["questions"])
    files = {name: sha256_file(folder / name) for name in stored["files"]}
    write_provenance(folder, stored["identity"], stored["environment"], files, {"questions": stored["questions"]})


def rewrite(folder: Path, change: Callable[[list[Row]], Any]) -> None:
    """Change the rows of the training questions and adapt every hash."""
    table = pq.read_table(folder / TRAIN)
    rows = table.to_pylist()
    change(rows)
    write_questions_file(folder / TRAIN, pa.Table.from_pylist(rows, table.schema), table.schema)
    seal(folder)


# --- nothing wrong ----------------------------------------------------------------------------------------------------


def test_questions_are_a_row_of_the_table(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = hashes(clean)
    assert run(["validate", str(clean), "--workers", "2"]) == DONE
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("questions ")]
    n = sum(pq.read_metadata(path).num_rows for path in (clean / "questions").glob("*.parquet"))
    assert n > 390
    assert row.split() == ["questions", str(n), "questions", "0"]
    assert hashes(clean) == before


def test_after_finish_and_render_everything_is_right(data: Path) -> None:
    (data / "README.md").unlink()
    finish(data, KIND)
    assert found(data) == []
    assert run(["render", str(data), "--workers", "1"]) == DONE
    assert found(data) == []
    assert "questions/train-" in (data / "README.md").read_text()


def test_more_questions_than_a_row_group_holds(data: Path) -> None:
    """The same questions under other ids, as imported ones may be: their order is looked at across the groups."""
    stored = read_provenance(data / "clear.json")
    table, n_copies = pq.read_table(data / TRAIN), 20
    rows = []
    for row in table.to_pylist():
        for copy in range(n_copies):
            rows.append({**row, "question": f"{row['question']} ({copy})"})
    seen: dict[str, int] = {}
    for row in rows:
        number = seen[row["scene_id"]] = seen.get(row["scene_id"], -1) + 1
        row["question_id"] = f"{row['scene_id']}-{number}"
    section = stored["questions"]
    section["identity"]["per_scene"] = 4 * n_copies
    for split, counts in section["splits"].items():
        counts["wanted"] *= n_copies
        if split == "train":
            counts["written"] *= n_copies
            counts["of_type"] = {name: n * n_copies for name, n in counts["of_type"].items()}
    schema = questions_schema(RATE, sha256_json(section["identity"]))
    for path in (data / "questions").glob("*.parquet"):
        content = pa.Table.from_pylist(rows, schema) if path.name.startswith("train") else pq.read_table(path)
        write_questions_file(path, content, schema)
    assert pq.read_metadata(data / TRAIN).num_row_groups > 1
    assert len(rows) > ROWS_PER_GROUP
    seal(data, lambda found: found.update(section))
    (only,) = found(data)
    assert only.startswith("files: README.md: says something else")
    with pq.ParquetWriter(data / TRAIN, schema) as writer:
        writer.write_table(pa.Table.from_pylist([*rows, *rows], schema))
    assert pq.read_metadata(data / TRAIN).num_row_groups == 1
    seal(data)
    assert any("found a row group of 11," in line for line in found(data))


# --- rows, every hash adapted -----------------------------------------------------------------------------------------


def another_answer(rows: list[Row]) -> None:
    row = next(row for row in rows if row["answer"] in ("yes", "no"))
    row["answer"] = {"yes": "no", "no": "yes"}[row["answer"]]


def another_program(rows: list[Row]) -> None:
    """Another note where a note singles out the sound: there may be none, several, or one with another answer."""
    row = next(row for row in rows if row["question_type"] == "note")
    row["program"] = [{"function": "scene", "inputs": [], "values": []}, *row["program"][1:]]
    for one in row["program"]:
        if one["function"].startswith("filter_"):
            one["function"], one["values"] = "filter_absolute_position", ["fifteenth"]
            return


def twice(rows: list[Row]) -> None:
    rows[1].update({name: value for name, value in rows[0].items() if name != "question_id"})


def put(**values: Any) -> Callable[[list[Row]], Any]:
    return lambda rows: rows[5].update(values)


def put_node(**values: Any) -> Callable[[list[Row]], Any]:
    return lambda rows: rows[5]["program"][0].update(values)


ALTERED: list[tuple[str, Callable[[list[Row]], Any]]] = [
    (r"train-\d+-\d: answer: found '(yes|no)', expected '(yes|no)'", another_answer),
    (r"train-\d+-\d: answer: found '.*', but the question is ill-posed", another_program),
    (r"train-000000-1: question: found '.* twice in its scene", twice),
    (r"expected 'train-000001-1'", lambda rows: rows.pop(5)),
    (r"found 2\d\d questions, expected 2\d\d as clear.json says", lambda rows: rows.pop()),
    (r"question_type \w+: found \d+, clear.json says \d+", lambda rows: rows.pop()),
    (r"found more than 4 questions of its scene", lambda rows: rows.insert(4, {**rows[3], "question": "?"})),
    (r"train-000001-1: answer: found 'maybe', expected", put(answer="maybe")),
    (r"train-000001-1: answer: found None", put(answer=None)),
    (r"train-000001-1: question: found ''", put(question="")),
    (r"train-000001-1: question: found None", put(question=None)),
    (r"train-000001-1: template_id: found None", put(template_id=None)),
    (r"train-000001-1: n_relations: found 7, expected \d by its program", put(n_relations=7)),
    (r"train-000001-1: n_relations: found None", put(n_relations=None)),
    (r"train-000001-1: question_type: found 'smell', expected '\w+' by its program", put(question_type="smell")),
    (r"train-000001-1: split: found 'test', expected 'train'", put(split="test")),
    (r"train-000001-1: scene_id: found 'train-000999', expected a scene of this split", put(scene_id="train-000999")),
    (r"train-000001-1: scene_id: found 'test-000001'", put(scene_id="test-000001")),
    (r"train-000001-1: scene_id: found 'train-0000001'", put(scene_id="train-0000001")),
    (r"train-000001-1: scene_id: found None", put(scene_id=None)),
    (r"None: question_id: found None, expected 'train-000001-1'", put(question_id=None)),
    (r"x: question_id: found 'x', expected 'train-000001-1'", put(question_id="x")),
    (r"scene_id: found train-000000 after train-000001, expected", lambda rows: rows.insert(0, rows.pop(5))),
    (r"program: node 0: function: found 'smell', expected one of", put_node(function="smell")),
    (r"program: node 0: inputs: found \[5\], expected numbers of earlier", put_node(inputs=[5])),
    (r"program: node 0: values of scene: found \['x'\]", put_node(values=["x"])),
    (r"program: node 0: function: found None, expected one of", put_node(function=None)),
    (r"train-000001-1: cannot be looked at", put_node(inputs=None)),
    (r"program: node 0: values of scene: found \[None\], expected none", put_node(values=[None])),
    (r"train-000001-1: program: last node: found none", put(program=[])),
    (r"train-000001-1: cannot be looked at", put(program=None)),
]


@pytest.mark.parametrize(("message", "change"), ALTERED, ids=range(len(ALTERED)))
def test_an_altered_question_is_named(data: Path, message: str, change: Callable[[list[Row]], Any]) -> None:

    rewrite(data, change)
    lines = found(data)
    assert all(line.startswith("questions: ") and len(line.splitlines()) == 1 for line in lines)
    assert any(re.search(message, line) for line in lines), lines


def test_every_answer_that_was_exchanged_is_found(data: Path) -> None:
    changed = []

    def change(rows: list[Row]) -> None:
        for row in rows[::7]:
            others = [other["answer"] for other in rows if other["question_type"] == row["question_type"]]
            row["answer"] = next(answer for answer in others if answer != row["answer"])
            changed.append(row["question_id"])

    rewrite(data, change)
    assert [line.split(": ")[1] for line in found(data)] == changed


def test_a_scene_that_was_altered_changes_answers(data: Path) -> None:
    """The scenes' own checks find it; so do the questions about it."""
    path = data / "scenes/train-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    for sound in rows[0]["sounds"]:
        sound["instrument"] = "flute"
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path, row_group_size=100)
    seal(data)
    lines = found(data)
    assert any(line.startswith("graph: train-000000: ") for line in lines)
    assert any(line.startswith("questions: train-000000-") for line in lines)


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_that_are_missing_damaged_foreign_or_of_other_questions(data: Path, tmp_path: Path) -> None:
    (data / "questions/notes.txt").write_text("mine")
    assert found(data) == ["files: questions/notes.txt: found a file that is none of this dataset's"]
    (data / "questions/notes.txt").unlink()
    (data / TRAIN).rename(tmp_path / "train")
    assert found(data) == [f"files: {TRAIN}: missing"]
    (data / TRAIN).write_bytes((tmp_path / "train").read_bytes()[:-100])
    lines = found(data)
    assert lines[0].startswith(f"files: {TRAIN}: its SHA-256 is not the one")
    assert lines[1].startswith(f"questions: {TRAIN}: ")
    assert "not a readable Parquet file" in lines[1]
    table = pq.read_table(tmp_path / "train")
    write_questions_file(data / TRAIN, table, questions_schema(RATE, "0" * 64))
    seal(data)
    assert [line.split("parquet: ")[-1] for line in found(data)] == [
        "found other questions than those that clear.json describes"
    ]
    section = read_provenance(data / "clear.json")["questions"]
    schema = questions_schema(RATE, sha256_json(section["identity"]), with_holdout=True)
    write_questions_file(data / TRAIN, table.append_column(schema.field(-1), pa.nulls(len(table), pa.bool_())), schema)
    seal(data)
    assert [line.split("parquet: ")[-1] for line in found(data)] == [
        "found other columns or metadata than questions have"
    ]


def test_one_flipped_bit_anywhere_is_found(data: Path) -> None:
    whole = (data / TRAIN).read_bytes()
    for place in range(3, len(whole), len(whole) // 20):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        (data / TRAIN).write_bytes(content)
        assert any(line.startswith(f"files: {TRAIN}: its SHA-256") for line in found(data))


# --- clear.json -------------------------------------------------------------------------------------------------------


def put_in(part: str, **values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda section: section[part].update(values)


SECTIONS: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("questions.splits: found None", lambda section: section.pop("splits")),
    ("questions.splits: found 5", lambda section: section.update(splits=5)),
    ("questions.splits: found train, validation, expected train", lambda section: section["splits"].pop("test")),
    ("questions.splits.val", lambda section: put_in("splits", val=section["splits"]["test"])(section)),
    ("questions.splits.train: found None", put_in("splits", train=None)),
    ("questions.splits.train.written: found True", lambda section: section["splits"]["train"].update(written=True)),
    ("questions.splits.train.written: found '280'", lambda section: section["splits"]["train"].update(written="280")),
    ("questions.splits.train.of_type: found", lambda section: section["splits"]["train"].update(of_type=[])),
    ("questions.splits.train.of_type.note", lambda section: section["splits"]["train"]["of_type"].update(note=-1)),
    ("questions.identity.seed", lambda section: section["identity"].pop("seed")),
    ("questions.identity.per_scene: found 0", put_in("identity", per_scene=0)),
    ("questions.identity.rules: found 'loose'", put_in("identity", rules="loose")),
    ("questions.identity.holdout: found", put_in("identity", holdout=None)),
    ("questions.identity.types: found", put_in("identity", types="note")),
    ("questions.identity.templates.sha256", put_in("identity", templates={"n": 1})),
    ("questions.identity.imported: found 'x'", put_in("identity", imported="x")),
    ("questions.identity.scenes_sha256: found 00", put_in("identity", scenes_sha256="0" * 64)),
    ("found other questions than those that clear.json describes", put_in("identity", seed=1)),
    ("found other questions than those that clear.json describes", put_in("identity", holdout={"note": "A"})),
    ("questions, expected 7 as clear.json says", lambda section: section["splits"]["train"].update(written=7)),
    ("question_type note: found", lambda section: section["splits"]["train"]["of_type"].pop("note")),
    ("question_type smell: found 0, clear.json says 3", lambda s: s["splits"]["train"]["of_type"].update(smell=3)),
    ("wanted: clear.json says 9, expected 280, 4 a scene", lambda s: s["splits"]["train"].update(wanted=9)),
]


@pytest.mark.parametrize(("message", "change"), SECTIONS, ids=[message for message, _ in SECTIONS])
def test_an_altered_section_is_a_finding(data: Path, message: str, change: Callable[[dict[str, Any]], Any]) -> None:
    seal(data, change)
    lines = found(data)
    assert any(line.startswith("questions: ") and message in line for line in lines), lines
    assert all(len(line.splitlines()) == 1 for line in lines)


@pytest.mark.parametrize("section", [5, [], "x", {}, {"identity": []}, {"splits": {}}])
def test_a_section_of_something_else_fails_in_one_line(data: Path, section: Any) -> None:
    stored = json.loads((data / "clear.json").read_text())
    files = {name: sha256_file(data / name) for name in stored["files"]}
    write_provenance(data, stored["identity"], stored["environment"], files, {"questions": section})
    with pytest.raises(CheckFailed, match=r"clear.json: questions: found .*, expected an object with their identity"):
        validate(data, 0, 1, silent)
    assert run(["validate", str(data)]) == FAILED


def test_a_section_that_was_lost_leaves_files_that_belong_to_nothing(data: Path) -> None:
    stored = read_provenance(data / "clear.json")
    files = {name: sha256_file(data / name) for name in stored["files"] if not name.startswith("questions/")}
    write_provenance(data, stored["identity"], stored["environment"], files)
    lines = found(data)
    assert [line for line in lines if TRAIN in line] == [f"files: {TRAIN}: found a file that is none of this dataset's"]


def test_a_card_that_says_something_else_of_the_questions(data: Path) -> None:
    text = (data / "README.md").read_text()
    assert "--per-scene 4" in text
    (data / "README.md").write_text(text.replace("--per-scene 4", "--per-scene 5"))
    seal(data)
    (only,) = found(data)
    assert only.startswith("files: README.md: says something else than the dataset")
