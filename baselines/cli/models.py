"""The command that lists the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from clear_gen.core.names import not_among

COUNTS = {"total": "params_total", "paper": "params_paper", "frozen": "params_frozen"}


@click.command()
@click.option("--task", metavar="NAME", help="Only the models of this task: aqa or sed.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, one object per model.")
def models(task: str | None, as_json: bool) -> None:
    """List the models by task: how many parameters they have at their published settings, and their papers print.

    total: all that is trained. paper: as the paper counts, which for NAAQA leaves out the GRUs. frozen: not trained.

    \b
    Example:
        clear-bench models
        clear-bench models --task sed
    """
    import json

    from baselines.models.registry import listing
    from baselines.tasks.registry import TASKS

    if task is not None and task not in TASKS:
        raise click.UsageError(f"--task: {not_among(task, TASKS)}")
    rows = {name: listing(one.models) for name, one in TASKS.items() if task in (None, name)}
    if as_json:
        click.echo(json.dumps([row for group in rows.values() for row in group], indent=1))
        return
    parts = []
    for name, group in rows.items():
        sizes = next(iter(TASKS[name].models.values())).sizes
        parts.append(f"{TASKS[name].title}\n{_table(group, sizes)}")
    click.echo("\n\n".join(parts))


def _table(rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]) -> str:
    """The models of one task as aligned lines; ``sizes``: dimensions that determine the parameter counts."""
    from clear_gen.core.text import table

    columns = {**COUNTS, **{name.removeprefix("n_"): name for name in sizes}}
    lines = [
        [row["name"], *(f"{row[key]:,}" for key in columns.values()), row["published"] or "-", row["source"] or "-"]
        for row in rows
    ]
    return "\n".join(table([["name", *columns, "published", "source"], *lines]))


COMMANDS = (models,)
