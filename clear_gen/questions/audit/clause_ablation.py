"""What each clause of a question is worth: execute its program again with a filter word or a relation left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clear_gen.questions.language.execute import execute_on
from clear_gen.questions.language.functions.function import LABEL, SET
from clear_gen.questions.language.functions.table import function_named
from clear_gen.questions.language.program import Node, Program, question_type
from clear_gen.questions.language.scene_facts import Facts
from clear_gen.questions.language.vocabulary import RELATION, RELATIVE, is_count
from clear_gen.scenes.domain import Domain

SCENE = Node("scene")


@dataclass(frozen=True, slots=True)
class ClauseAblation:
    """What executing one question again shows. None where there is nothing to show, or no rule.

    ``confirmed``: the stored answer comes out. ``redundant_words``: how many filter words can be left out, each alone,
    with the same answer. ``removable``: some relation can be removed, ``reversible``: reversed, with the same answer.
    ``relation_blind``: all relations can be removed at once.
    """

    confirmed: bool
    redundant_words: int
    removable: bool | None
    reversible: bool | None
    relation_blind: bool | None


def ablate_clauses(program: Program, answer: str, facts: Facts) -> ClauseAblation:
    """Execute a question's program on its scene, as it is and with its clauses altered."""

    def stays(altered: Program) -> bool:
        return execute_on(altered, facts) == answer

    kind = question_type(program)
    relations = relations_of(program)
    is_graded = is_label(program) or is_count(kind)
    removed = [with_node(program, place, SCENE) for place in relations] if is_graded else []
    reversed_ = [] if is_label(program) else list(_each_reversed(program, relations, facts.domain))
    return ClauseAblation(
        confirmed=stays(program),
        redundant_words=sum(
            stays(without_filter(program, place)) for place in droppable_filters(program, facts.domain)
        ),
        removable=any(map(stays, removed)) if removed else None,
        reversible=any(map(stays, reversed_)) if reversed_ else None,
        relation_blind=stays(relation_blind(program)) if relations else None,
    )


def is_label(program: Sequence[Node]) -> bool:
    """Whether a program asks for a label of a sound: removing a relation must change it, reversing one need not."""
    return function_named(program[-1].function).output == LABEL


def is_filter(node: Node) -> bool:
    """Whether a node keeps some sounds of a set by a value."""
    function = function_named(node.function)
    return function.inputs == (SET,) and function.output == SET and function.value is not None


def relations_of(program: Sequence[Node]) -> list[int]:
    """The numbers of the nodes that relate."""
    return [place for place, node in enumerate(program) if function_named(node.function).value == RELATION]


def droppable_filters(program: Sequence[Node], domain: Domain) -> list[int]:
    """The numbers of the filters of which a careless template could have too many.

    Where the answer is yes or no, only those that single out a sound for a relation or a comparison: among the others,
    a yes mostly stays a yes with fewer words. A relative position has to say among which kind of sound it ranks.
    """
    filters = [place for place, node in enumerate(program) if is_filter(node)]
    targets = below(program, len(program) - 1, stop=True)
    if not (is_label(program) or is_count(question_type(program))):
        return [place for place in filters if place not in targets]
    if question_type(program) == RELATIVE:
        kinds = [function_named(node.function).kind for node in program]
        return [place for place in filters if place not in targets or kinds[place] != domain.relative_position_among]
    return filters


def below(program: Sequence[Node], last: int, stop: bool = False) -> set[int]:
    """A node and all that it depends on; with ``stop``, not through a relation or a comparison with a sound."""
    found, waiting = set[int](), [last]
    while waiting:
        if (place := waiting.pop()) not in found:
            found.add(place)
            if not (stop and function_named(program[place].function).leads_to_others):
                waiting += program[place].inputs
    return found


def with_node(program: Program, place: int, node: Node) -> Program:
    """The program with another node at this place."""
    return (*program[:place], node, *program[place + 1 :])


def without_filter(program: Program, place: int) -> Program:
    """The program with whatever used a filter's output using its input instead."""
    (before,) = program[place].inputs
    rest = [
        replace(node, inputs=tuple(before if number == place else number for number in node.inputs))
        for node in program[place + 1 :]
    ]
    return (*program[:place], SCENE, *rest)  # a node that nobody uses keeps the others' numbers


def relation_blind(program: Program) -> Program:
    """The program with every relation leading to the whole scene.

    What only served to find a related sound is left out: whether it is well-posed no longer matters.
    """
    without = tuple(SCENE if function_named(node.function).value == RELATION else node for node in program)
    used = below(without, len(without) - 1)
    return tuple(node if place in used else SCENE for place, node in enumerate(without))


def _each_reversed(program: Program, relations: Sequence[int], domain: Domain) -> Iterator[Program]:
    mirror = mirrored(domain)
    for place in relations:
        if (other := mirror.get(program[place].values[0])) is not None:
            yield with_node(program, place, replace(program[place], values=(other,)))


def mirrored(domain: Domain) -> dict[str, str]:
    """Each relation with the one that leads as far to the other side, if the domain has it."""
    sides = {(rule.side, rule.nearest): name for name, rule in domain.relations.items()}
    found = {}
    for name, rule in domain.relations.items():
        other: Literal["before", "after"] = "before" if rule.side == "after" else "after"
        if (other, rule.nearest) in sides:
            found[name] = sides[other, rule.nearest]
    return found
