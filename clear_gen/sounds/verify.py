"""Checks on banks: is what they say about their sounds true, and is the test bank independent of the training bank?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from platformdirs import user_cache_path

from clear_gen.core.files import write_text
from clear_gen.core.progress import counted
from clear_gen.sounds import leak
from clear_gen.sounds.analysis import cents_from, pitch_class, pitch_hz
from clear_gen.sounds.attributes import Attribute, GivenAttribute, given, label, measured
from clear_gen.sounds.bank import MEASURES, Bank, ElementarySound, resampled_bank
from clear_gen.sounds.importers.good_sounds import shared_origins
from clear_gen.sounds.leak import RESIDUAL_LIMIT, find_leaks

MEASURE_TOLERANCE = 2e-6  # measures are stored with six decimals
MOST_COMPARED = 1000  # sounds of both banks, all pairs of which are compared in half a minute
PAIR_CHECKS = ("thresholds", "origin", "leak")
PITCH_TOLERANCE_CENTS = 60.0  # a quarter tone out of tune and still that note, plus the estimate's error
CHECKS = ("domain", "measures", "labels", "pitch", *PAIR_CHECKS)


@dataclass(frozen=True)
class Finding:
    """Something wrong: by which check, on which side (train, test), with which sound, and how."""

    check: str
    side: str
    sound_id: str
    problem: str


def verify(banks: Mapping[str, Bank], attributes: Mapping[str, Attribute]) -> list[Finding]:
    """All findings on the bank ``train`` and, if there is one, ``test``; empty if nothing is wrong."""
    findings = [finding for side, bank in banks.items() for finding in _check_bank(side, bank, attributes)]
    if "test" in banks:
        findings += check_pair(banks["train"], banks["test"])
    return findings


def _check_bank(side: str, bank: Bank, attributes: Mapping[str, Attribute]) -> Iterator[Finding]:
    for sound in counted(bank.sounds, f"{side} bank: sounds checked"):
        for name, rule in given(dict(attributes)).items():
            value = sound.attributes.get(name)
            if value not in rule.values:
                yield Finding(
                    "domain", side, sound.sound_id, f"{name}: found {value!r}, expected a value of the domain"
                )
            elif rule.is_pitch_class and (problem := _wrong_pitch(sound, name, rule)):
                yield Finding("pitch", side, sound.sound_id, problem)
        yield from _check_measures(side, sound, bank, attributes)


def _wrong_pitch(sound: ElementarySound, name: str, rule: GivenAttribute) -> str | None:
    try:
        f0_hz = pitch_hz(sound.waveform, sound.sample_rate)
    except ValueError as error:
        return f"{name}: no pitch found ({error}), expected {sound.attributes[name]}"
    if abs(cents_from(f0_hz, str(sound.attributes[name]))) <= PITCH_TOLERANCE_CENTS:
        return None
    estimated, cents = pitch_class(f0_hz)
    heard = f"{f0_hz:.1f} Hz, {estimated} {cents:+.0f} cents"
    return f"{name}: found {sound.attributes[name]}, but the sound is at {heard}"


def _check_measures(
    side: str, sound: ElementarySound, bank: Bank, attributes: Mapping[str, Attribute]
) -> Iterator[Finding]:
    for name, rule in measured(dict(attributes)).items():
        column, measure = MEASURES[rule.measure]
        stored, found = getattr(sound, column), measure(sound.waveform, sound.sample_rate)
        if not abs(stored - found) <= MEASURE_TOLERANCE:  # also when either is no number
            yield Finding("measures", side, sound.sound_id, f"{column}: stored {stored:.6f}, measured {found:.6f}")
        expected = label(stored, rule, bank.thresholds[name])
        if sound.attributes.get(name) != expected:
            problem = f"{name}: found {sound.attributes.get(name)}, expected {expected} ({column} {stored:.2f})"
            yield Finding("labels", side, sound.sound_id, problem)


def leaked_sounds(train: Bank, test: Bank) -> list[str]:
    """The test sounds that are recordings of the training bank, by id.

    Of banks of ``MOST_COMPARED`` sounds and more only those whose samples are equal: the others would take minutes.
    What was found is kept in the user's cache folder, for the next dataset from the same banks.
    """
    known = {sound.pcm_sha256 for sound in train.sounds}
    found = {sound.sound_id for sound in test.sounds if sound.pcm_sha256 in known}
    if len(train.sounds) + len(test.sounds) < MOST_COMPARED:
        found |= set(_compared(train, test))
    return sorted(found)


def _compared(train: Bank, test: Bank) -> list[str]:
    """The ids of the test sounds that the comparison of samples finds; from the cache if these banks were compared."""
    path = user_cache_path("clear-gen", appauthor=False) / f"leaks-{_comparison(train, test)}.json"
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, list) and {*found} <= test.by_id.keys():
            return found
    found = [test.sounds[index].sound_id for index in sorted(_leaks(train, test))]
    with suppress(OSError):
        write_text(path, json.dumps(found))
    return found


def _comparison(train: Bank, test: Bank) -> str:
    """What the result of a comparison depends on: both banks, and the code that compares."""
    code = sha256(Path(leak.__file__).read_bytes() + Path(__file__).read_bytes()).hexdigest()
    return sha256(f"{train.sha256} {test.sha256} {code}".encode()).hexdigest()[:32]


def _leaks(train: Bank, test: Bank) -> dict[int, tuple[float, int]]:
    """Index in the test bank -> (residual, index in the training bank) of the recording that is nearest to it."""
    test = resampled_bank(test, train.sample_rate)
    train_waveforms, test_waveforms = ([sound.waveform for sound in bank.sounds] for bank in (train, test))
    best: dict[int, tuple[float, int]] = {}
    for train_index, test_index, residual in find_leaks(train_waveforms, test_waveforms):
        best[test_index] = min(best.get(test_index, (1.0, -1)), (residual, train_index))
    return best


def check_pair(train: Bank, test: Bank) -> Iterator[Finding]:
    """Other thresholds in the test bank, its players and microphones, and its recordings that train has as well."""
    for name, bounds in train.thresholds.items():
        found = test.thresholds.get(name)
        if found != bounds:
            yield Finding("thresholds", "test", name, f"found {found}, expected the training bank's {bounds}")
    for origin in shared_origins(*([sound.source for sound in bank.sounds] for bank in (train, test))):
        yield Finding("origin", "test", origin, "is in the training bank as well, expected another")
    for test_index, (residual, train_index) in sorted(_leaks(train, test).items()):
        problem = f"is the training recording {train.sounds[train_index].sound_id} (residual {residual:.1e}"
        yield Finding(
            "leak", "test", test.sounds[test_index].sound_id, f"{problem}, expected at least {RESIDUAL_LIMIT})"
        )
