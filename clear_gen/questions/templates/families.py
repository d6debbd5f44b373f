"""Families of questions in YAML, expanded into templates.

A file describes how sounds are named, and families of questions about them:

    adjectives: [loudness]                 # attributes written before the noun, in this order
    nouns:                                 # the one whose attributes are exactly the others that are given
      - {of: [], forms: {one: "{adjectives} sound", many: "{adjectives} sounds"}}
      - {of: [instrument], forms: {one: "{adjectives} <instrument>", many: "{adjectives} <instrument>s"}}
    modifiers:                             # nodes after the attributes' filters; a form not given is the noun's
      nth: {function: filter_absolute_position, forms: {one: "<value> {one}"}}
    lists:                                 # names for lists of options
      anchors: [instrument, loudness+instrument, nth+instrument]
    phrases:                               # longer descriptions, built of parts that each family lists
      related:
        program: T(relate(the(A(scene())), R))
        forms: {one: ["{T} heard {R} the {A}", "{T} that is heard {R} the {A}"]}
    families:
      - id: note
        program: query_note(the(X))
        text: ["What is the note of the {X}?", "What note does the {X} have?"]
        parts:
          X: {related: {T: [instrument, any], A: anchors, R: [relation]}}

One template is made of every combination of the parts' options. An option is

- a description: attributes and modifiers joined by "+", or ``any``; ``T(set)`` in a program adds its nodes;
- a relation of the domain, or ``relation`` for a parameter that stands for any of them;
- of a part given as a mapping, a phrase with parts of its own, or a list of such parts; ``X`` in a program is the
  phrase's program.

Parts that vary together share a key: ``A B: [[instrument, note], [note, note]]``. In a program, ``the(x)`` is
``unique(x)``, or ``x`` where that is a sound already (the longest), ``a or b`` is CLEVR's node ``or``, and values in
quotes stand for themselves. In a text, ``{T}`` and ``{T.many}`` are forms of a part; where a form has several wordings,
the paraphrases take turns. ``different: [[A, B]]``: values that would make one of two descriptions part of the other
are excluded. ``words`` is the vocabulary, for the linter.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from clear_gen.core.config import Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.names import guess, not_among
from clear_gen.core.text import seen_text
from clear_gen.questions.language.functions.function import SOUND
from clear_gen.questions.language.functions.table import functions_of
from clear_gen.questions.language.program import Node, question_type
from clear_gen.questions.language.vocabulary import RELATION, written
from clear_gen.questions.templates.descriptions import Description, Forms, Naming
from clear_gen.questions.templates.template import Parameter, Template, check_template
from clear_gen.scenes.domain import Domain

MAX_TEMPLATES = 20_000  # of one file: a product of lists grows fast
SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
Listed = Annotated[list[str] | list[list[str]], Field(min_length=1)]
Given = str | Listed  # a list's name, or options, or options of parts that vary together
Expression = Annotated[str, Field(max_length=500)]
PhraseParts = dict[str, Given]


class _Phrase(Strict):
    program: Expression
    forms: Forms
    different: list[tuple[str, str]] = Field(default_factory=list)


class _Family(Strict):
    id: str = Field(pattern=r"^\S+$")
    program: Expression
    text: list[str] = Field(min_length=1)
    parts: dict[str, Given | dict[str, PhraseParts | list[PhraseParts]]] = Field(default_factory=dict)
    different: list[tuple[str, str]] = Field(default_factory=list)


class _File(Naming):
    lists: dict[str, Listed] = Field(default_factory=dict)
    phrases: dict[str, _Phrase] = Field(default_factory=dict)
    words: list[str] = Field(default_factory=list)
    families: list[_Family] = Field(min_length=1)


class _Problem(Exception):
    """An error description, to which the caller adds the location."""


def load_families(path: Path, domain: Domain) -> list[Template]:
    """The templates of a file of families, checked, in the file's order.

    Raises InputError naming file, family, field, found and expected.
    """
    content = load_yaml(path, _File, seen_text)
    at = ""
    templates: dict[str, Template] = {}
    try:
        content.check(domain)
        expansion = _Expansion(content, domain)
        for family in content.families:
            at = f"families: {family.id}: "
            for template in expansion.templates(family):
                if problem := check_template(template, domain, expansion.functions):
                    raise _Problem(f"{template.template_id}: {problem}")
                if template.template_id in templates:
                    raise _Problem(f"id: found {template.template_id} twice, expected once")
                templates[template.template_id] = template
                if len(templates) > MAX_TEMPLATES:
                    raise _Problem(f"parts: found more than {MAX_TEMPLATES:,} combinations, expected fewer")
    except (_Problem, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {at}{error}") from None
    return list(templates.values())


def words_of(path: Path) -> frozenset[str]:
    """The vocabulary listed in a file of families, without the domain's values."""
    return frozenset(load_yaml(path, _File, seen_text).words)


# --- options: what a part can be --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Choice:
    """An option: a description, a relation, or a phrase with a choice for each of its parts."""

    option: str
    parts: dict[str, _Choice] | None = None

    @property
    def id(self) -> str:
        below = [part.id for part in (self.parts or {}).values()]
        return ".".join([self.option.replace(" ", "-"), *below])


def _choices(parts: dict[str, Any], content: _File, at: str = "parts") -> Iterator[dict[str, _Choice]]:
    """Every combination of the parts' options."""
    names: list[list[str]] = []
    options: list[list[list[_Choice]]] = []
    for key, given in parts.items():
        names.append(key.split())
        listed = _listed(given, len(names[-1]), content, f"{at}: {key}")
        options.append(list(islice(listed, MAX_TEMPLATES + 1)))  # more are refused where templates are counted
    for combination in product(*options):
        yield {
            name: choice
            for group, chosen in zip(names, combination, strict=True)
            for name, choice in zip(group, chosen, strict=True)
        }


def _listed(given: Any, n_names: int, content: _File, at: str) -> Iterator[list[_Choice]]:
    if isinstance(given, dict):
        for phrase, parts in given.items():
            if phrase not in content.phrases:
                raise _Problem(f"{at}: {not_among(phrase, sorted(content.phrases), 'one of the phrases')}")
            for each in parts if isinstance(parts, list) else [parts]:
                for choice in _choices(each, content, f"{at}: {phrase}"):
                    yield [_Choice(phrase, choice)]
        return
    if isinstance(given, str):
        if given not in content.lists:
            raise _Problem(f"{at}: {not_among(given, sorted(content.lists), 'one of the lists')}")
        given = content.lists[given]
    for item in given:
        group = [item] if isinstance(item, str) else item
        if len(group) != n_names:
            raise _Problem(f"{at}: found {item!r}, expected {n_names} options")
        yield [_Choice(option) for option in group]


def _names(known: Any) -> str:
    return ", ".join(sorted(known)) or "none"


# --- assembling one template ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """A part of one template: its forms, and what it adds to a program."""

    forms: dict[str, tuple[str, ...]]
    steps: tuple[tuple[str, str | None], ...] = ()  # of a description: functions and their values
    kinds: dict[str, str] | None = None  # of a description: kind -> placeholder
    value: str | None = None  # of a relation
    phrase: ast.expr | None = None
    scope: dict[str, _Part] | None = None
    different: tuple[tuple[str, str], ...] = ()


class _Expansion:
    """Makes the templates of the families of one file."""

    def __init__(self, content: _File, domain: Domain) -> None:
        self.content, self.domain = content, domain
        self.functions = functions_of(domain)
        self.descriptions: dict[str, Description] = {}
        self.phrases: dict[str, ast.expr] = {}
        for name, phrase in content.phrases.items():
            if "one" not in phrase.forms:
                raise ValueError(f"phrases: {name}: forms: found no 'one', expected it")
            try:
                self.phrases[name] = _parsed(phrase.program)
            except _Problem as error:
                raise ValueError(f"phrases: {name}: program: {error}") from None

    def templates(self, family: _Family) -> Iterator[Template]:
        try:
            program = _parsed(family.program)
        except _Problem as error:
            raise _Problem(f"program: {error}") from None
        for serial, choices in enumerate(_choices(family.parts, self.content)):
            yield self.template(family, program, choices, serial)

    def template(self, family: _Family, program: ast.expr, choices: dict[str, _Choice], serial: int) -> Template:
        """The template of one combination. ``serial``: its number, so that wordings take turns."""
        parameters: list[Parameter] = []
        scope = {name: self.part(choice, parameters) for name, choice in choices.items()}
        nodes = _Nodes(self.functions)
        try:
            nodes.add(program, scope)
        except _Problem as error:
            raise _Problem(f"program: {error}") from None
        n_texts = max(len(family.text), *(len(part.forms["one"]) for part in scope.values()), 0)
        texts = [
            _filled(family.text[variant % len(family.text)], scope, variant + serial) for variant in range(n_texts)
        ]
        return Template(
            template_id=".".join([family.id, *(choice.id for choice in choices.values())]),
            question_type=question_type(list(nodes.numbers)),
            text=tuple(dict.fromkeys(texts)),
            program=tuple(nodes.numbers),
            parameters=tuple(parameters),
            different=_different(family.different, scope) + sum((part.different for part in scope.values()), ()),
        )

    def part(self, choice: _Choice, parameters: list[Parameter]) -> _Part:
        """One part, its placeholders numbered after those in ``parameters``, to which they are added."""
        if choice.parts is not None:
            scope = {name: self.part(below, parameters) for name, below in choice.parts.items()}
            forms = {name: _wordings(form) for name, form in self.content.phrases[choice.option].forms.items()}
            different = _different(self.content.phrases[choice.option].different, scope)
            return _Part(forms, phrase=self.phrases[choice.option], scope=scope, different=different)
        if choice.option == RELATION:
            name = _placeholder(RELATION, parameters)
            return _Part({"one": (name,)}, value=name)
        if choice.option in self.domain.relations:
            return _Part({"one": (written(choice.option, self.domain),)}, value=choice.option)
        if choice.option not in self.descriptions:
            self.descriptions[choice.option] = self.content.description(choice.option, self.domain)
        description = self.descriptions[choice.option]
        kinds = {kind: _placeholder(kind, parameters) for _, kind in description.steps if kind}
        return _Part(
            {name: tuple(_renamed(text, kinds) for text in form) for name, form in description.forms.items()},
            steps=tuple((function, kinds[kind] if kind else None) for function, kind in description.steps),
            kinds=kinds,
        )


def _wordings(form: str | list[str]) -> tuple[str, ...]:
    return (form,) if isinstance(form, str) else tuple(form)


def _placeholder(kind: str, parameters: list[Parameter]) -> str:
    number = 1 + sum(parameter.kind == kind for parameter in parameters)
    parameters.append(Parameter(f"<{kind}{number}>", kind))
    return parameters[-1].name


def _renamed(text: str, kinds: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda found: kinds.get(found[1], found[0]), text)


def _filled(text: str, scope: dict[str, _Part], turn: int) -> str:
    """A text with the forms of the parts for its slots."""

    def form(found: re.Match[str]) -> str:
        name, wanted = found[1], found[2] or "one"
        if name not in scope:
            near = guess(name, scope)
            raise _Problem(f"text: found {found[0]}{near} in {text!r}, expected one of the parts: {_names(scope)}")
        part = scope[name]
        if wanted not in part.forms:
            near, forms = guess(wanted, part.forms), _names(part.forms)
            raise _Problem(f"text: found {found[0]}{near} in {text!r}, expected one of the forms: {forms}")
        wordings = part.forms[wanted]
        return _filled(wordings[turn % len(wordings)], part.scope or {}, turn)

    return SLOT.sub(form, text)


def _different(pairs: list[tuple[str, str]], scope: dict[str, _Part]) -> tuple[tuple[str, str], ...]:
    """The placeholders that must differ so that, in each pair of descriptions, neither is part of the other."""
    found = []
    for first, second in ((_kinds(name, scope) for name in pair) for pair in pairs):
        shared = [kind for kind in first if kind in second]
        if shared and len(shared) == min(len(first), len(second)):
            found.append((first[shared[0]], second[shared[0]]))
    return tuple(found)


def _kinds(name: str, scope: dict[str, _Part]) -> dict[str, str]:
    part = _found(name, scope)
    if part is None or part.kinds is None:
        raise _Problem(f"different: found {name!r}, expected a part that is a description")
    return part.kinds


def _found(name: str, scope: dict[str, _Part]) -> _Part | None:
    """A part by its name, ``X.A`` being part A of the phrase X."""
    first, *rest = name.split(".", 1)
    part = scope.get(first)
    return _found(rest[0], part.scope or {}) if part and rest else part


# --- programs ---------------------------------------------------------------------------------------------------------


def _parsed(program: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(program, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _Problem(f"found {program!r}, expected nested calls such as count(T(scene()))") from None


class _Nodes:
    """Builds the nodes of a program; equal expressions share one node."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known
        self.numbers: dict[Node, int] = {}

    def add(self, tree: ast.expr, scope: dict[str, _Part]) -> int:
        """Add the nodes of an expression; the number of the last one."""
        if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or) and len(tree.values) == 2:
            return self.node("or", [self.add(value, scope) for value in tree.values], [])
        if isinstance(tree, ast.Name) and tree.id in scope:
            part = scope[tree.id]
            if part.phrase is None:
                raise _Problem(f"found {tree.id} alone, expected {tree.id}(a set)")
            return self.add(part.phrase, part.scope or {})
        if not isinstance(tree, ast.Call) or tree.keywords:
            raise _Problem(f"found {ast.unparse(tree)!r}, expected a call or a part")
        name = tree.func.id if isinstance(tree.func, ast.Name) else ast.unparse(tree.func)
        return self.call(name, tree.args, scope)

    def call(self, function: str, arguments: list[ast.expr], scope: dict[str, _Part]) -> int:
        values = [_value(each, scope) for each in arguments]
        given = [value for value in values if value is not None]
        inputs = [self.add(each, scope) for each, value in zip(arguments, values, strict=True) if value is None]
        if function == "the" and len(inputs) == 1:
            is_sound = self.known[list(self.numbers)[inputs[0]].function].output == SOUND
            return inputs[0] if is_sound else self.node("unique", inputs, [])
        part = _found(function, scope)
        if part is None:
            return self.node(function, inputs, given)
        if part.kinds is None or len(inputs) != 1:
            raise _Problem(f"found {function}(...), expected a description of one set")
        for step, value in part.steps:
            inputs = [self.node(step, inputs, [value] if value else [])]
        return inputs[0]

    def node(self, function: str, inputs: list[int], values: list[str]) -> int:
        if function not in self.known:
            raise _Problem(f"{not_among(function, sorted(self.known), 'a part, the, or one of')}")
        return self.numbers.setdefault(Node(function, tuple(inputs), tuple(values)), len(self.numbers))


def _value(tree: ast.expr, scope: dict[str, _Part]) -> str | None:
    """The value that a part or a quoted text gives to a function, None for what is no value."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        return tree.value
    return scope[tree.id].value if isinstance(tree, ast.Name) and tree.id in scope else None
