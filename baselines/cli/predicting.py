"""The command that puts any recording to a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from baselines.cli.scoring import DEVICE
from clear_gen.cli.parameters import RUN, Source

TOP = 5


@click.command()
@click.argument("run", type=RUN)
@click.option(
    "--audio", type=Source("a recording"), required=True, metavar="FILE", help="A recording: WAV, FLAC, OGG, MP3, AIFF."
)
@click.option("--question", help="Question answering: in English, such as the training questions.")
@click.option("--top", type=click.IntRange(min=1), help=f"Question answering: answers to print.  [default: {TOP}]")
@click.option("--force", is_flag=True, help="Question answering: answer also what is unlike the training questions.")
@click.option("--json", "as_json", is_flag=True, help="JSON, with the probabilities of all answers or classes.")
@click.option("--tsv", "as_tsv", is_flag=True, help="Tab-separated values, with all answers or events.")
@DEVICE
def predict(
    run: Path,
    audio: Path,
    question: str | None,
    top: int | None,
    force: bool,
    as_json: bool,
    as_tsv: bool,
    device: str | None,
) -> None:
    """Put any recording to a trained model: the answers to a question about it, or the events in it.

    A word of the question that no training question has is named. A question without words, or with a third of them
    unknown, is not answered (exit code 2) unless --force: the model would give some answer to anything.

    Events are listed with onset and offset in seconds and the highest probability of their frames. Thresholds are those
    of clear-bench evaluate, or 0.5 before it. A recording longer than the training clips is heard in windows of their
    length that overlap by half; a shorter one is repeated.

    \b
    Example:
        clear-bench predict run --audio scene.flac --question "How many violins are there?"
        clear-bench predict sed-run --audio street.wav --tsv
    """
    if as_json and as_tsv:
        raise click.UsageError("--json: found it with --tsv, expected one of them")
    import json

    from baselines.predictors.load import load_model
    from baselines.tasks.registry import check_options, task_of_run
    from clear_gen.core.errors import InputError
    from clear_gen.core.text import shown, table
    from clear_gen.sounds.files import read_audio

    asked: dict[str, Any] = {} if question is None else {"question": question}
    asked |= {"force": True} if force else {}
    check_options(task_of_run(run), {**asked, **({} if top is None else {"top": top})})
    model = load_model(run, device)
    samples, sample_rate = read_audio(audio)
    try:
        output = model(samples, sample_rate, **asked)
    except InputError as error:
        raise InputError(f"{audio}: {error}") from None
    rows = [[shown(cell) for cell in row] for row in output.table()]
    if as_json:
        click.echo(json.dumps(output.as_dict()))
    elif as_tsv:
        click.echo("\n".join("\t".join(row) for row in rows))
    else:
        kept = rows[: 1 + (top or TOP)] if "question" in asked else rows
        click.echo("\n".join(line.rstrip() for line in table(kept)))


COMMANDS = (predict,)
