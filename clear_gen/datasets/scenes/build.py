"""Builds a dataset of scenes: claim the folder, make the files, finish; or add audio later."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.datasets.scenes.banks import check_banks, check_sampling, missing_banks, read_banks
from clear_gen.datasets.scenes.kind import KIND
from clear_gen.datasets.scenes.layout import bank_name, scene_files
from clear_gen.datasets.scenes.manifest import Settings, identity_of, settings_of, spec_of
from clear_gen.datasets.scenes.records import SceneMaker
from clear_gen.sounds.bank import Bank, write_bank
from clear_gen.store.build import BuildPlan, Execution, Shard, check, complete, make
from clear_gen.store.chunks import BuildContext
from clear_gen.store.finish import is_finished
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import no_dataset, stored_identity


def create(folder: Path, settings: Settings, banks: dict[str, Bank], execution: Execution) -> None:
    """Make this shard's missing files of a new or unfinished dataset, and finish it if they were the last.

    With ``execution.overwrite`` a dataset that is there already is removed first, once the banks are known to
    be usable.

    Raises InputError if ``folder`` holds something else, CheckFailed if another run is at work in it or a worker died.
    """
    make(plan_dataset(folder, settings, banks, execution), execution)


def plan_dataset(folder: Path, settings: Settings, banks: dict[str, Bank], execution: Execution) -> BuildPlan:
    """The plan of a dataset that ``make`` carries out. Raises what can be refused before anything is written."""
    check_banks(settings, banks)
    check_sampling(settings, banks)
    plan = _plan(folder, identity_of(settings, banks), settings, banks)
    check(plan, execution)
    return plan


def add_audio(folder: Path, execution: Execution) -> None:
    """Render the stored graphs of a dataset made without audio, or resume doing so.

    The result is byte-identical to a dataset made with audio directly.

    Raises InputError if there is no dataset whose graphs are complete in ``folder``.
    """
    identity = stored_identity(folder)
    if identity is None or not (identity.get("audio") or is_finished(folder)):
        raise no_dataset(folder)
    settings = settings_of(identity, folder / IDENTITY)
    banks = read_banks(folder, settings)
    audio_too = {**identity, "audio": True}
    complete(_plan(folder, audio_too, replace(settings, audio=True), banks), replace(execution, shard=Shard()))


def _plan(folder: Path, identity: dict[str, Any], settings: Settings, banks: dict[str, Bank]) -> BuildPlan:
    if settings.imported:
        raise InputError(f"{folder}: found an imported dataset, whose sounds are unknown, expected one made here")
    maker = SceneMaker(settings.domain, spec_of(settings))
    context = BuildContext(
        folder, maker, settings.audio, sha256_json(identity), sha256_json({**identity, "audio": False})
    )
    names = {side: bank_name(side) for side in banks}
    return BuildPlan(
        KIND,
        context,
        identity,
        scene_files(settings.sizes),
        attached={name: partial(write_bank, banks[side]) for side, name in names.items()},
        missing=lambda: [names[side] for side in missing_banks(folder, banks)],
    )
