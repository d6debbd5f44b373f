"""Texts with values in them: articles, plurals, punctuation; none of the packaged ones ever reads wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.questions.language.english import article, plural
from clear_gen.questions.language.vocabulary import ordinal, values_of, written
from clear_gen.questions.language.wording import Pattern, render
from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.template import Template
from tests.counts import examples
from tests.questions.language.test_scene_batch import CLEAR2

VALUES = {
    "<B>": "bass",
    "<I>": "violin",
    "<J>": "oboe",
    "<N>": "F#",
    "<M>": "C",
    "<R>": "eighth",
    "<P>": "end of the scene",
}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Is there a <I>?", "Is there a violin?"),
        ("Is there a <J>?", "Is there an oboe?"),
        ("Is there an <I>?", "Is there a violin?"),
        ("Is there an <J>?", "Is there an oboe?"),
        ("A <N> is heard.", "An F# is heard."),
        ("An <M> is heard.", "A C is heard."),
        ("a <N>, a <M>; a <N>", "an F#, a C; an F#"),
        ("<I>", "violin"),
        ("<I><N>", "violinF#"),
        ("<I>,<N>.", "violin,F#."),
        ("(<I>)", "(violin)"),
        ("a (<I>)", "a (violin)"),
        ("the <I>'s note", "the violin's note"),
        ("<I>s", "violins"),
        ("<I>s, <J>s: <N>s", "violins, oboes: F#s"),
        ("a <R> <I>", "an eighth violin"),
        ("a loud <J>", "a loud oboe"),  # the article belongs to the word after it, not to a later value
        ("an old <I>", "an old violin"),
        ("extra <J>", "extra oboe"),  # no article: the end of a word
        ("sonata <J>", "sonata oboe"),
        ("a  <J>", "a  oboe"),
        ("the <B>sound", "the basssound"),
        ("<B>s", "basses"),
        ("<I>s or a <I>", "violins or a violin"),
        ("Is it <P>?", "Is it at the end of the scene?"),
        ("Does a <I> play A?", "Does a violin play A?"),
        ("no placeholder: a A", "no placeholder: a A"),
        ("", ""),
    ],
)
def test_one_pattern(pattern: str, text: str) -> None:
    assert render(pattern, VALUES, CLEAR2) == text


def test_a_pattern_is_used_with_one_value_after_the_other() -> None:
    pattern = Pattern("Has a <I> a <N>, or have <I>s <N>s?", CLEAR2)
    for _ in range(2):
        for instrument, note, text in [
            ("oboe", "A", "Has an oboe an A, or have oboes As?"),
            ("bass", "G#", "Has a bass a G#, or have basses G#s?"),
            ("oboe", "G#", "Has an oboe a G#, or have oboes G#s?"),
        ]:
            assert pattern.text({"<I>": instrument, "<N>": note}) == text


def test_articles_and_plurals_of_every_value_of_the_domain() -> None:
    vowels = {"A", "A#", "E", "F", "F#"}
    assert {note for note in values_of("note", CLEAR2) if article(note) == "an"} == vowels
    assert {rank for rank in values_of("absolute_position", CLEAR2) if article(rank) == "an"} == {"eighth", "eleventh"}
    plurals = {"basses", "cellos", "clarinets", "flutes", "trumpets", "violins"}
    assert {plural(name) for name in values_of("instrument", CLEAR2)} == plurals
    assert [article(name) for name in values_of("instrument", CLEAR2)] == ["a"] * 6


AN = "oboe umbrella hour heirloom honest 8-bit 11 18 80 808 MP3 FM LED X-ray e-guitar école unidentified uninvited"
AN += " urn usher utter onion ululation Uilleann upright"
A = "ukulele euphonium European unison unit unicycle user uranium utensil uvula UFO USB NASA one-shot one once ouija"
A += " xylophone yell horn hoover 1 7 110 u-turn Bb"


@pytest.mark.parametrize(("expected", "words"), [("an", AN), ("a", A)])
def test_articles_go_by_the_sound(expected: str, words: str) -> None:
    assert [word for word in words.split() if article(word) != expected] == []


PLURALS = """
wolf wolves, knife knives, leaf leaves, roof roofs, hoof hooves, human humans, German Germans, fireman firemen,
woman women, child children, Child Children, person people, sheep sheep, mouse mice, mouse click mouse clicks, key keys,
baby cry baby cries, footsteps footsteps, drums drums, bus buses, gas gases, lens lenses, chorus choruses,
piano pianos, echo echoes, crash crashes, box boxes, quiz quizzes, glass glasses
"""


def test_plurals() -> None:
    pairs = [pair.split() for pair in PLURALS.split(",")]
    halves = [(" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])) for words in pairs]
    assert {one: plural(one) for one, _ in halves} == dict(halves)


def test_articles_of_numbers() -> None:
    assert [article(number) for number in ("8", "11", "18", "80", "7", "1")] == ["an"] * 4 + ["a"] * 2


def test_ordinals_are_all_different() -> None:
    assert len({ordinal(rank) for rank in range(1, 70)}) == 69
    assert [ordinal(rank) for rank in (13, 19, 21, 30, 58, 69)] == [
        "thirteenth",
        "nineteenth",
        "twenty-first",
        "thirtieth",
        "fifty-eighth",
        "sixty-ninth",
    ]


WORDS = st.sampled_from(
    ["the", "sound", "a", "A", "an", "loud", "<I>", "<N>", "<I>s", "a <N>", "A <I>", "An <N>", "an <I>"]
)


@examples(200)
@given(
    st.lists(st.tuples(WORDS, st.sampled_from([" ", ", ", "? ", " (", "-"])), min_size=1, max_size=12),
    st.sampled_from(values_of("instrument", CLEAR2)),
    st.sampled_from(values_of("note", CLEAR2)),
)
def test_all_but_the_placeholders_stays(words: list[tuple[str, str]], instrument: str, note: str) -> None:
    pattern = "".join(part for pair in words for part in pair)
    text = render(pattern, {"<I>": instrument, "<N>": note}, CLEAR2)
    assert "<" not in text
    naive = re.sub(r"<I>s\b", plural(instrument), pattern).replace("<I>", instrument).replace("<N>", note)
    loose = re.compile(r"\b([Aa])n?\b")
    assert loose.sub(r"\1", text) == loose.sub(r"\1", naive)


# ---- the packaged templates ------------------------------------------------------------------------------------------

WRONG = {
    "a placeholder": r"[<>\[\]{}_]",
    "double blanks": r"  |^ | $| [?,.]",
    "no capital, or no end": r"^[^A-Z]|[^?.]$",
    "an article": r"\b[Aa] (?:[AEFaeio]|F#)|\b[Aa]n (?:[BCDG]\b|[bcdfglmnpqrstvw])",
    "a word twice": r"\b(\w+) \1\b",
    "one of several": r"\b(?:a|an|the \w+th) \w+s\b(?<!bass)",
    "an article before an article": r"\b(?:a|an|the) (?:a|an|the)\b",
}


@pytest.fixture(scope="module")
def packaged() -> list[Template]:
    return read_templates(CLEAR2, [])


def test_the_packaged_texts_with_random_values(packaged: list[Template]) -> None:
    rng = np.random.default_rng(7)
    found: dict[str, set[str]] = {name: set() for name in WRONG}
    for template in packaged:
        for pattern in template.text:
            for _ in range(2):
                listed = {one.name: values_of(one.kind, CLEAR2) for one in template.parameters}
                values = {name: words[rng.integers(len(words))] for name, words in listed.items()}
                text = render(pattern, values, CLEAR2)
                for name, wrong in WRONG.items():
                    if re.search(wrong, text):
                        found[name].add(f"{template.template_id}: {text}")
                for name, value in values.items():
                    assert written(value, CLEAR2) in text or plural(value) in text, (name, text)
    assert found == {name: set() for name in WRONG}
