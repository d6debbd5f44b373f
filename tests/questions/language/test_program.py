"""Programs: what each function gives, when there is no certain answer, which programs are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from clear_gen.questions.language.execute import IllPosed, execute
from clear_gen.questions.language.functions.table import functions_of
from clear_gen.questions.language.program import Node, n_relations, problem_of, question_type
from clear_gen.questions.language.trace import trace
from clear_gen.scenes.domain import Domain, packaged_domain
from clear_gen.scenes.graph import SceneGraph, Sound
from tests.counts import examples
from tests.questions import oracle
from tests.questions.oracle import Program, Row
from tests.questions.test_oracle import program, programs, scene, scenes

CLEAR2 = packaged_domain("clear2")


def graph_of(row: Row) -> SceneGraph:
    """The graph of an oracle's row."""
    sounds = tuple(
        Sound(
            sound["sound_id"],
            sound["onset_sample"],
            sound["n_samples"],
            sound["gain_db"],
            {name: sound[name] for name in CLEAR2.attributes},
        )
        for sound in row["sounds"]
    )
    lengths = (row["n_samples_dry"] + 100, row["n_samples_dry"])
    return SceneGraph(row["scene_id"], row["split"], "clear2", row["sample_rate"], *lengths, sounds, None, None)


def nodes_of(rows: Program) -> list[Node]:
    return [Node(row["function"], tuple(row["inputs"]), tuple(row["values"])) for row in rows]


def answer(text: str, row: Row) -> str | None:
    """What ``execute`` answers, None if ill-posed; the oracle must say the same, and so must the types."""
    nodes = nodes_of(program(text))
    assert problem_of(nodes, CLEAR2) is None
    result = execute(nodes, graph_of(row), CLEAR2)
    found = None if isinstance(result, IllPosed) else result
    assert oracle.answer(program(text), row) == found
    return found


NINE = scene(
    "flute A4 bright loud 800",
    "cello C3 dark quiet 700",
    "violin A5 bright quiet 750",
    "cello D3 dark loud 650",
    "flute G4 bright quiet 900",
    "trumpet C4 ? loud 500",
    "cello C3 dark ? 720",
    "violin E4 dark loud 500",
    "flute D4 bright quiet 780",
)
THE_G = "scene | filter_note G | unique"

CASES = [
    # sets, counts, existence
    ("scene | count", "9"),
    ("scene | exist", "yes"),
    ("scene | filter_instrument cello | count", "3"),
    ("scene | filter_instrument bass | count", "0"),
    ("scene | filter_instrument bass | exist", "no"),
    ("scene | filter_note A | count", "2"),
    ("scene | filter_note A# | count", "0"),
    ("scene | filter_octave 3 | count", "3"),
    ("scene | filter_instrument flute | filter_brightness bright | count", "3"),
    ("scene | filter_instrument violin | filter_loudness loud | unique | query_note", "E"),
    # ordinals rank within the set that they filter
    ("scene | filter_absolute_position fifth | unique | query_instrument", "flute"),
    ("scene | filter_absolute_position ninth | unique | query_note", "D"),
    ("scene | filter_absolute_position tenth | exist", "no"),
    ("scene | filter_instrument cello | filter_absolute_position second | unique | query_note", "D"),
    ("scene | filter_instrument cello | filter_absolute_position fourth | exist", "no"),
    ("scene | filter_relative_position second | count", "3"),
    ("scene | filter_relative_position first | count", "4"),
    ("scene | filter_octave 3 | filter_relative_position third | unique | query_note", "C"),
    (f"{THE_G} | relate after | filter_instrument cello | filter_absolute_position first | unique"
     " | query_absolute_position", "seventh"),
    (f"{THE_G} | relate after | filter_relative_position first | filter_instrument flute | unique"
     " | query_absolute_position", "ninth"),
    (f"{THE_G} | relate before | filter_instrument cello | filter_relative_position second | unique | query_note", "D"),
    (f"{THE_G} | relate after | filter_instrument cello | filter_relative_position second | exist", "no"),
    # parts of the scene
    *((f"scene | filter_global_position {part} of the scene | count", "3") for part in ("beginning", "middle", "end")),
    ("scene | filter_global_position middle of the scene | filter_instrument cello | unique | query_note", "D"),
    # one sound
    (f"{THE_G} | query_instrument", "flute"),
    ("scene | filter_instrument cello | unique | query_note", None),
    ("scene | filter_instrument bass | unique | query_note", None),
    ("scene | longest | query_note", "G"),
    ("scene | shortest | query_note", None),
    ("scene | filter_instrument cello | longest | query_note", None),
    ("scene | filter_instrument flute | shortest | query_note", None),
    ("scene | filter_instrument violin | shortest | query_note", "E"),
    ("scene | filter_instrument violin | longest | query_note", "A"),
    ("scene | filter_instrument trumpet | longest | query_note", "C"),
    ("scene | filter_instrument trumpet | shortest | query_note", "C"),
    ("scene | filter_instrument bass | longest | query_note", None),
    ("scene | filter_instrument bass | shortest | query_note", None),
    # relations
    (f"{THE_G} | relate before | count", "4"),
    (f"{THE_G} | relate after | count", "4"),
    (f"{THE_G} | relate after | filter_note G | exist", "no"),
    (f"{THE_G} | relate before | filter_note G | exist", "no"),
    (f"{THE_G} | relate immediately before | unique | query_instrument", "cello"),
    (f"{THE_G} | relate immediately after | unique | query_instrument", "trumpet"),
    ("scene | filter_absolute_position first | unique | relate immediately before | count", "0"),
    ("scene | filter_absolute_position ninth | unique | relate immediately after | exist", "no"),
    (f"{THE_G} | relate immediately before | unique | relate immediately before | unique | query_instrument", "violin"),
    # the same label
    ("scene | filter_instrument trumpet | unique | same_instrument | count", "0"),
    ("scene | filter_absolute_position first | unique | same_note | unique | query_instrument", "violin"),
    ("scene | filter_absolute_position ninth | unique | same_octave | count", "4"),
    ("scene | filter_instrument trumpet | unique | same_brightness | exist", None),
    ("scene | filter_absolute_position seventh | unique | same_loudness | exist", None),
    ("scene | filter_absolute_position eighth | unique | same_brightness | count", None),
    ("scene | filter_absolute_position eighth | unique | same_brightness | exist", "yes"),
    ("scene | filter_absolute_position eighth | unique | same_brightness | filter_instrument cello | count", "3"),
    ("scene | filter_absolute_position eighth | unique | same_loudness | filter_instrument flute | count", "1"),
    # sets of two
    ("scene | filter_instrument cello | scene | filter_note C | union @1,3 | count", "4"),
    ("scene | filter_instrument cello | scene | filter_note C | intersect @1,3 | count", "2"),
    ("scene | filter_instrument cello | scene | filter_note A | intersect @1,3 | exist", "no"),
    ("scene | filter_absolute_position second | unique | relate after | scene | filter_note G | unique | relate before"
     " | intersect @3,7 | count", "2"),
    # different labels
    ("scene | count_different_instrument", "4"),
    ("scene | count_different_note", "5"),
    ("scene | count_different_octave", "3"),
    ("scene | count_different_brightness", "2"),
    ("scene | count_different_loudness", "2"),
    ("scene | filter_instrument trumpet | count_different_brightness", "1"),
    ("scene | filter_note C | count_different_brightness", None),
    ("scene | filter_instrument bass | count_different_note", "0"),
    # numbers and truth
    ("scene | filter_instrument bass | exist | scene | filter_note G | exist | or @2,5", "yes"),
    ("scene | filter_note G | exist | scene | filter_instrument bass | exist | or @2,5", "yes"),
    ("scene | filter_note G | exist | scene | filter_note A | exist | or @2,5", "yes"),
    ("scene | filter_note B | exist | scene | filter_instrument bass | exist | or @2,5", "no"),
    ("scene | filter_note A | count | scene | filter_instrument cello | count | add @2,5", "5"),
    *(
        (f"scene | filter_instrument {first} | count | scene | filter_instrument {second} | count | {function} @2,5",
         "yes" if holds else "no")
        for first, second, which in [("flute", "cello", 0), ("violin", "cello", 1), ("cello", "violin", 2)]
        for holds, function in zip(
            [which == 0, which == 1, which == 2], ["equal_integer", "less_than", "greater_than"], strict=True
        )
    ),
    # queries
    (f"{THE_G} | query_note", "G"),
    (f"{THE_G} | query_brightness", "bright"),
    (f"{THE_G} | query_loudness", "quiet"),
    (f"{THE_G} | query_absolute_position", "fifth"),
    (f"{THE_G} | query_relative_position", "second"),
    (f"{THE_G} | query_global_position", "middle of the scene"),
    ("scene | filter_absolute_position first | unique | query_global_position", "beginning of the scene"),
    ("scene | filter_absolute_position ninth | unique | query_global_position", "end of the scene"),
    (f"{THE_G} | relate after | filter_instrument flute | unique | query_relative_position", "third"),
    ("scene | filter_instrument trumpet | unique | query_brightness", None),
    ("scene | filter_instrument trumpet | unique | query_loudness", "loud"),
    # unknown labels
    ("scene | filter_brightness bright | count", None),
    ("scene | filter_brightness bright | exist", "yes"),
    ("scene | filter_instrument trumpet | filter_brightness bright | exist", None),
    ("scene | filter_instrument trumpet | filter_brightness dark | exist", None),
    ("scene | filter_loudness loud | filter_instrument violin | count", "1"),
    ("scene | filter_brightness dark | filter_octave 4 | unique | query_note", None),
    ("scene | filter_brightness dark | filter_octave 5 | count", "0"),
    ("scene | filter_brightness bright | filter_absolute_position fourth | unique | query_instrument", None),
    ("scene | filter_brightness bright | filter_absolute_position third | unique | query_instrument", "flute"),
    ("scene | filter_brightness bright | filter_relative_position third | unique | query_instrument", "flute"),
    # an unknown label is in one set or in the other, never in both and never in none
    ("scene | filter_brightness bright | count | scene | filter_brightness dark | count | add @2,5", "9"),
    ("scene | filter_brightness bright | scene | filter_brightness dark | union @1,3 | count", "9"),
    ("scene | filter_brightness bright | scene | filter_brightness dark | intersect @1,3 | exist", "no"),
    ("scene | filter_brightness bright | count | scene | filter_brightness dark | count | equal_integer @2,5", "no"),
    ("scene | filter_brightness bright | count | scene | filter_brightness dark | count | less_than @2,5", None),
    ("scene | filter_instrument trumpet | filter_brightness bright | exist"
     " | scene | filter_instrument trumpet | filter_brightness dark | exist | or @3,7", "yes"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_functions(text: str, expected: str | None) -> None:
    assert answer(text, NINE) == expected


def test_every_function_has_a_case() -> None:
    tried = {node["function"] for text, _ in CASES for node in program(text)}
    assert tried == set(functions_of(CLEAR2))


def test_sounds_are_numbered_by_onset_not_as_they_are_stored() -> None:
    stored = {**NINE, "sounds": NINE["sounds"][::-1]}
    for text, expected in CASES:
        assert answer(text, stored) == expected, text


def test_referents_may_differ_if_the_answer_does_not() -> None:
    row = scene("flute A4 ? loud", "flute C4 bright loud", "cello C4 dark loud")
    first_bright = "scene | filter_brightness bright | filter_absolute_position first | unique"
    assert answer(f"{first_bright} | query_instrument", row) == "flute"
    assert answer(f"{first_bright} | query_brightness", row) == "bright"
    assert answer(f"{first_bright} | query_note", row) is None
    assert answer(f"{first_bright} | relate after | filter_instrument cello | count", row) == "1"
    assert answer(f"{first_bright} | relate after | count", row) is None


def test_a_referent_under_one_completion_alone_is_none() -> None:
    row = scene("flute A4 ? loud", "cello C4 dark loud")
    assert answer("scene | filter_brightness bright | unique | query_brightness", row) is None


def test_same_of_an_unknown_is_ill_posed_whatever_it_would_find() -> None:
    row = scene("flute A4 ? loud", "cello C4 dark loud", "cello C4 bright loud")
    assert answer("scene | filter_instrument flute | unique | same_brightness | exist", row) is None
    assert answer("scene | filter_instrument flute | unique | same_brightness | filter_note A | exist", row) is None
    assert answer("scene | filter_note C | filter_brightness dark | unique | same_brightness | exist", row) is None
    assert answer("scene | filter_note A | unique | same_loudness | count", row) == "2"


@pytest.mark.parametrize(
    ("longer", "shorter", "clear"),
    [
        (400, 350, False),  # exactly 50 ms
        (400, 349, True),
        (600, 540, False),  # exactly 10 %
        (600, 539, True),
        (800, 749, False),  # over 50 ms, under 10 %
        (800, 722, False),
        (800, 719, True),
        (300, 255, False),  # over 10 %, under 50 ms
        (300, 250, False),
        (300, 249, True),
        (500, 500, False),
    ],
)
@pytest.mark.parametrize("faster", [1, 48])
def test_margins_of_longest_and_shortest(longer: int, shorter: int, clear: bool, faster: int) -> None:
    row = scene(f"flute A4 dark loud {shorter}", f"cello B4 dark loud {longer}")
    row = {**row, "sample_rate": 1000 * faster, "n_samples_dry": 2000 * faster}
    for sound in row["sounds"]:
        sound["onset_sample"] *= faster
        sound["n_samples"] *= faster
    assert answer("scene | longest | query_note", row) == ("B" if clear else None)
    assert answer("scene | shortest | query_note", row) == ("A" if clear else None)


def test_margins_to_the_sample() -> None:
    def longest(longer: int, shorter: int) -> str | None:
        row = scene("flute A4 dark loud", "cello B4 dark loud")
        row |= {"sample_rate": 48000, "n_samples_dry": 96000}
        for sound, n_samples, onset in zip(row["sounds"], (shorter, longer), (0, 48000), strict=True):
            sound |= {"onset_sample": onset, "n_samples": n_samples}
        return answer("scene | longest | query_note", row)

    assert [longest(19200, 19200 - difference) for difference in (2400, 2401)] == [None, "B"]  # 50 ms
    assert [longest(48000, 48000 - difference) for difference in (4800, 4801)] == [None, "B"]  # 10 %


def test_a_boundary_to_the_sample() -> None:
    row = scene("flute A4 dark loud", dry=480000)
    row["sounds"][0] |= {"n_samples": 10000}

    def part(middle: int) -> str | None:
        row["sounds"][0] |= {"onset_sample": middle - 5000}
        return answer("scene | unique | query_global_position", row)

    found = [part(middle) for middle in (150399, 150400, 169600, 169601, 310399, 310400, 329600, 329601)]
    beginning, middle, end = oracle.PARTS
    assert found == [beginning, None, None, middle, middle, None, None, end]


def test_the_margin_is_to_the_runner_up() -> None:
    row = scene("flute A4 dark loud 400", "cello B4 dark loud 700", "violin C4 dark loud 690", "bass D4 dark loud 410")
    assert answer("scene | longest | query_note", row) is None
    assert answer("scene | shortest | query_note", row) is None
    assert answer("scene | filter_global_position middle of the scene | longest | query_note", row) is None
    row = scene("flute A4 dark loud 400", "cello B4 dark loud 900", "violin C4 dark loud 690", "bass D4 dark loud 550")
    assert answer("scene | longest | query_note", row) == "B"
    assert answer("scene | shortest | query_note", row) == "A"


def test_a_length_may_be_compared_among_unknowns() -> None:
    row = scene("flute A4 ? loud 400", "cello B4 bright loud 700", "violin C4 dark loud 500")
    assert answer("scene | filter_brightness bright | longest | query_note", row) == "B"
    assert answer("scene | filter_brightness dark | longest | query_note", row) == "C"
    assert answer("scene | filter_brightness bright | shortest | query_note", row) is None


@pytest.mark.parametrize(
    ("middle", "part"),
    [
        (1, "beginning"),
        (93.5, "beginning"),
        (94, None),  # exactly 2 % of 300 from a third of it
        (100, None),
        (106, None),
        (106.5, "middle"),
        (193.5, "middle"),
        (194, None),
        (206, None),
        (206.5, "end"),
        (299, "end"),
    ],
)
def test_a_part_is_unknown_within_2_percent_of_a_boundary(middle: float, part: str | None) -> None:
    row = scene("flute A4 dark loud", dry=300)
    n_samples = 2 if middle % 1 == 0 else 1
    row["sounds"][0] |= {"onset_sample": int(middle - n_samples / 2), "n_samples": n_samples}
    asked = "scene | unique | query_global_position"
    assert answer(asked, row) == (part and f"{part} of the scene")
    for name in ("beginning", "middle", "end"):
        expected = None if part is None else "yes" if part == name else "no"
        assert answer(f"scene | filter_global_position {name} of the scene | exist", row) == expected


def test_a_part_is_one_of_the_scene_without_its_tail() -> None:
    row = scene("flute A4 dark loud", "cello A4 dark loud", "violin A4 dark loud")
    nodes = nodes_of(program("scene | filter_instrument cello | unique | query_global_position"))
    graph = graph_of(row)
    graph = SceneGraph("s", "train", "clear2", 1000, 9000, 3000, graph.sounds, None, None)
    assert execute(nodes, graph, CLEAR2) == "middle of the scene"


# ---- what surrounds the answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "last node: found none, expected"),
        ([Node("scene")], "last node: found set, expected"),
        ([Node("scene"), Node("frob", (0,))], "node 1: function: found 'frob', expected one of: .*scene.*"),
        ([Node("count", (0,))], r"node 0: inputs: found \[0\], expected numbers of earlier nodes"),
        ([Node("scene"), Node("count", (2,))], r"node 1: inputs: found \[2\], expected numbers of earlier nodes"),
        ([Node("scene"), Node("count", (-1,))], r"node 1: inputs: found \[-1\], expected numbers of earlier nodes"),
        ([Node("scene"), Node("count", (0, 0))], "node 1: inputs of count: found set, set, expected set"),
        ([Node("scene"), Node("count")], "node 1: inputs of count: found .*, expected set"),
        ([Node("scene"), Node("query_note", (0,))], "node 1: inputs of query_note: found set, expected sound"),
        ([Node("scene"), Node("unique", (0,)), Node("exist", (1,))], "inputs of exist: found sound, expected set"),
        ([Node("scene"), Node("count", (0,)), Node("or", (1, 1))], "found integer, integer, expected boolean, boolean"),
        ([Node("scene"), Node("exist", (0,)), Node("add", (1, 1))], "boolean, boolean, expected integer, integer"),
        ([Node("scene"), Node("scene"), Node("count", (0,))], "node 1: its output is used by no other node"),
        ([Node("scene", (), ("x",)), Node("count", (0,))], r"node 0: values of scene: found \['x'\], expected none"),
        (nodes_of(program("scene | filter_note H | count")), "values of filter_note: found 'H', expected one of: A"),
        (nodes_of(program("scene | filter_note | count")), r"values of filter_note: found \[\], expected one"),
        ([Node("scene"), Node("filter_note", (0,), ("A", "B")), Node("count", (1,))], "expected one"),
        (nodes_of(program("scene | unique | relate beside | count")), "found 'beside', expected one of: before, after"),
        (nodes_of(program("scene | filter_octave 9 | count")), "values of filter_octave: found '9'"),
        (nodes_of(program("scene | filter_absolute_position sixteenth | count")), "found 'sixteenth'"),
        (nodes_of(program("scene | filter_global_position end | count")), "found 'end', expected one of: beginning"),
    ],
)  # fmt: skip
def test_a_program_of_wrong_types_is_refused_in_words(nodes: list[Node], message: str) -> None:
    problem = problem_of(nodes, CLEAR2)
    assert problem is not None
    assert re.search(message, problem)
    assert "\n" not in problem


def test_functions_and_values_are_those_of_the_domain() -> None:
    data = CLEAR2.model_dump(exclude_none=True)
    data["attributes"] = {name: data["attributes"][name] for name in ("note", "octave")}
    data |= {"relations": {"two after": {"side": "after", "nearest": 2}}, "relative_position_among": "note"}
    data["sampling"]["constraints"], data["sampling"]["independent_levels"] = [], None
    domain = Domain.model_validate(data)
    assert "filter_instrument" not in functions_of(domain)
    assert "values of relate" in str(problem_of(nodes_of(program("scene | unique | relate after | count")), domain))
    row = scene("flute A4 dark loud", "flute B4 dark loud", "cello A3 dark loud", "cello A5 dark loud")

    def asked(text: str) -> str | IllPosed:
        assert problem_of(nodes_of(program(text)), domain) is None
        return execute(nodes_of(program(text)), graph_of(row), domain)

    two_after = "scene | filter_absolute_position first | unique | relate two after"
    assert asked(f"{two_after} | count") == "2"
    assert asked(f"{two_after} | count_different_note") == "2"
    assert asked("scene | filter_octave 3 | unique | query_relative_position") == "second"
    data |= {"parts": [], "relative_position_among": None}
    assert not {name for name in functions_of(Domain.model_validate(data)) if "global" in name or "relative" in name}
    assert execute(nodes_of(program("scene | count")), graph_of(row), Domain.model_validate(data)) == "4"
    assert asked("scene | filter_octave 3 | unique | relate two after | unique | query_relative_position") == "third"


@pytest.mark.parametrize(
    ("text", "kind", "relations"),
    [
        *((f"{THE_G} | query_{kind}", kind, 0) for kind in CLEAR2.question_types[:7]),
        ("scene | count", "count", 0),
        ("scene | count_different_instrument", "count_instruments", 0),
        ("scene | count | scene | count | add @1,3", "count", 0),
        (f"{THE_G} | relate after | exist", "exist", 1),
        (f"{THE_G} | same_octave | exist", "exist", 0),
        ("scene | exist | scene | exist | or @1,3", "exist", 0),
        *((f"scene | count | scene | count | {f} @1,3", "count_compare", 0)
          for f in ("equal_integer", "less_than", "greater_than")),
        (f"{THE_G} | relate immediately before | unique | relate before | count", "count", 2),
        (f"{THE_G} | relate after | {THE_G} | relate before | intersect @3,7 | count", "count", 2),
    ],
)  # fmt: skip
def test_type_and_number_of_relations(text: str, kind: str, relations: int) -> None:
    assert question_type(nodes_of(program(text))) == kind
    assert n_relations(nodes_of(program(text))) == relations


def test_question_types_are_the_domains() -> None:
    assert {question_type(nodes_of(program(text))) for text, _ in CASES} >= set(CLEAR2.question_types)


def test_ill_posed_says_why() -> None:
    reasons = {
        "scene | filter_instrument cello | unique | query_note": "step 2, unique: found 3 sounds, expected 1",
        "scene | filter_instrument bass | unique | query_note": "step 2, unique: found 0 sounds, expected 1",
        "scene | filter_instrument cello | longest | query_note": "sounds 7 and 2 differ by 20 ms",
        "scene | filter_instrument flute | shortest | query_note": "sounds 9 and 1 differ by 20 ms",
        "scene | filter_instrument trumpet | unique | same_brightness | exist": "the brightness of sound 6 is unknown",
        "scene | filter_instrument trumpet | unique | query_brightness": "unknown",
    }
    for text, word in reasons.items():
        result = execute(nodes_of(program(text)), graph_of(NINE), CLEAR2)
        assert isinstance(result, IllPosed)
        assert word in result.reason, result.reason
        assert "\n" not in result.reason


def test_a_trace_has_a_line_a_node_and_ends_with_the_answer() -> None:
    for text, expected in CASES:
        lines = trace(nodes_of(program(text)), graph_of(NINE), CLEAR2)
        assert all(line and "\n" not in line for line in lines)
        if expected is not None:
            assert len(lines) >= len(program(text))
            assert any(expected in line for line in lines[len(program(text)) - 1 :]), (text, lines)


def test_a_trace_in_words() -> None:
    row = scene("flute A4 bright loud", "cello C3 ? quiet", "bass D2 dark loud")

    def steps(text: str) -> list[str]:
        return [re.sub(" {2,}", "  ", line.strip()) for line in trace(nodes_of(program(text)), graph_of(row), CLEAR2)]

    flute, cello, bass = "1 (flute A 4 bright loud)", "2 (cello C 3 brightness? quiet)", "3 (bass D 2 dark loud)"
    assert steps("scene | filter_brightness bright | scene | filter_brightness dark | union @1,3 | count") == [
        f"0  scene  {flute}; {cello}; {bass}",
        f"1  filter_brightness[bright] of 0  {flute}; perhaps {cello}",
        f"2  scene  {flute}; {cello}; {bass}",
        f"3  filter_brightness[dark] of 2  {bass}; perhaps {cello}",
        f"4  union of 1, 3  {flute}; {cello}; {bass}",  # under either label it is in the union
        "5  count of 4  3",
        "answer: 3",
    ]
    assert steps("scene | filter_note C | unique | same_brightness | exist")[2:] == [
        f"2  unique of 1  {cello}",
        "ill-posed: step 3, same_brightness: the brightness of sound 2 is unknown",
    ]
    assert steps("scene | filter_note B | exist")[1:] == [
        "1  filter_note[B] of 0  no sound",
        "2  exist of 1  no",
        "answer: no",
    ]
    assert steps("scene | filter_note C | unique | query_brightness")[3:] == [
        "3  query_brightness of 2  dark or bright",
        "ill-posed: the answer depends on an unknown label: dark or bright",
    ]


def test_too_many_unknown_labels_are_no_answer() -> None:
    """The engine gives up where the oracle would not: never a wrong answer, and soon."""
    rows = program("scene | filter_brightness bright | count | scene | filter_brightness dark | count | add @2,5")
    result = execute(nodes_of(rows), graph_of(scene(*["flute A4 ? loud"] * 18)), CLEAR2)
    assert isinstance(result, IllPosed)
    assert "too many unknown" in result.reason
    assert execute(nodes_of(rows), graph_of(scene(*["flute A4 ? loud"] * 9)), CLEAR2) == "9"


# ---- against the oracle ----------------------------------------------------------------------------------------------


@examples(1500)
@given(scenes(), programs())
def test_engine_and_oracle_agree(row: Row, rows: Program) -> None:
    nodes = nodes_of(rows)
    assert problem_of(nodes, CLEAR2) is None
    result = execute(nodes, graph_of(row), CLEAR2)
    assert (None if isinstance(result, IllPosed) else result) == oracle.answer(rows, row)
    assert n_relations(nodes) == len(oracle.relations_of(rows))
    assert trace(nodes, graph_of(row), CLEAR2)
