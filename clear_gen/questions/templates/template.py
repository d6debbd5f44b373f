"""Templates of questions: text patterns and a program with parameters, in the form that CLEVR's generator introduced.

The JSON form is a list of objects, or ``{"templates": [...]}`` (Johnson et al. 2017, section 3.4 and its generator):

    {"id": "loudness_after",
     "question_type": "loudness",
     "text": ["How loud is the <I1> heard [right] after the <I2>?"],
     "nodes": [{"type": "scene", "inputs": []},
               {"type": "filter_instrument", "inputs": [0], "side_inputs": ["<I2>"]},
               {"type": "unique", "inputs": [1]}, ...],
     "params": [{"type": "instrument", "name": "<I1>"}, ...],
     "constraints": [{"type": "different", "params": ["<I1>", "<I2>"]}]}

In a text, ``<I1>s`` is the plural, "a" or "an" before a parameter agrees with its value, and what stands in brackets
may be left out. A parameter's type is an attribute, ``absolute_position``, ``relative_position``,
``global_position`` or ``relation``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, ValidationError

from clear_gen.core.config import Strict
from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text
from clear_gen.core.names import guess, not_among
from clear_gen.core.rejected import first_wrong
from clear_gen.core.text import has_controls, seen_text, shown
from clear_gen.questions.language.functions.function import Function
from clear_gen.questions.language.functions.table import functions_of
from clear_gen.questions.language.program import Node, Program, problem_of, question_type
from clear_gen.scenes.domain import Domain

MAX_JSON_BYTES = 50_000_000
MAX_TEXTS = 1000  # of one template
MAX_OPTIONAL = 6  # bracketed parts in one text: 64 variants
PLACEHOLDER = re.compile(r"<\w+>")
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A placeholder, brackets included (``<I1>``), and the kind of its values."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Template:
    """Text patterns that say the same, the program with placeholders as values, parameters that must differ."""

    template_id: str
    question_type: str
    text: tuple[str, ...]
    program: Program
    parameters: tuple[Parameter, ...]
    different: tuple[tuple[str, str], ...] = ()


def check_template(template: Template, domain: Domain, known: Mapping[str, Function] | None = None) -> str | None:
    """The first thing that is wrong with a template, in words, or None. ``known``: ``functions_of(domain)``."""
    functions = functions_of(domain) if known is None else known
    kinds = {parameter.name: parameter.kind for parameter in template.parameters}
    if len(kinds) != len(template.parameters):
        return "params: found a name twice"
    values = {function.value for function in functions.values()} - {None}
    for parameter in template.parameters:
        if not PLACEHOLDER.fullmatch(parameter.name):
            return f"params: name: found {parameter.name!r}, expected letters and digits in <>"
        if parameter.kind not in values:
            return f"params: type of {parameter.name}: {not_among(parameter.kind, sorted(map(str, values)))}"
    if problem := problem_of(template.program, domain, kinds, functions):
        return problem
    found = question_type(template.program)
    if found not in domain.question_types:
        return f"question_type: the program answers {found!r}, expected one of: {_listed(domain.question_types)}"
    if template.question_type != found:
        return f"question_type: found {template.question_type!r}, expected {found!r}, which the program answers"
    used = {value for node in template.program for value in node.values if value in kinds}
    if unused := sorted(set(kinds) - used):
        return f"params: {unused[0]} is used by no node"
    for text in template.text:
        placeholders = PLACEHOLDER.findall(text)
        if unknown := sorted(set(placeholders) - set(kinds)):
            return f"text: found {unknown[0]}{guess(unknown[0], kinds)}, expected one of the params in {text!r}"
        if missing := sorted(set(kinds) - set(placeholders)):
            return f"text: {missing[0]} is not in {text!r}"
    for pair in template.different:
        if len({kinds.get(name) for name in pair}) != 1 or pair[0] not in kinds or pair[0] == pair[1]:
            return f"constraints: found {', '.join(pair)}, expected two params of one type"
    return None


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(sorted(map(str, names)))


# --- JSON -------------------------------------------------------------------------------------------------------------


def _printable(text: str) -> str:
    if has_controls(text):
        raise ValueError("text of one line")
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_printable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$"), AfterValidator(_printable)]


class _Node(Strict):
    type: Name
    inputs: list[StrictInt] = Field(default_factory=list)
    side_inputs: list[Text] = Field(default_factory=list)


class _Parameter(Strict):
    type: Name
    name: Name


class _Constraint(Strict):
    type: Literal["different"]
    params: tuple[Name, Name]


class _Template(Strict):
    id: Name
    question_type: Name
    text: list[Text] = Field(min_length=1, max_length=MAX_TEXTS)
    nodes: list[_Node] = Field(min_length=1, max_length=100)
    params: list[_Parameter] = Field(default_factory=list)
    constraints: list[_Constraint] = Field(default_factory=list)


def read_json_templates(path: Path, domain: Domain) -> list[Template]:
    """The templates of a CLEVR-form file, checked.

    Raises InputError naming file, template, field, found and expected.
    """
    try:
        content = json.loads(seen_text(read_text(path, MAX_JSON_BYTES, "templates as JSON")), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON ({first_line(error)})") from None
    raw = content.get("templates") if isinstance(content, dict) else content
    if not isinstance(raw, list):
        raise InputError(f"{path}: found {type(raw).__name__}, expected a list of templates, or one under 'templates'")
    templates = [_from_json(item, f"{path}: templates[{number}]") for number, item in enumerate(raw)]
    for template in templates:
        if problem := check_template(template, domain):
            raise InputError(f"{path}: {template.template_id}: {problem}")
    return templates


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice[:60])}: found twice in one object")
    return found


def _from_json(item: Any, at: str) -> Template:
    try:
        found = _Template.model_validate(item)
    except ValidationError as error:
        wrong = first_wrong(error, _Template)
        raise InputError(f"{at}: {wrong.field if wrong.location else 'template'}: {wrong}") from None
    texts = tuple(dict.fromkeys(variant for text in found.text for variant in without_brackets(text, at)))
    if "" in texts:
        raise InputError(f"{at}: text: found one that can be empty, expected words outside of the brackets")
    return Template(
        template_id=found.id,
        question_type=found.question_type,
        text=texts,
        program=tuple(Node(node.type, tuple(node.inputs), tuple(node.side_inputs)) for node in found.nodes),
        parameters=tuple(Parameter(parameter.name, parameter.type) for parameter in found.params),
        different=tuple(constraint.params for constraint in found.constraints),
    )


def without_brackets(text: str, at: str = "text") -> list[str]:
    """All variants of a text with and without its bracketed parts.

    >>> without_brackets("the sound [that is] heard [right] after")
    ['the sound that is heard right after', 'the sound that is heard after', 'the sound heard right after', \
'the sound heard after']
    """
    parts = OPTIONAL.split(text)
    if any("[" in part or "]" in part for part in parts):
        raise InputError(f"{at}: text: found an unpaired or nested bracket in {text!r}")
    optional = parts[1::2]
    if len(optional) > MAX_OPTIONAL:
        raise InputError(f"{at}: text: found {len(optional)} bracketed parts, expected at most {MAX_OPTIONAL}")
    variants = []
    for kept in product((True, False), repeat=len(optional)):
        pieces = [part if place % 2 == 0 or kept[place // 2] else "" for place, part in enumerate(parts)]
        variants.append(" ".join("".join(pieces).split()))
    return variants


def as_json(templates: Sequence[Template]) -> str:
    """The templates in the CLEVR form, one per line."""
    lines = [json.dumps(_to_json(template), ensure_ascii=False) for template in templates]
    return '{"templates": [\n' + ",\n".join(lines) + "\n]}\n"


def _to_json(template: Template) -> dict[str, Any]:
    return {
        "id": template.template_id,
        "question_type": template.question_type,
        "text": list(template.text),
        "nodes": [
            {"type": node.function, "inputs": list(node.inputs), "side_inputs": list(node.values)}
            for node in template.program
        ],
        "params": [{"type": parameter.kind, "name": parameter.name} for parameter in template.parameters],
        "constraints": [{"type": "different", "params": list(pair)} for pair in template.different],
    }
