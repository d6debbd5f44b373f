"""The values that programs filter by and answer with, and their English wording."""

from __future__ import annotations

from clear_gen.scenes.domain import Domain

YES, NO = "yes", "no"
ABSOLUTE, RELATIVE, GLOBAL = "absolute_position", "relative_position", "global_position"
POSITIONS = (ABSOLUTE, RELATIVE, GLOBAL)
RANKS = (ABSOLUTE, RELATIVE)
RELATION = "relation"
EXIST, COUNT, COUNT_COMPARE = "exist", "count", "count_compare"  # question types, besides labels and count_<kinds>
_ONES = ["", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_ONES += ["eleventh", "twelfth", *(f"{name}teenth" for name in ["thir", "four", "fif", "six", "seven", "eigh", "nine"])]
_TENS = ["", "", "twent", "thirt", "fort", "fift", "sixt"]


def ordinal(rank: int) -> str:
    """The word of a rank from 1 to 69.

    >>> [ordinal(rank) for rank in (1, 12, 20, 43)]
    ['first', 'twelfth', 'twentieth', 'forty-third']
    """
    if rank < 20:
        return _ONES[rank]
    tens, ones = divmod(rank, 10)
    return f"{_TENS[tens]}y-{_ONES[ones]}" if ones else f"{_TENS[tens]}ieth"


def ordinals(domain: Domain) -> list[str]:
    """The ranks that a sound of this domain's scenes can have, in words."""
    return [ordinal(rank) for rank in range(1, domain.sampling.sounds.max + 1)]


def label_kinds(domain: Domain) -> list[str]:
    """The kinds of labels that sounds have: the attributes, then the part of the scene."""
    return [*domain.attributes, *([GLOBAL] if domain.parts else [])]


def values_of(kind: str, domain: Domain) -> list[str]:
    """The values of an attribute, a position or ``relation``, in the domain's order."""
    if kind == RELATION:
        return list(domain.relations)
    if kind == GLOBAL:
        return list(domain.parts)
    if kind in (ABSOLUTE, RELATIVE):
        return ordinals(domain)
    return [str(value) for value in domain.attributes[kind].values]


def counts(domain: Domain) -> list[str]:
    """The possible results of a count."""
    return [str(number) for number in range(domain.sampling.sounds.max + 1)]


def answers_of_type(question_type: str, domain: Domain) -> list[str]:
    """The answers that questions of a type can have."""
    if question_type in domain.attributes or question_type in POSITIONS:
        return values_of(question_type, domain)
    return counts(domain) if is_count(question_type) else [YES, NO]


def is_count(question_type: str) -> bool:
    """Whether a type's answers are numbers: ``count``, ``count_instruments``, but not ``count_compare``."""
    return question_type.startswith(COUNT) and question_type != COUNT_COMPARE


def answers(domain: Domain) -> list[str]:
    """The closed list of all answers: 58 for clear2 (the paper prints 57 because it counts five instruments)."""
    listed = [answer for name in domain.question_types for answer in answers_of_type(name, domain)]
    return list(dict.fromkeys([YES, NO, *listed]))


def written(value: str, domain: Domain) -> str:
    """A value as questions write it.

    >>> from clear_gen.scenes.domain import packaged_domain
    >>> written("end of the scene", packaged_domain("clear2"))
    'at the end of the scene'
    """
    return domain.wording.get(value, value)
