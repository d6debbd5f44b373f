"""Records: texts, answers and programs of chosen candidates are those that one gets row by row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.questions.generation.records import FIELDS, NEEDS_HOLDOUT, Chosen, Recorder
from clear_gen.questions.language.program import n_relations
from clear_gen.questions.language.vocabulary import answers_of_type, values_of
from clear_gen.questions.language.wording import render
from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.template import Parameter, Template
from tests.counts import examples
from tests.questions.language.test_execute_batch import templates_of, with_values
from tests.questions.language.test_scene_batch import CLEAR2

Row = dict[str, Any]


def chosen_of(scenes: list[int], templates: list[Template], seed: int = 0, **columns: Any) -> Chosen:
    """Random candidates of these scenes; parameters that a template lacks have the value -1."""
    rng = np.random.default_rng(seed)
    n, most = len(scenes), max(len(template.parameters) for template in templates)
    template = rng.integers(len(templates), size=n)
    values, answer = np.full((n, most), -1, np.int16), np.zeros(n, np.int16)
    for row, number in enumerate(template.tolist()):
        for place, parameter in enumerate(templates[number].parameters):
            values[row, place] = rng.integers(len(values_of(parameter.kind, CLEAR2)))
        answer[row] = rng.integers(len(answers_of_type(templates[number].question_type, CLEAR2)))
    made = Chosen(np.array(scenes, np.int32), template, values, answer, rng.random(n, np.float32), None)
    return replace(made, **columns)


def naive(chosen: Chosen, templates: list[Template], split: str) -> list[Row]:
    """The records one by one, from the templates' nodes."""
    rows: list[Row] = []
    seen: set[tuple[int, str]] = set()
    of_scene = Counter[int]()
    for place, scene in enumerate(chosen.scene.tolist()):
        template = templates[chosen.template[place]]
        numbers = chosen.values[place].tolist()
        words = {
            parameter.name: values_of(parameter.kind, CLEAR2)[number]
            for parameter, number in zip(template.parameters, numbers, strict=False)
        }
        pattern = template.text[int(float(chosen.phrase[place]) * len(template.text))]
        text = render(pattern, words, CLEAR2)
        if (scene, text) in seen:
            continue
        seen.add((scene, text))
        nodes = with_values(template, numbers, CLEAR2)
        rows.append(
            {
                "question_id": f"{split}-{scene:06d}-{of_scene[scene]}",
                "scene_id": f"{split}-{scene:06d}",
                "split": split,
                "question": text,
                "answer": answers_of_type(template.question_type, CLEAR2)[chosen.answer[place]],
                "question_type": template.question_type,
                "template_id": template.template_id,
                "n_relations": n_relations(template.program),
                "program": [
                    {"function": node.function, "inputs": list(node.inputs), "values": list(node.values)}
                    for node in nodes
                ],
            }
        )
        if chosen.needs_holdout is not None:
            rows[-1]["needs_holdout"] = bool(chosen.needs_holdout[place])
        of_scene[scene] += 1
    return rows


@pytest.fixture(scope="module")
def packaged() -> list[Template]:
    return read_templates(CLEAR2, [])


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_are_those_of_a_loop(packaged: list[Template], split: str) -> None:
    scenes = sorted(np.random.default_rng(1).integers(0, 2_000_000, 500).tolist() * 3)
    chosen = chosen_of(scenes, packaged)
    records = Recorder(packaged, CLEAR2).records(chosen, split)
    assert records.schema.equals(pa.schema(FIELDS))
    records.validate(full=True)
    assert records.to_pylist() == naive(chosen, packaged, split)
    assert len(set(records["template_id"].to_pylist())) > len(packaged) // 2


def test_a_recorder_may_be_used_again(packaged: list[Template]) -> None:
    recorder = Recorder(packaged, CLEAR2)
    for seed in range(3):
        chosen = chosen_of(list(range(50)), packaged, seed)
        assert recorder.records(chosen, "train").to_pylist() == naive(chosen, packaged, "train")


def test_ids_count_the_questions_of_a_scene(packaged: list[Template]) -> None:
    chosen = chosen_of([7, 7, 7, 8, 1234567, 1234567], packaged)
    ids = Recorder(packaged, CLEAR2).records(chosen, "validation")["question_id"].to_pylist()
    scenes = ["000007"] * 3 + ["000008"] + ["1234567"] * 2
    numbers = [0, 1, 2, 0, 0, 1]
    assert ids == [f"validation-{scene}-{number}" for scene, number in zip(scenes, numbers, strict=True)]


def test_the_same_text_twice_in_a_scene_is_dropped(packaged: list[Template]) -> None:
    chosen = chosen_of([3, 3, 3, 4, 4], packaged)
    for name in ("template", "values", "answer", "phrase"):
        getattr(chosen, name)[[2, 3]] = getattr(chosen, name)[0]
    records = Recorder(packaged, CLEAR2).records(chosen, "train")
    assert records.to_pylist() == naive(chosen, packaged, "train")
    assert records["question_id"].to_pylist() == [
        f"train-{name}" for name in ("000003-0", "000003-1", "000004-0", "000004-1")
    ]
    texts = records["question"].to_pylist()
    assert texts[0] == texts[2]  # in another scene it is another question


def test_two_templates_with_one_text_are_one_question() -> None:
    one, other = templates_of("scene | filter_note A | count", "scene | filter_note A# | count")
    templates = [replace(one, text=("How many?",)), replace(other, text=("How many?", "How many in all?"))]
    chosen = replace(
        chosen_of([0, 0, 0], templates), template=np.array([0, 1, 1]), phrase=np.array([0.0, 0.49, 0.5], np.float32)
    )
    chosen.answer[:] = [3, 4, 5]
    found = Recorder(templates, CLEAR2).records(chosen, "train")
    assert found["question"].to_pylist() == ["How many?", "How many in all?"]
    assert found["template_id"].to_pylist() == [one.template_id, other.template_id]  # of the two alike, the first
    assert found["answer"].to_pylist() == ["3", "5"]


def test_which_questions_need_what_is_held_out(packaged: list[Template]) -> None:
    needs = np.arange(30) % 3 == 0
    chosen = chosen_of([scene for scene in range(15) for _ in range(2)], packaged, needs_holdout=needs)
    records = Recorder(packaged, CLEAR2).records(chosen, "test")
    assert records.schema.names == [*(field.name for field in FIELDS), NEEDS_HOLDOUT.name]
    assert records["needs_holdout"].to_pylist() == needs.tolist()
    assert records.to_pylist() == naive(chosen, packaged, "test")


def test_every_paraphrase_of_a_template_is_used(packaged: list[Template]) -> None:
    template = max(packaged, key=lambda one: len(one.text))
    n = 40 * len(template.text)
    chosen = chosen_of(list(range(n)), [template])
    found = Recorder([template], CLEAR2).records(chosen, "train")
    assert found.to_pylist() == naive(chosen, [template], "train")
    patterns = (chosen.phrase * len(template.text)).astype(int)
    assert set(patterns.tolist()) == set(range(len(template.text)))
    last = replace(chosen, phrase=np.full(n, np.nextafter(np.float32(1), np.float32(0))))
    assert Recorder([template], CLEAR2).records(last, "train").to_pylist() == naive(last, [template], "train")


@pytest.mark.parametrize(
    "texts",
    [
        ["scene | count"],
        ["scene | exist", "scene | count"],
        ["scene | filter_note A# | count"],
        ["scene | filter_note A# | count", "scene | count_different_instrument", "scene | filter_note <note> | exist"],
        [
            "scene | filter_note <note> | filter_instrument violin | unique | relate <relation> | filter_note <note>"
            " | filter_octave <octave> | filter_global_position middle of the scene | exist"
        ],
    ],
)
def test_templates_without_parameters_or_with_constants_or_a_value_named_twice(texts: list[str]) -> None:
    templates = []
    for number, template in enumerate(templates_of(*texts)):
        text = " ".join(["Is it so", *(parameter.name for parameter in template.parameters)])
        templates.append(replace(template, text=(f"{text} {number}?",)))
    chosen = chosen_of(list(range(40)), templates)
    records = Recorder(templates, CLEAR2).records(chosen, "train")
    records.validate(full=True)
    assert records.to_pylist() == naive(chosen, templates, "train")


def test_no_questions_are_a_table_without_rows(packaged: list[Template]) -> None:
    records = Recorder(packaged, CLEAR2).records(chosen_of([], packaged), "train")
    assert records.num_rows == 0
    assert records.schema.equals(pa.schema(FIELDS))


def test_a_parameter_may_have_any_name() -> None:
    (template,) = templates_of("scene | filter_note <note> | count")
    nodes = tuple(replace(node, values=tuple("<x_1>" for _ in node.values)) for node in template.program)
    template = replace(template, program=nodes, parameters=(Parameter("<x_1>", "note"),), text=("How many <x_1>s?",))
    chosen = chosen_of([0, 1, 2], [template])
    assert Recorder([template], CLEAR2).records(chosen, "train").to_pylist() == naive(chosen, [template], "train")


# ---- batches ---------------------------------------------------------------------------------------------------------


@examples(200)
@given(st.lists(st.integers(1, 6), max_size=30), st.integers(1, 20))
def test_batches_are_all_in_order_and_split_no_scene(per_scene: list[int], n: int) -> None:
    scenes = [7 * number for number, count in enumerate(per_scene) for _ in range(count)]
    size = len(scenes)
    columns = (np.arange(size), np.arange(2 * size).reshape(size, 2), np.arange(size), np.ones(size))
    whole = Chosen(np.array(scenes, np.int32), *columns, np.arange(size) % 2 == 0)
    batches = list(whole.batches(n))
    assert [scene for batch in batches for scene in batch.scene.tolist()] == scenes
    assert [place for batch in batches for place in batch.answer.tolist()] == list(range(size))
    for batch in batches:
        assert len(batch.scene)
        assert len(batch.scene) < n + 2 * max(per_scene)
        assert batch.values.tolist() == [[2 * place, 2 * place + 1] for place in batch.answer.tolist()]
        assert batch.needs_holdout is not None
        assert len(batch.needs_holdout) == len(batch.phrase) == len(batch.template) == len(batch.scene)
    of_batch = [set(batch.scene.tolist()) for batch in batches]
    assert sum(map(len, of_batch)) == len(set(scenes))
    assert all(batch.needs_holdout is None for batch in replace(whole, needs_holdout=None).batches(n))
