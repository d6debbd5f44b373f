"""The interface of a kind of dataset, as used by the engine and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clear_gen.store.layout import DataFile
from clear_gen.store.rows import Rows
from clear_gen.store.validate import Validation


@dataclass(frozen=True)
class SourcePaths:
    """Where the recordings of mixtures lie: folders, corpora, or CSV tables, whose paths may lead into ``root``."""

    events: Path
    backgrounds: Path
    root: Path | None = None


class Export(Protocol):
    """Writes a dataset in another layout; returns a summary to print."""

    def __call__(self, folder: Path, out: Path, overwrite: bool) -> str: ...


class DatasetKind(Protocol):
    """One kind of dataset; ``clear_gen.datasets.registry.KINDS`` has one row for each.

    ``name``: the ``kind`` of its manifests; ``record``: what one of its records is called; ``folders``: patterns of the
    folders that hold its files; ``exports``: available export layouts by name. An argument ``settings`` is a value
    returned by the method ``settings``.
    """

    name: str
    record: str
    folders: tuple[str, ...]
    exports: Mapping[str, Export]

    def settings(self, identity: dict[str, Any], path: Path) -> Any:
        """Parse the settings from an identity read from ``path``. Raises InputError if it is malformed."""

    def files(self, settings: Any) -> list[DataFile]:
        """All files of records, those of the main config first."""

    def attached(self, folder: Path, identity: dict[str, Any], settings: Any) -> list[str]:
        """Check the files other than records, and write those derived from the records; returns their names.

        Called once all files of records exist. Raises InputError or CheckFailed naming the problem.
        """

    def card(self, folder: Path, manifest: dict[str, Any]) -> str:
        """The text of ``README.md``; does not use the files listed in ``manifest``."""

    def card_without_audio(self, folder: Path, manifest: dict[str, Any]) -> str:
        """The card of a copy of ``folder`` that has no audio; ``manifest`` is that of the copy."""

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[Any]:
        """The records of a config (the main one if None) in a split (in all if None).

        Raises InputError, listing the available ones, for an unknown config or split.
        """

    def summary(self, folder: Path) -> str:
        """Summary to print once the dataset, or this shard of it, is built."""

    def validate(self, folder: Path, recordings: SourcePaths | None, sample: int | None, workers: int) -> Validation:
        """Check a finished dataset; ``sample`` records (all if None) are regenerated.

        ``recordings``: of a mixture dataset's events and backgrounds. Raises InputError if this kind has no
        recordings, CheckFailed if ``clear.json`` is malformed.
        """

    def draw(self, folder: Path, record_id: str | None, config: str | None, out: Path) -> None:
        """Draw a figure of a record (the first if None). Raises InputError for an unknown id or config."""

    def unpublishable(self, folder: Path, manifest: dict[str, Any]) -> str | None:
        """The reason, with file and licence, why the audio must not be published; None if publishing is allowed."""

    def unlicensed(self, folder: Path, manifest: dict[str, Any]) -> list[str]:
        """A line for each file that names recordings, heard in the audio, whose licence is unknown."""
