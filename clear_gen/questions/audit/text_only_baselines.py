"""Text-only baselines: they answer without the audio, and are compared with the best constant answer.

| baseline | knows | answers |
|---|---|---|
| constant_type | the question type | the most frequent answer to training questions of the type: the floor |
| constant_template | the template | the same of the template; of the type if the template is new |
| ngrams | the text | by a log-linear model of each type, fitted to the training questions (``ngrams``) |
| bank_lookup | program and bank | a query of an attribute: the most frequent label among the bank's sounds that the |
| | | referent's description fits; the rest: as constant_type |
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from clear_gen.questions.audit.ngrams import NgramModel, Texts, train
from clear_gen.questions.language.functions.function import ALL as ALL_OF_INPUTS
from clear_gen.questions.language.functions.function import LABEL, SAME_LABEL
from clear_gen.questions.language.functions.table import function_named
from clear_gen.questions.language.program import Node

ALL = "all"  # types, or splits, together
CONSTANT_TYPE, CONSTANT_TEMPLATE, NGRAMS, BANK_LOOKUP = "constant_type", "constant_template", "ngrams", "bank_lookup"


@dataclass(frozen=True)
class QuestionColumns:
    """The questions of one split, one list per column. ``words`` of each text, ``n_nodes`` of each program;
    ``looked_up``: what the bank look-up answers, None where the bank says nothing."""

    words: list[list[str]]
    answers: list[str]
    types: list[str]
    templates: list[str]
    n_nodes: list[int]
    looked_up: list[str | None]

    def places_of(self, type_: str) -> list[int]:
        """The places of the questions of a type."""
        return [place for place, name in enumerate(self.types) if name == type_]


@dataclass(frozen=True)
class Score:
    """``correct`` answers among ``n``."""

    n: int
    correct: int

    @property
    def share(self) -> float:
        """Share of correct answers, 0..1; 0 without questions."""
        return self.correct / self.n if self.n else 0.0

    @property
    def error(self) -> float:
        """Standard error of the share, 0..1."""
        return sqrt(self.share * (1 - self.share) / self.n) if self.n else 0.0


Scores = dict[str, Score]  # question type, or ALL -> score


def scores_of(types: Sequence[str], correct: Sequence[bool]) -> Scores:
    """The score of each type, and of all."""
    asked, hit = Counter(types), Counter(name for name, one in zip(types, correct, strict=True) if one)
    found = {name: Score(n, hit[name]) for name, n in asked.items()}
    return {**found, ALL: Score(len(types), hit.total())}


def summed(several: Iterable[Scores]) -> Scores:
    """The scores over several splits together."""
    found: Scores = {}
    for scores in several:
        for name, one in scores.items():
            before = found.get(name, Score(0, 0))
            found[name] = Score(before.n + one.n, before.correct + one.correct)
    return found


@dataclass(frozen=True)
class FittedBaselines:
    """Baselines fitted to the training questions: constants by type and by template, an n-gram model by type."""

    of_type: dict[Hashable, str]
    of_template: dict[Hashable, str]
    ngram_models: dict[str, NgramModel]


def fit_baselines(training: QuestionColumns, validation: QuestionColumns | None) -> FittedBaselines:
    """Fit to the training questions; the n-gram models are chosen on the validation questions."""
    models = {}
    for name in dict.fromkeys(training.types):
        models[name] = train(_texts(training, name), Texts([], []) if validation is None else _texts(validation, name))
    of_template = most_frequent(zip(training.types, training.templates, strict=True), training.answers)
    return FittedBaselines(most_frequent(training.types, training.answers), of_template, models)


def _texts(asked: QuestionColumns, type_: str) -> Texts:
    places = asked.places_of(type_)
    return Texts([asked.words[place] for place in places], [asked.answers[place] for place in places])


def most_frequent(keys: Iterable[Hashable], answers: Iterable[str]) -> dict[Hashable, str]:
    """The most frequent answer to each key; of several, the first in the alphabet.

    >>> most_frequent("xxxyy", "abbba")
    {'x': 'b', 'y': 'a'}
    """
    counts: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
    for key, answer in zip(keys, answers, strict=True):
        counts[key][answer] += 1
    return {key: min(of, key=lambda answer: (-of[answer], answer)) for key, of in counts.items()}


def score_baselines(fitted: FittedBaselines, asked: QuestionColumns) -> dict[str, Scores]:
    """Baseline -> its scores on the questions of a split. A type that was not in training is answered wrong."""
    constant = [fitted.of_type.get(name) for name in asked.types]
    keys = zip(asked.types, asked.templates, strict=True)
    predictions = {
        CONSTANT_TYPE: constant,
        CONSTANT_TEMPLATE: [fitted.of_template.get(key, of_type) for key, of_type in zip(keys, constant, strict=True)],
        NGRAMS: _ngram_predictions(fitted, asked),
        BANK_LOOKUP: [found or of_type for found, of_type in zip(asked.looked_up, constant, strict=True)],
    }
    return {
        name: scores_of(
            asked.types, [prediction == answer for prediction, answer in zip(predicted, asked.answers, strict=True)]
        )
        for name, predicted in predictions.items()
    }


def _ngram_predictions(fitted: FittedBaselines, asked: QuestionColumns) -> list[str | None]:
    predictions: list[str | None] = [None] * len(asked.types)
    for name, model in fitted.ngram_models.items():
        places = asked.places_of(name)
        for place, prediction in zip(places, model.predict([asked.words[place] for place in places]), strict=True):
            predictions[place] = prediction
    return predictions


# --- the bank ---------------------------------------------------------------------------------------------------------

BankColumns = Mapping[str, Sequence[Any]]  # attribute -> label of every elementary sound, None where unknown


def look_up(program: Sequence[Node], bank: BankColumns) -> str | None:
    """The most frequent known label among the bank's sounds that the referent of a query is described to be.

    None if the program asks for something else, for an attribute that the bank's columns lack, or nothing fits. Of
    several equally frequent labels, the first in the alphabet.
    """
    last = function_named(program[-1].function)
    attribute = last.kind
    if last.output != LABEL or attribute is None or attribute not in bank:
        return None
    named = [(name, value) for name, value in description(program, program[-1].inputs[0]) if name in bank]
    fitting = [
        str(label)
        for place, label in enumerate(bank[attribute])
        if label is not None and all(str(bank[name][place]) == value for name, value in named)
    ]
    return most_frequent([attribute] * len(fitting), fitting).get(attribute)


def description(program: Sequence[Node], place: int) -> list[tuple[str, str]]:
    """(attribute or position, value) pairs that hold for all sounds of a node's output, as far as the program says.

    Sounds with the same note as "the A# of the cello" have the note A#.
    """
    node = program[place]
    function = function_named(node.function)
    known = [pair for before in node.inputs for pair in description(program, before)]
    if function.keeps == SAME_LABEL:
        return [pair for pair in known if pair[0] == function.kind]
    if function.keeps != ALL_OF_INPUTS:
        return []
    own = [] if function.kind is None else [(function.kind, value) for value in node.values]
    return own + known
