"""Training on weak labels: the protocol of 2APAE (Deshmukh, Raj, Singh, arXiv 2008.07085)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, mse_loss

from baselines.core.optim import Objective, Plateau
from baselines.core.processes import Processes
from baselines.core.run import FEATURES
from baselines.core.trainer import in_precision
from baselines.models.sed.layers import SedOutput
from baselines.tasks.sed.data import Clips
from baselines.tasks.sed.metrics import tagging
from baselines.tasks.sed.run import ClipFeatures, Config, folds_of, hear, moments, new_model
from clear_gen.core.files import write_text

LEAST_GAIN = 1e-4  # relative gain of the selection fold's precision, as in PyTorch's ReduceLROnPlateau
LEAST_FALL = 1e-8  # of the learning rate, likewise


def features_for(config: Config, clips: Clips) -> ClipFeatures:
    """Feature settings of a run: means and standard deviations over its training folds."""
    mean, std = moments(clips.log_mel, clips.of_folds(folds_of(config, clips.n_folds).train))
    return ClipFeatures(
        mel=clips.settings, n_frames=clips.log_mel.shape[1], labels=list(clips.corpus.labels), mean=mean, std=std
    )


def lower_rate(rate: float) -> float:
    """A tenth of the learning rate, or the rate unchanged if the reduction would be negligible."""
    lower = rate * 0.1
    return lower if rate - lower > LEAST_FALL else rate


class SedLearner:
    """A model that learns the weak labels of the clips of some folds. See ``baselines.core.trainer.Learner``."""

    unit = "clips"
    objective = Objective("selection_micro_ap", "max")
    cuda_graphs = False

    def __init__(self, config: Config, clips: Clips, device: torch.device) -> None:
        self.config, self.clips, self.device = config, clips, device
        folds = folds_of(config, clips.n_folds)
        self.features = features_for(config, clips)
        self.targets = torch.from_numpy(clips.targets).float().to(device)
        places = clips.of_folds(folds.train), clips.of_folds([folds.selection])
        self.train, self.selection = (torch.from_numpy(one).to(device) for one in places)
        self.n_items = len(self.train)
        learnt = ", ".join(map(str, folds.train))
        on = "which is the held-out one" if folds.selection == folds.test else f"held out: {folds.test}"
        self.summary = (
            f"{clips.config}, {self.n_items:,} clips of fold {learnt}; rate and epoch by fold {folds.selection}, {on}; "
            f"{len(clips.corpus.labels)} labels"
        )
        self.plateau = Plateau(config.plateau_epochs + 1, LEAST_GAIN, lower_rate)
        self.model = new_model(config, self.features).to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def module(self) -> nn.Module:
        """The model."""
        return self.model

    def save_settings(self, run: Path) -> None:
        """Write the features."""
        write_text(run / FEATURES, self.features.model_dump_json(indent=1) + "\n")

    def begin_epoch(self, epoch: int) -> None:
        """Nothing to prepare: the clips are the same in every epoch."""

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """The clips in random order."""
        return rng.permutation(self.n_items)

    def loss(self, module: nn.Module, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``loss_of``; the sum is that of the mean losses."""
        clips = self.train[index]
        standardised = self.features.standardised(self.clips.log_mel[clips])
        with in_precision(self.config.precision, self.device):
            output = module(standardised)
        loss = loss_of(output, self.targets[clips], standardised, self.config.alpha)
        return loss, loss.detach().double()[None]

    def training_row(self, sums: Sequence[float], n_items: int, n_batches: int) -> dict[str, float]:
        """Mean loss."""
        return {"train_loss": sums[0] / n_batches}

    def validate(self, processes: Processes) -> dict[str, float]:
        """Label loss and scores on the selection fold, computed jointly by the processes.

        A score that is undefined for lack of labels is 0; all are NaN if the model's probabilities are.
        """
        probabilities = torch.zeros((len(self.selection), self.targets.shape[1]), device=self.device)
        mine = slice(processes.rank, None, processes.n)
        if len(own := self.selection[mine]):
            found = hear(self.model, self.features, self.clips.log_mel[own], self.config.precision).clip
            probabilities[mine] = torch.from_numpy(found).to(self.device)
        scores = processes.sum(probabilities).cpu()  # each process has zeros for the clips of the others
        names = "selection_loss", "selection_micro_ap", "selection_macro_ap", "selection_auc"
        if not scores.isfinite().all():
            return dict.fromkeys(names, float("nan"))
        targets = self.targets[self.selection].cpu()
        result = tagging.evaluate(scores.numpy(), targets.numpy() > 0, self.features.labels)
        loss = float(binary_cross_entropy(scores, targets))
        values = loss, result.micro_ap or 0.0, result.macro_ap or 0.0, result.macro_auc or 0.0
        return dict(zip(names, values, strict=True))

    def describe(self, row: Mapping[str, Any]) -> str:
        """Losses of both, and the precision on the selection fold."""
        return (
            f"train {row['train_loss']:.4f}  selection {row['selection_loss']:.4f}  "
            f"micro-AP {row['selection_micro_ap']:.4f}  macro-AP {row['selection_macro_ap']:.4f}"
        )


def loss_of(output: SedOutput, targets: torch.Tensor, standardised: torch.Tensor, alpha: float) -> torch.Tensor:
    """Binary cross-entropy of the weak labels, plus ``alpha`` times the reconstruction's mean square error (eq. 17).

    The paper prints its first term twice; the second is the error. Shape: ``targets`` float [B, K], ``standardised``,
    the model's input, float [B, T, F] -> scalar.
    """
    # NaN ends the run after the epoch: torch's own check would give no message on a GPU.
    loss = binary_cross_entropy(output.clip.float().nan_to_num(), targets)
    if output.reconstruction is None:
        return loss
    # also with alpha 0: distributed training expects a gradient, even if zero, for every parameter
    return loss + alpha * mse_loss(output.reconstruction.float(), standardised)
