"""Small corpora of events and backgrounds, and small datasets of mixtures made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from clear_gen.datasets.mixtures.build import create_mixtures
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.mixtures.rules import MixtureRules
from clear_gen.mixtures.spec import MixtureSpec
from clear_gen.store.build import Execution, Shard

RATE = 8000
LABELS = ("bell", "dog", "horn")
N_FOLDS = 3
RULES = {"duration_s": 1.0, "n_events": 2, "event_duration_s": 0.25, "min_gap_s": 0.05}


@contextmanager
def silent(left: int, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda n: None


def write_corpus(folder: Path, n_each: int = N_FOLDS) -> list[str]:
    """``n_each`` decaying tones of three labels, and stereo backgrounds some of which are short; the options of mix."""
    rng = np.random.default_rng(0)
    for number, label in enumerate(LABELS):
        (folder / "events" / label).mkdir(parents=True)
        for k in range(n_each):
            t = np.arange(1500 + 500 * k) / RATE
            tone = 0.3 * np.sin(2 * np.pi * (300 + 200 * k + 60 * number) * t) * np.exp(-3 * t)
            soundfile.write(folder / "events" / label / f"{k}.wav", np.concatenate([np.zeros(800), tone]), RATE)
    (folder / "under").mkdir()
    for k in range(2 * N_FOLDS):
        noise = 0.05 * rng.standard_normal((8000 + 12000 * (k % 2), 2))
        soundfile.write(folder / "under" / f"{k}.wav", noise, 2 * RATE)
    return ["--events", str(folder / "events"), "--backgrounds", str(folder / "under")]


def small_settings(n_per_fold: int = 105, **how: Any) -> MixtureSettings:
    """Two chunks in each of three folds at two SNRs, unless ``how`` says otherwise; rules by their names."""
    known = {name: how.pop(name) for name in ("seed", "recipe", "legacy_repeat", "n_folds") if name in how}
    snrs, stems = how.pop("snrs", (0.0, 10.0)), how.pop("stems", True)
    rules = MixtureRules.model_validate({**RULES, **how})
    spec = MixtureSpec(n_per_fold, **{"n_folds": N_FOLDS, "rules": rules, "allow_missing": False, **known})
    return MixtureSettings(spec, RATE, snrs, stems)


def make(
    folder: Path, corpus: Path, settings: MixtureSettings, shard: Shard | None = None, workers: int = 1, **how: Any
) -> Path:
    """Make a dataset of the corpus that ``write_corpus`` wrote."""
    sounds, under = read_events(corpus / "events"), read_backgrounds(corpus / "under")
    create_mixtures(folder, settings, sounds, under, Execution(workers, shard=shard or Shard(), **how))
    return folder
