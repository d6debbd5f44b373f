"""Reading mixtures back, without torch."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.names import not_among
from clear_gen.core.parquet import read_row_group
from clear_gen.core.pcm import decode_flac, from_pcm16
from clear_gen.datasets.mixtures.layout import MIXTURES, mixture_config
from clear_gen.datasets.mixtures.manifest import MixtureSettings, finished_mixtures
from clear_gen.mixtures.graph import MixtureGraph, mixture_of_row, mixture_schema
from clear_gen.store.chunks import check_file
from clear_gen.store.layout import CHUNK_RECORDS, DataFile
from clear_gen.store.manifest import stored_identity
from clear_gen.store.rows import Rows, row_groups


class Mixture(NamedTuple):
    """One mixture. ``waveform``: float32 [n_samples], full scale 1; None where the audio was left out. ``sample_rate``
    in Hz.
    """

    graph: MixtureGraph
    waveform: np.ndarray | None
    sample_rate: int


def load_mixtures(folder: str | Path, snr: str | float | None = None, fold: str | int | None = None) -> Rows[Mixture]:
    """The mixtures of a finished dataset in order, one row group in memory at a time.

    ``snr``: an SNR in dB or the name of a config; the first config if None. ``fold``: a number from 1 or ``fold1``; all
    folds if None. Raises InputError if there is no such dataset, config or fold, and on reading if a file is damaged.
    """
    folder = Path(folder)
    identity = stored_identity(folder) or {}
    return rows(folder, finished_mixtures(folder, identity), identity, snr, fold)


def rows(
    folder: Path, settings: MixtureSettings, identity: dict[str, Any], snr: str | float | None, fold: str | int | None
) -> Rows[Mixture]:
    """The mixtures at an SNR (the first if None) of a fold (of all if None). Raises InputError if there are none."""
    config, split = config_of(folder, settings, snr), _split_of(folder, settings, fold)
    files = [file for file in settings.files if file.config == config and split in (None, file.split)]
    by_path = {folder / file.name: file for file in files}
    return Rows(row_groups(folder, files), partial(_read, by_path, sha256_json(identity)), _mixture)


def load_mixture(folder: Path, snr: str | float | None = None, mixture_id: str | None = None) -> Mixture:
    """One mixture, the first if no id is given; reads one row group. Raises InputError if there is none of that id."""
    settings = finished_mixtures(folder, stored_identity(folder))
    config = config_of(folder, settings, snr)
    named = re.fullmatch(r"(fold\d{1,3})-(\d{6,12})", mixture_id or f"{next(iter(settings.sizes))}-000000")
    split, index = (named[1], int(named[2])) if named else ("", -1)
    for file in settings.files:
        if (file.config, file.split) == (config, split) and file.first <= index < file.stop:
            number, place = divmod(index - file.first, CHUNK_RECORDS)
            path = folder / file.name
            table = read_row_group(_open(folder, file), number, path)
            return _mixture(table.slice(place, 1).to_pylist()[0], path)
    expected = ", ".join(f"{split}-000000 to {split}-{size - 1:06d}" for split, size in settings.sizes.items())
    raise InputError(f"{folder}: mixture: found {mixture_id!r}, expected {expected}")


def config_of(folder: Path, settings: MixtureSettings, snr: str | float | None) -> str:
    """The config that an SNR in dB, or a name, stands for. Raises InputError naming those that there are."""
    configs = settings.snr_of_config
    if snr is None:
        return next(iter(configs))
    name = str(snr) if str(snr).startswith(MIXTURES) else None
    if name is None:
        try:
            name = mixture_config(float(snr))
        except ValueError:
            name = str(snr)
    if name not in configs:
        raise InputError(f"{folder}: SNR: {not_among(snr, configs)}")
    return name


def _split_of(folder: Path, settings: MixtureSettings, fold: str | int | None) -> str | None:
    split = f"fold{fold}" if isinstance(fold, int) else fold
    if split is not None and split not in settings.sizes:
        raise InputError(f"{folder}: fold: {not_among(fold, settings.sizes)}")
    return split


def _open(folder: Path, file: DataFile) -> Any:
    return _checked(folder / file.name, file, sha256_json(stored_identity(folder) or {}))


def _checked(path: Path, file: DataFile, identity_sha256: str) -> pq.ParquetFile:
    opened = check_file(path, file, identity_sha256)
    if not opened.schema_arrow.equals(mixture_schema(1)):
        raise InputError(f"{path}: found other columns than mixtures have")
    return opened


def _read(files: dict[Path, DataFile], identity_sha256: str, path: Path, number: int) -> pa.Table:
    return read_row_group(_checked(path, files[path], identity_sha256), number, path)


def _mixture(row: dict[str, Any], path: Path) -> Mixture:
    graph = mixture_of_row(row)
    if row["audio"] is None:
        return Mixture(graph, None, graph.sample_rate)
    pcm, rate = decode_flac(row["audio"]["bytes"], f"{path}: {graph.mixture_id}")
    return Mixture(graph, from_pcm16(pcm), rate)
