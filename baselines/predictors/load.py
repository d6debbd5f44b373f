"""A trained model as a function, for notebooks and programs."""

from __future__ import annotations

from pathlib import Path

from baselines.tasks.base import Model
from baselines.tasks.registry import task_of_run


def load_model(run: str | Path, device: str | None = None) -> Model:
    """The best model of a run, ready to be called, whatever its task.

    A model of question answering is called as ``model(waveform, sample_rate, question)`` and returns an ``Answer``; one
    of sound event detection as ``model(waveform, sample_rate)`` and returns a ``Detection``. ``waveform``: float
    [n_samples], full scale 1, at any ``sample_rate`` in Hz. ``device``: such as cpu or cuda, the GPU if there is one by
    default.

    Raises InputError naming the file that is missing or malformed.
    """
    folder = Path(run)
    return task_of_run(folder).load(folder, device)
