"""Fills values into a template's text pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clear_gen.questions.language.english import article, plural
from clear_gen.questions.language.vocabulary import written
from clear_gen.scenes.domain import Domain

SLOT = re.compile(r"(?:\b([Aa])n? )?(<\w+>)(s\b)?")


class Pattern:
    """A parsed text pattern: alternating text and placeholders."""

    def __init__(self, text: str, domain: Domain) -> None:
        self._domain = domain
        self._pieces: list[str] = []
        self._places: list[tuple[str, str | None, bool]] = []  # parameter, "a" or "A" before it, plural
        self._written: dict[tuple[int, str], str] = {}
        end = 0
        for slot in SLOT.finditer(text):
            self._pieces.append(text[end : slot.start()])
            self._places.append((slot[2], slot[1], slot[3] is not None))
            end = slot.end()
        self._pieces.append(text[end:])

    def text(self, values: Mapping[str, str]) -> str:
        """The text, given parameter -> value."""
        parts = [self._pieces[0]]
        for place, (parameter, _, _) in enumerate(self._places):
            parts.append(self._at(place, values[parameter]))
            parts.append(self._pieces[place + 1])
        return "".join(parts)

    def _at(self, place: int, value: str) -> str:
        if (known := self._written.get((place, value))) is not None:
            return known
        _, a, several = self._places[place]
        word = written(value, self._domain)
        text = plural(word) if several else word
        if a is not None:
            an = article(word)
            text = f"{an.capitalize() if a == 'A' else an} {text}"
        self._written[place, value] = text
        return text


def render(pattern: str, values: Mapping[str, str], domain: Domain) -> str:
    """Fill one text pattern with values.

    >>> from clear_gen.scenes.domain import packaged_domain
    >>> render("How many <I>s play a <N> <P>?", {"<I>": "bass", "<N>": "A#", "<P>": "end of the scene"},
    ...        packaged_domain("clear2"))
    'How many basses play an A# at the end of the scene?'
    """
    return Pattern(pattern, domain).text(values)
