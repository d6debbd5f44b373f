"""Evaluation of any predictor on any task, as ``clear-bench evaluate`` runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from baselines.core.predictions import PREDICTIONS, Documented, Predictor, Split, read_predictions, write_predictions
from baselines.core.results import RESULTS, ResultsFile, scored_from, write_results
from baselines.core.run import no_run
from baselines.core.run_folders import data_of, name_in, results_folders_in, results_name, runs_in
from baselines.core.unfinished import scored_after, unfinished
from baselines.tasks.base import Task
from baselines.tasks.registry import TASKS, check_options, read_run
from clear_gen.core.files import check_writable
from clear_gen.core.progress import busy


@dataclass(frozen=True)
class Evaluated:
    """One evaluation: the dataset, the results in ``out`` under ``name``, and a note about the run, if any."""

    task: Task
    data: Path
    file: ResultsFile
    out: Path
    name: str
    note: str | None = None

    @property
    def path(self) -> Path:
        """Of the results file."""
        return self.out / RESULTS.format(self.name)

    def figures(self) -> list[Path]:
        """Draw the plots beside the results. Raises ModuleNotFoundError without matplotlib."""
        return self.task.figures(self.file, self.out, self.name)


def evaluate(
    predictor: Predictor, split: Split, out: Path, name: str | None = None, epochs: str | None = None
) -> Evaluated:
    """Run a predictor on a split and score it; writes predictions and results to the folder ``out``.

    ``name``: of both files, the split's if None. ``epochs``: of an interrupted training, as ``unfinished`` gives them.

    Raises InputError or CheckFailed as the predictor does, CheckFailed if an item is missing or predicted twice.
    """
    name = name or split.name
    path = out / PREDICTIONS.format(name)
    _check_results(out, name)
    predictions = write_predictions(path, split, predictor.predict(split))
    about = predictor.about(split) if isinstance(predictor, Documented) else None
    task = TASKS[split.task]
    with busy("scoring"):
        file: ResultsFile = task.score(split, predictions, scored_from(predictor.name, split.folder, path, out, about))
    return _written(Evaluated(task, split.folder, file.model_copy(update={"unfinished": epochs}), out, name))


def evaluate_file(path: Path, split: Split, out: Path, model: str | None = None) -> Evaluated:
    """Score the predictions in a file; results are written into ``out``. ``model``: its name, the file's if None.

    Raises InputError if a file is malformed, CheckFailed if predictions and items do not match.
    """
    task = TASKS[split.task]
    _check_results(out, split.name)
    predictions = read_predictions(path, split)
    with busy("scoring"):
        file = task.score(split, predictions, scored_from(model or path.stem, split.folder, path, out))
    return _written(Evaluated(task, split.folder, file, out, split.name))


def _check_results(out: Path, name: str) -> None:
    """Raise InputError if the results cannot be written, before anything is predicted."""
    check_writable(out, is_folder=True)
    for form in (RESULTS, PREDICTIONS):
        check_writable(out / form.format(name), is_folder=False)


def _written(done: Evaluated) -> Evaluated:
    write_results(done.file, done.path)
    return done


def evaluate_runs(
    folder: Path, data: Path | None, which: Mapping[str, Any], out: Path | None, device: str | None
) -> dict[str, Evaluated]:
    """Score the run in a folder, or all those below it, by name.

    ``data``: a dataset in place of the runs' own. ``which``: options that select the items to predict. ``out``: a
    folder for the results in place of the runs'. Data needed by several runs is read once.

    Raises InputError if a run or the dataset is malformed, or they do not fit together.
    """
    runs = runs_in(folder)
    if not runs:
        raise no_run(folder, "results") if results_folders_in(folder) else no_run(folder)
    read = {run: read_run(run) for run in runs}
    for task, _ in read.values():
        check_options(task, which)
    predictors = {run: task.predictor(run, device) for run, (task, _) in read.items()}  # before any of them predicts
    opened: dict[Any, Any] = {}
    done_by_name = {}
    for run in runs:
        check_writable(run if out is None else out / run.relative_to(folder), is_folder=True)
    for run, (task, config) in read.items():
        dataset = data_of(run, config, data)
        split = task.split_of_run(run, dataset, which, opened)
        folder_of_results = run if out is None else out / run.relative_to(folder)
        epochs = unfinished(run, config, task.objective)
        done = evaluate(predictors[run], split, folder_of_results, results_name(config, dataset, split.name), epochs)
        note = None if epochs is None else scored_after(run, epochs)
        done_by_name[name_in(run, folder)] = replace(done, note=note)
    return done_by_name
