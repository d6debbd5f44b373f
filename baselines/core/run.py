"""A run: the folder of one training, its configuration, and the names of its files.

config.yaml        every choice; written last, so that what has none is no run
environment.json   versions and device
features.json      how audio becomes the model's input; some tasks add files, such as tokenizer.json
metrics.jsonl      one line per epoch
timing.json        items of an epoch, seconds of each epoch
curves.png
model.safetensors  weights of the best epoch
last.safetensors   weights, optimiser and state of the training, to resume from
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import Field

from clear_gen.core.config import Strict, load_yaml, parse_yaml, plain
from clear_gen.core.errors import InputError
from clear_gen.core.files import write_text

CONFIG, ENVIRONMENT, FEATURES = "config.yaml", "environment.json", "features.json"
METRICS, TIMING, CURVES = "metrics.jsonl", "timing.json", "curves.png"
BEST, LAST = "model.safetensors", "last.safetensors"

Precision = Literal["float32", "bfloat16"]


class RunConfig(Strict):
    """Training options common to all tasks; a task adds its own and sets the defaults of its paper's protocol.

    ``options`` replaces fields of the model's configuration. ``batch``: items of one step of the optimiser, over all
    processes; each process takes its share in ``accumulate`` parts, one after the other. ``schedule``: how the learning
    rate falls after ``warmup_steps`` steps of a linear rise: tenfold whenever the objective has not improved for
    ``plateau_epochs`` (plateau), tenfold every ``step_epochs`` (step), along half a cosine to 0 at the end (cosine), or
    not at all (none). ``stop_epochs``: stop early after this many epochs without a gain; None: only at ``max_epochs``.
    ``clip_norm``: upper bound of the global gradient norm.
    """

    task: str
    data: str = ""
    model: str = ""
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    seed: int = Field(0, ge=0)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    batch: int = Field(32, ge=2)
    accumulate: int = Field(1, ge=1)
    clip_norm: float | None = Field(None, gt=0)
    schedule: Literal["plateau", "cosine", "step", "none"] = "plateau"
    warmup_steps: int = Field(0, ge=0)
    plateau_epochs: int = Field(3, ge=0)
    step_epochs: int = Field(10, ge=1)
    stop_epochs: int | None = Field(None, ge=1)
    max_epochs: int = Field(50, ge=1)
    precision: Precision = "float32"
    compile: bool = False


Config = TypeVar("Config", bound=RunConfig)


def no_run(folder: Path, found: str = f"no {CONFIG}") -> InputError:
    """Error for a folder that holds no run: it does not exist, or holds what was ``found``."""
    problem = f"found {found}" if folder.exists() else "not found"
    return InputError(f"{folder}: {problem}, expected the folder of a run made by clear-bench train")


def task_of(run: Path) -> str:
    """The name of the task that a run's model was trained for.

    Raises InputError if the folder holds no run, or one from before version 0.2, which did not record the task.
    """
    if not (run / CONFIG).is_file():
        raise no_run(run)
    stored = plain(parse_yaml(run / CONFIG), run / CONFIG)
    if not isinstance(task := stored.get("task"), str):
        raise InputError(
            f"{run / CONFIG}: task: found {task!r}, expected a task's name; "
            "a run of clear-bench 0.1 has none: train it again with clear-bench train"
        )
    return task


def read_config(run: Path, schema: type[Config]) -> Config:
    """The configuration of a run. Raises InputError if there is none, it is malformed, or the run is another task's."""
    found, expected = task_of(run), schema.model_fields["task"].default
    if found != expected:
        raise InputError(f"{run / CONFIG}: task: found {found}, expected {expected}")
    return load_yaml(run / CONFIG, schema)


def write_config(run: Path, config: RunConfig) -> None:
    """Write the configuration, atomically."""
    write_text(run / CONFIG, yaml.safe_dump(config.model_dump(), sort_keys=False))


def check_config(run: Path, wanted: RunConfig) -> None:
    """Raise InputError naming the first option in which the run in this folder differs from ``wanted``."""
    stored = read_config(run, type(wanted)).model_dump()
    for name, value in wanted.model_dump().items():
        if stored[name] != value:
            raise InputError(f"{run / CONFIG}: {name}: found {stored[name]!r}, expected {value!r}, as asked")
