"""Lists and their filters, against a brute force over the records as ``load`` reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import clear_gen
from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.load import load_scenes
from clear_gen.datasets.scenes.scene import Question
from clear_gen.explore.query import PAGE_ROWS
from clear_gen.explore.server import Server
from tests.explore.conftest import HOSTILE, Get, getter, listed

SPLITS = ("train", "validation", "test")
QUERIES: list[dict[str, Any]] = [
    {},
    {"split": "test"},
    {"type": "note"},
    {"type": "count", "answer": "2"},
    {"answer": "yes"},
    {"answer": "no such answer"},
    {"text": "Immediately AFTER"},
    {"text": "train-00001"},
    {"text": "-000003-1"},
    {"text": "the (", "type": "exist"},
    {"from_s": 4, "to_s": 5.5},
    {"from_s": 4, "split": "validation", "type": "exist", "text": "before"},
    {"to_s": 0},
]


@pytest.fixture(scope="module")
def records(heard: Path) -> list[Question]:
    return [record for split in SPLITS for record in clear_gen.open_dataset(heard).questions(split)]


def keeps(record: Question, query: dict[str, Any]) -> bool:
    """Whether a question, with its scene, is to be kept."""
    graph, text = record.scene.graph, query.get("text", "").lower()
    return (
        query.get("split") in (None, graph.split)
        and query.get("type") in (None, record.question_type)
        and query.get("answer") in (None, record.answer)
        and query.get("from_s", 0) <= graph.n_samples / graph.sample_rate <= query.get("to_s", 1e9)
        and (text in record.text.lower() or text in record.question_id)
    )


@pytest.mark.parametrize("query", QUERIES)
def test_questions(get: Get, records: list[Question], query: dict[str, Any]) -> None:
    rows = listed(get, f"/lists/questions?{urlencode(query)}")
    expected = [record for record in records if keeps(record, query)]
    assert [row["id"] for row in rows] == [record.question_id for record in expected]
    for row, record in zip(rows, expected, strict=True):
        assert (row["title"], row["answer"], row["type"]) == (record.text, record.answer, record.question_type)
        assert row["record"] == f"scenes/{record.scene.graph.scene_id}"


@pytest.mark.parametrize("query", QUERIES)
def test_scenes_are_those_with_a_question_that_is_kept(
    get: Get, records: list[Question], query: dict[str, Any]
) -> None:
    rows = listed(get, f"/lists/scenes?{urlencode(query)}")
    expected = dict.fromkeys(record.scene.graph.scene_id for record in records if keeps(record, query))
    assert [row["title"] for row in rows] == list(expected)


def test_pages(get: Get) -> None:
    first = get("/lists/questions").json
    assert len(first["rows"]) == PAGE_ROWS
    assert first["pages"] == -(-first["total"] // PAGE_ROWS)
    beyond = get("/lists/questions?page=99999").json
    assert (beyond["rows"], beyond["total"]) == ([], first["total"])
    ids = [row["id"] for row in listed(get, "/lists/questions")]
    assert len(set(ids)) == len(ids)


def test_what_there_is(get: Get, records: list[Question], heard: Path) -> None:
    about = get("/dataset.json").json
    assert about["lists"] == ["scenes", "questions"]
    assert about["filters"]["split"] == list(SPLITS)
    pairs = {(record.question_type, record.answer) for record in records}
    assert {(name, answer) for name, answers in about["answers"].items() for answer in answers} == pairs
    assert about["answers"]["exist"] == ["yes", "no"]
    assert "verdict" not in about["filters"]
    assert about["name"] == heard.name


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/lists/questions?from_s=x", "from_s: found 'x', expected a number from 0"),
        ("/lists/questions?from_s=nan", "from_s: found 'nan'"),
        ("/lists/questions?page=-1", "page: found '-1'"),
        ("/lists/questions?page=1e99", "page"),
        (
            "/lists/questions?typ=note",
            "typ: found an unknown filter (did you mean type?), expected one of: answer, from_s",
        ),
        ("/lists/questions?type=note&type=exist", "type: found it 2 times, expected once"),
        ("/lists/questions?verdict=right", "verdict: found an unknown filter"),
    ],
)
def test_queries_that_make_no_sense(get: Get, address: str, said: str) -> None:
    answer = get(address)
    assert answer.status == 400
    assert said in answer.json["error"]


def test_no_questions(graphs: Path, serve: Callable[..., Server]) -> None:
    get = getter(serve(graphs))
    assert get("/dataset.json").json["lists"] == ["scenes"]
    scenes = [scene.graph.scene_id for split in SPLITS for scene in load_scenes(graphs, split)]
    assert [row["title"] for row in listed(get, "/lists/scenes")] == scenes
    assert [row["title"] for row in listed(get, "/lists/scenes?text=TEST-")] == [
        name for name in scenes if name.startswith("test")
    ]
    assert get("/lists/questions").status == 404


# --- predictions ------------------------------------------------------------------------------------------------------


def write(path: Path, answers: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({"question_id": name, "answer": said}) + "\n" for name, said in answers.items()))
    return path


def test_predictions_beside_the_truth(
    heard: Path, records: list[Question], serve: Callable[..., Server], tmp_path: Path
) -> None:
    test = [record for record in records if record.scene.graph.split == "test"]
    said: dict[str, str | None] = {}
    expected: dict[str, str] = {}
    for number, record in enumerate(test):
        other = next(one.answer for one in test if one.question_type == record.question_type and one != record)
        text = (f" {record.answer.upper()} ", other, "a violin, perhaps", None)[number % 4]
        wrong = "right" if text == record.answer else "wrong"
        said[record.question_id] = text
        expected[record.question_id] = ("right", wrong, "unread", "unread")[number % 4]
    write(tmp_path / "predictions-test.jsonl", said)
    get = getter(serve(heard, tmp_path))  # the folder of a run
    assert get("/dataset.json").json["filters"]["verdict"] == ["none", "right", "wrong", "unread"]
    for verdict in ("right", "wrong", "unread"):
        rows = listed(get, f"/lists/questions?verdict={verdict}")
        assert [row["id"] for row in rows] == [name for name, found in expected.items() if found == verdict]
        assert [row["predicted"] for row in rows] == [said[row["id"]] for row in rows]
    assert len(listed(get, "/lists/questions?verdict=none")) == len(records) - len(test)
    wrong_scenes = {row["record"] for row in listed(get, "/lists/questions?verdict=wrong")}
    assert {row["record"] for row in listed(get, "/lists/scenes?verdict=wrong")} == wrong_scenes


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"question_id": "test-000000-0", "answer": "A"}\n' * 2, "a second prediction"),
        ('{"question_id": "test-999999-0", "answer": "A"}\n', "'test-999999-0': found no such question"),
        ('{"question_id": "test-000000-0"}\n', "1: answer: found no such field"),
        ("[]\n", "1: found a list"),
    ],
)
def test_wrong_predictions(heard: Path, serve: Callable[..., Server], tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "mine.jsonl").write_text(lines)
    with pytest.raises(InputError, match=said):
        serve(heard, tmp_path / "mine.jsonl")


def test_predictions_of_what_is_not_asked(
    heard: Path, graphs: Path, mixed: Path, serve: Callable[..., Server], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"found no predictions, expected one of: predictions-train\.jsonl"):
        serve(heard, tmp_path)
    path = write(tmp_path / "mine.jsonl", {"test-000000-0": "A"})
    with pytest.raises(InputError, match="found no questions"):
        serve(graphs, path)
    with pytest.raises(InputError, match="holds mixtures"):
        serve(mixed, path)


# --- mixtures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"config": "mixtures-snr10"},
        {"fold": "fold2"},
        {"label": "dog"},
        {"label": HOSTILE, "fold": "fold3"},
        {"text": "DOG horn"},
        {"text": "fold1-00001", "config": "mixtures-snr0"},
        {"label": "cat"},
    ],
)
def test_mixtures(mixed: Path, serve: Callable[..., Server], query: dict[str, str]) -> None:
    expected = []
    for config in ("mixtures-snr0", "mixtures-snr10"):
        for graph, _, _ in clear_gen.open_dataset(mixed).mixtures(config):
            labels = sorted({event.label for event in graph.events})
            kept = query.get("config") in (None, config) and query.get("fold") in (None, f"fold{graph.fold}")
            kept &= "label" not in query or query["label"] in labels
            if kept and query.get("text", "").lower() in f"{graph.mixture_id} {' '.join(labels)}".lower():
                expected.append((f"{config}/{graph.mixture_id}", labels))
    rows = listed(getter(serve(mixed)), f"/lists/mixtures?{urlencode(query)}")
    assert [(row["record"], row["label"]) for row in rows] == expected
