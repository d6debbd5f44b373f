"""A kind of dataset for the tests of the engine: tiny records without sounds, made in no time.

``run`` is its command line, with the exit codes and messages of ``clear-gen``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from clear_gen.cli.common import run_group
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json, write_text
from clear_gen.core.parquet import AUDIO, dataset_schema
from clear_gen.core.progress import counting
from clear_gen.core.streams import stream
from clear_gen.store.build import BuildPlan, Execution, Shard, claim, complete
from clear_gen.store.chunks import BuildContext
from clear_gen.store.finish import finish
from clear_gen.store.kind import Export
from clear_gen.store.layout import Chunk, DataFile, files_of
from clear_gen.store.manifest import FORMAT, GENERATOR

CONFIG, WORDS = "records", "extra/words.txt"
PAYLOAD_BYTES = 2000
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class StubMaker:
    """Makes records of random bytes; ``pause_s`` before each chunk, so that a test can act meanwhile."""

    seed: int
    pause_s: float = 0.0

    def start(self) -> None:
        """See ``RecordMaker``."""

    def schema(self, config: str, identity_sha256: str) -> pa.Schema:
        fields = [pa.field("record_id", pa.string()), pa.field("audio", AUDIO)]
        return dataset_schema(fields, 8000, {"kind": "stub", "identity_sha256": identity_sha256})

    def graphs(self, folder: Path, chunk: Chunk) -> pa.Table:
        raise NotImplementedError  # all records have their payload

    def with_audio(self, folder: Path, table: pa.Table | None, chunk: Chunk) -> pa.Table:
        time.sleep(self.pause_s)
        rows = [
            {
                "record_id": f"{chunk.split}-{index:06d}",
                "audio": {"bytes": stream(self.seed, SPLITS.index(chunk.split), index).bytes(PAYLOAD_BYTES)},
            }
            for index in range(chunk.first, chunk.stop)
        ]
        return pa.Table.from_pylist(rows, schema=self.schema(chunk.config, ""))


class StubKind:
    """See ``clear_gen.store.kind.DatasetKind``: what the engine asks of it, and no more."""

    name = "stub"
    record = "record"
    folders = (CONFIG, "extra")
    exports: Mapping[str, Export] = {}

    def settings(self, identity: dict[str, Any], path: Path) -> dict[str, int]:
        if not isinstance(identity.get("sizes"), dict):
            raise InputError(f"{path}: identity.sizes: found {identity.get('sizes')!r}, expected an object")
        return dict(identity["sizes"])

    def files(self, settings: dict[str, int]) -> list[DataFile]:
        return files_of(settings, CONFIG)

    def attached(self, folder: Path, identity: dict[str, Any], settings: dict[str, int]) -> list[str]:
        return [WORDS]

    def card(self, folder: Path, manifest: dict[str, Any]) -> str:
        return f"# Stub\n\nSeed {manifest['identity']['seed']}.\n"


KIND = StubKind()


def make(folder: Path, sizes: Mapping[str, int], execution: Execution, seed: int = 0, pause_s: float = 0.0) -> None:
    """Make what is missing of a dataset of stub records."""
    identity = {"format": FORMAT, "kind": KIND.name, "generator": GENERATOR, "seed": seed, "sizes": dict(sizes)}
    claim(folder, identity, execution.overwrite)
    digest = sha256_json(identity)
    plan = BuildPlan(
        KIND,
        BuildContext(folder, StubMaker(seed, pause_s), True, digest, digest),
        identity,
        KIND.files(dict(sizes)),
        attached={WORDS: lambda path: write_text(path, f"words of {seed}\n")},
        missing=lambda: [] if (folder / WORDS).exists() else [WORDS],
    )
    complete(plan, execution)


# --- its command line -------------------------------------------------------------------------------------------------


def run(arguments: list[str]) -> int:
    """Run a command; the exit code."""
    return run_group(cli, "clear-gen", arguments)


@click.group
def cli() -> None:
    """Datasets of stub records."""


@cli.command("make")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sizes", required=True, help="Of the splits, such as 2,0,2.")
@click.option("--seed", type=int, default=0)
@click.option("--workers", type=int, default=1)
@click.option("--num-shards", type=int, default=1)
@click.option("--shard-index", type=int, default=0)
@click.option("--pause-s", type=float, default=0.0)
@click.option("--overwrite", is_flag=True)
def make_command(
    folder: Path,
    sizes: str,
    seed: int,
    workers: int,
    num_shards: int,
    shard_index: int,
    pause_s: float,
    overwrite: bool,
) -> None:
    """Make a dataset."""
    of_split = {split: int(size) for split, size in zip(SPLITS, sizes.split(","), strict=True) if int(size)}
    shard = Shard(shard_index, num_shards)
    execution = Execution(workers=workers, shard=shard, progress=counting("records"), overwrite=overwrite)
    make(folder, of_split, execution, seed, pause_s)


@cli.command("finish")
@click.argument("folder", type=click.Path(path_type=Path))
def finish_command(folder: Path) -> None:
    """Finish a dataset, or check one that is finished."""
    finish(folder, KIND)
