"""Commands that ask questions about scenes, answer them, and look after their templates."""

from __future__ import annotations

from pathlib import Path

import click

from clear_gen.cli.common import OUT_FILE, engine_options, shard_of_array, workers_of
from clear_gen.cli.parameters import DATASET, Source
from clear_gen.core.choice import Choice
from clear_gen.core.progress import busy, counting

DOMAIN = click.option("--domain", default="clear2", show_default=True, help="Name, or a folder with a domain.yaml.")
TEMPLATES = click.option(
    "--templates",
    type=Source("a file of templates (YAML or JSON)"),
    multiple=True,
    metavar="FILE",
    help="Families (YAML) or templates in CLEVR's form (JSON); may be repeated.  [default: the domain's]",
)
FOLDER = click.argument("folder", type=DATASET, metavar="DIR", default=Path("clear2"))


def _combination(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[tuple[str, str], ...]:
    parts = [tuple(text.strip() for text in part.split("=")) for part in value.split(",")] if value else []
    if any(len(part) != 2 or not all(part) for part in parts) or len({part[0] for part in parts}) != len(parts):
        raise click.BadParameter(f"found {value!r}, expected such as instrument=violin,note=C#")
    return tuple(sorted((name, label) for name, label in parts))


@click.command()
@FOLDER
@click.option("--per-scene", type=click.IntRange(1, 100), default=4, show_default=True, help="Questions per scene.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Every choice follows from it.")
@TEMPLATES
@click.option("--domain", "domain_folder", help="Folder of the domain's templates.  [default: the packaged ones]")
@click.option("--types", help="Question types, separated by commas.  [default: all of the domain's]")
@click.option(
    "--type-shares",
    metavar="uniform|clear2|FILE",
    help="How often each type is asked: equally often, as in CLEAR2, or as a YAML file of `type: share` lines says.  "
    "[default: uniform; with --rules paper that of the dataset that the domain resembles]",
)
@click.option(
    "--rules",
    type=Choice(["strict", "paper"]),
    default="strict",
    show_default=True,
    help="strict: every relation matters, answers are balanced within all that the text tells; "
    "paper: well-posed, balanced per type, types as often as the paper's data have them.",
)
@click.option(
    "--holdout",
    callback=_combination,
    help="A combination such as instrument=violin,note=C# that no training question needs; in the other splits the "
    "column needs_holdout says which questions do.",
)
@engine_options
@click.option("--num-shards", type=click.IntRange(min=1), help="Jobs that share the candidates.  [default: as scenes]")
@click.option("--shard-index", type=int, help="Which of them, from 0.  [default: as scenes]")
@click.option("--dry-run", is_flag=True, help="Print what would be asked; nothing is written.")
@click.option("--select", "select_only", is_flag=True, help="Only select: every shard has made its candidates.")
@click.option("--overwrite", is_flag=True, help="Replace the questions that are there.")
def questions(
    folder: Path,
    per_scene: int,
    seed: int,
    templates: tuple[Path, ...],
    domain_folder: str | None,
    types: str | None,
    type_shares: str | None,
    rules: str,
    holdout: tuple[tuple[str, str], ...],
    workers: int | None,
    engine: str,
    address: str | None,
    num_shards: int | None,
    shard_index: int | None,
    dry_run: bool,
    select_only: bool,
    overwrite: bool,
) -> None:
    """Ask questions about the scenes of a dataset, with answers that need the audio and are balanced.

    Candidates are made scene by scene (shards share them), then selected once for every split. The same command again
    goes on where it was interrupted.

    \b
    Example:
        clear-gen questions clear2 --per-scene 4
    """
    from clear_gen.datasets.scenes.manifest import finished_settings
    from clear_gen.datasets.scenes.questions import build as asking
    from clear_gen.datasets.scenes.questions import console
    from clear_gen.questions.templates.collection import read_templates
    from clear_gen.store.build import Execution, Shard

    domain = finished_settings(folder).domain
    read = read_templates(domain, templates, domain_folder)
    wanted = asking.checked_rules(domain, seed, per_scene, types, rules == "strict", holdout, read, type_shares)
    shard = Shard(*shard_of_array(shard_index, num_shards))
    if overwrite and select_only:
        raise click.UsageError("--overwrite: found with --select, which needs the candidates that are there")
    if overwrite and shard.of > 1:
        raise click.UsageError("--overwrite: found with several shards, which would remove each other's candidates")
    job = asking.question_job(folder, wanted, read)
    with workers_of(engine, address, workers) as (n, pool):
        execution = Execution(n, pool, shard, counting("scenes asked about"), overwrite)
        if dry_run:
            asking.check(job, execution)
            click.echo(console.plan(job))
        else:
            finished = asking.make_questions(job, execution, select_only)
            click.echo(console.summary(folder) if finished else console.shard_done(folder))


@click.command()
@FOLDER
@click.option("--question", "question_id", required=True, help="Id of the question, such as train-000017-2.")
@click.option("--trace", is_flag=True, help="Print every step in words.")
def answer(folder: Path, question_id: str, trace: bool) -> None:
    """Answer a question of a dataset from its scene graph, and compare with the answer that is stored.

    Exit code 1 if they differ.

    \b
    Example:
        clear-gen answer clear2 --question train-000017-2 --trace
    """
    from clear_gen.core.errors import CheckFailed
    from clear_gen.datasets.scenes.questions import console

    lines, right = console.answered(folder, question_id, trace)
    click.echo("\n".join(lines))
    if not right:
        raise CheckFailed(f"{question_id}: the stored answer is another one")


@click.command()
@FOLDER
@click.option("--scene", required=True, help="Id of the scene, such as train-000017.")
@click.option(
    "--program", type=Source("a program as JSON"), required=True, help="JSON: a list of {function, inputs, values}."
)
@click.option("--trace/--no-trace", default=True, show_default=True, help="Print every step in words.")
def ask(folder: Path, scene: str, program: Path, trace: bool) -> None:
    """Run any program on a scene. Exit code 1 if it has no certain answer.

    \b
    Example:
        clear-gen ask clear2 --scene train-000017 --program violins.json
    """
    from clear_gen.core.errors import CheckFailed
    from clear_gen.datasets.scenes.questions import console

    lines, outcome = console.asked(folder, scene, program, trace)
    click.echo("\n".join(lines))
    if outcome is not None:
        raise CheckFailed(f"{scene}: {outcome}")


@click.group()
def templates() -> None:
    """Templates of questions: export, lint.

    \b
    Example:
        clear-gen templates lint
    """


@templates.command("export")
@click.option("--out", type=OUT_FILE, required=True, help="JSON file to write.")
@TEMPLATES
@DOMAIN
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def templates_export(out: Path, templates: tuple[Path, ...], domain: str, overwrite: bool) -> None:
    """Write the templates in CLEVR's form, as `clear-gen questions --templates` reads them.

    \b
    Example:
        clear-gen templates export --out templates.json
    """
    from clear_gen.core.files import write_text
    from clear_gen.questions.templates.collection import read_templates
    from clear_gen.questions.templates.template import as_json
    from clear_gen.scenes.domain import load_domain

    if out.exists() and not overwrite:
        raise click.UsageError(f"{out}: exists; choose another --out, or --overwrite")
    rules = load_domain(domain)
    found = read_templates(rules, templates, domain)
    write_text(out, as_json(found))
    click.echo(f"{out}: {len(found):,} templates")


@templates.command("lint")
@TEMPLATES
@DOMAIN
def templates_lint(templates: tuple[Path, ...], domain: str) -> None:
    """Check the language of templates: agreement, articles, doubled phrases, words that contradict the program.

    Exit code 1 if anything is wrong.

    \b
    Example:
        clear-gen templates lint
    """
    from clear_gen.core.errors import CheckFailed
    from clear_gen.core.text import table
    from clear_gen.questions.templates.collection import counts_of, read_templates, words_of_templates
    from clear_gen.questions.templates.lint import lint
    from clear_gen.scenes.domain import load_domain

    rules = load_domain(domain)
    with busy("reading the templates"):
        found = read_templates(rules, templates, domain)
        findings = lint(found, rules, words_of_templates(rules, templates, domain))
    click.echo("\n".join(table(counts_of(found, rules))))
    for finding in findings:
        click.echo(f"{finding.template_id}: {finding.rule}: {finding.problem}")
    click.echo(f"{len(findings)} findings")
    if findings:
        raise CheckFailed(f"{len(findings)} finding{'s' * (len(findings) > 1)} in the templates")


COMMANDS = (questions, answer, ask, templates)
