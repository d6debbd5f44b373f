"""Recordings on disk, from outside: whatever libsndfile reads, read to its end or refused in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.extras import how_to_install
from clear_gen.dsp.offset import without_offset
from clear_gen.sounds.containers.parts import mended_parts

MAX_CHANNELS = 8  # 7.1 surround; a header that says more is damaged
MAX_DURATION_S = 3600.0  # an elementary sound lasts seconds; what is longer is no recording of one
MAX_FRAMES = 1 << 28  # 1 GiB as float32, an hour at 74 kHz: a few bytes of FLAC can hold any number of equal samples
SAMPLE_RATES = (1_000, 1_000_000)  # Hz; a change between rates far apart takes a filter of as many coefficients
MAX_PEAK = 10.0  # 20 dB over full scale: more than any decoder overshoots
BLOCK_FRAMES = 1 << 20
UNREADABLE = (soundfile.LibsndfileError, RuntimeError, TypeError)  # TypeError: a name that ends in .raw
FFMPEG_SUFFIXES = (".m4a", ".mp4", ".aac", ".wma", ".webm")


def read_audio(path: Path) -> tuple[np.ndarray, int]:
    """float32 [n] mono and the sample rate in Hz, whatever libsndfile reads; other formats through pydub and ffmpeg.

    Of joined files (MP3, Ogg) all parts; without an offset or rumble that would count as sound. Raises InputError if
    the file is missing, unreadable, cut off or too long.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found, expected a recording")
    parts = list(_decoded(path))
    if len(rates := {rate for _, rate in parts}) > 1:
        found = ", ".join(f"{rate:,}" for rate in sorted(rates))
        raise InputError(f"{path}: sample rate: found {found} Hz, expected the same in all parts")
    mono = np.concatenate([samples for samples, _ in parts])
    peak = float(np.abs(mono).max(initial=0))
    if MAX_PEAK < peak < math.inf:
        raise InputError(f"{path}: samples: found a peak of {peak:.3g}, expected at most full scale, which is 1")
    return without_offset(mono, parts[0][1]), parts[0][1]


def _decoded(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Mono samples and rate of every part of a file."""
    if path.suffix.lower() in FFMPEG_SUFFIXES and not _is_readable(path):
        samples, rate = _read_with_ffmpeg(path)
        yield samples.mean(axis=1), rate
        return
    parts = mended_parts(path)
    n_samples = 0
    for part in [path] if parts is None else map(BytesIO, parts):
        samples, rate = _read_part(path, part)
        n_samples += len(samples)
        _check_length(path, n_samples, rate)
        yield samples, rate


def _read_part(path: Path, part: Path | BytesIO) -> tuple[np.ndarray, int]:
    try:
        with soundfile.SoundFile(part) as file:
            _check_header(path, file.channels, file.frames, file.samplerate)
            return _read_mono(path, file), file.samplerate
    except UNREADABLE as error:
        raise InputError(f"{path}: unreadable ({error})") from None


def _is_readable(path: Path) -> bool:
    try:
        with soundfile.SoundFile(path):
            return True
    except UNREADABLE:
        return False


def _read_mono(path: Path, file: soundfile.SoundFile) -> np.ndarray:
    """Block by block, so that memory is taken for what the file delivers and not for what its header promises."""
    blocks: list[np.ndarray] = []
    while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
        with np.errstate(all="ignore"):  # of NaN and Inf, which are refused once the recording is whole
            blocks.append(_mean_of_channels(block))
    n_samples = sum(map(len, blocks))
    if n_samples < file.frames:
        raise InputError(f"{path}: samples: found {n_samples:,}, expected {file.frames:,} by its header")
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _mean_of_channels(block: np.ndarray) -> np.ndarray:
    """float32 [n_frames, n_channels] -> [n_frames]. Channel by channel: ``mean`` takes twenty times as long for two."""
    mono: np.ndarray = block[:, 0].copy()
    for channel in block.T[1:]:
        mono += channel
    return mono / np.float32(block.shape[1])


def _check_header(path: Path, channels: int, frames: int, sample_rate: int) -> None:
    """Before memory is taken for what a header promises."""
    if channels > MAX_CHANNELS:
        raise InputError(f"{path}: channels: found {channels}, expected at most {MAX_CHANNELS}")
    if not SAMPLE_RATES[0] <= sample_rate <= SAMPLE_RATES[1]:
        expected = f"{SAMPLE_RATES[0]:,} to {SAMPLE_RATES[1]:,} Hz"
        raise InputError(f"{path}: sample rate: found {sample_rate:,} Hz, expected {expected}")
    _check_length(path, frames, sample_rate)


def _check_length(path: Path, frames: int, sample_rate: int) -> None:
    if frames > MAX_DURATION_S * sample_rate:
        found = f"{frames / sample_rate:,.0f} s"
        raise InputError(f"{path}: duration: found {found}, expected at most {MAX_DURATION_S:,.0f} s")
    if frames > MAX_FRAMES:
        raise InputError(f"{path}: samples: found {frames:,}, expected at most {MAX_FRAMES:,}")


def _read_with_ffmpeg(path: Path) -> tuple[np.ndarray, int]:
    try:
        from pydub import AudioSegment
        from pydub.exceptions import CouldntDecodeError
    except ImportError:
        needed = f"{how_to_install('formats')}, and ffmpeg, or convert it"
        raise InputError(f"{path}: unreadable without pydub: {needed}") from None
    try:
        segment = AudioSegment.from_file(path)
    except IndexError:  # of the streams in the file
        raise InputError(f"{path}: found no audio, expected a recording") from None
    except (CouldntDecodeError, OSError) as error:
        raise InputError(f"{path}: unreadable ({first_line(error)})") from None
    integers = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    return (integers / float(1 << (8 * segment.sample_width - 1))).astype(np.float32), segment.frame_rate
