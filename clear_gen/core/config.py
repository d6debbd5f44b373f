"""Parses external YAML and JSON and validates it against a pydantic model; errors name the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text
from clear_gen.core.text import has_controls, shown

Model = TypeVar("Model", bound=BaseModel)
MISSING = object()  # shown as found for a missing required field
WORDS = {  # type of a validation error -> what was expected; fields in braces are of its context
    "missing": "this field",
    "extra_forbidden": "no such field",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "dataclass_type"), "a mapping"),
    "string_type": "text",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} item(s)",
}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with libyaml
MAX_YAML_BYTES = 100_000  # fifty times the packaged domain; PyYAML needs about a second to parse it
MAX_INT_BITS = 256  # of a seed, for instance
MAX_YAML_DEPTH = 32  # a domain has 5 levels; tree walks recurse once per level


class Strict(BaseModel):
    """A frozen model that rejects unknown fields, so that misspelt names are never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def load_yaml(path: Path, model: type[Model], clean: Callable[[str], str] = str) -> Model:
    """Read ``path``, its text cleaned, and validate it as ``model``.

    Raises InputError naming file, line, field, found and expected.
    """
    return validate(parse_yaml(path, clean), model, path)


def parse_yaml(path: Path, clean: Callable[[str], str] = str) -> yaml.Node:
    """Read ``path``, its text cleaned, as one YAML document tree.

    Aliases, which can expand exponentially, are rejected.
    """
    text = clean(read_text(path, MAX_YAML_BYTES, "a YAML file"))
    try:
        _check_events(text, path)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.reader.ReaderError as error:
        at_line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{path}:{at_line}: not valid YAML: found a control character, expected text") from None
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        line = f":{mark.line + 1}" if mark is not None else ""
        raise InputError(f"{path}{line}: not valid YAML: {_problem(error)}") from None
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path}:1: found no mapping, expected 'field: value' lines")
    return node


def _check_events(text: str, path: Path) -> None:
    """Raise InputError for an alias or for deep nesting, before a tree of them is built."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        at_line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise InputError(f"{path}:{at_line}: found an alias *{event.anchor}, expected none")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            raise InputError(f"{path}:{at_line}: found more than {MAX_YAML_DEPTH} levels, expected a few")


def _problem(error: Exception) -> str:
    return shown(getattr(error, "problem", None) or first_line(error))


def validate(node: yaml.Node, model: type[Model], path: Path) -> Model:
    """Build ``model`` from a YAML tree; the error of the first wrong field names its line in ``path``."""
    try:
        return model.model_validate(plain(node, path))
    except ValidationError as error:
        raise invalid(error, node, path) from None


def invalid(error: ValidationError, node: yaml.Node, path: Path, under: tuple[str, ...] = ()) -> InputError:
    """One line for the first wrong field of ``error``, which was found in the part ``under`` of the tree ``node``."""
    wrong = first_wrong(error)
    line, field = locate(node, (*under, *wrong.location))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return InputError(f"{path}:{line}: {field}: {wrong}{more}")


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
        is_long = isinstance(self.found, dict | list) and self.found
        kept = type(self.found).__name__ if is_long else shown(repr(self.found)[:60])
        return f"found {'nothing' if self.found is MISSING else kept}, expected: {self.expected}"


def first_wrong(error: ValidationError) -> Wrong:
    """The first wrong field of ``error``, worded for users rather than programmers."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    location = (*first["loc"], *context.get("at", ()))
    found = MISSING if first["type"] == "missing" else context.get("found", first["input"])
    expected = WORDS[first["type"]].format(**context) if first["type"] in WORDS else first["msg"]
    return Wrong(location, found, expected.removeprefix("Value error, "))


def misplaced(expected: str, found: Any, *at: int | str) -> PydanticCustomError:
    """The error of a model whose parts contradict each other; ``at``: path from the model to the wrong part."""
    return PydanticCustomError("misplaced", expected, {"at": at, "found": found})


def plain(node: yaml.Node, path: Path, field: str = "") -> Any:
    """The plain Python value of a YAML tree. A repeated key is an error: the first value would be lost silently.

    ``field``: the dotted name of ``node``, for messages.
    """
    prefix = field and f"{field}."
    if isinstance(node, yaml.SequenceNode):
        return [plain(value, path, f"{prefix}{place}") for place, value in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node, path, field)
    values: dict[str, Any] = {}
    for key, value in node.value:
        at_line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{path}:{at_line}: {field or 'a key'}: found a list or a mapping, expected a name")
        if key.value in values:
            raise InputError(f"{path}:{at_line}: {shown(prefix + key.value)}: found twice, expected once")
        name = _scalar(key, path, field or "a key")
        values[key.value] = name, plain(value, path, shown(prefix + key.value))
    return dict(values.values())


def _scalar(node: yaml.Node, path: Path, field: str) -> Any:
    at = f"{path}:{node.start_mark.line + 1}: {field}"
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_object(node, deep=True)
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise InputError(f"{at}: {_problem(error)}") from None
    except (LookupError, AttributeError, ArithmeticError):  # PyYAML stumbles over '!!timestamp x' or '!!int ""'
        raise InputError(f"{at}: found {shown(node.value)}, expected what its tag or its form says") from None
    finally:
        loader.dispose()
    if isinstance(value, str) and has_controls(value):
        raise InputError(f"{at}: found {shown(value)}, expected text of one line")
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:  # Python refuses to print some that it reads
        raise InputError(f"{at}: found {shown(node.value)}, expected a number of at most {MAX_INT_BITS} bits")
    return value


def locate(node: yaml.Node, location: tuple[int | str, ...]) -> tuple[int, str]:
    """(line from 1 of the deepest part of ``location`` that the YAML tree holds, the location as a dotted name)."""
    line, names = node.start_mark.line + 1, []
    for depth, part in enumerate(location):
        child: yaml.Node | None = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
            line = child.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    child, line = value, key.start_mark.line + 1
        if child is not None:
            node = child
        elif depth < len(location) - 1:
            continue  # a name of pydantic's own, such as that of a union's branch
        names.append(str(part))
    return line, shown(".".join(names)) or "document"


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("[low, high] with low <= high")
    return bounds


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
