"""YAML and JSON from outside, checked against a pydantic model, with errors that name the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from clear_gen.io import InputError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A frozen model that refuses unknown fields, so that a typing mistake is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def load_yaml(path: Path, model: type[Model]) -> Model:
    """Read ``path`` and validate it as ``model``.

    Raises InputError naming file, line, field, found and expected.
    """
    return validate(parse_yaml(path), model, path)


def parse_yaml(path: Path) -> yaml.Node:
    """Read ``path`` as one YAML document tree. Aliases are refused: they serve no purpose here and can explode."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                at_line = event.start_mark.line + 1 if event.start_mark else 1
                raise InputError(f"{path}:{at_line}: found an alias *{event.anchor}, expected none")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        at_line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{path}:{at_line}: not valid YAML: found a control character, expected text") from None
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}{line}: not valid YAML: {problem}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply to be read, expected a few levels") from None
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path}:1: found no mapping, expected 'field: value' lines")
    return node


def validate(node: yaml.Node, model: type[Model], path: Path) -> Model:
    """Build ``model`` from a YAML tree; the error of the first wrong field names its line in ``path``."""
    try:
        return model.model_validate(plain(node, path))
    except ValidationError as error:
        raise invalid(error, node, path) from None


def invalid(error: ValidationError, node: yaml.Node, path: Path, under: tuple[str, ...] = ()) -> InputError:
    """One line for the first wrong field of ``error``, which was found in the part ``under`` of the tree ``node``."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    line, field = locate(node, (*under, *first["loc"], *context.get("at", ())))
    value = context.get("found", first["input"])
    found = type(value).__name__ if isinstance(value, dict | list) else repr(value)[:60]
    expected = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return InputError(f"{path}:{line}: {field}: found {found}, expected: {expected}{more}")


def misplaced(expected: str, found: Any, *at: int | str) -> PydanticCustomError:
    """The error of a model whose parts contradict each other: ``at`` leads from the model to the part that is wrong."""
    return PydanticCustomError("misplaced", expected, {"at": at, "found": found})


def plain(node: yaml.Node, path: Path) -> Any:
    """The plain Python value of a YAML tree. A repeated key is an error: the first value would be lost silently."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise InputError(f"{path}:{key.start_mark.line + 1}: {key.value}: found twice, expected once")
    loader = yaml.SafeLoader("")
    try:
        if isinstance(node, yaml.MappingNode):
            return {loader.construct_object(key, deep=True): plain(value, path) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [plain(value, path) for value in node.value]
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, TypeError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(f"{path}:{node.start_mark.line + 1}: {problem}") from None
    finally:
        loader.dispose()


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
    return line, ".".join(names) or "document"
