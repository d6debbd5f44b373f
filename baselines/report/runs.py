"""What a report is about: runs and results, read from folders and files and checked; and how a training went."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from markupsafe import Markup

from baselines.core.optim import Objective
from baselines.core.results import RESULTS, ResultsFile, read_results
from baselines.core.run import CONFIG, ENVIRONMENT, METRICS, RunConfig, read_config, task_of
from baselines.core.run_folders import results_folders_in, runs_in
from baselines.core.unfinished import interrupted, unfinished
from baselines.report.page import curve_keys, curves, section, side_by_side, subsection
from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text
from clear_gen.core.names import not_among

MAX_BYTES = 20_000_000
MAX_TEXT_BYTES = 100_000
SHARES = "_accuracy", "_ap", "_auc"  # ends of the names of columns that are at most 1


class Reporting(Protocol):
    """What reading runs needs to know of a task. ``panels``: columns of metrics.jsonl by the title of their plot.

    ``objective``: the column by which epochs are compared.
    """

    Config: type[RunConfig]
    objective: Objective
    Results: type[ResultsFile]
    panels: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ReportedRun:
    """A run, or results alone: results by their paths, a row per epoch of training, texts by file name.

    ``unfinished``: such as ``3 of 40 epochs`` if its training was interrupted.
    """

    path: Path
    task: str
    results: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    unfinished: str | None = None

    @property
    def interrupted(self) -> list[str]:
        """The lines that say of the run, or of its results, that training was interrupted."""
        of_results = [(path, file.unfinished) for path, file in self.results.items()]
        return interrupted(self.path, self.unfinished, of_results)


def read_runs(path: Path, tasks: Mapping[str, Reporting]) -> list[ReportedRun]:
    """What there is to report of a run, a folder of results, a folder of several of either, or a results file.

    Raises InputError if that is nothing, or malformed.
    """
    if not path.is_dir():
        file = _read(path, tasks)
        return [ReportedRun(path, file.task, {str(path): file})]
    return [_read_run(folder, tasks) for folder in runs_in(path) or results_folders_in(path) or [path]]


def _read_run(folder: Path, tasks: Mapping[str, Reporting]) -> ReportedRun:
    results = {str(path): _read(path, tasks) for path in sorted(folder.glob(RESULTS.format("*")))}
    has_history = (folder / CONFIG).is_file() and (folder / METRICS).is_file()
    if not results and not has_history:
        expected = f"{RESULTS.format('<split>')}, or a run with {METRICS}"
        raise InputError(f"{folder}: found nothing to report, expected {expected}; run clear-bench evaluate")
    task = task_of(folder) if (folder / CONFIG).is_file() else next(iter(results.values())).task
    if task not in tasks:
        raise InputError(f"{folder / CONFIG}: task: {not_among(task, tasks)}")
    columns = [name for names in tasks[task].panels.values() for name in names]
    history = read_history(folder / METRICS, columns) if has_history else []
    there = [name for name in (CONFIG, ENVIRONMENT) if (folder / name).is_file()]
    texts = {name: read_text(folder / name, MAX_TEXT_BYTES, "a configuration") for name in there}
    epochs = None
    if has_history:
        epochs = unfinished(folder, read_config(folder, tasks[task].Config), tasks[task].objective)
    return ReportedRun(folder, task, results, history, texts, epochs)


def _read(path: Path, tasks: Mapping[str, Reporting]) -> ResultsFile:
    return read_results(path, *(task.Results for task in tasks.values()))


def read_history(path: Path, columns: Sequence[str]) -> list[dict[str, float]]:
    """The epochs of a run, ``columns`` of each. Raises InputError naming line and field."""
    rows = []
    lines = read_text(path, MAX_BYTES, "one JSON object per epoch").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{path}:{number}: not valid JSON, expected an object per epoch")
        rows.append({name: _number(row, name, f"{path}:{number}") for name in columns})
    return rows


def _number(row: dict[str, Any], name: str, at: str) -> float:
    value = row.get(name)
    most = 1.0 if name.endswith(SHARES) else sys.float_info.max
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        found = repr(value)[:60] if name in row else "no such field"
        raise InputError(f"{at}: {name}: found {found}, expected a number from 0 on{' to 1' if most == 1 else ''}")
    return float(value)


def training(run: ReportedRun, panels: Mapping[str, Sequence[str]], objective: Objective, percent: bool) -> Markup:
    """The section about a run's training: its best epoch, and the columns of each panel over the epochs.

    ``percent``: the unit of shares, else fractions.
    """
    columns = {name: [row[name] for row in run.history] for name in run.history[0]}
    values = columns[objective.name]
    best = values.index(max(values) if objective.better == "max" else min(values))
    extreme = "highest" if objective.better == "max" else "lowest"
    in_percent = percent and are_shares([objective.name])
    value = f"{100 * values[best]:.1f} %" if in_percent else f"{values[best]:.4f}"
    about = f"{len(values)} epochs; the {extreme} {_words(objective.name)}, {value}, in epoch {best + 1}."
    parts = []
    for title, names in panels.items():
        lines = {_words(name): columns[name] for name in names}
        drawn = curves(lines, f"{title} per epoch", are_shares(names), percent)
        parts.append(subsection(title.capitalize(), curve_keys(lines), drawn))
    return section(f"Training of {run.path}", about, side_by_side(*parts))


def are_shares(names: Sequence[str]) -> bool:
    """Whether columns of metrics.jsonl are shares, 0..1."""
    return all(name.endswith(SHARES) for name in names)


def _words(name: str) -> str:
    """The name of a column for people: ``selection_micro_ap`` is "selection micro-AP"."""
    words = name.replace("micro_", "micro-").replace("macro_", "macro-").replace("_", " ")
    return words.replace("-ap", "-AP").replace("auc", "AUC")
