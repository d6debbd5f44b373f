"""Small sources in the layout of the published CLEAR generator, written by hand, and the broken ones made from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import clear_gen
from clear_gen.core.files import sha256_file
from clear_gen.core.pcm import encode_flac
from clear_gen.datasets.scenes.build import create
from clear_gen.datasets.scenes.clear_format.importer import ImportSummary, import_clear_layout
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph
from clear_gen.sounds.bank import Bank
from clear_gen.store.build import Execution

RATE = 8000


@contextmanager
def silent(left: int, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda n: None


def make(folder: Path, settings: Settings, banks: dict[str, Bank]) -> Path:
    """A dataset of our own."""
    create(folder, settings, banks, Execution())
    return folder


def sound(number: int, octave: int = 4) -> dict[str, Any]:
    return {
        "brightness": [None, "bright", "dark"][number % 3],
        "duration": 700 + 13 * number,
        "filename": f"flute_{octave}_{number}.wav",
        "id": number,
        "instrument": "flute",
        "is_ref": True,
        "loudness": "loud",
        "note": "A#",
        "octave": octave,
        "pack": "by hand",
        "silence_after": 100 + 7 * number,
    }


def scene(index: int, split: str = "val", n_sounds: int = 3) -> dict[str, Any]:
    everything = list(range(n_sounds))
    return {
        "objects": [sound(number) for number in everything],
        "relationships": [
            {"type": "before", "indexes": [everything[:k] for k in everything]},
            {"type": "after", "indexes": [everything[k + 1 :] for k in everything]},
        ],
        "scene_filename": f"CLEAR_{split}_{index:06d}.flac",
        "scene_index": f"{index:06d}",
        "silence_before": 150 + index,
    }


def node(type_: str, inputs: list[int], *values: Any) -> dict[str, Any]:
    """A node as the published generator writes it."""
    return {"type": type_, "inputs": inputs, "value_inputs": list(values), "_output": "what gives the answer away"}


def question(number: int, scene: int, answer: Any = 3, split: str = "val") -> dict[str, Any]:
    """How many sounds there are, in many words: a node that only checks, and one that no other reads."""
    program = [
        node("scene", []),
        node("filter_instrument", [0], "flute"),
        node("scene", []),
        node("not_unique", [1]),
        node("filter_note", [3], "A#"),
        node("count", [4]),
    ]
    return {
        "question_index": number,
        "scene_index": f"{scene:06d}",
        "scene_filename": f"CLEAR_{split}_{scene:06d}.flac",
        "question": f"How many flutes play, asked for the time {number} ?",
        "answer": answer,
        "template_index": f"count.json-{number}",
        "program": program,
    }


def write_questions(folder: Path, split: str, questions: list[Any], **more: Any) -> Path:
    """The questions of a split of a source."""
    path = folder / f"questions/CLEAR_{split}_questions.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"info": {}, "questions": questions, **more}))
    return path


def records(folder: Path, split: str) -> list[dict[str, Any]]:
    """The records of a split's questions."""
    return pq.read_table(folder / f"questions/{split}-00000-of-00001.parquet").to_pylist()


def length_ms(one: dict[str, Any]) -> int:
    return one["silence_before"] + sum(item["duration"] + item["silence_after"] for item in one["objects"])


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-300, 300, n_samples).astype(np.int16)


def write_source(folder: Path, audio: bool = True, **scenes_of_split: int) -> Path:
    """A source with so many scenes per published split (train, val, test)."""
    (folder / "scenes").mkdir(parents=True)
    for split, n in scenes_of_split.items():
        info = {"name": "CLEAR", "license": "CC-BY 4.0", "version": "S1", "set_type": split, "date": "11/21/26"}
        content = {"info": info, "scenes": [scene(index, split) for index in range(n)]}
        (folder / f"scenes/CLEAR_{split}_scenes.json").write_text(json.dumps(content))
        (folder / "audio" / split).mkdir(parents=True)
        for one in content["scenes"] if audio else ():
            pcm = noise(length_ms(one) * RATE // 1000, int(one["scene_index"]))
            (folder / "audio" / split / one["scene_filename"]).write_bytes(encode_flac(pcm, RATE))
    return folder


def edit(folder: Path, split: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the parsed JSON of a split's scenes."""
    path = folder / f"scenes/CLEAR_{split}_scenes.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def read_in(source: Path, out: Path, domain: Domain, **options: Any) -> ImportSummary:
    return import_clear_layout(source, out, domain, silent, **options)


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def graphs(folder: Path, split: str) -> list[SceneGraph]:
    return [scene.graph for scene in clear_gen.open_dataset(folder).scenes(split)]


def rows(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "scenes").glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def scenes_in(folder: Path, split: str) -> list[dict[str, Any]]:
    return json.loads((folder / f"scenes/CLEAR_{split}_scenes.json").read_text())["scenes"]


def stopping_after(n_calls: int) -> Callable[[int, int], Any]:
    """A progress whose function raises at its ``n_calls``-th call."""
    calls = []

    def advance(n: int) -> None:
        calls.append(n)
        if len(calls) == n_calls:
            raise RuntimeError("stopped")

    @contextmanager
    def progress(left: int, total: int) -> Iterator[Callable[[int], None]]:
        yield advance

    return progress


def altered(content: dict[str, Any]) -> dict[str, Any]:
    """The scene that tests break."""
    return content["scenes"][1]
