"""Training on mixtures: what is learnt from and what is not, the loss, the schedule, being killed and going on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.audio.log_mel import log_mel
from baselines.cli import run as clear_bench
from baselines.core.checkpoints import Paused
from baselines.core.trainer import State, train
from baselines.models.registry import models_of
from baselines.models.sed.layers import SedOutput
from baselines.tasks.sed.data import Clips, mel_settings_at, read_clips
from baselines.tasks.sed.learner import SedLearner, features_for, loss_of
from baselines.tasks.sed.run import Config, folds_of, hear, load_run
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import write_text
from clear_gen.datasets.mixtures.load import load_mixtures
from clear_gen.datasets.without_audio import write_without_audio
from tests.baselines.commands import epochs_before_a_kill
from tests.counts import NIGHTLY
from tests.datasets.runs import Runner
from tests.mixtures.data import LABELS, N_FOLDS, RATE, make, small_settings, write_corpus

CPU = torch.device("cpu")
NARROW = {"width": 0.0625}


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of 24 one-second mixtures at 8 kHz, at 0 and 10 dB. To read only."""
    folder = tmp_path_factory.mktemp("sed")
    (folder / "corpus").mkdir()
    write_corpus(folder / "corpus")
    return make(folder / "data", folder / "corpus", small_settings(24, stems=False, n_events=1))


@pytest.fixture(scope="module")
def clips(mixtures: Path) -> Clips:
    return read_clips(mixtures, 10, CPU, lambda _: None)


def config_of(mixtures: Path, **how: Any) -> Config:
    chosen = {"model": "atrous", "fold": 1, "options": NARROW, "batch": 8, "max_epochs": 3, **how}
    return Config(data=str(mixtures), snr="mixtures-snr10", **chosen)


def trained(config: Config, clips: Clips, run: Path, **how: Any) -> Path:
    train(config, SedLearner(config, clips, CPU), run, **how)
    return run


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def same(one: Path, two: Path) -> bool:
    names = "metrics.jsonl", "model.safetensors", "features.json"
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


# --- what is learnt from ----------------------------------------------------------------------------------------------


@given(st.integers(3, 10).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.booleans())
def test_the_held_out_fold_is_never_learnt_from(case: tuple[int, int], on_test: bool) -> None:
    n, fold = case
    folds = folds_of(Config(fold=fold, select_on_test=on_test), n)
    assert folds.test == fold
    assert fold not in folds.train
    assert folds.selection not in folds.train
    assert {*folds.train, folds.selection, folds.test} == {*range(1, n + 1)}
    assert (folds.selection == fold) == on_test


@pytest.mark.parametrize(
    ("n", "how", "expected"),
    [
        (4, {"fold": 5}, "--fold: found 5, expected 1 to 4"),
        (2, {"fold": 1}, "folds: found 2, expected at least 3, one of them to select on, or --select-on-test"),
        (1, {"fold": 1, "select_on_test": True}, "folds: found 1, expected at least 2"),
    ],
)
def test_too_few_folds(n: int, how: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        folds_of(Config(**how), n)


def test_clips_are_what_the_dataset_holds(mixtures: Path, clips: Clips) -> None:
    held = list(load_mixtures(mixtures, 10))
    assert clips.corpus.clips == tuple(one.graph.mixture_id for one in held)
    assert clips.corpus.labels == LABELS
    assert clips.fold.tolist() == [one.graph.fold for one in held]
    for row, (graph, waveform, rate) in enumerate(held):
        assert {label for label, is_in in zip(LABELS, clips.targets[row], strict=True) if is_in} == {*graph.weak_labels}
        expected = log_mel(torch.from_numpy(waveform)[None], mel_settings_at(rate))[0]
        torch.testing.assert_close(clips.log_mel[row], expected)
    one = read_clips(mixtures, 10, CPU, lambda _: None, fold=2, labels=LABELS)
    of_fold = clips.of_folds([2])
    assert one.corpus.clips == tuple(clips.corpus.clips[place] for place in of_fold)
    assert one.events.rows() == [event for event in clips.events.rows() if event.clip in one.corpus.clips]
    assert torch.equal(one.log_mel, clips.log_mel[of_fold])


def test_a_label_that_is_no_class_is_one_line(mixtures: Path) -> None:
    with pytest.raises(InputError, match="label: found 'horn', expected one of: bell, dog"):
        read_clips(mixtures, 10, CPU, lambda _: None, labels=LABELS[:2])


def test_mixtures_without_audio_are_one_line(mixtures: Path, tmp_path: Path) -> None:
    write_without_audio(mixtures, tmp_path / "silent")
    with pytest.raises(InputError, match="fold1-000000: found no audio"):
        read_clips(tmp_path / "silent", 10, CPU, lambda _: None)


def test_bands_are_normalised_over_the_training_clips(mixtures: Path, clips: Clips) -> None:
    features = features_for(config_of(mixtures), clips)
    folds = folds_of(config_of(mixtures), N_FOLDS)
    learnt = features.standardised(clips.log_mel[clips.of_folds(folds.train)]).double().flatten(0, 1)
    assert learnt.mean(0).abs().max() < 1e-5
    assert (learnt.std(0, correction=0) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("on_test", [False, True])
def test_what_the_held_out_fold_sounds_like_changes_nothing(
    mixtures: Path, clips: Clips, tmp_path: Path, on_test: bool
) -> None:
    """Unless it is asked to choose the epoch; then it still changes no weights on the way."""
    config = config_of(mixtures, select_on_test=on_test)
    held_out = clips.of_folds([1])
    other = clips.log_mel.clone()
    other[held_out] = torch.from_numpy(np.random.default_rng(0).normal(size=other[held_out].shape)).float()
    one = trained(config, clips, tmp_path / "one")
    two = trained(config, replace(clips, log_mel=other), tmp_path / "two")
    assert same(one, two) != on_test
    assert (one / "features.json").read_bytes() == (two / "features.json").read_bytes()
    assert [row["train_loss"] for row in metrics(one)] == [row["train_loss"] for row in metrics(two)]


# --- loss and schedule ------------------------------------------------------------------------------------------------


def test_the_loss_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    clip, targets = rng.uniform(0.01, 0.99, (5, 3)), rng.integers(0, 2, (5, 3)).astype(float)
    heard, made = rng.normal(size=(2, 5, 7, 4))
    entropy = -(targets * np.log(clip) + (1 - targets) * np.log(1 - clip)).mean()
    error = ((made - heard) ** 2).mean()
    output = SedOutput(torch.tensor(clip).float(), torch.zeros(5, 3, 7), torch.tensor(made).float(), {})
    for alpha in (0.0, 0.001, 2.0):
        found = loss_of(output, torch.tensor(targets).float(), torch.tensor(heard).float(), alpha)
        assert float(found) == pytest.approx(entropy + alpha * error, rel=1e-5)
    without = loss_of(output._replace(reconstruction=None), torch.tensor(targets).float(), torch.tensor(heard), 2.0)
    assert float(without) == pytest.approx(entropy, rel=1e-5)


def test_the_rate_falls_after_a_plateau_of_the_selection_fold_and_the_best_epoch_is_kept(
    mixtures: Path, clips: Clips, tmp_path: Path
) -> None:
    config = config_of(mixtures, max_epochs=12, plateau_epochs=1, learning_rate=0.03)
    run = trained(config, clips, tmp_path / "run")
    rows = metrics(run)
    best, since, rate = -1.0, 0, 0.03
    for row in rows:
        assert row["learning_rate"] == pytest.approx(rate)
        best, since = (row["selection_micro_ap"], 0) if row["selection_micro_ap"] > best * 1.0001 else (best, since + 1)
        if since > 1:
            rate, since = rate / 10, 0
    assert rate < 0.03
    folds = folds_of(config, N_FOLDS)
    kept = load_run(run, "cpu")
    chosen = clips.of_folds([folds.selection])
    scores = hear(kept.model, kept.features, clips.log_mel[chosen]).clip
    assert precision_slowly(scores, clips.targets[chosen]) == pytest.approx(
        max(row["selection_micro_ap"] for row in rows)
    )


def precision_slowly(scores: np.ndarray, targets: np.ndarray) -> float:
    """Average precision of all clips and classes: the precision at each true one's own score, averaged."""
    flat, true = scores.ravel(), targets.ravel()
    return float(np.mean([true[flat >= score].mean() for score in flat[true]]))


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Three folds of 40 clips with two of three sounds: a low tone, a high tone, a burst of noise."""
    corpus = tmp_path_factory.mktemp("easy")
    rng, t = np.random.default_rng(0), np.arange(2000) / RATE
    for label, hz in {"low": 300, "high": 2500, "noise": 0}.items():
        (corpus / "events" / label).mkdir(parents=True)
        for k in range(N_FOLDS):
            sound = np.sin(2 * np.pi * hz * (1 + 0.05 * k) * t) if hz else rng.standard_normal(len(t)) / 3
            soundfile.write(corpus / f"events/{label}/{k}.wav", 0.3 * sound, RATE)
    (corpus / "under").mkdir()
    for k in range(2 * N_FOLDS):
        soundfile.write(corpus / f"under/{k}.wav", 0.05 * rng.standard_normal(RATE), RATE)
    data = make(corpus / "data", corpus, small_settings(40, stems=False, snrs=(10.0,), n_events={"choose": [1, 2]}))
    return read_clips(data, 10, CPU, lambda _: None)


@pytest.mark.parametrize("model", models_of("sed") if NIGHTLY else ["2apae", "gwrp", "atrous"])  # gmp, gap: as gwrp
def test_every_network_learns_to_tell_sounds_apart(easy: Clips, tmp_path: Path, model: str) -> None:
    config = config_of(tmp_path, model=model, max_epochs=12, learning_rate=0.01, plateau_epochs=12)
    rows = metrics(trained(config, easy, tmp_path / "run"))
    assert rows[-1]["train_loss"] < 0.85 * rows[0]["train_loss"]
    assert easy.targets.mean() < 0.55  # the precision of a guess
    assert max(row["selection_micro_ap"] for row in rows) > 0.75


# --- killed and continued ---------------------------------------------------------------------------------------------


def test_a_paused_training_goes_on_to_the_same_result(mixtures: Path, clips: Clips, tmp_path: Path) -> None:
    config = config_of(mixtures)
    whole = trained(config, clips, tmp_path / "whole")
    n_pauses = 0
    while True:
        try:
            trained(config, clips, tmp_path / "paused", pause=lambda: True)
            break
        except Paused:
            n_pauses += 1
    assert n_pauses == 9
    assert same(whole, tmp_path / "paused")


def test_killed_by_the_system_it_goes_on_to_the_same_result(bench: Runner, mixtures: Path, tmp_path: Path) -> None:
    command = ["train", str(mixtures), "--model", "gap", "--width", "0.0625", "--fold", "2", "--batch", "8"]
    assert 1 <= epochs_before_a_kill(bench, tmp_path, *command, "--max-epochs", "8", "--device", "cpu") < 8


@pytest.mark.parametrize("killed_before", ["config.yaml", "last.safetensors"])
def test_what_says_that_a_run_or_an_epoch_is_there_is_written_last(
    mixtures: Path, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_before: str
) -> None:
    config = config_of(mixtures, max_epochs=1)
    whole = trained(config, clips, tmp_path / "whole")

    def killed(path: Path, *_: object) -> None:
        if path.name == killed_before:
            raise KeyboardInterrupt
        write_text(path, *_)

    with monkeypatch.context() as patched:
        patched.setattr("baselines.core.run.write_text", killed)
        patched.setattr("baselines.core.trainer.save_checkpoint", lambda path, *_: killed(path))
        with pytest.raises(KeyboardInterrupt):
            trained(config, clips, tmp_path / "killed")
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    assert {"features.json", "environment.json"} <= names
    assert ({"metrics.jsonl", "timing.json"} <= names) == (killed_before == "last.safetensors")
    assert same(trained(config, clips, tmp_path / "killed"), whole)


@pytest.mark.parametrize("model", ["2apae", "gap"])
def test_a_training_that_diverges_is_one_line(mixtures: Path, clips: Clips, tmp_path: Path, model: str) -> None:
    with pytest.raises(
        CheckFailed, match=r"run: epoch 1: selection_micro_ap is not a number; .* with a lower --learning-rate"
    ):
        trained(config_of(mixtures, model=model, learning_rate=1e30), clips, tmp_path / "run")


# --- the command ------------------------------------------------------------------------------------------------------

SHORT = ["--width", "0.0625", "--batch", "8", "--max-epochs", "1"]


def test_all_folds_and_seeds(mixtures: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    run = tmp_path / "a run"
    arguments = [str(mixtures), "--model", "2apae", "--seeds", "3,4", "--folds", "all", "--snr", "10", *SHORT]
    assert clear_bench(["train", *arguments, "--out", str(run)]) == DONE
    runs = {path.parent for path in run.rglob("model.safetensors")}
    assert runs == {run / f"seed-{seed}/fold-{fold}" for seed in (3, 4) for fold in (1, 2, 3)}
    for one in runs:
        config = load_run(one, "cpu").config
        assert (f"seed-{config.seed}", f"fold-{config.fold}") == (one.parent.name, one.name)
        assert config.snr == "mixtures-snr10"
        assert (one / "curves.png").read_bytes().startswith(b"\x89PNG")
    said = capfd.readouterr().out
    assert "held out: 1" in said
    assert f"next: clear-bench evaluate '{run}'" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--model: found none"),
        (["--model", "gap"], "--fold: found none, expected the fold to hold out, or --folds all"),
        (["--model", "gap", "--fold", "4"], "--fold: found 4, expected 1 to 3"),
        (["--model", "gap", "--folds", "1,x"], "found '1,x', expected all, or different folds such as 1,2"),
        (["--model", "gap", "--folds", "all", "--fold", "1"], "--folds: found with --fold"),
        (
            ["--model", "naaqa-2d", "--fold", "1"],
            "--model: found naaqa-2d, a model of acoustic question answering, which learns from scenes; ",
        ),
        (["--model", "gap", "--fold", "1", "--snr", "5"], "SNR: found '5', expected one of: mixtures-snr0"),
        (["--model", "gap", "--fold", "1", "--alpha", "-1"], "--alpha: found -1.0"),
        (["--model", "gap", "--fold", "1", "--width", "0"], "width"),
        (
            ["--model", "gap", "--fold", "1", "--log-mel"],
            "--log-mel: found it with mixtures, expected scenes: acoustic question answering takes it",
        ),
        (
            ["--model", "gap", "--fold", "1", "--preset", "tiny"],
            "--preset: found tiny with mixtures, expected one of: narrow",
        ),
        (["--model", "gap", "--fold", "1", "--device", "gpu"], "--device: found 'gpu', expected cpu"),
        (["--model", "gap", "--fold", "1", "--device", "meta"], "--device: found 'meta', expected one of: cpu, cuda"),
        (["--model", "gap", "--fold", "1", "--device", "cuda:99"], "--device: found 'cuda:99', expected cpu"),
    ],
)
def test_wrong_choices(
    mixtures: Path, tmp_path: Path, arguments: list[str], expected: str, capfd: pytest.CaptureFixture
) -> None:
    assert clear_bench(["train", str(mixtures), *arguments, "--out", str(tmp_path / "run")]) == WRONG_INPUT
    assert expected in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_options_of_mixtures_are_refused_for_questions(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    assert clear_bench(["train", "--preset", "tiny", "--fold", "1", "--out", str(tmp_path / "run")]) == WRONG_INPUT
    assert "--fold: found it with scenes, expected mixtures: sound event detection takes it" in capfd.readouterr().err


def test_a_run_that_is_there_is_not_mixed_with_another(
    mixtures: Path, clips: Clips, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    run = trained(config_of(mixtures, max_epochs=1), clips, tmp_path / "run")
    arguments = [str(mixtures), "--model", "atrous", "--fold", "1", "--snr", "10", *SHORT, "--out", str(run)]
    assert clear_bench(["train", *arguments]) == WRONG_INPUT
    assert "found a run, expected none; --resume continues it" in capfd.readouterr().err
    assert clear_bench(["train", *arguments, "--resume"]) == DONE
    assert clear_bench(["train", *arguments, "--resume", "--alpha", "0.1"]) == WRONG_INPUT
    assert "config.yaml: alpha: found 0.001, expected 0.1, as asked" in capfd.readouterr().err


def test_a_damaged_checkpoint_is_one_line(mixtures: Path, clips: Clips, tmp_path: Path) -> None:
    run = trained(config_of(mixtures, max_epochs=1), clips, tmp_path / "run")
    (run / "last.safetensors").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        trained(config_of(mixtures, max_epochs=1), clips, run)


def test_progress_survives_being_written() -> None:
    state = State(plateau_rate=1e-3, best=float("inf"), sums=[0.1, 2.0])
    assert State.model_validate_json(state.model_dump_json()) == state


@pytest.mark.nightly
def test_two_processes_train_one_model(mixtures: Path, clips: Clips, tmp_path: Path) -> None:
    """Through torchrun, as on several GPUs; without the reconstruction, of which no parameter may be missed."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "baselines",
    ]
    command += ["train", str(mixtures), "--model", "2apae", "--fold", "1", "--snr", "10", "--alpha", "0", *SHORT]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = tmp_path / "run"
    done = subprocess.run([*command, "--out", run], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (row,) = metrics(run)
    kept, chosen = load_run(run, "cpu"), clips.of_folds([2])
    scores = hear(kept.model, kept.features, clips.log_mel[chosen]).clip
    assert row["selection_micro_ap"] == pytest.approx(precision_slowly(scores, clips.targets[chosen]), abs=1e-6)
