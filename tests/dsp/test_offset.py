"""What lies below hearing: taken out where it would count as sound, left where it would not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.signal import butter, sosfiltfilt

from clear_gen.dsp.offset import without_offset

RATE = 44_100


def event(rate: int = RATE) -> np.ndarray:
    """A second of a tone in six seconds of quiet, float32 [6 * rate]."""
    samples = 1e-4 * default_rng(0).standard_normal(6 * rate)
    t = np.arange(rate) / rate
    samples[2 * rate : 3 * rate] += 0.2 * np.sin(2 * np.pi * 440 * t) * np.hanning(rate)
    return samples.astype(np.float32)


def decaying(samples: np.ndarray) -> np.ndarray:
    return 0.02 * np.exp(-np.arange(len(samples)) / RATE / 1.5)


def rumble(samples: np.ndarray) -> np.ndarray:
    return 0.02 * np.sin(2 * np.pi * 6 * np.arange(len(samples)) / RATE)


def test_a_recording_without_an_offset_keeps_every_bit() -> None:
    samples = event()
    assert without_offset(samples, RATE) is samples


@pytest.mark.parametrize("offset", [0.004, -0.1])
def test_a_constant_offset_goes(offset: float) -> None:
    np.testing.assert_allclose(without_offset(event() + np.float32(offset), RATE), event(), atol=1e-6)


@pytest.mark.parametrize("disturbance", [decaying, rumble])
def test_what_moves_below_hearing_goes(disturbance: object) -> None:
    samples = event()
    heard = without_offset((samples + disturbance(samples)).astype(np.float32), RATE)  # type: ignore[operator]
    inner = slice(RATE // 10, -RATE // 10)
    assert np.abs(heard - samples)[inner].max() < 2e-4  # 74 dB below the tone


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 96_000])
def test_a_background_with_an_offset_has_the_level_that_is_heard(rate: int) -> None:
    noise = (0.003 * default_rng(1).standard_normal(3 * rate)).astype(np.float32)
    heard = without_offset(noise + np.float32(0.1), rate)
    assert 20 * np.log10(heard.std() / noise.std()) == pytest.approx(0, abs=0.01)
    assert abs(heard.mean()) < 1e-4


def test_a_low_note_stays() -> None:
    t = np.arange(3 * RATE) / RATE
    note = (0.5 * np.sin(2 * np.pi * 27.5 * t) * np.exp(-t)).astype(np.float32)  # A0, the lowest of a piano
    assert without_offset(note, RATE) is note


def test_what_is_left_holds_nothing_below_ten_hertz() -> None:
    samples = (event() + decaying(event()) + rumble(event()) + 0.01).astype(np.float32)
    sections = butter(4, 10, fs=RATE, output="sos")
    assert sosfiltfilt(sections, without_offset(samples, RATE)).std() < 0.02 * sosfiltfilt(sections, samples).std()


@pytest.mark.parametrize("n", [0, 1, 2, 30, 2_204])
def test_what_is_shorter_than_a_period_stays(n: int) -> None:
    samples = np.full(n, 0.25, np.float32)
    assert without_offset(samples, RATE) is samples


def test_a_short_recording() -> None:
    assert np.abs(without_offset(np.full(2_205, 0.25, np.float32), RATE)).max() < 1e-6


def test_what_is_not_finite_is_left_to_its_reader() -> None:
    samples = np.array([0.5, np.nan, 0.5], np.float32)
    assert without_offset(samples, RATE) is samples
