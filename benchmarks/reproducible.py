"""Are the scenes what they should be, and the same bytes however they are made?

    python benchmarks/reproducible.py --n 1000 --bank train.parquet --test-bank test.parquet

Makes one dataset four ways, with one worker, with two, with four shards in a shuffled order, and as graphs to which the
audio is added later, and compares the SHA-256 of every file. Prints the statistics beside the published ones, the
chi-square test of the lengths, and how many different rooms and noises there are.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
from measure import run_cli
from scipy.stats import chisquare

from clear_gen.core.files import sha256_file
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.datasets.scenes.statistics import statistics, statistics_lines


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a dataset, by relative path."""
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@click.command()
@click.option("--n", default=1000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--bank", type=click.Path(exists=True), help="Training bank.  [default: the embedded one]")
@click.option("--test-bank", type=click.Path(exists=True))
def main(n: int, seed: int, bank: str | None, test_bank: str | None) -> None:
    """Print the figures."""
    banks = ["--bank", bank, "--test-bank", test_bank] if bank and test_bank else []
    command = ["scenes", "--n", str(n), "--seed", str(seed), *banks]
    with tempfile.TemporaryDirectory() as name:
        folders = {way: Path(name) / way for way in ("1-worker", "2-workers", "4-shards", "audio-later")}
        for workers, way in ((1, "1-worker"), (2, "2-workers")):
            run_cli([*command, "--workers", str(workers), "--out", str(folders[way])])
        order = np.random.default_rng(seed).permutation(4)
        for index in order:
            run_cli([*command, "--num-shards", "4", "--shard-index", str(index), "--out", str(folders["4-shards"])])
        run_cli([*command, "--no-audio", "--out", str(folders["audio-later"])])
        run_cli(["render", str(folders["audio-later"])])
        found = {way: hashes(folder) for way, folder in folders.items()}
        _print_statistics(folders["1-worker"])
    reference = found["1-worker"]
    for way, files in found.items():
        same = sum(files.get(path) == sha for path, sha in reference.items())
        extra = len(set(files) - set(reference))
        click.echo(
            f"{way:12} {same} of {len(reference)} files equal, {extra} more" + (f" (order {order})" * ("4" in way))
        )
    if any(files != reference for files in found.values()):
        raise click.ClickException("the bytes depend on how they were made")


def _print_statistics(folder: Path) -> None:
    settings = finished_settings(folder)
    files = scene_files(settings.sizes)
    counted = statistics(folder, files)
    click.echo("\n".join(statistics_lines(settings.domain, counted.ranges)))
    rules = settings.domain.sampling.sounds
    lengths = [counted.scenes_of_length.get(length, 0) for length in range(rules.min, rules.max + 1)]
    test = chisquare(lengths)
    click.echo(f"lengths {rules.min} to {rules.max}: {lengths}, chi-square {test.statistic:.1f}, p = {test.pvalue:.3f}")
    tables = [pq.read_table(folder / file.name, columns=["reverb", "noise", "rendered"]) for file in files]
    rows = [row for table in tables for row in table.to_pylist()]
    for column, field in (("reverb", None), ("reverb", "seed"), ("noise", None), ("noise", "seed"), ("rendered", None)):
        values = {str(row[column] if field is None else row[column][field]) for row in rows}
        click.echo(f"different {column}{' ' + field if field else ''}: {len(values)} of {len(rows)}")


if __name__ == "__main__":
    main()
