"""The trainer with every optimiser and schedule: what a step does, how the rate goes, resuming to the same bytes."""

from __future__ import annotations

import json
from math import cos, pi
from pathlib import Path
from typing import Any

import pytest
import torch

from baselines.core import trainer
from baselines.core.checkpoints import Paused, load_tensors
from baselines.core.optim import SGD_MOMENTUM, Objective
from baselines.core.processes import Processes
from baselines.core.run import read_config, task_of
from baselines.core.trainer import State, Trainer, train
from baselines.core.unfinished import scored_after, unfinished
from clear_gen.core.errors import CheckFailed, InputError
from tests.baselines.core.learners import LineConfig, LineLearner

CPU = torch.device("cpu")
OPTIMIZERS = "adam", "adamw", "sgd"
SCHEDULES = "plateau", "cosine", "step", "none"


def config_of(**how: Any) -> LineConfig:
    chosen = {"batch": 8, "max_epochs": 3, "learning_rate": 0.01, "weight_decay": 0.01, **how}
    return LineConfig.model_validate(chosen)


def trained(run: Path, values: list[float] | None = None, **how: Any) -> dict[str, torch.Tensor]:
    """The weights of the last epoch."""
    config = config_of(**how)
    learner = LineLearner(config, values=values)
    train(config, learner, run)
    return dict(learner.model.state_dict())


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def rates(run: Path) -> list[float]:
    return [row["learning_rate"] for row in rows(run)]


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_parts_of_an_accumulated_step_are_one_step(tmp_path: Path, optimizer: str) -> None:
    whole = trained(tmp_path / "whole", optimizer=optimizer)
    for accumulate in (2, 4, 8):
        parts = trained(tmp_path / str(accumulate), optimizer=optimizer, accumulate=accumulate)
        for name, tensor in whole.items():
            torch.testing.assert_close(parts[name], tensor, atol=1e-6, rtol=1e-5)
    assert rows(tmp_path / "whole")[-1]["train_loss"] == pytest.approx(rows(tmp_path / "8")[-1]["train_loss"])


class Watched(LineLearner):
    """Remembers the items of every step."""

    def loss(self, module: torch.nn.Module, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.__dict__.setdefault("taken", []).append(rows.tolist())
        return super().loss(module, rows)


class OneOfTwo(Processes):
    """One of two processes whose other one says nothing."""

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def share_buffers(self, model: torch.nn.Module) -> None: ...

    def wait(self) -> None: ...


def test_processes_share_the_items_of_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "DistributedDataParallel", lambda module: module)
    steps: list[list[list[int]]] = []
    for rank in (0, 1):
        learner = Watched(config_of())
        next(Trainer(config_of(), learner, tmp_path / str(rank), OneOfTwo(rank, 2), lambda: False).epochs())
        steps.append(learner.__dict__["taken"])
    for first, second in zip(*steps, strict=True):
        assert (len(first), len(second), len({*first, *second})) == (4, 4, 8)
    assert len({row for taken in steps for rows in taken for row in rows}) == 24


def test_a_step_that_cannot_be_divided_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--batch: found 2 with 24 training points, expected at least 3 in a step"):
        trained(tmp_path / "run", batch=2, accumulate=3)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_clipping_bounds_the_norm_of_a_step(tmp_path: Path, scale: float) -> None:
    """Without momentum of earlier steps, SGD moves by the rate times the gradient: its norm is the bound, or less."""
    bound, rate = 0.05, 0.1
    config = config_of(optimizer="sgd", weight_decay=0.0, batch=24, max_epochs=1, clip_norm=bound, learning_rate=rate)
    learner = LineLearner(config, scale=scale)
    before = torch.cat([one.detach().flatten().clone() for one in learner.model.parameters()])
    train(config, learner, tmp_path / "run")
    moved = torch.cat([one.detach().flatten() for one in learner.model.parameters()]) - before
    assert float(moved.norm()) == pytest.approx(rate * bound, rel=1e-3)
    free = LineLearner(config.model_copy(update={"clip_norm": 1e9}), scale=scale)
    train(config.model_copy(update={"clip_norm": 1e9}), free, tmp_path / "free")
    assert (
        float((torch.cat([one.detach().flatten() for one in free.model.parameters()]) - before).norm()) > rate * bound
    )


def test_sgd_has_momentum_and_decay(tmp_path: Path) -> None:
    """Two steps over all points, against the update written out."""
    rate, decay = 0.05, 0.1
    how = {"optimizer": "sgd", "learning_rate": rate, "weight_decay": decay, "batch": 24, "max_epochs": 2}
    found = trained(tmp_path / "run", schedule="none", **how)
    learner = LineLearner(config_of())
    weights = {name: one.detach().clone() for name, one in learner.model.named_parameters()}
    velocity = {name: torch.zeros_like(one) for name, one in weights.items()}
    for _ in range(2):
        error = learner.x @ weights["weight"][0] + weights["bias"] - learner.y
        gradients = {"weight": 2 * (error[:, None] * learner.x).mean(0)[None], "bias": 2 * error.mean()[None]}
        for name in weights:
            velocity[name] = SGD_MOMENTUM * velocity[name] + gradients[name] + decay * weights[name]
            weights[name] = weights[name] - rate * velocity[name]
    for name, tensor in weights.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=1e-5)


def test_adamw_shrinks_weights_that_have_no_gradient(tmp_path: Path) -> None:
    """Decay is decoupled: each step multiplies them by 1 - rate x decay, which Adam's moments do not rescale."""
    config = config_of(optimizer="adamw", batch=24, max_epochs=4, schedule="none", weight_decay=0.5, learning_rate=0.1)
    learner = LineLearner(config, scale=0.0)
    before = {name: one.detach().clone() for name, one in learner.model.named_parameters()}
    train(config, learner, tmp_path / "run")
    for name, parameter in learner.model.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] * (1 - 0.1 * 0.5) ** 4)


# --- the learning rate ------------------------------------------------------------------------------------------------


def test_cosine_follows_its_formula_after_a_linear_rise(tmp_path: Path) -> None:
    trained(tmp_path / "run", schedule="cosine", warmup_steps=4, max_epochs=6, learning_rate=0.3)
    n_steps, warmup = 3, 4
    last_steps = [epoch * n_steps + n_steps - 1 for epoch in range(6)]
    expected = [
        0.3 * (step + 1) / warmup if step < warmup else 0.15 * (1 + cos(pi * (step - warmup) / (6 * n_steps - warmup)))
        for step in last_steps
    ]
    assert rates(tmp_path / "run") == pytest.approx(expected)
    assert expected[0] == pytest.approx(0.225)


def test_step_falls_tenfold_every_so_many_epochs(tmp_path: Path) -> None:
    trained(tmp_path / "run", schedule="step", step_epochs=2, max_epochs=5)
    assert rates(tmp_path / "run") == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.0001])


def test_none_keeps_the_rate(tmp_path: Path) -> None:
    trained(tmp_path / "run", [1.0] * 9, schedule="none", max_epochs=9)
    assert rates(tmp_path / "run") == [0.01] * 9


def test_plateau_falls_after_epochs_without_a_gain(tmp_path: Path) -> None:
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.4]  # three without a gain, a fall, one, then gains
    trained(tmp_path / "run", losses, plateau_epochs=3, max_epochs=8)
    assert rates(tmp_path / "run") == pytest.approx([0.01] * 5 + [0.001] * 3)


def test_a_fall_may_go_back_to_the_best_weights(tmp_path: Path) -> None:
    losses, kept = [1.0, 2.0, 2.0, 2.0], {}
    for restore in (True, False):
        config = config_of(plateau_epochs=2, max_epochs=3, learning_rate=0.1)
        learner = LineLearner(config, values=losses, restore_best=restore)
        train(config, learner, tmp_path / str(restore))
        best, _ = load_tensors(tmp_path / str(restore) / "model.safetensors", CPU)
        kept[restore] = torch.equal(best["weight"], learner.model.state_dict()["weight"])
    assert kept == {True: True, False: False}


@pytest.mark.parametrize(("stop_epochs", "n"), [(None, 12), (3, 9), (1, 7)])
def test_training_stops_without_a_gain_from_the_sixth_epoch_on(tmp_path: Path, stop_epochs: int | None, n: int) -> None:
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.8] + [0.7999] * 6  # a gain below 5e-4 is none
    trained(tmp_path / "run", losses, stop_epochs=stop_epochs, max_epochs=12)
    assert len(rows(tmp_path / "run")) == n


def test_objectives_can_rise() -> None:
    rising = Objective("precision", "max")
    assert rising.improves(0.0, None)
    assert not rising.improves(0.5, 0.5)
    assert rising.improves(0.5001, 0.5)
    assert not rising.improves(0.50001, 0.5, relative=1e-4)


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_paused_after_every_step_it_ends_the_same(tmp_path: Path, optimizer: str, schedule: str) -> None:
    how = {"optimizer": optimizer, "schedule": schedule, "warmup_steps": 2, "clip_norm": 0.5, "accumulate": 2}
    trained(tmp_path / "whole", plateau_epochs=1, step_epochs=1, **how)
    config, n_pauses = config_of(plateau_epochs=1, step_epochs=1, **how), 0
    while True:
        try:
            train(config, LineLearner(config), tmp_path / "paused", pause=lambda: True)
            break
        except Paused:
            n_pauses += 1
    assert n_pauses == 9
    for name in ("metrics.jsonl", "model.safetensors", "config.yaml"):
        assert (tmp_path / "paused" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_state_of_an_optimiser_that_another_run_had_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "run", optimizer="sgd")
    with pytest.raises(InputError, match="optimizer: found 'sgd', expected 'adam', as asked"):
        trained(tmp_path / "run")


def test_what_is_not_a_number_ends_the_run_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"run: epoch 2: validation_loss is not a number; .* --learning-rate"):
        trained(tmp_path / "run", [1.0, float("nan"), 1.0])


# --- the run's folder -------------------------------------------------------------------------------------------------


def test_a_run_says_its_task(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    assert task_of(tmp_path / "run") == "line"
    text = (tmp_path / "run/config.yaml").read_text()
    (tmp_path / "run/config.yaml").write_text(text.replace("task: line\n", ""))
    with pytest.raises(InputError, match=r"task: found None, .* clear-bench 0.1 .* train it again"):
        read_config(tmp_path / "run", LineConfig)


def left_of(run: Path, **how: Any) -> str | None:
    """The epochs of a run that asked for more."""
    return unfinished(run, config_of(**how), LineLearner.objective)


def test_a_run_of_fewer_epochs_than_it_asked_for_is_unfinished(tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained(run)
    assert left_of(run) is None
    assert left_of(run, max_epochs=5) == "3 of 5 epochs"
    assert left_of(run, max_epochs=5, stop_epochs=6) == "3 of at most 5 epochs"
    assert left_of(tmp_path / "none", max_epochs=5) is None
    assert (
        scored_after(run, "3 of 5 epochs") == f"{run}: scored after 3 of 5 epochs; clear-bench train --resume goes on"
    )


def test_a_run_that_stopped_early_is_finished_and_one_epoch_before_it_was_not(tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained(run, [1.0, 0.5] + 10 * [0.5], stop_epochs=3, max_epochs=12)
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 8
    assert left_of(run, stop_epochs=3, max_epochs=12) is None
    (run / "metrics.jsonl").write_text("".join(lines[:-1]))
    assert left_of(run, stop_epochs=3, max_epochs=12) == "7 of at most 12 epochs"
    (run / "metrics.jsonl").write_text('{"epoch": 0}\n')
    assert left_of(run, stop_epochs=3, max_epochs=12) == "1 of at most 12 epochs"  # nothing says that it stopped
    (run / "metrics.jsonl").write_text("[]\n")
    with pytest.raises(InputError, match=r"metrics.jsonl:1: found a list, expected an object"):
        left_of(run, stop_epochs=3, max_epochs=12)


def test_an_epoch_shows_how_far_it_is_and_its_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, str | None]] = []

    class Bar:
        def __init__(self, left: int, total: int, what: str) -> None:
            assert (total, what) == (24, f"epoch 1: {LineLearner.unit}")

        def __enter__(self) -> Any:
            return lambda n, note: shown.append((n, note))

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(trainer, "noted_progress", Bar)
    monkeypatch.setattr(trainer, "NOTE_S", -1.0)
    trained(tmp_path / "run", max_epochs=1)
    assert [n for n, _ in shown] == [8, 8, 8]
    assert shown[-1][1] == f"loss {rows(tmp_path / 'run')[0]['train_loss']:.4f}"


def test_the_state_survives_being_written() -> None:
    state = State(plateau_rate=1e-3, best=float("inf"), sums=[0.1, 2.0])
    assert State.model_validate_json(state.model_dump_json()) == state
