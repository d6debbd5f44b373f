"""Auditing whole datasets: what is read from the folder, what is written as JSON, as a table, as a page."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from clear_gen.cli import run
from clear_gen.cli.audit import audit as command
from clear_gen.cli.common import DONE
from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.audit import run as auditing
from clear_gen.datasets.scenes.audit.console import lines
from clear_gen.datasets.scenes.audit.page import page, write_page
from clear_gen.datasets.scenes.audit.run import Audit, audit
from clear_gen.datasets.scenes.layout import questions_name
from clear_gen.datasets.scenes.questions.console import program_of
from clear_gen.questions.audit.text_only_baselines import ALL, BANK_LOOKUP, CONSTANT_TYPE, NGRAMS, look_up
from clear_gen.questions.audit.thresholds import RELATION_BLIND
from clear_gen.store.manifest import read_provenance
from tests.datasets.runs import make_scenes

HOSTILE = "\">'</script></title><img src=x onerror=alert(1)>&lt;$title"
SPLITS = {"train": 60, "validation": 20, "test": 20}


def make(folder: Path, *options: str, rules: str = "strict", asked: bool = True, audio: bool = False) -> Path:
    """A dataset with some scenes and their questions."""
    data = make_scenes(folder, "--n", "60", "--splits", "0.6,0.2,0.2", *options, audio=audio)
    if asked:
        assert run(["questions", str(data), "--workers", "1", "--rules", rules]) == DONE
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def found(folder: Path) -> Audit:
    return audit(folder)


def questions(folder: Path, split: str) -> list[dict[str, Any]]:
    return pq.read_table(folder / questions_name(split)).to_pylist()


# --- what is found ----------------------------------------------------------------------------------------------------


def test_every_question_is_counted(folder: Path, found: Audit) -> None:
    rows = {split: questions(folder, split) for split in SPLITS}
    rows[ALL] = [row for of in rows.values() for row in of]
    assert list(found.figures) == list(rows)
    for split, figures in found.figures.items():
        assert figures.n == len(rows[split])
        for name, of in figures.types.items():
            answers = Counter(row["answer"] for row in rows[split] if row["question_type"] == name)
            assert {answer: n for answer, n in of.answers.items() if n} == answers
        assert figures.uses == Counter(row["template_id"] for row in rows[split])
        assert (figures.nodes.least, figures.nodes.most) == (
            min(len(row["program"]) for row in rows[split]),
            max(len(row["program"]) for row in rows[split]),
        )
        assert figures.clauses.confirmed == figures.n


def test_strict_rules_leave_no_relation_that_does_not_matter(found: Audit) -> None:
    of = found.figures[ALL].clauses
    assert of.removable_of > 100
    assert of.reversible_of > 30
    assert (of.removable, of.reversible) == (0, 0)


def test_relation_blind_is_scored_on_questions_with_relations(folder: Path, found: Audit) -> None:
    for split, scores in found.baselines[RELATION_BLIND].items():
        related = Counter(row["question_type"] for row in questions(folder, split) if row["n_relations"])
        assert {name: score.n for name, score in scores.items()} == {**related, ALL: related.total()}
        assert all(score.correct == 0 for name, score in scores.items() if name in ("note", "count", "loudness"))


def test_baselines_learn_from_train_and_are_scored_on_the_rest(folder: Path, found: Audit) -> None:
    train = questions(folder, "train")
    for split in ("validation", "test"):
        rows = [row for row in questions(folder, split) if row["question_type"] == "exist"]
        answers = Counter(row["answer"] for row in train if row["question_type"] == "exist")
        constant = min(answers, key=lambda answer: (-answers[answer], answer))
        score = found.baselines[CONSTANT_TYPE][split]["exist"]
        assert (score.n, score.correct) == (len(rows), sum(row["answer"] == constant for row in rows))
    assert set(found.baselines[NGRAMS]) == {"validation", "test"}
    assert found.judged == "test"
    assert set(found.readers) == {row["question_type"] for row in train}


def test_the_look_up_knows_the_bank_of_the_split(folder: Path, found: Audit) -> None:
    attributes = auditing.finished_settings(folder).domain.attributes
    for split, side in (("validation", "train"), ("test", "test")):
        bank = pq.read_table(folder / f"bank/{side}.parquet").to_pydict()
        rows = [row for row in questions(folder, split) if row["question_type"] in attributes]
        known = [look_up(program_of(row["program"]), bank) for row in rows]
        right = sum(answer == row["answer"] for answer, row in zip(known, rows, strict=True))
        silent = sum(answer is None for answer in known)
        scored = [found.baselines[BANK_LOOKUP][split][name].correct for name in {row["question_type"] for row in rows}]
        assert right <= sum(scored) <= right + silent


def test_workers_change_nothing(folder: Path, found: Audit) -> None:
    assert audit(folder, workers=2).as_json() == found.as_json()


def test_the_paper_rules_are_told_apart(tmp_path: Path) -> None:
    found = audit(make(tmp_path, rules="paper"))
    assert found.figures[ALL].clauses.removable > 0
    verdicts = {one.name: one.verdict for one in found.thresholds}
    assert verdicts["questions that removing one relation leaves the same"] == "outside"
    assert found.questions["rules"] == "paper"


def test_a_level_drawn_by_a_coin_is_not_looked_up(tmp_path: Path) -> None:
    found = audit(make(tmp_path, "--levels", "independent"))
    for split in ("validation", "test"):
        assert found.baselines[BANK_LOOKUP][split]["loudness"] == found.baselines[CONSTANT_TYPE][split]["loudness"]
    assert "bank look-up on loudness, above chance (test)" in {one.name for one in found.thresholds}


def test_a_level_that_was_recorded_is_looked_up(folder: Path, found: Audit) -> None:
    settings = auditing.finished_settings(folder)
    assert auditing.independent_attribute(settings) is None
    assert not any("look-up" in one.name for one in found.thresholds)
    banks = auditing._banks(folder, settings, auditing.scene_files(settings.sizes))
    bank = pq.read_table(folder / "bank/test.parquet").to_pydict()
    assert banks["test"] == {name: bank[name] for name in settings.domain.attributes}


# --- damaged or missing -----------------------------------------------------------------------------------------------


@pytest.fixture
def altered(folder: Path) -> Iterator[Any]:
    """Lets a test alter the test split's rows, and puts them back."""
    path = folder / questions_name("test")
    table = pq.read_table(path)

    def alter(rows: list[dict[str, Any]]) -> None:
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)

    yield alter
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("function", "inputs", "values", "problem"),
    [
        ("no such thing", [0], [], "function: found 'no such thing'"),
        ("count", [99], [], "expected numbers of earlier nodes"),
        ("count", [-1], [], "expected numbers of earlier nodes"),
        ("count", [], [], "inputs of count: found nothing, expected set"),
        ("count", [None], [], "found nothing"),
        ("count", None, [], "found nothing"),
        ("filter_note", [0], ["H"], "values of filter_note: found 'H'"),
    ],
)
def test_a_program_that_does_not_run(
    folder: Path, altered: Any, function: str, inputs: Any, values: list[str], problem: str
) -> None:
    rows = questions(folder, "test")
    node = {"function": function, "inputs": inputs, "values": values}
    rows[3]["program"] = [{"function": "scene", "inputs": [], "values": []}, node]
    altered(rows)
    with pytest.raises(InputError, match=rf"^[^\n]*: {rows[3]['question_id']}: program: [^\n]*{problem}[^\n]*$"):
        audit(folder)


@pytest.mark.parametrize("field", ["question", "answer", "question_type", "template_id", "program"])
def test_a_record_with_an_empty_field(folder: Path, altered: Any, field: str) -> None:
    rows = questions(folder, "test")
    rows[3][field] = None
    altered(rows)
    with pytest.raises(InputError, match=rf"^[^\n]*: {rows[3]['question_id']}: {field}: found nothing[^\n]*$"):
        audit(folder)


def test_a_wrong_answer_is_reported_not_refused(folder: Path, altered: Any) -> None:
    rows = questions(folder, "test")
    rows[3]["answer"] = "an orange"
    altered(rows)
    found = audit(folder)
    assert found.figures["test"].clauses.confirmed == found.figures["test"].n - 1
    assert found.thresholds[0].verdict == "outside"
    assert found.figures["test"].types[rows[3]["question_type"]].answers["an orange"] == 1


def test_a_split_without_questions_is_left_out(folder: Path, altered: Any) -> None:
    altered([])
    found = audit(folder)
    assert list(found.figures) == ["train", "validation", ALL]
    assert found.judged == "validation"
    assert page(found)


def test_without_a_file(folder: Path) -> None:
    path = folder / questions_name("validation")
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(InputError, match=rf"^{path}: not found"):
            audit(folder)
    finally:
        path.write_bytes(content)


def test_without_questions(tmp_path: Path) -> None:
    make(tmp_path, asked=False)
    with pytest.raises(InputError, match="run clear-gen questions"):
        audit(tmp_path / "data")


def test_of_imported_scenes_the_look_up_knows_the_sounds_that_occur(tmp_path: Path) -> None:
    data = make(tmp_path, "--n", "40", audio=True)
    assert run(["export", str(data), str(tmp_path / "published"), "--format", "clear"]) == DONE
    assert run(["import", "clear", str(tmp_path / "published"), "--out", str(tmp_path / "back")]) == DONE
    made, found = audit(data), audit(tmp_path / "back")
    assert found.questions["imported"]["layout"] == "clear"
    assert found.templates is None
    assert {split: of.n for split, of in found.figures.items()} == {split: of.n for split, of in made.figures.items()}
    assert found.figures[ALL].clauses == made.figures[ALL].clauses
    next((tmp_path / "published").rglob("*val_questions.json")).unlink()
    assert run(["import", "clear", str(tmp_path / "published"), "--out", str(tmp_path / "fewer")]) == DONE
    assert list(audit(tmp_path / "fewer").figures) == ["train", "test", ALL]
    settings = auditing.finished_settings(tmp_path / "back")
    bank = auditing._banks(tmp_path / "back", settings, auditing.scene_files(settings.sizes))["test"]
    scenes = pq.read_table(tmp_path / "back/scenes", filters=[("split", "==", "test")])["sounds"].to_pylist()
    sounds = {sound["sound_id"]: sound for row in scenes for sound in row}
    for name in settings.domain.attributes:
        assert bank[name] == [sound[name] for sound in sounds.values()]


# --- what is written --------------------------------------------------------------------------------------------------


def test_json(folder: Path, found: Audit) -> None:
    read = json.loads(found.as_json())
    assert read["questions"] == read_provenance(folder / "clear.json")["questions"]["identity"]
    assert read["environment"]["numpy"]
    assert read["generator"].startswith("clear-gen ")
    assert read["figures"] == json.loads(json.dumps({split: asdict(of) for split, of in found.figures.items()}))
    for name, splits in found.baselines.items():
        for split, scores in splits.items():
            for kind, score in scores.items():
                expected = {"n": score.n, "right": score.correct, "share": score.share, "error": score.error}
                assert read["baselines"][name][split][kind] == expected
    assert [one["verdict"] for one in read["goals"]] == [one.verdict for one in found.thresholds]
    assert json.loads(json.dumps(read, allow_nan=False)) == read


def test_command(folder: Path, tmp_path: Path, found: Audit) -> None:
    arguments = [str(folder), "--out", str(tmp_path / "a.html"), "--json", str(tmp_path / "a.json"), "--workers", "1"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == DONE
    assert (tmp_path / "a.json").read_text() == found.as_json()
    assert (tmp_path / "a.html").read_text() == page(found)
    assert result.stdout.splitlines()[: len(lines(found))] == lines(found)


def test_table(found: Audit) -> None:
    text = lines(found)
    assert text[0].startswith(f"data: {found.figures[ALL].n} questions (train {found.figures['train'].n},")
    assert all(line == line.rstrip() for line in text)
    floors, reads = (found.baselines[name]["test"] for name in (CONSTANT_TYPE, NGRAMS))
    at = text.index("correct answers of text-only baselines, test")
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in text[at + 2 : at + 2 + len(floors)])
    assert set(rows) == {name.replace("_", " ") for name in floors}
    for name, floor in floors.items():
        cells = rows[name.replace("_", " ")].split()
        assert cells[:2] == [str(floor.n), f"{100 * floor.share:.1f}"]
        assert cells[-1] == f"{100 * (reads[name].share - floor.share):+.1f}"


class Page(HTMLParser):
    """``tags``: every start tag; ``texts``: the text of the page; ``values``: of all attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.names: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.names += [name for name, _ in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def hostile(found: Audit) -> Audit:
    """The same with everything from outside as bad as can be."""
    of = found.figures[ALL]
    types = {name: replace(one, answers={HOSTILE: 1, **one.answers}) for name, one in of.types.items()}
    figures = replace(of, uses={HOSTILE: 1000, **of.uses}, types={HOSTILE: of.types["note"], **types})
    names = dict.fromkeys(found.figures, figures)
    scores = {
        name: {HOSTILE: {**splits["test"], HOSTILE: splits["test"]["note"]}} for name, splits in found.baselines.items()
    }
    thresholds = [replace(one, name=HOSTILE) for one in found.thresholds]
    told: dict[str, Any] = {HOSTILE: HOSTILE, "types": [HOSTILE], "templates": {HOSTILE: HOSTILE}}
    return replace(
        found, folder=HOSTILE, environment={HOSTILE: HOSTILE}, scenes=told, questions=told, figures=names,
        baselines=scores, thresholds=thresholds,
    )  # fmt: skip


def test_what_comes_from_outside_is_escaped(found: Audit) -> None:
    read = Page(page(hostile(found)))
    assert {"img", "script"}.isdisjoint(read.tags)
    assert not [name for name in read.names if name.startswith("on")]
    assert read.texts.count(HOSTILE) > 20
    assert f"Audit of {HOSTILE}" in read.texts


def test_the_page_is_complete_in_itself(found: Audit, tmp_path: Path) -> None:
    write_page(found, tmp_path / "new" / "audit.html")
    text = (tmp_path / "new" / "audit.html").read_text(encoding="utf-8")
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\"" in text
    read = Page(text)
    assert {"script", "img", "link", "iframe"}.isdisjoint(read.tags)
    assert {"src", "href"}.isdisjoint(read.names)
    assert "http:" not in text
    assert "https:" not in text
    assert "prefers-color-scheme: dark" in text
    assert "$" not in text
    assert read.tags.count("svg") >= 11 + 3 + 2  # a card per type, three charts, two plots
    assert read.tags.count("section") == 8


def test_the_page_shows_every_verdict(found: Audit) -> None:
    texts = Page(page(found)).texts
    verdicts = Counter(one.verdict for one in found.thresholds)
    assert (texts.count("ok"), texts.count("outside")) == (verdicts["ok"], verdicts["outside"])
    assert texts.count("few") == 4 * (1 + len(found.figures[ALL].types)) + verdicts[None]
