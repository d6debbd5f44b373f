"""A linter of templates: whether their texts are English, and whether they ask what their programs answer.

It reads patterns, not questions, so that what it finds holds for every value. Rules:

| rule | finds |
|---|---|
| form | no capital letter at the start, no "?" at the end, blanks too many, characters of no sentence |
| length | fewer than 6 or more than 28 words |
| placeholder | a parameter that the text leaves out, an unknown one |
| vocabulary | a word that is not listed |
| doubled | "of the scene of the scene", for any value |
| number | "How many violin are", "Is there other sounds", "there are a", "sounds that is" |
| article | "a oboe", "Is there violin", "after flute" |
| type | words that ask for something else than the program's last node gives |
| words | "fewer" where the program computes "less than or equal", "or" without a union, "before" for "after" |
| operands | "more A than B" where the program compares B with A |
| same program, same text | two templates that differ in names only |
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from clear_gen.questions.language.english import article
from clear_gen.questions.language.vocabulary import GLOBAL, RELATION, values_of, written
from clear_gen.questions.language.wording import Pattern
from clear_gen.questions.templates.lint_meaning import operands, question_words, words_of_program
from clear_gen.questions.templates.template import PLACEHOLDER, Template
from clear_gen.scenes.domain import Domain

MIN_WORDS, MAX_WORDS = 6, 28  # as the published questions have
LONGEST_REPEAT = 5  # words
TOKEN = re.compile(r"<\w+>s?\b|<\w+>|[\w#'-]+|[^\w\s]")
# Words that end a noun phrase; all others, and values, are taken for parts of one.
FUNCTION_WORDS = """
    a after am among an and another any are as at be before besides but by can come comes do does each either equal
    every fewer from had has have hear heard how i if immediately in is it less many more of on or play played playing
    plays than that the there these this those to what where which who with you
"""
_FUNCTION_WORDS = frozenset(FUNCTION_WORDS.split())
DETERMINERS_OF_ONE = frozenset({"a", "an", "another", "each", "every"})
VERBS_OF_ONE = frozenset({"is", "has", "plays", "does", "comes"})
VERBS_OF_MANY = frozenset({"are", "have", "play", "do", "come"})
HELPERS = frozenset({"does", "do", "can"})  # after which a verb has no ending


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a template: which of the rules it breaks, and how."""

    template_id: str
    rule: str
    problem: str


@dataclass(frozen=True)
class _Phrase:
    """Neighbouring words that may form a noun phrase, the last one its head; two words before, two after."""

    head: str
    before: tuple[str, str]
    after: tuple[str, str]
    is_first: bool

    @property
    def is_plural(self) -> bool:
        if self.head.startswith("<"):
            return self.head.endswith("s")
        return self.head.endswith("s") and not self.head.endswith("ss")


@dataclass(frozen=True)
class _Text:
    """One text pattern of a template, taken apart."""

    pattern: str
    template: Template
    kinds: dict[str, str]
    tokens: list[str] = field(default_factory=list)

    def phrases(self) -> Iterator[_Phrase]:
        """Its noun phrases, in order."""
        words = ["", "", *self.tokens, "", ""]
        start, is_first = 2, True
        for place in range(2, len(words) - 1):
            if self._in_noun_phrase(words[place]):
                continue
            if place > start:
                before, after = (words[start - 2], words[start - 1]), (words[place], words[place + 1])
                yield _Phrase(words[place - 1], before, after, is_first)
                is_first = False
            start = place + 1

    def _in_noun_phrase(self, word: str) -> bool:
        if (kind := self.kind(word)) is not None:
            return kind not in (RELATION, GLOBAL)
        return word[:1].isalnum() and word not in _FUNCTION_WORDS

    def kind(self, word: str) -> str | None:
        """The kind of a placeholder, None of a word."""
        return self.kinds.get(word[: word.find(">") + 1])


def lint(templates: Sequence[Template], domain: Domain, words: Collection[str] | None = None) -> list[Finding]:
    """All that is wrong with the language of templates, in their order.

    ``words``: the vocabulary, in lower case, values of the domain aside; None leaves out the rule on it.
    """
    findings: list[Finding] = []
    for template in templates:
        kinds = {parameter.name: parameter.kind for parameter in template.parameters}
        for pattern in template.text:
            text = _Text(pattern, template, kinds, _tokens(pattern))
            findings += [
                Finding(template.template_id, rule, f"{problem} in {pattern!r}")
                for rule, problem in _problems(text, domain, words)
            ]
        findings += [Finding(template.template_id, "placeholder", problem) for problem in _unused(template)]
    return findings + list(_same(templates))


def _tokens(pattern: str) -> list[str]:
    tokens = TOKEN.findall(pattern)
    return [token.lower() if number == 0 else token for number, token in enumerate(tokens)]


def _problems(text: _Text, domain: Domain, words: Collection[str] | None) -> Iterator[tuple[str, str]]:
    if words is not None:
        yield from (("vocabulary", problem) for problem in _vocabulary(text, words))
    yield from (("form", problem) for problem in _form(text.pattern))
    yield from (("placeholder", problem) for problem in _placeholders(text))
    yield from (("number", problem) for problem in _number(text))
    yield from (("article", problem) for problem in _article(text))
    yield from (("type", problem) for problem in question_words(text.pattern, text.template, domain))
    yield from (("words", problem) for problem in words_of_program(text.pattern, text.template, domain))
    yield from (("operands", problem) for problem in operands(text.pattern, text.template, domain))
    if set(PLACEHOLDER.findall(text.pattern)) <= set(text.kinds):
        yield from (("length", problem) for problem in _length(text, domain))
        yield from (("doubled", problem) for problem in _doubled(text, domain))


# --- one text ---------------------------------------------------------------------------------------------------------


def _form(pattern: str) -> Iterator[str]:
    if not pattern[:1].isupper():
        yield "found no capital letter at the start"
    if not re.search(r"[^\s?]\?$", pattern):
        yield "found no '?' right after the last word"
    if "  " in pattern or pattern != pattern.strip() or re.search(r"\s[,?.;]", pattern):
        yield "found a blank too many"
    if strange := re.search(r"[^\w\s<>#,?'-]", pattern):
        yield f"found {strange[0]!r}"


def _length(text: _Text, domain: Domain) -> Iterator[str]:
    fewest = most = 0
    for token in text.pattern.split():
        lengths = {1}
        if placeholder := PLACEHOLDER.search(token):
            values = values_of(text.kinds[placeholder[0]], domain)
            lengths = {len(written(value, domain).split()) for value in values}
        fewest, most = fewest + min(lengths), most + max(lengths)
    if fewest < MIN_WORDS or most > MAX_WORDS:
        yield f"found {fewest} to {most} words, expected {MIN_WORDS} to {MAX_WORDS},"


def _placeholders(text: _Text) -> Iterator[str]:
    found = set(PLACEHOLDER.findall(text.pattern))
    yield from (f"{name} is missing" for name in sorted(set(text.kinds) - found))
    yield from (f"found unknown {name}" for name in sorted(found - set(text.kinds)))


def _unused(template: Template) -> list[str]:
    used = {value for node in template.program for value in node.values}
    return [f"{name.name} is used by no node" for name in template.parameters if name.name not in used]


def _vocabulary(text: _Text, words: Collection[str]) -> Iterator[str]:
    for token in text.tokens:
        if token[0].isalpha() and token.lower() not in words:
            yield f"found the word {token!r}, which is not listed,"


def _doubled(text: _Text, domain: Domain) -> Iterator[str]:
    values = {name: values_of(kind, domain) for name, kind in text.kinds.items()}
    several = [each for each in values.values() if any(" " in written(value, domain) for value in each)]
    pattern = Pattern(text.pattern, domain)
    for number in range(max(map(len, several), default=1)):
        chosen = {name: each[number % len(each)] for name, each in values.items()}
        words = re.sub("[?,]", "", pattern.text(chosen)).split()
        if repeat := _repeat([word if len(word) == 1 else word.lower() for word in words]):
            yield f"found {repeat!r} twice"
            return
    for left, right in zip(text.tokens, text.tokens[1:], strict=False):
        for placeholder, word in ((left, right), (right, left)):
            if (kind := text.kind(placeholder)) and word in values_of(kind, domain):
                yield f"found {word!r} beside {placeholder}, which can be the same,"


def _repeat(words: list[str]) -> str | None:
    for length in range(1, LONGEST_REPEAT + 1):
        for start in range(len(words) - 2 * length + 1):
            if words[start : start + length] == words[start + length : start + 2 * length]:
                return " ".join(words[start : start + length])
    return None


def _number(text: _Text) -> Iterator[str]:
    tokens = text.tokens
    for first, second, third in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if {first, second} == {"are", "there"} and third in DETERMINERS_OF_ONE:
            yield f"found '{first} {second} {third}'"
    for phrase in text.phrases():
        before = " ".join(phrase.before)
        if phrase.is_plural and (phrase.before[1] in DETERMINERS_OF_ONE or before == "is there"):
            yield f"found {phrase.head!r} after {before.strip()!r}, expected the singular,"
        if not phrase.is_plural and _wants_plural(phrase, tokens):
            yield f"found {phrase.head!r} after {before.strip()!r}, expected the plural,"
        verb = phrase.after[1] if phrase.after[0] == "that" else phrase.after[0] if phrase.is_first else ""
        if phrase.is_plural and verb in VERBS_OF_ONE and before != "of the":  # "which of the violins plays"
            yield f"found {verb!r} after the plural {phrase.head!r}"
        helped = phrase.after[0] != "that" and bool(HELPERS & set(tokens))
        if not phrase.is_plural and verb in VERBS_OF_MANY and not helped:
            yield f"found {verb!r} after the singular {phrase.head!r}"


def _wants_plural(phrase: _Phrase, tokens: list[str]) -> bool:
    before = " ".join(phrase.before)
    if before in ("are there", "there any", "among the", "all the", "number of"):
        return True
    if before == "of the":
        place = [number for number in range(len(tokens) - 1) if tokens[number : number + 2] == ["of", "the"]]
        return any(number and tokens[number - 1] in ("which", "many") for number in place)
    return phrase.before[1] in ("many", "more", "fewer", "than", "as")


def _article(text: _Text) -> Iterator[str]:
    for left, right in zip(text.tokens, text.tokens[1:], strict=False):
        if left in ("a", "an") and right in ("a", "an", "the", "another", "any"):
            yield f"found '{left} {right}'"
        elif left in ("a", "an") and not right.startswith("<") and left != article(right):
            yield f"found '{left} {right}', expected '{article(right)} {right}'"
    for phrase in text.phrases():
        before = phrase.before[1]
        bare = before in ("before", "after", "besides") or text.kind(before) == RELATION
        if not phrase.is_plural and phrase.head != "it" and (bare or " ".join(phrase.before) == "is there"):
            yield f"found {phrase.head!r} after {before!r} without an article"


# --- several templates ------------------------------------------------------------------------------------------------


def _same(templates: Sequence[Template]) -> Iterator[Finding]:
    """Templates whose program or text another one has, up to the names of placeholders."""
    programs: dict[object, str] = {}
    texts: dict[str, str] = {}
    for template in templates:
        first = programs.setdefault(_nameless_program(template), template.template_id)
        if first != template.template_id:
            yield Finding(template.template_id, "same program", f"as {first}")
        own: set[str] = set()
        for pattern in template.text:
            nameless = _nameless_text(pattern, template)
            first = texts.setdefault(nameless, template.template_id)
            if first != template.template_id or nameless in own:
                yield Finding(template.template_id, "same text", f"as {first}: {pattern!r}")
            own.add(nameless)


def _nameless_program(template: Template) -> object:
    kinds = {parameter.name for parameter in template.parameters}
    names: dict[str, str] = {}
    return tuple(
        (
            node.function,
            node.inputs,
            tuple(names.setdefault(v, f"<{len(names)}>") if v in kinds else v for v in node.values),
        )
        for node in template.program
    )


def _nameless_text(pattern: str, template: Template) -> str:
    kinds = {parameter.name: parameter.kind for parameter in template.parameters}
    names: dict[str, str] = {}

    def nameless(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"<{kinds.get(found[0])}{len(names)}>")

    return " ".join(PLACEHOLDER.sub(nameless, pattern).lower().split())
