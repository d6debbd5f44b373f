"""The recordings that mixtures are made of, at one sample rate: read when they are needed, kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.dsp.levels import rms_dbfs
from clear_gen.dsp.resample import resampled
from clear_gen.mixtures.recordings.types import MIN_EVENT_S, Background, Event
from clear_gen.sounds.files import read_audio

SILENT_PEAK_DB = -80.0  # three steps of 16 bits: what is quieter is quantisation noise
BLOCK_S = 0.01  # of which it is asked whether they are silent
LEAD_BLOCKS = 1  # kept before the first that is not, for its attack and the fade
CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Source:
    """One recording, mono. ``samples``: float32 [n] at the mixtures' rate, read-only; ``duration_s`` as in the file.

    ``rms_dbfs``: of all of it. ``block_rms``: float64, of every 10 ms, the last block being shorter.
    """

    path: Path
    samples: np.ndarray
    sample_rate: int
    duration_s: float
    rms_dbfs: float
    block_rms: np.ndarray

    def bounds(self, trim_db: float | None, start: int = 0, stop: int | None = None) -> tuple[int, int]:
        """First sample and end, within ``start`` and ``stop``, without the silence at either side.

        Silent are blocks of 10 ms that lie more than ``-trim_db`` dB below the loudest of the whole recording; the one
        before the first that is not is kept. Both are equal if everything is silent.
        """
        stop = len(self.samples) if stop is None else stop
        if trim_db is None:
            return start, stop
        length = block_samples(self.sample_rate)
        first, end = start // length, -(-stop // length)
        heard = np.flatnonzero(self.block_rms[first:end] > self.block_rms.max() * 10 ** (trim_db / 20))
        if not len(heard):
            return start, start
        begins, ends = first + int(heard[0]) - LEAD_BLOCKS, first + int(heard[-1]) + 1
        return max(start, begins * length), min(stop, ends * length)

    def check_event(self, trim_db: float | None) -> None:
        """Raise InputError if too little is heard of an event for one to be placed."""
        start, stop = self.bounds(trim_db)
        if stop - start < round(MIN_EVENT_S * self.sample_rate):
            found = f"{(stop - start) / self.sample_rate:.3f} s" + ("" if trim_db is None else " without silence")
            raise InputError(f"{self.path}: duration: found {found}, expected at least {MIN_EVENT_S} s of an event")

    def excerpt(self, most: int, place: float, trim_db: float | None) -> tuple[int, int]:
        """First sample and end of at most ``most`` samples without silence at either side.

        ``place`` says where in what is longer: 0 from its first sound, 1 as late as possible. Where that is a pause,
        it is from the first sound.
        """
        start, stop = self.bounds(trim_db)
        if stop - start <= most:
            return start, stop
        later = start + int(place * (stop - start - most))
        first, end = self.bounds(trim_db, later, later + most)
        return (first, end) if first < end else self.bounds(trim_db, start, start + most)


class Sources:
    """Recordings by their ``source_id``, events and backgrounds apart, read at ``sample_rate`` Hz.

    The least recently used are forgotten when all take more than ``cache_bytes``. Reading is deterministic: what is
    cached makes no difference but to speed.
    """

    def __init__(
        self,
        events: Iterable[Event],
        backgrounds: Iterable[Background],
        sample_rate: int,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.sample_rate = sample_rate
        self.cache_bytes = cache_bytes
        self._paths = {("event", event.source_id): event.path for event in events}
        self._paths |= {("background", background.source_id): background.path for background in backgrounds}
        self._cache: OrderedDict[Path, Source] = OrderedDict()
        self._cached_bytes = 0

    def event(self, source_id: str) -> Source:
        """The recording of an event. Raises InputError, one line, if there is none that can be used."""
        return self._source("event", source_id)

    def background(self, source_id: str) -> Source:
        """The recording of a background. Raises InputError, one line, if there is none that can be used."""
        return self._source("background", source_id)

    def _source(self, kind: Literal["event", "background"], source_id: str) -> Source:
        path = self._paths.get((kind, source_id))
        if path is None:
            raise InputError(f"source_id: found {shown(source_id)}, expected one of the corpus' {kind}s")
        if path not in self._cache:
            source = read_source(path, self.sample_rate)
            self._cache[path] = source
            self._cached_bytes += source.samples.nbytes
            while self._cached_bytes > self.cache_bytes and len(self._cache) > 1:
                _, forgotten = self._cache.popitem(last=False)
                self._cached_bytes -= forgotten.samples.nbytes
        self._cache.move_to_end(path)
        return self._cache[path]


def read_source(path: Path, sample_rate: int) -> Source:
    """A file, mean over its channels, at ``sample_rate`` Hz.

    Raises InputError naming the file, what was found and what was expected: unreadable, empty, not finite, silent.
    """
    mono, rate = read_audio(path)
    if not len(mono):
        raise InputError(f"{path}: duration: found no samples, expected a recording")
    if not np.isfinite(mono).all():
        raise InputError(f"{path}: samples: found NaN or Inf, expected finite numbers")
    samples = resampled(mono, rate, sample_rate)
    peak = float(np.abs(samples).max())
    if peak <= 10 ** (SILENT_PEAK_DB / 20):
        expected = f"a peak over {SILENT_PEAK_DB:.0f} dB"
        raise InputError(f"{path}: samples: found silence (peak {peak:.1g}), expected {expected}")
    samples.flags.writeable = False
    return Source(path, samples, sample_rate, len(mono) / rate, rms_dbfs(samples), _block_rms(samples, sample_rate))


def block_samples(sample_rate: int) -> int:
    """Length of the blocks that are silent or not."""
    return max(1, round(BLOCK_S * sample_rate))


def _block_rms(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    starts = np.arange(0, len(samples), block_samples(sample_rate))
    lengths = np.diff([*starts, len(samples)])
    return np.sqrt(np.add.reduceat(np.square(samples, dtype=np.float64), starts) / lengths)
