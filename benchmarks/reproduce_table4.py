"""Table IV of 2APAE, made again: mixtures at three SNRs, five networks, four folds, one table.

    python benchmarks/reproduce_table4.py --events FSDKaggle2018 --backgrounds TAU-urban-acoustic-scenes-2019

mixes 8,000 clips at each SNR by the published rules, trains every network at every SNR with each fold held out, and
writes OUT/table.md with the paper's figures beside. The same command goes on where it was interrupted; with --piece-s
it stops by itself after so many seconds with exit code 75, and has finished when the exit code is 0:

    until python benchmarks/reproduce_table4.py ... --piece-s 540; do [ $? = 75 ] || break; done

Without these corpora, --sounds FOLDER takes as events the notes of six instruments in the banks below that folder, and
its recorded events of labels with at least three, mixed by our rules over its ambiences, looped, and synthesised
noises. Narrow networks and 400 clips take two CPU cores about half an hour for one SNR:

    ... --sounds ../shared --n 400 --snr 0 --narrow

It needs the packages of `pip install '.[bench]'`.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import soundfile
import torch
from torch.utils.flop_counter import FlopCounterMode

from baselines.core.checkpoints import Paused, device_named
from baselines.core.results import read_results
from baselines.core.run import METRICS, TIMING, read_config
from baselines.core.trainer import train
from baselines.models.registry import count, skeleton
from baselines.tasks.scoring import evaluate_runs
from baselines.tasks.sed.data import n_clips, read_clips
from baselines.tasks.sed.learner import SedLearner
from baselines.tasks.sed.published import TABLE_4
from baselines.tasks.sed.results import PRECISION, SedResults, clip_figures, four, mean_figures
from baselines.tasks.sed.run import Config, read_features
from baselines.tasks.training import configured
from clear_gen.cli import run as clear_gen
from clear_gen.cli.common import run_group
from clear_gen.core.files import write_text
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures.manifest import finished_mixtures
from clear_gen.store.manifest import stored_identity

AGAIN = 75  # EX_TEMPFAIL: run the same command again
PAPER_CLIPS, N_FOLDS = 8000, 4
SNRS = 0.0, 10.0, 20.0
BANKS = "banks/clear2-official/train", "banks/orchestral"  # CLEAR2's official test bank repeats its training bank
LEAST_RECORDINGS = 3  # of a label: one of four folds is without it
N_NOISES, NOISE_S, NOISE_HZ, NOISE_DBFS = 60, 10.0, 32_000, -30.0
STEP_COST = 3  # forward and backward pass, in forward passes
PATH = click.Path(path_type=Path, exists=True)


@click.command()
@click.option("--events", type=PATH, help="FSDKaggle2018, or any events of clear-gen mix.")
@click.option("--backgrounds", type=PATH, help="TAU Urban 2019, or any backgrounds of clear-gen mix.")
@click.option("--sounds", type=PATH, help="In their place: a folder with banks/ and sounds/.")
@click.option(
    "--recipe", type=click.Choice(["default", "kong2018"]), help="[default: kong2018, or default with --sounds]"
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("table4"), show_default=True)
@click.option("--n", default=PAPER_CLIPS, show_default=True, type=click.IntRange(min=4), help="Clips at each SNR.")
@click.option("--snr", "snrs", multiple=True, type=float, default=SNRS, show_default=True)
@click.option("--model", "models", multiple=True, type=click.Choice(list(TABLE_4)), default=list(TABLE_4))
@click.option("--fold", "folds", multiple=True, type=click.IntRange(1, N_FOLDS), default=range(1, N_FOLDS + 1))
@click.option("--narrow", is_flag=True, help="The networks of clear-bench train --preset narrow.")
@click.option("--max-epochs", type=click.IntRange(min=1), help="[default: 50; --narrow: 15]")
@click.option("--select-on-test", is_flag=True, help="As the paper does; see clear-bench train.")
@click.option("--piece-s", type=float, default=float("inf"), help="Stop after so many seconds.  [default: never]")
@click.option("--device", default=None, help="[default: the GPU if there is one]")
@click.option("--compile", is_flag=True, help="torch.compile.")
def main(
    events: Path | None,
    backgrounds: Path | None,
    sounds: Path | None,
    recipe: str | None,
    out: Path,
    n: int,
    snrs: tuple[float, ...],
    models: tuple[str, ...],
    folds: tuple[int, ...],
    narrow: bool,
    piece_s: float,
    device: str | None,
    **flags: Any,
) -> None:
    """Make the table, or the next piece of it."""
    stop_at = time.monotonic() + piece_s
    on = device_named(device)
    if (sounds is None) == (events is None or backgrounds is None):
        raise click.UsageError("expected --events and --backgrounds, or --sounds")
    if sounds is not None:
        events, backgrounds, recipe = out / "sources/events.csv", out / "sources/backgrounds", recipe or "default"
        if not events.exists():
            write_sources(sounds, out / "sources")
    data = out / "mixtures"
    mix = ["--events", str(events), "--backgrounds", str(backgrounds), "--recipe", recipe or "kong2018", "--n", str(n)]
    missing = ["--allow-missing"] if sounds is not None else []
    if code := clear_gen(["mix", *mix, *missing, *(f"--snr={snr:g}" for snr in SNRS), "--out", str(data)]):
        sys.exit(code)
    chosen = {name: value for name, value in flags.items() if value}
    runs = {
        (snr, model, fold): out / "runs" / f"snr{snr:g}" / model / f"fold-{fold}"
        for snr, model, fold in product(snrs, models, folds)
    }
    try:
        for snr in snrs:
            train_all(data, {key: run for key, run in runs.items() if key[0] == snr}, narrow, chosen, on, stop_at)
    except Paused:
        click.echo(f"{piece_s:.0f} s are over; the same command goes on")
        sys.exit(AGAIN)
    text = "\n".join([*table(runs), "", *speeds(runs, on)]) + "\n"
    write_text(out / "table.md", text)
    click.echo(text)


# --- recordings -------------------------------------------------------------------------------------------------------


def write_sources(sounds: Path, out: Path) -> None:
    """Events and backgrounds from the recordings below ``sounds``: every note is a recording of its own."""
    events = []
    for bank in BANKS:
        for sound in json.loads((sounds / bank / "elementary_sounds.json").read_text(encoding="utf-8")):
            licence = sound.get("licence", "CC BY-SA 4.0")
            events.append((sounds / bank / sound["filename"], Path(bank).parts[1], sound["instrument"], licence))
    with (sounds / "sounds/events.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    often = Counter(row["label"] for row in rows)
    for row in rows:
        if often[row["label"]] >= LEAST_RECORDINGS:
            events.append((sounds / "sounds/events" / row["filename"], "sounds", row["label"], row["source"]))
    for path, folder, _, _ in events:
        copy(path, out / "events" / folder)
    for path in sorted((sounds / "sounds/backgrounds").iterdir()):
        copy(path, out / "backgrounds")
    rng = np.random.default_rng(0)
    for number in range(N_NOISES):
        soundfile.write(out / f"backgrounds/noise-{number:02d}.flac", noise(rng), NOISE_HZ)
    lines = [
        "filename,label,licence",
        *(f"{folder}/{path.name},{label},{said}" for path, folder, label, said in events),
    ]
    write_text(out / "events.csv", "\n".join(lines) + "\n")


def copy(path: Path, folder: Path) -> None:
    """Into ``folder``, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / path.name)


def noise(rng: np.random.Generator) -> np.ndarray:
    """Noise with a power spectrum of f^-b, b between 0 and 2, whose level wanders slowly: float64 [n]."""
    n = round(NOISE_S * NOISE_HZ)
    hz = np.fft.rfftfreq(n, 1 / NOISE_HZ)
    slope = np.maximum(hz, 50.0) ** (-rng.uniform(0, 2) / 2)
    coloured = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * slope, n)
    knots = rng.uniform(-4, 4, 11)  # dB, one a second
    coloured *= 10 ** (np.interp(np.linspace(0, 10, n), np.arange(11), knots) / 20)
    return np.clip(coloured * 10 ** (NOISE_DBFS / 20) / np.sqrt(np.mean(coloured**2)), -1, 1)


# --- runs -------------------------------------------------------------------------------------------------------------

Runs = Mapping[tuple[float, str, int], Path]


def train_all(
    data: Path, runs: Runs, narrow: bool, flags: dict[str, Any], device: torch.device, stop_at: float
) -> None:
    """Train and score all runs on the mixtures of one SNR that are not scored yet."""
    left = {key: run for key, run in runs.items() if not list(run.glob("results-*.json"))}
    if not left:
        return
    snr = next(iter(left))[0]
    n = n_clips(finished_mixtures(data, stored_identity(data)), None)
    with progress(n, n, "mixtures") as advance:
        clips = read_clips(data, snr, device, advance)
    preset = "narrow" if narrow else None
    for (_, model, fold), run in left.items():
        chosen = {**flags, "model": model, "fold": fold, "snr": clips.config}
        config = configured(Config, data, preset, None, chosen, device)
        click.echo(f"{run}: {device}")
        learner = SedLearner(config, clips, device)
        train(config, learner, run, say=click.echo, pause=lambda: time.monotonic() > stop_at)
    for folder in dict.fromkeys(run.parent for run in left.values()):
        evaluate_runs(folder, None, {}, None, str(device))


# --- tables -----------------------------------------------------------------------------------------------------------


def table(runs: Runs) -> list[str]:
    """Markdown: means over the folds, the paper's figure in brackets, and the share of labels that clips have."""
    snrs = list(dict.fromkeys(snr for snr, _, _ in runs))
    columns = [f"{name}, {snr:g} dB" for snr in snrs for name in PRECISION]
    lines = [f"| network | folds | epochs | {' | '.join(columns)} |", f"|---|---|---|{'---:|' * len(columns)}"]
    for model in dict.fromkeys(model for _, model, _ in runs):
        cells, counts, epochs = [], [], []
        for snr in snrs:
            of = [run for (at, name, _), run in runs.items() if (at, name) == (snr, model)]
            figures = mean_figures([clip_figures(results_of(run).scores) for run in of])
            printed = TABLE_4[model].get(snr)
            papers = (printed.micro_ap, printed.macro_ap, printed.macro_auc) if printed else (None,) * 3
            for name, paper in zip(PRECISION, papers, strict=True):
                cells.append(f"{four(figures[name])} ({four(paper)})" if paper else four(figures[name]))
            counts.append(str(len(of)))
            epochs.append(str(max(len((run / METRICS).read_text().splitlines()) for run in of)))
        of_all = ("/".join(dict.fromkeys(numbers)) for numbers in (counts, epochs))
        lines.append(f"| {model} | {' | '.join([*of_all, *cells])} |")
    chance = np.mean([share_of_labels(results_of(run)) for run in runs.values()])
    on_test = results_of(next(iter(runs.values()))).config.select_on_test
    chosen = "the held-out fold itself" if on_test else "the fold after the held-out one, which is not learnt from"
    return [*lines, "", f"A guess has micro-AP {chance:.4f} and AUC 0.5. Rate, epoch and thresholds are by {chosen}."]


def results_of(run: Path) -> SedResults:
    """The scores of a run."""
    return read_results(next(run.glob("results-*.json")), SedResults)


def share_of_labels(file: SedResults) -> float:
    """Of all pairs of clip and class, the share of those where the clip has the class."""
    clip = file.scores.clip
    return sum(one.n_clips for one in clip.by_class.values()) / clip.n_clips / len(clip.by_class)


def speeds(runs: Runs, device: torch.device) -> list[str]:
    """Markdown: parameters, operations and clips per second of every network, of its median epoch."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    head = "| network | parameters | GFLOP forward | clips/s, training | GFLOP/s | an epoch, s |"
    lines = [f"Device: {name}.", "", head, f"|---|{'---:|' * 5}"]
    for model in dict.fromkeys(model for _, model, _ in runs):
        of = [run for (_, one, _), run in runs.items() if one == model]
        timings = [json.loads((run / TIMING).read_text()) for run in of]
        median_s = float(np.median([seconds for one in timings for seconds in one["epoch_seconds"]]))
        config, features = read_config(of[0], Config), read_features(of[0])
        sizes = {"n_classes": len(features.labels), "n_frames": features.n_frames}
        network = skeleton(model, sizes, config.options).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, features.n_frames, features.mel.n_bands, device="meta"))
        flops, rate = float(counter.get_total_flops()), timings[0]["clips"] / median_s
        cells = [f"{count(network)[0]:,}", f"{flops / 1e9:.2f}", f"{rate:,.1f}"]
        lines.append(f"| {model} | {' | '.join(cells)} | {rate * flops * STEP_COST / 1e9:,.1f} | {median_s:.1f} |")
    return lines


if __name__ == "__main__":
    sys.exit(run_group(main, "reproduce_table4", sys.argv[1:]))
