"""What the command ``train`` does with mixtures: one run per seed and held-out fold, on the same spectrograms."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from baselines.core.checkpoints import device_named
from baselines.models.sed.registry import config_of_sed
from baselines.tasks.aqa.commands import configured, draw_curves
from baselines.tasks.aqa.run import CONFIG, CURVES
from baselines.tasks.sed.data import Clips, n_clips, read_clips
from baselines.tasks.sed.run import SedRunConfig, folds_of
from baselines.tasks.sed.train import train_sed
from clear_gen.core.errors import InputError
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures.load import config_of
from clear_gen.datasets.mixtures.manifest import finished_mixtures
from clear_gen.store.manifest import stored_identity

PANELS = {
    "loss": ("train_loss", "selection_loss"),
    "precision of the selection fold": ("selection_micro_ap", "selection_macro_ap"),
}


def run_sed_training(
    data: Path,
    run: Path,
    preset: str | None,
    file: Path | None,
    folds: Sequence[int] | None,
    seeds: Sequence[int] | None,
    device_name: str | None,
    resume: bool,
    flags: Mapping[str, Any],
    say: Callable[[str], None],
) -> None:
    """Train on the mixtures in ``data``: with ``folds`` (all if it is empty) one run each, RUN/fold-K.

    With ``seeds`` one run each, RUN/seed-S; with both, RUN/seed-S/fold-K. ``folds`` None: the one fold of ``flags`` or
    ``file``. Raises InputError if a folder holds a run already and is not to be resumed, or a choice is wrong.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("torchrun: found several processes, expected one; give each GPU a fold of its own (--fold)")
    device = device_named(device_name)
    settings = finished_mixtures(data, stored_identity(data))
    n_folds = settings.spec.n_folds
    asked = configured(SedRunConfig, data, preset, file, flags, device)
    config_of_sed(asked.model, asked.options)
    asked = asked.model_copy(update={"snr": config_of(data, settings, asked.snr or None)})
    if folds is None and asked.fold == 0:
        raise InputError("--fold: found none, expected the fold to hold out, or --folds all")
    runs = {}
    for seed in seeds or (asked.seed,):
        for fold in (asked.fold,) if folds is None else folds or range(1, n_folds + 1):
            parts = [f"seed-{seed}"] * bool(seeds) + [f"fold-{fold}"] * (folds is not None)
            runs[run.joinpath(*parts)] = asked.model_copy(update={"seed": seed, "fold": fold})
    for folder, config in runs.items():
        folds_of(config, n_folds)
        if (folder / CONFIG).exists() and not resume:
            raise InputError(f"{folder}: found a run, expected none; --resume goes on with it")
    n = n_clips(settings, None)
    with progress(n, n, "mixtures") as advance:
        clips = read_clips(data, asked.snr, device, advance)
    for folder, config in runs.items():
        _train_one(config, clips, n_folds, folder, say)
    say(f"next: clear-bench evaluate {quote(str(run))}")


def _train_one(config: SedRunConfig, clips: Clips, n_folds: int, run: Path, say: Callable[[str], None]) -> None:
    folds = folds_of(config, n_folds)
    learnt = ", ".join(map(str, folds.train))
    on = "which is the held-out one" if folds.selection == folds.test else f"held out: {folds.test}"
    say(
        f"{run}: {config.model}, {config.snr}, seed {config.seed}, {len(clips.of_folds(folds.train)):,} clips of fold "
        f"{learnt}; rate and epoch by fold {folds.selection}, {on}; {len(clips.corpus.labels)} labels"
    )
    done = train_sed(config, clips, n_folds, run, say)
    draw_curves(done.history, run / CURVES, PANELS)
    say(f"{run}: best of {len(done.history)} epochs: {done.best_epoch + 1}, micro-AP {done.best_ap:.4f}")
