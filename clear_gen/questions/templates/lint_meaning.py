"""The part of the linter that reads texts against programs: words that ask, compare and relate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from clear_gen.questions.language.functions.function import BOOLEAN, INTEGER
from clear_gen.questions.language.functions.table import function_named, functions_of
from clear_gen.questions.language.program import Node
from clear_gen.questions.language.vocabulary import (
    ABSOLUTE,
    GLOBAL,
    NO,
    RELATION,
    RELATIVE,
    YES,
    answers_of_type,
    is_count,
    ordinals,
    values_of,
    written,
)
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain

DIFFERENT = "different"
OPENS_YES_NO = re.compile(r"(^|, )(is|are|does|do|can|has|have)\b")
ASKS = re.compile(r"\b(what|which|where|how)\b")
ASKS_NUMBER = re.compile(r"\bhow many\b|\bwhat is the number of\b")
ASKED = re.compile(r"\b(?:what|which)(?: is the)? (\w+)")
ASKED_DEGREE = re.compile(r"\bhow (?!many)(\w+) (?:is|are|was|does)\b")


def question_words(pattern: str, template: Template, domain: Domain) -> Iterator[str]:
    """Words that ask for something else than the template's type."""
    text, of = pattern.lower(), template.question_type
    yes_no = answers_of_type(of, domain) == [YES, NO]
    if yes_no != bool(OPENS_YES_NO.search(text)):
        yield f"found {'no' if yes_no else 'a'} yes-or-no question, but the program answers {of}"
    if yes_no and (word := ASKS.search(text)):
        yield f"found {word[0]!r}, but the program answers yes or no"
    if not yes_no and not ASKS.search(text):
        yield f"found no what, which, where or how, but the program answers {of}"
    if not yes_no and is_count(of) != bool(ASKS_NUMBER.search(text)):
        yield f"found {'no' if is_count(of) else 'a'} question for a number, but the program answers {of}"
    counts_different = function_named(template.program[-1].function).told_by == DIFFERENT
    if is_count(of) and (DIFFERENT in text.split()) != counts_different:
        yield f"{DIFFERENT!r} is {'missing' if counts_different else 'there'}, but the program answers {of}"
    if (asked := _asked(text, domain)) and of not in asked:
        yield f"found a question for {' or '.join(asked)}, but the program answers {of}"
    if of in (ABSOLUTE, RELATIVE) and (of == RELATIVE) != _among_own_kind(pattern, template, domain):
        yield f"found a place among {'all' if of == RELATIVE else 'some'} sounds, but the program answers {of}"


def _asked(text: str, domain: Domain) -> list[str]:
    """The types that the text asks for by name; none if it does not name any."""
    if re.search(r"\bwhere\b", text):
        return [GLOBAL]
    named = {name.replace("_", " "): [name] for name in domain.attributes}
    named |= {"part": [GLOBAL], "position": [ABSOLUTE, RELATIVE], "one": [RELATIVE]}
    if degree := ASKED_DEGREE.search(text):
        of = [name for name in domain.attributes if degree[1] in values_of(name, domain)]
        return of or ["nothing that is known"]
    asked = ASKED.search(text)
    return named.get(asked[1], []) if asked else []


def _among_own_kind(pattern: str, template: Template, domain: Domain) -> bool:
    """Whether the text says "among the <instrument>s", "which of the <kind> sounds"."""
    kinds = {parameter.name: parameter.kind for parameter in template.parameters}
    found = re.search(r"\b(?:among|which of) the (?:\S+ )*?(<\w+>)(?:s| \w+s)\b", pattern, re.IGNORECASE)
    return found is not None and kinds.get(found[1]) == domain.relative_position_among


def words_of_program(pattern: str, template: Template, domain: Domain) -> Iterator[str]:
    """Words that say what the program does not do, and what it does without a word for it."""
    text = pattern.lower()
    used = {node.function for node in template.program}
    explaining: dict[str, set[str]] = {}  # words -> functions
    for name, function in functions_of(domain).items():
        for words in function.explains:
            explaining.setdefault(words, set()).add(name)
        if name in used and function.told_by and not re.search(rf"\b({function.told_by})\b", text):
            yield f"the program has {name}, but found none of the words {function.told_by.replace('|', ', ')}"
    for words, names in explaining.items():
        if (found := re.search(rf"\b({words})\b", text)) and not used & names:
            yield f"found {found[0]!r}, but the program has no {' or '.join(sorted(names))}"
    yield from _values(pattern, template.program, domain)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing of the kind"


def _values(pattern: str, program: Sequence[Node], domain: Domain) -> Iterator[str]:
    """Constant values that only the text or only the program has."""
    related = {written(node.values[0], domain) for node in program if function_named(node.function).value == RELATION}
    filtered = {written(value, domain) for node in program for value in node.values} - related
    relations = sorted((written(name, domain) for name in domain.relations), key=len, reverse=True)
    text = ASKED_DEGREE.sub("", pattern[:1].lower() + pattern[1:])
    if relations:
        found = set(re.findall(rf"\b({'|'.join(map(re.escape, relations))})\b", text))
        constant = {relation for relation in related if not relation.startswith("<")}
        if found != constant:
            yield f"found {_listed(found)}, but the program has {_listed(constant)}"
    names = {written(value, domain) for kind in domain.attributes for value in values_of(kind, domain)}
    names |= set(ordinals(domain)) | {written(part, domain) for part in domain.parts}
    for name in sorted(names):
        told = re.search(rf"(?<![\w#<]){re.escape(name)}(?![\w#>])", text) is not None
        if told != (name in filtered):
            yield f"the {'text' if told else 'program'} alone says {name!r}"


def operands(pattern: str, template: Template, domain: Domain) -> Iterator[str]:
    """Values on the wrong side of "than"."""
    last = template.program[-1]
    left, than, right = pattern.partition(" than ")
    function = function_named(last.function)
    if (function.inputs, function.output) != ((INTEGER, INTEGER), BOOLEAN) or not than:
        return
    values = [_values_above(template.program, number) for number in last.inputs]
    for own, other, side in ((values[0], values[1], left), (values[1], values[0], right)):
        for value in sorted(own - other):
            if written(value, domain) not in side:
                yield f"expected {written(value, domain)} on the other side of 'than'"


def _values_above(program: Sequence[Node], number: int) -> set[str]:
    """The values of a node and of all nodes that it depends on."""
    node = program[number]
    return set(node.values).union(*(_values_above(program, place) for place in node.inputs))
