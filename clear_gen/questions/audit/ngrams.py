"""The n-gram baseline: predicts answers from the words of a question alone, fitted to the training questions.

One log-linear model per question type (multinomial logistic regression) over the words, or the words and pairs, or also
triples of words that a text holds, wherever they stand; its answers are those of the type's training questions. Which
of the three, and the strength of the penalty on the squared weights, is chosen on the validation questions; the
strongest penalty leaves hardly more than the best constant.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse

LENGTHS = (1, 2, 3)  # of the longest n-grams, in words
LEAST_TEXTS = 2  # that hold an n-gram for it to count
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
# Of the optimiser: steps for each penalty, steps remembered, the gain, relative to the loss, that ends it; a step is
# halved until it gains this share of what the slope promises.
MAX_STEPS, MEMORY, TOLERANCE, LEAST_OF_EXPECTED, LEAST_STEP = 60, 8, 1e-6, 1e-4, 1e-12
Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]
WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*#?")


def words_of(text: str, names: Collection[str] = ()) -> list[str]:
    """The words of a text without punctuation, in small letters unless they are one of ``names``.

    The first word is always written small: there, a capital means nothing.

    >>> words_of("A violin plays an A or a C#?", {"A", "C#"})
    ['a', 'violin', 'plays', 'an', 'A', 'or', 'a', 'C#']
    """
    found = WORD.findall(text)
    return [sys.intern(word if place and word in names else word.lower()) for place, word in enumerate(found)]


def ngrams(words: Sequence[str], longest: int) -> set[str]:
    """The different runs of up to ``longest`` words.

    >>> sorted(ngrams(["how", "loud", "how"], 2))
    ['how', 'how loud', 'loud', 'loud how']
    """
    n = len(words)
    runs = ((start, start + length) for length in range(1, longest + 1) for start in range(n - length + 1))
    return {" ".join(words[start:stop]) for start, stop in runs}


@dataclass(frozen=True)
class Texts:
    """Questions of one type: the words of each, and the answer to each."""

    words: list[list[str]]
    answers: list[str]


@dataclass(frozen=True)
class NgramModel:
    """A trained model of one type. ``columns``: n-gram -> column; ``weights`` float [columns + 1, answers], the last
    row being the constant; ``longest`` n-gram and ``penalty`` as chosen, ``log_likelihood`` of the held-out answers."""

    columns: dict[str, int]
    answers: list[str]
    weights: np.ndarray
    longest: int
    penalty: float
    log_likelihood: float

    def predict(self, words: list[list[str]]) -> list[str]:
        """The likeliest answer to each question."""
        if not words:
            return []
        scores = matrix(words, self.columns, self.longest) @ self.weights[:-1] + self.weights[-1]
        return [self.answers[place] for place in scores.argmax(axis=1).tolist()]


def matrix(words: Sequence[Sequence[str]], columns: dict[str, int], longest: int) -> scipy.sparse.csr_matrix:
    """float [Q, columns]: 1 where a question holds an n-gram."""
    # sorted: sums of floats depend on the order
    rows = [sorted(columns[gram] for gram in ngrams(one, longest) if gram in columns) for one in words]
    ends = np.cumsum([0, *map(len, rows)])
    flat = np.fromiter((column for row in rows for column in row), np.int32, ends[-1])
    return scipy.sparse.csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(rows), len(columns)))


def train(training: Texts, validation: Texts) -> NgramModel:
    """The model that gives the validation answers the greatest likelihood.

    Without validation questions every fifth of the training questions stands in for them.
    """
    if not validation.words:
        training, validation = _divided(training)
    tried = [model for longest in LENGTHS for model in _models(training, validation, longest)]
    return max(tried, key=lambda model: model.log_likelihood)


def _models(training: Texts, validation: Texts, longest: int) -> Iterator[NgramModel]:
    """One model for every penalty."""
    counted = Counter(gram for words in training.words for gram in ngrams(words, longest))
    kept = sorted(gram for gram, n in counted.items() if n >= LEAST_TEXTS)
    columns = {gram: place for place, gram in enumerate(kept)}
    answers = sorted(set(training.answers))
    inputs, held_out = (matrix(texts.words, columns, longest) for texts in (training, validation))
    wanted = [answers.index(answer) for answer in training.answers]
    known = [(row, answers.index(answer)) for row, answer in enumerate(validation.answers) if answer in answers]
    rows, places = np.array(known, np.int64).reshape(-1, 2).T
    for penalty, weights in _path(inputs, np.eye(len(answers))[wanted]):
        shares = _log_shares(held_out[rows] @ weights[:-1] + weights[-1])
        yield NgramModel(columns, answers, weights, longest, penalty, float(shares[np.arange(len(rows)), places].sum()))


def _divided(texts: Texts) -> tuple[Texts, Texts]:
    """Four fifths, and every fifth question."""
    fifth = [place % 5 == 4 for place in range(len(texts.words))]
    parts = [[place for place, held in enumerate(fifth) if held == which] for which in (False, True)]
    first, second = (Texts([texts.words[k] for k in part], [texts.answers[k] for k in part]) for part in parts)
    return first, second


def _path(inputs: scipy.sparse.csr_matrix, wanted: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Penalties with their weights float [columns + 1, answers], each found from the one before."""
    transposed = inputs.T.tocsr()
    weights = np.zeros((inputs.shape[1] + 1, wanted.shape[1]))
    weights[-1] = np.log(wanted.sum(axis=0) / len(wanted))

    def loss(at: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
        log_shares = _log_shares(inputs @ at[:-1] + at[-1])
        excess = np.exp(log_shares) - wanted
        slope = np.vstack([transposed @ excess + penalty * at[:-1], excess.sum(axis=0)])
        return float(penalty / 2 * (at[:-1] ** 2).sum() - (log_shares * wanted).sum()), slope

    for penalty in PENALTIES:
        weights = minimised(partial(loss, penalty=penalty), weights)
        yield penalty, weights


def minimised(loss: Loss, start: np.ndarray) -> np.ndarray:
    """Where a smooth convex function is nearly least, by L-BFGS (Nocedal and Wright, "Numerical Optimization", 7.4).

    ``loss`` gives value and slope. Written out because SciPy's spends its time on waking BLAS threads for short
    vectors, and rounds otherwise with another number of them.
    """
    at, (value, slope) = start, loss(start)
    pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MEMORY)
    for _ in range(MAX_STEPS):
        direction = -_scaled(slope, pairs)
        expected = _dot(slope, direction)
        size = 1.0 if pairs else min(1.0, 1 / max(float(np.abs(slope).sum()), 1e-12))
        while (found := loss(at + size * direction))[0] > value + LEAST_OF_EXPECTED * size * expected:
            size /= 2
            if size < LEAST_STEP:
                return at
        change, bend = size * direction, found[1] - slope
        if _dot(change, bend) > 0:
            pairs.append((change, bend))
        at, gained = at + change, value - found[0]
        value, slope = found
        if gained <= TOLERANCE * abs(value):
            break
    return at


def _scaled(slope: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The slope times an estimate of the inverse curvature, from the last steps and the changes of slope over them."""
    factors = []
    for change, bend in reversed(pairs):
        factors.append(_dot(change, slope) / _dot(change, bend))
        slope = slope - factors[-1] * bend
    if pairs:
        change, bend = pairs[-1]
        slope = slope * (_dot(change, bend) / _dot(bend, bend))
    for (change, bend), factor in zip(pairs, reversed(factors), strict=True):
        slope = slope + (factor - _dot(bend, slope) / _dot(change, bend)) * change
    return slope


def _dot(left: np.ndarray, right: np.ndarray) -> float:
    return float((left * right).sum())


def _log_shares(scores: np.ndarray) -> np.ndarray:
    """float [Q, answers]: logarithms of the softmax of each row."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
