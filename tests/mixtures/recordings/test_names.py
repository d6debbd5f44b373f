"""Names that look the same are one; names that tables cannot hold are refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clear_gen.core.errors import InputError
from clear_gen.datasets.mixtures.manifest import label_problem
from clear_gen.mixtures.recordings.read import read_events

CAFE = "café noir"


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.ones(800), 8000)


@pytest.mark.parametrize(
    "spelled",
    [
        unicodedata.normalize("NFD", CAFE),
        "café\u00a0noir",
        "café \u200bnoir",
        "café  noir",
        "café\u2009noir\ufeff",
        "ca\u00adfé noir",
    ],
)
def test_folders_whose_names_look_the_same_are_one_label(
    tmp_path: Path, spelled: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert spelled != CAFE
    for number, name in enumerate((CAFE, spelled)):
        write(tmp_path / name / f"{number}.wav")
    assert [event.label for event in read_events(tmp_path)] == [CAFE, CAFE]
    assert f"label {CAFE}: found in 2 spellings that look the same, taken as one" in caplog.text


def test_a_table_finds_files_and_labels_however_letters_are_composed(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "é.wav")
    write(tmp_path / "à" / decomposed)
    (tmp_path / "events.csv").write_text(f"filename,label\nà/é.wav,{unicodedata.normalize('NFD', CAFE)}\n")
    (event,) = read_events(tmp_path / "events.csv")
    assert event.path.name == decomposed
    assert event.label == CAFE


def test_a_label_that_nobody_can_see_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "\u200b" / "a.wav")
    with pytest.raises(InputError, match=r"label: found '\\u200b', expected characters that can be seen"):
        read_events(tmp_path)


@pytest.mark.parametrize("label", ['"open', "NA", "null", "nan", "None", "N/A", "bell, small"])
def test_a_label_that_readers_of_tables_misread_is_refused(label: str) -> None:
    problem = label_problem(["siren", label])
    assert problem is not None
    assert problem.startswith(f"label {label!r}: found ")


@pytest.mark.parametrize("label", ["Na", "nana", 'a "quoted" one', "none", "bell; small"])
def test_other_labels_are_not(label: str) -> None:
    assert label_problem([label]) is None
