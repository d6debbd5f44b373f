"""Pictures of a recording: its waveform outline, and its mel spectrogram as a PNG file."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from clear_gen.datasets.drawing import (
    FLOOR_DB,
    N_BANDS,
    SHOWN_STEP_DB,
    band_centres_hz,
    frequency_ticks,
    mel_spectrogram,
)

COLUMNS = 800  # of the outline
MAX_WIDTH = 1600  # pixels of a spectrogram
# Red, green, blue from silence to the maximum: dark to light, so that it can be read without telling colours apart
COLOURS = ((6, 5, 18), (58, 20, 98), (150, 34, 112), (226, 84, 66), (250, 168, 50), (252, 244, 190))


def outline(waveform: np.ndarray) -> list[list[int]]:
    """Lowest and highest sample of each of at most 800 columns, in per cent of the largest magnitude.

    Shape: float32 [n] -> [columns][2]
    """
    if not len(waveform):
        return []
    starts = _starts(len(waveform), COLUMNS)
    largest = float(np.abs(waveform).max()) or 1.0
    pairs = np.stack([np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)], 1)
    return np.rint(100 * pairs / largest).astype(int).tolist()


def spectrogram(waveform: np.ndarray, sample_rate: int) -> bytes:
    """The mel spectrogram of ``waveform`` float32 [n] at a rate in Hz, low frequencies below, as a PNG file."""
    _, _, level_db = mel_spectrogram(waveform, sample_rate)
    level_db = np.maximum.reduceat(level_db, _starts(level_db.shape[1], MAX_WIDTH), axis=1)
    steps = np.rint((level_db[::-1] - FLOOR_DB) / SHOWN_STEP_DB)
    return png(steps.astype(np.uint8), _palette(round(-FLOOR_DB / SHOWN_STEP_DB) + 1))


def frequencies(sample_rate: int) -> list[tuple[str, float]]:
    """Names of frequencies beside the spectrogram, each with its height there, 0..1 from below."""
    ticks = frequency_ticks(band_centres_hz(sample_rate))
    return [(f"{hz:,} Hz", round((band + 0.5) / N_BANDS, 4)) for hz, band in ticks]


def _starts(n: int, columns: int) -> np.ndarray:
    """Where each of so many columns begins, or of ``n`` if there are no more."""
    return np.arange(min(n, columns)) * n // min(n, columns)


def _palette(n: int) -> np.ndarray:
    """Shape: uint8 [n, 3]."""
    at = np.linspace(0, len(COLOURS) - 1, n)
    channels = [np.interp(at, np.arange(len(COLOURS)), channel) for channel in zip(*COLOURS, strict=True)]
    return np.rint(np.stack(channels, 1)).astype(np.uint8)


def png(pixels: np.ndarray, palette: np.ndarray) -> bytes:
    """A PNG file of numbers of colours: uint8 [height, width], uint8 [colours, 3] (RFC 2083)."""
    height, width = pixels.shape
    rows = np.pad(pixels, ((0, 0), (1, 0))).tobytes()  # each begins with its filter, 0: none
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0),
        b"PLTE": palette.tobytes(),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
