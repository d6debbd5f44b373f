"""The command that lists the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from clear_gen.core.names import not_among

COUNTS = {"total": "params_total", "paper": "params_paper", "frozen": "params_frozen"}


@click.command()
@click.option("--task", metavar="NAME", help="Only the models of this task: aqa or sed.")
@click.option("--layers", "of", metavar="NAME", help="The layers of this model: output sizes and parameters.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, one object per model, or per layer.")
def models(task: str | None, of: str | None, as_json: bool) -> None:
    """List the models by task: how many parameters they have at their published settings, and their papers print.

    total: all that is trained. paper: as the paper counts, which for NAAQA leaves out the GRUs. frozen: not trained.

    \b
    Example:
        clear-bench models
        clear-bench models --task sed
        clear-bench models --layers naaqa-parallel-optimized
    """
    import json

    from baselines.models.registry import listing
    from baselines.tasks.registry import TASKS

    if of is not None:
        if task is not None:
            raise click.UsageError("--layers: found with --task, expected one of the two")
        _print_layers(of, as_json)
        return
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


def _print_layers(name: str, as_json: bool) -> None:
    """The layers of a model as a table, or as JSON."""
    import json
    from dataclasses import asdict

    from baselines.models.layer_table import layers
    from clear_gen.core.text import table

    found = layers(name)
    if as_json:
        click.echo(json.dumps([asdict(layer) for layer in found], indent=1))
        return
    rows = [["layer", "module", "output", "parameters"]]
    rows += [
        [one.name, one.kind, " x ".join(map(str, one.output)), f"{one.params:,}" if one.params else ""] for one in found
    ]
    total = sum(one.params for one in found)
    click.echo("\n".join(line.rstrip() for line in table([*rows, ["all", "", "", f"{total:,}"]])))


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
