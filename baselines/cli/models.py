"""The command that lists the models."""

from __future__ import annotations

import click

SIZES = {"total": "params_total", "paper": "params_paper"}
COLUMNS = {
    "aqa": {**SIZES, "frozen": "params_frozen", "words": "n_words", "answers": "n_answers"},
    "sed": {**SIZES, "classes": "n_classes", "frames": "n_frames"},
}


@click.command()
@click.option(
    "--task",
    type=click.Choice(list(COLUMNS)),
    default="aqa",
    show_default=True,
    help="Acoustic question answering, or sound event detection.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, one object per model.")
def models(task: str, as_json: bool) -> None:
    """List the models: how many parameters they have at their published settings, and how many their papers print.

    total: all that is trained. paper: as the paper counts, which for NAAQA leaves out the GRUs. frozen: not trained.

    \b
    Example:
        clear-bench models
        clear-bench models --task sed
    """
    import json

    from baselines.models import listing
    from baselines.models.sed.registry import listing_sed
    from clear_gen.core.text import table

    rows = {"aqa": listing, "sed": listing_sed}[task]()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    columns = COLUMNS[task]
    head = ["name", "task", *columns, "published", "source"]
    lines = [
        [
            row["name"],
            row["task"],
            *(f"{row[key]:,}" for key in columns.values()),
            row["published"] or "-",
            row["source"] or "-",
        ]
        for row in rows
    ]
    click.echo("\n".join(table([head, *lines])))


COMMANDS = (models,)
