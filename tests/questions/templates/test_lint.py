"""The linter: silent on the packaged templates, and every seeded defect is found by the rule meant for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clear_gen.core.files import content_path
from clear_gen.questions.language.program import Node
from clear_gen.questions.templates.families import load_families, words_of
from clear_gen.questions.templates.lint import Finding, lint
from clear_gen.questions.templates.template import Parameter, Template
from clear_gen.scenes.domain import Domain

PACKAGED = content_path("templates", "clear2") / "questions.yaml"


@pytest.fixture(scope="module")
def templates(clear2: Domain) -> dict[str, Template]:
    return {template.template_id: template for template in load_families(PACKAGED, clear2)}


@pytest.fixture(scope="module")
def words() -> set[str]:
    """The words that the packaged families may use."""
    return words_of(PACKAGED)


def with_text(template: Template, old: str, new: str) -> Template:
    """The template with one of its texts changed, and no other text."""
    changed = [text.replace(old, new) for text in template.text if old in text]
    assert changed, f"{old!r} is not in {template.text}"
    return replace(template, text=(changed[0],))


def rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def test_nothing_is_found_in_the_packaged_templates(
    templates: dict[str, Template], clear2: Domain, words: set[str]
) -> None:
    assert lint(list(templates.values()), clear2, words) == []


I2 = "instrument.instrument"
SEEDED = [
    # what the published templates have (PEERS.md, 6 and 9)
    ("equal." + I2, "as many <instrument1>s as", "fewer <instrument1>s than", "words"),
    ("fewer." + I2, "fewer", "more", "words"),
    ("more." + I2, "more <instrument1>s than", "as many <instrument1>s as", "words"),
    ("count_part.instrument.part", "<global_position1>?", "<global_position1> of the scene?", "doubled"),
    ("count.instrument", "<instrument1>s are", "<instrument1> are", "number"),
    ("exist_same.same_note.instrument", "Is there another sound", "Is there other sounds", "number"),
    ("exist_either.note.note", "Is there a", "There are a", "number"),
    ("exist_part.loudness.part", "Is there a <loudness1>", "Is there an quiet <loudness1>", "article"),
    ("note_of_instrument.plain.instrument", "played by the", "played by the played by the", "doubled"),
    # number
    ("exist.instrument", "Are there any <instrument1>s", "Are there any <instrument1>", "number"),
    ("exist.note", "Is there a <note1> note", "Is there a <note1> notes", "number"),
    ("more." + I2, "than <instrument2>s", "than <instrument2>", "number"),
    ("equal." + I2, "the number of <instrument2>s", "the number of <instrument2>", "number"),
    ("place_of_note.instrument.note", "Among the <instrument1>s", "Among the <instrument1>", "number"),
    ("count_same.same_note.instrument", "other sounds", "other sound", "number"),
    ("note_of_sound.related.loudness.instrument.relation", "that is", "that are", "number"),
    # articles
    ("exist_related.instrument.instrument.relation", "Is there a <", "Is there <", "article"),
    ("exist_related.instrument.instrument.relation", "<relation1> the <", "<relation1> <", "article"),
    ("count_related.any.instrument.after", "after the <", "after <", "article"),
    ("exist_same.same_note.instrument", "Is there another", "Is there a other", "article"),
    ("exist_same.same_note.instrument", "Is there another", "Is there a another", "article"),
    # words beside values
    ("loudness.plain.note", "the <note1>", "the A <note1>", "doubled"),
    # what the text asks for
    ("brightness.plain.note", "What is the brightness", "What is the loudness", "type"),
    ("brightness.plain.note", "How bright", "How loud", "type"),
    ("brightness.plain.note", "What is the brightness of the", "Is there a", "type"),
    ("count.instrument", "How many <instrument1>s are there", "Are there any <instrument1>s", "type"),
    ("exist.instrument", "Are there any", "How many", "type"),
    ("instruments_heard.instrument.after", "different ", "", "type"),
    ("position.plain.note", "What is the position", "In what part of the scene", "type"),
    ("part.plain.note", "Where in the scene", "At what position", "type"),
    ("position.plain.instrument", "What is the position of", "Which of the <instrument1>s is", "type"),
    (
        "place.instrument.loudness",
        "Which of the <instrument1>s is the",
        "What position has the <instrument1> or",
        "type",
    ),
    # what the text says of the program
    ("count_related.any.instrument.before", "before", "after", "words"),
    ("instrument_of_neighbour.related.any.note.immediately-before", "immediately before", "before", "words"),
    ("note_of_sound.plain.longest", "longest", "shortest", "words"),
    ("note_of_sound.plain.loudness+brightness", "sound", "sound after it", "words"),
    ("count_either." + I2, "or", "with", "words"),
    ("exist.note", "in the scene", "or in the scene", "words"),
    ("count_same.same_note.instrument", "same note", "same loudness", "words"),
    ("exist.note", "Is there a", "Is there another", "words"),
    ("note_of_instrument.plain.instrument", "the <", "the loud <", "words"),
    ("count_part.any.part", "How many", "How many first", "words"),
    ("more." + I2, "<instrument1>s than <instrument2>s", "<instrument2>s than <instrument1>s", "operands"),
    ("fewer_around." + I2 + ".note.before.after", "before", "behind", "words"),
    # placeholders, form, length, vocabulary
    ("exist.loudness+instrument", "<loudness1> ", "", "placeholder"),
    ("exist.note", "<note1>", "<note7>", "placeholder"),
    ("exist.note", "Is there", "is there", "form"),
    ("exist.note", "scene?", "scene", "form"),
    ("exist.note", "scene?", "scene ?", "form"),
    ("exist.note", "in the", "in  the", "form"),
    ("exist.note", "in the", "in [the]", "form"),
    ("exist.note", " in the scene", "", "length"),
    ("exist.note", "in the scene", "in the scene" + " that you can hear in it" * 4, "length"),
    ("exist.note", "scene", "scnee", "vocabulary"),
]


@pytest.mark.parametrize(("name", "old", "new", "rule"), SEEDED)
def test_seeded_defects(
    templates: dict[str, Template], clear2: Domain, words: set[str], name: str, old: str, new: str, rule: str
) -> None:
    changed = with_text(templates[name], old, new)
    assert rule in rules(lint([changed], clear2, words))


def test_program_that_computes_something_else(templates: dict[str, Template], clear2: Domain) -> None:
    """The published "equal number" template computes "less than"."""
    template = templates["equal.note.note"]
    program = (*template.program[:-1], replace(template.program[-1], function="less_than"))
    assert "words" in rules(lint([replace(template, program=program)], clear2))


def test_a_constant_that_the_text_does_not_say(templates: dict[str, Template], clear2: Domain) -> None:
    template = templates["exist.instrument"]
    program = (Node("scene"), Node("filter_instrument", (0,), ("flute",)), Node("exist", (1,)))
    constant = replace(template, program=program, parameters=(), text=("Is there a violin in the scene?",))
    problems = " ".join(finding.problem for finding in lint([constant], clear2))
    assert "the program alone says 'flute'" in problems
    assert "the text alone says 'violin'" in problems
    assert lint([replace(constant, text=("Is there a flute in the scene?",))], clear2) == []


def test_a_parameter_that_no_node_uses(templates: dict[str, Template], clear2: Domain) -> None:
    template = templates["exist.instrument"]
    more = replace(template, parameters=(*template.parameters, Parameter("<note1>", "note")))
    problems = [finding.problem for finding in lint([more], clear2) if finding.rule == "placeholder"]
    assert "<note1> is used by no node" in problems


def test_templates_that_differ_in_names_only(templates: dict[str, Template], clear2: Domain) -> None:
    template = templates["exist.instrument"]
    renamed = replace(
        template,
        template_id="again",
        text=tuple(text.replace("<instrument1>", "<I>") for text in template.text),
        program=tuple(replace(node, values=tuple("<I>" for _ in node.values)) for node in template.program),
        parameters=(Parameter("<I>", "instrument"),),
    )
    found = lint([template, renamed], clear2)
    assert [finding.rule for finding in found] == ["same program", *["same text"] * len(template.text)]
    assert all(finding.template_id == "again" for finding in found)


def test_one_text_twice(templates: dict[str, Template], clear2: Domain) -> None:
    template = templates["exist.instrument"]
    twice = replace(template, text=(template.text[0], template.text[0]))
    assert rules(lint([twice], clear2)) == {"same text"}


def test_without_a_list_of_words_none_is_unknown(
    templates: dict[str, Template], clear2: Domain, words: set[str]
) -> None:
    changed = with_text(templates["exist.note"], "scene", "street")
    assert lint([changed], clear2) == []
    assert rules(lint([changed], clear2, words)) == {"vocabulary"}
