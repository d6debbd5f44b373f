"""Normalises free text from a model to the closed answers of a question type.

Goal: ``"It's an A sharp."`` and ``"a#"`` both mean the answer ``A#``; a text without a recognisable answer is None
(unparseable), which is counted and never guessed.

Conventions:

1. A text equal to one of the type's answers, up to case and surrounding space, is that answer.
2. Reasoning, tokens of chat templates, answer tags, boxes and the like are unwrapped first: ``wrapping`` has the rules.
   Text beside a marked answer is ignored, unless it can be read as another one, or says "the answer is" another one.
3. The text is split into words, and **every word must be accounted for**: it belongs to an answer of
   the type, or to a short closed list of neutral words ("it", "is", "the", "sound", the words of the
   question type, ...). Any other word ("not", "or", "maybe", "after") makes the text unparseable, and so do two
   different answers. A yes or no at the beginning may be followed by a sentence in the question's own words ("Yes,
   there is a violin before the cello."), unless that says the opposite.
4. Spellings of an answer, the longest first: its words; how questions write it (``domain.wording``); a part of the
   scene without "of the scene"; whole numbers in words; ranks as "third", "3rd", "3", "number three"; no count as
   "zero", "none", "no violins"; yes as "yeah", "yep", "true", no as "nope", "false".
5. Pitch classes: sharp as ``#``, ``♯`` or the word, flat as ``b``, ``♭`` or the word, and natural. Enharmonic equals
   are one answer (B flat is ``A#``, E sharp is ``F``), because they are one pitch class; an octave (``C#4``) is
   ignored.
6. "A" is the article before another word; it is the note at the end of a clause ("It is a."), after another article
   ("an A note") and before a word that no article precedes ("A is"). "A sharp sound" and "A C" could be either, and are
   not read; "It's a C" is.
7. A text that is unparseable for the question's type, but gives an answer of another type, is that answer, of the wrong
   type: "violin" to a question about a note.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from baselines.tasks.aqa.wrapping import unwrapped
from clear_gen.questions.language.english import plural
from clear_gen.questions.language.vocabulary import (
    ABSOLUTE,
    GLOBAL,
    NO,
    RELATIVE,
    YES,
    answers_of_type,
    is_count,
    ordinal,
    written,
)
from clear_gen.scenes.domain import Domain
from clear_gen.sounds.analysis import NOTES
from clear_gen.sounds.attributes import GivenAttribute

Words = tuple[str, ...]

BREAK = "|"  # stands for punctuation that ends a clause; no word contains it
STATED = re.compile(r"\banswer(?: is| would be| must be| should be|[ *_]*:)", re.IGNORECASE)
SENTENCE_END = re.compile(r"[.!?\n](?:\s|$)|\n")
MAX_STATED = 200  # characters of a statement that are read
QUALIFIED = re.compile(r"\b(?:final|correct|right|best) (?=answer\b)", re.IGNORECASE)
TOKEN = re.compile(
    r"(?<!\w)[-–]?\d+(?:[.,]\d+)*(?!\w)"  # a number; a minus and decimals are part of it
    r"|[^\W_]+(?:['’][^\W_]+)*[#♯♭]?\d*"  # a word, a note
    r"|\n|\s-(?=\s)|[^\s]"  # a line's end, a dash, a symbol
)
CLAUSE_ENDS = frozenset(".,;:!?()[]{}—–/…\n。、")
SILENT = frozenset("\"'“”‘’«»「」『』`*_-")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


FILLERS = _set(
    "a an the it its this that these there here i hear heard think believe is was are were be would say my answer in "
    "at of by on one sound sounds note notes tone pitch instrument instruments played plays playing play position "
    "number scene recording"
)
COUNT_FILLERS = _set("different times total exactly only")
COMPARING = _set(
    "more fewer less than as many equal same number not isn't aren't don't doesn't do does have has any all and both "
    "different louder quieter brighter darker"
)
NOUN_FREE = _set(
    "there it they the that this"
)  # may follow yes or no; in "no sound", "no idea" the "no" is not an answer
NO_ARTICLE_BEFORE = _set("is was are were in at of by the that it i there")
SYNONYMS = {"start": "beginning", "center": "middle", "centre": "middle"}
YES_NO_WORDS = {YES: ("yes", "yeah", "yep", "true"), NO: ("no", "nope", "false")}
_SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_SMALL += [f"{name}teen" for name in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty"]
_SHIFTS = {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1, "natural": 0}


def cardinal(number: int) -> str:
    """A whole number from 0 to 69 in words.

    >>> [cardinal(number) for number in (0, 12, 20, 43)]
    ['zero', 'twelve', 'twenty', 'forty-three']
    """
    if number < len(_SMALL):
        return _SMALL[number]
    tens = _TENS[number // 10 - 2]
    return f"{tens}-{_SMALL[number % 10]}" if number % 10 else tens


@dataclass(frozen=True)
class Grammar:
    """The texts accepted as answers to one question type.

    ``answers``: all of the type. ``small``: answers by their lower-case text, None where two share it. ``forms``:
    answers by the words of each spelling, None where two answers share it. ``longest``: words of the longest spelling.
    ``fillers``: neutral words. ``sentence``: words that may follow a leading yes or no, empty for other
    types.
    """

    answers: frozenset[str]
    small: Mapping[str, str | None]
    forms: Mapping[Words, str | None]
    longest: int
    fillers: frozenset[str]
    sentence: frozenset[str]


def normalise(text: str | None, question_type: str, domain: Domain) -> str | None:
    """The answer that ``text`` gives to a question of this type, or None if none is recognised.

    >>> from clear_gen.scenes.domain import packaged_domain
    >>> clear2 = packaged_domain("clear2")
    >>> [normalise(text, "note", clear2) for text in ("It's an A sharp.", "b♭", "A", "a violin", "C or D")]
    ['A#', 'A#', 'A', None, None]
    >>> normalise("the 3rd", "absolute_position", clear2), normalise("Three violins.", "count", clear2)
    ('third', '3')
    """
    return read(text, grammar(question_type, domain))


def normalise_all(texts: Iterable[str | None], question_types: Iterable[str], domain: Domain) -> list[str | None]:
    """``normalise`` for many texts, each with the type of its question.

    A text without an answer of its type gives that of another type, if it has one: an answer of the wrong type.
    """
    names = list(question_types)
    grammars = {name: grammar(name, domain) for name in dict.fromkeys([*domain.question_types, *names])}
    pairs = list(zip(texts, names, strict=True))
    known = {(text, name): _of_any_type(text, name, grammars) for text, name in dict.fromkeys(pairs)}
    return [known[pair] for pair in pairs]


def _of_any_type(text: str | None, name: str, grammars: Mapping[str, Grammar]) -> str | None:
    """The answer of the type ``name``, or else the first one of another type that is none of this type's."""
    own = grammars[name]
    found = (read(text, one) for one in (own, *grammars.values()))
    first = next(found)
    if first is not None or text is None:
        return first
    return next((answer for answer in found if answer is not None and answer not in own.answers), None)


def read(text: str | None, of: Grammar) -> str | None:
    """The answer that ``text`` gives under a grammar, or None."""
    if text is None:
        return None
    if (answer := _itself(unicodedata.normalize("NFC", text), of)) is not None:
        return answer
    said = unwrapped(text)
    found = {_read_part(part, of) for part in said.parts}
    if None not in found:
        found |= {answer for text in said.beside for answer in _stated(text, of)}
    return found.pop() if len(found) == 1 else None


def _itself(text: str, of: Grammar) -> str | None:
    """The answer that a text is equal to, up to case and surrounding space."""
    text = text.strip()
    return text if text in of.answers else of.small.get(text.casefold())


def _read_part(text: str, of: Grammar) -> str | None:
    """The answer in a text without wrapping."""
    if (answer := _itself(text, of)) is not None:
        return answer
    words = _words(QUALIFIED.sub("", text))
    if of.sentence and not _stands_alone(words, of):
        return None
    is_sentence = bool(of.sentence) and words[:1] in of.forms
    return _only_answer(words, of, of.fillers | of.sentence if is_sentence else of.fillers)


def _stated(text: str, of: Grammar) -> Iterator[str]:
    """The answers that a text beside the answer gives, as a whole or after "the answer is"."""
    if (answer := _read_part(text, of)) is not None:
        yield answer
    for match in STATED.finditer(text):
        clause = SENTENCE_END.split(text[match.end() : match.end() + MAX_STATED], maxsplit=1)[0]
        if (answer := _read_part(clause, of)) is not None:
            yield answer


def _words(text: str) -> Words:
    """The lower-case words of a text, BREAK where a clause ends; other symbols are words of their own."""
    words: list[str] = []
    for token in TOKEN.findall(text):
        if token in CLAUSE_ENDS or token[0].isspace():
            if words and words[-1] != BREAK:
                words.append(BREAK)
        elif token not in SILENT:
            words.append(token.casefold().replace("’", "'").removesuffix("'s"))
    return tuple(words[:-1] if words and words[-1] == BREAK else words)


def _only_answer(words: Words, of: Grammar, fillers: frozenset[str]) -> str | None:
    """The answer that all spellings in ``words`` agree on, if every other word is a filler."""
    found: set[str | None] = set()
    at = 0
    while at < len(words):
        length = _spelled(words, at, of)
        if length and words[at] == "a" and _may_be_article(words, at, length):
            if length > 1 or _could_be_two(words, at, of):
                return None
            length = 0
        if length:
            found.add(of.forms[words[at : at + length]])
        elif words[at] != BREAK and words[at] not in fillers:
            return None
        at += length or 1
    return found.pop() if len(found) == 1 else None


def _spelled(words: Words, at: int, of: Grammar) -> int:
    """Number of words from ``at`` on that spell an answer, by the longest spelling; 0 if none does."""
    lengths = range(min(of.longest, len(words) - at), 0, -1)
    return next((length for length in lengths if words[at : at + length] in of.forms), 0)


def _may_be_article(words: Words, at: int, length: int) -> bool:
    """Whether the "a" that begins the ``length`` words from ``at`` on could be the article."""
    following = words[at + length] if at + length < len(words) else BREAK
    after_article = at > 0 and words[at - 1] in ("a", "an", "the")
    return not after_article and following != BREAK and following not in NO_ARTICLE_BEFORE


def _could_be_two(words: Words, at: int, of: Grammar) -> bool:
    """Whether the "a" at ``at`` and what follows are a clause of their own: "A C" could be two notes."""
    end = at + 1 + _spelled(words, at + 1, of)
    return words[at - 1 : at] in ((), (BREAK,)) and end > at + 1 and words[end : end + 1] in ((), (BREAK,))


def _stands_alone(words: Words, of: Grammar) -> bool:
    """Whether the first yes or no ends a clause or begins a sentence, unlike that of "no idea"."""
    at = next((at for at in range(len(words)) if words[at : at + 1] in of.forms), len(words))
    return at + 1 >= len(words) or words[at + 1] == BREAK or words[at + 1] in NOUN_FREE


# --- the grammar of a type --------------------------------------------------------------------------------------------


def grammar(question_type: str, domain: Domain) -> Grammar:
    """The grammar of a question type."""
    answers = answers_of_type(question_type, domain)
    yes_no = answers == [YES, NO]
    forms: dict[Words, str | None] = {}
    for spelled in _spellings(question_type, answers, domain):
        for words, answer in spelled:
            forms[words] = answer if forms.get(words, answer) == answer else None
    forms.pop((), None)
    fillers = FILLERS | set(question_type.split("_"))
    if is_count(question_type):
        fillers |= COUNT_FILLERS | {word for word in _domain_words(domain) if not word.isdecimal()}
    return Grammar(
        answers=frozenset(answers),
        small=_in_small_letters(answers),
        forms=forms,
        longest=max(map(len, forms), default=0),
        fillers=frozenset(fillers),
        sentence=frozenset(COMPARING | _domain_words(domain) | _relation_words(domain)) if yes_no else frozenset(),
    )


def _in_small_letters(answers: list[str]) -> dict[str, str | None]:
    """Answers by their lower-case text, None where two share it."""
    found: dict[str, str | None] = {}
    for answer in answers:
        small = answer.casefold()
        found[small] = None if small in found else answer
    return found


def _spellings(question_type: str, answers: list[str], domain: Domain) -> list[Iterable[tuple[Words, str]]]:
    """The spellings of the answers of a type, of each kind."""
    rule = domain.attributes.get(question_type)
    spellings: list[Iterable[tuple[Words, str]]] = [
        [(_words(answer), answer) for answer in answers],
        [(_words(written(answer, domain)), answer) for answer in answers],
    ]
    if answers == [YES, NO]:
        spellings.append([((word,), answer) for answer in answers for word in YES_NO_WORDS[answer]])
    elif question_type in (ABSOLUTE, RELATIVE):
        spellings.append(_ranks(answers).items())
    elif question_type == GLOBAL:
        spellings.append(_parts(answers).items())
    elif isinstance(rule, GivenAttribute) and rule.is_pitch_class:
        spellings.append(_notes(answers).items())
    else:
        whole = [(int(answer), answer) for answer in answers if answer.isdecimal()]
        spellings.append([(_words(cardinal(number)), answer) for number, answer in whole if number < 70])
    if is_count(question_type):
        spellings.append([(words, "0") for words in _nothing(domain)])
    return spellings


def _ranks(answers: list[str]) -> dict[Words, str]:
    """Ranks in figures and after "number" or "position"; ``answers`` are the ordinals from the first on."""
    spellings: dict[Words, str] = {}
    for rank, answer in enumerate(answers, 1):
        ending = "th" if rank in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
        spellings |= {
            (f"{rank}",): answer,
            ("#", f"{rank}"): answer,
            (f"{rank}{ending}",): answer,
            _words(ordinal(rank)): answer,
        }
        spellings |= {(name, *_words(cardinal(rank))): answer for name in ("number", "position")}
    return spellings


def _parts(answers: list[str]) -> dict[Words, str]:
    """Parts of the scene without the words in which all of them end, and with SYNONYMS."""
    taken = {_words(answer): answer for answer in answers}
    shared = 0
    while len(taken) > 1 and len({words[-shared - 1 :] for words in taken}) == 1:
        shared += 1
    spellings = {words[: len(words) - shared]: answer for words, answer in taken.items()}
    for synonym, word in SYNONYMS.items():
        for words, answer in [*taken.items(), *spellings.items()]:
            spelled = tuple(synonym if other == word else other for other in words)
            if spelled not in taken:
                spellings.setdefault(spelled, answer)
    return spellings


def _notes(answers: list[str]) -> dict[Words, str]:
    """Pitch classes by letter, accidental and octave."""
    spellings: dict[Words, str] = {}
    for letter in "ABCDEFG":
        small = letter.lower()
        spelled: dict[str, int] = {small: 0, **{f"{small}{mark}": _SHIFTS[mark] for mark in "#♯b♭"}}
        octaves = ["", *map(str, range(10))]
        shifts: dict[Words, int] = {(f"{name}{octave}",): by for name, by in spelled.items() for octave in octaves}
        for mark, by in _SHIFTS.items():
            if mark != "b":
                shifts[small, mark] = by
        for words, by in shifts.items():
            answer = NOTES[(NOTES.index(letter) + by) % len(NOTES)]
            if answer in answers:
                spellings[words] = answer
    return spellings


def _nothing(domain: Domain) -> list[Words]:
    """Ways to express a count of zero."""
    things = ["sound", "instrument", *(str(value) for rule in domain.attributes.values() for value in rule.values)]
    return [("none",), *(("no", *_words(name)) for thing in things for name in (thing, plural(thing)))]


def _domain_words(domain: Domain) -> set[str]:
    """The words of the domain's values, one or several, and of its parts."""
    values = [str(value) for rule in domain.attributes.values() for value in rule.values]
    texts = [*values, *map(plural, values), *domain.parts, *domain.wording.values()]
    return {word for text in texts for word in _words(text)} - {BREAK, "yes", "no"}


def _relation_words(domain: Domain) -> set[str]:
    """The words of relations, ranks and attributes, which occur in questions besides the values."""
    texts = [*domain.relations, *domain.attributes, *map(ordinal, range(1, domain.sampling.sounds.max + 1))]
    return {word for text in texts for word in _words(text.replace("_", " "))}
