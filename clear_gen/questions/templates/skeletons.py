"""Templates compiled to program skeletons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clear_gen.questions.language.functions.function import LABEL
from clear_gen.questions.language.functions.table import function_named
from clear_gen.questions.language.program import question_type
from clear_gen.questions.language.program_skeleton import ANY, DESCRIBE, Places, ProgramSkeleton, Step
from clear_gen.questions.language.vocabulary import RANKS, RELATION, label_kinds, values_of
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain


def skeletons_of(templates: Sequence[Template], domain: Domain) -> list[ProgramSkeleton]:
    """The templates' skeletons, in the order of their first templates."""
    skeletons: dict[tuple[Step, ...], ProgramSkeleton] = {}
    for number, template in enumerate(templates):
        compiler = _Compiler(template, domain)
        steps = tuple(compiler.steps)
        skeleton = skeletons.setdefault(steps, ProgramSkeleton(steps))
        names = [parameter.name for parameter in template.parameters]
        skeleton.question_types.append(question_type(template.program))
        skeleton.templates.append(number)
        skeleton.places.append(compiler.places())
        skeleton.pairs.append([(names.index(left), names.index(right)) for left, right in template.different])
    for skeleton in skeletons.values():
        skeleton.finish()
    return list(skeletons.values())


class _Compiler:
    """The steps of one template, and the places of its values."""

    def __init__(self, template: Template, domain: Domain) -> None:
        self._template, self._domain, self._kinds = template, domain, label_kinds(domain)
        self._parameters = {parameter.name: number for number, parameter in enumerate(template.parameters)}
        self._descriptions: list[np.ndarray] = []
        self._ranks: list[int] = []
        self._relations: list[int] = []
        self._asked = ANY
        self.steps: list[Step] = []
        self._step_of: list[int] = []  # node -> step
        for number in range(len(template.program)):
            if not self._joins_description(number):
                self.steps.append(self._step(number))
                self._step_of.append(len(self.steps) - 1)

    def places(self) -> Places:
        """Where the template's values go."""
        described = np.stack(self._descriptions) if self._descriptions else np.empty((0, len(self._kinds)), np.int64)
        return Places(described, np.array(self._ranks, np.int64), np.array(self._relations, np.int64), self._asked)

    def _place(self, kind: str, value: str) -> int:
        if value in self._parameters:
            return self._parameters[value]
        return -2 - values_of(kind, self._domain).index(value)

    def _joins_description(self, number: int) -> bool:
        """Whether a node filters by a label and can be added to the description that it is applied to."""
        node = self._template.program[number]
        row = function_named(node.function)
        if row.step_name != DESCRIBE:
            return False
        before = self.steps[self._step_of[node.inputs[0]]]
        users = sum(node.inputs[0] in other.inputs for other in self._template.program)
        kind = self._kinds.index(row.value or "")
        if not before.is_description or users != 1 or self._descriptions[before.slot][kind] != ANY:
            return False
        self._descriptions[before.slot][kind] = self._place(self._kinds[kind], node.values[0])
        self._step_of.append(self._step_of[node.inputs[0]])
        return True

    def _step(self, number: int) -> Step:
        node = self._template.program[number]
        row = function_named(node.function)
        slot = kind = ANY
        if row.step_name == DESCRIBE:
            label = row.value or ""
            self._descriptions.append(np.full(len(self._kinds), ANY))
            self._descriptions[-1][self._kinds.index(label)] = self._place(label, node.values[0])
            slot = len(self._descriptions) - 1
        elif row.value in RANKS:
            self._ranks.append(self._place(row.value, node.values[0]))
            slot = len(self._ranks) - 1
        elif row.value == RELATION:
            self._relations.append(self._place(RELATION, node.values[0]))
            slot = len(self._relations) - 1
        elif row.kind is not None and row.output == LABEL:
            self._asked = [*self._kinds, *RANKS].index(row.kind)
        elif row.kind is not None:
            kind = self._kinds.index(row.kind)
        inputs = tuple(self._step_of[before] for before in node.inputs)
        return Step(row.step_name, inputs, slot, kind, row=row)
