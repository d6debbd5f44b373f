"""A trained model listens to recordings of any length, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import baselines
from baselines.cli import run
from baselines.tasks.sed.predictor import ListeningModel, window_starts
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.core.errors import InputError
from clear_gen.datasets.mixtures.load import load_mixtures
from tests.baselines.tasks.sed.runs import write_run

LABELS = ["bell", "dog", "horn"]
CLIP = "fold1-000002"


@pytest.fixture(scope="module")
def heard(sed_data: Path) -> dict[str, tuple[np.ndarray, int]]:
    """The waveforms of fold 1 by their ids, with their rate."""
    found = {}
    for graph, waveform, rate in load_mixtures(sed_data, 0, 1):
        assert waveform is not None
        found[graph.mixture_id] = waveform, rate
    return found


def stored(sed_folds: Path, clip: str) -> dict[str, Any]:
    """What evaluate wrote about a clip."""
    path = sed_folds / "fold-1/predictions-mixtures-snr0-fold1.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return next(row for row in rows if row["mixture_id"] == clip)


def test_a_clip_of_the_dataset_is_heard_as_it_was_scored(
    sed_folds: Path, heard: dict[str, tuple[np.ndarray, int]]
) -> None:
    model = baselines.load_model(str(sed_folds / "fold-1"), "cpu")
    n_events = 0
    for clip, (waveform, rate) in heard.items():
        found, expected = model(waveform, rate), stored(sed_folds, clip)
        for label, score in expected["scores"].items():
            assert found.probabilities[label] == pytest.approx(score, abs=1e-5)
        events = sorted([one.label, round(one.onset_s, 6), round(one.offset_s, 6)] for one in found.events)
        assert events == sorted(expected["events"])
        for one in found.events:
            first, last = (round(at / found.frame_s) for at in (one.onset_s, one.offset_s))
            frames = found.frames[LABELS.index(one.label), first:last]
            assert one.probability == pytest.approx(frames.max())
        n_events += len(events)
    assert n_events > 0


def test_thresholds_are_those_of_the_results_or_a_half(
    sed_data: Path, sed_folds: Path, tmp_path: Path, heard: dict[str, tuple[np.ndarray, int]]
) -> None:
    write_run(tmp_path / "run", sed_data)
    waveform, rate = heard[CLIP]
    unscored = ListeningModel(tmp_path / "run", "cpu")(waveform, rate)
    tagged = {label for label, probability in unscored.probabilities.items() if probability > 0.5}
    assert {one.label for one in unscored.events} <= tagged
    assert all(one.probability > 0.5 for one in unscored.events)


@pytest.mark.parametrize("n_clips", [2, 3])
def test_a_long_recording_is_heard_in_overlapping_windows(
    sed_folds: Path, heard: dict[str, tuple[np.ndarray, int]], n_clips: int
) -> None:
    model = baselines.load_model(sed_folds / "fold-1", "cpu")
    waveforms = [waveform for waveform, _ in heard.values()][:n_clips]
    rate = heard[CLIP][1]
    alone = [model(waveform, rate) for waveform in waveforms]
    found = model(np.concatenate(waveforms), rate)
    for label in LABELS:  # the windows at both ends are the first and the last clip, nearly or just
        assert found.probabilities[label] >= alone[0].probabilities[label] - 1e-5
    n_frames = alone[0].frames.shape[1]
    assert (found.frames[:, :n_frames] >= alone[0].frames - 1e-5).all()
    assert found.frames.shape[1] > n_clips * n_frames
    duration_s = sum(map(len, waveforms)) / rate
    assert all(0 <= one.onset_s < one.offset_s <= duration_s for one in found.events)
    assert found.events == sorted(found.events, key=lambda one: one.onset_s)


def test_windows_cover_every_frame() -> None:
    for n_frames in range(5, 40):
        starts = window_starts(n_frames, 5)
        covered = {frame for start in starts for frame in range(start, start + 5)}
        assert covered == set(range(n_frames))
        assert starts == sorted(set(starts))


def test_a_short_recording_is_repeated(sed_folds: Path, heard: dict[str, tuple[np.ndarray, int]]) -> None:
    model = baselines.load_model(sed_folds / "fold-1", "cpu")
    waveform, rate = heard[CLIP]
    part = waveform[: rate // 2]
    found, repeated = model(part, rate), model(np.tile(part, 4), rate)
    assert found.probabilities == repeated.probabilities
    assert all(one.offset_s <= 0.5 for one in found.events)


def test_another_rate(sed_folds: Path, heard: dict[str, tuple[np.ndarray, int]]) -> None:
    model = baselines.load_model(sed_folds / "fold-1", "cpu")
    waveform, rate = heard[CLIP]
    doubled = np.repeat(waveform, 2)
    assert model(doubled, 2 * rate).frames.shape == model(waveform, rate).frames.shape


@pytest.mark.parametrize("waveform", [np.zeros(0), np.zeros((2, 100)), np.array([0.0, np.nan])])
def test_what_is_no_recording(sed_folds: Path, waveform: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"^waveform: found shape .*, expected finite samples"):
        baselines.load_model(sed_folds / "fold-1", "cpu")(waveform, 8000)


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def recording(heard: dict[str, tuple[np.ndarray, int]], tmp_path: Path) -> Path:
    waveform, rate = heard[CLIP]
    soundfile.write(tmp_path / "street.wav", waveform, rate, subtype="FLOAT")
    return tmp_path / "street.wav"


def test_the_command_lists_events(sed_folds: Path, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["predict", str(sed_folds / "fold-1"), "--audio", str(recording), "--device", "cpu"]
    expected = sorted(stored(sed_folds, CLIP)["events"], key=lambda row: row[1:])
    printed = {}
    for how in ("", "--tsv", "--json"):
        assert run([*command, *filter(None, [how])]) == DONE
        printed[how] = capsys.readouterr().out
    found = json.loads(printed["--json"])
    assert [[one["label"], *(round(one[name], 6) for name in ("onset_s", "offset_s"))] for one in found["events"]] == (
        expected
    )
    assert set(found["probabilities"]) == set(LABELS)
    rows = [line.split("\t") for line in printed["--tsv"].splitlines()]
    assert rows[0] == ["label", "onset_s", "offset_s", "probability"]
    assert [row[:3] for row in rows[1:]] == [[label, f"{on_s:.3f}", f"{off_s:.3f}"] for label, on_s, off_s in expected]
    assert [line.split() for line in printed[""].splitlines()] == rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--question", "?"], "--question: found it with sound event detection, expected acoustic question answering"),
        (["--top", "3"], "--top: found it with sound event detection"),
        (["--json", "--tsv"], "--json: found it with --tsv"),
    ],
)
def test_wrong_usage(
    sed_folds: Path, recording: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run(["predict", str(sed_folds / "fold-1"), "--audio", str(recording), *options]) == WRONG_INPUT
    assert message in capsys.readouterr().err
