"""Which datasets can be asked about, and which questions are asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clear_gen.datasets.scenes.load import load_graph
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.questions.language.execute import IllPosed, execute
from clear_gen.questions.language.program import Node, Program
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph
from tests.datasets.runs import Runner, hashes
from tests.datasets.scenes.published import write_source
from tests.datasets.scenes.questions.commands import (
    FEW,
    SCENE,
    TEST,
    TRAIN,
    Scenes,
    ask,
    asked,
    empty,
    node,
    one_line,
    program_of,
    section,
    template,
)

# --- which datasets ---------------------------------------------------------------------------------------------------


def test_unfinished_and_absent_datasets(
    run: Runner, scenes: Scenes, banks: list[str], four: list[str], tmp_path: Path
) -> None:
    one_line(
        ask(run, tmp_path / "nothing", *four), 2, f"{tmp_path / 'nothing'}: not found, expected the folder of a dataset"
    )
    folder = tmp_path / "half"
    part = ["--num-shards", "2", "--shard-index", "0", "--workers", "1"]
    assert run("scenes", *FEW, *banks, "--no-audio", *part, "--out", str(folder)).code == 0
    before = hashes(folder)
    one_line(
        ask(run, folder, *four), 2, "found an unfinished dataset", "the clear-gen scenes command", "clear-gen finish"
    )
    assert hashes(folder) == before
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("damage", [Path.unlink, empty])
@pytest.mark.parametrize("name", ["scenes/test-00000-of-00001.parquet", "bank/test.parquet"])
def test_a_dataset_of_which_a_part_is_lost(
    run: Runner, scenes: Scenes, four: list[str], tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    damage(folder / name)
    one_line(ask(run, folder, *four), 2, str(folder / name))


@pytest.mark.parametrize(
    "options",
    [
        ["--n", "1", "--splits", "1,0,0"],
        ["--n", "5"],
        ["--n", "5", "--splits", "0,0,1"],
        ["--n", "30", "--splits", "1,0,0"],
        ["--n", "60", "--levels", "independent"],
    ],
)
def test_few_scenes_empty_splits_and_independent_levels(
    run: Runner, scenes: Scenes, tmp_path: Path, options: list[str]
) -> None:
    folder = scenes(tmp_path / "data", *options)
    sizes = {split: size for split, size in finished_settings(folder).sizes.items() if size}
    assert ask(run, folder).code == 0
    assert set(asked(folder)) == {f"questions/{split}-00000-of-00001.parquet" for split in sizes}
    assert {split: found["wanted"] for split, found in section(folder)["splits"].items()} == {
        split: 4 * size for split, size in sizes.items()
    }
    written = sum(found["written"] for found in section(folder)["splits"].values())
    assert written >= 0.99 * 4 * sum(sizes.values())
    before = hashes(folder)
    assert ask(run, folder).code == 0
    assert hashes(folder) == before


def test_imported_scenes(run: Runner, four: list[str], tmp_path: Path) -> None:
    source, folder = write_source(tmp_path / "source", train=6, val=3, test=3), tmp_path / "data"
    assert run("import", "clear", str(source), "--out", str(folder)).code == 0
    assert ask(run, folder, "--types", "count,exist,count_instruments,count_compare").code == 0
    domain = finished_settings(folder).domain
    rows = [row for name in asked(folder) for row in pq.read_table(folder / name).to_pylist()]
    assert rows
    for row in rows:
        assert execute(program_of(row), load_graph(folder, row["scene_id"]), domain) == row["answer"]


def test_what_is_the_same_for_every_sound_is_not_asked(run: Runner, tmp_path: Path) -> None:
    source, folder = write_source(tmp_path / "source", train=4, val=3, test=3), tmp_path / "data"
    assert run("import", "clear", str(source), "--out", str(folder)).code == 0
    assert ask(run, folder, "--types", "instrument").code == 0
    assert [found["written"] for found in section(folder)["splits"].values()] == [0, 0, 0]  # all are flutes


def test_splits_without_any_question(run: Runner, scenes: Scenes, tmp_path: Path) -> None:
    folder, path = scenes(tmp_path / "data", *FEW), tmp_path / "never.json"
    nodes = [SCENE, node("filter_octave", [0], "7"), node("filter_note", [1], "<note>"), node("count", [2])]
    path.write_text(json.dumps([template("never", "count", "How many <note>s are high?", nodes, "note")]))
    done = ask(run, folder, "--templates", str(path))
    assert done.code == 0
    assert "0 of 160 questions" in done.out
    assert [found["written"] for found in section(folder)["splits"].values()] == [0, 0]
    assert pq.read_table(folder / TRAIN).num_rows == 0
    assert ask(run, folder, "--templates", str(path)).code == 0


# --- which questions --------------------------------------------------------------------------------------------------


def test_twenty_a_scene_of_three_types(run: Runner, scenes: Scenes, tmp_path: Path) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    assert ask(run, folder, "--per-scene", "20", "--types", "note,exist,count").code == 0
    for found in section(folder)["splits"].values():
        assert found["wanted"] == 400
        assert found["written"] >= 0.95 * 400  # of one type a scene may have fewer
        assert set(found["of_type"]) == {"note", "exist", "count"}
        assert max(found["of_type"].values()) - min(found["of_type"].values()) <= 0.05 * found["written"]


@pytest.mark.parametrize("options", [["--types", "note,count"], ["--rules", "paper"]])
def test_types_and_rules(run: Runner, scenes: Scenes, clear2: Domain, tmp_path: Path, options: list[str]) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    assert ask(run, folder, *options).code == 0
    rows = [row for name in asked(folder) for row in pq.read_table(folder / name).to_pylist()]
    types = {"note", "count"} if "--types" in options else set(clear2.question_types)
    assert {row["question_type"] for row in rows} == types
    assert len(rows) >= 0.97 * 160
    for row in rows:
        found = execute(program_of(row), load_graph(folder, row["scene_id"]), clear2)
        assert not isinstance(found, IllPosed)
        assert found == row["answer"]


def test_the_paper_rules_ask_as_the_paper_did(run: Runner, scenes: Scenes, clear2: Domain, tmp_path: Path) -> None:
    folder = scenes(tmp_path / "data", "--n", "400", "--splits", "0.5,0,0.5")
    done = ask(run, folder, "--rules", "paper")
    assert done.code == 0
    rows = [row for name in asked(folder) for row in pq.read_table(folder / name).to_pylist()]
    assert clear2.published is not None
    shares = clear2.published.type_shares
    assert max(shares, key=shares.__getitem__) == "absolute_position"
    for name, percent in shares.items():
        assert 100 * sum(row["question_type"] == name for row in rows) / len(rows) == pytest.approx(percent, abs=1)
    related = {row["question_type"] for row in rows if "relate" in {node["function"] for node in row["program"]}}
    assert related == set(shares) - {"relative_position", "count_compare"}
    words = [len(row["question"].rstrip("?.").split()) for row in rows]
    card = (folder / "README.md").read_text()
    assert f"{sum(words) / len(words):.1f} words in a question on average" in card
    assert "(CLEAR2: 17, 91)" in card
    assert "CLEAR2 %" in card


def test_shares_from_a_file_and_types_among_them(run: Runner, scenes: Scenes, tmp_path: Path) -> None:
    folder, path = scenes(tmp_path / "data", *FEW), tmp_path / "shares.yaml"
    path.write_text("note: 1\nexist: 3\ncount: 4\n")
    assert ask(run, folder, "--type-shares", str(path), "--types", "note,exist").code == 0
    of_type = [found["of_type"] for found in section(folder)["splits"].values()]
    counts = {name: sum(of.get(name, 0) for of in of_type) for name in ("note", "exist", "count")}
    assert counts == pytest.approx({"note": 40, "exist": 120, "count": 0}, abs=2)  # a few scenes lack a second question
    one_line(ask(run, folder, "--type-shares", str(path)), 2, "holds other questions")
    one_line(ask(run, folder, "--type-shares", str(path), "--types", "loudness"), 2, "expected types that have a share")


HELD_OUT = {"instrument": "violin", "note": "D"}  # this bank has no violin that plays a C#


@pytest.fixture(scope="module")
def held_out(run: Runner, scenes: Scenes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = scenes(tmp_path_factory.mktemp("heldout") / "data", "--n", "300", "--splits", "0.5,0,0.5")
    assert ask(run, folder, "--holdout", "instrument=violin,note=D").code == 0
    return folder


def test_no_training_question_needs_what_is_held_out(held_out: Path, clear2: Domain) -> None:
    rows = pq.read_table(held_out / TRAIN).to_pylist()
    graphs = {name: load_graph(held_out, name) for name in {row["scene_id"] for row in rows}}
    assert any(has_held_out(sound.attributes) for graph in graphs.values() for sound in graph.sounds)
    assert len(rows) > 550
    for row in rows:
        assert row["needs_holdout"] is False
        assert not needs(program_of(row), graphs[row["scene_id"]], clear2), row["question"]


def test_test_questions_say_whether_they_need_it(held_out: Path, clear2: Domain) -> None:
    rows = pq.read_table(held_out / TEST).to_pylist()
    found = [needs(program_of(row), load_graph(held_out, row["scene_id"]), clear2) for row in rows]
    assert [row["needs_holdout"] for row in rows] == found
    assert sum(found) > 5


def has_held_out(attributes: Any) -> bool:
    return all(str(attributes[name]) == value for name, value in HELD_OUT.items())


def needs(program: Program, graph: SceneGraph, domain: Domain) -> bool:
    """Whether a description names the combination, or a sound that is singled out has it."""
    described: list[set[str]] = []
    for number, one in enumerate(program):
        described.append(set())
        if one.function.startswith("filter_"):
            described[number] = described[one.inputs[0]] | {f"{one.function.removeprefix('filter_')}={one.values[0]}"}
        elif one.function == "intersect":
            described[number] = described[one.inputs[0]] | described[one.inputs[1]]
        if {f"{name}={value}" for name, value in HELD_OUT.items()} <= described[number]:
            return True
        if one.function in ("unique", "longest", "shortest"):
            queries = [(*program[: number + 1], Node(f"query_{name}", (number,))) for name in HELD_OUT]
            if [execute(query, graph, domain) for query in queries] == list(HELD_OUT.values()):
                return True
    return False


def test_a_question_file_says_to_which_questions_it_belongs(held_out: Path, few: Path) -> None:
    for folder, has in ((held_out, True), (few, False)):
        schema = pq.read_schema(folder / TRAIN)
        assert ("needs_holdout" in schema.names) == has
        assert json.loads(schema.metadata[b"clear_gen"])["kind"] == "questions"
        assert schema.field("n_relations").type == pa.int32()
