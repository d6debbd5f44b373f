"""Results as JSON, as rows, as plots, as a page."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines.core.optim import Objective
from baselines.core.results import read_results, results_json, write_results
from baselines.report.page import curves
from baselines.report.runs import ReportedRun, read_history, read_runs, training
from baselines.tasks.aqa.evaluate import lines
from baselines.tasks.aqa.figures import row_shares, write_figures
from baselines.tasks.aqa.metrics import Confusion, evaluate
from baselines.tasks.aqa.published import TABLE_3, TYPES, share_of_type
from baselines.tasks.aqa.results import AqaConfig, AqaHashes, AqaResults, markdown_head, markdown_row
from baselines.tasks.registry import TASKS
from baselines.tasks.reporting import page, write_report
from clear_gen.core.errors import InputError
from clear_gen.questions.generation.type_shares import published_shares
from clear_gen.questions.language.vocabulary import answers_of_type
from clear_gen.scenes.domain import packaged_domain
from tests.baselines.tasks.aqa.test_metrics import questions_of

HOSTILE = "\">'</script></title><img src=x onerror=alert(1)>&lt;$title|`$x^2$"
MODEL = "naaqa-parallel-optimized"
CLEAR2 = packaged_domain("clear2")
SHARES = published_shares(CLEAR2)
CURVES = "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"


def made(model: str = MODEL, n: int = 220, **changed: Any) -> AqaResults:
    """Results on all types; about two thirds right, some unparseable, some of the wrong type."""
    rng = np.random.default_rng(0)
    types = [CLEAR2.question_types[index % 11] for index in range(n)]
    truth = [str(rng.choice(answers_of_type(name, CLEAR2))) for name in types]
    wrong = [None if rng.random() < 0.2 else str(rng.choice(answers_of_type(name, CLEAR2))) for name in types]
    said = [one if rng.random() < 0.6 else other for one, other in zip(truth, wrong, strict=True)]
    said = ["violin" if index % 20 == 4 and n > 1 else one for index, one in enumerate(said)]
    scores = evaluate(questions_of(types, truth), said, np.random.default_rng(0))
    unparseable = {"refusal": 1, "not_recognised": scores.overall.unparseable - 1} if n > 1 else {}
    told = {"split": "test", "data": "../data", "predictions": "mine.jsonl", "bootstrap_seed": 0, **changed}
    config = AqaConfig(model=model, domain="clear2", bootstrap_resamples=2000, **told)
    return AqaResults(
        config=config,
        hashes=AqaHashes(questions="a", predictions="b"),
        n_original=2 * n,
        unparseable=unparseable,
        scores=scores,
    )


@pytest.fixture(scope="module")
def file() -> AqaResults:
    return made()


def save(file: AqaResults, out: Path, name: str) -> list[Path]:
    """Write results and plots, as ``clear-bench evaluate`` does."""
    write_results(file, out / f"results-{name}.json")
    return [out / f"results-{name}.json", *write_figures(file, out, name)]


def read_run(path: Path) -> ReportedRun:
    [run] = read_runs(path, TASKS)
    return run


def history(epochs: int) -> str:
    rows = [
        dict.fromkeys(CURVES, (epoch + 1) / 100) | {"epoch": epoch, "learning_rate": 3e-4} for epoch in range(epochs)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


# --- JSON and rows ----------------------------------------------------------------------------------------------------


def test_json_is_read_back(file: AqaResults, tmp_path: Path) -> None:
    text = results_json(file)
    (tmp_path / "results-test.json").write_text(text)
    assert read_results(tmp_path / "results-test.json", AqaResults) == file
    assert results_json(made()) == text


def test_json_in_the_manner_of_the_harness(file: AqaResults) -> None:
    stored = json.loads(results_json(file))
    overall = stored["results"]["aqa_clear2"]
    assert (overall["acc,none"], overall["acc_stderr,none"]) == (file.scores.overall.accuracy, file.scores.error)
    assert overall["unparseable,none"] == file.scores.overall.unparseable == sum(stored["unparseable"].values()) > 0
    assert overall["wrong_type,none"] == file.scores.overall.wrong_type > 0
    subtasks = stored["group_subtasks"]["aqa_clear2"]
    assert subtasks == [f"aqa_clear2_{name}" for name in CLEAR2.question_types]
    assert set(stored["results"]) == set(stored["versions"]) == set(stored["n-samples"]) == {"aqa_clear2", *subtasks}
    assert stored["n-samples"]["aqa_clear2"] == {"original": 440, "effective": 220}
    note = file.scores.by_type["note"]
    p = note.right / note.n
    assert stored["results"]["aqa_clear2_note"]["acc_stderr,none"] == pytest.approx((p * (1 - p) / note.n) ** 0.5)
    assert stored["scores"] == json.loads(json.dumps(asdict(file.scores)))
    assert stored["config"]["model"] == MODEL


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda stored: stored["scores"]["overall"].update(accuracy=1.5), "scores.overall.accuracy: found 1.5"),
        (lambda stored: stored["scores"]["overall"].update(accuracy=float("nan")), "scores.overall.accuracy: found"),
        (lambda stored: stored["scores"]["by_type"]["note"].update(n=0), "scores.by_type.note.n: found 0"),
        (lambda stored: stored["scores"]["by_type"]["note"].update(n="many"), "scores.by_type.note.n: found 'many'"),
        (lambda stored: stored["scores"]["confusion"]["note"]["counts"].pop(), "a count for every pair of answers"),
        (lambda stored: stored["unparseable"].update(refusal=7), "a cause in unparseable for every unparseable answer"),
        (lambda stored: stored["config"].pop("model"), "config.model: found"),
        (lambda stored: stored["config"].update(model=["x"]), "config.model: found ['x'], expected: text"),
        (lambda stored: stored.pop("config"), "config: found"),
        (lambda stored: stored.pop("n_original"), "n_original: found"),
        (lambda stored: stored.update(n_original=[]), "n_original: found"),
        (
            lambda stored: stored.pop("task"),
            "task: found none, as clear-bench 0.1 wrote results; run clear-bench evaluate",
        ),
        (lambda stored: stored.update(task="sed"), "task: found results of 'sed', expected aqa"),
        (lambda stored: stored.update(task=["aqa"]), "task: found results of ['aqa'], expected aqa"),
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, file: AqaResults, change: Any, problem: str) -> None:
    stored = json.loads(results_json(file))
    change(stored)
    path = tmp_path / "results-test.json"
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: [^\n]*{re.escape(problem)}[^\n]*$") as raised:
        read_results(path, AqaResults)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, "\ud800"])
def test_what_is_no_results_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results-test.json"
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: [^\n]*$"):
        read_results(path, AqaResults)


def test_markdown(file: AqaResults) -> None:
    head, rule, *_ = markdown_head(["note", "exist"]).splitlines()
    scores = file.scores
    assert scores.weighted is not None
    whole = [f"{100 * one.accuracy:.1f} ±{50 * (one.high - one.low):.1f}" for one in (scores.overall, scores.weighted)]
    share = {name: f"{100 * scores.by_type[name].accuracy:.1f}" for name in ("note", "exist")}
    assert head == "| model | all | all, weighted | note | exist |"
    assert rule == "|---|---:|---:|---:|---:|"
    assert markdown_row(file, ["note", "exist", "other"]) == (
        f"| {MODEL} | {whole[0]} | {whole[1]} | {share['note']} | {share['exist']} |  |"
    )
    hostile = made("a|b\\|<i>\x1b[2J\n")
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", markdown_row(hostile, ["note"]))
    assert len(cells) == 6
    assert markdown_row(hostile, ["note"]).isprintable()
    assert "<" not in markdown_row(hostile, ["note"])


def test_terminal_table(file: AqaResults) -> None:
    text = lines({"test": file})
    scores = file.scores
    rows = {re.split(r"  +", line)[0]: re.split(r"  +", line)[1:] for line in text if not line.startswith("|")}
    for name in [*CLEAR2.question_types, None]:
        score = scores.overall if name is None else scores.by_type[name]
        cells = [f"{score.n}", f"{100 * score.accuracy:.1f}", f"{100 * score.low:.1f}-{100 * score.high:.1f}"]
        paper = f"{TABLE_3[MODEL].by_type[name]}" if name else None
        shown = name.replace("_", " ") if name else "all"
        assert rows[shown] == [*cells, str(score.unparseable), str(score.wrong_type), *([paper] if paper else [])]
    weighted = scores.weighted
    assert weighted is not None
    cells = [f"{100 * weighted.accuracy:.1f}", f"{100 * weighted.low:.1f}-{100 * weighted.high:.1f}"]
    assert rows["all, weighted as CLEAR2"] == [*cells, "79.5"]
    assert f"unparseable: 1 refusal, {scores.overall.unparseable - 1} not recognised" in text
    assert {*scores.by_relations, *scores.by_length} <= {*rows}
    assert "paper" not in "\n".join(lines({"test": made("mine")}))
    assert all(line.isprintable() for line in lines({"test": made("\x1b[2J\n")}))


def test_table_3() -> None:
    for name, row in TABLE_3.items():
        assert set(row.by_type) <= set(TYPES) == set(CLEAR2.question_types), name
        if len(row.by_type) == len(TYPES):  # the printed overall is their mean under the published shares
            mean = sum(SHARES[kind] * accuracy for kind, accuracy in row.by_type.items())
            assert row.accuracy == pytest.approx(mean, abs=0.35)
    assert share_of_type(TABLE_3[MODEL], "count_instruments") == pytest.approx(0.504)
    assert share_of_type(TABLE_3[MODEL], None) == pytest.approx(0.795)
    assert share_of_type(TABLE_3["random"], "note") is None
    assert share_of_type(None, "note") is None


# --- plots ------------------------------------------------------------------------------------------------------------


def test_files_are_written_and_the_same_again(tmp_path: Path, file: AqaResults) -> None:
    paths = save(file, tmp_path / "a", "test")
    kinds = ("types", "relations", "confusion", "types-and-relations")
    names = ["results-test.json", *(f"{kind}-test.png" for kind in kinds)]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(names)
    for path, again in zip(paths, save(made(), tmp_path / "b", "test"), strict=True):
        assert path.read_bytes() == again.read_bytes()
        assert path.suffix == ".json" or path.read_bytes().startswith(b"\x89PNG")


def test_plots_of_a_hostile_name_and_of_one_question(tmp_path: Path) -> None:
    assert len(save(made(HOSTILE + "$\\frac$", n=1), tmp_path, "test")) == 5


def test_row_shares() -> None:
    shares = row_shares(Confusion(["a", "b"], [[3, 0, 0, 1], [0, 0, 0, 0]]))
    assert shares.tolist() == [[0.75, 0, 0, 0.25], [0, 0, 0, 0]]


# --- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """``tags``: every start tag; ``texts``: the text of the page; ``values``: of all attributes, by name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.values: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def run_folder(folder: Path, file: AqaResults, epochs: int = 3, config: str = "task: aqa\nseed: 3\n") -> Path:
    folder.mkdir()
    (folder / "results-test.json").write_text(results_json(file))
    (folder / "metrics.jsonl").write_text(history(epochs))
    (folder / "config.yaml").write_text(config)
    return folder


def test_page_holds_everything_and_fetches_nothing(tmp_path: Path, file: AqaResults) -> None:
    run = run_folder(tmp_path / "run", file)
    write_report([run, run / "results-test.json"], tmp_path / "out" / "report.html")
    text = (tmp_path / "out" / "report.html").read_text()
    read = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {*read.tags}
    assert not [value for name, value in read.values if name in ("src", "href") or name.startswith("on")]
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert ("content", policy) in read.values
    assert not re.search(r"https?://|url\(|@import", text)
    assert read.tags.count("svg") >= 6 + 2
    assert sum(name == "role" and value == "img" for name, value in read.values) == sum(
        name == "aria-label" for name, value in read.values
    )
    for name, score in file.scores.by_type.items():
        paper = TABLE_3[MODEL].by_type[name]
        assert read.texts.count(f"{100 * score.accuracy:.1f} ({paper:.1f})") == 2  # once for each of the two
        assert f"{100 * score.low:.1f}-{100 * score.high:.1f}" in read.texts
    assert "79.5 ±0.05" in read.texts
    assert any(one.startswith("3 epochs; the lowest validation loss, 0.0100, in epoch 1") for one in read.texts)
    assert any("seed: 3" in one for one in read.texts)


def test_tables_have_heads_and_equal_rows(tmp_path: Path, file: AqaResults) -> None:
    text = page([read_run(run_folder(tmp_path / "run", file))])
    tables = re.findall(r"<table>(.*?)</table>", text, re.DOTALL)
    assert len(tables) == 4 + 11
    for table in tables:
        head, *rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        n = head.count('<th scope="col"')
        assert n > 1
        assert all(row.count('<th scope="row">') == 1 and row.count("<td") == n - 1 for row in rows)


def test_runs_of_one_model_are_told_apart(tmp_path: Path, file: AqaResults) -> None:
    runs = [read_run(run_folder(tmp_path / name, file)) for name in ("a", "b")]
    texts = Page(page(runs)).texts
    for run in runs:
        assert f"{file.config.model}, {run.path}" in texts  # in the summary
        assert f"{file.config.model}, {run.path}, test" in texts  # over its column
    assert file.config.model in Page(page(runs[:1])).texts


def test_matrix_shows_every_count(file: AqaResults) -> None:
    text = page([ReportedRun(Path("run"), "aqa", {"results-test.json": file})])
    cells = [int(cell) for cell in re.findall(r'<td class="count[^>]*>(\d+)</td>', text)]
    assert sum(cells) == 220
    right = [int(cell) for cell in re.findall(r'<td class="count correct"[^>]*>(\d+)</td>', text)]
    assert sum(right) == file.scores.overall.right


def test_page_escapes_every_text(tmp_path: Path) -> None:
    named = made(HOSTILE, split=HOSTILE, data=HOSTILE, predictions=HOSTILE)
    score = named.scores.overall
    groups = {"by_type": {HOSTILE: score}, "by_relations": {HOSTILE: score}, "by_length": {HOSTILE: score}}
    confusion = {HOSTILE: Confusion([HOSTILE], [[1, 2, 3]])}
    scores = replace(named.scores, **groups, by_answer={HOSTILE: {HOSTILE: score}}, confusion=confusion)
    run = run_folder(tmp_path / "run", named.model_copy(update={"scores": scores}))
    back = read_run(run)
    results = {HOSTILE: back.results[str(run / "results-test.json")]}
    text = page([ReportedRun(Path(HOSTILE), "aqa", results, back.history, {HOSTILE: HOSTILE})])
    read = Page(text)
    assert not {"script", "img"} & {*read.tags}
    assert not [name for name, _ in read.values if name.startswith("on")]
    assert sum(HOSTILE in one for one in read.texts) >= 20
    assert any(HOSTILE in value for name, value in read.values if name == "aria-label")
    assert f"Acoustic question answering: {HOSTILE}" in read.texts


def test_a_run_without_results_shows_its_training(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(InputError, match=r"found nothing to report, expected results-<split>\.json, or a run with"):
        read_run(folder)
    (folder / "metrics.jsonl").write_text(history(1))
    (folder / "config.yaml").write_text("task: aqa\n")
    text = page([read_run(folder)])
    assert Page(text).tags.count("polyline") == 4
    assert re.findall(r'class="tick"[^>]*>([\d.]+ %)<', text) == ["0 %", "25 %", "50 %", "75 %", "100 %"]


def test_the_best_epoch_is_told_in_the_unit_of_the_axis(tmp_path: Path) -> None:
    row = {"validation_accuracy": 0.625, "train_accuracy": 0.5}
    panels = {"accuracy": tuple(row)}
    for percent, value, top in ((True, "62.5 %", "100 %"), (False, "0.6250", "1")):
        text = training(
            ReportedRun(tmp_path, "aqa", {}, [row]), panels, Objective("validation_accuracy", "max"), percent
        )
        assert f"the highest validation accuracy, {value}, in epoch 1" in text
        assert f">{top}<" in text


def test_curves_stay_in_their_frame() -> None:
    for values, is_share in (([0.0, 0.0], False), ([5.0], False), ([1e308, 1.0], False), ([0.0, 1.0], True)):
        text = curves({"validation": values, "train": values[::-1]}, "loss", is_share)
        points = [
            tuple(map(float, pair.split(","))) for of in re.findall('points="(.*?)"', text) for pair in of.split()
        ]
        assert len(points) == 2 * len(values)
        assert all(52 <= x <= 480 and 0 <= y <= 206 for x, y in points)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "not valid JSON"),
        ("[]", "not valid JSON"),
        ('{"train_loss": 1}', "validation_loss: found no such field"),
        ('{"train_loss": NaN}', "train_loss: found nan"),
        ('{"train_loss": -1}', "train_loss: found -1"),
        ('{"train_loss": 1e999}', "train_loss: found inf"),
        ('{"train_loss": true}', "train_loss: found True"),
        ('{"train_loss": 1' + "0" * 400 + "}", "train_loss: found 1000"),
        ('{"train_loss": 1, "validation_loss": 1, "train_accuracy": 1.1}', "train_accuracy: found 1.1"),
    ],
)
def test_a_damaged_history_is_refused(tmp_path: Path, row: str, problem: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(history(2) + row + "\n")
    with pytest.raises(InputError, match=rf"^{re.escape(f'{path}:3: {problem}')}[^\n]*$"):
        read_history(path, CURVES)
