"""Commands on banks of elementary sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clear_gen.cli.common import OUT_FILE, ListingCommand
from clear_gen.cli.parameters import BANK, ROOT, YAML, RegistryChoice, Source
from clear_gen.core.hints import next_line
from clear_gen.core.progress import busy

if TYPE_CHECKING:
    from clear_gen.sounds.importers.common import Format

DOMAIN = "clear2"


@click.group()
def bank() -> None:
    """Banks of elementary sounds: import, look at, verify."""


def _formats() -> dict[str, Format]:
    from clear_gen.sounds.importers.formats import FORMATS

    return FORMATS


def _summaries() -> dict[str, str]:
    return {name: format_.summary for name, format_ in _formats().items()}


@bank.command("import", cls=ListingCommand, listing="Formats", summaries=_summaries)
@click.argument("format_", metavar="FORMAT", type=RegistryChoice(_formats))
@click.argument("source", type=Source("recordings or a SoundFont, as the format says"), metavar="SRC")
@click.option("--out", type=OUT_FILE, required=True, help="Bank to write (one Parquet file).")
@click.option("--labels-from", type=BANK, metavar="BANK", help="Label with the thresholds of this training bank.")
@click.option("--domain", default=DOMAIN, show_default=True, help="Name, or a folder with a domain.yaml.")
@click.option("--sample-rate", type=click.IntRange(8000, 192000), default=48000, show_default=True, help="In Hz.")
@click.option(
    "--duration", nargs=2, type=float, default=(0.7, 1.1), show_default=True, help="Range of lengths, in s (not clear)."
)
@click.option(
    "--shortest", type=float, help="folder: shortest recording that is taken, in s.  [default: MIN of --duration]"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the lengths (not clear).")
@click.option(
    "--table",
    type=Source("a table of the recordings (JSON or CSV)"),
    help="folder: JSON or CSV of the attributes.  [default: the only one in SRC]",
)
@click.option("--root", type=ROOT, metavar="DIR", help="folder: where the table's paths may lead.  [default: SRC]")
@click.option("--licence", help="folder, soundfont: licence of the recordings that name none.")
@click.option("--presets", type=YAML, help="soundfont: YAML of presets and keys.  [default: General MIDI]")
@click.option(
    "--klass", default="good-sound", show_default=True, help="good-sounds: takes whose klass begins with this."
)
@click.option("--instrument", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--microphone", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--player", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option("--pack", multiple=True, help="good-sounds: only this one; may be repeated.")
@click.option(
    "--skip-unusable", is_flag=True, help="Go on without recordings that cannot be used, listed in OUT.unusable.csv."
)
@click.option("--dry-run", is_flag=True, help="Read, measure and count the recordings; nothing is written.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def bank_import(
    format_: str,
    source: Path,
    out: Path,
    domain: str,
    dry_run: bool,
    overwrite: bool,
    labels_from: Path | None,
    skip_unusable: bool,
    **options: Any,
) -> None:
    """Make a bank from recordings, measure and label them.

    In all but clear, silence is trimmed, long sounds are cut with a fade-out, and with --labels-from one gain brings
    the whole bank to the training bank's median loudness.

    \b
    Example:
        clear-gen bank import clear elementary_sounds --out train.parquet
        clear-gen bank import folder my_recordings --out test.parquet --labels-from train.parquet
        clear-gen bank import good-sounds good-sounds --microphone akg --player raquel --out strings.parquet
        clear-gen bank import soundfont FluidR3_GM.sf2 --licence MIT --out fluid.parquet
    """
    from clear_gen.core.gathering import Gathering, unusable_path
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import console
    from clear_gen.sounds.bank import write_bank
    from clear_gen.sounds.importers.common import ImportOptions
    from clear_gen.sounds.importers.formats import formats_taking
    from clear_gen.sounds.importers.import_bank import import_bank

    context = click.get_current_context()
    for option in options:
        given = context.get_parameter_source(option) == click.core.ParameterSource.COMMANDLINE
        formats = formats_taking(option)
        if given and formats and format_ not in formats:
            raise click.UsageError(f"--{option}: found with format {format_}, expected with {', '.join(formats)} only")
    if out.exists() and not overwrite:
        raise click.UsageError(f"{out}: exists; choose another --out, or --overwrite")
    rules = load_domain(domain)
    gathering = Gathering(skip_unusable)
    chosen = ImportOptions(**options)
    made = import_bank(format_, source, rules.name, rules.attributes, chosen, labels_from, gathering)
    if dry_run:
        click.echo(console.counts(made, rules.attributes))
        return
    write_bank(made, out)
    if gathering.reasons:
        gathering.write(unusable_path(out))
    click.echo(console.counts(made, rules.attributes))
    banks = [path for path in (labels_from, out) if path is not None]
    own_domain = () if domain == DOMAIN else ("--domain", domain)
    click.echo(next_line("clear-gen bank verify", *banks, *own_domain))


@bank.command("show")
@click.argument("file", type=BANK, metavar="FILE")
@click.option("--domain", help="Name, or a folder with a domain.yaml.  [default: the bank's]")
@click.option("--out", type=OUT_FILE, help="Also write a page to listen to the sounds.")
def bank_show(file: Path, domain: str | None, out: Path | None) -> None:
    """Count a bank's sounds by attribute; with --out, write a page to listen to them sorted by brightness and loudness.

    \b
    Example:
        clear-gen bank show train.parquet --out train.html
    """
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import console, page
    from clear_gen.sounds.bank import check_attributes, read_bank

    found = read_bank(file)
    rules = load_domain(domain or found.domain)
    check_attributes(found, rules.attributes, str(file))
    click.echo(console.counts(found, rules.attributes))
    if out is not None:
        page.write_page(found, rules.attributes, file.name, out)
        click.echo(f"page to listen to them: {out}")


@bank.command("verify")
@click.argument("train", type=BANK)
@click.argument("test", type=BANK, required=False)
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
    from clear_gen.core.errors import CheckFailed, InputError
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import console
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
    findings = verify(banks, attributes)
    click.echo(console.findings(banks, findings))
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
    from clear_gen.core.errors import CheckFailed
    from clear_gen.scenes.domain import load_domain
    from clear_gen.sounds import default

    attributes = load_domain(default.DOMAIN).attributes
    with busy("making the embedded sounds"):
        default.default_banks(attributes)
    paths = default.cache_paths(attributes).values()
    if missing := [path for path in paths if not path.exists()]:
        raise CheckFailed(f"{missing[0]}: cannot be written; set XDG_CACHE_HOME to a folder that can")
    click.echo(" ".join(map(str, paths)))
