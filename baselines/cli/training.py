"""The command that trains a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clear_gen.cli.common import OUT_FOLDER
from clear_gen.cli.parameters import DATASET, YAML
from clear_gen.core.choice import Choice
from clear_gen.core.names import not_among

if TYPE_CHECKING:
    from baselines.tasks.base import Task

PAPER_SEEDS = (876944, 189369, 682421, 175326, 427438)  # of NAAQA, section 6
DEVICE = click.option("--device", help="Such as cpu or cuda.  [default: the GPU if there is one]")


def _seeds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    from baselines.tasks.options import different_numbers

    expected = "paper, or different whole numbers such as 1,2,3"
    return PAPER_SEEDS if value == "paper" else different_numbers(value, expected) or ()


def _settings(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any] | None:
    import yaml

    parts = [value.partition("=") for value in values]
    if wrong := [value for value, (name, _, text) in zip(values, parts, strict=True) if not name or not text]:
        raise click.BadParameter(f"found {wrong[0]!r}, expected NAME=VALUE such as gru_units=512")
    return {name.strip(): yaml.safe_load(text) for name, _, text in parts} or None


class TrainCommand(click.Command):
    """A command that has, besides its own, the options of every task, in groups of its help."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, and the tasks'."""
        own = super().get_params(ctx)
        return [*own[:-1], *(option for task in _tasks() for option in task.options), own[-1]]  # --help comes last

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options group by group."""
        _write_options("Options", super().get_params(ctx), ctx, formatter)
        for task in _tasks():
            _write_options(f"{task.title.capitalize()} (datasets of {task.kind})", task.options, ctx, formatter)


def _tasks() -> Iterable[Task]:
    from baselines.tasks.registry import TASKS

    return TASKS.values()


def _write_options(
    title: str, options: Iterable[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    own = [option for option in options if isinstance(option, click.Option)]
    records = [record for option in own if (record := option.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


@click.command(cls=TrainCommand)
@click.argument("data", type=DATASET, metavar="[DATA]", required=False)
@click.option("--model", metavar="NAME", help="One of clear-bench models.")
@click.option("--out", "run", type=OUT_FOLDER, required=True, metavar="RUN", help="Folder of the run.")
@click.option(
    "--preset",
    help="For two CPU cores. tiny: questions, without DATA also a small dataset; narrow: mixtures.",
)
@click.option("--config", type=YAML, metavar="FILE", help="YAML with these options, by the names of RUN/config.yaml.")
@click.option(
    "--set", "options", multiple=True, callback=_settings, metavar="NAME=VALUE", help="A setting of the model."
)
@click.option("--seed", type=click.IntRange(min=0), help="Every random choice follows from it.  [default: 0]")
@click.option("--seeds", callback=_seeds, help="Several runs, RUN/seed-N: paper (NAAQA's five), or such as 1,2,3.")
@click.option("--optimizer", type=Choice(["adam", "adamw", "sgd"]), help="[default: adam]")
@click.option("--learning-rate", type=float, help="The highest.  [default: 3e-4; mixtures: 1e-3]")
@click.option("--weight-decay", type=float, help="[default: 5e-6; mixtures: 0]")
@click.option(
    "--schedule",
    type=Choice(["plateau", "cosine", "step", "none"]),
    help="How the learning rate falls.  [default: plateau]",
)
@click.option("--warmup-steps", type=int, help="Steps in which the learning rate rises.  [default: 0]")
@click.option("--plateau-epochs", type=int, help="Plateau: epochs without a gain.  [default: 3]")
@click.option("--step-epochs", type=int, help="Step: epochs between two falls.  [default: 10]")
@click.option("--clip-norm", type=float, help="Bound of the gradients' norm.  [default: none]")
@click.option(
    "--batch", type=int, help="Questions in a step, of all processes, or clips.  [default: 128; mixtures: 24]"
)
@click.option("--accumulate", type=int, help="Parts of a step's batch, one after the other.  [default: 1]")
@click.option("--max-epochs", type=int, help="[default: 40; mixtures: 50]")
@click.option("--precision", type=Choice(["float32", "bfloat16"]), help="[default: bfloat16 on a GPU]")
@click.option("--compile", is_flag=True, default=None, help="torch.compile, for questions on a GPU with CUDA graphs.")
@DEVICE
@click.option("--resume", is_flag=True, help="Continue a run that was interrupted.")
def train(
    data: Path | None,
    run: Path,
    preset: str | None,
    config: Path | None,
    seeds: tuple[int, ...],
    device: str | None,
    resume: bool,
    **choices: Any,
) -> None:
    """Train a model on a dataset with questions, or on mixtures, by the protocol of its paper.

    With --resume the same command continues where it was interrupted, to the same result. Of mixtures one fold is held
    out, the next one chooses rate and epoch. On several GPUs: start it as
    torchrun --no-python --nproc-per-node N clear-bench train ...

    \b
    Examples:
        clear-bench train clear2 --model naaqa-parallel-optimized --out run
        clear-bench train --preset tiny --out tiny
        clear-bench train mixtures --model 2apae --folds all --out sed
    """
    given = {name: value for name, value in choices.items() if value is not None}
    if seeds and "seed" in given:
        raise click.UsageError("--seeds: found with --seed, expected one of them")
    from baselines.tasks.training import Request, train_runs

    task = _task(data, preset, given.get("model"))
    _check_options(task, given, preset)
    train_runs(task, Request(run, data, preset, config, seeds, device, resume, given), click.echo)


def _task(data: Path | None, preset: str | None, model: str | None) -> Task:
    """The task of the dataset, or, where there is none yet, of the preset or the model."""
    from baselines.tasks.registry import task_for

    if data is not None:
        return task_for(data, model)
    tasks = list(_tasks())
    return next((task for task in tasks if preset in task.presets or model in task.models), tasks[0])


def _check_options(task: Task, given: dict[str, Any], preset: str | None) -> None:
    """Raise UsageError naming an option or a preset that is another task's, and the task that takes it."""
    own = {option.name for option in task.options}
    for other in _tasks():
        for option in other.options:
            if option.name in given and option.name not in own:
                raise click.UsageError(
                    f"{option.opts[0]}: found it with {task.kind}, expected {other.kind}: {other.title} takes it"
                )
    if preset is not None and preset not in task.presets:
        of_all = [name for one in _tasks() for name in one.presets]
        if preset in of_all:
            expected = ", ".join(task.presets)
            raise click.UsageError(f"--preset: found {preset} with {task.kind}, expected one of: {expected}")
        raise click.UsageError(f"--preset: {not_among(preset, of_all)}")


COMMANDS = (train,)
