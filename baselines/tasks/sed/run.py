"""Runs on mixtures: configuration, folds, features, and loading a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import nn

from baselines.audio.log_mel import LogMelSettings
from baselines.core.checkpoints import device_named, load_tensors, load_weights
from baselines.core.run import BEST, FEATURES, Precision, RunConfig, read_config
from baselines.core.trainer import in_precision
from baselines.models.registry import build
from clear_gen.core.config import Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.progress import counted
from clear_gen.core.streams import STAGE_WEIGHTS, stream

EVALUATION_BATCH = {"cpu": 4, "cuda": 64}


class Config(RunConfig):
    """Configuration of a run on mixtures. The defaults are the protocol of 2APAE (arXiv 2008.07085, and its code).

    ``snr``: the config of the dataset, such as mixtures-snr0. ``fold``: the one held out, on which the run is scored.
    ``alpha``: weight of the reconstruction's squared error. The learning rate falls when the micro-averaged precision
    of the selection fold has not risen for more than ``plateau_epochs``. ``select_on_test``: rate and epoch are chosen
    on the held-out fold itself, as the published code does, which makes its score too good.
    """

    task: Literal["sed"] = "sed"
    batch: int = Field(24, ge=2)
    snr: str = ""
    fold: int = Field(0, ge=0)
    select_on_test: bool = False
    alpha: float = Field(0.001, ge=0)


class Folds(NamedTuple):
    """The folds for training, for selecting rate and epoch, and for scoring."""

    train: tuple[int, ...]
    selection: int
    test: int


def folds_of(config: Config, n_folds: int) -> Folds:
    """The folds of a run, of folds 1 to ``n_folds``.

    Rate, epoch and thresholds are chosen on the fold after the held-out one, which is excluded from training: clips of
    one fold share recordings, so a subset of the training folds could not reveal memorisation.

    Raises InputError if there are too few folds, or no such one.

    >>> folds_of(Config(fold=4), 4)
    Folds(train=(2, 3), selection=1, test=4)
    >>> folds_of(Config(fold=4, select_on_test=True), 4)
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


class ClipFeatures(Strict):
    """Standardises clips to model input [T, F]: each band minus ``mean``, divided by ``std`` (one value per band)."""

    mel: LogMelSettings
    n_frames: int = Field(gt=0)
    labels: list[str] = Field(min_length=1)
    mean: list[float]
    std: list[float]

    def standardised(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Shape: float32 [..., F] -> the same."""
        mean, std = (torch.tensor(one, dtype=log_mel.dtype, device=log_mel.device) for one in (self.mean, self.std))
        return (log_mel - mean) / std


def new_model(config: Config, features: ClipFeatures) -> nn.Module:
    """A newly initialised model for a run. Raises InputError for an unknown model or option."""
    sizes = {"n_classes": len(features.labels), "n_frames": features.n_frames}
    return build(config.model, sizes, stream(config.seed, STAGE_WEIGHTS), config.options)


# --- trained models ---------------------------------------------------------------------------------------------------


def read_features(run: Path) -> ClipFeatures:
    """Raises InputError naming file, field, found and expected."""
    features = load_yaml(run / FEATURES, ClipFeatures)
    for name in ("mean", "std"):
        found = getattr(features, name)
        if len(found) != features.mel.n_bands or not np.isfinite(found).all() or (name == "std" and min(found) <= 0):
            expected = f"{features.mel.n_bands} finite numbers{', above 0' if name == 'std' else ''}"
            raise InputError(f"{run / FEATURES}: {name}: found {str(found)[:60]}, expected {expected}")
    return features


@dataclass(frozen=True)
class Trained:
    """A trained model with its features, ready for inference."""

    config: Config
    features: ClipFeatures
    model: nn.Module
    device: torch.device


def load_run(run: Path, device: str | None = None) -> Trained:
    """The best model of a run. Raises InputError naming the file that is missing or malformed."""
    config, features = read_config(run, Config), read_features(run)
    on = device_named(device)
    model = new_model(config, features).to(on)
    weights, _ = load_tensors(run / BEST, on)
    load_weights(model, weights, run / BEST)
    return Trained(config, features, model.eval(), on)


# --- hearing ----------------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """A model's probabilities for N clips: float32 [N, K], float32 [N, K, T]; see ``SedOutput``."""

    clip: np.ndarray
    frames: np.ndarray


@torch.no_grad()
def hear(model: nn.Module, features: ClipFeatures, log_mel: torch.Tensor, precision: Precision = "float32") -> Heard:
    """Apply the model to clips given as spectrograms, float32 [N, T, F], not yet standardised.

    Raises InputError unless the clips are as long as those in training.
    """
    if (found := log_mel.shape[1]) != features.n_frames:
        raise InputError(f"mixtures: found {found} frames, expected {features.n_frames}, as the model was trained on")
    model.eval()
    parts: list[Any] = []
    for batch in counted(log_mel.split(EVALUATION_BATCH[log_mel.device.type]), "batches of clips heard"):
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
