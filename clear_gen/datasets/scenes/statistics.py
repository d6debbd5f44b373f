"""What a dataset holds, in the terms of the paper's Table 2, read from the metadata columns alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from clear_gen.core.parquet import open_parquet
from clear_gen.core.progress import counted
from clear_gen.core.text import table
from clear_gen.datasets.scenes.layout import questions_name
from clear_gen.questions.audit.ngrams import words_of
from clear_gen.scenes.domain import Domain
from clear_gen.store.layout import DataFile

NAMES = {
    "sounds_per_scene": "sounds per scene",
    "sound_duration_s": "sound duration (s)",
    "scene_duration_s": "scene duration (s)",
}
COLUMNS = ["sample_rate", "n_samples", "n_samples_dry", "sounds"]


@dataclass(frozen=True)
class Statistics:
    """Minimum, mean and maximum of each quantity; scenes per split and per number of sounds; hours with tails."""

    ranges: dict[str, tuple[float, float, float]]
    scenes_of_split: dict[str, int]
    scenes_of_length: dict[int, int]
    audio_hours: float
    n_sounds: int


def statistics(folder: Path, files: Sequence[DataFile]) -> Statistics:
    """Count over all files of a dataset. The names of ``ranges`` are those of a domain's ``published``."""
    n_sounds, sound_s, dry_s = [], [], []
    n_samples, rate = 0, 1
    splits: Counter[str] = Counter()
    for file in counted(files, "files summed up"):
        table = open_parquet(folder / file.name).read(columns=COLUMNS)
        rate = table.column("sample_rate")[0].as_py()
        splits[file.split] += table.num_rows
        n_sounds.append(pc.list_value_length(table.column("sounds")).to_numpy())
        flat = pc.list_flatten(table.column("sounds"))
        sound_s.append(pc.struct_field(flat, "duration_s").to_numpy())
        dry_s.append(table.column("n_samples_dry").to_numpy() / rate)
        n_samples += pc.sum(table.column("n_samples")).as_py()
    n_of_scene = np.concatenate(n_sounds)
    quantities = {
        "sounds_per_scene": n_of_scene,
        "sound_duration_s": np.concatenate(sound_s),
        "scene_duration_s": np.concatenate(dry_s),
    }
    ranges = {name: (float(x.min()), float(x.mean()), float(x.max())) for name, x in quantities.items()}
    lengths, counts = np.unique(n_of_scene, return_counts=True)
    per_length = dict(zip(lengths.tolist(), counts.tolist(), strict=True))
    return Statistics(ranges, dict(splits), per_length, n_samples / rate / 3600, int(n_of_scene.sum()))


@dataclass(frozen=True)
class Words:
    """The words of all questions: their mean number in a question, and how many are different."""

    mean: float
    vocabulary: int


def question_words(folder: Path, splits: Iterable[str]) -> Words:
    """Count the words of the questions of some splits, of which there is at least one question."""
    n_questions = n_words = 0
    found: set[str] = set()
    for split in splits:
        for text in open_parquet(folder / questions_name(split)).read(["question"])["question"].to_pylist():
            words = words_of(text)
            n_questions, n_words = n_questions + 1, n_words + len(words)
            found.update(words)
    return Words(n_words / max(1, n_questions), len(found))


def words_line(domain: Domain, words: Words) -> str:
    """Words per question and vocabulary, beside those of the published dataset if the domain has them."""
    line = f"{words.mean:.1f} words in a question on average, {words.vocabulary} different words"
    there = domain.published
    if there and there.words_per_question and there.vocabulary:
        line += f" ({there.name}: {there.words_per_question:g}, {there.vocabulary})"
    return line


def statistics_lines(domain: Domain, ranges: dict[str, tuple[float, float, float]]) -> list[str]:
    """Minimum, mean and maximum of each quantity here, and in the published dataset if the domain has them."""
    published = domain.published
    head = ["", "min", "mean", "max", *([f"{published.name}: min", "mean", "max"] if published else [])]
    rows = [head]
    for name, here in ranges.items():
        there = published.ranges.get(name, ()) if published else ()
        rows.append([NAMES[name], *(f"{value:.2f}" for value in (*here, *there))])
    return table(rows)
