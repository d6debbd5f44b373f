"""The command line: one thin command per verb. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

import click

from clear_gen import __version__

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
PATH = click.Path(path_type=Path)


def main() -> None:
    """Entry point ``clear-gen``: run a command, turn every expected error into one line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; returns 0 done, 1 a check or a job failed, 2 wrong usage or input, 130 interrupted."""
    try:
        cli.main(arguments, prog_name="clear-gen", standalone_mode=False)
        return DONE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to go on", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains as it exits
        return DONE
    except Exception as error:
        return _expected(error)


def _expected(error: Exception) -> int:
    from clear_gen.io import CheckFailed, InputError

    if not isinstance(error, InputError | CheckFailed | OSError):
        raise error
    message = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{os.fsdecode(error.filename)}: {error.strerror}"
    click.echo(f"clear-gen: {' '.join(message.split())}", err=True)
    return WRONG_INPUT if isinstance(error, InputError) else FAILED


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="clear-gen")
def cli() -> None:
    """Acoustic question answering datasets with exact labels.

    Elementary sounds become scenes, scenes become audio. Start with:

    \b
        clear-gen scenes --n 100 --out clear2
        clear-gen show clear2 --out scene.png
    """


# --- scenes -----------------------------------------------------------------------------------------------------------


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


@cli.command()
@click.option("--out", type=PATH, default=Path("clear2"), show_default=True, help="Folder of the dataset.")
@click.option("--n", type=int, help="Number of scenes in all splits together.  [default: 1000]")
@click.option("--bank", type=PATH, help="Training bank, also of the validation split.  [default: the embedded one]")
@click.option("--test-bank", type=PATH, help="Bank of the test split.")
@click.option("--domain", help="Name, or a folder with a domain.yaml.  [default: the bank's]")
@click.option("--splits", callback=_shares, help="Shares of train, validation, test.  [default: 0.7,0.15,0.15]")
@click.option("--seed", type=int, help="Every random choice follows from it.  [default: 0]")
@click.option("--sample-rate", type=int, help="In Hz.  [default: 48000]")
@click.option(
    "--levels",
    type=click.Choice(["recorded", "independent"]),
    help="Levels as recorded, or drawn by a fair coin per sound.  [default: recorded]",
)
@click.option(
    "--config", type=PATH, help="YAML file with these options, and `sampling` rules that replace the domain's."
)
@click.option("--no-audio", is_flag=True, help="Graphs only; `clear-gen render` adds the audio later.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option(
    "--num-shards",
    type=click.IntRange(min=1),
    help="Jobs that share the work.  [default: SLURM_ARRAY_TASK_COUNT, or 1]",
)
@click.option("--shard-index", type=int, help="Which of them, from 0.  [default: from SLURM_ARRAY_TASK_ID, or 0]")
@click.option("--dry-run", is_flag=True, help="Print what would be made, how long it takes and how large it gets.")
@click.option("--overwrite", is_flag=True, help="Replace a dataset that is already in the folder.")
def scenes(
    out: Path,
    config: Path | None,
    no_audio: bool,
    workers: int | None,
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
    from clear_gen.dataset import banks as dataset_banks
    from clear_gen.dataset import build, options, report

    asked, node = options.read_options({name: value for name, value in flags.items() if value is not None}, config)
    with _busy("reading the banks"):
        banks, domain = dataset_banks.banks_for(asked)
    settings = options.settings_from(asked, domain, not no_audio, config, node)
    shard, workers = build.Shard(*_shard(shard_index, num_shards)), workers or _cores()
    if overwrite and shard.of > 1:
        raise click.UsageError("--overwrite: found with several shards, which would remove each other's files")
    if dry_run:
        with _busy("rendering a few scenes"):
            plan = report.plan(settings, banks, shard, workers)
        click.echo(plan)
        return
    build.create(out, settings, banks, shard, workers, report.progress, overwrite)
    click.echo(report.summary(out))


def _shard(index: int | None, of: int | None) -> tuple[int, int]:
    """(index from 0, number of shards), by flags or by the SLURM array, whatever its first index and step are."""
    texts = {name: os.environ.get(f"SLURM_ARRAY_TASK_{name}", "0") for name in ("ID", "COUNT", "MIN", "STEP")}
    if wrong := [f"SLURM_ARRAY_TASK_{name}" for name, text in texts.items() if not text.isdecimal()]:
        raise click.UsageError(f"{wrong[0]}: found no whole number; unset it, or give --num-shards and --shard-index")
    array = {name: int(text) for name, text in texts.items()}
    if of is None:
        of = array["COUNT"] or 1
    if index is None:
        index = (array["ID"] - array["MIN"]) // (array["STEP"] or 1) if array["COUNT"] else 0
    if not 0 <= index < of:
        raise click.UsageError(f"--shard-index: found {index}, expected 0 to {of - 1} (--num-shards {of})")
    return index, of


@cli.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
def render(folder: Path, workers: int | None) -> None:
    """Add the audio to a dataset made with --no-audio.

    \b
    Example:
        clear-gen render clear2
    """
    from clear_gen.dataset import build, report

    build.add_audio(folder, workers or _cores(), report.progress)
    click.echo(report.summary(folder))


@cli.command("finish")
@click.argument("folder", type=PATH, metavar="DIR")
def finish_(folder: Path) -> None:
    """Check that every shard has delivered, then write clear.json and the dataset card.

    The last shard does this by itself; this command says what is missing when one did not.

    \b
    Example:
        clear-gen finish clear2
    """
    from clear_gen.dataset import finish, report

    finish.finish(folder)
    click.echo(report.summary(folder))


@cli.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Render this many scenes again, drawn by chance.",
)
@click.option("--all", "all_", is_flag=True, help="Render every scene again.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
def validate(folder: Path, sample: int, all_: bool, workers: int | None) -> None:
    """Check a dataset: every hash, every graph (drawn again from the seed), every scene's audio, the banks, and some
    scenes rendered again.

    Exit code 1, with the list of what is wrong, if anything is.

    \b
    Example:
        clear-gen validate clear2 --all
    """
    from clear_gen.dataset import report
    from clear_gen.dataset import validate as validation
    from clear_gen.io import CheckFailed

    result = validation.validate(folder, None if all_ else sample, workers or _cores(), report.progress)
    click.echo("\n".join(validation.lines(result)))
    if result.findings:
        raise CheckFailed(f"{folder}: {len(result.findings)} finding{'s' * (len(result.findings) > 1)}")


@cli.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--scene", help="Id of the scene.  [default: the first of the first split]")
@click.option(
    "--out", type=PATH, default=Path("scene.png"), show_default=True, help="Picture to write (png, svg, pdf)."
)
def show(folder: Path, scene: str | None, out: Path) -> None:
    """Draw a scene: waveform, mel spectrogram and its labelled sounds.

    \b
    Example:
        clear-gen show clear2 --scene train-000017 --out scene.png
    """
    from clear_gen.dataset import figure

    figure.draw_scene(folder, scene, out)
    click.echo(out)


@cli.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.argument("out", type=PATH, metavar="OUT")
@click.option("--format", "format_", type=click.Choice(["clear", "audiofolder"]), required=True, help="Layout of OUT.")
@click.option("--overwrite", is_flag=True, help="Write into a folder that is not empty.")
def export(folder: Path, out: Path, format_: str, overwrite: bool) -> None:
    """Write a dataset in another layout, the audio's bytes as they are.

    \b
    Formats:
        clear        the published CLEAR generator's: JSON of scenes and questions per
                     split, one FLAC per scene; existing CLEAR and NAAQA code reads it
        audiofolder  the Hugging Face Hub's: FLAC files and metadata beside them

    The same command again continues an export that was interrupted.

    \b
    Example:
        clear-gen export clear2 --format clear clear2-json
    """
    from clear_gen.dataset import report

    if format_ == "clear":
        from clear_gen.dataset.clear_layout import export_clear as write
    else:
        from clear_gen.dataset.audio_folder import export_audio_folder as write
    click.echo(write(folder, out, report.progress, overwrite))


@cli.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(["clear"]))
@click.argument("source", type=PATH, metavar="SRC")
@click.option("--out", type=PATH, required=True, help="Folder of the dataset.")
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
    from clear_gen.dataset import report
    from clear_gen.dataset.clear_import import import_clear_layout
    from clear_gen.scenes.domain import load_domain

    click.echo(import_clear_layout(source, out, load_domain(domain), report.progress, overwrite))
    click.echo(f"next: clear-gen validate {quote(str(out))}")


# --- banks ------------------------------------------------------------------------------------------------------------


@cli.group()
def bank() -> None:
    """Banks of elementary sounds: import, look at, verify."""


@bank.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(["clear", "folder", "good-sounds", "soundfont"]))
@click.argument("source", type=PATH, metavar="SRC")
@click.option("--out", type=PATH, required=True, help="Bank to write (one Parquet file).")
@click.option("--labels-from", type=PATH, metavar="BANK", help="Label with the thresholds of this training bank.")
@click.option("--domain", default="clear2", show_default=True, help="Name, or a folder with a domain.yaml.")
@click.option("--sample-rate", type=click.IntRange(8000, 192000), default=48000, show_default=True, help="In Hz.")
@click.option(
    "--duration", nargs=2, type=float, default=(0.7, 1.1), show_default=True, help="Range of lengths, in s (not clear)."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the lengths (not clear).")
@click.option("--table", type=PATH, help="folder: JSON or CSV of the attributes.  [default: the only one in SRC]")
@click.option("--licence", help="folder, soundfont: licence of the recordings that name none.")
@click.option("--presets", type=PATH, help="soundfont: YAML of presets and keys.  [default: General MIDI]")
@click.option(
    "--klass", default="good-sound", show_default=True, help="good-sounds: takes whose klass begins with this."
)
@click.option("--instrument", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--microphone", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--player", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--pack", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def bank_import(
    format_: str,
    source: Path,
    out: Path,
    domain: str,
    overwrite: bool,
    klass: str,
    instrument: tuple[str, ...],
    microphone: tuple[str, ...],
    player: tuple[str, ...],
    pack: tuple[str, ...],
    **options: Any,
) -> None:
    """Make a bank from recordings, measure and label them.

    \b
    Formats:
        clear        the published generator's folder: elementary_sounds.json + WAV
        folder       any recordings beside a JSON or CSV of their attributes
        good-sounds  the Good-Sounds corpus (database.sqlite or JSON tables): one
                     reference take per note, selected by the options below
        soundfont    an .sf2 file played by FluidSynth, every key at two velocities

    In all but clear, silence is trimmed, long sounds are cut with a fade-out, and with --labels-from one gain brings
    the whole bank to the training bank's median loudness.

    \b
    Example:
        clear-gen bank import clear elementary_sounds --out train.parquet
        clear-gen bank import folder my_recordings --out test.parquet --labels-from train.parquet
        clear-gen bank import good-sounds good-sounds --microphone akg --player raquel --out strings.parquet
        clear-gen bank import soundfont FluidR3_GM.sf2 --licence MIT --out fluid.parquet
    """
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import report
    from clear_gen.sounds.bank import write_bank
    from clear_gen.sounds.good_sounds import Selection
    from clear_gen.sounds.importing import FORMATS_OF_OPTION, import_bank

    context = click.get_current_context()
    for option, formats in FORMATS_OF_OPTION.items():
        given = context.get_parameter_source(option) == click.core.ParameterSource.COMMANDLINE
        if given and format_ not in formats:
            raise click.UsageError(f"--{option}: found with format {format_}, expected with {', '.join(formats)} only")
    if out.exists() and not overwrite:
        raise click.UsageError(f"{out}: exists; choose another --out, or --overwrite")
    rules = load_domain(domain)
    selection = Selection(klass, instrument, microphone, player, pack)
    with _busy("measuring the sounds"):
        made = import_bank(format_, source, rules.name, rules.attributes, selection=selection, **options)
        write_bank(made, out)
    click.echo(report.counts(made, rules.attributes))
    click.echo(f"next: clear-gen bank verify {quote(str(out))}")


@bank.command("show")
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--domain", help="Name, or a folder with a domain.yaml.  [default: the bank's]")
@click.option("--out", type=PATH, help="Also write a page to listen to the sounds.")
def bank_show(file: Path, domain: str | None, out: Path | None) -> None:
    """Count a bank's sounds by attribute; with --out, write a page to listen to them sorted by brightness and loudness.

    \b
    Example:
        clear-gen bank show train.parquet --out train.html
    """
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import page, report
    from clear_gen.sounds.bank import check_attributes, read_bank

    found = read_bank(file)
    rules = load_domain(domain or found.domain)
    check_attributes(found, rules.attributes, str(file))
    click.echo(report.counts(found, rules.attributes))
    if out is not None:
        page.write_page(found, rules.attributes, file.name, out)
        click.echo(f"next: open {out} in a browser")


@bank.command("verify")
@click.argument("train", type=PATH)
@click.argument("test", type=PATH, required=False)
@click.option("--domain", help="Name, or a folder with a domain.yaml.  [default: the bank's]")
def bank_verify(train: Path, test: Path | None, domain: str | None) -> None:
    """Check a bank: every sound decodes, attributes lie in the domain, labels follow from the sound, and the estimated
    pitch agrees with the note.

    With a TEST bank also: same thresholds, and no test sound is a training recording (up to a shift and a gain).
    Exit code 1 if anything is wrong.

    \b
    Example:
        clear-gen bank verify train.parquet test.parquet
    """
    from clear_gen.io import CheckFailed, InputError
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import report
    from clear_gen.sounds.bank import check_attributes, read_bank
    from clear_gen.sounds.verify import verify

    paths = {side: path for side, path in (("train", train), ("test", test)) if path is not None}
    try:
        banks = {side: read_bank(path) for side, path in paths.items()}
    except InputError as error:
        if not all(path.is_file() for path in paths.values()):
            raise
        raise CheckFailed(str(error)) from None
    attributes = load_domain(domain or banks["train"].domain).attributes
    for side, found in banks.items():
        check_attributes(found, attributes, str(paths[side]))
    with _busy("listening again to every sound"):
        findings = verify(banks, attributes)
    click.echo(report.findings(banks, findings))
    if findings:
        number = f"{len(findings)} finding{'s' * (len(findings) > 1)}"
        raise CheckFailed(f"{number} in {', '.join(map(str, paths.values()))}")


@bank.command("default")
def bank_default() -> None:
    """Print where the embedded training and test banks are kept; they are made if they are not there yet.

    \b
    Example:
        clear-gen bank verify $(clear-gen bank default)
    """
    from clear_gen.io import CheckFailed
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import default

    attributes = load_domain(default.DOMAIN).attributes
    with _busy("making the embedded sounds"):
        default.default_banks(attributes)
    paths = default.cache_paths(attributes).values()
    if missing := [path for path in paths if not path.exists()]:
        raise CheckFailed(f"{missing[0]}: cannot be written; set XDG_CACHE_HOME to a folder that can")
    click.echo(" ".join(map(str, paths)))


@contextmanager
def _busy(doing: str) -> Iterator[None]:
    """A spinner on stderr while something takes seconds."""
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
