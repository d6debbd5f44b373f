"""An independent judge of a dataset's questions: reads the Parquet files alone and shares no code with the engine.

    python -m tests.questions.oracle DIR

answers every question naively under every completion of the unknown labels, tests each relation of each question alone
(principle 5 of the design), reads the text against the program, and prints the balance beside its limits. Exit code 1
if anything is wrong. Made for clear2: its labels, relations and limits are written out here.
"""

from __future__ import annotations

import operator
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = dict[str, Any]
Program = list[Row]

INSTRUMENTS = ("bass", "cello", "clarinet", "flute", "trumpet", "violin")
NOTES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
PARTS = ("beginning of the scene", "middle of the scene", "end of the scene")
RANKS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth",
)  # fmt: skip
OCTAVES = set("1234567")
# What an unknown label may be
OPTIONS = {"brightness": ("bright", "dark"), "loudness": ("quiet", "loud"), "global_position": PARTS}
LABELS = {**OPTIONS, "instrument": INSTRUMENTS, "note": NOTES, "absolute_position": RANKS, "relative_position": RANKS}
CLOSED_LIST = {"yes", "no", *map(str, range(16))}.union(*LABELS.values())
REVERSED = {"before": "after", "after": "before"}
REVERSED |= {f"immediately {side}": f"immediately {other}" for side, other in REVERSED.items()}
REMOVAL_TYPES = (*LABELS, "count", "count_instruments")
REVERSAL_TYPES = ("count", "count_instruments", "exist", "count_compare")
TYPES = (*LABELS, *REVERSAL_TYPES)
COMPARISONS = {"less_than": "(fewer|less)", "greater_than": "more", "equal_integer": "(equal|same|as many)"}
TYPE_OF_LAST = {f"query_{attribute}": attribute for attribute in LABELS} | dict.fromkeys(COMPARISONS, "count_compare")
TYPE_OF_LAST |= {"count": "count", "add": "count", "count_different_instrument": "count_instruments"}
TYPE_OF_LAST |= {"exist": "exist", "or": "exist"}


# ---- answers ---------------------------------------------------------------------------------------------------------


class IllPosed(Exception):
    """The program has no answer under this completion."""


def sounds_of(scene: Row) -> list[Row]:
    """The sounds in time, with all their labels: None where unknown, also for a part of the scene near a boundary."""
    sounds, dry = [], scene["n_samples_dry"]
    for sound in sorted(scene["sounds"], key=lambda sound: sound["onset_sample"]):
        twice_middle = 2 * sound["onset_sample"] + sound["n_samples"]
        # |middle - k dry / 3| <= 2 % of dry, times 150, in whole numbers
        near = any(25 * abs(3 * twice_middle - 2 * k * dry) <= 3 * dry for k in (1, 2))
        part = None if near else PARTS[3 * twice_middle // (2 * dry)]
        sounds.append({**sound, "octave": str(sound["octave"]), "global_position": part})
    return sounds


class Completion:
    """The labels of a scene; the unknown ones are what ``choices`` says, in the order in which they are asked for."""

    def __init__(self, rate: int, sounds: list[Row], choices: list[list[str]]) -> None:
        self.rate, self.sounds, self.choices = rate, sounds, choices
        self.chosen: dict[tuple[int, str], str] = {}

    def label(self, sound: int, attribute: str) -> str:
        if (known := self.sounds[sound][attribute]) is not None:
            return known
        if (sound, attribute) not in self.chosen:
            if len(self.chosen) == len(self.choices):
                self.choices.append(list(OPTIONS[attribute]))
            self.chosen[sound, attribute] = self.choices[len(self.chosen)][0]
        return self.chosen[sound, attribute]


def completions(scene: Row) -> Iterator[Completion]:
    """Every completion of those unknown labels that whoever evaluates it asks for; the others cannot matter."""
    sounds, choices = sounds_of(scene), list[list[str]]()
    while True:
        yield Completion(scene["sample_rate"], sounds, choices)
        while choices and len(choices[-1]) == 1:
            choices.pop()
        if not choices:
            return
        del choices[-1][0]


def answer(program: Program, scene: Row) -> str | None:
    """The answer that every completion of the unknowns gives; None if two differ or one is ill-posed."""
    answers = set()
    for labels in completions(scene):
        try:
            answers.add(evaluate(program, labels))
        except IllPosed:
            return None
        if len(answers) > 1:
            return None
    return answers.pop()


def evaluate(program: Program, labels: Completion) -> str:
    """The last node's value, in words; every node is evaluated in turn."""
    values: list[Any] = []
    for node in program:
        values.append(value_of(node["function"], [values[i] for i in node["inputs"]], node["values"], labels))
    return {True: "yes", False: "no"}[values[-1]] if isinstance(values[-1], bool) else str(values[-1])


PLAIN: dict[str, Callable[..., Any]]
PLAIN = {"count": len, "exist": bool, "or": operator.or_, "add": operator.add, "equal_integer": operator.eq}
PLAIN |= {"less_than": operator.lt, "greater_than": operator.gt}
PLAIN |= {"union": lambda a, b: sorted({*a, *b}), "intersect": lambda a, b: sorted({*a} & {*b})}


def value_of(function: str, inputs: list[Any], values: list[str], labels: Completion) -> Any:
    """One node's value. A set is a sorted list of sounds, a sound its place in time from 0 on."""
    if function in PLAIN:
        return PLAIN[function](*inputs)
    everything = list(range(len(labels.sounds)))
    attribute = re.sub("^(filter|query|same|count_different)_", "", function)
    match [function.removesuffix("_" + attribute), *inputs]:
        case ["scene"]:
            return everything
        case ["others", sound]:  # no function of programs: it stands for a relation that was removed
            return [s for s in everything if s != sound]
        case ["relate", sound]:
            before = values[0].endswith("before")
            found = everything[:sound] if before else everything[sound + 1 :]
            nearest = found[-1:] if before else found[:1]
            return nearest if values[0].startswith("immediately") else found
        case ["same", sound]:
            if labels.sounds[sound][attribute] is None:
                raise IllPosed
            return [
                s for s in everything if s != sound and labels.label(s, attribute) == labels.label(sound, attribute)
            ]
        case ["filter", found]:
            return [s for s in found if label_in(s, attribute, found, labels) == values[0]]
        case ["query", sound]:
            return label_in(sound, attribute, everything, labels)
        case ["count_different", found]:
            return len({labels.label(s, attribute) for s in found})
        case ["unique", found]:
            return only(found)
        case ["longest" | "shortest", found]:
            return extreme(found, function, labels)
    raise ValueError(f"{function}: no function, or not with {len(inputs)} inputs")


def label_in(sound: int, attribute: str, found: list[int], labels: Completion) -> str:
    """A sound's label; a rank is that within the set ``found``, a relative one among the set's same instruments."""
    if attribute not in ("absolute_position", "relative_position"):
        return labels.label(sound, attribute)
    if attribute == "relative_position":
        found = [s for s in found if labels.sounds[s]["instrument"] == labels.sounds[sound]["instrument"]]
    return RANKS[found.index(sound)]


def only(found: list[int]) -> int:
    if len(found) != 1:
        raise IllPosed
    return found[0]


def extreme(found: list[int], function: str, labels: Completion) -> int:
    """The longest or shortest sound: 50 ms and 10 % of the longer from the runner-up, exactly that is too little."""
    ordered = sorted(found, key=lambda s: labels.sounds[s]["n_samples"], reverse=function == "longest")
    if len(ordered) < 2:
        return only(ordered)
    longer, shorter = sorted((labels.sounds[s]["n_samples"] for s in ordered[:2]), reverse=True)
    if 20 * (longer - shorter) <= labels.rate or 10 * (longer - shorter) <= longer:
        raise IllPosed
    return ordered[0]


# ---- rules -----------------------------------------------------------------------------------------------------------


def relations_of(program: Program) -> list[int]:
    """Numbers of the nodes that relate."""
    return [i for i, node in enumerate(program) if node["function"] == "relate"]


def changes(program: Program, scene: Row, place: int, **other: Any) -> bool:
    """Whether a program with another node at this place has another answer, or none."""
    changed = [*program[:place], {**program[place], **other}, *program[place + 1 :]]
    return answer(changed, scene) != answer(program, scene)


def removal_changes(program: Program, scene: Row, k: int, instead: str = "scene") -> bool:
    """Whether the answer changes if the k-th relation leads to all sounds (``others``: all but the related one)."""
    place = relations_of(program)[k]
    inputs = program[place]["inputs"] if instead == "others" else []
    return changes(program, scene, place, function=instead, inputs=inputs, values=[])


def reversal_changes(program: Program, scene: Row, k: int) -> bool:
    """Whether the answer changes if the k-th relation is the other way round."""
    place = relations_of(program)[k]
    return changes(program, scene, place, values=[REVERSED[program[place]["values"][0]]])


def entailed(program: Program) -> bool:
    """Whether the referent of a query is described by the very label that is asked for."""
    attribute, below = program[-1]["function"].removeprefix("query_"), [program[-1]]
    while below[-1]["inputs"] and not below[-1]["function"].startswith(("relate", "same_", "union", "intersect")):
        below.append(program[below[-1]["inputs"][0]])
    names = [node["function"] for node in below]
    if attribute not in LABELS or f"filter_{attribute}" not in names:
        return False
    names = names[names.index(f"filter_{attribute}") + 1 :]
    # a rank among part of the sounds does not tell the rank among all
    ranked_among = {"absolute_position": {"scene"}, "relative_position": {"scene", "filter_instrument"}}
    return set(names) <= ranked_among.get(attribute, set(names))


def named_by(program: Program, last: int) -> set[str]:
    """The labels by which a node and those that it depends on filter."""
    own = program[last]["values"] if program[last]["function"].startswith("filter_") else []
    return set(own).union(*(named_by(program, i) for i in program[last]["inputs"])) - OCTAVES


def words_of(text: str) -> set[str]:
    """A text's words, instruments in the singular."""
    singular = {name + ending: name for name in INSTRUMENTS for ending in ("s", "es")}
    return {singular.get(word, word) for word in re.findall(r"[A-Za-z0-9]+#?", text)}


def named_in(text: str) -> set[str]:
    """The labels that a text names."""
    words = words_of(text)
    return {label for labels in LABELS.values() for label in labels if label.split()[0] in words}


def text_agrees(question: Row) -> bool:
    """Whether a question's text names the values, relations and comparison of its program, and no others."""
    program = question["program"]
    text = question["question"][:1].lower() + question["question"][1:]  # "A violin ..." names no note
    last, named, words = program[-1], named_by(program, len(program) - 1), words_of(text.lower())
    asked = set(LABELS.get(last["function"].removeprefix("query_"), ()))
    relations = {program[i]["values"][0] for i in relations_of(program)}
    immediate = any(relation.startswith("immediately") for relation in relations)
    agree = [named <= named_in(text) <= named | asked]
    agree += [words & {"before", "after"} <= {relation.split()[-1] for relation in relations}]
    agree += [immediate == bool(words & {"immediately", "right", "just", "directly", "next"})]
    for function in ("longest", "shortest"):
        agree += [(function in words) == any(node["function"] == function for node in program)]
    if last["function"] in COMPARISONS:
        agree += [
            bool(re.search(rf"\b{words}\b", text)) == (name == last["function"]) for name, words in COMPARISONS.items()
        ]
    if last["function"] in ("less_than", "greater_than") and len(sides := text.split(" than ")) == 2:
        first, second = (named_by(program, i) for i in last["inputs"])
        agree += [first - second <= named_in(sides[0]), second - first <= named_in(sides[1])]
    return all(agree)


def findings(question: Row, scene: Row) -> Iterator[tuple[str, bool]]:
    """Each rule that applies to a question, and whether it is kept; every relation is tested alone."""
    program, kind = question["program"], question["question_type"]
    relations = range(len(relations_of(program)))
    yield "answer agrees", answer(program, scene) == question["answer"]
    yield "answer is in the closed list", question["answer"] in CLOSED_LIST
    yield "answer is not entailed", not entailed(program)
    yield (
        "question_type, n_relations, split fit",
        (
            TYPE_OF_LAST.get(program[-1]["function"]) == kind
            and question["n_relations"] == len(relations)
            and scene["split"] == question["split"]
        ),
    )
    yield "text agrees with program", text_agrees(question)
    for k in relations if kind in REMOVAL_TYPES else ():
        yield "removal changes", removal_changes(program, scene, k)
        yield "removal changes, referent left out", removal_changes(program, scene, k, "others")
    for k in relations if kind in REVERSAL_TYPES else ():
        yield "reversal changes", reversal_changes(program, scene, k)


# ---- a dataset -------------------------------------------------------------------------------------------------------

BANDS_FROM = 5000  # questions of a split
UNIFORM = 100 / len(TYPES)
# Least and greatest share of each answer of a type, in per cent
LIMITS: dict[str, tuple[tuple[str, ...], float, float]]
LIMITS = dict.fromkeys(("exist", "count_compare"), (("yes", "no"), 49.0, 51.0))
LIMITS |= {kind: (OPTIONS[kind], 49.0, 51.0) for kind in ("brightness", "loudness")}
LIMITS |= {"instrument": (INSTRUMENTS, 15, 18.5), "note": (NOTES, 7, 9.7), "global_position": (PARTS, 32, 34.7)}


def bands(questions: list[Row]) -> list[tuple[str, float, float, float, float]]:
    """What is balanced: its name, least and greatest share in per cent (ranks, counts: over uniform), the limits."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        answers[question["question_type"]][question["answer"]] += 1
    shares = [100 * answers[kind].total() / max(len(questions), 1) for kind in TYPES]
    table = [("types", min(shares), max(shares), UNIFORM - 1, UNIFORM + 1)]
    for kind in TYPES:
        total = max(answers[kind].total(), 1)
        if kind in LIMITS:
            labels, least, most = LIMITS[kind]
            shares = [100 * answers[kind][label] / total for label in labels]
            table.append((kind, min(shares), max(shares), least, most))
        else:
            kept = [n / total for n in answers[kind].values() if n >= 0.01 * total]
            table.append(
                (f"{kind}, x uniform", min(kept, default=0) * len(kept), max(kept, default=0) * len(kept), 0, 2.5)
            )
    return table


def read(folder: Path, kind: str, split: str, columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of one split's files, in order."""
    for path in sorted((folder / kind).glob(f"{split}-*.parquet")):
        yield from pq.ParquetFile(path).read(columns=columns).to_pylist()


def judge(folder: Path, split: str) -> bool:
    """Prints what holds in one split; whether everything does."""
    columns = ["scene_id", "split", "sample_rate", "n_samples_dry", "sounds"]
    scenes = {scene["scene_id"]: scene for scene in read(folder, "scenes", split, columns)}
    questions = list(read(folder, "questions", split))
    ids, texts = (
        Counter((q[a], q[b]) for q in questions) for a, b in [("split", "question_id"), ("scene_id", "question")]
    )
    tested, failed = Counter[str](), defaultdict[str, list[str]](list)
    for q in questions:
        once = ids[split, q["question_id"]] == 1 == texts[q["scene_id"], q["question"]]
        for rule, kept in [("asked once in its scene", once), *findings(q, scenes[q["scene_id"]])]:
            tested[rule] += 1
            failed[rule] += [] if kept else [f"{q['question_id']}: {q['question']} {q['answer']}"]
    print(f"{split}: {len(scenes):,} scenes, {len(questions):,} questions checked")
    for rule, n in tested.items():
        print(f"  {rule:<38}{n - len(failed[rule]):>10,} of {n:,}{'   WRONG' if failed[rule] else ''}")
        print("".join(f"      {which}\n" for which in failed[rule][:5]), end="")
    print(f"  {'balance':<32}{'least':>8}{'most':>8}{'limits':>16}")
    table, applies = bands(questions), len(questions) >= BANDS_FROM
    inside = [least <= low and high <= most for _, low, high, least, most in table]
    for (name, *numbers), fits in zip(table, inside, strict=True):
        mark = "" if fits else "   OUTSIDE" if applies else "   (outside, of too few questions)"
        print(f"  {name:<32}" + "".join(f"{number:>8.2f}" for number in numbers) + mark)
    return not any(failed.values()) and (all(inside) or not applies)


def main(folder: Path) -> int:
    splits = sorted({path.name.split("-")[0] for path in (folder / "questions").glob("*.parquet")})
    if not splits:
        print(f"{folder}: found no questions/*.parquet")
        return 2
    return 1 - min([judge(folder, split) for split in splits])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.questions.oracle DIR")
    sys.exit(main(Path(sys.argv[1])))
