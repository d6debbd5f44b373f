"""The normaliser: what is read, and above all what is not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baselines.tasks.aqa.answers import FILLERS, cardinal, grammar, normalise, normalise_all, read
from clear_gen.questions.language.vocabulary import answers_of_type, ordinal
from clear_gen.scenes.domain import Domain, packaged_domain
from tests.counts import examples

CLEAR2 = packaged_domain("clear2")
GRAMMARS = {name: grammar(name, CLEAR2) for name in CLEAR2.question_types}
ANSWERS = [(name, answer) for name in CLEAR2.question_types for answer in answers_of_type(name, CLEAR2)]
READ = {
    "note": {
        "A": [
            "A",
            "a",
            "A.",
            "It's an A.",
            "It is a.",
            "the A",
            "an A note",
            "A is the note",
            "A, I think",
            "A4",
            "note A",
        ],
        "A#": [
            "a#",
            "A♯",
            "A sharp",
            "a sharp",
            "A-sharp.",
            "an A sharp note",
            "Bb",
            "B flat",
            "b♭",
            "B-flat",
            "A#4",
            "bb",
        ],
        "B": ["Cb", "b natural", "C flat"],
        "C": ["It's a C.", "It is a c note", "B sharp", "The note is C.", "**C**", "B#"],
        "C#": ["C#/Db", "C #", "C # ", "(C♯)", "Answer: C#", "Is it A? No.\nFinal answer: **C#**", "d flat", "db4"],
        "F": ["E#", "an F", "'F'"],
    },
    "instrument": {
        "violin": ["It is a violin.", "VIOLIN!", "the violin's", "a violin, the violin", "I think it is a violin"],
        "bass": ["a bass", "The instrument is the bass."],
    },
    "brightness": {"bright": ["Bright", "it is bright.", "the bright one"], "dark": ["dark sound"]},
    "absolute_position": {
        "third": [
            "the third",
            "3rd",
            "3",
            "Position 3",
            "number three",
            "the third one",
            "It's the third sound.",
            "#3",
        ],
        "eleventh": ["11th"],
    },
    "global_position": {
        "beginning of the scene": [
            "beginning",
            "the beginning of the scene",
            "at the beginning",
            "at the start",
            "start",
        ],
        "middle of the scene": ["in the middle of the scene", "centre"],
        "end of the scene": ["in the end", "end of scene"],
    },
    "count": {
        "3": [
            "three",
            "3",
            "There are 3 violins.",
            "Three bright violins",
            "exactly three",
            "a total of 3",
            "3 A# notes",
        ],
        "0": ["zero", "none", "There are no violins.", "no sounds"],
        "1": ["one", "One violin."],
        "15": ["fifteen"],
    },
    "exist": {
        "yes": [
            "Yes.",
            "Yes - there is a violin",
            "yeah",
            "true",
            "The answer is yes",
            "Yes, there is a violin after the first cello.",
        ],
        "no": ["no", "No, there is no violin", "No there isn't", "False", "Nope!"],
    },
    "count_compare": {"no": ["No, there are not as many violins as cellos."]},
}
NOT_READ = {
    "note": """a violin|A note|It is a sharp sound.|A flat note|a natural sound|A or B|not A|H|C##|C minor|C#m|$C$
        |e.g. C
        || |A? No idea|the note|notA|A - B|A B|a c.|A. A C""",
    "instrument": """violin, cello|violin or cello|not violin|bass clarinet|the one after the violin|A
        |anything but a violin|maybe a violin|violinist|it|B) violin|violin?? cello""",
    "brightness": "not bright|brighter|neither|bright or dark|it isn't dark|too dark to tell",
    "absolute_position": "three|last|the third of 10|3.5|3th|-3|sixteenth|the first or second",
    "relative_position": "the third violin after the first cello",
    "global_position": "of the scene|the beginning or the end|not the end|the beginning of the end",
    "count": """3.0|1.1|-3|–3|3-4|3 or 4|~3|<3|at least 3|16|no|no idea|3½|1e3|٣|twenty|10^3|3 / 4|about three
        |No, violins|3%|three of five""",
    "exist": """no idea|yes or no|yes and no|Yes, but no|not yes|No, wait|There is no violin|maybe|Yes, no|No one
        |No sound|the answer is no sound|it is true that no|I do not know|unknown|non|yesterday""",
}


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [(name, text, one) for name, of in READ.items() for one, texts in of.items() for text in texts],
)
def test_read(name: str, text: str, answer: str) -> None:
    assert normalise(text, name, CLEAR2) == answer


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in NOT_READ.items() for text in texts.split("|")]
)
def test_not_read(name: str, text: str) -> None:
    assert normalise(text, name, CLEAR2) is None


@pytest.mark.parametrize(
    "text", ["A" + "\n" * 300_000 + "x", "A" + " *" * 300_000 + "x", "answer" * 50_000, "a " * 300_000 + "x"]
)
def test_a_long_text_is_not_read_for_long(text: str) -> None:
    assert normalise(text, "note", CLEAR2) is None  # a minute, if it took time in the square of its length


def test_nothing_said() -> None:
    assert normalise(None, "note", CLEAR2) is None


@given(
    st.sampled_from(ANSWERS), st.sampled_from(["", " ", "\n"]), st.sampled_from(["", ".", "!", " \n"]), st.booleans()
)
def test_every_answer_is_itself_in_any_dress(asked: tuple[str, str], before: str, after: str, upper: bool) -> None:
    name, answer = asked
    text = f"{before}{answer.upper() if upper else answer}{after}"
    assert read(text, GRAMMARS[name]) == answer
    assert read(f"The answer is {text}", GRAMMARS[name]) == answer
    assert read(f"blah blah\nAnswer: {text}", GRAMMARS[name]) == answer


@given(
    st.sampled_from(ANSWERS), st.sampled_from(ANSWERS), st.sampled_from([", ", " or ", " and ", "/", " ", "\n", ". "])
)
def test_two_answers_are_none(one: tuple[str, str], other: tuple[str, str], between: str) -> None:
    name, first = one
    second = other[1]
    if other[0] == name and first != second:
        assert read(f"{first}{between}{second}", GRAMMARS[name]) is None


DECISIVE = "A B a# not no yes or maybe violin bright third 3 three sharp flat . , ? after end"
WORDS = st.sampled_from([*sorted(FILLERS), *DECISIVE.split()])


@examples(300)
@given(
    st.sampled_from(CLEAR2.question_types), st.lists(WORDS, max_size=6), st.sampled_from(["not", "or", "after", "xyz"])
)
@example("exist", ["no"], "idea")
def test_an_unknown_word_never_leaves_an_answer(name: str, words: list[str], unknown: str) -> None:
    """Yes or no before a clause's end and a sentence in known words apart, which may hold "not" and "after"."""
    said = read(" ".join([*words, unknown]), GRAMMARS[name])
    assert said is None or (said in ("yes", "no") and unknown in ("not", "after"))


@examples(300)
@given(st.sampled_from(CLEAR2.question_types), st.text(max_size=30))
def test_any_text_is_an_answer_of_the_type_or_none(name: str, text: str) -> None:
    assert read(text, GRAMMARS[name]) in [None, *answers_of_type(name, CLEAR2)]


@given(st.lists(WORDS, max_size=7))
def test_fillers_alone_say_nothing(words: list[str]) -> None:
    text = " ".join(word for word in words if word in FILLERS - {"a", "one"})
    for name in ("note", "instrument", "count", "exist", "absolute_position"):
        assert read(text, GRAMMARS[name]) is None


@given(st.sampled_from(["violin", "cello", "sound", "note", "bright sound", "trumpet"]))
def test_the_article_is_no_note(noun: str) -> None:
    for text in (f"a {noun}", f"A {noun}.", f"It is a {noun}", f"Answer: A {noun}"):
        assert read(text, GRAMMARS["note"]) is None


def test_enharmonic_equals() -> None:
    semitone = {"C": 3, "D": 5, "E": 7, "F": 8, "G": 10, "A": 0, "B": 2}  # above A
    names = answers_of_type("note", CLEAR2)
    for letter, above in semitone.items():
        for word, shift in (("sharp", 1), ("#", 1), ("flat", -1), ("♭", -1), ("natural", 0)):
            assert read(f"{letter} {word}", GRAMMARS["note"]) == names[(above + shift) % 12]
            assert read(f"It's {letter}-{word}.", GRAMMARS["note"]) == names[(above + shift) % 12]


def test_numbers_and_ranks_in_words() -> None:
    for number in range(16):
        assert read(f"{cardinal(number)} violins", GRAMMARS["count"]) == str(number)
    for rank in range(1, 16):
        assert read(f"number {cardinal(rank)}", GRAMMARS["absolute_position"]) == ordinal(rank)
    assert len({cardinal(number) for number in range(70)}) == 70
    assert cardinal(69) == "sixty-nine"


def test_many_at_once() -> None:
    assert normalise_all(["a", "a", None, "3"], ["note", "instrument", "note", "count"], CLEAR2) == [
        "A",
        "A",  # an answer, though of the wrong type
        None,
        "3",
    ]


@pytest.mark.parametrize(
    ("text", "name", "answer"),
    [
        ("violin", "note", "violin"),
        ("It is a violin.", "note", "violin"),
        ("yes", "instrument", "yes"),
        ("third", "count", "third"),
        ("<answer>dark</answer>", "loudness", "dark"),
        ("violin or cello", "note", None),
        ("kazoo", "note", None),
        ("yes, compare", "exist", None),  # yes to a count_compare, but of the same answers
        ("", "note", None),
    ],
)
def test_an_answer_of_another_type_is_that_answer(text: str, name: str, answer: str | None) -> None:
    assert normalise(text, name, CLEAR2) is None
    assert normalise_all([text], [name], CLEAR2) == [answer]


# --- wrapped answers --------------------------------------------------------------------------------------------------

WRAPS = {
    "reasoning": "<think>\nviolin? no, yes. 3, C# or dark\n</think>\n\n{}",
    "empty reasoning": "<think></think>{}",
    "the end of reasoning": "Either of them.</think>{}",
    "other tags of reasoning": "<thinking>A or B</thinking><reasoning>yes</reasoning>{}",
    "reasoning in brackets": "[THINK]no[/THINK]{}",
    "im_end": "{}<|im_end|>",
    "ends": "{}</s></s>\n<|endoftext|><|eot_id|><end_of_turn><eos>",
    "end of sentence": "{}<｜end▁of▁sentence｜>",
    "a turn": "<|im_start|>assistant\n{}<|im_end|>",
    "a header": "<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
    "channels": "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "a tag": "<answer>{}</answer>",
    "a tag after prose": "I listen carefully, and hear it. <answer>\n{}\n</answer>",
    "a tag that is not closed": "<Answer>{}",
    "a tag that was open": "{}</answer>",
    "a tag opened twice": "<answer>{}<answer>",
    "a box": "\\boxed{{{}}}",
    "a box with text": "So the final answer is $\\boxed{{\\text{{{}}}}}$.",
    "a box in a tag": "<think>x</think><answer>\\boxed{{{}}}</answer>",
    "a box and the same again": "The answer is {0}. \\boxed{{{0}}}",
    "bold": "**{}**",
    "a tag in a sentence": "It is a <answer>{}</answer>.",
    "HTML": "It is <b>{}</b>.",
    "quotes": "“{}”",
    "corner brackets": "「{}」。",
    "a sentence": "The answer is {}.",
    "a qualified sentence": "The correct answer is: **{}**",
    "a marker": "Answer: {}",
    "a full-width marker": "Answer：{}",
    "a heading": "### Answer\n{}",
    "a bold heading": "**Final Answer**\n\n{}",
    "a response": "### Response:\n{}",
    "a role": "Assistant: {}",
    "tokens of a box": "<|begin_of_box|>{}<|end_of_box|>",
    "code": "`{}`",
    "a fence": "```text\n{}\n```",
    "JSON": '```json\n{{"answer": "{}", "confidence": 0.9}}\n```',
    "an explanation": "{}\n\nExplanation: I listened to the whole recording.",
    "a reason": "{}. Reason: it is quite loud",
    "zero width": "\u200b{}\ufeff",
}


def full_width(text: str) -> str:
    return "".join("\u3000" if letter == " " else chr(ord(letter) + 0xFEE0) for letter in text)


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_wrapped_answer_is_that_answer(wrap: str) -> None:
    for name, answer in ANSWERS:
        for text in (answer, full_width(answer), answer.upper()):
            assert read(WRAPS[wrap].format(text), GRAMMARS[name]) == answer, (name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("exist", "<answer>yes</answer><answer>no</answer>"),
        ("exist", "\\boxed{yes} or \\boxed{no}"),
        ("note", "<answer>A</answer> \\boxed{B}"),
        ("exist", "<answer>yes or no</answer>"),
        ("note", "\\boxed{A or B}"),
        ("exist", "yes <answer>no</answer>"),
        ("exist", "The answer is yes. <answer>no</answer>"),
        ("instrument", "It is a violin. \\boxed{cello}"),
        ("instrument", "I hear a violin.\n<answer>cello</answer>"),
        ("exist", "yes\n\nExplanation: no"),
        ("exist", "yes\n\nExplanation: I hear none, so the answer is no."),
        ("exist", "yes</s>no"),
        ("exist", "yes<|im_end|>\n<|im_start|>assistant\nno"),
        ("exist", "yes <think>or</think> no"),
        ("exist", '{"answer": "yes", "answer": "no"}'),
        ("exist", "```\nyes\nno\n```"),
        ("instrument", "<answer>not violin</answer>"),
        ("instrument", "<answer></answer>"),
        ("instrument", "<think>violin</think>"),
        ("instrument", "<think>violin"),
        ("instrument", "<|channel|>analysis<|message|>violin<|end|>"),
        ("count", "1²"),
        ("count", "①"),
    ],
)
def test_unwrapping_makes_no_answer_of_two_or_none(name: str, text: str) -> None:
    assert read(text, GRAMMARS[name]) is None


@given(
    st.sampled_from(ANSWERS), st.sampled_from(ANSWERS), st.sampled_from(sorted(WRAPS)), st.sampled_from(sorted(WRAPS))
)
def test_two_wrapped_answers_never_give_a_third(
    one: tuple[str, str], other: tuple[str, str], first: str, second: str
) -> None:
    name = one[0]
    text = f"{WRAPS[first].format(one[1])}\n{WRAPS[second].format(other[1])}"
    assert read(text, GRAMMARS[name]) in (None, one[1], read(other[1], GRAMMARS[name]))


@pytest.mark.parametrize(
    "part", ["<think>", "</think>", "<answer>", "\\boxed{", "```\n", "<|x|>", "<think", "{", "answer is "]
)
def test_a_long_wrapped_text_is_not_read_for_long(part: str) -> None:
    assert normalise(part * 30_000 + "x", "note", CLEAR2) is None


# --- another domain ---------------------------------------------------------------------------------------------------


def other_domain() -> Domain:
    sampling = {"sounds": {"min": 1, "max": 30}, "constraints": [], "silence": {"per_sound_s": 0.1, "share": [0, 0]}}
    events = ["dog", "dog bark", "Engine idling", "R&B", "C++", "a", "it is", "St. John", "x.", "X"]
    return Domain.model_validate(
        {
            "name": "other",
            "attributes": {"event": {"values": events}, "size": {"values": [1, 2, 30]}},
            "relations": {"before": {"side": "before"}},
            "parts": ["first half", "second half"],
            "wording": {"Engine idling": "an engine that idles"},
            "question_types": ["event", "size", "count", "exist", "global_position", "absolute_position"],
            "sampling": {**sampling, "reverb": None, "noise": None},
        }
    )


OTHER = other_domain()


@pytest.mark.parametrize("name", OTHER.question_types)
def test_every_answer_of_any_domain_is_itself(name: str) -> None:
    for answer in answers_of_type(name, OTHER):
        assert normalise(answer, name, OTHER) == answer
        assert normalise(f" {answer}\n", name, OTHER) == answer


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("event", "It's a dog bark.", "dog bark"),
        ("event", "the dog", "dog"),
        ("event", "dog, bark", None),
        ("event", "bark", None),
        ("event", "the engine: an engine that idles", None),
        ("event", "An engine that idles.", "Engine idling"),
        ("event", "engine  idling!", "Engine idling"),
        ("event", "the R&B", "R&B"),
        ("event", "R B", None),
        ("event", "dog or dog bark", None),
        ("event", "c++", "C++"),
        ("size", "thirty", "30"),
        ("size", "3", None),
        ("count", "twenty-nine", "29"),
        ("count", "twenty nine dogs", "29"),
        ("count", "no dog barks", "0"),
        ("global_position", "the first half", "first half"),
        ("global_position", "first", "first half"),
        ("absolute_position", "22nd", "twenty-second"),
        ("absolute_position", "22th", None),
        ("absolute_position", "the twenty-second sound", "twenty-second"),
    ],
)
def test_another_domain(name: str, text: str, answer: str | None) -> None:
    assert normalise(text, name, OTHER) == answer


def test_answers_that_differ_by_case_only_are_told_apart_by_it() -> None:
    attributes = {"event": {"values": ["Bell", "bell", "dog"]}}
    domain = Domain.model_validate({**OTHER.model_dump(), "attributes": attributes, "wording": {}})
    said = [normalise(text, "event", domain) for text in ("Bell", "bell", "BELL", "a bell", "dog")]
    assert said == ["Bell", "bell", None, None, "dog"]
