"""Functional programs over a scene graph: what each node means, and when a program has no certain answer.

A program is a list of nodes, each applied to the outputs of earlier nodes; the last one gives the answer (CLEVR,
Johnson et al. 2017, section 3.3). Sounds are numbered in the order of their onsets.

| function | inputs | value | output |
|---|---|---|---|
| scene | | | set of all sounds |
| filter_<attribute> | set | label | those with this label |
| filter_absolute_position | set | rank | the one with this rank in time among the set |
| filter_relative_position | set | rank | those with this rank among the set's sounds of their own kind (instrument) |
| filter_global_position | set | part | those whose middle falls into this part of the scene |
| unique | set | | its only sound; ill-posed if there are none or several |
| longest, shortest | set | | its longest (shortest) sound; ill-posed without a clear margin |
| relate | sound | relation | set of the sounds that the relation leads to |
| same_<attribute> | sound | | set of the other sounds with its label; ill-posed if its label is unknown |
| union, intersect | set, set | | set |
| count | set | | integer |
| count_different_<attribute> | set | | integer: number of different labels |
| exist | set | | boolean |
| or | boolean, boolean | | boolean |
| add | integer, integer | | integer |
| equal_integer, less_than, greater_than | integer, integer | | boolean |
| query_<attribute> | sound | | its label |
| query_absolute_position | sound | | its rank in the scene |
| query_relative_position | sound | | its rank among the scene's sounds of its own kind |
| query_global_position | sound | | the part of the scene its middle falls into |

A label that is unknown may be any of its attribute's: a program is ill-posed unless every completion of the unknowns
that it touches gives the same answer. (Beyond MAX_RUNS completions it is called ill-posed without trying them all.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clear_gen.questions.language.vocabulary import (
    ABSOLUTE,
    GLOBAL,
    NO,
    RELATION,
    RELATIVE,
    YES,
    ordinal,
    plural,
    values_of,
)
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph

# The longest of some sounds must be longer than the next by more than both, and so the shortest shorter.
MARGIN_S = 0.05
MARGIN_SHARE = 0.1  # of the longer of the two
# On either side of a boundary between two parts of the scene, as a share of the dry scene, the part is unknown.
BOUNDARY_SHARE = 0.02
MAX_RUNS = 100_000  # completions; a scene of the packaged domain has a handful

SHOWN = 80  # characters of what was found, in messages
SET, SOUND, INTEGER, BOOLEAN, LABEL = "set", "sound", "integer", "boolean", "label"


@dataclass(frozen=True, slots=True)
class Node:
    """One step: a function, the numbers of the nodes it is applied to, and its value if it takes one."""

    function: str
    inputs: tuple[int, ...] = ()
    values: tuple[str, ...] = ()


Program = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class IllPosed:
    """Why a program has no certain answer on a scene."""

    reason: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives. ``value``: the kind of its value (an attribute, a position, ``relation``)."""

    inputs: tuple[str, ...]
    output: str
    value: str | None = None


def signatures(domain: Domain) -> dict[str, Signature]:
    """Every function that programs of this domain can use."""
    found = {
        "scene": Signature((), SET),
        "unique": Signature((SET,), SOUND),
        "longest": Signature((SET,), SOUND),
        "shortest": Signature((SET,), SOUND),
        "relate": Signature((SOUND,), SET, RELATION),
        "union": Signature((SET, SET), SET),
        "intersect": Signature((SET, SET), SET),
        "count": Signature((SET,), INTEGER),
        "exist": Signature((SET,), BOOLEAN),
        "or": Signature((BOOLEAN, BOOLEAN), BOOLEAN),
        "add": Signature((INTEGER, INTEGER), INTEGER),
    }
    found |= {name: Signature((INTEGER, INTEGER), BOOLEAN) for name in ("equal_integer", "less_than", "greater_than")}
    positions = [ABSOLUTE] + [RELATIVE] * bool(domain.relative_position_among) + [GLOBAL] * bool(domain.parts)
    for name in [*domain.attributes, *positions]:
        found[f"filter_{name}"] = Signature((SET,), SET, name)
        if name in domain.question_types:
            found[f"query_{name}"] = Signature((SOUND,), LABEL)
    for name in domain.attributes:
        found[f"same_{name}"] = Signature((SOUND,), SET)
        found[f"count_different_{name}"] = Signature((SET,), INTEGER)
    return found


def problem_of(program: Sequence[Node], domain: Domain, parameters: dict[str, str] | None = None) -> str | None:
    """The first thing that is wrong with a program's types, in words, or None.

    ``parameters``: name -> kind of the placeholders that a template's nodes may have as values.
    """
    known = signatures(domain)
    outputs: list[str] = []
    used: set[int] = set()
    for number, node in enumerate(program):
        at = f"node {number}"
        if node.function not in known:
            return f"{at}: function: found {_short(node.function)}, expected one of: {', '.join(sorted(known))}"
        takes = known[node.function]
        if any(not 0 <= place < number for place in node.inputs):
            return f"{at}: inputs: found {_short(list(node.inputs))}, expected numbers of earlier nodes"
        given = tuple(outputs[place] for place in node.inputs)
        if given != takes.inputs:
            found, expected = (", ".join(types) or "nothing" for types in (given, takes.inputs))
            return f"{at}: inputs of {node.function}: found {found[:SHOWN]}, expected {expected}"
        if problem := _value_problem(node, takes.value, domain, parameters or {}):
            return f"{at}: {problem}"
        used.update(node.inputs)
        outputs.append(takes.output)
    if not outputs or outputs[-1] in (SET, SOUND):
        return f"last node: found {outputs[-1] if outputs else 'none'}, expected one that gives an answer"
    if unused := sorted(set(range(len(outputs) - 1)) - used):
        return f"node {unused[0]}: its output is used by no other node"
    return None


def _value_problem(node: Node, kind: str | None, domain: Domain, parameters: dict[str, str]) -> str | None:
    if len(node.values) != (kind is not None):
        return f"values of {node.function}: found {_short(list(node.values))}, expected {'one' if kind else 'none'}"
    if kind is None or parameters.get(node.values[0]) == kind:
        return None
    allowed = values_of(kind, domain)
    if node.values[0] in allowed:
        return None
    return f"values of {node.function}: found {_short(node.values[0])}, expected one of: {', '.join(allowed)}"


def _short(value: object) -> str:
    return repr(value)[:SHOWN]


def question_type(program: Sequence[Node]) -> str:
    """The type of the questions that a program answers, from its last node."""
    last = program[-1].function
    if last.startswith("query_"):
        return last.removeprefix("query_")
    if last.startswith("count_different_"):
        return f"count_{plural(last.removeprefix('count_different_'))}"
    if last in ("count", "add"):
        return "count"
    return "exist" if last in ("exist", "or") else "count_compare"


def n_relations(program: Sequence[Node]) -> int:
    """Number of relations that a question states."""
    return sum(node.function == "relate" for node in program)


# --- a scene as programs see it ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What programs can ask of a scene, sounds in the order of their onsets.

    ``labels``: attribute (or ``global_position``) -> label per sound, None if unknown; ``n_samples`` per sound.
    """

    domain: Domain
    labels: dict[str, list[str | None]]
    n_samples: list[int]
    sample_rate: int


def facts_of(graph: SceneGraph, domain: Domain) -> Facts:
    """The facts of a scene graph."""
    sounds = sorted(graph.sounds, key=lambda sound: sound.onset_sample)
    labels = {
        name: [None if sound.attributes[name] is None else str(sound.attributes[name]) for sound in sounds]
        for name in domain.attributes
    }
    twice_the_middle = [2 * sound.onset_sample + sound.n_samples for sound in sounds]
    labels[GLOBAL] = [part_of_scene(middle, graph.n_samples_dry, domain.parts) for middle in twice_the_middle]
    return Facts(domain, labels, [sound.n_samples for sound in sounds], graph.sample_rate)


def part_of_scene(twice_the_middle: int, n_samples_dry: int, parts: Sequence[str]) -> str | None:
    """Which of equal parts of the dry scene a sound's middle (twice it, in samples) falls into; None near a boundary.

    >>> [part_of_scene(2 * middle, 300, ("beginning", "middle", "end")) for middle in (50, 95, 107, 299)]
    ['beginning', None, 'middle', 'end']
    """
    n = len(parts)
    whole = 2 * n_samples_dry
    if not n:
        return None
    for boundary in range(1, n):
        if abs(n * twice_the_middle - boundary * whole) <= BOUNDARY_SHARE * n * whole:
            return None
    return parts[min(n * twice_the_middle // whole, n - 1)]


# --- execution --------------------------------------------------------------------------------------------------------

Output = Any  # a sorted tuple of sounds, a sound, an integer, a boolean or a label


class _Touched(Exception):
    """A label was asked for that is unknown and not yet completed."""

    def __init__(self, sound: int, attribute: str) -> None:
        self.sound, self.attribute = sound, attribute


class NoAnswer(Exception):
    """The program has no answer, for the reason given."""


@dataclass
class _Run:
    """One execution under a completion of unknown labels: (attribute, sound) -> label."""

    facts: Facts
    completion: dict[tuple[str, int], str] = field(default_factory=dict)

    def label(self, attribute: str, sound: int) -> str:
        known = self.facts.labels[attribute][sound] or self.completion.get((attribute, sound))
        if known is None:
            raise _Touched(sound, attribute)
        return known

    def outputs(self, program: Sequence[Node]) -> list[Output]:
        found: list[Output] = []
        for number, node in enumerate(program):
            try:
                found.append(self.apply(node, [found[place] for place in node.inputs]))
            except NoAnswer as error:
                raise NoAnswer(f"step {number}, {node.function}: {error}") from None
        return found

    def apply(self, node: Node, inputs: list[Output]) -> Output:
        name = node.function
        if name in _SIMPLE:
            return _SIMPLE[name](*inputs)
        for prefix, method in _BY_PREFIX:
            if name.startswith(prefix):
                return method(self, name.removeprefix(prefix), *inputs, *node.values)
        return _ON_SCENE[name](self, *inputs, *node.values)

    def scene(self) -> tuple[int, ...]:
        return tuple(range(len(self.facts.n_samples)))

    def filter(self, attribute: str, sounds: tuple[int, ...], value: str) -> tuple[int, ...]:
        if attribute == ABSOLUTE:
            return tuple(sound for rank, sound in enumerate(sounds, 1) if ordinal(rank) == value)
        if attribute == RELATIVE:
            ranks = self.ranks_among_own_kind(sounds)
            return tuple(sound for sound in sounds if ordinal(ranks[sound]) == value)
        return tuple(sound for sound in sounds if self.label(attribute, sound) == value)

    def ranks_among_own_kind(self, sounds: tuple[int, ...]) -> dict[int, int]:
        attribute = self.facts.domain.relative_position_among or ""
        seen: dict[str, int] = {}
        ranks = {}
        for sound in sounds:
            kind = self.label(attribute, sound)
            seen[kind] = ranks[sound] = seen.get(kind, 0) + 1
        return ranks

    def query(self, attribute: str, sound: int) -> str:
        if attribute == ABSOLUTE:
            return ordinal(sound + 1)
        if attribute == RELATIVE:
            return ordinal(self.ranks_among_own_kind(self.scene())[sound])
        return self.label(attribute, sound)

    def same(self, attribute: str, sound: int) -> tuple[int, ...]:
        if self.facts.labels[attribute][sound] is None:
            raise NoAnswer(f"the {attribute} of sound {sound + 1} is unknown")
        label = self.label(attribute, sound)
        return tuple(other for other in self.scene() if other != sound and self.label(attribute, other) == label)

    def count_different(self, attribute: str, sounds: tuple[int, ...]) -> int:
        return len({self.label(attribute, sound) for sound in sounds})

    def relate(self, sound: int, relation: str) -> tuple[int, ...]:
        rule = self.facts.domain.relations[relation]
        before, after = self.scene()[:sound], self.scene()[sound + 1 :]
        nearest = rule.nearest or len(self.facts.n_samples)
        return before[-nearest:] if rule.side == "before" else after[:nearest]

    def longest(self, sounds: tuple[int, ...]) -> int:
        return self._extreme(sounds, shortest=False)

    def shortest(self, sounds: tuple[int, ...]) -> int:
        return self._extreme(sounds, shortest=True)

    def _extreme(self, sounds: tuple[int, ...], shortest: bool) -> int:
        if not sounds:
            raise NoAnswer("found no sound")
        lengths = self.facts.n_samples
        first, *others = sorted(sounds, key=lambda sound: (lengths[sound] * (1 if shortest else -1), sound))
        if others:
            difference = abs(lengths[first] - lengths[others[0]])
            least = max(MARGIN_S * self.facts.sample_rate, MARGIN_SHARE * max(lengths[first], lengths[others[0]]))
            if difference <= least:
                by = f"{1000 * difference / self.facts.sample_rate:.0f} ms"
                raise NoAnswer(f"sounds {first + 1} and {others[0] + 1} differ by {by}, too little to hear")
        return first


def _unique(sounds: tuple[int, ...]) -> int:
    if len(sounds) != 1:
        raise NoAnswer(f"found {len(sounds)} sounds, expected 1")
    return sounds[0]


_SIMPLE: dict[str, Callable[..., Output]] = {
    "unique": _unique,
    "union": lambda left, right: tuple(sorted({*left, *right})),
    "intersect": lambda left, right: tuple(sorted({*left} & {*right})),
    "count": len,
    "exist": bool,
    "or": lambda left, right: left or right,
    "add": lambda left, right: left + right,
    "equal_integer": lambda left, right: left == right,
    "less_than": lambda left, right: left < right,
    "greater_than": lambda left, right: left > right,
}
_ON_SCENE: dict[str, Callable[..., Output]] = {
    "scene": _Run.scene,
    "relate": _Run.relate,
    "longest": _Run.longest,
    "shortest": _Run.shortest,
}
_BY_PREFIX: tuple[tuple[str, Callable[..., Output]], ...] = (
    ("filter_", _Run.filter),
    ("query_", _Run.query),
    ("same_", _Run.same),
    ("count_different_", _Run.count_different),
)


def execute(program: Sequence[Node], graph: SceneGraph, domain: Domain) -> str | IllPosed:
    """The answer of a well-typed program on a scene, or why it has none."""
    return execute_on(program, facts_of(graph, domain))


def execute_on(program: Sequence[Node], facts: Facts) -> str | IllPosed:
    """The same where a scene's facts are at hand already."""
    answer = None
    try:
        for outputs in completions(program, facts):
            found = answer_of(outputs[-1])
            if answer not in (None, found):
                return IllPosed(f"the answer depends on an unknown label: {answer} or {found}")
            answer = found
    except NoAnswer as error:
        return IllPosed(str(error))
    assert answer is not None
    return answer


def completions(program: Sequence[Node], facts: Facts) -> Iterator[list[Output]]:
    """The outputs of all nodes under every completion of the unknown labels that the program touches."""
    waiting: list[dict[tuple[str, int], str]] = [{}]
    runs = 0
    while waiting:
        completion = waiting.pop()
        runs += 1
        if runs > MAX_RUNS:
            raise NoAnswer("it touches too many unknown labels")
        try:
            yield _Run(facts, completion).outputs(program)
        except _Touched as touched:
            place = (touched.attribute, touched.sound)
            labels = values_of(touched.attribute, facts.domain)
            waiting += [{**completion, place: label} for label in reversed(labels)]


def answer_of(output: Output) -> str:
    """What a question's answer is called: yes and no, a number, a label."""
    if isinstance(output, bool):
        return YES if output else NO
    return str(output)
