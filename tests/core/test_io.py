"""Files appear whole or not at all, PCM 16 and FLAC lose nothing more than they must, and damage is found."""

from __future__ import annotations

import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path, sha256_file, write_text
from clear_gen.core.parquet import dataset_schema, open_parquet
from clear_gen.core.pcm import decode_flac, encode_flac, from_pcm16, sha256_pcm, to_pcm16
from clear_gen.core.streams import stream
from clear_gen.sounds.bank import Bank, build_bank, read_bank, write_bank
from tests.counts import examples
from tests.sounds import ATTRIBUTES, one_line, scale

STEP = 1 / 32767
ROUNDING = 4e-8  # a float32 near 1 is off by at most 2^-25, and there are two of them
quick = examples(60)
waveforms = hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(-1, 1, width=32))
pcms = hnp.arrays(np.int16, st.integers(1, 3000), elements=st.integers(-32768, 32767))
HALF_WRITTEN = """
import os, signal, sys
from pathlib import Path
from clear_gen.core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary, open(temporary, "wb") as file:
    file.write(b"half of the new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


# --- atomic writes ----------------------------------------------------------------------------------------------------


def test_a_finished_write_replaces_the_file_and_leaves_no_temporary(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    for text in ("first", "second: Ωメ\n"):
        write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert list(path.parent.iterdir()) == [path]


def write_half(path: Path, error: type[BaseException]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half of the new")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_an_error_leaves_the_old_file_and_no_temporary(tmp_path, error, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(error):
        write_half(path, error)
    assert [entry.name for entry in tmp_path.iterdir()] == ([] if old is None else ["file"])
    assert old is None or path.read_bytes() == old


def test_the_old_file_is_there_until_the_body_ends(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_body_that_writes_nothing_is_an_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No such file"), atomic_path(path):
        pass
    assert path.read_bytes() == b"old"


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file_and_the_next_write_works(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", HALF_WRITTEN, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_text(path, "new")
    assert path.read_bytes() == b"new"


# --- random streams ---------------------------------------------------------------------------------------------------


def test_a_stream_depends_on_the_seed_and_on_every_part_of_the_key():
    keys = [(0, 1), (1, 1), (0, 2), (0, 1, 0), (0, 1, 1), (0,)]
    drawn = {stream(*key).integers(2**63) for key in keys}
    assert len(drawn) == len(keys)
    assert stream(0, 1, 2).integers(2**63) == stream(0, 1, 2).integers(2**63)


# --- PCM 16 and FLAC --------------------------------------------------------------------------------------------------


@quick
@given(waveform=waveforms)
def test_pcm_is_within_half_a_step(waveform):
    pcm = to_pcm16(waveform)
    assert pcm.dtype == np.int16
    assert pcm.shape == waveform.shape
    assert np.all(np.abs(from_pcm16(pcm).astype(np.float64) - waveform) <= STEP / 2 + ROUNDING)


@quick
@given(waveform=hnp.arrays(np.float32, 50, elements=st.floats(-1e6, 1e6, width=32)))
def test_what_is_beyond_full_scale_is_clipped(waveform):
    assert np.array_equal(to_pcm16(waveform), to_pcm16(np.clip(waveform, -1, 1)))
    assert np.abs(from_pcm16(to_pcm16(waveform))).max() <= 1


def test_every_pcm_value_survives_the_way_to_float_and_back():
    pcm = np.arange(-32767, 32768).astype(np.int16)
    assert np.array_equal(to_pcm16(from_pcm16(pcm)), pcm)


def test_ties_round_to_even_and_full_scale_is_32767():
    steps = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 32767, -32767], np.float32)
    assert to_pcm16(steps * np.float32(STEP)).tolist() == [0, 2, 2, 0, -2, 32767, -32767]


@quick
@given(pcm=pcms, rate=st.sampled_from([8000, 16000, 44100, 48000, 96000]))
def test_flac_gives_back_every_sample_and_the_rate(pcm, rate):
    data = encode_flac(pcm, rate)
    found, found_rate = decode_flac(data, "x")
    assert found.dtype == np.int16
    assert np.array_equal(found, pcm)
    assert found_rate == rate
    assert soundfile.info(BytesIO(data)).subtype == "PCM_16"


@quick
@given(pcm=pcms)
def test_the_hash_of_samples_depends_on_every_sample_and_not_on_the_memory_layout(pcm):
    other = pcm.copy()
    other[-1] ^= 1
    assert sha256_pcm(pcm) != sha256_pcm(other)
    assert sha256_pcm(np.repeat(pcm, 2)[::2]) == sha256_pcm(pcm.astype(">i2")) == sha256_pcm(pcm)


@quick
@given(data=st.binary(max_size=200))
def test_noise_instead_of_flac_is_an_error_of_one_line_that_names_the_sound(data):
    with pytest.raises(InputError) as caught:
        decode_flac(data, "bank.parquet: cello")
    assert one_line(caught).startswith("bank.parquet: cello: ")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_flac_is_an_error_of_one_line(share):
    data = encode_flac(to_pcm16(scale(1)[0].samples), 16000)
    with pytest.raises(InputError) as caught:
        decode_flac(data[: int(share * len(data))], "cello")
    assert "cello" in one_line(caught)


def test_stereo_is_an_error_that_says_so():
    buffer = BytesIO()
    soundfile.write(buffer, np.zeros((100, 2), np.int16), 16000, format="FLAC")
    with pytest.raises(InputError) as caught:
        decode_flac(buffer.getvalue(), "cello")
    assert "2 channels" in one_line(caught)


# --- Parquet ----------------------------------------------------------------------------------------------------------


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
    positions = [*rng.integers(0, len(data), 30), *rng.integers(end_of_data, len(data), 600)]
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
