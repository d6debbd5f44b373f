"""Figure of one mixture: mel spectrogram above the ground truth (a bar per event, a row per label).

Needs the extra ``figures`` (matplotlib), imported only when a picture is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path
from clear_gen.datasets.drawing import DPI, INK, WIDTH_INCHES, colour_of, draw_spectrogram, new_figure, short, suffix_of
from clear_gen.datasets.mixtures.load import Mixture, load_mixture
from clear_gen.mixtures.graph import PlacedEvent

HEIGHT_INCHES = 6.0
ROW_INCHES = 0.45  # of one label
TEXT_SHARE = 0.07  # of the clip: what a text takes
NAME_LETTERS = 48  # of a recording, in the title
BAR = 0.7  # height of a bar, the rows being 1 apart


def draw_mixture(folder: Path, snr: str | float | None, mixture_id: str | None, path: Path) -> None:
    """Draw one mixture of the finished dataset in ``folder`` (its first if no id is given) and write ``path``.

    PNG, SVG or PDF by the suffix of ``path``, atomically. Raises InputError if there is no such dataset or mixture, for
    another suffix, and if matplotlib is not installed.
    """
    kind = suffix_of(path)
    figure = mixture_figure(load_mixture(folder, snr, mixture_id))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=DPI)


def mixture_figure(mixture: Mixture) -> Any:
    """The picture of ``mixture`` as a ``matplotlib.figure.Figure``.

    Raises InputError if its audio was left out, or matplotlib is missing.
    """
    graph, waveform, sample_rate = mixture
    if waveform is None:
        raise InputError(f"{graph.mixture_id}: audio: found none, expected a mixture with audio to draw")
    rows = max(1, len(graph.weak_labels))
    figure = new_figure((WIDTH_INCHES, HEIGHT_INCHES + rows * ROW_INCHES))
    heard, labelled = figure.subplots(2, 1, sharex=True, height_ratios=(HEIGHT_INCHES - 1, 0.5 + rows * ROW_INCHES))
    draw_spectrogram(heard, waveform, sample_rate)
    for event in graph.events:
        for time_s in (event.onset_s, event.offset_s):
            heard.axvline(time_s, color="white", linewidth=0.8, linestyle=":")
    _draw_events(labelled, mixture)
    labelled.set_xlim(0, graph.n_samples / sample_rate)
    labelled.set_xlabel("time (s)")
    under = f"{short(graph.background.source_id, NAME_LETTERS)} from {graph.background.offset_s:.2f} s"
    loop = "" if graph.background.crossfade_s is None else ", a loop"
    measure = "SNR in dB (RMS)" if graph.snr_measure == "rms" else "SNR in LU"
    title = f"{graph.mixture_id}   |   {graph.recipe}   |   over {under}{loop}   |   {measure}: measured (asked)"
    figure.suptitle(title, fontsize=14, parse_math=False)
    return figure


def _draw_events(panel: Any, mixture: Mixture) -> None:
    labels = mixture.graph.weak_labels
    for event in mixture.graph.events:
        row = labels.index(event.label)
        width_s, colour = event.offset_s - event.onset_s, colour_of(row)
        panel.barh(row, width_s, BAR, event.onset_s, color=colour, edgecolor=INK, linewidth=0.8, alpha=0.75)
        achieved = "?" if event.snr_achieved_db is None else f"{round(event.snr_achieved_db, 1) + 0.0:.1f}"
        text = f"{achieved} ({event.snr_nominal_db:g})".replace("-", "−")
        _write(panel, text, row, event, mixture.graph.n_samples / mixture.sample_rate)
    panel.set_yticks(range(len(labels)), [*map(short, labels)], parse_math=False)
    panel.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    panel.grid(axis="x", color="#DDDDDD")
    panel.set_axisbelow(True)
    if not labels:
        panel.text(0.5, 0.5, "no events", transform=panel.transAxes, ha="center", va="center")


def _write(panel: Any, text: str, row: int, event: PlacedEvent, duration_s: float) -> None:
    """A text in an event's bar, or beside it where it is too long for it."""
    gap_s = 0.005 * duration_s
    place, align = (event.onset_s + event.offset_s) / 2, "center"
    if event.offset_s - event.onset_s < TEXT_SHARE * duration_s:
        place, align = event.offset_s + gap_s, "left"
        if event.offset_s > (1 - TEXT_SHARE) * duration_s:
            place, align = event.onset_s - gap_s, "right"
    panel.text(place, row, text, ha=align, va="center", fontsize=10)
