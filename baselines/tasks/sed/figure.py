"""Figure of a model's output for one mixture, after Figure 3 of 2APAE (arXiv 2008.07085).

On one axis of time: the spectrogram, what the decoder makes of it, where the model attends for each class that is true
or predicted, the probabilities by frame, and the true events with the detected ones under them; beside it the
probabilities of the clip, and what the colours stand for. Needs the extra
``figures`` (matplotlib), imported only when a picture is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from baselines.audio.log_mel import LogMelSettings, log_mel, slaney_filters
from baselines.core.run_folders import data_of, results_name
from baselines.models.sed.layers import SedOutput
from baselines.tasks.sed.data import heard_in
from baselines.tasks.sed.detect import Thresholds, decisive_frames, events_in
from baselines.tasks.sed.event_columns import Corpus, Event
from baselines.tasks.sed.predictor import stored_thresholds
from baselines.tasks.sed.run import Heard as Probabilities
from baselines.tasks.sed.run import Trained, load_run
from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path
from clear_gen.datasets.drawing import COLOURS, DPI, INK, WIDTH_INCHES, frequency_ticks, new_figure, short, suffix_of
from clear_gen.datasets.mixtures.load import load_mixture
from clear_gen.mixtures.graph import MixtureGraph

MOST_CLASSES = 4  # number of classes whose maps are drawn
MOST_BARS = 12
LEAST_HZ = 300  # named beside the small maps
HALF_ROW = 0.4
TITLE_LETTERS = 90
LINES = tuple(COLOURS[k] for k in (4, 5, 2, 6))  # visible as lines on white
REST = "#BBBBBB"
MAP_INCHES, LINE_INCHES, ROW_INCHES, BAR_INCHES, ELSE_INCHES = 1.9, 1.5, 0.35, 0.35, 1.2
MAPS = {
    "frequency": "attention over frequency",
    "time": "attention over time",
    "time_frequency": "attention over time and frequency",
    "map": "probability over time and frequency",
}


class Heard(NamedTuple):
    """One clip and a model's output for it. ``log_mel``: float [T, F], the model's input.

    ``clip`` [K], ``frames`` [K, T], ``reconstruction`` [T, F] or None, ``attention`` [K, T, F] or [K, T] by name.
    ``thresholds`` [K]: of ``clip``. ``detected``: the events that the model finds. ``shown``: the classes that are
    true, then those that are predicted, at least one.
    """

    graph: MixtureGraph
    labels: list[str]
    mel: LogMelSettings
    log_mel: np.ndarray
    clip: np.ndarray
    frames: np.ndarray
    reconstruction: np.ndarray | None
    attention: dict[str, np.ndarray]
    thresholds: np.ndarray
    detected: list[Event]
    shown: list[int]

    @property
    def duration_s(self) -> float:
        """Of the clip."""
        return self.graph.n_samples / self.graph.sample_rate

    @property
    def rows(self) -> list[str]:
        """The labels of events: the true ones, then those that were detected as well."""
        return list(dict.fromkeys([*self.graph.weak_labels, *(event.label for event in self.detected)]))

    @property
    def colours(self) -> dict[int, str]:
        """A colour for each class that is shown."""
        return dict(zip(self.shown, LINES, strict=False))


def draw_clip(run: Path, clip: str | None, path: Path, device: str | None = None, data: Path | None = None) -> None:
    """Draw one mixture of a run's dataset, the first of the held-out fold if ``clip`` is None, and write ``path``.

    ``data``: a dataset in place of the run's own. PNG, SVG or PDF by the suffix of ``path``, atomically.

    Raises InputError if run, dataset or mixture are not what they must be, for another suffix, and if matplotlib is not
    installed.
    """
    kind = suffix_of(path)
    figure = clip_figure(hear_clip(load_run(run, device), run, clip, data), f"{run}")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=DPI)


@torch.no_grad()
def hear_clip(trained: Trained, run: Path, clip: str | None, data: Path | None = None) -> Heard:
    """Apply a run's model to one mixture. Raises InputError if the id is unknown or the length differs."""
    config, features = trained.config, trained.features
    folder = data_of(run, config, data)
    graph, stored, rate = load_mixture(folder, config.snr, clip or f"fold{config.fold}-000000")
    waveform = heard_in(folder, graph.mixture_id, stored)
    if rate != features.mel.sample_rate or features.mel.n_frames(len(waveform)) != features.n_frames:
        found = f"{len(waveform)} samples at {rate} Hz"
        raise InputError(f"{folder}: {graph.mixture_id}: found {found}, expected clips as the model was trained on")
    heard = features.standardised(log_mel(torch.from_numpy(waveform)[None].to(trained.device), features.mel))
    output: SedOutput = trained.model(heard)
    name = results_name(config, folder, f"{config.snr}-fold{config.fold}")
    probabilities, both = _array(output.clip), stored_thresholds(run, features.labels, name)
    thresholds = both.clip
    true = [k for k, label in enumerate(features.labels) if label in graph.weak_labels]
    predicted = [int(k) for k in np.argsort(-probabilities, kind="stable") if probabilities[k] > thresholds[k]]
    return Heard(
        graph=graph,
        labels=features.labels,
        mel=features.mel,
        log_mel=_array(heard),
        clip=probabilities,
        frames=_array(output.frames),
        reconstruction=None if output.reconstruction is None else _array(output.reconstruction),
        attention={name: _array(tensor) for name, tensor in output.attention.items()},
        thresholds=thresholds,
        detected=_detected(graph, trained, output, both),
        shown=(list(dict.fromkeys(true + predicted)) or [int(probabilities.argmax())])[:MOST_CLASSES],
    )


def _detected(graph: MixtureGraph, trained: Trained, output: SedOutput, thresholds: Thresholds) -> list[Event]:
    """The events that the model finds in its one clip, as ``clear-bench evaluate`` finds them."""
    features = trained.features
    corpus = Corpus((graph.mixture_id,), np.array([graph.n_samples / graph.sample_rate]), tuple(features.labels))
    found = Probabilities(*(of.float().cpu().numpy() for of in (output.clip, output.frames)))
    frame_s = features.mel.hop / features.mel.sample_rate
    return events_in(decisive_frames(found, thresholds), corpus, frame_s).rows()


def _array(of_batch: torch.Tensor) -> np.ndarray:
    """The one clip of a batch."""
    return of_batch[0].float().cpu().numpy()


# --- picture ----------------------------------------------------------------------------------------------------------


def clip_figure(heard: Heard, title: str) -> Any:
    """The picture as a ``matplotlib.figure.Figure``. Raises InputError if matplotlib is missing."""
    maps = {name: values for name, values in heard.attention.items() if values.ndim == 3}
    over_time = {name: values for name, values in heard.attention.items() if values.ndim == 2}
    n_maps = 1 + (heard.reconstruction is not None) + len(maps) * len(heard.shown)
    rows = max(len(heard.rows), 1)
    heights = [MAP_INCHES] * n_maps + [LINE_INCHES] * (len(over_time) + 1) + [0.4 + ROW_INCHES * rows]
    figure = new_figure((WIDTH_INCHES, sum(heights) + ELSE_INCHES))
    left, right = figure.subfigures(1, 2, width_ratios=(3, 1))
    panels = iter(left.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    low, high = np.percentile(heard.log_mel, (1, 99))
    _draw_map(next(panels), heard, heard.log_mel, "log-mel, normalised", (low, high))
    if heard.reconstruction is not None:
        _draw_map(next(panels), heard, heard.reconstruction, "decoder", (low, high))
    for name, values in maps.items():
        for k in heard.shown:
            _draw_map(next(panels), heard, values[k], f"{short(heard.labels[k])}: {MAPS[name]}", None, heard.colours[k])
    for name, values in over_time.items():
        _draw_lines(next(panels), heard, values, MAPS[name])
    _draw_lines(next(panels), heard, heard.frames, "probability by frame")
    _draw_events(next(panels), heard)
    n_bars = min(len(heard.labels), MOST_BARS)
    bars, below = right.subplots(2, 1, height_ratios=(BAR_INCHES * n_bars, sum(heights) - BAR_INCHES * n_bars))
    _draw_clip(bars, heard)
    _draw_legend(below, heard)
    figure.suptitle(f"{heard.graph.mixture_id}   |   {short(title, TITLE_LETTERS)}", fontsize=14, parse_math=False)
    return figure


def _draw_map(
    panel: Any,
    heard: Heard,
    values: np.ndarray,
    name: str,
    limits: tuple[float, float] | None,
    colour: str = INK,
) -> None:
    """Values [T, F] over time and frequency with their scale, from 0 to the highest without ``limits``."""
    n_frames, n_bands = values.shape
    extent = (0, n_frames * heard.mel.hop / heard.mel.sample_rate, -0.5, n_bands - 0.5)
    low, high = limits or (0, float(values.max()) or 1.0)
    style = {"cmap": "magma", "vmin": low, "vmax": high, "interpolation": "nearest"}
    image = panel.imshow(values.T, aspect="auto", origin="lower", extent=extent, **style)
    centres_hz = slaney_filters(heard.mel).argmax(1) * heard.mel.sample_rate / heard.mel.window
    ticks = frequency_ticks(centres_hz, LEAST_HZ)
    panel.set_yticks([band for _, band in ticks], [f"{hz:,}" for hz, _ in ticks])
    panel.set_ylabel("Hz")
    panel.set_title(name, loc="left", fontsize=11, color=colour, parse_math=False)
    panel.figure.colorbar(image, cax=panel.inset_axes((1.01, 0, 0.012, 1)))


def _draw_lines(panel: Any, heard: Heard, values: np.ndarray, name: str) -> None:
    """A line for each class that is shown, of values [K, T] over time."""
    frame_s = heard.mel.hop / heard.mel.sample_rate
    edges_s = np.arange(values.shape[1] + 1) * frame_s
    for k, colour in heard.colours.items():
        panel.stairs(values[k], edges_s, color=colour, linewidth=1.6, baseline=None)
    panel.set_ylim(0, 1.08 * float(values[heard.shown].max()) or 1.0)
    panel.set_title(name, loc="left", fontsize=11)
    panel.grid(axis="x", color="#DDDDDD")


def _draw_events(panel: Any, heard: Heard) -> None:
    """A row for each label: its true events in the upper half, the detected ones, hatched, in the lower."""
    labels = heard.rows
    colours = {heard.labels[k]: colour for k, colour in heard.colours.items()}
    for events, below, hatch in ((heard.graph.events, -HALF_ROW / 2, None), (heard.detected, HALF_ROW / 2, "////")):
        for event in events:
            row, width_s = labels.index(event.label) + below, event.offset_s - event.onset_s
            style = {"color": colours.get(event.label, REST), "edgecolor": INK, "linewidth": 0.8, "alpha": 0.75}
            panel.barh(row, width_s, HALF_ROW, event.onset_s, hatch=hatch, **style)
    panel.set_yticks(range(len(labels)), [*map(short, labels)], parse_math=False)
    panel.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    panel.set_xlim(0, heard.duration_s)
    panel.set_title("events: true above, detected (hatched) below", loc="left", fontsize=11)
    panel.set_xlabel("time (s)")
    panel.grid(axis="x", color="#DDDDDD")
    panel.set_axisbelow(True)


def _draw_clip(panel: Any, heard: Heard) -> None:
    """Clip probabilities as bars with their thresholds: the shown classes, then the most probable others."""
    likeliest = np.argsort(-heard.clip, kind="stable").tolist()
    bars = list(dict.fromkeys([*heard.shown, *likeliest]))[:MOST_BARS]
    true = {*heard.graph.weak_labels}
    for row, k in enumerate(bars):
        panel.barh(row, heard.clip[k], 0.7, color=heard.colours.get(k, REST), edgecolor=INK, linewidth=0.8, alpha=0.75)
        threshold = heard.thresholds[k]
        panel.plot([threshold, threshold], [row - 0.42, row + 0.42], color=INK, linewidth=2)
    names = [short(heard.labels[k]) + " (true)" * (heard.labels[k] in true) for k in bars]
    panel.set_yticks(range(len(bars)), names, parse_math=False)
    panel.set_ylim(len(bars) - 0.5, -0.5)
    panel.set_xlim(0, 1)
    panel.set_title("probability in the clip\nline: threshold", loc="right", fontsize=11)
    panel.grid(axis="x", color="#DDDDDD")
    panel.set_axisbelow(True)


def _draw_legend(panel: Any, heard: Heard) -> None:
    """What the colours of lines, maps and events stand for, in a panel of its own."""
    from matplotlib.patches import Patch

    panel.axis("off")
    patches = [Patch(facecolor=colour, label=short(heard.labels[k])) for k, colour in heard.colours.items()]
    if {*heard.rows} - {heard.labels[k] for k in heard.shown}:
        patches.append(Patch(facecolor=REST, label="other classes"))
    legend = panel.legend(handles=patches, loc="upper right", fontsize=10, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
