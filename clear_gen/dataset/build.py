"""A dataset from beginning to end: claim the folder, make the files, finish; add audio later."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clear_gen.dataset import generate
from clear_gen.dataset.card import card
from clear_gen.dataset.generate import Advance, Job
from clear_gen.dataset.identity import Settings, begin, environment, identity_of, read_json, stored_identity
from clear_gen.dataset.layout import (
    BANK_OF_SPLIT,
    CARD,
    CHUNK_SCENES,
    IDENTITY,
    PARTIAL,
    SCENES,
    SceneFile,
    scene_files,
    shard_of,
    split_sizes,
)
from clear_gen.dataset.options import Options
from clear_gen.dataset.statistics import Statistics, statistics
from clear_gen.io import CheckFailed, InputError, sha256_file, write_text
from clear_gen.scenes.domain import Domain, load_domain
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds import default
from clear_gen.sounds.bank import Bank, check_attributes, read_bank, write_bank

# (scenes still to make, scenes in all) -> a context that yields the function to call with the number of scenes made
Progress = Callable[[int, int], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class Shard:
    """Which part of the files this job makes: the ``index``-th of ``of``."""

    index: int = 0
    of: int = 1


def settings_of(identity: dict[str, Any], path: Path) -> Settings:
    """The settings that an identity was made from; InputError if it is of another format."""
    try:
        return Settings(
            sizes=dict(identity["scenes"]),
            seed=identity["seed"],
            sample_rate=identity["sample_rate"],
            levels=identity["levels"],
            audio=identity["audio"],
            domain=Domain.model_validate(identity["domain"]["definition"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: identity: cannot be understood ({type(error).__name__}: {error})") from None


def needed_banks(sizes: dict[str, int]) -> list[str]:
    """The sides (train, test) whose bank the non-empty splits draw from."""
    return sorted({BANK_OF_SPLIT[split] for split, size in sizes.items() if size}, reverse=True)


def banks_for(options: Options) -> tuple[dict[str, Bank], Domain]:
    """The banks that the splits draw from, those of the user or the embedded ones, and their domain.

    Raises InputError if a bank cannot be read, or the test split would have none of its own.
    """
    sides = needed_banks(split_sizes(options.n, options.splits))
    if options.bank is None and options.test_bank is None:
        domain = load_domain(options.domain or default.DOMAIN)
        made = default.default_banks(domain.attributes)
        return {side: made[side] for side in sides}, domain
    paths = {"train": options.bank, "test": options.test_bank}
    for side in sides:
        if paths[side] is None:
            flag = {"train": "--bank", "test": "--test-bank"}[side]
            raise InputError(f"{flag}: found none, but --splits gives scenes to it; name one, or set its share to 0")
    banks = {side: read_bank(path) for side in sides if (path := paths[side]) is not None}
    return banks, load_domain(options.domain or next(iter(banks.values())).domain)


def check_banks(settings: Settings, banks: dict[str, Bank]) -> None:
    """Raise InputError if a bank is of another domain, or the test bank is labelled by other thresholds."""
    for side, bank in banks.items():
        if bank.domain != settings.domain.name:
            raise InputError(f"{side} bank: domain: found {bank.domain}, expected {settings.domain.name}")
        check_attributes(bank, settings.domain.attributes, f"{side} bank")
    if len(banks) == 2 and banks["train"].thresholds != banks["test"].thresholds:
        raise InputError(
            "test bank: labelled by thresholds of its own; import it with --labels-from TRAIN_BANK, "
            "so that the same word means the same sound on both sides"
        )


def check_sampling(settings: Settings, banks: dict[str, Bank]) -> None:
    """Raise InputError if a bank cannot satisfy the domain's constraints: draws the first scenes of every split."""
    spec = SceneSpec(settings.seed, settings.sample_rate, settings.levels)
    for split, size in settings.sizes.items():
        if size:
            sample_scenes(banks[BANK_OF_SPLIT[split]], settings.domain, spec, split, range(min(size, CHUNK_SCENES)))


def create(
    folder: Path,
    settings: Settings,
    banks: dict[str, Bank],
    shard: Shard,
    workers: int,
    progress: Progress,
    overwrite: bool = False,
) -> None:
    """Make this shard's missing files of a new or unfinished dataset, and finish it if they were the last.

    With ``overwrite`` a dataset that is there already is removed first, after the banks were found to be usable.

    Raises InputError if ``folder`` holds something else, CheckFailed if a worker died.
    """
    check_banks(settings, banks)
    check_sampling(settings, banks)
    replaced = overwrite and discard(folder)
    begin(folder, identity_of(settings, banks), replaced)
    files = scene_files(settings.sizes)
    mine = shard_of(files, shard.of, shard.index)
    for side, bank in banks.items() if mine else ():
        path = folder / "bank" / f"{side}.parquet"
        if not path.exists():
            write_bank(bank, path)
    job = _job(folder, settings)
    _make(job, mine, workers, progress)
    if all((folder / file.name).exists() for file in files):
        finish(folder)


def add_audio(folder: Path, workers: int, progress: Progress) -> None:
    """Render the stored graphs of a finished dataset that was made without audio.

    The result is the same, byte for byte, as if it had been made with audio at once.
    """
    settings = finished_settings(folder)
    identity = {**read_json(folder / IDENTITY)["identity"], "audio": True}
    job = replace(_job(folder, replace(settings, audio=True)), graphs="stored")
    _make(job, scene_files(settings.sizes), workers, progress)
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    (folder / IDENTITY).unlink(missing_ok=True)
    finish(folder)


def finish(folder: Path) -> Statistics:
    """Check that every file is there, then write ``clear.json`` and the card, and remove ``.partial``.

    Raises CheckFailed naming the first missing file.
    """
    identity = stored_identity(folder)
    if identity is None:
        raise InputError(f"{folder}: found no dataset, expected one begun by clear-gen scenes")
    settings = settings_of(identity, folder / IDENTITY)
    files = scene_files(settings.sizes)
    missing = [file.name for file in files if not (folder / file.name).exists()]
    if missing:
        raise CheckFailed(f"{folder}: {len(missing)} of {len(files)} files missing, first {missing[0]}")
    for file in files:
        found, expected = generate.count_scenes(folder, file), file.stop - file.first
        if found != expected:
            raise CheckFailed(f"{folder / file.name}: found {found} scenes, expected {expected}")
    banks = {side: read_bank(folder / "bank" / f"{side}.parquet") for side in needed_banks(settings.sizes)}
    for side, bank in banks.items():
        if bank.sha256 != identity["banks"][side]:
            raise CheckFailed(f"{folder / 'bank' / side}.parquet: found another bank than the scenes were made from")
    counted = statistics(folder, files)
    names = [file.name for file in files] + [f"bank/{side}.parquet" for side in banks]
    hashes = {name: sha256_file(folder / name) for name in sorted(names)}
    write_text(folder / CARD, card(identity, settings.domain, banks, counted))
    stored = {"identity": identity, "environment": environment(), "files": hashes}
    write_text(folder / IDENTITY, json.dumps(stored, indent=1) + "\n")
    for leftover in (*(folder / SCENES).glob(".*.tmp"), *(folder / "bank").glob(".*.tmp")):
        leftover.unlink()  # of a run that was killed while it wrote
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    return counted


def discard(folder: Path) -> bool:
    """Remove a dataset that this package made, and nothing else; whether there was one.

    Its identity goes last, so that a run that is killed meanwhile leaves a folder that can still be overwritten.
    """
    if stored_identity(folder) is None:
        return False
    for name in (SCENES, "bank"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / CARD).unlink(missing_ok=True)
    (folder / IDENTITY).unlink(missing_ok=True)
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    return True


def finished_settings(folder: Path) -> Settings:
    """The settings of a finished dataset. Raises InputError if ``folder`` holds none."""
    if not is_finished(folder):
        raise InputError(f"{folder}: found no finished dataset, expected clear.json (clear-gen finish DIR writes it)")
    return settings_of(stored_identity(folder) or {}, folder / IDENTITY)


def is_finished(folder: Path) -> bool:
    """Whether ``clear.json`` is there: it is written last."""
    return (folder / IDENTITY).exists()


def _make(job: Job, files: list[SceneFile], workers: int, progress: Progress) -> None:
    left = generate.missing_files(job, files)
    total, to_do = (sum(file.stop - file.first for file in some) for some in (files, left))
    with progress(to_do - generate.partial_scenes(job.folder, left), total) as advance:
        if left:
            generate.make_files(job, left, workers, advance)


def _job(folder: Path, settings: Settings) -> Job:
    spec = SceneSpec(settings.seed, settings.sample_rate, settings.levels)
    return Job(folder, settings.domain, spec, settings.audio)
