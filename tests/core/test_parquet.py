"""Damage and foreign files are found, and others can read what we write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file
from clear_gen.core.parquet import dataset_schema, open_parquet
from clear_gen.core.pcm import decode_flac
from clear_gen.sounds.bank import Bank, build_bank, read_bank, write_bank
from tests.counts import NIGHTLY
from tests.sounds import ATTRIBUTES, one_line, scale


@pytest.fixture(scope="module")
def bank() -> Bank:
    return build_bank(scale(5), "clear2", ATTRIBUTES)


@pytest.fixture(scope="module")
def bank_file(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("io") / "bank.parquet"
    write_bank(bank, path)
    return path


def test_datasets_loads_a_bank_file_with_undecoded_audio(bank, bank_file, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features.from_arrow_schema(pq.read_schema(bank_file))
    assert features["audio"] == datasets.Audio(sampling_rate=bank.sample_rate, decode=False)
    assert features["octave"] == datasets.Value("int32")
    assert features["brightness_points"] == datasets.Value("float64")
    loaded = datasets.Dataset.from_parquet(str(bank_file), cache_dir=str(tmp_path))
    assert loaded.features["audio"] == features["audio"]
    assert loaded["sound_id"] == [sound.sound_id for sound in bank.sounds]
    for row, sound in zip(loaded, bank.sounds, strict=True):
        assert np.array_equal(decode_flac(row["audio"]["bytes"], "x")[0], sound.pcm)
        assert {name: row[name] for name in sound.attributes} == sound.attributes


def test_datasets_understands_nested_columns():
    datasets = pytest.importorskip("datasets")
    nested = pa.list_(pa.struct([("sound_id", pa.string()), ("onset_sample", pa.int64()), ("gain_db", pa.float64())]))
    fields = [pa.field("sounds", nested), pa.field("flag", pa.bool_()), pa.field("x", pa.float32())]
    schema = dataset_schema(fields, 48000)
    written = datasets.Features.from_arrow_schema(schema)
    assert written == datasets.Features.from_arrow_schema(pa.schema(fields))  # what it infers without our metadata
    assert written.arrow_schema.types == schema.types


def content(bank: Bank) -> tuple:
    """Everything a bank says, comparable."""
    sounds = [
        (
            sound.sound_id,
            sound.attributes,
            sound.brightness_points,
            sound.loudness_lufs,
            sound.pcm.tolist(),
            sound.sample_rate,
            sound.licence,
            sound.source,
            sound.pcm_sha256,
        )
        for sound in bank.sounds
    ]
    return bank.domain, bank.sample_rate, bank.thresholds, sounds


def outcome(data: bytes, position: int, mask: int, path: Path, expected: tuple) -> str:
    """What reading a bank file with one altered byte comes to."""
    flipped = bytearray(data)
    flipped[position] ^= mask
    path.write_bytes(flipped)
    try:
        found = content(read_bank(path))
    except InputError as error:
        return "found" if len(str(error).splitlines()) == 1 else "more than one line"
    except Exception as error:
        return f"traceback of {type(error).__name__}"
    return "harmless" if found == expected else "not found"


def data_pages(path: Path) -> list[tuple[int, int]]:
    """Where the column chunks lie in the file: (first byte, end)."""
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(k) for k in range(group.num_columns)]
    starts = [min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset) for chunk in chunks]
    return [(start, start + chunk.total_compressed_size) for start, chunk in zip(starts, chunks, strict=True)]


def test_one_altered_byte_among_the_data_is_found(bank, bank_file, tmp_path):
    data, rng = bank_file.read_bytes(), np.random.default_rng(1)
    found = {}
    for start, end in data_pages(bank_file):
        for position in rng.integers(start, end, 30).tolist():
            mask = 1 << int(rng.integers(8))
            found[position] = outcome(data, position, mask, tmp_path / "x", content(bank))
    assert {position: was for position, was in found.items() if was not in ("found", "harmless")} == {}
    share = sum(was == "found" for was in found.values()) / len(found)
    assert share > 0.95  # the rest are counts in page headers that nothing depends on


def test_one_altered_byte_anywhere_changes_nothing_unseen_and_is_reported_in_one_line(bank, bank_file, tmp_path):
    data, rng = bank_file.read_bytes(), np.random.default_rng(2)
    end_of_data = max(end for _, end in data_pages(bank_file))
    positions = [*rng.integers(0, len(data), 30), *rng.integers(end_of_data, len(data), 600 if NIGHTLY else 150)]
    found = {
        (position, mask): outcome(data, position, mask, tmp_path / "x", content(bank))
        for position in sorted({int(position) for position in positions})
        for mask in (0x01, 0xFF)
    }
    assert {where: was for where, was in found.items() if was not in ("found", "harmless")} == {}


def test_a_damaged_copy_has_another_file_hash(bank_file, tmp_path):
    data = bytearray(bank_file.read_bytes())
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(data)
    assert sha256_file(copy) == sha256_file(bank_file)
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    assert sha256_file(copy) != sha256_file(bank_file)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"sound_id,note\r\na,A\r\n", b"\0" * 100])
def test_something_else_than_parquet_is_an_error_of_one_line_that_names_the_file(tmp_path, content):
    path = tmp_path / "bank.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_parquet(path)
    assert str(path) in one_line(caught)


def test_a_missing_file_and_a_folder_are_errors_of_one_line(tmp_path):
    for path in (tmp_path / "missing.parquet", tmp_path):
        with pytest.raises(InputError) as caught:
            open_parquet(path)
        assert str(path) in one_line(caught)


def test_a_parquet_file_of_somebody_else_is_an_error_of_one_line(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"sound_id": ["a"]}), path)
    with pytest.raises(InputError) as caught:
        read_bank(path)
    assert "clear_gen metadata" in one_line(caught)


@pytest.mark.parametrize("extra", [{"kind": "scenes", "format": 1}, {"kind": "bank", "format": 999}, {}])
def test_another_kind_or_format_is_an_error_of_one_line(tmp_path, extra):
    path = tmp_path / "other.parquet"
    schema = dataset_schema([pa.field("sound_id", pa.string())], 48000, extra)
    pq.write_table(pa.table([pa.array(["a"])], schema=schema), path)
    with pytest.raises(InputError) as caught:
        read_bank(path)
    assert "expected bank format" in one_line(caught)


def test_a_truncated_bank_is_an_error_of_one_line(bank_file, tmp_path):
    data = bank_file.read_bytes()
    for length in (1, len(data) // 2, len(data) - 1):
        path = tmp_path / "cut.parquet"
        path.write_bytes(data[:length])
        with pytest.raises(InputError) as caught:
            read_bank(path)
        assert str(path) in one_line(caught)
