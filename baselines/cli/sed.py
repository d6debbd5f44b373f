"""Commands about runs on mixtures, and what the scoring commands do with them."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from baselines.cli.training import DEVICE
from clear_gen.cli.common import PATH, busy


def score_runs(run: Path, data: Path | None, out: Path | None, device: str | None) -> None:
    """Score a run, or all those of a folder, and print the tables."""
    from baselines.core.run import read_config, unfinished
    from baselines.tasks.sed.console import lines
    from baselines.tasks.sed.evaluate import evaluate_sed_runs
    from baselines.tasks.sed.folders import name_in, runs_in
    from baselines.tasks.sed.run import Config
    from clear_gen.core.errors import InputError

    runs = {one: (out or run) / one.relative_to(run) for one in runs_in(run)}
    if not runs:
        raise InputError(f"{run}: found results, expected the folder of a run; clear-bench report shows results")
    files = evaluate_sed_runs(runs, data, device)
    click.echo(f"{files[0].config.model}, {data or files[0].config.mixtures}\n")
    click.echo("\n".join(lines({name_in(one, run): file for one, file in zip(runs, files, strict=True)})))
    for one in runs:
        if problem := unfinished(one, read_config(one, Config)):
            click.echo(f"\n{problem}")
    click.echo(f"\nresults: {' '.join(quote(str(folder)) for folder in runs.values())}")


def score_predictions(
    predictions: Path, data: Path, split: str | None, snr: str | None, out: Path, model: str | None
) -> None:
    """Score anybody's predictions about mixtures and print the tables."""
    from baselines.tasks.sed.console import lines
    from baselines.tasks.sed.evaluate import evaluate_sed_predictions
    from baselines.tasks.sed.results import RESULTS
    from clear_gen.core.text import shown

    if split is None:
        raise click.UsageError("--split: found none, expected the fold that is predicted, such as fold1")
    with busy("scoring"):
        file = evaluate_sed_predictions(predictions, data, split, snr, out, model)
    click.echo(f"{shown(file.config.model)}, {data}, {file.config.mixtures}\n")
    click.echo("\n".join(lines({split: file})))
    click.echo(f"\nresults: {quote(str(out / RESULTS.format(file.name)))}")


@click.command()
@click.argument("run", type=PATH)
@click.argument("clip", required=False)
@click.option("--data", type=PATH, metavar="DIR", help="Dataset.  [default: the run's own]")
@click.option("--out", type=PATH, default=Path("clip.png"), show_default=True, help="Picture to write (png, svg, pdf).")
@DEVICE
def show(run: Path, clip: str | None, data: Path | None, out: Path, device: str | None) -> None:
    """Draw what a model trained on mixtures hears in one of them, CLIP, by default the first of its held-out fold.

    The spectrogram, what the decoder makes of it, where the model attends, probabilities by frame and by clip, and what
    is true. Thresholds are those of clear-bench evaluate, or 0.5 before it.

    \b
    Example:
        clear-bench show run fold1-000017 --out clip.png
    """
    from baselines.tasks.sed.figure import draw_clip

    draw_clip(run, clip, out, device, data)
    click.echo(f"picture: {quote(str(out))}")


COMMANDS = (show,)
