"""Whether the training of a run was interrupted before its end, and the words in which every command says so.

An interrupted run may be scored, reported and published, but never without saying it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from baselines.core.optim import Objective, epochs_without_gain
from baselines.core.run import METRICS, RunConfig
from clear_gen.core.jsonl import json_objects

RESUME = "clear-bench train --resume goes on"


def unfinished(run: Path, config: RunConfig, objective: Objective) -> str | None:
    """Such as ``3 of 40 epochs``; None if training went to its end, stopped early, or there was nothing to learn.

    Epochs whose objective is not known show no early stop. Raises InputError if a line of the metrics is no object.
    """
    if not (run / METRICS).is_file():
        return None
    rows = list(json_objects(run / METRICS, '{"epoch": ...}'))
    if len(rows) >= config.max_epochs:
        return None
    if config.stop_epochs is None:
        return f"{len(rows)} of {config.max_epochs} epochs"
    values = [row.get(objective.name) for _, row in rows]
    known = [value for value in values if isinstance(value, int | float)]
    _, n = epochs_without_gain(known, objective)
    stopped = len(known) == len(rows) and n >= config.stop_epochs
    return None if stopped else f"{len(rows)} of at most {config.max_epochs} epochs"


def scored_after(place: object, epochs: str) -> str:
    """The line about scores, in ``place``, of an interrupted run. ``epochs``: what ``unfinished`` gave."""
    return f"{place}: scored after {epochs}; {RESUME}"


def interrupted_after(run: Path, epochs: str) -> str:
    """The line about an interrupted run."""
    return f"{run}: training was interrupted after {epochs}; {RESUME}"


def interrupted(run: Path, epochs: str | None, results: Iterable[tuple[object, str | None]]) -> list[str]:
    """The lines about a run and about its results, each with the epochs after which it was scored, if interrupted."""
    lines = [scored_after(place, after) for place, after in results if after is not None]
    return lines or ([] if epochs is None else [interrupted_after(run, epochs)])
