"""The audio folder of the Hub: ``datasets`` loads it, with the values of the dataset it was made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file
from clear_gen.datasets.scenes.clear_format.importer import import_clear_layout
from clear_gen.datasets.scenes.exports.audio_folder import export_audio_folder
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.scenes.domain import Domain
from clear_gen.sounds.bank import Bank
from clear_gen.store.exports import DONE, MARKER
from tests.datasets.scenes.published import RATE, edit, make, silent, write_source

SIZES = {"train": 6, "validation": 2, "test": 3}

# Audio.encode_example imports torchcodec before it looks at what it is given; this is what it then does with a path.
LOAD = """
import json, sys, datasets
datasets.Audio.encode_example = lambda self, path: {"bytes": None, "path": path}
found = datasets.load_dataset("audiofolder", data_dir=sys.argv[1], cache_dir=sys.argv[2])
found = found.cast_column("audio", datasets.Audio(decode=False))
json.dump({split: list(rows) for split, rows in found.items()}, sys.stdout)
"""


def loaded(folder: Path, cache: Path) -> dict[str, list[dict[str, Any]]]:
    environment = {**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, folder, cache / "data"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    (path,) = (folder / "scenes").glob(f"{split}-*.parquet")
    return pq.read_table(path).to_pylist()


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def assert_same(folder: Path, found: dict[str, list[dict[str, Any]]]) -> None:
    """What was loaded is what the dataset holds, and each row's audio is its file."""
    for split, here in found.items():
        there = [row for row in rows(folder, split) if row["audio"] is not None]
        for row, expected in zip(here, there, strict=True):
            audio, expected_audio = row.pop("audio"), expected.pop("audio")
            assert Path(audio["path"]).read_bytes() == expected_audio["bytes"]
            assert Path(audio["path"]).name == f"{expected['scene_id']}.flac"
            assert row == expected


@pytest.fixture(scope="module")
def settings(clear2: Domain) -> Settings:
    return Settings(SIZES, seed=5, sample_rate=RATE, levels="recorded", audio=True, domain=clear2)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, settings: Settings, embedded: dict[str, Bank]) -> Path:
    return make(tmp_path_factory.mktemp("ours") / "data", settings, embedded)


def test_datasets_loads_the_same_values(ours: Path, tmp_path: Path) -> None:
    summary = export_audio_folder(ours, tmp_path / "out", silent)
    assert summary.with_audio == SIZES
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [DONE, "README.md", *sorted(SIZES)]
    lines = (tmp_path / "out/train/metadata.jsonl").read_text().splitlines()
    assert [json.loads(line)["file_name"] for line in lines] == [f"train-{k:06d}.flac" for k in range(6)]
    found = loaded(tmp_path / "out", tmp_path / "cache")
    assert {split: len(here) for split, here in found.items()} == SIZES
    assert_same(ours, found)


def test_the_card_has_licence_and_sources(ours: Path, tmp_path: Path) -> None:
    export_audio_folder(ours, tmp_path / "out", silent)
    _, head, body = (tmp_path / "out/README.md").read_text().split("---\n", 2)
    original = (ours / "README.md").read_text()
    assert yaml.safe_load(head)["license"] == yaml.safe_load(original.split("---\n")[1])["license"]
    assert "configs" not in yaml.safe_load(head)
    sources = original[original.index("\n## Source") :].split("\n## ")[1]
    assert len(sources) > 50
    assert sources.strip() in body


def unknown_in_test(content: dict[str, Any]) -> None:
    for scene in content["scenes"]:
        for item in scene["objects"]:
            item["brightness"] = None


@pytest.mark.parametrize("everywhere", [True, False])
def test_values_unknown_in_a_whole_split_load(tmp_path: Path, clear2: Domain, everywhere: bool) -> None:
    """Null in one split only: the types of that split cannot be guessed from lines of text."""
    source = write_source(tmp_path / "clear", val=2, test=3)
    (source / "audio/test/CLEAR_test_000001.flac").unlink()
    for split in ("val", "test") if everywhere else ("test",):
        edit(source, split, unknown_in_test)
    import_clear_layout(source, tmp_path / "data", clear2, silent)
    summary = export_audio_folder(tmp_path / "data", tmp_path / "out", silent)
    assert "1 scenes without audio left out" in str(summary)
    name = "metadata.jsonl" if everywhere else "metadata.parquet"
    assert {path.name for path in (tmp_path / "out").rglob("metadata.*")} == {name}
    assert ("metadata.parquet" in str(summary)) == (not everywhere)
    found = loaded(tmp_path / "out", tmp_path / "cache")
    assert {split: len(here) for split, here in found.items()} == {"validation": 2, "test": 2}
    assert_same(tmp_path / "data", found)


def test_a_split_without_any_audio_stays_behind(tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=2, test=1)
    (source / "audio/test/CLEAR_test_000000.flac").unlink()
    import_clear_layout(source, tmp_path / "data", clear2, silent)
    summary = export_audio_folder(tmp_path / "data", tmp_path / "out", silent)
    assert summary.with_audio == {"train": 0, "validation": 2, "test": 0}
    assert not (tmp_path / "out/test").exists()
    assert loaded(tmp_path / "out", tmp_path / "cache").keys() == {"validation"}


def test_overwriting_leaves_one_kind_of_metadata(ours: Path, tmp_path: Path, clear2: Domain) -> None:
    source = write_source(tmp_path / "clear", val=2, test=1)
    edit(source, "test", unknown_in_test)
    import_clear_layout(source, tmp_path / "data", clear2, silent)
    export_audio_folder(tmp_path / "data", tmp_path / "out", silent)
    with pytest.raises(InputError, match="expected a new or an empty folder"):
        export_audio_folder(ours, tmp_path / "out", silent)
    export_audio_folder(ours, tmp_path / "out", silent, overwrite=True)
    export_audio_folder(ours, tmp_path / "new", silent)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "new")


def test_a_dataset_without_audio_is_refused(tmp_path: Path, settings: Settings, embedded: dict[str, Bank]) -> None:
    folder = make(tmp_path / "data", replace(settings, audio=False), embedded)
    with pytest.raises(InputError, match=r"found scenes without audio, expected audio .clear-gen render"):
        export_audio_folder(folder, tmp_path / "out", silent)
    assert not (tmp_path / "out").exists()


def test_an_export_that_stopped_goes_on_to_the_same_bytes(ours: Path, tmp_path: Path) -> None:
    calls: list[int] = []

    def advance(n: int) -> None:
        calls.append(n)
        if len(calls) == 7:
            raise RuntimeError("stopped")

    @contextmanager
    def progress(left: int, total: int) -> Iterator[Callable[[int], None]]:
        assert (left, total) == (11, 11)
        yield advance

    with pytest.raises(RuntimeError, match="stopped"):
        export_audio_folder(ours, tmp_path / "out", progress)
    assert [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("metadata*")] == [
        "train/metadata.jsonl"
    ]
    assert (tmp_path / "out" / MARKER).exists()
    export_audio_folder(ours, tmp_path / "out", silent)
    export_audio_folder(ours, tmp_path / "whole", silent)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_a_dataset_whose_card_is_missing_is_refused(tmp_path: Path, clear2: Domain) -> None:
    import_clear_layout(write_source(tmp_path / "clear", val=1), tmp_path / "data", clear2, silent)
    (tmp_path / "data/README.md").unlink()
    with pytest.raises(InputError, match=r"README.md: found no dataset card"):
        export_audio_folder(tmp_path / "data", tmp_path / "out", silent)
