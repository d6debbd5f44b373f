"""Programs: lists of nodes, each applied to the outputs of earlier nodes; the last one gives the answer.

That is CLEVR's form (Johnson et al. 2017, section 3.3). The functions are listed in ``functions.table``; what a program
answers on a scene is found by ``execute``.

A label that is unknown may be any of its attribute's: a program is ill-posed unless every completion of the unknowns
that it touches gives the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.names import guess, not_among
from clear_gen.core.text import shown
from clear_gen.questions.language.functions.function import SET, SOUND, Function
from clear_gen.questions.language.functions.table import function_named, functions_of
from clear_gen.questions.language.vocabulary import RELATION, values_of
from clear_gen.scenes.domain import Domain

MAX_NODES = 200
FIELDS = "function", "inputs", "values"  # of a node, as JSON
SHOWN = 80  # characters of what was found, in messages


@dataclass(frozen=True, slots=True)
class Node:
    """One step: a function, the numbers of the nodes it is applied to, and its value if it takes one."""

    function: str
    inputs: tuple[int, ...] = ()
    values: tuple[str, ...] = ()


Program = tuple[Node, ...]


def question_type(program: Sequence[Node]) -> str:
    """The question type of a program, from its last node."""
    return function_named(program[-1].function).question_type


def n_relations(program: Sequence[Node]) -> int:
    """Number of relations that a question states."""
    return sum(function_named(node.function).value == RELATION for node in program)


# --- from outside -----------------------------------------------------------------------------------------------------


def parse_program(raw: Any, domain: Domain, at: str = "program") -> Program:
    """Parse a program from a list of objects with ``function``, ``inputs`` and ``values``, as in question records.

    Raises InputError if it is malformed or fails ``check_program``; ``at`` is its location in the message.
    """
    nodes = raw.get("program") if isinstance(raw, Mapping) else raw
    if not isinstance(nodes, list) or not nodes:
        raise InputError(f"{at}: found {type(nodes).__name__}, expected a list of nodes, or one under 'program'")
    if len(nodes) > MAX_NODES:
        raise InputError(f"{at}: found {len(nodes):,} nodes, expected at most {MAX_NODES}")
    program = tuple(_node(node, f"{at}: node {number}") for number, node in enumerate(nodes))
    check_program(program, domain, at)
    return program


def _node(raw: Any, at: str) -> Node:
    expected = "an object with function, and perhaps inputs (numbers) and values (texts)"
    if not isinstance(raw, dict) or not isinstance(raw.get("function"), str):
        raise InputError(f"{at}: found {shown(str(raw)[:60])}, expected {expected}")
    if extra := sorted(map(str, set(raw) - set(FIELDS))):
        near = guess(extra[0], FIELDS)
        raise InputError(f"{at}: {shown(extra[0][:60])}: found an unknown field{near}, expected {expected}")
    inputs, values = raw.get("inputs", []), raw.get("values", [])
    if not isinstance(inputs, list) or any(type(place) is not int for place in inputs):
        raise InputError(f"{at}: inputs: found {shown(str(inputs)[:60])}, expected a list of numbers")
    if not isinstance(values, list) or any(not isinstance(value, str) for value in values):
        raise InputError(f"{at}: values: found {shown(str(values)[:60])}, expected a list of texts")
    return Node(raw["function"], tuple(inputs), tuple(values))


def check_program(program: Sequence[Node], domain: Domain, at: str = "program") -> None:
    """Raise InputError, in one line that begins with ``at``, unless arity, types and values are right."""
    if problem := problem_of(program, domain):
        raise InputError(f"{at}: {problem}")


def problem_of(
    program: Sequence[Node],
    domain: Domain,
    parameters: dict[str, str] | None = None,
    known: Mapping[str, Function] | None = None,
) -> str | None:
    """Describe the first type error of a program, or None.

    ``parameters``: name -> kind of the placeholders that a template's nodes may have as values. ``known``:
    ``functions_of(domain)``, for whoever checks many programs.
    """
    known = functions_of(domain) if known is None else known
    outputs: list[str] = []
    used: set[int] = set()
    for number, node in enumerate(program):
        at = f"node {number}"
        if node.function not in known:
            return f"{at}: function: {not_among(node.function, sorted(known))}"
        takes = known[node.function]
        if any(not 0 <= place < number for place in node.inputs):
            return f"{at}: inputs: found {_short(list(node.inputs))}, expected numbers of earlier nodes"
        given = tuple(outputs[place] for place in node.inputs)
        if given != takes.inputs:
            found, expected = (", ".join(types) or "nothing" for types in (given, takes.inputs))
            return f"{at}: inputs of {node.function}: found {found[:SHOWN]}, expected {expected}"
        if problem := _value_problem(node, takes.value, domain, parameters or {}):
            return f"{at}: {problem}"
        used.update(node.inputs)
        outputs.append(takes.output)
    if not outputs or outputs[-1] in (SET, SOUND):
        return f"last node: found {outputs[-1] if outputs else 'none'}, expected one that gives an answer"
    if unused := sorted(set(range(len(outputs) - 1)) - used):
        return f"node {unused[0]}: its output is used by no other node"
    return None


def _value_problem(node: Node, kind: str | None, domain: Domain, parameters: dict[str, str]) -> str | None:
    if len(node.values) != (kind is not None):
        return f"values of {node.function}: found {_short(list(node.values))}, expected {'one' if kind else 'none'}"
    if kind is None or parameters.get(node.values[0]) == kind:
        return None
    allowed = values_of(kind, domain)
    if node.values[0] in allowed:
        return None
    return f"values of {node.function}: {not_among(node.values[0], allowed)}"


def _short(value: object) -> str:
    return repr(value)[:SHOWN]
