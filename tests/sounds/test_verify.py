"""Every check of a bank finds what it names, and nothing else does; clean banks are clean."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from clear_gen.cli import run
from clear_gen.core.pcm import sha256_pcm, to_pcm16
from clear_gen.sounds.attributes import measured
from clear_gen.sounds.bank import MEASURES, Bank, build_bank, resampled_bank
from clear_gen.sounds.verify import CHECKS, Finding, leaked_sounds, verify
from tests.counts import thinned
from tests.sounds import ATTRIBUTES, RATE, note_recording, note_samples, real_banks, scale


@pytest.fixture(scope="module")
def train() -> Bank:
    return build_bank(scale(9), "clear2", ATTRIBUTES)


@pytest.fixture(scope="module")
def clean_test(train: Bank) -> Bank:
    """The same notes by another player: other phases, other noise, other spectra."""
    recordings = [
        note_recording(f"other-{k}", sound.attributes["note"], 4, seed=900 + k, level=0.1 + 0.05 * (k % 3), fall=0.8)
        for k, sound in enumerate(train.sounds)
    ]
    return build_bank(recordings, "clear2", ATTRIBUTES, train.thresholds)


def altered(bank: Bank, number: int = 3, **fields) -> tuple[Bank, str]:
    """``bank`` with other fields of one sound, and that sound's id; ``attributes`` replace only those they name."""
    sound = bank.sounds[number]
    if "attributes" in fields:
        fields["attributes"] = {**sound.attributes, **fields["attributes"]}
    sounds = (*bank.sounds[:number], replace(sound, **fields), *bank.sounds[number + 1 :])
    return replace(bank, sounds=sounds), sound.sound_id


def found(*banks: Bank) -> list[tuple[str, str, str]]:
    """Check, side and sound of every finding on a training bank and, if there is one, a test bank."""
    findings = verify(dict(zip(("train", "test"), banks, strict=False)), ATTRIBUTES)
    assert all(finding.check in CHECKS and finding.problem for finding in findings)
    assert all(len(finding.problem.splitlines()) == 1 for finding in findings)
    return [(finding.check, finding.side, finding.sound_id) for finding in findings]


def in_line(finding: Finding, *words: object) -> bool:
    return all(str(word) in finding.problem for word in words)


# --- clean ------------------------------------------------------------------------------------------------------------


def test_clean_banks_have_no_findings(train, clean_test):
    assert found(train) == []
    assert found(train, clean_test) == []


def test_clean_banks_at_different_rates_have_no_findings(train):
    recordings = [note_recording(f"o{k}", "D", 4, seed=70 + k, fall=0.9, sample_rate=22050) for k in range(3)]
    test = build_bank(recordings, "clear2", ATTRIBUTES, train.thresholds)
    assert found(train, test) == []


@pytest.mark.parametrize("octave", [1, 2, 3, 4, 5, 6])
def test_every_note_of_every_octave_passes_as_itself(octave):
    below_a_bass = {"C", "C#", "D", "D#"} if octave == 1 else set()
    names = sorted(set(ATTRIBUTES["note"].values) - below_a_bass)
    recordings = [note_recording(f"{name}{octave}", name, octave, seed=k) for k, name in enumerate(names)]
    assert found(build_bank(recordings, "clear2", ATTRIBUTES)) == []


@pytest.mark.parametrize("cents", [-52, -40, 40, 52])
def test_a_note_out_of_tune_is_still_that_note(cents):
    stretched = note_samples("A", duration_s=0.6)
    place = np.arange(round(0.5 * RATE)) * 2 ** (cents / 1200)
    samples = np.interp(place, np.arange(len(stretched)), stretched).astype(np.float32)
    recording = replace(note_recording("a"), samples=samples)
    assert found(build_bank([recording], "clear2", ATTRIBUTES)) == []


# --- one mistake, one check -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [1, 2, 5, 6, 11])
def test_a_wrong_note_is_found_by_pitch(train, shift):
    names = ATTRIBUTES["note"].values
    wrong = names[(names.index(train.sounds[3].attributes["note"]) + shift) % 12]
    bank, sound_id = altered(train, attributes={"note": wrong})
    assert found(bank) == [("pitch", "train", sound_id)]
    (finding,) = verify({"train": bank}, ATTRIBUTES)
    assert in_line(finding, wrong, train.sounds[3].attributes["note"], "Hz")


def test_a_wrong_note_in_the_test_bank_is_found_on_that_side(train, clean_test):
    wrong = next(name for name in ("A#", "B") if name != clean_test.sounds[3].attributes["note"])
    bank, sound_id = altered(clean_test, attributes={"note": wrong})
    assert found(train, bank) == [("pitch", "test", sound_id)]


def test_a_sound_without_pitch_is_found_by_pitch(train):
    noise = (0.1 * np.random.default_rng(5).standard_normal(RATE // 2)).astype(np.float32)
    bank = build_bank([*scale(2), replace(note_recording("noise"), samples=noise)], "clear2", ATTRIBUTES)
    assert found(bank) == [("pitch", "train", "noise")]


@pytest.mark.parametrize("name", list(measured(ATTRIBUTES)))
def test_every_wrong_label_is_found_by_labels(train, name):
    for number, sound in list(enumerate(train.sounds))[::2]:
        for wrong in {*ATTRIBUTES[name].values, None, "another"} - {sound.attributes[name]}:
            bank, sound_id = altered(train, number, attributes={name: wrong})
            assert found(bank) == [("labels", "train", sound_id)]


@pytest.mark.parametrize("name", list(measured(ATTRIBUTES)))
@pytest.mark.parametrize("by", [1e-4, 0.1])
def test_an_altered_measure_is_found_by_measures(train, name, by):
    rule = ATTRIBUTES[name]
    column = MEASURES[rule.measure][0]
    number = next(k for k, sound in enumerate(train.sounds) if sound.attributes[name] == rule.high)  # stays high
    bank, sound_id = altered(train, number, **{column: getattr(train.sounds[number], column) + by})
    assert found(bank) == [("measures", "train", sound_id)]


@pytest.mark.parametrize("name", list(measured(ATTRIBUTES)))
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measure_that_is_no_number_is_found_by_measures(train, name, value):
    column = MEASURES[ATTRIBUTES[name].measure][0]
    for number in (next(k for k, sound in enumerate(train.sounds) if sound.attributes[name] is None), 0):
        bank, sound_id = altered(train, number, **{column: value})
        assert ("measures", "train", sound_id) in found(bank)


@pytest.mark.parametrize(
    ("name", "value"), [("instrument", "kazoo"), ("instrument", None), ("octave", 8), ("octave", "4"), ("note", "H")]
)
def test_a_value_outside_the_domain_is_found_by_domain(train, name, value):
    bank, sound_id = altered(train, attributes={name: value})
    assert found(bank) == [("domain", "train", sound_id)]
    (finding,) = verify({"train": bank}, ATTRIBUTES)
    assert in_line(finding, name, repr(value))


@pytest.mark.parametrize("name", list(measured(ATTRIBUTES)))
def test_other_thresholds_are_found_by_thresholds(train, clean_test, name):
    low, high = clean_test.thresholds[name]
    bank = replace(clean_test, thresholds={**clean_test.thresholds, name: (low + 1e-4, high + 1e-4)})
    assert found(train, bank) == [("thresholds", "test", name)]


def test_a_test_bank_with_its_own_thresholds_is_found_by_thresholds(train, clean_test):
    own = build_bank(
        [replace(note_recording(s.sound_id, s.attributes["note"]), samples=s.waveform) for s in clean_test.sounds],
        "clear2",
        ATTRIBUTES,
    )
    assert {(check, side) for check, side, _ in found(train, own)} == {("thresholds", "test")}


@pytest.mark.parametrize(("gain", "shift"), thinned(list(product([0.3, 1.0, 2.0, -1.0], [0, 37, 1000]))))
def test_a_training_recording_under_another_name_is_found_by_leak(train, clean_test, gain, shift):
    stolen = train.sounds[5]
    samples = np.concatenate([np.zeros(shift, np.float32), np.float32(gain) * stolen.waveform])
    recording = replace(note_recording("quite-another-name", stolen.attributes["note"]), samples=samples)
    bad = build_bank([recording], "clear2", ATTRIBUTES, train.thresholds)
    bank = replace(clean_test, sounds=(*clean_test.sounds, *bad.sounds))
    assert found(train, bank) == [("leak", "test", "quite-another-name")]
    (finding,) = verify({"train": train, "test": bank}, ATTRIBUTES)
    assert in_line(finding, stolen.sound_id)


def test_a_training_recording_at_another_rate_is_found_by_leak(train, clean_test):
    higher = resampled_bank(replace(train, sounds=train.sounds[5:6]), 44100)
    samples = higher.sounds[0].waveform
    recording = replace(note_recording("b", train.sounds[5].attributes["note"], sample_rate=44100), samples=samples)
    bank = build_bank([recording], "clear2", ATTRIBUTES, train.thresholds)
    assert found(train, bank) == [("leak", "test", "b")]


def test_several_mistakes_are_all_found(train):
    names = ATTRIBUTES["note"].values
    bank, first = altered(train, 1, attributes={"instrument": "kazoo"})
    bank, second = altered(bank, 2, attributes={"brightness": "another"})
    wrong = names[(names.index(train.sounds[6].attributes["note"]) + 1) % 12]
    bank, third = altered(bank, 6, attributes={"note": wrong})
    assert set(found(bank)) == {("domain", "train", first), ("labels", "train", second), ("pitch", "train", third)}


def test_other_samples_under_the_same_measures_are_found_by_measures(train):
    samples = note_samples(train.sounds[3].attributes["note"], seed=55, level=0.5, fall=0.5)
    bank, sound_id = altered(train, pcm=to_pcm16(samples), pcm_sha256=sha256_pcm(to_pcm16(samples)))
    assert set(found(bank)) == {("measures", "train", sound_id)}


# --- real banks, by the command line ----------------------------------------------------------------------------------


def report_of(text: str) -> tuple[dict[str, int], list[str]]:
    """Number of findings by check, and the findings, as ``bank verify`` prints them."""
    lines = text.splitlines()
    rows = [line.split() for line in lines]
    counts = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[0] in ("decodes", *CHECKS)}
    return counts, [line for line in lines if line.split(":")[0] in CHECKS]


@pytest.mark.nightly
@pytest.mark.shared
def test_93_leaks_are_all_that_is_wrong_with_the_published_banks(shared, tmp_path_factory, capsys):
    paths = real_banks(shared, tmp_path_factory)
    capsys.readouterr()
    assert run(["bank", "verify", str(paths["train"]), str(paths["test"])]) == 1
    out, err = capsys.readouterr()
    counts, findings = report_of(out)
    assert counts == {"decodes": 0, **dict.fromkeys(CHECKS, 0), "leak": 93}
    assert len(findings) == len(set(findings)) == 93
    assert all(line.startswith("leak: test ") for line in findings)
    assert err.startswith("clear-gen: 93 findings")
    assert len(err.splitlines()) == 1


@pytest.mark.nightly
@pytest.mark.shared
def test_nothing_is_wrong_with_the_orchestral_bank(shared, tmp_path_factory, capsys):
    paths = real_banks(shared, tmp_path_factory)
    capsys.readouterr()
    code = run(["bank", "verify", str(paths["train"]), str(paths["orchestral"])])
    counts, findings = report_of(capsys.readouterr().out)
    assert findings == []
    assert counts == {"decodes": 0, **dict.fromkeys(CHECKS, 0)}
    assert code == 0


@pytest.mark.nightly
def test_nothing_is_wrong_with_the_default_banks(capsys):
    assert run(["bank", "default"]) == 0
    paths = capsys.readouterr().out.split()
    assert len(paths) == 2
    assert run(["bank", "verify", *paths]) == 0
    out, err = capsys.readouterr()
    counts, findings = report_of(out)
    assert findings == []
    assert counts == {"decodes": 0, **dict.fromkeys(CHECKS, 0)}
    assert err == ""


def test_banks_that_were_compared_are_not_compared_again(train, clean_test, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stolen = replace(clean_test.sounds[0], pcm=np.concatenate([np.zeros(37, np.int16), train.sounds[5].pcm]))
    test = replace(clean_test, sounds=(stolen, *clean_test.sounds[1:]))
    found = leaked_sounds(train, test)
    assert found == [stolen.sound_id]
    (kept,) = (tmp_path / "clear-gen").glob("leaks-*.json")
    with monkeypatch.context() as patch:
        patch.setattr("clear_gen.sounds.verify.find_leaks", lambda *_: pytest.fail("compared again"))
        assert leaked_sounds(train, test) == found
    for damaged in ("", "[3]", '["nobody"]', "{}"):
        kept.write_text(damaged)
        assert leaked_sounds(train, test) == found
    assert leaked_sounds(train, clean_test) == []
    assert len(list((tmp_path / "clear-gen").iterdir())) == 2
