"""The report: one HTML page that holds everything about some runs; the page around it is ``report.html``."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from baselines.figures import row_shares
from baselines.metrics.aqa import Confusion, Results, Score
from baselines.published import SOURCE, TABLE_3, share_of_type
from baselines.report_charts import BAR_KEY, LINE_KEYS, NARROW, PAPER_KEY, curves, interval_chart, legend
from baselines.report_files import Run, read_run
from baselines.results import OVERALL, ResultsFile, in_words, interval, percent
from clear_gen import __version__
from clear_gen.io import write_text

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
    sections = [_summary(files), _types(files)] if files else []
    for run in runs:
        sections += [_results(run, name, file) for name, file in run.results.items()]
        sections += [_training(run)] if run.history else []
        sections += [_configuration(run)] if run.texts else []
    template = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    names = ", ".join(dict.fromkeys(file.config.model for file in files)) or ", ".join(str(run.path) for run in runs)
    return template.substitute(
        title=escape(f"Acoustic question answering: {names}"),
        summary=escape(f"Made by clear-bench {__version__}. Shares of right answers in per cent."),
        sections="\n".join(sections),
    )


def _section(title: str, about: str, *parts: str) -> str:
    body = "\n".join(parts)
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(about)}</p>\n{body}\n</section>"


def _table(rows: Rows, class_: str = "") -> str:
    """Rows of cells; the first row and the first column are heads, a row named OVERALL is set off."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = []
    for first, *cells in rows[1:]:
        rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        body.append(f'<tr{" class=all" * (first == OVERALL)}><th scope="row">{escape(first)}</th>{rest}</tr>')
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(body) + "\n</tbody></table>"
    return f'<div class="scroll {class_}">{table}</div>'


# --- all results together ---------------------------------------------------------------------------------------------


def _summary(files: Sequence[ResultsFile]) -> str:
    about = (
        "After the share of right answers: the interval that covers 95 %, from a bootstrap by scene. Questions without "
        f"a readable answer count as wrong. Paper: {SOURCE}, on its own data; its ± is the deviation of five runs."
    )
    rows: Rows = [["model", "dataset", "split", "questions", "right %", "95 %", "paper %", "unparseable"]]
    for file in files:
        config, overall, paper = file.config, file.scores.overall, TABLE_3.get(file.config.model)
        printed = (
            "" if paper is None else f"{paper.accuracy:g}" + ("" if paper.spread is None else f" ±{paper.spread:g}")
        )
        asked = f"{overall.n:,}" + (f" of {file.n_original:,}" if overall.n < file.n_original else "")
        cells = [percent(overall.accuracy), interval(overall), printed, f"{overall.unparseable:,}"]
        rows.append([config.model, Path(config.data).name, config.split, asked, *cells])
    return _section("Summary", about, _table(rows, "wrap"))


def _types(files: Sequence[ResultsFile]) -> str:
    """Right answers of every type: a column per results file, and the paper's beside it."""
    about = f"Right answers in per cent; in brackets: {SOURCE}, where it has the model."
    names = dict.fromkeys(name for file in files for name in file.scores.by_type)
    head = "".join(
        f'<th scope="col" class="model">{escape(f"{file.config.model}, {file.config.split}")}</th>' for file in files
    )
    body = []
    for name in [*names, OVERALL]:
        cells = "".join(f"<td>{_with_paper(file, name)}</td>" for file in files)
        body.append(f'<tr{" class=all" * (name == OVERALL)}><th scope="row">{escape(in_words(name))}</th>{cells}</tr>')
    table = f'<table><thead><tr><th scope="col">type</th>{head}</tr></thead><tbody>\n' + "\n".join(body)
    return _section("Question types", about, f'<div class="scroll">{table}\n</tbody></table></div>')


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
    return _section(
        f"{file.config.model}, {file.config.split}",
        place,
        legend(keys),
        chart,
        _table(_type_rows(by_type, papers)),
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
        table = _matrix(matrix, scores.by_answer.get(name, {}))
        parts.append(f"<details><summary>{escape(in_words(name))}</summary>\n{table}</details>")
    return "\n".join(parts)


def _matrix(matrix: Confusion, by_answer: dict[str, Score]) -> str:
    """A confusion matrix: questions, shaded by their share of the row; ``by_answer``: the scores of its rows."""
    names = ["right answer", "right %", *matrix.answers, "unparseable"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
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
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(body) + "\n</tbody></table>"
    return f'<div class="scroll matrix">{table}</div>'


def _origin(file: ResultsFile) -> str:
    hashes = {f"SHA-256 of the {name}": value for name, value in file.hashes.model_dump().items()}
    pairs = {**file.config.model_dump(exclude_none=True), **hashes}
    cells = "\n".join(
        f"<dt>{escape(in_words(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in pairs.items()
    )
    return f"<h3>Where this comes from</h3>\n<dl>\n{cells}\n</dl>"


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
    keys = legend(dict(zip(("validation", "train"), LINE_KEYS, strict=True)))
    return _section(f"Training of {run.path}", about, keys, f'<div class="plots">{"".join(cards)}</div>')


def _configuration(run: Run) -> str:
    parts = [f"<h3>{escape(name)}</h3>\n<pre>{escape(text)}</pre>" for name, text in run.texts.items()]
    return _section(f"Configuration of {run.path}", "As the run was made.", *parts)
