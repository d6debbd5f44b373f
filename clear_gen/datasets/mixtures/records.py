"""The records of mixtures and of stems, as workers make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.core.parquet import AUDIO, dataset_schema
from clear_gen.core.pcm import PCM24_STEPS, encode_flac, sha256_pcm, to_pcm16, to_pcm24
from clear_gen.core.records import Rendered
from clear_gen.datasets.mixtures.layout import STEMS, stems_config
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.mixtures.graph import MixtureGraph, mixture_schema, row_of_mixture
from clear_gen.mixtures.plan import assign_folds, plan_mixtures
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.render import MixtureAudio, render_mixture, with_gains
from clear_gen.mixtures.spec import samples_of
from clear_gen.store.audio_column import AudioColumn, with_columns
from clear_gen.store.layout import Chunk

STEM_BITS = 24
STEM_COLUMNS = ("background", "events")
PCM24_MOST = (1 << STEM_BITS - 1) - 1


@dataclass
class MixtureMaker:
    """See ``clear_gen.store.chunks.RecordMaker``. It keeps the recordings it has read, while there is room."""

    settings: MixtureSettings
    events: tuple[Event, ...]
    backgrounds: tuple[Background, ...]

    def start(self) -> None:
        """See ``RecordMaker.start``."""
        self._assignments = assign_folds(self.events, self.backgrounds, self.settings.spec)
        self._sources = Sources(self.events, self.backgrounds, self.settings.sample_rate)
        # The mixtures made last, by the chunk of their stems, which comes next
        self._last: dict[Chunk, list[MixtureGraph]] = {}

    def schema(self, config: str, identity_sha256: str) -> pa.Schema:
        """See ``RecordMaker.schema``."""
        schema = stems_schema if is_stems(config) else mixture_schema
        return schema(self.settings.sample_rate, identity_sha256)

    def graphs(self, folder: Path, chunk: Chunk) -> pa.Table:
        """See ``RecordMaker.graphs``."""
        rows = [row_of_mixture(graph) for graph in self.mixtures(chunk)]
        return pa.Table.from_pylist(rows, mixture_schema(self.settings.sample_rate))

    def with_audio(self, folder: Path, table: pa.Table | None, chunk: Chunk) -> pa.Table:
        """See ``RecordMaker.with_audio``."""
        return self._stems(chunk) if is_stems(chunk.config) else self._mixtures(chunk)

    def mixtures(self, chunk: Chunk, indices: Sequence[int] | None = None) -> Iterator[MixtureGraph]:
        """The graphs of the mixtures of a chunk, or of ``indices`` of its fold, drawn anew."""
        assignment = self._assignments[fold_number(chunk.split) - 1]
        snr_db = self.settings.snr_of_config[chunk.config.replace(STEMS, "mixtures", 1)]
        for plan in plan_mixtures(assignment, self.settings.spec, indices or range(chunk.first, chunk.stop)):
            yield with_gains(plan, snr_db, self._sources)

    def _mixtures(self, chunk: Chunk) -> pa.Table:
        rows, audio, graphs = [], AudioColumn(self._n_samples(chunk)), []
        for graph in self.mixtures(chunk):
            graphs.append(graph)
            made = self.render(graph)
            pcm = to_pcm16(made.mixture)
            rows.append(row_of_mixture(graph, Rendered(made.scale_db, made.peak_dbfs, sha256_pcm(pcm))))
            audio.append(encode_flac(pcm, graph.sample_rate))
        self._last = {replace(chunk, config=stems_config(chunk.config)): graphs}
        table = pa.Table.from_pylist(rows, mixture_schema(self.settings.sample_rate))
        return with_columns(table, audio=audio.array([mixture_file(row["mixture_id"]) for row in rows]))

    def _stems(self, chunk: Chunk) -> pa.Table:
        """The stems of a chunk, reusing the mixtures made last if they belong to it."""
        rows: list[dict[str, Any]] = []
        columns = {name: AudioColumn(self._n_samples(chunk), STEM_BITS) for name in STEM_COLUMNS}
        for graph in self._last.get(chunk) or self.mixtures(chunk):
            for name, pcm in stems_pcm24(self.render(graph), graph.recipe).items():
                columns[name].append(encode_flac(pcm, graph.sample_rate))
            rows.append({"mixture_id": graph.mixture_id, "fold": graph.fold})
        table = pa.Table.from_pylist(rows, stems_schema(self.settings.sample_rate))
        files = {name: [stem_file(row["mixture_id"], name) for row in rows] for name in columns}
        return with_columns(table, **{name: column.array(files[name]) for name, column in columns.items()})

    def render(self, graph: MixtureGraph) -> MixtureAudio:
        """A mixture and its stems."""
        return render_mixture(graph, self._sources)

    def _n_samples(self, chunk: Chunk) -> int:
        return (chunk.stop - chunk.first) * samples_of(self.settings.duration_s, self.settings.sample_rate)


def stems_pcm24(made: MixtureAudio, recipe: str) -> dict[str, np.ndarray]:
    """The stems as they are stored, int32 [n] of 24 bit: their sum, or mean by the recipe, is the mixture's PCM 16.

    The background is what the events leave of it, and so has the noise of its rounding to 16 bit.
    """
    events = to_pcm24(made.events)
    total = to_pcm16(made.mixture).astype(np.int32) * (PCM24_STEPS * recipe_named(recipe).stem_divisor)
    return {"background": np.clip(total - events, -PCM24_MOST, PCM24_MOST), "events": events}


def is_stems(config: str) -> bool:
    """Whether the records of a config are stems."""
    return config.startswith(STEMS)


def fold_number(split: str) -> int:
    """``fold3`` -> 3."""
    return int(split.removeprefix("fold"))


def mixture_file(mixture_id: str) -> str:
    """File name of a mixture's audio."""
    return f"{mixture_id}.flac"


def stem_file(mixture_id: str, stem: str) -> str:
    """File name of the audio of a stem (``background``, ``events``)."""
    return f"{mixture_id}.{stem}.flac"


def stems_schema(sample_rate: int, identity_sha256: str | None = None) -> pa.Schema:
    """Schema of the configs ``stems-snr<k>``: FLAC of 24 bit whose full scale is 256 x 32767. ``sample_rate`` in Hz."""
    fields = [
        pa.field("mixture_id", pa.string()),
        pa.field("fold", pa.int32()),
        *(pa.field(name, AUDIO) for name in STEM_COLUMNS),
    ]
    return dataset_schema(fields, sample_rate, {"kind": STEMS, "format": 1, "identity_sha256": identity_sha256})
