"""``render(graph, bank)``: the waveform of a scene graph. Pure: the same graph and bank give the same samples.

As in a real recording: the sounds at their levels, then the room, then one gain that keeps the peak below full scale,
then the microphone's noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.pcm import PCM_PEAK, sha256_pcm, to_pcm16
from clear_gen.core.records import Rendered
from clear_gen.scenes.graph import Noise, SceneGraph, tail_samples
from clear_gen.scenes.room import convolve, reverb_tail
from clear_gen.sounds.bank import Bank, ElementarySound

FULL_SCALE = 1.0
BLOCK_SAMPLES = 1 << 14


def render(graph: SceneGraph, bank: Bank) -> np.ndarray:
    """The scene as float32 [graph.n_samples], full scale 1. ``bank`` is at ``graph.sample_rate``.

    Raises InputError if the bank lacks a sound of the graph or holds another length of it.
    """
    waveform, _ = _render(graph, bank)
    return waveform


def render_pcm(graph: SceneGraph, bank: Bank) -> tuple[np.ndarray, Rendered]:
    """The scene as int16 [graph.n_samples], and the measurements made while rendering."""
    waveform, scale_db = _render(graph, bank)
    pcm = to_pcm16(waveform)
    peak = _peak(waveform)
    peak_dbfs = 20 * math.log10(peak) if peak > 0 else None
    return pcm, Rendered(scale_db, peak_dbfs, sha256_pcm(pcm))


def _render(graph: SceneGraph, bank: Bank) -> tuple[np.ndarray, float]:
    signal = _in_room(graph, _dry(graph, bank))
    noise_peak = uniform_amplitude(graph.noise.level_dbfs) if graph.noise else 0.0
    peak, limit = _peak(signal), FULL_SCALE - noise_peak
    scale_db = 0.0
    if peak > limit:
        signal *= np.float32(limit / peak)
        scale_db = 20 * math.log10(limit / peak)
    if graph.noise:
        add_noise(signal, graph.noise)
    return signal, scale_db


def _dry(graph: SceneGraph, bank: Bank) -> np.ndarray:
    dry = np.zeros(graph.n_samples_dry, np.float32)
    if graph.sample_rate != bank.sample_rate:
        found, expected = bank.sample_rate, graph.sample_rate
        raise InputError(f"{graph.scene_id}: bank's sample rate: found {found} Hz, expected {expected} Hz")
    for sound in graph.sounds:
        if not 0 <= sound.onset_sample <= graph.n_samples_dry - sound.n_samples:
            place = f"{sound.sound_id} at sample {sound.onset_sample}"
            raise InputError(f"{graph.scene_id}: onset_sample: found {place}, expected it inside the dry scene")
        recording = _recording(bank.by_id, sound.sound_id, sound.n_samples, graph.scene_id)
        step = np.float32(10 ** (sound.gain_db / 20) / PCM_PEAK)
        dry[sound.onset_sample : sound.onset_sample + sound.n_samples] += recording.pcm * step
    return dry


def _recording(by_id: Mapping[str, ElementarySound], sound_id: str, n_samples: int, scene_id: str) -> ElementarySound:
    if sound_id not in by_id:
        raise InputError(f"{scene_id}: sound_id: found {sound_id!r}, expected a sound of the bank")
    recording = by_id[sound_id]
    if len(recording.pcm) != n_samples:
        found = len(recording.pcm)
        raise InputError(f"{scene_id}: {sound_id}: found {found} samples in the bank, expected {n_samples}")
    return recording


def _in_room(graph: SceneGraph, dry: np.ndarray) -> np.ndarray:
    n_tail = int(tail_samples(graph.reverb.rt60_s, graph.reverb.pre_delay_s, graph.sample_rate)) if graph.reverb else 0
    if graph.n_samples != len(dry) + n_tail:
        raise InputError(f"{graph.scene_id}: n_samples: found {graph.n_samples}, expected {len(dry) + n_tail}")
    if graph.reverb is None:
        return dry
    start, tail = reverb_tail(graph.reverb, graph.sample_rate)
    signal = np.zeros(graph.n_samples, np.float32)
    signal[: len(dry)] = dry
    signal[start:] += convolve(dry, tail)
    return signal


def uniform_amplitude(level_dbfs: float) -> float:
    """Peak of uniform noise whose RMS is ``level_dbfs``: sqrt(3) times the RMS."""
    return math.sqrt(3) * 10 ** (level_dbfs / 20)


def add_noise(signal: np.ndarray, noise: Noise) -> None:
    """Add white uniform noise to ``signal`` (float32 [n]) in place, block by block, so that it stays in the cache."""
    rng = np.random.Generator(np.random.SFC64(noise.seed))
    amplitude = uniform_amplitude(noise.level_dbfs)
    buffer = np.empty(BLOCK_SAMPLES, np.float32)
    for start in range(0, len(signal), BLOCK_SAMPLES):
        block = signal[start : start + BLOCK_SAMPLES]
        samples = buffer[: len(block)]
        rng.random(out=samples, dtype=np.float32)
        samples *= np.float32(2 * amplitude)
        samples -= np.float32(amplitude)
        block += samples


def _peak(signal: np.ndarray) -> float:
    return float(max(signal.max(), -signal.min())) if len(signal) else 0.0
