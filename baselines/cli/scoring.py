"""Commands that score, compare, report and show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from clear_gen.cli.common import OUT_FILE, OUT_FOLDER
from clear_gen.cli.parameters import DATASET, RUN, Source
from clear_gen.core.progress import busy

if TYPE_CHECKING:
    from baselines.tasks.scoring import Evaluated

SCORED = Source("a run, results or predictions")
SPLIT = click.option("--split", default="test", show_default=True, help="Split of the dataset.")
DEVICE = click.option("--device", metavar="NAME", help="Such as cpu or cuda.  [default: the GPU if there is one]")


def _extra_body(_context: click.Context, _parameter: click.Parameter, value: str | None) -> dict[str, Any] | None:
    import json

    if value is None:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise click.BadParameter(f"found {value[:60]!r}, expected a JSON object such as '{{\"seed\": 1}}'")
    return found


@click.command()
@click.argument("run", type=RUN, required=False)
@click.option(
    "--predictions",
    type=Source("predictions, one JSON object a line"),
    metavar="FILE.jsonl",
    help="Score these: question_id and answer a line, or scores.",
)
@click.option("--data", type=DATASET, metavar="DIR", help="Dataset.  [default for a RUN: its own]")
@click.option("--split", help="Split of the dataset; of mixtures: fold of the predictions.  [default: test]")
@click.option("--snr", metavar="DB", help="Mixtures: SNR of the predictions.  [default: the lowest]")
@click.option("--out", type=OUT_FOLDER, metavar="DIR", help="Folder of the results.  [default: RUN, or <FILE>-results]")
@DEVICE
@click.option("--endpoint", metavar="URL", help="Ask an OpenAI-compatible chat endpoint that takes input_audio.")
@click.option("--model", metavar="NAME", help="Endpoint: the model asked. Predictions: its name in tables.")
@click.option("--sample-rate", type=click.IntRange(min=1), help="Endpoint: of the WAV, in Hz.  [default: 16000]")
@click.option("--concurrency", type=click.IntRange(min=1), help="Endpoint: requests at a time.  [default: 4]")
@click.option("--retries", type=click.IntRange(min=0), help="Endpoint: attempts after the first.  [default: 4]")
@click.option("--timeout", "timeout_s", type=float, help="Endpoint: of an attempt, in s.  [default: 60]")
@click.option(
    "--max-failures", type=click.IntRange(min=1), help="Endpoint: so many end it, exit code 1.  [default: 10]"
)
@click.option("--max-tokens", type=click.IntRange(min=1), help="Endpoint: of a reply.  [default: 32]")
@click.option(
    "--extra-body",
    callback=_extra_body,
    metavar="JSON",
    help="Endpoint: an object, merged into every request; stored in the results, so no place for keys.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Endpoint: ask only the first so many questions.")
@click.option("--cache", type=OUT_FOLDER, metavar="DIR", help="Endpoint: replies that need not be asked for again.")
@click.option("--api-key-variable", metavar="NAME", help="Endpoint: variable with the key.  [default: OPENAI_API_KEY]")
def evaluate(
    run: Path | None,
    predictions: Path | None,
    data: Path | None,
    split: str | None,
    snr: str | None,
    out: Path | None,
    device: str | None,
    endpoint: str | None,
    model: str | None,
    **asking: Any,
) -> None:
    """Score a trained RUN, anybody's predictions or a chat endpoint on a split, per question type or per class.

    Prints tables; writes results-<split>.json and plots. How answers are read from text: docs/scoring.md. Questions
    without a readable answer count as wrong, and are counted apart, by cause; so are answers of another question type.

    Mixtures: a RUN is scored on its held-out fold. Predictions are lines of mixture_id, scores by class and, for scores
    in time, events: [[label, onset in s, offset in s], ...]. A folder of several runs: each is scored, with the mean.

    \b
    Example:
        clear-bench evaluate run
        clear-bench evaluate --predictions mine.jsonl --data clear2
        clear-bench evaluate --predictions tags.jsonl --data mixtures --split fold1 --snr 0
        clear-bench evaluate --endpoint http://localhost:8000/v1 --model NAME --data clear2 --limit 200
    """
    given = {name: value for name, value in asking.items() if value is not None}
    _check(run, predictions, data, device, endpoint, model, given)
    from baselines.tasks.scoring import evaluate_file, evaluate_runs

    which = {"split": split, "snr": snr, "limit": given.pop("limit", None)}
    which = {name: value for name, value in which.items() if value is not None}
    if run is not None:
        _show(evaluate_runs(run, data, which, out, device))
        return
    assert data is not None
    if predictions is not None:
        opened = _opened(data, which)
        results = out or predictions.with_name(f"{predictions.stem}-results")
        found = evaluate_file(predictions, opened, results, model)
    else:
        assert endpoint is not None
        assert model is not None
        found = _asked(endpoint, model, _opened(data, {"endpoint": endpoint, **which}), out, given)
    _show({found.name: found})


def _check(
    run: Path | None,
    predictions: Path | None,
    data: Path | None,
    device: str | None,
    endpoint: str | None,
    model: str | None,
    given: dict[str, Any],
) -> None:
    """Raise UsageError unless exactly one thing is to be scored, with the options that belong to it."""
    if sum(source is not None for source in (run, predictions, endpoint)) != 1:
        raise click.UsageError("expected one of: RUN, --predictions, --endpoint")
    if run is None and data is None:
        raise click.UsageError("--data: found none, expected the dataset whose items are predicted")
    if run is not None and model is not None:
        raise click.UsageError("--model: found it with RUN, expected --endpoint or --predictions")
    if run is None and device is not None:
        raise click.UsageError("--device: found it without RUN")
    if endpoint is None and given:
        name = next(iter(given)).removesuffix("_s").replace("_", "-")
        raise click.UsageError(f"--{name}: found it without --endpoint")
    if endpoint is not None and model is None:
        raise click.UsageError("--model: found none, expected the model that the endpoint is to ask")


def _opened(data: Path, which: Mapping[str, Any]) -> Any:
    """The split of a dataset that options name, opened by the task that reads the dataset."""
    from baselines.tasks.registry import check_options, task_for

    task = task_for(data)
    check_options(task, which)
    return task.split(data, which)


def _asked(url: str, model: str, split: Any, out: Path | None, given: dict[str, Any]) -> Evaluated:
    """Evaluate an endpoint on the questions of a split."""
    from baselines.predictors.endpoint import Endpoint, EndpointSettings
    from baselines.tasks.scoring import evaluate

    plain = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in model).strip(".")
    out = out or Path(f"{plain or 'endpoint'}-results")
    cache = given.pop("cache", None) or out / "cache"
    return evaluate(Endpoint(EndpointSettings(url, model, **given), cache), split, out)


def _show(found: Mapping[str, Evaluated]) -> None:
    """Print the scores of one evaluation, or of several by name, and the paths of results and plots."""
    from clear_gen.core.extras import unless_missing
    from clear_gen.core.text import shown

    first = next(iter(found.values()))
    click.echo(f"{shown(first.file.config.model)}, {shown(first.data.name)}, {first.name}\n")
    click.echo("\n".join(first.task.lines({name: one.file for name, one in found.items()})))
    for one in found.values():
        if one.note is not None:
            click.echo(f"\n{one.note}")
    click.echo(f"\nresults: {' '.join(quote(str(one.path)) for one in found.values())}")
    with unless_missing("plots"):
        if figures := [path for one in found.values() for path in one.figures()]:
            click.echo(f"plots: {' '.join(quote(str(path)) for path in figures)}")


@click.command()
@click.argument("models", nargs=-1, type=SCORED, metavar="A B...")
@click.option(
    "--data", type=DATASET, metavar="DIR", help="Dataset.  [default: the one that the results of A, B... name]"
)
@SPLIT
@click.option("--json", "json_path", type=OUT_FILE, metavar="FILE", help="JSON file to write, with every figure.")
def compare(models: tuple[Path, ...], data: Path | None, split: str, json_path: Path | None) -> None:
    """Compare models of question answering, question by question, each with the first one.

    A, B...: folders of runs or of results that clear-bench evaluate wrote, or predictions files (with --data). Printed
    are the difference of the accuracies with the interval of a bootstrap by scene, the questions that only one of the
    two answers correctly, and McNemar's test on those (mid-p, two-sided). Models of other tasks are not compared.

    \b
    Example:
        clear-bench compare run other-run
        clear-bench compare run mine.jsonl --data clear2 --json compared.json
    """
    if len(models) < 2:
        raise click.UsageError(f"expected at least two models to compare, found {len(models)}")
    import json

    from baselines.tasks.aqa.compare import compare as compare_models
    from baselines.tasks.aqa.compare import lines, read_entry
    from clear_gen.core.files import write_text

    with busy("comparing"):
        found = compare_models([read_entry(path, split) for path in models], data, split)
    if json_path is not None:
        write_text(json_path, json.dumps(found.as_dict(), indent=1, allow_nan=False) + "\n")
    click.echo(f"{found.n:,} questions of {split}\n")
    click.echo("\n".join(lines(found)))


@click.command()
@click.argument("runs", nargs=-1, type=SCORED, metavar="RUN...")
@click.option("--out", type=OUT_FILE, default=Path("report.html"), show_default=True, help="Page to write.")
def report(runs: tuple[Path, ...], out: Path) -> None:
    """Write one page about runs: scores beside the paper's, plots, training curves, configurations.

    RUN...: folders of runs or of results that clear-bench evaluate wrote, or results files, of any task.

    \b
    Example:
        clear-bench report run other-run --out report.html
    """
    if not runs:
        raise click.UsageError("expected at least one RUN, found none")
    from baselines.tasks.reporting import write_report

    write_report(runs, out)
    click.echo(f"report: {quote(str(out))}")


@click.command()
@click.argument("run", type=RUN)
@click.argument("clip", required=False)
@click.option("--data", type=DATASET, metavar="DIR", help="Dataset.  [default: the run's own]")
@click.option(
    "--out", type=OUT_FILE, default=Path("clip.png"), show_default=True, help="Picture to write (png, svg, pdf)."
)
@DEVICE
def show(run: Path, clip: str | None, data: Path | None, out: Path, device: str | None) -> None:
    """Draw what a model trained on mixtures detects in one of them, CLIP, by default the first of its held-out fold.

    The spectrogram, what the decoder makes of it, where the model attends, probabilities by frame and by clip, and what
    is true. Thresholds are those of clear-bench evaluate, or 0.5 before it.

    \b
    Example:
        clear-bench show run fold1-000017 --out clip.png
    """
    from baselines.tasks.sed.figure import draw_clip

    draw_clip(run, clip, out, device, data)
    click.echo(f"picture: {quote(str(out))}")


COMMANDS = (evaluate, compare, report, show)
