"""Datasets on disk: the same bytes however they are made; nothing lost, nothing overwritten."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import clear_gen
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.pcm import sha256_pcm, to_pcm16
from clear_gen.core.progress import Progress
from clear_gen.datasets.scenes.banks import needed_banks
from clear_gen.datasets.scenes.build import add_audio, create
from clear_gen.datasets.scenes.kind import KIND
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.datasets.scenes.manifest import Settings, identity_of
from clear_gen.datasets.scenes.validate import validate
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.render import render_pcm
from clear_gen.sounds.bank import Bank, resampled_bank
from clear_gen.store import chunks
from clear_gen.store.build import Execution, Shard, claim, discard
from clear_gen.store.finish import finish
from tests.datasets.runs import hashes, small_banks, write_banks

SIZES = {"train": 230, "validation": 20, "test": 30}


@pytest.fixture(scope="module")
def settings(clear2: Domain) -> Settings:
    return Settings(SIZES, seed=3, sample_rate=8000, levels="recorded", audio=True, domain=clear2)


@contextmanager
def silent(left: int, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda n: None


@pytest.fixture(scope="module")
def banks() -> dict[str, Bank]:
    return small_banks()


def make(
    folder: Path,
    settings: Settings,
    banks: dict[str, Bank],
    shard: Shard | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Path:
    needed = {side: banks[side] for side in needed_banks(settings.sizes)}
    create(folder, settings, needed, Execution(workers, shard=shard or Shard(), progress=progress))
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, settings: Settings, banks: dict[str, Bank]) -> Path:
    """One worker, undisturbed."""
    return make(tmp_path_factory.mktemp("reference") / "data", settings, banks)


def test_layout_on_disk(reference: Path) -> None:
    assert sorted(hashes(reference)) == [
        "README.md",
        "bank/test.parquet",
        "bank/train.parquet",
        "clear.json",
        *(f"scenes/{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")),
    ]
    metadata = pq.ParquetFile(reference / "scenes/train-00000-of-00001.parquet").metadata
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [100, 100, 30]
    stored = json.loads((reference / "clear.json").read_text())
    assert stored["identity"]["scenes"] == SIZES
    assert stored["files"] == {name: sha for name, sha in hashes(reference).items() if name != "clear.json"}


def test_two_workers_make_the_same_bytes(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    assert hashes(make(tmp_path / "data", settings, banks, workers=2)) == hashes(reference)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_four_shards_in_any_order_make_the_same_bytes(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank], order: tuple[int, ...]
) -> None:
    for position, index in enumerate(order):
        make(tmp_path / "data", settings, banks, Shard(index, 4))
        assert (tmp_path / "data" / "clear.json").exists() == ({0, 1, 2} <= set(order[: position + 1]))
    assert hashes(tmp_path / "data") == hashes(reference)


def test_graphs_first_and_audio_later_make_the_same_bytes(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = make(tmp_path / "data", replace(settings, audio=False), banks)
    assert not clear_gen.open_dataset(folder).scenes("train")[0].has_stored_audio
    add_audio(folder, Execution())
    assert hashes(folder) == hashes(reference)


def test_another_seed_makes_other_scenes(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = make(tmp_path / "data", replace(settings, seed=4, sizes={**SIZES, "train": 20}), banks)
    here, there = (clear_gen.open_dataset(data).scenes("train")[0] for data in (folder, reference))
    assert here.graph != there.graph


def test_a_longer_dataset_begins_with_the_scenes_of_a_shorter_one(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = make(tmp_path / "data", replace(settings, sizes={"train": 30, "validation": 0, "test": 0}), banks)
    longer = clear_gen.open_dataset(reference).scenes("train")
    for scene, other in zip(clear_gen.open_dataset(folder).scenes("train"), longer, strict=False):
        assert scene.graph == other.graph
        assert np.array_equal(scene.waveform, other.waveform)


def test_load_gives_what_the_graph_says(reference: Path, settings: Settings, banks: dict[str, Bank]) -> None:
    seen = {}
    for split, size in SIZES.items():
        bank = resampled_bank(banks["test" if split == "test" else "train"], settings.sample_rate)
        scenes = list(clear_gen.open_dataset(reference).scenes(split))
        assert [scene.graph.scene_id for scene in scenes] == [f"{split}-{index:06d}" for index in range(size)]
        for scene in scenes[:10]:
            assert scene.waveform.dtype == np.float32
            assert len(scene.waveform) == scene.graph.n_samples
            assert scene.sample_rate == settings.sample_rate
            pcm, rendered = render_pcm(scene.graph, bank)
            assert np.array_equal(to_pcm16(scene.waveform), pcm)
            assert sha256_pcm(pcm) == rendered.pcm_sha256
        seen[split] = {scene.graph.reverb for scene in scenes} | {scene.graph.noise for scene in scenes}
    assert sum(map(len, seen.values())) == len(set().union(*seen.values())) == 2 * sum(SIZES.values())


def test_load_names_the_splits_there_are(reference: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 'val', expected one of: train, validation, test"):
        clear_gen.open_dataset(reference).scenes("val")
    with pytest.raises(InputError, match="found no dataset"):
        clear_gen.open_dataset(tmp_path).scenes("train")


def test_the_same_command_again_changes_nothing(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    make(folder, settings, banks)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == before
    assert hashes(folder) == hashes(reference)


def test_a_missing_file_is_made_again(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    (folder / "scenes/validation-00000-of-00001.parquet").unlink()
    told = []

    @contextmanager
    def progress(left: int, total: int) -> Iterator[Callable[[int], None]]:
        told.append((left, total))
        yield told.append

    make(folder, settings, banks, progress=progress)
    assert told[0] == (20, 280)
    assert sum(told[1:]) == 20
    assert hashes(folder) == hashes(reference)


def test_another_identity_is_refused_with_the_difference(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    before = hashes(reference)
    with pytest.raises(InputError, match="seed: found 3, asked 9"):
        make(reference, replace(settings, seed=9), banks)
    assert hashes(reference) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, settings: Settings, banks: dict[str, Bank]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no clear-gen dataset"):
        make(tmp_path, settings, banks)
    with pytest.raises(InputError, match="no clear-gen dataset"):
        claim(tmp_path, identity_of(settings, banks), overwrite=True)
    assert hashes(tmp_path).keys() == {"thesis.txt"}


def test_graphs_of_another_version_are_never_drawn_anew(
    tmp_path: Path, settings: Settings, banks: dict[str, Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        for module in ("datasets.scenes.manifest", "store.chunks"):
            older.setattr(f"clear_gen.{module}.GENERATOR", "clear-gen 0.0.9")
        folder = make(tmp_path / "data", replace(settings, audio=False), banks)
    (folder / "scenes/validation-00000-of-00001.parquet").unlink()
    before = hashes(folder)
    with pytest.raises(InputError, match=r"missing or damaged, and made by clear-gen 0\.0\.9"):
        add_audio(folder, Execution())
    assert hashes(folder) == before


def test_files_of_several_machines_are_no_reason_to_be_strict(
    tmp_path: Path, settings: Settings, banks: dict[str, Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(chunks, "environment", lambda: {"cpu": "another"})
        folder = make(tmp_path / "data", replace(settings, audio=False), banks, Shard(1, 3))
    make(folder, replace(settings, audio=False), banks)
    assert json.loads((folder / "clear.json").read_text())["environment"]["files made elsewhere"] == "1"
    assert not validate(folder, 0, 1, silent).findings


def test_a_lost_identity_and_a_damaged_file_are_mended_together(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    (folder / "clear.json").unlink()
    (folder / "scenes/test-00000-of-00001.parquet").write_bytes(b"PAR1")
    make(folder, settings, banks)
    assert hashes(folder) == hashes(reference)


def test_discard_removes_the_dataset_and_nothing_else(reference: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    for name in ("notes.txt", "scenes/notes.txt", "bank/mine.parquet"):
        (folder / name).write_text("mine")
    discard(folder, {"seed": 8})
    left = {"notes.txt", "scenes/notes.txt", "bank/mine.parquet", ".partial/clear.json"}
    assert hashes(folder).keys() == left


def test_finish_says_what_is_missing(tmp_path: Path, settings: Settings, banks: dict[str, Bank]) -> None:
    folder = make(tmp_path / "data", replace(settings, audio=False), banks, Shard(1, 3))
    with pytest.raises(CheckFailed, match="2 of 3 files missing, first scenes/train-00000-of-00001"):
        finish(folder, KIND)


def test_finish_refuses_a_file_with_too_few_scenes(tmp_path: Path, settings: Settings, banks: dict[str, Bank]) -> None:
    folder = make(tmp_path / "data", replace(settings, audio=False), banks, Shard(1, 3))
    make(folder, replace(settings, audio=False), banks, Shard(2, 3))
    path = folder / "scenes/validation-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path), folder / "scenes/train-00000-of-00001.parquet")
    with pytest.raises(CheckFailed, match=r"train-00000-of-00001.parquet: found 20 scenes .*, expected 230"):
        finish(folder, KIND)


def test_shards_that_start_and_end_at_once_make_the_same_bytes(
    reference: Path, tmp_path: Path, banks: dict[str, Bank]
) -> None:
    folder = tmp_path / "data"
    command = [
        sys.executable,
        "-m",
        "clear_gen",
        "scenes",
        "--n",
        "280",
        "--splits",
        "0.82142857,0.07142857,0.10714286",
    ]
    command += ["--seed", "3", "--sample-rate", "8000", "--workers", "1", "--num-shards", "2", "--out", str(folder)]
    command += write_banks(tmp_path, banks)
    shards = [subprocess.Popen([*command, "--shard-index", str(index)], stderr=subprocess.PIPE) for index in range(2)]
    assert [(shard.communicate()[1].decode()[-300:], shard.returncode)[1] for shard in shards] == [0, 0]
    assert hashes(folder) == hashes(reference)


def test_overwriting_with_an_unusable_bank_removes_nothing(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    wrong = {**banks, "test": replace(banks["test"], domain="birds")}
    with pytest.raises(InputError, match="found birds, expected clear2"):
        create(folder, settings, wrong, Execution(overwrite=True))
    assert hashes(folder) == hashes(reference)


def test_a_test_bank_with_its_own_thresholds_is_refused(
    tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    own = replace(banks["test"], thresholds={**banks["test"].thresholds, "loudness": (-30.0, -29.0)})
    with pytest.raises(InputError, match="--labels-from"):
        make(tmp_path / "data", settings, {**banks, "test": own})
    assert not (tmp_path / "data").exists()


def test_what_a_killed_run_left_half_written_is_removed(
    reference: Path, tmp_path: Path, settings: Settings, banks: dict[str, Bank]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    (folder / "clear.json").unlink()
    (folder / ".partial").mkdir()
    (folder / ".partial/clear.json").write_text(
        json.dumps(json.loads((reference / "clear.json").read_text())["identity"])
    )
    (folder / "scenes/.train-00000-of-00001.parquet.17-abcd.tmp").write_bytes(b"PAR1 and no more")
    make(folder, settings, banks)
    assert hashes(folder) == hashes(reference)


def test_datasets_reads_the_folder_as_it_lies(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
import sys, datasets
found = datasets.load_dataset(sys.argv[1], "scenes", cache_dir=sys.argv[2])
print({split: rows.num_rows for split, rows in found.items()}, found["train"].features["audio"].decode)
row = found["test"][29]
print(row["scene_id"], row["audio"]["bytes"][:4], row["sounds"][0]["instrument"] != "")
stream = datasets.load_dataset(sys.argv[1], "scenes", streaming=True)
print(sum(1 for _ in stream["train"]), next(iter(stream["validation"]))["scene_id"])
print(datasets.load_dataset(sys.argv[1], "bank", cache_dir=sys.argv[2])["train"].num_rows)
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(reference), str(tmp_path / "cache")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "{'train': 230, 'validation': 20, 'test': 30} False",
        "test-000029 b'fLaC' True",
        "230 validation-000000",
        "40",
    ]


def test_one_file_per_1200_scenes() -> None:
    assert [(file.first, file.stop) for file in scene_files({"train": 2500})] == [(0, 1200), (1200, 2400), (2400, 2500)]
