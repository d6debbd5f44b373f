"""The loudness meter against the standard's numbers and against pyloudnorm; gains that reach their level."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.dsp.levels import gain_to, integrated_loudness, k_weighting, level_db, rms_dbfs
from tests.counts import examples

RATES = (16000, 22050, 32000, 44100, 48000)


def noise(duration_s: float, rate: int, rms: float = 0.1, seed: int = 0) -> np.ndarray:
    return (rms * np.random.default_rng(seed).standard_normal(round(duration_s * rate))).astype(np.float32)


def sine(frequency_hz: float, duration_s: float, rate: int, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate)) / rate)


def standard_meter(rate: int, block_s: float = 0.4) -> pyloudnorm.Meter:
    """pyloudnorm with the filters that meet the standard, which are not its default."""
    return pyloudnorm.Meter(rate, filter_class="DeMan", block_size=block_s)


def test_the_filters_at_48_khz_are_those_of_the_standard():
    """ITU-R BS.1770-4, tables 1 and 2."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    highpass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    assert k_weighting(48000) == pytest.approx(np.array([shelf, highpass]), abs=2e-8)


@pytest.mark.parametrize("rate", RATES)
def test_a_full_scale_tone_of_997_hz_is_3_01_below_full_scale(rate):
    """At 48 kHz exactly; the bilinear transform bends the shelf a little at low rates."""
    assert integrated_loudness(sine(997, 3, rate), rate) == pytest.approx(-3.01, abs=0.001 if rate == 48000 else 0.05)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("duration_s", [0.4, 0.41, 0.72, 2.0, 3.14159])
def test_loudness_is_that_of_another_meter(rate, duration_s):
    swell = np.linspace(0.01, 1, round(duration_s * rate)) ** 2
    waveform = noise(duration_s, rate) * swell
    expected = standard_meter(rate).integrated_loudness(waveform)  # it rounds where the standard cuts a last block off
    assert integrated_loudness(waveform, rate) == pytest.approx(expected, abs=0.01)


def test_both_gates():
    rate = 32000
    loud, quiet, faint = noise(2, rate, 0.1), noise(6, rate, 0.01), noise(8, rate, 1e-5)
    alone = integrated_loudness(loud, rate)
    assert integrated_loudness(np.concatenate([loud, faint]), rate) == pytest.approx(alone, abs=0.5)
    gated = integrated_loudness(np.concatenate([loud, quiet]), rate)
    ungated = rms_dbfs(np.concatenate([loud, quiet])) - rms_dbfs(loud) + alone
    assert gated > ungated + 4
    assert integrated_loudness(faint, rate) == -math.inf


def test_what_is_shorter_than_a_block_is_one_block():
    rate = 32000
    waveform = noise(0.15, rate)
    expected = standard_meter(rate, 0.15).integrated_loudness(waveform.astype(float))
    assert integrated_loudness(waveform, rate) == pytest.approx(expected, abs=0.01)


def test_levels_of_silence():
    for silence in (np.zeros(50_000, np.float32), np.zeros(0, np.float32)):
        assert rms_dbfs(silence) == integrated_loudness(silence, 32000) == -math.inf
        assert math.isnan(gain_to(silence, 32000, "rms", -20))
        assert math.isnan(gain_to(silence, 32000, "lufs", -20))


def test_rms_of_a_square_wave_and_of_a_tone():
    assert rms_dbfs(np.tile([0.5, -0.5], 100).astype(np.float32)) == pytest.approx(-6.0206, abs=1e-4)
    assert rms_dbfs(sine(100, 1, 16000)) == pytest.approx(-3.0103, abs=1e-4)


@given(
    rms=st.floats(1e-7, 10),
    target_db=st.floats(-60, 20),
    duration_s=st.floats(0.01, 3),
    measure=st.sampled_from(["rms", "lufs"]),
    seed=st.integers(0, 9),
)
@examples(80, derandomize=True)
def test_gains_reach_their_level(rms, target_db, duration_s, measure, seed):
    rate = 16000
    fall = np.exp(-3 * np.arange(round(duration_s * rate)) / rate)
    waveform = noise(duration_s, rate, rms, seed) * fall
    gain_db = gain_to(waveform, rate, measure, target_db)
    assert level_db(waveform * 10 ** (gain_db / 20), rate, measure) == pytest.approx(target_db, abs=1e-3)


def test_no_gain_brings_a_sound_to_a_loudness_below_the_gate():
    assert math.isnan(gain_to(noise(1, 16000), 16000, "lufs", -80))
    assert math.isfinite(gain_to(noise(1, 16000), 16000, "rms", -80))
