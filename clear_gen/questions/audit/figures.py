"""What a set of questions is like: how many of each type and answer, from how many templates, in which words.

The figures of one split (or of all) beside the limits that balance is held to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from statistics import median
from typing import Literal

import numpy as np

from clear_gen.questions.audit.clause_ablation import ClauseAblation
from clear_gen.questions.audit.text_only_baselines import QuestionColumns
from clear_gen.questions.language.vocabulary import ABSOLUTE, GLOBAL, RELATIVE, answers_of_type, is_count
from clear_gen.scenes.domain import Domain

BANDS_FROM = 5000  # questions: with fewer, shares differ from what they are to be by chance
TYPE_TOLERANCE = 0.01
# Number of equally likely answers -> least and greatest share of each
EQUAL_BANDS = {2: (0.49, 0.51), 3: (0.32, 0.347), 6: (0.15, 0.185), 12: (0.07, 0.097)}
OTHER_TOLERANCE = 0.0135  # of other numbers of answers, and at most this share of the uniform share
OTHER_RELATIVE_TOLERANCE = 0.2
NATURAL_SHARE = 0.01  # of a rank or a number: those that are rarer come as they come
FLATTEST = 2.5  # largest share of a rank or a number, in times the uniform share
DIGITS = 9  # of a share, when it is compared with a limit: 0.53 - 0.5 is a hair over 0.03 in binary
OK, OUTSIDE = "ok", "outside"


@dataclass(frozen=True)
class Band:
    """Least and greatest among what is to be balanced, and the limits of both.

    ``unit``: shares (0..1), multiples of the uniform share, or differences from the shares that were asked for.
    ``verdict`` is None with too few questions.
    """

    least: float
    most: float
    low: float
    high: float
    unit: Literal["share", "times_uniform", "difference"]
    verdict: str | None


@dataclass(frozen=True)
class Spread:
    """Least, mean and greatest value."""

    least: float
    mean: float
    most: float


@dataclass(frozen=True)
class Use:
    """How many templates were used, and how often the most used one and the one in the middle."""

    templates: int
    most: int
    median: float


@dataclass(frozen=True)
class Clauses:
    """Of ``n`` questions: ``confirmed`` by executing them again; with a ``redundant`` filter word. Of those to which
    the rule applies (``_of``): with a relation that can be removed, or reversed, without changing the answer."""

    n: int
    confirmed: int
    redundant: int
    removable: int
    removable_of: int
    reversible: int
    reversible_of: int


@dataclass(frozen=True)
class TypeFigures:
    """One question type. ``answers``: answer -> number of questions, also the labels that do not occur; the ranks and
    numbers that do. ``entropy_of_uniform``: what it would be if they all were equally frequent."""

    n: int
    share: float
    answers: dict[str, int]
    entropy_bits: float
    entropy_of_uniform: float
    band: Band
    use: Use
    clauses: Clauses


@dataclass(frozen=True)
class Figures:
    """The questions of one split, or of all. ``lengths``: words -> questions; ``uses``: template -> questions."""

    n: int
    types: dict[str, TypeFigures]
    types_band: Band
    use: Use
    uses: dict[str, int]
    vocabulary: int
    words: Spread
    different_words: Spread
    nodes: Spread
    lengths: dict[int, int]
    clauses: Clauses


def figures_of(
    asked: QuestionColumns,
    ablations: Sequence[ClauseAblation],
    domain: Domain,
    types: Sequence[str],
    shares: Mapping[str, float] | None = None,
) -> Figures:
    """The figures of at least one question; ``types`` are those that were wanted, found or not.

    ``shares``: how often each was wanted, as fractions; equally often if None or empty.
    """
    names = [*types, *sorted({*asked.types} - {*types})]
    places = {name: asked.places_of(name) for name in names}
    n, enough = len(asked.types), len(asked.types) >= BANDS_FROM
    lengths = [len(words) for words in asked.words]
    uses = Counter(asked.templates)
    return Figures(
        n=n,
        types={name: _of_type(name, places[name], asked, ablations, domain) for name in names},
        types_band=types_band({name: len(of) for name, of in places.items()}, shares or {}, enough),
        use=_use(uses),
        uses=dict(uses.most_common()),
        vocabulary=len({word for words in asked.words for word in words}),
        words=_spread(lengths),
        different_words=_spread([len({*words}) for words in asked.words]),
        nodes=_spread(asked.n_nodes),
        lengths=dict(sorted(Counter(lengths).items())),
        clauses=clauses_of(ablations),
    )


def _of_type(
    name: str, places: Sequence[int], asked: QuestionColumns, ablations: Sequence[ClauseAblation], domain: Domain
) -> TypeFigures:
    counted = Counter(asked.answers[place] for place in places)
    possible = possible_answers(name, domain)
    answers = {answer: counted[answer] for answer in [*possible, *sorted({*counted} - {*possible})]}
    if is_graded(name):
        answers = {answer: n for answer, n in answers.items() if n}
    enough = len(asked.types) >= BANDS_FROM
    return TypeFigures(
        n=len(places),
        share=len(places) / len(asked.types),
        answers=answers,
        entropy_bits=entropy_bits(answers.values()),
        entropy_of_uniform=log2(max(len(answers), 1)),
        band=graded_band(answers, enough) if is_graded(name) else equal_band(answers, enough),
        use=_use(Counter(asked.templates[place] for place in places)),
        clauses=clauses_of([ablations[place] for place in places]),
    )


def possible_answers(type_: str, domain: Domain) -> list[str]:
    """The answers that questions of a type can have; none of a type that the domain does not have."""
    if type_ not in domain.question_types or (type_ == GLOBAL and not domain.parts):
        return []
    return answers_of_type(type_, domain)


def is_graded(type_: str) -> bool:
    """Whether a type's answers are ranks or numbers, which nature makes unequal."""
    return is_count(type_) or type_ in (ABSOLUTE, RELATIVE)


def entropy_bits(counts: Iterable[int]) -> float:
    """Entropy of the answers' shares in bits.

    >>> entropy_bits([2, 1, 1, 0])
    1.5
    """
    shares = np.array([*counts], float)
    shares = shares[shares > 0] / max(shares.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # no minus zero


# --- bands ------------------------------------------------------------------------------------------------------------


def types_band(counts: Mapping[str, int], shares: Mapping[str, float], enough: bool) -> Band:
    """The shares of the types: each within a point of what it was to be, equal ones if ``shares`` is empty."""
    total, equal = sum(counts.values()), 1 / len(counts)
    apart = [n / total - (shares.get(name, 0.0) if shares else equal) for name, n in counts.items()]
    return _band(apart, -TYPE_TOLERANCE, TYPE_TOLERANCE, enough, "difference")


def equal_limits(n_answers: int) -> tuple[float, float]:
    """Least and greatest share of each of so many answers that are to be equally frequent."""
    tolerance = min(OTHER_TOLERANCE, OTHER_RELATIVE_TOLERANCE / n_answers)
    return EQUAL_BANDS.get(n_answers, (1 / n_answers - tolerance, 1 / n_answers + tolerance))


def equal_band(answers: dict[str, int], enough: bool) -> Band:
    """The shares of answers that are to be equally frequent."""
    total = max(sum(answers.values()), 1)
    return _band([n / total for n in answers.values()], *equal_limits(max(len(answers), 1)), enough)


def graded_band(answers: dict[str, int], enough: bool) -> Band:
    """The shares of ranks or numbers that are not rare, in times the uniform share among them."""
    total = max(sum(answers.values()), 1)
    common = [n / total for n in answers.values() if n and n >= NATURAL_SHARE * total]
    return _band([share * len(common) for share in common], 0.0, FLATTEST, enough, "times_uniform")


def _band(
    values: Sequence[float],
    low: float,
    high: float,
    enough: bool,
    unit: Literal["share", "times_uniform", "difference"] = "share",
) -> Band:
    least, most = min(values, default=0.0), max(values, default=0.0)
    inside = round(low, DIGITS) <= round(least, DIGITS) and round(most, DIGITS) <= round(high, DIGITS)
    verdict = (OK if inside else OUTSIDE) if enough else None
    return Band(least, most, low, high, unit, verdict)


# --- templates, texts, clauses ----------------------------------------------------------------------------------------


def _use(uses: Counter[str]) -> Use:
    return Use(len(uses), max(uses.values(), default=0), float(median(uses.values())) if uses else 0.0)


def _spread(values: Sequence[int]) -> Spread:
    return Spread(min(values), sum(values) / len(values), max(values))


def clauses_of(ablations: Sequence[ClauseAblation]) -> Clauses:
    """What executing questions again showed, in numbers."""
    removable = [one.removable for one in ablations if one.removable is not None]
    reversible = [one.reversible for one in ablations if one.reversible is not None]
    return Clauses(
        n=len(ablations),
        confirmed=sum(one.confirmed for one in ablations),
        redundant=sum(one.redundant_words > 0 for one in ablations),
        removable=sum(removable),
        removable_of=len(removable),
        reversible=sum(reversible),
        reversible_of=len(reversible),
    )
