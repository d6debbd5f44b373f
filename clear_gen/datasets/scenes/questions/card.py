"""The dataset card's section about the questions."""

from __future__ import annotations

from shlex import quote

from clear_gen.core.text import table
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.questions.files import QuestionsManifest


def counts_line(asked: QuestionsManifest) -> str:
    """A sentence with the number of questions."""
    splits = ", ".join(f"{split} {counts.written:,}" for split, counts in asked.splits.items())
    return f"- questions: {splits}, of {len(_types(asked))} types"


def _types(asked: QuestionsManifest) -> list[str]:
    return sorted({name for counts in asked.splits.values() for name, n in counts.of_type.items() if n})


def questions_text(asked: QuestionsManifest, settings: Settings) -> str:
    """The section about the questions: how many of each type, where they come from."""
    there = _types(asked)
    listed = [name for name in settings.domain.question_types if name in there]
    names = [*listed, *(name for name in there if name not in listed)]
    rows = [["type", *asked.splits]]
    rows += [[name, *(f"{counts.of_type.get(name, 0):,}" for counts in asked.splits.values())] for name in names]
    rows.append(["all", *(f"{counts.written:,}" for counts in asked.splits.values())])
    counted = "\n".join(table(rows))
    return f"## Questions\n\n```text\n{counted}\n```\n\n{_origin(asked, settings)}"


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
    if asked.holdout:
        options.append(f"--holdout {quote(','.join(f'{name}={value}' for name, value in asked.holdout.items()))}")
    return f"clear-gen questions {folder} {' '.join(options)}"
