"""Executes a program on one scene, under every completion of the unknown labels that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clear_gen.questions.language.functions.table import function_named
from clear_gen.questions.language.program import Node
from clear_gen.questions.language.scene_facts import CompletedScene, Facts, NoAnswer, UnknownLabel, facts_of
from clear_gen.questions.language.vocabulary import NO, YES, values_of
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph

# Limit of completions, above which a program counts as ill-posed; scenes of the packaged domain have a few.
MAX_RUNS = 100_000

Output = Any  # a sorted tuple of sounds, a sound, an integer, a boolean or a label


@dataclass(frozen=True, slots=True)
class IllPosed:
    """The reason why a program has no unique answer on a scene."""

    reason: str


def execute(program: Sequence[Node], graph: SceneGraph, domain: Domain) -> str | IllPosed:
    """The answer of a well-typed program on a scene, or an ``IllPosed`` reason."""
    return execute_on(program, facts_of(graph, domain))


def execute_on(program: Sequence[Node], facts: Facts) -> str | IllPosed:
    """Like ``execute``, on the facts of a scene."""
    answer = None
    try:
        for outputs in completions(program, facts):
            found = answer_of(outputs[-1])
            if answer not in (None, found):
                return IllPosed(f"the answer depends on an unknown label: {answer} or {found}")
            answer = found
    except NoAnswer as error:
        return IllPosed(str(error))
    assert answer is not None
    return answer


def completions(program: Sequence[Node], facts: Facts) -> Iterator[list[Output]]:
    """The outputs of all nodes under every completion of the unknown labels that the program reads."""
    waiting: list[dict[tuple[str, int], str]] = [{}]
    runs = 0
    while waiting:
        completion = waiting.pop()
        runs += 1
        if runs > MAX_RUNS:
            raise NoAnswer("it touches too many unknown labels")
        try:
            yield _outputs(program, CompletedScene(facts, completion))
        except UnknownLabel as unknown:
            place = (unknown.kind, unknown.sound)
            labels = values_of(unknown.kind, facts.domain)
            waiting += [{**completion, place: label} for label in reversed(labels)]


def _outputs(program: Sequence[Node], scene: CompletedScene) -> list[Output]:
    """The outputs of all nodes. Raises UnknownLabel, or NoAnswer naming the step."""
    found: list[Output] = []
    for number, node in enumerate(program):
        inputs = [found[place] for place in node.inputs]
        try:
            found.append(function_named(node.function).scalar(scene, *inputs, *node.values))
        except NoAnswer as error:
            raise NoAnswer(f"step {number}, {node.function}: {error}") from None
    return found


def answer_of(output: Output) -> str:
    """The answer text of a program's output: yes or no, a number, a label."""
    if isinstance(output, bool):
        return YES if output else NO
    return str(output)
