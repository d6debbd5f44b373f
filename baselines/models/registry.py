"""Every model by name: its task, its paper's settings, and the number of parameters that the paper prints.

A model of acoustic question answering is called as ``model(spectrogram, tokens, lengths, scene=None) -> logits``:
spectrogram float [S, 1, F, T], normalised; tokens int64 [B, L], padded with 0; lengths int64 [B], real tokens;
scene int64 [B], the row of ``spectrogram`` that each question is about, its own if None; logits float [B, answers].
One of sound event detection as ``model(log_mel) -> SedOutput``: log_mel float [B, T, F], each band normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
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
from baselines.models.aqa.trivial import MostCommon, Random, initialise_random
from baselines.models.aqa.visual_film import VisualFilm
from baselines.models.layers import initialise
from baselines.models.sed.atrous import Atrous
from baselines.models.sed.atrous import Config as AtrousConfig
from baselines.models.sed.layers import initialise_sed
from baselines.models.sed.two_step_attention import Config as TwoStepConfig
from baselines.models.sed.two_step_attention import TwoStepAttention
from baselines.models.sed.vggish_pool import Config as VggishConfig
from baselines.models.sed.vggish_pool import VggishPool
from clear_gen.core.errors import InputError
from clear_gen.core.names import guess, not_among

NAAQA, DAQA = "NAAQA, TPAMI 2023", "DAQA, TASLP 2020"
NAAQA_TABLE = f"{NAAQA}, Table 3"
TWO_STEP, KONG, ATROUS = "2APAE, arXiv 2008.07085", "Kong et al., TASLP 2019", "Ren et al., ICASSP 2019"
CLEAR2 = {"n_words": 95, "n_answers": 58}  # 91 words and 4 special tokens; NAAQA's own sum counts 57 answers
DAQA_DATA = {"n_words": 163, "n_answers": 36}
DCASE = {"n_classes": 41, "n_frames": 311}  # 10 s

Initialise = Callable[[nn.Module, np.random.Generator], None]
kaiming = partial(initialise, rule="kaiming")


@dataclass(frozen=True)
class NoConfig:
    """A model without settings."""


@dataclass(frozen=True)
class ModelRow:
    """A model at its published settings.

    ``make(config, **sizes)`` builds its shapes; ``sizes`` are those of the paper's data, and a run has its own in
    their place. ``params``: how many parameters the paper prints, and where (``source``); empty if it prints none.
    """

    task: str
    make: Callable[..., nn.Module]
    config: Any
    sizes: Mapping[str, int]
    initialise: Initialise
    params: str = ""
    source: str = ""


def _naaqa_rows() -> dict[str, ModelRow]:
    """Four extractors, with G = 4096 and the optimized 256, without and with MALiMo."""
    rows = {}
    for extractor in get_args(Extractor):
        name, config = f"naaqa-{extractor}", NaaqaConfig(extractor=extractor)
        small, printed = replace(config, gru_units=256), extractor in ("parallel", "2d")  # Table 4
        variants = {
            name: (config, "5.61 M", NAAQA_TABLE),
            f"{name}-malimo": (replace(config, malimo=True), "6.71 M", NAAQA),
            f"{name}-optimized": (small, "1.68 M", NAAQA_TABLE) if printed else (small, "", ""),
            f"{name}-optimized-malimo": (replace(small, malimo=True), *(("2.78 M", NAAQA) if printed else ("", ""))),
        }
        for variant, (settings, params, source) in variants.items():
            rows[variant] = ModelRow("aqa", Naaqa, settings, CLEAR2, kaiming, params, source)
    return rows


def _daqa_row(config: DaqaConfig, params: str) -> ModelRow:
    """The published code draws MALiMo's weights by Xavier's rule, and leaves FiLM's to the framework."""
    draw = partial(initialise, rule="xavier" if config.malimo else "framework")
    return ModelRow("aqa", Daqa, config, DAQA_DATA, draw, params, DAQA)


def _ablation(wrapper: type[TextOnly] | type[AudioOnly]) -> ModelRow:
    def make(config: NaaqaConfig, n_words: int, n_answers: int) -> nn.Module:
        return wrapper(Naaqa(config, n_words, n_answers))

    return ModelRow("aqa", make, NaaqaConfig(gru_units=256), CLEAR2, kaiming)


def _constant(make: type[Random] | type[MostCommon], draw: Initialise) -> ModelRow:
    return ModelRow("aqa", lambda _config, n_words, n_answers: make(n_answers), NoConfig(), CLEAR2, draw)


def _sed_row(make: Callable[[Any], nn.Module], config: Any, source: str) -> ModelRow:
    """None of the papers prints a number of parameters."""
    return ModelRow(
        "sed", lambda config, **sizes: make(replace(config, **sizes)), config, DCASE, initialise_sed, source=source
    )


MODELS: dict[str, ModelRow] = {
    **_naaqa_rows(),
    "visual-film-resnet101": ModelRow("aqa", VisualFilm, FilmConfig(), CLEAR2, kaiming, "6.71 M", NAAQA_TABLE),
    "visual-film-resnet101-malimo": ModelRow(
        "aqa", VisualFilm, FilmConfig(malimo=True), CLEAR2, kaiming, "6.82 M", NAAQA
    ),
    "daqa-film-smallest": _daqa_row(DaqaConfig(blocks=2), "5.49 M"),
    "daqa-film": _daqa_row(DaqaConfig(blocks=12, lstm_units=1024), "21.33 M"),
    "daqa-malimo-smallest": _daqa_row(DaqaConfig(blocks=1, malimo=True), "8.91 M"),
    "daqa-malimo": _daqa_row(DaqaConfig(malimo=True), "13.20 M"),
    "text-only": _ablation(TextOnly),
    "audio-only": _ablation(AudioOnly),
    "random": _constant(Random, initialise_random),
    "most-common": _constant(MostCommon, kaiming),
    "2apae": _sed_row(TwoStepAttention, TwoStepConfig(), TWO_STEP),
    "gmp": _sed_row(VggishPool, VggishConfig(pooling="gmp"), KONG),
    "gap": _sed_row(VggishPool, VggishConfig(pooling="gap"), KONG),
    "gwrp": _sed_row(VggishPool, VggishConfig(pooling="gwrp"), KONG),
    "atrous": _sed_row(Atrous, AtrousConfig(), ATROUS),
}


def models_of(task: str) -> dict[str, ModelRow]:
    """The models of a task."""
    return {name: row for name, row in MODELS.items() if row.task == task}


# --- building ---------------------------------------------------------------------------------------------------------


def build(
    name: str, sizes: Mapping[str, int], rng: np.random.Generator, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """A model with initial weights that follow from ``rng`` alone.

    ``sizes``: the data's in place of the paper's, by the names in the model's row; special tokens are words.
    ``options``: settings other than the published. Raises InputError as ``config_of`` does.
    """
    model = skeleton(name, sizes, options).to_empty(device="cpu")
    MODELS[name].initialise(model, rng)
    return model


def skeleton(name: str, sizes: Mapping[str, int] | None = None, options: Mapping[str, Any] | None = None) -> nn.Module:
    """A model of shapes only, on the device ``meta``: made at once, to be counted or given weights."""
    config = config_of(name, options)
    with torch.device("meta"):
        return MODELS[name].make(config, **(sizes or MODELS[name].sizes))


def config_of(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """The settings of a model: the published ones, and ``options`` in their place.

    Raises InputError naming an unknown model, or the option that is unknown, of a wrong type or out of range.
    """
    if name not in MODELS:
        raise InputError(f"model: {not_among(name, MODELS)}")
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
            if not settings:
                raise InputError(f"{name}: option: found {option!r}, expected none")
            raise InputError(f"{name}: option: {not_among(option, settings)}")
        expected = _unmet(value, types[option], settings[option].metadata)
        if expected:
            raise InputError(f"{name}: {option}: found {value!r}, expected {expected}")
    return replace(config, **(options or {}))


def _unmet(value: Any, type_: Any, limits: Mapping[str, Any]) -> str:
    """What a setting's value must be, in words; empty if it is."""
    if get_origin(type_) is Literal:
        return (
            "" if value in get_args(type_) else f"one of: {', '.join(get_args(type_))}{guess(value, get_args(type_))}"
        )
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


def listing(rows: Mapping[str, ModelRow]) -> list[dict[str, Any]]:
    """Models at their published settings: name, task, numbers of parameters, sizes, and what the paper prints."""
    found = []
    for name, row in rows.items():
        with torch.device("meta"):
            model = row.make(row.config, **row.sizes)
        total, paper = count(model)
        found.append(
            {
                "name": name,
                "task": row.task,
                "params_total": total,
                "params_paper": paper,
                "params_frozen": count_frozen(model),
                **row.sizes,
                "published": row.params,
                "source": row.source,
            }
        )
    return found
