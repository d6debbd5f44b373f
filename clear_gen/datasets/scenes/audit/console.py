"""Output of ``clear-gen audit``, and wording shared with its page."""

from __future__ import annotations

from collections.abc import Sequence

from clear_gen.core.text import table
from clear_gen.datasets.scenes.audit.run import Audit
from clear_gen.questions.audit.figures import BANDS_FROM, Band, Figures, Spread
from clear_gen.questions.audit.text_only_baselines import (
    ALL,
    BANK_LOOKUP,
    CONSTANT_TEMPLATE,
    CONSTANT_TYPE,
    NGRAMS,
    Score,
    summed,
)
from clear_gen.questions.audit.thresholds import RELATION_BLIND, Threshold
from clear_gen.questions.language.vocabulary import YES

NAMES = {
    CONSTANT_TYPE: "best constant per type",
    CONSTANT_TEMPLATE: "best constant per template",
    NGRAMS: "n-grams of the text",
    BANK_LOOKUP: "bank look-up",
    RELATION_BLIND: "relation-blind",
}
TRAINED = (CONSTANT_TYPE, CONSTANT_TEMPLATE, NGRAMS, BANK_LOOKUP)
TYPE_HEADS = ("answers", "entropy, bits", "% of uniform", "templates", "most used", "median")
FEW_WORD = "few"
FEW = f"{FEW_WORD}: under {BANDS_FROM:,} questions, no verdict"
Rows = list[list[str]]


def in_words(name: str) -> str:
    """Display name of a question type, or of ALL."""
    return name.replace("_", " ")


def lines(audit: Audit) -> list[str]:
    """The audit as text, table by table."""
    tables = [
        (f"balance: least to greatest share of an answer ({FEW})", balance_rows(audit)),
        ("types, all splits together", type_rows(audit)),
        ("texts and programs", text_rows(audit)),
        ("clauses, all splits together", clause_rows(audit.figures[ALL])),
        *(
            (f"correct answers of text-only baselines, {split}", baseline_rows(audit, split))
            for split in [audit.judged]
            if split
        ),
        ("correct answers where every relation is left out, in %", relation_rows(audit)),
        ("thresholds", threshold_rows(audit.thresholds)),
    ]
    found = [summary(audit)]
    for title, rows in tables:
        if len(rows) > 1:
            found += ["", title, *(line.rstrip() for line in table(rows))]
    return found


def summary(audit: Audit) -> str:
    """One line: dataset, number of questions, rules."""
    splits = ", ".join(f"{split} {of.n:,}" for split, of in audit.figures.items() if split != ALL)
    rules, levels = audit.questions.get("rules"), audit.scenes.get("levels")
    said = [f"rules {rules}"] * (rules is not None) + [f"levels {levels}"] * (levels is not None)
    return "; ".join([f"{audit.folder}: {audit.figures[ALL].n:,} questions ({splits})", *said])


def trained_splits(audit: Audit) -> list[str]:
    """The splits on which fitted baselines are scored."""
    return list(audit.baselines.get(CONSTANT_TYPE, ()))


# --- tables: rows of cells, the first row being the head --------------------------------------------------------------


def percent(share: float) -> str:
    """A share, 0..1, in per cent.

    >>> percent(0.1234)
    '12.3'
    """
    return f"{100 * share:.1f}"


def band_values(band: Band) -> str:
    """What was found."""
    if band.unit == "times_uniform":
        return f"{band.most:.2f} x uniform"
    if band.unit == "difference":
        return f"{100 * band.least:+.1f} to {100 * band.most:+.1f} points"
    return f"{percent(band.least)} to {percent(band.most)} %"


def band_limits(band: Band) -> str:
    """What it is held to."""
    if band.unit == "times_uniform":
        return f"at most {band.high:g} x uniform"
    if band.unit == "difference":
        return f"{100 * band.low:+g} to {100 * band.high:+g} points"
    return f"{percent(band.low)} to {percent(band.high)} %"


def verdict(band: Band) -> str:
    """The verdict in words, also if there is none."""
    return band.verdict or FEW_WORD


def balance_rows(audit: Audit) -> Rows:
    """Every band of every split; ``few`` where there are too few questions for a verdict."""
    rows = [["", "limits", *(cell for split in audit.figures for cell in (split, ""))]]
    figures = audit.figures.values()
    first = audit.figures[ALL]
    bands = [("types, from what was asked", first.types_band, [of.types_band for of in figures])]
    bands += [(in_words(name), of.band, [one.types[name].band for one in figures]) for name, of in first.types.items()]
    for name, band, found in bands:
        rows.append([name, band_limits(band), *(cell for one in found for cell in (band_values(one), verdict(one)))])
    return rows


def type_rows(audit: Audit) -> Rows:
    """Number, share (and that of the published dataset), entropy and use of templates of every type."""
    figures, published = audit.figures[ALL], audit.published
    there = [f"{published.name} %"] if published else []
    rows = [["", "questions", "%", *there, *TYPE_HEADS]]
    for name, of in figures.types.items():
        relative = percent(of.entropy_bits / of.entropy_of_uniform) if of.entropy_of_uniform else ""
        share = [f"{published.type_shares.get(name, 0):g}"] if published else []
        rows.append([in_words(name), f"{of.n:,}", percent(of.share), *share])
        rows[-1] += [str(len(of.answers)), f"{of.entropy_bits:.2f}", relative]
        rows[-1] += [f"{of.use.templates:,}", f"{of.use.most:,}", f"{of.use.median:g}"]
    use = (f"{figures.use.templates:,}", f"{figures.use.most:,}", f"{figures.use.median:g}")
    return [*rows, [ALL, f"{figures.n:,}", "100.0", *["100"] * len(there), "", "", "", *use]]


def text_rows(audit: Audit) -> Rows:
    """The statistics of the published Table 2, split by split, and the published ones that are known."""
    figures, published = audit.figures.values(), audit.published
    vocabulary = [f"{published.vocabulary}" if published and published.vocabulary else ""]
    words = [f"{published.words_per_question:g}" if published and published.words_per_question else ""]
    quantities = [
        ("different words", [*(f"{of.vocabulary:,}" for of in figures), *vocabulary]),
        ("words of a question", [*(spread(of.words) for of in figures), *words]),
        ("different words of a question", [spread(of.different_words) for of in figures]),
        ("nodes of a program", [spread(of.nodes) for of in figures]),
        ("templates used", [f"{of.use.templates:,}" for of in figures]),
        ("uses of a template, most / median", [f"{of.use.most:,} / {of.use.median:g}" for of in figures]),
    ]
    there = [f"{published.name}, mean"] if published else []
    width = 1 + len(figures) + len(there)
    rows = [[name, *cells, ""][:width] for name, cells in quantities]
    return [["min / mean / max", *audit.figures, *there], *rows]


def spread(of: Spread) -> str:
    """Least, mean and greatest.

    >>> spread(Spread(6, 13.64, 25))
    '6 / 13.6 / 25'
    """
    return f"{of.least:g} / {of.mean:.1f} / {of.most:g}"


def clause_rows(figures: Figures) -> Rows:
    """Questions with a superfluous clause, in per cent of those with a clause of this kind."""
    rows = [["% of questions", "answer confirmed", "a word too many", "a relation removable", "a relation reversible"]]
    for name, of in [*((in_words(name), of.clauses) for name, of in figures.types.items()), (ALL, figures.clauses)]:
        parts = [(of.confirmed, of.n), (of.redundant, of.n)]
        parts += [(of.removable, of.removable_of), (of.reversible, of.reversible_of)]
        rows.append([name, *(percent(hits / n) if n else "" for hits, n in parts)])
    return rows


def baseline_rows(audit: Audit, split: str) -> Rows:
    """Correct answers in per cent, and by how much the n-gram model is above the floor."""
    of = {name: audit.baselines[name][split] for name in TRAINED}
    rows = [["%", "questions", *(NAMES[name] for name in TRAINED), "n-grams above floor"]]
    for kind in kinds_of(audit, of[CONSTANT_TYPE]):
        above = 100 * (of[NGRAMS][kind].share - of[CONSTANT_TYPE][kind].share)
        scores = [percent(of[name][kind].share) for name in TRAINED]
        rows.append([in_words(kind), f"{of[CONSTANT_TYPE][kind].n:,}", *scores, f"{above:+.1f}"])
    return rows


def kinds_of(audit: Audit, scores: dict[str, Score]) -> list[str]:
    """The types that were scored, in the order of the figures, then ALL."""
    return [kind for kind in [*audit.figures[ALL].types, ALL] if kind in scores and scores[kind].n]


def relation_scores(audit: Audit) -> dict[str, Score]:
    """Type -> the relation-blind score over all splits, in the order of the figures."""
    together = summed(audit.baselines[RELATION_BLIND].values())
    return {kind: together[kind] for kind in kinds_of(audit, together) if kind != ALL}


def relation_rows(audit: Audit) -> Rows:
    """The relation-blind scores split by split."""
    by_split = audit.baselines[RELATION_BLIND]
    rows = [["", *(cell for split in by_split for cell in (split, "questions"))]]
    for kind in relation_scores(audit):
        scores = [of.get(kind, Score(0, 0)) for of in by_split.values()]
        rows.append([in_words(kind), *(cell for one in scores for cell in (percent(one.share), f"{one.n:,}"))])
    return rows


def is_yes_no(audit: Audit, kind: str) -> bool:
    """Whether a type is answered by yes or no."""
    return YES in audit.figures[ALL].types[kind].answers


def threshold_rows(thresholds: Sequence[Threshold]) -> Rows:
    """Measured values next to their limits."""
    rows = [["", "", "found", "threshold", "questions"]]
    for one in thresholds:
        rows.append([one.name, one.verdict or FEW_WORD, found_value(one), limits(one), f"{one.n:,}"])
    return rows


def found_value(one: Threshold) -> str:
    """The value found, with the standard error if it is an estimate."""
    sign, unit = ("+", "points") if one.is_difference else ("", "%")
    error = f" ± {percent(one.error)}" if one.error else ""
    return f"{100 * one.value:{sign}.1f}{error} {unit}"


def limits(one: Threshold) -> str:
    """Format one limit or two."""
    unit = "points" if one.is_difference else "%"
    if one.low == one.high:
        return f"{100 * one.low:g} {unit}"
    if one.low == -1:
        return f"at most {100 * one.high:g} {unit}"
    return f"{100 * one.low:g} to {100 * one.high:g} {unit}"
