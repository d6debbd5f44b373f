"""FSDKaggle2018: labelled sound events, as Zenodo or as Kaggle has it.

Source: Fonseca et al. 2018, https://zenodo.org/records/2552860
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from clear_gen.mixtures.recordings.corpus import UNSTATED, Corpus, Form, Part, Recognition, harmless
from clear_gen.mixtures.recordings.table import Clip, Row

LABELS = """Acoustic_guitar Applause Bark Bass_drum Burping_or_eructation Bus Cello Chime Clarinet Computer_keyboard
    Cough Cowbell Double_bass Drawer_open_or_close Electric_piano Fart Finger_snapping Fireworks Flute Glockenspiel Gong
    Gunshot_or_gunfire Harmonica Hi-hat Keys_jangling Knock Laughter Meow Microwave_oven Oboe Saxophone Scissors Shatter
    Snare_drum Squeak Tambourine Tearing Telephone Trumpet Violin_or_fiddle Writing"""
NAME = re.compile(r"[0-9a-f]{8}\.wav")
ALLOWED = {"manually_verified": ("0", "1"), "usage": ("Public", "Private", "Ignored")}


def recognise(corpus: Corpus, folder: Path) -> Recognition:
    """By either layout."""
    return "yes" if _is_zenodo(folder) or _is_kaggle(folder) else "no"


def read(corpus: Corpus, folder: Path) -> list[Part]:
    """The training part, and the test part, which Kaggle's copy has only since the competition ended."""
    if _kaggle_table(folder).exists() and not _is_zenodo(folder):
        train = Part("", _kaggle_table(folder), folder / "audio_train")
        test = Part("test ", folder / "test_post_competition.csv", folder / "audio_test")
        parts = [train, test] if test.table.exists() else [train]
    else:
        meta = folder / "FSDKaggle2018.meta"
        train = Part("", meta / "train_post_competition.csv", folder / "FSDKaggle2018.audio_train")
        scoring = meta / "test_post_competition_scoring_clips.csv"
        parts = [train, Part("test ", scoring, folder / "FSDKaggle2018.audio_test")]
    for part, column in zip(parts, ALLOWED, strict=False):
        columns = ("fname", "label", column)
        clip_of = _clip_reader(part, corpus)
        part.fill(clip_of, columns, "freesound_id", "license", delimiter=",", is_unused=_is_ignored)
    return parts


def _is_zenodo(folder: Path) -> bool:
    return any((folder / f"FSDKaggle2018.{name}").is_dir() for name in ("meta", "audio_train"))


def _is_kaggle(folder: Path) -> bool:
    return (folder / "audio_train").is_dir() and _kaggle_table(folder).is_file()


def _kaggle_table(folder: Path) -> Path:
    """The table published after the competition, which says more, or the first one."""
    table = folder / "train_post_competition.csv"
    return table if table.exists() else folder / "train.csv"


def _is_ignored(row: Row) -> bool:
    return row.cells.get("usage") == "Ignored"


def _clip_reader(part: Part, corpus: Corpus) -> Callable[[Row], Clip]:
    """Makes a clip of a row, and notes what is wrong with the row."""

    def clip_of(row: Row) -> Clip:
        cells, name = row.cells, row.cells["fname"]
        if not NAME.fullmatch(name):
            part.wrong("name", row, "fname", "eight hexadecimal digits and .wav")
            name = harmless(name)
        for column, values in ALLOWED.items():
            if cells.get(column, values[0]) not in values:
                part.wrong("table", row, column, " or ".join(values))
        if not _is_ignored(row) and cells["label"] not in corpus.labels:  # of the ignored the label is None
            part.wrong("label", row, "label", f"one of the {len(corpus.labels)} labels of {corpus.title}")
        for column in ("freesound_id", "license"):
            if cells.get(column) == "":
                part.wrong("table", row, column, "something")
        source_id = f"{part.audio.name}/{name}"
        group, licence = cells.get("freesound_id") or source_id, cells.get("license") or UNSTATED
        is_verified = cells.get("manually_verified", "1") == "1"
        return Clip(row.where, source_id, part.audio / name, group, licence, cells["label"], is_verified)

    return clip_of


CORPUS = Corpus(
    name="fsdkaggle2018",
    title="FSDKaggle2018",
    holds="events",
    licence="Creative Commons, by clip: CC0, CC BY (name the author), and three CC BY-NC",
    redistribution=True,
    labels=tuple(LABELS.split()),
    form=Form(44_100, 1, "PCM_16"),
    figures={
        "clips": 9473,
        "verified": 3710,
        "labels": 41,
        "fewest of a label": 94,
        "most of a label": 300,
        "Freesound ids": 9473,
        "licence Attribution": 5210,
        "licence Creative Commons 0": 4260,
        "licence Attribution Noncommercial": 3,
        "recordings": 9473,
        "test clips": 1600,
        "test labels": 41,
        "test fewest of a label": 25,
        "test most of a label": 110,
        "test recordings": 1600,
    },
    recognise=recognise,
    read=read,
    layout="as Zenodo or as Kaggle has it",
)
