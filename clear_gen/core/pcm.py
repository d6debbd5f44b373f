"""PCM of 16 and 24 bits, and FLAC in memory."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Literal

import numpy as np
import soundfile

from clear_gen.core.errors import InputError

PCM_PEAK = 32767  # one step of PCM 16 is 1 / 32767 of full scale


def to_pcm16(waveform: np.ndarray) -> np.ndarray:
    """float32 [n] in -1..1 -> int16 [n], ``rint(32767 x)`` without dither; what lies beyond full scale is clipped."""
    scaled = np.multiply(waveform, PCM_PEAK, dtype=np.float32)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -PCM_PEAK, PCM_PEAK, out=scaled)
    return scaled.astype("<i2")


def from_pcm16(pcm: np.ndarray) -> np.ndarray:
    """int16 [n] -> float32 [n] in -1..1; the inverse of ``to_pcm16``."""
    return pcm.astype(np.float32) / np.float32(PCM_PEAK)


def sha256_pcm(pcm: np.ndarray) -> str:
    """SHA-256 of the samples as little-endian int16, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(pcm, "<i2").data).hexdigest()


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Hold Ctrl-C back: inside libsndfile's callbacks it would be lost, and the read or write would fail instead."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    asked = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked.is_set():
        raise KeyboardInterrupt


PCM24_STEPS = 256  # of PCM 24 in a step of PCM 16: both have the same full scale


PCM24_PEAK = PCM24_STEPS * PCM_PEAK


def to_pcm24(waveform: np.ndarray) -> np.ndarray:
    """float32 [n] in -1..1 -> int32 [n], ``rint(8388352 x)`` without dither; what lies beyond full scale is clipped."""
    scaled = np.multiply(waveform, PCM24_PEAK, dtype=np.float64)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -PCM24_PEAK, PCM24_PEAK, out=scaled)
    return scaled.astype("<i4")


def from_pcm24(pcm: np.ndarray) -> np.ndarray:
    """int32 [n] as ``to_pcm24`` makes it -> float32 [n]."""
    return (pcm / PCM24_PEAK).astype(np.float32)


def encode_flac(pcm: np.ndarray, sample_rate: int) -> bytes:
    """A FLAC file (mono) in memory: 16 bit of int16 [n], 24 bit of int32 [n] as ``to_pcm24`` makes it."""
    buffer = BytesIO()
    is_24 = pcm.dtype.itemsize == 4
    with _interrupt_held():
        samples = pcm << 8 if is_24 else pcm  # libsndfile takes the upper bits
        soundfile.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_24" if is_24 else "PCM_16")
    return buffer.getvalue()


def decode_flac(data: bytes, name: str, bits: Literal[16, 24] = 16) -> tuple[np.ndarray, int]:
    """A FLAC file in memory -> (int16 [n], or int32 [n] of 24 bits; sample rate in Hz).

    Raises InputError naming ``name`` if it does not decode.
    """
    try:
        with _interrupt_held():
            pcm, sample_rate = soundfile.read(BytesIO(data), dtype="int16" if bits == 16 else "int32")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"{name}: audio does not decode ({error})") from None
    if pcm.ndim != 1:
        raise InputError(f"{name}: found {pcm.shape[1]} channels, expected 1")
    return pcm if bits == 16 else pcm >> 8, sample_rate
