"""What a scene with room, noise and FLAC costs, against FLAC-encoding the same PCM alone.

    python benchmarks/audio.py --n 1200

Whole runs of `clear-gen scenes` with one and with two workers, each in a process of its own; the cost of a run of three
scenes (start, banks, finish) is subtracted. The FLAC of a sample of the same scenes is encoded again after
each run, in this process, so that both costs of a ratio come from the same minutes on the same machine.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import click
from measure import run_cli

import clear_gen
from clear_gen.core.pcm import encode_flac, to_pcm16
from clear_gen.core.text import table
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.default import default_banks

SAMPLED_SCENES = 60
PROJECTED_SCENES = 50_000


def flac_ms(folder: Path) -> float:
    """CPU milliseconds of encoding one scene of the dataset again, mean over a sample, best of three."""
    pcm = [to_pcm16(scene.waveform) for scene in clear_gen.open_dataset(folder).scenes("train")[:SAMPLED_SCENES]]
    times = []
    for _ in range(3):
        start = time.process_time()
        for samples in pcm:
            encode_flac(samples, 48000)
        times.append((time.process_time() - start) / len(pcm) * 1e3)
    return min(times)


def generate(n: int, workers: int, bank: list[str], out: Path) -> tuple[float, float, float]:
    """(CPU s, wall s, peak MB of the largest process) of one run."""
    start = time.monotonic()
    cpu_s, peak_mb = run_cli(["scenes", "--n", str(n), *bank, "--workers", str(workers), "--out", str(out)])
    return cpu_s, time.monotonic() - start, peak_mb


@click.command()
@click.option("--n", default=1200, show_default=True, help="Scenes of the measured runs.")
@click.option("--bank", type=click.Path(exists=True), help="Training bank.  [default: the embedded one]")
@click.option("--test-bank", type=click.Path(exists=True))
def main(n: int, bank: str | None, test_bank: str | None) -> None:
    """Print the tables."""
    banks = ["--bank", bank, "--test-bank", test_bank, "--allow-leak"] if bank and test_bank else []
    default_banks(load_domain("clear2").attributes)
    rows = [["workers", "scenes", "CPU ms a scene", "FLAC ms", "ratio", "wall s", "scenes/s", "peak MB"]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(1, 1, banks, folder / "warm")  # the disk cache of libraries and banks
        rates, per_scene_s = [], 0.0
        for workers in (1, 2):
            start_cpu, start_wall, _ = generate(3, workers, banks, folder / f"start-{workers}")
            small_n = max(100, n // 8)
            _, _, small_mb = generate(small_n, workers, banks, folder / f"small-{workers}")
            cpu_s, wall_s, peak_mb = generate(n, workers, banks, folder / f"whole-{workers}")
            encode_ms = flac_ms(folder / f"whole-{workers}")
            cpu_ms = (cpu_s - start_cpu) / n * 1e3
            rates.append(n / (wall_s - start_wall))
            per_scene_s = 1 / rates[-1]
            cells = [f"{cpu_ms:.1f}", f"{encode_ms:.1f}", f"{cpu_ms / encode_ms:.2f}", f"{wall_s - start_wall:.1f}"]
            rows.append([str(workers), f"{n:,}", *cells, f"{rates[-1]:.0f}", f"{small_mb:.0f} to {peak_mb:.0f}"])
        size = sum(path.stat().st_size for path in (folder / "whole-2").rglob("*.parquet")) / n
    click.echo("\n".join(table(rows)))
    click.echo(f"two workers against one: {rates[1] / rates[0]:.2f} times the scenes/s ({os.cpu_count()} cores)")
    hours = PROJECTED_SCENES * per_scene_s / 60
    click.echo(f"{PROJECTED_SCENES:,} scenes on two workers: {hours:.0f} min, {PROJECTED_SCENES * size / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
