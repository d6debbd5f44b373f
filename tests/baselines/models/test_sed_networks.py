"""Models of sound event detection: sizes, slow versions in NumPy, ranges, weights, options, and that they learn."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from baselines.cli import run
from baselines.models.registry import build, config_of, count, listing, models_of, skeleton, with_options
from baselines.models.sed.layers import SedOutput
from baselines.models.sed.vggish_pool import weighted_rank
from clear_gen.core.errors import InputError
from clear_gen.core.streams import stream
from tests.counts import examples

SED_MODELS = models_of("sed")
CLASSES, FRAMES, BANDS = 3, 12, 7
NARROW = {"width": 0.1}  # 4, 6, 13 and 26 channels of 32 to 256
POOLINGS = "gmp", "gap", "gwrp"


def sizes(n_classes: int, n_frames: int) -> dict[str, int]:
    return {"n_classes": n_classes, "n_frames": n_frames}


def small(name: str, seed: int = 3, n_classes: int = CLASSES, **options: Any) -> nn.Module:
    bands = {"n_bands": BANDS} if name == "2apae" else {}
    return build(name, sizes(n_classes, FRAMES), stream(seed), {**NARROW, **bands, **options})


def clips(n: int = 2, frames: int = FRAMES, bands: int = BANDS, seed: int = 0) -> torch.Tensor:
    return torch.randn((n, frames, bands), generator=torch.Generator().manual_seed(seed))


# --- sizes and cost ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("2apae", {}, 1_967_366),
        ("2apae", {"final_activation": "linear"}, 1_967_366),
        ("2apae", {"decoder": False}, 1_385_561),
        ("gmp", {}, 587_593),
        ("gap", {}, 587_593),
        ("gwrp", {}, 587_593),
        ("atrous", {}, 1_047_570),
    ],
)
def test_counts(name: str, options: dict, parameters: int) -> None:
    assert count(skeleton(name, sizes(41, 311), options)) == (parameters, parameters)


def test_counts_by_part() -> None:
    model = skeleton("2apae", sizes(41, 311))
    parts = model.encoder, model.classes, model.over_frequency, model.over_time, model.decoder
    assert [count(part)[0] for part in parts] == [1_172_640, 10_537, 202_384 - 194_064, 194_064, 581_805]
    assert count(skeleton("2apae", sizes(41, 100)))[0] == 1_967_366 - 194_064 + 2 * (100 * 100 + 100)
    for name, channels in (("2apae", 256), ("gap", 128), ("atrous", 2 * 256)):
        fewer = count(skeleton(name, sizes(10, 311)))[0]
        extra = 31 * (channels + (2 if name == "atrous" else 1))
        assert count(skeleton(name, sizes(41, 311)))[0] - fewer == extra


@pytest.mark.parametrize(
    ("name", "options", "gmac"),
    [("2apae", {}, 35.19), ("2apae", {"decoder": False}, 23.62), ("gwrp", {}, 11.67), ("atrous", {}, 20.83)],
)
def test_cost_of_ten_seconds(name: str, options: dict, gmac: float) -> None:
    model = skeleton(name, sizes(41, 311), options)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 311, 64, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, abs=0.006)


def test_width() -> None:
    def channels(name: str, width: float) -> list[int]:
        model = skeleton(name, sizes(41, 311), {"width": width})
        return [part.out_channels for part in model.modules() if isinstance(part, nn.Conv2d)]

    assert channels("2apae", 1) == [32, 32, 64, 64, 128, 128, 256, 256, 41, 128, 128, 64, 64, 32, 32, 1, 1]
    assert channels("2apae", 0.25) == [8, 8, 16, 16, 32, 32, 64, 64, 41, 32, 32, 16, 16, 8, 8, 1, 1]
    assert channels("gap", 1) == [32, 32, 64, 64, 128, 128, 128, 128, 41]
    assert channels("gap", 0.001) == [4] * 8 + [41]
    assert channels("atrous", 1) == [64, 128, 256, 41, 41]
    assert channels("atrous", 2) == [128, 256, 512, 41, 41]


# --- against slow versions --------------------------------------------------------------------------------------------


def unsettle(model: nn.Module) -> None:
    """Give every weight and every statistic a value that counts."""
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                near_one = name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1)
                values = rng.uniform(0.5, 1.5, tensor.shape) if near_one else 0.3 * rng.standard_normal(tensor.shape)
                tensor.copy_(torch.tensor(values))


class Slow:
    """The layers of a model in eval mode in NumPy, taken one after another in the order in which it holds them."""

    def __init__(self, model: nn.Module) -> None:
        kinds = nn.Conv2d | nn.BatchNorm2d | nn.Linear
        self.layers = [module for module in model.modules() if isinstance(module, kinds)]

    def weights(self) -> dict[str, np.ndarray]:
        return {name: tensor.double().numpy() for name, tensor in self.layers.pop(0).state_dict().items()}

    def conv(self, x: np.ndarray, dilation: int = 1) -> np.ndarray:
        """[C, T, F] -> [O, T, F]: as large as it was, with zeros around."""
        w = self.weights()
        size = dilation * (w["weight"].shape[2] - 1) + 1
        y = np.zeros((len(w["weight"]), *x.shape[1:]))
        for o, kernels in enumerate(w["weight"]):
            for channel, kernel in zip(x, kernels, strict=True):
                spread = np.zeros((size, size))
                spread[::dilation, ::dilation] = kernel
                around = np.pad(channel, size // 2)
                y[o] += signal.correlate2d(around, spread, "valid")
            y[o] += w["bias"][o] if "bias" in w else 0
        return y

    def norm(self, x: np.ndarray) -> np.ndarray:
        w = {name: value[..., None, None] for name, value in self.weights().items()}
        return (x - w["running_mean"]) / np.sqrt(w["running_var"] + 1e-5) * w["weight"] + w["bias"]

    def conv_norm_relu(self, x: np.ndarray, dilation: int = 1) -> np.ndarray:
        return np.maximum(self.norm(self.conv(x, dilation)), 0)

    def linear(self, x: np.ndarray) -> np.ndarray:
        w = self.weights()
        return np.einsum("...i,oi->...o", x, w["weight"]) + w["bias"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def averaged(x: np.ndarray) -> np.ndarray:
    """Each of [C, T, F] with its 8 neighbours; what is outside counts as 0."""
    return np.stack([signal.correlate2d(channel, np.full((3, 3), 1 / 9), "same") for channel in x])


def both(name: str, **options: Any) -> tuple[Slow, np.ndarray, SedOutput]:
    """A model's layers, one clip [1, T, F], and what the model says of it."""
    model = small(name, **options).eval()
    unsettle(model)
    x = clips(1)
    with torch.no_grad():
        return Slow(model), x.double().numpy(), model(x)


def close(found: torch.Tensor | None, expected: np.ndarray) -> None:
    assert found is not None
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("final", ["relu", "linear"])
def test_two_step_attention_is_the_formula(final: str) -> None:
    slow, x, found = both("2apae", final_activation=final)
    for _ in range(4):
        x = averaged(slow.conv_norm_relu(slow.conv_norm_relu(x)))
    z = slow.conv(x)  # [K, T, F]

    def attended(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = sigmoid(slow.linear(z))
        exponentials = np.exp(slow.linear(z))
        weights = exponentials / exponentials.sum(-1, keepdims=True)
        return (value * weights).sum(-1), weights

    frames, in_frequency = attended(z)
    clip, in_time = attended(frames)
    close(found.clip, clip)
    close(found.frames, frames)
    close(found.attention["frequency"], in_frequency)
    close(found.attention["time"], in_time)
    for _ in range(3):
        x = averaged(slow.conv_norm_relu(slow.conv_norm_relu(x)))
    x = slow.norm(slow.conv(slow.conv_norm_relu(x)))
    close(found.reconstruction, averaged(np.maximum(x, 0) if final == "relu" else x)[0])
    assert not slow.layers


@pytest.mark.parametrize("name", POOLINGS)
def test_pooled_maps_are_the_formula(name: str) -> None:
    slow, x, found = both(name)
    for _ in range(8):
        x = slow.conv_norm_relu(x)
    map_ = sigmoid(slow.conv(x))
    ranked = np.sort(map_.reshape(CLASSES, -1))[:, ::-1]
    weights = 0.9998 ** np.arange(FRAMES * BANDS)
    clip = {"gmp": ranked[:, 0], "gap": ranked.mean(1), "gwrp": ranked @ weights / weights.sum()}[name]
    close(found.clip, clip)
    close(found.frames, map_.mean(2))
    close(found.attention["map"], map_)
    assert found.reconstruction is None
    assert not slow.layers


def test_atrous_attention_is_the_formula() -> None:
    slow, x, found = both("atrous")
    for dilation in (1, 2, 4):
        x = slow.conv_norm_relu(x, dilation)
    attention = np.clip(sigmoid(slow.conv(x)), 0.1, 0.9)
    assert {attention.min(), attention.max()} == {0.1, 0.9}  # so that the bounds are tested
    attention /= attention.sum((1, 2), keepdims=True)
    exponentials = np.exp(slow.conv(x))
    heard = attention * np.log(exponentials / exponentials.sum(0))
    close(found.clip, sigmoid(heard.sum((1, 2))))
    close(found.frames, sigmoid(heard.sum(2) / attention.sum(2)))
    close(found.attention["time_frequency"], attention)
    assert found.reconstruction is None
    assert not slow.layers


def test_logit_of_an_atrous_clip_is_the_weighted_mean_of_its_frames() -> None:
    _, _, found = both("atrous")
    weights = found.attention["time_frequency"].sum(3)
    torch.testing.assert_close(found.clip.logit(), (weights * found.frames.logit()).sum(2))


# --- weighted rank pooling --------------------------------------------------------------------------------------------


@examples(60, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 1))
def test_weighted_rank_is_the_sorted_formula(values: list[float], decay: float) -> None:
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    found = weighted_rank(x, decay)
    ranked = sorted(values, reverse=True)
    total = sum(decay**j for j in range(len(values)))
    expected = sum(decay**j * value for j, value in enumerate(ranked)) / total
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    found.backward()
    assert x.grad is not None
    by_rank = x.grad.numpy()[np.argsort(-np.array(values), kind="stable")]
    if len(set(values)) == len(values):
        np.testing.assert_allclose(by_rank, [decay**j / total for j in range(len(values))], rtol=1e-9)


def test_weighted_rank_lies_between_mean_and_maximum() -> None:
    x = torch.rand(2, 3, 40)
    torch.testing.assert_close(weighted_rank(x, 1), x.mean(2))
    torch.testing.assert_close(weighted_rank(x, 1e-9), x.max(2).values)
    assert (weighted_rank(x, 0.9) > x.mean(2)).all()
    assert (weighted_rank(x, 0.9) < x.max(2).values).all()


def test_weighted_rank_of_a_whole_map_keeps_its_weights_in_single_precision() -> None:
    values = np.random.default_rng(0).uniform(0, 1, 311 * 64) ** 4
    weights = 0.9998 ** np.arange(311 * 64)
    expected = (np.sort(values)[::-1] * weights).sum() / weights.sum()
    assert weighted_rank(torch.tensor(values, dtype=torch.float32), 0.9998).item() == pytest.approx(expected, rel=2e-6)


# --- what every model promises ----------------------------------------------------------------------------------------


def check(found: SedOutput, x: torch.Tensor, n_classes: int = CLASSES) -> None:
    """Shapes, ranges, and attention that sums to one."""
    batch, frames, bands = x.shape
    assert found.clip.shape == (batch, n_classes)
    assert found.frames.shape == (batch, n_classes, frames)
    for probabilities in (found.clip, found.frames):
        assert probabilities.dtype == torch.float32
        assert ((probabilities >= 0) & (probabilities <= 1)).all()  # and so no NaN
    if found.reconstruction is not None:
        assert (found.reconstruction.shape, found.reconstruction.dtype) == (x.shape, torch.float32)
        assert found.reconstruction.isfinite().all()
    sums_over = {"frequency": (3,), "time": (2,), "time_frequency": (2, 3), "map": ()}
    for name, weights in found.attention.items():
        assert weights.dtype == torch.float32
        assert weights.shape == (batch, n_classes, frames, bands)[: 3 if name == "time" else 4]
        assert ((weights >= 0) & (weights <= 1)).all()
        if sums_over[name]:
            sums = weights.sum(sums_over[name])
            torch.testing.assert_close(sums, torch.ones_like(sums))


@pytest.mark.parametrize("name", SED_MODELS)
@pytest.mark.parametrize(("frames", "bands", "n_classes"), [(1, 1, 1), (1, 5, 2), (9, 1, 4), (30, 16, 5)])
def test_any_size(name: str, frames: int, bands: int, n_classes: int) -> None:
    options = {**NARROW, **({"n_bands": bands} if name == "2apae" else {})}
    model = build(name, sizes(n_classes, frames), stream(0), options).eval()
    x = clips(2, frames, bands)
    check(model(x), x, n_classes)


@pytest.mark.parametrize("name", SED_MODELS)
def test_ten_seconds(name: str) -> None:
    model = build(name, sizes(41, 311), stream(0), {"width": 0.05})
    x = clips(1, 311, 64)
    with torch.no_grad():
        check(model(x), x, 41)


@pytest.mark.parametrize("name", [name for name in SED_MODELS if name != "2apae"])
def test_one_model_takes_clips_of_any_length(name: str) -> None:
    model = small(name).eval()
    for frames, bands in ((3, BANDS), (40, 11)):
        x = clips(2, frames, bands)
        check(model(x), x)


def test_two_step_attention_takes_one_length() -> None:
    model = small("2apae")
    for frames, bands in ((FRAMES + 1, BANDS), (FRAMES, BANDS - 1)):
        with pytest.raises(ValueError, match=re.escape(f"found shape [2, {frames}, {bands}], expected [B, 12, 7]")):
            model(clips(2, frames, bands))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SED_MODELS)
def test_extreme_clips(name: str, training: bool) -> None:
    model = small(name).train(training)
    unsettle(model)
    for level in (0.0, -18.42, 1e-30, 1e4, -1e8):  # 0 is silence that is normalised, -18.42 silence that is not
        x = torch.full((2, FRAMES, BANDS), level)
        check(model(x), x)
        check(model(level * clips()), clips())


@pytest.mark.parametrize("name", SED_MODELS)
def test_probabilities_never_leave_their_range_by_a_rounding(name: str) -> None:
    model = small(name).eval()
    unsettle(model)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.bias.fill_(100.0)  # a sigmoid of 1
            elif isinstance(layer, nn.Conv2d) and layer.bias is not None and name != "2apae":
                layer.weight.zero_()
                layer.bias.fill_(100.0)
    x = clips(64)
    found = model(x)
    check(found, x)
    functional.binary_cross_entropy(found.clip, torch.ones_like(found.clip))
    if name != "atrous":
        assert found.clip.min() > 0.99


@pytest.mark.parametrize("name", SED_MODELS)
def test_half_precision_returns_single(name: str) -> None:
    model = small(name).eval()
    x = clips()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = model(x)
    check(found, x)
    torch.testing.assert_close(found.clip, model(x).clip, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("name", ["2apae", "gmp", "atrous"])
def test_half_precision_ends_where_logits_become_probabilities(name: str) -> None:
    """bfloat16 rounds the sigmoid of 8 to 1, where the loss of a class that is absent has no gradient."""
    model = small(name).eval()
    logits = torch.full((CLASSES,), 8.0)
    with torch.no_grad():
        if name == "2apae":
            for layer in (model.over_frequency.value, model.over_time.value):
                layer.weight.zero_()
                layer.bias.fill_(8)
        else:
            logits[0] = 6
            model.classes.weight.zero_()
            model.classes.bias.copy_(logits)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        clip = model(clips()).clip
    if name == "atrous":
        logits = logits.log_softmax(0)
    torch.testing.assert_close(clip, logits.sigmoid().expand(2, -1), rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", SED_MODELS)
def test_a_clip_is_the_same_in_any_company(name: str) -> None:
    model = small(name).eval()
    unsettle(model)
    x = clips(4)
    with torch.no_grad():
        together, alone = model(x), model(x[2:3])
    for found, expected in zip(together[:2], alone[:2], strict=True):
        torch.testing.assert_close(found[2:3], expected)


@pytest.mark.parametrize("seed", range(5))
def test_atrous_never_exceeds_a_half(seed: int) -> None:
    model = small("atrous", seed).train()
    unsettle(model)
    found = model(10 * clips(8, seed=seed))
    assert found.clip.max() <= 0.5
    assert found.frames.max() <= 0.5
    assert found.frames.max() > 0.3


def test_reconstructions() -> None:
    x = clips(4)
    for final, has_negatives in (("relu", False), ("linear", True)):
        reconstruction = small("2apae", final_activation=final)(x).reconstruction
        assert reconstruction is not None
        assert bool((reconstruction < 0).any()) == has_negatives
        assert reconstruction.std() > 0
    found = small("2apae", decoder=False)(x)
    assert found.reconstruction is None
    torch.testing.assert_close(found.clip, small("2apae")(x).clip)


# --- initial weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2apae", "gwrp", "atrous"])
def test_initial_weights(name: str) -> None:
    model = build(name, sizes(41, 311), stream(1), {"width": 0.5})
    for key, layer in model.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            values = [tensor.unique().tolist() for tensor in layer.state_dict().values()]
            assert values == [[1], [0], [0], [1], [0]]
        if isinstance(layer, nn.Conv2d | nn.Linear) and (name, key) != ("atrous", "attention"):
            is_conv = isinstance(layer, nn.Conv2d)
            bound = ((6 if is_conv else 1) / layer.weight[0].numel()) ** 0.5
            assert layer.weight.abs().max() <= bound * 1.00001
            assert layer.weight.abs().max() > bound * (0.99 if layer.weight.numel() > 500 else 0.6)
            if layer.weight.numel() > 500:
                assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)
                assert abs(layer.weight.mean().item()) < bound * 0.1
            if layer.bias is not None:
                assert bool(layer.bias.any()) == (not is_conv)
                assert layer.bias.abs().max() <= bound


def test_atrous_attends_everywhere_alike_at_first() -> None:
    model = small("atrous")
    assert not model.attention.weight.any()
    assert model.classes.weight.any()
    attention = model(clips()).attention["time_frequency"]
    torch.testing.assert_close(attention, torch.full_like(attention, 1 / FRAMES / BANDS))


@pytest.mark.parametrize("name", SED_MODELS)
def test_weights_follow_from_rng_alone(name: str) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = small(name, 7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, other = small(name, 7).state_dict(), small(name, 8).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    drawn = [key for key in first if first[key].is_floating_point() and first[key].unique().numel() > 2]
    assert len(drawn) >= 4
    assert not any(torch.equal(first[key], other[key]) for key in drawn)
    same_shape = [key for key in drawn if first[key].ndim == 4 and first[key].shape == first[drawn[1]].shape]
    assert all(not torch.equal(first[a], first[b]) for a in same_shape for b in same_shape if a != b)


@pytest.mark.parametrize("name", SED_MODELS)
def test_a_part_that_changes_shifts_no_other_weights(name: str) -> None:
    first, other = small(name).state_dict(), small(name, n_classes=9).state_dict()
    resized = {key.split(".")[0] for key in first if first[key].shape != other[key].shape}
    assert resized == ({"classes", "attention"} if name == "atrous" else {"classes"})
    kept = [key for key in first if key.split(".")[0] not in resized]
    assert kept
    assert all(torch.equal(first[key], other[key]) for key in kept)
    if name == "2apae":
        without = small(name, decoder=False).state_dict()
        assert without.keys() < first.keys()
        assert all(torch.equal(first[key], without[key]) for key in without)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SED_MODELS)
def test_gradients_reach_every_weight(name: str) -> None:
    model = small(name, final_activation="linear") if name == "2apae" else small(name)
    if name == "atrous":
        unsettle(model)
    x, target = clips(4), torch.eye(4)[:, :CLASSES]
    found = model(x)
    loss = functional.binary_cross_entropy(found.clip, target)
    if found.reconstruction is not None:
        loss = loss + 0.001 * functional.mse_loss(found.reconstruction, x)
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", SED_MODELS)
def test_a_model_learns_which_band_is_loud(name: str) -> None:
    """Class k is 3 loud frames in band 2 k; one clip can hold several."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (24, CLASSES))
    x = 0.3 * rng.standard_normal((24, FRAMES, BANDS))
    for clip, labels in enumerate(target):
        for label in np.flatnonzero(labels):
            onset = rng.integers(FRAMES - 3)
            x[clip, onset : onset + 3, 2 * label] += 3
    model = small(name)
    log_mel, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = functional.binary_cross_entropy(model(log_mel).clip, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])
    clip = model(log_mel).clip.detach()
    for label in range(CLASSES):
        is_there = labels[:, label] == 1
        ranked_right = (clip[is_there, label][:, None] > clip[~is_there, label]).float().mean()
        assert ranked_right > 0.8  # area under the ROC curve


# --- names and options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nope", {}, "model: found 'nope', expected one of: naaqa-2d, "),
        ("atrous", {"decay": 0.5}, "atrous: option: found 'decay', expected one of: width"),
        ("2apae", {"n_classes": 3}, "2apae: option: found 'n_classes', expected one of: width, n_bands, final_activ"),
        ("2apae", {"n_frames": 3}, "2apae: option: found 'n_frames', expected one of: width, "),
        ("gmp", {"pooling": "gap"}, "gmp: option: found 'pooling', expected one of: width, decay"),
        ("gmp", {"decay": 0.5}, "decay: found 0.5 with gmp, expected gwrp"),
        ("gwrp", {"decay": 0}, "gwrp: decay: found 0, expected a number above 0, at most 1"),
        ("gwrp", {"decay": 1.001}, "gwrp: decay: found 1.001, expected a number above 0, at most 1"),
        ("gap", {"width": 0}, "gap: width: found 0, expected a number above 0, at most 8"),
        ("gap", {"width": "1"}, "gap: width: found '1', expected a number above 0, at most 8"),
        ("gap", {"width": True}, "gap: width: found True, expected a number above 0, at most 8"),
        ("gap", {"width": float("nan")}, "gap: width: found nan, expected a number above 0, at most 8"),
        ("2apae", {"n_bands": 0}, "2apae: n_bands: found 0, expected a whole number from 1"),
        ("2apae", {"decoder": 1}, "2apae: decoder: found 1, expected true or false"),
        ("2apae", {"final_activation": "tanh"}, "2apae: final_activation: found 'tanh', expected one of: relu, linear"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        build(name, sizes(3, 12), stream(0), options)
    assert "\n" not in str(caught.value)


def test_options_replace_published_settings() -> None:
    published = config_of("gwrp")
    assert (published.width, published.decay) == (1, 0.9998)
    assert config_of("gwrp", {"decay": 1, "width": 8}) == with_options("x", published, {"decay": 1, "width": 8})
    assert config_of("gwrp", {"decay": 0.5}).decay == 0.5
    assert config_of("gap", {"decay": 0.9998}) == config_of("gap")  # as published is no contradiction
    assert config_of("2apae").final_activation == "relu"


def test_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--task", "sed", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == listing(SED_MODELS)
    assert [row["name"] for row in rows] == list(SED_MODELS)
    assert {row["task"] for row in rows} == {"sed"}
    assert [row["params_total"] for row in rows] == [1_967_366, 587_593, 587_593, 587_593, 1_047_570]
    assert run(["models", "--task", "sed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SED_MODELS) + 2
    assert re.search(r"^2apae +1,967,366 +1,967,366 +0 +41 +311 .*arXiv 2008.07085$", lines[2])
