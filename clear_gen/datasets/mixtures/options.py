"""Options of ``clear-gen mix``; precedence: flags, rules file, defaults."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clear_gen.core.errors import InputError
from clear_gen.core.rejected import first_wrong
from clear_gen.datasets.mixtures.manifest import MAX_FOLDS, SAMPLE_RATES, MixtureSettings, check_settings, per_fold
from clear_gen.mixtures.recipes.registry import RECIPES
from clear_gen.mixtures.rules import MixtureRules, load_rules
from clear_gen.mixtures.spec import MixtureSpec

DEFAULT_SNRS = (0.0, 10.0, 20.0)  # those of Kong et al.


def check_options(recipe: str, given: Iterable[str]) -> None:
    """Raise InputError for an option, of those that some recipe takes, that this one does not take."""
    takers = {option: [name for name, other in RECIPES.items() if option in other.options] for option in given}
    for option, names in takers.items():
        if names and recipe not in names:
            expected = " or ".join(f"--recipe {name}" for name in names)
            raise InputError(f"--{option.replace('_', '-')}: found with the recipe {recipe}, expected {expected}")


def mixture_rules(config: Path | None, flags: dict[str, Any]) -> MixtureRules:
    """The rules of a file, or the default ones, with ``flags`` (those given) in their places.

    Raises InputError naming file, line and field, or the option.
    """
    rules = MixtureRules() if config is None else load_rules(config)
    if not flags:
        return rules
    try:
        return MixtureRules.model_validate({**rules.model_dump(), **flags})
    except ValidationError as error:
        wrong = first_wrong(error, MixtureRules)
        field = str(wrong.location[0])
        where = "--" + field.removesuffix("_s").replace("_", "-") if field in flags else field
        raise InputError(f"{where}: {wrong}") from None


def mixture_settings(
    recipe: str,
    rules: MixtureRules,
    n: int,
    n_folds: int,
    seed: int | None,
    snrs: tuple[float, ...],
    sample_rate: int,
    stems: bool,
    legacy_repeat: bool,
    allow_missing: bool,
) -> MixtureSettings:
    """Settings for one dataset. ``seed`` is None where nothing was said of it.

    Raises InputError naming the option.
    """
    limits = {"--folds": (n_folds, 1, MAX_FOLDS), "--sample-rate": (sample_rate, *SAMPLE_RATES)}
    for option, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise InputError(f"{option}: found {value}, expected {least} to {most}")
    spec = MixtureSpec(
        n_per_fold=per_fold(n, n_folds),
        n_folds=n_folds,
        seed=seed or 0,
        recipe=recipe,
        rules=rules,
        legacy_repeat=legacy_repeat,
        allow_missing=allow_missing,
    )
    if not snrs and rules.snr_db is None:
        snrs = DEFAULT_SNRS
    settings = MixtureSettings(spec, sample_rate, tuple(sorted(snr_db + 0.0 for snr_db in snrs)), stems)
    check_settings(settings)
    return settings
