"""``clear-gen validate`` on mixtures finds what is wrong, names it, and finds nothing where nothing is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.files import sha256_file, sha256_json
from clear_gen.core.parquet import parquet_writer
from clear_gen.core.pcm import decode_flac, encode_flac, sha256_pcm
from clear_gen.datasets.mixtures import validate as validation
from clear_gen.datasets.mixtures.source_tables import read_sources, sources_sha256, write_sources
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.store.manifest import read_provenance, write_provenance
from clear_gen.store.validate import Validation, outcome_lines
from tests.datasets.inline import Inline
from tests.mixtures.data import RATE, make, silent, small_settings, write_corpus

Row = dict[str, Any]
LOUD, STEMS = "mixtures-snr10/fold2-00000-of-00001.parquet", "stems-snr10/fold2-00000-of-00001.parquet"


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "Pool", Inline)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    return make(tmp_path_factory.mktemp("clean") / "data", corpus, small_settings(12))


@pytest.fixture
def data(clean: Path, tmp_path: Path) -> Path:
    shutil.copytree(clean, tmp_path / "data")
    return tmp_path / "data"


def recordings(corpus: Path) -> Any:
    return read_events(corpus / "events"), read_backgrounds(corpus / "under")


def check(folder: Path, corpus: Path | None = None) -> Validation:
    found = None if corpus is None else recordings(corpus)
    return validation.validate_mixtures(folder, found, None, 1, silent)


def said(folder: Path, corpus: Path | None = None) -> list[str]:
    return [f"{one.check}: {one.where}: {one.problem}" for one in check(folder, corpus).findings]


def adapt(folder: Path, identity: dict[str, Any] | None = None) -> None:
    """Write hashes into ``clear.json`` that fit the files as they are."""
    stored = read_provenance(folder / "clear.json")
    hashes = {name: sha256_file(folder / name) for name in stored["files"]}
    write_provenance(folder, identity or stored["identity"], stored["environment"], hashes)


def alter(folder: Path, name: str, place: int, change: Callable[[Row], None], identity_sha256: str = "") -> None:
    """Change one record, and whatever hash tells."""
    table = pq.read_table(folder / name)
    rows = table.to_pylist()
    change(rows[place])
    rewrite(folder / name, rows, table.schema)
    adapt(folder)


def rewrite(path: Path, rows: list[Row], schema: pa.Schema) -> None:
    with parquet_writer(path, schema, audio=True) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))


def event(row: Row, place: int, **values: Any) -> None:
    row["events"][place].update(values)


# --- nothing wrong ----------------------------------------------------------------------------------------------------


def test_nothing_is_found_where_nothing_is_wrong(clean: Path, corpus: Path) -> None:
    result = check(clean, corpus)
    assert not result.findings
    assert result.counts["mixtures"] == result.counts["decoded"] == result.counts["stems"] == 72
    assert result.counts["measured"] == 144
    assert result.counts["drawn identical"] == result.counts["rendered identical"] == 72
    assert "not made again: give --events and --backgrounds for that" in check(clean).remarks
    text = "\n".join(outcome_lines(result))
    assert "identical 72, within rounding 0, different 0" in text


def test_the_published_recipe_is_held_to_its_own_rules(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 6)
    rng = np.random.default_rng(1)
    for path in (tmp_path / "corpus/under").iterdir():
        soundfile.write(path, 0.1 * rng.standard_normal(10 * RATE), RATE)
    folder = make(tmp_path / "data", tmp_path / "corpus", small_settings(1, recipe="kong2018", seed=0))
    assert said(folder, tmp_path / "corpus") == []


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LOUD, STEMS, "sources/events.parquet", "annotations/fold1.weak.tsv", "README.md"])
def test_flipped_bytes_are_found(data: Path, name: str) -> None:
    content = bytearray((data / name).read_bytes())
    content[len(content) // 2] ^= 1
    (data / name).write_bytes(content)
    assert any(line.startswith(f"files: {name}: its SHA-256") for line in said(data))


def test_files_too_many_and_too_few_are_found(data: Path) -> None:
    (data / STEMS).unlink()
    (data / "mixtures-snr10/fold9-00000-of-00001.parquet").write_bytes(b"x")
    (data / "annotations/mine.txt").write_text("x")
    lines = said(data)
    assert f"files: {STEMS}: missing" in lines
    for name in ("mixtures-snr10/fold9-00000-of-00001.parquet", "annotations/mine.txt"):
        assert f"files: {name}: found a file that is none of this dataset's" in lines


def test_a_card_that_says_something_else_is_found(data: Path) -> None:
    (data / "README.md").write_text((data / "README.md").read_text().replace("horn", "corn"))
    adapt(data)
    assert said(data) == ["files: README.md: says something else than the dataset; delete it and run clear-gen finish"]


def test_an_altered_identity_is_found(data: Path) -> None:
    text = (data / "clear.json").read_text()
    (data / "clear.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    assert any(line.startswith("provenance: clear.json: altered") for line in said(data))


@pytest.mark.parametrize("field", ["n_folds", "rules", "snrs", "kind"])
def test_an_identity_that_cannot_be_understood_is_one_line(data: Path, field: str) -> None:
    stored = read_provenance(data / "clear.json")
    write_provenance(data, {**stored["identity"], field: "x"}, stored["environment"], stored["files"])
    with pytest.raises(CheckFailed) as error:
        check(data)
    assert "\n" not in str(error.value)


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda row: event(row, 0, offset_s=1.5), "events\\[0\\]: found .* expected a time within the clip of 1 s"),
        (lambda row: event(row, 1, onset_s=-0.25), "events\\[1\\]: found -0.25"),
        (lambda row: event(row, 0, onset_s=0.00001), "events\\[0\\].onset_s: .* a whole number of samples"),
        (lambda row: event(row, 0, label="cat"), "events\\[0\\].label: found 'cat'"),
        (lambda row: event(row, 0, source_id="x.wav"), "source_id: found 'x.wav', expected one of the table of events"),
        (lambda row: event(row, 1, gain_db=float("nan")), "events\\[1\\].gain_db: found nan"),
        (lambda row: event(row, 1, snr_nominal_db=20.0), "events\\[1\\].snr_nominal_db: found 20.0, expected 10"),
        (
            lambda row: row.update(mixture_id="fold2-000007"),
            "mixture_id: found 'fold2-000007', expected 'fold2-000004'",
        ),
        (lambda row: row.update(fold=1), "fold: found 1, expected 2"),
        (lambda row: row.update(background=None), "background: found none"),
        (lambda row: row.update(n_samples=7), "n_samples: found 7, expected 8000"),
    ],
)
def test_altered_records_are_found(data: Path, change: Callable[[Row], None], line: str) -> None:
    alter(data, LOUD, 4, change)
    pattern = re.compile(f"graph: mixtures-snr10 fold2-000004: .*{line}")
    assert any(pattern.match(found) for found in said(data)), said(data)


def test_another_snr_than_was_asked_for_is_found(data: Path) -> None:
    alter(data, LOUD, 4, lambda row: event(row, 0, snr_achieved_db=10.06))
    assert any(line.startswith("SNR: mixtures-snr10 fold2-000004: events[0].snr_achieved_db") for line in said(data))


def test_a_graph_that_the_seed_does_not_give_is_found(data: Path, corpus: Path) -> None:
    alter(data, LOUD, 4, lambda row: event(row, 0, gain_db=row["events"][0]["gain_db"] + 1e-5))
    lines = said(data, corpus)
    assert any(line.startswith("drawn again: mixtures-snr10 fold2-000004: events[0].gain_db") for line in lines)


def test_a_group_in_two_folds_is_found(data: Path) -> None:
    """Two recordings of one uploader, had the table said so before the folds were made."""
    path = data / "sources/events.parquet"
    before = read_sources(path)
    rows = tuple(replace(row, group="me") if "dog" in row.source_id else row for row in before)
    write_sources(rows, path)
    stored = read_provenance(data / "clear.json")
    sources = {**stored["identity"]["sources"], "events": sources_sha256(rows)}
    identity = {**stored["identity"], "sources": sources}
    for file in sorted(data.glob("*-snr*/*.parquet")):
        table = pq.read_table(file)
        digest = {
            b"clear_gen": table.schema.metadata[b"clear_gen"].replace(
                sha256_json(stored["identity"]).encode(), sha256_json(identity).encode()
            )
        }
        rewrite(file, table.to_pylist(), table.schema.with_metadata({**table.schema.metadata, **digest}))
    adapt(data, identity)
    assert said(data) == ["folds: events, group me: found in fold1, fold2, fold3, expected in one fold"]


# --- audio and stems --------------------------------------------------------------------------------------------------


def louder(row: Row, column: str, bits: Any, place: int, by: int) -> None:
    pcm, rate = decode_flac(row[column]["bytes"], column, bits)
    pcm = pcm.copy()
    pcm[place] += by
    row[column]["bytes"] = encode_flac(pcm, rate)
    if column == "audio":
        row["rendered"]["pcm_sha256"] = sha256_pcm(pcm)


def test_other_samples_than_the_hash_says_are_found(data: Path) -> None:
    def change(row: Row) -> None:
        digest = row["rendered"]["pcm_sha256"]
        louder(row, "audio", 16, 100, 1)
        row["rendered"]["pcm_sha256"] = digest

    alter(data, LOUD, 4, change)
    assert "audio: mixtures-snr10 fold2-000004: audio: found other samples than pcm_sha256 says" in said(data)


def test_a_mixture_that_its_stems_do_not_give_is_found(data: Path, corpus: Path) -> None:
    alter(data, LOUD, 4, lambda row: louder(row, "audio", 16, 100, 4))
    lines = said(data, corpus)
    assert any(line.startswith("stems: mixtures-snr10 fold2-000004: their sum misses") for line in lines)
    assert any("rendered again: mixtures-snr10 fold2-000004: 1 of 8000 samples differ" in line for line in lines)


@pytest.mark.parametrize("column", ["background", "events"])
def test_altered_stems_are_found(data: Path, column: str) -> None:
    alter(data, STEMS, 4, lambda row: louder(row, column, 24, 100, 1000))
    assert any(line.startswith("stems: mixtures-snr10 fold2-000004: their sum misses") for line in said(data))


def test_sound_beside_the_labels_is_found(data: Path) -> None:
    def change(row: Row) -> None:
        pcm, _ = decode_flac(row["events"]["bytes"], "events", 24)
        louder(row, "events", 24, int(np.flatnonzero(pcm == 0)[0]), 2)

    alter(data, STEMS, 4, change)
    assert "stems: mixtures-snr10 fold2-000004: events: found sound where there is no label" in said(data)


def test_stems_of_another_loudness_are_found(data: Path) -> None:
    """Events 1 dB louder in both stems and mixture, which all hashes say is right."""

    def change(row: Row) -> None:
        pcm, rate = decode_flac(row["events"]["bytes"], "events", 24)
        row["events"]["bytes"] = encode_flac(np.rint(pcm * 10**0.05).astype(np.int32), rate)

    alter(data, STEMS, 4, change)
    lines = [line for line in said(data) if line.startswith("SNR: ")]
    assert lines == [f"SNR: mixtures-snr10 fold2-000004: events[{k}]: measured 11.00 dB, expected 10" for k in (0, 1)]


# --- annotations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [("\tdog\n", "\tcat\n"), (".", ","), ("offset", "end"), ("\n", "\r\n")])
def test_an_edited_annotation_is_found(data: Path, old: str, new: str) -> None:
    path = data / "annotations/fold2.strong.tsv"
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))
    adapt(data)
    (line,) = said(data)
    assert line.startswith("annotations: annotations/fold2.strong.tsv line ")


def test_a_line_too_few_is_found(data: Path) -> None:
    path = data / "annotations/fold3.weak.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    adapt(data)
    (line,) = said(data)
    assert "annotations/fold3.weak.tsv line 13: found the end, expected 'fold3-000011.flac" in line


def test_labels_that_differ_between_snrs_are_found(data: Path) -> None:
    def later(row: Row) -> None:
        for one in row["events"]:
            one["onset_s"] += 1 / RATE

    alter(data, LOUD, 4, later)
    assert any(line.startswith("annotations: annotations/fold2.strong.tsv line") for line in said(data))


def test_other_recordings_are_refused(data: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path / "other")
    altered = next(path for path in sorted((tmp_path / "other/events").rglob("*.wav")))
    samples, rate = soundfile.read(altered)
    soundfile.write(altered, samples[::-1], rate)
    with pytest.raises(InputError, match="--events: found other recordings"):
        check(data, tmp_path / "other")


def test_recordings_that_were_left_out_make_no_difference(data: Path, corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "more")
    label = next(path for path in sorted((tmp_path / "more/events").iterdir()) if path.is_dir())
    (label / "broken.wav").write_bytes(b"RIFF")
    assert check(data, tmp_path / "more").findings == []
