"""The paper's Table 3, made again: datasets, training on virtual scenes, scores on two test banks, one table.

    python benchmarks/reproduce_table3.py --bank train.parquet --test-bank test.parquet --other-bank orchestral.parquet

makes 50,000 graphs and 200,000 questions from the official training bank, by our rules and by the paper's, trains the
rows of the table with --seeds seeds, asks each about the scenes of the official test bank and of another one, and
writes OUT/table.md with the paper's figures beside. The same command goes on where it was interrupted; with --piece-s
it stops by itself after so many seconds with exit code 75, and has finished when the exit code is 0:

    until python benchmarks/reproduce_table3.py ... --piece-s 540; do [ $? = 75 ] || break; done

The banks are `clear-gen bank import clear`'s of CLEAR2's two and any other with the same labels: 15 MB in all. It needs
the packages of `pip install '.[bench]'`. With 2,000 scenes and a few rows two CPU cores finish in about an hour:

    ... --scenes 2000 --model naaqa-parallel-optimized --model text-only --max-epochs 12
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from baselines.audio.features import read_feature_settings
from baselines.core.checkpoints import Paused, default_device
from baselines.core.results import read_results
from baselines.core.run import FEATURES, METRICS, TIMING
from baselines.core.trainer import train
from baselines.models.aqa.tokenizer import read_tokenizer
from baselines.models.registry import skeleton
from baselines.tasks.aqa.learner import AqaLearner, Data, load_data
from baselines.tasks.aqa.predictor import TrainedPredictor
from baselines.tasks.aqa.published import TABLE_3, TYPES
from baselines.tasks.aqa.questions import read_split
from baselines.tasks.aqa.results import AqaResults, in_words
from baselines.tasks.aqa.run import TOKENIZER, Config
from baselines.tasks.scoring import evaluate
from clear_gen.cli import run as clear_gen
from clear_gen.cli.common import run_group
from clear_gen.core.files import write_text

AGAIN = 75  # EX_TEMPFAIL: run the same command again
SEEDS = (876944, 189369, 682421, 175326, 427438)  # section 6 of the paper
# In the order in which they are trained: first the paper's best, then what reads the question alone, then the others.
ROWS = ["naaqa-parallel-optimized", "text-only", *(name for name in TABLE_3 if name != "naaqa-parallel-optimized")]
SPLITS = "0.7,0.15,0.15"
PAPER_SCENES, PAPER_QUESTIONS, PAPER_EPOCHS = 50_000, 140_000, 40  # questions to train on
LONGEST_QUESTION = 22  # tokens
PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # dense bf16, of the makers' data sheets
STEP_COST = 3  # forward and backward pass, in forward passes
LEASE_S = 600
RULES = ("paper", "strict")
TESTS = ("official", "other")


@dataclass(frozen=True)
class Job:
    """What is asked for. ``stop_at``: seconds of the monotonic clock."""

    bank: Path
    test_bank: Path
    other_bank: Path
    out: Path
    n_scenes: int
    max_epochs: int
    device: torch.device
    compile: bool
    stop_at: float

    def is_over(self) -> bool:
        """Whether this piece's time is over."""
        return time.monotonic() > self.stop_at

    def data(self, rules: str, test: str) -> Path:
        """The dataset asked by these rules, whose test split is of this bank."""
        return self.out / f"data-{rules}-{test}"

    def run(self, rules: str, model: str, seed: int) -> Path:
        """The folder of a run."""
        return self.out / "runs" / rules / f"{model}-{seed}"

    def results(self, rules: str, model: str, seed: int, test: str) -> Path:
        """The scores of a run on a test bank."""
        return self.run(rules, model, seed) / f"results-{test}.json"


@click.command()
@click.option("--bank", type=click.Path(path_type=Path, exists=True), required=True, help="Training bank.")
@click.option("--test-bank", type=click.Path(path_type=Path, exists=True), required=True, help="The official one.")
@click.option("--other-bank", type=click.Path(path_type=Path, exists=True), required=True, help="A second test bank.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("table3"), show_default=True)
@click.option("--scenes", default=PAPER_SCENES, show_default=True, type=click.IntRange(min=100))
@click.option("--rules", multiple=True, type=click.Choice(RULES), default=RULES, show_default=True)
@click.option("--model", "models", multiple=True, type=click.Choice(ROWS), default=ROWS, help="[default: all]")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, len(SEEDS)), help="Of the paper's.")
@click.option("--max-epochs", default=PAPER_EPOCHS, show_default=True, type=click.IntRange(min=1))
@click.option("--piece-s", type=float, default=float("inf"), help="Stop after so many seconds.  [default: never]")
@click.option("--device", default=None, help="[default: the GPU if there is one]")
@click.option("--compile", is_flag=True, help="torch.compile.")
def main(
    bank: Path,
    test_bank: Path,
    other_bank: Path,
    out: Path,
    scenes: int,
    rules: tuple[str, ...],
    models: tuple[str, ...],
    seeds: int,
    max_epochs: int,
    piece_s: float,
    device: str | None,
    compile: bool,
) -> None:
    """Make the table, or the next piece of it."""
    on = torch.device(device) if device else default_device()
    job = Job(bank, test_bank, other_bank, out, scenes, max_epochs, on, compile, time.monotonic() + piece_s)
    wanted = [(one, model, seed) for one in rules for model, seed in product(models, SEEDS[:seeds])]
    try:
        for one, test in product(rules, TESTS):
            make_dataset(job, one, test)
        for one in rules:
            train_and_score(job, [run for run in wanted if run[0] == one])
    except Paused:
        click.echo(f"{piece_s:.0f} s are over; the same command goes on")
        sys.exit(AGAIN)
    text = "\n".join([*tables(job, wanted), *speeds(job, wanted)]) + "\n"
    write_text(out / "table.md", text)
    click.echo(text)


# --- data -------------------------------------------------------------------------------------------------------------


def make_dataset(job: Job, rules: str, test: str) -> None:
    """Graphs and questions; for another test bank than the official one, only as many as a test split has."""
    folder = job.data(rules, test)
    n, splits, bank = job.n_scenes, SPLITS, job.test_bank
    if test == "other":
        n, splits, bank = round(n * float(SPLITS.split(",")[2])), "0,0,1", job.other_bank
    banks = ["--bank", str(job.bank), "--test-bank", str(bank)]
    commands = [
        ["scenes", "--n", str(n), "--splits", splits, *banks, "--allow-leak", "--no-audio", "--out", str(folder)],
        ["questions", str(folder), "--rules", rules],
    ]
    for command in commands:
        if job.is_over():
            raise Paused
        if code := clear_gen(command):
            sys.exit(code)


# --- runs -------------------------------------------------------------------------------------------------------------


def train_and_score(job: Job, runs: list[tuple[str, str, int]]) -> None:
    """Every run of one dataset that is not scored yet."""
    left = [run for run in runs if not all(job.results(*run, test).is_file() for test in TESTS)]
    if not left:
        return
    began = time.monotonic()
    data = load_data(config_of(job, *left[0]), job.device)
    n_scenes = len(data.train.features.power) + len(data.validation.features.power)
    note_rendering(job, n_scenes, time.monotonic() - began)
    for run in left:
        train_one(job, data, *run)
        for test in TESTS:
            if job.is_over():
                raise Paused
            if not job.results(*run, test).is_file():
                score(job, *run, test)


def config_of(job: Job, rules: str, model: str, seed: int) -> Config:
    """The paper's protocol (supplement A), on virtual scenes; half precision where a GPU has it."""
    return Config(
        data=str(job.data(rules, "official")),
        model=model,
        seed=seed,
        source="virtual",
        max_epochs=job.max_epochs,
        precision="bfloat16" if job.device.type == "cuda" else "float32",
        compile=job.compile,
    )


def train_one(job: Job, data: Data, rules: str, model: str, seed: int) -> None:
    """Train a run, or go on with it."""
    folder = job.run(rules, model, seed)
    click.echo(f"{folder}: {len(data.train.questions):,} training questions, {job.device}")
    config = config_of(job, rules, model, seed)
    train(config, AqaLearner(config, data, job.device), folder, say=click.echo, pause=job.is_over)


def score(job: Job, rules: str, model: str, seed: int, test: str) -> None:
    """Ask a trained run about a test split and write its answers and its scores."""
    folder, data = job.run(rules, model, seed), job.data(rules, test)
    predictor = TrainedPredictor(folder, str(job.device))
    done = evaluate(predictor, read_split(data, "test"), folder, test)
    click.echo(f"{folder}: {test} test bank: {done.file.scores.overall.accuracy:.2%}")


# --- tables -----------------------------------------------------------------------------------------------------------


def tables(job: Job, wanted: list[tuple[str, str, int]]) -> list[str]:
    """Markdown: for each set of rules and test bank, our rows with the paper's below them."""
    lines: list[str] = []
    heads = ["model", "runs", "epochs", "validation", "test, weighted", *map(in_words, TYPES)]
    head = f"| {' | '.join(heads)} |"
    for rules, test in product(dict.fromkeys(run[0] for run in wanted), TESTS):
        n = len(read_split(job.data(rules, test), "test"))
        lines += [f"### Rules: {rules}; {test} test bank, {n:,} questions", "", head, f"|---|{'---:|' * 15}"]
        for model in dict.fromkeys(run[1] for run in wanted if run[0] == rules):
            runs = [run for run in wanted if run[:2] == (rules, model)]
            results = [read_results(job.results(*run, test), AqaResults) for run in runs]
            lines += [our_row(job, runs, results), *paper_row(model)]
        lines.append("")
    return lines


def our_row(job: Job, runs: list[tuple[str, str, int]], results: list[AqaResults]) -> str:
    """Mean over the runs, and standard deviation if there are several; epochs and validation accuracy likewise."""
    histories = [[json.loads(line) for line in lines_of(job.run(*run) / METRICS)] for run in runs]
    best = [min(rows, key=lambda row: row["validation_loss"])["validation_accuracy"] for rows in histories if rows]
    epochs = "/".join(str(len(rows)) for rows in histories)
    by_type = [[one.scores.by_type[name].accuracy for one in results if name in one.scores.by_type] for name in TYPES]
    weighted = [one.scores.weighted.accuracy for one in results if one.scores.weighted]
    cells = [str(len(runs)), epochs, *(spread(values) for values in [best, weighted, *by_type])]
    return f"| {runs[0][1]} | {' | '.join(cells)} |"


def lines_of(path: Path) -> list[str]:
    """The lines of a file; none of one that is not there, since what learns nothing has no history."""
    return path.read_text().splitlines() if path.is_file() else []


def spread(values: list[float]) -> str:
    """Mean in per cent, with the standard deviation of several."""
    if not values:
        return ""
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ±{100 * np.std(values, ddof=1):.2f}"


def paper_row(model: str) -> list[str]:
    """The published row of a model, if there is one."""
    if (row := TABLE_3.get(model)) is None:
        return []
    accuracy = f"{row.accuracy}" if row.spread is None else f"{row.accuracy} ±{row.spread:.2f}"
    cells = ["", "", "", accuracy, *(str(row.by_type.get(name, "")) for name in TYPES)]
    return [f"| *paper* | {' | '.join(cells)} |"]


# --- speed ------------------------------------------------------------------------------------------------------------


def note_rendering(job: Job, n_scenes: int, seconds: float) -> None:
    """Add a line to OUT/rendering.jsonl."""
    path = job.out / "rendering.jsonl"
    line = json.dumps({"device": name_of(job.device), "scenes": n_scenes, "seconds": round(seconds, 2)})
    write_text(path, "".join(f"{one}\n" for one in [*lines_of(path), line]))


def name_of(device: torch.device) -> str:
    """The GPU's name, or the number of threads."""
    return torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def speeds(job: Job, wanted: list[tuple[str, str, int]]) -> list[str]:
    """Markdown: scenes rendered and questions trained per second, and what the whole takes on a GPU."""
    lines = ["### Speed", "", f"Device: {name_of(job.device)}.", ""]
    for text in lines_of(job.out / "rendering.jsonl"):
        one = json.loads(text)
        rate = one["scenes"] / one["seconds"]
        lines.append(
            f"- {one['scenes']:,} scenes rendered and turned into spectrograms in {one['seconds']} s: {rate:,.0f}/s"
        )
    head = "| model | GFLOP forward | questions/s | GFLOP/s | an epoch, s | of the bf16 rate |"
    lines += ["", head, f"|---|{'---:|' * 5}"]
    lines += [speed_row(job, run) for run in wanted if (job.run(*run) / TIMING).is_file()]
    return [*lines, "", *projected(job, wanted)]


def projected(job: Job, wanted: list[tuple[str, str, int]]) -> list[str]:
    """What the paper's best row needs at full size, from its operations."""
    best = [run for run in wanted if run[1] == ROWS[0]]
    if not best:
        return []
    flops, peak = PAPER_QUESTIONS * PAPER_EPOCHS * STEP_COST * forward_flops(job, best[0]), PEAK_FLOPS["H200"]
    return [
        f"{PAPER_EPOCHS} epochs of {ROWS[0]} on {PAPER_QUESTIONS:,} questions are {flops / 1e15:.1f} PFLOP: "
        f"{flops / peak:.0f} s at the full bf16 rate of an H200 ({peak / 1e12:.0f} TFLOP/s), {LEASE_S} s at "
        f"{flops / peak / LEASE_S:.1%} of it."
    ]


def speed_row(job: Job, run: tuple[str, str, int]) -> str:
    """A run's speed, of the median epoch."""
    timing = json.loads((job.run(*run) / TIMING).read_text())
    median_s = float(np.median(timing["epoch_seconds"]))
    rate, forward = timing["questions"] / median_s, forward_flops(job, run)
    used = rate * forward * STEP_COST
    peaks = [peak for name, peak in PEAK_FLOPS.items() if name in name_of(job.device)]
    share = f"{used / peaks[0]:.1%}" if peaks else ""
    return f"| {run[1]} ({run[0]}) | {forward / 1e9:.3f} | {rate:,.0f} | {used / 1e9:,.1f} | {median_s:.1f} | {share} |"


def forward_flops(job: Job, run: tuple[str, str, int]) -> float:
    """Floating point operations of one forward pass: the dataset's longest scene, the paper's longest question."""
    folder = job.run(*run)
    tokenizer, features = read_tokenizer(folder / TOKENIZER), read_feature_settings(folder / FEATURES)
    model = skeleton(run[1], {"n_words": len(tokenizer.words), "n_answers": len(tokenizer.answers)}).eval()
    spectrogram = torch.zeros(1, 1, features.mel.n_bands, features.n_frames, device="meta")
    tokens = torch.zeros(1, LONGEST_QUESTION, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter:
        model(spectrogram, tokens, tokens[:, 0])
    return float(counter.get_total_flops())


if __name__ == "__main__":
    sys.exit(run_group(main, "reproduce_table3", sys.argv[1:]))
