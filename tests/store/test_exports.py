"""Exports again: the same bytes, or anew where the dataset has changed; never over what is somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from clear_gen.core.errors import InputError
from clear_gen.store.exports import DONE, MARKER, check_exported, claiming, put
from tests.datasets.runs import hashes


def export(folder: Path, out: Path, identity: str = "a", layout: str = "clear", overwrite: bool = False) -> None:
    """An export of one file per letter of the identity."""
    about = {"layout": layout, "identity": identity}
    with claiming(folder, out, about, lambda: None, ["audio/*.flac"], overwrite):
        for letter in identity:
            put(out / f"audio/{letter}.flac", letter.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a dataset."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_complete_export_is_made_again_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(folder, out)
    check_exported(out)
    before = hashes(out)
    (out / "audio/a.flac").write_bytes(b"damaged")
    export(folder, out)
    assert hashes(out) == before
    assert set(before) == {"audio/a.flac", DONE}
    assert str(tmp_path) not in (out / DONE).read_text()


def test_it_is_made_anew_where_the_dataset_has_changed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(folder, out, "ab")
    (out / "notes.txt").write_text("mine")
    export(folder, out, "bc")
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"b.flac", "c.flac", "notes.txt", DONE}


def test_exports_of_something_else_and_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    export(folder, out)
    before = hashes(out)
    for source, layout in ((other, "clear"), (folder, "audiofolder")):
        with pytest.raises(InputError, match="found an export of another dataset or layout, expected a new or an"):
            export(source, out, layout=layout)
    assert hashes(out) == before
    (tmp_path / "mine/audio").mkdir(parents=True)
    (tmp_path / "mine/audio/a.flac").write_bytes(b"a")
    with pytest.raises(InputError, match="found files in it, expected a new or an empty folder"):
        export(folder, tmp_path / "mine")


def test_an_interrupted_export_says_so_until_it_is_complete(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(folder, out)
    with (
        pytest.raises(KeyboardInterrupt),
        claiming(folder, out, {"layout": "clear", "identity": "ab"}, lambda: None, [], False),
    ):
        raise KeyboardInterrupt
    assert {MARKER, DONE} & hashes(out).keys() == {MARKER}
    with pytest.raises(InputError, match=r"found an unfinished export, .*; the clear-gen export command that began it"):
        check_exported(out)
    export(folder, out, "ab")
    check_exported(out)
