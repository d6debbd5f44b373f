"""The command that lists the models."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, one object per model.")
def models(as_json: bool) -> None:
    """List the models: how many parameters they have at their published settings, and how many their papers print.

    total: all that is trained. paper: as the paper counts, which for NAAQA leaves out the GRUs. frozen: not trained.

    \b
    Example:
        clear-bench models
    """
    import json

    from baselines.models import listing
    from clear_gen.io import table

    rows = listing()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    head = ["name", "task", "total", "paper", "frozen", "words", "answers", "published", "source"]
    numbers = "params_total", "params_paper", "params_frozen", "n_words", "n_answers"
    lines = [
        [row["name"], row["task"], *(f"{row[key]:,}" for key in numbers), row["published"] or "-", row["source"] or "-"]
        for row in rows
    ]
    click.echo("\n".join(table([head, *lines])))


COMMANDS = (models,)
