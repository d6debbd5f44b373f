"""Commands that make datasets of mixtures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clear_gen.cli.common import (
    OUT_FOLDER,
    ListingCommand,
    engine_options,
    shard_of_array,
    shard_options,
    workers_of,
)
from clear_gen.cli.parameters import RECORDINGS, ROOT, YAML, RegistryChoice
from clear_gen.core.choice import Choice
from clear_gen.core.progress import busy, counting

if TYPE_CHECKING:
    from clear_gen.datasets.mixtures.manifest import MixtureSettings
    from clear_gen.mixtures.recipes.registry import Recipe
    from clear_gen.mixtures.recordings.types import Background, Event
    from clear_gen.store.build import Execution


def _recipes() -> dict[str, Recipe]:
    from clear_gen.mixtures.recipes.registry import RECIPES

    return RECIPES


def _recipe_summaries() -> dict[str, str]:
    return {name: recipe.summary for name, recipe in _recipes().items()}


@click.command(cls=ListingCommand, listing="Recipes", summaries=_recipe_summaries)
@click.option("--events", type=RECORDINGS, required=True, help="Labelled recordings: a folder, a CSV table, a corpus.")
@click.option("--backgrounds", type=RECORDINGS, required=True, help="Backgrounds: the same, without labels.")
@click.option("--out", type=OUT_FOLDER, default=Path("mixtures"), show_default=True, help="Folder of the dataset.")
@click.option(
    "--n", type=click.IntRange(min=1), default=1000, show_default=True, help="Mixtures in all folds together."
)
@click.option("--snr", type=float, multiple=True, help="In dB, several times for several.  [default: 0, 10 and 20]")
@click.option(
    "--recipe", type=RegistryChoice(_recipes), default="default", show_default=True, help="How to mix, see below."
)
@click.option(
    "--legacy-repeat", is_flag=True, help="With the repeated permutations of the code that was published with a recipe."
)
@click.option("--folds", type=int, default=4, show_default=True, help="Folds, which share no recording's group.")
@click.option("--duration", type=float, help="Of every mixture, in s.  [default: 10]")
@click.option("--sample-rate", type=int, default=32_000, show_default=True, help="In Hz.")
@click.option("--snr-measure", type=Choice(["rms", "lufs"]), help="What the SNR compares.  [default: rms]")
@click.option("--max-polyphony", type=int, help="Most events at a time.  [default: 1]")
@click.option("--config", type=YAML, help="YAML file of rules: numbers or distributions for every parameter.")
@click.option("--seed", type=click.IntRange(min=0), help="Every random choice follows from it.  [default: 0]")
@click.option("--stems", is_flag=True, help="Also background and events apart, FLAC of 24 bit.")
@click.option("--allow-missing", is_flag=True, help="Leave out what has no file; a fold may lack a label.")
@click.option(
    "--root", type=ROOT, metavar="DIR", help="Where paths in your own CSV tables may lead; absolute ones too."
)
@click.option(
    "--skip-unusable", is_flag=True, help="Leave out recordings that cannot be used, listed in OUT.unusable.csv."
)
@engine_options
@shard_options
def mix(
    events: Path,
    backgrounds: Path,
    out: Path,
    config: Path | None,
    allow_missing: bool,
    root: Path | None,
    skip_unusable: bool,
    workers: int | None,
    engine: str,
    address: str | None,
    num_shards: int | None,
    shard_index: int | None,
    dry_run: bool,
    overwrite: bool,
    **flags: Any,
) -> None:
    """Mix labelled events over backgrounds at chosen SNRs, in folds that share no recording.

    The same events at the same places are mixed at every SNR. The same command again makes what is missing. Several
    machines share the work with --num-shards and --shard-index.

    \b
    Example:
        clear-gen mix --events FSDKaggle2018 --backgrounds TAU2019 --n 8000 --snr 0 --snr 10 --snr 20
    """
    from clear_gen.datasets.mixtures import build, console, outlook
    from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
    from clear_gen.store.build import Execution, Shard

    settings = _settings(config, {**flags, "allow_missing": allow_missing})
    shard = Shard(*shard_of_array(shard_index, num_shards))
    if overwrite and shard.of > 1:
        raise click.UsageError("--overwrite: found with several shards, which would remove each other's files")
    with workers_of(engine, address, workers) as (n, pool):
        build.check_place(out, settings, overwrite)
        with busy("looking for the recordings"):
            sounds = read_events(events, allow_missing=allow_missing, root=root)
            under = read_backgrounds(backgrounds, allow_missing=allow_missing, root=root)
        execution = Execution(n, pool, shard, counting("mixtures"), overwrite)
        if skip_unusable:
            build.check_possible(settings, sounds, under)  # before all of them are read
            sounds, under = _usable(None if dry_run else out, settings, sounds, under, execution)
        if dry_run:
            build.plan_dataset(out, settings, sounds, under, execution)
            with busy("making a few mixtures"):
                click.echo(outlook.mixture_outlook(settings, sounds, under, execution))
        else:
            build.create_mixtures(out, settings, sounds, under, execution)
            click.echo(console.mixture_summary(out))


def _usable(
    out: Path | None,
    settings: MixtureSettings,
    events: list[Event],
    backgrounds: list[Background],
    execution: Execution,
) -> tuple[list[Event], list[Background]]:
    """The recordings that can be used; the others are named, and listed beside ``out`` unless it is None."""
    from clear_gen.core.gathering import Gathering, unusable_path
    from clear_gen.datasets.mixtures.usable import usable_recordings

    gathering = Gathering(skip=True)
    usable = usable_recordings(settings, events, backgrounds, execution, gathering)
    gathering.finish()
    if gathering.reasons and out is not None:
        gathering.write(unusable_path(out))
    return usable


def _settings(config: Path | None, flags: dict[str, Any]) -> MixtureSettings:
    """What the user chose: rules by file and flags, and the flags that are no rules."""
    from clear_gen.datasets.mixtures.options import check_options, mixture_rules, mixture_settings

    rules = {"duration": "duration_s", "snr_measure": "snr_measure", "max_polyphony": "max_polyphony"}
    optional = {name: flags[name] for name in ("seed", *rules)} | {"config": config}
    given = [name for name, value in optional.items() if value is not None]
    check_options(flags["recipe"], [*given, *["legacy_repeat"] * flags["legacy_repeat"]])
    changed = {field: flags[option] for option, field in rules.items() if option in given}
    others = {name: value for name, value in flags.items() if name not in (*rules, "folds", "snr")}
    return mixture_settings(rules=mixture_rules(config, changed), n_folds=flags["folds"], snrs=flags["snr"], **others)


COMMANDS = (mix,)
