"""Traces: which sounds each step of a program keeps on a scene, and its output in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from clear_gen.questions.language.execute import IllPosed, Output, answer_of, completions, execute_on
from clear_gen.questions.language.functions.function import SET, SOUND
from clear_gen.questions.language.functions.table import function_named
from clear_gen.questions.language.program import Node
from clear_gen.questions.language.scene_facts import Facts, NoAnswer, facts_of
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One executed node. ``sounds``: its output or, where that is no sounds, those that it was applied to, numbered
    from 0 in the order of their onsets; ``perhaps``: those that depend on an unknown label. ``words``: its output.
    """

    node: Node
    sounds: tuple[int, ...]
    perhaps: tuple[int, ...]
    words: str


def steps_of(program: Sequence[Node], facts: Facts) -> tuple[list[TraceStep], str | IllPosed]:
    """The executable steps of a well-typed program, and its answer or the reason why it has none."""
    steps: list[TraceStep] = []
    for n_steps in range(1, len(program) + 1):
        try:
            runs = list(completions(program[:n_steps], facts))
        except NoAnswer as error:
            return steps, IllPosed(str(error))
        steps.append(_step(program[n_steps - 1], [run[-1] for run in runs], steps, facts))
    return steps, execute_on(program, facts)


def _step(node: Node, outputs: list[Output], before: Sequence[TraceStep], facts: Facts) -> TraceStep:
    kind = function_named(node.function).output
    if kind not in (SET, SOUND):
        words = " or ".join(dict.fromkeys(map(answer_of, outputs)))
        applied_to = [before[place] for place in node.inputs]
        sounds = set(chain.from_iterable(step.sounds for step in applied_to))
        perhaps = set(chain.from_iterable(step.perhaps for step in applied_to)) - sounds
        return TraceStep(node, tuple(sorted(sounds)), tuple(sorted(perhaps)), words)
    found = outputs if kind == SET else [(sound,) for sound in outputs]
    sure = set.intersection(*map(set, found))
    perhaps = set(chain.from_iterable(found)) - sure
    if kind == SOUND:
        words = " or ".join(sound_in_words(sound, facts) for sound in dict.fromkeys(outputs))
    else:
        each = [sound_in_words(sound, facts) for sound in sorted(sure)]
        each += [f"perhaps {sound_in_words(sound, facts)}" for sound in sorted(perhaps)]
        words = "; ".join(each) or "no sound"
    return TraceStep(node, tuple(sorted(sure)), tuple(sorted(perhaps)), words)


def trace(program: Sequence[Node], graph: SceneGraph, domain: Domain) -> list[str]:
    """Describe every step and its output; results that depend on an unknown label are marked."""
    steps, outcome = steps_of(program, facts_of(graph, domain))
    lines = []
    for number, step in enumerate(steps):
        inputs = f" of {', '.join(map(str, step.node.inputs))}" if step.node.inputs else ""
        what = f"{step.node.function}{''.join(f'[{value}]' for value in step.node.values)}{inputs}"
        lines.append(f"{number:>2}  {what:<44}  {step.words}")
    return [*lines, f"ill-posed: {outcome.reason}" if isinstance(outcome, IllPosed) else f"answer: {outcome}"]


def sound_in_words(sound: int, facts: Facts) -> str:
    """Describe a sound by its number and its labels."""
    labels = [facts.labels[name][sound] or f"{name}?" for name in facts.domain.attributes]
    return f"{sound + 1} ({' '.join(labels)})"
