"""Whatever predicts is scored the same way: a symbolic program, a constant, a file, a function of Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines.core.predictions import Prediction
from baselines.core.results import read_results
from baselines.predictors.file import FilePredictor
from baselines.tasks.aqa.questions import Questions, read_split
from baselines.tasks.aqa.results import AqaResults
from baselines.tasks.scoring import evaluate, evaluate_file
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.questions.language.execute import execute


class Symbolic:
    """Executes the program of every question on the graph of its scene, as a neurosymbolic model would on a guess."""

    name = "symbolic"

    def predict(self, split: Questions) -> Iterator[Prediction]:
        scenes = split.scenes()
        for question_id, scene, program in zip(split.item_ids, split.scene, split.programs(), strict=True):
            answer = execute(program, scenes[int(scene)].graph, split.domain)
            assert isinstance(answer, str)
            yield Prediction(question_id, {"answer": answer})


class Careless:
    """Answers yes, but not to every question once."""

    name = "careless"

    def __init__(self, answer: object = "yes", skipped: int = 0, repeated: int = 0) -> None:
        self._answer, self._skipped, self._repeated = answer, skipped, repeated

    def predict(self, split: Questions) -> Iterator[Prediction]:
        ids = split.item_ids
        for question_id in [*ids[self._skipped :], *ids[len(ids) - self._repeated :]]:
            yield Prediction(question_id, {"answer": self._answer})


class GivesUp:
    """Answers three questions."""

    name = "gives-up"

    def predict(self, split: Questions) -> Iterator[Prediction]:
        for question_id in split.item_ids[:3]:
            yield Prediction(question_id, {"answer": "no"})
        raise CheckFailed("no more")


@pytest.fixture(scope="module")
def questions(dataset: Path) -> Questions:
    return read_split(dataset, "test")


def test_a_symbolic_program_is_right(questions: Questions, tmp_path: Path) -> None:
    done = evaluate(Symbolic(), questions, tmp_path)
    assert done.path == tmp_path / "results-test.json"
    file = read_results(done.path, AqaResults)
    assert file == done.file
    assert (file.config.model, file.scores.overall.right) == ("symbolic", len(questions))
    rows = [json.loads(line) for line in (tmp_path / "predictions-test.jsonl").read_text().splitlines()]
    assert rows == [
        {"question_id": one, "answer": answer}
        for one, answer in zip(questions.question_id, questions.answer, strict=True)
    ]


def test_a_file_is_scored_as_its_predictor_was(questions: Questions, tmp_path: Path) -> None:
    first = evaluate(Careless(), questions.first(9), tmp_path / "a")
    path = tmp_path / "a/predictions-test.jsonl"
    from_file = evaluate_file(path, questions.first(9), tmp_path / "b")
    again = evaluate(FilePredictor(path, "again"), questions.first(9), tmp_path / "c")
    assert first.file.scores == from_file.file.scores == again.file.scores
    assert (first.file.n_original, first.file.config.limit) == (len(questions), 9)
    assert from_file.file.config.predictions == "../a/predictions-test.jsonl"
    assert (tmp_path / "c/predictions-test.jsonl").read_bytes() == path.read_bytes()


def test_a_predictor_that_skips_or_repeats_questions_is_told(questions: Questions, tmp_path: Path) -> None:
    first, last = questions.item_ids[0], questions.item_ids[-1]
    with pytest.raises(CheckFailed, match=rf"1 missing \({first}\); 1 duplicate \({last}\); expected each of"):
        evaluate(Careless(skipped=1, repeated=1), questions, tmp_path)
    with pytest.raises(InputError, match=rf"^prediction of {first}: answer: found 3, expected a text or null$"):
        evaluate(Careless(answer=3), questions, tmp_path)
    assert not (tmp_path / "results-test.json").exists()


def test_what_was_predicted_before_giving_up_is_written(questions: Questions, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"^no more; .*predictions-test\.jsonl has what there is$"):
        evaluate(GivesUp(), questions, tmp_path)
    assert len((tmp_path / "predictions-test.jsonl").read_text().splitlines()) == 3
    assert not (tmp_path / "results-test.json").exists()
