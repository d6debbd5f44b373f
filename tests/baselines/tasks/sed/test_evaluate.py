"""Scoring runs on mixtures and anybody's predictions: figures by slow definitions, files, hostile input, exit codes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clear_gen
from baselines.cli import run
from baselines.core.results import read_results, results_json
from baselines.core.run import BEST
from baselines.tasks.sed.data import Clips
from baselines.tasks.sed.detect import (
    active_frames,
    decisive_frames,
    events_in,
    operating_points_in,
    relative_frames,
    tune_frame_thresholds,
    tuned_thresholds,
)
from baselines.tasks.sed.figure import hear_clip
from baselines.tasks.sed.metrics import scores as sed_scores
from baselines.tasks.sed.published import TABLE_4, TABLE_5, published
from baselines.tasks.sed.results import ON_TEST, SedResults, mean_figures
from baselines.tasks.sed.run import Heard, hear, load_run
from baselines.tasks.sed.split import open_fold, open_mixtures
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_file
from tests.baselines.tasks.sed.runs import PER_FOLD, all_clips, mixtures, write_run

LABELS = ["bell", "dog", "horn"]
RESULTS, PREDICTIONS = "results-mixtures-snr0-fold1.json", "predictions-mixtures-snr0-fold1.jsonl"


@pytest.fixture
def folds(sed_folds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the runs in the working directory, unscored."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(sed_folds, Path("folds"), ignore=shutil.ignore_patterns("results-*", "predictions-*"))


@pytest.fixture
def complaint(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail with this code: its one line on stderr."""

    def call(code: int, *arguments: object) -> str:
        capfd.readouterr()
        assert run([str(argument) for argument in arguments]) == code
        usage = ("Usage: ", "Try '", "fold1: ", "fold2: ", "fold3: ")  # and what has been read
        [line] = [line for line in capfd.readouterr().err.splitlines() if line and not line.startswith(usage)]
        assert line.startswith(("clear-bench: ", "Error: "))
        assert line.isprintable()
        assert len(line) < 1000
        return line

    return call


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def results_in(path: Path) -> SedResults:
    return read_results(path, SedResults)


def scores_of(test: Clips, heard: Heard, selection: Clips, heard_selection: Heard) -> sed_scores.Results:
    """All scores of a model's output for a fold, with thresholds from another."""
    thresholds = tuned_thresholds(selection, heard_selection)
    frames = decisive_frames(heard, thresholds)
    events, points = (of(frames, test.corpus, test.frame_s) for of in (events_in, operating_points_in))
    return sed_scores.evaluate(test.corpus, test.targets, heard.clip, thresholds.clip, test.events, events, points)


def truth_of(data: Path, fold: int) -> dict[str, set[str]]:
    """The labels of every mixture, from the dataset itself."""
    return {graph.mixture_id: {*graph.weak_labels} for graph, _, _ in clear_gen.open_dataset(data).mixtures(0, fold)}


def slow_ap(pairs: list[tuple[float, bool]]) -> float:
    """For every true pair the precision among all that score at least as high, averaged."""
    precisions = []
    for score, is_true in pairs:
        if is_true:
            above = [true for other, true in pairs if other >= score]
            precisions.append(sum(above) / len(above))
    return sum(precisions) / len(precisions)


def rows_of(text: str) -> dict[str, list[str]]:
    """Lines of tables by their first cell."""
    cells = [re.split(r"  +", line) for line in text.splitlines() if line]
    return {first: rest for first, *rest in reversed(cells)}


# --- figures ----------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_a_slow_definition(sed_folds: Path, sed_data: Path) -> None:
    said = records(sed_folds / "fold-1" / PREDICTIONS)
    true = truth_of(sed_data, 1)
    assert [row["mixture_id"] for row in said] == list(true)
    pairs = {label: [(row["scores"][label], label in true[row["mixture_id"]]) for row in said] for label in LABELS}
    file = results_in(sed_folds / "fold-1" / RESULTS)
    clip = file.scores.clip
    assert clip.micro_ap == pytest.approx(slow_ap([pair for of in pairs.values() for pair in of]))
    assert clip.macro_ap == pytest.approx(np.mean([slow_ap(of) for of in pairs.values()]))
    assert list(clip.by_class) == LABELS
    for label, of in pairs.items():
        score = clip.by_class[label]
        right = [(a > b) + (a == b) / 2 for a, is_a in of if is_a for b, is_b in of if not is_b]
        assert score.auc == pytest.approx(np.mean(right))
        assert score.n_clips == sum(is_true for _, is_true in of)
        said_true = [is_true for value, is_true in of if value > score.threshold]
        assert score.f1 == pytest.approx(2 * sum(said_true) / (len(said_true) + score.n_clips))
    assert clip.n_clips == PER_FOLD
    config = file.config
    assert (config.train, config.selection, config.test, config.snr_db) == ([3], 2, 1, 0)
    assert (config.model, config.options, config.alpha, config.seed) == ("2apae", {"width": 0.0625}, 0.001, 0)
    assert file.hashes.weights == sha256_file(sed_folds / "fold-1" / BEST)
    assert file.hashes.predictions == sha256_file(sed_folds / "fold-1" / config.predictions)
    assert (sed_folds / "fold-1" / config.data).resolve() == sed_data.resolve()


def test_thresholds_are_the_best_of_the_selection_fold(sed_folds: Path, sed_data: Path) -> None:
    trained = load_run(sed_folds / "fold-1", "cpu")
    selection = all_clips(sed_data, fold=2)
    heard = hear(trained.model, trained.features, selection.log_mel)
    for k, (label, score) in enumerate(results_in(sed_folds / "fold-1" / RESULTS).scores.clip.by_class.items()):
        assert label == selection.corpus.labels[k]

        def f1(threshold: float, k: int = k) -> float:
            said, true = heard.clip[:, k] > threshold, selection.targets[:, k]
            return 2 * (said & true).sum() / (said.sum() + true.sum())

        assert f1(score.threshold) == max(f1(other) for other in [*(heard.clip[:, k] - 1e-9), *heard.clip[:, k]])


def test_scores_in_memory_are_those_of_the_file(sed_folds: Path, sed_data: Path) -> None:
    trained = load_run(sed_folds / "fold-1", "cpu")
    test, selection = (all_clips(sed_data, fold=fold) for fold in (1, 2))
    heard = [hear(trained.model, trained.features, one.log_mel) for one in (test, selection)]
    found = scores_of(test, heard[0], selection, heard[1])
    assert found == results_in(sed_folds / "fold-1" / RESULTS).scores


def test_what_is_heard_where_it_is_becomes_events(sed_data: Path) -> None:
    """Frames that are likelier inside events than outside are decoded to them, whatever the scale of a class."""
    test, selection = (all_clips(sed_data, fold=fold) for fold in (1, 2))
    rng = np.random.default_rng(0)

    def heard(of: Clips, scale: np.ndarray) -> Heard:
        active = active_frames(of, np.zeros((PER_FOLD, 3, of.log_mel.shape[1])))
        frames = (np.where(active, 0.7, 0.3) + rng.uniform(-0.1, 0.1, active.shape)) * scale
        clip = np.where(of.targets, 0.4, 0.2) * scale[:, 0]
        return Heard(clip.astype(np.float32), frames.astype(np.float32))

    scale = np.array([[1.0], [0.3], [1e-5]])
    found = scores_of(test, heard(test, scale), selection, heard(selection, scale))
    assert (found.clip.micro_f1, found.clip.macro_ap) == (1, 1)
    assert found.event is not None
    assert found.psds is not None
    assert found.event["0.2"].overall.f1 == 1
    assert found.psds["dcase2020"].value == 1
    nothing = heard(test, scale)._replace(clip=np.zeros((PER_FOLD, 3), np.float32))
    silent = scores_of(test, nothing, selection, heard(selection, scale))
    assert silent.event is not None
    assert silent.event["0.2"].overall.n_estimated == 0  # no class is tagged, so none is looked for in frames


def test_active_frames(sed_data: Path) -> None:
    clips = all_clips(sed_data)
    n_frames = clips.log_mel.shape[1]
    found = active_frames(clips, np.zeros((len(clips.fold), 3, n_frames)))
    expected = np.zeros_like(found)
    for event in clips.events.rows():
        for frame in range(n_frames):
            begins, ends = frame * clips.frame_s, (frame + 1) * clips.frame_s
            if min(ends, event.offset_s) - max(begins, event.onset_s) > 1e-9:
                expected[clips.corpus.clips.index(event.clip), clips.corpus.labels.index(event.label), frame] = True
    assert (found == expected).all()


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=12), st.floats(0, 1))
def test_relative_frames_keep_their_order_and_their_threshold(values: list[float], threshold: float) -> None:
    frames = np.array(values).reshape(1, 1, -1)
    found = relative_frames(frames, np.array([[True]]), np.array([threshold]))[0, :, 0]
    assert ((found >= 0) & (found <= 1)).all()
    order = np.argsort(frames[0, 0], kind="stable")
    assert (np.diff(found[order]) >= -1e-6).all()
    if 1e-6 < threshold < 1 - 1e-6:
        assert (found[frames[0, 0] <= threshold] <= 0.5).all()
        assert (found[frames[0, 0] >= min(threshold * 1.01 + 1e-6, 1)] > 0.5).all()


def test_no_frame_is_above_a_threshold_of_1() -> None:
    frames = np.array([[[0.5, 1.0]]], np.float32)
    assert relative_frames(frames, np.array([[True]]), np.array([1.0])).ravel().tolist() == [0, 0]
    assert relative_frames(frames, np.array([[True]]), np.array([np.nextafter(1.0, 0)]))[0, 1, 0] == 1


def test_a_class_that_is_never_tagged_has_the_default_threshold() -> None:
    frames = np.full((2, 2, 4), 0.25, np.float32)
    tagged = np.array([[True, False], [False, False]])
    active = np.zeros((2, 2, 4), bool)
    active[:, :, :2] = True
    frames[0, 0, :2] = 0.75
    assert tune_frame_thresholds(frames, tagged, active).tolist() == [0.5, 0.5]
    frames[0, 0] /= 4
    assert tune_frame_thresholds(frames, tagged, active).tolist() == [0.125, 0.5]


def test_the_papers_tables() -> None:
    for row in [*TABLE_4.values(), *TABLE_5.values()]:
        at = [row[snr_db] for snr_db in (20.0, 10.0, 0.0)]
        assert [one.micro_ap for one in at] == sorted((one.micro_ap for one in at), reverse=True)
        assert [one.is_auc_misprinted for one in at] == [one.macro_auc == one.macro_ap for one in at]
    assert published("2apae", 0.001, 20.0) == ("Table IV", (0.7829, 0.7645, 0.9390, False))
    assert published("2apae", 0.0, 0.0) == ("Table V", (0.6937, 0.6807, 0.9144, False))
    assert published("gwrp", 0.5, 10.0) == ("Table IV", TABLE_4["gwrp"][10.0])
    assert [published(*of) for of in (("2apae", 0.5, 0.0), ("mine", None, 0.0), ("gap", None, None))] == [None] * 3


def test_means_leave_out_what_is_not_there() -> None:
    assert mean_figures([{"a": 1.0, "b": None}, {"a": 0.5, "b": None}, {"a": None, "b": None}]) == {
        "a": 0.75,
        "b": None,
    }


# --- the command ------------------------------------------------------------------------------------------------------


def test_folds_and_their_mean(folds: Path, sed_folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "folds", "--device", "cpu"]) == DONE
    shown = capsys.readouterr().out
    clip_rows = rows_of(shown.split("\nin time")[0])
    stored = [results_in(folds / f"fold-{k}/results-mixtures-snr0-fold{k}.json") for k in (1, 2, 3)]
    for k, file in enumerate(stored, 1):
        assert clip_rows[f"fold-{k}"][:2] == [str(PER_FOLD), f"{file.scores.clip.micro_ap:.4f}"]
        for name in (f"results-mixtures-snr0-fold{k}.json", f"predictions-mixtures-snr0-fold{k}.jsonl"):
            again = sed_folds / f"fold-{k}" / name
            if name.startswith("predictions"):
                assert (folds / f"fold-{k}" / name).read_bytes() == again.read_bytes()
        assert file.scores == results_in(sed_folds / f"fold-{k}/results-mixtures-snr0-fold{k}.json").scores
    means = [np.mean([getattr(file.scores.clip, name) for file in stored]) for name in ("micro_ap", "macro_ap")]
    assert clip_rows["mean"][:2] == [f"{mean:.4f}" for mean in means]
    assert clip_rows["arXiv 2008.07085, Table IV"] == ["0.6986", "0.6892", "0.9177"]
    rows = rows_of(shown)
    assert [name for name in rows_of(shown) if name in LABELS] == LABELS[::-1]  # read from the last line on
    horn = [file.scores.clip.by_class["horn"] for file in stored]
    assert rows["horn"][:2] == [str(sum(one.n_clips for one in horn)), f"{np.mean([one.ap for one in horn]):.4f}"]
    assert "fold-2: rate, epoch and thresholds were chosen on fold 3" in shown
    name = "F1 of events, onset within 0.2 s, offset within 0.2 s or 50 % of the length"
    half = [(file.scores.event or {})["0.5"].overall.f1 for file in stored]
    assert next(line for line in shown.splitlines() if line.startswith(f"{name}  ")).split()[-4:] == [
        f"{value:.4f}" for value in (*half, np.mean(half))
    ]


def test_the_same_run_gives_the_same_bytes(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = RESULTS, PREDICTIONS
    texts = []
    for _ in range(2):
        assert run(["evaluate", "folds/fold-1", "--device", "cpu"]) == DONE
        texts.append([(folds / "fold-1" / name).read_text() for name in names])
    assert texts[0] == texts[1]
    path = folds / "fold-1" / RESULTS
    assert results_json(results_in(path)) == texts[0][0]
    stored = json.loads(texts[0][0])
    assert stored["scores"] == json.loads(json.dumps(asdict(results_in(path).scores)))
    assert (stored["task"], stored["n_original"]) == ("sed", PER_FOLD)
    assert stored["note"] == "rate, epoch and thresholds were chosen on fold 2"


def test_selected_on_the_held_out_fold(sed_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "run", sed_data, select_on_test=True, model="gap", snr="mixtures-snr20")
    assert run(["evaluate", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == DONE
    shown = capsys.readouterr().out
    assert ON_TEST in shown
    assert "selected on the held-out fold itself" in ON_TEST
    stored = json.loads((tmp_path / "out/results-mixtures-snr20-fold1.json").read_text())
    assert stored["note"] == ON_TEST
    assert (stored["config"]["select_on_test"], stored["config"]["selection"], stored["config"]["train"]) == (
        True,
        1,
        [2, 3],
    )
    assert rows_of(shown)["arXiv 2008.07085, Table IV"] == ["0.5067", "0.6127", "0.9338"]


def test_another_dataset(folds: Path, tmp_path: Path, complaint: Callable[..., str]) -> None:
    other = mixtures(tmp_path / "quiet", seed=1, snrs=(0.0,))
    assert run(["evaluate", "folds/fold-1", "--data", str(other), "--device", "cpu"]) == DONE
    file = results_in(folds / "fold-1/results-mixtures-mixtures-snr0-fold1.json")
    assert file.config.data.endswith("quiet/mixtures")
    write_run(Path("loud"), other, snr="mixtures-snr0")
    config = Path("loud/config.yaml")
    config.write_text(config.read_text().replace("snr: mixtures-snr0", "snr: mixtures-snr20"))
    assert "SNR: found 'mixtures-snr20' (did you mean mixtures-snr0?), expected one of: mixtures-snr0" in complaint(
        WRONG_INPUT, "evaluate", "loud"
    )
    features = json.loads(Path("loud/features.json").read_text())
    features["mel"]["sample_rate"] = 16_000
    config.write_text(config.read_text().replace("snr: mixtures-snr20", "snr: mixtures-snr0"))
    Path("loud/features.json").write_text(json.dumps(features))
    assert "sample rate: found 8000 Hz, expected 16000 Hz" in complaint(WRONG_INPUT, "evaluate", "loud")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["folds", "--split", "fold1"],
            "--split: found it with folds/fold-1, expected none: a run on mixtures is scored",
        ),
        (["folds/fold-1", "--snr", "0"], "--snr: found it with folds/fold-1, expected none"),
        (["folds", "--limit", "3"], "--limit: found it without --endpoint"),
        (["folds", "--model", "m"], "--model: found it with RUN"),
        (["--predictions", "p.jsonl", "--data", "DATA"], "--split: found none, expected the fold"),
        (
            ["--predictions", "p.jsonl", "--data", "DATA", "--split", "test"],
            "fold: found 'test', expected one of: fold1",
        ),
        (["--predictions", "p.jsonl", "--data", "DATA", "--split", "fold1", "--snr", "3"], "SNR: found '3'"),
        (["--predictions", "gone.jsonl", "--data", "DATA", "--split", "fold1"], "gone.jsonl: not found"),
        (["--predictions", "p.jsonl", "--data", "folds"], "folds: found no dataset"),
        (
            ["--predictions", "p.jsonl", "--data", "SCENES", "--snr", "3"],
            "--snr: found it with acoustic question answering, expected sound event detection",
        ),
    ],
)
def test_wrong_usage(
    folds: Path, sed_data: Path, unheard: Path, complaint: Callable[..., str], arguments: list[str], message: str
) -> None:
    Path("p.jsonl").touch()
    places = {"DATA": str(sed_data), "SCENES": str(unheard)}
    said = complaint(WRONG_INPUT, "evaluate", *(places.get(one, one) for one in arguments))
    assert message in said


def test_folds_of_different_models_have_no_mean(folds: Path, sed_data: Path, complaint: Callable[..., str]) -> None:
    shutil.rmtree(folds / "fold-2")
    write_run(folds / "fold-2", sed_data, 2, model="gap")
    (folds / "fold-3" / BEST).unlink()
    assert "model.safetensors: not found" in complaint(WRONG_INPUT, "evaluate", "folds")
    shutil.rmtree(folds / "fold-3")
    assert "model: found gap beside 2apae" in complaint(WRONG_INPUT, "evaluate", "folds")


def test_folds_of_different_settings_have_no_mean(folds: Path, sed_data: Path, complaint: Callable[..., str]) -> None:
    shutil.rmtree(folds / "fold-3")
    for how, message in (({"alpha": 0.01}, "alpha: found 0.01"), ({"options": {"width": 0.1}}, "options: found")):
        shutil.rmtree(folds / "fold-2")
        write_run(folds / "fold-2", sed_data, 2, **how)
        assert message in complaint(WRONG_INPUT, "evaluate", "folds")


def test_nothing_is_scored_where_a_run_has_no_weights(folds: Path, complaint: Callable[..., str]) -> None:
    (folds / "fold-3" / BEST).unlink()
    assert "fold-3/model.safetensors: not found" in complaint(WRONG_INPUT, "evaluate", "folds")
    assert not [*folds.rglob("results-*")]


def test_a_training_that_has_not_finished_is_told(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k, epochs in ((1, 3), (2, 4), (3, 50)):
        config = folds / f"fold-{k}/config.yaml"
        config.write_text(config.read_text().replace("max_epochs: 50", f"max_epochs: {epochs}"))
    assert run(["evaluate", "folds"]) == DONE
    shown = capsys.readouterr().out
    assert "folds/fold-1: scored after" not in shown
    assert "folds/fold-2: scored after 3 of 4 epochs; clear-bench train --resume goes on" in shown
    assert "folds/fold-3: scored after 3 of 50 epochs" in shown


def test_results_are_no_run(folds: Path, complaint: Callable[..., str]) -> None:
    assert run(["evaluate", "folds", "--out", "scored"]) == DONE
    for path in ("scored", "scored/fold-1"):
        assert f"{path}: found results, expected the folder of a run" in complaint(WRONG_INPUT, "evaluate", path)


def test_a_dataset_that_is_not_where_it_was(folds: Path, sed_data: Path, complaint: Callable[..., str]) -> None:
    config = folds / "fold-1/config.yaml"
    config.write_text(config.read_text().replace(f"data: {sed_data}", "data: moved"))
    for command in ("evaluate", "show"):
        said = complaint(WRONG_INPUT, command, "folds/fold-1")
        assert "config.yaml: data: found 'moved', no folder as seen from here; --data says where" in said
        assert run([command, "folds/fold-1", "--data", str(sed_data)]) == DONE
    stored = results_in(folds / f"fold-1/results-{sed_data.name}-mixtures-snr0-fold1.json").scores.clip.by_class
    heard = hear_clip(load_run(folds / "fold-1", "cpu"), folds / "fold-1", None, sed_data)
    assert heard.thresholds.tolist() == [stored[label].threshold for label in heard.labels]


# --- anybody's predictions --------------------------------------------------------------------------------------------


def test_a_runs_own_predictions(sed_folds: Path, sed_data: Path, tmp_path: Path, capsys: Any) -> None:
    command = ["evaluate", "--data", str(sed_data), "--split", "fold1", "--snr", "0", "--out", str(tmp_path)]
    assert run([*command, "--predictions", str(sed_folds / "fold-1" / PREDICTIONS), "--model", "mine"]) == DONE
    assert "nothing was chosen: thresholds are 0.5" in capsys.readouterr().out
    file, of_run = results_in(tmp_path / RESULTS), results_in(sed_folds / "fold-1" / RESULTS)
    for name in ("micro_ap", "macro_ap", "macro_auc"):
        assert getattr(file.scores.clip, name) == getattr(of_run.scores.clip, name)
    assert (file.scores.segment, file.scores.event) == (of_run.scores.segment, of_run.scores.event)
    assert file.scores.psds is None
    assert (file.config.model, file.config.train, file.config.selection) == ("mine", [], None)
    assert {score.threshold for score in file.scores.clip.by_class.values()} == {0.5}
    assert file.hashes.data == of_run.hashes.data


def perfect(data: Path) -> list[dict[str, Any]]:
    rows = []
    for graph, _, _ in clear_gen.open_dataset(data).mixtures(0, 2):
        scores = {label: float(label in graph.weak_labels) for label in LABELS}
        events = [[event.label, event.onset_s, event.offset_s] for event in graph.events]
        rows.append({"mixture_id": graph.mixture_id, "scores": scores, "events": events})
    return rows


def test_perfect_predictions_in_any_order(sed_data: Path, tmp_path: Path) -> None:
    rows = perfect(sed_data)[::-1]
    path = tmp_path / "perfect.jsonl"
    command = ["evaluate", "--predictions", str(path), "--data", str(sed_data), "--split", "fold2"]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert run(command) == DONE
    scores = results_in(tmp_path / "perfect-results/results-mixtures-snr0-fold2.json").scores
    assert (scores.clip.micro_ap, scores.clip.macro_auc, scores.clip.micro_f1) == (1, 1, 1)
    assert scores.segment is not None
    assert scores.event is not None
    assert scores.segment.overall.f1 == scores.event["0.2"].overall.f1 == 1
    for row in rows:
        del row["events"]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert run([*command, "--out", str(tmp_path)]) == DONE
    assert results_in(tmp_path / "results-mixtures-snr0-fold2.json").scores == sed_scores.Results(
        scores.clip, None, None, None
    )


def test_truth_without_audio_is_that_with_it(sed_data: Path) -> None:
    of_fold = all_clips(sed_data, fold=3)
    truth = open_fold(open_mixtures(sed_data, None), "fold3")
    assert (truth.mixtures.config, truth.mixtures.snr_db) == ("mixtures-snr0", 0)
    assert truth.corpus.clips == of_fold.corpus.clips
    assert truth.corpus.labels == of_fold.corpus.labels
    assert (truth.targets == of_fold.targets).all()
    assert sorted(truth.events.rows()) == sorted(of_fold.events.rows())


@pytest.mark.parametrize(
    ("change", "code", "problem"),
    [
        (lambda rows: rows.pop(), FAILED, "mixture_id: 1 missing (fold2-000005)"),
        (lambda rows: rows.append(rows[0]), FAILED, "1 duplicate (fold2-000000)"),
        (lambda rows: rows[0].update(mixture_id="x\n"), FAILED, "1 missing (fold2-000000); 1 unknown ('x\\n')"),
        (lambda rows: rows[1].pop("scores"), WRONG_INPUT, ":2: scores: found no such field"),
        (lambda rows: rows[1].update(scores=[1]), WRONG_INPUT, ":2: scores: found a list"),
        (lambda rows: rows[1].update(mixture_id=3), WRONG_INPUT, ":2: mixture_id: found 3"),
        (lambda rows: rows[1]["scores"].pop("dog"), WRONG_INPUT, ":2: scores: found none of 'dog'"),
        (lambda rows: rows[1]["scores"].update(cat=1), WRONG_INPUT, ":2: scores: found 'cat', expected the classes"),
        (lambda rows: rows[1]["scores"].update(dog=True), WRONG_INPUT, ":2: scores: dog: found true"),
        (lambda rows: rows[1]["scores"].update(dog=float("nan")), WRONG_INPUT, ":2: scores: dog: found NaN"),
        (lambda rows: rows[1]["scores"].update(dog=float("inf")), WRONG_INPUT, ":2: scores: dog: found Infinity"),
        (lambda rows: rows[1]["scores"].update(dog=10**400), WRONG_INPUT, ":2: scores: dog: found 1000"),
        (lambda rows: rows[1]["scores"].update(dog="1"), WRONG_INPUT, ':2: scores: dog: found "1"'),
        (lambda rows: rows[1].pop("events"), WRONG_INPUT, ":2: events: found none, unlike in lines before"),
        (lambda rows: rows[0].pop("events"), WRONG_INPUT, ":2: events: found them, unlike in lines before"),
        (lambda rows: rows[1].update(events={}), WRONG_INPUT, ":2: events: found an object"),
        (lambda rows: rows[1].update(events=[["dog", 0.5]]), WRONG_INPUT, ":2: events: row 0: found"),
        (lambda rows: rows[1].update(events=[["dog", 0, float("nan")]]), WRONG_INPUT, ":2: events: row 0: found"),
        (lambda rows: rows[1].update(events=[["dog", 0.5, 0.5]]), WRONG_INPUT, ":2: events: row 0: fold2-000001, dog"),
        (lambda rows: rows[1].update(events=[["dog", 0.5, 2.5]]), WRONG_INPUT, "<= 2.0 s, the clip's length"),
        (lambda rows: rows[1].update(events=[["cat", 0, 1]]), WRONG_INPUT, ":2: events: row 0: label: found 'cat'"),
    ],
)
def test_hostile_predictions(
    sed_data: Path, tmp_path: Path, complaint: Callable[..., str], change: Any, code: int, problem: str
) -> None:
    rows = perfect(sed_data)
    change(rows)
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    said = complaint(code, "evaluate", "--predictions", path, "--data", sed_data, "--split", "fold2")
    assert problem in said
    assert not (tmp_path / "p-results").exists()


@pytest.mark.parametrize("text", ["{", "3", "[" * 5000, "\xff"])
def test_what_is_no_line_of_predictions(
    sed_data: Path, tmp_path: Path, complaint: Callable[..., str], text: str
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(text.encode("latin-1"))
    said = complaint(WRONG_INPUT, "evaluate", "--predictions", path, "--data", sed_data, "--split", "fold2")
    assert f"{path}:1: " in said


# --- results that are read back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda stored: stored.update(task="aqa"), "task: found results of 'aqa', expected sed"),
        (
            lambda stored: stored.pop("task"),
            "task: found none, as clear-bench 0.1 wrote results; run clear-bench evaluate",
        ),
        (lambda stored: stored.pop("config"), "config: found"),
        (lambda stored: stored["config"].pop("select_on_test"), "config.select_on_test: found"),
        (lambda stored: stored["config"].update(select_on_test="no"), "config.select_on_test: found 'no'"),
        (lambda stored: stored["config"].update(test="1"), "config.test: found '1'"),
        (lambda stored: stored["config"].update(model="m" * 2000), "config.model: found"),
        (lambda stored: stored["config"].update(more=1), "config.more: found 1"),
        (lambda stored: stored["config"].update(snr_db=float("inf")), "config.snr_db: found"),
        (lambda stored: stored["scores"]["clip"].update(micro_ap=1.5), "scores.clip.micro_ap: found 1.5"),
        (lambda stored: stored["scores"]["clip"].update(micro_ap=float("nan")), "scores.clip.micro_ap: found nan"),
        (lambda stored: stored["scores"]["clip"].update(d_prime=float("inf")), "scores.clip.d_prime: found inf"),
        (lambda stored: stored["scores"]["clip"].update(n_clips=-1), "scores.clip.n_clips: found -1"),
        (lambda stored: stored["scores"]["clip"]["by_class"].pop("dog"), "the same classes, at least one"),
        (lambda stored: stored["scores"]["clip"]["by_class"]["dog"].update(threshold=None), "threshold: found None"),
        (lambda stored: stored["scores"]["segment"]["overall"].update(error_rate=-1), "error_rate: found -1"),
        (lambda stored: stored["scores"]["event"].pop("0.5"), "events by offset shares 0.2, 0.5"),
        (lambda stored: stored["scores"].update(segment=None), "events by offset shares"),
        (lambda stored: stored["scores"]["psds"].pop("dcase2020"), "psds by dcase2020"),
        (lambda stored: stored["scores"]["psds"]["dcase2020"].update(value=2), "value: found 2"),
        (lambda stored: stored["frame_thresholds"].pop("dog"), "a frame threshold for every class"),
    ],
)
def test_damaged_results_are_refused(sed_folds: Path, tmp_path: Path, change: Any, problem: str) -> None:
    stored = json.loads((sed_folds / "fold-1" / RESULTS).read_text())
    change(stored)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: [^\n]*{re.escape(problem)}[^\n]*$") as raised:
        results_in(path)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, "\ud800"])
def test_what_is_no_results_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: [^\n]*$"):
        results_in(path)
