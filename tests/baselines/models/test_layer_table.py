"""Layers of models: their sizes are those of the papers, and all parameters are somebody's."""

from __future__ import annotations

import json

import pytest

from baselines.cli import run
from baselines.models.layer_table import layers
from baselines.models.registry import count, count_frozen, skeleton
from clear_gen.cli.common import DONE, WRONG_INPUT


@pytest.mark.parametrize("name", ["naaqa-2d-malimo", "visual-film-resnet101", "daqa-malimo-smallest", "2apae", "gmp"])
def test_every_parameter_is_counted_once(name: str) -> None:
    model = skeleton(name)
    assert sum(layer.params for layer in layers(name)) == count(model)[0] + count_frozen(model)


def test_sizes_of_the_optimized_parallel_network() -> None:
    found = {layer.name: layer for layer in layers("naaqa-parallel-optimized")}
    assert found["extractor.project"].output == (64, 8, 53)
    assert found["film.question.gru"].output == (17, 256)
    assert found["film.question.gru"].params == 3 * (256 * (200 + 256) + 2 * 256)
    assert found["film.blocks.3.conv"].output == (128, 8, 53)
    assert found["film.classifier.output"].output == (58,)


def test_sizes_of_the_published_attention_network() -> None:
    outputs = [layer.output for layer in layers("2apae")]
    assert (32, 311, 64) in outputs
    assert outputs[0][-2:] == (311, 64)


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--layers", "gmp"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "module", "output", "parameters"]
    assert lines[-1].split() == ["all", "587,593"]
    assert run(["models", "--layers", "gmp", "--json"]) == DONE
    assert sum(row["params"] for row in json.loads(capsys.readouterr().out)) == 587_593
    assert run(["models", "--layers", "gmq"]) == WRONG_INPUT
    assert "gmp" in capsys.readouterr().err
