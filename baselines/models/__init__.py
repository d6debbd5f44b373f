"""The benchmark's models by name, with the settings and the numbers of parameters that their papers print.

Every model is called as ``model(spectrogram, tokens, lengths) -> logits``: spectrogram float [B, 1, F, T], normalised;
tokens int64 [B, L], padded with 0; lengths int64 [B], real tokens; logits float [B, answers].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import nn

from baselines.models.aqa.ablation import AudioOnly, TextOnly
from baselines.models.aqa.daqa import Config as DaqaConfig
from baselines.models.aqa.daqa import Daqa
from baselines.models.aqa.film import FilmConfig
from baselines.models.aqa.naaqa import Config as NaaqaConfig
from baselines.models.aqa.naaqa import Extractor, Naaqa
from baselines.models.aqa.trivial import MostCommon, Random
from baselines.models.aqa.visual_film import VisualFilm
from baselines.models.layers import WeightRule, initialise
from clear_gen.core.errors import InputError

TASK = "aqa"
NAAQA, DAQA = "NAAQA, TPAMI 2023", "DAQA, TASLP 2020"
NAAQA_TABLE = f"{NAAQA}, Table 3"


@dataclass(frozen=True)
class NoConfig:
    """A model without settings."""


@dataclass(frozen=True)
class Published:
    """One row of a paper. ``make`` is called with (config, n_words, n_answers).

    ``params``: the number of parameters as printed, empty if the paper gives none. The defaults of ``n_words`` and
    ``n_answers`` are CLEAR2's: 91 words and 4 special tokens; 58 answers, of which the paper's sum counts 57.
    """

    make: Callable[[Any, int, int], nn.Module]
    config: Any
    params: str = ""
    source: str = NAAQA
    weights: WeightRule = "kaiming"
    n_words: int = 95
    n_answers: int = 58


def _naaqa_rows() -> dict[str, Published]:
    """Four extractors, with G = 4096 and the optimized 256, without and with MALiMo."""
    rows = {}
    for extractor in get_args(Extractor):
        name = f"naaqa-{extractor}"
        config = NaaqaConfig(extractor=extractor)
        small = replace(config, gru_units=256)
        printed = extractor == "parallel"  # the only optimized one whose size is
        rows[name] = Published(Naaqa, config, "5.61 M", NAAQA_TABLE)
        rows[f"{name}-malimo"] = Published(Naaqa, replace(config, malimo=True), "6.71 M")
        rows[f"{name}-optimized"] = Published(Naaqa, small, "1.68 M" if printed else "", NAAQA_TABLE)
        rows[f"{name}-optimized-malimo"] = Published(Naaqa, replace(small, malimo=True), "2.78 M" if printed else "")
    return rows


def _daqa_row(config: DaqaConfig, params: str) -> Published:
    """The published code draws MALiMo's weights by Xavier's rule, and leaves FiLM's to the framework."""
    weights: WeightRule = "xavier" if config.malimo else "framework"
    return Published(Daqa, config, params, DAQA, weights, n_words=163, n_answers=36)


def _text_only(config: NaaqaConfig, n_words: int, n_answers: int) -> nn.Module:
    return TextOnly(Naaqa(config, n_words, n_answers))


def _audio_only(config: NaaqaConfig, n_words: int, n_answers: int) -> nn.Module:
    return AudioOnly(Naaqa(config, n_words, n_answers))


MODELS: dict[str, Published] = {
    **_naaqa_rows(),
    "visual-film-resnet101": Published(VisualFilm, FilmConfig(), "6.71 M", NAAQA_TABLE),
    "visual-film-resnet101-malimo": Published(VisualFilm, FilmConfig(malimo=True), "6.82 M"),
    "daqa-film-smallest": _daqa_row(DaqaConfig(blocks=2), "5.49 M"),
    "daqa-film": _daqa_row(DaqaConfig(blocks=12, lstm_units=1024), "21.33 M"),
    "daqa-malimo-smallest": _daqa_row(DaqaConfig(blocks=1, malimo=True), "8.91 M"),
    "daqa-malimo": _daqa_row(DaqaConfig(malimo=True), "13.20 M"),
    "text-only": Published(_text_only, NaaqaConfig(gru_units=256)),
    "audio-only": Published(_audio_only, NaaqaConfig(gru_units=256)),
    "random": Published(lambda _config, _n_words, n_answers: Random(n_answers), NoConfig()),
    "most-common": Published(lambda _config, _n_words, n_answers: MostCommon(n_answers), NoConfig()),
}


# --- building ---------------------------------------------------------------------------------------------------------


def build(
    name: str, n_words: int, n_answers: int, rng: np.random.Generator, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """A model with initial weights that follow from ``rng`` alone. ``options``: settings other than the published.

    ``n_words`` and ``n_answers`` count the ids: special tokens are words. Raises InputError as ``config_of`` does.
    """
    model = skeleton(name, n_words, n_answers, options).to_empty(device="cpu")
    initialise(model, rng, MODELS[name].weights)
    if isinstance(model, Random):
        model.seed(rng)
    return model


def skeleton(name: str, n_words: int, n_answers: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """A model of shapes only, on the device ``meta``: made at once, to be counted or given weights."""
    config = config_of(name, options)
    with torch.device("meta"):
        return MODELS[name].make(config, n_words, n_answers)


def config_of(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """The settings of a model: the published ones, and ``options`` in their place.

    Raises InputError naming an unknown model, or the option that is unknown, of a wrong type or out of range.
    """
    if name not in MODELS:
        raise InputError(f"model: found {name!r}, expected one of: {', '.join(MODELS)}")
    return with_options(name, MODELS[name].config, options)


def with_options(name: str, config: Any, options: Mapping[str, Any] | None) -> Any:
    """A model's configuration, a dataclass, with ``options`` in place of its settings.

    Metadata of a setting: ``option`` false is not for options; ``least`` bounds a whole number, instead of 1; ``above``
    and ``most`` bound a number, instead of 0 <= x < 1. Raises InputError naming the option that is unknown, of a wrong
    type or out of range.
    """
    types = get_type_hints(type(config))
    settings = {setting.name: setting for setting in fields(config) if setting.metadata.get("option", True)}
    for option, value in (options or {}).items():
        if option not in settings:
            expected = f"one of: {', '.join(settings)}" if settings else "none"
            raise InputError(f"{name}: option: found {option!r}, expected {expected}")
        expected = _unmet(value, types[option], settings[option].metadata)
        if expected:
            raise InputError(f"{name}: {option}: found {value!r}, expected {expected}")
    return replace(config, **(options or {}))


def _unmet(value: Any, type_: Any, limits: Mapping[str, Any]) -> str:
    """What a setting's value must be, in words; empty if it is."""
    if get_origin(type_) is Literal:
        return "" if value in get_args(type_) else f"one of: {', '.join(get_args(type_))}"
    if type_ is bool:
        return "" if isinstance(value, bool) else "true or false"
    if type_ is int:
        least = limits.get("least", 1)
        return "" if type(value) is int and value >= least else f"a whole number from {least}"
    is_number = type(value) in (int, float)
    if "above" in limits:
        above, most = limits["above"], limits["most"]
        return "" if is_number and above < value <= most else f"a number above {above}, at most {most}"
    return "" if is_number and 0 <= value < 1 else "a number from 0, below 1"


# --- counting ---------------------------------------------------------------------------------------------------------


def count(model: nn.Module) -> tuple[int, int]:
    """(all trainable parameters, those that NAAQA's paper counts).

    The paper's count leaves out frozen parameters and, by an oversight of its summary, everything in a GRU. DAQA's
    LSTMs are counted in its paper, so there both numbers are the same.
    """
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    grus = [module for module in model.modules() if isinstance(module, nn.GRU)]
    return trainable, trainable - sum(parameter.numel() for gru in grus for parameter in gru.parameters())


def count_frozen(model: nn.Module) -> int:
    """Parameters that training leaves as they are."""
    return sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)


def listing() -> list[dict[str, Any]]:
    """Every model at its published settings: name, task, numbers of parameters, and what the paper prints."""
    rows = []
    for name, row in MODELS.items():
        model = skeleton(name, row.n_words, row.n_answers)
        total, paper = count(model)
        rows.append(
            {
                "name": name,
                "task": TASK,
                "params_total": total,
                "params_paper": paper,
                "params_frozen": count_frozen(model),
                "n_words": row.n_words,
                "n_answers": row.n_answers,
                "published": row.params,
                "source": row.source if row.params else "",
            }
        )
    return rows
