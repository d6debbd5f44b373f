"""Recordings whose container does not know how long they are: read to their end, or refused because they were cut."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.random import default_rng

from clear_gen.core.errors import InputError
from clear_gen.sounds.containers import mpeg
from clear_gen.sounds.files import read_audio

RATE = 32_000
N = 2 * RATE + 17


def sound(channels: int = 1) -> np.ndarray:
    """A quiet second and a loud one, so that frames of a variable rate differ in size; float [N, channels]."""
    rng = default_rng(3)
    samples = 0.1 * np.sin(2 * np.pi * 440 * np.arange(N) / RATE)
    samples[RATE:] += 0.1 * rng.standard_normal(N - RATE)
    return np.repeat(samples[:, None], channels, axis=1)


def encoded(form: str, subtype: str | None = None, channels: int = 1, rate: int = RATE, **how: object) -> bytearray:
    buffer = BytesIO()
    soundfile.write(buffer, sound(channels), rate, format=form, subtype=subtype, **how)
    return bytearray(buffer.getvalue())


def read(folder: Path, name: str, data: bytes | bytearray) -> np.ndarray:
    (folder / name).write_bytes(bytes(data))
    return read_audio(folder / name)[0]


def patched(data: bytearray, at: int, form: str, value: int) -> bytearray:
    struct.pack_into(form, data, at, value)
    return data


def wav(size: int) -> bytearray:
    data = encoded("WAV", "PCM_16")
    return patched(patched(data, 4, "<I", size), data.index(b"data") + 4, "<I", size)


def flac() -> bytearray:
    data = encoded("FLAC", "PCM_16", channels=2)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return data


def caf() -> bytearray:
    data = encoded("CAF", "PCM_16")
    return patched(data, data.index(b"data") + 4, ">q", -1)


def aiff() -> bytearray:
    data = encoded("AIFF", "PCM_16")
    return patched(data, data.index(b"SSND") + 4, ">I", 0)


def w64(size: int) -> bytearray:
    data = encoded("W64", "PCM_16")
    return patched(data, data.index(b"data") + 16, "<Q", size)


def rf64(size: int) -> bytearray:
    data = encoded("RF64", "PCM_16")
    return patched(data, data.index(b"ds64") + 16, "<Q", size)


UNKNOWN: dict[str, Callable[[], bytearray]] = {
    "ffmpeg.wav": lambda: wav(0xFFFFFFFF),
    "sox.wav": lambda: wav(0x7FFFF000),
    "alsa.wav": lambda: wav(0x80000000),
    "interrupted.wav": lambda: wav(0),
    "stream.flac": flac,
    "stream.caf": caf,
    "stream.aiff": aiff,
    "zero.w64": lambda: w64(0),
    "most.w64": lambda: w64((1 << 64) - 1),
    "zero.rf64": lambda: rf64(0),
    "most.rf64": lambda: rf64((1 << 64) - 1),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_length_is_read_to_the_end(tmp_path: Path, name: str) -> None:
    np.testing.assert_allclose(read(tmp_path, name, UNKNOWN[name]()), sound()[:, 0], atol=1e-4)


def test_flac_of_unknown_length_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no whole frame at the end, expected one: it was cut off"):
        read(tmp_path, "x.flac", flac()[:-9])


@pytest.mark.parametrize("behind", [b"", b"LIST\4\0\0\0INFO"], ids=["nothing", "a chunk"])
def test_a_wav_without_samples_has_none(tmp_path: Path, behind: bytes) -> None:
    data = wav(0)
    assert len(read(tmp_path, "x.wav", data[: data.index(b"data") + 8] + behind)) == 0


ID3V2 = b"ID3\x02\0\0" + bytes((0, 0, 16, 42)) + bytes(2090)
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<IIII8x", 2000, 32, 0, 0)


def mp3(mode: str, rate: int = RATE, channels: int = 1) -> tuple[bytes, bytes]:
    """A file, and it without its header frame."""
    data = bytes(encoded("MP3", rate=rate, channels=channels, bitrate_mode=mode, compression_level=0.5))
    (stream,) = mpeg.streams(data)
    assert stream.has_header_frame
    return data, data[stream.first.size :]


def assert_whole(samples: np.ndarray, parts: int = 1) -> None:
    """As long as the sound with what an encoder pads, and the loud half at the end of each part."""
    assert parts * N <= len(samples) <= parts * (N + 4 * 1152)
    loud = np.sqrt(np.mean(np.square(samples[-RATE // 2 :])))
    assert 0.08 < loud < 0.2


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (RATE, 2), (44_100, 2), (22_050, 1), (8_000, 2)])
def test_mp3_is_read_to_its_end(tmp_path: Path, mode: str, rate: int, channels: int) -> None:
    whole, bare = mp3(mode, rate, channels)
    assert len(read(tmp_path, "whole.mp3", whole)) == N
    forms = {"bare": bare, "tagged": ID3V2 + bare + ID3V1, "ape": bare + APE + ID3V1, "zeros": bare + bytes(900)}
    lengths = set()
    for name, data in forms.items():
        samples = read(tmp_path, f"{name}.mp3", data)
        assert_whole(samples)
        lengths.add(len(samples))
    assert len(lengths) == 1
    for name, data in {"tagged": ID3V2 + whole + ID3V1, "joined": whole + whole, "mixed": whole + bare}.items():
        assert_whole(read(tmp_path, f"whole-{name}.mp3", data), 1 if name == "tagged" else 2)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_that_was_cut_off_is_refused(tmp_path: Path, mode: str) -> None:
    whole, bare = mp3(mode)
    whole = ID3V2 + whole
    for name, data in {"last frame": whole[:-50], "bare": bare[:-50], "third": whole[: len(whole) * 2 // 3]}.items():
        with pytest.raises(InputError, match=rf"{name}.mp3: frames: found \d+, expected .*: it was cut off"):
            read(tmp_path, f"{name}.mp3", data)


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", RATE), ("OPUS", 48_000)])
def test_ogg_is_read_to_its_end_or_refused(tmp_path: Path, subtype: str, rate: int) -> None:
    data = encoded("OGG", subtype, rate=rate)
    one = read(tmp_path, "one.ogg", data)
    three = read(tmp_path, "three.ogg", data * 3)
    np.testing.assert_allclose(three, np.tile(one, 3), atol=1e-5)
    for share in (0.3, 0.7, 0.99):
        with pytest.raises(InputError, match="found no last page, expected one: it was cut off"):
            read(tmp_path, "cut.ogg", data[: int(share * len(data))])


def test_parts_of_different_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sample rate: found 32,000, 44,100 Hz, expected the same in all parts"):
        read(tmp_path, "x.mp3", mp3("CONSTANT")[0] + mp3("CONSTANT", 44_100)[0])


def test_an_offset_does_not_count_as_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", sound() + 0.004, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "x.wav")[0], sound()[:, 0], atol=1e-3)


FFMPEG = f"""#!{sys.executable}
import pathlib, sys
sys.stdout.buffer.write(pathlib.Path(sys.argv[sys.argv.index("-i") + 1]).with_suffix(".decoded").read_bytes())
"""
FFPROBE = """#!/bin/sh
echo '{}'
"""


@pytest.fixture
def m4a(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that ffmpeg, or what takes its place here, decodes to the ``.decoded`` beside it."""
    pytest.importorskip("pydub")
    for name, script in {"ffmpeg": FFMPEG, "ffprobe": FFPROBE}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    return tmp_path / "a.m4a"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydub's audioop
@pytest.mark.parametrize("channels", [1, 2])
def test_other_formats_are_what_ffmpeg_makes_of_them(m4a: Path, channels: int) -> None:
    m4a.with_suffix(".decoded").write_bytes(encoded("WAV", "PCM_16", channels))
    samples, rate = read_audio(m4a)
    assert rate == RATE
    assert samples == pytest.approx(sound()[:, 0], abs=1 / 32768)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_film_without_sound_is_no_recording(m4a: Path) -> None:
    (m4a.parent / "ffprobe").write_text(FFPROBE.replace("{}", '{"streams": []}'))
    with pytest.raises(InputError, match=r"a\.m4a: found no audio"):
        read_audio(m4a)
