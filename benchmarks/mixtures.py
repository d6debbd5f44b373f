"""What mixtures cost: whole runs of `clear-gen mix` at 32 kHz over 48 kHz stereo backgrounds of 24 bit.

    python benchmarks/mixtures.py --n 400

Recordings are synthesised: mono events at 44.1 kHz, 16 bit, 3 s; stereo backgrounds at 48 kHz, 24 bit, 10 s, as the
corpora of DCASE have them: one for each mixture, so that each is read and resampled for it, or few, which stay in
memory. White noise, which FLAC compresses least. Every run is a process of its own; the cost of a run of as few
mixtures as there are folds is subtracted. Beside it Scaper on the same recordings, if it is installed.

Limit: 40 clips per CPU-second, with FLAC of 16 bit, and of 24 bit for two stems; a clip is a mixture at one SNR.
"""

from __future__ import annotations

import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import soundfile
from measure import run_cli

from clear_gen.core.text import table

LIMIT = 40  # clips per CPU-second
N_LABELS, N_EACH, N_FOLDS = 10, 8, 4
EVENT_S, EVENT_HZ = 3.0, 44_100
UNDER_S, UNDER_HZ = 10.0, 48_000
SNRS = (0, 10, 20)
FEW = 5  # backgrounds of a fold


def write_recordings(folder: Path, n_backgrounds: int) -> list[str]:
    """Events and backgrounds; returns the options of mix that name them."""
    rng = np.random.default_rng(0)
    for label in range(N_LABELS):
        (folder / f"events/label{label}").mkdir(parents=True)
        for k in range(N_EACH):
            noise = 0.1 * rng.standard_normal(round(EVENT_S * EVENT_HZ))
            soundfile.write(folder / f"events/label{label}/{k}.wav", noise, EVENT_HZ, "PCM_16")
    (folder / "under/street").mkdir(parents=True)  # Scaper wants a label
    for k in range(n_backgrounds):
        noise = 0.03 * rng.standard_normal((round(UNDER_S * UNDER_HZ), 2))
        soundfile.write(folder / f"under/street/{k:05d}.wav", noise, UNDER_HZ, "PCM_24")
    return ["--events", str(folder / "events"), "--backgrounds", str(folder / "under")]


def mixed(sources: list[str], out: Path, n: int, *more: str) -> tuple[float, float]:
    """(CPU s, peak MB) of one run."""
    size = ["--n", str(n), "--folds", str(N_FOLDS), "--sample-rate", "32000", "--workers", "1"]
    return run_cli(["mix", *sources, *size, *more, "--out", str(out)])


def scaped(recordings: Path, out: Path, n: int) -> float:
    """CPU s of Scaper for as many clips with audio, JAMS and text, in this process."""
    import scaper

    out.mkdir()
    sc = scaper.Scaper(10.0, str(recordings / "events"), str(recordings / "under"), random_state=0)
    sc.sr, sc.ref_db = 32_000, -35
    start = time.process_time()
    for k in range(n):
        sc.reset_fg_event_spec()
        sc.reset_bg_event_spec()
        sc.add_background(("choose", []), ("choose", []), ("const", 0))
        for _ in range(3):
            times = (("const", 0), ("uniform", 0, 8), ("const", 2))
            sc.add_event(("choose", []), ("choose", []), *times, ("const", 0), None, None)
        sc.generate(
            str(out / f"{k}.wav"), str(out / f"{k}.jams"), txt_path=str(out / f"{k}.txt"), disable_sox_warnings=True
        )
    return time.process_time() - start


@click.command()
@click.option("--n", default=400, show_default=True, help="Mixtures at each SNR.")
def main(n: int) -> None:
    """Print the table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    three = [option for snr_db in SNRS for option in ("--snr", str(snr_db))]
    kinds = {
        "one SNR, few backgrounds": (["--snr", "0"], 1),
        "one SNR": (["--snr", "0"], 1),
        "three SNRs": (three, len(SNRS)),
        "three SNRs, stems too": ([*three, "--stems"], len(SNRS)),
        "one SNR, LUFS": (["--snr", "0", "--snr-measure", "lufs"], 1),
    }
    rows = [["", "clips", "CPU ms/clip", "clips/CPU s", "limit", "peak MB"]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, few = (write_recordings(folder / f"recordings {k}", k) for k in (n, N_FOLDS * FEW))
        for kind, (options, n_snrs) in kinds.items():
            sources = few if kind.endswith("few backgrounds") else many
            start_s, _ = mixed(sources, folder / f"start {kind}", N_FOLDS, *options)
            cpu_s, peak_mb = mixed(sources, folder / kind, n, *options)
            clips = (n - N_FOLDS) * n_snrs
            ms = (cpu_s - start_s) / clips * 1e3
            rows.append([kind, f"{n * n_snrs:,}", f"{ms:.1f}", f"{1e3 / ms:.0f}", f"{LIMIT}", f"{peak_mb:.0f}"])
        if find_spec("scaper"):
            cpu_s = scaped(folder / f"recordings {n}", folder / "scaper", n)
            rows.append(["Scaper: WAV, JAMS, text", f"{n:,}", f"{cpu_s / n * 1e3:.1f}", f"{n / cpu_s:.0f}", "", ""])
    click.echo("\n".join(table(rows)))
    if not find_spec("scaper"):
        click.echo("Scaper: not installed, not compared")


if __name__ == "__main__":
    main()
