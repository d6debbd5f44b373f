"""The kinds of datasets: a new one is a folder beside ``scenes`` and ``mixtures``, and a row here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.names import not_among
from clear_gen.datasets.mixtures.kind import KIND as MIXTURES
from clear_gen.datasets.scenes.kind import KIND as SCENES
from clear_gen.store.kind import DatasetKind
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import no_dataset, stored_identity
from clear_gen.store.validate import manifest_to_validate

KINDS: dict[str, DatasetKind] = {kind.name: kind for kind in (SCENES, MIXTURES)}


def kind_of(identity: dict[str, Any], path: Path) -> DatasetKind:
    """The kind that the identity in ``path`` names. Raises InputError if there is no such kind."""
    name = str(identity.get("kind"))
    if name not in KINDS:
        raise InputError(f"{path}: identity.kind: {not_among(name, KINDS)}")
    return KINDS[name]


def kind_name(folder: Path) -> str | None:
    """The name of the kind of the dataset in ``folder``, finished or not; None if none can be read there."""
    try:
        return (stored_identity(folder) or {}).get("kind")
    except InputError:  # the command reports the problem
        return None


def kind_to_validate(folder: Path) -> DatasetKind:
    """The kind of the finished dataset in ``folder``.

    Raises InputError if there is none, CheckFailed if it is not finished or its ``clear.json`` cannot be understood.
    """
    identity = manifest_to_validate(folder)["identity"]
    try:
        return kind_of(identity, folder / IDENTITY)
    except InputError as error:
        raise CheckFailed(str(error)) from None


def kind_in(folder: Path) -> DatasetKind:
    """The kind of the dataset in ``folder``, finished or not. Raises InputError if there is none."""
    identity = stored_identity(folder)
    if identity is None:
        raise no_dataset(folder)
    return kind_of(identity, folder / IDENTITY)
