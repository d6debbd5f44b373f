"""Mixtures: the SNR that was asked for, measured with code of our own; the published recipe against a plain oracle."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyloudnorm
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.core.pcm import from_pcm16, sha256_pcm
from clear_gen.dsp.resample import resampled
from clear_gen.mixtures.graph import MixtureGraph, PlacedBackground, mixture_of_row, mixture_schema, row_of_mixture
from clear_gen.mixtures.plan import assign_folds, plan_mixtures
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.render import (
    MixtureAudio,
    render_mixture,
    render_mixture_pcm,
    with_gains,
)
from clear_gen.mixtures.rules import MixtureRules
from clear_gen.mixtures.spec import MixturePlan, MixtureSpec
from clear_gen.mixtures.stems import achieved_snr_db, levels_under
from tests.counts import examples

RATE = 16000
VARIED: dict[str, Any] = {
    "duration_s": 4,
    "n_events": {"uniform": [1, 4]},
    "event_duration_s": {"uniform": [0.45, 1.0]},
    "source_place": {"uniform": [0, 1]},
    "background_dbfs": {"uniform": [-40, -25]},
    "max_polyphony": 2,
    "min_gap_s": 0.0,
}


def noise(duration_s: float, rate: int = RATE, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """Noise that rises and falls, so that its level depends on where it is measured."""
    n = round(duration_s * rate)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * (0.7 * np.arange(n) / rate + seed / 7))
    return (level * swell * np.random.default_rng(seed).standard_normal(n)).clip(-0.99, 0.99)


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def event_at(path: Path, label: str = "dog", verified: bool = True) -> Event:
    return Event(path.name, path, label, path.name, "CC0-1.0", verified)


def background_at(path: Path) -> Background:
    return Background(path.name, path, path.name, "CC0-1.0")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], list[Background]]:
    """Events of four labels, at two rates, with silence around; backgrounds longer and shorter than the clips."""
    folder = tmp_path_factory.mktemp("corpus")
    events, backgrounds = [], []
    for k in range(16):
        rate = (16000, 22050)[k % 2]
        parts = [np.zeros(round(0.3 * rate)), noise(0.5 + 0.15 * k, rate, 0.02 + 0.02 * k, k), np.zeros(rate // 5)]
        events.append(event_at(write(folder / f"event{k}.wav", np.concatenate(parts), rate), f"label{k % 4}"))
    for k, duration_s in enumerate((1.3, 3.99, 4.0, 9.0)):
        stereo = np.stack([noise(duration_s, 24000, 0.05, 50 + k), noise(duration_s, 24000, 0.05, 90 + k)], axis=1)
        backgrounds.append(background_at(write(folder / f"background{k}.wav", stereo, 24000)))
    return events, backgrounds


@pytest.fixture(scope="module")
def sources(corpus: tuple[list[Event], list[Background]]) -> Sources:
    return Sources(*corpus, RATE)


def plans_of(
    corpus: tuple[Sequence[Event], Sequence[Background]], n: int, seed: int = 0, **fields: Any
) -> list[MixturePlan]:
    spec = MixtureSpec(n, 1, seed=seed, rules=MixtureRules.model_validate(VARIED | fields))
    return plan_mixtures(assign_folds(*corpus, spec)[0], spec, range(n))


def rms(waveform: np.ndarray) -> float:
    return math.sqrt(np.mean(waveform.astype(float) ** 2))


def measured_db(waveform: np.ndarray, rate: int, measure: str) -> float:
    if measure == "rms":
        return 20 * math.log10(rms(waveform))
    padded = waveform.astype(float)
    block_s = min(0.4, len(padded) / rate)
    return pyloudnorm.Meter(rate, filter_class="DeMan", block_size=block_s).integrated_loudness(padded)


# --- the SNR ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["rms", "lufs"])
@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 3.3, 20.0])
def test_the_snr_that_is_asked_for_is_measured_on_the_stems(corpus, sources, measure, snr_db):
    # Whole tenths of seconds: the other loudness meter rounds where the standard cuts a last block off.
    whole = {"event_duration_s": {"choose": [0.5, 0.7, 0.8]}, "fade_out_s": 0.05, "trim_db": None}
    for plan in plans_of(corpus, 12, snr_measure=measure, **whole):
        graph = with_gains(plan, snr_db, sources)
        audio = render_mixture(graph, sources)
        for event, segment in zip(graph.events, audio.segments, strict=True):
            under = audio.background[graph.extent(event)]
            # The clip's gain moves the loudness' absolute gate: measured before it.
            undone = 10 ** (-audio.scale_db / 20)
            found = measured_db(segment * undone, RATE, measure) - measured_db(under * undone, RATE, measure)
            assert found == pytest.approx(snr_db, abs=0.05)
            assert event.snr_nominal_db == snr_db
            assert event.snr_achieved_db == pytest.approx(found, abs=0.05)


def test_the_snr_of_single_events_is_that_of_the_event_stem(corpus, sources):
    for plan in plans_of(corpus, 6, n_events=1):
        graph = with_gains(plan, 7.0, sources)
        audio = render_mixture(graph, sources)
        extent = graph.extent(graph.events[0])
        assert 20 * math.log10(rms(audio.events[extent]) / rms(audio.background[extent])) == pytest.approx(7, abs=1e-4)


def test_snrs_of_the_rules_are_used_unless_another_is_asked_for(corpus, sources):
    plans = plans_of(corpus, 5, snr_db={"uniform": [0, 30]})
    drawn = [event.snr_db for plan in plans for event in plan.events]
    graphs = [with_gains(plan, None, sources) for plan in plans]
    assert [event.snr_nominal_db for graph in graphs for event in graph.events] == drawn
    assert [event.snr_achieved_db for graph in graphs for event in graph.events] == pytest.approx(drawn, abs=1e-3)
    assert {event.snr_nominal_db for plan in plans for event in with_gains(plan, 3.0, sources).events} == {3.0}
    (plan,) = plans_of(corpus, 1)
    with pytest.raises(InputError, match=r"^fold1-000000: snr_db: found none, expected one in the rules or for the wh"):
        with_gains(plan, None, sources)


@pytest.mark.parametrize("recipe", ["default", "kong2018"])
def test_one_plan_serves_all_snrs(corpus, kong_corpus, recipe):
    made = corpus if recipe == "default" else kong_corpus
    sources = Sources(*made, RATE)
    plans = plans_of(corpus, 8) if recipe == "default" else kong_plans(kong_corpus)[:8]
    for plan in plans:
        one, other = with_gains(plan, 0.0, sources), with_gains(plan, 20.0, sources)
        gains = [after.gain_db - before.gain_db for before, after in zip(one.events, other.events, strict=True)]
        assert gains == pytest.approx([20.0] * len(gains), abs=1e-3)
        same = {"gain_db": 0.0, "snr_nominal_db": 0.0, "snr_achieved_db": 0.0}
        stripped = [replace(graph, events=tuple(replace(e, **same) for e in graph.events)) for graph in (one, other)]
        assert stripped[0] == stripped[1]


@given(seed=st.integers(0, 999), snr_db=st.floats(-20, 30), measure=st.sampled_from(["rms", "lufs"]))
@examples(25, derandomize=True)
def test_what_is_achieved_is_what_was_asked_for(corpus, sources, seed, snr_db, measure):
    (plan,) = plans_of(corpus, 1, seed, snr_measure=measure)
    for event in with_gains(plan, snr_db, sources).events:
        assert event.snr_achieved_db == pytest.approx(snr_db, abs=0.05)


def test_achieved_is_none_where_something_is_silent(corpus, sources):
    graph = with_gains(plans_of(corpus, 1)[0], 0.0, sources)
    segments = [np.zeros(graph.extent(e).stop - graph.extent(e).start, np.float32) for e in graph.events]
    loud = [1 + segment for segment in segments]
    under_db = levels_under(graph, np.ones(graph.n_samples, np.float32))
    assert levels_under(graph, np.zeros(graph.n_samples, np.float32)) == [-np.inf] * len(segments)
    assert set(achieved_snr_db(graph, under_db, segments)) == {None}
    assert set(achieved_snr_db(graph, [-np.inf] * len(segments), loud)) == {None}
    assert achieved_snr_db(graph, under_db, loud) == [0.0] * len(segments)


# --- where events are heard -------------------------------------------------------------------------------------------


def test_no_energy_of_an_event_outside_its_label(corpus, sources):
    for plan in plans_of(corpus, 15):
        graph = with_gains(plan, 10.0, sources)
        audio = render_mixture(graph, sources)
        outside = np.ones(graph.n_samples, bool)
        for event in graph.events:
            outside[graph.extent(event)] = False
        assert not audio.events[outside].any()
        assert np.array_equal(audio.mixture[outside], audio.background[outside])


def test_events_are_heard_from_the_beginning_to_the_end_of_their_label(corpus, sources):
    """Silence in the recording is no part of the label: 20 ms at either end are within 40 dB of the loudest."""
    for plan in plans_of(corpus, 15):
        graph = with_gains(plan, 10.0, sources)
        for event, segment in zip(graph.events, render_mixture(graph, sources).segments, strict=True):
            assert len(segment) == graph.extent(event).stop - graph.extent(event).start
            assert len(segment) <= 1.0 * RATE
            loudest = max(rms(segment[k : k + 160]) for k in range(0, len(segment) - 160, 160))
            for end in (segment[:320], segment[-320:]):
                assert rms(end) > loudest * 10 ** (-45 / 20)
            assert event.source_time_s >= 0.28


def test_segments_sum_to_the_event_stem(corpus, sources):
    overlaps = 0
    for plan in plans_of(corpus, 20):
        graph = with_gains(plan, 0.0, sources)
        audio = render_mixture(graph, sources)
        expected, count = np.zeros(graph.n_samples), np.zeros(graph.n_samples)
        for event, segment in zip(graph.events, audio.segments, strict=True):
            expected[graph.extent(event)] += segment
            count[graph.extent(event)] += 1
        assert np.abs(audio.events - expected).max() < 1e-6
        overlaps += count.max() > 1
    assert overlaps > 3


def test_fades(tmp_path):
    tone = 0.5 * (-1.0) ** np.arange(RATE)
    made = [event_at(write(tmp_path / "tone.wav", tone))], [background_at(write(tmp_path / "b.wav", noise(5)))]
    (plan,) = plans_of(made, 1, n_events=1, event_duration_s=0.6, fade_in_s=0.1, fade_out_s=0.2, source_place=0.5)
    graph = with_gains(plan, 0.0, Sources(*made, RATE))
    segment = np.abs(render_mixture(graph, Sources(*made, RATE)).segments[0])
    level = segment[3000]
    assert segment[1600:6400] == pytest.approx(level)
    rise, fall = segment[:1600] / level, segment[6400:] / level
    assert rise == pytest.approx(0.5 - 0.5 * np.cos(np.pi * (np.arange(1600) + 0.5) / 1600), abs=1e-5)
    assert fall == pytest.approx(0.5 + 0.5 * np.cos(np.pi * (np.arange(3200) + 0.5) / 3200), abs=1e-5)
    assert (graph.events[0].fade_in_s, graph.events[0].fade_out_s) == (0.1, 0.2)


def test_fades_of_a_short_event_meet_in_its_middle(tmp_path):
    click = np.concatenate([np.zeros(RATE), 0.5 * (-1.0) ** np.arange(960), np.zeros(RATE)])
    made = [event_at(write(tmp_path / "click.wav", click))], [background_at(write(tmp_path / "b.wav", noise(5)))]
    (plan,) = plans_of(made, 1, n_events=1, fade_in_s=0.5, fade_out_s=0.5)
    (event,) = with_gains(plan, 0.0, Sources(*made, RATE)).events
    assert event.source_time_s == pytest.approx(0.99)
    assert event.offset_s - event.onset_s == pytest.approx(0.07)
    assert event.fade_in_s == event.fade_out_s == pytest.approx(0.035)


@pytest.mark.parametrize(("place", "expected_s"), [(0.0, 0.99), (0.5, 2.25), (1.0, 3.5)])
def test_where_an_event_is_cut_from_a_long_recording(tmp_path, place, expected_s):
    """1 s of silence, 3 s of noise, half a second of silence: the cut is anywhere from the first sound to the last."""
    long = np.concatenate([np.zeros(RATE), 0.1 * np.random.default_rng(1).standard_normal(3 * RATE), np.zeros(8000)])
    source = Sources([event_at(write(tmp_path / "long.wav", long))], [], RATE).event("long.wav")
    start, stop = source.excerpt(RATE // 2, place, -40.0)
    assert start / RATE == pytest.approx(expected_s, abs=0.011)
    assert stop - start == RATE // 2


def test_a_cut_does_not_begin_or_end_in_a_pause(tmp_path):
    """Two barks a second apart: a cut of 0.8 s keeps the first alone, or the second alone, without the pause."""
    bark = noise(0.3, seed=1)
    barks = np.concatenate([bark, np.zeros(RATE), bark, np.zeros(RATE)])
    source = Sources([event_at(write(tmp_path / "barks.wav", barks))], [], RATE).event("barks.wav")
    cuts = {source.excerpt(round(0.8 * RATE), place, -40.0) for place in np.linspace(0, 1, 21)}
    for start, stop in cuts:
        assert rms(source.samples[start : start + 320]) > 0.01
        assert rms(source.samples[stop - 320 : stop]) > 0.01
        assert stop - start <= 0.31 * RATE
    assert min(cuts)[0] == 0
    assert max(cuts)[1] == round(1.6 * RATE)
    assert source.excerpt(round(0.8 * RATE), 0.0, None) == (0, round(0.8 * RATE))


def test_a_cut_that_falls_into_a_pause_is_the_first_sound(tmp_path):
    bark = noise(0.3, seed=1)
    barks = np.concatenate([bark, np.zeros(RATE), bark])
    source = Sources([event_at(write(tmp_path / "barks.wav", barks))], [], RATE).event("barks.wav")
    assert source.excerpt(RATE // 10, 0.4, -40.0) == (0, RATE // 10)


# --- levels of the clip -----------------------------------------------------------------------------------------------


def test_stems_sum_to_the_mixture_and_nothing_clips(corpus, sources):
    scaled = 0
    for plan in plans_of(corpus, 20, background_dbfs={"uniform": [-50, -20]}):
        graph = with_gains(plan, 18.0, sources)
        audio = render_mixture(graph, sources)
        assert np.abs(audio.background.astype(float) + audio.events - audio.mixture).max() < 1e-6
        for waveform in (audio.mixture, audio.background, audio.events):
            assert waveform.dtype == np.float32
            assert waveform.shape == (graph.n_samples,)
            assert np.abs(waveform).max() <= 1 + 1e-6
        assert audio.scale_db <= 0
        if audio.scale_db < 0:
            assert max(np.abs(w).max() for w in (audio.mixture, audio.background, audio.events)) > 1 - 1e-6
            scaled += 1
    assert 0 < scaled < 20


def test_the_gain_of_the_clip_is_one_for_all_of_it(corpus, sources):
    plan = plans_of(corpus, 1, background_dbfs=-12)[0]
    graph = with_gains(plan, 25.0, sources)
    quieter = replace(
        graph,
        background=replace(graph.background, gain_db=graph.background.gain_db - 40),
        events=tuple(replace(event, gain_db=event.gain_db - 40) for event in graph.events),
    )
    loud, quiet = render_mixture(graph, sources), render_mixture(quieter, sources)
    assert loud.scale_db < 0 == quiet.scale_db
    factor = 10 ** ((40 + loud.scale_db) / 20)
    for one, other in [(loud.mixture, quiet.mixture), (loud.events, quiet.events), (loud.background, quiet.background)]:
        assert np.abs(one - other * factor).max() < 1e-5
    assert np.abs(loud.segments[0] - quiet.segments[0] * factor).max() < 1e-5


def test_the_background_has_the_level_of_its_plan(corpus, sources):
    for plan in plans_of(corpus, 8):
        graph = with_gains(plan, 0.0, sources)
        assert 20 * math.log10(rms(render_mixture(graph, sources).background)) == pytest.approx(plan.background_dbfs)


def test_mixtures_as_integers(corpus, sources):
    graph = with_gains(plans_of(corpus, 1)[0], 10.0, sources)
    pcm, rendered = render_mixture_pcm(graph, sources)
    audio = render_mixture(graph, sources)
    assert np.abs(from_pcm16(pcm) - audio.mixture).max() <= 0.5001 / 32767
    assert rendered.pcm_sha256 == sha256_pcm(pcm)
    assert rendered.scale_db == audio.scale_db
    assert rendered.peak_dbfs == pytest.approx(20 * math.log10(np.abs(audio.mixture).max()))
    silent = MixtureAudio(*[np.zeros(9, np.float32)] * 3, (), 0.0)
    assert silent.peak_dbfs is None


def test_a_clip_without_events_is_its_background(corpus, sources):
    graph = with_gains(plans_of(corpus, 1, n_events=0)[0], None, sources)
    audio = render_mixture(graph, sources)
    assert graph.events == audio.segments == ()
    assert np.array_equal(audio.mixture, audio.background)


# --- backgrounds ------------------------------------------------------------------------------------------------------


def bed(path: Path, n_samples: int, offset_s: float, crossfade_s: float | None) -> np.ndarray:
    """A background of a graph without events, at its own level."""
    placed = PlacedBackground(path.name, offset_s, 0.0, crossfade_s)
    graph = MixtureGraph("m", 1, "default", RATE, n_samples, "rms", placed, ())
    return render_mixture(graph, Sources([], [background_at(path)], RATE)).background


@pytest.mark.parametrize("offset_s", [0.0, 0.1, 0.99])
@pytest.mark.parametrize("crossfade_s", [0.01, 0.2])
def test_loops_do_not_click(tmp_path, offset_s, crossfade_s):
    """A tone that does not end where it began: no step is longer than the tone's own, times 2 for where two overlap."""
    tone = 0.3 * np.sin(2 * np.pi * 201.37 * np.arange(round(1.2345 * RATE)) / RATE)
    path = write(tmp_path / "tone.wav", tone)
    looped = bed(path, 10 * RATE, offset_s, crossfade_s)
    step, second = np.abs(np.diff(tone)).max(), np.abs(np.diff(tone, 2)).max()
    assert np.abs(np.diff(looped)).max() < 2 * step
    assert np.abs(np.diff(looped, 2)).max() < 3 * second + (np.pi / crossfade_s / RATE) ** 2
    naive = np.resize(tone, 10 * RATE)
    assert np.abs(np.diff(naive, 2)).max() > 10 * second  # what a click would be


def test_loops_keep_their_power_where_they_overlap(tmp_path):
    samples = 0.1 * np.random.default_rng(4).standard_normal(RATE)
    path = write(tmp_path / "noise.wav", samples)
    fade = round(0.4 * RATE)
    looped = bed(path, 3 * (RATE - fade), 0.0, 0.4)
    assert rms(looped[:fade]) == pytest.approx(rms(looped[fade : RATE - fade]), rel=0.03)


@given(offset=st.integers(0, 11_199), n_samples=st.integers(8000, 60_000))
@examples(30, derandomize=True)
def test_a_loop_is_the_sum_of_its_overlapping_repeats(tmp_path_factory, offset, n_samples):
    samples, fade = np.random.default_rng(5).standard_normal(16000).astype(np.float32) / 10, 4800
    path = write(tmp_path_factory.mktemp("loop") / "noise.wav", samples)
    angle = np.pi / 2 * (np.arange(fade) + 0.5) / fade
    faded = samples.astype(float)
    faded[:fade] *= np.sin(angle)
    faded[-fade:] *= np.cos(angle)
    track = np.zeros(offset + n_samples + 3 * 16000)
    for start in range(-11_200, offset + n_samples, 11_200):
        first = max(0, start)
        track[first : start + 16000] += faded[first - start :]
    assert np.abs(bed(path, n_samples, offset / RATE, 0.3) - track[offset : offset + n_samples]).max() < 1e-6


def test_backgrounds_begin_anywhere(corpus, sources):
    plans = plans_of(corpus, 80, n_events=0)
    graphs = [with_gains(plan, 0.0, sources) for plan in plans]
    durations = {f"background{k}.wav": duration_s for k, duration_s in enumerate((1.3, 3.99, 4.0, 9.0))}
    for name, duration_s in durations.items():
        chosen = [graph.background for graph in graphs if graph.background.source_id == name]
        looped, latest = duration_s < 4.0, max(0.0, duration_s - (0.5 if duration_s < 4.0 else 4.0))
        assert len(chosen) == 20
        assert {background.crossfade_s for background in chosen} == ({0.5} if looped else {None})
        offsets = [background.offset_s for background in chosen]
        assert 0 <= min(offsets) <= max(offsets) <= latest
        assert latest == 0 or max(offsets) > 0.7 * latest > 0.3 * latest > min(offsets)


def test_the_loop_of_a_very_short_background_overlaps_by_half(tmp_path):
    made = [event_at(write(tmp_path / "e.wav", noise(1)))], [background_at(write(tmp_path / "b.wav", noise(0.3)))]
    graph = with_gains(plans_of(made, 1)[0], 0.0, Sources(*made, RATE))
    assert graph.background.crossfade_s == 0.15


# --- the published recipe ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kong_corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], list[Background]]:
    """Clips shorter and longer than 2 s at 44.1 kHz; binaural scenes of 10 s."""
    folder = tmp_path_factory.mktemp("kong")
    events = [
        event_at(
            write(folder / f"e{k}.wav", noise(0.4 + 0.2345 * k, 44100, 0.02 * (k + 1), k), 44100), "xyz"[k % 3], k != 2
        )
        for k in range(16)
    ]
    backgrounds = []
    for k in range(8):
        scene = np.stack([noise(10, RATE, 0.01, 2 * k), noise(10, RATE, 0.01, 2 * k + 1)], axis=1)
        backgrounds.append(background_at(write(folder / f"b{k}.wav", scene, RATE, "PCM_24")))
    return events, backgrounds


def kong_plans(made: tuple[list[Event], list[Background]]) -> list[MixturePlan]:
    spec = MixtureSpec(2, 4, recipe="kong2018")
    return [plan for assignment in assign_folds(*made, spec) for plan in plan_mixtures(assignment, spec, range(2))]


def kong_oracle(
    plan: MixturePlan, made: tuple[list[Event], list[Background]], snr_db: float
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """The two channels [2, n] of a published file and its labels' times, step by step, in double precision."""
    paths = {item.source_id: item.path for item in (*made[0], *made[1])}

    def read(name: str) -> tuple[np.ndarray, float]:
        samples, rate = soundfile.read(paths[name])
        mono = samples.mean(axis=1) if samples.ndim > 1 else samples
        return resampled(mono, rate, RATE), len(samples) / rate

    scene, _ = read(plan.background_id)
    scene = scene / np.sqrt(np.mean(scene**2))
    track, times = np.zeros(10 * RATE), []
    for k, planned in enumerate(plan.events):
        onset_s = 0.5 + 2.5 * k
        samples, duration_s = read(planned.source_id)
        offset_s = onset_s + min(duration_s, 2.0)
        samples = samples / np.sqrt(np.mean(samples**2)) * 10 ** (snr_db / 20)
        first, end = int(onset_s * RATE), int(offset_s * RATE)
        track[first:end] = samples[: end - first]
        times.append((onset_s, offset_s))
    channels = np.stack([track, scene])
    return channels / np.abs(channels).max(), times


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_kong2018_is_the_oracle(kong_corpus, snr_db):
    sources, lengths = Sources(*kong_corpus, RATE), set()
    for plan in kong_plans(kong_corpus):
        graph = with_gains(plan, snr_db, sources)
        audio = render_mixture(graph, sources)
        channels, times = kong_oracle(plan, kong_corpus, snr_db)
        assert np.abs(audio.events - channels[0]).max() < 2e-6
        assert np.abs(audio.background - channels[1]).max() < 2e-6
        assert np.abs(audio.mixture - channels.mean(axis=0)).max() < 2e-6
        assert max(np.abs(audio.events).max(), np.abs(audio.background).max()) == pytest.approx(1, abs=1e-6)
        for event, (onset_s, offset_s) in zip(graph.events, times, strict=True):
            assert event.onset_s == onset_s
            assert 0 <= offset_s - event.offset_s < 1 / RATE
            assert (event.source_time_s, event.fade_in_s, event.fade_out_s) == (0, 0, 0)
            assert event.snr_nominal_db == snr_db
            lengths.add(event.offset_s - event.onset_s)
    assert max(lengths) == 2.0
    assert min(lengths) < 1.0


def test_the_snr_of_kong2018_is_that_of_the_whole_recording_and_not_of_what_is_heard(tmp_path):
    """A clip whose second half is silent is heard 3 dB louder than asked for."""
    decaying = np.concatenate([noise(2, seed=3), np.zeros(2 * RATE)])
    events = [event_at(write(tmp_path / f"e{k}.wav", decaying)) for k in range(4)]
    made = events, [background_at(write(tmp_path / f"b{k}.wav", noise(10, seed=k))) for k in range(4)]
    spec = MixtureSpec(1, 4, recipe="kong2018")
    graph = with_gains(plan_mixtures(assign_folds(*made, spec)[0], spec, [0])[0], 10.0, Sources(*made, RATE))
    sources = Sources(*made, RATE)
    audio = render_mixture(graph, sources)
    whole = rms(np.concatenate([audio.segments[0], np.zeros(2 * RATE)])) / rms(audio.background)
    assert 20 * math.log10(whole) == pytest.approx(10, abs=1e-3)
    for event in graph.events:
        extent = graph.extent(event)
        heard = 20 * math.log10(rms(audio.events[extent]) / rms(audio.background[extent]))
        assert event.snr_achieved_db == pytest.approx(heard, abs=1e-3)
        assert event.snr_achieved_db > 11


def test_kong2018_does_not_loop(tmp_path):
    events = [event_at(write(tmp_path / f"e{k}.wav", noise(1))) for k in range(4)]
    made = events, [background_at(write(tmp_path / f"b{k}.wav", noise(9.5))) for k in range(4)]
    spec = MixtureSpec(1, 4, recipe="kong2018")
    plan = plan_mixtures(assign_folds(*made, spec)[0], spec, [0])[0]
    with pytest.raises(InputError, match=r"b\d.wav: duration: found 9.500 s, expected at least 10.000 s$"):
        with_gains(plan, 0.0, Sources(*made, RATE))


# --- recordings -------------------------------------------------------------------------------------------------------


def unusable(folder: Path, samples: np.ndarray | bytes) -> str:
    """The message, without the path, that an event's file gives."""
    path = folder / "event.wav"
    if isinstance(samples, bytes):
        path.write_bytes(samples)
    else:
        write(path, samples)
    with pytest.raises(InputError) as raised:
        Sources([event_at(path)], [], RATE).event("event.wav")
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: ")


def test_unusable_recordings_are_one_line(tmp_path):
    assert unusable(tmp_path, np.zeros(0)) == "duration: found no samples, expected a recording"
    silence = "samples: found silence (peak {}), expected a peak over -80 dB"
    assert unusable(tmp_path, np.zeros(9000)) == silence.format("0")
    assert unusable(tmp_path, 9e-5 * (-1.0) ** np.arange(9000)) == silence.format("9e-05")
    broken = np.full(9000, 0.1)
    broken[77] = np.nan
    assert unusable(tmp_path, broken) == "samples: found NaN or Inf, expected finite numbers"
    assert unusable(tmp_path, b"RIFF").startswith("unreadable (")
    (tmp_path / "event.wav").unlink()
    with pytest.raises(InputError, match=r"event.wav: not found, expected a recording$"):
        Sources([event_at(tmp_path / "event.wav")], [], RATE).event("event.wav")


def test_a_recording_that_is_not_in_the_corpus(corpus, sources):
    with pytest.raises(InputError, match=r"^source_id: found nothing.wav, expected one of the corpus' events$"):
        sources.event("nothing.wav")
    with pytest.raises(InputError, match=r"^source_id: found event0.wav, expected one of the corpus' backgrounds$"):
        sources.background("event0.wav")


def test_recordings_are_mono_at_the_rate_of_the_mixtures(corpus, sources):
    source = sources.background("background3.wav")
    stereo, rate = soundfile.read(corpus[1][3].path, dtype="float32")
    assert np.array_equal(source.samples, resampled(stereo.mean(axis=1), rate, RATE))
    assert source.samples.dtype == np.float32
    assert source.duration_s == 9.0
    assert source.rms_dbfs == pytest.approx(20 * math.log10(rms(source.samples)))
    with pytest.raises(ValueError, match="read-only"):
        source.samples[0] = 0


def test_what_is_cached_is_bounded_and_makes_no_difference(corpus, sources, monkeypatch):
    plans = plans_of(corpus, 10)
    small = Sources(*corpus, RATE, cache_bytes=200_000)
    read: list[Path] = []
    original = soundfile.SoundFile

    def counting(path: Any, *args: Any, **how: Any) -> soundfile.SoundFile:
        read.append(Path(path))
        return original(path, *args, **how)

    monkeypatch.setattr(soundfile, "SoundFile", counting)
    for plan in plans:
        with_gains(plan, 0.0, sources)
        assert with_gains(plan, 0.0, small) == with_gains(plan, 0.0, sources)
    assert len(read) > 30
    held = sum(source.samples.nbytes for source in small._cache.values())
    assert held == small._cached_bytes <= 200_000
    read.clear()
    for plan in plans:
        render_mixture(with_gains(plan, 0.0, sources), sources)
    assert not read


def test_the_least_recently_used_is_forgotten(tmp_path):
    events = [event_at(write(tmp_path / f"{name}.wav", noise(1))) for name in "abc"]
    sources = Sources(events, [], RATE, cache_bytes=2 * 4 * RATE)
    first, _ = sources.event("a.wav"), sources.event("b.wav")
    assert sources.event("a.wav") is first
    sources.event("c.wav")
    (tmp_path / "a.wav").unlink()
    (tmp_path / "b.wav").unlink()
    assert sources.event("a.wav") is first
    with pytest.raises(InputError, match=r"b.wav: not found"):
        sources.event("b.wav")


def test_rendering_is_pure(corpus, sources):
    plans = plans_of(corpus, 4)
    graphs = [with_gains(plan, 12.0, sources) for plan in plans]
    first = [render_mixture(graph, sources).mixture.tobytes() for graph in graphs]
    fresh = Sources(*corpus, RATE)
    assert [render_mixture(graph, fresh).mixture.tobytes() for graph in reversed(graphs)] == first[::-1]
    assert graphs == [with_gains(plan, 12.0, fresh) for plan in plans]


def test_a_graph_from_a_table_renders_the_same(corpus, sources):
    graph = with_gains(plans_of(corpus, 1)[0], 12.0, sources)
    stored = pa.Table.from_pylist([row_of_mixture(graph)], mixture_schema(RATE)).to_pylist()
    again = render_mixture(mixture_of_row(stored[0]), sources)
    assert again.mixture.tobytes() == render_mixture(graph, sources).mixture.tobytes()


def test_recordings_that_are_not_those_of_the_graph(corpus, sources, tmp_path):
    graph = with_gains(plans_of(corpus, 1, background_dbfs=-30)[0], 0.0, sources)
    with pytest.raises(
        InputError, match=r"^fold1-000000: sample rate of the recordings: found 8000 Hz, expected 16000"
    ):
        render_mixture(graph, Sources(*corpus, 8000))
    short = write(tmp_path / "short.wav", noise(0.2))
    shorter = [replace(event, path=short) for event in corpus[0]]
    with pytest.raises(InputError, match=rf"^{short}: duration: found 0.200 s, expected at least \d\.\d+ s$"):
        render_mixture(graph, Sources(shorter, corpus[1], RATE))
    looped = replace(graph, background=PlacedBackground("background0.wav", 1.0, 0.0, 0.5))
    with pytest.raises(InputError, match=r"background0.wav: duration: found 1.300 s, expected a loop of over 1.000 s$"):
        render_mixture(looped, sources)


def test_silence_where_something_must_be_heard(tmp_path):
    half = np.concatenate([noise(2.0), np.zeros(4 * RATE)])
    buzz, hum = write(tmp_path / "buzz.wav", noise(0.05)), write(tmp_path / "half.wav", half)
    event = event_at(write(tmp_path / "e.wav", noise(1)))
    made = [event], [background_at(hum), background_at(buzz)]
    plan = replace(plans_of(made, 1, n_events=1)[0], background_id="half.wav", background_place=0.0)
    late = replace(plan, events=tuple(replace(planned, onset_s=3.0) for planned in plan.events), last_gaps=())
    sources = Sources(*made, RATE)
    with pytest.raises(
        InputError, match=r"half.wav: samples: found silence at 3.000 s of the clip, expected sound und"
    ):
        with_gains(late, 0.0, sources)
    with pytest.raises(
        InputError, match=r"half.wav: samples: found silence from 2.000 s on, expected a background for"
    ):
        with_gains(replace(late, background_place=0.9999999), 0.0, sources)
    with pytest.raises(
        InputError, match=r"half.wav: samples: found nothing over the gate of -70 LUFS at 3.000 s of th"
    ):
        with_gains(replace(late, snr_measure="lufs"), 0.0, sources)
    early = replace(late, snr_measure="lufs", events=tuple(replace(e, onset_s=0.5) for e in late.events))
    with pytest.raises(
        InputError, match=r"e.wav: samples: found nothing over the gate of -70 LUFS at 0.* s, expected an"
    ):
        with_gains(early, -60.0, sources)
    with pytest.raises(InputError, match=r"buzz.wav: duration: found 0.050 s, expected at least 0.1 s of background$"):
        with_gains(replace(plan, background_id="buzz.wav"), 0.0, sources)


# --- real recordings --------------------------------------------------------------------------------------------------


def real_corpus(shared: Path) -> tuple[list[Event], list[Background]]:
    folder = shared / "sounds"
    with open(folder / "events.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    events = [event_at(folder / "events" / row["filename"], row["label"]) for row in rows]
    return events, [background_at(path) for path in sorted((folder / "backgrounds").iterdir())]


@pytest.mark.shared
@pytest.mark.parametrize("measure", ["rms", "lufs"])
def test_real_recordings_at_a_real_rate(shared, measure):
    made = real_corpus(shared)
    rules = MixtureRules.model_validate({"snr_measure": measure, "n_events": {"uniform": [1, 4]}})
    spec = MixtureSpec(6, 4, seed=3, rules=rules, allow_missing=True)
    sources = Sources(*made, 32000)
    for assignment in assign_folds(*made, spec):
        for plan in plan_mixtures(assignment, spec, range(6)):
            graph = with_gains(plan, 6.0, sources)
            audio = render_mixture(graph, sources)
            assert np.isfinite(audio.mixture).all()
            assert np.abs(audio.background.astype(float) + audio.events - audio.mixture).max() < 1e-6
            assert np.abs(audio.mixture).max() <= 1 + 1e-6
            for event, segment in zip(graph.events, audio.segments, strict=True):
                assert event.snr_achieved_db == pytest.approx(6, abs=0.05)
                assert len(segment) > 1000
                if measure == "rms":
                    assert 20 * math.log10(rms(segment) / rms(audio.background[graph.extent(event)])) == pytest.approx(
                        6, abs=0.001
                    )


@pytest.mark.shared
def test_real_recordings_in_folds(shared):
    made = real_corpus(shared)
    with pytest.raises(
        InputError,
        match=r"^events: 34 labels: found airplane, bird, car, crash in 3 groups; .*, expected 4, one a fold",
    ):
        assign_folds(*made, MixtureSpec(5))
    assignments = assign_folds(*made, MixtureSpec(30, allow_missing=True))
    groups = [{event.group for together in assignment.events for event in together} for assignment in assignments]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 53
    assert [len({b.group for b in assignment.backgrounds}) for assignment in assignments] == [1, 1, 1, 1]
