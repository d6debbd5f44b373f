"""Shared by figures of all kinds of records: colours, the figure, the mel spectrogram."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.dsp.mel import mel_edges_hz, mel_filters

FORMATS = ("png", "svg", "pdf")


DPI = 100


WIDTH_INCHES = 16.0


N_BANDS = 128


HOP = 512


FLOOR_DB = -80.0


SHOWN_STEP_DB = 2.0  # too fine to be seen, and a PNG of half the size


SHOWN_HZ = (100, 300, 1000, 3000, 6000, 10_000, 20_000)


COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")


INK = "#333333"


LABEL_LETTERS = 26  # of a label beside an axis


LEAST_TICK_GAP = 0.08  # of an axis, between two frequencies


def colour_of(number: int) -> str:
    """A colour for each number from 0, no two alike: ``COLOURS``, then hues a golden angle apart.

    >>> colour_of(0), colour_of(8), colour_of(9)
    ('#E69F00', '#1C8CCE', '#B7BE6A')
    """
    if number < len(COLOURS):
        return COLOURS[number]
    lightness, saturation = ((0.46, 0.76), (0.58, 0.39), (0.34, 0.58))[(number - len(COLOURS)) % 3]
    channels = colorsys.hls_to_rgb(0.618034 * (number + 1) % 1, lightness, saturation)
    return "#" + "".join(f"{round(255 * channel):02X}" for channel in channels)


def short(label: str, letters: int = LABEL_LETTERS) -> str:
    """A label that leaves the axis beside it its place: cut after so many letters.

    >>> short("Applause and cheering of a large crowd")
    'Applause and cheering of …'
    """
    return label if len(label) <= letters else label[: max(letters - 1, 0)] + "…"


def frequency_ticks(centres_hz: np.ndarray, least_hz: float = 0) -> list[tuple[int, float]]:
    """Frequencies in Hz to name beside bands of these centres, float [B], each with its band 0..B - 1.

    None is below ``least_hz``, or so close to the one below it that their names would touch.
    """
    ticks = list[tuple[int, float]]()
    for hz in SHOWN_HZ:
        band = float(np.interp(hz, centres_hz, np.arange(len(centres_hz))))
        is_free = not ticks or band - ticks[-1][1] >= LEAST_TICK_GAP * len(centres_hz)
        if max(centres_hz[0], least_hz) <= hz <= centres_hz[-1] and is_free:
            ticks.append((hz, band))
    return ticks


def suffix_of(path: Path) -> str:
    """The format of a picture, by its suffix. Raises InputError for another than png, svg or pdf."""
    kind = path.suffix[1:].lower()
    if kind not in FORMATS:
        raise InputError(f"{path}: suffix: {not_among(path.suffix, FORMATS)}")
    return kind


def new_figure(inches: tuple[float, float]) -> Any:
    """An empty ``matplotlib.figure.Figure`` of this width and height. Needs the extra ``figures``."""
    from matplotlib.figure import Figure

    return Figure(figsize=inches, dpi=DPI, layout="constrained")


def band_centres_hz(sample_rate: int) -> np.ndarray:
    """The centres of the bands of ``mel_spectrogram`` at a rate in Hz: float64 [128]."""
    return _band_edges_hz(sample_rate)[1:-1]


def _band_edges_hz(sample_rate: int) -> np.ndarray:
    return mel_edges_hz(N_BANDS, 0, sample_rate / 2, "htk")


def mel_spectrogram(waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level of ``waveform`` over time in bands of equal width on the mel scale, from 0 Hz to half the sample rate.

    Hann windows of 2048 samples (1024 below 32 kHz) centred every 512 samples, silence assumed beyond the ends; the
    bands are triangles of height 1 that reach to the centres of their neighbours.

    Shape: float [n_samples], ``sample_rate`` in Hz -> ``times_s`` float64 [frames] (centres of the windows),
    ``centres_hz`` float64 [128], ``level_db`` float32 [128, frames] with frames = 1 + n_samples // 512. 0 dB is the
    maximum of this waveform, -80 dB the floor; silence is all floor.
    """
    window = 2048 if sample_rate >= 32_000 else 1024
    padded = np.pad(np.asarray(waveform, np.float32), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::HOP]
    # Twice the window's length: the narrowest bands are closer together than the bins of the window alone.
    spectrum = np.fft.rfft(frames * np.hanning(window + 1)[:-1].astype(np.float32), 2 * window)
    edges_hz = _band_edges_hz(sample_rate)
    power = mel_filters(edges_hz, 2 * window, sample_rate).astype(np.float32) @ (spectrum.real**2 + spectrum.imag**2).T
    least = float(np.finfo(np.float32).tiny)  # instead of zero, which has no logarithm
    relative = power / max(float(power.max()), least)
    level_db = np.maximum(10 * np.log10(np.maximum(relative, least)), FLOOR_DB)
    return np.arange(len(frames)) * HOP / sample_rate, edges_hz[1:-1], level_db


def draw_spectrogram(panel: Any, waveform: np.ndarray, sample_rate: int) -> None:
    """Draw the mel spectrogram of ``waveform`` float32 [n_samples], at a rate in Hz, with its scale of levels."""
    times_s, centres_hz, level_db = mel_spectrogram(waveform, sample_rate)
    half_hop_s = HOP / sample_rate / 2
    extent = (times_s[0] - half_hop_s, times_s[-1] + half_hop_s, -0.5, N_BANDS - 0.5)
    level_db = SHOWN_STEP_DB * np.rint(level_db / SHOWN_STEP_DB)
    style = {"cmap": "magma", "vmin": FLOOR_DB, "vmax": 0, "interpolation": "nearest"}
    image = panel.imshow(level_db, aspect="auto", origin="lower", extent=extent, **style)
    ticks = frequency_ticks(centres_hz)
    panel.set_yticks([band for _, band in ticks], [f"{hz:,}" for hz, _ in ticks])
    panel.set_ylabel("frequency (Hz, mel scale)")
    panel.set_facecolor("black")  # the last frame can end a little before the scene
    bar = panel.figure.colorbar(image, cax=panel.inset_axes((1.008, 0, 0.01, 1)))
    bar.set_label("dB re maximum")
