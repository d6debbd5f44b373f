"""The report: one HTML page that holds everything about some runs. Its own style sheet is ``report.css``."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from baselines.report.charts import BAR_KEY, KEY_WIDTH, LINE_KEYS, NARROW, PAPER_KEY, curves, interval_chart
from baselines.tasks.aqa.figures import row_shares
from baselines.tasks.aqa.metrics import Confusion, Results, Score
from baselines.tasks.aqa.published import SOURCE, TABLE_3, share_of_type
from baselines.tasks.aqa.report_files import Run, read_run
from baselines.tasks.aqa.results import OVERALL, ResultsFile, in_words, interval, percent
from clear_gen import __version__
from clear_gen.core.files import write_text
from clear_gen.core.page import definitions, document, legend, section, table, table_of

Rows = list[list[str]]


def write_report(paths: Sequence[Path], out: Path) -> None:
    """Write a self-contained page about runs, results folders and results files, atomically.

    Nothing is fetched or run when the page is opened, and every text from outside is escaped.

    Raises InputError if there is nothing to report in one of ``paths``, or something in it is malformed.
    """
    write_text(out, page([read_run(path) for path in paths]))


def page(runs: Sequence[Run]) -> str:
    """The same as text."""
    files = [file for run in runs for file in run.results.values()]
    named = list(zip(_names(runs), files, strict=True))
    sections = [_summary(named), _types(named)] if files else []
    for run in runs:
        sections += [_results(run, name, file) for name, file in run.results.items()]
        sections += [_training(run)] if run.history else []
        sections += [_configuration(run)] if run.texts else []
    names = ", ".join(dict.fromkeys(file.config.model for file in files)) or ", ".join(str(run.path) for run in runs)
    about = f"Made by clear-bench {__version__}. Shares of right answers in per cent."
    style = Path(__file__).with_name("report.css")
    return document(f"Acoustic question answering: {names}", about, sections, style)


# --- all results together ---------------------------------------------------------------------------------------------


def _names(runs: Sequence[Run]) -> list[str]:
    """The model of every results file; where several runs are of one model, with the run's path."""
    of = [(file.config.model, run.path) for run in runs for file in run.results.values()]
    paths = {model: {path for name, path in of if name == model} for model, _ in of}
    return [model if len(paths[model]) == 1 else f"{model}, {path}" for model, path in of]


def _summary(named: Sequence[tuple[str, ResultsFile]]) -> str:
    about = (
        "After the share of right answers: the interval that covers 95 %, from a bootstrap by scene. Questions without "
        f"a readable answer count as wrong. Paper: {SOURCE}, on its own data; its ± is the deviation of five runs."
    )
    rows: Rows = [["model", "dataset", "split", "questions", "right %", "95 %", "paper %", "unparseable"]]
    for name, file in named:
        config, overall, paper = file.config, file.scores.overall, TABLE_3.get(file.config.model)
        printed = (
            "" if paper is None else f"{paper.accuracy:g}" + ("" if paper.spread is None else f" ±{paper.spread:g}")
        )
        asked = f"{overall.n:,}" + (f" of {file.n_original:,}" if overall.n < file.n_original else "")
        cells = [percent(overall.accuracy), interval(overall), printed, f"{overall.unparseable:,}"]
        rows.append([name, Path(config.data).name, config.split, asked, *cells])
    return section("Summary", about, table(rows, "wrap"))


def _types(named: Sequence[tuple[str, ResultsFile]]) -> str:
    """Right answers of every type: a column per results file, and the paper's beside it."""
    about = f"Right answers in per cent; in brackets: {SOURCE}, where it has the model."
    kinds = dict.fromkeys(kind for _, file in named for kind in file.scores.by_type)
    rows: Rows = [["type", *(f"{name}, {file.config.split}" for name, file in named)]]
    rows += [[in_words(kind), *(_with_paper(file, kind) for _, file in named)] for kind in [*kinds, OVERALL]]
    return section("Question types", about, table(rows, "models", set_off=OVERALL))


def _with_paper(file: ResultsFile, name: str) -> str:
    score = file.scores.overall if name == OVERALL else file.scores.by_type.get(name)
    paper = share_of_type(TABLE_3.get(file.config.model), None if name == OVERALL else name)
    return f"{percent(score.accuracy) if score else '–'}" + (f" ({percent(paper)})" if paper is not None else "")


# --- one results file -------------------------------------------------------------------------------------------------


def _results(run: Run, name: str, file: ResultsFile) -> str:
    scores, published = file.scores, TABLE_3.get(file.config.model)
    by_type = {**scores.by_type, OVERALL: scores.overall}
    papers = {kind: share_of_type(published, None if kind == OVERALL else kind) for kind in by_type}
    label = f"Right answers of {file.config.model} by question type"
    keys = {"right, with its 95 % interval": BAR_KEY, **({f"paper ({SOURCE})": PAPER_KEY} if published else {})}
    chart = f'<div class="scroll wide">{interval_chart(by_type, papers, label)}</div>'
    place = f"{run.path}" if run.path.name == name else f"{run.path / name}"
    return section(
        f"{file.config.model}, {file.config.split}",
        place,
        legend(keys, KEY_WIDTH),
        chart,
        table(_type_rows(by_type, papers), set_off=OVERALL),
        _groups(file.config.model, scores),
        _confusions(scores),
        _origin(file),
    )


def _type_rows(scores: dict[str, Score], papers: dict[str, float | None]) -> Rows:
    has_paper = any(share is not None for share in papers.values())
    rows: Rows = [["type", "questions", "right %", "95 %", *["paper %"] * has_paper, "unparseable"]]
    for name, score in scores.items():
        cells = [f"{score.n:,}", percent(score.accuracy), interval(score), *[percent(papers[name])] * has_paper]
        rows.append([in_words(name), *cells, f"{score.unparseable:,}"])
    return rows


def _groups(model: str, scores: Results) -> str:
    """Scores by number of relations and by length of the scene, side by side."""
    groups = {
        "Number of relations": scores.by_relations,
        "Length of the dry scene, s": scores.by_length,
    }
    cards = [
        f'<div><h3>{title}</h3>\n<div class="scroll">'
        f"{interval_chart(group, {}, f'Right answers of {model}: {title.lower()}', NARROW)}</div></div>"
        for title, group in groups.items()
    ]
    return f'<div class="plots">{"".join(cards)}</div>'


def _confusions(scores: Results) -> str:
    parts = ["<h3>What was answered</h3>"]
    for name, matrix in scores.confusion.items():
        shown = _matrix(matrix, scores.by_answer.get(name, {}))
        parts.append(f"<details><summary>{escape(in_words(name))}</summary>\n{shown}</details>")
    return "\n".join(parts)


def _matrix(matrix: Confusion, by_answer: dict[str, Score]) -> str:
    """A confusion matrix: questions, shaded by their share of the row; ``by_answer``: the scores of its rows."""
    names = ["right answer", "right %", *matrix.answers, "unparseable"]
    body = []
    for number, (answer, counts, shares) in enumerate(
        zip(matrix.answers, matrix.counts, row_shares(matrix), strict=True)
    ):
        score = by_answer.get(answer)
        cells = [f"<td>{percent(score.accuracy) if score else ''}</td>"]
        for column, (n, share) in enumerate(zip(counts, shares, strict=True)):
            class_ = "count right" if column == number else "count"
            cells.append(f'<td class="{class_}" style="--share: {100 * share:.0f}%">{f"{n:,}" if n else ""}</td>')
        body.append(f'<tr><th scope="row">{escape(answer)}</th>{"".join(cells)}</tr>')
    return table_of(names, body, "matrix")


def _origin(file: ResultsFile) -> str:
    hashes = {f"SHA-256 of the {name}": value for name, value in file.hashes.model_dump().items()}
    pairs = {**file.config.model_dump(exclude_none=True), **hashes}
    listed = definitions((in_words(name), str(value)) for name, value in pairs.items())
    return f"<h3>Where this comes from</h3>\n{listed}"


# --- training ---------------------------------------------------------------------------------------------------------


def _training(run: Run) -> str:
    columns = {name: [row[name] for row in run.history] for name in run.history[0]}
    losses = columns["validation_loss"]
    best = min(range(len(losses)), key=losses.__getitem__)
    about = (
        f"{len(losses)} epochs; the least validation loss, {losses[best]:.4f}, in epoch {best + 1}, with "
        f"{percent(columns['validation_accuracy'][best])} % of the validation questions right."
    )
    cards = []
    for kind, is_share in (("loss", False), ("accuracy", True)):
        lines = {name: columns[f"{name}_{kind}"] for name in ("validation", "train")}
        drawn = curves(lines, f"{kind.capitalize()} per epoch", is_share)
        cards.append(f"<div><h3>{kind.capitalize()}</h3>\n{drawn}</div>")
    keys = legend(dict(zip(("validation", "train"), LINE_KEYS, strict=True)), KEY_WIDTH)
    return section(f"Training of {run.path}", about, keys, f'<div class="plots">{"".join(cards)}</div>')


def _configuration(run: Run) -> str:
    parts = [f"<h3>{escape(name)}</h3>\n<pre>{escape(text)}</pre>" for name, text in run.texts.items()]
    return section(f"Configuration of {run.path}", "As the run was made.", *parts)
