"""Questions are the same bytes however they are made, and whenever the audio comes."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clear_gen.datasets.scenes.load import load_graph
from clear_gen.questions.language.execute import execute
from clear_gen.scenes.domain import Domain
from tests.counts import NIGHTLY
from tests.datasets.runs import Runner, hashes
from tests.datasets.scenes.questions.commands import (
    FEW,
    MANY,
    TRAIN,
    TRAIN_CANDIDATES,
    Scenes,
    ask,
    asked,
    files,
    one_line,
    program_of,
    section,
    stop,
    unfinished,
)

# --- however they are made --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [2, 4] if NIGHTLY else [2])
def test_any_number_of_workers_makes_the_same_bytes(
    run: Runner, scenes: Scenes, some: list[str], many: Path, tmp_path: Path, workers: int
) -> None:
    folder = scenes(tmp_path / "data", *MANY)
    assert ask(run, folder, *some, workers=workers).code == 0
    assert hashes(folder) == hashes(many)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)] if NIGHTLY else [(2, 0, 1)])
def test_three_shards_in_any_order_make_the_same_bytes(
    run: Runner, scenes: Scenes, some: list[str], many: Path, tmp_path: Path, order: tuple[int, ...]
) -> None:
    folder = scenes(tmp_path / "data", *MANY)
    for place, index in enumerate(order):
        assert not (folder / TRAIN).exists()
        done = ask(run, folder, *some, "--num-shards", "3", "--shard-index", str(index))
        assert done.code == 0
        assert ("this shard's candidates are done, others' are not" in done.out) == (place < 2)
    assert hashes(folder) == hashes(many)


def test_two_shards_at_once_make_the_same_bytes(
    run: Runner, second: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    shard = ["questions", str(folder), *four, "--workers", "1", "--num-shards", "2", "--shard-index"]
    run.start(*shard, "0")
    other = second(*shard, "1")
    assert (run.result().code, other.code) == (0, 0)
    assert hashes(folder) == hashes(few)


def test_selecting_says_what_is_missing_and_selects_when_nothing_is(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    missing = "of 2 files have no candidates yet, first scenes/"
    one_line(ask(run, folder, *four, "--select"), 1, f"{folder}: 2 {missing}train-00000-of-00001.parquet")
    assert ask(run, folder, *four, "--num-shards", "2", "--shard-index", "0").code == 0
    one_line(ask(run, folder, *four, "--select"), 1, f"{folder}: 1 {missing}test-00000-of-00001.parquet")
    assert ask(run, folder, *four, **stop(folder, f"replace {TRAIN}")).code == -signal.SIGKILL
    assert ask(run, folder, *four, "--select").code == 0
    assert files(folder) == files(few)


def test_the_same_command_again_touches_nothing(run: Runner, some: list[str], many: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = ask(run, many, *some, fault={"folder": str(many), "trace": str(trace)})
    assert done.code == 0
    assert "10,400 questions" in done.out
    assert not trace.exists()


def test_what_is_written_is_what_clear_json_says(many: Path, clear2: Domain) -> None:
    stored = json.loads((many / "clear.json").read_text())
    assert stored["files"] == {name: sha for name, sha in hashes(many).items() if name != "clear.json"}
    texts: set[tuple[str, str]] = set()
    for split, found in section(many)["splits"].items():
        rows = pq.read_table(many / f"questions/{split}-00000-of-00001.parquet").to_pylist()
        assert found["written"] == len(rows) == sum(found["of_type"].values())
        assert set(found["of_type"]) <= set(clear2.question_types)
        texts |= {(row["scene_id"], row["question"]) for row in rows}
        scenes_in_order = [row["scene_id"] for row in rows]
        assert scenes_in_order == sorted(scenes_in_order)
        assert len({row["question_id"] for row in rows}) == len(rows)
    assert len(texts) == sum(found["written"] for found in section(many)["splits"].values())


def test_stored_answers_are_those_of_the_programs(many: Path, clear2: Domain) -> None:
    rows = pq.read_table(many / "questions/test-00000-of-00001.parquet").to_pylist()
    graphs = {name: load_graph(many, name) for name in {row["scene_id"] for row in rows}}
    assert len(rows) > 300
    for row in rows:
        assert execute(program_of(row), graphs[row["scene_id"]], clear2) == row["answer"], row["question_id"]


# --- audio that comes later -------------------------------------------------------------------------------------------


def test_audio_before_or_after_makes_no_difference(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    first, later = scenes(tmp_path / "first", *FEW), tmp_path / "later"
    shutil.copytree(few, later)
    assert run("render", str(first), "--workers", "1").code == 0
    assert ask(run, first, *four).code == 0
    assert run("render", str(later), "--workers", "2").code == 0
    assert hashes(first) == hashes(later)
    assert asked(later) == asked(few)
    assert section(later) == section(few)
    assert "config_name: questions" in (later / "README.md").read_text()
    assert run("finish", str(later)).code == 0


def test_render_killed_on_its_way_keeps_the_questions(
    run: Runner, scenes: Scenes, four: list[str], tmp_path: Path
) -> None:
    folder, trace = tmp_path / "data", tmp_path / "trace"
    few = scenes(tmp_path / "few", "--n", "6", "--splits", "0.5,0,0.5")
    assert ask(run, few, *four).code == 0
    shutil.copytree(few, folder)
    render = ["render", str(folder), "--workers", "1"]
    assert run(*render, fault={"folder": str(folder), "trace": str(trace)}).code == 0
    whole, steps = hashes(folder), trace.read_text().splitlines()
    telling = [number for number, step in enumerate(steps, 1) if step.startswith("replace") or "clear.json" in step]
    for number in telling[::2]:
        shutil.rmtree(folder)
        shutil.copytree(few, folder)
        fault = {"folder": str(folder), "action": "kill", "number": number}
        assert run(*render, fault=fault).code == -signal.SIGKILL
        assert run(*render).code == 0, steps[number - 1]
        assert hashes(folder) == whole, steps[number - 1]


@pytest.mark.parametrize("step", ["fsync README.md~", f"replace {TRAIN}"])
def test_render_does_not_bring_back_questions_that_were_replaced_meanwhile(
    run: Runner, four: list[str], few: Path, tmp_path: Path, step: str
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    assert run("render", str(folder), "--workers", "1", **stop(folder, "unlink clear.json")).code == -signal.SIGKILL
    other = ["--seed", "2", *four]
    number = 2 if step.endswith("README.md~") else 1  # the second: the first says that there are none
    assert ask(run, folder, *other, "--overwrite", **stop(folder, step, number=number)).code == -signal.SIGKILL
    assert run("render", str(folder), "--workers", "1").code == 0
    stored = json.loads((folder / "clear.json").read_text())
    assert "questions" not in stored or stored["questions"]["identity"]["seed"] == 2
    assert ask(run, folder, *other).code == 0
    assert run("finish", str(folder)).code == 0


def test_render_keeps_candidates(run: Runner, scenes: Scenes, four: list[str], tmp_path: Path) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    assert run("render", str(folder), "--workers", "1").code == 0
    assert (folder / TRAIN_CANDIDATES).exists()


def test_finish_keeps_candidates(run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    before = hashes(folder)
    assert run("finish", str(folder)).code == 0
    after = hashes(folder)
    assert {name for name in before if name not in after} == {
        name for name in before if name.endswith(("lock", ".tmp"))
    }
    assert all(before[name] == after[name] for name in after)
    assert ask(run, folder, *four, "--select").code == 0
    assert files(folder) == files(few)
