"""What is wrong with a value that a pydantic model rejected, in words for users; never in pydantic's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from clear_gen.core.names import MAX_SHOWN, guess, nearest
from clear_gen.core.text import shown

MISSING = object()  # shown as found for a missing required field
WORDS = {  # type of a validation error -> what was expected; fields in braces are of its context
    "missing": "this field",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "dataclass_type"), "a mapping"),
    **dict.fromkeys(("string_type", "path_type"), "text"),
    "string_too_short": "text of at least {min_length} character(s)",
    "string_too_long": "text of at most {max_length} character(s)",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} item(s)",
    "json_invalid": "valid JSON",
}
OTHER = "a value of another form"
LIBRARY_TYPES = {*get_args(ErrorType)} - {"value_error"}  # messages of other types are our own


class Wrong(NamedTuple):
    """A field rejected by a model: location, value found, value expected. ``str`` gives the latter two."""

    location: tuple[int | str, ...]
    found: Any
    expected: str

    @property
    def field(self) -> str:
        """The dotted name, for messages."""
        return shown(".".join(map(str, self.location))) or "document"

    def __str__(self) -> str:
        return f"found {_seen(self.found)}, expected: {self.expected}"

    @property
    def is_absent(self) -> bool:
        """Whether the field is not there; its name may be, misspelt."""
        return self.found is MISSING and isinstance(self.location[-1], str)


def _seen(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    if isinstance(value, dict) and value:
        return f"a mapping of {shown(', '.join(map(str, value)))}"
    text = repr(value)
    return "a list" if isinstance(value, list) and len(text) > MAX_SHOWN else shown(text[:MAX_SHOWN])


def misplaced(expected: str, found: Any, *at: int | str) -> PydanticCustomError:
    """The error of a model whose parts contradict each other; ``at``: path from the model to the wrong part."""
    return PydanticCustomError("misplaced", expected, {"at": at, "found": found})


def first_wrong(error: ValidationError, model: type[BaseModel]) -> Wrong:
    """The first wrong field of an ``error`` that ``model`` raised."""
    return wrong_fields(error, model)[0]


def wrong_fields(error: ValidationError, model: type[BaseModel]) -> list[Wrong]:
    """The wrong fields of an ``error`` that ``model`` raised, in the order of its fields; those that are missing last.

    A name that is missing may be there, misspelt: then that is said first.
    """
    found: dict[tuple[int | str, ...], Wrong] = {}
    for one in error.errors():
        wrong = _wrong(one, model)
        if before := found.get(wrong.location):  # the alternatives of a union
            wrong = before._replace(expected=f"{before.expected} or {wrong.expected}")
        found[wrong.location] = wrong
    return sorted(found.values(), key=lambda wrong: wrong.is_absent)


def _wrong(one: ErrorDetails, model: type[BaseModel]) -> Wrong:
    context = one.get("ctx", {})
    location, names = _located((*one["loc"], *context.get("at", ())), model)
    found = MISSING if one["type"] == "missing" else context.get("found", one["input"])
    if one["type"] == "extra_forbidden":
        return Wrong(location, found, f"no such field{_instead(location[-1], names)}")
    expected = _expected(one["type"], one["msg"], context)
    if one["type"] == "literal_error":
        expected += guess(found, re.findall("'([^']*)'", expected))
    return Wrong(location, found, expected)


def _instead(name: int | str, names: Sequence[str]) -> str:
    if near := nearest(name, names):
        return f"; did you mean {near}?"
    return f", but one of: {', '.join(names)}" if names else ""


def _expected(type_: str, message: str, context: Mapping[str, Any]) -> str:
    if type_ in WORDS:
        return WORDS[type_].format(**context)
    return OTHER if type_ in LIBRARY_TYPES else message.removeprefix("Value error, ")


# --- where --------------------------------------------------------------------------------------------------------


def _located(location: Sequence[int | str], model: type[BaseModel]) -> tuple[tuple[int | str, ...], list[str]]:
    """The location without pydantic's names for the branches of unions; and the fields beside its last part."""
    kept: list[int | str] = []
    parts: list[Any] = [model]
    names = _fields(parts)
    for depth, step in enumerate(location, 1):
        inside = [part for whole in parts for part in _parts(whole, step)]
        if inside or not _is_branch_name(step, parts, is_last=depth == len(location)):
            kept.append(step)
            names = _fields(parts)
            parts = inside or [Any]
    return tuple(kept), names


def _is_branch_name(step: int | str, parts: Sequence[Any], is_last: bool) -> bool:
    """Whether ``step``, which no annotation knows, names an alternative; where there is a model it may be a field's."""
    alternatives = {str(branch) for part in parts for branch in _branches(part)} - {str(type(None))}
    return isinstance(step, str) and len(alternatives) > 1 and not (is_last and _fields(parts))


def _fields(annotations: Sequence[Any]) -> list[str]:
    models = [branch for one in annotations for branch in _branches(one) if _is_model(branch)]
    return list(dict.fromkeys(name for one in models for name in one.model_fields))


def _parts(annotation: Any, step: int | str) -> list[Any]:
    """The annotations of what is found at ``step`` in a value of ``annotation``."""
    found: list[Any] = []
    for branch in _branches(annotation):
        if branch is Any:
            found.append(Any)
        elif _is_model(branch):
            found += [branch.model_fields[str(step)].annotation] if step in branch.model_fields else []
        elif get_origin(branch) is dict or (get_origin(branch) in (list, tuple) and isinstance(step, int)):
            found.append(get_args(branch)[-1])
    return found


def _branches(annotation: Any) -> list[Any]:
    """The alternatives of a union, or the annotation itself, without validators."""
    if get_origin(annotation) is Annotated:
        return _branches(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [branch for one in get_args(annotation) for branch in _branches(one)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
