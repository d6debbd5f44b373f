"""The dataset card's section about the questions."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from clear_gen.core.text import table
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.questions.files import QuestionsManifest
from clear_gen.datasets.scenes.statistics import Words, words_line
from clear_gen.questions.generation.type_shares import UNIFORM, normalised, published_shares
from clear_gen.scenes.domain import Domain

SHARES_FILE = "shares.yaml"


def counts_line(asked: QuestionsManifest) -> str:
    """A sentence with the number of questions."""
    splits = ", ".join(f"{split} {counts.written:,}" for split, counts in asked.splits.items())
    return f"- questions: {splits}, of {len(_types(asked))} types"


def _types(asked: QuestionsManifest) -> list[str]:
    return sorted({name for counts in asked.splits.values() for name, n in counts.of_type.items() if n})


def questions_text(asked: QuestionsManifest, settings: Settings, words: Words) -> str:
    """The section about the questions: how many of each type, in which words, where they come from."""
    there = _types(asked)
    listed = [name for name in settings.domain.question_types if name in there]
    rows = type_rows(asked, settings.domain, [*listed, *(name for name in there if name not in listed)])
    counted = "\n".join([*table(rows), "", words_line(settings.domain, words)])
    return f"## Questions\n\n```text\n{counted}\n```\n\n{_origin(asked, settings)}"


def type_rows(asked: QuestionsManifest, domain: Domain, types: Sequence[str]) -> list[list[str]]:
    """Questions of every type by split, and shares in per cent, beside the published ones if the domain has them."""
    published, shares = domain.published, published_shares(domain)
    rows = [["type", *asked.splits, "%", *([f"{published.name} %"] if published and shares else [])]]
    for name in types:
        counts = [of.of_type.get(name, 0) for of in asked.splits.values()]
        there = [f"{100 * shares.get(name, 0):.1f}"] if shares else []
        rows.append([name, *(f"{n:,}" for n in counts), f"{100 * sum(counts) / max(1, asked.total):.1f}", *there])
    total = ["100.0"] * (2 if shares else 1)
    return [*rows, ["all", *(f"{counts.written:,}" for counts in asked.splits.values()), *total]]


def _origin(asked: QuestionsManifest, settings: Settings) -> str:
    if asked.imported:
        files = "\n".join(f"- `{name}`: SHA-256 `{sha}`" for name, sha in asked.imported.items())
        return (
            "Imported from the layout of the published CLEAR generator, with the answers as they were found there;\n"
            f"`clear-gen validate .` lists those that the scenes do not bear out.\n\n{files}"
        )
    identity = asked.identity
    lines = [
        f"By {identity['generator']}, seed {identity['seed']}, at most {identity['per_scene']} a scene. "
        + RULES[identity["rules"]],
    ]
    if asked.holdout:
        combination = " and ".join(f"{name} {value}" for name, value in asked.holdout.items())
        lines.append(
            f"No training question needs a sound with {combination}; `needs_holdout` marks the others that do."
        )
    templates = identity["templates"]
    lines.append(
        f"The {templates['n']:,} templates have the SHA-256\n`{templates['sha256']}`; where they are not the packaged\n"
        "ones, `clear-gen questions --templates FILE` names them."
    )
    if _asked_shares(asked, settings) == SHARES_FILE:
        shares = ", ".join(f"{name}: {share!r}" for name, share in asked.type_shares.items())
        lines.append(f"Shares of the types, `{SHARES_FILE}` in the commands below: `{{{shares}}}`.")
    if settings.imported:
        lines.append(f"To make the same questions again: `{command(asked, settings, '.')} --overwrite`.")
    return "\n".join(lines)


RULES = {
    "strict": "Every relation matters, and answers\nare balanced within all that the text tells.",
    "paper": "The paper's rules: every question is\nwell-posed, answers are balanced per type only.",
}


def command(asked: QuestionsManifest, settings: Settings, folder: str) -> str:
    """The command that makes these questions of the scenes in ``folder``."""
    identity = asked.identity
    options = [f"--per-scene {identity['per_scene']}", f"--seed {identity['seed']}"]
    if identity["types"] != list(settings.domain.question_types):
        options.append(f"--types {quote(','.join(identity['types']))}")
    if identity["rules"] != "strict":
        options.append(f"--rules {identity['rules']}")
    if (shares := _asked_shares(asked, settings)) is not None:
        options.append(f"--type-shares {shares}")
    if asked.holdout:
        options.append(f"--holdout {quote(','.join(f'{name}={value}' for name, value in asked.holdout.items()))}")
    return f"clear-gen questions {folder} {' '.join(options)}"


def _asked_shares(asked: QuestionsManifest, settings: Settings) -> str | None:
    """What ``--type-shares`` has to say, None where the rules say it."""
    shares, types = published_shares(settings.domain), asked.identity["types"]
    published = normalised({name: shares[name] for name in types if name in shares})
    usual = published if asked.identity["rules"] == "paper" else {}
    if asked.type_shares == usual:
        return None
    return SHARES_FILE if asked.type_shares else UNIFORM
