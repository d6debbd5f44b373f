"""Questions of a dataset: the same bytes however they are made, nothing lost, nothing overwritten unasked.

Every command is a process of its own, forked from one that has imported all it needs (``faultpoints.serve``). Tests of
faults ask by four templates of one's own, which are read in no time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clear_gen.datasets.scenes.load import load_graph
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.questions.language.execute import IllPosed, execute
from clear_gen.questions.language.program import Node, Program
from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.template import as_json
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph
from tests.counts import NIGHTLY, thinned
from tests.datasets.faultpoints import workers_of
from tests.datasets.runs import RATE, SCENES, Done, Runner, hashes, runner, write_banks
from tests.datasets.scenes.published import write_source

FEW = ["--n", "40", "--splits", "0.5,0,0.5"]  # two scene files
MANY = ["--n", "2600", "--splits", "0.95,0.02,0.03"]  # five, three of them of the training split
TRAIN, TEST = "questions/train-00000-of-00001.parquet", "questions/test-00000-of-00001.parquet"
TRAIN_CANDIDATES, TEST_CANDIDATES = (f".partial/questions-{split}-00000.arrow" for split in ("train", "test"))
TO_GO_ON = "interrupted; run the same command again to go on"
LATE = ("clear_gen.datasets.scenes.questions.console", "clear_gen.questions.templates.lint", *SCENES)


def node(function: str, inputs: list[int], *values: str) -> dict[str, Any]:
    return {"type": function, "inputs": inputs, "side_inputs": list(values)}


def template(name: str, type_: str, text: str, nodes: list[dict[str, Any]], *kinds: str) -> dict[str, Any]:
    """One in CLEVR's form; a parameter is named after its kind."""
    params = [{"type": kind, "name": f"<{kind}>"} for kind in kinds]
    return {"id": name, "question_type": type_, "text": [text], "nodes": nodes, "params": params}


SCENE = node("scene", [])
VIOLIN = [SCENE, node("filter_instrument", [0], "<instrument>")]
FOUR = [
    template("count", "count", "How many <instrument>s are heard?", [*VIOLIN, node("count", [1])], "instrument"),
    template(
        "exist", "exist", "Is there a <note>?", [SCENE, node("filter_note", [0], "<note>"), node("exist", [1])], "note"
    ),
    template(
        "note",
        "note",
        "Which note does the <instrument> play?",
        [*VIOLIN, node("unique", [1]), node("query_note", [2])],
        "instrument",
    ),
    template(
        "after",
        "loudness",
        "How loud is the sound <relation> the <instrument>?",
        [
            *VIOLIN,
            node("unique", [1]),
            node("relate", [2], "<relation>"),
            node("unique", [3]),
            node("query_loudness", [4]),
        ],
        "instrument",
        "relation",
    ),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("runner"), late=LATE) as it:
        yield it


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("second"), late=LATE) as it:
        yield it


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*write_banks(tmp_path_factory.mktemp("banks")), "--sample-rate", str(RATE)]


Scenes = Callable[..., Path]


@pytest.fixture(scope="module")
def scenes(run: Runner, banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """Makes a dataset of graphs by these options, once, and copies it."""
    made: dict[tuple[str, ...], Path] = {}
    folder = tmp_path_factory.mktemp("scenes")

    def copy(to: Path, *options: str) -> Path:
        if options not in made:
            made[options] = folder / str(len(made))
            done = run("scenes", *options, *banks, "--no-audio", "--workers", "1", "--out", str(made[options]))
            assert done.code == 0, done
        shutil.copytree(made[options], to)
        return to

    return copy


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options with which the four templates above are used."""
    path = tmp_path_factory.mktemp("templates") / "four.json"
    path.write_text(json.dumps(FOUR))
    return ["--templates", str(path)]


@pytest.fixture(scope="module")
def few(run: Runner, scenes: Scenes, four: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions by four templates, undisturbed."""
    folder = scenes(tmp_path_factory.mktemp("few") / "data", *FEW)
    assert ask(run, folder, *four).code == 0
    return folder


@pytest.fixture(scope="module")
def some(clear2: Domain, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every 15th of the packaged templates, of all types."""
    templates = read_templates(clear2, [])[::15]
    assert {one.question_type for one in templates} == set(clear2.question_types)
    path = tmp_path_factory.mktemp("templates") / "some.json"
    path.write_text(as_json(templates))
    return ["--templates", str(path)]


@pytest.fixture(scope="module")
def many(run: Runner, scenes: Scenes, some: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions about several files by some of the packaged templates, one worker."""
    folder = scenes(tmp_path_factory.mktemp("many") / "data", *MANY)
    assert ask(run, folder, *some).code == 0
    return folder


def ask(run: Runner, folder: Path, *options: str, workers: int = 1, **how: Any) -> Done:
    return run("questions", str(folder), "--workers", str(workers), *options, **how)


def one_line(done: Done, code: int, *parts: str) -> None:
    """The run ended with this code and said one line with these parts."""
    assert done.code == code, done
    assert len(done.said) == 1, done.said
    assert done.said[0].startswith("clear-gen: ")
    for part in parts:
        assert part in done.said[0]


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of all that belongs to the dataset: neither ``.partial`` nor what a killed run left half written."""
    return {
        name: sha for name, sha in hashes(folder).items() if not Path(name).parts[0].startswith(".p") and tidy(name)
    }


def tidy(name: str) -> bool:
    return not name.endswith(".tmp")


def section(folder: Path) -> dict[str, Any]:
    """What ``clear.json`` says of the questions."""
    return dict(json.loads((folder / "clear.json").read_text())["questions"])


def asked(folder: Path) -> dict[str, str]:
    """SHA-256 of the question files."""
    return {name: sha for name, sha in files(folder).items() if name.startswith("questions/")}


def steps_of(run: Runner, tmp_path: Path, folder: Path, *options: str) -> list[str]:
    """What an undisturbed run does on the disk of ``folder``, step by step."""
    trace = tmp_path / "trace"
    trace.unlink(missing_ok=True)
    assert ask(run, folder, *options, fault={"folder": str(folder), "trace": str(trace)}).code == 0
    return trace.read_text().splitlines()


def stop(folder: Path, step: str, action: str = "kill", number: int = 1) -> dict[str, Any]:
    return {"fault": {"folder": str(folder), "action": action, "step": step, "number": number}}


def unfinished(run: Runner, scenes: Scenes, folder: Path, options: list[str], *which: str) -> Path:
    """A dataset all of whose candidates are there, and none of its questions."""
    scenes(folder, *(which or FEW))
    assert ask(run, folder, *options, **stop(folder, f"replace {TRAIN}")).code == -signal.SIGKILL
    return folder


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


def program_of(row: dict[str, Any]) -> Program:
    return tuple(Node(one["function"], tuple(one["inputs"]), tuple(one["values"])) for one in row["program"])


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


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["kill", "full", "interrupt"])
def test_a_run_stopped_before_every_step_in_turn_goes_on_to_the_same_bytes(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, action: str
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    steps = steps_of(run, tmp_path, folder, *four)
    shutil.rmtree(folder)
    scenes(folder, *FEW)
    skipped = "unlink" if action == "kill" else ("unlink", "rmdir", "mkdir .partial")
    making = [step for step in steps[: steps.index("replace clear.json")] if not step.startswith(skipped)]
    assert len(making) > 15
    for step in thinned(list(dict.fromkeys(making)), 1 if action == "kill" else 4):
        done = ask(run, folder, *four, **stop(folder, step, action))
        if action == "full":
            one_line(done, 1, str(folder), "No space left on device")
            assert "~" not in done.said[0]
        else:
            assert done.code == {"kill": -signal.SIGKILL, "interrupt": 130}[action], step
        if action == "interrupt":
            assert done.said == [TO_GO_ON], step
        if action != "kill":
            assert all(map(tidy, hashes(folder))), step
        for earlier in [step.split()[1] for step in steps[: steps.index(step)] if step.startswith("replace")]:
            assert (folder / earlier).exists(), f"{step}: {earlier}"
    assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_a_run_killed_at_its_end_has_made_the_questions(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    for step in ("fsync clear.json~", "replace clear.json", "unlink .partial/lock", f"unlink {TEST_CANDIDATES}"):
        folder = scenes(tmp_path / step.replace("/", "-"), *FEW)
        assert ask(run, folder, *four, **stop(folder, step)).code == -signal.SIGKILL
        assert ask(run, folder, *four).code == 0
        assert files(folder) == files(few), step


@pytest.mark.parametrize("step", [f"replace {TRAIN}", "replace README.md", "replace clear.json", "unlink clear.json~"])
def test_what_a_killed_run_left_is_removed(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, step: str
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    assert ask(run, folder, *four, **stop(folder, step)).code == -signal.SIGKILL
    assert ask(run, folder, *four).code == 0
    assert hashes(folder) == hashes(few)


@pytest.mark.parametrize(("workers", "kills"), [(1, 10), (2, 2)] if NIGHTLY else [(1, 3), (2, 1)])
def test_a_run_killed_at_random_moments_goes_on_to_the_same_bytes(
    run: Runner, scenes: Scenes, some: list[str], many: Path, tmp_path: Path, workers: int, kills: int
) -> None:
    rng = np.random.default_rng(workers)
    folder = scenes(tmp_path / "data", *MANY)
    for number in range(kills):
        moment = rng.uniform(0.1, 0.8 * workers)
        done = ask(run, folder, *some, workers=workers, signals=[[moment, 9, workers == 1 or number % 2 == 0]])
        assert done.code in (0, -signal.SIGKILL), done
        if done.code == 0:
            break
    wait_until_gone(run)
    assert ask(run, folder, *some).code == 0
    assert files(folder) == files(many)


def wait_until_gone(run: Runner, within_s: float = 30) -> None:
    """Workers whose parent was killed alone notice that, and end."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and run.pid in map(session_of, Path("/proc").glob("[0-9]*/stat")):
        time.sleep(0.02)


def session_of(stat: Path) -> int | None:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None  # it ended meanwhile
    return None if fields[0] == "Z" else int(fields[3])


@pytest.mark.parametrize("once", [True, False])
def test_a_worker_that_dies(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, once: bool
) -> None:
    folder, happened = scenes(tmp_path / "data", *FEW), tmp_path / "happened"
    fault = {"folder": str(folder), "action": "kill", "step": f"replace {TRAIN_CANDIDATES}"}
    fault |= {"once": str(happened)} if once else {}
    name = "scenes/train-00000-of-00001.parquet"
    done = ask(run, folder, *four, workers=2, environment={"CLEAR_FAULT": json.dumps(fault)})
    if once:
        assert happened.exists()
        assert done.said == [f"{name}: its worker died (killed by SIGKILL, out of memory?); trying once more"]
        assert done.code == 0
    else:
        assert done.code == 1
        assert done.said[-1].startswith(f"clear-gen: 1 not made: {name} (its worker died 2 times, killed by SIGKILL")
        assert (folder / TEST_CANDIDATES).exists()
        assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_workers_killed_from_outside_and_ctrl_c(
    run: Runner, scenes: Scenes, some: list[str], many: Path, tmp_path: Path
) -> None:
    folder = scenes(tmp_path / "data", *MANY)
    run.start("questions", str(folder), *some, "--workers", "2")
    deadline = time.monotonic() + 30
    while not list(folder.glob(".partial/*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.005)
    if workers := workers_of(run.pid):
        os.kill(workers[0], signal.SIGKILL)
    time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    done = run.result()
    assert done.code == 130
    assert done.said[-1] == TO_GO_ON
    assert ask(run, folder, *some).code == 0
    assert files(folder) == files(many)


def test_ctrl_c_while_workers_start_is_one_line(run: Runner, scenes: Scenes, four: list[str], tmp_path: Path) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    said = []
    for _ in range(2):
        run.start("questions", str(folder), *four, "--workers", "2", "--overwrite")
        deadline = time.monotonic() + 30
        while not workers_of(run.pid) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        done = run.result()
        assert done.code == 130
        said += done.said
    assert set(said) == {TO_GO_ON}


# --- what lies under .partial -----------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("years of work\n" * 100)


def flip(path: Path) -> None:
    """Alter one byte of the candidates' values."""
    content = bytearray(path.read_bytes())
    content[content.index(b"ARROW1", 6) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, empty, text, flip])
def test_damaged_candidates_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    damage(folder / TRAIN_CANDIDATES)
    done = ask(run, folder, *four)
    assert (done.code, done.said) == (0, [f"{folder / TRAIN_CANDIDATES}: damaged; making it again"])
    assert files(folder) == files(few)


def test_candidates_of_other_questions_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    other = unfinished(run, scenes, tmp_path / "other", ["--seed", "1", *four])
    shutil.copy(other / TRAIN_CANDIDATES, folder / TRAIN_CANDIDATES)
    assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_candidates_in_the_place_of_others_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    shutil.copy(folder / TRAIN_CANDIDATES, folder / TEST_CANDIDATES)
    assert ask(run, folder, *four).code == 0
    assert files(folder) == files(few)


def test_candidates_with_other_names_of_columns_are_made_again(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    unfinished(run, scenes, tmp_path / "whole", four)
    raw = (tmp_path / "whole" / TRAIN_CANDIDATES).read_bytes()
    for at in {place for name in (b"scene", b"answer") for place in (raw.index(name), raw.rindex(name))}:
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / TRAIN_CANDIDATES).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert ask(run, folder, *four).code == 0, at
        assert files(folder) == files(few)


@pytest.mark.parametrize("damage", [cut, empty, text])
def test_a_damaged_note_of_what_was_begun_is_refused(
    run: Runner, scenes: Scenes, four: list[str], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    damage(folder / ".partial/questions.json")
    before = hashes(folder)
    one_line(ask(run, folder, *four), 2, str(folder / ".partial/questions.json"))
    assert hashes(folder) == before


def test_a_damaged_note_of_what_was_begun_can_be_overwritten(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder = unfinished(run, scenes, tmp_path / "data", four)
    cut(folder / ".partial/questions.json")
    assert ask(run, folder, *four, "--overwrite").code == 0
    assert files(folder) == files(few)


# --- other questions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_other_questions_are_refused_with_the_difference_and_replaced_if_told_to(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, state: str
) -> None:
    folder, three = tmp_path / "data", tmp_path / "three.json"
    three.write_text(json.dumps(FOUR[:3]))
    shutil.copytree(few, folder) if state == "finished" else unfinished(run, scenes, folder, four)
    before = hashes(folder)
    for options, difference in (
        ([*four, "--seed", "9"], "seed: found 0, asked 9"),
        ([*four, "--per-scene", "2"], "per_scene: found 4, asked 2"),
        ([*four, "--rules", "paper"], 'rules: found "strict", asked "paper"'),
        ([*four, "--holdout", "note=C#"], 'holdout.note: found null, asked "C#"'),
        (["--templates", str(three)], "templates.n: found 4, asked 3"),
    ):
        one_line(ask(run, folder, *options), 2, f"{folder}: holds other questions", difference, "--overwrite")
    assert hashes(folder) == before
    assert ask(run, folder, *four, "--seed", "9", "--overwrite").code == 0
    anew = scenes(tmp_path / "anew", *FEW)
    assert ask(run, anew, *four, "--seed", "9").code == 0
    assert files(folder) == files(anew)
    assert asked(folder) != asked(few)


def test_overwriting_killed_at_any_step_leaves_what_the_same_command_completes(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder, anew = tmp_path / "data", ["--seed", "9", *four, "--overwrite"]
    shutil.copytree(few, folder)
    steps = steps_of(run, tmp_path, folder, *anew)
    whole = files(folder)
    for number in range(1, steps.index(f"replace {TRAIN_CANDIDATES}") + 2, 3):
        shutil.rmtree(folder)
        shutil.copytree(few, folder)
        fault = {"folder": str(folder), "action": "kill", "number": number}
        assert ask(run, folder, *anew, fault=fault).code == -signal.SIGKILL
        assert ask(run, folder, *anew).code == 0, steps[number - 1]
        assert files(folder) == whole, steps[number - 1]


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_selecting_anew_does_not_remove_what_it_selects_from(
    run: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path, state: str
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder) if state == "finished" else unfinished(run, scenes, folder, four)
    before = hashes(folder)
    done = ask(run, folder, *four, "--select", "--overwrite")
    assert hashes(folder) == before if done.code else files(folder) == files(few)


def test_two_runs_at_once(
    run: Runner, second: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder, go_on, arrived = scenes(tmp_path / "data", *FEW), tmp_path / "go on", tmp_path / "arrived"
    fault = {"folder": str(folder), "action": "wait", "step": f"replace {TRAIN}"}
    run.start(
        "questions", str(folder), *four, "--workers", "1", fault={**fault, "once": str(arrived), "until": str(go_on)}
    )
    wait_for(arrived)
    before = hashes(folder)
    try:
        for other in ([], ["--overwrite"], ["--num-shards", "2", "--shard-index", "1"], ["--select"]):
            one_line(ask(second, folder, *four, *other), 1, f"{folder}: another run is at work in it")
        one_line(second("render", str(folder), "--workers", "1"), 1, f"{folder}: another run is at work in it")
        one_line(ask(second, folder, *four, "--seed", "1"), 2, "seed: found 0, asked 1")
        assert hashes(folder) == before
    finally:
        go_on.touch()
        done = run.result()
    assert done.code == 0, done
    assert hashes(folder) == hashes(few)


def test_a_run_that_found_no_questions_does_not_replace_those_that_another_made_meanwhile(
    run: Runner, second: Runner, scenes: Scenes, four: list[str], few: Path, tmp_path: Path
) -> None:
    folder, go_on, arrived = scenes(tmp_path / "data", *FEW), tmp_path / "go on", tmp_path / "arrived"
    fault = {"folder": str(folder), "action": "wait", "step": "mkdir .partial"}
    fault |= {"once": str(arrived), "until": str(go_on)}
    run.start("questions", str(folder), *four, "--seed", "1", "--workers", "1", fault=fault)
    wait_for(arrived)
    try:
        assert ask(second, folder, *four).code == 0
    finally:
        go_on.touch()
        late = run.result()
    assert files(folder) == files(few)
    one_line(late, 2, f"{folder}: holds other questions (seed: found 0, asked 1)")


def wait_for(path: Path, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


@pytest.mark.parametrize("name", ["thesis.txt", "train-00000-of-00001.parquet"])
def test_a_foreign_file_is_refused_and_kept(
    run: Runner, scenes: Scenes, four: list[str], tmp_path: Path, name: str
) -> None:
    folder = scenes(tmp_path / "data", *FEW)
    (folder / "questions").mkdir()
    (folder / "questions" / name).write_text("years of work")
    before = hashes(folder)
    one_line(ask(run, folder, *four), 2, f"{folder / 'questions' / name}: found a file that is none of this dataset's")
    assert hashes(folder) == before


def test_overwriting_leaves_the_users_files(run: Runner, few: Path, four: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    (folder / "questions/thesis.txt").write_text("years of work")
    assert ask(run, folder, *four, "--seed", "9", "--overwrite").code == 0
    assert (folder / "questions/thesis.txt").read_text() == "years of work"


def test_a_lost_question_file_or_card_is_made_again(run: Runner, few: Path, four: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder)
    for name in (TEST, "README.md"):
        (folder / name).unlink()
        assert ask(run, folder, *four).code == 0
        assert hashes(folder) == hashes(few)


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_other_scenes_in_the_folder_have_no_questions(
    run: Runner, scenes: Scenes, banks: list[str], four: list[str], few: Path, tmp_path: Path, state: str
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(few, folder) if state == "finished" else unfinished(run, scenes, folder, four)
    other = ["scenes", *FEW, *banks, "--no-audio", "--workers", "1", "--seed", "5", "--out", str(folder)]
    one_line(run(*other), 2, "seed: found 0, asked 5")
    assert run(*other, "--overwrite").code == 0
    names = {Path(name).parts[0] for name in hashes(folder)}
    assert names == {"README.md", "clear.json", "bank", "scenes"}
    assert "questions" not in json.loads((folder / "clear.json").read_text())
    assert ask(run, folder, *four).code == 0
    assert section(folder)["identity"]["scenes_sha256"] != section(few)["identity"]["scenes_sha256"]


# --- which datasets ---------------------------------------------------------------------------------------------------


def test_unfinished_and_absent_datasets(
    run: Runner, scenes: Scenes, banks: list[str], four: list[str], tmp_path: Path
) -> None:
    one_line(ask(run, tmp_path / "nothing", *four), 2, f"{tmp_path / 'nothing'}: found no finished dataset")
    folder = tmp_path / "half"
    part = ["--num-shards", "2", "--shard-index", "0", "--workers", "1"]
    assert run("scenes", *FEW, *banks, "--no-audio", *part, "--out", str(folder)).code == 0
    before = hashes(folder)
    one_line(ask(run, folder, *four), 2, "found no finished dataset", "clear-gen finish")
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
