"""Datasets of scenes read back: scenes and questions by number, slice, shard; damage is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clear_gen
from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.core.errors import InputError
from clear_gen.core.pcm import decode_flac, from_pcm16
from clear_gen.datasets.scenes import scene as scene_module
from clear_gen.scenes.domain import Domain
from tests.datasets.runs import RATE, make_scenes
from tests.datasets.scenes.published import question, read_in, write_questions, write_source

TEST = "questions/test-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred scenes with audio and without questions."""
    return make_scenes(tmp_path_factory.mktemp("data"), "--n", "100", "--splits", "0,0,1")


@pytest.fixture(scope="module")
def data(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with questions."""
    folder = shutil.copytree(scenes, tmp_path_factory.mktemp("asked") / "data")
    assert run(["questions", str(folder), "--workers", "1"]) == DONE
    return folder


def test_every_question_comes_with_its_scene(data: Path) -> None:
    rows = pq.read_table(data / TEST).to_pylist()
    audio = {row["scene_id"]: row["audio"]["bytes"] for row in scene_rows(data)}
    found = clear_gen.open_dataset(data).questions("test")
    assert len(found) == len(rows) > 390
    for one, row in zip(found, rows, strict=True):
        assert one.scene.graph.scene_id == row["scene_id"]
        assert one.text == row["question"]
        for name in ("answer", "question_type", "question_id", "template_id", "n_relations", "program"):
            assert getattr(one, name) == row[name]
        assert one.scene.sample_rate == RATE
        assert one.scene.ask(one.program) == one.answer
    for one in found[::40]:
        waveform = one.scene.waveform
        assert waveform.dtype == np.float32
        pcm, _ = decode_flac(audio[one.scene.graph.scene_id], "")
        assert np.array_equal(waveform, from_pcm16(pcm))


def scene_rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "scenes/test-00000-of-00001.parquet").to_pylist()


def test_a_scene_is_decoded_when_it_is_heard(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    monkeypatch.setattr(scene_module, "decode_flac", lambda data, name: decoded.append(name) or decode_flac(data, name))
    first, second, *_ = clear_gen.open_dataset(data).questions("test")
    assert first.scene.graph == second.scene.graph
    assert decoded == []
    first.scene.waveform[:] = 0
    assert not first.scene.waveform.any()
    assert len(decoded) == 1
    assert second.scene.waveform.any()  # a changed waveform is that of one scene object alone


def test_scenes_are_the_same_with_and_without_questions(scenes: Path, data: Path) -> None:
    without, asked = (clear_gen.open_dataset(folder).scenes("test") for folder in (scenes, data))
    assert [scene.graph.scene_id for scene in without] == [f"test-{k:06d}" for k in range(100)]
    for scene, again in zip(without, asked, strict=True):
        assert scene.graph == again.graph
        assert np.array_equal(scene.waveform, again.waveform)
    with pytest.raises(InputError, match="found no questions of the split test; run clear-gen questions"):
        clear_gen.open_dataset(scenes).questions("test")


def test_scenes_and_splits_that_nobody_asks_about(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", audio=False, val=4, test=2)
    write_questions(source, "val", [question(0, 1), question(1, 3), question(2, 3)])
    read_in(source, tmp_path / "data", clear2)
    opened = clear_gen.open_dataset(tmp_path / "data")
    found = opened.questions("validation")
    assert [one.question_id for one in found] == [f"validation-00000{k}" for k in ("1-0", "3-0", "3-1")]
    assert [one.scene.graph.scene_id[-1] for one in found] == ["1", "3", "3"]
    with pytest.raises(InputError, match="validation-000001: audio: found none, and no bank to render it from"):
        _ = found[0].scene.waveform
    with pytest.raises(InputError, match="bank: found none, expected one to render a changed copy"):
        found[0].scene.replace(reverb=None)
    with pytest.raises(InputError, match="found no questions of the split test"):
        opened.questions("test")
    assert len(opened.scenes("test")) == 2


def test_what_is_not_there_is_refused_at_once(data: Path, tmp_path: Path) -> None:
    opened = clear_gen.open_dataset(data)
    for read in (opened.scenes, opened.questions):
        with pytest.raises(InputError, match=r"split: found 'train', expected one of: test"):
            read("train")
    with pytest.raises(InputError, match="found a dataset of scenes, expected one of mixtures"):
        opened.mixtures()
    with pytest.raises(InputError, match="found no dataset"):
        clear_gen.open_dataset(tmp_path)


def alter(folder: Path, **columns: list[Any]) -> None:
    table = pq.read_table(folder / TEST)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    pq.write_table(table, folder / TEST)


def test_altered_question_files_are_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    rows = pq.read_table(data / TEST).to_pylist()
    ids = [row["scene_id"] for row in rows]
    programs = [row["program"] for row in rows]
    for number, (columns, message) in enumerate(
        [
            ({"scene_id": [*ids[4:8], *ids[:4], *ids[8:]]}, "test-000000-0: scene_id: found 'test-000001', expected"),
            (
                {"scene_id": ["test-000999", *ids[1:]]},
                "found 'test-000999', expected the scene test-000000 of this split",
            ),
            ({"scene_id": [None, *ids[1:]]}, "scene_id: found nothing"),
            ({"program": [None, *programs[1:]]}, "program: found nothing"),
            ({"program": [[None], *programs[1:]]}, "program: found nothing"),
            ({"program": [[{**programs[0][0], "values": [None]}], *programs[1:]]}, "program: found nothing"),
        ]
    ):
        folder = shutil.copytree(data, tmp_path / str(number))
        alter(folder, **columns)
        with pytest.raises(InputError, match=message) as raised:
            list(clear_gen.open_dataset(folder).questions("test"))
        assert len(str(raised.value).splitlines()) == 1


def test_a_missing_damaged_or_foreign_question_file_is_refused(data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(data, tmp_path / "data")
    whole = (folder / TEST).read_bytes()
    shutil.copy(folder / "scenes/test-00000-of-00001.parquet", folder / TEST)
    with pytest.raises(InputError, match="found other questions than those that"):
        list(clear_gen.open_dataset(folder).questions("test"))
    (folder / TEST).write_bytes(whole[:-9])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        list(clear_gen.open_dataset(folder).questions("test"))
    (folder / TEST).unlink()
    with pytest.raises(InputError, match="not found, expected a Parquet file"):
        list(clear_gen.open_dataset(folder).questions("test"))


@pytest.mark.parametrize("splits", [None, 5, {"test": {}}, {"train": {"written": 1, "of_type": {}}}])
def test_a_malformed_section_is_refused_in_one_line(data: Path, tmp_path: Path, splits: Any) -> None:
    folder = shutil.copytree(data, tmp_path / "data")
    stored = json.loads((folder / "clear.json").read_text())
    stored["questions"]["splits"] = splits
    (folder / "clear.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"clear.json: questions.splits"):
        clear_gen.open_dataset(folder).questions("test")
