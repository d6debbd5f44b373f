"""What the tests of banks share: small synthetic notes, folders of recordings, and the real banks imported once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from clear_gen.cli import run
from clear_gen.core.errors import InputError
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.analysis import NOTES
from clear_gen.sounds.recording import Recording
from tests.once import made_once

ATTRIBUTES = load_domain("clear2").attributes
RATE = 16_000  # Hz, of the synthetic notes
GIVEN: dict[str, str | int] = {"instrument": "cello", "note": "A", "octave": 4}


def note_hz(note: str, octave: int) -> float:
    """Equal temperament, A4 = 440 Hz."""
    semitones = NOTES.index(note) - (12 if NOTES.index(note) > 2 else 0)  # an octave starts at C
    return 440.0 * 2 ** (octave - 4 + semitones / 12)


def note_samples(
    note: str = "A",
    octave: int = 4,
    *,
    seed: int = 0,
    level: float = 0.2,
    fall: float = 1.0,
    duration_s: float = 0.3,
    sample_rate: int = RATE,
) -> np.ndarray:
    """A steady note, float32: six harmonics of random phases falling as ``1 / k**fall``, and noise 40 dB below."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    order = np.arange(1, 7)[:, None]
    phase = 2 * np.pi * (note_hz(note, octave) * order * time_s + rng.uniform(size=order.shape))
    sound = (np.sin(phase) / order**fall).sum(axis=0)
    sound += 0.01 * rng.standard_normal(len(time_s))
    return (level * sound / np.abs(sound).max(initial=1e-9)).astype(np.float32)


def note_recording(
    sound_id: str, note: str = "A", octave: int = 4, *, sample_rate: int = RATE, **how: Any
) -> Recording:
    """A note as an importer delivers it."""
    samples = note_samples(note, octave, sample_rate=sample_rate, **how)
    given: dict[str, str | int] = {"instrument": "cello", "note": note, "octave": octave}
    return Recording(sound_id, given, samples, sample_rate, "player: test", "CC0-1.0")


def scale(n: int = 9, **how: Any) -> list[Recording]:
    """``n`` different notes, of different levels and spectra, so that every label occurs."""
    made = []
    for k in range(n):
        level, fall = 0.05 * 1.25 ** (3 * k % n), 2.5 - 2.0 * k / n
        made.append(note_recording(f"note-{k}", NOTES[k % 12], 4, seed=100 + k, level=level, fall=fall, **how))
    return made


def rows_for(*names: str, **fields: Any) -> list[dict[str, Any]]:
    """Rows of a table, one per file name."""
    return [{"filename": name, **GIVEN, "licence": "CC0-1.0", **fields} for name in names]


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """``rows`` as CSV, lines ended by CRLF, quoted where needed."""
    buffer = StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def fill(
    folder: Path,
    files: Mapping[str, np.ndarray | bytes | Callable[[Path], object]],
    rows: Sequence[Mapping[str, Any]] | str | bytes | None = None,
    table: str = "elementary_sounds.json",
    sample_rate: int = RATE,
) -> Path:
    """A folder of recordings (samples as float WAV, or bytes, or a function that writes the path) and its table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, np.ndarray):
            soundfile.write(folder / name, content, sample_rate, subtype="FLOAT", format="WAV")
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            content(folder / name)
    rows = rows_for(*files) if rows is None else rows
    if isinstance(rows, bytes):
        (folder / table).write_bytes(rows)
    else:
        (folder / table).write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    return folder


def one_line(caught: pytest.ExceptionInfo[InputError]) -> str:
    """The message of an InputError, which must be one line."""
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


def run_ok(*arguments: object) -> None:
    """Run the command line; it must succeed."""
    assert run([str(argument) for argument in arguments]) == 0


def real_banks(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The recordings in ``shared`` imported by the command line, once: train, test (official), orchestral."""

    def make(folder: Path) -> None:
        paths = paths_in(folder)
        labels, official = ("--labels-from", paths["train"]), shared / "banks" / "clear2-official"
        run_ok("bank", "import", "clear", official / "train", "--out", paths["train"])
        run_ok("bank", "import", "clear", official / "test", "--out", paths["test"], *labels)
        run_ok("bank", "import", "folder", shared / "banks" / "orchestral", "--out", paths["orchestral"], *labels)

    return paths_in(made_once(tmp_path_factory, "real-banks", make))


def paths_in(folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.parquet" for name in ("train", "test", "orchestral")}
