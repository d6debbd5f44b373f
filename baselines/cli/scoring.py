"""Commands that score, compare and report."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import click

from clear_gen.cli.common import PATH, busy

SPLIT = click.option("--split", default="test", show_default=True, help="Split of the dataset.")


@click.command()
@click.argument("run", type=PATH, required=False)
@click.option(
    "--predictions", type=PATH, metavar="FILE.jsonl", help="Score these: question_id and answer a line, or scores."
)
@click.option("--data", type=PATH, metavar="DIR", help="Dataset.  [default for a RUN: its own]")
@click.option("--split", help="Split of the dataset; of mixtures: fold of the predictions.  [default: test]")
@click.option("--snr", metavar="DB", help="Mixtures: SNR of the predictions.  [default: the lowest]")
@click.option("--out", type=PATH, metavar="DIR", help="Folder of the results.  [default: RUN, or <FILE>-results]")
@click.option(
    "--device", metavar="NAME", help="RUN: where the model runs, such as cpu or cuda.  [default: what there is]"
)
@click.option("--endpoint", metavar="URL", help="Ask an OpenAI-compatible chat endpoint that takes input_audio.")
@click.option("--model", metavar="NAME", help="Endpoint: the model asked. Predictions: its name in tables.")
@click.option("--sample-rate", type=click.IntRange(min=1), help="Endpoint: of the WAV, in Hz.  [default: 16000]")
@click.option("--concurrency", type=click.IntRange(min=1), help="Endpoint: requests at a time.  [default: 4]")
@click.option("--retries", type=click.IntRange(min=0), help="Endpoint: attempts after the first.  [default: 4]")
@click.option("--timeout", "timeout_s", type=float, help="Endpoint: of an attempt, in s.  [default: 60]")
@click.option(
    "--max-failures", type=click.IntRange(min=1), help="Endpoint: so many end it, exit code 1.  [default: 10]"
)
@click.option("--limit", type=click.IntRange(min=1), help="Endpoint: ask only the first so many questions.")
@click.option("--cache", type=PATH, metavar="DIR", help="Endpoint: replies that need not be asked for again.")
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

    Prints a table; writes results-<split>.json and plots. How answers are read from text:
    baselines/tasks/aqa/answers.py. Questions without a readable answer count as wrong, and are counted apart.

    Mixtures: a RUN is scored on its held-out fold, a folder of several on each, with their mean. Predictions are lines
    of mixture_id, scores by class and, for scores in time, events: [[label, onset in s, offset in s], ...].

    \b
    Example:
        clear-bench evaluate run
        clear-bench evaluate --predictions mine.jsonl --data clear2
        clear-bench evaluate --predictions tags.jsonl --data mixtures --split fold1 --snr 0
        clear-bench evaluate --endpoint http://localhost:8000/v1 --model NAME --data clear2 --limit 200
    """
    given = {name: value for name, value in asking.items() if value is not None}
    _check(run, predictions, data, device, endpoint, model, given)
    out = out or (predictions.with_name(f"{predictions.stem}-results") if predictions is not None else None)
    if _is_sed(run, predictions, data, split, snr):
        _score_sed(run, predictions, data, split, snr, out, device, model)
        return
    split = split or "test"
    if run is not None:
        _score(*_run_predictions(run, data, split, out, device), split)
    elif predictions is not None:
        assert data is not None
        assert out is not None
        _score(predictions, data, out, split, model, split)
    else:
        assert data is not None
        assert endpoint is not None
        assert model is not None
        _score(*_endpoint_predictions(endpoint, model, data, split, out, given), split, given.get("limit"))


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
        raise click.UsageError("--data: found none, expected the dataset whose questions are answered")
    if run is not None and model is not None:
        raise click.UsageError("--model: found it with RUN, expected --endpoint or --predictions")
    if run is None and device is not None:
        raise click.UsageError("--device: found it without RUN")
    if endpoint is None and given:
        name = next(iter(given)).removesuffix("_s").replace("_", "-")
        raise click.UsageError(f"--{name}: found it without --endpoint")
    if endpoint is not None and model is None:
        raise click.UsageError("--model: found none, expected the model that the endpoint is to ask")


def _is_sed(run: Path | None, predictions: Path | None, data: Path | None, split: str | None, snr: str | None) -> bool:
    """Whether a run on mixtures or predictions about them are to be scored; UsageError for options of the others."""
    from baselines.tasks.sed.folders import is_sed
    from clear_gen.datasets.kinds import holds_mixtures

    found = is_sed(run) if run is not None else predictions is not None and holds_mixtures(data or Path())
    if found and run is not None and (split or snr):
        name = "--split" if split else "--snr"
        raise click.UsageError(f"{name}: found it with a RUN on mixtures, which is scored on the fold that it held out")
    if snr and not found:
        raise click.UsageError("--snr: found it with questions, expected predictions about mixtures")
    return found


def _score_sed(
    run: Path | None,
    predictions: Path | None,
    data: Path | None,
    split: str | None,
    snr: str | None,
    out: Path | None,
    device: str | None,
    model: str | None,
) -> None:
    from baselines.cli.sed import score_predictions, score_runs

    if run is not None:
        score_runs(run, data, out, device)
        return
    assert predictions is not None
    assert data is not None
    assert out is not None
    score_predictions(predictions, data, split, snr, out, model)


def _run_predictions(
    run: Path, data: Path | None, split: str, out: Path | None, device: str | None
) -> tuple[Path, Path, Path, str, str]:
    """Have a trained model answer: predictions, dataset, folder and name of the results, model."""
    from baselines.core.run import read_config
    from baselines.tasks.aqa.predictions import write_predictions
    from baselines.tasks.aqa.questions import read_split
    from baselines.tasks.aqa.run import Config, predict_split

    folder, answers, model = predict_split(run, data, split, device)
    is_own = folder.resolve() == Path(read_config(run, Config).data).resolve()
    name = split if is_own else f"{folder.resolve().name}-{split}"
    path = (out or run) / f"predictions-{name}.jsonl"
    write_predictions(path, read_split(folder, split).question_id.tolist(), answers)
    return path, folder, out or run, name, model


def _endpoint_predictions(
    url: str, model: str, data: Path, split: str, out: Path | None, given: dict[str, Any]
) -> tuple[Path, Path, Path, str, str]:
    """Have an endpoint answer: the same."""
    from baselines.predictors.endpoint import EndpointSettings, ask

    plain = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in model).strip(".")
    out = out or Path(f"{plain or 'endpoint'}-results")
    path = ask(EndpointSettings(url, model, **given), data, split, out / f"predictions-{split}.jsonl")
    return path, data, out, split, model


def _score(
    predictions: Path, data: Path, out: Path, name: str, model: str | None, split: str, limit: int | None = None
) -> None:
    """Score a predictions file, print the table and write what there is to write."""
    from baselines.tasks.aqa.evaluate import evaluate_predictions, lines, save
    from clear_gen.core.text import shown

    with busy("scoring"):
        file = evaluate_predictions(predictions, data, split, out, model, limit)
    click.echo(f"{shown(file.config.model)}, {data}, {split}\n")
    click.echo("\n".join(lines(file)))
    paths = save(file, out, name)
    click.echo(f"\nresults: {quote(str(paths[0]))}\nplots: {' '.join(quote(str(path)) for path in paths[1:])}")


@click.command()
@click.argument("models", nargs=-1, type=PATH, metavar="A B...")
@click.option("--data", type=PATH, metavar="DIR", help="Dataset.  [default: the one that the results of A, B... name]")
@SPLIT
@click.option("--json", "json_path", type=PATH, metavar="FILE", help="JSON file to write, with every figure.")
def compare(models: tuple[Path, ...], data: Path | None, split: str, json_path: Path | None) -> None:
    """Compare models question by question, each with the first one.

    A, B...: folders of runs or of results that clear-bench evaluate wrote, or predictions files (with --data). Printed
    are the difference of the accuracies with the interval of a bootstrap by scene, the questions that only one of the
    two has right, and McNemar's test on those (mid-p, two-sided).

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
@click.argument("runs", nargs=-1, type=PATH, metavar="RUN...")
@click.option("--out", type=PATH, default=Path("report.html"), show_default=True, help="Page to write.")
def report(runs: tuple[Path, ...], out: Path) -> None:
    """Write one page about runs: scores beside the paper's, plots, training curves, configurations.

    RUN...: folders of runs or of results that clear-bench evaluate wrote, or results files; all of them on questions,
    or all on mixtures.

    \b
    Example:
        clear-bench report run other-run --out report.html
    """
    if not runs:
        raise click.UsageError("expected at least one RUN, found none")
    from baselines.tasks.aqa.report import write_report
    from baselines.tasks.sed.folders import is_sed
    from baselines.tasks.sed.report import write_sed_report

    about_mixtures = [path for path in runs if is_sed(path)]
    if about_mixtures and len(about_mixtures) < len(runs):
        other = next(path for path in runs if path not in about_mixtures)
        raise click.UsageError(f"found {about_mixtures[0]} on mixtures and {other}, expected one page for each kind")
    (write_sed_report if about_mixtures else write_report)(runs, out)
    click.echo(f"report: {quote(str(out))}")


COMMANDS = (evaluate, compare, report)
