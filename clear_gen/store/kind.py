"""What the engine and the commands ask of a kind of dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from clear_gen.store.layout import DataFile
from clear_gen.store.rows import Rows
from clear_gen.store.validate import Validation


class Export(Protocol):
    """Writes a dataset in another layout; returns what there is to say of it."""

    def __call__(self, folder: Path, out: Path, overwrite: bool) -> str: ...


class DatasetKind(Protocol):
    """One kind of dataset; ``clear_gen.datasets.registry.KINDS`` has one row for each.

    ``name``: the ``kind`` of its manifests; ``record``: what one of its records is called; ``folders``: patterns of the
    folders that its files lie in; ``exports``: the layouts that it can be written in, by name. An argument ``settings``
    is what the method ``settings`` returned.
    """

    name: str
    record: str
    folders: tuple[str, ...]
    exports: Mapping[str, Export]

    def settings(self, identity: dict[str, Any], path: Path) -> Any:
        """The settings that an identity, found in ``path``, was made from. Raises InputError if it is malformed."""

    def files(self, settings: Any) -> list[DataFile]:
        """All files of records, those of the main config first."""

    def attached(self, folder: Path, identity: dict[str, Any], settings: Any) -> list[str]:
        """Check the files beside the records, and write those that follow from the records; returns their names.

        Called when all files of records are there. Raises InputError or CheckFailed naming what is wrong.
        """

    def card(self, folder: Path, manifest: dict[str, Any]) -> str:
        """The text of ``README.md``; of ``manifest`` the files are not needed."""

    def card_without_audio(self, folder: Path, manifest: dict[str, Any]) -> str:
        """The card of a copy of ``folder`` that has no audio; ``manifest`` is that of the copy."""

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        """The records of a config (the main one if None) in a split (in all if None).

        Raises InputError naming those that there are if there is no such config or split.
        """

    def summary(self, folder: Path) -> str:
        """What to print of a dataset once it, or this shard of it, is made."""

    def validate(
        self, folder: Path, recordings: tuple[Path, Path] | None, sample: int | None, workers: int
    ) -> Validation:
        """Check a finished dataset; ``sample`` records (all if None) are made again.

        ``recordings``: where the events and the backgrounds of mixtures lie. Raises InputError for recordings that such
        a dataset does not have, CheckFailed if its ``clear.json`` cannot be understood.
        """

    def draw(self, folder: Path, record_id: str | None, config: str | None, out: Path) -> None:
        """Draw a record (the first if None) to a picture. Raises InputError if there is none of this id and config."""

    def unpublishable(self, folder: Path, manifest: dict[str, Any]) -> str | None:
        """Why the audio must not be published, with file and licence; None if nothing forbids it."""
