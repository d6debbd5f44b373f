"""Commands that make, complete, check, draw and exchange datasets of scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clear_gen.cli.common import (
    OUT_FILE,
    OUT_FOLDER,
    cores,
    engine_options,
    shard_of_array,
    shard_options,
    workers_of,
)
from clear_gen.cli.parameters import BANK, DATASET, RECORDINGS, ROOT, YAML, Source
from clear_gen.core.choice import Choice
from clear_gen.core.hints import next_line
from clear_gen.core.progress import busy, counting


def _shares(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        shares = tuple(float(part) for part in value.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3:
        raise click.BadParameter(f"found {value!r}, expected three numbers such as 0.7,0.15,0.15")
    return shares


@click.command()
@click.option("--out", type=OUT_FOLDER, default=Path("clear2"), show_default=True, help="Folder of the dataset.")
@click.option("--n", type=int, help="Number of scenes in all splits together.  [default: 1000]")
@click.option("--bank", type=BANK, help="Training bank, also of the validation split.  [default: the embedded one]")
@click.option("--test-bank", type=BANK, help="Bank of the test split.")
@click.option("--domain", help="Name, or a folder with a domain.yaml.  [default: the bank's]")
@click.option("--splits", callback=_shares, help="Shares of train, validation, test.  [default: 0.7,0.15,0.15]")
@click.option("--seed", type=int, help="Every random choice follows from it.  [default: 0]")
@click.option("--sample-rate", type=int, help="In Hz.  [default: 48000]")
@click.option(
    "--levels",
    type=Choice(["recorded", "independent"]),
    help="Levels as recorded, or drawn by a fair coin per sound.  [default: recorded]",
)
@click.option(
    "--config", type=YAML, help="YAML file with these options, and `sampling` rules that replace the domain's."
)
@click.option("--allow-leak", is_flag=True, default=None, help="Also if test sounds are training recordings.")
@click.option("--no-audio", is_flag=True, help="Graphs only; `clear-gen render` adds the audio later.")
@engine_options
@shard_options
def scenes(
    out: Path,
    config: Path | None,
    no_audio: bool,
    workers: int | None,
    engine: str,
    address: str | None,
    num_shards: int | None,
    shard_index: int | None,
    dry_run: bool,
    overwrite: bool,
    **flags: Any,
) -> None:
    """Make scenes: graphs and audio, in three splits.

    The same command again makes what is missing. Several machines share the work with --num-shards and --shard-index.

    \b
    Example:
        clear-gen scenes --n 50000 --bank train.parquet --test-bank test.parquet --out clear2
    """
    from clear_gen.datasets.scenes import banks as dataset_banks
    from clear_gen.datasets.scenes import build, console, options
    from clear_gen.store.build import Execution, Shard, make

    asked, node = options.read_options({name: value for name, value in flags.items() if value is not None}, config)
    shard = Shard(*shard_of_array(shard_index, num_shards))
    if overwrite and shard.of > 1:
        raise click.UsageError("--overwrite: found with several shards, which would remove each other's files")
    with workers_of(engine, address, workers) as (n, pool):
        with busy("reading the banks"):
            settings, banks = dataset_banks.settings_and_banks(asked, not no_audio, config, node)
        execution = Execution(n, pool, shard, counting("scenes"), overwrite)
        plan = build.plan_dataset(out, settings, banks, execution)
        if asked.bank is not None:
            dataset_banks.check_leaks(banks, asked.allow_leak)
        if dry_run:
            with busy("rendering a few scenes"):
                click.echo(console.plan(settings, banks, execution))
        else:
            make(plan, execution)
            click.echo(console.summary(out, asked.domain))


@click.command()
@click.argument("folder", type=DATASET, metavar="DIR")
@engine_options
def render(folder: Path, workers: int | None, engine: str, address: str | None) -> None:
    """Add the audio to a dataset made with --no-audio.

    \b
    Example:
        clear-gen render clear2
    """
    from clear_gen.datasets.scenes import build, console
    from clear_gen.store.build import Execution

    with workers_of(engine, address, workers) as (n, pool):
        build.add_audio(folder, Execution(n, pool, progress=counting("scenes")))
    click.echo(console.summary(folder))


@click.command("finish")
@click.argument("folder", type=DATASET, metavar="DIR")
def finish_(folder: Path) -> None:
    """Check that every shard has delivered, then write clear.json and the dataset card.

    The last shard does this by itself; this command says what is missing when one did not.

    \b
    Example:
        clear-gen finish clear2
    """
    from clear_gen.datasets.registry import kind_in
    from clear_gen.store.finish import finish

    kind = kind_in(folder)
    finish(folder, kind)
    click.echo(kind.summary(folder))


@click.command()
@click.argument("folder", type=DATASET, metavar="DIR")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Render this many scenes again, drawn by chance.",
)
@click.option("--all", "all_", is_flag=True, help="Render every scene again.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option("--events", type=RECORDINGS, help="The events of mixtures, to make some again.")
@click.option("--backgrounds", type=RECORDINGS, help="Their backgrounds.")
@click.option("--root", type=ROOT, metavar="DIR", help="Where paths in their CSV tables may lead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every finding (docs/validate.md).")
def validate(
    folder: Path,
    sample: int,
    all_: bool,
    workers: int | None,
    events: Path | None,
    backgrounds: Path | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Check a dataset: every hash, every graph (drawn again from the seed), every scene's audio, the banks, and some
    scenes rendered again. Of mixtures also SNRs, folds, annotations and stems.

    Exit code 1 if anything is wrong, with the first findings of every cause.

    \b
    Example:
        clear-gen validate clear2 --all
    """
    from clear_gen.core.errors import CheckFailed
    from clear_gen.datasets.registry import kind_to_validate
    from clear_gen.store.kind import SourcePaths
    from clear_gen.store.validate import outcome_json, outcome_lines

    if (events is None) != (backgrounds is None):
        raise click.UsageError("--events and --backgrounds: found one of them, expected both or none")
    recordings = None if events is None or backgrounds is None else SourcePaths(events, backgrounds, root)
    result = kind_to_validate(folder).validate(folder, recordings, None if all_ else sample, workers or cores())
    click.echo(outcome_json(result, folder) if as_json else "\n".join(outcome_lines(result)))
    if n_findings := len(result.findings):
        raise CheckFailed(f"{folder}: {n_findings} finding{'s' * (n_findings > 1)}")


@click.command()
@click.argument("folder", type=DATASET, metavar="DIR")
@click.option("--scene", help="Id of the scene.  [default: the first of the first split]")
@click.option("--mixture", help="Id of the mixture.  [default: the first of the first fold]")
@click.option("--snr", help="Of mixtures: which SNR in dB, or which config.  [default: the first]")
@click.option(
    "--out", type=OUT_FILE, default=Path("scene.png"), show_default=True, help="Picture to write (png, svg, pdf)."
)
def show(folder: Path, scene: str | None, mixture: str | None, snr: str | None, out: Path) -> None:
    """Draw a scene (waveform, mel spectrogram and its labelled sounds) or a mixture.

    \b
    Example:
        clear-gen show clear2 --scene train-000017 --out scene.png
        clear-gen show mixtures --mixture fold1-000017 --snr 10 --out mixture.png
    """
    from clear_gen.core.errors import InputError
    from clear_gen.datasets.registry import kind_in

    kind, record_ids = kind_in(folder), {"scene": scene, "mixture": mixture}
    record_id = record_ids.pop(kind.record, None)
    if wrong := [name for name, given in record_ids.items() if given is not None]:
        expected = f"expected --{kind.record}"
        raise InputError(f"--{wrong[0]}: found one, but {folder} holds {kind.name}; {expected}")
    kind.draw(folder, record_id, snr, out)
    click.echo(out)


@click.command()
@click.argument("folder", type=DATASET, metavar="DIR")
@click.argument("out", type=OUT_FOLDER, metavar="OUT")
@click.option(
    "--format",
    "format_",
    type=Choice(["clear", "audiofolder", "dcase", "jams"]),
    required=True,
    help="Layout of OUT.",
)
@click.option("--overwrite", is_flag=True, help="Write into a folder that is not empty.")
def export(folder: Path, out: Path, format_: str, overwrite: bool) -> None:
    """Write a dataset in another layout, the audio's bytes as they are.

    \b
    Formats:
        clear        the published CLEAR generator's: JSON of scenes and questions per
                     split, one FLAC per scene; existing CLEAR and NAAQA code reads it
        audiofolder  the Hugging Face Hub's: FLAC files and metadata beside them
        dcase        of mixtures: FLAC files, and tables of strong and weak labels
        jams         of mixtures: FLAC files, and beside each a JAMS file as Scaper writes it

    The same command again continues an export that was interrupted, changes nothing of one that is complete, and
    makes it anew where DIR has changed since.

    \b
    Example:
        clear-gen export clear2 --format clear clear2-json
    """
    from clear_gen.core.errors import InputError
    from clear_gen.datasets.registry import kind_in

    kind = kind_in(folder)
    if format_ not in kind.exports:
        expected = " or ".join(kind.exports) or "one that this kind has: none"
        raise InputError(f"--format: found {format_}, but {folder} holds {kind.name}; expected {expected}")
    click.echo(kind.exports[format_](folder, out, overwrite))


@click.command("import")
@click.argument("format_", metavar="FORMAT", type=Choice(["clear"]))
@click.argument("source", type=Source("a folder in the layout of the CLEAR generator"), metavar="SRC")
@click.option("--out", type=OUT_FOLDER, required=True, help="Folder of the dataset.")
@click.option("--domain", default="clear2", show_default=True, help="Name, or a folder with a domain.yaml.")
@click.option("--overwrite", is_flag=True, help="Replace a dataset that is already in the folder.")
def import_(format_: str, source: Path, out: Path, domain: str, overwrite: bool) -> None:
    """Make a dataset of scenes that exist already, with their labels, positions and audio as they are.

    FORMAT is clear: the published CLEAR generator's layout, the published dataset included. Scenes that this package
    exported come back as they were. Imported scenes cannot be rendered again: their sounds are not there.

    \b
    Example:
        clear-gen import clear CLEAR_dataset --out published
    """
    from clear_gen.datasets.scenes.clear_format.importer import import_clear_layout
    from clear_gen.scenes.domain import load_domain

    click.echo(import_clear_layout(source, out, load_domain(domain), counting("scenes imported"), overwrite))
    click.echo(next_line("clear-gen validate", out))


COMMANDS = (scenes, render, finish_, validate, show, export, import_)
