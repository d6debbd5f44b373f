"""Statistics of a dataset of mixtures, read from the metadata columns alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clear_gen.core.parquet import open_parquet, read_row_group
from clear_gen.core.progress import counted
from clear_gen.core.text import shown, table
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.datasets.mixtures.records import is_stems
from clear_gen.store.layout import DataFile

METADATA = ["mixture_id", "n_samples", "events", "rendered"]
Range = tuple[float, float, float]


@dataclass(frozen=True)
class MixtureStatistics:
    """Statistics common to all SNRs, and per SNR.

    ``events`` and ``recordings``: number of events, and of different recordings among them, by (fold, label);
    ``ranges``: minimum, mean and maximum of quantities by name. By config: ``nominal`` and ``achieved`` SNR in dB
    (None if there are no events with one), ``turned_down`` the number of mixtures that had to be, to stay in range.
    """

    mixtures: dict[str, int]
    hours: float
    events: Counter[tuple[str, str]]
    recordings: Counter[tuple[str, str]]
    ranges: dict[str, Range]
    nominal: dict[str, Range | None] = field(default_factory=dict)
    achieved: dict[str, Range | None] = field(default_factory=dict)
    turned_down: dict[str, int] = field(default_factory=dict)


@dataclass
class _Tally:
    """Minimum, sum, maximum and number of some values."""

    low: float = math.inf
    total: float = 0.0
    high: float = -math.inf
    n: int = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.low, self.high = min(self.low, value), max(self.high, value)
            self.total, self.n = self.total + value, self.n + 1

    @property
    def range(self) -> Range | None:
        return (self.low, self.total / self.n, self.high) if self.n else None


def mixture_statistics(folder: Path, settings: MixtureSettings) -> MixtureStatistics:
    """Count over all mixtures. Raises InputError if a file is damaged."""
    configs = settings.snr_of_config
    nominal, achieved = ({config: _Tally() for config in configs} for _ in range(2))
    turned_down = dict.fromkeys(configs, 0)
    for config in configs:
        for file in counted(settings.files, f"{config}: files summed up"):
            for row in metadata(folder, file) if file.config == config else ():
                turned_down[config] += row["rendered"]["scale_db"] < 0
                for event in row["events"]:
                    nominal[config].add(event["snr_nominal_db"])
                    achieved[config].add(event["snr_achieved_db"])
    return replace(
        _of_every_snr(folder, settings, next(iter(configs))),
        nominal={config: tally.range for config, tally in nominal.items()},
        achieved={config: tally.range for config, tally in achieved.items()},
        turned_down=turned_down,
    )


def _of_every_snr(folder: Path, settings: MixtureSettings, config: str) -> MixtureStatistics:
    """What is the same in every config of mixtures."""
    mixtures: Counter[str] = Counter()
    events: Counter[tuple[str, str]] = Counter()
    used: set[tuple[str, str, str]] = set()
    per_mixture, durations, n_samples = _Tally(), _Tally(), 0
    for file in settings.files:
        for row in metadata(folder, file) if file.config == config else ():
            mixtures[file.split] += 1
            n_samples += row["n_samples"]
            per_mixture.add(len(row["events"]))
            for event in row["events"]:
                events[file.split, event["label"]] += 1
                used.add((file.split, event["label"], event["source_id"]))
                durations.add(event["offset_s"] - event["onset_s"])
    ranges = {"events per mixture": per_mixture.range, "event duration (s)": durations.range}
    return MixtureStatistics(
        mixtures=dict(mixtures),
        hours=n_samples / settings.sample_rate / 3600,
        events=events,
        recordings=Counter((split, label) for split, label, _ in used),
        ranges={name: found for name, found in ranges.items() if found is not None},
    )


def metadata(folder: Path, file: DataFile) -> Iterator[dict[str, Any]]:
    """The records of a file without audio, one row group in memory at a time."""
    opened = open_parquet(folder / file.name)
    for number in range(opened.num_row_groups):
        yield from read_row_group(opened, number, folder / file.name, METADATA).to_pylist()


def snr_lines(found: MixtureStatistics) -> list[str]:
    """A table by config: nominal SNR, and SNRs measured on the stems."""
    rows = [["SNR of events (dB)", "asked", "measured: min", "mean", "max", "turned down"]]
    for config, measured in found.achieved.items():
        asked = found.nominal[config]
        low, high = (asked[0], asked[2]) if asked else (0.0, 0.0)
        nominal = "-" if asked is None else f"{low:g}" if low == high else f"{low:.1f} to {high:.1f}"
        cells = [f"{round(value, 2) + 0.0:.2f}" for value in measured] if measured else ["-"] * 3
        rows.append([config, nominal, *cells, f"{found.turned_down[config]:,}"])
    return table(rows)


def range_lines(found: MixtureStatistics) -> list[str]:
    """A table: minimum, mean and maximum of the quantities common to all SNRs."""
    rows = [["", "min", "mean", "max"]]
    rows += [[name, *(f"{value:.2f}" for value in values)] for name, values in found.ranges.items()]
    return table(rows)


def coverage_lines(recordings: Mapping[tuple[str, str], int], folds: Iterable[str], labels: Iterable[str]) -> list[str]:
    """What each fold has of the labels, in a line for all of them if that is everything.

    ``recordings``: number of different ones in the mixtures of a fold, by (fold, label).
    """
    names = sorted(labels)
    has = {fold: {name: n for name in names if (n := recordings.get((fold, name), 0))} for fold in folds}
    if all(len(of_fold) == len(names) for of_fold in has.values()):
        numbers = [n for of_fold in has.values() for n in of_fold.values()]
        return [f"every fold has all {len(names)} labels, {_least_and_most(numbers)}"]
    lines = []
    for fold, of_fold in has.items():
        without = ", ".join(shown(name) for name in names if name not in of_fold)
        lines.append(f"{fold}: {len(of_fold)} of {len(names)} labels, {_least_and_most([*of_fold.values()])}")
        lines[-1] += f"; without {without}" if without else ""
    return lines


def _least_and_most(numbers: Sequence[int]) -> str:
    if not numbers:
        return "no recordings"
    low, high = min(numbers), max(numbers)
    return f"{low:,}{f' to {high:,}' if high > low else ''} recording{'s' * (high > 1)} of each"


def file_sizes(folder: Path, settings: MixtureSettings) -> tuple[int, int]:
    """Bytes of the files of mixtures, and of those of stems."""
    sizes = [0, 0]
    for file in settings.files:
        sizes[is_stems(file.config)] += (folder / file.name).stat().st_size
    return sizes[0], sizes[1]
