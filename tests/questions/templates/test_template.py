"""Templates in CLEVR's form: what is read, what is refused, and what the refusal says."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.questions.language.program import Node
from clear_gen.questions.templates.collection import counts_of, read_templates
from clear_gen.questions.templates.template import (
    MAX_OPTIONAL,
    Parameter,
    Template,
    as_json,
    check_template,
    read_json_templates,
    without_brackets,
)
from tests.counts import examples
from tests.questions.language.test_scene_batch import CLEAR2

GOOD: dict[str, Any] = {
    "id": "note_after",
    "question_type": "note",
    "text": ["What note does the <I1> play [right] after the <I2>?"],
    "nodes": [
        {"type": "scene", "inputs": []},
        {"type": "filter_instrument", "inputs": [0], "side_inputs": ["<I2>"]},
        {"type": "unique", "inputs": [1]},
        {"type": "relate", "inputs": [2], "side_inputs": ["after"]},
        {"type": "filter_instrument", "inputs": [3], "side_inputs": ["<I1>"]},
        {"type": "unique", "inputs": [4]},
        {"type": "query_note", "inputs": [5]},
    ],
    "params": [{"type": "instrument", "name": "<I1>"}, {"type": "instrument", "name": "<I2>"}],
    "constraints": [{"type": "different", "params": ["<I1>", "<I2>"]}],
}
SMALL: dict[str, Any] = {
    "id": "all",
    "question_type": "count",
    "text": ["How many sounds are there?"],
    "nodes": [{"type": "scene"}, {"type": "count", "inputs": [0]}],
}


def read(folder: Path, content: Any) -> list[Template]:
    """The templates of a file with this content: text as it is, the rest as JSON."""
    path = folder / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_json_templates(path, CLEAR2)


def refusal(folder: Path, content: Any) -> str:
    """What a file is refused with: one line that names the file."""
    with pytest.raises(InputError) as caught:
        read(folder, content)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'mine.json'}: ")
    assert message.isprintable()
    assert len(message) < 2000
    message.encode()
    return message.removeprefix(f"{folder / 'mine.json'}: ")


# ---- what is read ----------------------------------------------------------------------------------------------------


def test_a_template_is_read_as_it_is_written(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [GOOD])
    assert found == Template(
        "note_after",
        "note",
        ("What note does the <I1> play right after the <I2>?", "What note does the <I1> play after the <I2>?"),
        (
            Node("scene"),
            Node("filter_instrument", (0,), ("<I2>",)),
            Node("unique", (1,)),
            Node("relate", (2,), ("after",)),
            Node("filter_instrument", (3,), ("<I1>",)),
            Node("unique", (4,)),
            Node("query_note", (5,)),
        ),
        (Parameter("<I1>", "instrument"), Parameter("<I2>", "instrument")),
        (("<I1>", "<I2>"),),
    )
    assert read(tmp_path, {"templates": [GOOD]}) == [found]
    assert read(tmp_path, "\ufeff" + json.dumps([GOOD])) == [found]


def test_what_is_not_needed_may_be_left_out(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [SMALL])
    assert found == Template("all", "count", (SMALL["text"][0],), (Node("scene"), Node("count", (0,))), ())
    assert read(tmp_path, []) == []


def test_templates_survive_being_written_and_read(tmp_path: Path) -> None:
    many = deepcopy(GOOD) | {"id": "ünï-☃", "text": [f"[a] [b] [c] [d] <I1> <I2> {number}" for number in range(10)]}
    templates = read(tmp_path, [GOOD, SMALL, many])
    assert len(templates[2].text) == 10 * 16
    text = as_json(templates)
    assert read(tmp_path, text) == templates
    assert as_json(read(tmp_path, text)) == text
    assert text.count("\n") == len(templates) + 2  # one a line


def test_all_packaged_templates_survive(tmp_path: Path) -> None:
    packaged = read_templates(CLEAR2, [])
    path = tmp_path / "packaged.json"
    path.write_text(as_json(packaged))
    assert read_templates(CLEAR2, [path]) == packaged
    assert counts_of(packaged, CLEAR2)[-1][1] == str(len(packaged))


# ---- optional brackets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "variants"),
    [
        ("no brackets", ["no brackets"]),
        ("a [b] c", ["a b c", "a c"]),
        ("[b] c", ["b c", "c"]),
        ("a [b]", ["a b", "a"]),
        ("a[, b], c?", ["a, b, c?", "a, c?"]),
        ("a [b][c] d", ["a bc d", "a b d", "a c d", "a d"]),
        ("two  blanks", ["two blanks"]),
    ],
)
def test_brackets(text: str, variants: list[str]) -> None:
    assert without_brackets(text) == variants


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), min_size=1, max_size=9))
def test_as_many_variants_as_optional_parts_allow(words: list[tuple[str, bool]]) -> None:
    n = sum(optional for _, optional in words)
    named = [(f"{word}{place}", optional) for place, (word, optional) in enumerate(words)]
    text = " ".join(f"[{word}]" if optional else word for word, optional in named)
    if n > MAX_OPTIONAL:
        with pytest.raises(InputError, match=f"found {n} bracketed parts, expected at most {MAX_OPTIONAL}"):
            without_brackets(text)
        return
    variants = without_brackets(text)
    assert len(set(variants)) == 2**n
    for variant in variants:
        left = variant.split()
        assert left == [word for word, _ in named if word in left]
        assert all(word in left for word, optional in named if not optional)


@pytest.mark.parametrize("text", ["a [b", "a b]", "a [b [c]]", "a ]b[", "[[a]"])
def test_brackets_that_do_not_match(text: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, [SMALL | {"text": [text]}])
    assert message == f"templates[0]: text: found an unpaired or nested bracket in {text!r}"


@pytest.mark.parametrize("text", [" ", "[How many?]", "[How] [many?]"])
def test_no_text_is_empty(text: str, tmp_path: Path) -> None:
    assert "text" in refusal(tmp_path, [SMALL | {"text": [text]}])


# ---- what is refused -------------------------------------------------------------------------------------------------


def good(*path: Any, to: Any = None, drop: bool = False) -> dict[str, Any]:
    """The good template with one field changed."""
    made: Any = deepcopy(GOOD)
    place = made
    for part in path[:-1]:
        place = place[part]
    if drop:
        del place[path[-1]]
    elif isinstance(place, list) and path[-1] == len(place):
        place.append(to)
    else:
        place[path[-1]] = to
    return made


FIELDS = [
    (good("id", drop=True), "id: found nothing, expected: this field"),
    (good("id", to=7), "id: found 7, expected: text"),
    (good("id", to=""), "id: found '', expected: .*at least 1 character"),
    (good("id", to="two words"), "id: found 'two words', expected: "),
    (good("text", to=[]), "text: found [], expected: at least 1 item"),
    (good("text", to="one"), "text: found 'one', expected: a list"),
    (good("nodes", to=[]), "nodes: found [], expected: at least 1 item"),
    (good("nodes", 2, "inputs", to=["one"]), "nodes.2.inputs.0: found 'one', expected: a whole number"),
    (good("nodes", 2, "inputs", to=[1.5]), "nodes.2.inputs.0: found 1.5, expected: a whole number"),
    (good("nodes", 1, "side_inputs", to=[1]), "nodes.1.side_inputs.0: found 1, expected: text"),
    (good("nodes", 1, "_output", to=[1]), "nodes.1._output: found [1], expected: no such field"),
    (good("more", to=1), "more: found 1, expected: no such field"),
    (good("constraints", 0, "type", to="same"), "constraints.0.type: found 'same', expected: .*'different'"),
    (good("constraints", 0, "params", to=["<I1>"]), "constraints.0.params.1: found nothing, expected: this field"),
]  # fmt: skip
MEANING = [
    (good("nodes", 1, "type", to="frob"), "node 1: function: found 'frob', expected one of: add, count"),
    (good("nodes", 2, "inputs", to=[2]), "node 2: inputs: found [2], expected numbers of earlier nodes"),
    (good("nodes", 2, "inputs", to=[]), "node 2: inputs of unique: found nothing, expected set"),
    (good("nodes", 6, "inputs", to=[4]), "node 6: inputs of query_note: found set, expected sound"),
    (good("nodes", 6, drop=True), "last node: found sound, expected one that gives an answer"),
    (good("nodes", 3, "side_inputs", to=["beside"]), "node 3: values of relate: found 'beside', expected one"),
    (good("nodes", 3, "side_inputs", to=["<I1>"]), "node 3: values of relate: found '<I1>', expected one of"),
    (good("nodes", 3, "side_inputs", to=[]), "node 3: values of relate: found [], expected one"),
    (good("nodes", 2, "side_inputs", to=["a"]), "node 2: values of unique: found ['a'], expected none"),
    (good("question_type", to="count"), "question_type: found 'count', expected 'note', which the program"),
    (good("params", 1, drop=True), "node 1: values of filter_instrument: found '<I2>', expected one of: bass"),
    (good("params", 2, to={"type": "note", "name": "<N>"}), "params: <N> is used by no node"),
    (good("params", 1, "name", to="<I1>"), "params: found a name twice"),
    (good("params", 1, "name", to="I2"), "params: name: found 'I2', expected letters and digits in <>"),
    (good("params", 1, "type", to="pitch"), "params: type of <I2>: found 'pitch', expected one of: absolute_p"),
    (good("params", 1, "type", to="note"), "node 1: values of filter_instrument: found '<I2>', expected one"),
    (good("text", 1, to="The <I1>?"), "text: <I2> is not in 'The <I1>?'"),
    (good("text", 1, to="The <I1> [after the <I2>]?"), "text: <I2> is not in 'The <I1> ?'"),
    (good("text", 1, to="<I1> <I2> <I3>"), "text: found <I3> (did you mean <I2>?), expected one of the params"),
    (good("constraints", 0, "params", 1, to="<I1>"), "constraints: found <I1>, <I1>, expected two params of one"),
    (good("constraints", 0, "params", 1, to="<I9>"), "constraints: found <I1>, <I9>, expected two params of"),
    (good("constraints", 0, "params", to=["a", "b"]), "constraints: found a, b, expected two params of"),
]  # fmt: skip


def check_refusal(found: str, message: str) -> None:
    """``.*`` in the expected message stands for anything; it may go on."""
    assert re.match(re.escape(message).replace(r"\.\*", ".*"), found), found


@pytest.mark.parametrize(("template", "message"), FIELDS)
def test_a_wrong_field_is_named_with_found_and_expected(tmp_path: Path, template: dict[str, Any], message: str) -> None:
    check_refusal(refusal(tmp_path, [SMALL, template]), f"templates[1]: {message}")


@pytest.mark.parametrize(("template", "message"), MEANING)
def test_what_makes_no_sense_is_named_with_found_and_expected(
    tmp_path: Path, template: dict[str, Any], message: str
) -> None:
    check_refusal(refusal(tmp_path, [SMALL, template]), f"note_after: {message}")


def test_params_of_two_types_cannot_be_asked_to_differ(tmp_path: Path) -> None:
    made = good("nodes", 4, to={"type": "filter_note", "inputs": [3], "side_inputs": ["<I1>"]})
    made["params"][0]["type"] = "note"
    made["nodes"][6]["type"] = "query_instrument"
    made["question_type"] = "instrument"
    assert "constraints: found <I1>, <I2>, expected two params of one type" in refusal(tmp_path, [made])
    del made["constraints"]
    assert len(read(tmp_path, [made])) == 1


def test_a_type_that_the_domain_does_not_ask_for(tmp_path: Path) -> None:
    made = deepcopy(SMALL) | {"nodes": [{"type": "scene"}, {"type": "count_different_note", "inputs": [0]}]}
    message = refusal(tmp_path, [made | {"question_type": "count_notes"}])
    assert message.startswith(
        "all: question_type: the program answers 'count_notes', expected one of: absolute_position"
    )


def test_an_id_twice_is_refused_and_both_files_are_named(tmp_path: Path) -> None:
    for name in ("a.json", "b.JSON"):
        (tmp_path / name).write_text(json.dumps([SMALL]))
    with pytest.raises(InputError, match=r"b\.JSON: id: found all twice \(also in .*a\.json\), expected once"):
        read_templates(CLEAR2, [tmp_path / "a.json", tmp_path / "b.JSON"])
    (tmp_path / "a.json").write_text(json.dumps([SMALL, SMALL]))
    with pytest.raises(InputError, match=r"a\.json: id: found all twice"):
        read_templates(CLEAR2, [tmp_path / "a.json"])


# ---- hostile files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not readable JSON"),
        ("{", "not readable JSON"),
        ("[" * 200_000, "not readable JSON"),
        ('{"a":' * 200_000, "not readable JSON"),
        ("[" + "9" * 5000 + "]", "not readable JSON"),
        ("null", "found NoneType, expected a list of templates, or one under 'templates'"),
        ("7", "found int, expected a list of templates"),
        ("NaN", "found float, expected a list of templates"),
        ('"text"', "found str, expected a list of templates"),
        ("{}", "found NoneType, expected a list of templates"),
        ('{"templates": 1}', "found int, expected a list of templates"),
        ("[null]", "templates[0]: template: found None, expected: a mapping"),
        ("[NaN]", "templates[0]: template: found nan, expected: a mapping"),
        ("[[]]", "templates[0]: template: found [], expected: a mapping"),
        ("[1e999]", "templates[0]: template: found inf, expected: a mapping"),
        ('[{"\\ud800": 1}]', "templates[0]: "),
    ],
)
def test_files_that_are_no_templates(tmp_path: Path, content: str, message: str) -> None:
    assert refusal(tmp_path, content).startswith(message)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: not found"):
        read_json_templates(tmp_path / "none.json", CLEAR2)
    with pytest.raises(InputError, match="found no regular file"):
        read_json_templates(tmp_path, CLEAR2)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe[]")
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        read_json_templates(tmp_path / "bytes.json", CLEAR2)


NASTY: list[Any] = [
    None,
    True,
    -1,
    10**300,
    1.5,
    float("nan"),
    float("-inf"),
    "",
    "\x1b[2J",
    "two\nlines",
    "\u2028",
    "\ud800",
    "x" * 5000,
    "<I1>",
    [],
    {},
    [[[[]]]],
    {"a": {"b": {}}},
    ["<I1>", "<I1>", "<I1>"],
]


def everywhere(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something lies in a value: every path into it."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, inner in items for found in everywhere(inner, (*path, key))]


@examples(400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(everywhere(GOOD)), st.sampled_from(NASTY), st.sampled_from(["put", "add", "drop"]))
def test_nothing_nasty_is_a_traceback(tmp_path: Path, where: tuple[Any, ...], nasty: Any, how: str) -> None:
    """Either templates that check, or one printable line."""
    made = good(*where, to=nasty, drop=how == "drop")
    if how == "add":
        made = good(*where[:-1], str(nasty), to=1) if isinstance(where[-1], str) else good(*where, to=[nasty])
    content = json.dumps([made])
    (tmp_path / "mine.json").write_text(content)
    try:
        found = read(tmp_path, content)
    except InputError:
        assert refusal(tmp_path, content)
        return
    assert [check_template(template, CLEAR2) for template in found] == [None]
    assert read(tmp_path, as_json(found)) == found
    assert all(name.isprintable() for template in found for name in (template.template_id, *template.text))


@pytest.mark.parametrize("around", ["[{}]", '[{{"id": {}}}]', '[{{"id": "x", "nodes": [{{"type": {}}}]}}]'])
def test_deep_nesting_is_refused_in_words(tmp_path: Path, around: str) -> None:
    for depth, (opening, closing) in product([*range(960, 1000, 3), 5000], ["[]", ('{"a":', "}")]):
        assert refusal(tmp_path, around.format(opening * depth + "1" + closing * depth))


@pytest.mark.parametrize("number", ['"1"', "true", "1.0"])
def test_inputs_are_numbers_as_json_writes_them(tmp_path: Path, number: str) -> None:
    content = json.dumps([GOOD]).replace('"unique", "inputs": [1]', f'"unique", "inputs": [{number}]')
    assert number in content
    assert "templates[0]: nodes.2.inputs.0: found" in refusal(tmp_path, content)


def test_a_name_twice_in_an_object_is_not_silently_lost(tmp_path: Path) -> None:
    content = json.dumps([SMALL]).replace('"id": "all"', '"id": "all", "id": "other"')
    assert "found twice" in refusal(tmp_path, content)


def test_a_program_that_is_long_is_read(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [{"type": "scene"}, {"type": "count", "inputs": [0]}]
    nodes += [{"type": "add", "inputs": [place, place]} for place in range(1, 99)]
    assert len(read(tmp_path, [SMALL | {"nodes": nodes}])[0].program) == 100
    nodes.append({"type": "add", "inputs": [1, 99]})
    assert "nodes: found" in refusal(tmp_path, [SMALL | {"nodes": nodes}])
