"""Families of questions: the packaged ones, the language they are written in, and what its errors say."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from clear_gen.core.errors import InputError
from clear_gen.core.files import content_path
from clear_gen.questions.language.english import article, plural
from clear_gen.questions.language.program import Node, n_relations, question_type
from clear_gen.questions.language.vocabulary import ABSOLUTE, GLOBAL, RELATIVE, values_of, written
from clear_gen.questions.language.wording import render
from clear_gen.questions.templates.families import load_families, words_of
from clear_gen.questions.templates.template import Template, as_json, check_template, read_json_templates
from clear_gen.scenes.domain import Domain

PACKAGED = content_path("templates", "clear2") / "questions.yaml"
PUBLISHED_TEMPLATES = 942
LEAST_OF_A_TYPE = 50
PLURALS = {"sounds", "notes", "instruments"}
SINGULARS = {"sound", "note", "instrument", "one"}

SMALL = """
adjectives: [loudness]
nouns:
  - {of: [], forms: {one: "{adjectives} sound", many: "{adjectives} sounds"}}
  - of: [instrument]
    forms: {one: ["{adjectives} <instrument>", "{adjectives} <instrument> sound"], many: "{adjectives} <instrument>s"}
modifiers:
  nth: {function: filter_absolute_position, forms: {one: "<value> {one}"}}
  longest: {function: longest, forms: {one: "longest {one}"}}
lists:
  few: [instrument, loudness]
phrases:
  related:
    program: T(relate(the(A(scene())), R))
    different: [[T, A]]
    forms: {one: "{T} heard {R} the {A}"}
families:
"""
ONE = """  - id: note
    program: query_note(the(T(scene())))
    text: ["What is the note of the {T}?"]
    parts: {T: [instrument]}
"""


@pytest.fixture(scope="module")
def templates(clear2: Domain) -> list[Template]:
    return load_families(PACKAGED, clear2)


def small(folder: Path, domain: Domain, families: str, head: str = SMALL) -> list[Template]:
    """The templates of a file made of ``head`` and ``families``."""
    path = folder / "questions.yaml"
    path.write_text(head + families)
    return load_families(path, domain)


def nameless(template: Template) -> tuple[object, ...]:
    """A program without the names of its placeholders."""
    kinds = {parameter.name: parameter.kind for parameter in template.parameters}
    order = list(dict.fromkeys(value for node in template.program for value in node.values if value in kinds))
    return tuple(
        (node.function, node.inputs, tuple(order.index(v) if v in kinds else v for v in node.values))
        for node in template.program
    )


def functions(template: Template) -> list[str]:
    return [node.function for node in template.program]


def target(template: Template) -> list[Node]:
    """The filters of the sound that is queried, from the last on."""
    nodes = []
    node = template.program[template.program[-1].inputs[0]]
    while node.inputs and not node.function.startswith(("relate", "same_", "intersect", "union")):
        nodes.append(node)
        node = template.program[node.inputs[0]]
    return nodes


def whole_scene_ranks(template: Template) -> list[int]:
    """The nodes that take a rank of all sounds."""
    return [
        number
        for number, node in enumerate(template.program)
        if node.function == f"filter_{ABSOLUTE}" and template.program[node.inputs[0]].function == "scene"
    ]


# --- the packaged families --------------------------------------------------------------------------------------------


def test_at_least_the_papers_number_of_templates_distinct_as_programs(templates: list[Template]) -> None:
    assert len({nameless(template) for template in templates}) == len(templates)
    assert PUBLISHED_TEMPLATES <= len(templates) <= 1400


def test_every_question_type_has_its_share(templates: list[Template], clear2: Domain) -> None:
    counts = Counter(template.question_type for template in templates)
    assert set(counts) == set(clear2.question_types)
    assert min(counts.values()) >= LEAST_OF_A_TYPE


def test_every_template_type_checks(templates: list[Template], clear2: Domain) -> None:
    for template in templates:
        assert check_template(template, clear2) is None, template.template_id
        assert question_type(template.program) == template.question_type


def test_ids_are_unique_and_without_blanks(templates: list[Template]) -> None:
    ids = [template.template_id for template in templates]
    assert len(set(ids)) == len(ids)
    assert not [name for name in ids if re.search(r"\s", name)]


def test_loading_is_deterministic(templates: list[Template], clear2: Domain) -> None:
    assert load_families(PACKAGED, clear2) == templates


def test_templates_survive_the_json_form(templates: list[Template], clear2: Domain, tmp_path: Path) -> None:
    path = tmp_path / "templates.json"
    path.write_text(as_json(templates))
    assert read_json_templates(path, clear2) == templates


def test_two_to_five_paraphrases(templates: list[Template]) -> None:
    assert {len(template.text) for template in templates} <= {2, 3, 4, 5}


def test_every_function_of_the_issue_is_used(templates: list[Template], clear2: Domain) -> None:
    used = {function for template in templates for function in functions(template)}
    asked = {f"query_{name}" for name in clear2.question_types if not name.startswith(("count", "exist"))}
    filters = {
        f"filter_{name}" for name in ("instrument", "note", "brightness", "loudness", ABSOLUTE, RELATIVE, GLOBAL)
    }
    same = {f"same_{name}" for name in ("instrument", "note", "brightness", "loudness")}
    others = {"scene", "unique", "relate", "union", "intersect", "count", "count_different_instrument", "exist", "or"}
    others |= {"add", "equal_integer", "less_than", "greater_than", "longest", "shortest"}
    assert used == asked | filters | same | others


def test_relations_none_one_or_two(templates: list[Template]) -> None:
    counts = Counter(n_relations(template.program) for template in templates)
    assert set(counts) == {0, 1, 2}
    assert counts[1] > counts[2]


def test_octave_is_neither_asked_nor_named(templates: list[Template]) -> None:
    assert not [name for template in templates for name in functions(template) if "octave" in name]


def test_no_query_asks_what_its_description_says(templates: list[Template]) -> None:
    for template in templates:
        last = template.program[-1].function
        if not last.startswith("query_"):
            continue
        named = {node.function.removeprefix("filter_") for node in target(template)}
        assert template.question_type not in named, template.template_id
        if template.question_type == RELATIVE:
            assert "instrument" in named
            assert ABSOLUTE not in named
        if template.question_type in ("note", "instrument"):
            assert len(named - {"unique"}) <= 3, template.template_id  # two attributes and a rank


def test_positions_and_counts_are_not_given_by_a_rank_in_the_whole_scene(templates: list[Template]) -> None:
    for template in templates:
        if template.question_type in (ABSOLUTE, RELATIVE, GLOBAL) or template.question_type.startswith("count"):
            assert not whole_scene_ranks(template), template.template_id


def test_nothing_is_asked_that_every_scene_holds(templates: list[Template]) -> None:
    """A scene has loud, quiet, bright and dark sounds."""
    for template in templates:
        if functions(template)[-1] == "exist":
            assert functions(template)[1:-1] not in (["filter_loudness"], ["filter_brightness"], [])


def test_whoever_is_alone_before_is_the_first(templates: list[Template]) -> None:
    """Of the violins before the flute, the only one is the first violin: no template asks for its place."""
    for template in templates:
        if [node.function for node in target(template)] == ["unique", "filter_instrument"]:
            relations = {value for node in template.program if node.function == "relate" for value in node.values}
            assert template.question_type != RELATIVE or relations not in ({"before"}, {"<relation1>"})


@pytest.mark.parametrize("seed", range(3))
def test_rendered_texts_agree(templates: list[Template], clear2: Domain, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = {written(value, clear2) for kind in ("instrument",) for value in values_of(kind, clear2)}
    plurals = PLURALS | {plural(name) for name in names} | {f"{note}s" for note in values_of("note", clear2)}
    singulars = SINGULARS | names
    for template in templates:
        values = {each.name: str(rng.choice(values_of(each.kind, clear2))) for each in template.parameters}
        for text in (render(pattern, values, clear2) for pattern in template.text):
            words = text[:-1].replace(",", "").split()
            assert re.fullmatch(r"[A-Z][^?<>{}\[\]]*[^\s?]\?", text), text
            assert "  " not in text
            assert 6 <= len(words) <= 28, text
            for word, following in pairwise(words):
                if word in ("a", "an"):
                    assert word == article(following), text
            heads = [word for word in words if word in plurals | singulars]
            if words[:2] in (["How", "many"], ["Are", "there"]):
                assert heads[0] in plurals, text
            if words[:3] == ["Is", "there", "a"]:
                assert heads[0] in singulars, text


def test_vocabulary_is_small_and_all_of_it_is_used(templates: list[Template]) -> None:
    patterns = {pattern for template in templates for pattern in template.text}
    used = {word.lower() for pattern in patterns for word in re.findall(r"[A-Za-z]+", re.sub(r"<\w+>s?", "", pattern))}
    assert used == words_of(PACKAGED)
    assert len(used) < 80  # and 6 instruments, their plurals, 12 notes, 4 labels, 15 ranks


# --- the language -----------------------------------------------------------------------------------------------------


def test_a_family_is_every_combination_of_its_parts(tmp_path: Path, clear2: Domain) -> None:
    families = """  - id: note
    program: query_note(the(X))
    text: ["What is the note of the {X}?"]
    parts: {X: {related: {T: [any, instrument], A: few, R: [before, relation]}}}
"""
    ids = [template.template_id for template in small(tmp_path, clear2, families)]
    assert len(ids) == 8
    assert ids[0] == "note.related.any.instrument.before"
    assert ids[-1] == "note.related.instrument.loudness.relation"


def test_a_template_has_nodes_placeholders_and_texts(tmp_path: Path, clear2: Domain) -> None:
    families = """  - id: note
    program: query_note(the(T(relate(the(A(scene())), R))))
    text: ["What is the note of the {T} {R} the {A}?", "Which note has the {T} {R} the {A}?"]
    parts: {T: [nth+instrument], A: [loudness+instrument], R: [relation]}
"""
    (template,) = small(tmp_path, clear2, families)
    assert template.template_id == "note.nth+instrument.loudness+instrument.relation"
    assert [(node.function, *node.inputs, *node.values) for node in template.program] == [
        ("scene",),
        ("filter_instrument", 0, "<instrument2>"),
        ("filter_loudness", 1, "<loudness1>"),
        ("unique", 2),
        ("relate", 3, "<relation1>"),
        ("filter_instrument", 4, "<instrument1>"),
        ("filter_absolute_position", 5, "<absolute_position1>"),
        ("unique", 6),
        ("query_note", 7),
    ]
    assert template.text == (
        "What is the note of the <absolute_position1> <instrument1> <relation1> the <loudness1> <instrument2>?",
        "Which note has the <absolute_position1> <instrument1> sound <relation1> the <loudness1> <instrument2> sound?",
    )


def test_the_longest_is_a_sound_already(tmp_path: Path, clear2: Domain) -> None:
    (template,) = small(tmp_path, clear2, ONE.replace("[instrument]", "[longest+instrument]"))
    assert functions(template) == ["scene", "filter_instrument", "longest", "query_note"]


def test_what_is_written_twice_is_one_node(tmp_path: Path, clear2: Domain) -> None:
    families = """  - id: either
    program: exist(A(relate(the(C(scene())), R))) or exist(B(relate(the(C(scene())), R)))
    text: ["Is there a {A} or a {B} {R} the {C}?"]
    parts: {A B: [[instrument, instrument]], C: [loudness], R: [after]}
    different: [[A, B]]
"""
    (template,) = small(tmp_path, clear2, families)
    assert functions(template).count("relate") == 1
    assert template.program[-1].function == "or"
    assert template.different == (("<instrument1>", "<instrument2>"),)


@pytest.mark.parametrize(
    ("pair", "different"),
    [
        ("[instrument, instrument]", (("<instrument1>", "<instrument2>"),)),
        ("[instrument, loudness+instrument]", (("<instrument1>", "<instrument2>"),)),
        ("[loudness+instrument, loudness+instrument]", (("<instrument1>", "<instrument2>"),)),
        ("[instrument, loudness]", ()),
        ("[any, instrument]", ()),
    ],
)
def test_descriptions_that_must_differ(tmp_path: Path, clear2: Domain, pair: str, different: object) -> None:
    families = f"""  - id: more
    program: greater_than(count(A(scene())), count(B(scene())))
    text: ["Are there more {{A.many}} than {{B.many}}?"]
    parts: {{A B: [{pair}]}}
    different: [[A, B]]
"""
    assert small(tmp_path, clear2, families)[0].different == different


def test_another_domain_needs_no_python(tmp_path: Path, clear2: Domain) -> None:
    data = clear2.model_dump(exclude_none=True)
    data["attributes"] = {"kind": {"values": ["dog bark", "alarm"]}, "loudness": data["attributes"]["loudness"]}
    data |= {"relative_position_among": "kind", "question_types": ["kind", "count", "exist"]}
    data["sampling"]["constraints"] = []
    head = """
adjectives: [loudness]
nouns: [{of: [kind], forms: {one: "{adjectives} <kind>", many: "{adjectives} <kind>s"}}]
families:
"""
    families = """  - id: exist
    program: exist(T(scene()))
    text: ["Is there a {T} in the street?"]
    parts: {T: [kind, loudness+kind]}
"""
    domain = Domain.model_validate(data)
    templates = small(tmp_path, domain, families, head)
    assert [template.template_id for template in templates] == ["exist.kind", "exist.loudness+kind"]
    assert render(templates[0].text[0], {"<kind1>": "alarm"}, domain) == "Is there an alarm in the street?"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[instrument]}",
            "[instrumnt]}",
            "families: note: parts: instrumnt: found 'instrumnt' (did you mean instrument?), expected one of: any,",
        ),
        ("[instrument]}", "[note]}", "families: note: parts: found 'note', expected nouns to list one of ['note']"),
        ("[instrument]}", "many}", "families: note: parts: T: found 'many', expected one of the lists: few"),
        (
            "[instrument]}",
            "{near: {}}}",
            "families: note: parts: T: found 'near', expected one of the phrases: related",
        ),
        ("T: [instrument]", "T U: [instrument]", "families: note: parts: T U: found 'instrument', expected 2 options"),
        (
            "query_note(",
            "query_nota(",
            "families: note: program: found 'query_nota' (did you mean query_note?), expected a part, the, or one of",
        ),
        (
            "scene())))",
            "scene()))",
            "families: note: program: found 'query_note(the(T(scene()))', expected nested calls",
        ),
        (
            "(the(T(scene())))",
            "(T(scene()))",
            "families: note: note.instrument: node 2: inputs of query_note: found set",
        ),
        ("T(scene())", "T", "families: note: program: found T alone, expected T(a set)"),
        ("T(scene())", "T(scene(), scene())", "families: note: program: found T(...), expected a description of one"),
        ("T(scene())", "1", "families: note: program: found '1', expected a call or a part"),
        (
            "{T}?",
            "{U}?",
            "families: note: text: found {U} in 'What is the note of the {U}?', expected one of the parts: T",
        ),
        ("{T}?", "{T.few}?", "expected one of the forms: many, one"),
        ("the {T}?", "sound?", "families: note: note.instrument: text: <instrument1> is not in"),
        ("parts:", "different: [[T, U]]\n    parts:", "families: note: different: found 'U', expected a part that is"),
        ("text:", "texts:", "families.0.texts: found"),
        (ONE, ONE + ONE, "families: note: id: found note.instrument twice, expected once"),
        ("adjectives: [loudness]", "adjectives: [volume]", "nouns: found 'volume', expected one of: instrument, note"),
        ('{one: "{adjectives} sound", ', "{", "nouns: of []: forms: found no 'one', expected it"),
        (
            "function: longest",
            "function: tallest",
            "modifiers: longest: function: found 'tallest', expected one of: count",
        ),
        (
            '"longest {one}"',
            '"longest {ones}"',
            "modifiers: longest: forms: found 'ones' (did you mean one?), expected one of: many, one",
        ),
        ("program: T(relate", "program: T(relate(", "phrases: related: program: found 'T(relate("),
    ],
)
def test_errors_name_file_family_and_field(tmp_path: Path, clear2: Domain, old: str, new: str, message: str) -> None:
    assert (SMALL + ONE).count(old) == 1
    with pytest.raises(InputError) as error:
        small(tmp_path, clear2, "", (SMALL + ONE).replace(old, new))
    assert str(tmp_path / "questions.yaml") in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_combinations_are_refused(tmp_path: Path, clear2: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clear_gen.questions.templates.families.MAX_TEMPLATES", 1)
    with pytest.raises(InputError, match="parts: found more than 1 combinations"):
        small(tmp_path, clear2, ONE.replace("[instrument]", "[instrument, loudness]"))
