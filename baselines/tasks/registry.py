"""The tasks by name, and lookup of the task of a dataset, a model or a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from baselines.core.run import CONFIG, RunConfig, read_config, task_of
from baselines.tasks.aqa.task import AQA
from baselines.tasks.base import Task
from baselines.tasks.sed.task import SED
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.store.manifest import no_dataset, stored_identity

TASKS: dict[str, Task] = {"aqa": AQA, "sed": SED}


def task_of_run(run: Path) -> Task:
    """The task of a run. Raises InputError if the folder holds no run, or its task is unknown."""
    name = task_of(run)
    if name not in TASKS:
        raise InputError(f"{run / CONFIG}: task: {not_among(name, TASKS)}")
    return TASKS[name]


def read_run(run: Path) -> tuple[Task, RunConfig]:
    """The task and the configuration of a run. Raises InputError naming file, field, found and expected."""
    task = task_of_run(run)
    return task, read_config(run, task.Config)


def kind_of_data(data: Path) -> str:
    """The kind of the dataset in a folder. Raises InputError if there is none."""
    identity = stored_identity(data)
    if identity is None:
        raise no_dataset(data)
    return str(identity["kind"])


def task_for(data: Path, model: str | None = None) -> Task:
    """The task that reads the dataset in ``data``: the model's, if there are several.

    Raises InputError if no task reads its kind, or there is no dataset.
    """
    kind = kind_of_data(data)
    fitting = [task for task in TASKS.values() if task.kind == kind]
    if not fitting:
        raise InputError(f"{data}: kind: {not_among(kind, sorted({task.kind for task in TASKS.values()}))}")
    return next((task for task in fitting if model in task.models), fitting[0])


def check_model(task: Task, model: str, data: str) -> None:
    """Raise InputError unless the task, which reads the dataset ``data``, has a model of this name.

    The message names the task that has it.
    """
    if model in task.models:
        return
    expected = f"one of {task.title}"
    if other := next((one for one in TASKS.values() if model in one.models), None):
        found = f"found {model}, a model of {other.title}, which learns from {other.kind}; {data} holds {task.kind}"
        raise InputError(f"--model: {found}, expected {expected}: {', '.join(task.models)}")
    raise InputError(f"--model: {not_among(model, task.models, expected)}")


def check_options(task: Task, given: Iterable[str]) -> None:
    """Raise InputError if an option belongs only to another task, naming both."""
    for option in given:
        takers = [one for one in TASKS.values() if option in one.own_options]
        if takers and task not in takers:
            expected = " or ".join(one.title for one in takers)
            raise InputError(f"--{option}: found it with {task.title}, expected {expected}")
