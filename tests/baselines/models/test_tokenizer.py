"""The tokeniser: what is one token, what ids and classes are, and what its file may hold."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.models.aqa.tokenizer import (
    END,
    PADDING,
    SPECIAL,
    START,
    UNKNOWN,
    Tokenizer,
    read_tokenizer,
    tokenizer_of,
    tokens_of,
    write_tokenizer,
)
from baselines.tasks.aqa.questions import read_split
from clear_gen.core.errors import InputError
from clear_gen.scenes.domain import Domain
from tests.counts import examples
from tests.sounds import one_line

words = st.sampled_from(
    ["is", "the", "C#", "c", "A#", "Forty-third", "bright", "one's", "été", "?", ",", ";", "7", "#"]
)
texts = st.lists(words, max_size=12).map(" ".join) | st.text(max_size=40)
properties = examples(60, derandomize=True)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the note?", ["what", "is", "the", "note", "?"]),
        ("Is it a C# or an A#, or a C?", ["is", "it", "a", "c#", "or", "an", "a#", ",", "or", "a", "c", "?"]),
        ("the forty-third ; the violin's", ["the", "forty-third", ";", "the", "violin's"]),
        ("  two\tspaces\nand lines ", ["two", "spaces", "and", "lines"]),
        ("-a- b' #c", ["-", "a", "-", "b", "'", "#", "c"]),
        ("", []),
    ],
)
def test_what_is_one_token(question: str, expected: list[str]) -> None:
    assert tokens_of(question) == expected


def test_every_note_is_one_token(clear2: Domain) -> None:
    for note in clear2.attributes["note"].values:
        assert tokens_of(f"the {note}, the {note}?") == ["the", note.lower(), ",", "the", note.lower(), "?"]


@properties
@given(texts)
def test_tokens_hold_everything_but_spaces(question: str) -> None:
    tokens = tokens_of(question)
    assert "".join(tokens) == re.sub(r"\s", "", question.lower())
    assert all(tokens)
    assert tokens_of(question.upper().lower()) == tokens_of(question.upper())


@properties
@given(st.lists(texts, max_size=6), st.lists(texts, max_size=8))
def test_encoded_questions(train: list[str], asked: list[str]) -> None:
    tokenizer = tokenizer_of(train, ["yes"])
    known = {token for question in train for token in tokens_of(question)}
    assert tokenizer.words == (*SPECIAL, *sorted(known))
    ids, lengths = tokenizer.encode(asked)
    assert ids.dtype == lengths.dtype == np.int64
    assert ids.shape == (len(asked), max((len(tokens_of(one)) + 2 for one in asked), default=0))
    assert lengths.shape == (len(asked),)
    for row, length, question in zip(ids.tolist(), lengths.tolist(), asked, strict=True):
        tokens = tokens_of(question)
        assert length == len(tokens) + 2
        assert (row[0], row[length - 1]) == (START, END)
        assert row[length:] == [PADDING] * (len(row) - length)
        for number, token in zip(row[1 : length - 1], tokens, strict=True):
            assert tokenizer.words[number] == token if token in known else number == UNKNOWN


@properties
@given(st.lists(texts, max_size=8), st.lists(texts, max_size=8), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(questions: list[str], answers: list[str], chance: random.Random) -> None:
    tokenizer = tokenizer_of(questions, answers)
    again = tokenizer_of(chance.sample(questions * 2, 2 * len(questions)), chance.sample(answers * 2, 2 * len(answers)))
    assert again == tokenizer
    assert tokenizer.answers == tuple(sorted(set(answers)))


@properties
@given(st.lists(texts, min_size=1, max_size=8), st.lists(texts, max_size=8))
def test_classes(trained: list[str], asked: list[str]) -> None:
    tokenizer = tokenizer_of([], trained)
    classes = tokenizer.classes(trained + asked)
    assert classes.dtype == np.int64
    for found, answer in zip(classes.tolist(), trained + asked, strict=True):
        assert tokenizer.answers[found] == answer if answer in trained else found == -1
    assert tokenizer.classes([]).shape == (0,)


def test_special_words_in_a_question_are_no_special_tokens() -> None:
    tokenizer = tokenizer_of(["<padding> <unknown> <start> <end>"], ["yes"])
    assert tokenizer.words == (*SPECIAL, "<", ">", "end", "padding", "start", "unknown")
    ids, _ = tokenizer.encode(["<end>"])
    assert ids.tolist() == [[START, 4, 6, 5, END]]


def test_training_questions_have_no_unknown_words(dataset: Path) -> None:
    questions = read_split(dataset, "train")
    tokenizer = tokenizer_of(questions.question, questions.answer)
    ids, lengths = tokenizer.encode(questions.question)
    assert not (ids == UNKNOWN).any()
    assert ((ids == PADDING).sum(1) == ids.shape[1] - lengths).all()
    assert (tokenizer.classes(questions.answer) >= 0).all()
    assert set(np.unique(ids)) | {PADDING, UNKNOWN} == set(range(len(tokenizer.words)))


# --- the file ---------------------------------------------------------------------------------------------------------


@properties
@given(questions=st.lists(texts, min_size=1, max_size=8), answers=st.lists(texts, min_size=1, max_size=8))
def test_back_from_its_file(questions: list[str], answers: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizer = tokenizer_of(questions, answers)
    path = tmp_path_factory.getbasetemp() / "tokenizer.json"
    write_tokenizer(tokenizer, path)
    found = read_tokenizer(path)
    assert found == tokenizer
    assert np.array_equal(found.encode(questions)[0], tokenizer.encode(questions)[0])


GOOD = {"words": [*SPECIAL, "is"], "answers": ["no", "yes"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "words: found 'None'"),
        ([], "words"),
        (None, "words"),
        ("words", "words"),
        (7, "words"),
        ({**GOOD, "words": "is"}, "words"),
        ({**GOOD, "words": {"is": 4}}, "words"),
        ({**GOOD, "words": [*SPECIAL, 4]}, "words"),
        ({**GOOD, "words": [*SPECIAL, None]}, "words"),
        ({**GOOD, "words": []}, "words"),
        ({**GOOD, "words": [*SPECIAL, "is", "is"]}, "words: found one twice"),
        ({**GOOD, "words": ["is", *SPECIAL]}, "expected <padding>, <unknown>, <start>, <end> first"),
        ({**GOOD, "words": [*SPECIAL[:3], "is"]}, "words"),
        ({**GOOD, "words": ["a\nb", "\u2028", "c", "d", "e"]}, "words"),
        ({**GOOD, "words": [["x\ny"] * 99]}, "words"),
        ({"words": GOOD["words"]}, "answers"),
        ({**GOOD, "answers": []}, "answers"),
        ({**GOOD, "answers": ["yes", 3]}, "answers"),
        ({**GOOD, "answers": ["yes", "yes"]}, "answers: found one twice"),
        ({**GOOD, "answers": [["yes"]]}, "answers"),
    ],
)
def test_files_of_another_content(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_tokenizer(path)
    message = one_line(caught)
    assert message.startswith(f"{path}: ")
    assert said in message


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"words: [is]", b"[" * 100_000, b"9" * 5000, b"\x00"])
def test_files_that_are_not_json(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_tokenizer(path)
    assert one_line(caught).startswith(f"{path}: ")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_tokenizer(tmp_path / "nothing.json")
    assert "not found" in one_line(caught)


def test_a_folder_in_the_files_place(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_tokenizer(tmp_path)
    assert one_line(caught).startswith(str(tmp_path))


def test_classes_are_those_of_the_file_not_sorted_again(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    write_tokenizer(Tokenizer((*SPECIAL, "b", "a"), ("yes", "no")), path)
    found = read_tokenizer(path)
    assert found.encode(["a b"])[0].tolist() == [[START, 5, 4, END]]
    assert found.classes(["no", "yes", "maybe"]).tolist() == [1, 0, -1]
