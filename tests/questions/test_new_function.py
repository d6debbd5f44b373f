"""A new function of programs is one row of the function table, and an oracle of its own: nothing else changes.

``at_least_two`` tells whether a set holds two sounds or more. Its row is registered here; the program is instantiated
from a template, checked, executed on one scene and in batches, traced, linted, published and read by the baselines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clear_gen.core.errors import InputError
from clear_gen.questions.audit.text_only_baselines import description
from clear_gen.questions.generation.candidates import Rules, candidates, question_plan
from clear_gen.questions.generation.value_sampler import BankLabels
from clear_gen.questions.language.execute import IllPosed, execute, execute_on
from clear_gen.questions.language.functions.function import BOOLEAN, SET, Function
from clear_gen.questions.language.functions.table import FUNCTIONS, function_named, functions_of
from clear_gen.questions.language.program import Node, Program, check_program, parse_program, question_type
from clear_gen.questions.language.scene_batch import popcount, scene_batch
from clear_gen.questions.language.trace import trace
from clear_gen.questions.language.vocabulary import EXIST, answers_of_type, label_kinds, values_of
from clear_gen.questions.templates.lint import lint
from clear_gen.questions.templates.template import Parameter, Template, check_template
from tests.questions.language.test_program import graph_of, nodes_of
from tests.questions.language.test_scene_batch import CLEAR2, all_facts, random_rows, table_of
from tests.questions.oracle import Row, completions, label_in
from tests.questions.test_oracle import program, scene

ROW = Function(
    "at_least_two",
    (SET,),
    BOOLEAN,
    "whether there are two sounds or more",
    scalar=lambda _scene, sounds: len(sounds) >= 2,
    batch=lambda _executor, _number, sounds: (popcount(sounds[1]) >= 2, popcount(sounds[0]) >= 2),
    question_type=EXIST,
    told_by=r"several",
    explains=(r"several",),
    published="exist_several",
)
TEMPLATE = Template(
    "several.loudness+instrument",
    EXIST,
    ("Are there several <loudness1> <instrument1>s in the scene?",),
    tuple(nodes_of(program("scene | filter_loudness <loudness1> | filter_instrument <instrument1> | at_least_two"))),
    (Parameter("<loudness1>", "loudness"), Parameter("<instrument1>", "instrument")),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, ROW.name, ROW)


def with_values(loudness: str, instrument: str) -> Program:
    text = f"scene | filter_loudness {loudness} | filter_instrument {instrument} | at_least_two"
    return tuple(nodes_of(program(text)))


def oracle(loudness: str, instrument: str, row: Row) -> str | None:
    """The answer under every completion of the unknown labels, by the oracle's own reading of the scene."""
    found = set()
    for labels in completions(row):
        everything = range(len(labels.sounds))
        loud = [k for k in everything if label_in(k, "loudness", [*everything], labels) == loudness]
        found.add("yes" if sum(labels.sounds[k]["instrument"] == instrument for k in loud) > 1 else "no")
    return found.pop() if len(found) == 1 else None


def test_it_is_known_and_checked() -> None:
    assert function_named("at_least_two") is functions_of(CLEAR2)["at_least_two"] is ROW
    check_program(with_values("loud", "flute"), CLEAR2)
    assert question_type(with_values("loud", "flute")) == EXIST
    raw: list[dict[str, Any]] = [{"function": "scene"}, {"function": "at_least_two", "inputs": [0]}]
    assert parse_program(raw, CLEAR2) == (Node("scene"), Node("at_least_two", (0,)))
    with pytest.raises(InputError, match="program: node 1: inputs of at_least_two: found set, set, expected set"):
        check_program([Node("scene"), Node("at_least_two", (0, 0))], CLEAR2)
    with pytest.raises(InputError, match=r"values of at_least_two: found .*x.*, expected none"):
        check_program([Node("scene"), Node("at_least_two", (0,), ("x",))], CLEAR2)


def test_on_one_scene_it_agrees_with_the_oracle() -> None:
    answers = []
    for row in random_rows(np.random.default_rng(1), 300, 0.3, 12):
        result = execute(with_values("loud", "flute"), graph_of(row), CLEAR2)
        answers.append(None if isinstance(result, IllPosed) else result)
        assert answers[-1] == oracle("loud", "flute", row)
    assert min(answers.count(answer) for answer in ("yes", "no", None)) > 10


def test_candidates_are_drawn_and_agree_with_the_oracle() -> None:
    assert check_template(TEMPLATE, CLEAR2) is None
    rows = random_rows(np.random.default_rng(2), 300, 0.1, 15, 4)
    table = table_of(rows, CLEAR2)
    n_values = np.array([len(values_of(kind, CLEAR2)) for kind in label_kinds(CLEAR2)])
    bank = BankLabels(np.random.default_rng(3).integers(0, n_values, (200, len(n_values))).astype(np.int16), n_values)
    plan = question_plan(CLEAR2, Rules(seed=4, per_scene=2, types=(EXIST,)), [TEMPLATE], bank)
    found = candidates(plan, scene_batch(table, CLEAR2), "train", np.arange(len(rows))).to_pylist()
    facts = all_facts(table, CLEAR2)
    for one in found:
        kinds = [parameter.kind for parameter in TEMPLATE.parameters]
        words = [values_of(kind, CLEAR2)[value] for kind, value in zip(kinds, one["values"], strict=True)]
        expected = answers_of_type(EXIST, CLEAR2)[one["answer"]]
        assert execute_on(with_values(words[0], words[1]), facts[one["scene"]]) == expected
        assert oracle(words[0], words[1], rows[one["scene"]]) == expected
    assert {one["answer"] for one in found} == {0, 1}
    assert len(found) > 300


def test_it_is_traced() -> None:
    row = scene("flute A4 bright loud", "cello C3 dark loud", "flute D4 dark loud")
    lines = trace(with_values("loud", "flute"), graph_of(row), CLEAR2)
    assert [" ".join(line.split()) for line in lines[3:]] == ["3 at_least_two of 2 yes", "answer: yes"]


def test_the_linter_knows_its_words() -> None:
    assert lint([TEMPLATE], CLEAR2) == []
    (found,) = lint([replace(TEMPLATE, program=(*TEMPLATE.program[:-1], Node("exist", (2,))))], CLEAR2)
    assert "'several', but the program has no at_least_two" in found.problem
    (found,) = lint([replace(TEMPLATE, text=(TEMPLATE.text[0].replace("several", "any"),))], CLEAR2)
    assert "the program has at_least_two, but found none of the words several" in found.problem


def test_the_other_readers_read_its_row() -> None:
    asked = with_values("loud", "flute")
    assert description(asked, 2) == [("instrument", "flute"), ("loudness", "loud")]
    assert description(asked, 3) == []
    assert function_named(asked[3].function).published_name == "exist_several"
