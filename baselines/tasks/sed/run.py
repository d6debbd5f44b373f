"""A run on mixtures: the folder of one training with all that follows from it, and what it is made of.

config.yaml        every choice
environment.json   versions, device
features.json      spectrogram, frames, labels, mean and standard deviation of each band over the training clips
metrics.jsonl      one line per epoch
timing.json        clips of an epoch, seconds of each
curves.png
model.safetensors  weights of the best epoch
last.safetensors   weights, optimiser and progress, to go on from
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import yaml
from pydantic import Field
from torch import nn

from baselines.audio.log_mel import LogMelSettings
from baselines.core.checkpoints import device_named, environment, load_tensors, load_weights
from baselines.models.sed.registry import build_sed
from baselines.tasks.aqa.run import BEST, CONFIG, ENVIRONMENT, FEATURES, METRICS, STAGE_WEIGHTS
from clear_gen.core.config import Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import write_text
from clear_gen.core.streams import stream

Precision = Literal["float32", "bfloat16"]
EVALUATION_BATCH = {"cpu": 4, "cuda": 64}


class SedRunConfig(Strict):
    """Every choice of a run. The defaults are the protocol of 2APAE (arXiv 2008.07085, and its published code).

    ``snr``: the config of the dataset, such as mixtures-snr0. ``fold``: the one held out, on which the run is scored.
    ``options`` replaces fields of the model's configuration. ``alpha``: weight of the reconstruction's squared error.
    ``learning_rate`` falls tenfold when the micro-averaged precision of the selection fold has not risen for more than
    ``plateau_epochs``. ``select_on_test``: rate and epoch are chosen on the held-out fold itself, as the published code
    does, which makes its score too good.
    """

    task: Literal["sed"] = "sed"
    data: str = ""
    snr: str = ""
    fold: int = Field(0, ge=0)
    model: str = ""
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    select_on_test: bool = False
    alpha: float = Field(0.001, ge=0)
    seed: int = Field(0, ge=0)
    learning_rate: float = Field(1e-3, gt=0)
    batch: int = Field(24, ge=2)
    max_epochs: int = Field(50, ge=1)
    plateau_epochs: int = Field(3, ge=0)
    precision: Precision = "float32"
    compile: bool = False


class Folds(NamedTuple):
    """Which folds a run learns from, chooses rate and epoch on, and is scored on."""

    train: tuple[int, ...]
    selection: int
    test: int


def folds_of(config: SedRunConfig, n_folds: int) -> Folds:
    """The folds of a run, of folds 1 to ``n_folds``.

    Rate, epoch and thresholds are chosen on the fold after the held-out one, which is then not learnt from: clips of
    one fold share recordings, so a part of those that are learnt from could not tell what is merely remembered.

    Raises InputError if there are too few folds, or no such one.

    >>> folds_of(SedRunConfig(fold=4), 4)
    Folds(train=(2, 3), selection=1, test=4)
    >>> folds_of(SedRunConfig(fold=4, select_on_test=True), 4)
    Folds(train=(1, 2, 3), selection=4, test=4)
    """
    if not 1 <= config.fold <= n_folds:
        raise InputError(f"--fold: found {config.fold}, expected 1 to {n_folds}")
    least = 2 if config.select_on_test else 3
    if n_folds < least:
        hint = "" if config.select_on_test else ", one of them to select on, or --select-on-test"
        raise InputError(f"{config.data}: folds: found {n_folds}, expected at least {least}{hint}")
    selection = config.fold if config.select_on_test else config.fold % n_folds + 1
    train = tuple(fold for fold in range(1, n_folds + 1) if fold not in (config.fold, selection))
    return Folds(train, selection, config.fold)


class SedFeatures(Strict):
    """How clips become a model's input [T, F]: each band less ``mean``, divided by ``std`` (a number per band)."""

    mel: LogMelSettings
    n_frames: int = Field(gt=0)
    labels: list[str] = Field(min_length=1)
    mean: list[float]
    std: list[float]

    def standardised(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Shape: float32 [..., F] -> the same."""
        mean, std = (torch.tensor(one, dtype=log_mel.dtype, device=log_mel.device) for one in (self.mean, self.std))
        return (log_mel - mean) / std


def new_sed_model(config: SedRunConfig, features: SedFeatures) -> nn.Module:
    """The model of a run before it has learnt anything. Raises InputError for an unknown model or option."""
    rng = stream(config.seed, STAGE_WEIGHTS)
    return build_sed(config.model, len(features.labels), features.n_frames, rng, config.options)


# --- files ------------------------------------------------------------------------------------------------------------


def task_of(run: Path) -> str:
    """What a run's model does: ``sed``, or ``aqa``, which came first and does not say it.

    Raises InputError if the folder holds no run.
    """
    if not (run / CONFIG).is_file():
        raise InputError(f"{run}: found no {CONFIG}, expected the folder of a run made by clear-bench train")
    try:
        stored = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return "aqa"  # whose reader says what is wrong
    return "sed" if isinstance(stored, dict) and stored.get("task") == "sed" else "aqa"


def write_sed_run(run: Path, config: SedRunConfig, features: SedFeatures, device: str) -> None:
    """Begin a run's folder: everything but the weights, and last what says that there is a run."""
    write_text(run / FEATURES, features.model_dump_json(indent=1) + "\n")
    write_text(run / ENVIRONMENT, json.dumps(environment(device), indent=1) + "\n")
    write_text(run / CONFIG, yaml.safe_dump(config.model_dump(), sort_keys=False))


def read_sed_config(run: Path) -> SedRunConfig:
    """The configuration of a run. Raises InputError if there is none in the folder, or it is of another task."""
    if (task := task_of(run)) != "sed":
        raise InputError(f"{run / CONFIG}: task: found {task}, expected sed: a run on mixtures")
    return load_yaml(run / CONFIG, SedRunConfig)


def unfinished(run: Path) -> str | None:
    """A line saying how many epochs a run's training lacks, if it is known to."""
    if not (run / METRICS).is_file():
        return None
    n, wanted = len((run / METRICS).read_text(encoding="utf-8").splitlines()), read_sed_config(run).max_epochs
    return f"{run}: scored after {n} of {wanted} epochs; clear-bench train --resume goes on" if n < wanted else None


def read_sed_features(run: Path) -> SedFeatures:
    """Raises InputError naming file, field, found and expected."""
    features = load_yaml(run / FEATURES, SedFeatures)
    for name in ("mean", "std"):
        found = getattr(features, name)
        if len(found) != features.mel.n_bands or not np.isfinite(found).all() or (name == "std" and min(found) <= 0):
            expected = f"{features.mel.n_bands} finite numbers{', above 0' if name == 'std' else ''}"
            raise InputError(f"{run / FEATURES}: {name}: found {str(found)[:60]}, expected {expected}")
    return features


@dataclass(frozen=True)
class SedTrained:
    """A trained model, ready to hear."""

    config: SedRunConfig
    features: SedFeatures
    model: nn.Module
    device: torch.device


def load_sed_run(run: Path, device: str | None = None) -> SedTrained:
    """The best model of a run. Raises InputError naming the file that is missing or malformed."""
    config, features = read_sed_config(run), read_sed_features(run)
    on = device_named(device)
    model = new_sed_model(config, features).to(on)
    weights, _ = load_tensors(run / BEST, on)
    load_weights(model, weights, run / BEST)
    return SedTrained(config, features, model.eval(), on)


def data_of(run: Path, config: SedRunConfig, data: Path | None) -> Path:
    """The dataset of a run, or ``data`` in its place. Raises InputError if the run's own is not where it was."""
    if data is None and not Path(config.data).is_dir():
        found = f"found {config.data!r}, no folder as seen from here"
        raise InputError(f"{run / CONFIG}: data: {found}; --data says where the mixtures are")
    return data or Path(config.data)


def name_of_results(config: SedRunConfig, folder: Path) -> str:
    """What results of a run on the mixtures in ``folder`` are called, with its name if it is not the run's own."""
    is_own = folder.resolve() == Path(config.data).resolve()
    return f"{'' if is_own else f'{folder.resolve().name}-'}{config.snr}-fold{config.fold}"


# --- hearing ----------------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """What a model hears in N clips: float32 [N, K], float32 [N, K, T]; see ``SedOutput``."""

    clip: np.ndarray
    frames: np.ndarray


def in_precision(precision: Precision, device: torch.device) -> torch.autocast:
    """A context in which models compute so."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@torch.no_grad()
def hear(model: nn.Module, features: SedFeatures, log_mel: torch.Tensor, precision: Precision = "float32") -> Heard:
    """The model's probabilities in clips, whose spectrograms float32 [N, T, F] are not normalised.

    Raises InputError unless clips are as long as those of the training.
    """
    if (found := log_mel.shape[1]) != features.n_frames:
        raise InputError(f"mixtures: found {found} frames, expected {features.n_frames}, as the model was trained on")
    model.eval()
    parts: list[Any] = []
    for batch in log_mel.split(EVALUATION_BATCH[log_mel.device.type]):
        with in_precision(precision, log_mel.device):
            output = model(features.standardised(batch))
        parts.append((output.clip.float().cpu().numpy(), output.frames.float().cpu().numpy()))
    return Heard(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def moments(log_mel: torch.Tensor, chosen: Sequence[int] | np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each band over the frames of the chosen clips. Shape: [N, T, F] -> 2 x F."""
    first, second = (torch.zeros(log_mel.shape[2], dtype=torch.float64, device=log_mel.device) for _ in range(2))
    n = 0
    for part in torch.as_tensor(np.asarray(chosen), device=log_mel.device).split(64):
        values = log_mel[part].double().flatten(0, 1)
        n, first, second = n + len(values), first + values.sum(0), second + values.square().sum(0)
    mean = first / n
    variance = (second / n - mean.square()).clamp(min=1e-12)
    return mean.tolist(), variance.sqrt().tolist()
