"""The page of an audit: one self-contained HTML file, laid out by ``page.html.j2``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from clear_gen.core.files import write_text
from clear_gen.core.page import QUARTERS, Mark, Row, render
from clear_gen.datasets.scenes.audit import console
from clear_gen.datasets.scenes.audit.console import Rows, in_words, percent
from clear_gen.datasets.scenes.audit.run import Audit
from clear_gen.questions.audit.figures import FLATTEST, NATURAL_SHARE, TypeFigures, is_graded
from clear_gen.questions.audit.text_only_baselines import (
    ALL,
    BANK_LOOKUP,
    CONSTANT_TEMPLATE,
    CONSTANT_TYPE,
    NGRAMS,
)
from clear_gen.questions.audit.thresholds import (
    MOST_ABOVE_FLOOR,
    MOST_ABOVE_FLOOR_OF_TYPE,
    RELATION_BLIND,
    RELATION_BLIND_BAND,
)

STYLES = {CONSTANT_TYPE: 0, CONSTANT_TEMPLATE: 1, NGRAMS: 2, BANK_LOOKUP: 3}
SHOWN_TEMPLATES = 12


class Card(NamedTuple):
    """The answers of a question type as bars; ``most``: the share at the right edge."""

    title: str
    about: str
    rows: list[Row]
    most: float


class Baselines(NamedTuple):
    """The scores of baselines on a split, as marks by question type and as a table."""

    split: str
    chart: list[Row]
    most: float
    ticks: list[float]
    rows: Rows


def write_page(audit: Audit, path: Path) -> None:
    """Write ``audit`` as a self-contained HTML page at ``path``, atomically.

    Nothing is fetched or run when the page is opened, and every text from outside is escaped.
    """
    write_text(path, page(audit))


def page(audit: Audit) -> str:
    """The page as text."""
    figures = audit.figures[ALL]
    uses = {name: f"{n:,}" for name, n in [*figures.uses.items()][:SHOWN_TEMPLATES]}
    return render(
        Path(__file__).with_name("page.html.j2"),
        title=f"Audit of {audit.folder}",
        summary=console.summary(audit),
        threshold_rows=console.threshold_rows(audit.thresholds),
        flattest=FLATTEST,
        natural_share=NATURAL_SHARE,
        cards=[_card(name, of) for name, of in figures.types.items() if of.n],
        few=console.FEW,
        balance_rows=console.balance_rows(audit),
        type_rows=console.type_rows(audit),
        marks={style: console.NAMES[name] for name, style in STYLES.items()},
        above_floor=(MOST_ABOVE_FLOOR, MOST_ABOVE_FLOOR_OF_TYPE),
        baselines=[_baselines(audit, split) for split in reversed(console.trained_splits(audit))],
        relations=_relations(audit),
        relation_blind=console.NAMES[RELATION_BLIND],
        relation_rows=console.relation_rows(audit),
        quarters=QUARTERS,
        clause_rows=console.clause_rows(figures),
        text_rows=console.text_rows(audit),
        lengths=figures.lengths,
        templates_used=_templates_used(audit),
        uses=sorted(figures.uses.values(), reverse=True),
        template_rows=[["most used", "questions"], *uses.items()],
        provenance=_provenance(audit),
    )


def _card(name: str, of: TypeFigures) -> Card:
    shares = {answer: n / of.n for answer, n in of.answers.items()}
    high = of.band.high
    if is_graded(name):
        high /= max(sum(share >= NATURAL_SHARE for share in shares.values()), 1)
    zone = (of.band.low, high)
    rows = [Row(answer, bar=share, zone=zone, note=f"{percent(share)} %") for answer, share in shares.items()]
    entropy = percent(of.entropy_bits / of.entropy_of_uniform) if of.entropy_of_uniform else "100.0"
    about = f"{of.n:,} questions, entropy {entropy} %"
    return Card(in_words(name), about, rows, 1.05 * max(*shares.values(), high))


def _baselines(audit: Audit, split: str) -> Baselines:
    scores = {name: audit.baselines[name][split] for name in STYLES}
    rows = []
    for kind in console.kinds_of(audit, scores[CONSTANT_TYPE]):
        marks = []
        for name, style in STYLES.items():
            score = scores[name][kind]
            tip = f"{console.NAMES[name]}: {percent(score.share)} %"
            marks.append(Mark(style, score.share, tip, 2 * score.error if name == NGRAMS else 0.0))
        floor = scores[CONSTANT_TYPE][kind].share
        above = MOST_ABOVE_FLOOR if kind == ALL else MOST_ABOVE_FLOOR_OF_TYPE
        rows.append(Row(in_words(kind), marks, zone=(floor, floor + above)))
    most = min(1.0, 0.1 + max(mark.share for row in rows for mark in row.marks))
    ticks = [tick / 10 for tick in range(int(most * 10) + 1)]
    return Baselines(split, rows, most, ticks, console.baseline_rows(audit, split))


def _relations(audit: Audit) -> list[Row]:
    """The relation-blind baseline's score on each question type; empty if no question states a relation."""
    rows = []
    for kind, score in console.relation_scores(audit).items():
        zone = RELATION_BLIND_BAND if console.is_yes_no(audit, kind) else (0.0, 0.0)
        mark = Mark(2, score.share, f"{percent(score.share)} % of {score.n:,}", 2 * score.error)
        rows.append(Row(in_words(kind), [mark], zone=zone))
    return rows


def _templates_used(audit: Audit) -> str:
    use = audit.figures[ALL].use
    among = f" of {audit.templates:,}" if audit.templates is not None else ""
    return f"{use.templates:,}{among} templates used: the most used {use.most:,} times, the median {use.median:g}."


def _provenance(audit: Audit) -> list[tuple[str, str]]:
    pairs: list[tuple[str, object]] = [
        ("audited by", audit.generator),
        *((f"questions: {name}", value) for name, value in audit.questions.items()),
        *((f"scenes: {name}", value) for name, value in audit.scenes.items() if value is not None),
        *audit.environment.items(),
    ]
    return [(name, _json_in_words(value)) for name, value in pairs]


def _json_in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_json_in_words(item)}" for name, item in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
