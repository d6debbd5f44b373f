"""Implements ``clear-bench train`` for all tasks: configurations from presets, files and options, one run for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from baselines.core.checkpoints import device_named
from baselines.core.processes import join_processes
from baselines.core.run import CONFIG, CURVES, Config, RunConfig
from baselines.core.trainer import State, train
from baselines.models.registry import with_options
from baselines.report.runs import are_shares
from baselines.tasks.base import Task
from baselines.tasks.registry import check_model
from clear_gen.core.config import load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.extras import unless_missing
from clear_gen.core.files import atomic_path
from clear_gen.core.hints import next_line
from clear_gen.core.progress import is_shown
from clear_gen.core.rejected import first_wrong

PRESETS = Path(__file__).resolve().parents[1] / "presets"


@dataclass(frozen=True)
class Request:
    """A training request. ``choices``: fields of the configuration, and the options from which the task derives runs.

    ``seeds``: one run for each, in ``run``/seed-S, if there are any.
    """

    run: Path
    data: Path | None = None
    preset: str | None = None
    file: Path | None = None
    seeds: Sequence[int] = ()
    device: str | None = None
    resume: bool = False
    choices: Mapping[str, Any] = field(default_factory=dict)


def configured(
    schema: type[Config],
    data: Path | None,
    preset: str | None,
    file: Path | None,
    choices: Mapping[str, Any],
    device: torch.device,
) -> Config:
    """The configuration of a run; precedence: ``choices``, the file, the preset, the defaults.

    Raises InputError naming file and line, or the option, that is wrong or missing.
    """
    chosen: dict[str, Any] = {"precision": "bfloat16" if device.type == "cuda" else "float32"}
    for path in [PRESETS / f"{preset}.yaml"] * bool(preset) + [file] * bool(file):
        assert path is not None
        given = load_yaml(path, schema).model_dump(exclude_unset=True)
        chosen |= {**given, "options": {**chosen.get("options", {}), **given.get("options", {})}}
    chosen |= {**choices, "options": {**chosen.get("options", {}), **choices.get("options", {})}}
    chosen |= {"data": str(data)} if data else {}
    for name, what in {"data": "DATA", "model": "--model"}.items():
        if not chosen.get(name):
            raise InputError(f"{what}: found none, expected one (or --preset tiny)")
    try:
        return schema.model_validate(chosen)
    except ValidationError as error:
        wrong = first_wrong(error, schema)
        option = "--" + str(wrong.location[0]).replace("options", "set").replace("_", "-")
        raise InputError(f"{option}: {wrong}") from None


def train_runs(task: Task, request: Request, say: Callable[[str], None]) -> None:
    """Train the requested runs on the same data. ``say`` prints the outcomes and, where progress is shown, every epoch.

    Raises InputError if a folder holds a run already and is not to be resumed, or a choice is wrong.
    """
    processes, device = join_processes(device_named(request.device))
    say = say if processes.is_first else lambda _: None
    data = request.data
    if data is None and request.preset is not None:
        if processes.is_first:
            data = task.preset_data(request.preset, request.run)
        processes.wait()
        data = data or task.preset_data(request.preset, request.run)
    fields = {name: value for name, value in request.choices.items() if name in task.Config.model_fields}
    rest = {name: value for name, value in request.choices.items() if name not in fields}
    asked = configured(task.Config, data, request.preset, request.file, fields, device)
    check_model(task, asked.model, asked.data)
    runs = _runs(task, asked, request, rest)
    if processes.is_first and not request.resume:
        for run in runs:
            if (run / CONFIG).exists():
                raise InputError(f"{run}: found a run, expected none; --resume continues it")
    shared = task.open(next(iter(runs.values())), device)
    for run, config in runs.items():
        learner = task.learner(config, shared, device)
        say(f"{run}: {config.model}, seed {config.seed}, {learner.summary}")
        done = train(config, learner, run, processes, say if is_shown() else lambda _: None)
        if processes.is_first:
            with unless_missing(CURVES):
                draw_curves(done.history, run / CURVES, task.panels, task.percent)
            say(_outcome(run, done, learner.describe))
    say(next_line("clear-bench evaluate", request.run))
    processes.leave()


def _runs(task: Task, asked: RunConfig, request: Request, rest: Mapping[str, Any]) -> dict[Path, RunConfig]:
    """Every run's configuration by its folder."""
    runs: dict[Path, RunConfig] = {}
    for seed in request.seeds or (None,):
        one = asked if seed is None else asked.model_copy(update={"seed": seed})
        folder = request.run if seed is None else request.run / f"seed-{seed}"
        runs |= {folder / below: config for below, config in task.configs(one, rest).items()}
    for config in runs.values():
        with_options(config.model, task.models[config.model].config, config.options)
    return runs


def _outcome(run: Path, done: State, describe: Callable[[Mapping[str, Any]], str]) -> str:
    """The best epoch of a training, in words."""
    if not done.history:
        return f"{run}: nothing to learn in this model"
    return (
        f"{run}: best of {len(done.history)} epochs: {done.best_epoch + 1}, {describe(done.history[done.best_epoch])}"
    )


def draw_curves(
    history: Sequence[Mapping[str, float]], path: Path, panels: Mapping[str, Sequence[str]], percent: bool
) -> None:
    """Plot metrics over the epochs to a PNG: one panel for each of ``panels``, showing columns of ``history``.

    ``percent``: the unit of shares, as the task gives them everywhere.
    """
    from matplotlib.figure import Figure

    if not history:
        return
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    epochs = [row["epoch"] + 1 for row in history]
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        unit, words = (100, f"{title} (%)") if percent and are_shares(names) else (1, title)
        for name in names:
            axes.plot(epochs, [unit * row[name] for row in history], label=name.replace("_", " "), marker=".")
        axes.set(xlabel="epoch", ylabel=words)
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
