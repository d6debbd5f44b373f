"""Figure of one scene: waveform and mel spectrogram above the ground truth (the labelled sounds).

Needs the extra ``figures`` (matplotlib), imported only when a picture is drawn.

Reference: M. Okabe and K. Ito, Color Universal Design, 2008 (colours that the colour-blind can tell apart).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clear_gen.core.files import atomic_path
from clear_gen.datasets.drawing import (
    COLOURS,
    DPI,
    INK,
    WIDTH_INCHES,
    colour_of,
    draw_spectrogram,
    new_figure,
    short,
    suffix_of,
)
from clear_gen.datasets.scenes.load import load_scene
from clear_gen.datasets.scenes.scene import Scene
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph, Sound
from clear_gen.sounds.attributes import given, measured

HEIGHT_INCHES = 9.0
HEIGHT_WITHOUT_AUDIO_INCHES = 3.6


TINT = 0.5  # share of white in a block, so that black text is readable on every colour
DRY_END = {"linestyle": "--", "linewidth": 1.5}
TEXT_POINTS = 12.0
LEAST_TEXT_POINTS = 9.0  # text that would have to be smaller to fit is turned upright
LEAST_UPRIGHT_POINTS = 7.0  # upright text that would have to be smaller is cut
LEGEND_COLUMNS = 7


def draw_scene(folder: Path, scene_id: str | None, path: Path) -> None:
    """Draw one scene of the finished dataset in ``folder`` (its first one if ``scene_id`` is None) and write ``path``.

    PNG (1600 x 900 pixels; 1600 x 360 for a dataset without audio), SVG or PDF by the suffix of ``path``, atomically.
    Raises InputError if there is no such dataset or scene, for another suffix, and if matplotlib is not installed.
    """
    kind = suffix_of(path)
    scene = load_scene(folder, scene_id)
    figure = scene_figure(scene)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=DPI)


# --- spectrogram -----------------------------------------------------------------------------------------------------


# --- picture ---------------------------------------------------------------------------------------------------------


def scene_figure(scene: Scene) -> Any:
    """The picture of ``scene`` as a ``matplotlib.figure.Figure``: labels alone where no audio is stored.

    Raises InputError if matplotlib is not installed.
    """
    graph, domain = scene.graph, scene.domain
    waveform = scene.waveform if scene.has_stored_audio else None
    height = HEIGHT_WITHOUT_AUDIO_INCHES if waveform is None else HEIGHT_INCHES
    ratios = (1,) if waveform is None else (2, 5, 4)
    figure = new_figure((WIDTH_INCHES, height))
    panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    colours = _colours(graph, domain)
    if waveform is not None:
        _draw_waveform(panels[0], waveform, graph, colours)
        draw_spectrogram(panels[1], waveform, graph.sample_rate)
        panels[1].axvline(graph.n_samples_dry / graph.sample_rate, color="white", **DRY_END)
    cells = _draw_sounds(panels[-1], graph, domain, colours)
    panels[-1].set_xlim(0, graph.n_samples / graph.sample_rate)
    panels[-1].set_xlabel("time (s)   |   white: silence   |   dashed: end of the dry scene")
    figure.suptitle(_title(scene), fontsize=15)
    _draw_legend(figure, graph, domain, colours)
    figure.draw_without_rendering()  # only now is it known how large the panels and the texts are
    _fit(panels[-1], cells)
    return figure


def _title(scene: Scene) -> str:
    graph = scene.graph
    room = f"RT60 {graph.reverb.rt60_s:.2f} s, DRR {graph.reverb.drr_db:.1f} dB" if graph.reverb else "none"
    noise = f"{graph.noise.level_dbfs:.0f} dBFS" if graph.noise else "none"
    parts = [graph.scene_id, f"{len(graph.sounds)} sounds", f"room: {room}", f"noise: {noise}"]
    if not scene.has_stored_audio:
        parts.append("no audio in this dataset")
    return "   |   ".join(parts).replace(" -", " −")


def _colours(graph: SceneGraph, domain: Domain) -> list[str]:
    """A colour per sound, by its value of the domain's first given attribute."""
    name, rule = next(iter(given(domain.attributes).items()))
    numbers = {value: number for number, value in enumerate(rule.values)}
    return [colour_of(numbers[sound.attributes[name]]) for sound in graph.sounds]


def _draw_legend(figure: Any, graph: SceneGraph, domain: Domain, colours: list[str]) -> None:
    """What the colours stand for, where the first eight, which are easy to tell apart, are not enough."""
    from matplotlib.patches import Patch

    name, rule = next(iter(given(domain.attributes).items()))
    if len(rule.values) <= len(COLOURS):
        return
    named = {str(sound.attributes[name]): colour for sound, colour in zip(graph.sounds, colours, strict=True)}
    patches = [Patch(facecolor=_tint(colour), edgecolor=INK, label=short(label)) for label, colour in named.items()]
    legend = figure.legend(handles=patches, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _span_s(sound: Sound, sample_rate: int) -> tuple[float, float]:
    return sound.onset_sample / sample_rate, (sound.onset_sample + sound.n_samples) / sample_rate


def _draw_waveform(panel: Any, waveform: np.ndarray, graph: SceneGraph, colours: list[str]) -> None:
    """Lowest and highest sample of each of about 1600 columns: what a line through all samples would look like."""
    columns = np.array_split(waveform, min(len(waveform), round(WIDTH_INCHES * DPI)))
    times_s = np.linspace(0, graph.n_samples / graph.sample_rate, len(columns))
    low, high = [column.min() for column in columns], [column.max() for column in columns]
    panel.fill_between(times_s, low, high, color=INK, linewidth=0.5)
    for sound, colour in zip(graph.sounds, colours, strict=True):
        panel.axvspan(*_span_s(sound, graph.sample_rate), color=colour, alpha=0.5, linewidth=0, zorder=0)
    panel.axvline(graph.n_samples_dry / graph.sample_rate, color=INK, **DRY_END)
    limit = 1.05 * float(np.abs(waveform).max()) or 1.0
    panel.set_ylim(-limit, limit)
    panel.set_ylabel("amplitude")


def _draw_sounds(panel: Any, graph: SceneGraph, domain: Domain, colours: list[str]) -> list[tuple[Any, float]]:
    """A block per sound with its attributes, silence left white. Returns the texts and their blocks' widths in s."""
    first, *others = given(domain.attributes)
    rows = [(first,), *([tuple(others)] if others else []), *((name,) for name in measured(domain.attributes))]
    cells = []
    for sound, colour in zip(graph.sounds, colours, strict=True):
        start_s, stop_s = _span_s(sound, graph.sample_rate)
        panel.axvspan(start_s, stop_s, facecolor=_tint(colour), edgecolor=INK, linewidth=0.8)
        for row, names in enumerate(rows):
            values = [sound.attributes[name] for name in names]
            text = "".join("?" if value is None else str(value) for value in values)
            style = {"ha": "center", "va": "center", "fontsize": TEXT_POINTS, "parse_math": False}
            cells.append((panel.text((start_s + stop_s) / 2, row, text, **style), stop_s - start_s))
    panel.set_yticks(range(len(rows)), [", ".join(names) for names in rows])
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    _draw_tail(panel, graph)
    return cells


def _tint(colour: str) -> tuple[float, float, float]:
    red, green, blue = (TINT + (1 - TINT) * int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue


def _draw_tail(panel: Any, graph: SceneGraph) -> None:
    dry_end_s, end_s = graph.n_samples_dry / graph.sample_rate, graph.n_samples / graph.sample_rate
    if graph.n_samples == graph.n_samples_dry:
        return
    panel.axvline(dry_end_s, color=INK, **DRY_END)
    panel.axvspan(dry_end_s, end_s, facecolor="none", edgecolor="#BBBBBB", hatch="//", linewidth=0)
    middle = sum(panel.get_ylim()) / 2
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0}
    where = {"rotation": 90, "ha": "center", "va": "center"}
    panel.text((dry_end_s + end_s) / 2, middle, "reverberation tail", fontsize=10, bbox=box, **where)


def _fit(panel: Any, cells: list[tuple[Any, float]]) -> None:
    """Make the texts smaller until each fits in its block; turn all upright, and cut some, where that is too small."""
    room = panel.get_window_extent()
    pixels_per_s = room.width / (panel.get_xlim()[1] - panel.get_xlim()[0])
    row_pixels = room.height / abs(panel.get_ylim()[1] - panel.get_ylim()[0])
    sizes = [text.get_window_extent() for text, _ in cells]
    widths = [0.86 * width_s * pixels_per_s for _, width_s in cells]
    points = TEXT_POINTS * min(1, *(width / size.width for width, size in zip(widths, sizes, strict=True)))
    if upright := points < LEAST_TEXT_POINTS:
        across = [
            min(width / size.height, 0.86 * row_pixels / size.width) for width, size in zip(widths, sizes, strict=True)
        ]
        points = max(TEXT_POINTS * min(1, *across), LEAST_UPRIGHT_POINTS)
    for (text, _), size, width in zip(cells, sizes, widths, strict=True):
        text.set(fontsize=points, rotation=90 if upright else 0)
        along = 0.86 * row_pixels if upright else width
        letters = int(len(text.get_text()) * along * TEXT_POINTS / (size.width * points) + 1e-6)
        text.set_text(short(text.get_text(), letters))
        text.set_visible(not upright or size.height * points / TEXT_POINTS <= width / 0.86)
