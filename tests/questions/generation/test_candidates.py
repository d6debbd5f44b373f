"""Candidates: each is well-posed, every clause of it matters, and nothing but its own scene decides about it.

Everything that is said of a candidate is computed again from its program, by ``execute`` on one scene at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clear_gen.core.errors import InputError
from clear_gen.questions.generation.balance_keys import NONE, RANKS, RELATIONS, SIGNATURE, TYPE
from clear_gen.questions.generation.candidates import (
    CANDIDATES_PER_SLOT,
    NO_RELATION,
    RELATION_BLIND_CORRECT,
    RELATION_BLIND_WRONG,
    SPARE_SLOTS,
    Rules,
    bank_labels,
    candidates,
    question_plan,
)
from clear_gen.questions.generation.selection import pool_of, select
from clear_gen.questions.language.execute import execute_on
from clear_gen.questions.language.program import Node, Program
from clear_gen.questions.language.scene_batch import scene_batch
from clear_gen.questions.language.scene_facts import Facts
from clear_gen.questions.language.vocabulary import GLOBAL, RELATIVE, answers_of_type, is_count
from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank
from tests.banks import bank_of, sound_of
from tests.questions.language.test_execute_batch import (
    descriptions_of,
    everything,
    left_out,
    needed,
    others,
    relations_of,
    reversed_,
    rewritten,
    templates_of,
    with_values,
)
from tests.questions.language.test_scene_batch import CLEAR2, all_facts, random_rows, table_of
from tests.questions.oracle import Row

RATE = 8000
TYPES = tuple(CLEAR2.question_types)
N_SCENES = 150
PER_SCENE = 6
HELD_OUT = (("instrument", "flute"), ("note", "F#"))  # as four of the bank's sounds are


@cache
def a_bank() -> Bank:
    """90 silent sounds with any labels: most combinations do not occur, every pair of an instrument and a part does."""
    rng = np.random.default_rng(21)
    sounds = []
    for number in range(90):
        values = {name: CLEAR2.attributes[name].values for name in CLEAR2.attributes}
        given: Row = {name: of[rng.integers(len(of))] for name, of in values.items()}
        given |= {name: None for name in ("brightness", "loudness") if rng.random() < 1 / 3}
        if given["instrument"] == "trumpet":
            given["brightness"] = "bright"
        sounds.append(sound_of(f"s{number}", np.zeros(int(RATE * rng.uniform(0.5, 1.2))), RATE, **given))
    return bank_of(sounds)


@dataclass(frozen=True)
class Asking:
    """Scenes, and the candidates that some rules and templates make of them, with their programs and facts."""

    table: pa.Table
    templates: Sequence[Template]
    rules: Rules
    facts: list[Facts]

    @property
    def rows(self) -> list[Row]:
        return list(self.table.to_pylist())

    def template(self, row: Row) -> Template:
        return self.templates[row["template"]]

    def program(self, row: Row) -> Program:
        return with_values(self.template(row), row["values"], CLEAR2)

    def answer(self, row: Row) -> str:
        return answers_of_type(self.template(row).question_type, CLEAR2)[row["answer"]]

    def __iter__(self) -> Iterator[tuple[Row, Template, Program, str, Facts]]:
        for row in self.rows:
            yield row, self.template(row), self.program(row), self.answer(row), self.facts[row["scene"]]


@cache
def scenes(split: str = "train") -> pa.Table:
    return sample_scenes(a_bank(), CLEAR2, SceneSpec(5, RATE), split, range(N_SCENES))


@cache
def packaged() -> tuple[Template, ...]:
    return tuple(read_templates(CLEAR2, []))


def made(
    templates: Sequence[Template] = (), split: str = "train", numbers: Sequence[int] = range(N_SCENES), **rules: Any
) -> pa.Table:
    """The candidates of some scenes."""
    templates = templates or packaged()
    types = tuple(name for name in TYPES if name in {template.question_type for template in templates})
    plan = question_plan(
        CLEAR2, Rules(**{"seed": 3, "per_scene": PER_SCENE, "types": types, **rules}), templates, labels()
    )
    columns = scene_batch(scenes(split).take(pa.array(numbers, pa.int64())), CLEAR2)
    return candidates(plan, columns, split, np.array(numbers, np.int64))


@cache
def labels() -> Any:
    return bank_labels(bank_columns(), CLEAR2)


@cache
def bank_columns() -> dict[str, list[str | int | None]]:
    return {name: [sound.attributes[name] for sound in a_bank().sounds] for name in CLEAR2.attributes}


def asking(templates: Sequence[Template] = (), split: str = "train", **rules: Any) -> Asking:
    """The same with what is needed to check them."""
    types = rules.get("types", TYPES)
    used = [template for template in templates or packaged() if template.question_type in types]
    given = Rules(3, PER_SCENE, tuple(types), rules.get("strict", True), rules.get("holdout", ()))
    return Asking(made(templates, split, **rules), used, given, all_facts(scenes(split)))


@pytest.fixture(scope="module")
def strict() -> Asking:
    return asking()


# ---- each candidate --------------------------------------------------------------------------------------------------


def test_every_candidate_is_well_posed_and_has_its_answer(strict: Asking) -> None:
    n = 0
    for row, template, program, answer, facts in strict:
        assert execute_on(program, facts) == answer, (row, template.template_id)
        assert row["answer"] >= 0
        n += 1
    assert n > N_SCENES * PER_SCENE


def test_every_relation_matters(strict: Asking) -> None:
    """Removed, with the related sound and without; reversed; each alone, and all at once."""
    tested = Counter[str]()
    for _, template, program, answer, facts in strict:
        relations = relations_of(program)
        is_label = program[-1].function.startswith("query_")
        if relations and (is_label or is_count(template.question_type)):
            for instead in (everything, others):
                changed = [needed(rewritten(program, {place: instead})) for place in relations]
                changed.append(needed(rewritten(program, dict.fromkeys(relations, instead))))
                for one in changed if instead is everything else changed[:-1]:
                    assert execute_on(one, facts) != answer, (template.template_id, instead)
                    tested["removed"] += 1
        if relations and not is_label:
            for place in relations:
                assert execute_on(rewritten(program, {place: reversed_}), facts) != answer, template.template_id
                tested["reversed"] += 1
    assert min(tested["removed"], tested["reversed"]) > 100


def test_blind_says_whether_the_answer_is_the_same_without_relations(strict: Asking) -> None:
    found = Counter[int]()
    for row, template, program, answer, facts in strict:
        relations = relations_of(program)
        expected = NO_RELATION
        if relations:
            without = needed(rewritten(program, dict.fromkeys(relations, everything)))
            expected = RELATION_BLIND_CORRECT if execute_on(without, facts) == answer else RELATION_BLIND_WRONG
        assert row["relation_blind"] == expected, (template.template_id, program)
        found[row["relation_blind"]] += 1
    assert min(found[value] for value in (NO_RELATION, RELATION_BLIND_CORRECT, RELATION_BLIND_WRONG)) > 20


def targets_of(program: Program) -> set[int]:
    """The nodes that the last one needs, relations and comparisons with a sound not passed."""
    found, waiting = set[int](), [len(program) - 1]
    while waiting:
        place = waiting.pop()
        found.add(place)
        if not program[place].function.startswith(("relate", "same_")):
            waiting += program[place].inputs
    return found


def test_droppable_counts_the_words_that_could_be_left_out(strict: Asking) -> None:
    found, missed = Counter[int](), 0
    for row, template, program, answer, facts in strict:
        places = [place for of in descriptions_of(program, CLEAR2) for place in of.values()]
        if not (program[-1].function.startswith("query_") or is_count(template.question_type)):
            places = [place for place in places if place not in targets_of(program)]
        if program[-1].function == f"query_{RELATIVE}":
            among = f"filter_{CLEAR2.relative_position_among}"
            places = [place for place in places if place not in targets_of(program) or program[place].function != among]
        expected = 0
        for place in places:
            expected += execute_on(rewritten(program, {place: left_out}), facts) == answer
        assert row["droppable"] <= expected, (template.template_id, program)
        found[row["droppable"]] += 1
        missed += row["droppable"] < expected
    assert found[0] > found[1] > 0
    assert missed < 0.01 * found.total()  # with unknown labels, a run cannot always say that the answer is the same


def named_of(program: Program) -> list[dict[str, str]]:
    """Each description as attribute -> label; the part of the scene is no label of a bank."""
    return [
        {kind: program[place].values[0] for kind, place in of.items() if kind != GLOBAL}
        for of in descriptions_of(program, CLEAR2)
    ]


def bank_sounds(named: dict[str, str]) -> list[int]:
    """The bank's sounds with these labels."""
    columns = bank_columns()
    return [place for place in range(90) if all(str(columns[name][place]) == value for name, value in named.items())]


def test_what_is_described_exists_in_the_bank(strict: Asking) -> None:
    n = 0
    for _, template, program, answer, _ in strict:
        for named in named_of(program):
            assert bank_sounds(named), (template.template_id, named)
            n += answer in ("0", "no")
    assert n > 100  # also where it is not in the scene


def test_the_bank_has_several_labels_for_what_is_asked_about(strict: Asking) -> None:
    n = 0
    for _, template, program, _, _ in strict:
        asked = template.question_type
        if asked not in CLEAR2.attributes:
            continue
        one = [named for named in target_descriptions(program) if named]
        if len(one) == 1:
            found = {bank_columns()[asked][place] for place in bank_sounds(one[0])} - {None}
            assert len(found) >= 2, (template.template_id, one)
            n += 1
            assert asked != "brightness" or one[0].get("instrument") != "trumpet"
    assert n > 100


def target_descriptions(program: Program) -> list[dict[str, str]]:
    found = []
    for of in descriptions_of(program, CLEAR2):
        if set(of.values()) & targets_of(program):
            found.append({kind: program[place].values[0] for kind, place in of.items() if kind != GLOBAL})
    return found


def test_values_that_must_differ_do(strict: Asking) -> None:
    n = 0
    for row, template, _, _, _ in strict:
        names = [parameter.name for parameter in template.parameters]
        for left, right in template.different:
            assert row["values"][names.index(left)] != row["values"][names.index(right)], template.template_id
            n += 1
    assert n > 50


def test_slots_have_their_types_in_turn_and_few_candidates_each(strict: Asking) -> None:
    rows = strict.rows
    assert [(row["scene"], row["slot"]) for row in rows] == sorted((row["scene"], row["slot"]) for row in rows)
    of_slot = Counter((row["scene"], row["slot"]) for row in rows)
    assert max(of_slot.values()) <= CANDIDATES_PER_SLOT
    assert max(row["slot"] for row in rows) < PER_SCENE + SPARE_SLOTS
    for row in rows:
        assert strict.template(row).question_type == TYPES[(row["scene"] * PER_SCENE + row["slot"]) % len(TYPES)]
    assert sum(slot < PER_SCENE for _, slot in of_slot) > 0.93 * N_SCENES * PER_SCENE


def test_spare_slots_are_used_only_where_a_slot_stays_empty() -> None:
    always, never = templates_of(
        "scene | filter_note <note> | count", "scene | filter_note <note> | unique | query_note"
    )
    slots = Counter(row["slot"] for row in made([always]).to_pylist())
    assert slots == dict.fromkeys(range(PER_SCENE), CANDIDATES_PER_SLOT * N_SCENES)
    # of two types one has no question: three slots of six, and one of two spare ones
    slots = Counter(row["slot"] for row in made([always, never]).to_pylist())
    assert set(slots.values()) == {CANDIDATES_PER_SLOT * N_SCENES}
    assert sum(slot >= PER_SCENE for slot in slots) == SPARE_SLOTS // 2
    assert len(slots) == PER_SCENE // 2 + SPARE_SLOTS // 2


# ---- what a text-only baseline can know of them ---------------------------------------------------------------------


def told_by(program: Program, template: Template) -> dict[int, object]:
    """Number of the feature -> what of it the text tells: the values of what is asked about, ranks, relations."""
    targets = targets_of(program)
    start = template.question_type, program[-1].function.partition("_")[0], *relations_told(program)
    named = tuple(
        frozenset((kind, program[place].values[0]) for kind, place in of.items())
        for of in descriptions_of(program, CLEAR2)
        if set(of.values()) & targets
    )
    ranks = tuple(node.values[0] for node in program if node.function in ("filter_absolute_position", RANK_OF_KIND))
    found: dict[int, object] = {TYPE: template.question_type, RELATIONS: start, SIGNATURE: (start, named)}
    return found | ({RANKS: (start, ranks)} if ranks else {})


RANK_OF_KIND = f"filter_{RELATIVE}"


def relations_told(program: Program) -> list[str]:
    return [program[place].values[0] for place in relations_of(program)]


def test_features_are_equal_where_the_text_tells_the_same_and_only_there(strict: Asking) -> None:
    hashes: dict[int, dict[object, set[int]]] = {number: {} for number in (TYPE, RELATIONS, SIGNATURE, RANKS)}
    for row, template, program, _, _ in strict:
        for number, told in told_by(program, template).items():
            hashes[number].setdefault(told, set()).add(row["balance_keys"][number])
        assert (row["balance_keys"][RANKS] == NONE) == (RANKS not in told_by(program, template))
    for number, of in hashes.items():
        assert all(len(some) == 1 for some in of.values()), number
        assert len(set.union(*of.values())) == len(of), number
        assert len(of) < len(strict.rows)
    assert len(hashes[SIGNATURE]) > 300


def test_a_sound_is_described_by_words_that_it_needs_where_there_is_one() -> None:
    """Of the sounds that note and instrument single out, first those that neither does alone."""
    text = "scene | filter_note <note> | filter_instrument <instrument> | unique | query_global_position"
    found = asking(templates_of(text), types=(GLOBAL,))
    n = Counter[bool]()
    for row, _, _, _, facts in found:
        both = list(zip(facts.labels["note"], facts.labels["instrument"], strict=True))
        notes, instruments = Counter(note for note, _ in both), Counter(instrument for _, instrument in both)
        terse = {(x, y) for x, y in both if both.count((x, y)) == 1 and notes[x] > 1 and instruments[y] > 1}
        if terse:
            assert row["droppable"] == 0
        n[bool(terse)] += 1
    assert min(n[True], n[False]) > 20


# ---- what decides about them -----------------------------------------------------------------------------------------


def test_scenes_one_by_one_and_all_at_once_have_the_same_candidates(strict: Asking) -> None:
    some = list(range(0, N_SCENES, 5))
    assert pa.concat_tables([made(numbers=[number]) for number in some[:12]]).equals(made(numbers=some[:12]))
    of_some = strict.table.filter(pa.array([number in some for number in strict.table["scene"].to_pylist()]))
    assert made(numbers=some).combine_chunks().equals(of_some.combine_chunks())


def test_the_same_again_and_another_with_another_seed_or_split(strict: Asking) -> None:
    some = list(range(20, 60))
    assert made(numbers=some).equals(made(numbers=some))
    programs = [key(row) for row in strict.rows if row["scene"] in some]
    other = [key(row) for row in made(seed=4, numbers=some).to_pylist()]
    assert len(set(programs) & set(other)) < 0.3 * len(programs)


def key(row: Row) -> tuple[Any, ...]:
    return row["scene"], row["slot"], row["template"], tuple(row["values"])


def test_a_split_has_a_stream_of_its_own() -> None:
    plan = question_plan(CLEAR2, Rules(3, PER_SCENE, TYPES), packaged(), labels())
    columns = scene_batch(scenes().slice(0, 20), CLEAR2)
    train, test = (candidates(plan, columns, split, np.arange(20)) for split in ("train", "test"))
    assert len({key(row) for row in train.to_pylist()} & {key(row) for row in test.to_pylist()}) < 100


def test_only_the_types_that_are_asked_for() -> None:
    few = asking(types=("count_compare", "note"))
    assert {few.template(row).question_type for row in few.rows} == {"count_compare", "note"}
    for row, template, program, answer, facts in few:
        assert execute_on(program, facts) == answer, (row, template)


def test_no_scenes_have_no_candidates() -> None:
    assert made(numbers=[]).num_rows == 0


def test_the_papers_rules_have_no_relation_test(strict: Asking) -> None:
    """Well-posed all the same; some relations do not matter."""
    loose = asking(strict=False)
    assert {row["relation_blind"] for row in loose.rows} == {NO_RELATION, RELATION_BLIND_WRONG, RELATION_BLIND_CORRECT}
    same = 0
    for _, _, program, answer, facts in loose:
        assert execute_on(program, facts) == answer
        for place in relations_of(program):
            same += execute_on(needed(rewritten(program, {place: everything})), facts) == answer
    assert same > 100
    assert loose.table.num_rows >= strict.table.num_rows


# ---- a combination that is held out ----------------------------------------------------------------------------------


def needs(program: Program, facts: Facts) -> bool:
    """Whether a program names the combination, or singles out a sound that has it."""
    if any(dict(HELD_OUT).items() <= named.items() for named in named_of(program)):
        return True
    return any(
        all(
            execute_on((*program[: place + 1], Node(f"query_{name}", (place,))), facts) == value
            for name, value in HELD_OUT
        )
        for place, node in enumerate(program)
        if node.function in ("unique", "longest", "shortest")
    )


def test_training_questions_do_not_need_what_is_held_out(strict: Asking) -> None:
    assert sum(needs(program, facts) for _, _, program, _, facts in strict) > 5
    assert not any(row["needs_holdout"] for row in strict.rows)
    held = asking(holdout=HELD_OUT)
    for row, template, program, answer, facts in held:
        assert not needs(program, facts), template.template_id
        assert not row["needs_holdout"]
        assert execute_on(program, facts) == answer
    assert held.table.num_rows > 0.9 * strict.table.num_rows


@pytest.mark.parametrize("split", ["validation", "test"])
def test_other_questions_say_whether_they_need_it(split: str) -> None:
    held = asking(split=split, holdout=HELD_OUT)
    found = Counter[bool]()
    for row, template, program, _, facts in held:
        assert row["needs_holdout"] == needs(program, facts), template.template_id
        found[row["needs_holdout"]] += 1
    assert found[True] > 3


# ---- templates of the user's own -------------------------------------------------------------------------------------

OWN = {
    "constants": "scene | filter_instrument violin | unique | relate after | filter_brightness bright"
    " | filter_octave <octave> | count",
    "constants and parameters": "scene | filter_instrument cello | unique | relate <relation> | filter_note <note>"
    " | unique | query_instrument",
    "a value named twice": "scene | filter_note <note> | filter_instrument <instrument> | unique | relate <relation>"
    " | filter_instrument <instrument> | exist",
    "one kind twice": "scene | filter_instrument <instrument> | count | scene | filter_instrument <2instrument> | count"
    " | less_than @2,5",
    "no description": "scene | filter_absolute_position <absolute_position> | unique | relate <relation> | longest"
    " | query_note",
}


@pytest.mark.parametrize("text", OWN.values(), ids=OWN)
def test_templates_of_the_users_own(text: str) -> None:
    one = asking(templates_of(text), types=(templates_of(text)[0].question_type,))
    n = 0
    for row, template, program, answer, facts in one:
        assert execute_on(program, facts) == answer, (row, template)
        for place in relations_of(program):
            instead: Callable[..., int] = everything if answer not in ("yes", "no") else reversed_
            assert execute_on(rewritten(program, {place: instead}), facts) != answer
        n += 1
    assert n > 20


def check_templates_without_parameters() -> int:
    """Alone, several, and beside one that has some; the number of candidates."""
    texts = "scene | count", "scene | filter_note A | count", "scene | filter_note <note> | count"
    all_of_them, n = templates_of(*texts), 0
    for templates in (all_of_them[:1], all_of_them[:2], all_of_them):
        found = asking(templates, types=("count",))
        assert {found.template(row).template_id for row in found.rows} == {one.template_id for one in templates}
        for _, _, program, answer, facts in found:
            assert execute_on(program, facts) == answer
            n += 1
        pool = pool_of(found.table, templates, CLEAR2, Rules(3, PER_SCENE, ("count",)))
        chosen = select(pool, PER_SCENE, strict=True)
        asked = [(pool.scene[row], pool.template[row], *pool.values[row]) for row in chosen]
        assert len(set(asked)) == len(asked)  # never the same question twice of a scene
        assert {scene for scene, *_ in asked} == set(range(N_SCENES))
    return n


def test_templates_without_parameters() -> None:
    """In a process of its own: Arrow divides by the length of such a list."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert (
            pool.submit(check_templates_without_parameters).result() == 3 * CANDIDATES_PER_SLOT * N_SCENES * PER_SCENE
        )


def test_an_answer_that_the_question_gives_is_never_asked_for() -> None:
    """Whatever the user's templates are."""
    texts = [
        "scene | filter_absolute_position <absolute_position> | unique | query_absolute_position",
        "scene | filter_global_position <global_position> | filter_instrument <instrument> | unique"
        " | query_global_position",
        "scene | filter_brightness <brightness> | filter_instrument <instrument> | unique | query_brightness",
    ]
    kinds = "absolute_position", "global_position", "brightness"
    rows = {kind: made(templates_of(text)).num_rows for kind, text in zip(kinds, texts, strict=True)}
    assert rows == dict.fromkeys(kinds, 0)


def test_an_answer_is_one_of_the_closed_list() -> None:
    """A sum may be greater than any count."""
    found = asking(templates_of("scene | filter_octave <octave> | count | scene | count | add @2,4"), types=("count",))
    assert found.table.num_rows > 0
    for _, _, program, answer, facts in found:
        assert execute_on(program, facts) == answer


def test_ill_posed_templates_have_no_candidates() -> None:
    never = templates_of("scene | unique | relate <relation> | unique | query_note")
    assert asking(never, types=("note",)).table.num_rows == 0


def test_scenes_with_more_sounds_than_the_domain_draws() -> None:
    """Imported ones may have: what is asked has values and an answer of the closed lists all the same."""
    rows = [row for row in random_rows(np.random.default_rng(8), 80, 0.0, 64) if len(row["sounds"]) > 20]
    table, facts = table_of(rows), all_facts(table_of(rows))
    by_rank = "filter_absolute_position <absolute_position> | unique | query_instrument"
    templates = templates_of(f"scene | {by_rank}", f"scene | filter_octave <octave> | {by_rank}", "scene | count")
    plan = question_plan(CLEAR2, Rules(0, 4, ("instrument", "count")), templates, labels())
    found = candidates(plan, scene_batch(table, CLEAR2), "train", np.arange(len(rows))).to_pylist()
    assert found
    for row in found:
        template = plan.templates[row["template"]]
        answer = answers_of_type(template.question_type, CLEAR2)[row["answer"]]
        assert execute_on(with_values(template, row["values"], CLEAR2), facts[row["scene"]]) == answer


def test_no_templates_are_refused(tmp_path: Path) -> None:
    """Before anything that is there is overwritten."""
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(InputError, match="template"):
        read_templates(CLEAR2, [tmp_path / "none.json"])
