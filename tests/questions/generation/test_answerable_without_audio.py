"""Answers that follow from the question, or are true of every scene: those that hundreds of scenes agree about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from clear_gen.questions.generation.candidates import Rules, bank_labels, candidates, question_plan
from clear_gen.questions.language.execute import IllPosed, execute_on
from clear_gen.questions.language.program import Node, Program
from clear_gen.questions.language.scene_batch import scene_batch
from clear_gen.questions.language.scene_facts import Facts
from clear_gen.questions.language.vocabulary import values_of
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank
from tests.banks import bank_of, sound_of
from tests.counts import NIGHTLY
from tests.questions.language.test_execute_batch import templates_of, with_values
from tests.questions.language.test_scene_batch import CLEAR2, all_facts

RATE, N_SCENES = 8000, 600
ENOUGH = 100  # scenes with an answer, to say that there is no other
LABELS = {
    "instrument": ("cello", "flute", "trumpet", "violin"),
    "note": ("A", "C", "G"),
    "brightness": ("bright", "dark"),
    "loudness": ("quiet", "loud"),
    "absolute_position": ("first", "second", "third"),
    "relative_position": ("first", "second"),
    "relation": tuple(CLEAR2.relations),
}


@cache
def a_bank() -> Bank:
    """Few labels, all known, in every combination, so that a description often fits one sound; trumpets are bright."""
    rng, sounds = np.random.default_rng(1), []
    for number, labels in enumerate(product(*(LABELS[name] for name in list(LABELS)[:4]))):
        given = dict(zip(LABELS, labels, strict=False))
        if given["instrument"] == "trumpet":
            given["brightness"] = "bright"
        sounds.append(sound_of(f"s{number}", np.zeros(int(RATE * rng.uniform(0.5, 1.2))), RATE, **given))
    return bank_of(sounds)


@cache
def scenes() -> tuple[pa.Table, list[Facts]]:
    table = sample_scenes(a_bank(), CLEAR2, SceneSpec(5, RATE), "train", range(N_SCENES))
    return table, all_facts(table)


def asked(templates: Sequence[Template], n: int = 40) -> list[Program]:
    """The different questions that are asked of the first scenes."""
    types = tuple(dict.fromkeys(template.question_type for template in templates))
    bank = {name: [sound.attributes[name] for sound in a_bank().sounds] for name in CLEAR2.attributes}
    plan = question_plan(CLEAR2, Rules(3, 6, types), templates, bank_labels(bank, CLEAR2))
    columns = scene_batch(scenes()[0].slice(0, n), CLEAR2)
    rows = candidates(plan, columns, "train", np.arange(n)).to_pylist()
    found = dict.fromkeys((row["template"], tuple(row["values"])) for row in rows)
    return [with_values(plan.templates[number], values, CLEAR2) for number, values in found]


def answers(program: Program, n: int = N_SCENES, enough: int = N_SCENES) -> Counter[str]:
    """What scenes answer that have all the sounds that the question singles out, each another one.

    Of no more scenes than it takes for ``enough`` answers that are not all the same.
    """
    places = [place for place, node in enumerate(program) if node.function in ("unique", "longest", "shortest")]
    several = places if len(places) > 1 else []
    sounds = [(*program[: place + 1], Node("query_absolute_position", (place,))) for place in several]
    found = Counter[str]()
    for facts in scenes()[1][:n]:
        answer = execute_on(program, facts)
        if not isinstance(answer, IllPosed) and len({execute_on(sound, facts) for sound in sounds}) == len(sounds):
            found[answer] += 1
        if len(found) > 1 and found.total() >= enough:
            break
    return found


def filled(template: Template, n: int) -> Iterator[Program]:
    """The template with any values of the bank, whether a question would be made of them or not."""
    rng = np.random.default_rng(2)
    for _ in range(n):
        kinds = [parameter.kind for parameter in template.parameters]
        yield with_values(template, [values_of(kind, CLEAR2).index(rng.choice(LABELS[kind])) for kind in kinds], CLEAR2)


# ---- one rule at a time ----------------------------------------------------------------------------------------------

KIND, KIND_2 = "filter_instrument <instrument>", "filter_instrument <2instrument>"
NOTE, LOUD, BRIGHT = "filter_note <note>", "filter_loudness <loudness>", "filter_brightness <brightness>"
NTH, NTH_OF_KIND = "filter_absolute_position <absolute_position>", "filter_relative_position <relative_position>"
NEXT = "unique | relate immediately after"
WHERE, WHERE_OF_KIND = "unique | query_absolute_position", "unique | query_relative_position"

# what the text gives -> questions that all give it, questions that differ from one of them by one thing
CASES = {
    "the rank that names the sound": (
        [f"{NTH} | {WHERE}", f"{KIND} | {NTH} | {WHERE_OF_KIND}", f"{KIND} | {NTH_OF_KIND} | {WHERE_OF_KIND}"],
        [f"{NTH} | {WHERE_OF_KIND}", f"{KIND} | {NTH} | {WHERE}", f"{KIND} | {LOUD} | {NTH} | {WHERE_OF_KIND}"],
    ),
    "how many are before the third": (
        [f"{KIND} | {nth} | unique | relate before | {KIND} | count" for nth in (NTH, NTH_OF_KIND)],
        [
            f"{KIND} | {NTH} | unique | relate before | count",
            f"{KIND} | {NTH} | unique | relate before | {KIND} | {LOUD} | count",
            f"{KIND} | {NTH} | unique | relate before | {KIND_2} | count",
            f"{KIND} | {NOTE} | unique | relate before | {KIND} | count",
        ],
    ),
    "that none is before the first": (
        [f"{KIND} | filter_absolute_position first | unique | relate before | {KIND} | {LOUD} | count"],
        [
            f"{KIND} | filter_absolute_position second | unique | relate before | {KIND} | {LOUD} | count",
            f"{KIND} | filter_absolute_position first | unique | relate before | {LOUD} | count",
        ],
    ),
    "that the fourth is after the third": (
        [f"{NTH} | {NEXT} | {WHERE}", f"{KIND} | {NTH} | {NEXT} | {KIND} | {WHERE_OF_KIND}"],
        [
            f"{KIND} | {NTH} | {NEXT} | {WHERE}",
            f"{NTH} | {NEXT} | unique | query_note",
            f"{KIND} | {NOTE} | {NEXT} | {KIND} | {WHERE_OF_KIND}",
        ],
    ),
    "that only the other one is loud": (
        [
            f"{KIND} | {LOUD} | unique | relate <relation> | {KIND} | {NOTE} | unique | query_loudness",
            f"{BRIGHT} | unique | relate <relation> | {NOTE} | unique | query_brightness",
        ],
        [
            f"{KIND} | {LOUD} | unique | relate <relation> | {KIND} | {NOTE} | unique | query_brightness",
            f"{KIND} | {LOUD} | unique | relate <relation> | {KIND_2} | {NOTE} | unique | query_loudness",
            f"{KIND} | {LOUD} | longest | relate <relation> | {KIND} | {NOTE} | unique | query_loudness",
            f"{KIND} | {NOTE} | unique | relate <relation> | {KIND} | {LOUD} | unique | query_note",
        ],
    ),
    "that there is one of the kind": (
        [f"{KIND} | {WHERE_OF_KIND}", f"filter_instrument trumpet | filter_brightness bright | {WHERE_OF_KIND}"],
        [
            f"{KIND} | {LOUD} | {WHERE_OF_KIND}",
            f"filter_instrument cello | filter_brightness bright | {WHERE_OF_KIND}",
            f"filter_instrument trumpet | filter_brightness bright | {WHERE}",
        ],
    ),
    "what is true of every scene": (
        ["exist", f"{BRIGHT} | exist", f"{LOUD} | exist"],
        ["count", f"{BRIGHT} | count", f"{NOTE} | exist", f"{KIND} | exist", f"{KIND} | {LOUD} | exist"],
    ),
}


@pytest.mark.parametrize(("given", "open_"), CASES.values(), ids=CASES)
def test_what_the_text_gives_is_not_asked_for_and_what_is_close_to_it_is(given: list[str], open_: list[str]) -> None:
    for text in given:
        (template,) = templates_of(f"scene | {text}")
        found = [answers(program, 150) for program in filled(template, 20)]
        assert max(map(len, found)) == 1, text  # it is given
        assert asked([template]) == [], text
    for text in open_:
        assert any(len(answers(program, enough=2)) > 1 for program in asked(templates_of(f"scene | {text}"))), text


def test_nothing_leads_back_to_a_sound_that_was_named() -> None:
    """ "After the one before the flute" is that flute."""
    text = f"scene | {NOTE} | {KIND} | {NEXT} | unique | relate immediately {{}} | unique | query_loudness"
    back, on = (asked(templates_of(text.format(side))) for side in ("before", "after"))
    assert back == []
    assert len(on) > 5


# ---- all at once -----------------------------------------------------------------------------------------------------

ANCHORS = [NTH, NOTE, f"{KIND} | {NTH}", f"{KIND} | {NTH_OF_KIND}", f"{KIND} | {LOUD}", f"{KIND} | {BRIGHT}"]
TARGETS = ["", f"{KIND} | ", f"{KIND_2} | ", f"{KIND} | {NOTE} | ", f"{LOUD} | ", f"{KIND} | {LOUD} | "]
SINGLE = [WHERE, WHERE_OF_KIND, *(f"unique | query_{name}" for name in ("note", "loudness", "brightness"))]


def mixed() -> Iterator[str]:
    """Every target by itself or beside every anchor, asked about in most ways.

    No rule excludes "is there a sound before the second cello", and where "the flute before" is, the first: left out.
    """
    for target, end in product([*TARGETS, *(f"{anchor} | " for anchor in ANCHORS[1:])], [*SINGLE, "count", "exist"]):
        yield f"scene | {target}{end}"
    for anchor, relation, target in product(ANCHORS, ("before", "after", "immediately after"), TARGETS):
        exist = ["exist"] if anchor != NTH and "instrument" in target else []
        for end in ["count", *exist, *(SINGLE if relation != "before" else [])]:
            yield f"scene | {anchor} | unique | relate {relation} | {target}{end}"


def test_every_question_has_several_answers_on_other_scenes() -> None:
    templates, n = templates_of(*mixed()), Counter[str]()
    for program in asked(templates, 60 if NIGHTLY else 25):
        found = answers(program, enough=ENOUGH)
        if found.total() >= ENOUGH:
            assert len(found) > 1, (program, found)
            n[program[-1].function] += 1
    assert min(n[end.removeprefix("unique | ")] for end in [*SINGLE, "count", "exist"]) > (20 if NIGHTLY else 5), n
