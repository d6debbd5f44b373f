"""What whole models must do: shapes, cost, gradients, padding, frozen trunks, ablations, trivial answers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from baselines.models.aqa.ablation import RUN_LENGTH
from baselines.models.aqa.resnet import ResNet101
from baselines.models.registry import build, skeleton
from clear_gen.core.errors import InputError
from clear_gen.core.streams import stream

PARALLEL = "naaqa-parallel-optimized"
SMALL = {"gru_units": 8, "embedding": 6, "filters": 4, "blocks": 2, "classifier_filters": 6, "hidden": 5}
SMALL_DAQA = {"embedding": 6, "lstm_units": 7, "base_filters": 4, "filters": 4, "blocks": 2, "hidden": 5}
LENGTHS = torch.tensor([6, 3, 4, 5])


def small(name: str, **options: object) -> nn.Module:
    return build(
        name, {"n_words": 11, "n_answers": 5}, stream(3), {**(SMALL_DAQA if "daqa" in name else SMALL), **options}
    )


def batch(rows: int = 16, columns: int = 41) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 11, (4, 6), generator=generator) * (torch.arange(6) < LENGTHS[:, None])
    return torch.randn(4, 1, rows, columns, generator=generator), tokens, LENGTHS


# --- shapes and cost --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("naaqa-parallel", {}, (64, 8, 53)),
        ("naaqa-parallel", {"projection": 0}, (64, 8, 53)),
        ("naaqa-2d", {}, (64, 8, 53)),
        ("naaqa-2d", {"projection": 0, "extractor_maps": "both"}, (32, 8, 53)),
        ("naaqa-interleaved-time", {}, (64, 8, 53)),
        ("naaqa-interleaved-freq", {}, (64, 8, 53)),
        ("naaqa-interleaved-time", {"legacy_stride": True}, (64, 3, 53)),
        ("naaqa-interleaved-freq", {"legacy_stride": True, "extractor_maps": "time"}, (64, 8, 16)),
    ],
)
def test_features_of_the_longest_scene(name: str, options: dict, shape: tuple[int, ...]) -> None:
    extractor = skeleton(name, {"n_words": 97, "n_answers": 57}, options).extractor
    assert extractor(torch.zeros(1, 1, 64, 418, device="meta")).shape == (1, *shape)
    assert extractor.out_channels == shape[0]


def test_pipelines_of_parallel_round_differently() -> None:
    extractor = skeleton(PARALLEL, {"n_words": 97, "n_answers": 57}).extractor
    spectrogram = torch.zeros(1, 1, 64, 418, device="meta")
    assert extractor.time(spectrogram).shape == (1, 32, 8, 53)
    assert extractor.freq(spectrogram).shape == (1, 32, 8, 52)


def test_trunk_of_the_longest_scene() -> None:
    trunk = skeleton("visual-film-resnet101", {"n_words": 97, "n_answers": 57}).trunk
    assert trunk(torch.zeros(1, 3, 64, 418, device="meta")).shape == (1, 1024, 4, 27)


@pytest.mark.parametrize(
    ("name", "options", "gmac"),
    [
        (PARALLEL, {}, 0.355),
        (PARALLEL, {"gru_units": 512}, 0.372),
        ("naaqa-parallel", {}, 1.512),
        ("naaqa-2d", {}, 1.510),
        ("naaqa-2d-optimized", {}, 0.353),
        ("naaqa-interleaved-time", {}, 1.513),
        ("naaqa-interleaved-time", {"legacy_stride": True}, 1.297),
        ("naaqa-parallel-optimized-malimo", {}, 0.605),
    ],
)
def test_cost_of_the_longest_scene(name: str, options: dict, gmac: float) -> None:
    model = skeleton(name, {"n_words": 97, "n_answers": 57}, options).eval()
    tokens = torch.zeros(1, 22, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 1, 64, 418, device="meta"), tokens, tokens[:, 0])
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, rel=0.02)


@pytest.mark.parametrize("name", ["naaqa-parallel", "naaqa-2d", "naaqa-interleaved-freq", "daqa-malimo", "daqa-film"])
@pytest.mark.parametrize("size", [(64, 1), (64, 7), (64, 200), (40, 33), (8, 2)])
def test_any_size_of_spectrogram(name: str, size: tuple[int, int]) -> None:
    assert small(name).eval()(*batch(*size)).shape == (4, 5)


# --- gradients and padding --------------------------------------------------------------------------------------------

NAMES = [
    "naaqa-2d",
    "naaqa-interleaved-time",
    "naaqa-interleaved-freq",
    "naaqa-parallel",
    "naaqa-parallel-malimo",
    "visual-film-resnet101",
    "visual-film-resnet101-malimo",
    "daqa-film",
    "daqa-malimo",
]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_trainable_parameter(name: str) -> None:
    model = small(name).train()
    columns = 1300 if name == "daqa-malimo" else 80  # two steps of its audio LSTM
    functional.cross_entropy(model(*batch(32, columns)), torch.tensor([0, 1, 2, 3])).backward()
    for key, parameter in model.named_parameters():
        assert (parameter.grad is None) == key.startswith("trunk."), key
        assert parameter.grad is None or parameter.grad.any(), key
    embedding = model.embedding if "daqa" in name else model.film.question.embedding
    assert not embedding.weight.grad[0].any()


@pytest.mark.parametrize("name", ["naaqa-parallel", "naaqa-2d-malimo", "daqa-film", "daqa-malimo"])
def test_padding_of_questions_changes_nothing(name: str) -> None:
    model = small(name).eval()
    spectrogram, tokens, lengths = batch()
    expected = model(spectrogram, tokens, lengths)
    torch.testing.assert_close(model(spectrogram, functional.pad(tokens, (0, 9)), lengths), expected)
    alone = model(spectrogram[1:2], tokens[1:2, :3], lengths[1:2])
    torch.testing.assert_close(alone, expected[1:2], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(model(spectrogram, tokens, lengths - 1), expected)


@pytest.mark.parametrize(
    "name",
    [
        PARALLEL,
        f"{PARALLEL}-malimo",
        "visual-film-resnet101",
        "daqa-film-smallest",
        "daqa-malimo-smallest",
        "text-only",
        "audio-only",
        "most-common",
    ],
)
def test_questions_share_the_features_of_their_scene(name: str) -> None:
    trivial = name == "most-common"
    model = (build(name, {"n_words": 11, "n_answers": 5}, stream(3)) if trivial else small(name)).eval()
    spectrogram, tokens, lengths = batch(64, 80)
    scene = torch.tensor([1, 0, 1, 1])
    heard = []
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None:
        first.register_forward_pre_hook(lambda _, inputs: heard.append(len(inputs[0])))
    with torch.no_grad():
        found = model(spectrogram[:2], tokens, lengths, scene)
        expected = model(spectrogram[scene], tokens, lengths)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    if first is not None:
        assert heard == ([4, 4] if name == "text-only" else [2, 4])


def test_malimo_asks_question_then_audio() -> None:
    """Block by block, with the slow sum of what ``FilmNetwork`` is said to do."""
    film = small("naaqa-parallel-malimo").eval().film
    features = torch.randn(4, 64, 3, 5)
    _, tokens, lengths = batch()
    question, audio = film.question(tokens, lengths), film.controller(features)
    x = features
    for block, audio_block in zip(film.blocks, film.audio_blocks, strict=True):
        x = audio_block(block(x, question), audio)
    torch.testing.assert_close(film(features, tokens, lengths), film.classifier(x))
    assert film.blocks[0].reduce.in_channels == 64 + 2
    assert isinstance(film.stem, nn.Identity)


# --- the frozen trunk -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def visual() -> nn.Module:
    return small("visual-film-resnet101")


def test_trunk_stays_frozen_and_in_eval_mode(visual: nn.Module) -> None:
    before = {key: tensor.clone() for key, tensor in visual.trunk.state_dict().items()}
    visual.train()
    assert visual.film.training
    assert not any(module.training for module in visual.trunk.modules())
    optimiser = torch.optim.Adam(visual.parameters(), lr=0.1, weight_decay=0.1)
    visual(*batch(64, 32)).sum().backward()
    optimiser.step()
    assert all(torch.equal(before[key], tensor) for key, tensor in visual.trunk.state_dict().items())


def test_untrained_trunk_keeps_its_range(visual: nn.Module) -> None:
    features = visual.trunk(torch.randn(2, 3, 64, 64, requires_grad=True))
    assert not features.requires_grad
    assert 0.1 < features.std().item() < 100


def test_imagenet_weights_round_trip(visual: nn.Module, tmp_path: Path) -> None:
    expected = {key: tensor for key, tensor in visual.trunk.state_dict().items() if "num_batches" not in key}
    assert len(expected) == 5 * (1 + 3 * 30 + 3)  # convolutions, each with its normalisation's four tensors
    path = tmp_path / "resnet101.safetensors"
    save_file({**expected, "fc.weight": torch.zeros(10, 2), "layer4.0.conv1.weight": torch.zeros(1)}, path)
    other = build("visual-film-resnet101", {"n_words": 11, "n_answers": 5}, stream(4), SMALL)
    assert not torch.equal(other.trunk.conv1.weight, expected["conv1.weight"])
    other.load_trunk(path)
    assert all(torch.equal(other.trunk.state_dict()[key], tensor) for key, tensor in expected.items())
    assert not any(parameter.requires_grad for parameter in other.trunk.parameters())


def test_wrong_imagenet_weights_are_named(tmp_path: Path) -> None:
    trunk = ResNet101()
    path = tmp_path / "w.safetensors"
    conv1 = trunk.conv1.weight

    def refused(expected: str) -> None:
        with pytest.raises(InputError, match="^" + re.escape(f"{path}: {expected}")):
            trunk.load_imagenet(path)

    refused("not found, expected a safetensors file of ResNet-101")
    path.write_bytes(b"not a safetensors file")
    refused("not a readable safetensors file (")
    save_file({"conv1.weight": conv1.data}, path)
    refused("bn1.weight: found no such tensor, expected floating point [64]")
    save_file({"conv1.weight": conv1.data[:, :1].contiguous()}, path)
    refused("conv1.weight: found torch.float32 [64, 1, 7, 7], expected floating point [64, 3, 7, 7]")
    save_file({"conv1.weight": conv1.data.int()}, path)
    refused("conv1.weight: found torch.int32 [64, 3, 7, 7], expected floating point [64, 3, 7, 7]")


# --- ablations and trivial models -------------------------------------------------------------------------------------


def test_text_only_does_not_hear() -> None:
    model = small("text-only").eval()
    spectrogram, tokens, lengths = batch()
    expected = model(spectrogram, tokens, lengths)
    assert torch.equal(model(torch.randn(4, 1, 64, 99), tokens, lengths), expected)
    assert not torch.allclose(model(spectrogram, tokens.flip(0), lengths.flip(0)), expected)
    torch.testing.assert_close(model.model(torch.ones(4, 1, 64, 64), tokens, lengths), expected)


def test_audio_only_does_not_read() -> None:
    model = small("audio-only").eval()
    spectrogram, tokens, lengths = batch()
    expected = model(spectrogram, tokens, lengths)
    assert torch.equal(model(spectrogram, tokens[:, :3] * 0 + 2, torch.tensor([1, 2, 3, 1])), expected)
    assert not torch.allclose(model(spectrogram.flip(0), tokens, lengths), expected)
    unknown = torch.ones(4, RUN_LENGTH, dtype=torch.int64)
    torch.testing.assert_close(model.model(spectrogram, unknown, torch.full((4,), RUN_LENGTH)), expected)


def test_most_common_answer() -> None:
    model = build("most-common", {"n_words": 11, "n_answers": 5}, stream(0))
    assert not model(*batch()).any()
    model.fit(torch.tensor([3, 3, 1, 0, 3, 1]))
    assert model(*batch()).tolist() == [[1, 2, 0, 3, 0]] * 4
    assert model.state_dict()["counts"].tolist() == [1, 2, 0, 3, 0]


def test_random_answers() -> None:
    first, second = (build("random", {"n_words": 11, "n_answers": 50}, stream(0)) for _ in range(2))
    scores = first(*batch())
    assert torch.equal(scores, second(*batch()))
    assert not torch.equal(first(*batch()), scores)
    assert 0 <= scores.min() < 0.1 < 0.9 < scores.max() < 1
    other = build("random", {"n_words": 11, "n_answers": 50}, np.random.default_rng(1))
    assert not torch.equal(other(*batch()), scores)
