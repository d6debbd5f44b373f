"""The kinds of datasets: a new one is a folder beside ``scenes`` and ``mixtures``, and a row here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.datasets.kind import DatasetKind
from clear_gen.datasets.mixtures.kind import MixturesKind
from clear_gen.datasets.scenes.kind import ScenesKind

KINDS: dict[str, DatasetKind] = {"scenes": ScenesKind(), "mixtures": MixturesKind()}


def kind_of(identity: dict[str, Any], path: Path) -> DatasetKind:
    """The kind that the identity in ``path`` names. Raises InputError if there is no such kind."""
    name = str(identity.get("kind"))
    if name not in KINDS:
        raise InputError(f"{path}: identity.kind: found {shown(name)}, expected one of: {', '.join(KINDS)}")
    return KINDS[name]
