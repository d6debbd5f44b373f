"""Small banks in memory, of synthetic sounds, for tests that need a bank and do not care how it sounds."""

from __future__ import annotations

from functools import cache

import numpy as np

from clear_gen.core.pcm import from_pcm16, sha256_pcm, to_pcm16
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.attributes import Thresholds
from clear_gen.sounds.bank import Bank, ElementarySound, build_bank
from clear_gen.sounds.recording import Recording

INSTRUMENTS = ("bass", "cello", "clarinet", "flute", "trumpet", "violin")
NOTES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
CLEAR2_THRESHOLDS = {"brightness": (50.0, 53.0), "loudness": (-25.0, -24.0)}


@cache
def tone_bank(n: int = 40, sample_rate: int = 16000) -> Bank:
    """``n`` decaying tones of 0.25 to 0.45 s, analysed and labelled as clear2 does; every label and unknowns occur."""
    recordings = [_tone(index, sample_rate) for index in range(n)]
    return build_bank(recordings, "clear2", load_domain("clear2").attributes)


def sound_of(
    sound_id: str, waveform: np.ndarray, sample_rate: int, loudness_lufs: float = -24.5, **attributes: str | int | None
) -> ElementarySound:
    """One sound with the labels it is told to have, not analysed; clear2's where nothing is said."""
    labels = {"instrument": "bass", "note": "A", "octave": 3, "brightness": None, "loudness": None, **attributes}
    pcm = to_pcm16(np.asarray(waveform, np.float32))
    return ElementarySound(sound_id, labels, 51.0, loudness_lufs, pcm, sample_rate, "CC0", "test", sha256_pcm(pcm))


def bank_of(sounds: list[ElementarySound], thresholds: Thresholds | None = None) -> Bank:
    """A clear2 bank of given sounds."""
    return Bank("clear2", sounds[0].sample_rate, thresholds or CLEAR2_THRESHOLDS, tuple(sounds))


def quantised(waveform: np.ndarray) -> np.ndarray:
    """What a bank gives back of ``waveform``."""
    return from_pcm16(to_pcm16(np.asarray(waveform, np.float32)))


def _tone(index: int, sample_rate: int) -> Recording:
    rng = np.random.default_rng(index)
    time = np.arange(int(sample_rate * rng.uniform(0.25, 0.45))) / sample_rate
    pitch_hz = 110 * 2 ** (index % 24 / 12)
    n_harmonics = rng.integers(1, 12)
    wave = sum(np.sin(2 * np.pi * pitch_hz * k * time) / k for k in range(1, n_harmonics + 1))
    wave = np.float32(rng.uniform(0.05, 0.4)) * wave * np.exp(-2 * time) * np.minimum(1, time / 0.01)
    given = {
        "instrument": INSTRUMENTS[index % len(INSTRUMENTS)],
        "note": NOTES[index % len(NOTES)],
        "octave": 2 + index % 24 // 12,
    }
    return Recording(f"tone-{index:03d}", given, wave.astype(np.float32), sample_rate, "test", "CC0")
