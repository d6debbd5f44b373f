"""Parses external YAML and JSON and validates it against a pydantic model; errors name the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text
from clear_gen.core.rejected import wrong_fields
from clear_gen.core.text import has_controls, shown

Model = TypeVar("Model", bound=BaseModel)
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
        raise invalid(error, model, node, path) from None


def invalid(
    error: ValidationError, model: type[BaseModel], node: yaml.Node, path: Path, under: tuple[str, ...] = ()
) -> InputError:
    """One line for the first wrong field by the lines of the tree ``node``; one that is missing comes last.

    ``model``: which raised ``error`` for the part ``under`` of the tree.
    """
    found = wrong_fields(error, model)
    wrong = min(found, key=lambda one: (one.is_absent, locate(node, (*under, *one.location))[0]))
    line, field = locate(node, (*under, *wrong.location))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InputError(f"{path}:{line}: {field}: {wrong}{more}")


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
            continue  # a part of a default that the file does not name
        names.append(str(part))
    return line, shown(".".join(names)) or "document"


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("[low, high] with low <= high")
    return bounds


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
