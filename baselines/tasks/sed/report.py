"""Report sections for sound event detection: the paper's tables next to ours, then each experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup

from baselines.report.page import (
    bar_chart,
    bar_keys,
    definitions,
    details,
    paragraph,
    section,
    subsection,
    table,
)
from baselines.report.runs import ReportedRun
from baselines.tasks.sed.console import MEAN, by_class, in_print
from baselines.tasks.sed.experiments import Experiment, bar_of, experiments
from baselines.tasks.sed.metrics.scores import Results
from baselines.tasks.sed.metrics.tagging import ClassScore
from baselines.tasks.sed.published import SOURCE, TABLE_4, TABLE_5, TWO_STEP, BySnr, published
from baselines.tasks.sed.results import (
    ON_TEST,
    PRECISION,
    Figures,
    SedResults,
    clip_figures,
    four,
    mean,
    mean_figures,
    time_figures,
)

NONE = "–"
Rows = list[list[str]]


def sections(runs: Sequence[ReportedRun]) -> list[Markup]:
    """The sections about the results of some runs, of which there is at least one."""
    found = experiments({path: file for run in runs for path, file in run.results.items()})
    return [_table_4(found), *_table_5(found), *map(_scores, found)]


# --- the paper's tables -----------------------------------------------------------------------------------------------


def _table_4(found: Sequence[Experiment]) -> Markup:
    about = (
        "Means over the held-out folds that were scored; in brackets Table IV of the paper, on its own data, with rate "
        "and epoch selected on the fold that is scored. sic: a misprint, which repeats the macro-AP."
    )
    ours = [one for one in found if one.has_paper_alpha]
    papers: dict[str, BySnr | None] = {}
    for model, row in TABLE_4.items():
        papers |= dict.fromkeys([one.name for one in ours if one.config.model == model] or [model], row)
    papers |= {one.name: None for one in ours if one.config.model not in TABLE_4}
    warning = [paragraph(_sentence(ON_TEST))] * any(one.config.select_on_test for one in found)
    keys = bar_keys("mean, from the lowest fold to the highest", f"paper ({SOURCE})")
    whole = table(_rows(ours or found, papers), "wrap")
    return section("Models beside Table IV", about, *warning, whole, keys, *_charts(found))


def _table_5(found: Sequence[Experiment]) -> list[Markup]:
    """The weights of the reconstruction, if 2APAE is among the models."""
    ours = [replace(one, name=one.name_with_alpha) for one in found if one.config.model == TWO_STEP]
    if not ours:
        return []
    papers: dict[str, BySnr | None] = {}
    for alpha, row in TABLE_5.items():
        of_alpha = [one.name for one in ours if one.config.alpha == alpha]
        papers |= dict.fromkeys(of_alpha or [f"{TWO_STEP}, α {alpha:g}"], row)
    papers |= {one.name: None for one in ours if one.config.alpha not in TABLE_5}
    about = "α: the weight of the reconstruction's error in the loss. In brackets: Table V of the paper."
    return [section("2APAE beside Table V", about, table(_rows(ours, papers), "wrap"))]


def _rows(ours: Sequence[Experiment], papers: Mapping[str, BySnr | None]) -> Rows:
    """A row per name, the names of ``papers``; per SNR of ours three columns, ours with the paper's in brackets."""
    snrs = {one.snr: one.config.snr_db for one in ours}
    columns = sorted(snrs, key=lambda snr: -(snrs[snr] or 0))
    rows: Rows = [["model", "folds", *(f"{snr} {name}" for snr in columns for name in PRECISION)]]
    for name, paper in papers.items():
        of_name = {one.snr: one for one in ours if one.name == name}
        cells = []
        for snr in columns:
            figures = mean_figures(of_name[snr].figures(clip_figures)) if snr in of_name else {}
            snr_db = snrs[snr]
            at = paper.get(snr_db) if paper and snr_db is not None else None
            for figure, printed in zip(PRECISION, in_print(at) if at else [""] * len(PRECISION), strict=True):
                value = four(figures.get(figure)) or NONE
                cells.append(f"{value} ({printed})" if printed else value)
        folds = [str(of_name[snr].n_folds) for snr in columns if snr in of_name]
        rows.append([name, ", ".join(folds if len({*folds}) > 1 else folds[:1]) or NONE, *cells])
    return rows


def _charts(found: Sequence[Experiment]) -> list[Markup]:
    """Micro-averaged precision: a drawing per SNR."""
    cards = []
    for snr in dict.fromkeys(one.snr for one in found):
        bars = {}
        for one in found:
            config = one.config
            paper = published(config.model, config.alpha, config.snr_db)
            bar = bar_of([row[PRECISION[0]] for row in one.figures(clip_figures)], paper[1].micro_ap if paper else None)
            if one.snr == snr and bar:
                bars[one.name] = bar
        if bars:
            cards.append(subsection(f"Micro-AP, {snr}", bar_chart(bars, f"Micro-averaged precision, {snr}", False)))
    return cards


# --- one experiment ---------------------------------------------------------------------------------------------------


def _scores(one: Experiment) -> Markup:
    """All folds of a model on some mixtures: scores by clip, in time and by class."""
    files = [*one.files.values()]
    parts = [_by_fold(files, clip_figures)]
    if any(file.scores.segment is not None for file in files):
        parts.append(_by_fold(files, time_figures, "wrap"))
    scores = by_class(files)
    bars = {label: bar for label, of in scores.items() if (bar := bar_of([score.ap for score in of]))}
    if bars:
        drawn = bar_chart(bars, f"Average precision of {one.name} by class", False)
        parts.append(subsection("Average precision by class", drawn))
    origins = [_origin(path, file) for path, file in one.files.items()]
    parts.append(details("every class, and provenance", table(_class_rows(scores)), *origins))
    over = f" Means over {len(files)}." if len(files) > 1 else ""
    notes = {file.note for file in files}
    note = notes.pop() if len(notes) == 1 else "rate, epoch and thresholds were chosen on another fold"
    return section(f"{one.name}, {one.snr}", f"{_sentence(note)}{over}", *parts)


def _by_fold(files: Sequence[SedResults], figures_of: Callable[[Results], Figures], style: str = "") -> Markup:
    figures = [figures_of(file.scores) for file in files]
    names = list(dict.fromkeys(name for row in figures for name in row))
    rows: Rows = [["held-out fold", "clips", *names]]
    for file, row in zip(files, figures, strict=True):
        cells = [four(row.get(name)) for name in names]
        rows.append([f"fold{file.config.test}", f"{file.scores.clip.n_clips:,}", *cells])
    if len(files) > 1:
        means = mean_figures(figures)
        rows.append([MEAN, "", *(four(means[name]) for name in names)])
    return table(rows, style, set_off=MEAN)


def _class_rows(scores: Mapping[str, Sequence[ClassScore]]) -> Rows:
    rows: Rows = [["class", "clips with it", "AP", "AUC", "F1", "precision", "recall", "threshold"]]
    for label, of in scores.items():
        names = "ap", "auc", "f1", "precision", "recall", "threshold"
        figures = [four(mean([getattr(score, name) for score in of])) for name in names]
        rows.append([label, f"{sum(score.n_clips for score in of):,}", *figures])
    return rows


def _origin(path: str, file: SedResults) -> Markup:
    hashes = {f"SHA-256 of the {name}": value for name, value in file.hashes.model_dump(exclude_none=True).items()}
    pairs = {**file.config.model_dump(exclude_none=True), **hashes}
    return subsection(path, definitions((name.replace("_", " "), value) for name, value in pairs.items()))


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."
