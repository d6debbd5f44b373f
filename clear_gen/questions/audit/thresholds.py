"""What an audit is to find: few shortcuts for a text-only baseline, relations that matter, answers that are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clear_gen.questions.audit.figures import BANDS_FROM, DIGITS, OK, OUTSIDE, Figures, possible_answers
from clear_gen.questions.audit.text_only_baselines import (
    ALL,
    BANK_LOOKUP,
    CONSTANT_TYPE,
    NGRAMS,
    Score,
    Scores,
    summed,
)
from clear_gen.questions.language.vocabulary import YES
from clear_gen.scenes.domain import Domain

MOST_ABOVE_FLOOR = 0.03  # of the n-gram model, over all types
MOST_ABOVE_FLOOR_OF_TYPE = 0.1
RELATION_BLIND_BAND = (0.48, 0.52)  # correct answers to yes-or-no questions
LOOKUP_TOLERANCE = 0.05  # around chance
RELATION_BLIND = "relation_blind"  # name of the baseline that ``clause_ablation.relation_blind`` is; it learns nothing


@dataclass(frozen=True)
class Threshold:
    """A share, or with ``is_difference`` a difference of shares, beside its limits; all 0..1.

    ``n``: questions it was found on; ``error``: its standard error, 0 where it is no estimate.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    error: float
    is_difference: bool = False

    @property
    def verdict(self) -> str | None:
        """OK or OUTSIDE; None of an estimate from too few questions, which chance alone can move over a limit."""
        if self.low != self.high and self.n < BANDS_FROM:
            return None
        return OK if self.low <= round(self.value, DIGITS) <= self.high else OUTSIDE


Baselines = Mapping[str, Mapping[str, Scores]]  # baseline -> split -> scores


def thresholds_of(
    figures: Figures, baselines: Baselines, split: str | None, independent: str | None, domain: Domain
) -> list[Threshold]:
    """The thresholds that apply, from the figures of all splits together.

    What was trained is judged on ``split`` (None if nothing was); ``independent`` names the attribute that was drawn by
    a coin whatever the sound, if one was.
    """
    found = _of_clauses(figures)
    if split is not None:
        found += _of_texts(baselines[CONSTANT_TYPE][split], baselines[NGRAMS][split], split)
    found += _of_relations(summed(baselines[RELATION_BLIND].values()), domain)
    if split is not None and independent in baselines[BANK_LOOKUP][split]:
        score = baselines[BANK_LOOKUP][split][independent]
        chance = 1 / len(possible_answers(independent, domain))
        name = f"bank look-up on {independent.replace('_', ' ')}, above chance ({split})"
        found.append(_difference(name, score, chance, -LOOKUP_TOLERANCE, LOOKUP_TOLERANCE))
    return found


def _of_clauses(figures: Figures) -> list[Threshold]:
    of = figures.clauses
    found = [Threshold("answers that executing the program again confirms", of.confirmed / of.n, 1, 1, of.n, 0)]
    for how, hits, n in (
        ("removing", of.removable, of.removable_of),
        ("reversing", of.reversible, of.reversible_of),
    ):
        if n:
            found.append(Threshold(f"questions that {how} one relation leaves the same", hits / n, 0, 0, n, 0))
    return found


def _of_texts(floor: Scores, read: Scores, split: str) -> list[Threshold]:
    def above(name: str) -> float:
        return read[name].share - floor[name].share

    worst = max((name for name in read if name != ALL), key=above)
    return [
        _difference(f"n-grams above the floor ({split})", read[ALL], floor[ALL].share, -1, MOST_ABOVE_FLOOR),
        _difference(
            f"n-grams above the floor, worst type: {worst.replace('_', ' ')} ({split})",
            read[worst],
            floor[worst].share,
            -1,
            MOST_ABOVE_FLOOR_OF_TYPE,
        ),
    ]


def _difference(name: str, score: Score, from_: float, low: float, high: float) -> Threshold:
    return Threshold(name, score.share - from_, low, high, score.n, score.error, is_difference=True)


def _of_relations(blind: Scores, domain: Domain) -> list[Threshold]:
    """Labels and numbers together, and each type that is answered by yes or no."""
    known = [name for name in [*domain.question_types, *blind] if name in blind]
    yes_no = [name for name in dict.fromkeys(known) if name != ALL and YES in possible_answers(name, domain)]
    rest = [blind[name] for name in blind if name not in (ALL, *yes_no)]
    together = Score(sum(score.n for score in rest), sum(score.correct for score in rest))
    found = []
    if together.n:
        name = "relation-blind on labels and numbers"
        found.append(Threshold(name, together.share, 0, 0, together.n, together.error))
    for name in yes_no:
        score = blind[name]
        found.append(
            Threshold(
                f"relation-blind on {name.replace('_', ' ')}", score.share, *RELATION_BLIND_BAND, score.n, score.error
            )
        )
    return found
