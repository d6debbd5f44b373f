"""Scoring a run on mixtures, or anybody's predictions: probabilities become tags, events and scores.

How frame probabilities become events, after Kong et al. (TASLP 2019): a class is only looked for in clips that are
tagged with it. Models differ in scale (atrous never exceeds 0.5; a mean over frequency is far below a maximum), so
every class has two thresholds of its own that give the best F1 on the selection fold: one over clips, and one over the
frames of the clips tagged with it, for which that fold's events are looked at. The frame threshold is brought to 0.5 by
scaling the odds, p / (1 - p), of its class; the operating points of PSDS are then thresholds from 0.01 to 0.99. Gaps
are closed and short events dropped as Kong et al. do, but there is no hysteresis: their second threshold is fixed for
the scale of one model, and one that is tuned on frames is to decide on every frame.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from baselines.core.run import BEST
from baselines.tasks.sed.data import Clips, n_clips, read_clips
from baselines.tasks.sed.event_columns import Events
from baselines.tasks.sed.metrics import scores as sed_scores
from baselines.tasks.sed.metrics.events import DROP_FRAMES, JOIN_FRAMES, decode, operating_points
from baselines.tasks.sed.metrics.tagging import DEFAULT_THRESHOLD, tune_thresholds
from baselines.tasks.sed.predictions import read_sed_predictions, read_truth, write_sed_predictions
from baselines.tasks.sed.results import PREDICTIONS, RESULTS, Config, Hashes, SedResultsFile, sed_results_json
from baselines.tasks.sed.run import Folds, Heard, Trained, data_of, folds_of, hear, load_run, name_of_results
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file, sha256_json, write_text
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.store.manifest import stored_identity

LEAST_ODDS = 1e-12  # so that a threshold of 0 has some


class Detected(NamedTuple):
    """What is said of clips. ``thresholds``, ``frame_thresholds``: float64 [K], as they were tuned.

    ``operating_points``: the events at each threshold of PSDS.
    """

    thresholds: np.ndarray
    frame_thresholds: np.ndarray
    events: Events
    operating_points: list[Events]


def scores_of(test: Clips, heard: Heard, selection: Clips, heard_selection: Heard) -> sed_scores.Results:
    """All scores of what a model hears in the clips of the held-out fold, with thresholds from the selection fold."""
    return _scores(test, heard, detect(test, heard, selection, heard_selection))


def _scores(test: Clips, heard: Heard, said: Detected) -> sed_scores.Results:
    return sed_scores.evaluate(
        test.corpus, test.targets, heard.clip, said.thresholds, test.events, said.events, said.operating_points
    )


def detect(test: Clips, heard: Heard, selection: Clips, heard_selection: Heard) -> Detected:
    """Thresholds from the selection fold, and the events of the held-out one; see the module."""
    thresholds = tune_thresholds(heard_selection.clip, selection.targets)
    tagged = heard_selection.clip > thresholds
    at = tune_frame_thresholds(heard_selection.frames, tagged, active_frames(selection, heard_selection.frames))
    frames = relative_frames(heard.frames, heard.clip > thresholds, at)
    events = decode(frames, test.corpus, test.frame_s, DEFAULT_THRESHOLD, None, JOIN_FRAMES, DROP_FRAMES)
    points = operating_points(frames, test.corpus, test.frame_s, join_frames=JOIN_FRAMES, drop_frames=DROP_FRAMES)
    return Detected(thresholds, at, events, points)


def active_frames(clips: Clips, frames: np.ndarray) -> np.ndarray:
    """Which frames an event of a class touches. Shape: frames [N, K, T] -> bool [N, K, T]."""
    active = np.zeros(frames.shape, bool)
    first = np.floor(clips.events.onset_s / clips.frame_s).astype(int)
    last = np.ceil(clips.events.offset_s / clips.frame_s).astype(int)
    for clip, label, start, stop in zip(clips.events.clip, clips.events.label, first, last, strict=True):
        active[clip, label, start:stop] = True
    return active


def tune_frame_thresholds(frames: np.ndarray, tagged: np.ndarray, active: np.ndarray) -> np.ndarray:
    """For every class the threshold with the best F1 over the frames of clips tagged with it; 0.5 if none is.

    Shape: ``frames``, ``active`` [N, K, T], ``tagged`` bool [N, K] -> float64 [K].
    """
    thresholds = np.full(tagged.shape[1], DEFAULT_THRESHOLD)
    for k in np.flatnonzero(tagged.any(0)):
        of_class, truth = (values[tagged[:, k], k].reshape(-1, 1) for values in (frames, active))
        thresholds[k] = tune_thresholds(of_class, truth)[0]
    return thresholds


def relative_frames(frames: np.ndarray, tagged: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Frame probabilities whose odds are divided by those of their threshold; 0 where a class is not tagged.

    Nothing is above a threshold of 1.

    Shape: ``frames`` [N, K, T], ``tagged`` bool [N, K], ``thresholds`` [K] -> float32 [N, T, K].

    >>> frames = np.array([[[0.1, 0.2, 0.6]], [[0.1, 0.2, 0.6]]])
    >>> relative_frames(frames, np.array([[True], [False]]), np.array([0.2]))[:, :, 0].round(3)
    array([[0.308, 0.5  , 0.857],
           [0.   , 0.   , 0.   ]], dtype=float32)
    """
    relative = np.zeros((len(frames), frames.shape[2], frames.shape[1]), np.float32)
    for k, threshold in enumerate(np.clip(thresholds, LEAST_ODDS, 1)):
        p = frames[tagged[:, k], k].astype(np.float64)
        above, below = p * (1 - threshold), (1 - p) * threshold
        relative[tagged[:, k], :, k] = np.divide(above, above + below, out=np.zeros(p.shape), where=above > 0)
    return relative


# --- runs -------------------------------------------------------------------------------------------------------------


def evaluate_sed_runs(
    runs: Mapping[Path, Path], data: Path | None = None, device: str | None = None
) -> list[SedResultsFile]:
    """Score every run on its held-out fold, and write predictions and results into the folder that it maps to.

    ``data``: a dataset with the same mixtures and folds, in place of the run's own; the thresholds are tuned on its
    selection fold. Folds that several runs need are read once.

    Raises InputError if a run or the dataset are not what they must be, or do not fit together.
    """
    read: dict[tuple[Path, str, int], Clips] = {}
    trained = {run: load_run(run, device) for run in runs}  # before any of them is scored
    return [_evaluate(trained[run], run, data, out, read) for run, out in runs.items()]


def _evaluate(
    trained: Trained, run: Path, data: Path | None, out: Path, read: dict[tuple[Path, str, int], Clips]
) -> SedResultsFile:
    config = trained.config
    folder = data_of(run, config, data)
    settings = finished_mixtures(folder, stored_identity(folder))
    folds = folds_of(config, settings.spec.n_folds)
    test, selection = (_clips(trained, folder, settings, fold, read) for fold in (folds.test, folds.selection))
    heard = hear(trained.model, trained.features, test.log_mel)
    is_same = folds.test == folds.selection
    heard_selection = heard if is_same else hear(trained.model, trained.features, selection.log_mel)
    said = detect(test, heard, selection, heard_selection)
    name = name_of_results(config, folder)
    predictions = out / PREDICTIONS.format(name)
    write_sed_predictions(predictions, heard.clip, said.events)
    file = SedResultsFile(
        config=_config(trained, folder, settings, folds, test.config, out, predictions.name),
        hashes=_hashes(folder, predictions, run / BEST),
        frame_thresholds=dict(zip(test.corpus.labels, said.frame_thresholds.tolist(), strict=True)),
        scores=_scores(test, heard, said),
    )
    write_text(out / RESULTS.format(name), sed_results_json(file))
    return file


def _clips(
    trained: Trained,
    folder: Path,
    settings: MixtureSettings,
    fold: int,
    read: dict[tuple[Path, str, int], Clips],
) -> Clips:
    """The mixtures of a fold, read if they were not before."""
    features, key = trained.features, (folder, trained.config.snr, fold)
    if key not in read or list(read[key].corpus.labels) != features.labels:
        n = n_clips(settings, fold)
        with progress(n, n, what=f"fold{fold}") as advance:
            read[key] = read_clips(folder, trained.config.snr, trained.device, advance, fold, features.labels)
    if (found := read[key].settings) != features.mel:
        expected = f"{features.mel.sample_rate} Hz as the model was trained on"
        raise InputError(f"{folder}: sample rate: found {found.sample_rate} Hz, expected {expected}")
    return read[key]


def _config(
    trained: Trained,
    folder: Path,
    settings: MixtureSettings,
    folds: Folds,
    mixtures: str,
    out: Path,
    predictions: str,
) -> Config:
    config = trained.config
    return Config(
        model=config.model,
        options=config.options,
        alpha=config.alpha,
        seed=config.seed,
        data=os.path.relpath(folder, out),
        predictions=predictions,
        mixtures=mixtures,
        snr_db=settings.snr_of_config[mixtures],
        train=list(folds.train),
        selection=folds.selection,
        test=folds.test,
        select_on_test=config.select_on_test,
    )


def _hashes(folder: Path, predictions: Path, weights: Path | None = None) -> Hashes:
    return Hashes(
        data=sha256_json(stored_identity(folder)),
        weights=None if weights is None else sha256_file(weights),
        predictions=sha256_file(predictions),
    )


# --- anybody's predictions --------------------------------------------------------------------------------------------


def evaluate_sed_predictions(
    path: Path, folder: Path, split: str, snr: str | float | None, out: Path, model: str | None = None
) -> SedResultsFile:
    """Score predictions about the fold ``split`` of a dataset, and write results into ``out``.

    There is no selection fold, so thresholds are 0.5; scores in time are there if the predictions have events.
    ``model``: its name, the file's if None.

    Raises InputError if a file is not what it must be, CheckFailed if predictions and mixtures do not match.
    """
    truth = read_truth(folder, snr, split)
    scores, events = read_sed_predictions(path, truth.corpus)
    config = Config(
        model=model or path.stem,
        options={},
        alpha=None,
        seed=None,
        data=os.path.relpath(folder, out),
        predictions=os.path.relpath(path, out),
        mixtures=truth.config,
        snr_db=truth.snr_db,
        train=[],
        selection=None,
        test=int(split.removeprefix("fold")),
        select_on_test=False,
    )
    file = SedResultsFile(
        config=config,
        hashes=_hashes(folder, path),
        frame_thresholds=None,
        scores=sed_scores.evaluate(
            truth.corpus, truth.targets, scores, DEFAULT_THRESHOLD, None if events is None else truth.events, events
        ),
    )
    write_text(out / RESULTS.format(file.name), sed_results_json(file))
    return file
