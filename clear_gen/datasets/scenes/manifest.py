"""What a dataset of scenes is: the settings from which every record follows, as part of ``clear.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, ValidationError, model_validator

from clear_gen.core.config import Strict
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.records import SPLITS
from clear_gen.core.rejected import misplaced
from clear_gen.datasets.scenes.layout import SCENES
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.sampler import SceneSpec
from clear_gen.sounds.bank import Bank
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import FORMAT, GENERATOR, MAX_RECORDS, invalid_identity, no_dataset, stored_identity


@dataclass(frozen=True)
class Settings:
    """What the user chose. ``sizes``: scenes per split; ``sample_rate`` in Hz; ``domain`` with its sampling rules.

    ``allow_leak``: whether test sounds may be training recordings. ``imported`` says where the scenes of an imported
    dataset come from; ``seed`` and ``levels`` are None there.
    """

    sizes: dict[str, int]
    seed: int | None
    sample_rate: int
    levels: Literal["recorded", "independent"] | None
    audio: bool
    domain: Domain
    imported: dict[str, Any] | None = None
    allow_leak: bool = False


def identity_of(settings: Settings, banks: dict[str, Bank]) -> dict[str, Any]:
    """The settings as JSON values, with the banks' and the domain's hashes. Workers and shards are no part of it."""
    domain = settings.domain.model_dump(mode="json")
    imported = {"imported": settings.imported} if settings.imported else {}
    return {
        "kind": SCENES,
        "format": FORMAT,
        "generator": GENERATOR,
        "scenes": settings.sizes,
        "seed": settings.seed,
        "sample_rate": settings.sample_rate,
        "levels": settings.levels,
        "audio": settings.audio,
        "banks": {side: bank.sha256 for side, bank in banks.items()},
        "domain": {
            "name": settings.domain.name,
            "sha256": sha256_json(domain),
            "definition": domain,
        },
        **imported,
        **({"allow_leak": True} if settings.allow_leak else {}),
    }


class _NamedDomain(Strict):
    name: str
    sha256: str
    definition: Domain


class _Identity(Strict):
    """The identity as it is stored."""

    kind: Literal["scenes"]
    format: Literal[2]
    generator: str
    scenes: dict[str, Annotated[StrictInt, Field(ge=0, le=MAX_RECORDS)]]
    seed: Annotated[StrictInt, Field(ge=0)] | None
    sample_rate: Annotated[StrictInt, Field(ge=1000, le=655_350)]
    levels: Literal["recorded", "independent"] | None
    audio: StrictBool
    banks: dict[Literal["train", "test"], str]
    domain: _NamedDomain
    imported: dict[str, Any] | None = None
    allow_leak: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.scenes) != set(SPLITS) or not any(self.scenes.values()):
            raise misplaced("scenes of train, validation and test", list(self.scenes.items()), "scenes")
        if self.imported is None and (self.seed is None or self.levels is None):
            raise misplaced("seed and levels", [self.seed, self.levels], "seed")
        return self


def settings_of(identity: dict[str, Any], path: Path) -> Settings:
    """The settings that an identity was made from. InputError if it is of another format, or contradicts itself."""
    if (kind := identity.get("kind")) != SCENES:
        raise InputError(f"{path}: found a dataset of {kind}, expected one of scenes")
    try:
        found = _Identity.model_validate(identity)
    except ValidationError as error:
        raise invalid_identity(error, _Identity, path) from None
    if (sha256 := sha256_json(identity["domain"]["definition"])) != found.domain.sha256:
        raise InputError(f"{path}: identity.domain.sha256: found {found.domain.sha256[:60]}, expected {sha256}")
    if found.domain.name != found.domain.definition.name:
        raise InputError(f"{path}: identity.domain.name: found {found.domain.name}, expected the definition's")
    return Settings(
        sizes={split: found.scenes[split] for split in SPLITS},
        seed=found.seed,
        sample_rate=found.sample_rate,
        levels=found.levels,
        audio=found.audio,
        imported=found.imported,
        allow_leak=found.allow_leak,
        domain=found.domain.definition,
    )


def spec_of(settings: Settings) -> SceneSpec:
    """What scenes are sampled by. An imported dataset has no such thing."""
    assert settings.seed is not None
    assert settings.levels is not None
    return SceneSpec(settings.seed, settings.sample_rate, settings.levels)


def finished_settings(folder: Path) -> Settings:
    """The settings of a finished dataset of scenes. Raises InputError if ``folder`` holds none."""
    path = folder / IDENTITY
    if not path.exists():
        raise no_dataset(folder)
    return settings_of(stored_identity(folder) or {}, path)
