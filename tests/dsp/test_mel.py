"""The mel filter bank: edges against the scales' own formulas, and what the two norms promise."""

from __future__ import annotations

import numpy as np
import pytest

from clear_gen.dsp.mel import Scale, mel_edges_hz, mel_filters


def test_edges_are_equally_far_apart_on_the_htk_scale() -> None:
    edges_hz = mel_edges_hz(64, 0, 24_000, "htk")
    mels = 1127.01048 * np.log1p(edges_hz / 700)  # the same scale in natural logarithms
    assert edges_hz.shape == (66,)
    assert edges_hz[[0, -1]] == pytest.approx([0, 24_000], abs=1e-6)
    assert np.diff(mels) == pytest.approx(mels[-1] / 65, rel=1e-5)


def test_edges_on_slaneys_scale_are_linear_below_its_corner_and_geometric_above() -> None:
    edges_hz = mel_edges_hz(40, 100, 8000, "slaney")
    below, above = edges_hz[edges_hz < 1000], edges_hz[edges_hz > 1000]
    assert np.diff(below, 2) == pytest.approx(0, abs=1e-9)
    assert np.diff(np.log(above), 2) == pytest.approx(0, abs=1e-12)
    assert np.log(above[1] / above[0]) * 27 / np.log(6.4) == pytest.approx((below[1] - below[0]) * 3 / 200)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_norms(scale: Scale) -> None:
    edges_hz, n_fft, rate = mel_edges_hz(24, 50, 8000, scale), 1 << 16, 16_000
    assert mel_filters(edges_hz, n_fft, rate).max(1) == pytest.approx(1, abs=0.01)
    areas = mel_filters(edges_hz, n_fft, rate, norm="area").sum(1) * rate / n_fft
    assert areas == pytest.approx(1, rel=1e-3)
