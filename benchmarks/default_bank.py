"""How long the default bank takes, and how much like real instruments it sounds to a very simple listener.

The listener is a nearest neighbour on the average spectrum: power in 40 mel-spaced bands, in dB, its mean over the
bands removed so that level does not matter. It learns from the synthetic train side and names the instruments of the
synthetic test side and, with ``--official``, of real recordings. Chance is 1 in 6 = 0.17.

    python benchmarks/default_bank.py --official ../shared/banks/clear2-official/train
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np
import soundfile

from clear_gen.core.errors import InputError
from clear_gen.sounds.synthesis import synthesise

N_BANDS = 40
LOWEST_HZ, HIGHEST_HZ = 60.0, 16_000.0
FLOOR_DB = -60.0  # below the strongest band a recording holds its room and its noise reduction, not its instrument

Labelled = tuple[str, np.ndarray]  # instrument, features of shape (N_BANDS,)


def band_edges_hz() -> np.ndarray:
    """Edges of ``N_BANDS`` bands equally wide in mel = 2595 log10(1 + f / 700), shape (N_BANDS + 1,)."""
    mel = 2595 * np.log10(1 + np.array([LOWEST_HZ, HIGHEST_HZ]) / 700)
    return 700 * (10 ** (np.linspace(mel[0], mel[1], N_BANDS + 1) / 2595) - 1)


def features(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Level of each band in dB, mean removed, shape (N_BANDS,). ``samples``: shape (n_samples,)."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(len(samples), 1 / sample_rate), band_edges_hz())
    level_db = 10 * np.log10(np.add.reduceat(power, edges)[:-1] / np.diff(edges) + 1e-20)
    level_db = np.maximum(level_db, level_db.max() + FLOOR_DB)
    return level_db - level_db.mean()


def synthetic(side: str) -> list[Labelled]:
    """Features of one side of the default bank."""
    sounds = synthesise(side)
    return [(str(sound.attributes["instrument"]), features(sound.samples, sound.sample_rate)) for sound in sounds]


def official(folder: Path) -> list[Labelled]:
    """Features of a bank in the layout of CLEAR: ``elementary_sounds.json`` beside its WAV files.

    Raises ``InputError`` if the list or one of its files is missing.
    """
    listing = folder / "elementary_sounds.json"
    if not listing.is_file():
        raise InputError(f"{listing}: not found, expected the folder of a bank of CLEAR")
    labelled = []
    for entry in json.loads(listing.read_text(encoding="utf-8")):
        path = folder / entry["filename"]
        if not path.is_file():
            raise InputError(f"{path}: not found, expected because {listing.name} names it")
        samples, sample_rate = soundfile.read(path, always_2d=True)
        labelled.append((entry["instrument"], features(samples.mean(axis=1), sample_rate)))
    return labelled


def nearest(known: list[Labelled], asked: list[Labelled]) -> list[str]:
    """Instrument of the nearest known sound (Euclidean distance), one for each sound asked about."""
    table = np.array([vector for _, vector in known])
    return [known[int(np.argmin(np.sum((table - vector) ** 2, axis=1)))][0] for _, vector in asked]


def report(title: str, known: list[Labelled], asked: list[Labelled]) -> None:
    """Print the accuracy, overall and per instrument, with what each instrument was taken for."""
    named = nearest(known, asked)
    truth = [instrument for instrument, _ in asked]
    right = sum(a == b for a, b in zip(truth, named, strict=True))
    click.echo(f"{title}: {right / len(truth):.2f} of {len(truth)} named rightly (chance 0.17)")
    for instrument in sorted(set(truth)):
        answers = [answer for answer, true in zip(named, truth, strict=True) if true == instrument]
        others = {other: answers.count(other) for other in sorted(set(answers)) if other != instrument}
        taken_for = ", ".join(f"{other} {count}" for other, count in others.items()) or "-"
        click.echo(f"  {instrument:9s} {answers.count(instrument) / len(answers):.2f}   taken for: {taken_for}")


@click.command()
@click.option(
    "--official",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of real recordings: elementary_sounds.json and its WAV files.",
)
def main(folder: Path | None) -> None:
    """Time the default bank and let a nearest neighbour trained on its train side name instruments."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    train, test = synthetic("train"), synthetic("test")
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    click.echo(f"both sides, {len(train) + len(test)} sounds: {cpu_s:.2f} s CPU, {wall_s:.2f} s wall")
    report("synthetic test side", train, test)
    if folder is not None:
        try:
            recordings = official(folder)
        except InputError as error:
            raise click.UsageError(str(error)) from error
        report(f"real recordings, {folder.name}", train, recordings)


if __name__ == "__main__":
    main()
