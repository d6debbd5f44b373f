"""Results files for question answering, with the sections of EleutherAI's lm-evaluation-harness, and table rows.

``results`` has one entry over all questions and one per question type, each with ``acc,none`` and ``acc_stderr,none``;
``group_subtasks``, ``versions`` and ``n-samples`` are those of the harness.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Literal, Self

from pydantic import model_validator

from baselines.core.fields import Count
from baselines.core.publish import markdown_table
from baselines.core.results import Hashes, ResultsConfig, ResultsFile
from baselines.tasks.aqa.metrics import Results, Score, Weighted
from baselines.tasks.aqa.published import TABLE_3, share_of_type
from clear_gen.core.text import shown, table

SCORING_VERSION = 2  # incremented when the same predictions would get another score
OVERALL = "all"
WEIGHTED = "all, weighted as {}"


class AqaConfig(ResultsConfig):
    """``limit``: only the first so many questions of the split. ``bootstrap_*``: of the interval over all questions.

    ``request``: the parameters with which an endpoint was asked, None for other predictors.
    """

    domain: str
    split: str
    limit: int | None = None
    request: dict[str, Any] | None = None
    bootstrap_seed: int
    bootstrap_resamples: int


class AqaHashes(Hashes):
    """``questions``: SHA-256 of the questions' identity, as in the dataset's clear.json."""

    questions: str


class AqaResults(ResultsFile):
    """A results file; covers ``scores.overall.n`` of the split's ``n_original`` questions.

    ``unparseable``: the unparseable answers by cause, see ``baselines.tasks.aqa.evaluate.causes``.
    """

    task: Literal["aqa"] = "aqa"
    config: AqaConfig
    hashes: AqaHashes
    unparseable: dict[str, Count]
    scores: Results

    @model_validator(mode="after")
    def _square(self) -> Self:
        if sum(self.unparseable.values()) != self.scores.overall.unparseable:
            raise ValueError("a cause in unparseable for every unparseable answer in scores.overall")
        for name, of in self.scores.confusion.items():
            if len(of.counts) != len(of.answers) or any(len(row) != len(of.answers) + 2 for row in of.counts):
                raise ValueError(f"a count for every pair of answers in confusion of {name}")
        return self

    def more(self) -> dict[str, Any]:
        """The sections of the harness; its tasks are named after the domain and the question types."""
        whole = f"aqa_{self.config.domain}"
        rows = {whole: (self.scores.overall, self.scores.error)}
        for name, score in self.scores.by_type.items():
            rows[f"{whole}_{name}"] = score, sqrt(score.accuracy * (1 - score.accuracy) / score.n)
        found = {name: _harness(name, score, error) for name, (score, error) in rows.items()}
        if (weighted := self.scores.weighted) is not None:
            columns = {"acc": weighted.accuracy, "acc_stderr": weighted.error}
            columns |= {"acc_low": weighted.low, "acc_high": weighted.high}
            found[whole] |= {f"{name}_weighted,none": value for name, value in columns.items()}
        samples = {name: {"original": score.n, "effective": score.n} for name, (score, _) in rows.items()}
        samples[whole]["original"] = self.n_original
        return {
            "results": found,
            "group_subtasks": {whole: [name for name in rows if name != whole]},
            "versions": dict.fromkeys(rows, SCORING_VERSION),
            "n-samples": samples,
        }


def _harness(name: str, score: Score, error: float) -> dict[str, Any]:
    return {
        "alias": name,
        "acc,none": score.accuracy,
        "acc_stderr,none": error,
        "acc_low,none": score.low,
        "acc_high,none": score.high,
        "unparseable,none": score.unparseable,
        "wrong_type,none": score.wrong_type,
    }


# --- rows of tables ---------------------------------------------------------------------------------------------------


def markdown_head(question_types: Sequence[str]) -> str:
    """The head of a Markdown table of results."""
    heads = ["model", "all", "all, weighted", *question_types]
    return f"| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}"


def markdown_row(file: AqaResults, question_types: Sequence[str]) -> str:
    """A row of a Markdown table in per cent: over all, ± half the width of its interval, so weighted, and per type."""
    overall = file.scores.overall
    whole = [_with_half_width(one) if one else "" for one in (overall, file.scores.weighted)]
    scores = [file.scores.by_type.get(name) for name in question_types]
    cells = [percent(score.accuracy) if score else "" for score in scores]
    name = shown(file.config.model).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return f"| {name} | {' | '.join(whole)} | {' | '.join(cells)} |"


def _with_half_width(score: Score | Weighted) -> str:
    return f"{percent(score.accuracy)} ±{percent((score.high - score.low) / 2)}"


def terminal_table(file: AqaResults) -> list[str]:
    """All scores except those per answer as aligned lines, next to the paper's if it reports the model."""
    published = TABLE_3.get(file.config.model)
    scores = file.scores
    head = [
        "",
        "questions",
        "right %",
        "95 % interval",
        "unparseable",
        "wrong type",
        *["paper %"] * (published is not None),
    ]
    rows: list[list[str]] = []
    for name, score in {**scores.by_type, OVERALL: scores.overall}.items():
        paper = share_of_type(published, name) if name != OVERALL else None
        rows.append([*_cells(in_words(name), score), *[percent(paper)] * (published is not None)])
    if (weighted := scores.weighted) is not None:
        paper = paper_overall(file)
        cells = [weighted_name(weighted), "", percent(weighted.accuracy), interval(weighted), "", ""]
        rows.append([*cells, *[percent(paper)] * (published is not None)])
    lines = table([head, *rows])
    groups = {"relations": scores.by_relations, "dry scene, s": scores.by_length}
    for title, group in groups.items():
        below = [[title, *head[1:6]], *(_cells(name, score) for name, score in group.items())]
        lines += ["", *table(below)]
    if file.unparseable:
        lines += ["", f"unparseable: {by_cause(file)}"]
    return [line.rstrip() for line in lines]


def _cells(name: str, score: Score) -> list[str]:
    counts = f"{score.unparseable:,}", f"{score.wrong_type:,}"
    return [shown(name), f"{score.n:,}", percent(score.accuracy), interval(score), *counts]


def by_cause(file: AqaResults) -> str:
    """The unparseable answers by cause, such as ``12 refusal, 3 not recognised``."""
    return ", ".join(f"{n:,} {shown(in_words(cause))}" for cause, n in file.unparseable.items())


def weighted_name(weighted: Weighted) -> str:
    """The head of its row, which says if types are missing."""
    name = WEIGHTED.format(shown(weighted.like))
    n = len(weighted.missing)
    return f"{name}, without {n} type{'s' * (n > 1)}" if n else name


def paper_overall(file: AqaResults) -> float | None:
    """The paper's accuracy over all types, to stand beside the weighted one; None if types are missing."""
    weighted = file.scores.weighted
    if weighted is None or weighted.missing:
        return None
    return share_of_type(TABLE_3.get(file.config.model), None)


def interval(score: Score | Weighted) -> str:
    """Format an interval in per cent."""
    return f"{percent(score.low)}-{percent(score.high)}"


def percent(share: float | None) -> str:
    """Format a fraction in per cent; an empty string for None."""
    return "" if share is None else f"{100 * share:.1f}"


def in_words(name: str) -> str:
    """The display name of a question type."""
    return name.replace("_", " ")


def card(file: AqaResults) -> str:
    """The section ``results`` as a Markdown table, one row per task of the harness, for a model card."""
    rows = {
        name: {metric.removesuffix(",none"): value for metric, value in row.items() if metric != "alias"}
        for name, row in file.more()["results"].items()
    }
    columns = list(next(iter(rows.values())))
    cells = []
    for name, row in rows.items():  # only the first, over all, is weighted
        cells.append([name, *(f"{row[column]:.4g}" if column in row else "" for column in columns)])
    return markdown_table(["task", *columns], cells)
