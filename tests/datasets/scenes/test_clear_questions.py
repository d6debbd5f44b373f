"""Questions in the published CLEAR layout: nothing is lost there and back, what others wrote is taken or refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.clear_format.json_stream import BLOCK_BYTES, MAX_VALUE_CHARACTERS, JsonList
from clear_gen.datasets.scenes.clear_format.layout import PUBLISHED_SPLITS, export_clear
from clear_gen.datasets.scenes.exports.audio_folder import export_audio_folder
from clear_gen.datasets.scenes.validate import validate
from clear_gen.scenes.domain import Domain
from tests.counts import NIGHTLY
from tests.datasets.runs import make_scenes
from tests.datasets.scenes.published import (
    hashes,
    node,
    question,
    read_in,
    records,
    scenes_in,
    silent,
    write_questions,
    write_source,
)

SIZES = {"train": 36, "validation": 12, "test": 12}
Change = Callable[[dict[str, Any]], Any]


def make(folder: Path, *options: str) -> Path:
    """Sixty scenes with 240 questions."""
    data = make_scenes(folder, "--n", "60", "--splits", "0.6,0.2,0.2", audio=False)
    assert run(["questions", str(data), "--workers", "1", *options]) == DONE
    return data


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("ours"), "--holdout", "instrument=violin,note=C")
    assert run(["render", str(folder), "--workers", "1"]) == DONE
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, ours: Path) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "clear"
    export_clear(ours, folder, silent)
    return folder


def questions_in(folder: Path, split: str) -> list[dict[str, Any]]:
    return json.loads((folder / f"questions/CLEAR_{PUBLISHED_SPLITS[split]}_questions.json").read_text())["questions"]


def problems(folder: Path) -> list[str]:
    found = validate(folder, 0, 1, silent).findings
    return [f"{finding.where}: {finding.problem}" for finding in found if finding.check == "questions"]


# --- ours ------------------------------------------------------------------------------------------------------------


def test_there_and_back_gives_the_same_records(ours: Path, exported: Path, tmp_path: Path, clear2: Domain) -> None:
    summary = read_in(exported, tmp_path / "back", clear2)
    n = 0
    for split in SIZES:
        name = f"questions/{split}-00000-of-00001.parquet"
        before, after = pq.read_table(ours / name), pq.read_table(tmp_path / "back" / name)
        assert after.schema.equals(before.schema)
        assert after.equals(before)
        assert "needs_holdout" in after.column_names
        n += after.num_rows
    assert summary.questions == n > 200
    assert summary.with_unused == 0
    assert run(["validate", str(tmp_path / "back"), "--workers", "1"]) == DONE
    stored = json.loads((tmp_path / "back/clear.json").read_text())["questions"]
    made = json.loads((ours / "clear.json").read_text())["questions"]
    assert stored["identity"]["imported"]["files"].keys() == {
        f"questions/CLEAR_{split}_questions.json" for split in PUBLISHED_SPLITS.values()
    }
    for split in SIZES:
        assert stored["splits"][split]["of_type"] == made["splits"][split]["of_type"]


def test_an_imported_dataset_exports_again_to_the_same_questions(
    exported: Path, tmp_path: Path, clear2: Domain
) -> None:
    read_in(exported, tmp_path / "back", clear2)
    summary = export_clear(tmp_path / "back", tmp_path / "again", silent)
    assert "questions: train " in str(summary)
    for split in SIZES:
        assert questions_in(tmp_path / "again", split) == questions_in(exported, split)


def test_what_is_written_is_the_published_form_and_gives_no_answer_away(ours: Path, exported: Path) -> None:
    answers = json.loads((exported / "attributes.json").read_text())
    assert "other" not in answers
    known = {answer for family in answers.values() for answer in family}
    functions: Counter[str] = Counter()
    for split in SIZES:
        for number, (found, record) in enumerate(zip(questions_in(exported, split), records(ours, split), strict=True)):
            assert found["question_index"] == number
            assert f"{split}-{found['scene_index']}" == record["scene_id"]
            scene = scenes_in(exported, PUBLISHED_SPLITS[split])[int(found["scene_index"])]
            assert found["scene_filename"] == scene["scene_filename"]
            assert (found["question"], found["answer"]) == (record["question"], record["answer"])
            assert found["answer"] in known
            assert found["template_index"] == record["template_id"]
            for one, ours_ in zip(found["program"], record["program"], strict=True):
                assert one.keys() == {"type", "inputs", "value_inputs"}
                assert (one["inputs"], one["value_inputs"]) == (ours_["inputs"], ours_["values"])
                functions[one["type"]] += 1
    assert {"query_position", "query_position_global", "query_position_instrument", "unique", "relate"} <= set(
        functions
    )
    assert not [name for name in functions if "absolute" in name or "relative" in name or "global_" in name]


def test_an_export_of_questions_that_have_changed_is_made_anew(ours: Path, tmp_path: Path) -> None:
    data = shutil.copytree(ours, tmp_path / "data")
    out = tmp_path / "clear"

    def stop(left: int, total: int) -> Any:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        export_clear(data, out, stop)
    assert run(["questions", str(data), "--seed", "3", "--overwrite", "--workers", "1"]) == DONE
    export_clear(data, out, silent)
    for split in SIZES:
        assert [row["question"] for row in questions_in(out, split)] == [
            record["question"] for record in records(data, split)
        ]


def test_an_altered_row_is_not_exported(ours: Path, tmp_path: Path) -> None:
    data = shutil.copytree(ours, tmp_path / "data")
    path = data / "questions/test-00000-of-00001.parquet"
    table = pq.read_table(path)
    for ids, message in (
        ([None, *table["scene_id"].to_pylist()[1:]], "scene_id: found nothing"),
        (["../../x", *table["scene_id"].to_pylist()[1:]], "scene_id: found '../../x', expected a scene of this split"),
        (["test-000999", *table["scene_id"].to_pylist()[1:]], "expected a scene of this split"),
    ):
        pq.write_table(table.set_column(1, table.schema.field(1), [ids]), path)
        with pytest.raises(InputError, match=message):
            export_clear(data, tmp_path / "clear", silent)


def test_the_audio_folder_has_the_questions_beside(ours: Path, tmp_path: Path) -> None:
    summary = export_audio_folder(ours, tmp_path / "out", silent)
    assert "questions: " in str(summary)
    assert "questions/<split>.jsonl" in (tmp_path / "out/README.md").read_text()
    for split in SIZES:
        lines = [json.loads(line) for line in (tmp_path / f"out/questions/{split}.jsonl").read_text().splitlines()]
        for line, record in zip(lines, records(ours, split), strict=True):
            assert (tmp_path / "out" / line.pop("file_name")).is_file()
            assert line == record


# --- others' ---------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_published_sample(shared: Path, tmp_path: Path, clear2: Domain) -> None:
    source = shared / "clear-layout-sample"
    summary = read_in(source, tmp_path / "data", clear2)
    assert (summary.questions, summary.with_unused) == (1200, 4)
    names = {"query_position": "query_absolute_position", "filter_longest_duration": "longest"}
    for found, raw in zip(records(tmp_path / "data", "validation"), questions_in(source, "validation"), strict=True):
        assert found["scene_id"] == f"validation-{raw['scene_index']}"
        assert (found["question"], found["answer"]) == (raw["question"], str(raw["answer"]))
        assert found["template_id"] == raw["template_index"]
        assert "not_unique" not in [one["function"] for one in found["program"]]
        if len(found["program"]) == len(raw["program"]):
            for one, theirs in zip(found["program"], raw["program"], strict=True):
                assert (one["inputs"], one["values"]) == (theirs["inputs"], theirs["value_inputs"])
                assert one["function"] == names.get(theirs["type"], one["function"])
    wrong = problems(tmp_path / "data")
    ill_posed = [problem for problem in wrong if "ill-posed" in problem]
    assert (len(wrong), len(ill_posed)) == (282, 271)
    assert sum("too little to hear" in problem for problem in wrong) > 20
    assert sum("same_" in problem for problem in wrong) > 0


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two scenes of three flutes, each with two questions, one of them wrong."""
    write_source(tmp_path / "clear", audio=False, val=2, test=1)
    write_questions(tmp_path / "clear", "val", [question(k, k // 2, [3, "3", 2, 3][k]) for k in range(4)])
    return tmp_path / "clear"


def test_answers_are_kept_and_validate_lists_the_wrong_ones(source: Path, tmp_path: Path, clear2: Domain) -> None:
    summary = read_in(source, tmp_path / "data", clear2)
    assert (summary.questions, summary.with_unused) == (4, 4)
    rows = records(tmp_path / "data", "validation")
    assert [row["question_id"] for row in rows] == [f"validation-00000{scene}-{k}" for scene in (0, 1) for k in (0, 1)]
    assert [row["answer"] for row in rows] == ["3", "3", "2", "3"]
    assert [(one["function"], one["inputs"]) for one in rows[0]["program"]] == [
        ("scene", []),
        ("filter_instrument", [0]),
        ("filter_note", [1]),
        ("count", [2]),
    ]
    assert not (tmp_path / "data/questions/test-00000-of-00001.parquet").exists()
    assert problems(tmp_path / "data") == ["validation-000001-0: answer: found '2', expected '3'"]
    assert run(["validate", str(tmp_path / "data"), "--workers", "1"]) == FAILED
    summary = export_clear(tmp_path / "data", tmp_path / "again", silent)
    assert "questions: validation 4" in str(summary)
    assert [one["answer"] for one in questions_in(tmp_path / "again", "validation")] == ["3", "3", "2", "3"]
    assert questions_in(tmp_path / "again", "test") == []


def test_answers_that_no_list_has_are_in_attributes_json_too(source: Path, tmp_path: Path, clear2: Domain) -> None:
    write_questions(source, "val", [question(0, 0, "many")])
    read_in(source, tmp_path / "data", clear2)
    assert problems(tmp_path / "data") == ["validation-000000-0: answer: found 'many', expected '3'"]
    export_clear(tmp_path / "data", tmp_path / "again", silent)
    assert json.loads((tmp_path / "again/attributes.json").read_text())["other"] == ["many"]


def test_questions_of_scenes_in_any_order(source: Path, tmp_path: Path, clear2: Domain) -> None:
    read_in(source, tmp_path / "one", clear2)
    listed = questions_in(source, "validation")
    write_questions(source, "val", [listed[k] for k in (2, 0, 3, 1)])
    read_in(source, tmp_path / "two", clear2)
    assert records(tmp_path / "two", "validation") == records(tmp_path / "one", "validation")


def test_a_source_without_questions(source: Path, tmp_path: Path, clear2: Domain) -> None:
    for questions in ([], None):
        if questions is None:
            shutil.rmtree(source / "questions")
        else:
            write_questions(source, "val", questions)
        assert read_in(source, tmp_path / f"data-{questions}", clear2).questions == 0
    assert hashes(tmp_path / "data-[]") == hashes(tmp_path / "data-None")
    assert not (tmp_path / "data-[]/questions").exists()


# --- interrupted, repeated, refused -----------------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from clear_gen.scenes.domain import load_domain
from clear_gen.datasets.scenes.clear_format.importer import import_clear_layout
from tests.datasets.scenes.published import silent
replace, left = os.replace, [int(sys.argv[3])]
def counted(*names):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    replace(*names)
os.replace = counted
import_clear_layout(Path(sys.argv[1]), Path(sys.argv[2]), load_domain("clear2"), silent)
"""


def test_an_import_killed_before_any_of_its_files_goes_on_to_the_same_bytes(
    source: Path, tmp_path: Path, clear2: Domain
) -> None:
    write_questions(source, "test", [question(0, 0, split="test")])
    read_in(source, tmp_path / "whole", clear2)
    expected, n_killed = hashes(tmp_path / "whole"), 0
    for n_files in range(0, 30, 1 if NIGHTLY else 4):
        out = tmp_path / str(n_files)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, source, out, str(n_files)], cwd=Path(__file__).parents[3], check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        n_killed += 1
        assert not (out / "clear.json").exists()
        read_in(source, out, clear2)
        assert hashes(out) == expected
    assert n_killed > (8 if NIGHTLY else 2)
    assert hashes(out) == expected


def test_the_same_import_again_changes_nothing_and_makes_what_is_missing(
    source: Path, tmp_path: Path, clear2: Domain
) -> None:
    data = tmp_path / "data"
    read_in(source, data, clear2)
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    read_in(source, data, clear2)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    whole = hashes(data)
    (data / "questions/validation-00000-of-00001.parquet").unlink()
    read_in(source, data, clear2)
    assert hashes(data) == whole


def test_questions_that_came_later_are_added(source: Path, tmp_path: Path, clear2: Domain) -> None:
    read_in(source, tmp_path / "whole", clear2)
    (source / "questions").rename(tmp_path / "questions")
    read_in(source, tmp_path / "data", clear2)
    (tmp_path / "questions").rename(source / "questions")
    read_in(source, tmp_path / "data", clear2)
    assert hashes(tmp_path / "data") == hashes(tmp_path / "whole")


def test_other_questions_are_refused_with_the_difference(source: Path, tmp_path: Path, clear2: Domain) -> None:
    data = tmp_path / "data"
    read_in(source, data, clear2)
    before = hashes(data)
    write_questions(source, "val", [question(0, 0)])
    with pytest.raises(InputError, match=r"holds other questions \(imported.files.questions/CLEAR_val.*--overwrite"):
        read_in(source, data, clear2)
    assert hashes(data) == before
    read_in(source, data, clear2, overwrite=True)
    assert len(records(data, "validation")) == 1
    assert run(["questions", str(data), "--workers", "1"]) == WRONG_INPUT


def test_a_file_that_lies_in_the_way_is_not_overwritten(source: Path, tmp_path: Path, clear2: Domain) -> None:
    (source / "questions").rename(tmp_path / "questions")
    read_in(source, tmp_path / "data", clear2)
    (tmp_path / "questions").rename(source / "questions")
    mine = tmp_path / "data/questions/validation-00000-of-00001.parquet"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(InputError, match="found a file that is none of this dataset's; move it away"):
        read_in(source, tmp_path / "data", clear2)
    assert mine.read_bytes() == b"mine"
    assert (tmp_path / "data/clear.json").exists()


# --- hostile ---------------------------------------------------------------------------------------------------------


def put(**values: Any) -> Change:
    return lambda one: one.update(values)


def put_in(place: int, **values: Any) -> Change:
    return lambda one: one["program"][place].update(values)


BROKEN: list[tuple[str, Change]] = [
    (r"scene_index: found nothing", lambda one: one.pop("scene_index")),
    (r"scene_index: found '000002', expected a scene of this split, 0 to 1", put(scene_index="000002")),
    (r"scene_index: found True", put(scene_index=True)),
    (
        r"scene_filename: found 'CLEAR_val_000000.flac', expected 'CLEAR_val_000001",
        put(scene_filename="CLEAR_val_000000.wav"),
    ),
    (r"scene_filename: found 7", put(scene_filename=7)),
    (r"question_index: found '1'", put(question_index="1")),
    (r"question: found nothing", lambda one: one.pop("question")),
    (r"question: found ''", put(question="")),
    (r"question: found 'a\\nb'", put(question="a\nb")),
    (r"question: found 'xxx", put(question="x" * 2001)),
    (r"question: found \['How'\]", put(question=["How"])),
    (r"answer: found nothing", lambda one: one.pop("answer")),
    (r"answer: found None", put(answer=None)),
    (r"answer: found True", put(answer=True)),
    (r"answer: found 2.5", put(answer=2.5)),
    (r"answer: found -1", put(answer=-1)),
    (r"answer: found \{\}", put(answer={})),
    (r"template_index: found nothing", lambda one: one.pop("template_index")),
    (r"template_index: found \[1\]", put(template_index=[1])),
    (r"program: found nothing", lambda one: one.pop("program")),
    (r"program: found \{\}, expected a list of 1 to 100 nodes", put(program={})),
    (r"program: found \[\]", put(program=[])),
    (r"program: found \[", put(program=[node("scene", [])] * 101)),
    (r"program\[1\]: found 5, expected an object", lambda one: one["program"].__setitem__(1, 5)),
    (r"program\[1\].type: found 'filter_colour', expected one of: add, count", put_in(1, type="filter_colour")),
    (r"program\[1\].type: found 'filter_absolute_position'", put_in(1, type="filter_absolute_position")),
    (r"program\[1\].type: found \[\]", put_in(1, type=[])),
    (r"program\[1\].inputs: found nothing", lambda one: one["program"][1].pop("inputs")),
    (r"program\[1\].inputs: found \[1\], expected a list of the numbers of earlier", put_in(1, inputs=[1])),
    (r"program\[1\].inputs: found \[-1\]", put_in(1, inputs=[-1])),
    (r"program\[1\].inputs: found \[True\]", put_in(1, inputs=[True])),
    (r"program\[1\].inputs: found '0'", put_in(1, inputs="0")),
    (r"program\[1\].value_inputs: found 'flute'", put_in(1, value_inputs="flute")),
    (r"program\[1\].value_inputs: found None", put_in(1, value_inputs=[None])),
    (
        r"program\[1\]: values of filter_instrument: found 'oboe', expected one of: bass",
        put_in(1, value_inputs=["oboe"]),
    ),
    (r"program\[4\]: values of filter_note: found \[\], expected one", put_in(4, value_inputs=[])),
    (r"program\[3\]: found .*, expected one input and no value of not_unique", put_in(3, value_inputs=["x"])),
    (r"program\[5\]: inputs of exist: found set, set, expected set", put_in(5, type="exist", inputs=[4, 1])),
    (r"last node: found set, expected one that gives an answer", put_in(5, type="not_unique")),
    (r"it answers 'count_notes', expected one of: note", put_in(5, type="count_different_note")),
    (r"clear_gen: found 1, expected an object", put(clear_gen=1)),
    (r"clear_gen.question_id: found 'x', expected 'validation-000001-0'", put(clear_gen={"question_id": "x"})),
    (r"clear_gen.question_type: found 'exist', expected 'count'", put(clear_gen={"question_type": "exist"})),
    (r"clear_gen.n_relations: found False, expected 0", put(clear_gen={"n_relations": False})),
    (r"clear_gen.needs_holdout: found 'no'", put(clear_gen={"needs_holdout": "no"})),
]


@pytest.mark.parametrize(("message", "change"), BROKEN, ids=[message for message, _ in BROKEN])
def test_a_broken_question_is_refused_in_one_line_and_leaves_nothing(
    source: Path, tmp_path: Path, clear2: Domain, message: str, change: Change
) -> None:
    questions = questions_in(source, "validation")
    change(questions[2])
    path = write_questions(source, "val", questions)
    with pytest.raises(InputError, match=message) as raised:
        read_in(source, tmp_path / "data", clear2)
    assert str(raised.value).startswith(f"{path}: questions[2]: ")
    assert len(str(raised.value).splitlines()) == 1
    assert len(str(raised.value)) < 1000
    assert not (tmp_path / "data").exists()


def one_line(read: Callable[[], object]) -> bool:
    """Whether a source was refused; if so, in one line."""
    message = ""
    with suppress(InputError):
        try:
            read()
        except InputError as error:
            message = str(error)
            raise
    assert len(message.splitlines()) <= 1
    return bool(message)


@pytest.mark.parametrize("value", [None, 0, -1.5, 1e400, "x", [], {}, [[]], {"type": 1}, True, "\ud800", 10**30])
def test_no_type_in_any_place_is_a_traceback(source: Path, tmp_path: Path, clear2: Domain, value: Any) -> None:
    def places(at: Any) -> list[tuple[Any, Any]]:
        keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else []
        return [place for key in keys for place in [(at, key), *places(at[key])]]

    n_refused = 0
    for number in range(len(places(question(2, 1)))):
        listed = [question(0, 0), question(2, 1)]
        at, key = places(listed[1])[number]
        at[key] = value
        write_questions(source, "val", listed)
        refused = one_line(lambda: read_in(source, tmp_path / "data", clear2, overwrite=True))
        n_refused += refused
    assert n_refused > 15


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "document: found nothing, expected an object"),
        ("[]", r"document: found \[\], expected an object"),
        ("{}", "questions: found nothing, expected this field"),
        ('{"questions": {}}', r"questions: found \{\}, expected a list of objects"),
        ('{"questions": null}', "questions: found None, expected a list"),
        ('{"questions": [1]}', r"questions\[0\]: question: found 1, expected an object"),
        ('{"questions": [], "questions": []}', "questions: found twice, expected once"),
        ('{"questions": [}', "not readable JSON"),
        ('{"questions": [1', "not readable JSON|found 1"),
        ('{"questions": []', "not readable JSON"),
        ('{"questions": [],}', "not readable JSON"),
        ('{"questions": []} x', "not readable JSON"),
        ('{"questions" []}', "not readable JSON"),
        ("{1: []}", "not readable JSON"),
        ("\xff", "not readable JSON|document"),
        ('{"questions": ' + "[" * 100_000, "not readable JSON|question: found"),
        ('{"info": ' + "1" * 5000 + ', "questions": []}', "not readable JSON"),
        ('{"info": "' + "x" * (MAX_VALUE_CHARACTERS + 2 * BLOCK_BYTES) + '", "questions": []}', "not readable JSON"),
    ],
)
def test_a_file_that_is_no_list_of_questions(
    source: Path, tmp_path: Path, clear2: Domain, text: str, message: str
) -> None:
    path = source / "questions/CLEAR_val_questions.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as raised:
        read_in(source, tmp_path / "data", clear2)
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_a_pipe_is_not_waited_for(source: Path, tmp_path: Path, clear2: Domain) -> None:
    path = source / "questions/CLEAR_val_questions.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="found no regular file"):
        read_in(source, tmp_path / "data", clear2)


def test_questions_without_their_scenes_are_not_passed_over(source: Path, tmp_path: Path, clear2: Domain) -> None:
    write_questions(source, "train", [question(0, 0, split="train")])
    with pytest.raises(InputError, match="found questions without their scenes"):
        read_in(source, tmp_path / "data", clear2)


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 20])
def test_a_list_is_read_the_same_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    items = [1, 12345, -1.5e10, 'ü – 🎻 \\ " [', {"a": [1, {"b": None}]}, True, [], 7]
    content = {"info": {"n": 123}, "list": items, "after": 1234}
    for indent in (None, 2):
        (tmp_path / "list.json").write_text(json.dumps(content, ensure_ascii=indent is None, indent=indent))
        monkeypatch.setattr("clear_gen.datasets.scenes.clear_format.json_stream.BLOCK_BYTES", block)
        assert list(JsonList(tmp_path / "list.json", "list").items()) == items
