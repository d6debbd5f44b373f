"""Tables of scores on mixtures, for ``clear-bench evaluate`` and for model cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from baselines.core.publish import markdown_table
from baselines.tasks.sed.metrics.tagging import ClassScore
from baselines.tasks.sed.published import SOURCE, Published, published
from baselines.tasks.sed.results import (
    PRECISION,
    Figures,
    SedResults,
    clip_figures,
    four,
    mean,
    mean_figures,
    time_figures,
)
from clear_gen.core.errors import InputError
from clear_gen.core.text import shown, table

MEAN = "mean"
MISPRINT = "sic"  # marks a value that the paper misprints


def lines(files: Mapping[str, SedResults]) -> list[str]:
    """Tables of one results file, or of several folds by name with their mean, and the paper's row beside them.

    Raises InputError unless all are of one model with the same settings at one SNR.
    """
    found = [*files.values()]
    first = found[0].config
    for file in found[1:]:
        for name in ("model", "options", "alpha", "mixtures", "select_on_test"):
            if (other := getattr(file.config, name)) != (wanted := getattr(first, name)):
                raise InputError(f"{name}: found {other} beside {wanted}, expected folds of one")
    by_clip = {name: clip_figures(file.scores) for name, file in files.items()}
    by_time = {name: time_figures(file.scores) for name, file in files.items()}
    sizes = {name: f"{file.scores.clip.n_clips:,}" for name, file in files.items()}
    below = []
    if paper := published(first.model, first.alpha, first.snr_db):
        below = [[f"{SOURCE}, {paper[0]}", "", *in_print(paper[1])]]
    printed = [*_figures(by_clip, sizes, below)]
    if any(by_time.values()):
        printed += ["", *_time_figures(by_time)]
    printed += ["", *_classes(found)]
    notes = {file.note: name for name, file in files.items()}
    if len(notes) == 1:
        return [*printed, "", *notes]
    return [*printed, "", *(f"{shown(name)}: {note}" for note, name in notes.items())]


def _figures(rows: Mapping[str, Figures], sizes: Mapping[str, str], below: Sequence[list[str]]) -> list[str]:
    names = list(next(iter(rows.values())))
    body = [[shown(name), sizes[name], *(four(row[one]) for one in names)] for name, row in rows.items()]
    if len(rows) > 1:
        body.append([MEAN, "", *map(four, mean_figures([*rows.values()]).values())])
    body += [[*row, *[""] * (2 + len(names) - len(row))] for row in below]
    return [line.rstrip() for line in table([["", "clips", *names], *body])]


def _time_figures(columns: Mapping[str, Figures]) -> list[str]:
    """A row per score, whose names are long, and a column per file."""
    whole = {**columns, **({MEAN: mean_figures([*columns.values()])} if len(columns) > 1 else {})}
    names = list(next(iter(columns.values())))
    body = [[name, *(four(figures.get(name)) for figures in whole.values())] for name in names]
    return [line.rstrip() for line in table([["in time", *map(shown, whole)], *body])]


def in_print(paper: Published) -> list[str]:
    """The paper's figures in the order of ``PRECISION``, a misprinted one marked."""
    figures = [four(value) for value in paper[: len(PRECISION)]]
    return [*figures[:-1], f"{figures[-1]} {MISPRINT}"] if paper.is_auc_misprinted else figures


def _classes(files: Sequence[SedResults]) -> list[str]:
    over = f", means over {len(files)}" if len(files) > 1 else ""
    rows = [[f"class{over}", "clips", "AP", "AUC", "F1", "threshold"]]
    for label, scores in by_class(files).items():
        names = ("ap", "auc", "f1", "threshold")
        means = [mean([getattr(score, name) for score in scores]) for name in names]
        rows.append([shown(label), f"{sum(score.n_clips for score in scores):,}", *map(four, means)])
    return [line.rstrip() for line in table(rows)]


def by_class(files: Sequence[SedResults]) -> dict[str, list[ClassScore]]:
    """The scores of every class by name, one per file that has the class."""
    labels = sorted({label for file in files for label in file.scores.clip.by_class})
    of = [file.scores.clip.by_class for file in files]
    return {label: [scores[label] for scores in of if label in scores] for label in labels}


def card(file: SedResults) -> str:
    """Markdown for a model card: selection data, all scores, and clip-level scores of each class."""
    clip, figures = file.scores.clip, {**clip_figures(file.scores), **time_figures(file.scores)}
    of_class = [
        [label, f"{one.n_clips:,}", four(one.ap), four(one.auc), four(one.f1)] for label, one in clip.by_class.items()
    ]
    parts = [
        f"{clip.n_clips:,} clips of fold {file.config.test}; {file.note}.",
        markdown_table(["score", "value"], [[name, four(value)] for name, value in figures.items()]),
        markdown_table(["class", "clips", "AP", "AUC", "F1"], of_class),
    ]
    return "\n\n".join(parts)
