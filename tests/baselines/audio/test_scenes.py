"""The two sources of waveforms of a dataset: its audio, and its graphs with its bank."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines.audio.scenes import AudioScenes, ahead
from baselines.audio.sources import open_scenes
from baselines.audio.virtual import VirtualScenes
from clear_gen.core.errors import InputError
from clear_gen.core.pcm import decode_flac, encode_flac
from clear_gen.datasets.scenes.load import load_scenes
from clear_gen.scenes.domain import Domain
from tests.baselines.audio.waveforms import CLOSE, CPU, waveforms_of
from tests.baselines.conftest import SIZES
from tests.datasets.runs import RATE
from tests.datasets.scenes.published import read_in
from tests.sounds import one_line

PCM_STEP = 1 / 32767


@pytest.mark.parametrize("split", SIZES)
def test_audio_is_that_of_load_scenes_in_any_batch(split: str, dataset: Path) -> None:
    scenes = open_scenes(dataset, split)
    assert isinstance(scenes, AudioScenes)
    assert scenes.sample_rate == RATE
    expected = list(load_scenes(dataset, split))
    assert scenes.n_samples.tolist() == [scene.graph.n_samples for scene in expected]
    for batch in (1, 4, 100):
        for found, scene in zip(waveforms_of(scenes, batch), expected, strict=True):
            assert np.array_equal(found, scene.waveform)


@pytest.mark.parametrize("split", SIZES)
def test_without_audio_scenes_are_virtual_and_the_same_up_to_pcm(split: str, dataset: Path, unheard: Path) -> None:
    virtual, chosen, decoded = (
        open_scenes(unheard, split),
        open_scenes(dataset, split, "virtual"),
        open_scenes(dataset, split),
    )
    assert isinstance(virtual, VirtualScenes)
    assert isinstance(chosen, VirtualScenes)
    assert virtual.sample_rate == RATE
    assert virtual.n_samples.tolist() == chosen.n_samples.tolist() == decoded.n_samples.tolist()
    for one, same, pcm in zip(*(waveforms_of(scenes, 4) for scenes in (virtual, chosen, decoded)), strict=True):
        assert np.array_equal(one, same)
        assert np.abs(one - pcm).max() <= PCM_STEP / 2 + CLOSE


def in_row_groups(folder: Path, n_rows: int, split: str = "test") -> None:
    """Write a split's scenes and questions anew in row groups of so many rows."""
    for path in (folder / f"{kind}/{split}-00000-of-00001.parquet" for kind in ("scenes", "questions")):
        pq.write_table(pq.read_table(path), path, row_group_size=n_rows)


def test_scenes_of_several_row_groups(dataset: Path, unheard: Path, tmp_path: Path) -> None:
    for number, source in enumerate((dataset, unheard)):
        folder = shutil.copytree(source, tmp_path / f"data{number}")
        in_row_groups(folder, 4)
        found, expected = (waveforms_of(open_scenes(of, "test"), 5) for of in (folder, source))
        assert all(np.abs(a - b).max() < CLOSE for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("split", ["nosuch", "", "two\nlines"])
@pytest.mark.parametrize("source", [None, "audio", "virtual"])
def test_a_split_that_is_not_there(split: str, source: Any, dataset: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_scenes(dataset, split, source)
    assert "expected one of: train, validation, test" in one_line(caught)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_scenes(tmp_path, "train")


@pytest.mark.parametrize("source", ["audio", "virtual"])
def test_a_scene_file_of_other_columns(source: Any, dataset: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(dataset, tmp_path / "data")
    path = folder / "scenes/test-00000-of-00001.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(InputError) as caught:
        open_scenes(folder, "test", source)
    assert one_line(caught).startswith(f"{path}: found other columns")


def test_audio_of_a_dataset_without(unheard: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(open_scenes(unheard, "test", "audio").waveforms(2, CPU))
    assert "test-000000: found no audio" in one_line(caught)


def stereo(data: bytes) -> bytes:
    pcm, rate = decode_flac(data, "")
    return encode_flac(np.stack([pcm, pcm], 1), rate)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "null": lambda _: None,
    "noise": lambda _: bytes(range(256)) * 8,
    "shorter": lambda data: encode_flac(decode_flac(data, "")[0][:-1], RATE),
    "longer": lambda data: encode_flac(np.append(decode_flac(data, "")[0], np.int16(0)), RATE),
    "rate": lambda data: encode_flac(decode_flac(data, "")[0], 2 * RATE),
    "stereo": stereo,
}


@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
def test_damaged_audio_names_its_scene(damage: str, dataset: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(dataset, tmp_path / "data")
    path = folder / "scenes/test-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    audio = rows[4]["audio"]
    rows[4]["audio"] = None if damage == "missing" else {**audio, "bytes": DAMAGES[damage](audio["bytes"])}
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    scenes = open_scenes(folder, "test")
    for batch in (1, 4, 6):
        with pytest.raises(InputError) as caught:
            list(scenes.waveforms(batch, CPU))
        assert one_line(caught).startswith(f"{path}: test-000004: ")
    before = next(iter(scenes.waveforms(1, CPU)))  # what comes before is served
    assert np.array_equal(before[0].numpy(), load_scenes(dataset, "test")[0].waveform)


@pytest.mark.shared
def test_the_published_sample_has_audio_of_a_few_scenes(shared: Path, tmp_path: Path, clear2: Domain) -> None:
    read_in(shared / "clear-layout-sample", tmp_path / "data", clear2)
    scenes = open_scenes(tmp_path / "data", "validation")
    expected = [
        scene.waveform if scene.has_stored_audio else None for scene in load_scenes(tmp_path / "data", "validation")
    ]
    first = next(number for number, waveform in enumerate(expected) if waveform is None)
    found = scenes.waveforms(1, CPU)
    for waveform in expected[:first]:
        assert np.array_equal(next(found)[0].numpy(), waveform)
    with pytest.raises(InputError, match=f"validation-{first:06d}: found no audio"):
        next(found)


# --- ahead ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_ahead_keeps_the_order_and_its_distance(n: int) -> None:
    begun: list[int] = []

    def items() -> Any:
        for item in range(20):
            begun.append(item)
            yield item

    with ThreadPoolExecutor(3) as pool:
        for read, made in enumerate(ahead(lambda item: item * item, items(), pool, n)):
            assert made == read * read
            assert len(begun) <= read + 1 + n
    assert read == 19
    assert begun == list(range(20))
