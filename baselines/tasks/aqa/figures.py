"""Plots of results as PNG files. Needs matplotlib, which is imported only when a plot is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from baselines.tasks.aqa.metrics import Confusion, Score, Weighted
from baselines.tasks.aqa.published import SOURCE, TABLE_3, share_of_type
from baselines.tasks.aqa.results import OVERALL, AqaResults, in_words, paper_overall, weighted_name
from clear_gen.core.files import atomic_path
from clear_gen.core.text import shown

DPI = 100
COLUMNS = 4  # confusion matrices side by side
BLUE, ORANGE, INK = "#0072B2", "#D55E00", "#333333"  # Okabe and Ito's palette for colour-blind readers


def write_figures(file: AqaResults, out: Path, name: str) -> list[Path]:
    """Write ``types-``, ``relations-``, ``types-and-relations-`` and ``confusion-<name>.png`` into ``out``, atomically.

    Returns the paths.

    Needs the extra ``figures``.
    """
    figures = {"types": types_figure(file), "relations": relations_figure(file), "confusion": confusion_figure(file)}
    figures["types-and-relations"] = types_and_relations_figure(file)
    paths = []
    for kind, figure in figures.items():
        path = out / f"{kind}-{name}.png"
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)
        paths.append(path)
    return paths


def types_figure(file: AqaResults) -> Any:
    """Bar chart of accuracy by question type with intervals, next to the paper's where it reports the model."""
    scores: dict[str, Score | Weighted] = {**file.scores.by_type, OVERALL: file.scores.overall}
    published = TABLE_3.get(file.config.model)
    shares = [share_of_type(published, name) if name != OVERALL else None for name in scores]
    if (weighted := file.scores.weighted) is not None:
        scores[weighted_name(weighted)] = weighted
        shares.append(paper_overall(file))
    figure = _figure(9, 1.2 + 0.42 * len(scores))
    axes = figure.subplots()
    _bars(axes, scores)
    printed = [(100 * share, row) for row, share in enumerate(shares) if share is not None]
    if printed:
        axes.plot(*zip(*printed, strict=True), "D", color=ORANGE, label=f"{SOURCE}: {file.config.model}")
        figure.legend(loc="outside lower right")
    axes.set_title(_title(file))
    return figure


def relations_figure(file: AqaResults) -> Any:
    """Bar charts of accuracy by number of relations and by scene length, with intervals."""
    groups = {"relations": file.scores.by_relations, "dry scene (s)": file.scores.by_length}
    figure = _figure(9, 2 + 0.42 * sum(map(len, groups.values())))
    parts = figure.subplots(2, 1, height_ratios=[len(group) + 1 for group in groups.values()])
    for axes, (name, group) in zip(parts, groups.items(), strict=True):
        _bars(axes, group)
        axes.set_ylabel(name)
    parts[0].set_title(_title(file))
    return figure


def types_and_relations_figure(file: AqaResults) -> Any:
    """Accuracy by question type and number of relations, as NAAQA's Figure 4: groups of bars, n. a. where none is."""
    groups = file.scores.by_type_and_relations
    levels = list(file.scores.by_relations)
    figure = _figure(max(9, 1.1 * len(groups) + 1), 4.6)
    axes = figure.subplots()
    width = 0.8 / len(levels)
    for number, level in enumerate(levels):
        shade = 0.9 - 0.65 * number / max(1, len(levels) - 1)
        for place, of_type in enumerate(groups.values()):
            left = place - 0.4 + (number + 0.5) * width
            if score := of_type.get(level):
                errors = [[100 * (score.accuracy - score.low)], [100 * (score.high - score.accuracy)]]
                style = {"color": BLUE, "alpha": shade, "yerr": np.maximum(errors, 0), "ecolor": INK, "capsize": 2}
                axes.bar(left, 100 * score.accuracy, width, **style)
            else:
                axes.text(left, 1, "n. a.", rotation=90, ha="center", va="bottom", fontsize=7, color=INK)
        axes.bar(0, 0, color=BLUE, alpha=shade, label=f"{level} relation{'s' * (level != '1')}")
    axes.set_xticks(range(len(groups)), [in_words(name).replace(" ", "\n") for name in groups])
    axes.set_ylim(0, 100)
    axes.set_ylabel("right (%), with 95 % interval")
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_title(_title(file))
    figure.legend(loc="outside lower center", ncols=min(len(levels), 6))
    return figure


def confusion_figure(file: AqaResults) -> Any:
    """A confusion matrix per question type, in per cent of the questions with each correct answer (row sum 100 %)."""
    matrices = file.scores.confusion
    rows = -(-len(matrices) // COLUMNS)
    figure = _figure(5 * COLUMNS, 4.6 * rows + 0.6)
    places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (name, matrix) in zip(places, matrices.items(), strict=False):
        _matrix(axes, name, matrix)
    for axes in places[len(matrices) :]:
        axes.set_visible(False)
    figure.suptitle(f"{_title(file)}; rows: right answer, columns: answered")
    return figure


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _title(file: AqaResults) -> str:
    name = shown(file.config.model).replace("$", r"\$")  # escaped, or matplotlib parses it as mathematics
    return f"{name}, {file.config.split}, {file.scores.overall.n:,} questions"


def _bars(axes: Any, scores: Mapping[str, Score] | Mapping[str, Score | Weighted]) -> None:
    shares = 100 * np.array([score.accuracy for score in scores.values()])
    low = 100 * np.array([score.low for score in scores.values()])
    high = 100 * np.array([score.high for score in scores.values()])
    errors = np.maximum([shares - low, high - shares], 0)
    axes.barh(range(len(scores)), shares, color=BLUE, alpha=0.6, xerr=errors, ecolor=INK, capsize=3)
    axes.set_yticks(range(len(scores)), [_label(name, score) for name, score in scores.items()])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("right (%), with 95 % interval")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)


def _label(name: str, score: Score | Weighted) -> str:
    return name if isinstance(score, Weighted) else f"{in_words(name)} ({score.n:,})"


def _matrix(axes: Any, name: str, matrix: Confusion) -> None:
    shares = row_shares(matrix)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    _ticks(axes.set_xticks, [*matrix.answers, "wrong type", "unparseable"], rotation=90)
    _ticks(axes.set_yticks, matrix.answers)
    axes.set_title(in_words(name))
    points = 7 if len(matrix.answers) > 8 else 9
    for row, column in zip(*np.nonzero(shares >= 0.005), strict=True):
        colour = "white" if shares[row, column] > 0.5 else INK
        text = f"{100 * shares[row, column]:.0f}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=points)


def _ticks(set_ticks: Any, names: Sequence[str], **style: Any) -> None:
    set_ticks(range(len(names)), [name.replace("$", r"\$") for name in names], fontsize=8, **style)


def row_shares(matrix: Confusion) -> np.ndarray:
    """Row-normalised matrix: float64 [A, A + 2]; rows without questions are 0."""
    counts = np.array(matrix.counts, np.float64).reshape(len(matrix.answers), len(matrix.answers) + 2)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)
