"""The published CLEAR layout: what we write others read, what others wrote we read, and nothing is lost between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.clear_format.layout import PublishedBank, answers, export_clear, published_scene
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.scenes.domain import Domain
from clear_gen.sounds.bank import Bank
from clear_gen.store.exports import DONE, MARKER
from tests.datasets.scenes.published import (
    RATE,
    altered,
    edit,
    graphs,
    hashes,
    make,
    read_in,
    rows,
    scenes_in,
    silent,
    stopping_after,
)

SIZES = {"train": 105, "validation": 4, "test": 5}
NAMES = {"train": "train", "validation": "val", "test": "test"}


@pytest.fixture(scope="module")
def settings(clear2: Domain) -> Settings:
    return Settings(SIZES, seed=3, sample_rate=RATE, levels="independent", audio=True, domain=clear2)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, settings: Settings, embedded: dict[str, Bank]) -> Path:
    return make(tmp_path_factory.mktemp("ours") / "data", settings, embedded)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, ours: Path) -> Path:
    out = tmp_path_factory.mktemp("exported") / "clear"
    export_clear(ours, out, silent)
    return out


# --- round trips ------------------------------------------------------------------------------------------------------


def test_there_and_back_gives_the_same_graphs_and_the_same_flac(
    ours: Path, exported: Path, tmp_path: Path, clear2: Domain
) -> None:
    summary = read_in(exported, tmp_path / "back", clear2)
    assert summary.scenes == summary.with_audio == SIZES
    assert summary.questions == 0
    for before, after in zip(rows(ours), rows(tmp_path / "back"), strict=True):
        assert after["audio"]["bytes"] == before["audio"]["bytes"]
        assert after["audio"]["path"] == f"CLEAR_{NAMES[before['split']]}_{before['scene_id'][-6:]}.flac"
        assert {**after, "audio": None} == {**before, "audio": None}
    for split in SIZES:
        assert graphs(tmp_path / "back", split) == graphs(ours, split)


def test_there_and_back_without_audio(
    tmp_path: Path, settings: Settings, embedded: dict[str, Bank], clear2: Domain
) -> None:
    folder = make(tmp_path / "data", replace(settings, audio=False), embedded)
    summary = export_clear(folder, tmp_path / "clear", silent)
    assert "no audio folder" in str(summary)
    assert not (tmp_path / "clear/audio").exists()
    back = read_in(tmp_path / "clear", tmp_path / "back", clear2)
    assert not any(back.with_audio.values())
    assert rows(tmp_path / "back") == rows(folder)
    identity = json.loads((tmp_path / "back/clear.json").read_text())["identity"]
    assert (identity["audio"], identity["sample_rate"], identity["seed"], identity["levels"]) == (
        False,
        RATE,
        None,
        None,
    )


def test_an_imported_dataset_exports_again_to_the_same_scenes(exported: Path, tmp_path: Path, clear2: Domain) -> None:
    read_in(exported, tmp_path / "back", clear2)
    export_clear(tmp_path / "back", tmp_path / "again", silent)
    for split in NAMES.values():
        for first, second in zip(scenes_in(exported, split), scenes_in(tmp_path / "again", split), strict=True):
            for item in (*first["objects"], *second["objects"]):
                del item["id"], item["pack"]  # they need the bank
            assert first == second


def test_without_our_key_onsets_stay_within_a_millisecond(
    ours: Path, exported: Path, tmp_path: Path, clear2: Domain
) -> None:
    shutil.copytree(exported, tmp_path / "clear")
    for split in NAMES.values():
        edit(tmp_path / "clear", split, lambda content: [one.pop("clear_gen") for one in content["scenes"]] and None)
    read_in(tmp_path / "clear", tmp_path / "back", clear2)
    for split in SIZES:
        for before, after in zip(graphs(ours, split), graphs(tmp_path / "back", split), strict=True):
            assert (after.reverb, after.noise, after.n_samples) == (None, None, before.n_samples)
            assert abs(after.n_samples_dry - before.n_samples_dry) <= RATE / 1000
            for truth, sound in zip(before.sounds, after.sounds, strict=True):
                assert (sound.sound_id, sound.gain_db) == (truth.sound_id, 0)
                assert abs(sound.onset_sample - truth.onset_sample) <= RATE / 1000
                assert abs(sound.n_samples - truth.n_samples) <= 2 * RATE / 1000
                there, here = ({**one.attributes, "duration_s": None} for one in (truth, sound))
                assert here == there
    assert all(row["rendered"]["scale_db"] is None for row in rows(tmp_path / "back"))


# --- what others read -------------------------------------------------------------------------------------------------


def test_a_reader_that_knows_only_the_published_fields(ours: Path, exported: Path, embedded: dict[str, Bank]) -> None:
    """Looks fields up as the published question generator and model code do, and compares with the truth."""
    assert sorted(path.name for path in exported.iterdir()) == [DONE, "attributes.json", "audio", "questions", "scenes"]
    families = json.loads((exported / "attributes.json").read_text())
    assert all(answer.lower() for values in families.values() for answer in values)
    for split, name in NAMES.items():
        truth = {int(graph.scene_id[-6:]): graph for graph in graphs(ours, split)}
        content = json.loads((exported / f"scenes/CLEAR_{name}_scenes.json").read_text())
        assert content["info"]["set_type"] == name
        assert {"name", "license", "version", "date"} <= content["info"].keys()
        by_index = {int(one["scene_index"]): one for one in content["scenes"]}
        assert by_index.keys() == truth.keys()
        by_id = embedded["test" if split == "test" else "train"].by_id
        bank = sorted(by_id)
        for index, one in by_index.items():
            graph = truth[index]
            assert one["scene_filename"] == f"CLEAR_{name}_{index:06d}.flac"
            relation = {other["type"]: number for number, other in enumerate(one["relationships"])}
            position = one["silence_before"]
            for number, item in enumerate(one["objects"]):
                expected = graph.sounds[number]
                for value in (position, position + item["duration"]):
                    assert type(value) is int
                assert abs(position - expected.onset_sample * 1000 / RATE) <= 0.5
                end = expected.onset_sample + expected.n_samples
                assert abs(position + item["duration"] - end * 1000 / RATE) <= 0.5
                assert item["filename"] == f"{expected.sound_id}.wav"
                assert bank[item["id"]] == expected.sound_id
                assert item["pack"] == by_id[expected.sound_id].source
                assert item["is_ref"] is True
                for attribute in ("instrument", "note", "octave", "brightness", "loudness"):
                    assert item[attribute] == expected.attributes[attribute]
                assert one["relationships"][relation["before"]]["indexes"][number] == list(range(number))
                after = list(range(number + 1, len(one["objects"])))
                assert one["relationships"][relation["after"]]["indexes"][number] == after
                position += item["duration"] + item["silence_after"]
            assert abs(position - graph.n_samples_dry * 1000 / RATE) <= 0.5
            samples, rate = soundfile.read(exported / "audio" / name / one["scene_filename"])
            assert (rate, len(samples)) == (RATE, graph.n_samples)
        assert json.loads((exported / f"questions/CLEAR_{name}_questions.json").read_text())["questions"] == []


def test_positions_stay_within_half_a_millisecond_at_any_rate() -> None:
    rng = np.random.default_rng(0)
    for rate in (8000, 11025, 22050, 44100, 48000, 96000):
        lengths, gaps = rng.integers(rate // 5, rate, 64), rng.integers(0, rate // 4, 65)
        onsets = np.cumsum(gaps[:-1]) + np.concatenate([[0], np.cumsum(lengths)[:-1]])
        sounds = [
            {"sound_id": "a", "onset_sample": int(start), "n_samples": int(n), "gain_db": 0.0, "duration_s": n / rate}
            for start, n in zip(onsets, lengths, strict=True)
        ]
        row = dict.fromkeys(("domain", "reverb", "noise", "rendered"))
        row |= {"scene_id": "test-000000", "split": "test", "sample_rate": rate, "sounds": sounds}
        row |= {"n_samples": 1, "n_samples_dry": int(onsets[-1] + lengths[-1] + gaps[-1])}
        one = published_scene(row, 0, PublishedBank({"a": 0}, {}))
        position = one["silence_before"]
        for sound, item in zip(sounds, one["objects"], strict=True):
            assert abs(position - sound["onset_sample"] * 1000 / rate) <= 0.5
            position += item["duration"] + item["silence_after"]
        assert abs(position - row["n_samples_dry"] * 1000 / rate) <= 0.5


def test_overlapping_and_unknown_sounds_are_refused() -> None:
    sounds = [{"sound_id": "a", "onset_sample": k, "n_samples": 800, "gain_db": 0.0} for k in (0, 700)]
    row = dict.fromkeys(("domain", "reverb", "noise", "rendered"))
    row |= {
        "scene_id": "s",
        "split": "test",
        "sample_rate": 8000,
        "sounds": sounds,
        "n_samples": 1,
        "n_samples_dry": 1600,
    }
    with pytest.raises(InputError, match="overlapping"):
        published_scene(row, 0, PublishedBank({"a": 0}, {}))
    with pytest.raises(InputError, match="found 'a', expected a sound of the bank"):
        published_scene(row, 0, PublishedBank({}, {}))


@pytest.mark.shared
def test_answers_are_those_of_the_published_file(shared: Path, clear2: Domain) -> None:
    published = json.loads((shared / "clear-layout-sample/attributes.json").read_text())
    ours = answers(clear2, 15)
    assert ours.keys() == published.keys()
    assert {name: set(values) for name, values in ours.items()} == {name: set(v) for name, v in published.items()}
    assert [ours[name] for name in ours if "position" in name] == [
        published[name] for name in ours if "position" in name
    ]


# --- interrupted, refused ---------------------------------------------------------------------------------------------


def test_an_export_that_stopped_is_no_whole_one_and_goes_on(ours: Path, exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "clear"
    with pytest.raises(RuntimeError, match="stopped"):
        export_clear(ours, out, stopping_after(107))
    assert [path.name for path in out.rglob("*_scenes.json")] == ["CLEAR_train_scenes.json"]
    assert (out / MARKER).exists()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.flac")}
    export_clear(ours, out, silent)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert hashes(out) == hashes(exported)


def test_an_export_leaves_other_files_alone(ours: Path, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "clear").mkdir()
    (tmp_path / "clear/thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="found files in it, expected a new or an empty folder"):
        export_clear(ours, tmp_path / "clear", silent)
    assert hashes(tmp_path / "clear").keys() == {"thesis.txt"}
    export_clear(ours, tmp_path / "clear", silent, overwrite=True)
    found = hashes(tmp_path / "clear")
    assert found.pop("thesis.txt")
    assert found == hashes(exported)
    with pytest.raises(InputError, match="lies inside the dataset"):
        export_clear(ours, ours / "clear", silent, overwrite=True)


def test_overwriting_an_export_leaves_nothing_of_the_older_one(
    exported: Path, tmp_path: Path, settings: Settings, embedded: dict[str, Bank]
) -> None:
    smaller = replace(settings, sizes={"train": 1, "validation": 0, "test": 0})
    one = make(tmp_path / "one", smaller, {"train": embedded["train"]})
    shutil.copytree(exported, tmp_path / "out")
    export_clear(one, tmp_path / "out", silent, overwrite=True)
    export_clear(one, tmp_path / "alone", silent)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "alone")


def test_overwriting_removes_nothing_while_the_source_cannot_be_read(
    ours: Path, exported: Path, tmp_path: Path
) -> None:
    shutil.copytree(ours, tmp_path / "damaged")
    next((tmp_path / "damaged/scenes").glob("test-*")).write_bytes(b"PAR1")
    shutil.copytree(exported, tmp_path / "out")
    (tmp_path / "out/questions/CLEAR_train_questions_mine.json").write_text("mine")
    before = hashes(tmp_path / "out")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        export_clear(tmp_path / "damaged", tmp_path / "out", silent, overwrite=True)
    assert {name: sha for name, sha in hashes(tmp_path / "out").items() if name != MARKER} == before


def test_importing_into_the_source_is_refused(exported: Path, clear2: Domain) -> None:
    before = hashes(exported)
    with pytest.raises(InputError, match="lies inside"):
        read_in(exported, exported / "in", clear2)
    assert hashes(exported) == before


def test_a_row_that_would_be_written_elsewhere_is_refused(ours: Path, tmp_path: Path) -> None:
    shutil.copytree(ours, tmp_path / "data")
    path = tmp_path / "data/scenes/test-00000-of-00001.parquet"
    table = pq.read_table(path)
    column = table.column("scene_id").to_pylist()
    pq.write_table(table.set_column(0, table.schema.field(0), [["../../elsewhere", *column[1:]]]), path)
    with pytest.raises(InputError, match=r"scene_id: found '../../elsewhere', expected 'test-000000'"):
        export_clear(tmp_path / "data", tmp_path / "clear", silent)


def twice_as_fast(own: dict[str, Any]) -> None:
    for part, names in [(own, ("sample_rate", "n_samples", "n_samples_dry"))] + [
        (sound, ("onset_sample", "n_samples")) for sound in own["sounds"]
    ]:
        part.update({name: 2 * part[name] for name in names})


EXACT_BROKEN: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    (r"sample_rate: found '8000', expected a whole number", lambda own: own.update(sample_rate="8000")),
    (r"n_samples_dry: found .*, expected about", lambda own: own.update(sample_rate=16000)),
    (r"sample_rate: found 16000, expected 8000", twice_as_fast),
    (r"n_samples: found -1", lambda own: own.update(n_samples=-1)),
    (r"n_samples: found .*, as long as CLEAR_test_000001.flac", lambda own: own.update(n_samples=own["n_samples"] + 1)),
    (r"n_samples_dry: found 1, expected about", lambda own: own.update(n_samples_dry=1)),
    (r"n_samples_dry: found .*, expected at most n_samples", lambda own: own.update(n_samples_dry=10**6)),
    (r"scene_id: found 'test-000000', expected test-000001", lambda own: own.update(scene_id="test-000000")),
    (r"domain: found 'birds', expected clear2", lambda own: own.update(domain="birds")),
    (r"sounds: found 2, expected as many", lambda own: own.update(sounds=own["sounds"][:2])),
    (r"sounds\[1\].sound_id: found 'other'", lambda own: own["sounds"][1].update(sound_id="other")),
    (r"sounds\[1\].onset_sample: found .*, expected about", lambda own: own["sounds"][1].update(onset_sample=77)),
    (r"onset_sample \+ n_samples: found .*", lambda own: own["sounds"][1].update(n_samples=1)),
    (r"sounds\[1\].gain_db: found nan", lambda own: own["sounds"][1].update(gain_db=float("nan"))),
    (r"reverb.rt60_s: found 'x'", lambda own: own["reverb"].update(rt60_s="x")),
    (r"reverb.seed: found nothing", lambda own: own["reverb"].pop("seed")),
    (r"noise: found \[\]", lambda own: own.update(noise=[])),
    (r"rendered.pcm_sha256: found 'ab', expected", lambda own: own["rendered"].update(pcm_sha256="ab")),
]


@pytest.mark.parametrize(("message", "change"), EXACT_BROKEN, ids=[message for message, _ in EXACT_BROKEN])
def test_our_key_must_agree_with_the_published_fields(
    exported: Path, tmp_path: Path, clear2: Domain, message: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    for name in ("scenes", "audio"):
        (tmp_path / "clear" / name).mkdir(parents=True)
    shutil.copy(exported / "scenes/CLEAR_test_scenes.json", tmp_path / "clear/scenes")
    shutil.copytree(exported / "audio/test", tmp_path / "clear/audio/test")
    edit(tmp_path / "clear", "test", lambda content: change(altered(content)["clear_gen"]))
    with pytest.raises(InputError, match=message) as raised:
        read_in(tmp_path / "clear", tmp_path / "data", clear2)
    assert len(str(raised.value).splitlines()) == 1
