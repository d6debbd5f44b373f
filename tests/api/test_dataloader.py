"""Records in a torch ``DataLoader``: every record exactly once, whatever the number of workers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import clear_gen as cg
from tests.api.conftest import SIZES

N_QUESTIONS = 835
README = Path(__file__).parents[2] / "README.md"


def waveform_sum(question: cg.Question) -> float:
    return float(question.scene.waveform.sum())


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_question_is_loaded_once(data: Path, workers: int, shuffle: bool) -> None:
    questions = cg.open_dataset(data).questions("train")[:N_QUESTIONS]
    assert len(questions) == N_QUESTIONS
    loader = DataLoader(questions, batch_size=32, shuffle=shuffle, num_workers=workers, collate_fn=list)
    ids = [question.question_id for batch in loader for question in batch]
    expected = [question.question_id for question in questions]
    assert len(ids) == len(set(ids)) == N_QUESTIONS
    assert sorted(ids) == sorted(expected)
    assert (ids == expected) != shuffle


def test_what_a_worker_hears_is_what_is_stored(data: Path) -> None:
    questions = cg.open_dataset(data).questions("test")
    _ = questions[0].scene.waveform  # what this process has read does no harm to its workers
    loader = DataLoader(questions, batch_size=3, num_workers=2, collate_fn=lambda batch: [*map(waveform_sum, batch)])
    found = torch.tensor([value for batch in loader for value in batch])
    assert torch.equal(found, torch.tensor([waveform_sum(question) for question in questions]))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_records_reach_workers_however_they_are_started(data: Path, context: str) -> None:
    scenes = cg.open_dataset(data).scenes("validation")
    loader = DataLoader(scenes, batch_size=None, num_workers=2, multiprocessing_context=context)
    assert [scene.graph for scene in loader] == [scene.graph for scene in scenes]
    shards = [scenes.shard(index, 2) for index in range(2)]
    loaded = [scene.graph for shard in shards for scene in DataLoader(shard, batch_size=None, num_workers=1)]
    assert loaded == [scene.graph for scene in scenes]


def test_the_python_of_the_readme_reads_the_same_audio_with_either_library(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("datasets")
    (code,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "clear2").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(code, found)
    assert len(capsys.readouterr().out.splitlines()) == SIZES["train"]
    last = cg.open_dataset(data).scenes("train")[-1]
    assert found["row"]["scene_id"] == last.graph.scene_id
    assert found["tensor"].dtype == torch.float32
    assert torch.equal(torch.round(found["tensor"] * 32768), torch.round(torch.from_numpy(last.waveform) * 32767))
