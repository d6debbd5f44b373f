"""What the tests of asking share: templates of our own, commands, and what lies on the disk.

Every command is a process of its own, forked from one that has imported all it needs. Tests of faults ask by four
templates of our own, which are read in no time.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clear_gen.questions.language.program import Node, Program
from tests.datasets.runs import SCENES, Done, Runner, hashes

FEW = ["--n", "40", "--splits", "0.5,0,0.5"]  # two scene files
MANY = ["--n", "2600", "--splits", "0.95,0.02,0.03"]  # five, three of them of the training split
TRAIN, TEST = "questions/train-00000-of-00001.parquet", "questions/test-00000-of-00001.parquet"
TRAIN_CANDIDATES, TEST_CANDIDATES = (f".partial/questions-{split}-00000.arrow" for split in ("train", "test"))
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
Scenes = Callable[..., Path]


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


def program_of(row: dict[str, Any]) -> Program:
    return tuple(Node(one["function"], tuple(one["inputs"]), tuple(one["values"])) for one in row["program"])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("years of work\n" * 100)
