"""Report sections for question answering: a summary of all results, then each results file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from baselines.report.page import (
    NARROW,
    WIDE,
    Bar,
    MatrixRow,
    bar_chart,
    bar_keys,
    definitions,
    details,
    matrix,
    paragraph,
    section,
    side_by_side,
    subsection,
    table,
)
from baselines.report.runs import ReportedRun
from baselines.tasks.aqa.figures import row_shares
from baselines.tasks.aqa.metrics import Confusion, Results, Score
from baselines.tasks.aqa.published import SOURCE, TABLE_3, share_of_type
from baselines.tasks.aqa.results import OVERALL, AqaResults, by_cause, in_words, interval, percent

Rows = list[list[str]]
NOT_OF_TYPE = ("unparseable", "wrong type")  # heads of columns


def sections(runs: Sequence[ReportedRun]) -> list[Markup]:
    """The sections about the results of some runs, of which there is at least one."""
    files = [(path, file) for run in runs for path, file in run.results.items()]
    named = list(zip(_names(runs), (file for _, file in files), strict=True))
    return [_summary(named), _types(named), *(_results(path, file) for path, file in files)]


# --- all results together ---------------------------------------------------------------------------------------------


def _names(runs: Sequence[ReportedRun]) -> list[str]:
    """The model of every results file, with the run's path where several runs have the same model."""
    of = [(file.config.model, run.path) for run in runs for file in run.results.values()]
    paths = {model: {path for name, path in of if name == model} for model, _ in of}
    return [model if len(paths[model]) == 1 else f"{model}, {path}" for model, path in of]


def _summary(named: Sequence[tuple[str, AqaResults]]) -> Markup:
    about = (
        "After the share of correct answers: its 95 % interval, from a bootstrap by scene. Unparseable answers and "
        f"answers of another question type count as wrong. Paper: {SOURCE}, on its own data; its ± is the deviation of "
        "five runs."
    )
    rows: Rows = [["model", "dataset", "split", "questions", "correct %", "95 % interval", "paper %", *NOT_OF_TYPE]]
    for name, file in named:
        config, overall, paper = file.config, file.scores.overall, TABLE_3.get(file.config.model)
        printed = (
            "" if paper is None else f"{paper.accuracy:g}" + ("" if paper.spread is None else f" ±{paper.spread:g}")
        )
        asked = f"{overall.n:,}" + (f" of {file.n_original:,}" if overall.n < file.n_original else "")
        cells = [percent(overall.accuracy), interval(overall), printed, *_not_of_type(overall)]
        rows.append([name, Path(config.data).name, config.split, asked, *cells])
    return section("Summary", about, table(rows, "wrap"))


def _types(named: Sequence[tuple[str, AqaResults]]) -> Markup:
    """Correct answers of every type: a column per results file, and the paper's beside it."""
    about = f"Correct answers in per cent; in brackets: {SOURCE}, where it has the model."
    kinds = dict.fromkeys(kind for _, file in named for kind in file.scores.by_type)
    rows: Rows = [["type", *(f"{name}, {file.config.split}" for name, file in named)]]
    rows += [[in_words(kind), *(_with_paper(file, kind) for _, file in named)] for kind in [*kinds, OVERALL]]
    return section("Question types", about, table(rows, "models", set_off=OVERALL))


def _with_paper(file: AqaResults, name: str) -> str:
    score = file.scores.overall if name == OVERALL else file.scores.by_type.get(name)
    paper = share_of_type(TABLE_3.get(file.config.model), None if name == OVERALL else name)
    return f"{percent(score.accuracy) if score else '–'}" + (f" ({percent(paper)})" if paper is not None else "")


# --- one results file -------------------------------------------------------------------------------------------------


def _results(path: str, file: AqaResults) -> Markup:
    scores, published = file.scores, TABLE_3.get(file.config.model)
    by_type = {**scores.by_type, OVERALL: scores.overall}
    papers = {kind: share_of_type(published, None if kind == OVERALL else kind) for kind in by_type}
    label = f"Correct answers of {file.config.model} by question type"
    return section(
        f"{file.config.model}, {file.config.split}",
        path,
        bar_keys("correct, with its 95 % interval", f"paper ({SOURCE})" if published else None),
        _intervals(by_type, papers, label),
        table(_type_rows(by_type, papers), set_off=OVERALL),
        *[paragraph(f"Unparseable: {by_cause(file)}.")] * bool(file.unparseable),
        _groups(file.config.model, scores),
        _confusions(scores),
        _origin(file),
    )


def _intervals(
    scores: Mapping[str, Score], papers: Mapping[str, float | None], label: str, width: int = WIDE
) -> Markup:
    bars = {}
    for name, score in scores.items():
        tip = f"{percent(score.accuracy)} %, interval {interval(score)}"
        note = f"{percent(score.accuracy)} % of {score.n:,}"
        bars[in_words(name)] = Bar(score.accuracy, score.low, score.high, tip, note, papers.get(name))
    return bar_chart(bars, label, True, width)


def _type_rows(scores: dict[str, Score], papers: dict[str, float | None]) -> Rows:
    has_paper = any(share is not None for share in papers.values())
    rows: Rows = [["type", "questions", "correct %", "95 % interval", *["paper %"] * has_paper, *NOT_OF_TYPE]]
    for name, score in scores.items():
        cells = [f"{score.n:,}", percent(score.accuracy), interval(score), *[percent(papers[name])] * has_paper]
        rows.append([in_words(name), *cells, *_not_of_type(score)])
    return rows


def _not_of_type(score: Score) -> list[str]:
    """The cells below ``NOT_OF_TYPE``."""
    return [f"{score.unparseable:,}", f"{score.wrong_type:,}"]


def _groups(model: str, scores: Results) -> Markup:
    """Scores by number of relations and by length of the scene, side by side."""
    groups = {"Number of relations": scores.by_relations, "Length of the dry scene, s": scores.by_length}
    parts = []
    for title, group in groups.items():
        label = f"Correct answers of {model}: {title.lower()}"
        parts.append(subsection(title, _intervals(group, {}, label, NARROW)))
    return side_by_side(*parts)


def _confusions(scores: Results) -> Markup:
    matrices = [
        details(in_words(name), _matrix(confusion, scores.by_answer.get(name, {})))
        for name, confusion in scores.confusion.items()
    ]
    return subsection("Predicted answers", *matrices)


def _matrix(confusion: Confusion, by_answer: dict[str, Score]) -> Markup:
    """A confusion matrix: questions, shaded by their share of the row; ``by_answer``: the scores of its rows."""
    rows = []
    for number, (answer, shares) in enumerate(zip(confusion.answers, row_shares(confusion).tolist(), strict=True)):
        accuracy = percent(by_answer[answer].accuracy) if answer in by_answer else ""
        rows.append(MatrixRow(answer, accuracy, confusion.counts[number], shares, number))
    return matrix(["correct answer", "correct %", *confusion.answers, *NOT_OF_TYPE[::-1]], rows)


def _origin(file: AqaResults) -> Markup:
    hashes = {f"SHA-256 of the {name}": value for name, value in file.hashes.model_dump().items()}
    pairs = {**file.config.model_dump(exclude_none=True), **hashes}
    return subsection("Provenance", definitions((in_words(name), value) for name, value in pairs.items()))
