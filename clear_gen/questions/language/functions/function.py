"""What a row of the function table says; the rows are in ``table``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clear_gen.questions.language.english import plural
from clear_gen.questions.language.vocabulary import GLOBAL
from clear_gen.scenes.domain import Domain

SET, SOUND, INTEGER, BOOLEAN, LABEL = "set", "sound", "integer", "boolean", "label"
KIND = "<kind>"  # in the row of a family: the kind of label that a member is about
PUBLISHED_KINDS = {GLOBAL: "position_global"}  # how CLEAR names a kind in its functions, where it differs

# What a description of a function's input is for
REFERENT, ORDINAL, EXTREME, SOME = "referent", "ordinal", "extreme", "some"
# How much of what the text says about the inputs also holds for the output
NOTHING, ALL, SAME_LABEL = "nothing", "all", "same label"


def _always(_domain: Domain) -> bool:
    return True


@dataclass(frozen=True, eq=False)  # a row is itself alone: quick to hash
class Function:
    """A function of programs, or a family with one member per kind of label.

    | field | meaning |
    |---|---|
    | name | as programs write it; members of a family append the kind: ``filter_instrument`` |
    | inputs, output | SET, SOUND, INTEGER, BOOLEAN or LABEL; a program may only end in one of the last three |
    | meaning | what it computes, in one sentence |
    | scalar | ``(scene: CompletedScene, *inputs, *values)``, for members also ``kind=``: the output on one scene |
    | batch | ``(executor: BatchExecutor, number of the step, *inputs)``: the output on many rows |
    | value | the kind of its side input: RELATION, a rank (ABSOLUTE, RELATIVE), or the label of a filter |
    | kind | the kind of label that it is about, if any |
    | kinds | domain -> the kinds that the family has members for; None if it is no family |
    | exists | whether a domain has the function |
    | question_type | of the questions whose programs end with it; ``{kind}``, ``{kinds}`` stand for a member's kind |
    | step | name of its step in a ``ProgramSkeleton``, where it is not ``name``: functions that run as one step |
    | describes | what a description of its input is for: REFERENT, ORDINAL, EXTREME or SOME |
    | keeps | what the text-only baselines know of the output: NOTHING, ALL that is known of every input, SAME_LABEL |
    | told_by | linter: pattern of words, one of which the text of a program with this function holds |
    | explains | linter: patterns of words that a text may hold because of this function |
    | published | its name in the CLEAR format, where it differs |
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    meaning: str
    scalar: Callable[..., Any]
    batch: Callable[..., Any]
    value: str | None = None
    kind: str | None = None
    kinds: Callable[[Domain], Sequence[str]] | None = None
    exists: Callable[[Domain], bool] = _always
    question_type: str = ""
    step: str = ""
    describes: str = SOME
    keeps: str = NOTHING
    told_by: str = ""
    explains: tuple[str, ...] = ()
    published: str = ""

    @property
    def step_name(self) -> str:
        """Name of its step in a ``ProgramSkeleton``."""
        return self.step or self.name

    @property
    def published_name(self) -> str:
        """Its name in the CLEAR format."""
        return self.published or self.name

    @property
    def leads_to_others(self) -> bool:
        """Whether it leads from one sound to others: by a relation, or by a label that they share."""
        return self.inputs == (SOUND,) and self.output == SET

    def member(self, kind: str) -> Function:
        """The member of this family for a kind of label."""

        def scalar(*arguments: Any) -> Any:
            return self.scalar(*arguments, kind=kind)

        def for_kind(text: str) -> str:
            return text.format(kind=kind.replace("_", " "), kinds=plural(kind))

        return replace(
            self,
            name=f"{self.name}_{kind}",
            scalar=scalar,
            value=kind if self.value == KIND else self.value,
            kind=kind,
            kinds=None,
            question_type=self.question_type.format(kind=kind, kinds=plural(kind)),
            step=self.step_name,
            told_by=for_kind(self.told_by),
            explains=tuple(map(for_kind, self.explains)),
            published=f"{self.published_name}_{PUBLISHED_KINDS.get(kind, kind)}",
        )
