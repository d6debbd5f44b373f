"""``clear-gen validate`` finds what is wrong, names it, and finds nothing where nothing is."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from clear_gen.cli import run
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.core.errors import CheckFailed
from clear_gen.core.files import sha256_file, sha256_json
from clear_gen.core.parquet import parquet_writer
from clear_gen.core.pcm import encode_flac, from_pcm16, sha256_pcm, to_pcm16
from clear_gen.datasets.scenes import validate as validation
from clear_gen.datasets.scenes.kind import KIND
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.datasets.scenes.validate import validate
from clear_gen.scenes.graph import scene_schema
from clear_gen.sounds.bank import Bank, write_bank
from clear_gen.store.finish import finish
from clear_gen.store.manifest import write_provenance
from clear_gen.store.validate import SHOWN_CAUSES, Validation, chosen_places, outcome_lines
from tests.counts import NIGHTLY
from tests.datasets.inline import Inline
from tests.datasets.runs import RATE, hashes, make_scenes, small_banks

Row = dict[str, Any]
TRAIN = "scenes/train-00000-of-00001.parquet"


@contextmanager
def silent(left: int, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda n: None


CHECKS = ("provenance", "files", "banks", "schema", "graph", "drawn again", "audio", "rendered again", "questions")


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "Pool", Inline)


@pytest.fixture
def data(twelve: Path, tmp_path: Path) -> Path:
    """A copy to be altered."""
    return shutil.copytree(twelve, tmp_path / "data")


def found(folder: Path, sample: int | None = None) -> list[str]:
    """The findings as the command prints them."""
    return list(map(line, validate(folder, sample, 1, silent).findings))


def line(finding: Any) -> str:
    return f"{finding.check}: {finding.where}: {finding.problem}"


def seal(folder: Path, **changes: Any) -> None:
    """Adapt ``clear.json`` to the files, as somebody who wants an alteration not to be noticed would."""
    stored = json.loads((folder / "clear.json").read_text()) | changes
    files = {name: sha256_file(folder / name) for name in stored["files"]}
    write_provenance(folder, stored["identity"], stored["environment"], files)


def rewrite(folder: Path, change: Callable[[list[Row]], None], name: str = TRAIN) -> None:
    """Change the rows of a scene file and adapt every hash."""
    table = pq.read_table(folder / name)
    rows = table.to_pylist()
    change(rows)
    with parquet_writer(folder / name, table.schema, audio=True) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))
    seal(folder)


# --- nothing wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "again"), [(["--all", "--workers", "2"], 12), (["--sample", "5"], 5)])
def test_a_clean_dataset_is_a_table_and_exit_code_0(
    twelve: Path, capsys: pytest.CaptureFixture[str], options: list[str], again: int
) -> None:
    before = hashes(twelve)
    assert run(["validate", str(twelve), *options]) == DONE
    rows = {row.split("  ")[0]: row for row in capsys.readouterr().out.splitlines()}
    assert list(rows) == ["check", *CHECKS]
    assert all(row.endswith(" 0") for check, row in rows.items() if check != "check")
    assert "6 files" in rows["files"]
    assert "12 scenes" in rows["graph"]
    assert "identical 12," in rows["drawn again"]
    assert "12 decoded" in rows["audio"]
    assert f"identical {again}, within 1 LSB 0, different 0" in rows["rendered again"]
    assert hashes(twelve) == before


@pytest.mark.usefixtures("inline")
def test_every_scene_can_be_in_the_sample_and_the_sample_is_always_the_same(twelve: Path) -> None:
    counts = [validate(twelve, sample, 1, silent).counts["rendered identical"] for sample in (0, 1, 7, 12, 100)]
    assert counts == [0, 1, 7, 12, 12]
    splits = [[(None, chunk) for chunk in file.chunks] for file in scene_files({"train": 900, "test": 300})]
    places = [place for some in splits for place in some]
    chosen = chosen_places(places, 200)
    assert chosen == chosen_places(places, 200)
    by_split = {
        split: sum(len(some) for chunk, some in chosen.items() if chunk.split == split) for split in ("train", "test")
    }
    assert sum(by_split.values()) == 200
    assert 30 < by_split["test"] < 70
    assert all(set(some) <= set(range(chunk.first, chunk.stop)) for chunk, some in chosen.items())


@pytest.mark.usefixtures("inline")
def test_graphs_alone(tmp_path: Path) -> None:
    folder = make_scenes(tmp_path, "--n", "12", "--levels", "independent", audio=False)
    result = validate(folder, None, 1, silent)
    assert result.findings == []
    assert result.counts["drawn identical"] == 12
    assert result.counts["decoded"] == result.counts["rendered identical"] == 0


# --- files ------------------------------------------------------------------------------------------------------------


def test_one_flipped_bit_in_any_file_is_found(twelve: Path, tmp_path: Path) -> None:
    names = sorted(set(hashes(twelve)) - {"clear.json"})
    rng = np.random.default_rng(5)
    for part in range(5):
        folder = shutil.copytree(twelve, tmp_path / str(part))
        for name in names:
            content = bytearray((folder / name).read_bytes())
            place = int(len(content) * (part + rng.random()) / 5)
            content[place] ^= 1 << int(rng.integers(8))
            (folder / name).write_bytes(content)
        findings = validate(folder, 0, 1, silent).findings
        assert {finding.where for finding in findings if finding.check == "files"} == set(names)


def test_one_flipped_bit_in_clear_json_is_found(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(validation, "_inspect", lambda *_: None)  # scenes and banks are as they were
    monkeypatch.setattr(validation, "_check_banks", lambda *_: {})
    path = data / "clear.json"
    whole = path.read_bytes()
    outcomes = Counter[int]()
    step = 5 if NIGHTLY else 29
    for place in range(0, len(whole), step):
        content = bytearray(whole)
        content[place] ^= 1 << place % 7
        path.write_bytes(content)
        outcomes[run(["validate", str(data), "--sample", "0"])] += 1
    assert outcomes[FAILED] == outcomes.total() > 3500 // step, outcomes
    assert "Traceback" not in capsys.readouterr().err
    path.write_bytes(whole)
    monkeypatch.undo()
    assert run(["validate", str(data)]) == DONE


@pytest.mark.parametrize("name", [TRAIN, "scenes/test-00000-of-00001.parquet", "bank/test.parquet", "README.md"])
def test_a_missing_file_is_named(data: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (data / name).unlink()
    assert run(["validate", str(data), "--sample", "1", "--workers", "1"]) == FAILED
    shown = capsys.readouterr()
    assert f"files: {name}: missing" in shown.out.splitlines()
    assert shown.err.splitlines()[-1].startswith(f"clear-gen: {data}: ")


@pytest.mark.usefixtures("inline")
def test_files_that_do_not_belong_here(data: Path) -> None:
    for name in ("scenes/more.parquet", "scenes/.train.17-abcd.tmp", "bank/notes.txt"):
        (data / name).write_bytes(b"")
    (data / "figure.png").write_bytes(b"mine")  # beside the dataset anything may lie
    problem = "found a file that is none of this dataset's"
    assert found(data, 0) == [
        f"files: {name}: {problem}" for name in ("bank/notes.txt", "scenes/.train.17-abcd.tmp", "scenes/more.parquet")
    ]


@pytest.mark.usefixtures("inline")
def test_clear_json_that_names_another_file(data: Path) -> None:
    stored = json.loads((data / "clear.json").read_text())
    (data / "more.txt").write_text("more")
    seal(data, files={**stored["files"], "more.txt": ""})
    assert found(data, 0) == ["files: clear.json: files: found more.txt, which is no file of this dataset"]


def test_no_dataset_an_unfinished_one_and_one_that_lost_its_identity(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", str(tmp_path / "nowhere")]) == WRONG_INPUT
    stored = (data / "clear.json").read_text()
    (data / "clear.json").unlink()
    assert run(["validate", str(data)]) == FAILED
    (data / ".partial").mkdir()
    (data / ".partial/clear.json").write_text(json.dumps(json.loads(stored)["identity"]))
    assert run(["validate", str(data)]) == FAILED
    errors = capsys.readouterr().err.splitlines()
    for error, part in zip(
        errors,
        ("not found, expected the folder of a dataset", "clear.json: missing", "found an unfinished dataset"),
        strict=True,
    ):
        assert part in error
    (data / "clear.json").write_text(stored)
    assert [finding.where for finding in validate(data, 0, 1, silent).findings] == [".partial"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"seed": 0', '"seed": 7'),
        ('"sample_rate": 8000', '"sample_rate": 9000'),
        ('"sample_rate": 8000', '"sample_rate": 8.00'),
        ('"train": 8', '"train": 9'),
        ('"train": 8', '"brain": 8'),
        ('"train": 8', '"train":-8'),
        ('"train": 8,', '"train":8.,'),
        ('"train": 8', '"train": 8.0'),
        ('"train": 8', '"train": "8"'),
        ('"test": 2', '"test": 0'),
        ('"levels": "recorded"', '"levels": "recorted"'),
        ('"seed": 0', '"seed": -1'),
        ('"seed": 0', '"seed": null'),
        ('"audio": true', '"audio": false'),
        ('"format": 2', '"format": 3'),
        ('"files": {', '"files": 0, "x": {'),
        ('"banks": {', '"ranks": {'),
        ('"domain": {', '"domain": 1, "x": {'),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.usefixtures("inline")
def test_an_altered_identity_is_a_finding_and_not_a_crash(data: Path, old: str, new: str, sealed: bool) -> None:
    path = data / "clear.json"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))
    if sealed:
        with suppress(KeyError, TypeError, ValueError):  # two of them leave nothing that hashes could be adapted to
            seal(data)
    assert run(["validate", str(data), "--sample", "2"]) == FAILED


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda identity: identity["domain"].update(sha256="0" * 64), "identity.domain.sha256"),
        (lambda identity: identity["domain"].update(name="birds"), "identity.domain.name"),
        (lambda identity: identity["domain"]["definition"]["question_types"].pop(), "identity.domain.sha256"),
        (lambda identity: identity.update(more=1), "identity.more"),
        (lambda identity: identity["banks"].update(foo="1"), "identity.banks.foo.[key]"),
        (lambda identity: identity.update(audio="no"), "identity.audio"),
        (lambda identity: identity["scenes"].update(test=10**15), "identity.scenes.test"),
        (lambda identity: identity["scenes"].update(foo=4), "identity.scenes"),
        (lambda identity: identity.update(format=3), "identity.format"),
        (lambda identity: identity.pop("kind"), "identity.kind"),
    ],
)
def test_an_identity_that_contradicts_itself_is_named(
    data: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    stored = json.loads((data / "clear.json").read_text())
    change(stored["identity"])
    seal(data, identity=stored["identity"])
    assert run(["validate", str(data)]) == FAILED
    (message,) = capsys.readouterr().err.splitlines()
    assert f"clear.json: {problem}: found" in message


@pytest.mark.usefixtures("inline")
def test_a_card_that_says_something_else_is_found_though_its_hash_was_adapted(data: Path) -> None:
    card = data / "README.md"
    card.write_text(card.read_text().replace("CC0-1.0", "MIT"))
    seal(data)
    (only,) = found(data)
    assert only.startswith("files: README.md: says something else than the dataset")


@pytest.mark.usefixtures("inline")
def test_a_card_that_is_no_text_is_found_though_its_hash_was_adapted(data: Path) -> None:
    (data / "README.md").write_bytes(b"\xff\xfe")
    seal(data)
    (only,) = found(data, 0)
    assert only.startswith("files: README.md: ")


@pytest.mark.usefixtures("inline")
def test_a_parquet_file_anywhere_is_none_of_the_dataset(data: Path) -> None:
    (data / "questions").mkdir()
    (data / "questions/train.parquet").write_bytes(b"")
    assert found(data, 0) == ["files: questions/train.parquet: found a file that is none of this dataset's"]


# --- graphs, every hash adapted ---------------------------------------------------------------------------------------


def set_sound(**values: Any) -> Callable[[list[Row]], None]:
    return lambda rows: rows[3]["sounds"][2].update(values)


def another_note(rows: list[Row]) -> None:
    sound = rows[3]["sounds"][2]
    sound["note"] = "A" if sound["note"] != "A" else "C"


def move(by: int) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        rows[3]["sounds"][2]["onset_sample"] += by

    return change


def louder(rows: list[Row]) -> None:
    rows[3]["sounds"][2]["gain_db"] += 0.1


def twice(rows: list[Row]) -> None:
    first, second = rows[3]["sounds"][:2]
    second.update({name: value for name, value in first.items() if name != "onset_sample"})


def exchange(*columns: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for column in columns or list(rows[3]):
            rows[3][column], rows[4][column] = rows[4][column], rows[3][column]

    return change


def put(column: str, value: Any) -> Callable[[list[Row]], None]:
    return lambda rows: rows[3].update({column: value})


def put_in(column: str, name: str, value: Any) -> Callable[[list[Row]], None]:
    return lambda rows: rows[3][column].update({name: value})


def fewer(rows: list[Row]) -> None:
    rows[3]["sounds"].pop()


S = "train-000003: sounds[2]"


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (another_note, [f"graph: {S}.note: found", f"drawn again: {S}.note: found"]),
        (set_sound(note="H"), [f"graph: {S}.note: found 'H', expected a value of the domain"]),
        (set_sound(octave=None), [f"graph: {S}.octave: found None, expected the bank's"]),
        (move(1), ["drawn again: 1 scene: within rounding", "rendered again: train-000003: "]),
        (move(2), [f"drawn again: {S}.onset_sample: found", "rendered again: train-000003: "]),
        (move(-100_000), [f"graph: {S}.onset_sample: found"]),
        (louder, [f"drawn again: {S}.gain_db: found", "rendered again: train-000003: "]),
        (twice, ["graph: train-000003: sounds: found tone-", "drawn again: train-000003"]),
        (set_sound(gain_db=float("nan")), [f"graph: {S}.gain_db: found nan, expected a finite number"]),
        (set_sound(gain_db=float("inf")), [f"graph: {S}.gain_db: found inf, expected a finite number"]),
        (set_sound(gain_db=None), [f"graph: {S}: found no gain_db"]),
        (set_sound(onset_sample=None), [f"graph: {S}: found no onset_sample"]),
        (set_sound(sound_id="tone-999"), [f"graph: {S}.sound_id: found 'tone-999', expected a sound of the bank"]),
        (set_sound(n_samples=77), [f"graph: {S}.duration_s", f"graph: {S}.n_samples: found 77"]),
        (set_sound(duration_s=float("nan")), [f"graph: {S}.duration_s: found nan"]),
        (put("sounds", []), ["graph: train-000003: sounds: found [], expected more"]),
        (put("sounds", None), ["graph: train-000003: sounds: found None, expected more"]),
        (fewer, ["drawn again: train-000003: sounds: found"]),
        (put("n_samples", 10), ["graph: train-000003: n_samples_dry, n_samples: found"]),
        (put("n_samples", 2**60), ["graph: train-000003: n_samples_dry, n_samples: found"]),
        (put_in("reverb", "seed", -5), ["graph: train-000003: reverb.seed: found -5"]),
        (put_in("reverb", "rt60_s", -1e300), ["drawn again: train-000003: reverb.rt60_s: found"]),
        (put_in("audio", "path", "../x"), ["audio: train-000003: audio.path: found '../x'"]),
        (put("n_samples_dry", None), ["graph: train-000003: n_samples_dry: found None"]),
        (put("scene_id", "train-000004"), ["graph: train-000003: scene_id: found 'train-000004'"]),
        (put("split", "test"), ["graph: train-000003: split: found 'test', expected 'train'"]),
        (put("domain", None), ["graph: train-000003: domain: found None"]),
        (put("sample_rate", 16000), ["graph: train-000003: sample_rate: found 16000"]),
        (put("reverb", None), ["graph: train-000003: n_samples", "drawn again: train-000003: reverb: found None"]),
        (put("noise", None), ["drawn again: train-000003: noise: found None", "rendered again: train-000003: "]),
        (put_in("reverb", "rt60_s", float("nan")), ["graph: train-000003: reverb.rt60_s: found nan"]),
        (put_in("reverb", "seed", None), ["graph: train-000003: reverb.seed: found None"]),
        (put_in("noise", "seed", 5), ["drawn again: train-000003: noise.seed: found 5"]),
        (put_in("noise", "level_dbfs", -40.0), ["drawn again: train-000003: noise.level_dbfs: found -40.0"]),
        (exchange(), ["graph: train-000003: scene_id: found 'train-000004'", "drawn again: train-000004"]),
        (exchange("audio"), ["audio: train-000003: audio: found", "rendered again: train-000004"]),
        (exchange("audio", "rendered"), ["audio: train-000003: audio: found", "rendered again: train-000003: "]),
        (exchange("sounds", "reverb", "noise"), ["drawn again: train-000003: "]),
        (put("audio", None), ["audio: train-000003: no audio in 1 of the 8 scenes"]),
        (put("rendered", None), ["audio: train-000003: no audio in 1 of the 8 scenes"]),
        (put_in("audio", "bytes", None), ["audio: train-000003: no audio in 1 of the 8 scenes"]),
        (put_in("audio", "bytes", b"fLaC, and no more"), ["audio: train-000003: audio: found another format"]),
        (put_in("rendered", "pcm_sha256", "0" * 64), ["audio: train-000003: audio: found other samples than"]),
        (put_in("rendered", "pcm_sha256", None), ["audio: train-000003: audio: found other samples than"]),
        (put_in("rendered", "scale_db", -3.0), ["rendered again: train-000003: rendered.scale_db: found -3.0"]),
        (put_in("rendered", "peak_dbfs", None), ["rendered again: train-000003: rendered.peak_dbfs: found None"]),
    ],
)
@pytest.mark.usefixtures("inline")
def test_an_altered_scene_is_found_though_every_hash_was_adapted(
    data: Path, change: Callable[[list[Row]], None], findings: list[str]
) -> None:
    rewrite(data, change)
    lines = found(data)
    for finding in findings:
        assert any(line.startswith(finding) for line in lines), lines
    touched = ("train-000003", "train-000004") if change.__qualname__.startswith("exchange") else ("train-000003",)
    assert all(any(f" {where}: " in line for where in (*touched, "1 scene")) for line in lines), lines


@pytest.mark.usefixtures("inline")
def test_one_sample_is_the_rounding_of_another_machine_unless_the_scene_is_rendered(data: Path) -> None:
    rewrite(data, move(1))
    from_another_machine(data)
    result = validate(data, 0, 1, silent)
    assert (result.findings, result.counts["drawn within rounding"]) == ([], 1)


def from_another_machine(data: Path) -> None:
    """As if it had been finished elsewhere, the card included."""
    stored = json.loads((data / "clear.json").read_text())
    seal(data, environment={**stored["environment"], "cpu": "another"})
    (data / "README.md").unlink()
    finish(data, KIND)
    seal(data)


def pcm_of(row: Row) -> np.ndarray:
    return soundfile.read(BytesIO(row["audio"]["bytes"]), dtype="int16")[0]


def put_pcm(row: Row, pcm: np.ndarray, rate: int = RATE) -> None:
    row["audio"]["bytes"] = encode_flac(pcm, rate)
    row["rendered"]["pcm_sha256"] = sha256_pcm(pcm)


def nudge(steps: int) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        pcm = pcm_of(rows[3])
        pcm[1000] += steps
        put_pcm(rows[3], pcm)

    return change


@pytest.mark.parametrize(
    ("steps", "same_machine", "findings"),
    [
        (1, True, ["rendered again: 1 scene: within 1 LSB, expected identical on the same machine"]),
        (1, False, []),
        (2, True, ["rendered again: train-000003: 1 of {n} samples differ, by up to 2 steps of 16 bit"]),
        (-2, False, ["rendered again: train-000003: 1 of {n} samples differ, by up to 2 steps of 16 bit"]),
    ],
)
@pytest.mark.usefixtures("inline")
def test_one_step_of_16_bit_is_allowed_on_another_machine_only(
    data: Path, steps: int, same_machine: bool, findings: list[str]
) -> None:
    rewrite(data, nudge(steps))
    if not same_machine:
        from_another_machine(data)
    n = pq.read_table(data / TRAIN, columns=["n_samples"]).column(0)[3].as_py()
    result = validate(data, None, 1, silent)
    assert list(map(line, result.findings)) == [finding.format(n=n) for finding in findings]
    assert result.counts["rendered within 1 LSB"] == (abs(steps) == 1)
    assert result.counts["rendered identical"] == 11


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: put_pcm(rows[3], pcm_of(rows[3])[:-1]), "samples, expected"),
        (lambda rows: put_pcm(rows[3], pcm_of(rows[3]), 16000), "found 16000 Hz, expected 8000 Hz"),
        (lambda rows: put_pcm(rows[3], np.stack([pcm_of(rows[3])] * 2, axis=1)), "found 2 channels, expected 1"),
        (lambda rows: put_pcm(rows[3], 0 * pcm_of(rows[3])), "samples differ"),
    ],
)
@pytest.mark.usefixtures("inline")
def test_audio_of_another_kind(data: Path, change: Callable[[list[Row]], None], problem: str) -> None:
    rewrite(data, change)
    assert any(problem in line for line in found(data))


@pytest.mark.usefixtures("inline")
def test_the_same_samples_in_another_flac_file_are_fine_on_another_machine_only(data: Path) -> None:
    def encode_again(rows: list[Row]) -> None:
        buffer = BytesIO()
        with soundfile.SoundFile(buffer, "w", RATE, 1, "PCM_16", format="FLAC", compression_level=1.0) as file:
            file.write(pcm_of(rows[3]))
        assert buffer.getvalue() != rows[3]["audio"]["bytes"]
        rows[3]["audio"]["bytes"] = buffer.getvalue()

    rewrite(data, encode_again)
    assert found(data) == ["rendered again: train-000003: audio: found other FLAC bytes for the same samples"]
    from_another_machine(data)
    assert found(data) == []


# --- whole files, every hash adapted ----------------------------------------------------------------------------------


def write_scenes(folder: Path, table: pa.Table, row_group: int = 100) -> None:
    with parquet_writer(folder / TRAIN, table.schema, audio=True) as writer:
        writer.write_table(table, row_group)
    seal(folder)


@pytest.mark.parametrize(
    ("change", "row_group", "problem"),
    [
        (lambda table: table.drop(["noise"]), 100, "found other columns or metadata"),
        (lambda table: table.append_column("x", pa.array(range(8))), 100, "found other columns or metadata"),
        (lambda table: table.slice(0, 7), 100, "found 7 scenes in 1 row groups, expected 8 in 1"),
        (lambda table: table, 4, "found 8 scenes in 2 row groups, expected 8 in 1"),
        (lambda table: table.replace_schema_metadata({}), 100, "found no clear_gen metadata"),
        (lambda table: table.cast(scene_schema(_attributes(), RATE, "0" * 64)), 100, "found scenes of another dataset"),
    ],
)
@pytest.mark.usefixtures("inline")
def test_a_scene_file_of_another_shape(
    data: Path, change: Callable[[pa.Table], pa.Table], row_group: int, problem: str
) -> None:
    write_scenes(data, change(pq.read_table(data / TRAIN)), row_group)
    lines = found(data)
    assert len(lines) == 1
    assert lines[0].startswith("schema: scenes train-000000 to train-000007: ")
    assert problem in lines[0]


def _attributes() -> Any:
    from clear_gen.scenes.domain import load_domain

    return load_domain("clear2").attributes


@pytest.mark.usefixtures("inline")
def test_another_bank_than_the_scenes_were_made_from(data: Path) -> None:
    bank = small_banks()["test"]
    write_bank(replace(bank, sounds=bank.sounds[:-1]), data / "bank/test.parquet")
    seal(data)
    assert found(data) == [f"banks: test: {data}/bank/test.parquet: found another bank than the scenes were made from"]


def leaking(gain: float, shift: int, seed: int) -> dict[str, Bank]:
    """The banks, with a training recording times a gain, some samples later, under noise, in place of a test sound."""
    banks = small_banks()
    original, place = banks["train"].sounds[7].waveform, 4
    later = np.concatenate([np.zeros(shift, np.float32), gain * original])
    later += 1e-4 * np.random.default_rng(seed).standard_normal(len(later)).astype(np.float32)
    pcm = to_pcm16(later)
    sounds = list(banks["test"].sounds)
    sounds[place] = replace(sounds[place], pcm=pcm, pcm_sha256=sha256_pcm(pcm))
    assert np.abs(from_pcm16(pcm)).max() < 1
    return {**banks, "test": replace(banks["test"], sounds=tuple(sounds))}


@pytest.mark.parametrize(("gain", "shift"), [(0.5, 0), (-0.3, 200)])
@pytest.mark.usefixtures("inline")
def test_a_training_recording_in_the_test_bank_is_found(
    tmp_path: Path, gain: float, shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clear_gen.datasets.scenes.banks.check_leaks", lambda *_: None)  # as a version without it
    folder = make_scenes(tmp_path, "--n", "12", banks=leaking(gain, shift, 1), audio=False)
    lines = found(folder, 0)
    assert len(lines) == 1
    assert lines[0].startswith("banks: test pair-004: is the training recording tone-007 (residual ")


@pytest.mark.usefixtures("inline")
def test_another_version_of_the_generator_is_remarked_and_nothing_drawn_again(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = json.loads((data / "clear.json").read_text())
    identity = {**stored["identity"], "generator": "clear-gen 0.0.9"}
    identity_sha256 = sha256_json(identity)
    for name in [name for name in stored["files"] if name.startswith("scenes/")]:
        table = pq.read_table(data / name)
        with parquet_writer(data / name, scene_schema(_attributes(), RATE, identity_sha256), audio=True) as writer:
            writer.write_table(table.cast(scene_schema(_attributes(), RATE, identity_sha256)))
    seal(data, identity=identity)
    assert run(["validate", str(data), "--all"]) == DONE
    shown = capsys.readouterr().out
    assert "note: not drawn again: made by clear-gen 0.0.9, another version" in shown.splitlines()
    assert "drawn again" in shown
    assert "identical 0, within rounding 0, different 0" in shown
    assert "identical 12, within 1 LSB 0, different 0" in shown


@pytest.mark.usefixtures("inline")
def test_findings_are_summed_up_by_cause() -> None:
    result = Validation(looked_at={"graph": "205 scenes"})
    for number in range(200):
        result.find("graph", f"train-{number:06d}", f"n_samples: found {number}, expected {number + 1}")
    result.find("graph", "train-000200", "sounds[0]: found no sound_id")
    table, rest = list(outcome_lines(result))[:2], list(outcome_lines(result))[2:]
    assert table[1].endswith("201")
    assert rest == [
        "graph: train-000000: n_samples: found 0, expected 1 "
        "(and 199 more such: train-000001, train-000002, train-000003, train-000004, …)",
        "graph: train-000200: sounds[0]: found no sound_id",
    ]


def test_of_very_many_causes_the_first_are_shown() -> None:
    result = Validation()
    for number in range(SHOWN_CAUSES + 5):
        result.find(f"check {number}", "train-000000", "wrong")
    assert list(outcome_lines(result))[-1] == "and 5 more causes; --json lists all"


@pytest.mark.usefixtures("inline")
def test_json_lists_every_finding(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "scenes/more.parquet").write_bytes(b"more")
    assert run(["validate", str(data), "--json"]) == FAILED
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["dataset"], found["valid"]) == (1, data.name, False)
    assert {"check": "files", "looked_at": "6 files", "wrong": 1} in found["checks"]
    finding = {"where": "scenes/more.parquet", "problem": "found a file that is none of this dataset's"}
    assert found["causes"] == [{"check": "files", "n": 1, "findings": [finding]}]


def test_a_clear_json_of_something_else_fails_in_one_line(data: Path) -> None:
    for content in ("", "[]", "{}", "null", '{"identity": {}, "environment": {}, "files": {}}', "\x00"):
        (data / "clear.json").write_text(content)
        with pytest.raises(CheckFailed, match=r"clear\.json: ") as caught:
            validate(data, 0, 1, silent)
        assert "\n" not in str(caught.value)
