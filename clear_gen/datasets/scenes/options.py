"""What the user asks of ``clear-gen scenes``: flags over a configuration file over defaults."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, StrictBool, ValidationError, field_validator

from clear_gen.core.config import Strict, invalid, parse_yaml, validate
from clear_gen.core.errors import InputError
from clear_gen.core.rejected import first_wrong
from clear_gen.datasets.scenes.layout import split_sizes
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.scenes.domain import Domain

MIN_SAMPLE_RATE = 8000


class Options(Strict):
    """The options of ``clear-gen scenes`` that decide what is made; also the fields of its configuration file.

    ``sampling`` replaces parts of the domain's sampling rules, e.g. ``{sounds: {min: 5, max: 8}, reverb: null}``.
    """

    n: int = Field(default=1000, ge=1)
    domain: str | None = None
    bank: Path | None = None
    test_bank: Path | None = None
    splits: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = Field(default=0, ge=0)
    sample_rate: int = Field(default=48000, ge=MIN_SAMPLE_RATE, le=192000)
    levels: Literal["recorded", "independent"] = "recorded"
    allow_leak: StrictBool = False
    sampling: dict[str, Any] = Field(default_factory=dict)

    @field_validator("splits")
    @classmethod
    def _shares(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise ValueError("three shares of train, validation and test that add up to 1")
        return shares


def read_options(flags: dict[str, Any], file: Path | None) -> tuple[Options, yaml.Node | None]:
    """The options, ``flags`` (those given) over ``file``; and the file's tree, for later messages.

    Relative bank paths in the file are relative to the file. Raises InputError naming file and line, or the option.
    """
    node = None
    if file is not None:
        node = parse_yaml(file)
        from_file = validate(node, Options, file)
        given = from_file.model_dump(exclude_unset=True)
        for name in ("bank", "test_bank"):
            if given.get(name):
                given[name] = file.parent / given[name]
        flags = {**given, **flags}
    try:
        return Options.model_validate(flags), node
    except ValidationError as error:
        wrong = first_wrong(error, Options)
        raise InputError(f"--{str(wrong.location[0]).replace('_', '-')}: {wrong}") from None


def settings_from(options: Options, domain: Domain, audio: bool, file: Path | None, node: yaml.Node | None) -> Settings:
    """Settings for one dataset: the options, with the domain's sampling rules changed as the file asks."""
    changed = merged(domain.sampling.model_dump(), options.sampling)
    try:
        domain = Domain.model_validate({**domain.model_dump(), "sampling": changed})
    except ValidationError as error:
        assert file is not None
        assert node is not None
        raise invalid(error, Domain, node, file) from None
    return Settings(
        sizes=split_sizes(options.n, options.splits),
        seed=options.seed,
        sample_rate=options.sample_rate,
        levels=options.levels,
        audio=audio,
        domain=domain,
        allow_leak=options.allow_leak,
    )


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` over it, mappings merged level by level, all else replaced.

    >>> merged({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "b": None})
    {'a': {'x': 1, 'y': 5}, 'b': None}
    """
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
