"""Rules of mixtures: distributions draw what they say; a mistake is one line that names file, line and field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clear_gen.core.errors import InputError
from clear_gen.mixtures.rules import Constant, MixtureRules, Uniform, load_rules
from tests.counts import examples

P_VALUE = 0.001

RULES = """\
duration_s: 8
n_events: {uniform: [1, 3]}
event_duration_s:
  truncnorm:
    mean: 1
    std: 0.5
    min: 0.2
    max: 2
source_place: {uniform: [0, 1]}
onset_s: null
max_polyphony: 2
min_gap_s: 0.1
fade_in_s: 0.005
fade_out_s: {choose: [0.01, 0.05]}
trim_db: -50
snr_db: {normal: {mean: 5, std: 10}}
snr_measure: lufs
background_dbfs: -40
crossfade_s: 0.3
verified_only: false
"""


def write(folder: Path, content: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def drawn(n: int = 4000, **field: object) -> np.ndarray:
    ((name, value),) = field.items()
    distribution = getattr(MixtureRules.model_validate({name: value}), name)
    rng = np.random.default_rng(3)
    return np.array([distribution.sample(rng) for _ in range(n)])


def test_a_file_of_rules(tmp_path):
    rules = load_rules(write(tmp_path, RULES))
    assert (rules.duration_s, rules.max_polyphony, rules.trim_db, rules.snr_measure) == (8, 2, -50, "lufs")
    assert rules.n_events == Uniform(uniform=(1, 3))
    assert rules.fade_in_s == Constant(constant=0.005)
    assert rules.onset_s is None
    assert rules.snr_db is not None
    assert not rules.verified_only


def test_what_a_file_does_not_name_keeps_its_default(tmp_path):
    assert load_rules(write(tmp_path, "min_gap_s: 0.25\n")) == MixtureRules()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("duration_s: 8", "duration_s: 0", ":1: duration_s: found 0, expected: at least"),
        ("duration_s: 8", "duration_s: 8\nlength: 3", ":2: length: found 3, expected: no such field"),
        ("[1, 3]}", "[3, 1]}", ":2: n_events.uniform: found [3, 1], expected: [low, high] with low <= high"),
        ("[1, 3]}", "[1, 2.5]}", ":2: n_events: found 2.5, expected: whole numbers"),
        ("[1, 3]}", "[1, 65]}", ":2: n_events: found '1 to 65', expected: numbers from 0 to 64"),
        (
            "[1, 3]}",
            "[1, 9]}",
            ":2: n_events: found '9 events of up to 2 s, for which 10.4 s are needed', expected: fewer",
        ),
        (
            "{uniform: [1, 3]}",
            "{truncnorm: {mean: 2, std: 1, min: 1, max: 3}}",
            ":2: n_events: found 'a truncnorm', exp",
        ),
        ("{uniform: [1, 3]}", "three", ":2: n_events: found 'three', expected: a number, or one of {choose: [..]}"),
        ("{uniform: [1, 3]}", "yes", ":2: n_events: found True, expected: a number, or one of {choose: [..]}"),
        (
            "    std: 0.5",
            "    std: 0",
            ":6: event_duration_s.truncnorm.std: found 0, expected: more than 0",
        ),
        (
            "    max: 2",
            "    max: 0.1",
            ":8: event_duration_s.truncnorm.max: found 0.1, expected: a number of at least min",
        ),
        ("    max: 2", "    max: 9", ":3: event_duration_s: found '0.2 to 9', expected: numbers from 0.05 to 8"),
        (
            "    max: 2",
            "    most: 2",
            ":8: event_duration_s.truncnorm.most: found 2, expected: no such field, but one of: mean, std, min, max "
            "(and 1 more)",
        ),
        (
            "source_place: {uniform: [0, 1]}",
            "source_place: 1.5",
            ":9: source_place: found '1.5', expected: numbers from 0",
        ),
        ("onset_s: null", "onset_s: 7.9", ":10: onset_s: found '7.9 at the least', expected: onsets that leave room"),
        (
            "onset_s: null",
            "onset_s: {normal: {mean: 4, std: 1}}",
            ":10: onset_s: found '-inf to inf', expected: numbers",
        ),
        (
            "max_polyphony: 2",
            "max_polyphony: 1.0",
            ":11: max_polyphony: found 1.0, expected: a whole number",
        ),
        ("max_polyphony: 2", "max_polyphony: 0", ":11: max_polyphony: found 0, expected: at least 1"),
        ("min_gap_s: 0.1", "min_gap_s: -1", ":12: min_gap_s: found -1, expected: at least 0"),
        ("fade_in_s: 0.005", "fade_in_s: 2", ":13: fade_in_s: found '2', expected: numbers from 0 to 1"),
        ("{choose: [0.01, 0.05]}", "{choose: []}", ":14: fade_out_s.choose: found [], expected: at least 1 item"),
        (
            "{choose: [0.01, 0.05]}",
            "{choose: [a]}",
            ":14: fade_out_s.choose.0: found 'a', expected: a number",
        ),
        ("trim_db: -50", "trim_db: 0", ":15: trim_db: found 0, expected: at most -6"),
        ("mean: 5", "mean: .nan", ":16: snr_db.normal.mean: found nan, expected: a finite number"),
        (
            "snr_measure: lufs",
            "snr_measure: lkfs",
            ":17: snr_measure: found 'lkfs', expected: 'rms' or",
        ),
        (
            "background_dbfs: -40",
            "background_dbfs: 3",
            ":18: background_dbfs: found '3', expected: numbers from -90 to 0",
        ),
        ("crossfade_s: 0.3", "crossfade_s: 0", ":19: crossfade_s: found '0', expected: numbers from 0.01 to 60"),
        (
            "verified_only: false",
            "verified_only: 1",
            ":20: verified_only: found 1, expected: true or false",
        ),
    ],
)
def test_mistakes_name_line_and_field(tmp_path, old, new, message):
    assert RULES.count(old) == 1
    path = write(tmp_path, RULES.replace(old, new))
    with pytest.raises(InputError) as raised:
        load_rules(path)
    assert str(raised.value).startswith(f"{path}{message}")
    assert len(str(raised.value).splitlines()) == 1


# --- distributions ----------------------------------------------------------------------------------------------------


def test_constants_draw_nothing():
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    assert MixtureRules().event_duration_s.sample(rng) == 2.0
    assert rng.bit_generator.state == before


def test_choices_are_equally_likely():
    values, counts = np.unique(drawn(snr_db={"choose": [-5, 0, 20]}), return_counts=True)
    assert values.tolist() == [-5, 0, 20]
    assert stats.chisquare(counts).pvalue > P_VALUE


def test_numbers_of_events_are_equally_likely_at_both_ends_too():
    rules = MixtureRules.model_validate({"n_events": {"uniform": [0, 4]}})
    rng = np.random.default_rng(2)
    values, counts = np.unique([rules.sample_n_events(rng) for _ in range(4000)], return_counts=True)
    assert values.tolist() == [0, 1, 2, 3, 4]
    assert stats.chisquare(counts).pvalue > P_VALUE


def test_uniform():
    assert stats.kstest(drawn(background_dbfs={"uniform": [-50, -30]}), stats.uniform(-50, 20).cdf).pvalue > P_VALUE


def test_normal():
    found = drawn(snr_db={"normal": {"mean": 3, "std": 7}})
    assert stats.kstest(found, stats.norm(3, 7).cdf).pvalue > P_VALUE


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [(5, 10, -6, 30), (0, 1, 6, 9), (0, 1, -12, -9), (0, 1, 20, 21), (100, 5, -60, 0), (0, 50, 1, 2), (0, 1e-3, -1, 1)],
)
def test_truncated_normal(mean, std, low, high):
    found = drawn(snr_db={"truncnorm": {"mean": mean, "std": std, "min": low, "max": high}})
    assert low <= found.min() <= found.max() <= high
    expected = stats.truncnorm((low - mean) / std, (high - mean) / std, loc=mean, scale=std)
    assert stats.kstest(found, expected.cdf).pvalue > P_VALUE


@given(
    mean=st.floats(-1e6, 1e6),
    std=st.floats(1e-9, 1e9),
    low=st.floats(-100, 100),
    width=st.floats(0, 20),
    seed=st.integers(0),
)
@examples(200, derandomize=True)
def test_a_truncated_normal_stays_within_its_range_however_far_from_its_mean(mean, std, low, width, seed):
    shape = {"mean": mean, "std": std, "min": low, "max": low + width}
    distribution = MixtureRules.model_validate({"snr_db": {"truncnorm": shape}}).snr_db
    assert distribution is not None
    assert low <= distribution.sample(np.random.default_rng(seed)) <= low + width


def test_far_from_the_mean_a_truncated_normal_is_the_nearer_end():
    shape = {"mean": 1e6, "std": 1e-3, "min": -5, "max": 5}
    assert drawn(20, snr_db={"truncnorm": shape}) == pytest.approx(5, abs=1e-6)
    assert drawn(20, snr_db={"truncnorm": shape | {"mean": -1e6}}) == pytest.approx(-5, abs=1e-6)
    assert drawn(20, snr_db={"truncnorm": shape | {"mean": 1e6, "std": 1e-170}}) == pytest.approx(5)
