"""The commands about questions as a user types them: output, exit codes, one line per mistake."""

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
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.datasets.scenes.load import load_graph
from clear_gen.datasets.scenes.questions.files import program_of
from clear_gen.questions.language.execute import execute
from clear_gen.scenes.domain import Domain, packaged_domain
from clear_gen.sounds.bank import write_bank
from tests.banks import tone_bank
from tests.datasets.runs import hashes

ONE = ["--workers", "1"]
TRAIN = "questions/train-00000-of-00001.parquet"
SCENE, QUESTION = "train-000000", "train-000000-0"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs of 20 training scenes from 40 tones."""
    folder = tmp_path_factory.mktemp("scenes")
    write_bank(tone_bank(40, 8000), folder / "train.parquet")
    command = ["scenes", "--n", "20", "--splits", "1,0,0", "--bank", str(folder / "train.parquet"), *ONE]
    assert run([*command, "--sample-rate", "8000", "--no-audio", "--out", str(folder / "data")]) == DONE
    return folder / "data"


@pytest.fixture(scope="module")
def asked(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with questions."""
    folder = shutil.copytree(scenes, tmp_path_factory.mktemp("asked") / "data")
    assert run(["questions", str(folder), *ONE]) == DONE
    return folder


@pytest.fixture
def copy(scenes: Path, tmp_path: Path) -> Path:
    """Scenes without questions, to be written into."""
    return shutil.copytree(scenes, tmp_path / "data")


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail with this code: its one line on stderr, whose length and letters are decent."""

    def call(code: int, *arguments: object) -> str:
        capfd.readouterr()
        assert run([str(argument) for argument in arguments]) == code
        lines = [line for line in capfd.readouterr().err.splitlines() if line and "━" not in line]
        line = lines[-1]
        usage = ("Usage: ", "Try '")  # click's own two lines come before
        assert [other for other in lines[:-1] if not other.startswith(usage)] == []
        assert line.startswith(("clear-gen: ", "Error: "))
        assert line.isprintable()
        assert len(line) < 1000
        return line

    return call


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / TRAIN).to_pylist()


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions_prints_a_table_and_what_to_type_next(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["questions", str(copy), *ONE, "--types", "note,count"]) == DONE
    shown = capsys.readouterr()
    head, *rows = [line.split() for line in shown.out.splitlines()[:4]]
    assert head == ["type", "train"]
    assert [row[0] for row in rows] == ["note", "count", "all"]
    assert int(rows[0][1]) + int(rows[1][1]) == int(rows[2][1]) == len(rows_of(copy))
    assert f"{copy}: {len(rows_of(copy))} of 80 questions" in shown.out
    assert f"next: clear-gen audit {copy}" in shown.out
    assert "20/20" in shown.err


def test_a_dry_run_counts_what_would_be_asked_and_refuses_what_the_run_would(
    asked: Path, copy: Path, said: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    before = hashes(copy)
    assert run(["questions", str(copy), *ONE, "--types", "note,count", "--dry-run"]) == DONE
    assert "80 questions: train 80, validation 0, test 0; from " in capfd.readouterr().out
    assert hashes(copy) == before
    assert "holds other questions" in said(WRONG_INPUT, "questions", asked, "--per-scene", "2", "--dry-run")


def test_interrupted_questions_are_no_dataset_without_questions(
    copy: Path, said: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    (copy / ".partial").mkdir()
    (copy / ".partial/questions.json").write_text("{}")
    out = copy.parent / "out"
    for arguments in (["export", copy, out, "--format", "clear"], ["publish", copy, "--dry-run"], ["audit", copy]):
        line = said(WRONG_INPUT, *arguments)
        assert "found unfinished questions, expected finished ones; the clear-gen questions command that" in line
    assert run(["validate", str(copy), *ONE]) == FAILED
    assert "provenance: .partial: found unfinished questions" in capfd.readouterr().out


def test_the_folder_is_clear2_unless_said_otherwise(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[..., str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(WRONG_INPUT, "questions").startswith("clear-gen: clear2: not found, expected the folder of a dataset")
    copy.rename(tmp_path / "clear2")
    assert run(["questions", "--types", "count", *ONE]) == DONE
    assert run(["answer", "--question", QUESTION]) == DONE


def test_shards_by_a_slurm_array(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"ID": "2", "COUNT": "2", "MIN": "1", "MAX": "2"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert run(["questions", str(copy), "--types", "count", *ONE]) == DONE  # has no file to do
    assert "this shard's candidates are done, others' are not" in capsys.readouterr().out
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    assert run(["questions", str(copy), "--types", "count", *ONE]) == DONE
    assert (copy / TRAIN).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--types", "colour"], "--types: found 'colour', expected some of: note, instrument"),
        (["--types", "note,,count"], "--types: found '', expected some of"),
        (["--holdout", "violin"], "--holdout"),
        (["--holdout", "note=C=D"], "found 'note=C=D', expected such as instrument=violin,note=C#"),
        (["--holdout", "note=C,note=D"], "--holdout"),
        (["--holdout", "note=H"], "--holdout: note: found 'H', expected one of: A, A#"),
        (["--holdout", "colour=red"], "--holdout: found 'colour', expected an attribute: instrument"),
        (["--per-scene", "0"], "--per-scene"),
        (["--per-scene", "101"], "--per-scene"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "many"], "--seed"),
        (["--rules", "loose"], "--rules"),
        (["--workers", "0"], "--workers"),
        (["--num-shards", "3", "--shard-index", "3"], "--shard-index: found 3, expected 0 to 2"),
        (["--num-shards", "3", "--overwrite"], "--overwrite: found with several shards"),
        (["--templates", "nowhere.json"], "nowhere.json: not found"),
        (["--templates", "nowhere.yaml"], "nowhere.yaml: not found"),
        (["--templates", "/"], "/: found no regular file"),
        (["--templates", "/dev/zero"], "/dev/zero: found no regular file"),
        (["more"], "more"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    copy: Path, said: Callable[..., str], arguments: list[str], message: str
) -> None:
    assert message in said(WRONG_INPUT, "questions", copy, *arguments)
    assert not (copy / "questions").exists()
    assert not (copy / ".partial").exists()


def test_an_attribute_held_out_twice(copy: Path, said: Callable[..., str]) -> None:
    assert "--holdout" in said(WRONG_INPUT, "questions", copy, *ONE, "--types", "count", "--holdout", "note=C, note=D")


def test_no_type_at_all(copy: Path, said: Callable[..., str]) -> None:
    assert "--types: found ''" in said(WRONG_INPUT, "questions", copy, *ONE, "--types", "")


def test_a_file_in_the_place_of_the_folder(scenes: Path, said: Callable[..., str]) -> None:
    assert "found a file, expected the folder of a dataset" in said(WRONG_INPUT, "questions", scenes / "clear.json")


@pytest.mark.parametrize("path", ["questions", "questions/train-00000-of-00001.parquet"])
def test_something_else_in_the_place_of_questions(copy: Path, said: Callable[..., str], path: str) -> None:
    (copy / path).parent.mkdir(exist_ok=True)
    (copy / path).write_text("years of work") if path == "questions" else (copy / path).mkdir()
    code = FAILED if path == "questions" else WRONG_INPUT
    assert str(copy / path) in said(code, "questions", copy, "--types", "count", *ONE)


# --- answer -----------------------------------------------------------------------------------------------------------


def test_answer_prints_question_and_answer(asked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in rows_of(asked)[:10]:
        assert run(["answer", str(asked), "--question", row["question_id"]]) == DONE
        assert capsys.readouterr().out == f"{row['question']}\nanswer: {row['answer']}\n"


def test_answer_with_every_step_in_words(asked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = rows_of(asked)[0]
    assert run(["answer", str(asked), "--question", row["question_id"], "--trace"]) == DONE
    question, *steps, answer = capsys.readouterr().out.splitlines()
    assert (question, answer) == (row["question"], f"answer: {row['answer']}")
    assert len(steps) == len(row["program"])
    for number, (step, one) in enumerate(zip(steps, row["program"], strict=True)):
        assert step.split()[0] == str(number)
        assert step.split()[1].startswith(one["function"])


@pytest.mark.parametrize("trace", [[], ["--trace"]])
def test_a_wrong_stored_answer_is_exit_code_1(
    asked: Path, tmp_path: Path, said: Callable[..., str], capfd: pytest.CaptureFixture[str], trace: list[str]
) -> None:
    folder = shutil.copytree(asked, tmp_path / "data")
    table = pq.read_table(folder / TRAIN)
    answers = table["answer"].to_pylist()
    change(folder, answer=pa.array(["nonsense", *answers[1:]]))
    assert run(["answer", str(folder), "--question", QUESTION, *trace]) == FAILED
    shown = capfd.readouterr()
    assert shown.out.splitlines()[-2:] == [f"answer: {answers[0]}", "stored answer: nonsense"]
    assert shown.err == f"clear-gen: {QUESTION}: the stored answer is another one\n"
    assert run(["answer", str(folder), "--question", "train-000000-1"]) == DONE


def change(folder: Path, **columns: pa.Array) -> None:
    """Replace columns of the question file; ``None`` leaves one out."""
    table = pq.read_table(folder / TRAIN)
    for name, column in columns.items():
        at = table.schema.get_field_index(name)
        kept = table.schema.field(name)
        table = table.drop_columns(name) if column is None else table.set_column(at, kept, column.cast(kept.type))
    pq.write_table(table, folder / TRAIN)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("train-000000-99", "found none with the id train-000000-99"),
        ("train-999999-0", "found none with the id train-999999-0"),
        ("test-000000-0", "--question: found 'test-000000-0', expected an id such as train-000000-0"),
        ("train-000000", "expected an id such as"),
        ("", "expected an id such as"),
        ("\x1b[31m", r"found '\x1b[31m', expected an id such as"),
        ("../../clear", "expected an id such as"),
    ],
)
def test_no_such_question(asked: Path, said: Callable[..., str], question: str, message: str) -> None:
    assert message in said(WRONG_INPUT, "answer", asked, "--question", question)


def test_answers_where_there_are_no_questions(scenes: Path, tmp_path: Path, said: Callable[..., str]) -> None:
    line = said(WRONG_INPUT, "answer", scenes, "--question", QUESTION)
    assert "found no questions" in line or "not found" in line
    assert f"clear-gen questions {scenes}" in line
    assert "found no dataset" in said(WRONG_INPUT, "answer", tmp_path, "--question", QUESTION)
    assert "--question" in said(WRONG_INPUT, "answer", scenes)


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "scenes": lambda path: shutil.copy(path.parents[1] / "scenes/train-00000-of-00001.parquet", path),
    "foreign": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "no column of them": lambda path: change(path.parents[1], program=None),
    "no column of ids": lambda path: change(path.parents[1], question_id=None),
    "an unknown function in a program": lambda path: in_program(
        path, [{"function": "explode", "inputs": [], "values": []}]
    ),
    "an unknown input in a program": lambda path: in_program(
        path, [{"function": "count", "inputs": [7], "values": []}]
    ),
    "an empty program": lambda path: in_program(path, []),
    "nothing for a program": lambda path: in_program(path, None),
}


def in_program(path: Path, nodes: list[dict[str, Any]] | None) -> None:
    programs = pq.read_table(path)["program"]
    change(path.parents[1], program=pa.array([nodes, *programs.to_pylist()[1:]], programs.type))


@pytest.mark.parametrize("kind", BROKEN)
def test_a_question_file_that_was_altered(asked: Path, tmp_path: Path, said: Callable[..., str], kind: str) -> None:
    folder = shutil.copytree(asked, tmp_path / "data")
    BROKEN[kind](folder / TRAIN)
    assert str(folder) in said(WRONG_INPUT, "answer", folder, "--question", QUESTION)


# --- ask --------------------------------------------------------------------------------------------------------------


def node(function: str, *inputs: int, values: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"function": function, "inputs": list(inputs), "values": list(values)}


COUNT = [node("scene"), node("count", 0)]


def test_ask_runs_any_program(scenes: Path, clear2: Domain, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, graph = tmp_path / "program.json", load_graph(scenes, SCENE)
    for content in (COUNT, {"program": COUNT}, [{"function": "scene"}, {"function": "count", "inputs": [0]}]):
        path.write_text(json.dumps(content))
        command = ["ask", str(scenes), "--scene", SCENE, "--program", str(path)]
        assert run([*command, "--no-trace"]) == DONE
        assert capsys.readouterr().out == f"{len(graph.sounds)}\n"
        assert run(command) == DONE
        assert capsys.readouterr().out.splitlines()[-1] == f"answer: {len(graph.sounds)}"


def test_ask_runs_the_programs_of_questions(
    asked: Path, clear2: Domain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "program.json"
    for row in rows_of(asked)[:20]:
        path.write_text(json.dumps(row["program"]))
        command = ["ask", str(asked), "--scene", row["scene_id"], "--program", str(path), "--no-trace"]
        assert run(command) == DONE
        assert capsys.readouterr().out == f"{row['answer']}\n"


def test_a_program_without_a_certain_answer_is_exit_code_1(
    scenes: Path, tmp_path: Path, said: Callable[..., str]
) -> None:
    path = tmp_path / "program.json"
    path.write_text(json.dumps([node("scene"), node("unique", 0), node("query_note", 1)]))
    for trace in ("--trace", "--no-trace"):
        line = said(FAILED, "ask", scenes, "--scene", SCENE, "--program", path, trace)
        assert line.startswith(f"clear-gen: {SCENE}: ill-posed: step 1, unique: ")


NOTE = "filter_note"
ESCAPE = "\x1b]0;mine\x07"  # names the terminal's window
HOSTILE = {
    "nothing": ("", "not readable JSON"),
    "text": ('"scene"', "found str, expected a list of nodes"),
    "a number": ("3", "found int, expected a list of nodes"),
    "null": ("null", "expected a list of nodes"),
    "no nodes": ("[]", "expected a list of nodes"),
    "levels without end": ("[" * 100_000, "not readable JSON"),
    "NaN": ("[NaN]", "node 0: found nan, expected an object"),
    "an int of 5000 digits": (f'[{{"function": "scene", "inputs": [{"9" * 5000}]}}]', "digits"),
    "a megabyte": (" " * 1_000_001, "size: found more than 1,000,000 bytes"),
    "unknown function": ([node("explode")], "node 0: function: found 'explode', expected one of: add"),
    "a dunder": ([node("__class__")], "node 0: function: found '__class__'"),
    "a method": ([node("facts")], "node 0: function: found 'facts'"),
    "unknown field": ([{"function": "scene", "eval": "1"}], "node 0: eval: found an unknown field"),
    "a function that is no text": ([{"function": 1}], "node 0: found"),
    "an input that is no number": ([node("scene"), {"function": "count", "inputs": ["0"]}], "node 1: inputs: found"),
    "an input that is a truth": ([node("scene"), {"function": "count", "inputs": [True]}], "node 1: inputs: found"),
    "an input that comes later": ([node("scene"), node("count", 1)], "node 1: inputs: found [1]"),
    "an input from the end": ([node("scene"), node("count", -1)], "node 1: inputs: found [-1]"),
    "too many inputs": ([node("scene"), node("count", 0, 0)], "node 1: inputs of count: found set, set, expected set"),
    "no input": ([node("count")], "node 0: inputs of count: found nothing, expected set"),
    "a value too many": ([node("scene", values=("A",))], "node 0: values of scene: found ['A'], expected none"),
    "a value too few": ([node("scene"), node(NOTE, 0), node("count", 1)], "node 1: values of filter_note: found []"),
    "an unknown value": ([node("scene"), node(NOTE, 0, values=("H",)), node("count", 1)], "found 'H', expected one of"),
    "a list as a value": ([node("scene"), {"function": NOTE, "values": [["A"]]}], "node 1: values: found [['A']]"),
    "a set at the end": ([node("scene")], "last node: found set"),
    "an output unused": ([node("scene"), node("scene"), node("count", 0)], "node 1: its output is used by no other"),
    "a colour in a value": (
        [node("scene"), node(NOTE, 0, values=(ESCAPE,)), node("count", 1)],
        r"found '\x1b]0;mine\x07'",
    ),
    "a line break in a function": ([node("a\nb")], r"found 'a\nb'"),
    "half a pair in a function": ([node("\ud800")], r"found '\ud800'"),
    # messages must not be steered by what a file holds, nor be as long as it
    "a colour as a node": ([ESCAPE], "node 0: found"),
    "a colour as inputs": ([{"function": "scene", "inputs": ESCAPE}], "node 0: inputs: found"),
    "a colour as a field": ([{"function": "scene", ESCAPE: 1}], "found an unknown field"),
    "half a pair as a node": (["\ud800"], "node 0: found"),
    "a function without end": ([node("x" * 900_000)], "node 0: function: found 'xxx"),
    "a value without end": ([node("scene"), node(NOTE, 0, values=("x" * 900_000,))], "found 'xxx"),
    "inputs without end": ([node("scene"), node("count", *[0] * 200_000)], "node 1: inputs of count: found set, set"),
    "values without end": ([node("scene", values=("x",) * 100_000)], "node 0: values of scene: found"),
    "an int of 4000 digits": (f'[{{"function": "scene", "inputs": [{"9" * 4000}]}}]', "node 0: inputs: found"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_program(scenes: Path, tmp_path: Path, said: Callable[..., str], kind: str) -> None:
    content, message = HOSTILE[kind]
    path = tmp_path / "program.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    line = said(WRONG_INPUT, "ask", scenes, "--scene", SCENE, "--program", path)
    assert line.startswith(f"clear-gen: {path}: ")
    assert message in line


def test_a_long_program_is_no_long_work(
    scenes: Path, clear2: Domain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, nodes = tmp_path / "program.json", [node("scene"), node("count_different_brightness", 0)]
    for _ in range(5000):
        nodes += [node("count_different_loudness", 0)]
        nodes += [node("add", len(nodes) - 2, len(nodes) - 1)]
    path.write_text(json.dumps(nodes))
    assert run(["ask", str(scenes), "--scene", SCENE, "--program", str(path), "--no-trace"]) == WRONG_INPUT
    assert "expected at most 200" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["nowhere.json", "/", "/dev/zero"])
def test_a_program_that_is_no_file(scenes: Path, said: Callable[..., str], place: str) -> None:
    assert said(WRONG_INPUT, "ask", scenes, "--scene", SCENE, "--program", place).startswith(f"clear-gen: {place}: ")


@pytest.mark.parametrize("scene", ["train-999999", "test-000000", "17", "", "../x", "\x1b[31m"])
def test_no_such_scene(scenes: Path, tmp_path: Path, said: Callable[..., str], scene: str) -> None:
    path = tmp_path / "program.json"
    path.write_text(json.dumps(COUNT))
    assert "scene: found" in said(WRONG_INPUT, "ask", scenes, "--scene", scene, "--program", path)


# --- templates --------------------------------------------------------------------------------------------------------

BY_HAND = {
    "templates": [
        {
            "id": "loudness_after",
            "question_type": "loudness",
            "text": ["How loud is the <I1> heard [at some time] after the <I2>?"],
            "nodes": [
                {"type": "scene", "inputs": []},
                {"type": "filter_instrument", "inputs": [0], "side_inputs": ["<I2>"]},
                {"type": "unique", "inputs": [1]},
                {"type": "relate", "inputs": [2], "side_inputs": ["after"]},
                {"type": "filter_instrument", "inputs": [3], "side_inputs": ["<I1>"]},
                {"type": "unique", "inputs": [4]},
                {"type": "query_loudness", "inputs": [5]},
            ],
            "params": [{"type": "instrument", "name": "<I1>"}, {"type": "instrument", "name": "<I2>"}],
            "constraints": [{"type": "different", "params": ["<I1>", "<I2>"]}],
        },
        {
            "id": "how_many",
            "question_type": "count",
            "text": ["How many different sounds are heard?"],
            "nodes": [{"type": "scene", "inputs": []}, {"type": "count", "inputs": [0]}],
        },
    ]
}


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    path = tmp_path / "by hand.json"
    path.write_text(json.dumps(BY_HAND))
    return path


def test_templates_by_hand_in_clevrs_form(copy: Path, by_hand: Path, clear2: Domain) -> None:
    assert run(["questions", str(copy), "--templates", str(by_hand), *ONE]) == DONE
    rows = rows_of(copy)
    assert {row["template_id"] for row in rows} == {"loudness_after", "how_many"}
    text = re.compile(r"How loud is the (\w+) heard (at some time )?after the (\w+)\?")
    for row in rows:
        assert len(row["program"]) == (7 if row["question_type"] == "loudness" else 2)
        graph = load_graph(copy, row["scene_id"])
        sounds = [str(sound.attributes["instrument"]) for sound in graph.sounds]
        if row["template_id"] == "how_many":
            assert (row["question"], row["answer"]) == ("How many different sounds are heard?", str(len(sounds)))
            continue
        found = text.fullmatch(row["question"])
        assert found is not None, row["question"]
        after = [k for k, name in enumerate(sounds) if k > sounds.index(found[3]) and name == found[1]]
        assert sounds.count(found[3]) == len(after) == 1
        assert graph.sounds[after[0]].attributes["loudness"] == row["answer"]
        assert sounds.count(found[1]) > 1  # else the relation would not matter
    stored = json.loads((copy / "clear.json").read_text())["questions"]["identity"]
    assert stored["templates"]["n"] == 2
    assert stored["types"] == ["loudness", "count"]


def test_one_template_without_parameters(copy: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(BY_HAND["templates"][1:]))
    assert run(["questions", str(copy), "--templates", str(path), *ONE]) == DONE
    assert len(rows_of(copy)) == 20  # the same text never twice in a scene


def test_packaged_templates_exported_ask_the_same(asked: Path, copy: Path, tmp_path: Path, clear2: Domain) -> None:
    path = tmp_path / "templates.json"
    assert run(["templates", "export", "--out", str(path)]) == DONE
    assert len(json.loads(path.read_text())["templates"]) >= 942
    assert run(["questions", str(copy), "--templates", str(path), *ONE]) == DONE
    assert rows_of(copy) == rows_of(asked)
    for row in rows_of(copy)[:20]:
        graph = load_graph(copy, row["scene_id"])
        assert execute(program_of(row["program"]), graph, clear2) == row["answer"]


def test_several_files_of_templates(copy: Path, by_hand: Path, tmp_path: Path, said: Callable[..., str]) -> None:
    again, other = by_hand.with_name("again.json"), by_hand.with_name("other.json")
    shutil.copy(by_hand, again)
    other.write_text(json.dumps([{**BY_HAND["templates"][1], "id": "other"}]))
    line = said(WRONG_INPUT, "questions", copy, "--templates", by_hand, "--templates", again)
    assert line.startswith(f"clear-gen: {again}: ")
    assert "loudness_after" in line
    assert run(["questions", str(copy), "--templates", str(by_hand), "--templates", str(other), *ONE]) == DONE


WRONG = {
    "no list": ('{"a": 1}', "expected a list of templates"),
    "no JSON": ("{", "not readable JSON"),
    "levels without end": ("[" * 100_000, "not readable JSON"),
    "no template": ([1], "templates[0]: template: found"),
    "unknown field": ([{**BY_HAND["templates"][1], "weight": 2}], "templates[0]: weight"),
    "no text": ([{**BY_HAND["templates"][1], "text": []}], "templates[0]: text"),
    "an unknown placeholder": ([{**BY_HAND["templates"][1], "text": ["How many <X>s?"]}], "how_many: text: found <X>"),
    "a bracket too many": ([{**BY_HAND["templates"][1], "text": ["How many [are heard?"]}], "bracket"),
    "another type": ([{**BY_HAND["templates"][1], "question_type": "exist"}], "question_type: found 'exist'"),
    "an unknown node": ([{**BY_HAND["templates"][1], "nodes": [{"type": "explode"}]}], "function: found 'explode'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_templates(copy: Path, tmp_path: Path, said: Callable[..., str], kind: str) -> None:
    content, message = WRONG[kind]
    path = tmp_path / "wrong.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    for command in (["questions", copy, *ONE], ["templates", "lint"], ["templates", "export", "--out", tmp_path / "x"]):
        line = said(WRONG_INPUT, *command, "--templates", path)
        assert line.startswith(f"clear-gen: {path}: ")
        assert message in line
    assert not (copy / ".partial").exists()
    assert not (tmp_path / "x").exists()


def test_no_templates_at_all(copy: Path, tmp_path: Path, said: Callable[..., str]) -> None:
    path = tmp_path / "none.json"
    path.write_text("[]")
    assert str(path) in said(WRONG_INPUT, "questions", copy, *ONE, "--templates", path)
    assert not (copy / ".partial").exists()


def test_lint_of_packaged_templates(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["templates", "lint", "--domain", "environmental"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert "0 findings" in lines
    assert set(packaged_domain("environmental").question_types) <= {line.split()[0] for line in lines if line}


def test_lint_names_what_is_wrong(by_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(by_hand.read_text())
    content["templates"][1]["text"] = ["How many many sound are heard in this?"]
    by_hand.write_text(json.dumps(content))
    assert run(["templates", "lint", "--templates", str(by_hand)]) == FAILED
    shown = capsys.readouterr()
    assert "how_many: doubled: " in shown.out
    assert re.search(r"clear-gen: \d+ findings? in the templates", shown.err)


def test_export_to_places_where_it_cannot_be_written(tmp_path: Path, said: Callable[..., str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path) in said(WRONG_INPUT, "templates", "export", "--out", tmp_path)
    assert str(tmp_path / "file") in said(WRONG_INPUT, "templates", "export", "--out", tmp_path / "file/x.json")
    assert "--out" in said(WRONG_INPUT, "templates", "export")
    assert "domain: found 'nope', expected a folder" in said(
        WRONG_INPUT, "templates", "export", "--domain", "nope", "--out", tmp_path / "x"
    )


def test_export_does_not_overwrite(tmp_path: Path, said: Callable[..., str]) -> None:
    path = tmp_path / "templates.json"
    path.write_text("years of work")
    run(["templates", "export", "--out", str(path)])
    assert path.read_text() == "years of work"


# --- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["questions"], ["--per-scene", "--holdout", "--select", "default: 4", "clear-gen questions clear2"]),
        (["answer"], ["--trace", "Exit code 1", "clear-gen answer clear2 --question train-000017-2"]),
        (["ask"], ["--program", "Exit code 1", "clear-gen ask clear2"]),
        (["templates"], ["export", "lint"]),
        (["templates", "export"], ["--out", "CLEVR", "clear-gen templates export"]),
        (["templates", "lint"], ["agreement", "Exit code 1", "clear-gen templates lint"]),
    ],
)
def test_help(command: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == DONE
    text = " ".join(capsys.readouterr().out.split())
    for word in words:
        assert word in text
