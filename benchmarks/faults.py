"""What happens to a dataset when its making is disturbed: is the fault noticed, is anything lost, are the bytes equal?

    python benchmarks/faults.py --kills 20 --n 300

Makes datasets at 8 kHz from the embedded banks, does to each what its row says, runs the same command again, and
compares every file with those of an undisturbed run. "lost": whole files or chunks that were there after the fault and
had to be made again. A real file system without space needs the right to mount one (root). Exit code 1 if anything is
lost or differs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from reproducible import hashes

TIMES = 3  # how often a fault is made that needs no chance
TMPFS_MB = 8
SITE = """
import json, os, signal
fault = json.loads(os.environ["CLEAR_FAULT"])
rename = os.replace
def replace(source, target, **options):
    if str(target).endswith(fault["target"]) and not os.path.exists(fault["marker"]):
        if fault["once"]:
            open(fault["marker"], "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target, **options)
os.replace = replace
"""


@dataclass
class Row:
    """One line of the table: how often the fault was made, what was seen, what was lost, how many results differ."""

    fault: str
    times: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    different: int = 0


@dataclass(frozen=True)
class Bench:
    """Where, which command, and the hashes of the undisturbed result."""

    folder: Path
    arguments: list[str]
    reference: dict[str, str]
    seconds: dict[int, float]

    def start(self, out: Path, workers: int = 1, *more: str, **environment: str) -> subprocess.Popen[str]:
        """Begin the command."""
        return start([*self.arguments, "--workers", str(workers), "--out", str(out), *more], **environment)


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """Begin a ``clear-gen`` command in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "clear_gen", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def end(process: subprocess.Popen[str], row: Row) -> str:
    """Wait; note exit code and the kind of message."""
    _, error = process.communicate()
    lines = [line for line in error.splitlines() if line.strip() and not line.startswith("scenes ")]
    said = lines[-1].removeprefix("clear-gen: ") if lines else "nothing said"
    for path in (word.strip(":;") for word in said.split() if word.startswith(tempfile.gettempdir())):
        said = said.replace(path, "…" + "/".join(Path(path).parts[-2:]))
    code = process.returncode
    row.seen[f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}: {said[:110]}"] += 1
    return error


def whole(folder: Path) -> dict[str, int]:
    """Inode of every whole file and chunk."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".arrow", ".parquet") and path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_ino for path in paths}


def resume(bench: Bench, out: Path, row: Row, spoilt: str = "") -> None:
    """Run the same command again, undisturbed; note what was lost and whether the bytes are equal."""
    before = whole(out)
    process = bench.start(out)
    _, error = process.communicate()
    if process.returncode:
        row.seen[f"again, exit {process.returncode}: {error.splitlines()[-1][-90:]}"] += 1
    row.lost += lost(before, whole(out), spoilt)
    row.different += hashes(out) != bench.reference
    row.times += 1
    shutil.rmtree(out)


def lost(before: dict[str, int], after: dict[str, int], spoilt: str = "") -> int:
    """Files that are not what they were; a chunk may have become part of its file."""
    files = {Path(name).name.split("-")[0] for name in after if name.startswith("scenes/")}
    gone = [name for name, inode in before.items() if after.get(name) != inode and name != spoilt]
    return sum(not (name.endswith(".arrow") and Path(name).name.split("-")[0] in files) for name in gone)


# --- faults -----------------------------------------------------------------------------------------------------------


def killed(bench: Bench, row: Row, kills: int, workers: int, group: bool) -> None:
    """SIGKILL at random moments, again and again over the life of a dataset."""
    rng = np.random.default_rng(workers + 10 * group)
    out, left, made = bench.folder / "killed", {}, 0
    while made < kills:
        process = bench.start(out, workers)
        try:
            process.wait(rng.uniform(0, bench.seconds[workers]))
        except subprocess.TimeoutExpired:
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
            made += 1
            end(process, row)
            time.sleep(0.3)  # until orphans have noticed
        else:
            process.communicate()
            row.different += hashes(out) != bench.reference
            shutil.rmtree(out)
        row.lost += lost(left, whole(out)) if out.exists() else 0
        left = whole(out) if out.exists() else {}
    row.times = kills - 1
    resume(bench, out, row)


def dying_worker(bench: Bench, row: Row, once: bool) -> None:
    """A worker is killed as it is about to deliver a certain chunk."""
    site = bench.folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    for number in range(TIMES):
        out, marker = bench.folder / f"worker{number}", bench.folder / f"marker{once}{number}"
        fault = {"target": f"train-{100 * (number % 2):07d}.arrow", "marker": str(marker), "once": once}
        process = bench.start(out, 2, PYTHONPATH=path, CLEAR_FAULT=json.dumps(fault))
        error = end(process, row)
        row.seen["chunk named"] += f"train-{100 * (number % 2):06d} to train-" in error
        resume(bench, out, row)


def interrupted(bench: Bench, row: Row, workers: int) -> None:
    """Ctrl-C, which reaches the whole group, at random moments of the work."""
    rng = np.random.default_rng(workers)
    for number in range(TIMES):
        out = bench.folder / f"interrupted{number}"
        process = bench.start(out, workers)
        while not (out / ".partial/clear.json").exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.5) * bench.seconds[workers])
        os.killpg(process.pid, signal.SIGINT)
        end(process, row)
        resume(bench, out, row)


def full_disk(bench: Bench, row: Row, workers: int) -> None:
    """A real file system with too little space; then the files move to one with enough."""
    disk = bench.folder / "disk"
    disk.mkdir(exist_ok=True)
    for size_mb in (1, TMPFS_MB, 3 * TMPFS_MB):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            row.seen["not possible here"] += 1
            return
        try:
            end(bench.start(disk / "data", workers), row)
            row.seen["temporary files left"] += len(list((disk / "data").rglob(".*.tmp")))
            subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
            resume(bench, disk / "data", row)
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def read_only(bench: Bench, row: Row) -> None:
    """A folder on a file system that is mounted read-only."""
    disk = bench.folder / "disk"
    disk.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)], capture_output=True).returncode:
        row.seen["not possible here"] += 1
        return
    try:
        end(bench.start(disk / "data"), row)
        row.times += 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def two_runs(bench: Bench, row: Row, *more: str) -> None:
    """A second run in the folder of one that is at work."""
    for number in range(TIMES):
        out = bench.folder / f"two{number}"
        first = bench.start(out)
        while not (out / ".partial/clear.json").exists() and first.poll() is None:  # then it holds the lock
            time.sleep(0.002)
        os.kill(first.pid, signal.SIGSTOP)  # or it might be done before the second has begun
        end(bench.start(out, 1, *more), row)
        os.kill(first.pid, signal.SIGCONT)
        first.communicate()
        resume(bench, out, row)


def damaged(bench: Bench, row: Row, name: str, damage: Callable[[bytes], bytes]) -> None:
    """A file of a finished dataset is not what it was."""
    out = bench.folder / "damaged"
    bench.start(out).communicate()
    (out / name).write_bytes(damage((out / name).read_bytes()))
    end(start(["validate", str(out), "--sample", "0"]), row)
    resume(bench, out, row, spoilt=name)


FIRST = "scenes/train-00000-of-00001.parquet"
FAULTS: list[tuple[str, Callable[..., None], tuple[object, ...]]] = [
    ("SIGKILL of a run, one worker", killed, ("kills", 1, True)),
    ("SIGKILL of the group, two workers", killed, ("kills", 2, True)),
    ("SIGKILL of the parent of two workers", killed, ("kills", 2, False)),
    ("a worker killed once", dying_worker, (True,)),
    ("a worker killed whenever it has the chunk", dying_worker, (False,)),
    ("Ctrl-C, one worker", interrupted, (1,)),
    ("Ctrl-C, two workers", interrupted, (2,)),
    ("no space left, one worker", full_disk, (1,)),
    ("no space left, two workers", full_disk, (2,)),
    ("read-only file system", read_only, ()),
    ("second run at the same time", two_runs, ()),
    ("second run with --overwrite", two_runs, ("--overwrite",)),
    ("scene file cut", damaged, (FIRST, lambda content: content[: len(content) // 2])),
    ("scene file empty", damaged, (FIRST, lambda content: b"")),
    ("bank cut", damaged, ("bank/train.parquet", lambda content: content[: len(content) // 2])),
]


@click.command()
@click.option("--kills", default=20, show_default=True, help="In each of the three ways.")
@click.option("--n", default=300, show_default=True, help="Scenes.")
@click.option("--only", default="", help="Rows whose name contains this.")
def main(kills: int, n: int, only: str) -> None:
    """Print the table."""
    arguments = ["scenes", "--n", str(n), "--splits", "0.8,0.1,0.1", "--sample-rate", "8000"]
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), arguments, {}, {})
        bench.start(bench.folder / "warm-up").communicate()  # makes the embedded banks if they are not there yet
        for workers in (1, 2):
            began = time.monotonic()
            bench.start(bench.folder / str(workers), workers).communicate()
            bench.seconds[workers] = time.monotonic() - began
        bench.reference.update(hashes(bench.folder / "1"))
        rows = []
        for fault, make, options in (entry for entry in FAULTS if only in entry[0]):
            row = Row(fault)
            make(bench, row, *(kills if option == "kills" else option for option in options))
            rows.append(row)
            _print(row)
    if any(row.lost or row.different for row in rows):
        raise click.ClickException("something was lost, or the bytes depend on the disturbance")


def _print(row: Row) -> None:
    equal = "-" if row.times == 0 else "yes" if row.different == 0 else f"no, {row.different} of {row.times}"
    click.echo(f"{row.fault:42} times {row.times:2}  lost {row.lost}  equal {equal}")
    for seen, times in row.seen.items():
        if times:
            click.echo(f"    {times} x {seen}")


if __name__ == "__main__":
    main()
