"""The room, measured: on its impulse response and on a click played in it, with measuring code of our own."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import signal

from clear_gen.scenes.graph import Reverb, SceneGraph, Sound, tail_samples
from clear_gen.scenes.render import render
from clear_gen.scenes.room import convolve, reverb_tail
from tests.banks import bank_of, quantised, sound_of
from tests.counts import examples

RATES = (16000, 44100, 48000)
CLICK = 0.5

# The ranges of clear2's domain.yaml.
rooms = st.builds(
    Reverb,
    rt60_s=st.floats(0.15, 0.8),
    drr_db=st.floats(3, 15),
    pre_delay_s=st.floats(0, 0.04),
    damping_hz=st.floats(3000, 10000),
    seed=st.integers(0, 2**53 - 1),
)
measured = examples(40, derandomize=True)


def response(room: Reverb, sample_rate: int) -> np.ndarray:
    """Impulse response, float64 [n], put together from the direct sample and the tail."""
    start, tail = reverb_tail(room, sample_rate)
    out = np.zeros(start + len(tail))
    out[0] = 1
    out[start:] += tail
    return out


def rendered_response(room: Reverb, sample_rate: int) -> np.ndarray:
    """Impulse response as a listener gets it: a scene of one click, from the click on, divided by its height."""
    before, n_sound = sample_rate // 10, sample_rate // 4
    click = np.zeros(n_sound)
    click[0] = CLICK
    bank = bank_of([sound_of("click", click, sample_rate)])
    n_dry = before + n_sound
    n_samples = n_dry + int(tail_samples(room.rt60_s, room.pre_delay_s, sample_rate))
    sounds = (Sound("click", before, n_sound, 0.0, {}),)
    graph = SceneGraph("s", "train", "clear2", sample_rate, n_samples, n_dry, sounds, room, None)
    waveform = render(graph, bank).astype(float)
    return waveform[before : before + len(response(room, sample_rate))] / quantised(np.array([CLICK]))[0]


def decay_time_s(energy: np.ndarray, sample_rate: int) -> float:
    """RT60 by Schroeder's backward integration: the line through the decay from -5 to -35 dB, extended to -60."""
    remaining = np.cumsum(energy[::-1])[::-1]
    level_db = 10 * np.log10(remaining / remaining[0] + 1e-30)
    inside = np.flatnonzero((level_db <= -5) & (level_db >= -35))
    slope, _ = np.polyfit(inside / sample_rate, level_db[inside], 1)
    return -60 / slope


def octave_band(x: np.ndarray, centre_hz: float, sample_rate: int) -> np.ndarray:
    """The octave around ``centre_hz``, filtered backwards so that the filter's own decay does not add to the room's."""
    edges = [centre_hz / np.sqrt(2), centre_hz * np.sqrt(2)]
    return signal.sosfilt(signal.butter(3, edges, "band", fs=sample_rate, output="sos"), x[::-1])[::-1]


def mean_energy(room: Reverb, sample_rate: int, n_seeds: int, centre_hz: float | None = None) -> np.ndarray:
    """Energy over time, the mean of the tails of ``n_seeds`` seeds: one tail in a narrow band decays too randomly."""
    total: np.ndarray | float = 0.0
    for seed in range(n_seeds):
        tail = reverb_tail(replace(room, seed=room.seed // 2 + seed), sample_rate)[1].astype(float)
        total = total + (octave_band(tail, centre_hz, sample_rate) if centre_hz else tail) ** 2
    return total


# --- decay ------------------------------------------------------------------------------------------------------------


@measured
@given(room=rooms, sample_rate=st.sampled_from(RATES))
@example(Reverb(0.15, 3, 0.0, 3000, 1), 48000)
@example(Reverb(0.8, 15, 0.04, 10000, 1), 48000)
def test_rt60_is_the_one_asked_for(room, sample_rate):
    assert decay_time_s(mean_energy(room, sample_rate, 8), sample_rate) == pytest.approx(room.rt60_s, rel=0.05)


@measured
@given(room=rooms, sample_rate=st.sampled_from(RATES))
def test_a_single_rooms_rt60_is_near_the_one_asked_for(room, sample_rate):
    """Within 10 % where the band and the time hold enough noise for it; the estimate of any noise scatters."""
    found = decay_time_s(rendered_response(room, sample_rate)[1:] ** 2, sample_rate)
    scatter = 0.9 / np.sqrt(0.4 * room.damping_hz * room.rt60_s)  # Davy, JASA 66, 1979, for the tail's bandwidth
    assert found == pytest.approx(room.rt60_s, rel=max(0.1, 4 * scatter))


@measured
@given(room=rooms, sample_rate=st.sampled_from(RATES), octaves_below=st.integers(0, 2))
@example(Reverb(0.15, 9, 0.01, 4000, 5), 48000, 0)
@example(Reverb(0.8, 9, 0.01, 3000, 5), 16000, 0)
def test_rt60_holds_in_the_octave_bands_up_to_the_damping(room, sample_rate, octaves_below):
    centre_hz = min(room.damping_hz, sample_rate / 4) / 2**octaves_below
    found = decay_time_s(mean_energy(room, sample_rate, 24, centre_hz), sample_rate)
    assert found == pytest.approx(room.rt60_s, rel=0.1)


@measured
@given(room=rooms, sample_rate=st.sampled_from((44100, 48000)))
def test_high_frequencies_decay_faster_and_are_weaker(room, sample_rate):
    """Two octaves above the damping the decay is twice as fast, one octave above it lies between."""
    room = replace(room, damping_hz=min(room.damping_hz, 3500))
    octave, two = (mean_energy(room, sample_rate, 16, factor * room.damping_hz) for factor in (2, 4))
    low = mean_energy(room, sample_rate, 16, room.damping_hz / 4)
    assert decay_time_s(octave, sample_rate) < 0.85 * room.rt60_s
    assert decay_time_s(two, sample_rate) == pytest.approx(0.5 * room.rt60_s, rel=0.15)
    # An octave 16 times as wide holds 12 dB more of white noise; the damping takes that and more.
    assert two.sum() / 16 < 0.05 * low.sum()
    assert octave.sum() / 8 < 0.2 * low.sum()


def test_a_lower_damping_frequency_is_a_duller_room():
    powers = []
    for damping_hz in (2000, 4000, 8000):
        tail = reverb_tail(Reverb(0.4, 9, 0.01, damping_hz, 3), 48000)[1].astype(float)
        powers.append(np.sum(octave_band(tail, 8000, 48000) ** 2) / np.sum(octave_band(tail, 1000, 48000) ** 2))
    assert powers[0] < powers[1] / 2 < powers[2] / 4


# --- direct sound and tail --------------------------------------------------------------------------------------------


@measured
@given(room=rooms, sample_rate=st.sampled_from(RATES))
def test_direct_to_reverberant_ratio_is_the_one_asked_for(room, sample_rate):
    for found in (response(room, sample_rate), rendered_response(room, sample_rate)):
        drr_db = 10 * np.log10(found[0] ** 2 / np.sum(found[1:] ** 2))
        assert drr_db == pytest.approx(room.drr_db, abs=0.05)


@measured
@given(room=rooms, sample_rate=st.sampled_from(RATES))
@example(Reverb(0.3, 9, 0.0, 4000, 5), 48000)
@example(Reverb(0.3, 9, 0.04, 4000, 5), 44100)
def test_the_tail_begins_after_the_pre_delay_to_the_sample(room, sample_rate):
    start, tail = reverb_tail(room, sample_rate)
    assert start >= 1
    assert abs(start - room.pre_delay_s * sample_rate) <= (0.5 if room.pre_delay_s * sample_rate >= 0.5 else 1)
    found = rendered_response(room, sample_rate)
    typical = np.sqrt(np.mean(found[start : start + 64] ** 2))
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert np.abs(found[1:start]).max(initial=0) < 1e-6
    assert typical > 1e-4
    assert np.abs(found[start : start + 8]).max() > 0.1 * typical
    assert found[start:] == pytest.approx(tail, abs=1e-6)


@given(room=rooms, sample_rate=st.sampled_from(RATES))
@examples(30)
@example(Reverb(1.0, 3, 0.0, 2000, 0), 48000)
@example(Reverb(5.0, 3, 0.04, 2000, 0), 48000)
@example(Reverb(0.8, 3, 0.2, 8000, 0), 44100)
@example(Reverb(1e-6, 3, 0.0, 8000, 0), 44100)
def test_the_tail_ends_within_a_second_and_where_the_graph_says(room, sample_rate):
    start, tail = reverb_tail(room, sample_rate)
    last = start + len(tail) - 1
    assert last == int(tail_samples(room.rt60_s, room.pre_delay_s, sample_rate))
    assert 1 <= last <= sample_rate
    assert tail.dtype == np.float32
    assert np.isfinite(tail).all()


def test_a_room_is_its_seed():
    room = Reverb(0.4, 9, 0.01, 4000, 2**53 - 1)
    start, tail = reverb_tail(room, 16000)
    again_start, again = reverb_tail(room, 16000)
    assert (start, tail.tobytes()) == (again_start, again.tobytes())
    other = reverb_tail(replace(room, seed=0), 16000)[1]
    assert abs(np.corrcoef(tail, other)[0, 1]) < 0.1


def test_the_tail_has_no_offset_and_no_echo():
    """Noise without structure: whitened by its envelope it has no correlation at long lags."""
    _, tail = reverb_tail(Reverb(0.8, 9, 0.01, 8000, 4), 48000)
    flat = tail * np.exp(3 * np.log(10) * np.arange(len(tail)) / (0.8 * 48000))
    flat = flat[: len(flat) // 2]
    assert abs(flat.mean()) < 5 * flat.std() / np.sqrt(len(flat) / 4)
    spectrum = np.abs(np.fft.rfft(flat, 2 * len(flat))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(flat) // 2]
    assert np.abs(correlation[200:]).max() < 0.1 * correlation[0]


# --- convolution ------------------------------------------------------------------------------------------------------


def assert_convolves(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, h = rng.standard_normal(n).astype(np.float32), rng.standard_normal(m).astype(np.float32)
    found = convolve(x, h)
    expected = np.convolve(x.astype(float), h.astype(float))
    assert found.shape == (n + m - 1,)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-6 * np.linalg.norm(x) * np.linalg.norm(h)


@given(n=st.integers(1, 4000), m=st.integers(1, 4000), seed=st.integers(0, 99))
@examples(60)
@example(1, 1, 0)
@example(1, 4000, 0)
@example(4000, 1, 0)
def test_convolution_is_the_sum_of_products(n, m, seed):
    assert_convolves(n, m, seed)


@pytest.mark.parametrize("n_fft", [1024, 1536, 4096])
def test_convolution_at_the_edges_of_blocks(n_fft):
    for m, blocks, beyond in product([1, 2, 255, 257, 512, 513, 700], [1, 2, 5], [-1, 0, 1]):
        assert_convolves(blocks * (n_fft - m + 1) + beyond, m, 1)


@pytest.mark.parametrize(
    ("n", "m"), [(300_000, 48_000), (48_000, 300_000), (500_000, 1), (7, 48_000), (1 << 18, 1 << 15)]
)
def test_long_convolutions_are_scipys(n, m):
    rng = np.random.default_rng(2)
    x, h = rng.standard_normal(n).astype(np.float32), rng.standard_normal(m).astype(np.float32)
    expected = signal.oaconvolve(x.astype(float), h.astype(float))
    assert np.abs(convolve(x, h) - expected).max() < 2e-6 * np.linalg.norm(x) * np.linalg.norm(h)


def test_convolution_leaves_its_arguments_alone():
    x, h = np.ones(1000, np.float32), np.ones(100, np.float32)
    convolve(x, h)
    assert (x == 1).all()
    assert (h == 1).all()


def test_convolution_of_nothing_but_zeros_is_exactly_zero():
    assert not convolve(np.zeros(5000, np.float32), np.ones(700, np.float32)).any()
