"""Reading a finished dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from clear_gen.core.errors import InputError
from clear_gen.datasets.mixtures.load import Mixture, load_mixtures
from clear_gen.datasets.registry import kind_of
from clear_gen.store.kind import DatasetKind
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import no_dataset, read_provenance
from clear_gen.store.rows import Rows

if TYPE_CHECKING:
    from clear_gen.datasets.scenes.scene import Question, Scene


@dataclass(frozen=True)
class Dataset(Sequence[Any]):
    """A finished dataset: the sequence of its records, split after split, each as its kind makes them.

    ``manifest`` is the content of ``clear.json``, ``settings`` the settings parsed from its identity. Instances can be
    pickled and read in the workers of a ``torch.utils.data.DataLoader``.
    """

    folder: Path
    manifest: dict[str, Any]
    kind: DatasetKind
    settings: Any

    @property
    def splits(self) -> dict[str, int]:
        """The number of records in each split that has any."""
        sizes: dict[str, int] = {}
        files = self.kind.files(self.settings)
        for file in files:
            if file.config == files[0].config:
                sizes[file.split] = sizes.get(file.split, 0) + file.stop - file.first
        return sizes

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._all[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all)

    def split(self, name: str) -> Rows[Any]:
        """The records of one split. Raises InputError naming those that there are if there is no such split."""
        return self.rows(None, name)

    def shard(self, index: int, of: int) -> Rows[Any]:
        """The ``index``-th, from 0, of ``of`` parts of all records."""
        return self._all.shard(index, of)

    def rows(self, config: str | None, split: str | None) -> Rows[Any]:
        """The records of a config (the main one if None), such as ``mixtures-snr10``, in a split (in all if None).

        Raises InputError naming those that there are if there is no such config or split.
        """
        return self.kind.rows(self.folder, self.manifest, config, split)

    def scenes(self, split: str) -> Rows[Scene]:
        """The scenes of a split, in order. Raises InputError if the dataset is of another kind or lacks the split."""
        return self._rows_of_scenes("scenes", split)

    def questions(self, split: str) -> Rows[Question]:
        """The questions of a split, in order. Raises InputError if the dataset has none."""
        return self._rows_of_scenes("questions", split)

    def mixtures(self, snr: str | float | None = None, fold: str | int | None = None) -> Rows[Mixture]:
        """The mixtures at an SNR in dB (the dataset's first if None) and of a fold: 1 or ``fold1``, all if None.

        Raises InputError if the dataset is of another kind, or has no such SNR or fold.
        """
        self._check_kind("mixtures")
        return load_mixtures(self.folder, snr, fold)

    def _rows_of_scenes(self, config: str, split: str) -> Rows[Any]:
        self._check_kind("scenes")
        return self.rows(config, split)

    def _check_kind(self, name: str) -> None:
        if self.kind.name != name:
            raise InputError(f"{self.folder}: found a dataset of {self.kind.name}, expected one of {name}")

    @cached_property
    def _all(self) -> Rows[Any]:
        return self.rows(None, None)


def open_dataset(folder: str | Path) -> Dataset:
    """The finished dataset in ``folder``.

    Raises InputError if there is none, or if its ``clear.json`` is malformed or of another format.
    """
    path = Path(folder) / IDENTITY
    if not path.exists():
        raise no_dataset(folder)
    manifest = read_provenance(path)
    kind = kind_of(manifest["identity"], path)
    return Dataset(Path(folder), manifest, kind, kind.settings(manifest["identity"], path))
