"""What clear-bench costs: virtual scenes against rendered audio, and a training step in every way it can be run.

    python benchmarks/bench.py --bank train.parquet --test-bank test.parquet

Prints the largest difference between virtual scenes and ``clear_gen.scenes.render`` before quantisation; CPU and wall
time per scene of both sources, spectrogram included; then the time of a training step of the paper's best model by
precision, layout of memory and compilation, in milliseconds a question. With a GPU it measures there, the error too.

Limit: 1e-4 of full scale. Goals: virtual faster than decoding FLAC on a CPU; 10,000 scenes/s on a GPU.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import click
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from baselines.audio.features import BATCH, FeatureSettings, features_of
from baselines.audio.scenes import Scenes
from baselines.audio.sources import open_scenes
from baselines.audio.spectrogram import settings_at
from baselines.core.checkpoints import default_device
from baselines.models.registry import build
from clear_gen.cli import run as clear_gen
from clear_gen.core.text import table
from clear_gen.datasets.scenes.banks import read_banks
from clear_gen.datasets.scenes.load import load_scenes
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.scenes.render import render

MODEL = "naaqa-parallel-optimized"
N_FRAMES, N_TOKENS, N_WORDS, N_ANSWERS = 418, 22, 95, 58  # of the paper
REPEATS = 5


@click.command()
@click.option("--bank", type=click.Path(exists=True), help="Training bank.  [default: the embedded one]")
@click.option("--test-bank", type=click.Path(exists=True))
@click.option("--scenes", default=200, show_default=True)
@click.option("--batch", default=32, show_default=True, help="Questions in a training step.")
@click.option("--device", default=None, help="[default: the GPU if there is one]")
def main(bank: str | None, test_bank: str | None, scenes: int, batch: int, device: str | None) -> None:
    """Print the tables."""
    on = torch.device(device) if device else default_device()
    click.echo(f"{torch.cuda.get_device_name() if on.type == 'cuda' else 'CPU'}, {torch.get_num_threads()} threads\n")
    banks = ["--bank", bank, "--test-bank", test_bank] if bank and test_bank else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "data")
        assert clear_gen(["scenes", "--n", str(scenes), "--splits", "1,0,0", *banks, "--out", str(folder)]) == 0
        virtual, audio = (open_scenes(folder, "train", source) for source in ("virtual", "audio"))
        click.echo(f"largest error of virtual scenes: {largest_error(folder, virtual, on):.1e} of full scale\n")
        rows = [["source", "scenes", "CPU ms/scene", "wall ms/scene", "scenes/s"]]
        rows += [source_row(name, source, on) for name, source in (("audio", audio), ("virtual", virtual))]
        click.echo("\n".join(table(rows)) + "\n")
    click.echo("\n".join(table([["step", "ms/question", "questions/s"], *step_rows(batch, on)])))


# --- scenes -----------------------------------------------------------------------------------------------------------


def largest_error(folder: Path, virtual: Scenes, device: torch.device) -> float:
    """Over all samples of all scenes."""
    bank = read_banks(folder, finished_settings(folder))["train"]
    expected = (render(scene.graph, bank) for scene in load_scenes(folder, "train"))
    found = (row for batch in virtual.waveforms(BATCH[device.type], device) for row in batch.cpu().numpy())
    return max(float(np.abs(one[: len(other)] - other).max()) for one, other in zip(found, expected, strict=True))


def source_row(name: str, scenes: Scenes, device: torch.device) -> list[str]:
    """The fastest of several passes."""
    n = len(scenes.n_samples)
    mel = settings_at(scenes.sample_rate, False)
    settings = FeatureSettings(mel=mel, n_frames=int(mel.n_frames(scenes.n_samples).max()), fit="pad", mean=0, std=1)
    cpu_s, wall_s = fastest(lambda: features_of(scenes, settings, device, lambda _: None), device)
    return [name, f"{n:,}", f"{1e3 * cpu_s / n:.2f}", f"{1e3 * wall_s / n:.2f}", f"{n / wall_s:,.0f}"]


def fastest(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """(CPU s, wall s), each the least of several repeats, after one that warms up."""
    work()
    measured = []
    for _ in range(REPEATS):
        wait_for(device)
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        wait_for(device)
        measured.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in measured), min(wall for _, wall in measured)


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


# --- training steps ---------------------------------------------------------------------------------------------------


def step_rows(batch: int, device: torch.device) -> Iterator[list[str]]:
    """A row for every way to run a step."""
    layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    for precision, layout, is_compiled in product((torch.float32, torch.bfloat16), layouts, (False, True)):
        name = f"{str(precision).removeprefix('torch.')}, {layout}{', compiled' * is_compiled}"
        try:
            _, wall_s = fastest(stepper(batch, device, precision, layouts[layout], is_compiled), device)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            yield [name, f"not compiled: {type(error.inner_exception).__name__}", ""]
            continue
        yield [name, f"{1e3 * wall_s / batch:.2f}", f"{batch / wall_s:,.0f}"]


def stepper(
    batch: int, device: torch.device, precision: torch.dtype, layout: torch.memory_format, is_compiled: bool
) -> Callable[[], None]:
    """One step of the optimiser on questions about the paper's longest scene."""
    sizes = {"n_words": N_WORDS, "n_answers": N_ANSWERS}
    model = build(MODEL, sizes, np.random.default_rng(0)).to(device, memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    if is_compiled:
        model.compile(mode="reduce-overhead" if device.type == "cuda" else "default")
    torch.manual_seed(0)
    spectrogram = torch.randn(batch, 1, 64, N_FRAMES, device=device).contiguous(memory_format=layout)
    tokens = torch.full((batch, N_TOKENS), 4, device=device)
    lengths, classes = torch.full((batch,), N_TOKENS, device=device), torch.arange(batch, device=device) % N_ANSWERS

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
            logits = model(spectrogram, tokens, lengths)
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(logits.float(), classes).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
