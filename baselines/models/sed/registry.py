"""The models of sound event detection by name, with their papers' settings.

Every model is called as ``model(log_mel) -> SedOutput``: log_mel float [B, T, F], each band normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from baselines.models import count, count_frozen, with_options
from baselines.models.sed.atrous import Atrous
from baselines.models.sed.atrous import Config as AtrousConfig
from baselines.models.sed.layers import SedConfig, initialise_sed
from baselines.models.sed.two_step_attention import Config as TwoStepConfig
from baselines.models.sed.two_step_attention import TwoStepAttention
from baselines.models.sed.vggish_pool import Config as VggishConfig
from baselines.models.sed.vggish_pool import VggishPool
from clear_gen.core.errors import InputError

TASK = "sed"
TWO_STEP, KONG, ATROUS = "2APAE, arXiv 2008.07085", "Kong et al., TASLP 2019", "Ren et al., ICASSP 2019"


@dataclass(frozen=True)
class SedModel:
    """A model at its published settings, which are those for 41 classes and 10 s. None of the papers prints a size."""

    make: Callable[[Any], nn.Module]
    config: SedConfig
    source: str


SED_MODELS: dict[str, SedModel] = {
    "2apae": SedModel(TwoStepAttention, TwoStepConfig(), TWO_STEP),
    "gmp": SedModel(VggishPool, VggishConfig(pooling="gmp"), KONG),
    "gap": SedModel(VggishPool, VggishConfig(pooling="gap"), KONG),
    "gwrp": SedModel(VggishPool, VggishConfig(pooling="gwrp"), KONG),
    "atrous": SedModel(Atrous, AtrousConfig(), ATROUS),
}


def build_sed(
    name: str, n_classes: int, n_frames: int, rng: np.random.Generator, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """A model with initial weights that follow from ``rng`` alone. ``options``: settings other than the published.

    ``n_frames``: of every clip; models other than 2apae take any number all the same. Raises InputError as
    ``config_of_sed`` does.
    """
    model = skeleton_sed(name, n_classes, n_frames, options).to_empty(device="cpu")
    initialise_sed(model, rng)
    return model


def skeleton_sed(name: str, n_classes: int, n_frames: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """A model of shapes only, on the device ``meta``: made at once, to be counted or given weights."""
    config = replace(config_of_sed(name, options), n_classes=n_classes, n_frames=n_frames)
    with torch.device("meta"):
        return SED_MODELS[name].make(config)


def config_of_sed(name: str, options: Mapping[str, Any] | None = None) -> SedConfig:
    """The settings of a model: the published ones, and ``options`` in their place.

    Raises InputError naming an unknown model, or the option that is unknown, of a wrong type or out of range.
    """
    if name not in SED_MODELS:
        raise InputError(f"model: found {name!r}, expected one of: {', '.join(SED_MODELS)}")
    return with_options(name, SED_MODELS[name].config, options)


def listing_sed() -> list[dict[str, Any]]:
    """Every model at its published settings: name, task, numbers of parameters, and for what data they are."""
    rows = []
    for name, row in SED_MODELS.items():
        model = skeleton_sed(name, row.config.n_classes, row.config.n_frames)
        total, paper = count(model)
        rows.append(
            {
                "name": name,
                "task": TASK,
                "params_total": total,
                "params_paper": paper,
                "params_frozen": count_frozen(model),
                "n_classes": row.config.n_classes,
                "n_frames": row.config.n_frames,
                "published": "",
                "source": row.source,
            }
        )
    return rows
