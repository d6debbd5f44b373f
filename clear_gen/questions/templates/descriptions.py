"""How a set of sounds is named: adjectives, nouns and modifiers, as a file of families lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from clear_gen.core.config import Strict
from clear_gen.core.names import not_among
from clear_gen.questions.language.functions.function import SET
from clear_gen.questions.language.functions.table import functions_of
from clear_gen.scenes.domain import Domain

ANY = "any"
FORM = re.compile(r"\{(\w+)\}")
Forms = dict[str, str | Annotated[list[str], Field(min_length=1)]]


@dataclass(frozen=True)
class Description:
    """Wordings by form, with ``<kind>`` for values, and nodes: functions and the kinds of their values."""

    forms: dict[str, tuple[str, ...]]
    steps: tuple[tuple[str, str | None], ...]


class Noun(Strict):
    """The noun phrase of sounds of which these attributes are given."""

    of: list[str]
    forms: Forms


class Modifier(Strict):
    """A node added to a description, and how it changes the noun's forms."""

    function: str
    forms: Forms


class Naming(Strict):
    """The part of a file of families that says how sounds are named."""

    adjectives: list[str] = Field(default_factory=list)
    nouns: list[Noun] = Field(min_length=1)
    modifiers: dict[str, Modifier] = Field(default_factory=dict)

    def check(self, domain: Domain) -> None:
        """Raises ValueError for a name that the domain does not know, or a form that no noun has."""
        for name in [*self.adjectives, *(name for noun in self.nouns for name in noun.of)]:
            if name not in domain.attributes:
                raise ValueError(f"nouns: {not_among(name, domain.attributes)}")
        for noun in self.nouns:
            if "one" not in noun.forms:
                raise ValueError(f"nouns: of {noun.of}: forms: found no 'one', expected it")
        known = {name for name, function in functions_of(domain).items() if function.inputs == (SET,)}
        forms = {form for noun in self.nouns for form in noun.forms}
        for name, modifier in self.modifiers.items():
            if modifier.function not in known:
                raise ValueError(f"modifiers: {name}: function: {not_among(modifier.function, sorted(known))}")
            for text in (text for texts in modifier.forms.values() for text in _texts(texts)):
                if unknown := sorted(set(FORM.findall(text)) - forms):
                    raise ValueError(f"modifiers: {name}: forms: {not_among(unknown[0], sorted(forms))}")

    def description(self, option: str, domain: Domain) -> Description:
        """The description that an option such as ``nth+loudness+instrument`` stands for.

        Raises ValueError for unknown names, or if no noun fits.
        """
        names = [] if option == ANY else option.split("+")
        for name in names:
            if name not in domain.attributes and name not in self.modifiers:
                known = [ANY, *domain.attributes, *self.modifiers, *domain.relations]
                raise ValueError(f"parts: {option}: {not_among(name, known)}")
        attributes = [name for name in domain.attributes if name in names]
        forms = self._noun_forms(attributes, option)
        steps: list[tuple[str, str | None]] = [(f"filter_{name}", name) for name in attributes]
        for name, modifier in self.modifiers.items():
            if name in names:
                kind = functions_of(domain)[modifier.function].value
                steps.append((modifier.function, kind))
                forms |= {form: new for form, texts in modifier.forms.items() if (new := _modified(texts, forms, kind))}
        return Description(forms, tuple(steps))

    def _noun_forms(self, attributes: list[str], option: str) -> dict[str, tuple[str, ...]]:
        wanted = {name for name in attributes if name not in self.adjectives}
        adjectives = " ".join(f"<{name}>" for name in self.adjectives if name in attributes)
        for noun in self.nouns:
            if set(noun.of) == wanted:
                return {
                    form: tuple(" ".join(text.replace("{adjectives}", adjectives).split()) for text in _texts(texts))
                    for form, texts in noun.forms.items()
                }
        raise ValueError(f"parts: found {option!r}, expected nouns to list one of {sorted(wanted)}")


def _texts(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def _modified(texts: str | list[str], forms: dict[str, tuple[str, ...]], kind: str | None) -> tuple[str, ...]:
    """A modifier's texts with the noun's forms for ``{form}``, every wording of it in turn; none if it has not all."""
    found: list[str] = []
    for text in _texts(texts):
        slot = FORM.search(text)
        wordings = [text] if slot is None else [text.replace(slot[0], form) for form in forms.get(slot[1], ())]
        found += [wording.replace("<value>", f"<{kind}>") for wording in wordings]
    return tuple(found)
