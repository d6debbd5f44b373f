"""The command that publishes a dataset, and helpers shared with the one that publishes a run."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clear_gen.cli.parameters import DATASET

if TYPE_CHECKING:
    from clear_gen.store.shipment import Shipment

OPTIONS = (
    click.option("--repo", metavar="USER/NAME", help="Repository; made if it is not there. A dry run needs none."),
    click.option("--private", is_flag=True, help="Make it private; one that is public is refused."),
    click.option("--revision", metavar="BRANCH", help="Branch; it is made if it is not there.  [default: main]"),
    click.option("--dry-run", is_flag=True, help="List files and sizes; no network, no token."),
)


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that publishes."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def repo_of(repo: str | None, dry_run: bool) -> str:
    """The repository that ``--repo`` names, "" in a dry run without one. Raises InputError if it is no such name."""
    if repo is None and not dry_run:
        raise click.UsageError("--repo: found none, expected USER/NAME (or --dry-run)")
    if repo is not None and not (dry_run and find_spec("huggingface_hub") is None):
        from clear_gen.store import hub

        hub.check_repo(repo)
    return repo or ""


def ship(shipment: Shipment, source: Path, repo: str, private: bool, revision: str | None, dry_run: bool) -> None:
    """Publish or only list a shipment made from the folder ``source``; report the files left out."""
    from clear_gen.core.text import table
    from clear_gen.store.shipment import left_out, listing

    if dry_run:
        sizes = shipment.sizes
        click.echo("\n".join(table([["file", "bytes"], *([name, f"{size:,}"] for name, size in sizes.items())])))
        click.echo(
            f"\n{repo or source}: {len(sizes):,} files, {sum(sizes.values()) / 1e6:,.1f} MB; nothing is uploaded"
        )
    else:
        from clear_gen.store import hub

        click.echo(hub.publish(shipment, repo, private, revision))
    if rest := left_out(source, shipment.hashes):
        click.echo(f"left out: {listing(rest)}")


@click.command()
@click.argument("folder", type=DATASET, metavar="DIR", default=Path("clear2"))
@hub_options
@click.option("--without-audio", is_flag=True, help="Ship graphs, questions and hashes only, banks without audio too.")
def publish(
    folder: Path, repo: str | None, private: bool, revision: str | None, dry_run: bool, without_audio: bool
) -> None:
    """Publish a dataset on the Hugging Face Hub.

    Uploads what the Hub does not have yet, so the same command again goes on after a break; then compares sizes and
    hashes of all that the Hub lists with the folder. The token is that of `hf auth login` or HF_TOKEN. A dataset whose
    sources forbid redistribution needs --without-audio. Exit code 1 if the Hub fails, or lists something else.

    \b
    Example:
        clear-gen publish clear2 --repo me/clear2
    """
    target = repo_of(repo, dry_run)
    from clear_gen.datasets import publish

    with publish.dataset_shipment(folder, without_audio) as shipment:
        publish.check_whole(folder)
        ship(shipment, folder, target, private, revision, dry_run)


COMMANDS = (publish,)
