"""The scoring commands as a user types them, on a small real dataset: output, files, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines.cli import run
from baselines.core import results as stored_results
from baselines.core.intervals import mcnemar
from baselines.core.predictions import Prediction
from baselines.tasks.aqa.questions import Questions, read_split
from baselines.tasks.aqa.results import AqaResults
from baselines.tasks.registry import TASKS
from baselines.tasks.scoring import evaluate_file
from clear_gen.cli import run as generate
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.core.errors import CheckFailed
from clear_gen.core.extras import how_to_install
from clear_gen.core.files import sha256_file
from clear_gen.questions.language.vocabulary import answers_of_type
from tests.datasets.runs import write_banks

ONE = ["--workers", "1"]


def read_results(path: Path) -> AqaResults:
    return stored_results.read_results(path, AqaResults)


def write_predictions(path: Path, question_ids: list[str], answers: Sequence[str | None]) -> None:
    lines = [{"question_id": one, "answer": answer} for one, answer in zip(question_ids, answers, strict=True)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 scenes, most of them in the test split, with their questions."""
    folder = tmp_path_factory.mktemp("asked")
    shared = ["--n", "40", "--splits", "0.1,0.1,0.8", "--sample-rate", "8000", "--no-audio", *ONE, *write_banks(folder)]
    assert generate(["scenes", *shared, "--out", str(folder / "data")]) == DONE
    assert generate(["questions", str(folder / "data"), *ONE]) == DONE
    return folder / "data"


@pytest.fixture(scope="module")
def questions(data: Path) -> Questions:
    return read_split(data, "test")


@pytest.fixture(scope="module")
def said(questions: Questions) -> dict[str, list[str]]:
    """Predictions: perfect; at random; about two thirds right, in free text."""
    rng = np.random.default_rng(0)
    guessed = [str(rng.choice(answers_of_type(name, questions.domain))) for name in questions.question_type]
    truth = questions.answer.tolist()
    mixed = [f"It is {one}." if rng.random() < 0.6 else other for one, other in zip(truth, guessed, strict=True)]
    mixed[:3] = ["no idea", "maybe", "?"]
    return {"perfect": truth, "random": guessed, "mixed": mixed}


@pytest.fixture
def folder(tmp_path: Path, questions: Questions, said: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The predictions as files in the working directory."""
    for name, answers in said.items():
        write_predictions(tmp_path / f"{name}.jsonl", questions.question_id.tolist(), answers)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def plotless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take most of a test's time."""
    monkeypatch.setattr("baselines.tasks.aqa.figures.write_figures", lambda *_: [])


@pytest.fixture
def complaint(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail with this code: its one line on stderr."""

    def call(code: int, *arguments: object) -> str:
        capfd.readouterr()
        assert run([str(argument) for argument in arguments]) == code
        usage = ("Usage: ", "Try '")
        [line] = [line for line in capfd.readouterr().err.splitlines() if line and not line.startswith(usage)]
        assert line.startswith(("clear-bench: ", "Error: "))
        assert line.isprintable()
        assert len(line) < 1000
        return line

    return call


# --- evaluate ---------------------------------------------------------------------------------------------------------


def test_perfect_predictions(
    folder: Path, data: Path, questions: Questions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "--predictions", "perfect.jsonl", "--data", str(data)]) == DONE
    shown = capsys.readouterr().out
    row = next(line.split() for line in shown.splitlines() if line.startswith("all "))
    assert row == ["all", str(len(questions)), "100.0", "97.1-100.0", "0", "0"]
    assert "results: perfect-results/results-test.json" in shown
    out = folder / "perfect-results"
    assert {path.name for path in out.iterdir()} == {
        "results-test.json", "types-test.png", "relations-test.png", "confusion-test.png",
        "types-and-relations-test.png"
    }  # fmt: skip
    file = read_results(out / "results-test.json")
    assert all(score.accuracy == 1 for score in [file.scores.overall, *file.scores.by_type.values()])
    assert file.hashes.questions == questions.sha256
    assert file.hashes.predictions == sha256_file(folder / "perfect.jsonl")
    assert file.config.model == "perfect"
    assert (out / file.config.predictions).resolve() == folder / "perfect.jsonl"
    assert (out / file.config.data).resolve() == data.resolve()


def test_without_matplotlib_there_are_results_and_a_line_instead_of_plots(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run(["evaluate", "--predictions", "perfect.jsonl", "--data", str(data)]) == DONE
    shown = capsys.readouterr()
    assert "results: perfect-results/results-test.json" in shown.out
    assert f"no plots: matplotlib: not installed; {how_to_install('figures')}" in shown.err.splitlines()
    assert [path.name for path in (folder / "perfect-results").iterdir()] == ["results-test.json"]


def test_results_that_cannot_be_written_are_found_before_scoring(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, complaint: Callable[..., str]
) -> None:
    monkeypatch.setattr("baselines.tasks.scoring.read_predictions", pytest.fail)
    (folder / "perfect-results").write_text("")
    line = complaint(WRONG_INPUT, "evaluate", "--predictions", "perfect.jsonl", "--data", data)
    assert line == "clear-bench: perfect-results: found a file, expected a folder"
    (folder / "results/results-test.json").mkdir(parents=True)
    line = complaint(WRONG_INPUT, "evaluate", "--predictions", "perfect.jsonl", "--data", data, "--out", "results")
    assert line == "clear-bench: results/results-test.json: found a folder, expected a file"


@pytest.mark.usefixtures("plotless")
def test_random_and_free_text(folder: Path, data: Path, questions: Questions, said: dict[str, list[str]]) -> None:
    for name, least, most in (("random", 0.1, 0.45), ("mixed", 0.5, 0.85)):
        command = ["evaluate", "--predictions", f"{name}.jsonl", "--data", str(data), "--model", f"my {name}"]
        assert run([*command, "--out", "out"]) == DONE
        file = read_results(folder / "out/results-test.json")
        assert file.config.model == f"my {name}"
        plain = [one.removeprefix("It is ").removesuffix(".") for one in said[name]]
        assert file.scores.overall.right == sum(np.array(plain, object) == questions.answer)
        assert least < file.scores.overall.accuracy < most
        assert file.scores.overall.unparseable == sum(file.unparseable.values()) == (3 if name == "mixed" else 0)


@pytest.mark.usefixtures("plotless")
def test_answers_of_another_type_are_told_from_unparseable_ones(
    folder: Path, data: Path, questions: Questions, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a model of a closed vocabulary might: always the same answer; and one that refuses, in a file."""
    n_note = sum(questions.question_type == "note")
    write_predictions(folder / "closed.jsonl", questions.question_id.tolist(), ["A#"] * len(questions))
    assert run(["evaluate", "--predictions", "closed.jsonl", "--data", str(data)]) == DONE
    overall = read_results(folder / "closed-results/results-test.json").scores.overall
    assert (overall.unparseable, overall.wrong_type) == (0, len(questions) - n_note)
    lines = [{"question_id": one, "answer": None, "cause": "refusal"} for one in questions.question_id]
    (folder / "refused.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    assert run(["evaluate", "--predictions", "refused.jsonl", "--data", str(data)]) == DONE
    assert f"unparseable: {len(questions):,} refusal\n" in capsys.readouterr().out
    assert run(["report", "closed-results", "refused-results"]) == DONE
    page = (folder / "report.html").read_text()
    assert f"Unparseable: {len(questions):,} refusal." in page
    assert "wrong type" in page


def test_the_file_of_a_dead_endpoint_is_not_scored(
    folder: Path, data: Path, questions: Questions, complaint: Callable[..., str]
) -> None:
    lines = [{"question_id": one, "answer": None, "error": "Connection refused"} for one in questions.question_id]
    (folder / "dead.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = complaint(FAILED, "evaluate", "--predictions", "dead.jsonl", "--data", data)
    assert f"dead: none of {len(questions)} questions was answered: Connection refused" in said
    assert not (folder / "dead-results").exists()


def test_an_endpoint_where_nobody_is_ends_with_one_line_and_no_results(
    folder: Path, data: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    command = ["evaluate", "--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--data", str(data), "--retries", "0"]
    assert run([*command, "--limit", "3", "--out", "dead"]) == FAILED
    [said] = [line for line in capfd.readouterr().err.splitlines() if line and not line.startswith("questions ")]
    expected = "http://127.0.0.1:9/v1/chat/completions: none of 3 questions was answered, the first with: "
    assert said.startswith(f"clear-bench: {expected}")
    assert not (folder / "dead/results-test.json").exists()


@pytest.mark.usefixtures("plotless")
def test_another_split(folder: Path, data: Path) -> None:
    of = read_split(data, "train")
    write_predictions(folder / "train.jsonl", of.question_id.tolist(), [None] * len(of))
    assert run(["evaluate", "--predictions", "train.jsonl", "--data", str(data), "--split", "train"]) == DONE
    overall = read_results(folder / "train-results/results-train.json").scores.overall
    assert (overall.right, overall.unparseable) == (0, len(of))


def test_broken_predictions(folder: Path, data: Path, questions: Questions, complaint: Callable[..., str]) -> None:
    lines = (folder / "perfect.jsonl").read_text().splitlines()
    command = ["evaluate", "--predictions", folder / "broken.jsonl", "--data", data]
    (folder / "broken.jsonl").write_text("\n".join(lines[1:]))
    assert f"1 missing ({questions.question_id[0]})" in complaint(FAILED, *command)
    (folder / "broken.jsonl").write_text("\n".join([*lines, lines[0]]))
    assert f"1 duplicate ({questions.question_id[0]})" in complaint(FAILED, *command)
    (folder / "broken.jsonl").write_text("\n".join([*lines, lines[0].replace("test-", "best-")]))
    assert "1 unknown (best-" in complaint(FAILED, *command)
    (folder / "broken.jsonl").write_text("\n".join(lines)[:-5])
    assert f"broken.jsonl:{len(lines)}: not valid JSON" in complaint(WRONG_INPUT, *command)
    assert not (folder / "broken-results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: not found, expected the folder of a run"),
        ([], "expected one of: RUN, --predictions, --endpoint"),
        (["DATA", "--predictions", "perfect.jsonl"], "expected one of: RUN"),
        (["--predictions", "perfect.jsonl"], "--data: found none"),
        (["--endpoint", "http://localhost", "--model", "m"], "--data: found none"),
        (["--endpoint", "http://localhost", "--data", "DATA"], "--model: found none"),
        (["DATA", "--model", "m"], "--model: found it with RUN"),
        (["--predictions", "perfect.jsonl", "--data", "DATA", "--device", "cpu"], "--device: found it without RUN"),
        (["--predictions", "perfect.jsonl", "--data", "DATA", "--limit", "3"], "--limit: found it without --endpoint"),
        (["--predictions", "perfect.jsonl", "--data", "DATA", "--max-tokens", "3"], "--max-tokens: found it without"),
        (["DATA", "--extra-body", "{}"], "--extra-body: found it without --endpoint"),
        (
            ["--endpoint", "http://h", "--model", "m", "--data", "DATA", "--extra-body", "[1]"],
            "expected a JSON object such",
        ),
        (
            ["--endpoint", "http://h", "--model", "m", "--data", "DATA", "--extra-body", "{"],
            "found '{', expected a JSON",
        ),
        (["DATA", "--timeout", "3"], "--timeout: found it without --endpoint"),
        (["DATA", "--max-failures", "3"], "--max-failures: found it without --endpoint"),
        (
            ["--predictions", "perfect.jsonl", "--data", "nowhere"],
            "nowhere: not found, expected the folder of a dataset",
        ),
        (["--predictions", "nothing.jsonl", "--data", "DATA"], "nothing.jsonl: not found"),
        (["--predictions", "perfect.jsonl", "--data", "DATA", "--split", "best"], "split: found 'best'"),
    ],
)
def test_wrong_usage(
    folder: Path, data: Path, complaint: Callable[..., str], arguments: list[str], message: str
) -> None:
    said = complaint(WRONG_INPUT, "evaluate", *(str(data) if one == "DATA" else one for one in arguments))
    assert message in said


# --- a run and an endpoint, played by others --------------------------------------------------------------------------


class Mixed:
    """A predictor that answers as "mixed" did."""

    name = "naaqa-2d"

    def __init__(self, answers: list[str]) -> None:
        self._answers = answers

    def predict(self, split: Questions) -> Iterator[Prediction]:
        for question_id, answer in zip(split.item_ids, self._answers, strict=True):
            yield Prediction(question_id, {"answer": answer})


@pytest.fixture
def trained(folder: Path, data: Path, said: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run, in whose place "mixed" answers."""

    def predictor(run: Path, device: str | None) -> Mixed:
        assert (run, device) == (Path("run"), "cpu")
        return Mixed(said["mixed"])

    monkeypatch.setattr(TASKS["aqa"], "predictor", predictor)
    (folder / "run").mkdir()
    (folder / "run/config.yaml").write_text(f"task: aqa\nmodel: naaqa-2d\ndata: {data}\n")
    return folder / "run"


def test_a_run(trained: Path, folder: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "run", "--device", "cpu"]) == DONE
    assert "paper %" in capsys.readouterr().out
    assert {path.name for path in trained.iterdir()} == {
        "config.yaml", "predictions-test.jsonl", "results-test.json",
        "types-test.png", "relations-test.png", "confusion-test.png",
        "types-and-relations-test.png",
    }  # fmt: skip
    of_run = read_results(trained / "results-test.json")
    assert (
        run(["evaluate", "--predictions", "run/predictions-test.jsonl", "--data", str(data), "--out", "again"]) == DONE
    )
    assert read_results(folder / "again/results-test.json").scores == of_run.scores
    other = shutil.copytree(data, folder / "orchestral")
    assert run(["evaluate", "run", "--device", "cpu", "--data", str(other)]) == DONE
    assert (trained / "results-orchestral-test.json").is_file()
    assert (trained / "predictions-orchestral-test.jsonl").is_file()
    assert run(["evaluate", "run", "--device", "cpu", "--data", os.path.relpath(data), "--out", "own"]) == DONE
    assert (folder / "own/results-test.json").is_file()
    assert run(["compare", "run", "mixed.jsonl"]) == DONE
    assert run(["report", "run"]) == DONE
    assert "run/results-orchestral-test.json" in (folder / "report.html").read_text()


@pytest.mark.usefixtures("plotless")
def test_an_endpoint(
    folder: Path, data: Path, questions: Questions, monkeypatch: pytest.MonkeyPatch, complaint: Callable[..., str]
) -> None:
    from baselines.predictors import endpoint

    asked: list[Any] = []

    def predict(self: endpoint.Endpoint, split: Questions) -> Iterator[Prediction]:
        asked.append((self.settings, self.cache))
        for question_id, answer in zip(split.item_ids, split.answer, strict=True):
            yield Prediction(question_id, {"answer": answer, "raw": f"{answer}!"})
        if self.settings.max_failures == 1:
            raise CheckFailed("too many")

    monkeypatch.setattr(endpoint.Endpoint, "predict", predict)
    command = ["evaluate", "--endpoint", "http://localhost/v1", "--model", "some/model", "--data", str(data)]
    options = ["--limit", "7", "--timeout", "2.5", "--sample-rate", "8000", "--api-key-variable", "KEY", "--cache", "c"]
    options += ["--max-tokens", "99", "--extra-body", '{"top_k": 1, "x": {"y": null}}']
    assert run([*command, *options]) == DONE
    expected = endpoint.EndpointSettings(
        "http://localhost/v1",
        "some/model",
        8000,
        timeout_s=2.5,
        api_key_variable="KEY",
        max_tokens=99,
        extra_body={"top_k": 1, "x": {"y": None}},
    )
    assert asked == [(expected, Path("c"))]
    file = read_results(folder / "some-model-results/results-test.json")
    assert (file.scores.overall.n, file.scores.overall.right, file.n_original) == (7, 7, len(questions))
    assert (file.config.model, file.config.limit) == ("some/model", 7)
    said = complaint(FAILED, *command, "--max-failures", "1", "--out", "failed")
    assert said == "clear-bench: too many; failed/predictions-test.jsonl has what there is"
    assert not (folder / "failed/results-test.json").exists()
    assert len((folder / "failed/predictions-test.jsonl").read_text().splitlines()) == len(questions)


# --- compare and report -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plotless")
def test_compare(
    folder: Path, data: Path, questions: Questions, said: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("perfect", "mixed"):
        assert run(["evaluate", "--predictions", f"{name}.jsonl", "--data", str(data)]) == DONE
    shutil.copytree("mixed-results", "again")
    command = ["compare", "mixed-results", "perfect-results/results-test.json", "random.jsonl", "again"]
    capsys.readouterr()
    assert run([*command, "--json", "compared.json"]) == DONE
    rows = capsys.readouterr().out.splitlines()[3:]
    names = ["mixed, ", "perfect ", "random ", "mixed, "]  # two of one name are told apart by where they lie
    assert all(row.startswith(name) for row, name in zip(rows, names, strict=True))
    found = json.loads((folder / "compared.json").read_text())
    right = {
        name: np.array([one.removeprefix("It is ").removesuffix(".") for one in answers], object) == questions.answer
        for name, answers in said.items()
    }
    assert found["accuracy"] == right["mixed"].mean()
    for one, name in zip(found["others"], ("perfect", "random", "mixed"), strict=True):
        first, this = right["mixed"], right[name]
        assert (one["only_first"], one["only_this"]) == (sum(first & ~this), sum(this & ~first))
        assert one["p_value"] == mcnemar(one["only_first"], one["only_this"])
        difference = one["difference"]
        assert difference["value"] == pytest.approx(this.mean() - first.mean())
        assert difference["low"] <= difference["value"] <= difference["high"]
    perfect, random, same = (one["difference"] for one in found["others"])
    assert perfect["low"] > 0 > random["high"]
    assert (same["low"], same["high"]) == (0, 0)


@pytest.mark.usefixtures("plotless")
def test_compare_complains(folder: Path, data: Path, complaint: Callable[..., str]) -> None:
    assert "at least two models to compare, found 1" in complaint(WRONG_INPUT, "compare", "mixed.jsonl")
    assert "--data: found none" in complaint(WRONG_INPUT, "compare", "mixed.jsonl", "random.jsonl")
    (folder / "empty").mkdir()
    assert "found no results-test.json" in complaint(WRONG_INPUT, "compare", "empty", "random.jsonl", "--data", data)
    assert run(["evaluate", "--predictions", "mixed.jsonl", "--data", str(data)]) == DONE
    results = folder / "mixed-results/results-test.json"
    stored = json.loads(results.read_text())
    stored["hashes"]["questions"] = "0" * 64
    results.write_text(json.dumps(stored))
    assert "scored on other questions" in complaint(WRONG_INPUT, "compare", "mixed-results", "random.jsonl")
    (folder / "mixed.jsonl").write_text((folder / "random.jsonl").read_text())
    said = complaint(WRONG_INPUT, "compare", "mixed-results", "random.jsonl")
    assert "found other predictions or none, expected those that were scored" in said


@pytest.mark.usefixtures("plotless")
def test_models_that_were_asked_a_part_are_compared_on_it(folder: Path, data: Path, questions: Questions) -> None:
    write_predictions(folder / "few.jsonl", questions.question_id[:9].tolist(), [None] * 9)
    evaluate_file(Path("few.jsonl"), questions.first(9), Path("few"))
    assert run(["compare", "perfect.jsonl", "few", "--json", "c.json"]) == DONE
    found = json.loads((folder / "c.json").read_text())
    assert (found["n"], found["accuracy"], found["others"][0]["accuracy"]) == (9, 1, 0)


@pytest.mark.usefixtures("plotless")
def test_report(folder: Path, data: Path, complaint: Callable[..., str]) -> None:
    assert "at least one RUN" in complaint(WRONG_INPUT, "report")
    assert "nowhere: not found" in complaint(WRONG_INPUT, "report", "nowhere")
    assert run(["evaluate", "--predictions", "mixed.jsonl", "--data", str(data), "--model", "<b>bold</b>"]) == DONE
    assert run(["report", "mixed-results", "--out", "page.html"]) == DONE
    text = (folder / "page.html").read_text()
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "<b>" not in text


def test_help_imports_nothing_slow() -> None:
    import subprocess

    code = (
        "import sys; from baselines.cli import run; run(['evaluate', '--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--endpoint" in done.stdout
    assert not {"numpy", "torch", "pyarrow", "matplotlib", "pydantic"} & {*done.stderr.split()}
