"""The picture of what a model hears in one mixture."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from baselines.cli import run
from baselines.core.results import read_results
from baselines.tasks.sed.figure import MAPS, clip_figure, hear_clip
from baselines.tasks.sed.results import SedResults
from baselines.tasks.sed.run import hear, load_run
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.datasets.mixtures.load import load_mixture
from tests.baselines.tasks.sed.runs import all_clips, write_run
from tests.pictures import is_clipped, overlapping_words


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file, from its header."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_a_picture_of_each_clip(sed_folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sed_folds / "fold-1"
    names = {"first.png": [], "same.png": ["fold1-000000"], "other.png": ["fold1-000001"]}
    for name, clip in names.items():
        assert run(["show", str(folder), *clip, "--out", str(tmp_path / name), "--device", "cpu"]) == DONE
    assert f"picture: {tmp_path / 'other.png'}" in capsys.readouterr().out
    first, same, other = ((tmp_path / name).read_bytes() for name in names)
    assert first == same  # the first of the held-out fold is drawn by default
    assert first != other
    for name, clip in names.items():
        heard = hear_clip(load_run(folder, "cpu"), folder, *(clip or [None]))
        rows = len({*heard.graph.weak_labels, *(event.label for event in heard.detected)})
        inches = 1.9 * (2 + len(heard.shown)) + 1.5 * 2 + 0.4 + 0.35 * rows + 1.2
        assert size_of(tmp_path / name) == (1600, int(100 * inches + 1e-6))


def test_what_is_drawn_is_what_the_run_hears(sed_folds: Path, sed_data: Path) -> None:
    folder = sed_folds / "fold-1"
    trained = load_run(folder, "cpu")
    clips = all_clips(sed_data)
    place = clips.corpus.clips.index("fold1-000003")
    expected = hear(trained.model, trained.features, clips.log_mel[[place]])
    heard = hear_clip(trained, folder, "fold1-000003")
    assert np.allclose(heard.clip, expected.clip[0], atol=1e-4)
    assert np.allclose(heard.frames, expected.frames[0], atol=1e-3)
    scores = read_results(folder / "results-mixtures-snr0-fold1.json", SedResults).scores.clip.by_class
    assert heard.thresholds.tolist() == [scores[label].threshold for label in heard.labels]
    true = {heard.labels.index(label) for label in load_mixture(sed_data, 0, "fold1-000003").graph.weak_labels}
    said = {int(k) for k in np.flatnonzero(heard.clip > heard.thresholds)}
    assert {*heard.shown} == true | said
    assert {*heard.shown[: len(true)]} == true
    assert heard.attention["frequency"].sum(2) == pytest.approx(1)
    assert heard.attention["time"].sum(1) == pytest.approx(1)


def test_detected_events_stand_under_the_true_ones(sed_folds: Path) -> None:
    folder = sed_folds / "fold-1"
    lines = (folder / "predictions-mixtures-snr0-fold1.jsonl").read_text().splitlines()
    predicted = {row["mixture_id"]: row["events"] for row in map(json.loads, lines)}
    assert any(predicted.values())
    for clip, events in predicted.items():
        heard = hear_clip(load_run(folder, "cpu"), folder, clip)
        found = [[event.label, event.onset_s, event.offset_s] for event in heard.detected]
        assert found == [
            [label, pytest.approx(on, abs=1e-3), pytest.approx(off, abs=1e-3)] for label, on, off in events
        ]
        [panel] = [one for one in clip_figure(heard, "title").axes if "detected" in one.get_title("left")]
        labels = [text.get_text() for text in panel.get_yticklabels()]
        true = [(labels.index(event.label) - 0.4, event.onset_s) for event in heard.graph.events]
        below = [(labels.index(event.label), event.onset_s) for event in heard.detected]
        assert [(bar.get_y(), bar.get_x()) for bar in panel.patches] == [pytest.approx(one) for one in [*true, *below]]
        assert [bar.get_hatch() is None for bar in panel.patches] == [True] * len(true) + [False] * len(below)


@pytest.mark.parametrize("name", ["", " that barks at a $large$ crowd in the distance"])
def test_nothing_is_clipped_or_printed_over_something_else(sed_folds: Path, name: str) -> None:
    folder = sed_folds / "fold-1"
    heard = hear_clip(load_run(folder, "cpu"), folder, "fold1-000001")
    graph = replace(heard.graph, events=tuple(replace(one, label=one.label + name) for one in heard.graph.events))
    detected = [one._replace(label=one.label + name) for one in heard.detected]
    labels = [label + name for label in heard.labels]
    figure = clip_figure(heard._replace(graph=graph, labels=labels, detected=detected), "some/where " * 20)
    assert not is_clipped(figure)
    assert not overlapping_words(figure)


@pytest.mark.parametrize(("model", "maps"), [("gwrp", ["map"]), ("atrous", ["time_frequency"])])
def test_models_without_a_decoder_show_the_maps_that_they_have(
    sed_data: Path, tmp_path: Path, model: str, maps: list[str]
) -> None:
    write_run(tmp_path / "run", sed_data, model=model)
    heard = hear_clip(load_run(tmp_path / "run", "cpu"), tmp_path / "run", None)
    assert heard.thresholds.tolist() == [0.5] * 3  # the run was not scored
    assert heard.reconstruction is None
    figure = clip_figure(heard, "a $title$")
    titles = [panel.get_title("left") for panel in figure.axes]
    for name in maps:
        assert [f"{heard.labels[k]}: {MAPS[name]}" in titles for k in heard.shown] == [True] * len(heard.shown)
    assert "decoder" not in titles
    assert "attention over time" not in titles
    [bars] = [panel for panel in figure.axes if "threshold" in panel.get_title("right")]
    drawn = dict(zip((text.get_text() for text in bars.get_yticklabels()), bars.patches, strict=True))
    for k, label in enumerate(heard.labels):
        name = f"{label} (true)" if label in heard.graph.weak_labels else label
        assert drawn[name].get_width() == pytest.approx(heard.clip[k])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "fold9-000000"], "mixture: found 'fold9-000000', expected fold1-000000 to"),
        (["RUN", "--out", "clip.gif"], "clip.gif: suffix: found '.gif'"),
        (["RUN/.."], "found no config.yaml, expected the folder of a run"),
        (["AQA"], "task: found aqa, expected sed"),
        (["ODD"], "scores.clip.by_class: found other classes than those of the run"),
    ],
)
def test_wrong_usage(
    sed_folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "aqa").mkdir()
    (tmp_path / "aqa/config.yaml").write_text("task: aqa\nmodel: naaqa-2d\n")
    odd = shutil.copytree(sed_folds / "fold-1", tmp_path / "odd") / "results-mixtures-snr0-fold1.json"
    odd.write_text(odd.read_text().replace('"dog"', '"cat"'))
    paths = {"RUN": sed_folds / "fold-1", "RUN/..": sed_folds, "AQA": tmp_path / "aqa", "ODD": tmp_path / "odd"}
    given = [str(paths.get(one, one)) for one in arguments]
    out = [] if "--out" in given else ["--out", str(tmp_path / "clip.png")]
    assert run(["show", *given, *out]) == WRONG_INPUT
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "clip.png").exists()
