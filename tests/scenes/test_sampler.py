"""The sampler against a slow oracle that draws one scene at a time, and the distributions that it promises."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyloudnorm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clear_gen.core.errors import InputError
from clear_gen.core.parquet import parquet_writer
from clear_gen.scenes.domain import Domain, load_domain
from clear_gen.scenes.graph import Noise, Reverb, SceneGraph, Sound, graph_of_row, scene_schema
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank, ElementarySound
from tests.banks import CLEAR2_THRESHOLDS, INSTRUMENTS, NOTES, bank_of, sound_of, tone_bank
from tests.counts import NIGHTLY, examples

RATE = 16000
LEVELS = ("recorded", "independent")
CLEAR2 = load_domain("clear2")
P_VALUE = 0.001


def domain_with(**sampling: object) -> Domain:
    """clear2 with other sampling rules."""
    content = CLEAR2.model_dump()
    content["sampling"].update(sampling)
    return Domain.model_validate(content)


FREE = domain_with(constraints=[])


def biased_bank(n: int = 60, n_basses: int = 36) -> Bank:
    """A bank whose labels make short scenes hard to satisfy: mostly basses, mostly dark, mostly loud, many unknown."""
    rng = np.random.default_rng(5)
    sounds = []
    for k in range(n):
        instrument = "bass" if k < n_basses else INSTRUMENTS[k % 6]
        brightness = rng.choice(["dark", "bright", "unknown"], p=[0.6, 0.2, 0.2])
        lufs = float(rng.choice([-29.0, -24.5, -20.0], p=[0.2, 0.25, 0.55]) + rng.uniform(-0.4, 0.4))
        lower, upper = CLEAR2_THRESHOLDS["loudness"]
        labels = {
            "instrument": instrument,
            "note": NOTES[k % 12],
            "octave": 1 + k % 7,
            "brightness": None if brightness == "unknown" else str(brightness),
            "loudness": "quiet" if lufs < lower else "loud" if lufs > upper else None,
        }
        sounds.append(sound_of(f"s{k:03d}", np.full(100 + 7 * k, 0.1), RATE, lufs, **labels))
    return bank_of(sounds)


def graphs(bank: Bank, domain: Domain, seed: int, indices, split: str = "train", levels="recorded") -> list[SceneGraph]:
    table = sample_scenes(bank, domain, SceneSpec(seed, RATE, levels), split, indices)
    return [graph_of_row(row) for row in table.to_pylist()]


# --- the oracle -------------------------------------------------------------------------------------------------------


def acceptable(labels: list[dict[str, str | int | None]]) -> bool:
    """clear2's constraints in plain Python; ``labels`` has one entry per sound, and None counts in the total."""
    players = Counter(entry["instrument"] for entry in labels)
    if len(players) < 3 or sum(times >= 2 for times in players.values()) < 2:
        return False
    wanted = [("brightness", "dark"), ("brightness", "bright"), ("loudness", "quiet"), ("loudness", "loud")]
    return all(100 * sum(entry[name] == value for entry in labels) > 15 * len(labels) for name, value in wanted)


def slow_sounds(bank, draw, n, n_max, levels, constrained) -> list[tuple[ElementarySound, float, dict]]:
    """Draw sounds from what is left of the bank until they are acceptable: (sound, gain in dB, labels) in order."""
    lower, upper = bank.thresholds["loudness"]
    while True:
        places = [draw() for _ in range(n_max)]
        coins, beyond = ([draw() for _ in range(n_max)] for _ in range(2)) if levels == "independent" else ([], [])
        left, scene = list(bank.sounds), []
        for place in range(n):
            sound = left.pop(int(places[place] * len(left)))
            labels, gain_db = dict(sound.attributes), 0.0
            if levels == "independent":
                labels["loudness"] = "loud" if coins[place] >= 0.5 else "quiet"
                target = upper + 6 * beyond[place] if coins[place] >= 0.5 else lower - 6 * beyond[place]
                gain_db = target - sound.loudness_lufs
            scene.append((sound, gain_db, labels))
        if not constrained or acceptable([labels for _, _, labels in scene]):
            return scene


def slow_graph(bank: Bank, seed: int, split: str, index: int, levels: str, constrained: bool = True) -> SceneGraph:
    """One scene of clear2, from the design's words and the order of the random numbers alone."""
    n_min, n_max = 5, 15
    key = (0, ("train", "validation", "test").index(split), index)
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key))).random
    length, share, rt60, drr, pre_delay, damping, tail_seed, level, noise_seed = (draw() for _ in range(9))
    gaps = [-math.log1p(-draw()) for _ in range(n_max + 1)]
    n = n_min + int(length * (n_max - n_min + 1))
    scene = slow_sounds(bank, draw, n, n_max, levels, constrained)
    summed = sum(len(sound.pcm) for sound, _, _ in scene)
    silence = 0.1 * RATE * n + (0.05 + 0.15 * share) * summed
    sounds, passed, so_far = [], 0, 0.0
    for (sound, gain_db, labels), gap in zip(scene, gaps, strict=False):
        so_far += gap
        onset = round(so_far / sum(gaps[: n + 1]) * silence) + passed
        passed += len(sound.pcm)
        labels["duration_s"] = len(sound.pcm) / RATE
        sounds.append(Sound(sound.sound_id, onset, len(sound.pcm), gain_db, labels))
    reverb = Reverb(
        0.15 + (0.8 - 0.15) * rt60,
        3 + (15 - 3) * drr,
        0.04 * pre_delay,
        3000 + (10000 - 3000) * damping,
        int(tail_seed * 2**53),
    )
    n_dry = summed + round(silence)
    n_tail = round(min(1.0, reverb.pre_delay_s + reverb.rt60_s) * RATE)
    noise = Noise(-80 + (-50 - -80) * level, int(noise_seed * 2**53))
    scene_id = f"{split}-{index:06d}"
    return SceneGraph(scene_id, split, "clear2", RATE, n_dry + n_tail, n_dry, tuple(sounds), reverb, noise)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize(
    ("bank", "seed", "split"),
    [
        (tone_bank(40), 0, "train"),
        (tone_bank(40), 2**40 + 1, "validation"),
        (tone_bank(20), 7, "test"),
        (biased_bank(), 1, "train"),
        (biased_bank(), 2**100, "test"),
    ],
)
def test_every_scene_is_that_of_the_slow_oracle(bank, seed, split, levels):
    indices = [*range(120), 10**6, 2**31, 2**40]
    for index, graph in zip(indices, graphs(bank, CLEAR2, seed, indices, split, levels), strict=True):
        assert graph == slow_graph(bank, seed, split, index, levels)


@pytest.mark.parametrize("levels", LEVELS)
def test_without_constraints_too_every_scene_is_that_of_the_slow_oracle(levels):
    bank = tone_bank(15)
    for index, graph in enumerate(graphs(bank, FREE, 3, range(100), "test", levels)):
        assert graph == slow_graph(bank, 3, "test", index, levels, constrained=False)


@examples(25)
@given(
    order=st.permutations(range(30)),
    cuts=st.lists(st.integers(1, 29), max_size=6),
    levels=st.sampled_from(LEVELS),
    seed=st.integers(0, 2**64),
)
def test_a_scene_does_not_depend_on_the_scenes_drawn_with_it(order, cuts, levels, seed):
    bank = biased_bank()
    alone = {index: graphs(bank, CLEAR2, seed, [index], "train", levels)[0] for index in range(0, 30, 5)}
    edges = [0, *sorted(set(cuts)), 30]
    for first, stop in pairwise(edges):
        indices = order[first:stop]
        for index, graph in zip(indices, graphs(bank, CLEAR2, seed, indices, "train", levels), strict=True):
            assert graph.scene_id == f"train-{index:06d}"
            assert index not in alone or graph == alone[index]


def test_another_seed_split_or_index_is_another_scene():
    bank = tone_bank()
    scenes = [graphs(bank, CLEAR2, seed, range(20), split) for seed in (0, 1) for split in ("train", "validation")]
    drawn = [(graph.reverb, graph.noise, tuple(s.sound_id for s in graph.sounds)) for part in scenes for graph in part]
    assert len(set(drawn)) == 80


def test_room_noise_and_length_do_not_depend_on_the_bank_or_the_levels():
    variants = [
        graphs(bank, CLEAR2, 4, range(50), levels=how) for bank in (tone_bank(), biased_bank()) for how in LEVELS
    ]
    kept = [[(graph.reverb, graph.noise, len(graph.sounds)) for graph in variant] for variant in variants]
    assert kept[0] == kept[1] == kept[2] == kept[3]


# --- which sounds -----------------------------------------------------------------------------------------------------


def test_the_biased_bank_does_reject_short_scenes_more_often():
    drawn = graphs(biased_bank(), FREE, 0, range(2000))
    accepted = Counter(len(g.sounds) for g in drawn if acceptable([sound.attributes for sound in g.sounds]))
    tried = Counter(len(g.sounds) for g in drawn)
    assert accepted[5] / tried[5] < 0.5 * accepted[15] / tried[15]


@pytest.mark.parametrize("levels", LEVELS)
def test_lengths_are_uniform_although_short_scenes_are_rejected_more_often(levels):
    counts = Counter(len(graph.sounds) for graph in graphs(biased_bank(), CLEAR2, 11, range(3300), levels=levels))
    assert set(counts) == set(range(5, 16))
    assert stats.chisquare([counts[n] for n in range(5, 16)]).pvalue > P_VALUE


@pytest.mark.parametrize("levels", LEVELS)
def test_every_scene_holds_distinct_sounds_that_satisfy_the_constraints(levels):
    for graph in graphs(biased_bank(), CLEAR2, 12, range(1500), levels=levels):
        assert len({sound.sound_id for sound in graph.sounds}) == len(graph.sounds)
        assert acceptable([sound.attributes for sound in graph.sounds])


def test_unlabelled_sounds_count_in_the_total():
    """Of 14 sounds 3 must be bright: 2 of them would be 2 of 12 if the unlabelled ones did not count."""
    lengths = Counter()
    for graph in graphs(biased_bank(), CLEAR2, 13, range(3000)):
        known = [sound.attributes["brightness"] for sound in graph.sounds if sound.attributes["brightness"]]
        bright = known.count("bright")
        assert bright >= math.floor(0.15 * len(graph.sounds)) + 1
        lengths[len(graph.sounds), bright] += len(known) < len(graph.sounds)
    assert lengths[14, 3] > 0


def test_labels_durations_and_lengths_are_the_banks():
    bank = biased_bank()
    for graph in graphs(bank, CLEAR2, 14, range(200)):
        for sound in graph.sounds:
            recording = bank.by_id[sound.sound_id]
            assert sound.attributes == {**recording.attributes, "duration_s": len(recording.pcm) / RATE}
            assert (sound.n_samples, sound.gain_db) == (len(recording.pcm), 0.0)


def test_any_sound_comes_at_any_place():
    bank = tone_bank(20)
    seen = {(place, sound.sound_id) for graph in graphs(bank, CLEAR2, 15, range(1500)) for place, sound in
            enumerate(graph.sounds)}  # fmt: skip
    assert len(seen) == 15 * 20


def test_without_constraints_every_sound_is_equally_likely_at_every_place():
    bank = tone_bank(20)
    drawn = graphs(bank, FREE, 16, range(4000))
    for place in (0, 1, 4, 9, 14):
        counts = Counter(graph.sounds[place].sound_id for graph in drawn if len(graph.sounds) > place)
        assert stats.chisquare([counts[sound.sound_id] for sound in bank.sounds]).pvalue > P_VALUE


def test_without_constraints_every_pair_of_neighbours_is_equally_likely():
    bank = tone_bank(15)
    drawn = graphs(bank, FREE, 17, range(4200))
    for place in (0, 3):
        counts = Counter(tuple(sound.sound_id for sound in graph.sounds[place : place + 2]) for graph in drawn)
        assert len(counts) == 15 * 14
        assert stats.chisquare(list(counts.values())).pvalue > P_VALUE


def test_a_bank_of_just_enough_sounds_gives_scenes_of_all_of_them():
    domain = domain_with(constraints=[], sounds={"min": 15, "max": 15})
    bank = tone_bank(15)
    orders = {tuple(sound.sound_id for sound in graph.sounds) for graph in graphs(bank, domain, 18, range(50))}
    assert len(orders) == 50
    assert all(len(set(order)) == 15 for order in orders)


# --- when and where ---------------------------------------------------------------------------------------------------


def test_silence_is_what_the_domain_asks_for_and_nothing_overlaps():
    shares = []
    for graph in graphs(tone_bank(), CLEAR2, 20, range(800)):
        n, summed = len(graph.sounds), sum(sound.n_samples for sound in graph.sounds)
        ends = [0, *(sound.onset_sample + sound.n_samples for sound in graph.sounds)]
        starts = [*(sound.onset_sample for sound in graph.sounds), graph.n_samples_dry]
        gaps = [start - end for end, start in zip(ends, starts, strict=True)]
        assert min(gaps) >= 0
        assert 0.1 * RATE * n + 0.05 * summed - 0.5 <= sum(gaps) <= 0.1 * RATE * n + 0.2 * summed + 0.5
        shares.append((sum(gaps) - 0.1 * RATE * n) / summed)
    assert stats.kstest(shares, stats.uniform(0.05, 0.15).cdf).pvalue > P_VALUE


@pytest.mark.parametrize("n", [5, 10])
def test_silence_is_split_uniformly_before_between_and_after(n):
    """Each of the n + 1 pieces of a stick broken at n uniform places is distributed as Beta(1, n)."""
    domain = domain_with(sounds={"min": n, "max": n})
    drawn = graphs(tone_bank(), domain, 21, range(1000))
    pieces = np.empty((len(drawn), n + 1))
    for row, graph in zip(pieces, drawn, strict=True):
        ends = [0, *(sound.onset_sample + sound.n_samples for sound in graph.sounds)]
        starts = [*(sound.onset_sample for sound in graph.sounds), graph.n_samples_dry]
        row[:] = np.subtract(starts, ends) / (graph.n_samples_dry - sum(sound.n_samples for sound in graph.sounds))
    for column in pieces.T:
        assert stats.kstest(column, stats.beta(1, n).cdf).pvalue > P_VALUE


def test_length_is_the_dry_scene_and_the_rooms_tail():
    for graph in graphs(tone_bank(), CLEAR2, 22, range(300)):
        assert graph.n_samples - graph.n_samples_dry == round((graph.reverb.pre_delay_s + graph.reverb.rt60_s) * RATE)
        assert graph.n_samples - graph.n_samples_dry <= RATE


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_times_are_the_same_at_every_sample_rate(rate):
    sounds = [replace(sound, sample_rate=rate, pcm=np.zeros(rate // 4, np.int16)) for sound in tone_bank().sounds]
    table = sample_scenes(bank_of(sounds), CLEAR2, SceneSpec(1, rate), "train", range(20))
    reference = bank_of([replace(sound, pcm=np.zeros(RATE // 4, np.int16)) for sound in tone_bank().sounds])
    for row, graph in zip(table.to_pylist(), graphs(reference, CLEAR2, 1, range(20)), strict=True):
        assert row["sample_rate"] == rate
        assert row["n_samples"] / rate == pytest.approx(graph.n_samples / RATE, abs=2 / RATE)
        for one, other in zip(row["sounds"], graph.sounds, strict=True):
            assert one["onset_sample"] / rate == pytest.approx(other.onset_sample / RATE, abs=2 / RATE)


def test_rooms_and_noise_cover_their_ranges_uniformly_and_differ_in_every_scene():
    drawn = graphs(tone_bank(), CLEAR2, 23, range(1500))
    rooms, noises = [graph.reverb for graph in drawn], [graph.noise for graph in drawn]
    ranges = {"rt60_s": (0.15, 0.8), "drr_db": (3, 15), "pre_delay_s": (0, 0.04), "damping_hz": (3000, 10000)}
    columns = {name: ([getattr(room, name) for room in rooms], bounds) for name, bounds in ranges.items()}
    columns["level_dbfs"] = [noise.level_dbfs for noise in noises], (-80, -50)
    for values, (low, high) in columns.values():
        assert low <= min(values)
        assert max(values) <= high
        assert len(set(values)) == len(drawn)
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > P_VALUE
    seeds = [room.seed for room in rooms] + [noise.seed for noise in noises]
    assert len(set(seeds)) == 2 * len(drawn)
    assert 0 <= min(seeds) < max(seeds) < 2**63
    table = np.array([values for values, _ in columns.values()])
    assert np.abs(np.corrcoef(table) - np.eye(5)).max() < 4 / math.sqrt(len(drawn))


@pytest.mark.parametrize("parts", [("reverb",), ("noise",), ("reverb", "noise")])
def test_leaving_out_the_room_or_the_noise_changes_nothing_else(parts):
    bare = domain_with(**dict.fromkeys(parts))
    for full, without in zip(
        graphs(tone_bank(), CLEAR2, 24, range(40)), graphs(tone_bank(), bare, 24, range(40)), strict=True
    ):
        expected = replace(full, **dict.fromkeys(parts))
        if "reverb" in parts:
            expected = replace(expected, n_samples=full.n_samples_dry)
        assert without == expected


# --- independent levels -----------------------------------------------------------------------------------------------


def levelled(bank: Bank, seed: int, n_scenes: int) -> list[tuple[ElementarySound, Sound]]:
    drawn = graphs(bank, CLEAR2, seed, range(n_scenes), levels="independent")
    return [(bank.by_id[sound.sound_id], sound) for graph in drawn for sound in graph.sounds]


def test_with_independent_levels_loudness_is_a_fair_coin_for_every_sound():
    pairs = levelled(biased_bank(), 30, 2500)
    counts = Counter((recording.sound_id, sound.attributes["loudness"]) for recording, sound in pairs)
    ids = sorted({sound_id for sound_id, _ in counts})
    table = np.array([[counts[name, label] for label in ("quiet", "loud")] for name in ids])
    assert table.sum() == len(pairs), "no label is unknown"
    assert stats.chisquare(table.sum(axis=0)).pvalue > P_VALUE
    assert stats.chi2_contingency(table).pvalue > P_VALUE


@pytest.mark.parametrize("attribute", ["instrument", "brightness", "octave", "loudness"])
def test_with_independent_levels_loudness_tells_nothing_about_the_recording(attribute):
    pairs = levelled(biased_bank(), 31, 1500)
    counts = Counter((str(recording.attributes[attribute]), sound.attributes["loudness"]) for recording, sound in pairs)
    values = sorted({value for value, _ in counts})
    table = [[counts[value, label] for label in ("quiet", "loud")] for value in values]
    assert stats.chi2_contingency(table).pvalue > P_VALUE


def test_with_independent_levels_every_instrument_has_the_same_distribution_of_levels():
    levels: dict[str, list[float]] = {}
    for recording, sound in levelled(biased_bank(), 32, 1500):
        levels.setdefault(recording.attributes["instrument"], []).append(recording.loudness_lufs + sound.gain_db)
    lower, upper = CLEAR2_THRESHOLDS["loudness"]
    expected = lambda x: np.interp(x, [lower - 6, lower, upper, upper + 6], [0, 0.5, 0.5, 1])  # noqa: E731
    assert set(levels) == set(INSTRUMENTS)
    for values in levels.values():
        assert stats.kstest(values, expected).pvalue > P_VALUE


def test_with_independent_levels_the_measured_loudness_is_on_the_labels_side():
    bank = tone_bank()
    lower, upper = bank.thresholds["loudness"]
    meter = pyloudnorm.Meter(RATE, block_size=0.2)
    for recording, sound in levelled(bank, 33, 12):
        lufs = meter.integrated_loudness(recording.pcm / 32767 * 10 ** (sound.gain_db / 20))
        if sound.attributes["loudness"] == "loud":
            assert upper < lufs < upper + 6
        else:
            assert lower - 6 < lufs < lower


def test_with_independent_levels_the_other_labels_stay_those_of_the_bank():
    for recording, sound in levelled(biased_bank(), 34, 200):
        other = {name: value for name, value in sound.attributes.items() if name not in ("loudness", "duration_s")}
        assert other == {name: value for name, value in recording.attributes.items() if name != "loudness"}


def test_independent_levels_do_not_need_loudness_labels_in_the_bank():
    bank = relabelled(tone_bank(), loudness=lambda k: None)
    assert len(graphs(bank, CLEAR2, 35, range(50), levels="independent")) == 50
    with pytest.raises(InputError):
        graphs(bank, CLEAR2, 35, range(50))


def test_independent_levels_need_a_rule_in_the_domain():
    with pytest.raises(InputError, match="independent_levels"):
        graphs(tone_bank(), domain_with(independent_levels=None), 0, [0], levels="independent")


# --- banks that cannot do ---------------------------------------------------------------------------------------------


def relabelled(bank: Bank, **labels) -> Bank:
    """The bank with attributes replaced by functions of the sound's number."""
    sounds = [
        replace(sound, attributes={**sound.attributes, **{name: label(k) for name, label in labels.items()}})
        for k, sound in enumerate(bank.sounds)
    ]
    return replace(bank, sounds=tuple(sounds))


@pytest.mark.parametrize(
    ("bank", "mention"),
    [
        (relabelled(tone_bank(), loudness=lambda k: "loud"), "loudness"),
        (relabelled(tone_bank(), brightness=lambda k: None), "brightness"),
        (relabelled(tone_bank(), instrument=lambda k: INSTRUMENTS[k % 2]), "instrument"),
        (replace(tone_bank(), sounds=tone_bank().sounds[:14]), "14 sounds"),
        (replace(tone_bank(), sounds=()), "0 sounds"),
    ],
    ids=["one loudness", "no brightness", "two instruments", "14 sounds", "no sounds"],
)
@pytest.mark.parametrize("n_scenes", [1, 100] if NIGHTLY else [30])
def test_an_impossible_bank_is_one_line_within_seconds(bank, mention, n_scenes):
    started = time.process_time()
    with pytest.raises(InputError) as raised:
        graphs(bank, CLEAR2, 0, range(n_scenes), "test")
    assert time.process_time() - started < 5
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert mention in message
    assert "test" in message


def test_a_bank_that_seldom_satisfies_the_constraints_still_does():
    """Two of 40 sounds are quiet, and seven sounds must hold both: fewer than 3 draws in 100 do."""
    bank = relabelled(tone_bank(), loudness=lambda k: "quiet" if k in (3, 22) else "loud")
    drawn = graphs(bank, domain_with(sounds={"min": 7, "max": 7}), 1, range(60))
    assert all({"tone-003", "tone-022"} <= {sound.sound_id for sound in graph.sounds} for graph in drawn)


def test_an_attribute_may_have_hundreds_of_values():
    content = FREE.model_dump()
    content["attributes"]["octave"] = {"values": list(range(1000))}
    bank = relabelled(tone_bank(), octave=lambda k: 25 * k)
    for graph in graphs(bank, Domain.model_validate(content), 0, range(5)):
        for sound in graph.sounds:
            assert sound.attributes["octave"] == bank.by_id[sound.sound_id].attributes["octave"]


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", [CLEAR2, domain_with(reverb=None, noise=None)], ids=["full", "bare"])
def test_the_table_has_the_schema_of_the_scenes(domain):
    table = sample_scenes(tone_bank(), domain, SceneSpec(0, RATE), "validation", range(7))
    assert table.schema.equals(scene_schema(CLEAR2.attributes, RATE), check_metadata=True)
    table.validate(full=True)
    assert table.column("scene_id").to_pylist() == [f"validation-{index:06d}" for index in range(7)]
    assert table.column("rendered").null_count == table.column("audio").null_count == 7


@pytest.mark.parametrize("domain", [CLEAR2, domain_with(reverb=None, noise=None)], ids=["full", "bare"])
def test_a_graph_survives_the_table_and_the_file(domain, tmp_path):
    table = sample_scenes(biased_bank(), domain, SceneSpec(0, RATE, "independent"), "test", range(30))
    expected = [graph_of_row(row) for row in table.to_pylist()]
    with parquet_writer(tmp_path / "scenes.parquet", table.schema, audio=False) as writer:
        writer.write_table(table)
    read = pq.read_table(tmp_path / "scenes.parquet")
    assert [graph_of_row(row) for row in read.to_pylist()] == expected
    rows = []
    for graph in expected:
        row = asdict(graph)
        row["sounds"] = [{**sound, **sound.pop("attributes")} for sound in row["sounds"]]
        rows.append({**row, "rendered": None, "audio": None})
    again = pa.Table.from_pylist(rows, schema=table.schema)
    assert again.to_pylist() == table.to_pylist()
