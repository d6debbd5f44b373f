"""A small dataset of mixtures, and runs on it whose weights were never trained."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from baselines.core.checkpoints import save_tensors
from baselines.core.run import BEST, METRICS
from baselines.core.trainer import begin_run
from baselines.tasks.sed.data import Clips, read_clips
from baselines.tasks.sed.learner import SedLearner
from baselines.tasks.sed.run import Config
from tests.mixtures.data import RATE, make, small_settings, write_corpus

PER_FOLD = 6
SNRS = (0.0, 20.0)
CPU = torch.device("cpu")
EPOCHS = [
    {
        "epoch": epoch,
        "train_loss": 0.7 - 0.1 * epoch,
        "selection_loss": 0.8 - 0.1 * epoch,
        "selection_micro_ap": [0.4, 0.625, 0.5][epoch],
        "selection_macro_ap": 0.5 + 0.1 * epoch,
        "selection_auc": 0.6,
        "learning_rate": 1e-3,
    }
    for epoch in range(3)
]


def mixtures(folder: Path, **how: Any) -> Path:
    """Eighteen mixtures of three labels at two SNRs, with events too long to be dropped, too far apart to be joined."""
    write_corpus(folder / "corpus")
    for place, path in enumerate(sorted((folder / "corpus/events").rglob("*.wav"))):
        soundfile.write(path, 0.3 * np.sin(np.arange(RATE) * 2 * np.pi * (200 + 150 * place) / RATE), RATE)
    rules = {"duration_s": 2.0, "event_duration_s": 0.5, "min_gap_s": 0.4}
    settings = small_settings(PER_FOLD, **{**rules, "snrs": SNRS, "stems": False, **how})
    return make(folder / "mixtures", folder / "corpus", settings)


def write_run(run: Path, data: Path, fold: int = 1, snr: str = "mixtures-snr0", **how: Any) -> Config:
    """The folder of a run, with random weights that have seen a few batches' statistics."""
    choices = {"model": "2apae", "options": {"width": 0.0625}, **how}
    config = Config(data=str(data), snr=snr, fold=fold, **choices)
    clips = all_clips(data, snr)
    learner = SedLearner(config, clips, CPU)
    begin_run(run, config, learner)
    model = learner.model.train()
    for _ in range(30):  # or the statistics of batch normalisation are those of nothing
        model(learner.features.standardised(clips.log_mel[learner.train]))
    save_tensors(model.state_dict(), run / BEST)
    (run / METRICS).write_text("".join(json.dumps(row) + "\n" for row in EPOCHS))
    return config


@cache
def all_clips(data: Path, snr: str = "mixtures-snr0", fold: int | None = None) -> Clips:
    return read_clips(data, snr, CPU, partial(int), fold)
