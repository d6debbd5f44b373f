"""``open_dataset``: scenes and questions as sequences that any process can read for itself."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.core.errors import InputError
from clear_gen.datasets.dataset import open_dataset
from clear_gen.datasets.scenes.load import load_scenes
from tests.datasets.runs import RATE, write_banks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of two row groups and more, with questions."""
    folder = tmp_path_factory.mktemp("data")
    arguments = ["--n", "140", "--sample-rate", str(RATE), "--workers", "1", *write_banks(folder)]
    assert run(["scenes", *arguments, "--splits", "0.8,0,0.2", "--out", str(folder / "data")]) == DONE
    assert run(["questions", str(folder / "data"), "--workers", "1"]) == DONE
    return folder / "data"


def test_a_dataset_is_the_sequence_of_its_records(folder: Path) -> None:
    data = open_dataset(str(folder))
    assert data.kind.name == "scenes"
    assert data.splits == {"train": 112, "test": 28}
    assert len(data) == 140
    assert (data[0].graph.scene_id, data[-1].graph.scene_id) == ("train-000000", "test-000027")
    assert [scene.graph.scene_id for scene in data[110:114]] == [
        *("train-000110", "train-000111", "test-000000", "test-000001")
    ]
    assert [scene.graph.scene_id for scene in data.split("test")] == [f"test-{k:06d}" for k in range(28)]
    with pytest.raises(IndexError):
        data[140]


def test_scenes_by_index_are_those_in_order_and_may_be_changed(folder: Path) -> None:
    scenes = open_dataset(folder).scenes("train")
    for index, expected in enumerate(load_scenes(folder, "train")):
        if index % 20 == 0 or index > 109:
            found = scenes[index]
            assert found.graph == expected.graph
            assert found.waveform.dtype == np.float32
            assert np.array_equal(found.waveform, expected.waveform)
            found.waveform[:] = 0  # this record's own
            assert np.array_equal(scenes[index].waveform, expected.waveform)
    assert scenes[-1].graph.scene_id == "train-000111"


def test_questions_bring_their_scenes_along(folder: Path) -> None:
    questions = open_dataset(folder).questions("train")
    assert len(questions) > 400
    for index in (0, 1, 250, -1):
        question = questions[index]
        assert question.question_id.startswith(f"{question.scene.graph.scene_id}-")
        assert question.text.endswith("?")
        assert question.scene.sample_rate == RATE
        question.scene.waveform[:] = 0
        assert np.any(questions[index].scene.waveform)


def test_shards_are_disjoint_and_leave_nothing_out(folder: Path) -> None:
    questions = open_dataset(folder).questions("test")
    every = [question.question_id for question in questions]
    parts = [[question.question_id for question in questions.shard(k, 3)] for k in range(3)]
    assert [name for part in parts for name in part] == every
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    with pytest.raises(InputError, match="shard: found 3 of 3, expected 0 to 2"):
        questions.shard(3, 3)


def ids(questions: Any) -> list[str]:
    return [question.question_id for question in questions if question.scene.graph.scene_id]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_every_process_reads_for_itself(folder: Path, method: str) -> None:
    questions = open_dataset(folder).questions("test")
    assert len(questions[3].scene.waveform)  # a row group is in memory when the others start
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.map(ids, [questions.shard(k, 2) for k in range(2)])
    assert found[0] + found[1] == ids(questions)


def test_records_can_be_sent_to_another_process(folder: Path) -> None:
    question = open_dataset(folder).questions("test")[5]
    sent = pickle.loads(pickle.dumps(question))
    assert sent == question
    assert sent.scene.graph == question.scene.graph


def test_a_data_loader_with_workers_gives_every_question_once(folder: Path) -> None:
    data = pytest.importorskip("torch.utils.data")
    questions = open_dataset(folder).questions("test")
    loader = data.DataLoader(questions, batch_size=8, num_workers=2, shuffle=True, collate_fn=ids)
    assert sorted(name for batch in loader for name in batch) == sorted(ids(questions))


def test_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    data = open_dataset(folder)
    with pytest.raises(InputError, match="split: found 'validation', expected one of: train, test"):
        data.scenes("validation")
    with pytest.raises(InputError, match="config: found 'mixtures', expected scenes or questions"):
        data.rows("mixtures", "train")
    with pytest.raises(InputError, match="found no dataset"):
        open_dataset(tmp_path)


def test_mixtures_are_a_sequence_too(reference: Path) -> None:
    data = open_dataset(reference)
    assert data.kind.name == "mixtures"
    first = next(iter(data.splits))
    assert len(data.split(first)) == data.splits[first]
    assert data[0].graph.mixture_id == f"{first}-000000"
    with pytest.raises(InputError, match="found a dataset of mixtures, expected one of scenes"):
        data.questions(first)
