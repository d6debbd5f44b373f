"""Programs on many rows at once against ``execute`` on one: never certain of what is not so.

Programs are altered here by rewriting their nodes, so that the engine's own way of altering is tested, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from clear_gen.questions.generation.value_sampler import BankLabels, ValueSampler, n_draws
from clear_gen.questions.language.execute import IllPosed, execute_on
from clear_gen.questions.language.execute_batch import (
    EVERYTHING,
    OTHERS,
    REVERSED,
    UNCHANGED,
    BatchExecutor,
    Change,
    Rows,
    batch_context,
)
from clear_gen.questions.language.program import Node, Program, problem_of, question_type
from clear_gen.questions.language.program_skeleton import ANY, ProgramSkeleton
from clear_gen.questions.language.scene_batch import scene_batch
from clear_gen.questions.language.scene_facts import Facts
from clear_gen.questions.language.vocabulary import RELATION, answers_of_type, label_kinds, values_of
from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.skeletons import skeletons_of
from clear_gen.questions.templates.template import Parameter, Template
from clear_gen.scenes.domain import Domain
from tests.counts import NIGHTLY
from tests.questions.language.test_program import nodes_of
from tests.questions.language.test_scene_batch import CLEAR2, all_facts, changed, random_rows, table_of
from tests.questions.oracle import Row
from tests.questions.test_oracle import program, scene

# ---- programs, altered naively ---------------------------------------------------------------------------------------


def with_values(template: Template, numbers: Sequence[int], domain: Domain) -> Program:
    """The template's nodes with the values of these numbers in place of the parameters."""
    given = {
        parameter.name: values_of(parameter.kind, domain)[number]
        for parameter, number in zip(template.parameters, numbers, strict=False)
    }
    return tuple(
        Node(node.function, node.inputs, tuple(given.get(value, value) for value in node.values))
        for node in template.program
    )


Instead = Callable[[Node, list[Node]], int]  # given a node and all before it: adds some, says which stands for the node


def rewritten(program: Program, instead: dict[int, Instead]) -> Program:
    """The program with some nodes replaced."""
    nodes: list[Node] = []
    now: list[int] = []
    for place, node in enumerate(program):
        moved = Node(node.function, tuple(now[before] for before in node.inputs), node.values)
        if place in instead:
            now.append(instead[place](moved, nodes))
        else:
            nodes.append(moved)
            now.append(len(nodes) - 1)
    return tuple(nodes)


def everything(_node: Node, nodes: list[Node]) -> int:
    nodes.append(Node("scene"))
    return len(nodes) - 1


def others(node: Node, nodes: list[Node]) -> int:
    """All but the sound that was related; needs a domain with before and after."""
    nodes += [Node("relate", node.inputs, (side,)) for side in ("before", "after")]
    nodes.append(Node("union", (len(nodes) - 2, len(nodes) - 1)))
    return len(nodes) - 1


def reversed_(node: Node, nodes: list[Node]) -> int:
    words = node.values[0].split(" ")
    words[-1] = {"before": "after", "after": "before"}[words[-1]]
    nodes.append(Node("relate", node.inputs, (" ".join(words),)))
    return len(nodes) - 1


def left_out(node: Node, _nodes: list[Node]) -> int:
    return node.inputs[0]


INSTEAD: dict[str, Instead] = {EVERYTHING: everything, OTHERS: others, REVERSED: reversed_}


def needed(program: Program) -> Program:
    """The program without nodes of which the last one needs nothing."""
    used = {len(program) - 1}
    for place in range(len(program) - 1, -1, -1):
        if place in used:
            used |= set(program[place].inputs)
    kept = sorted(used)
    return tuple(
        Node(program[place].function, tuple(map(kept.index, program[place].inputs)), program[place].values)
        for place in kept
    )


def relations_of(program: Program) -> list[int]:
    return [place for place, node in enumerate(program) if node.function == "relate"]


def descriptions_of(program: Program, domain: Domain) -> list[dict[str, int]]:
    """Neighbouring filters by label, each as kind -> node; one ends where two nodes use it or a kind is named again."""
    found: list[dict[str, int]] = []
    of_node: dict[int, int] = {}
    for place, node in enumerate(program):
        kind = node.function.removeprefix("filter_")
        if not node.function.startswith("filter_") or kind not in label_kinds(domain):
            continue
        before = node.inputs[0]
        users = sum(before in other.inputs for other in program)
        if before in of_node and users == 1 and kind not in found[of_node[before]]:
            of_node[place] = of_node[before]
        else:
            found.append({})
            of_node[place] = len(found) - 1
        found[of_node[place]][kind] = place
    return found


def altered(program: Program, skeleton: ProgramSkeleton, change: Change, domain: Domain) -> Program:
    """A program with a skeleton's steps changed, and without what only led to a relation that is left out."""
    related = dict(zip(skeleton.related, relations_of(program), strict=True))
    instead = {related[step]: INSTEAD[how] for step, how in change.relations.items()}
    if change.dropped is not None:
        slot, kind = change.dropped
        place = descriptions_of(program, domain)[slot].get(label_kinds(domain)[kind])
        if place is not None:
            instead[place] = left_out
    return needed(rewritten(program, instead))


# ---- rows ------------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """Some scenes with the templates that are tried on them."""

    domain: Domain
    templates: list[Template]
    rows: list[Row]
    tried: int = 0
    well: int = 0
    missed: int = 0  # well-posed, and the run does not say so
    facts: list[Facts] = field(init=False)
    skeletons: list[ProgramSkeleton] = field(init=False)

    def __post_init__(self) -> None:
        table = table_of(self.rows, self.domain)
        self.columns = scene_batch(table, self.domain)
        self.context = batch_context(self.columns, self.domain)
        self.facts, self.skeletons = all_facts(table, self.domain), skeletons_of(self.templates, self.domain)
        self.known: bool = all(None not in labels for one in self.facts for labels in one.labels.values())

    def template(self, skeleton: ProgramSkeleton, place: int) -> Template:
        return self.templates[skeleton.templates[place]]

    def _open(
        self, skeleton: ProgramSkeleton, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        place = np.repeat(np.arange(len(skeleton.templates)), n)
        n_parameters = max(len(template.parameters) for template in self.templates)
        return place, rng.integers(len(self.rows), size=len(place)), np.full((len(place), n_parameters), ANY)

    def random(self, skeleton: ProgramSkeleton, n: int, rng: np.random.Generator) -> Rows:
        """``n`` rows a template, most values those of a sound of the scene."""
        place, scenes, values = self._open(skeleton, n, rng)
        for row in range(len(place)):
            guide = rng.integers(self.columns.n_sounds[scenes[row]])
            for number, parameter in enumerate(self.template(skeleton, place[row]).parameters):
                listed = values_of(parameter.kind, self.domain)
                values[row, number] = rng.integers(len(listed))
                if rng.random() < 0.3:
                    guide = rng.integers(self.columns.n_sounds[scenes[row]])
                if parameter.kind in label_kinds(self.domain):
                    label = self.columns.labels[scenes[row], label_kinds(self.domain).index(parameter.kind), guide]
                    values[row, number] = label if label >= 0 else values[row, number]
                elif parameter.kind != RELATION:
                    values[row, number] = rng.integers(min(4, len(listed)))
        return Rows(scenes, place, values)

    def guided(self, skeleton: ProgramSkeleton, n: int, rng: np.random.Generator) -> Rows:
        """``n`` rows a template, the values drawn as candidates are; those for which there were any."""
        place, scenes, values = self._open(skeleton, n, rng)
        rows = Rows(scenes, place, values)
        n_values = np.array([len(values_of(kind, self.domain)) for kind in label_kinds(self.domain)])
        bank = BankLabels(np.stack([rng.integers(n_values) for _ in range(30)]).astype(np.int16), n_values)
        uniform = rng.random((len(place), n_draws(skeleton)), np.float32)
        run = BatchExecutor(skeleton, rows, self.context, fill=ValueSampler(uniform, bank).fill)
        again = BatchExecutor(skeleton, Rows(scenes, place, rows.values), self.context)
        assert np.array_equal(run.answer[run.ok], again.answer[run.ok])
        assert again.ok[run.ok].all()
        kept = np.flatnonzero([self._filled(skeleton, place[row], rows.values[row]) for row in range(len(place))])
        return Rows(scenes[kept], place[kept], rows.values[kept])

    def _filled(self, skeleton: ProgramSkeleton, place: int, values: np.ndarray) -> bool:
        return bool((values[: len(self.template(skeleton, place).parameters)] != ANY).all())

    def check(self, skeleton: ProgramSkeleton, rows: Rows, change: Change = UNCHANGED) -> None:
        """What a run says of every row against the execution of the row's program, altered naively."""
        run = BatchExecutor(skeleton, Rows(rows.scenes, rows.templates, rows.values), self.context, change)
        n_answers = max(len(answers_of_type(name, self.domain)) for name in skeleton.question_types)
        might_be = np.stack([run.might_be(np.full(len(rows), place)) for place in range(n_answers)], axis=1)
        for row, (scene_, place) in enumerate(zip(rows.scenes.tolist(), rows.templates.tolist(), strict=True)):
            template = self.template(skeleton, place)
            nodes = altered(with_values(template, rows.values[row], self.domain), skeleton, change, self.domain)
            expected = execute_on(nodes, self.facts[scene_])
            answers = answers_of_type(template.question_type, self.domain)
            possible = {answer for answer, may in zip(answers, might_be[row], strict=False) if may}
            self.compare(run, row, answers, possible, expected, (nodes, self.rows[scene_], change))

    def compare(
        self,
        run: BatchExecutor,
        row: int,
        answers: list[str],
        possible: set[str],
        expected: str | IllPosed,
        about: object,
    ) -> None:
        self.tried += 1
        if isinstance(expected, IllPosed):
            assert not run.ok[row], about
            assert run.ill[row] or not self.known, about
        else:
            self.well += 1
            self.missed += not run.ok[row]
            assert not run.ill[row], about
            assert run.ok[row] or not self.known, about
            if expected in answers:  # two counts may add up to more than a closed list has
                assert expected in possible, about
                assert answers[run.answer[row]] == expected or not run.ok[row], about
        if run.ill[row]:
            assert not possible, about
        elif self.known:
            assert possible == {expected} & set(answers), about


def changes_of(skeleton: ProgramSkeleton) -> Iterator[Change]:
    """Every change that is asked for anywhere: each relation alone in each way, all of them, each kind left out."""
    for step in skeleton.related:
        yield from (Change({step: how}) for how in (EVERYTHING, OTHERS, REVERSED))
    if len(skeleton.related) > 1:
        yield from (Change(dict.fromkeys(skeleton.related, how)) for how in (EVERYTHING, OTHERS, REVERSED))
    for slot, kind in np.argwhere((skeleton.descriptions != ANY).any(axis=0)).tolist():
        yield Change({}, (slot, kind))


@pytest.fixture(scope="module")
def packaged() -> list[Template]:
    return read_templates(CLEAR2, [])


def all_known(rows: list[Row]) -> list[Row]:
    """The scenes of which every label is known, the parts of the scene included."""
    facts = all_facts(table_of(rows))
    return [row for row, one in zip(rows, facts, strict=True) if not any(None in of for of in one.labels.values())]


# ---- the packaged templates ------------------------------------------------------------------------------------------


def test_the_packaged_templates_on_scenes_with_unknown_labels(packaged: list[Template]) -> None:
    rng = np.random.default_rng(11)
    world = World(CLEAR2, packaged, random_rows(rng, 80, 0.3, 15, 4))
    for skeleton in world.skeletons:
        world.check(skeleton, world.random(skeleton, 3, rng))
        world.check(skeleton, world.guided(skeleton, 4, rng))
    assert world.well > 2500
    assert world.missed < 0.08 * world.well  # few: whoever could be asked is asked


def test_changed_packaged_templates_on_scenes_with_unknown_labels(packaged: list[Template]) -> None:
    rng = np.random.default_rng(12)
    world = World(CLEAR2, packaged[:: 3 if NIGHTLY else 8], random_rows(rng, 80, 0.4, 12, 4))
    for skeleton in world.skeletons:
        for change in changes_of(skeleton):
            world.check(skeleton, world.guided(skeleton, 1, rng), change)
            world.check(skeleton, world.random(skeleton, 1, rng), change)
    assert world.well > (1200 if NIGHTLY else 400)


def test_where_all_is_known_nothing_is_left_open(packaged: list[Template]) -> None:
    """Well-posed, ill-posed and the answer, exactly, also of altered programs."""
    rng = np.random.default_rng(13)
    world = World(CLEAR2, packaged[1 :: 3 if NIGHTLY else 8], all_known(random_rows(rng, 400, 0.0, 15, 4)))
    assert world.known
    assert len(world.rows) > 30
    for skeleton in world.skeletons:
        for change in (UNCHANGED, *changes_of(skeleton)):
            world.check(skeleton, world.guided(skeleton, 1, rng), change)
            world.check(skeleton, world.random(skeleton, 1, rng), change)
    assert world.well > (1500 if NIGHTLY else 500)


# ---- programs that no packaged template has --------------------------------------------------------------------------


def templates_of(*texts: str, domain: Domain = CLEAR2) -> list[Template]:
    """Templates from programs as ``test_oracle.program`` reads them: ``<note>`` is a parameter, ``<2note>`` another."""
    found = []
    for number, text in enumerate(texts):
        nodes = tuple(nodes_of(program(text)))
        names = dict.fromkeys(value for node in nodes for value in node.values if value.startswith("<"))
        parameters = tuple(Parameter(name, name.strip("<>").lstrip("0123456789")) for name in names)
        made = Template(f"t{number}", "", ("",), nodes, parameters)
        assert problem_of(nodes, domain, {one.name: one.kind for one in parameters}) is None, text
        found.append(replace(made, question_type=question_type(nodes)))
    return found


# Bounds hold that a sound may be bright and dark at once, though none is: may and must differ for what is certain
LOOSE = (
    "scene | filter_brightness bright | scene | filter_brightness dark | intersect @1,3 | scene | filter_note <note>"
    " | union @4,6 | unique"
)
ODD = [
    "scene | count",
    "scene | exist",
    "scene | filter_instrument violin | count",
    "scene | filter_note <note> | filter_note <2note> | count",  # the same kind twice
    "scene | filter_note <note> | filter_instrument cello | unique | query_note",
    "scene | filter_instrument <instrument> | filter_absolute_position second | filter_note <note> | exist",
    "scene | filter_relative_position <relative_position> | filter_relative_position first | count",
    "scene | filter_brightness <brightness> | filter_relative_position <relative_position> | count",
    "scene | filter_absolute_position <absolute_position> | unique | same_brightness | filter_octave <octave> | count",
    "scene | filter_absolute_position <absolute_position> | unique | relate <relation> | longest | query_note",
    "scene | filter_absolute_position <absolute_position> | unique | relate <relation> | shortest"
    " | query_relative_position",
    "scene | filter_loudness <loudness> | shortest | query_absolute_position",
    "scene | filter_brightness <brightness> | longest | relate immediately after | unique | query_global_position",
    "scene | filter_note <note> | scene | filter_instrument <instrument> | intersect @1,3 | count",
    "scene | filter_note <note> | scene | filter_brightness <brightness> | union @1,3 | filter_instrument <instrument>"
    " | count_different_note",
    "scene | filter_brightness <brightness> | count_different_loudness",
    "scene | filter_brightness <brightness> | count_different_brightness",
    "scene | count_different_brightness",
    "scene | filter_brightness bright | count | scene | filter_loudness quiet | count | equal_integer @2,5",
    "scene | filter_brightness bright | count | scene | filter_loudness quiet | count | less_than @2,5",
    "scene | filter_brightness bright | count | scene | filter_loudness quiet | count | greater_than @2,5",
    "scene | filter_brightness dark | count | scene | filter_note <note> | count | add @2,5",
    "scene | count | scene | count | add @1,3",  # more than the closed list holds
    "scene | filter_brightness bright | exist | scene | filter_note <note> | exist | or @2,5",
    "scene | filter_note <note> | unique | relate <relation> | filter_note <note> | exist",  # a value named twice
    f"{LOOSE} | query_instrument",
    f"{LOOSE} | relate <relation> | unique | query_note",
    f"{LOOSE} | relate <relation> | exist",
]


def test_odd_programs() -> None:
    rng = np.random.default_rng(14)
    templates = templates_of(*ODD)
    for rows in (random_rows(rng, 60, 0.4, 8, 3), all_known(random_rows(rng, 200, 0.0, 8, 3))):
        world = World(CLEAR2, templates, rows)
        for skeleton in world.skeletons:
            for change in (UNCHANGED, *changes_of(skeleton)):
                world.check(skeleton, world.random(skeleton, 25, rng), change)
                world.check(skeleton, world.guided(skeleton, 10, rng), change)
        assert world.well > 1000


def test_scenes_of_up_to_64_sounds() -> None:
    rng = np.random.default_rng(15)
    domain = changed(CLEAR2, sampling={**CLEAR2.sampling.model_dump(), "sounds": {"min": 1, "max": 64}})
    rows = [*random_rows(rng, 12, 0.0, 64), *random_rows(rng, 3, 0.1, 64), scene("flute A4 dark loud")]
    rows += [row for row in random_rows(rng, 40, 0.0, 64) if len(row["sounds"]) > 60]
    templates = templates_of(
        *(text for text in ODD if "ness" not in text),
        "scene | filter_absolute_position sixty-fourth | unique | query_note",
        "scene | filter_absolute_position sixty-third | unique | relate <relation> | count",
        domain=domain,
    )
    world = World(domain, templates, [*rows, scene(*["flute A4 dark loud"] * 63, "cello B3 bright quiet")])
    for skeleton in world.skeletons:
        for change in (UNCHANGED, *changes_of(skeleton)):
            world.check(skeleton, world.random(skeleton, 12, rng), change)
    assert world.well > 200


def test_relations_of_another_domain() -> None:
    """Which lead to the nearest two, or cannot be reversed."""
    rng = np.random.default_rng(16)
    relations = {"before": {"side": "before"}, "after": {"side": "after"}, "two after": {"side": "after", "nearest": 2}}
    domain = changed(CLEAR2, relations=relations, relative_position_among="note", parts=[], wording={})
    anchor = "scene | filter_absolute_position <absolute_position> | unique | relate <relation>"
    texts = ["count", "filter_note <note> | exist", "filter_instrument <instrument> | unique | query_relative_position"]
    templates = templates_of(*(f"{anchor} | {text}" for text in texts), domain=domain)
    world = World(domain, templates, random_rows(rng, 60, 0.3, 8, 3))
    for skeleton in world.skeletons:
        rows = world.random(skeleton, 40, rng)
        for change in (
            UNCHANGED,
            *(change for change in changes_of(skeleton) if REVERSED not in change.relations.values()),
        ):
            world.check(skeleton, rows, change)
        (step,) = skeleton.related
        run = BatchExecutor(skeleton, rows, world.context, Change({step: REVERSED}))
        related = [
            names.index("<relation>") for names in [[one.name for one in world.template(skeleton, 0).parameters]]
        ]
        one_way = rows.values[:, related[0]] == 2
        assert one_way.any()
        assert not run.ok[one_way].any()
        anchored = ~BatchExecutor(skeleton, rows, world.context).ill
        assert run.might_be(np.zeros(len(rows)))[one_way & anchored].all()
        world.check(skeleton, rows.at(np.flatnonzero(~one_way)), Change({step: REVERSED}))
