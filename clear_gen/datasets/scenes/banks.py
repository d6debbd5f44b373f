"""The banks of a dataset: which it needs, their sources, and their paths."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import yaml

from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.layout import BANK, BANK_OF_SPLIT, split_sizes
from clear_gen.datasets.scenes.manifest import Settings, spec_of
from clear_gen.datasets.scenes.options import Options, settings_from
from clear_gen.scenes.domain import load_domain
from clear_gen.scenes.sampler import sample_scenes
from clear_gen.sounds import default
from clear_gen.sounds.bank import Bank, check_attributes, read_bank
from clear_gen.sounds.importers.good_sounds import shared_origins
from clear_gen.sounds.verify import leaked_sounds
from clear_gen.store.layout import CHUNK_RECORDS

log = logging.getLogger(__name__)


def needed_banks(sizes: dict[str, int]) -> list[str]:
    """The sides (train, test) whose bank the non-empty splits draw from."""
    return sorted({BANK_OF_SPLIT[split] for split, size in sizes.items() if size}, reverse=True)


def settings_and_banks(
    options: Options, audio: bool, file: Path | None, node: yaml.Node | None
) -> tuple[Settings, dict[str, Bank]]:
    """The settings as ``settings_from`` gives them, and the banks of the splits: the user's or the embedded.

    Raises InputError if a bank cannot be read, or the test split would have none of its own, or as ``settings_from``.
    """
    sides = needed_banks(split_sizes(options.n, options.splits))
    given = _given_banks(options, sides)
    domain = load_domain(options.domain or (next(iter(given.values())).domain if given else default.DOMAIN))
    settings = settings_from(options, domain, audio, file, node)  # before the embedded sounds are made: that takes long
    made = given or default.default_banks(domain.attributes)
    return settings, {side: made[side] for side in sides}


def _given_banks(options: Options, sides: Sequence[str]) -> dict[str, Bank]:
    """The user's banks by side, all of ``sides`` or none."""
    paths = {"train": options.bank, "test": options.test_bank}
    given = {side: read_bank(path) for side, path in paths.items() if path is not None}
    for side in sides:
        if given and side not in given:
            flag = {"train": "--bank", "test": "--test-bank"}[side]
            raise InputError(f"{flag}: found none, but --splits gives scenes to it; name one, or set its share to 0")
    return given


def check_leaks(banks: dict[str, Bank], allow_leak: bool) -> None:
    """Raise InputError if test sounds are recordings of the training bank, unless that is allowed: then log it."""
    if set(banks) != {"train", "test"}:
        return
    leaked = leaked_sounds(banks["train"], banks["test"])
    if not leaked:
        return
    named = f"{', '.join(leaked[:3])}{' …' * (len(leaked) > 3)}"
    found = f"{len(leaked)} of {len(banks['test'].sounds)} test sounds ({named}) that are training recordings"
    if not allow_leak:
        expected = "none; clear-gen bank verify TRAIN TEST lists them, --allow-leak goes on"
        raise InputError(f"--test-bank: found {found}, expected {expected}")
    log.warning("--test-bank: %s", found)


def check_banks(settings: Settings, banks: dict[str, Bank]) -> None:
    """Raise InputError if a bank is of another domain, or the test bank is labelled by other thresholds."""
    for side, bank in banks.items():
        if bank.domain != settings.domain.name:
            raise InputError(f"{side} bank: domain: found {bank.domain}, expected {settings.domain.name}")
        check_attributes(bank, settings.domain.attributes, f"{side} bank")
    sources = [[sound.source for sound in bank.sounds] for bank in banks.values()]
    if len(banks) == 2 and (shared := shared_origins(*sources)):
        raise InputError(f"test bank: found {', '.join(shared)} of the training bank, expected others")
    if len(banks) == 2 and banks["train"].thresholds != banks["test"].thresholds:
        raise InputError(
            "test bank: labelled by thresholds of its own; import it with --labels-from TRAIN_BANK, "
            "so that the same word means the same sound on both sides"
        )


def check_sampling(settings: Settings, banks: dict[str, Bank]) -> None:
    """Raise InputError if a bank cannot satisfy the domain's constraints: draws the first scenes of every split."""
    spec = spec_of(settings)
    for split, size in settings.sizes.items():
        if size:
            sample_scenes(banks[BANK_OF_SPLIT[split]], settings.domain, spec, split, range(min(size, CHUNK_RECORDS)))


def bank_path(folder: Path, side: str) -> Path:
    """Path of the bank of one side (train, test)."""
    return folder / BANK / f"{side}.parquet"


def read_banks(folder: Path, settings: Settings) -> dict[str, Bank]:
    """The banks of a dataset, by side; none for one that was imported. Raises InputError if one cannot be read."""
    if settings.imported:
        return {}
    return {side: read_bank(bank_path(folder, side)) for side in needed_banks(settings.sizes)}


def missing_banks(folder: Path, banks: dict[str, Bank]) -> list[str]:
    """The sides whose bank is not in the dataset's folder, or damaged. Raises InputError if another is in its place."""
    missing = []
    for side, bank in banks.items():
        path = bank_path(folder, side)
        try:
            found = read_bank(path).sha256 if path.exists() else None
        except InputError:
            found = None
        if found not in (None, bank.sha256):
            raise InputError(f"{path}: found another bank than the dataset's; move the file away and run again")
        if found is None:
            missing.append(side)
    return missing
