"""How fast questions are made: `clear-gen questions`, whole runs in processes of their own, text and Parquet included.

    python benchmarks/questions.py --bank train.parquet --test-bank test.parquet

Prints CPU seconds, questions per CPU-second and peak memory for 1,000 to 50,000 scenes with one worker, less the CPU of
a run on one scene (start, templates, card); of which pass 1 makes the candidates, as estimated from one of two shards,
and pass 2 selects. Then whether 4 workers and 3 shards, in any order, write the same files.

Limits: 10,000 questions per CPU-second, goal 20,000; 400 MB at 200,000 questions; linear.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import click
import numpy as np
from measure import run_cli

from clear_gen.core.files import sha256_file
from clear_gen.core.text import table
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.default import default_banks
from clear_gen.store.layout import shard_of

# Questions per CPU-second of other engines, 4 a scene, on the same machine: the project's PEERS.md
PEERS = {"CLEAR's published generator": "680 to 935", "CLEVR's engine": "23 to 28"}
HEAD = [
    "scenes",
    "questions",
    "delivered",
    "CPU s",
    "less start s",
    "pass 1 s",
    "pass 2 s",
    "questions/CPU-s",
    "peak MB",
]


@click.command()
@click.option("--sizes", default="1000,5000,20000,50000", show_default=True, help="Numbers of scenes.")
@click.option("--per-scene", default=4, show_default=True)
@click.option("--same", default=5000, show_default=True, help="Scenes on which the ways of making are compared.")
@click.option("--seed", default=0, show_default=True)
@click.option("--bank", type=click.Path(exists=True), help="Training bank.  [default: the embedded one]")
@click.option("--test-bank", type=click.Path(exists=True))
def main(sizes: str, per_scene: int, same: int, seed: int, bank: str | None, test_bank: str | None) -> None:
    """Print the tables."""
    default_banks(load_domain("clear2").attributes)  # made and cached once, outside the measurement
    banks = ["--bank", bank, "--test-bank", test_bank, "--allow-leak"] if bank and test_bank else []
    with tempfile.TemporaryDirectory() as name:
        asking = Asking(Path(name), per_scene, seed, banks)
        counts = [int(size) for size in sizes.split(",")]
        start_s, _ = asking.ask(asking.scenes(1))
        rows = [HEAD, *(asking.row(n, start_s) for n in counts)]
        click.echo("\n".join(table(rows)))
        for peer, rate in PEERS.items():
            click.echo(f"{peer}: {rate} questions/CPU-s")
        asking.compare(same)


class Asking:
    """Datasets of graphs below a folder, and questions about them."""

    def __init__(self, folder: Path, per_scene: int, seed: int, banks: list[str]) -> None:
        self._folder, self._per_scene, self._seed, self._banks = folder, per_scene, seed, banks

    def scenes(self, n: int) -> Path:
        """A fresh copy of the graphs of ``n`` scenes, made once."""
        made = self._folder / f"{n}-scenes"
        if not made.exists():
            splits = ["--splits", "1,0,0"] if n == 1 else []
            options = ["--n", str(n), "--seed", str(self._seed), *splits, *self._banks, "--out", str(made)]
            run_cli(["scenes", *options, "--no-audio"])
        folder = self._folder / "data"
        shutil.rmtree(folder, ignore_errors=True)
        return shutil.copytree(made, folder)

    def ask(self, folder: Path, *options: str, workers: int = 1) -> tuple[float, float]:
        """(CPU seconds, peak MB) of a run."""
        fixed = ["--per-scene", str(self._per_scene), "--seed", str(self._seed), "--workers", str(workers)]
        return run_cli(["questions", str(folder), *fixed, *options])

    def row(self, n: int, start_s: float) -> list[str]:
        """What ``n`` scenes cost."""
        folder = self.scenes(n)
        files = scene_files(stored(folder)["identity"]["scenes"])
        first = sum(file.stop - file.first for file in shard_of(files, 2, 0))
        half_s, _ = self.ask(folder, "--num-shards", "2", "--shard-index", "0")
        folder = self.scenes(n)
        cpu_s, peak_mb = self.ask(folder)
        splits = stored(folder)["questions"]["splits"].values()
        written, wanted = (sum(found[name] for found in splits) for name in ("written", "wanted"))
        spent_s, pass_1_s = cpu_s - start_s, (half_s - start_s) * n / first
        seconds = [f"{value:.2f}" for value in (cpu_s, spent_s, pass_1_s, spent_s - pass_1_s)]
        rate = f"{written / spent_s:,.0f}"
        return [f"{n:,}", f"{written:,}", f"{written / wanted:.2%}", *seconds, rate, f"{peak_mb:.0f}"]

    def compare(self, n: int) -> None:
        """Print whether the files are the same however they are made."""
        self.ask(folder := self.scenes(n))
        reference = hashes(folder)
        self.ask(folder := self.scenes(n), workers=4)
        found = {"4 workers": hashes(folder)}
        folder, order = self.scenes(n), np.random.default_rng(self._seed).permutation(3).tolist()
        for index in order:
            self.ask(folder, "--num-shards", "3", "--shard-index", str(index))
        found[f"3 shards (order {order})"] = hashes(folder)
        for way, files in found.items():
            equal = sum(files.get(path) == sha256 for path, sha256 in reference.items())
            click.echo(f"{n:,} scenes, {way}: {equal} of {len(reference)} files equal, {len(files) - equal} others")
        if any(files != reference for files in found.values()):
            raise click.ClickException("the bytes depend on how they were made")


def stored(folder: Path) -> dict:
    """The content of ``clear.json``."""
    return dict(json.loads((folder / "clear.json").read_text()))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a dataset, by relative path."""
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


if __name__ == "__main__":
    main()
