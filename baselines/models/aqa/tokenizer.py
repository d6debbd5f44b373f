"""Questions as token ids, answers as class ids: both lists come from the training questions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text, write_text

PADDING, UNKNOWN, START, END = range(4)
SPECIAL = ("<padding>", "<unknown>", "<start>", "<end>")
MAX_BYTES = 10_000_000
TOKEN = re.compile(r"\w+(?:[-']\w+)*#?|[^\w\s]")


def tokens_of(question: str) -> list[str]:
    """Words in lower case, a note such as ``c#`` being one, and punctuation.

    >>> tokens_of("Is the forty-third C# bright?")
    ['is', 'the', 'forty-third', 'c#', 'bright', '?']
    """
    return TOKEN.findall(question.lower())


def words_of(question: str) -> list[str]:
    """The tokens of a question without its punctuation."""
    return [token for token in tokens_of(question) if any(map(str.isalnum, token))]


@dataclass(frozen=True)
class Tokenizer:
    """``words``: id = index, the first four special. ``answers``: class = index."""

    words: tuple[str, ...]
    answers: tuple[str, ...]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def _classes(self) -> dict[str, int]:
        return {answer: number for number, answer in enumerate(self.answers)}

    def encode(self, questions: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """int64 [Q, L] ids, PADDING after each question's end; int64 [Q] tokens of each, start and end included."""
        rows = [
            [START, *(self._ids.get(token, UNKNOWN) for token in tokens_of(question)), END] for question in questions
        ]
        lengths = np.array([len(row) for row in rows], np.int64)
        ids = np.full((len(rows), int(lengths.max(initial=0))), PADDING, np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        return ids, lengths

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Those of the words that no training question has."""
        return [word for word in words if word not in self._ids]

    def classes(self, answers: Iterable[str]) -> np.ndarray:
        """int64 [Q]; -1 for an answer that no training question has."""
        return np.array([self._classes.get(answer, -1) for answer in answers], np.int64)


def tokenizer_of(questions: Iterable[str], answers: Iterable[str]) -> Tokenizer:
    """Every word and every answer that occurs, in alphabetical order."""
    words = sorted({token for question in questions for token in tokens_of(question)})
    return Tokenizer((*SPECIAL, *words), tuple(sorted(set(answers))))


def write_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write as JSON, atomically."""
    write_text(path, json.dumps({"words": tokenizer.words, "answers": tokenizer.answers}, ensure_ascii=False, indent=1))


def read_tokenizer(path: Path) -> Tokenizer:
    """Read what ``write_tokenizer`` wrote. Raises InputError naming file and field if it is something else."""
    try:
        stored = json.loads(read_text(path, MAX_BYTES, "the tokeniser of a run"))
    except (ValueError, RecursionError):
        raise InputError(f"{path}: found no JSON, expected the tokeniser of a run") from None
    for name in ("words", "answers"):
        values = stored.get(name) if isinstance(stored, dict) else None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or not values:
            raise InputError(f"{path}: {name}: found {str(values)[:40]!r}, expected a list of texts")
        if len(set(values)) < len(values):
            raise InputError(f"{path}: {name}: found one twice, expected each once")
    if tuple(stored["words"][: len(SPECIAL)]) != SPECIAL:
        raise InputError(f"{path}: words: found {stored['words'][:4]}, expected {', '.join(SPECIAL)} first")
    return Tokenizer(tuple(stored["words"]), tuple(stored["answers"]))
