"""Scenes and their questions as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import DAMAGED
from clear_gen.datasets.drawing import COLOURS, colour_of
from clear_gen.datasets.scenes.layout import SCENES, scene_files
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.datasets.scenes.questions.files import program_of, read_questions_manifest
from clear_gen.explore.query import Query, page_of, spread
from clear_gen.explore.question_table import VERDICTS, Questions, prediction_files
from clear_gen.explore.store import Store
from clear_gen.questions.language.execute import IllPosed
from clear_gen.questions.language.functions.function import SET, SOUND
from clear_gen.questions.language.functions.table import functions_of
from clear_gen.questions.language.program import problem_of
from clear_gen.questions.language.scene_facts import Facts, facts_of
from clear_gen.questions.language.trace import TraceStep, steps_of
from clear_gen.scenes.graph import SceneGraph, Sound, graph_of_row, scene_schema
from clear_gen.sounds.attributes import given, measured
from clear_gen.store.manifest import stored_identity

NAMED_SOUNDS = 2  # more are numbers only


class Scenes:
    """A finished dataset of scenes: N scenes and Q questions, of which small columns are held."""

    def __init__(self, folder: Path, predictions: Path | None = None) -> None:
        """Raises InputError if there is no finished dataset in ``folder``, or a file is damaged."""
        self._settings = finished_settings(folder)
        schema = scene_schema(self._settings.domain.attributes, self._settings.sample_rate)
        digest = sha256_json(stored_identity(folder) or {})
        self.store = Store(folder, scene_files(self._settings.sizes), "scene_id", schema, digest)
        self._splits = {name: size for name, size in self._settings.sizes.items() if size}
        ends = list(accumulate(self._splits.values()))
        self._first = dict(zip(self._splits, [0, *ends], strict=False))
        self.ids = [f"{split}-{index:06d}" for split, size in self._splits.items() for index in range(size)]
        tables = list(self.store.columns(SCENES, ["n_samples", "sounds.list.element.n_samples"]))
        self._duration_s = np.concatenate([table["n_samples"] for table in tables]) / self._settings.sample_rate
        self._n_sounds = np.concatenate([pc.list_value_length(table["sounds"]) for table in tables])
        asked = read_questions_manifest(folder, self._settings)
        self._asked = None if asked is None else Questions(folder, self._settings, asked, self.ids)
        self._n_questions = np.bincount(self._asked.scene if self._asked else [], minlength=len(self.ids))
        if predictions is not None:
            if self._asked is None:
                raise InputError(f"{folder}: found no questions, expected some where there are predictions")
            self._asked.predict(prediction_files(predictions, list(self._splits)))

    # --- what there is ------------------------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """Data that the page loads first; ``lists``: the available lists with their filters."""
        n_questions = len(self._asked) if self._asked else 0
        facts = [f"{len(self.ids):,} scenes", f"{self._settings.sample_rate:,} Hz"]
        facts += [f"{n_questions:,} questions"] if self._asked else []
        facts += [] if self._settings.audio else ["no audio: clear-gen render adds it"]
        filters: dict[str, list[str]] = {"split": list(self._splits)}
        answers = {}
        if self._asked:
            answers = self._asked.answers_by_type()
            filters["type"] = list(answers)
            filters["answer"] = list(dict.fromkeys(answer for listed in answers.values() for answer in listed))
            filters |= {"verdict": list(VERDICTS)} if self._asked.predicted else {}
        return {
            "lists": ["scenes", *(["questions"] if self._asked else [])],
            "facts": facts,
            "filters": filters,
            "answers": answers,
            "lengths_s": [round(float(edge), 1) for edge in (self._duration_s.min(), self._duration_s.max())],
        }

    def rows(self, name: str, query: Query) -> dict[str, Any]:
        """A page of scenes or of questions. A scene is kept if one of its questions is, or its own id has the text."""
        scenes = (self._duration_s >= query.from_s) & (self._duration_s <= query.to_s)
        if split := query.wanted.get("split"):
            first = self._first.get(split, 0)
            within = np.zeros(len(self.ids), bool)
            within[first : first + self._splits.get(split, 0)] = True
            scenes &= within
        kept = self._asked.kept(query) if self._asked else np.zeros(0, bool)
        if name == "questions":
            assert self._asked is not None
            return page_of(np.flatnonzero(kept & scenes[self._asked.scene]), query, self.question_row)
        about_questions = [filter_ for filter_ in query.wanted if filter_ != "split"]
        if about_questions or query.text:
            found = np.zeros(len(self.ids), bool)
            found[self._asked.scene[kept] if self._asked else []] = True
            if not about_questions:
                found |= np.array([query.text in scene_id for scene_id in self.ids])
            scenes &= found
        return page_of(np.flatnonzero(scenes), query, self.scene_row)

    def scene_row(self, number: int) -> dict[str, Any]:
        """A scene as it is listed."""
        scene_id, n_sounds, n_questions = self.ids[number], self._n_sounds[number], self._n_questions[number]
        note = f"{self._duration_s[number]:.1f} s, {n_sounds} sounds"
        note += f", {n_questions} question{'s' * int(n_questions != 1)}" if self._asked else ""
        return {
            "record": f"{SCENES}/{scene_id}",
            "title": scene_id,
            "note": note,
            "split": self._split(number),
            "length_s": float(self._duration_s[number]),
        }

    def _split(self, number: int) -> str:
        return self.ids[number].partition("-")[0]

    def question_row(self, number: int) -> dict[str, Any]:
        """A question as it is listed."""
        assert self._asked is not None
        scene = int(self._asked.scene[number])
        row = self.scene_row(scene) | {
            "id": self._asked.id[number].as_py(),
            "title": self._asked.text[number].as_py(),
            "note": "",
            "type": self._asked.type[number],
            "answer": self._asked.answer[number],
        }
        if self._asked.predicted:
            row |= {"verdict": self._asked.verdict[number], "predicted": self._asked.predicted.get(number)}
        return row

    def some(self, limit: int) -> dict[str, list[dict[str, Any]]]:
        """The rows of every list for so many scenes, spread evenly over all, or over the splits that were predicted."""
        shown: Sequence[int] = range(len(self.ids))
        if self._asked and self._asked.predicted:
            splits = {self._split(int(self._asked.scene[number])) for number in self._asked.predicted}
            shown = [number for number in shown if self._split(number) in splits]
        scenes = [shown[place] for place in spread(len(shown), limit)]
        questions = [number for scene in scenes for number in self._questions_of(scene)]
        found = {"scenes": [self.scene_row(scene) for scene in scenes]}
        return found | ({"questions": [self.question_row(number) for number in questions]} if self._asked else {})

    def _questions_of(self, scene: int) -> list[int]:
        return [] if self._asked is None else np.flatnonzero(self._asked.scene == scene).tolist()

    # --- one scene ----------------------------------------------------------------------------------------------------

    def record(self, config: str, name: str) -> dict[str, Any]:
        """A scene with all that is known of it, and its questions step by step. Raises NotThere, or InputError."""
        row = self.store.row(config, name)
        try:
            graph = graph_of_row(row)
            found = self._described(graph)
        except DAMAGED as error:
            raise InputError(f"{name}: damaged record ({first_line(error)})") from None
        facts = facts_of(graph, self._settings.domain)
        split, _, digits = name.partition("-")
        numbers = self._questions_of(self._first[split] + int(digits))
        return found | {"questions": [self._question(number, facts) for number in numbers], "also": {}}

    def _described(self, graph: SceneGraph) -> dict[str, Any]:
        rate, attributes = graph.sample_rate, self._settings.domain.attributes
        sounds = sorted(graph.sounds, key=lambda sound: sound.onset_sample)  # as programs number them
        facts = {"split": graph.split, "length": f"{graph.n_samples / rate:.2f} s", "sounds": f"{len(sounds)}"}
        if graph.reverb:
            facts["room"] = f"RT60 {graph.reverb.rt60_s:.2f} s, direct to reverberant {graph.reverb.drr_db:.1f} dB"
        if graph.noise:
            facts["noise"] = f"{graph.noise.level_dbfs:.0f} dBFS"
        return {
            "title": graph.scene_id,
            "facts": facts,
            "duration_s": graph.n_samples / rate,
            "dry_s": graph.n_samples_dry / rate,
            "lanes": [],
            "blocks": self._blocks(sounds, rate),
            "legend": self._legend(sounds),
            "head": ["sound", *attributes, "start", "length", "recording"],
            "table": [
                [str(number), *(_label(sound, name) for name in attributes), *_times(sound, rate), sound.sound_id]
                for number, sound in enumerate(sounds, 1)
            ],
        }

    def _blocks(self, sounds: list[Sound], rate: int) -> list[dict[str, Any]]:
        """One block per sound; overlapping sounds are placed in separate lanes."""
        attributes, ends, blocks = self._settings.domain.attributes, list[int](), []
        first, *others = given(attributes)
        for number, sound in enumerate(sounds, 1):
            lane = next((lane for lane, end in enumerate(ends) if end <= sound.onset_sample), len(ends))
            stop = sound.onset_sample + sound.n_samples
            ends[lane : lane + 1] = [stop]
            kinds = [others, *([name] for name in measured(attributes))]
            value, values = sound.attributes[first], list(attributes[first].values)
            blocks.append(
                {
                    "start_s": sound.onset_sample / rate,
                    "stop_s": stop / rate,
                    "lane": lane,
                    "colour": colour_of(values.index(value) if value in values else 0),
                    "words": [
                        f"{number} {_label(sound, first, '?')}",
                        *("".join(_label(sound, name, "?") for name in names) for names in kinds if names),
                    ],
                }
            )
        return blocks

    def _legend(self, sounds: list[Sound]) -> list[tuple[str, str]]:
        """What the colours stand for, where the first eight, which are easy to tell apart, are not enough."""
        first, rule = next(iter(given(self._settings.domain.attributes).items()))
        there = {sound.attributes[first] for sound in sounds}
        named = [(str(value), colour_of(k)) for k, value in enumerate(rule.values) if value in there]
        return named if len(rule.values) > len(COLOURS) else []

    def _question(self, number: int, facts: Facts) -> dict[str, Any]:
        """A question with the execution of its program, which is never stored."""
        assert self._asked is not None
        row = {name: value for name, value in self.question_row(number).items() if name not in ("record", "note")}
        try:
            program = program_of(self._asked.program(number) or ())
            problem = problem_of(program, facts.domain)
        except DAMAGED as error:
            program, problem = (), first_line(error)
        if problem is not None:
            return row | {"steps": [], "outcome": f"altered program: {problem}"}
        steps, outcome = steps_of(program, facts)
        kinds = functions_of(facts.domain)
        said = f"ill-posed: {outcome.reason}" if isinstance(outcome, IllPosed) else outcome
        return row | {"steps": [_shown(step, kinds[step.node.function].output) for step in steps], "outcome": said}


def _label(sound: Sound, name: str, unknown: str = "unknown") -> str:
    value = sound.attributes[name]
    return unknown if value is None else str(value)


def _times(sound: Sound, rate: int) -> tuple[str, str]:
    return f"{sound.onset_sample / rate:.2f} s", f"{sound.n_samples / rate:.2f} s"


def _shown(step: TraceStep, kind: str) -> dict[str, Any]:
    """A step for the page: which earlier ones it is applied to, the sounds it keeps, what it gives."""
    gives, n = step.words, len(step.sounds) + len(step.perhaps)
    if kind in (SET, SOUND) and n > NAMED_SOUNDS:
        numbers = [*(f"{sound + 1}" for sound in step.sounds), *(f"perhaps {sound + 1}" for sound in step.perhaps)]
        gives = f"{n} sounds: {', '.join(numbers)}"
    return {
        "function": " ".join([step.node.function.replace("_", " "), *step.node.values]),
        "inputs": list(step.node.inputs),
        "sounds": list(step.sounds),
        "perhaps": list(step.perhaps),
        "gives": gives,
    }
