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
from baselines.tasks.aqa.metrics import Confusion, Results, Score, Weighted
from baselines.tasks.aqa.published import SOURCE, TABLE_3, share_of_type
from baselines.tasks.aqa.results import (
    OVERALL,
    AqaResults,
    by_cause,
    in_words,
    interval,
    paper_overall,
    percent,
    weighted_name,
)

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
        "answers of another question type count as wrong. Weighted: the types as often as in the data of the paper, "
        f"so that the share may stand beside the paper's. Paper: {SOURCE}, on its own data; its ± is the deviation of "
        "five runs."
    )
    heads = ["correct %", "95 % interval", "weighted %", "95 % interval", "paper %"]
    rows: Rows = [["model", "dataset", "split", "questions", *heads, *NOT_OF_TYPE]]
    for name, file in named:
        config, overall, weighted = file.config, file.scores.overall, file.scores.weighted
        paper = TABLE_3[config.model] if paper_overall(file) is not None else None
        printed = (
            "" if paper is None else f"{paper.accuracy:g}" + ("" if paper.spread is None else f" ±{paper.spread:g}")
        )
        like = ["", ""] if weighted is None else [percent(weighted.accuracy), interval(weighted)]
        asked = f"{overall.n:,}" + (f" of {file.n_original:,}" if overall.n < file.n_original else "")
        cells = [percent(overall.accuracy), interval(overall), *like, printed, *_not_of_type(overall)]
        rows.append([name, Path(config.data).name, config.split, asked, *cells])
    return section("Summary", about, table(rows, "wrap"))


def _types(named: Sequence[tuple[str, AqaResults]]) -> Markup:
    """Correct answers of every type: a column per results file, and the paper's beside it."""
    about = f"Correct answers in per cent; in brackets: {SOURCE}, where it has the model."
    kinds = dict.fromkeys(kind for _, file in named for kind in file.scores.by_type)
    rows: Rows = [["type", *(f"{name}, {file.config.split}" for name, file in named)]]
    rows += [[in_words(kind), *(_with_paper(file, kind) for _, file in named)] for kind in kinds]
    rows.append([OVERALL, *(percent(file.scores.overall.accuracy) for _, file in named)])
    if any(file.scores.weighted for _, file in named):
        rows.append(["all, weighted", *(_weighted_with_paper(file) for _, file in named)])
    return section("Question types", about, table(rows, "models", set_off=OVERALL))


def _with_paper(file: AqaResults, name: str) -> str:
    score, paper = file.scores.by_type.get(name), share_of_type(TABLE_3.get(file.config.model), name)
    return f"{percent(score.accuracy) if score else '–'}" + (f" ({percent(paper)})" if paper is not None else "")


def _weighted_with_paper(file: AqaResults) -> str:
    weighted, paper = file.scores.weighted, paper_overall(file)
    return f"{percent(weighted.accuracy) if weighted else '–'}" + (f" ({percent(paper)})" if paper is not None else "")


# --- one results file -------------------------------------------------------------------------------------------------


def _results(path: str, file: AqaResults) -> Markup:
    scores, published = file.scores, TABLE_3.get(file.config.model)
    by_type: dict[str, Score | Weighted] = {**scores.by_type, OVERALL: scores.overall}
    papers = {kind: share_of_type(published, kind) for kind in scores.by_type}
    if scores.weighted is not None:
        by_type[weighted_name(scores.weighted)] = scores.weighted
        papers[weighted_name(scores.weighted)] = paper_overall(file)
    label = f"Correct answers of {file.config.model} by question type"
    return section(
        f"{file.config.model}, {file.config.split}",
        path,
        bar_keys("correct, with its 95 % interval", f"paper ({SOURCE})" if published else None),
        _intervals(by_type, papers, label),
        table(_type_rows(by_type, papers), set_off=OVERALL),
        *[paragraph(f"Unparseable: {by_cause(file)}.")] * bool(file.unparseable),
        _groups(file.config.model, scores),
        _by_relations(scores),
        _confusions(scores),
        _origin(file),
    )


def _intervals(
    scores: Mapping[str, Score | Weighted] | Mapping[str, Score],
    papers: Mapping[str, float | None],
    label: str,
    width: int = WIDE,
) -> Markup:
    bars = {}
    for name, score in scores.items():
        tip = f"{percent(score.accuracy)} %, interval {interval(score)}"
        note = f"{percent(score.accuracy)} %" + ("" if isinstance(score, Weighted) else f" of {score.n:,}")
        bars[in_words(name)] = Bar(score.accuracy, score.low, score.high, tip, note, papers.get(name))
    return bar_chart(bars, label, True, width)


def _type_rows(scores: Mapping[str, Score | Weighted], papers: Mapping[str, float | None]) -> Rows:
    has_paper = any(share is not None for share in papers.values())
    rows: Rows = [["type", "questions", "correct %", "95 % interval", *["paper %"] * has_paper, *NOT_OF_TYPE]]
    for name, score in scores.items():
        cells = [percent(score.accuracy), interval(score), *[percent(papers.get(name))] * has_paper]
        if isinstance(score, Weighted):
            rows.append([name, "", *cells, "", ""])
        else:
            rows.append([in_words(name), f"{score.n:,}", *cells, *_not_of_type(score)])
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


def _by_relations(scores: Results) -> Markup:
    """Correct answers of every type by number of relations, as in the paper's Figure 4; n. a. where there is none."""
    levels = list(scores.by_relations)
    rows: Rows = [["type", *(f"{level} relation{'s' * (level != '1')}" for level in levels)]]
    for name, of_type in scores.by_type_and_relations.items():
        found = [of_type.get(level) for level in levels]
        cells = [f"{percent(one.accuracy)} of {one.n:,}" if one else "n. a." for one in found]
        rows.append([in_words(name), *cells])
    return subsection("Correct % by type and number of relations", table(rows))


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
