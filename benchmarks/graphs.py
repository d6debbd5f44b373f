"""How fast scene graphs are made: `clear-gen scenes --no-audio`, whole runs in processes of their own.

    python benchmarks/graphs.py

Prints CPU seconds and peak memory for 1,000 to 200,000 scenes on the embedded default banks, less the CPU of a run of
one scene (start, banks, finish), and how far from linear that is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from measure import run_cli

from clear_gen.core.text import table
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.default import default_banks


@click.command()
@click.option("--sizes", default="1000,10000,50000,200000", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(sizes: str, seed: int) -> None:
    """Print the table."""
    default_banks(load_domain("clear2").attributes)  # made and cached once, outside the measurement
    rows = [["scenes", "CPU s", "less start s", "us a scene", "to the first", "peak MB"]]
    with tempfile.TemporaryDirectory() as folder:
        counts = [1, *(int(size) for size in sizes.split(","))]
        start_s, per_scene_us = 0.0, []
        for n in counts:
            out = str(Path(folder) / str(n))
            cpu_s, peak_mb = run_cli(
                ["scenes", "--n", str(n), "--no-audio", "--workers", "1", "--seed", str(seed), "--out", out]
            )
            if n == 1:
                start_s = cpu_s
                rows.append([f"{n:,}", f"{cpu_s:.2f}", "", "", "", f"{peak_mb:.0f}"])
                continue
            per_scene_us.append((cpu_s - start_s) / n * 1e6)
            ratio = per_scene_us[-1] / per_scene_us[0]
            row = [f"{n:,}", f"{cpu_s:.2f}", f"{cpu_s - start_s:.2f}", f"{per_scene_us[-1]:.0f}", f"{ratio:.2f}"]
            rows.append([*row, f"{peak_mb:.0f}"])
    click.echo("\n".join(table(rows)))


if __name__ == "__main__":
    main()
