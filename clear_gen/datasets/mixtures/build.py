"""A dataset of mixtures from beginning to end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.gathering import Gathering
from clear_gen.core.progress import counted
from clear_gen.datasets.mixtures.kind import KIND
from clear_gen.datasets.mixtures.manifest import MixtureSettings, check_settings, label_problem, mixture_identity
from clear_gen.datasets.mixtures.records import MixtureMaker
from clear_gen.datasets.mixtures.source_tables import (
    SourceTable,
    missing_sources,
    source_name,
    source_tables,
    sources_sha256,
    write_sources,
)
from clear_gen.datasets.mixtures.usable import usable_recordings
from clear_gen.mixtures.plan import assign_folds, plan_mixtures
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.store.build import BuildPlan, Execution, check, make
from clear_gen.store.chunks import BuildContext
from clear_gen.store.manifest import check_folder, stored_identity


def create_mixtures(
    folder: Path,
    settings: MixtureSettings,
    events: Sequence[Event],
    backgrounds: Sequence[Background],
    execution: Execution,
) -> None:
    """Make this shard's missing files of a new or unfinished dataset, and finish it if they were the last.

    With ``execution.overwrite`` a dataset that is there already is removed first, once the recordings are known to
    suffice.

    Raises InputError if the recordings do not suffice, some cannot be used (all are named by cause) or ``folder`` holds
    something else, CheckFailed if another run is at work in it or a worker died.
    """
    plan = plan_dataset(folder, settings, events, backgrounds, execution)
    try:
        make(plan, execution)
    except InputError as error:
        gathering = Gathering()
        usable_recordings(settings, events, backgrounds, execution, gathering)
        if str(error) in gathering.reasons:
            gathering.finish()
        raise


def plan_dataset(
    folder: Path,
    settings: MixtureSettings,
    events: Sequence[Event],
    backgrounds: Sequence[Background],
    execution: Execution,
) -> BuildPlan:
    """The plan of a dataset that ``make`` carries out. Raises what can be refused before anything is written."""
    check_possible(settings, events, backgrounds)
    tables = source_tables(events, backgrounds, settings.spec.recipe)
    identity = mixture_identity(settings, {kind: sources_sha256(rows) for kind, rows in tables.items()})
    maker = MixtureMaker(settings, tuple(events), tuple(backgrounds))
    plan = _plan(folder, identity, maker, tables)
    check(plan, execution)
    return plan


def check_place(folder: Path, settings: MixtureSettings, overwrite: bool) -> None:
    """Raise InputError if ``folder`` holds a dataset of other settings, whichever recordings will be used."""
    if (found := stored_identity(folder, any_format=overwrite)) is not None:
        check_folder(folder, mixture_identity(settings, found.get("sources", {})), overwrite)


def check_possible(settings: MixtureSettings, events: Sequence[Event], backgrounds: Sequence[Background]) -> None:
    """Raise InputError if these mixtures cannot be made of these recordings; no recording is read.

    Raises InputError if these mixtures cannot be made of these recordings.
    """
    check_settings(settings)
    if problem := label_problem([event.label for event in events]):
        raise InputError(f"events: {problem}")
    spec, assignments = settings.spec, assign_folds(events, backgrounds, settings.spec)
    if recipe_named(spec.recipe).may_not_fit(spec):
        for assignment in counted(assignments, "folds planned"):
            plan_mixtures(assignment, spec, range(spec.n_per_fold))


def _plan(folder: Path, identity: dict[str, Any], maker: MixtureMaker, tables: dict[str, SourceTable]) -> BuildPlan:
    digest = sha256_json(identity)
    return BuildPlan(
        KIND,
        BuildContext(folder, maker, True, digest, digest),
        identity,
        maker.settings.files,
        attached={source_name(kind): partial(write_sources, rows) for kind, rows in tables.items()},
        missing=lambda: missing_sources(folder, tables),
    )
