"""Waveforms of a split: those made on the device are those of ``render``, those decoded those of ``load_scenes``."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.audio.sources import open_scenes
from baselines.audio.virtual import VirtualScenes, convolved, scenes_of_table, with_fresh_rooms
from clear_gen.core.errors import InputError
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import Noise, Reverb, SceneGraph, Sound, graph_of_row, scene_schema, tail_samples
from clear_gen.scenes.render import render, render_pcm
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank, read_bank, resampled_bank
from tests.banks import bank_of, sound_of, tone_bank
from tests.baselines.audio.waveforms import CLOSE, waveforms_of
from tests.counts import examples
from tests.datasets.scenes.published import read_in, write_source
from tests.sounds import one_line, real_banks

ROOM = Reverb(0.4, 6.0, 0.02, 3000.0, 1234)
NOISE = Noise(-50.0, 99)


def assert_rendered(table: pa.Table, bank: Bank, batch: int = 3) -> list[np.ndarray]:
    """Virtual scenes of ``table`` are those of ``render``; returns them."""
    scenes = scenes_of_table(table, bank, "test")
    assert_gathered(scenes)
    found = waveforms_of(scenes, batch)
    for one, row in zip(found, table.to_pylist(), strict=True):
        expected = render(graph_of_row(row), bank)
        assert one.shape == expected.shape
        assert np.abs(one - expected).max() < CLOSE
    return found


def assert_gathered(scenes: VirtualScenes) -> None:
    """The way of a GPU adds the same sounds at the same places."""
    places = 0, len(scenes.n_samples), int(scenes.n_samples.max()), scenes.recordings
    torch.testing.assert_close(scenes.gathered(*places), scenes.added(*places), atol=CLOSE, rtol=0)


def sampled(domain: Domain, n: int = 7, bank: Bank | None = None, seed: int = 1, **spec: Any) -> pa.Table:
    bank = bank or tone_bank()
    return sample_scenes(bank, domain, SceneSpec(seed, bank.sample_rate, **spec), "train", range(n))


def with_rules(domain: Domain, **rules: Any) -> Domain:
    return domain.model_copy(update={"sampling": domain.sampling.model_copy(update=rules)})


def graph(
    bank: Bank,
    placed: list[tuple[str, int, float]],
    reverb: Reverb | None = None,
    noise: Noise | None = None,
    n_dry: int = 12_000,
    name: str = "by-hand",
) -> SceneGraph:
    """A graph of (sound id, onset, gain in dB)."""
    sounds = tuple(Sound(sound, onset, len(bank.by_id[sound].pcm), gain_db, {}) for sound, onset, gain_db in placed)
    tail = int(tail_samples(reverb.rt60_s, reverb.pre_delay_s, bank.sample_rate)) if reverb else 0
    return SceneGraph(name, "train", "clear2", bank.sample_rate, n_dry + tail, n_dry, sounds, reverb, noise)


def table_of(graphs: list[SceneGraph], domain: Domain) -> pa.Table:
    rows = [asdict(one) for one in graphs]
    for row in rows:
        for sound in row["sounds"]:
            sound |= sound.pop("attributes")
    return pa.Table.from_pylist(rows, scene_schema(domain.attributes, graphs[0].sample_rate))


# --- rendered as render does ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 5, 7, 100])
def test_scenes_of_the_default_domain(batch: int, clear2: Domain) -> None:
    assert_rendered(sampled(clear2), tone_bank(), batch)


@pytest.mark.parametrize("rules", [{"reverb": None}, {"noise": None}, {"reverb": None, "noise": None}])
def test_without_room_or_noise(rules: dict[str, None], clear2: Domain) -> None:
    assert_rendered(sampled(with_rules(clear2, **rules)), tone_bank())


@pytest.mark.parametrize("rate", [8000, 22_050, 48_000])
def test_other_sample_rates(rate: int, clear2: Domain) -> None:
    bank = resampled_bank(tone_bank(), rate)
    assert_rendered(sampled(clear2, 3, bank), bank, 2)


def test_independent_levels(clear2: Domain) -> None:
    table = sampled(clear2, levels="independent")
    assert any(sound["gain_db"] for row in table.to_pylist() for sound in row["sounds"])
    assert_rendered(table, tone_bank())


@pytest.mark.parametrize("noise", [None, NOISE, Noise(-6.0, 5)])
@pytest.mark.parametrize("reverb", [None, ROOM])
def test_one_gain_keeps_the_peak_below_full_scale(reverb: Reverb | None, noise: Noise | None, clear2: Domain) -> None:
    bank = tone_bank()
    loud = graph(bank, [("tone-000", 100, 32.0), ("tone-001", 4000, 20.0)], reverb, noise)
    soft = graph(bank, [("tone-000", 100, -40.0), ("tone-001", 4000, -40.0)], reverb, noise)
    assert render_pcm(loud, bank)[1].scale_db < -6
    assert render_pcm(soft, bank)[1].scale_db == 0
    found, beside = assert_rendered(table_of([loud, soft], clear2), bank)
    assert np.abs(found).max() <= 1 + CLOSE
    assert np.abs(beside).max() < 0.5 + (noise is not None)


def test_sounds_that_overlap_touch_or_come_in_any_order(clear2: Domain) -> None:
    bank = tone_bank()
    n = [len(bank.by_id[f"tone-00{k}"].pcm) for k in range(3)]
    placed = [
        [("tone-001", 3000, 0.0), ("tone-000", 2000, -3.0), ("tone-002", 2000, 3.0)],
        [("tone-000", 0, 0.0), ("tone-001", n[0], 0.0), ("tone-002", 12_000 - n[2], 0.0)],
        [("tone-000", 5000, 0.0), ("tone-000", 5000, 0.0), ("tone-000", 5001, 0.0)],
        [],
        [("tone-002", 0, 0.0)],
    ]
    for reverb, noise in ((None, None), (ROOM, None), (ROOM, NOISE)):
        graphs = [graph(bank, sounds, reverb, noise) for sounds in placed]
        for batch in (1, 3, 5):
            assert_rendered(table_of(graphs, clear2), bank, batch)


def test_scenes_of_all_kinds_in_one_batch(clear2: Domain) -> None:
    """Rooms of different lengths, none, noise and none, long scenes and short ones."""
    bank = tone_bank()
    rooms = [
        None,
        Reverb(0.95, 0.0, 0.05, 500.0, 1),
        Reverb(0.02, 20.0, 0.0, 20.0, 2),
        None,
        Reverb(0.3, -3, 0.3, 9e3, 3),
    ]
    noises = [Noise(-80, 4), None, Noise(-20, 5), None, NOISE]
    graphs = [
        graph(bank, [("tone-000", 50 * k, 0.0), ("tone-003", 900 * k, 0.0)], reverb, noise, 30_000 - 4000 * k)
        for k, (reverb, noise) in enumerate(zip(rooms, noises, strict=True))
    ]
    for order in (graphs, graphs[::-1]):
        for batch in (1, 2, 5):
            assert_rendered(table_of(order, clear2), bank, batch)


@examples(15, derandomize=True)
@given(st.data())
def test_graphs_by_chance(data: st.DataObject) -> None:
    time = np.arange(3000) / 8000
    bank = bank_of([sound_of(f"s{k}", 0.4 * np.sin(2000 * (k + 1) * time[: 700 * (k + 1)]), 8000) for k in range(4)])
    reverbs = st.builds(
        Reverb, st.floats(0.02, 0.6), st.floats(-10, 30), st.floats(0, 0.4), st.floats(20, 1e4), st.integers(0, 1 << 53)
    )
    noises = st.builds(Noise, st.floats(-90, -6), st.integers(0, 1 << 53))
    graphs = []
    for _ in range(data.draw(st.integers(1, 4))):
        n_dry = data.draw(st.integers(2800, 20_000))
        sounds = st.tuples(st.integers(0, 3), st.integers(0, n_dry - 2800), st.floats(-60, 30))
        placed = [(f"s{k}", onset, gain_db) for k, onset, gain_db in data.draw(st.lists(sounds, max_size=6))]
        graphs.append(graph(bank, placed, data.draw(st.none() | reverbs), data.draw(st.none() | noises), n_dry))
    schema = scene_schema({}, 8000)
    table = pa.Table.from_pylist([asdict(one) for one in graphs], schema)
    assert_rendered(table, bank, data.draw(st.integers(1, 4)))


def test_a_part_of_a_table(clear2: Domain) -> None:
    """Slices share the arrays of the whole, whose sounds begin elsewhere."""
    table = sampled(clear2, 6)
    whole = assert_rendered(table, tone_bank())
    for part, expected in ((table.slice(2, 3), whole[2:5]), (pa.concat_tables([table[4:], table[:2]]), None)):
        found = assert_rendered(part, tone_bank())
        assert expected is None or all(np.allclose(a, b, atol=CLOSE) for a, b in zip(found, expected, strict=True))


def test_any_number_of_threads_and_every_time(clear2: Domain) -> None:
    scenes = scenes_of_table(sampled(clear2), tone_bank(), "test")
    once = waveforms_of(scenes, 3)
    torch.set_num_threads(3)
    try:
        again = waveforms_of(scenes, 3)
    finally:
        torch.set_num_threads(1)
    assert all(np.abs(a - b).max() < CLOSE for a, b in zip(once, again, strict=True))


@pytest.mark.shared
def test_scenes_of_real_recordings(shared: Path, tmp_path_factory: pytest.TempPathFactory, clear2: Domain) -> None:
    bank = read_bank(real_banks(shared, tmp_path_factory)["train"])
    assert bank.sample_rate == 48_000
    assert_rendered(sampled(clear2, 4, bank), bank, 4)
    assert_rendered(sampled(with_rules(clear2, reverb=None, noise=None), 2, bank), bank, 1)


# --- graphs and banks that do not fit ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"sound_id": "nobody"}),
        (2, {"sound_id": ""}),
        (1, {"n_samples": 17}),
        (2, {"onset_sample": -1}),
        (0, {"onset_sample": 11_999}),
        (1, {"onset_sample": 1 << 40}),
    ],
)
def test_a_graph_that_the_bank_cannot_render(place: int, change: dict[str, Any], clear2: Domain) -> None:
    bank = tone_bank()
    graphs = [graph(bank, [("tone-000", 0, 0.0), ("tone-001", 99, 0.0)], ROOM, NOISE, name=f"s-{k}") for k in range(3)]
    graphs.insert(1, graph(bank, [], name="empty"))
    wrong = graphs[place]
    first = wrong.sounds or graphs[0].sounds
    graphs[place] = replace(wrong, sounds=(*wrong.sounds, replace(first[0], **change)))
    with pytest.raises(InputError) as caught:
        scenes_of_table(table_of(graphs, clear2), bank, "here")
    assert one_line(caught).startswith(f"here: {graphs[place].scene_id}: found a sound")
    with pytest.raises(InputError):
        render(graphs[place], bank)


@pytest.mark.parametrize("more", [-1, 1, 100_000, -18_000, -12_000 - 6720 - 1])
@pytest.mark.parametrize("reverb", [None, ROOM])
def test_a_scene_that_is_not_as_long_as_its_room_makes_it(more: int, reverb: Reverb | None, clear2: Domain) -> None:
    bank = tone_bank()
    fine = graph(bank, [("tone-000", 0, 0.0)], reverb, NOISE, name="fine")
    wrong = replace(fine, scene_id="wrong", n_samples=fine.n_samples + more)
    with pytest.raises(InputError):
        render(wrong, bank)
    with pytest.raises(InputError) as caught:
        waveforms_of(scenes_of_table(table_of([fine, wrong], clear2), bank, "here"), 2)
    assert one_line(caught).startswith("here: wrong: ")


def test_another_bank_in_the_datasets_place(unheard: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unheard, tmp_path / "data")
    shutil.copy(folder / "bank/train.parquet", folder / "bank/test.parquet")
    with pytest.raises(InputError) as caught:
        open_scenes(folder, "test")
    assert one_line(caught).startswith(f"{folder}: test: test-000000: ")
    (folder / "bank/train.parquet").unlink()
    with pytest.raises(InputError, match=r"train\.parquet: not found"):
        open_scenes(folder, "train")


def test_an_imported_dataset_has_no_bank(tmp_path: Path, clear2: Domain) -> None:
    folder = tmp_path / "data"
    read_in(write_source(tmp_path / "source", val=2), folder, clear2)
    assert waveforms_of(open_scenes(folder, "validation"), 2)
    with pytest.raises(InputError) as caught:
        open_scenes(folder, "validation", "virtual")
    assert "imported" in one_line(caught)


# --- convolution ------------------------------------------------------------------------------------------------------


@examples(30, derandomize=True)
@given(
    n=st.integers(1, 12_000) | st.sampled_from([2235, 2236, 2237, 4096, 4472]),
    m=st.integers(1, 2500) | st.sampled_from([1, 2, 1860, 1861, 1862]),
    rows=st.integers(1, 3),
    seed=st.integers(0, 1 << 32),
)
def test_convolutions_are_those_of_numpy(n: int, m: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signal, kernel = (rng.standard_normal((rows, k)).astype(np.float32) / np.sqrt(m) for k in (n, m))
    found = convolved(torch.from_numpy(signal), torch.from_numpy(kernel)).numpy()
    assert found.dtype == np.float32
    assert found.shape[1] >= n + m - 1
    for row in range(rows):
        expected = np.convolve(signal[row].astype(float), kernel[row].astype(float))
        assert np.abs(found[row, : n + m - 1] - expected).max() < 5e-6
        assert np.abs(found[row, n + m - 1 :]).max(initial=0) < 5e-6


# --- fresh rooms ------------------------------------------------------------------------------------------------------


def test_fresh_rooms_are_other_rooms_for_the_same_sounds(clear2: Domain) -> None:
    table, bank, rules = sampled(clear2), tone_bank(), clear2.sampling
    scenes = scenes_of_table(table, bank, "test")
    fresh = with_fresh_rooms(scenes, rules, np.random.default_rng(5))
    graphs = []
    for row, reverb, noise in zip(table.to_pylist(), fresh.reverbs, fresh.noises, strict=True):
        old = graph_of_row(row)
        assert reverb is not None
        assert noise is not None
        for name in ("rt60_s", "drr_db", "pre_delay_s", "damping_hz"):
            low, high = getattr(rules.reverb, name)
            assert low <= getattr(reverb, name) <= high
            assert getattr(reverb, name) != getattr(old.reverb, name)
        assert rules.noise.level_dbfs[0] <= noise.level_dbfs <= rules.noise.level_dbfs[1]
        tail = int(tail_samples(reverb.rt60_s, reverb.pre_delay_s, old.sample_rate))
        graphs.append(replace(old, reverb=reverb, noise=noise, n_samples=old.n_samples_dry + tail))
    assert fresh.n_samples.tolist() == [one.n_samples for one in graphs]
    assert fresh.n_samples_dry.tolist() == [one.n_samples_dry for one in graphs]
    for found, one in zip(waveforms_of(fresh, 4), graphs, strict=True):
        assert np.abs(found - render(one, bank)).max() < CLOSE
    seeds = [one.seed for one in (*fresh.reverbs, *fresh.noises, *scenes.reverbs, *scenes.noises) if one]
    assert len(set(seeds)) == 4 * len(graphs)
    assert scenes.n_samples.tolist() == table["n_samples"].to_pylist()  # the given scenes are left as they were


def test_fresh_rooms_follow_from_the_generator(clear2: Domain) -> None:
    scenes = scenes_of_table(sampled(clear2, 3), tone_bank(), "test")
    rng = np.random.default_rng(7)
    one, other = (with_fresh_rooms(scenes, clear2.sampling, rng) for _ in range(2))
    again = with_fresh_rooms(scenes, clear2.sampling, np.random.default_rng(7))
    assert (one.reverbs, one.noises) == (again.reverbs, again.noises)
    assert all(a != b for a, b in zip(one.reverbs + one.noises, other.reverbs + other.noises, strict=True))
    drawn = [room.seed for scenes in (one, other) for room in (*scenes.reverbs, *scenes.noises) if room]
    assert len(set(drawn)) == 12


def test_fresh_rooms_of_a_domain_without_rooms_or_noise(clear2: Domain) -> None:
    scenes = scenes_of_table(sampled(clear2, 3), tone_bank(), "test")
    dry = with_rules(clear2, reverb=None, noise=None).sampling
    fresh = with_fresh_rooms(scenes, dry, np.random.default_rng(1))
    assert fresh.reverbs == fresh.noises == [None] * 3
    assert fresh.n_samples.tolist() == scenes.n_samples_dry.tolist()
    rows = sampled(clear2, 3).to_pylist()
    for found, row in zip(waveforms_of(fresh, 2), rows, strict=True):
        one = graph_of_row(row)
        bare = replace(one, reverb=None, noise=None, n_samples=one.n_samples_dry)
        assert np.abs(found - render(bare, tone_bank())).max() < CLOSE


def test_fresh_rooms_are_drawn_evenly(clear2: Domain) -> None:
    scenes = scenes_of_table(sampled(clear2, 3), tone_bank(), "test")
    rng = np.random.default_rng(3)
    drawn = [with_fresh_rooms(scenes, clear2.sampling, rng) for _ in range(200)]
    low, high = clear2.sampling.reverb.rt60_s
    places = np.sort([(one.rt60_s - low) / (high - low) for scenes in drawn for one in scenes.reverbs])
    assert np.abs(places - np.linspace(0, 1, 600)).max() < 1.63 / np.sqrt(600)  # Kolmogorov and Smirnov, 1 %
