"""Parts of models against slow, independent versions: padding, coordinate maps, FiLM blocks, questions, weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from baselines.models.aqa.film import AudioController, FilmBlock
from baselines.models.layers import Conv, QuestionEncoder, initialise, max_pool, with_maps, word_embedding
from clear_gen.core.streams import stream


def same_convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """TensorFlow's definition, one product at a time: x [C, F, T], weight [O, C, kF, kT] -> [O, F', T']."""
    sizes, kernel = x.shape[1:], weight.shape[2:]
    outputs = [int(np.ceil(n / s)) for n, s in zip(sizes, stride, strict=True)]
    total = [max((o - 1) * s + k - n, 0) for o, s, k, n in zip(outputs, stride, kernel, sizes, strict=True)]
    y = np.tile(bias[:, None, None], (1, *outputs)).astype(np.float64)
    for o, i, j, c, a, b in itertools.product(
        range(len(y)), range(outputs[0]), range(outputs[1]), range(len(x)), range(kernel[0]), range(kernel[1])
    ):
        row, column = i * stride[0] + a - total[0] // 2, j * stride[1] + b - total[1] // 2
        if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
            y[o, i, j] += x[c, row, column] * weight[o, c, a, b]
    return y


@pytest.mark.parametrize("kernel", [(1, 3), (3, 1), (3, 3), (2, 4)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (3, 2)])
@pytest.mark.parametrize("size", [(5, 7), (6, 8), (1, 1)])
def test_convolution_has_same_padding(kernel: tuple[int, int], stride: tuple[int, int], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    conv = Conv(2, 3, kernel, stride)
    initialise(conv, rng, "kaiming")
    x = rng.standard_normal((2, *size))
    expected = same_convolution(x, conv.weight.detach().numpy(), conv.bias.detach().numpy(), stride)
    found = conv(torch.tensor(x[None], dtype=torch.float32))[0].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_coordinate_maps() -> None:
    x = torch.randn(2, 3, 5, 3)
    both = with_maps(x, "both")
    assert both.shape == (2, 5, 5, 3)
    assert torch.equal(both[:, :3], x)
    for batch in both:
        assert batch[3].T.tolist() == [[-1.0, -0.5, 0.0, 0.5, 1.0]] * 3  # frequency first
        assert batch[4].tolist() == [[-1.0, 0.0, 1.0]] * 5
    assert torch.equal(with_maps(x, "freq"), both[:, :4])
    assert torch.equal(with_maps(x, "time"), both[:, [0, 1, 2, 4]])
    assert with_maps(x, "none") is x
    assert with_maps(x.double(), "both").dtype == torch.float64


def test_max_pool_of_maps_smaller_than_a_block() -> None:
    x = torch.arange(6.0).view(1, 1, 2, 3)
    assert max_pool(x, 2, 1).tolist() == [[[[3.0, 4.0, 5.0]]]]
    assert max_pool(x, 1, 2).tolist() == [[[[1.0], [4.0]]]]
    assert max_pool(x, 3, 4).tolist() == [[[[5.0]]]]


def test_film_block_is_the_formula() -> None:
    rng = np.random.default_rng(1)
    block = FilmBlock(3, 4, 5, "both").eval()
    initialise(block, rng, "kaiming")
    mean, variance = rng.standard_normal(4), rng.uniform(0.5, 2, 4)
    block.norm.running_mean.copy_(torch.tensor(mean))
    block.norm.running_var.copy_(torch.tensor(variance))
    x, context = rng.standard_normal((3, 4, 6)), rng.standard_normal(5)
    found = block(torch.tensor(x[None]).float(), torch.tensor(context[None]).float())[0].detach().numpy()

    w = {name: parameter.detach().double().numpy() for name, parameter in block.named_parameters()}
    rows, columns = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 6), indexing="ij")
    seen = np.concatenate([x, rows[None], columns[None]])
    a = np.maximum(np.einsum("oc,cft->oft", w["reduce.weight"][:, :, 0, 0], seen) + w["reduce.bias"][:, None, None], 0)
    y = same_convolution(a, w["conv.weight"], w["conv.bias"], (1, 1))
    y = (y - mean[:, None, None]) / np.sqrt(variance[:, None, None] + 1e-3)
    coefficients = w["coefficients.weight"] @ context + w["coefficients.bias"]
    gamma, beta = coefficients[:4, None, None], coefficients[4:, None, None]
    np.testing.assert_allclose(found, np.maximum((1 + gamma) * y + beta, 0) + a, atol=1e-5)


def test_question_encoder_equals_a_packed_gru() -> None:
    encoder = QuestionEncoder(20, 6, 7, dropout=0.25).eval()
    initialise(encoder, stream(0), "kaiming")
    lengths = torch.tensor([5, 2, 8, 1])
    tokens = torch.randint(1, 20, (4, 8)) * (torch.arange(8) < lengths[:, None])
    packed = nn.utils.rnn.pack_padded_sequence(
        encoder.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
    )
    _, expected = encoder.gru(packed)
    torch.testing.assert_close(encoder(tokens, lengths), expected[0])


@pytest.mark.parametrize("axis", ["freq", "time"])
def test_audio_controller_runs_along_its_axis(axis: str) -> None:
    controller = AudioController(3, 4, axis)
    initialise(controller, stream(0), "kaiming")
    features = torch.randn(2, 3, 5, 6)
    pooled = features.max(3).values if axis == "freq" else features.max(2).values  # [B, C, steps]
    state = torch.zeros(2, 4)
    cell = nn.GRUCell(3, 4)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in controller.gru.state_dict().items()})
    for step in range(pooled.shape[2]):
        state = cell(pooled[:, :, step], state)
    torch.testing.assert_close(controller(features), state)


# --- initial weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "std", "bound"),
    [("kaiming", (2 / 90) ** 0.5, (6 / 90) ** 0.5), ("framework", (1 / 270) ** 0.5, 90**-0.5)],
)
def test_uniform_weights(rule: str, std: float, bound: float) -> None:
    conv = nn.Conv2d(10, 400, 3)
    initialise(conv, stream(0), rule)
    weight = conv.weight.detach()
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert bound * 0.999 < weight.abs().max().item() <= bound * 1.000001
    assert 90**-0.5 * 0.97 < conv.bias.abs().max().item() <= 90**-0.5


def test_xavier_weights() -> None:
    linear = nn.Linear(100, 400)
    initialise(linear, stream(0), "xavier")
    assert linear.weight.std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    conv = nn.Conv2d(10, 40, 3)
    initialise(conv, stream(0), "xavier")
    assert conv.weight.std().item() == pytest.approx((2 / (90 + 360)) ** 0.5, rel=0.03)


def test_recurrent_and_word_weights_are_distributed_as_the_frameworks() -> None:
    gru = nn.GRU(30, 64)
    initialise(gru, stream(0), "kaiming")
    for parameter in gru.parameters():
        assert parameter.abs().max().item() <= 1 / 8
        assert parameter.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    words = word_embedding(50, 200)
    initialise(words, stream(0), "kaiming")
    assert not words.weight[0].any()
    assert words.weight[1:].std().item() == pytest.approx(1, rel=0.05)


def test_norms_are_reset() -> None:
    norm = nn.BatchNorm2d(3)
    with torch.no_grad():
        for tensor in norm.state_dict().values():
            tensor.fill_(7)
    initialise(norm, stream(0), "kaiming")
    state = {key: value.tolist() for key, value in norm.state_dict().items()}
    assert state["weight"] == state["running_var"] == [1, 1, 1]
    assert state["bias"] == state["running_mean"] == [0, 0, 0]
    assert state["num_batches_tracked"] == 0
