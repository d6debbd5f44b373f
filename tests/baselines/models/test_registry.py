"""Numbers of parameters against the papers', building by name, options, and the listing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from baselines.cli import run
from baselines.models.registry import MODELS, build, config_of, count, count_frozen, listing, models_of, skeleton
from clear_gen.core.errors import InputError
from clear_gen.core.streams import stream

CLEAR2 = {"n_words": 97, "n_answers": 57}  # with special tokens: what the papers' sizes are counted with
AQA_MODELS = models_of("aqa")
PARALLEL = "naaqa-parallel-optimized"


def of(name: str, n_words: int = 97, n_answers: int = 57, **options: object) -> tuple[int, int]:
    return count(skeleton(name, {"n_words": n_words, "n_answers": n_answers}, options))


@pytest.mark.parametrize(
    ("name", "options", "total", "paper"),
    [
        ("naaqa-parallel", {}, 58_422_913, 5_609_089),
        ("naaqa-2d", {}, 58_422_705, 5_608_881),
        ("naaqa-interleaved-time", {}, 58_423_017, 5_609_193),
        ("naaqa-interleaved-freq", {}, 58_423_017, 5_609_193),
        ("naaqa-interleaved-freq", {"legacy_stride": True}, 58_423_017, 5_609_193),
        ("visual-film-resnet101", {}, 59_520_513, 6_706_689),
        (PARALLEL, {}, 2_028_673, 1_676_929),
        (PARALLEL, {"gru_units": 512}, 3_035_777, 1_939_073),
        ("naaqa-parallel-malimo", {}, 60_408_961, 6_707_329),
        ("naaqa-parallel-malimo", {"malimo_axis": "time"}, 60_408_961, 6_707_329),
        ("visual-film-resnet101-malimo", {}, 61_998_081, 6_821_889),
        ("naaqa-parallel-optimized-malimo", {}, 4_014_721, 2_775_169),
    ],
)
def test_counts_at_97_words_and_57_answers(name: str, options: dict, total: int, paper: int) -> None:
    assert of(name, **options) == (total, paper)


def test_counts_at_other_vocabularies() -> None:
    assert of("naaqa-parallel-optimized-malimo", 95, 58)[1] == 2_775_794
    assert of("naaqa-parallel-optimized-malimo", 162, 52)[1] == 2_783_044


@pytest.mark.parametrize("row", AQA_MODELS)
def test_counts_are_the_printed_ones(row: str) -> None:
    published = MODELS[row]
    _, paper = of(row, **published.sizes)
    if published.params:  # 5.495012 is printed 5.49: 162 words, one fewer, would round to it
        assert float(published.params.removesuffix(" M")) == pytest.approx(paper / 1e6, abs=0.00502)


@pytest.mark.parametrize(("units", "paper"), [(256, 1.677), (512, 1.939), (1024, 2.463), (2048, 3.512), (4096, 5.609)])
def test_counts_by_gru_units(units: int, paper: float) -> None:
    assert of(PARALLEL, gru_units=units)[1] / 1e6 == pytest.approx(paper, abs=5e-4)


@pytest.mark.parametrize(
    ("blocks", "filters", "paper"),
    [
        (4, 128, 1.939),
        (3, 128, 1.643),
        (2, 128, 1.348),
        (4, 64, 1.113),
        (3, 64, 1.006),
        (2, 64, 0.899),
        (4, 32, 0.823),
        (3, 32, 0.780),
        (2, 32, 0.736),
        (1, 128, 1.052),
        (1, 64, 0.792),
        (1, 32, 0.693),
    ],
)
def test_counts_of_supplement_h(blocks: int, filters: int, paper: float) -> None:
    found = of(PARALLEL, gru_units=512, blocks=blocks, filters=filters)[1]
    assert found / 1e6 == pytest.approx(paper, abs=5e-4)


def test_counts_by_group() -> None:
    model = skeleton(PARALLEL, CLEAR2)
    film, gru = model.film, model.film.question.gru
    groups = (film.question.embedding, gru, model.extractor, film.stem, film.blocks, film.classifier.conv)
    sizes = [count(group)[0] for group in (*groups, film.classifier.hidden, film.classifier.output)]
    assert sizes == [19_400, 351_744, 8_320, 76_288, 920_576, 67_584, 526_336, 58_425]


def test_counts_by_extractor() -> None:
    names = "naaqa-parallel", "naaqa-interleaved-time", "naaqa-interleaved-freq", "naaqa-2d"
    assert [count(skeleton(name, CLEAR2).extractor)[0] for name in names] == [8_320, 8_424, 8_424, 8_112]


def test_counts_by_coordinate_maps() -> None:
    everywhere = ("extractor_maps", "stem_maps", "block_maps", "classifier_maps")
    none = dict.fromkeys(everywhere, "none")
    assert of("naaqa-parallel", **none)[1] == 5_604_737
    more = [of("naaqa-parallel", **none | {place: "both"})[1] - 5_604_737 for place in everywhere]
    per_pipeline = 2 * 3 * (8 + 16 + 32)  # two maps, kernels of 3, into every block
    assert more == [2 * per_pipeline, 2 * 9 * 128, 4 * 2 * 128, 2 * 512]
    assert {of("naaqa-parallel", **none | {"stem_maps": axis})[1] for axis in ("time", "freq")} == {5_604_737 + 9 * 128}


@pytest.mark.parametrize(
    ("name", "blocks", "published"),
    [
        ("daqa-film", 1, "5.07"),
        ("daqa-film", 2, "5.50"),
        ("daqa-film", 6, "7.21"),
        ("daqa-film", 12, "9.78"),
        ("daqa-malimo", 1, "8.91"),
        ("daqa-malimo", 6, "13.20"),
    ],
)
def test_counts_of_daqa_by_blocks(name: str, blocks: int, published: str) -> None:
    found = of(name, 163, 36, blocks=blocks, lstm_units=512)
    assert (f"{found[1] / 1e6:.2f}", found[0]) == (published, found[1])


def test_counts_of_daqa() -> None:
    assert of("daqa-film-smallest", 163, 36)[0] == 5_495_012  # printed 5.49: between the two
    assert of("daqa-malimo-smallest", 163, 36)[0] == 8_911_076
    assert of("daqa-malimo", 163, 36)[0] == 13_199_076


def test_counts_of_the_frozen_trunk() -> None:
    assert count_frozen(skeleton("visual-film-resnet101", CLEAR2)) == 27_535_424
    assert count_frozen(skeleton(PARALLEL, CLEAR2)) == 0


# --- building ---------------------------------------------------------------------------------------------------------

SIZES = {"n_words": 9, "n_answers": 5}
SMALL = {"gru_units": 8, "filters": 4, "blocks": 2, "classifier_filters": 6, "hidden": 5}


def test_weights_follow_from_rng_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build(PARALLEL, SIZES, stream(7), SMALL).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = build(PARALLEL, SIZES, stream(7), SMALL).state_dict()
    other = build(PARALLEL, SIZES, stream(8), SMALL).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    drawn = [key for key in first if re.search(r"gru|embedding|conv|reduce|output|coefficients|project", key)]
    drawn = [key for key in drawn if first[key].is_floating_point() and first[key].unique().numel() > 2]
    assert len(drawn) > 20
    assert not any(torch.equal(first[key], other[key]) for key in drawn)
    assert not torch.equal(first["film.blocks.0.conv.weight"], first["film.blocks.1.conv.weight"])


def test_a_part_that_changes_shifts_no_other_weights() -> None:
    plain = build(PARALLEL, SIZES, stream(7), SMALL).state_dict()
    for options in ({"blocks": 3}, {"malimo": True}, {"extractor": "2d"}, {"hidden": 7}, {"stem_maps": "none"}):
        other = build(PARALLEL, SIZES, stream(7), {**SMALL, **options}).state_dict()
        resized = {key for key in plain if key not in other or plain[key].shape != other[key].shape}
        resized |= {key.replace("weight", "bias") for key in resized}  # its range goes with the number of inputs
        assert len(plain.keys() - resized) > 25
        assert all(torch.equal(plain[key], other[key]) for key in plain.keys() - resized)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nope", {}, "model: found 'nope', expected one of: naaqa-2d, "),
        (
            "naaqa-2d",
            {"grus": 3},
            "naaqa-2d: option: found 'grus' (did you mean gru_units?), expected one of: embedding, ",
        ),
        ("naaqa-2d", {"gru_units": "3"}, "naaqa-2d: gru_units: found '3', expected a whole number from 1"),
        ("naaqa-2d", {"gru_units": True}, "naaqa-2d: gru_units: found True, expected a whole number from 1"),
        ("naaqa-2d", {"blocks": 0}, "naaqa-2d: blocks: found 0, expected a whole number from 1"),
        ("naaqa-2d", {"projection": -1}, "naaqa-2d: projection: found -1, expected a whole number from 0"),
        ("naaqa-2d", {"dropout": 1}, "naaqa-2d: dropout: found 1, expected a number from 0, below 1"),
        ("naaqa-2d", {"dropout": float("nan")}, "naaqa-2d: dropout: found nan, expected a number from 0, below 1"),
        ("naaqa-2d", {"malimo": 1}, "naaqa-2d: malimo: found 1, expected true or false"),
        ("naaqa-2d", {"stem_maps": "x"}, "naaqa-2d: stem_maps: found 'x', expected one of: none, time, freq, both"),
        ("naaqa-2d", {"stem_maps": []}, "naaqa-2d: stem_maps: found [], expected one of: none, time, freq, both"),
        ("naaqa-2d", {"legacy_stride": True}, "legacy_stride: found true with extractor 2d, expected an interleaved"),
        ("random", {"seed": 1}, "random: option: found 'seed', expected none"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        config_of(name, options)
    assert "\n" not in str(caught.value)


def test_options_replace_published_settings() -> None:
    assert config_of(PARALLEL).gru_units == 256
    assert config_of(PARALLEL, {"gru_units": 512, "dropout": 0}).gru_units == 512
    assert config_of("text-only", {"projection": 0}).projection == 0


@pytest.mark.parametrize("name", AQA_MODELS)
def test_every_model_builds_and_answers(name: str) -> None:
    small = {**SMALL, "embedding": 6} if "gru_units" in dir(config_of(name)) else {}
    if "daqa" in name:
        small = {"embedding": 6, "lstm_units": 7, "base_filters": 4, "filters": 4, "blocks": 2, "hidden": 5}
    model = build(name, {"n_words": 11, "n_answers": 5}, np.random.default_rng(0), small).eval()
    tokens = torch.randint(1, 11, (2, 6))
    logits = model(torch.randn(2, 1, 64, 70), tokens, torch.tensor([6, 3]))
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


# --- the listing ------------------------------------------------------------------------------------------------------


def test_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == listing(MODELS)
    row = {row["name"]: row for row in rows}[PARALLEL]
    assert (row["task"], row["params_total"], row["params_paper"], row["published"]) == (
        "aqa",
        2_029_298,
        1_677_554,
        "1.68 M",
    )
    assert run(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {name for name in MODELS if any(line.startswith(f"{name} ") for line in lines)} == {*MODELS}
    assert any(line.startswith("visual-film-resnet101 ") and "27,535,424" in line for line in lines)
