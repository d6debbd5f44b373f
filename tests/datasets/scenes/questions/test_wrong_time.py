"""Other questions, other runs and other files in the folder: nothing is overwritten unasked."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.datasets.runs import Runner, hashes
from tests.datasets.scenes.questions.commands import (
    FEW,
    FOUR,
    TEST,
    TRAIN,
    TRAIN_CANDIDATES,
    Scenes,
    ask,
    asked,
    files,
    one_line,
    section,
    steps_of,
    unfinished,
)

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
