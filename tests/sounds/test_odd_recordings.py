"""Odd recordings: each is read to its last sample or refused in a line, as the table of ``docs/recordings.md`` says."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clear_gen.core.errors import InputError
from clear_gen.sounds.containers import mpeg
from clear_gen.sounds.files import read_audio
from tests.sounds.test_files import ID3V1, ID3V2, UNKNOWN, wav

PAGE = Path(__file__).resolve().parents[2] / "docs/recordings.md"
DURATION_S = 1.5


def tone(rate: int, channels: int = 1, offset: float = 0.0) -> np.ndarray:
    """A tone that ends loud; float [n, channels]."""
    t = np.arange(round(DURATION_S * rate)) / rate
    wave = (0.05 + 0.2 * t) * np.sin(2 * np.pi * min(440, rate / 5) * t) + offset
    return np.repeat(wave[:, None], channels, axis=1)


def encoded(
    form: str, subtype: str, rate: int = 44_100, channels: int = 1, offset: float = 0.0, endian: str | None = None
) -> bytes:
    buffer = BytesIO()
    samples = tone(rate, channels, offset)
    with soundfile.SoundFile(buffer, "w", rate, channels, subtype, endian, form) as file:
        file.write(samples)
    return buffer.getvalue()


def bare_mp3(mode: str) -> bytes:
    buffer = BytesIO()
    how = {"bitrate_mode": mode, "compression_level": 0.5}
    soundfile.write(buffer, tone(44_100), 44_100, format="MP3", **how)
    (stream,) = mpeg.streams(buffer.getvalue())
    return buffer.getvalue()[stream.first.size :]


@dataclass(frozen=True)
class Odd:
    """A recording: ``suffix`` of its file; ``parts``: how often its sound is heard; ``refused``: a part of the line."""

    what: str
    suffix: str
    data: Callable[[], bytes]
    parts: int = 1
    refused: str | None = None


def plain(what: str, suffix: str, *how: object, **options: object) -> Odd:
    return Odd(what, suffix, lambda: encoded(*how, **options))  # type: ignore[arg-type]


def cut(what: str, suffix: str, data: Callable[[], bytes], refused: str, keep: float = 0.6) -> Odd:
    return Odd(f"{what}, cut off", suffix, lambda: data()[: round(keep * len(data()))], refused=refused)


OGG = lambda: encoded("OGG", "VORBIS")  # noqa: E731
MP3 = lambda: encoded("MP3", "MPEG_LAYER_III")  # noqa: E731
CASES = [
    *(plain(f"WAV, {subtype}", "wav", "WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32")),
    *(plain(f"WAV, {subtype}", "wav", "WAV", subtype) for subtype in ("FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(plain(f"WAV, {subtype}", "wav", "WAV", subtype) for subtype in ("IMA_ADPCM", "MS_ADPCM")),
    *(plain(f"WAV of {rate:,} Hz", "wav", "WAV", "PCM_16", rate) for rate in (4_000, 11_025, 22_050, 96_000, 192_000)),
    *(plain(f"WAV of {n} channels", "wav", "WAV", "PCM_16", 48_000, n) for n in (2, 6, 8)),
    plain("WAV of 9 channels", "wav", "WAV", "PCM_16", 48_000, 9),
    plain("WAV with an offset of 10 %", "wav", "WAV", "PCM_24", 44_100, 1, 0.1),
    plain("WAVEX", "wav", "WAVEX", "PCM_16"),
    plain("WAV, big-endian (RIFX)", "wav", "WAV", "PCM_16", endian="BIG"),
    *(Odd(f"length unknown: {name}", name.split(".")[1], lambda name=name: bytes(UNKNOWN[name]())) for name in UNKNOWN),
    plain("RF64", "rf64", "RF64", "PCM_16"),
    plain("Wave64", "w64", "W64", "PCM_16"),
    plain("AIFF", "aiff", "AIFF", "PCM_24"),
    plain("AIFF-C, float", "aifc", "AIFF", "FLOAT"),
    plain("AU", "au", "AU", "PCM_16"),
    plain("CAF", "caf", "CAF", "PCM_16"),
    plain("CAF, ALAC", "caf", "CAF", "ALAC_16"),
    plain("FLAC, 16 bit", "flac", "FLAC", "PCM_16", 44_100, 2),
    plain("FLAC, 24 bit", "flac", "FLAC", "PCM_24"),
    plain("Ogg Vorbis", "ogg", "OGG", "VORBIS"),
    plain("Ogg Opus", "opus", "OGG", "OPUS", 48_000),
    Odd("Ogg, two joined", "ogg", lambda: 2 * OGG(), 2),
    plain("MP3", "mp3", "MP3", "MPEG_LAYER_III"),
    Odd("MP3, two joined", "mp3", lambda: 2 * MP3(), 2),
    Odd("MP3, constant rate, no header frame", "mp3", lambda: bare_mp3("CONSTANT")),
    Odd("MP3, variable rate, no header frame", "mp3", lambda: bare_mp3("VARIABLE")),
    Odd("MP3, no header frame, ID3 tags before and behind", "mp3", lambda: ID3V2 + bare_mp3("CONSTANT") + ID3V1),
    Odd("MP3 whose name says WAV", "wav", MP3),
    cut("WAV", "wav", lambda: encoded("WAV", "PCM_16"), "it was cut off"),
    cut("AIFF", "aiff", lambda: encoded("AIFF", "PCM_16"), "it was cut off"),
    cut("FLAC", "flac", lambda: encoded("FLAC", "PCM_16"), "unreadable"),
    cut("FLAC of unknown length", "flac", lambda: bytes(UNKNOWN["stream.flac"]()), "it was cut off"),
    cut("Ogg", "ogg", OGG, "it was cut off"),
    cut("MP3", "mp3", MP3, "it was cut off"),
    Odd("WAV without samples", "wav", lambda: bytes(wav(0))[:44], parts=0),
    Odd("text", "wav", lambda: b"not a recording\n", refused="unreadable"),
    Odd("empty file", "mp3", bytes, refused="unreadable"),
]
REFUSED = {"WAV of 9 channels": "channels: found 9, expected at most 8"}


def outcome(odd: Odd, folder: Path) -> str:
    """What becomes of a recording, as the table says it."""
    path = folder / f"x.{odd.suffix}"
    path.write_bytes(odd.data())
    try:
        samples, rate = read_audio(path)
    except InputError as error:
        return f"refused: {str(error).removeprefix(f'{path}: ')}"
    return f"{len(samples) / rate:.2f} s at {rate:,} Hz"


def row_of(odd: Odd, found: str) -> str:
    """A row of the table; the decoder's own words and numbers of bytes are left out."""
    found = re.sub(r"unreadable \(.*", "unreadable", found)
    return f"| {odd.what} | {found} |"


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.what)
def test_it_is_read_to_its_end_or_refused(odd: Odd, tmp_path: Path) -> None:
    found = outcome(odd, tmp_path)
    refused = odd.refused or REFUSED.get(odd.what)
    if refused is not None:
        assert found.startswith("refused: ")
        assert "\n" not in found
        assert refused in found
    else:
        own = 2.0 if odd.what.startswith("length unknown") else DURATION_S
        seconds = float(found.split(" s at ")[0])
        assert odd.parts * own - 0.01 <= seconds <= odd.parts * (own + 0.08), found
    assert row_of(odd, found) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_lists_nothing_else() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) == len(CASES) + 1  # and the header


def test_where_the_end_of_a_pipe_is_heard(tmp_path: Path) -> None:
    data = bytearray(encoded("WAV", "PCM_16"))
    struct.pack_into("<I", data, data.index(b"data") + 4, 0xFFFFFFFF)
    (tmp_path / "x.wav").write_bytes(bytes(data))
    samples, _ = read_audio(tmp_path / "x.wav")
    np.testing.assert_allclose(samples, tone(44_100)[:, 0], atol=1e-4)
