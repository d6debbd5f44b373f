"""Datasets of mixtures on disk: the same bytes however they are made; nothing lost, nothing overwritten."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import clear_gen
from clear_gen.core.errors import InputError
from clear_gen.core.pcm import decode_flac, from_pcm16, from_pcm24, sha256_pcm, to_pcm16
from clear_gen.datasets.mixtures.build import create_mixtures
from clear_gen.datasets.mixtures.load import load_mixture, load_mixtures
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.datasets.mixtures.records import MixtureMaker, stems_pcm24
from clear_gen.datasets.mixtures.source_tables import read_sources
from clear_gen.datasets.mixtures.statistics import mixture_statistics
from clear_gen.datasets.mixtures.validate import validate_mixtures
from clear_gen.dsp.levels import rms_dbfs
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.recordings.dcase_scenes import LICENCE as TAMPERE
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.mixtures.render import MixtureAudio, render_mixture
from clear_gen.store.build import Execution
from clear_gen.store.chunks import BuildContext
from tests.datasets.runs import hashes
from tests.mixtures.data import LABELS, N_FOLDS, RATE, make, silent, small_settings, write_corpus

FILE = "{config}/fold{fold}-00000-of-00001.parquet"


# --- what it holds ----------------------------------------------------------------------------------------------------


def test_layout_on_disk(reference: Path, corpus: Path) -> None:
    configs = ("mixtures-snr0", "mixtures-snr10", "stems-snr0", "stems-snr10")
    folds = range(1, N_FOLDS + 1)
    assert sorted(hashes(reference)) == sorted(
        [
            "README.md",
            "clear.json",
            "sources/backgrounds.parquet",
            "sources/events.parquet",
            *(FILE.format(config=config, fold=fold) for config in configs for fold in folds),
            *(f"annotations/fold{fold}.{kind}.tsv" for fold in folds for kind in ("strong", "weak")),
        ]
    )
    metadata = pq.ParquetFile(reference / FILE.format(config="stems-snr0", fold=2)).metadata
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [100, 5]
    stored = json.loads((reference / "clear.json").read_text())
    assert stored["identity"]["kind"] == "mixtures"
    assert sorted(stored["files"]) == sorted(name for name in hashes(reference) if name != "clear.json")
    for path in reference.rglob("*"):
        assert not path.is_file() or str(corpus).encode() not in path.read_bytes(), path


def test_the_tables_of_sources_name_every_recording(reference: Path, corpus: Path) -> None:
    events, under = (read_sources(reference / f"sources/{kind}.parquet") for kind in ("events", "backgrounds"))
    assert [(row.source_id, row.label) for row in events] == [
        (f"{name}/{k}.wav", name) for name in LABELS for k in (0, 1, 2)
    ]
    assert all(row.n_bytes == (corpus / "events" / row.source_id).stat().st_size for row in events)
    assert len({row.fingerprint for row in (*events, *under)}) == 9 + 6
    assert {row.label for row in under} == {None}
    assert {row.licence for row in (*events, *under)} == {"unknown"}


def test_records_are_what_rendering_gives(reference: Path, corpus: Path) -> None:
    sources = Sources(read_events(corpus / "events"), read_backgrounds(corpus / "under"), RATE)
    for snr_db in (0, 10):
        for mixture in list(clear_gen.open_dataset(reference).mixtures(snr_db, 2))[97:102]:
            audio = render_mixture(mixture.graph, sources)
            assert np.array_equal(to_pcm16(audio.mixture), to_pcm16(mixture.waveform))
            assert mixture.sample_rate == RATE
            assert np.abs(audio.background + audio.events - audio.mixture).max() < 1e-6


def test_one_plan_for_all_snrs(reference: Path) -> None:
    for quiet, loud in zip(load_mixtures(reference, 0), load_mixtures(reference, "mixtures-snr10"), strict=True):
        assert loud.graph.background == quiet.graph.background
        for event, other in zip(quiet.graph.events, loud.graph.events, strict=True):
            same = {name: getattr(event, name) for name in ("gain_db", "snr_nominal_db", "snr_achieved_db")}
            assert replace(other, **same) == event
            assert other.gain_db - event.gain_db == pytest.approx(10, abs=1e-4)


def test_snrs_measured_in_the_stored_stems(reference: Path) -> None:
    for snr_db in (0, 10):
        for fold in range(1, N_FOLDS + 1):
            stems = pq.read_table(reference / FILE.format(config=f"stems-snr{snr_db}", fold=fold)).to_pylist()
            for (graph, waveform, _), row in zip(load_mixtures(reference, snr_db, fold), stems, strict=True):
                assert row["mixture_id"] == graph.mixture_id
                under, over = (
                    from_pcm24(decode_flac(row[name]["bytes"], name, 24)[0]) for name in ("background", "events")
                )
                assert np.abs(under + over - waveform).max() < 1e-6
                silent = np.ones(len(over), bool)
                for event in graph.events:
                    extent = graph.extent(event)
                    silent[extent] = False
                    assert rms_dbfs(over[extent]) - rms_dbfs(under[extent]) == pytest.approx(snr_db, abs=0.05)
                assert not over[silent].any()


@given(st.sampled_from(["default", "kong2018"]), st.integers(0, 2**32 - 1), st.floats(-90, 0))
def test_stems_add_up_to_the_stored_mixture(recipe: str, seed: int, level_db: float) -> None:
    """However quiet the background is, and where it fills the whole scale."""
    rng = np.random.default_rng(seed)
    events = rng.uniform(-1, 1, 200).astype(np.float32)
    background = (10 ** (level_db / 20) * rng.choice([-1, 1, 0.3], 200)).astype(np.float32)
    if recipe == "default":
        background, events = background / 2, events / 2
    mixture = (background + events) * np.float32(0.5 if recipe == "kong2018" else 1)
    stems = stems_pcm24(MixtureAudio(mixture, background, events, (), 0.0), recipe)
    total = from_pcm24(stems["background"]).astype(float) + from_pcm24(stems["events"])
    waveform = from_pcm16(to_pcm16(mixture))
    assert np.abs(total / (2 if recipe == "kong2018" else 1) - waveform).max() < 2e-7
    assert np.abs(from_pcm24(stems["events"]) - events).max() < 1e-7
    assert np.abs(from_pcm24(stems["background"]) - background).max() < 1.01 / 32767
    assert max(np.abs(one).max() for one in stems.values()) < 2**23


def test_folds_share_no_recording_and_have_every_label_equally_often(reference: Path) -> None:
    used: dict[str, set[int]] = {}
    counts: Counter[tuple[int, str]] = Counter()
    for graph, _, _ in load_mixtures(reference):
        counts.update((graph.fold, event.label) for event in graph.events)
        for source_id in (f"under/{graph.background.source_id}", *(event.source_id for event in graph.events)):
            used.setdefault(source_id, set()).add(graph.fold)
    assert all(len(folds) == 1 for folds in used.values())
    assert len(counts) == N_FOLDS * len(LABELS)
    assert set(counts.values()) == {70}


def test_statistics_and_card(reference: Path, settings: MixtureSettings) -> None:
    found = mixture_statistics(reference, settings)
    assert found.mixtures == {f"fold{k}": 105 for k in (1, 2, 3)}
    assert found.hours == pytest.approx(315 / 3600)
    assert found.achieved["mixtures-snr10"] == pytest.approx((10, 10, 10), abs=0.05)
    card = (reference / "README.md").read_text()
    assert "config_name: stems-snr10" in card
    assert "| bell | 70 (1) | 70 (1) | 70 (1) |" in card
    assert "must not be published" not in card


def test_a_card_says_what_must_not_be_published(corpus: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in (corpus / "under").iterdir())
    table, folder = corpus / "under.csv", tmp_path / "data"
    table.write_text("filename,licence\n" + "".join(f'{name},"{TAMPERE}"\n' for name in names))
    sounds = (read_events(corpus / "events"), read_backgrounds(table))
    create_mixtures(folder, small_settings(1, stems=False, snrs=(0.0,)), *sounds, Execution())
    card = (folder / "README.md").read_text()
    assert "must not be published" in card
    assert f"| backgrounds | {TAMPERE} | 6 | 6 |" in card


def test_datasets_reads_the_folder_as_it_lies(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cache = str(tmp_path / "cache")
    read = datasets.load_dataset(str(reference), "mixtures-snr10", cache_dir=cache)
    assert {split: rows.num_rows for split, rows in read.items()} == {f"fold{k}": 105 for k in (1, 2, 3)}
    row = read["fold2"][104]
    pcm, _ = decode_flac(row["audio"]["bytes"], "audio")
    assert sha256_pcm(pcm) == row["rendered"]["pcm_sha256"]
    sources = datasets.load_dataset(str(reference), "sources", cache_dir=cache)
    assert sources["events"].num_rows == 9


# --- other recipes and rules ------------------------------------------------------------------------------------------


def test_rules_that_draw_the_snr_make_one_config(corpus: Path, tmp_path: Path) -> None:
    rules = {"snr_db": {"uniform": [-5, 5]}, "n_events": {"uniform": [0, 2]}}
    folder = make(tmp_path / "data", corpus, small_settings(20, snrs=(), **rules))
    graphs = [graph for graph, _, _ in load_mixtures(folder)]
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"annotations", "mixtures", "sources", "stems"}
    assert len({event.snr_nominal_db for graph in graphs for event in graph.events}) > 20
    empty = [graph.mixture_id for graph in graphs if not graph.events]
    assert empty
    text = "".join((folder / f"annotations/fold{k}.strong.tsv").read_text() for k in (1, 2, 3))
    assert all(f"{name}.flac\t\t\t\n" in text for name in empty)


def test_the_published_recipe(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 6)
    rng = np.random.default_rng(1)
    for path in (tmp_path / "corpus/under").iterdir():
        soundfile.write(path, 0.1 * rng.standard_normal(10 * RATE), RATE)
    settings = small_settings(2, recipe="kong2018", snrs=(0.0,), seed=0)
    folder = make(tmp_path / "data", tmp_path / "corpus", settings)
    mixtures = list(load_mixtures(folder))
    assert [len(waveform) for _, waveform, _ in mixtures] == [10 * RATE] * 6
    assert {tuple(event.onset_s for event in graph.events) for graph, _, _ in mixtures} == {(0.5, 3.0, 5.5)}
    assert json.loads((folder / "clear.json").read_text())["identity"]["rules"] is None
    stems = pq.read_table(folder / FILE.format(config="stems-snr0", fold=1)).to_pylist()
    for (_, waveform, _), row in zip(load_mixtures(folder, fold="fold1"), stems, strict=True):
        waves = [from_pcm24(decode_flac(row[name]["bytes"], name, 24)[0]) for name in ("background", "events")]
        assert np.abs((waves[0] + waves[1]) / 2 - waveform).max() < 1e-6


@pytest.mark.parametrize("legacy_repeat", [False, True])
def test_the_published_recipe_goes_by_the_order_of_the_tables(tmp_path: Path, legacy_repeat: bool) -> None:
    """As the published code draws them: rows of the events' and of the backgrounds' table, not sorted names."""
    rng = np.random.default_rng(2)
    names = [f"{k:02d}.wav" for k in rng.permutation(12)]
    for name in names:
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal(10 * RATE), RATE)
    (tmp_path / "events.csv").write_text("filename,label\n" + "".join(f"{name},dog\n" for name in names))
    (tmp_path / "under.csv").write_text("filename\n" + "".join(f"{name}\n" for name in reversed(names)))
    sounds, under = read_events(tmp_path / "events.csv"), read_backgrounds(tmp_path / "under.csv")
    settings = small_settings(3, recipe="kong2018", n_folds=2, snrs=(0.0,), stems=False, legacy_repeat=legacy_repeat)
    folder = tmp_path / "data"
    create_mixtures(folder, settings, sounds, under, Execution())

    rows, draws = np.arange(12), np.random.RandomState(1234)
    np.random.RandomState(1234).shuffle(rows)
    scenes = np.array(names[::-1])
    draws.shuffle(scenes)
    for fold in (1, 2):
        pool = np.sort(rows[fold - 1 :: 2])
        passes = []
        for _ in range(2):
            draws.shuffle(pool)
            passes += [pool if legacy_repeat else pool.copy()]
        graphs = [mixture.graph for mixture in load_mixtures(folder, fold=fold)]
        heard = [event.source_id for graph in graphs for event in graph.events]
        assert heard == [names[row] for row in np.concatenate(passes)[:9]]
        assert [graph.background.source_id for graph in graphs] == list(scenes[3 * fold - 3 : 3 * fold])
    validated = validate_mixtures(folder, (sounds, under), None, 1, silent)
    assert validated.findings == []
    with pytest.raises(InputError, match="found other recordings"):
        validate_mixtures(folder, (sounds[::-1], under), None, 1, silent)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_reading_one_fold_and_one_mixture(reference: Path) -> None:
    assert [graph.mixture_id for graph, _, _ in load_mixtures(reference, 10, 3)] == [
        f"fold3-{k:06d}" for k in range(105)
    ]
    one = load_mixture(reference, 10, "fold3-000101")
    assert np.array_equal(one.waveform, list(load_mixtures(reference, 10.0, "fold3"))[101].waveform)
    assert load_mixture(reference).graph.mixture_id == "fold1-000000"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"snr": 5}, "SNR: found 5, expected one of: mixtures-snr0, mixtures-snr10"),
        ({"snr": "loud"}, "SNR: found 'loud'"),
        ({"fold": 4}, "fold: found 4, expected one of: fold1, fold2, fold3"),
    ],
)
def test_what_cannot_be_read(reference: Path, how: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_mixtures(reference, **how)


def test_scenes_and_mixtures_are_told_apart(reference: Path) -> None:
    with pytest.raises(InputError, match="found a dataset of mixtures"):
        clear_gen.open_dataset(reference).scenes("train")


def test_a_job_knows_the_schema_of_each_config(settings: MixtureSettings) -> None:
    work = MixtureMaker(settings, (), ())
    job = BuildContext(Path("x"), work, True, "a", "a")
    names = {file.config: job.schema(file).names for file in settings.files}
    assert names["stems-snr0"] == ["mixture_id", "fold", "background", "events"]
    assert names["mixtures-snr0"][-2:] == ["rendered", "audio"]
