"""The settings that determine every record of a dataset of mixtures, as part of ``clear.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, ValidationError, model_validator

from clear_gen.core.config import Strict
from clear_gen.core.errors import InputError
from clear_gen.core.rejected import misplaced
from clear_gen.datasets.mixtures.layout import MIXTURES, mixture_config, stems_config
from clear_gen.mixtures.recipes.registry import RECIPES, recipe_named
from clear_gen.mixtures.rules import MixtureRules
from clear_gen.mixtures.spec import MixtureSpec, samples_of
from clear_gen.store.layout import CHUNK_RECORDS, IDENTITY, DataFile, side_by_side
from clear_gen.store.manifest import FORMAT, GENERATOR, MAX_RECORDS, invalid_identity, no_dataset

MAX_FOLDS = 100
SAMPLE_RATES = (8000, 192_000)
MAX_SNR_DB = 120.0
COLUMN_BYTES = 1 << 31  # an Arrow column of audio: a chunk has to fit
STEM_BYTES = 3.1  # of a sample: noise at full scale makes FLAC a little larger than PCM
MAX_SAMPLES = int(COLUMN_BYTES / CHUNK_RECORDS / STEM_BYTES)  # of a mixture


@dataclass(frozen=True)
class MixtureSettings:
    """The user's settings. ``sample_rate`` in Hz; ``snrs`` in dB, ascending, empty where the rules draw them.

    ``audio`` is false in copies published without audio.
    """

    spec: MixtureSpec
    sample_rate: int
    snrs: tuple[float, ...]
    stems: bool
    audio: bool = True

    @property
    def rules(self) -> MixtureRules:
        """The effective rules: the recipe's own if it has any, else the user's."""
        return recipe_named(self.spec.recipe).fixed_rules or self.spec.rules

    @property
    def duration_s(self) -> float:
        """Of every mixture."""
        return self.rules.duration_s

    @property
    def snr_of_config(self) -> dict[str, float | None]:
        """The configs of mixtures, and the SNR in dB of each; None where the rules draw it."""
        return {mixture_config(snr_db): snr_db for snr_db in self.snrs or (None,)}

    @property
    def configs(self) -> list[str]:
        """All configs that have records: mixtures, each followed by its stems."""
        return [config for name in self.snr_of_config for config in self._with_stems(name)]

    def _with_stems(self, config: str) -> list[str]:
        return [config, stems_config(config)] if self.stems else [config]

    @property
    def sizes(self) -> dict[str, int]:
        """Mixtures per fold."""
        return {f"fold{number}": self.spec.n_per_fold for number in range(1, self.spec.n_folds + 1)}

    @property
    def files(self) -> list[DataFile]:
        """All files of records; those of the same mixtures one after the other."""
        return side_by_side(self.sizes, self.configs)


def check_settings(settings: MixtureSettings) -> None:
    """Raise InputError unless the settings can be carried out."""
    names = [mixture_config(snr_db) for snr_db in settings.snrs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--snr: found {twice[0].removeprefix(f'{MIXTURES}-snr')} twice, expected every SNR once")
    for snr_db in settings.snrs:
        if not -MAX_SNR_DB <= snr_db <= MAX_SNR_DB:
            raise InputError(f"--snr: found {snr_db:g}, expected a number of dB from {-MAX_SNR_DB:g} to {MAX_SNR_DB:g}")
    in_rules = settings.rules.snr_db is not None
    if in_rules and settings.snrs:
        raise InputError("--snr: found one beside the snr_db of the rules, expected one of both")
    if not in_rules and not settings.snrs:
        raise InputError("--snr: found none, expected at least one, or snr_db in the rules")
    n_samples = samples_of(settings.duration_s, settings.sample_rate)
    if n_samples > MAX_SAMPLES:
        found = f"{settings.duration_s:g} s at {settings.sample_rate} Hz, {n_samples:,} samples"
        raise InputError(f"--duration: found {found}, expected at most {MAX_SAMPLES:,} samples")


def mixture_identity(settings: MixtureSettings, sources: dict[str, str]) -> dict[str, Any]:
    """The settings as JSON values, with the hashes of the tables of sources. Workers and shards are no part of it.

    Neither is whether labels were allowed to be missing: where the command succeeds without, it makes the same.
    """
    spec, is_free = settings.spec, recipe_named(settings.spec.recipe).fixed_rules is None
    return {
        "kind": MIXTURES,
        "format": FORMAT,
        "generator": GENERATOR,
        "recipe": spec.recipe,
        "legacy_repeat": spec.legacy_repeat,
        "n_per_fold": spec.n_per_fold,
        "n_folds": spec.n_folds,
        "seed": spec.seed if is_free else None,
        "sample_rate": settings.sample_rate,
        "snrs": list(settings.snrs),
        "stems": settings.stems,
        "rules": spec.rules.model_dump(mode="json") if is_free else None,
        "sources": sources,
    }


class _Sources(Strict):
    events: str
    backgrounds: str


def _known_recipe(name: str) -> str:
    if name not in RECIPES:
        raise ValueError(f"one of: {', '.join(RECIPES)}")
    return name


class _Identity(Strict):
    """The identity as it is stored."""

    kind: Literal["mixtures"]
    format: Literal[2]
    generator: str
    recipe: Annotated[str, AfterValidator(_known_recipe)]
    legacy_repeat: StrictBool
    n_per_fold: Annotated[StrictInt, Field(ge=1, le=MAX_RECORDS)]
    n_folds: Annotated[StrictInt, Field(ge=1, le=MAX_FOLDS)]
    seed: Annotated[StrictInt, Field(ge=0)] | None
    sample_rate: Annotated[StrictInt, Field(ge=SAMPLE_RATES[0], le=SAMPLE_RATES[1])]
    snrs: list[float]
    stems: StrictBool
    rules: MixtureRules | None
    sources: _Sources
    audio: StrictBool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if recipe_named(self.recipe).fixed_rules is None and (self.seed is None or self.rules is None):
            raise misplaced(f"the seed and the rules of the {self.recipe} recipe", None, "seed")
        return self


def mixture_settings_of(identity: dict[str, Any], path: Path) -> MixtureSettings:
    """The settings that an identity was made from. InputError if it is of another kind, or contradicts itself."""
    if identity.get("kind") != MIXTURES:
        raise InputError(f"{path}: found a dataset of scenes, expected one of mixtures (clear-gen mix)")
    try:
        found = _Identity.model_validate(identity)
    except ValidationError as error:
        raise invalid_identity(error, _Identity, path) from None
    spec = MixtureSpec(
        n_per_fold=found.n_per_fold,
        n_folds=found.n_folds,
        seed=found.seed or 0,
        recipe=found.recipe,
        rules=found.rules or MixtureRules(),
        legacy_repeat=found.legacy_repeat,
        allow_missing=True,
    )
    settings = MixtureSettings(spec, found.sample_rate, tuple(found.snrs), found.stems, found.audio)
    try:
        check_settings(settings)
    except InputError as error:
        raise InputError(f"{path}: identity: {error}") from None
    return settings


def per_fold(n: int, n_folds: int) -> int:
    """Mixtures of each fold. Raises InputError, naming numbers that will do, where ``n`` does not divide evenly."""
    if n % n_folds:
        below = n - n % n_folds
        better = f"{below:,} or {below + n_folds:,}" if below else f"{n_folds:,}"
        raise InputError(f"--n: found {n:,}, expected a multiple of the {n_folds} folds, such as {better}")
    return n // n_folds


# pandas.read_csv, parameter na_values
MISSING_VALUES = frozenset(
    [
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)


def label_problem(labels: Sequence[str]) -> str | None:
    """Why a label cannot be used in annotations, which are tables without quotes; None if all can."""
    for label in sorted(set(labels)):
        if "," in label:
            return f"label {label!r}: found a comma, expected none: in weak annotations commas separate labels"
        if label.startswith('"'):
            return f"label {label!r}: found a quotation mark first, expected none: readers of tables would join rows"
        if label in MISSING_VALUES:
            return f"label {label!r}: found what pandas reads as a missing value, expected another name"
    return None


def finished_mixtures(folder: Path, identity: dict[str, Any] | None) -> MixtureSettings:
    """The settings of a finished dataset of mixtures. Raises InputError if ``folder`` holds none."""
    if identity is None or not (folder / IDENTITY).exists():
        raise no_dataset(folder)
    return mixture_settings_of(identity, folder / IDENTITY)
