"""The page of an audit: one HTML file that holds everything. Its own style sheet is ``audit.css``."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path

from clear_gen.core.files import write_text
from clear_gen.core.page import QUARTERS, definitions, document, legend, section, table
from clear_gen.datasets.scenes.audit import console as report
from clear_gen.datasets.scenes.audit.charts import (
    KEY,
    NARROW,
    ROW,
    WIDE,
    Frame,
    Mark,
    Row,
    curve,
    histogram,
    keys,
    row_chart,
)
from clear_gen.datasets.scenes.audit.console import Rows, in_words, percent
from clear_gen.datasets.scenes.audit.run import Audit
from clear_gen.questions.audit.figures import FLATTEST, NATURAL_SHARE, OK, OUTSIDE, TypeFigures, is_graded
from clear_gen.questions.audit.text_only_baselines import (
    ALL,
    BANK_LOOKUP,
    CONSTANT_TEMPLATE,
    CONSTANT_TYPE,
    NGRAMS,
)
from clear_gen.questions.audit.thresholds import (
    BLIND_TO_RELATIONS,
    MOST_ABOVE_FLOOR,
    MOST_ABOVE_FLOOR_OF_TYPE,
    RELATION_BLIND,
)

STYLES = {CONSTANT_TYPE: 0, CONSTANT_TEMPLATE: 1, NGRAMS: 2, BANK_LOOKUP: 3}
SHOWN_TEMPLATES = 12
VERDICTS = (OK, OUTSIDE, "few")
_table = partial(table, set_off=ALL, marked=VERDICTS)


def write_page(audit: Audit, path: Path) -> None:
    """Write ``audit`` as a self-contained HTML page at ``path``, atomically.

    Nothing is fetched or run when the page is opened, and every text from outside is escaped.
    """
    write_text(path, page(audit))


def page(audit: Audit) -> str:
    """The same as text."""
    sections = [_goals(audit), _balance(audit), _baselines(audit), _relations(audit), _clauses(audit)]
    sections += [_texts(audit), _templates(audit), _origin(audit)]
    style = Path(__file__).with_name("audit.css")
    return document(f"Audit of {audit.folder}", report.summary(audit), sections, style)


# --- sections ---------------------------------------------------------------------------------------------------------


def _goals(audit: Audit) -> str:
    about = "What was found beside what it is held to. After ±: the standard error that so many questions leave."
    return section("Goals", about, _table(report.goal_rows(audit.goals), "wrap"))


def _balance(audit: Audit) -> str:
    about = (
        "Answers of each type, all splits together; shaded: where a share is to lie, or what a rank or a number is "
        f"to stay under ({FLATTEST:g} times uniform among those above {100 * NATURAL_SHARE:g} %). "
        "Entropy in per cent of what uniform answers would have."
    )
    cards = "\n".join(_card(name, of) for name, of in audit.figures[ALL].types.items() if of.n)
    balance = _table(report.balance_rows(audit))
    return section(
        "Types and answers",
        about,
        f'<div class="cards">\n{cards}\n</div>',
        f"<h3>Least and greatest share <small>{escape(report.FEW)}</small></h3>",
        balance,
        "<h3>Per type</h3>",
        _table(report.type_rows(audit.figures[ALL])),
    )


def _card(name: str, of: TypeFigures) -> str:
    """The answers of a type as bars."""
    shares = {answer: n / of.n for answer, n in of.answers.items()}
    high = of.band.high
    if is_graded(name):
        high /= max(sum(share >= NATURAL_SHARE for share in shares.values()), 1)
    zone = (of.band.low, high)
    rows = [Row(answer, bar=share, zone=zone, note=f"{percent(share)} %") for answer, share in shares.items()]
    frame = Frame(NARROW, ROW, 1.05 * max(*shares.values(), high), note_width=52)
    entropy = percent(of.entropy_bits / of.entropy_of_uniform) if of.entropy_of_uniform else "100.0"
    title = f"{escape(in_words(name))} <small>{of.n:,} questions, entropy {entropy} %</small>"
    return f"<div><h3>{title}</h3>\n{row_chart(rows, frame, f'Answers to {in_words(name)} questions')}</div>"


def _baselines(audit: Audit) -> str:
    about = (
        "Right answers of baselines that do not hear the scenes. They learn from the training questions; the model of "
        "the text is chosen on the validation questions. Whiskers: two standard errors."
    )
    splits = report.trained_splits(audit)
    if not splits:
        return section("Baselines", "There are no training questions, or no others: nothing was trained.")
    above = [f"{100 * most:g}" for most in (MOST_ABOVE_FLOOR, MOST_ABOVE_FLOOR_OF_TYPE)]
    over = f"up to {above[0]} points above the floor over all, {above[1]} in a type"
    names = {style: report.NAMES[name] for name, style in STYLES.items()}
    parts = [legend(keys(names, over), KEY)]
    for split in reversed(splits):
        parts.append(f'<h3>{escape(split)}</h3><div class="scroll wide">{_baseline_chart(audit, split)}</div>')
        parts.append(_table(report.baseline_rows(audit, split)))
    return section("Baselines", about, *parts)


def _baseline_chart(audit: Audit, split: str) -> str:
    of = {name: audit.baselines[name][split] for name in STYLES}
    rows = []
    for kind in report.kinds_of(audit, of[CONSTANT_TYPE]):
        floor = of[CONSTANT_TYPE][kind].share
        marks = [
            Mark(
                style,
                of[name][kind].share,
                f"{report.NAMES[name]}: {percent(of[name][kind].share)} %",
                2 * of[name][kind].error if name == NGRAMS else 0.0,
            )
            for name, style in STYLES.items()
        ]
        over = MOST_ABOVE_FLOOR if kind == ALL else MOST_ABOVE_FLOOR_OF_TYPE
        rows.append(Row(in_words(kind), marks, zone=(floor, floor + over)))
    most = min(1.0, 0.1 + max(mark.value for row in rows for mark in row.marks))
    frame = Frame(WIDE, 28, most, [tick / 10 for tick in range(int(most * 10) + 1)])
    return row_chart(rows, frame, f"Right answers of baselines on the {split} questions, by type")


def _relations(audit: Audit) -> str:
    about = (
        "Every relation leads to the whole scene instead; a question that is ill-posed then is answered wrong. Over "
        "all splits, questions with relations only. Whiskers: two standard errors."
    )
    rows = report.relation_rows(audit)
    if len(rows) == 1:
        return section("Without relations", "No question states a relation.")
    blind = report.relation_scores(audit)
    drawn = []
    for kind, score in blind.items():
        zone = BLIND_TO_RELATIONS if report.is_yes_no(audit, kind) else (0.0, 0.0)
        words = f"{percent(score.share)} % of {score.n:,}"
        drawn.append(Row(in_words(kind), [Mark(2, score.share, words, 2 * score.error)], zone=zone))
    chart = row_chart(drawn, Frame(WIDE, 26, 1.0, QUARTERS), "Right answers without relations, by type")
    key = legend(keys({2: report.NAMES[RELATION_BLIND]}, "the goal"), KEY)
    return section("Without relations", about, key, f'<div class="scroll wide">{chart}</div>', _table(rows))


def _clauses(audit: Audit) -> str:
    about = (
        "In per cent of the questions to which it applies: the answer comes out when the program is executed again; "
        "some filter word can be left out, or some relation removed (labels and numbers) or reversed (numbers, yes or "
        "no), and the answer stays."
    )
    return section("Clauses that do not matter", about, _table(report.clause_rows(audit.figures[ALL])))


def _texts(audit: Audit) -> str:
    about = "Words without punctuation, in small letters except names such as notes."
    lengths = audit.figures[ALL].lengths
    chart = histogram(lengths, "words", "Questions by their number of words")
    card = f'<div class="plots"><div><h3>Words of a question</h3>\n{chart}</div></div>'
    return section("Texts and programs", about, _table(report.text_rows(audit)), card)


def _templates(audit: Audit) -> str:
    of = audit.figures[ALL]
    among = f" of {audit.templates:,}" if audit.templates is not None else ""
    used = f"{of.use.templates:,}{among} templates used"
    about = f"{used}: the most used {of.use.most:,} times, the median {of.use.median:g}."
    chart = curve(list(of.uses.values()), "Uses of each template, the most used first")
    most: Rows = [["most used", "questions"], *([name, f"{n:,}"] for name, n in [*of.uses.items()][:SHOWN_TEMPLATES])]
    card = f'<div class="plots"><div><h3>Uses by rank</h3>\n{chart}</div></div>'
    return section("Templates", about, card, _table(most, "wrap"))


def _origin(audit: Audit) -> str:
    pairs: list[tuple[str, object]] = [
        ("audited by", audit.generator),
        *((f"questions: {name}", value) for name, value in audit.questions.items()),
        *((f"scenes: {name}", value) for name, value in audit.scenes.items() if value is not None),
        *audit.environment.items(),
    ]
    listed = definitions((name, _short(value)) for name, value in pairs)
    return section("Where this comes from", "As in clear.json.", listed)


def _short(value: object) -> str:
    """A JSON value in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(item)}" for name, item in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
