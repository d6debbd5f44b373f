"""The records of scenes, as workers make them: graphs drawn from a bank, and their audio."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from clear_gen.core.pcm import encode_flac
from clear_gen.core.records import RENDERED_TYPE
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT, bank_name
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import graph_of_row, scene_schema
from clear_gen.scenes.render import render_pcm
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank, read_bank, resampled_bank
from clear_gen.store.audio_column import AudioColumn, with_columns
from clear_gen.store.layout import Chunk

log = logging.getLogger(__name__)


@dataclass
class SceneMaker:
    """See ``clear_gen.store.chunks.RecordMaker``."""

    domain: Domain
    spec: SceneSpec

    def start(self) -> None:
        """See ``RecordMaker.start``."""
        self._banks: dict[str, Bank] = {}

    def schema(self, config: str, identity_sha256: str) -> pa.Schema:
        """See ``RecordMaker.schema``."""
        return scene_schema(self.domain.attributes, self.spec.sample_rate, identity_sha256)

    def graphs(self, folder: Path, chunk: Chunk) -> pa.Table:
        """See ``RecordMaker.graphs``."""
        bank = self._bank(folder, BANK_OF_SPLIT[chunk.split])
        return sample_scenes(bank, self.domain, self.spec, chunk.split, range(chunk.first, chunk.stop))

    def with_audio(self, folder: Path, table: pa.Table | None, chunk: Chunk) -> pa.Table:
        """See ``RecordMaker.with_audio``."""
        table = self.graphs(folder, chunk) if table is None else table
        bank = self._bank(folder, BANK_OF_SPLIT[chunk.split])
        rows = table.to_pylist()
        graphs = [graph_of_row(row) for row in rows]
        rendered, audio = [], AudioColumn(sum(graph.n_samples for graph in graphs))
        for graph in graphs:
            pcm, found = render_pcm(graph, bank)
            rendered.append(asdict(found))
            audio.append(encode_flac(pcm, graph.sample_rate))
        _compare(chunk, [row["rendered"] for row in rows], rendered)
        names = [f"{graph.scene_id}.flac" for graph in graphs]
        return with_columns(table, rendered=pa.array(rendered, RENDERED_TYPE), audio=audio.array(names))

    def _bank(self, folder: Path, side: str) -> Bank:
        """The bank of a side, read once per worker."""
        if side not in self._banks:
            self._banks[side] = resampled_bank(read_bank(folder / bank_name(side)), self.spec.sample_rate)
        return self._banks[side]


def _compare(chunk: Chunk, published: list[dict[str, Any] | None], rendered: list[dict[str, Any]]) -> None:
    """Say if what was rendered is not what was published, where graphs were published without audio."""
    pairs = [(old["pcm_sha256"], new["pcm_sha256"]) for old, new in zip(published, rendered, strict=True) if old]
    if others := sum(old != new for old, new in pairs):
        why = "other banks or libraries, or another processor"
        log.warning("%s: %d of %d scenes are not what was published (%s)", chunk.name, others, len(pairs), why)
