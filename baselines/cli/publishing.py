"""The command that publishes a run."""

from __future__ import annotations

from pathlib import Path

import click

from clear_gen.cli.parameters import RUN
from clear_gen.cli.publishing import hub_options, repo_of, ship


@click.command()
@click.argument("run", type=RUN)
@hub_options
def publish(run: Path, repo: str | None, private: bool, revision: str | None, dry_run: bool) -> None:
    """Publish a trained RUN on the Hugging Face Hub: the weights of its best epoch, its configuration, features and
    words, its results, and a model card made of them unless RUN has a README.md.

    Uploads what the Hub does not have yet, and compares what it lists with the folder. The token is that of
    `hf auth login` or HF_TOKEN. Exit code 1 if the Hub fails, or lists something else.

    \b
    Example:
        clear-bench publish run --repo me/naaqa
    """
    target = repo_of(repo, dry_run)
    from baselines.core.publish import run_shipment
    from baselines.tasks.registry import task_of_run

    with run_shipment(run, task_of_run(run)) as shipment:
        ship(shipment, run, target, private, revision, dry_run)


COMMANDS = (publish,)
