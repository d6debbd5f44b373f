"""The parts of a recording whose length libsndfile would get wrong, each a file that it reads to its end."""

from __future__ import annotations

from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.sounds.containers import chunks, flac, mpeg, ogg

MAX_FILE_BYTES = 1 << 31
CUT_OFF = "it was cut off"


def mended_parts(path: Path) -> list[bytes] | None:
    """What to read instead of a file, part after part; None if libsndfile reads the file itself to its end.

    Raises InputError if the recording was cut off.
    """
    with open(path, "rb") as file:
        samples = chunks.samples_chunk(file)
        file.seek(0)
        magic = file.read(4)
    if samples is not None:
        return _whole_chunks(path, samples)
    if magic == b"OggS":
        return _links(path)
    if magic == flac.MAGIC:
        return _whole_flac(path)
    return _mpeg_streams(path) if _may_be_mpeg(path, magic) else None


def _whole_chunks(path: Path, samples: chunks.Samples) -> list[bytes] | None:
    if samples.promised is None:
        return [samples.with_true_length(_read(path))]
    if samples.found < samples.promised:
        expected = f"{samples.promised:,} by its header: {CUT_OFF}"
        raise InputError(f"{path}: samples: found {samples.found:,} bytes, expected {expected}")
    return None


def _links(path: Path) -> list[bytes] | None:
    chain = ogg.chain(_read(path))
    if chain.is_cut:
        raise InputError(f"{path}: samples: found no last page, expected one: {CUT_OFF}")
    return chain.links if len(chain.links) > 1 else None


def _whole_flac(path: Path) -> list[bytes] | None:
    with open(path, "rb") as file:
        if not flac.is_length_unknown(file.read(flac.HEAD_BYTES)):
            return None
    whole = flac.with_true_length(_read(path))
    if whole is None:
        raise InputError(f"{path}: samples: found no whole frame at the end, expected one: {CUT_OFF}")
    return [whole]


def _may_be_mpeg(path: Path, magic: bytes) -> bool:
    is_frame = len(magic) > 1 and magic[0] == 0xFF and magic[1] & 0xE0 == 0xE0
    return is_frame or magic[:3] == b"ID3" or path.suffix.lower() in (".mp3", ".mp2")


def _mpeg_streams(path: Path) -> list[bytes] | None:
    data = _read(path)
    streams = mpeg.streams(data)
    for stream in streams:
        if stream.was_cut_off:
            stated = "a whole last one" if stream.stated is None else f"{stream.stated:,} by its header"
            raise InputError(f"{path}: frames: found {stream.n_frames:,}, expected {stated}: {CUT_OFF}")
    parts = [stream.with_true_length() for stream in streams]
    return None if parts in ([], [data]) else parts


def _read(path: Path) -> bytes:
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise InputError(f"{path}: size: found {size:,} bytes, expected at most {MAX_FILE_BYTES:,}")
    return path.read_bytes()
