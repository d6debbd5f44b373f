"""A bank holds what it was given, labels follow from its thresholds, and what cannot be used is named."""

from __future__ import annotations

import re
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.core.pcm import from_pcm16, sha256_pcm, to_pcm16
from clear_gen.sounds.analysis import brightness, loudness_lufs
from clear_gen.sounds.attributes import MeasuredAttribute, label, measured
from clear_gen.sounds.bank import (
    MEASURES,
    Bank,
    ElementarySound,
    build_bank,
    label_thresholds,
    read_bank,
    resampled_bank,
    write_bank,
)
from tests.counts import examples
from tests.sounds import ATTRIBUTES, RATE, note_recording, note_samples, one_line, real_banks, scale

quick = examples(60)
finite = st.floats(-1e3, 1e3)
NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def bank() -> Bank:
    return build_bank(scale(9), "clear2", ATTRIBUTES)


def values(bank: Bank, name: str) -> list[float]:
    rule = measured(ATTRIBUTES)[name]
    return [getattr(sound, MEASURES[rule.measure][0]) for sound in bank.sounds]


def sound(brightness_points: float = 50.0, loudness: float = -25.0) -> ElementarySound:
    pcm = np.zeros(4, np.int16)
    return ElementarySound("s", {}, brightness_points, loudness, pcm, RATE, "CC0-1.0", "test", sha256_pcm(pcm))


# --- writing and reading ----------------------------------------------------------------------------------------------


def test_a_bank_comes_back_exactly(bank, tmp_path):
    path = tmp_path / "bank.parquet"
    write_bank(bank, path)
    found = read_bank(path)
    assert (found.domain, found.sample_rate, found.thresholds) == (bank.domain, bank.sample_rate, bank.thresholds)
    assert len(found.sounds) == len(bank.sounds)
    for before, after in zip(bank.sounds, found.sounds, strict=True):
        assert np.array_equal(after.pcm, before.pcm)
        assert after.pcm.dtype == before.pcm.dtype == np.int16
        assert replace(after, pcm=before.pcm) == before  # every other field, doubles included
        assert list(after.attributes) == list(ATTRIBUTES)
    assert found.sha256 == bank.sha256


def test_a_bank_holds_the_recordings_as_pcm_with_their_licence_and_source(bank):
    for recording in scale(9):
        held = bank.by_id[recording.sound_id]
        assert np.array_equal(held.pcm, np.rint(np.float32(32767) * recording.samples))
        assert (held.licence, held.source, held.sample_rate) == (
            recording.licence,
            recording.source,
            recording.sample_rate,
        )
        assert recording.attributes.items() <= held.attributes.items()
        assert held.duration_s == len(recording.samples) / RATE


def test_text_of_any_script_comes_back(tmp_path):
    recording = replace(note_recording('é "笛", #1'), source="joueur: Zoë,\n2 lines; \u2028", licence="CC-BY-4.0")
    write_bank(build_bank([recording], "clear2", ATTRIBUTES), tmp_path / "bank.parquet")
    (found,) = read_bank(tmp_path / "bank.parquet").sounds
    assert (found.sound_id, found.source, found.licence) == (recording.sound_id, recording.source, recording.licence)


def test_measures_are_those_of_the_samples_that_the_bank_holds(bank):
    for held in bank.sounds:
        samples = from_pcm16(held.pcm)
        assert held.brightness_points == pytest.approx(brightness(samples, RATE), abs=1e-6)
        assert held.loudness_lufs == pytest.approx(loudness_lufs(samples, RATE), abs=1e-6)


def test_a_failed_write_leaves_the_old_bank(bank, tmp_path):
    path = tmp_path / "bank.parquet"
    write_bank(bank, path)
    before = path.read_bytes()
    wrong = replace(bank.sounds[1], attributes={**bank.sounds[1].attributes, "octave": "four"})
    with pytest.raises(Exception, match="four"):
        write_bank(replace(bank, sounds=(bank.sounds[0], wrong)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_samples_that_do_not_match_their_hash_are_named(bank, tmp_path):
    other = bank.sounds[2].pcm.copy()
    other[100] ^= 1
    path = tmp_path / "bank.parquet"
    write_bank(replace(bank, sounds=(*bank.sounds[:2], replace(bank.sounds[2], pcm=other))), path)
    with pytest.raises(InputError) as caught:
        read_bank(path)
    assert bank.sounds[2].sound_id in one_line(caught)
    assert "pcm_sha256" in one_line(caught)


def test_a_bank_at_another_rate_keeps_lengths_and_labels(bank):
    other = resampled_bank(bank, 2 * RATE)
    assert other.sample_rate == 2 * RATE
    for before, after in zip(bank.sounds, other.sounds, strict=True):
        assert after.duration_s == before.duration_s
        assert after.attributes == before.attributes
        assert after.loudness_lufs == pytest.approx(loudness_lufs(after.waveform, 2 * RATE), abs=0.1)


# --- labels and thresholds --------------------------------------------------------------------------------------------


def test_labels_follow_the_thresholds_and_all_of_them_occur(bank):
    for name, rule in measured(ATTRIBUTES).items():
        low, high = bank.thresholds[name]
        labels = [held.attributes[name] for held in bank.sounds]
        expected = [rule.low if value < low else rule.high if value > high else None for value in values(bank, name)]
        assert labels == expected
        assert set(labels) == {rule.low, rule.high, None}


@quick
@given(value=finite, low=finite, width=st.floats(0, 10))
def test_a_value_on_a_threshold_is_unknown(value, low, width):
    rule = MeasuredAttribute(measure="loudness", low="quiet", high="loud", dead_zone=1.0)
    assert label(value, rule, (low, low + width)) in ("quiet", "loud", None)
    assert label(low, rule, (low, low + width)) is None
    assert label(low + width, rule, (low, low + width)) is None


@pytest.mark.parametrize("n", [1, 2, 8, 9])
def test_thresholds_are_the_median_plus_and_minus_half_the_dead_zone(n):
    bank = build_bank(scale(n), "clear2", ATTRIBUTES)
    for name, rule in measured(ATTRIBUTES).items():
        low, high = bank.thresholds[name]
        assert (low + high) / 2 == pytest.approx(median(values(bank, name)), abs=1e-6)
        assert high - low == pytest.approx(rule.dead_zone, abs=1e-6)


@quick
@given(points=st.lists(finite, min_size=3, max_size=30), data=st.data(), extreme=st.sampled_from([-1e6, 1e6]))
def test_one_odd_recording_moves_the_thresholds_at_most_to_the_neighbour(points, data, extreme):
    ordered, n, half = sorted(points), len(points), ATTRIBUTES["brightness"].dead_zone / 2
    odd = data.draw(st.integers(0, n - 1))
    changed = [sound(extreme if k == odd else value) for k, value in enumerate(ordered)]
    low, _ = label_thresholds(changed, ATTRIBUTES)["brightness"]
    assert ordered[(n - 1) // 2 - 1] - 1e-6 <= low + half <= ordered[n // 2 + 1] + 1e-6
    if (extreme > 0 and odd > n // 2) or (extreme < 0 and odd < (n - 1) // 2):  # odd on the side where it was
        before = label_thresholds([sound(value) for value in ordered], ATTRIBUTES)["brightness"]
        assert low == before[0]


@pytest.mark.shared
def test_no_recording_of_the_real_bank_moves_a_threshold_by_a_quarter_of_the_dead_zone(shared, tmp_path_factory):
    bank = read_bank(real_banks(shared, tmp_path_factory)["train"])
    for name, rule in measured(ATTRIBUTES).items():
        middle = median(values(bank, name))
        for odd in range(len(bank.sounds)):
            for extreme in (-1e3, 1e3):
                sounds = list(bank.sounds)
                same_side = (values(bank, name)[odd] - middle) * extreme > 0
                sounds[odd] = replace(sounds[odd], brightness_points=extreme, loudness_lufs=extreme)
                moved = label_thresholds(sounds, ATTRIBUTES)[name][0] - bank.thresholds[name][0]
                assert abs(moved) <= (0.0 if same_side else rule.dead_zone / 4)


def test_a_test_bank_is_labelled_with_the_thresholds_it_is_given(bank):
    louder = [replace(recording, samples=1.5 * recording.samples) for recording in scale(9)]
    own = build_bank(louder, "clear2", ATTRIBUTES)
    as_told = build_bank(louder, "clear2", ATTRIBUTES, bank.thresholds)
    assert as_told.thresholds == bank.thresholds != own.thresholds
    low, high = bank.thresholds["loudness"]
    for held in as_told.sounds:
        expected = "quiet" if held.loudness_lufs < low else "loud" if held.loudness_lufs > high else None
        assert held.attributes["loudness"] == expected
    assert [held.attributes["loudness"] for held in as_told.sounds] != [
        held.attributes["loudness"] for held in own.sounds
    ]


# --- identity ---------------------------------------------------------------------------------------------------------


@examples(10, few=3)
@given(order=st.permutations(range(5)))
def test_the_content_hash_does_not_depend_on_the_order_of_recordings(order):
    recordings = scale(5)
    shuffled = build_bank([recordings[k] for k in order], "clear2", ATTRIBUTES)
    assert shuffled.sha256 == build_bank(recordings, "clear2", ATTRIBUTES).sha256
    assert [held.sound_id for held in shuffled.sounds] == sorted(held.sound_id for held in shuffled.sounds)


def test_the_content_hash_does_not_depend_on_the_order_of_rows_in_the_file(bank, tmp_path):
    path = tmp_path / "bank.parquet"
    write_bank(replace(bank, sounds=bank.sounds[::-1]), path)
    found = read_bank(path)
    assert [held.sound_id for held in found.sounds] == sorted(held.sound_id for held in found.sounds)
    assert found.sha256 == bank.sha256


def test_the_content_hash_changes_with_one_sample():
    recordings = scale(3)
    samples = recordings[1].samples.copy()
    samples[1000] += 1 / 32767
    changed = [recordings[0], replace(recordings[1], samples=samples), recordings[2]]
    thresholds = build_bank(recordings, "clear2", ATTRIBUTES).thresholds
    hashes = {build_bank(these, "clear2", ATTRIBUTES, thresholds).sha256 for these in (recordings, changed)}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"sound_id": "another"},
        {"attributes": {"instrument": "flute"}},
        {"attributes": {"octave": 5}},
        {"attributes": {"brightness": "changed"}},
        {"attributes": {"loudness": "changed"}},
    ],
)
def test_the_content_hash_changes_with_an_id_or_a_label(bank, change):
    first = bank.sounds[0]
    if "attributes" in change:
        change = {"attributes": {**first.attributes, **change["attributes"]}}
    changed = replace(bank, sounds=(replace(first, **change), *bank.sounds[1:]))
    assert changed.sha256 != bank.sha256


def test_the_content_hash_changes_with_domain_rate_and_thresholds(bank):
    low, high = bank.thresholds["loudness"]
    others = [
        replace(bank, domain="daqa"),
        replace(bank, sample_rate=44100),
        replace(bank, thresholds={**bank.thresholds, "loudness": (low, high + 0.01)}),
        replace(bank, sounds=bank.sounds[:-1]),
    ]
    assert len({other.sha256 for other in [bank, *others]}) == 5


def test_a_label_never_passes_for_another_one_of_the_same_text(bank):
    """An unknown label and a label "None", octave 4 and octave "4": different banks."""
    first = next(held for held in bank.sounds if held.attributes["brightness"] is None)
    for name, value in (("brightness", "None"), ("octave", str(first.attributes["octave"]))):
        other = replace(first, attributes={**first.attributes, name: value})
        sounds = tuple(other if held is first else held for held in bank.sounds)
        assert replace(bank, sounds=sounds).sha256 != bank.sha256


# --- what cannot be used ----------------------------------------------------------------------------------------------


def with_samples(change) -> np.ndarray:
    samples = note_samples()
    change(samples)
    return samples


def put(where: slice | int, value: float) -> np.ndarray:
    return with_samples(lambda samples: samples.__setitem__(where, value))


UNUSABLE = {
    "silent": (np.zeros(RATE // 2, np.float32), "silence"),
    "nearly silent": (note_samples(level=5e-4), "silence"),
    "clipped at the top": (put(slice(100, 103), 1.0), "clipping"),
    "clipped at the bottom": (put(slice(100, 103), -1.0), "clipping"),
    "clipped in 16 bit": (put(slice(100, 103), 32767 / 32768), "clipping"),
    "clipped at the start": (put(slice(0, 3), 1.0), "clipping"),
    "clipped at the end": (put(slice(-3, None), 1.0), "clipping"),
    "beyond full scale": (put(slice(100, 103), 3.0), "clipping"),
    "one sample of another scale": (put(100, 3.0), "peak of 3"),
    "NaN": (put(2000, NAN), "NaN"),
    "NaN at the end": (put(-1, NAN), "NaN"),
    "all NaN": (np.full(RATE, NAN, np.float32), "NaN"),
    "Inf": (put(0, INF), "Inf"),
    "minus Inf": (put(2000, -INF), "Inf"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_recording_is_named_in_one_line(kind):
    samples, reason = UNUSABLE[kind]
    bad = replace(note_recording("the-bad-one"), samples=samples)
    with pytest.raises(InputError) as caught:
        build_bank([*scale(2), bad], "clear2", ATTRIBUTES)
    assert one_line(caught).startswith("the-bad-one: ")
    assert reason in one_line(caught)


@pytest.mark.parametrize("sound_id", ["", "two\nlines", "half \ud800", "x" * 191])
def test_a_sound_id_that_is_no_file_name_elsewhere_is_refused(sound_id):
    with pytest.raises(InputError) as caught:
        build_bank([*scale(2), note_recording(sound_id)], "clear2", ATTRIBUTES)
    assert "sound_id: found" in one_line(caught)


@pytest.mark.parametrize("n_samples", [0, 1, 2, 3, 100, 2047, 2048, round(0.2 * RATE) - 1])
def test_a_recording_that_is_too_short_is_named_in_one_line(n_samples):
    bad = replace(note_recording("the-bad-one"), samples=note_samples(duration_s=1.0)[:n_samples])
    with pytest.raises(InputError) as caught:
        build_bank([*scale(2), bad], "clear2", ATTRIBUTES)
    assert one_line(caught).startswith("the-bad-one: ")
    assert re.search(r"found 0\.\d+ s, expected at least 0\.2 s", one_line(caught))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_the_shortest_recording_that_is_accepted_can_be_measured_at_any_rate(rate):
    samples = note_samples(sample_rate=rate, duration_s=0.25)
    for n_samples in range(int(0.2 * rate) - 1, int(0.2 * rate) + 3):
        recording = replace(note_recording("short", sample_rate=rate), samples=samples[:n_samples])
        if n_samples < 0.2 * rate:
            with pytest.raises(InputError):
                build_bank([recording], "clear2", ATTRIBUTES)
        else:
            (held,) = build_bank([recording], "clear2", ATTRIBUTES).sounds
            assert np.isfinite([held.brightness_points, held.loudness_lufs]).all()


def test_one_or_two_samples_at_full_scale_are_a_peak_and_not_clipping():
    for samples in (put(slice(100, 102), 1.0), put(slice(100, 200, 2), 1.0)):
        (held,) = build_bank([replace(note_recording("peak"), samples=samples)], "clear2", ATTRIBUTES).sounds
        assert np.array_equal(held.pcm, to_pcm16(samples))


def test_a_recording_that_nothing_is_wrong_with_is_accepted_at_any_level():
    for level in (2e-3, 0.1, 0.99):
        build_bank([note_recording("fine", level=level)], "clear2", ATTRIBUTES)


def test_an_id_found_twice_is_named_in_one_line():
    with pytest.raises(InputError) as caught:
        build_bank([*scale(2), note_recording("note-1")], "clear2", ATTRIBUTES)
    assert one_line(caught).startswith("note-1: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instrument", "kazoo"),
        ("instrument", ""),
        ("instrument", "Cello"),
        ("note", "H"),
        ("note", "Bb"),
        ("octave", 8),
        ("octave", "four"),
        ("octave", None),
    ],
)
def test_a_value_outside_the_domain_is_named_in_one_line(name, value):
    good = note_recording("the-bad-one")
    with pytest.raises(InputError) as caught:
        build_bank([*scale(2), replace(good, attributes={**good.attributes, name: value})], "clear2", ATTRIBUTES)
    assert one_line(caught).startswith(f"the-bad-one: {name}: found {value!r}")


def test_a_missing_value_is_named_in_one_line():
    good = note_recording("the-bad-one")
    with pytest.raises(InputError) as caught:
        build_bank([replace(good, attributes={"instrument": "cello", "octave": 4})], "clear2", ATTRIBUTES)
    assert one_line(caught).startswith("the-bad-one: note: ")


def test_a_recording_at_another_rate_is_named_in_one_line():
    with pytest.raises(InputError) as caught:
        build_bank([*scale(3), note_recording("the-bad-one", sample_rate=22050)], "clear2", ATTRIBUTES)
    assert "22050" in one_line(caught)
    assert "the-bad-one" in one_line(caught)


def test_no_recordings_is_an_error_of_one_line():
    with pytest.raises(InputError) as caught:
        build_bank([], "clear2", ATTRIBUTES)
    assert one_line(caught)
