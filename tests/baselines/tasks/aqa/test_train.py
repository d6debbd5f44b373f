"""Training: killed anywhere and resumed it ends the same; a run's folder says all; a trained model answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import baselines
from baselines.cli import run
from baselines.core import trainer
from baselines.core.checkpoints import Paused, load_tensors, save_tensors
from baselines.core.publish import run_shipment
from baselines.core.results import read_results
from baselines.core.trainer import Trainer, train
from baselines.models.aqa.tokenizer import read_tokenizer
from baselines.models.aqa.visual_film import VisualFilm
from baselines.models.registry import build
from baselines.tasks.aqa.learner import AqaLearner, Data, load_data
from baselines.tasks.aqa.predictor import TrainedPredictor
from baselines.tasks.aqa.questions import read_split
from baselines.tasks.aqa.results import AqaResults
from baselines.tasks.aqa.run import Config, load_run, logits_of, new_model
from baselines.tasks.registry import TASKS
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.load import load_scenes
from tests.baselines.commands import epochs_before_a_kill
from tests.datasets.runs import Runner

CPU = torch.device("cpu")
NARROW = {"gru_units": 8, "embedding": 8, "filters": 8, "blocks": 1, "classifier_filters": 8, "hidden": 8}
NARROW |= {"projection": 8, "extractor_filters": 2}
SETS = [part for name, value in NARROW.items() for part in ("--set", f"{name}={value}")]


def config_of(folder: Path, **choices: object) -> Config:
    named = {"model": "naaqa-2d-optimized", "options": NARROW, "batch": 16, "max_epochs": 3, "learning_rate": 0.01}
    return Config.model_validate({"data": str(folder), **named, **choices})


@pytest.fixture(scope="module")
def data(unheard: Path) -> Data:
    return load_data(config_of(unheard), CPU)


def trained(config: Config, data: Data, folder: Path) -> Path:
    train(config, AqaLearner(config, data, CPU), folder)
    return folder


def answers_of(folder: Path, data: Path) -> list[str]:
    """What a run answers to the questions of the test split."""
    return [one.values["answer"] for one in TrainedPredictor(folder, "cpu").predict(read_split(data, "test"))]


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same(one: Path, other: Path) -> bool:
    return all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in ("metrics.jsonl", "model.safetensors")
    )


def test_the_same_seed_gives_the_same_run_and_another_seed_another(unheard: Path, data: Data, tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = trained(config_of(unheard), data, tmp_path / "one")
    torch.manual_seed(2)
    assert same(one, trained(config_of(unheard), data, tmp_path / "two"))
    assert not same(one, trained(config_of(unheard, seed=5), data, tmp_path / "three"))


@pytest.mark.parametrize("at", [1, 4, 7, 10])
def test_stopped_in_any_step_it_goes_on_to_the_same_result(
    unheard: Path, data: Data, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint after every step, and the power goes out in the ``at``-th."""
    whole = trained(config_of(unheard), data, tmp_path / "whole")
    step, done = Trainer._step, 0

    def stopping(self: Trainer, *arguments: object) -> torch.Tensor:
        nonlocal done
        done += 1
        if done == at:
            raise KeyboardInterrupt
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "CHECKPOINT_S", -1.0)
    monkeypatch.setattr(Trainer, "_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(config_of(unheard), data, tmp_path / "stopped")
    monkeypatch.undo()
    n_steps = len(data.train.questions) // 16
    assert at < 3 * n_steps
    done = 0
    assert same(whole, trained(config_of(unheard), data, tmp_path / "stopped"))


def test_killed_by_the_system_it_goes_on_to_the_same_result(bench: Runner, unheard: Path, tmp_path: Path) -> None:
    command = ["train", str(unheard), "--model", "naaqa-2d-optimized", *SETS, "--batch", "16", "--device", "cpu"]
    command += ["--max-epochs", "20", "--learning-rate", "0.0001"]
    assert 1 <= epochs_before_a_kill(bench, tmp_path, *command) < 20


def test_what_is_kept_is_the_epoch_of_least_validation_loss(unheard: Path, data: Data, tmp_path: Path) -> None:
    folder = trained(config_of(unheard, max_epochs=12, learning_rate=0.03), data, tmp_path / "run")
    rows = metrics(folder)
    best = min(rows, key=lambda row: row["validation_loss"])
    logits = logits_of(load_run(folder, "cpu").model, data.validation)
    loss = torch.nn.functional.cross_entropy(logits, data.validation.classes, ignore_index=-1)
    right = (logits.argmax(1) == data.validation.classes).double().mean()
    assert float(loss) == pytest.approx(best["validation_loss"], rel=1e-5)
    assert float(right) == pytest.approx(best["validation_accuracy"])


def test_the_learning_rate_falls_on_a_plateau_and_training_stops(unheard: Path, data: Data, tmp_path: Path) -> None:
    """Counted again from the losses: three epochs without a better one, a tenth; six after the fifth, the end."""
    folder = trained(config_of(unheard, max_epochs=40, learning_rate=0.05), data, tmp_path / "run")
    rows, rate, plateau, bad = metrics(folder), 0.05, float("inf"), 0
    stop, stale = float("inf"), 0
    for number, row in enumerate(rows):
        assert row["learning_rate"] == pytest.approx(rate)
        loss = row["validation_loss"]
        plateau, bad = (loss, 0) if loss < plateau * 0.9995 else (plateau, bad + 1)
        if bad == 3:
            rate, bad = rate / 10, 0
        stop, stale = (loss, 0) if loss < stop - 0.0005 else (stop, stale + (number >= 5))
        assert (stale == 6) == (number + 1 == len(rows))
    assert rows[-1]["learning_rate"] < 0.05


def test_a_run_that_is_there_is_not_mixed_with_another(
    unheard: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    command = ["train", str(unheard), "--model", "naaqa-2d-optimized", *SETS, "--out", str(tmp_path / "run")]
    command += ["--max-epochs", "1", "--device", "cpu"]
    assert run(command) == DONE
    capfd.readouterr()
    assert run(command) == WRONG_INPUT
    assert "found a run, expected none; --resume continues it" in capfd.readouterr().err
    assert run([*command, "--resume", "--seed", "3"]) == WRONG_INPUT
    assert "config.yaml: seed: found 0, expected 3, as asked" in " ".join(capfd.readouterr().err.split())
    assert run([*command, "--resume"]) == DONE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "DATA: found none"),
        (["DATA"], "--model: found none"),
        (["DATA", "--model", "naaqa"], "naaqa"),
        (["DATA", "--model", "naaqa-2d", "--set", "gru=3"], "gru"),
        (["DATA", "--model", "naaqa-2d", "--batch", "1"], "--batch: found 1"),
        (["DATA", "--model", "naaqa-2d", "--seeds", "1,x"], "--seeds"),
        (["DATA", "--model", "naaqa-2d", "--seeds", "1,2", "--seed", "1"], "--seeds: found with --seed"),
    ],
)
def test_wrong_choices(
    unheard: Path, tmp_path: Path, capfd: pytest.CaptureFixture, arguments: list[str], message: str
) -> None:
    filled = [str(unheard) if one == "DATA" else one for one in arguments]
    assert run(["train", *filled, "--out", str(tmp_path / "run"), "--device", "cpu"]) == WRONG_INPUT
    assert message in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_the_most_common_answer_and_chance_need_no_training(unheard: Path, data: Data, tmp_path: Path) -> None:
    folder = trained(config_of(unheard, model="most-common", options={}), data, tmp_path / "common")
    answers = answers_of(folder, unheard)
    assert set(answers) == {Counter(sorted(data.train.questions.answer)).most_common(1)[0][0]}
    folder = trained(config_of(unheard, model="random", options={}), data, tmp_path / "random")
    answers = answers_of(folder, unheard)
    assert len(set(answers)) > 5


def test_predictions_of_audio_and_of_virtual_scenes_agree(dataset: Path, unheard: Path, tmp_path: Path) -> None:
    config = config_of(unheard, max_epochs=1)
    folder = trained(config, load_data(config, CPU), tmp_path / "run")
    virtual, heard = (answers_of(folder, data) for data in (unheard, dataset))
    assert np.mean(np.array(virtual) == np.array(heard)) > 0.95


def test_fresh_rooms_change_training_and_not_the_scenes(unheard: Path, tmp_path: Path) -> None:
    config = config_of(unheard, augment=True, max_epochs=2)
    data = load_data(config, CPU)
    augmented = trained(config, data, tmp_path / "augmented")
    assert same(augmented, trained(config, data, tmp_path / "again"))
    plain = trained(config_of(unheard, max_epochs=2), load_data(config_of(unheard), CPU), tmp_path / "plain")
    assert not same(augmented, plain)


FILM = ["gru_units", "embedding", "filters", "blocks", "classifier_filters", "hidden"]


def test_the_questions_of_a_scene_come_one_after_the_other(unheard: Path, data: Data) -> None:
    learner = AqaLearner(config_of(unheard), data, CPU)
    orders = [learner.order(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(learner.n_items))
        scenes = data.train.questions.scene[order]
        n_runs = 1 + np.count_nonzero(np.diff(scenes))
        assert n_runs == len(np.unique(scenes)) < learner.n_items


def test_a_frozen_trunk_hears_every_scene_once(unheard: Path, data: Data) -> None:
    options = {name: NARROW[name] for name in FILM}
    model = new_model(config_of(unheard, model="visual-film-resnet101", options=options), data.tokenizer).eval()
    assert isinstance(model, VisualFilm)
    n_heard = 0

    def count(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal n_heard
        n_heard += len(inputs[0])

    model.trunk.register_forward_pre_hook(count)
    found = logits_of(model, data.validation)
    assert n_heard == len(data.validation.features.power) < len(found)
    with torch.no_grad():
        expected = model(*data.validation.inputs(torch.arange(len(found))))
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.01)  # features are kept in half precision


def test_the_trunk_takes_the_weights_it_is_given_and_says_when_there_are_none(
    unheard: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    trunk = build("visual-film-resnet101", {"n_words": 9, "n_answers": 3}, np.random.default_rng(5)).trunk
    given = {name: tensor for name, tensor in trunk.state_dict().items() if "num_batches" not in name}
    save_tensors(given, tmp_path / "resnet.safetensors")
    sets = [part for name in FILM for part in ("--set", f"{name}={NARROW[name]}")]
    command = ["train", str(unheard), "--model", "visual-film-resnet101", *sets, "--max-epochs", "1"]
    imagenet = ["--imagenet", str(tmp_path / "resnet.safetensors")]
    assert run([*command, *imagenet, "--out", str(tmp_path / "given")]) == DONE
    assert "random weights" not in capfd.readouterr().out
    kept, _ = load_tensors(tmp_path / "given" / "model.safetensors", CPU)
    assert all(torch.equal(kept[f"trunk.{name}"], tensor) for name, tensor in given.items())
    assert run([*command, "--out", str(tmp_path / "random")]) == DONE
    assert "random weights" in capfd.readouterr().out
    assert run(["train", str(unheard), "--model", "text-only", *imagenet, "--out", str(tmp_path / "no")]) == WRONG_INPUT
    assert "--imagenet: found it with text-only" in capfd.readouterr().err


def test_a_paused_training_goes_on_to_the_same_result(unheard: Path, data: Data, tmp_path: Path) -> None:
    config, n_steps = config_of(unheard), 0

    def pause() -> bool:
        nonlocal n_steps
        n_steps += 1
        return n_steps % 3 == 0

    n_pieces = 0
    while True:
        n_pieces += 1
        try:
            train(config, AqaLearner(config, data, CPU), tmp_path / "pieces", pause=pause)
            break
        except Paused:
            continue
    assert n_pieces > 3
    assert same(trained(config, data, tmp_path / "whole"), tmp_path / "pieces")


def test_augmenting_audio_is_refused(dataset: Path) -> None:
    with pytest.raises(InputError, match="--augment: found scenes from audio"):
        load_data(config_of(dataset, augment=True), CPU)


def test_a_recording_gets_the_answer_of_its_scene(dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    config = config_of(dataset)
    folder = trained(config, load_data(config, CPU), tmp_path / "run")
    scene = load_scenes(dataset, "test")[0]
    soundfile.write(tmp_path / "scene.flac", scene.waveform, scene.sample_rate, subtype="PCM_16")
    question = str(read_split(dataset, "test").question[0])
    answers = answers_of(folder, dataset)
    capfd.readouterr()
    command = ["predict", str(folder), "--audio", str(tmp_path / "scene.flac"), "--question", question, "--json"]
    assert run([*command, "--device", "cpu"]) == DONE
    printed = json.loads(capfd.readouterr().out)
    assert printed["answer"] == answers[0]
    assert sum(printed["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert run([*command[:-1], "--top", "2"]) == DONE
    head, first, second = (line.split() for line in capfd.readouterr().out.splitlines())
    assert (head, first[0]) == (["answer", "probability"], answers[0])
    assert float(first[1]) >= float(second[1])
    output = baselines.load_model(folder, "cpu")(scene.waveform, scene.sample_rate, question)
    assert output.answer == answers[0]
    assert output.probabilities == pytest.approx(printed["probabilities"], abs=1e-3)  # the file has 16 bits
    assert run(command[:4]) == WRONG_INPUT
    assert "scene.flac: question: found none, expected one in English" in capfd.readouterr().err


def test_a_question_unlike_the_training_questions_is_not_answered_unless_forced(
    unheard: Path, data: Data, tmp_path: Path, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    folder = trained(config_of(unheard, max_epochs=1), data, tmp_path / "run")
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 32000), 16000)
    known = read_tokenizer(folder / "tokenizer.json").words
    question = str(read_split(unheard, "test").question[0])
    assert not {"capital", "france", "kazoo"} & {*known}
    command = ["predict", str(folder), "--audio", str(tmp_path / "a.wav"), "--device", "cpu", "--question"]
    capfd.readouterr()
    for text, found in {
        "": "none",
        " ?! ": "none",
        "What is the capital of France?": "2 of 6 words that the model does not know (capital, france)",
        "Bonjour": "1 of 1 words that the model does not know (bonjour)",
    }.items():
        assert run([*command, text]) == WRONG_INPUT
        [line] = capfd.readouterr().err.splitlines()
        expected = "one in English, such as the training questions; --force answers anyway"
        assert line == f"clear-bench: {tmp_path / 'a.wav'}: question: found {found}, expected {expected}"
        caplog.clear()
        assert run([*command, text, "--force"]) == DONE
        assert capfd.readouterr().out.startswith("answer")
        assert ("the model does not know capital, france" in caplog.text) == ("capital" in text)
    caplog.clear()
    assert run([*command, question]) == DONE
    assert not caplog.records
    assert run([*command, f"{question} kazoo kazoo"]) == DONE
    assert [one.getMessage() for one in caplog.records] == ["question: the model does not know kazoo"]


def test_an_interrupted_training_is_told_wherever_it_is_scored(
    unheard: Path,
    data: Data,
    tmp_path: Path,
    capfd: pytest.CaptureFixture,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(config_of(unheard, max_epochs=3), data, Path("run"))
    trained(config_of(unheard, max_epochs=1), data, Path("whole"))
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace("max_epochs: 3", "max_epochs: 40"))
    told = "scored after 3 of at most 40 epochs; clear-bench train --resume goes on"
    capfd.readouterr()
    for name in ("whole", "run"):
        assert run(["evaluate", name, "--device", "cpu"]) == DONE
        assert ("run: " + told in capfd.readouterr().out) == (name == "run")
        file = read_results(Path(name) / "results-test.json", AqaResults)
        assert file.unfinished == ("3 of at most 40 epochs" if name == "run" else None)
        assert ("unfinished" in (Path(name) / "results-test.json").read_text()) == (name == "run")
        assert run(["report", name]) == DONE
        assert (f"run/results-test.json: {told}" in Path("report.html").read_text()) == (name == "run")
        with run_shipment(Path(name), TASKS["aqa"]) as shipment:
            assert (told in (shipment.folder / "README.md").read_text()) == (name == "run")
        assert (told in caplog.text) == (name == "run")
    assert run(["compare", "whole", "run"]) == DONE
    assert f", run: {told}" in capfd.readouterr().out
    Path("run/results-test.json").unlink()
    assert run(["report", "run"]) == DONE
    assert "run: training was interrupted after 3 of at most 40 epochs" in Path("report.html").read_text()
    with run_shipment(Path("run"), TASKS["aqa"]):
        assert "run: training was interrupted after 3 of at most 40 epochs" in caplog.text


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.safetensors", lambda content: content[:100]),
        ("model.safetensors", lambda content: b"\x80\x04."),  # a pickle is not read
        ("tokenizer.json", lambda content: content.replace(b'"<padding>"', b'"the"')),
        ("features.json", lambda content: content.replace(b'"n_frames"', b'"frames"')),
        ("config.yaml", lambda content: content.replace(b"batch: 16", b"batch: many")),
    ],
)
def test_a_damaged_run_is_one_line(
    unheard: Path, data: Data, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    folder = trained(config_of(unheard, max_epochs=1), data, tmp_path / "run")
    content = (folder / name).read_bytes()
    assert change(content) != content
    (folder / name).write_bytes(change(content))
    with pytest.raises(InputError, match=name):
        load_run(folder, "cpu")


def test_two_processes_train_one_model(unheard: Path, tmp_path: Path) -> None:
    """Through torchrun, as on several GPUs: both end, and the metrics are those of the weights that were kept."""
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
    command += ["train", str(unheard), "--model", "naaqa-2d-optimized", *SETS, "--batch", "16", "--max-epochs", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    folder = tmp_path / "run"
    done = subprocess.run([*command, "--out", folder], env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    data = load_data(config_of(unheard), CPU)
    best = min(metrics(folder), key=lambda row: row["validation_loss"])
    logits = logits_of(load_run(folder, "cpu").model, data.validation)
    loss = torch.nn.functional.cross_entropy(logits, data.validation.classes, ignore_index=-1)
    assert float(loss) == pytest.approx(best["validation_loss"], rel=1e-4)
    assert len(metrics(folder)) == 2
