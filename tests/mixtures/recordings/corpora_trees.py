"""Small generated trees of exactly the form of the corpora: folders, names, dialect of the tables, format of the audio.

``python -m tests.mixtures.recordings.corpora_trees FOLDER tau2019`` writes one. ``BREAKS`` are what can be wrong with
a tree.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clear_gen.mixtures.recordings.corpora import CORPORA

FSD_RATE, SCENE_RATE = 44_100, 48_000  # Hz
SCENE_S = 10.0
FORMS = ("zenodo", "kaggle", "kaggle-post", "tut2018", "tau2019")
CORPUS_OF = {"zenodo": "fsdkaggle2018", "kaggle": "fsdkaggle2018", "kaggle-post": "fsdkaggle2018"}

# fname, label, manually_verified, freesound_id, license; not in the order of the names
TRAIN = [
    ("00044347.wav", "Hi-hat", "0", "28739", "Attribution"),
    ("fe1b2c3d.wav", "Hi-hat", "1", "358827", "Creative Commons 0"),
    ("001ca53d.wav", "Saxophone", "1", "358828", "Attribution"),
    ("002d256b.wav", "Gunshot_or_gunfire", "0", "10897", "Attribution Noncommercial"),
    ("0a9bebde.wav", "Gunshot_or_gunfire", "1", "108", "Creative Commons 0"),
]
# fname, label, usage, freesound_id, license
TEST = [
    ("00326aa9.wav", "Oboe", "Private", "355125", "Attribution"),
    ("0038a046.wav", "Hi-hat", "Public", "90621", "Creative Commons 0"),
]
IGNORED = [("00063640.wav", "None", "Ignored", "88926", "Attribution"), ("0b0427e2.wav", "None", "Ignored", "1", "x")]
# scene, city, location, segment
SCENES = [
    ("street_traffic", "vienna", 174, 2639),
    ("airport", "barcelona", 0, 0),
    ("airport", "barcelona", 0, 1),
    ("metro_station", "helsinki", 61, 1830),
    ("street_traffic", "vienna", 174, 2640),
    ("metro_station", "helsinki", 61, 1831),
]
SIDES = {"train": (1, 2, 0), "test": (3, 5), "evaluate": (3, 5)}  # the fifth is unused


def scene_name(number: int) -> str:
    """What the tables call a recording of ``SCENES``."""
    scene, city, location, segment = SCENES[number]
    return f"audio/{scene}-{city}-{location}-{segment}-a.wav"


def noise(seed: int, n_samples: int, channels: int) -> np.ndarray:
    """float32 [n, channels], another for every seed."""
    return (0.1 * np.random.default_rng(seed).standard_normal((n_samples, channels))).astype(np.float32)


def lines(path: Path, rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """A table as the corpora have them: nothing quoted, lines ended by LF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(delimiter.join(row) + "\n" for row in rows).encode())


def write_tree(folder: Path, form: str, *, scene_s: float = SCENE_S) -> Path:
    """A good copy of a corpus, in one of ``FORMS``: recordings of noise, the FSDKaggle ones 0.3 to 0.7 s long."""
    if form in CORPUS_OF:
        write_fsdkaggle(folder, form)
    else:
        write_scenes(folder, form, scene_s)
    return folder


def write_fsdkaggle(folder: Path, form: str) -> None:
    """``kaggle``: as it was for the competition; ``kaggle-post``: with the tables that came after it."""
    train, test = "audio_train", "audio_test"
    header = ("fname", "label", "manually_verified", "freesound_id", "license")
    test_header = ("fname", "label", "usage", "freesound_id", "license")
    listed = [*TEST, *IGNORED]
    if form == "zenodo":
        train, test, listed = "FSDKaggle2018.audio_train", "FSDKaggle2018.audio_test", TEST
        lines(folder / "FSDKaggle2018.meta/train_post_competition.csv", [header, *TRAIN])
        lines(folder / "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv", [test_header, *TEST])
        lines(folder / "FSDKaggle2018.doc/README.md", [["# FSDKaggle2018"]])
    else:
        lines(folder / "train.csv", [row[:3] for row in (header, *TRAIN)])
        lines(folder / "sample_submission.csv", [("fname", "label"), *((row[0], "Laughter Hi-Hat") for row in listed)])
    if form == "kaggle-post":
        lines(folder / "train_post_competition.csv", [header, *TRAIN])
        lines(folder / "test_post_competition.csv", [test_header, *listed])
    for seed, (part, row) in enumerate([*((train, row) for row in TRAIN), *((test, row) for row in listed)]):
        path = folder / part / row[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        n_samples = 0 if row[0] == "0b0427e2.wav" else round((0.3 + 0.05 * seed) * FSD_RATE)  # one is empty, as there
        soundfile.write(path, noise(seed, n_samples, 1), FSD_RATE, subtype="PCM_16")


def write_scenes(folder: Path, form: str, scene_s: float) -> None:
    """TUT 2018 has its folds in text files without a header, TAU 2019 in CSV files with one; both are tab separated."""
    header = ("filename", "scene_label", "identifier", "source_label")
    rows = [(scene_name(k), scene, f"{city}-{location}", "a") for k, (scene, city, location, _) in enumerate(SCENES)]
    lines(folder / "meta.csv", [header, *rows], "\t")
    for side, numbers in SIDES.items():
        n_columns = 1 if side == "test" else 2
        fold = [rows[number][:n_columns] for number in numbers]
        if form == "tau2019":
            lines(folder / f"evaluation_setup/fold1_{side}.csv", [header[:n_columns], *fold], "\t")
        else:
            lines(folder / f"evaluation_setup/fold1_{side}.txt", fold, "\t")
    lines(folder / "README.md", [["# scenes"]])
    (folder / "audio").mkdir()
    for number in range(len(SCENES)):
        samples = noise(number, round(scene_s * SCENE_RATE), 2)
        soundfile.write(folder / scene_name(number), samples, SCENE_RATE, subtype="PCM_24")


def small_figures(patch: pytest.MonkeyPatch) -> None:
    """What is published, for as long as the patch lasts, of corpora as small as the trees."""
    fsd = {"clips": 5, "verified": 3, "labels": 3, "fewest of a label": 1, "most of a label": 2, "Freesound ids": 5}
    fsd |= {"licence Attribution": 2, "licence Creative Commons 0": 2, "licence Attribution Noncommercial": 1}
    fsd |= {"recordings": 5, "test clips": 2, "test labels": 2, "test fewest of a label": 1, "test recordings": 2}
    scenes = {"clips": 6, "labels": 3, "fewest of a label": 2, "most of a label": 2, "cities": 3, "recordings": 6}
    folds = {"fold 1 train": 3, "fold 1 test": 2, "fold 1 evaluate": 2}
    for name, figures in (("fsdkaggle2018", fsd), ("tut2018", scenes), ("tau2019", scenes | folds)):
        patch.setitem(CORPORA, name, replace(CORPORA[name], figures=figures))


def linked(tree: Path, folder: Path) -> Path:
    """A copy of a tree for a test to break: tables are copied, recordings are links to the same bytes."""

    def copy(source: str, target: str) -> None:
        (os.link if source.endswith(".wav") else shutil.copy)(source, target)

    shutil.copytree(tree, folder, copy_function=copy)
    return folder


# --- what can be wrong ------------------------------------------------------------------------------------------------


def edited(file: str, old: str, new: str) -> Callable[[Path], None]:
    """Something else in a table, once."""

    def change(folder: Path) -> None:
        text = (folder / file).read_bytes().decode()
        assert old in text, file
        (folder / file).write_bytes(text.replace(old, new, 1).encode())

    return change


def removed(file: str) -> Callable[[Path], None]:
    """Without that file or folder."""

    def change(folder: Path) -> None:
        shutil.rmtree(folder / file) if (folder / file).is_dir() else (folder / file).unlink()

    return change


def audio(file: str, rate: int, channels: int, subtype: str, duration_s: float) -> Callable[[Path], None]:
    """A recording of another form."""

    def change(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)  # the other links keep their bytes
        soundfile.write(folder / file, noise(9, round(rate * duration_s), channels), rate, subtype=subtype)

    return change


def bytes_of(file: str, change_bytes: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Other bytes in a recording."""

    def change(folder: Path) -> None:
        data = (folder / file).read_bytes() if (folder / file).exists() else b""
        (folder / file).unlink(missing_ok=True)
        (folder / file).write_bytes(change_bytes(data))

    return change


@dataclass(frozen=True)
class Break:
    """``text``: what the first problem of the kind ``kind`` says. ``stops``: whether nothing can be imported.

    ``also``: kinds of problem that follow from it.
    """

    form: str
    change: Callable[[Path], None]
    kind: str
    text: str
    stops: bool = True
    also: tuple[str, ...] = ()


META, WAVS = "FSDKaggle2018.meta/train_post_competition.csv", "FSDKaggle2018.audio_train"
SCORING = "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv"
TESTS = "FSDKaggle2018.audio_test"
FOLD, TXT = "evaluation_setup/fold1_{}.csv", "evaluation_setup/fold1_{}.txt"
SCENE = scene_name(1)
BREAKS = {
    "no table": Break("zenodo", removed(META), "missing", f"{META}: not found"),
    "no test table": Break("zenodo", removed(SCORING), "missing", f"{SCORING}: not found", stops=False),
    "no audio folder": Break("zenodo", removed(WAVS), "missing", f"{WAVS}: not found, expected the folder"),
    "no test audio": Break("kaggle-post", removed("audio_test"), "missing", "audio_test: not found", stops=False),
    "no column": Break(
        "zenodo", edited(META, "manually_verified", "verified"), "table", f"{META}:1: manually_verified"
    ),
    "no column, kaggle": Break("kaggle", edited("train.csv", "label", "class"), "table", "train.csv:1: label"),
    "a cell short": Break("zenodo", edited(META, ",Attribution\n", "\n"), "table", f"{META}:2: found 4 cells"),
    "no Freesound id": Break("zenodo", edited(META, "28739", ""), "table", f"{META}:2: freesound_id: found nothing"),
    "not verified or not": Break("zenodo", edited(META, ",0,28739", ",2,28739"), "table", "found 2, expected 0 or 1"),
    "another usage": Break("zenodo", edited(SCORING, "Public", "public"), "table", "usage: found public", stops=False),
    "unknown label": Break(
        "zenodo", edited(META, "Saxophone", "Kazoo"), "label", f"{META}:4: label: found Kazoo, expected one of the 41"
    ),
    "unknown test label": Break(
        "kaggle-post", edited("test_post_competition.csv", "Oboe", "None"), "label", "found None", stops=False
    ),
    "a name that leads out": Break("zenodo", edited(META, "001ca53d", "../001ca53d"), "name", "found ../001ca53d.wav"),
    "capitals": Break(
        "zenodo",
        edited(META, "001ca53d", "001CA53D"),
        "name",
        "found 001CA53D.wav, expected eight",
        also=("extra", "missing"),
    ),
    "more than a name": Break(
        "zenodo", edited(META, "001ca53d.wav", "001ca53d.wav~"), "name", "001ca53d.wav~", also=("extra", "missing")
    ),
    "twice": Break(
        "zenodo",
        edited(META, "fe1b2c3d", "00044347"),
        "duplicate",
        f"{META}:3: fname: found 00044347.wav, expected",
        also=("extra",),
    ),
    "one not there": Break(
        "zenodo", removed(f"{WAVS}/0a9bebde.wav"), "missing", "0a9bebde.wav: not found, expected by"
    ),
    "one too many": Break(
        "zenodo", bytes_of(f"{WAVS}/notes.txt", bytes), "extra", f"{WAVS}: found notes.txt, expected only", stops=False
    ),
    "another count": Break(
        "zenodo", edited(META, "Hi-hat,0", "Hi-hat,1"), "count", "verified: found 4, expected 3", stops=False
    ),
    "no bytes": Break("zenodo", bytes_of(f"{WAVS}/001ca53d.wav", lambda _: b""), "audio", "unreadable", stops=False),
    "text": Break("zenodo", bytes_of(f"{WAVS}/001ca53d.wav", lambda _: b"RIFFs"), "audio", "unreadable", stops=False),
    "no samples": Break(
        "zenodo", audio(f"{WAVS}/001ca53d.wav", FSD_RATE, 1, "PCM_16", 0), "audio", "samples: found none", stops=False
    ),
    "cut off": Break(
        "zenodo", bytes_of(f"{WAVS}/001ca53d.wav", lambda data: data[:-100]), "audio", "it was cut off", stops=False
    ),
    "another rate": Break(
        "zenodo", audio(f"{WAVS}/001ca53d.wav", 32_000, 1, "PCM_16", 1), "audio", "found 32000", stops=False
    ),
    "stereo": Break(
        "zenodo", audio(f"{WAVS}/001ca53d.wav", FSD_RATE, 2, "PCM_16", 1), "audio", "channels: found 2", stops=False
    ),
    "24 bits": Break(
        "zenodo", audio(f"{TESTS}/00326aa9.wav", FSD_RATE, 1, "PCM_24", 1), "audio", "subtype: found", stops=False
    ),
    "no meta": Break("tau2019", removed("meta.csv"), "missing", "meta.csv: not found"),
    "commas": Break("tau2019", edited("meta.csv", "filename\t", "filename,"), "table", "meta.csv:1: filename"),
    "no identifier": Break(
        "tut2018", edited("meta.csv", "\tbarcelona-0\t", "\t\t"), "table", "identifier: found nothing"
    ),
    "label unlike its name": Break(
        "tau2019",
        edited("meta.csv", "\tairport", "\tbus"),
        "label",
        "scene_label: found bus, expected airport",
        also=("count", "fold"),
    ),
    "three classes": Break(
        "tau2019",
        edited("meta.csv", "\tairport", "\tindoor"),
        "label",
        "scene_label: found indoor",
        also=("count", "fold"),
    ),
    "place unlike its name": Break(
        "tut2018", edited("meta.csv", "\tbarcelona-0", "\tbarcelona-1"), "label", "identifier: found barcelona-1"
    ),
    "another device": Break(
        "tau2019", edited("meta.csv", "barcelona-0\ta", "barcelona-0\tb"), "label", "source_label: found b"
    ),
    "a name of another device": Break(
        "tau2019",
        edited("meta.csv", "0-0-a.wav", "0-0-s1.wav"),
        "name",
        "0-0-s1.wav",
        also=("extra", "fold", "missing"),
    ),
    "a name of no scene": Break(
        "tut2018",
        edited("meta.csv", "audio/airport-", "audio/beach-"),
        "name",
        "found audio/beach",
        also=("extra", "fold", "missing"),
    ),
    "a scene that leads out": Break("tut2018", edited("meta.csv", "audio/air", "audio/../air"), "name", "audio/../air"),
    "a scene not there": Break("tau2019", removed(SCENE), "missing", f"{SCENE}: not found, expected by"),
    "a scene twice": Break(
        "tut2018", edited("meta.csv", "-0-1-a", "-0-0-a"), "duplicate", "meta.csv:4: filename", also=("extra", "fold")
    ),
    "a short scene": Break(
        "tut2018", audio(SCENE, SCENE_RATE, 2, "PCM_24", 9.5), "audio", "duration: found 9.50 s", stops=False
    ),
    "a mono scene": Break(
        "tau2019", audio(SCENE, SCENE_RATE, 1, "PCM_24", 10), "audio", "channels: found 1", stops=False
    ),
    "no fold": Break("tut2018", removed(TXT.format("test")), "missing", "fold1_test.txt: not found", stops=False),
    "a fold of others": Break(
        "tau2019",
        edited(FOLD.format("test"), "-61-1831-", "-61-1832-"),
        "fold",
        "expected one of meta.csv",
        stops=False,
    ),
    "a fold with another label": Break(
        "tut2018",
        edited(TXT.format("train"), "\tairport", "\ttram"),
        "fold",
        "scene_label: found tram, expected",
        stops=False,
    ),
    "a fold without header": Break(
        "tau2019", edited(FOLD.format("train"), "filename\tscene_label\n", ""), "fold", "csv:1: filename", stops=False
    ),
    "test in train": Break(
        "tut2018", edited(TXT.format("test"), scene_name(3), scene_name(0)), "fold", "in train and test", stops=False
    ),
}


def main(arguments: Iterable[str]) -> None:
    """Write a tree: FOLDER and form."""
    folder, form = arguments
    write_tree(Path(folder), form)


if __name__ == "__main__":
    main(sys.argv[1:])
