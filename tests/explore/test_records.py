"""One record: the sounds that each step keeps, against the independent oracle; labels, audio, pictures."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.image import imread

import clear_gen
from clear_gen.datasets.drawing import mel_spectrogram
from clear_gen.datasets.scenes.load import load_scene
from clear_gen.explore.pictures import frequencies, outline, png, spectrogram
from clear_gen.explore.scenes import Scenes
from clear_gen.explore.server import Server
from clear_gen.sounds.attributes import GivenAttribute
from tests.explore.conftest import Get, getter
from tests.questions import oracle

SPLITS = ("train", "validation", "test")


def rows_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The rows of all splits, audio aside."""
    found = []
    for split in SPLITS:
        table = pq.read_table(folder / kind / f"{split}-00000-of-00001.parquet")
        found += table.drop_columns([name for name in table.column_names if name == "audio"]).to_pylist()
    return found


def kept_by_oracle(program: list[dict[str, Any]], scene: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """The sounds that each node gives under every completion of the unknown labels, and those that it may give."""
    per_node = []
    for n_nodes in range(1, len(program) + 1):
        outputs = []
        for labels in oracle.completions(scene):
            values: list[Any] = []
            for node in program[:n_nodes]:
                inputs = [values[place] for place in node["inputs"]]
                values.append(oracle.value_of(node["function"], inputs, node["values"], labels))
            outputs.append(values[-1])
        function = program[n_nodes - 1]["function"]
        if function in ("unique", "longest", "shortest"):
            outputs = [[sound] for sound in outputs]
        if not isinstance(outputs[0], list):
            per_node.append(([], []))
            continue
        sure = set.intersection(*map(set, outputs))
        per_node.append((sorted(sure), sorted({sound for found in outputs for sound in found} - sure)))
    return per_node


def test_steps_keep_the_sounds_that_the_oracle_keeps(heard: Path, get: Get) -> None:
    scenes = {row["scene_id"]: row for row in rows_of(heard, "scenes")}
    asked: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(heard, "questions"):
        asked.setdefault(row["scene_id"], []).append(row)
    n_steps = n_perhaps = 0
    for scene_id in list(scenes)[::3]:
        record = get(f"/records/scenes/{scene_id}.json").json
        assert [found["id"] for found in record["questions"]] == [row["question_id"] for row in asked[scene_id]]
        for found, row in zip(record["questions"], asked[scene_id], strict=True):
            assert found["outcome"] == found["answer"] == row["answer"]
            assert [step["function"].split(" ")[0] for step in found["steps"]] == [
                node["function"].split("_")[0] for node in row["program"]
            ]
            for step, (sure, perhaps) in zip(
                found["steps"], kept_by_oracle(row["program"], scenes[scene_id]), strict=True
            ):
                if sure or perhaps or "no sound" in step["gives"]:
                    assert (step["sounds"], step["perhaps"]) == (sure, perhaps)
                n_steps, n_perhaps = n_steps + 1, n_perhaps + bool(perhaps)
    assert n_steps > 500
    assert n_perhaps > 5


def test_a_step_that_gives_no_sounds_points_at_those_it_was_applied_to(get: Get) -> None:
    for number in range(10):
        for question in get(f"/records/scenes/train-{number:06d}.json").json["questions"]:
            *_, before, last = question["steps"]
            if last["inputs"] == [len(question["steps"]) - 2]:
                assert last["sounds"] == before["sounds"]
            assert last["gives"] == question["answer"]


def test_blocks_and_table_say_what_the_graph_says(heard: Path, get: Get) -> None:
    scene = load_scene(heard, "train-000101")
    record = get("/records/scenes/train-000101.json").json
    sounds = sorted(scene.graph.sounds, key=lambda sound: sound.onset_sample)
    for number, (block, cells, sound) in enumerate(zip(record["blocks"], record["table"], sounds, strict=True), 1):
        assert (block["start_s"], block["lane"]) == (sound.onset_sample / 8000, 0)
        assert block["stop_s"] == (sound.onset_sample + sound.n_samples) / 8000
        assert block["words"][0] == f"{number} {sound.attributes['instrument']}"
        assert block["words"][1] == f"{sound.attributes['note']}{sound.attributes['octave']}"
        labels = [sound.attributes[name] for name in ("brightness", "loudness")]
        assert block["words"][2:] == [label or "?" for label in labels]
        assert cells[4:6] == [label or "unknown" for label in labels]
        assert cells[-1] == sound.sound_id
    assert record["duration_s"] == scene.graph.n_samples / 8000


def test_audio_is_what_is_stored(heard: Path, get: Get) -> None:
    stored = pq.read_table(heard / "scenes/train-00000-of-00001.parquet", columns=["audio"])["audio"].to_pylist()
    for number in (0, 7, 8, 99, 100, 104):
        answer = get(f"/audio/scenes/train-{number:06d}.flac")
        assert answer.body == stored[number]["bytes"]
        assert answer.headers["content-type"] == "audio/flac"


def test_mixtures_have_their_labels(mixed: Path, serve: Callable[..., Server]) -> None:
    get = getter(serve(mixed))
    for graph, waveform, _ in list(clear_gen.open_dataset(mixed).mixtures(10, 2))[:6]:
        record = get(f"/records/mixtures-snr10/{graph.mixture_id}.json").json
        events = sorted(graph.events, key=lambda event: event.onset_s)
        assert record["lanes"] == list(graph.weak_labels)
        assert record["facts"]["weak labels"] == (", ".join(graph.weak_labels) or "none")
        for block, cells, event in zip(record["blocks"], record["table"], events, strict=True):
            assert (block["start_s"], block["stop_s"]) == (event.onset_s, event.offset_s)
            assert record["lanes"][block["lane"]] == event.label == cells[1]
            assert cells[5] == "10.0"
        assert record["also"] == {"mixtures-snr0": f"mixtures-snr0/{graph.mixture_id}"}
        assert record["outline"] == outline(waveform)


def test_no_audio(graphs: Path, serve: Callable[..., Server]) -> None:
    get = getter(serve(graphs))
    record = get("/records/scenes/train-000000.json").json
    assert record["outline"] is None
    assert record["blocks"]
    assert "no audio" in " ".join(get("/dataset.json").json["facts"])
    for address in ("/audio/scenes/train-000000.flac", "/spectrograms/scenes/train-000000.png"):
        assert get(address).status == 404


def altered(folder: Path, out: Path, change: Callable[[pa.Table], pa.Table], name: str) -> Path:
    """A copy of a dataset with one of its files changed, everything that names it left as it was."""
    shutil.copytree(folder, out)
    table = pq.read_table(out / name)
    pq.write_table(change(table), out / name, row_group_size=100 if name.startswith("scenes") else 5000)
    return out


def test_an_altered_program_and_answer_are_told(heard: Path, serve: Callable[..., Server], tmp_path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        rows[0]["program"][0]["function"] = "explode"
        rows[1]["answer"] = "loud"
        rows[2]["program"] = None
        return pa.Table.from_pylist(rows, table.schema)

    folder = altered(heard, tmp_path / "data", change, "questions/test-00000-of-00001.parquet")
    first, second, third, _ = getter(serve(folder))("/records/scenes/test-000000.json").json["questions"]
    assert first["outcome"].startswith("altered program: node 0: function: found 'explode'")
    assert second["answer"] == "loud"
    assert second["outcome"] != "loud"
    assert third["steps"] == []


def test_a_damaged_record_is_one_line(heard: Path, serve: Callable[..., Server], tmp_path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        rows[0]["scene_id"], rows[1]["sounds"], rows[2]["audio"]["bytes"] = "test-000009", None, b"fLaC"
        return pa.Table.from_pylist(rows, table.schema)

    get = getter(serve(altered(heard, tmp_path / "data", change, "scenes/test-00000-of-00001.parquet")))
    for number, said in enumerate(("scene_id: found 'test-000009'", "damaged record", "audio does not decode")):
        answer = get(f"/records/scenes/test-{number:06d}.json")
        assert answer.status == 500
        assert said in answer.json["error"]
        assert "\n" not in answer.json["error"]
    assert get("/records/scenes/test-000003.json").status == 200


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_png_reads_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 3, (5, 7), np.uint8)
    palette = np.array([[0, 0, 0], [255, 0, 10], [9, 200, 255]], np.uint8)
    found = imread(io.BytesIO(png(pixels, palette)), format="png")
    assert np.array_equal(np.rint(255 * found[..., :3]), palette[pixels])


def test_spectrogram_is_the_figures_one_upside_down() -> None:
    waveform = np.random.default_rng(0).standard_normal(20_000).astype(np.float32) * np.linspace(0, 1, 20_000)
    _, _, level_db = mel_spectrogram(waveform, 8000)
    found = imread(io.BytesIO(spectrogram(waveform, 8000)), format="png")[..., :3].sum(-1)
    assert found.shape == level_db.shape
    brighter = np.argsort(level_db[::-1].ravel())
    assert np.all(np.diff(found.ravel()[brighter]) > -0.2)  # equal steps of 2 dB may change places
    assert spectrogram(np.zeros(100, np.float32), 8000).startswith(b"\x89PNG")
    assert imread(io.BytesIO(spectrogram(np.zeros(2_000_000, np.float32), 48000)), format="png").shape[:2] == (
        128,
        1600,
    )


def test_outline() -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 8001).astype(np.float32)
    found = outline(waveform)
    largest = np.abs(waveform).max()
    assert len(found) == 800
    assert found[0] == [round(100 * waveform[:10].min() / largest), round(100 * waveform[:10].max() / largest)]
    assert max(high for _, high in found) == 100 or min(low for low, _ in found) == -100
    assert outline(np.zeros(0, np.float32)) == []
    assert outline(np.zeros(3, np.float32)) == [[0, 0]] * 3


def test_frequencies_beside_the_spectrogram_are_where_a_tone_of_theirs_is() -> None:
    found = frequencies(16_000)
    assert [name for name, _ in found] == ["100 Hz", "300 Hz", "1,000 Hz", "3,000 Hz", "6,000 Hz"]
    for name, height in found:
        hz = float(name.removesuffix(" Hz").replace(",", ""))
        picture = imread(io.BytesIO(spectrogram(np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000), 16_000)))
        row = picture[:, :, :3].sum((1, 2)).argmax()  # from above
        assert 1 - (row + 0.5) / len(picture) == pytest.approx(height, abs=0.6 / len(picture))


def test_a_legend_where_eight_colours_are_not_enough(heard: Path) -> None:
    library = Scenes(heard)
    record = library.record("scenes", "train-000000")
    assert record["legend"] == []
    there = {block["words"][0].partition(" ")[2]: block["colour"] for block in record["blocks"]}
    rule = library._settings.domain.attributes["instrument"]
    others = [f"instrument {k}" for k in range(9)]
    attributes = {**library._settings.domain.attributes, "instrument": GivenAttribute(values=[*others, *rule.values])}
    domain = library._settings.domain.model_copy(update={"attributes": attributes})
    library._settings = replace(library._settings, domain=domain)
    more = library.record("scenes", "train-000000")
    legend = dict(more["legend"])
    assert legend.keys() == there.keys()
    assert len({*legend.values()}) == len(legend)
    for block in more["blocks"]:
        assert block["colour"] == legend[block["words"][0].partition(" ")[2]]
