"""What the engine and the commands ask of a kind of dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from clear_gen.store.layout import DataFile
from clear_gen.store.rows import Rows


class DatasetKind(Protocol):
    """One kind of dataset; ``clear_gen.datasets.registry.KINDS`` has one row for each.

    ``name`` is what its manifests say as ``kind``. ``settings`` arguments are what ``settings`` returned.
    """

    name: str

    def settings(self, identity: dict[str, Any], path: Path) -> Any:
        """The settings that an identity, found in ``path``, was made from. Raises InputError if it is malformed."""

    def files(self, settings: Any) -> list[DataFile]:
        """All files of records."""

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        """The records of a config (the main one if None) in a split (in all if None).

        Raises InputError naming those that there are if there is no such config or split.
        """
