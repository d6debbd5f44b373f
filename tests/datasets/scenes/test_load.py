"""``clear_gen.load``: questions joined with their scenes, a row group at a time; without questions, the scenes."""

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
from clear_gen.datasets.scenes import load as loading
from clear_gen.datasets.scenes.load import Record, SceneRecord
from clear_gen.questions.language.execute import execute
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


def test_every_question_comes_with_its_scene(data: Path, clear2: Domain) -> None:
    rows = pq.read_table(data / TEST).to_pylist()
    audio = {row["scene_id"]: row["audio"]["bytes"] for row in scene_rows(data)}
    found = list(clear_gen.load(data, "test"))
    assert len(found) == len(rows) > 390
    for record, row in zip(found, rows, strict=True):
        assert isinstance(record, Record)
        assert record.graph.scene_id == row["scene_id"]
        for name in ("question", "answer", "question_type", "question_id"):
            assert getattr(record, name) == row[name]
        assert record.sample_rate == RATE
        assert record.program is not None
        assert [(node.function, list(node.inputs), list(node.values)) for node in record.program] == [
            (node["function"], node["inputs"], node["values"]) for node in row["program"]
        ]
        assert execute(record.program, record.graph, clear2) == record.answer
    for record in found[::40]:
        assert record.waveform is not None
        assert record.waveform.dtype == np.float32
        pcm, _ = decode_flac(audio[record.graph.scene_id], "")
        assert np.array_equal(record.waveform, from_pcm16(pcm))


def scene_rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "scenes/test-00000-of-00001.parquet").to_pylist()


def test_a_scene_is_decoded_once_and_only_if_it_is_asked_about(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    monkeypatch.setattr(loading, "decode_flac", lambda data, name: decoded.append(name) or decode_flac(data, name))
    found = clear_gen.load(data, "test")
    first, second = next(found), next(found)
    assert first.waveform is second.waveform
    assert len(decoded) == 1  # nothing is read ahead
    assert first.waveform is not None
    with pytest.raises(ValueError, match="read-only"):
        first.waveform[0] = 0
    assert len({record.graph.scene_id for record in found}) == len(decoded)


def test_without_questions_the_scenes(scenes: Path, data: Path) -> None:
    found = list(clear_gen.load(scenes, "test"))
    assert [record.graph.scene_id for record in found] == [f"test-{k:06d}" for k in range(100)]
    assert {record.question for record in found} == {None}
    assert {(record.answer, record.question_type, record.question_id, record.program) for record in found} == {
        (None,) * 4
    }
    for record, scene, again in zip(
        found, clear_gen.load_scenes(scenes, "test"), clear_gen.load_scenes(data, "test"), strict=True
    ):
        assert isinstance(scene, SceneRecord)
        assert scene.graph == record.graph == again.graph
        assert np.array_equal(scene.waveform, record.waveform)


def test_scenes_and_splits_that_nobody_asks_about(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", audio=False, val=4, test=2)
    write_questions(source, "val", [question(0, 1), question(1, 3), question(2, 3)])
    read_in(source, tmp_path / "data", clear2)
    found = list(clear_gen.load(tmp_path / "data", "validation"))
    assert [record.question_id for record in found] == [f"validation-00000{k}" for k in ("1-0", "3-0", "3-1")]
    assert [record.graph.scene_id[-1] for record in found] == ["1", "3", "3"]
    assert {record.waveform for record in found} == {None}
    assert list(clear_gen.load(tmp_path / "data", "test")) == []
    assert len(list(clear_gen.load_scenes(tmp_path / "data", "test"))) == 2


def test_what_is_not_there_is_refused_at_once(data: Path, tmp_path: Path) -> None:
    for load in (clear_gen.load, clear_gen.load_scenes):
        with pytest.raises(InputError, match=r"split: found 'train', expected one of: test"):
            load(data, "train")
        with pytest.raises(InputError, match="found no finished dataset"):
            load(tmp_path, "test")


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
            ({"scene_id": [*ids[4:8], *ids[:4], *ids[8:]]}, "test-000001-0: scene_id: found 'test-000000', expected"),
            (
                {"scene_id": ["test-000999", *ids[1:]]},
                "found 'test-000999', expected the scenes of this split in order",
            ),
            ({"scene_id": [None, *ids[1:]]}, "row group 0: scene_id: found nothing in a row"),
            ({"program": [None, *programs[1:]]}, "row group 0: program: found nothing in a row"),
            ({"program": [[None], *programs[1:]]}, "row group 0: program: found nothing in a row"),
            ({"program": [[{**programs[0][0], "values": [None]}], *programs[1:]]}, "program: found nothing in a row"),
        ]
    ):
        folder = shutil.copytree(data, tmp_path / str(number))
        alter(folder, **columns)
        with pytest.raises(InputError, match=message) as raised:
            list(clear_gen.load(folder, "test"))
        assert len(str(raised.value).splitlines()) == 1


def test_a_missing_damaged_or_foreign_question_file_is_refused(data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(data, tmp_path / "data")
    whole = (folder / TEST).read_bytes()
    shutil.copy(folder / "scenes/test-00000-of-00001.parquet", folder / TEST)
    with pytest.raises(InputError, match="found other questions than those that"):
        list(clear_gen.load(folder, "test"))
    (folder / TEST).write_bytes(whole[:-9])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        list(clear_gen.load(folder, "test"))
    (folder / TEST).unlink()
    with pytest.raises(InputError, match="not found, expected a Parquet file"):
        list(clear_gen.load(folder, "test"))


@pytest.mark.parametrize("splits", [None, 5, {"test": {}}, {"train": {"written": 1, "of_type": {}}}])
def test_a_malformed_section_is_refused_in_one_line(data: Path, tmp_path: Path, splits: Any) -> None:
    folder = shutil.copytree(data, tmp_path / "data")
    stored = json.loads((folder / "clear.json").read_text())
    stored["questions"]["splits"] = splits
    (folder / "clear.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"clear.json: questions.splits"):
        clear_gen.load(folder, "test")
