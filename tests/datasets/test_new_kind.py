"""A new kind of dataset is a class and a row in the registry: built, resumed, finished, checked, read, published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE, FAILED
from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import dataset_schema, read_row_group
from clear_gen.datasets.dataset import open_dataset
from clear_gen.datasets.publish import dataset_shipment
from clear_gen.datasets.registry import KINDS
from clear_gen.store.build import BuildPlan, Execution, claim, complete
from clear_gen.store.chunks import BuildContext, check_file
from clear_gen.store.layout import CARD, Chunk, DataFile, files_of
from clear_gen.store.manifest import FORMAT, GENERATOR
from clear_gen.store.rows import Rows, row_groups
from clear_gen.store.validate import Validation, check_card, check_manifest, manifest_to_validate
from tests.datasets.runs import inodes


@dataclass(frozen=True)
class SquareMaker:
    """Makes the records of ``Squares``, but not beyond ``limit``: an error in the middle of a build."""

    limit: int

    def start(self) -> None:
        pass

    def schema(self, config: str, identity_sha256: str) -> pa.Schema:
        fields = [pa.field("id", pa.string()), pa.field("square", pa.int64())]
        return dataset_schema(fields, 0, {"kind": config, "format": 1, "identity_sha256": identity_sha256})

    def graphs(self, folder: Path, chunk: Chunk) -> pa.Table:
        if chunk.stop > self.limit:
            raise InputError("no more squares")
        numbers = range(chunk.first, chunk.stop)
        return pa.table({"id": [f"{chunk.split}-{k:06d}" for k in numbers], "square": [k * k for k in numbers]})

    def with_audio(self, folder: Path, table: pa.Table | None, chunk: Chunk) -> pa.Table:
        raise AssertionError("squares have no audio")


class Squares:
    """The toy kind: the squares of whole numbers."""

    name = "squares"
    record = "square"
    folders: tuple[str, ...] = ("squares",)
    exports: dict[str, Any] = {}  # noqa: RUF012

    def settings(self, identity: dict[str, Any], path: Path) -> dict[str, int]:
        return dict(identity["sizes"])

    def files(self, settings: dict[str, int]) -> list[DataFile]:
        return files_of(settings, "squares")

    def attached(self, folder: Path, identity: dict[str, Any], settings: dict[str, int]) -> list[str]:
        return []

    def card(self, folder: Path, manifest: dict[str, Any]) -> str:
        return f"# {sum(manifest['identity']['sizes'].values()):,} squares\n"

    card_without_audio = card

    def rows(self, folder: Path, manifest: dict[str, Any], config: str | None, split: str | None) -> Rows[int]:
        files = [file for file in self.files(manifest["identity"]["sizes"]) if split in (None, file.split)]
        of, digest = {folder / file.name: file for file in files}, sha256_json(manifest["identity"])

        def read(path: Path, number: int) -> pa.Table:
            return read_row_group(check_file(path, of[path], digest), number, path)

        return Rows(row_groups(folder, files), read, lambda row, _: int(row["square"]))

    def summary(self, folder: Path) -> str:
        return f"{folder}: squares"

    def validate(self, folder: Path, recordings: Any, sample: int | None, workers: int) -> Validation:
        manifest, result = manifest_to_validate(folder), Validation(looked_at={"files": "all"})
        names = {file.name for file in self.files(manifest["identity"]["sizes"])}
        check_manifest(folder, manifest, {CARD, *names}, result)
        check_card(folder, self.card(folder, manifest), result)
        return result

    def draw(self, folder: Path, record_id: str | None, config: str | None, out: Path) -> None:
        out.write_text(f"{open_dataset(folder)[3]}")

    def unpublishable(self, folder: Path, manifest: dict[str, Any]) -> str | None:
        return None

    def unlicensed(self, folder: Path, manifest: dict[str, Any]) -> list[str]:
        return []


def build(folder: Path, limit: int = 10_000) -> None:
    sizes = {"train": 1300, "test": 10}
    identity = {"kind": "squares", "format": FORMAT, "generator": GENERATOR, "sizes": sizes}
    claim(folder, identity, overwrite=False)
    digest = sha256_json(identity)
    context = BuildContext(folder, SquareMaker(limit), False, digest, digest)
    plan = BuildPlan(KINDS["squares"], context, identity, files_of(sizes, "squares"), {}, lambda: [])
    complete(plan, Execution())


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(KINDS, "squares", Squares())
    build(tmp_path / "squares")
    return tmp_path / "squares"


def test_it_is_read(squares: Path) -> None:
    data = open_dataset(squares)
    assert data.splits == {"train": 1300, "test": 10}
    assert list(data.split("train")) == [k * k for k in range(1300)]
    assert (data[1299], data[1301], data[-1], len(data)) == (1299**2, 1, 81, 1310)
    with pytest.raises(InputError, match="found a dataset of squares, expected one of scenes"):
        data.scenes("train")


def test_it_is_resumed_and_finished(squares: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no more squares"):
        build(tmp_path / "again", limit=1250)
    made = inodes(tmp_path / "again")
    assert list(made) == ["squares/train-00000-of-00002.parquet"]
    assert run(["finish", str(tmp_path / "again")]) == FAILED
    build(tmp_path / "again")
    assert made.items() <= inodes(tmp_path / "again").items()
    for name in ("clear.json", "README.md", *(name for name in inodes(squares))):
        assert (tmp_path / "again" / name).read_bytes() == (squares / name).read_bytes(), name
    (squares / CARD).unlink()
    assert run(["finish", str(squares)]) == DONE
    assert (squares / CARD).read_text() == "# 1,310 squares\n"


def test_commands_ask_it(squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(squares)]) == DONE
    assert run(["show", str(squares), "--out", str(tmp_path / "nine")]) == DONE
    assert (tmp_path / "nine").read_text() == "9"
    assert run(["export", str(squares), str(tmp_path / "out"), "--format", "clear"]) != DONE
    assert "holds squares; expected one that this kind has: none" in capsys.readouterr().err
    path = squares / "squares/test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert run(["validate", str(squares)]) == FAILED


def test_it_is_published(squares: Path) -> None:
    for without_audio in (False, True):
        with dataset_shipment(squares, without_audio) as shipment:
            assert set(shipment.hashes) == {CARD, "clear.json", *inodes(squares)}
            assert "squares/*" in shipment.owned
