"""Poolings of frames against the formulas of their values and gradients, one number at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.models.sed.pooling import (
    POOLINGS,
    attention,
    average,
    exponential_softmax,
    linear_softmax,
    maximum,
)
from tests.counts import examples

PROBABILITIES = st.lists(st.floats(1e-6, 1), min_size=1, max_size=12)
WITHOUT_WEIGHTS = {name: function for name, function in POOLINGS.items() if name != "attention"}


def pooled(name: str, y: list[float], w: list[float]) -> float:
    """The clip's probability, from the formulas of shared/MODELS.md, 5.3."""
    if name == "max":
        return sorted(y)[-1]
    if name == "average":
        return math.fsum(y) / len(y)
    if name == "linear":
        return math.fsum(one * one for one in y) / math.fsum(y)
    if name == "exponential":
        return math.fsum(one * math.exp(one) for one in y) / math.fsum(math.exp(one) for one in y)
    return math.fsum(a * b for a, b in zip(w, y, strict=True)) / math.fsum(w)


def gradient(name: str, y: list[float], w: list[float]) -> list[float]:
    """Of the clip's probability with respect to each frame's."""
    clip = pooled(name, y, w)
    if name == "max":
        return [float(place == y.index(clip)) for place in range(len(y))]
    if name == "average":
        return [1 / len(y)] * len(y)
    if name == "linear":
        return [(2 * one - clip) / math.fsum(y) for one in y]
    if name == "exponential":
        total = math.fsum(math.exp(one) for one in y)
        return [(1 - clip + one) * math.exp(one) / total for one in y]
    return [one / math.fsum(w) for one in w]


def called(name: str, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return POOLINGS[name](y, w) if name == "attention" else POOLINGS[name](y)


@pytest.mark.parametrize("name", POOLINGS)
@examples(60, derandomize=True)
@given(st.data())
def test_values_and_gradients_are_the_formulas(name: str, data: st.DataObject) -> None:
    y = data.draw(PROBABILITIES)
    w = data.draw(st.lists(st.floats(1e-3, 10), min_size=len(y), max_size=len(y)))
    frames, weights = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (y, w))
    clip = called(name, frames, weights)
    assert clip.item() == pytest.approx(pooled(name, y, w), rel=1e-12)
    clip.backward()
    assert frames.grad is not None
    np.testing.assert_allclose(frames.grad.numpy(), gradient(name, y, w), rtol=1e-9, atol=1e-9)
    if name == "attention":
        assert weights.grad is not None
        expected = [(one - clip.item()) / math.fsum(w) for one in y]
        np.testing.assert_allclose(weights.grad.numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", POOLINGS)
def test_time_is_the_last_axis(name: str) -> None:
    rng = np.random.default_rng(0)
    y, w = rng.uniform(0, 1, (2, 3, 5)), rng.uniform(0.1, 1, (2, 3, 5))
    found = called(name, torch.tensor(y), torch.tensor(w))
    assert found.shape == (2, 3)
    for place in np.ndindex(2, 3):
        assert found[place].item() == pytest.approx(pooled(name, y[place].tolist(), w[place].tolist()))


@examples(60, derandomize=True)
@given(PROBABILITIES)
def test_the_more_a_pooling_favours_loud_frames_the_higher_it_is(y: list[float]) -> None:
    frames = torch.tensor(y, dtype=torch.float64)
    from_low = [average(frames), exponential_softmax(frames), linear_softmax(frames), maximum(frames)]
    for low, high in pairwise(from_low):
        assert low <= high + 1e-12


def test_linear_softmax_pulls_frames_below_half_of_the_clip_down() -> None:
    frames = torch.tensor([0.1, 0.3, 0.35, 0.9], dtype=torch.float64, requires_grad=True)
    clip = linear_softmax(frames)
    clip.backward()
    assert frames.grad is not None
    assert torch.equal(frames.grad > 0, frames > clip / 2)
    assert 0 < int((frames.grad > 0).sum()) < 4


def test_the_first_of_equal_maxima_gets_the_gradient() -> None:
    frames = torch.full((4,), 0.5, requires_grad=True)
    maximum(frames).backward()
    assert frames.grad is not None
    assert sorted(frames.grad.tolist()) == [0, 0, 0, 1]


@pytest.mark.parametrize("level", [0.0, 1e-45, 1e-40, 1e-38, 1e-30, 1e-20])
@pytest.mark.parametrize("name", POOLINGS)
def test_silence_has_a_value_and_a_gradient(name: str, level: float) -> None:
    frames, weights = (torch.full((2, 7), level, requires_grad=True) for _ in range(2))
    clip = called(name, frames, weights)
    assert ((clip >= 0) & (clip <= max(level, 1e-37) * 1.0001)).all()
    clip.sum().backward()
    assert frames.grad is not None
    assert frames.grad.isfinite().all()
    if level >= 1e-30:
        torch.testing.assert_close(clip, torch.full((2,), level), rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_equal_frames_are_the_clip(name: str) -> None:
    for level in (1e-7, 0.3, 1.0):
        assert WITHOUT_WEIGHTS[name](torch.full((9,), level)).item() == pytest.approx(level)


def test_attention_with_weights_that_sum_to_one_is_their_mean() -> None:
    logits, frames = torch.randn(3, 8), torch.rand(3, 8)
    torch.testing.assert_close(attention(frames, logits.softmax(-1)), (frames * logits.softmax(-1)).sum(-1))
    assert torch.equal(attention(frames, torch.zeros(3, 8)), torch.zeros(3))
