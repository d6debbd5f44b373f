"""Questions of a split as columns, against what pyarrow itself reads from the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines.tasks.aqa.questions import read_split
from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.datasets.scenes.questions.files import read_questions_manifest
from clear_gen.scenes.domain import Domain
from tests.baselines.conftest import SIZES
from tests.datasets.runs import RATE
from tests.datasets.scenes.published import question, read_in, write_questions, write_source
from tests.sounds import one_line


def rows(folder: Path, kind: str, split: str) -> list[dict[str, Any]]:
    """The rows of a split's only file."""
    return pq.read_table(path_of(folder, kind, split)).to_pylist()


def path_of(folder: Path, kind: str, split: str) -> Path:
    return folder / f"{kind}/{split}-00000-of-00001.parquet"


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], object], **how: Any) -> None:
    """Write a file anew, its rows changed, its schema kept."""
    table = pq.read_table(path)
    content = table.to_pylist()
    change(content)
    pq.write_table(pa.Table.from_pylist(content, table.schema), path, **how)


def assert_columns_are_those_of_the_files(folder: Path, split: str) -> None:
    found, asked, scenes = read_split(folder, split), rows(folder, "questions", split), rows(folder, "scenes", split)
    assert len(found) == len(asked) > 0
    assert found.split == split
    for name in ("question_id", "question", "answer", "question_type"):
        column = getattr(found, name)
        assert column.dtype == object
        assert column.tolist() == [row[name] for row in asked]
        assert all(type(value) is str for value in column)
    assert found.n_relations.dtype == found.scene.dtype == np.int64
    assert found.n_relations.tolist() == [row["n_relations"] for row in asked]
    assert [scenes[index]["scene_id"] for index in found.scene] == [row["scene_id"] for row in asked]
    assert found.scene_s.dtype == np.float64
    of_scene = {row["scene_id"]: row["n_samples_dry"] / row["sample_rate"] for row in scenes}
    assert found.scene_s.tolist() == [of_scene[row["scene_id"]] for row in asked]
    questions_manifest_of = read_questions_manifest(folder, finished_settings(folder))
    assert questions_manifest_of is not None
    assert found.sha256 == questions_manifest_of.sha256


@pytest.mark.parametrize("split", SIZES)
def test_columns_are_those_of_the_files(split: str, dataset: Path, clear2: Domain) -> None:
    assert_columns_are_those_of_the_files(dataset, split)
    found = read_split(dataset, split)
    assert found.domain == clear2
    assert set(found.scene) <= set(range(SIZES[split]))
    assert len(set(found.question_id)) == len(found)


def test_audio_makes_no_difference(dataset: Path, unheard: Path) -> None:
    one, other = read_split(dataset, "test"), read_split(unheard, "test")
    for name in ("question_id", "question", "answer", "question_type", "scene", "n_relations", "scene_s"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("n_rows", [1, 4, 5])
def test_several_row_groups(n_rows: int, unheard: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unheard, tmp_path / "data")
    for kind in ("scenes", "questions"):
        rewrite(path_of(folder, kind, "train"), lambda _: None, row_group_size=n_rows)
    assert_columns_are_those_of_the_files(folder, "train")


def test_questions_in_another_order_keep_their_scenes(unheard: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unheard, tmp_path / "data")
    rewrite(path_of(folder, "questions", "train"), list.reverse)
    assert_columns_are_those_of_the_files(folder, "train")
    assert read_split(folder, "train").scene[0] > read_split(folder, "train").scene[-1]


def test_imported_questions(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "source", val=3)
    asked = [question(0, 2), question(1, 0, answer="yes"), question(2, 2, answer=None)]
    write_questions(source, "val", asked[:2])
    read_in(source, tmp_path / "data", clear2)
    assert_columns_are_those_of_the_files(tmp_path / "data", "validation")
    found = read_split(tmp_path / "data", "validation")
    assert sorted(found.scene.tolist()) == [0, 2]
    assert sorted(found.answer.tolist()) == ["3", "yes"]
    assert finished_settings(tmp_path / "data").sample_rate != RATE or found.scene_s.max() < 60


@pytest.mark.shared
def test_the_published_sample(shared: Path, tmp_path: Path, clear2: Domain) -> None:
    read_in(shared / "clear-layout-sample", tmp_path / "data", clear2)
    assert_columns_are_those_of_the_files(tmp_path / "data", "validation")
    assert len(read_split(tmp_path / "data", "validation")) == 1200


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["nosuch", "", "two\nlines"])
def test_a_split_that_is_not_there(split: str, dataset: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_split(dataset, split)
    assert one_line(caught) == f"{dataset}: split: found {split!r}, expected one of: train, validation, test"


def test_a_split_without_scenes(tmp_path: Path, clear2: Domain) -> None:
    read_in(write_source(tmp_path / "source", val=2), tmp_path / "data", clear2)
    with pytest.raises(InputError, match="split: found 'train', expected one of: validation"):
        read_split(tmp_path / "data", "train")


def test_no_questions(unheard: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unheard, tmp_path / "data")
    stored = json.loads((folder / "clear.json").read_text())
    del stored["questions"]
    (folder / "clear.json").write_text(json.dumps(stored))
    with pytest.raises(InputError) as caught:
        read_split(folder, "test")
    assert "found no questions of the split test; run clear-gen questions" in one_line(caught)


def test_no_questions_of_this_split(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "source", train=2, val=2)
    write_questions(source, "val", [question(0, 1)])
    read_in(source, tmp_path / "data", clear2)
    assert len(read_split(tmp_path / "data", "validation")) == 1
    with pytest.raises(InputError) as caught:
        read_split(tmp_path / "data", "train")
    assert "no questions of the split train" in one_line(caught)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_split(tmp_path, "train")
    one_line(caught)


def test_a_question_about_a_scene_that_is_not_there(unheard: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unheard, tmp_path / "data")
    rewrite(path_of(folder, "questions", "test"), lambda content: content[3].update(scene_id="test-000099"))
    with pytest.raises(InputError) as caught:
        read_split(folder, "test")
    assert "scene_id: found 'test-000099', expected one of its scenes" in one_line(caught)


@pytest.mark.parametrize("kind", ["scenes", "questions"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other", "folder"])
def test_damaged_files(kind: str, damage: str, unheard: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unheard, tmp_path / "data")
    path = path_of(folder, kind, "test")
    data = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "other":
        pq.write_table(pa.table({"x": [1]}), path)
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(InputError) as caught:
        read_split(folder, "test")
    assert str(path) in one_line(caught)
