"""Leaks between banks: the same recording on the training and on the test side, shifted, amplified or cut.

Two sounds are the same recording when one is explained by the other up to a shift and a gain. A label is no evidence: a
leak may have been relabelled, so every test sound meets every training sound. All sounds are mono, shape (n_samples,),
at one sample rate; the caller sees to that. A recording that was resampled, filtered or mixed is not found. Two pure
tones of equal frequency pass for one recording. Real notes do not: over the published CLEAR2 banks, other takes of the
same notes by the same players included, different recordings leave at least 0.07.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clear_gen.core.progress import counted

RESIDUAL_LIMIT = 0.05  # relative residual energy below which two sounds are the same recording
MIN_OVERLAP = 0.5  # of the shorter sound
SILENT = 1e-6  # share of a sound's energy below which a stretch of it explains nothing: single precision cannot tell
WINDOW_GRID = 32  # lengths for which the screening knows a sound's least energy
SCREEN_MARGIN = 0.01  # by far more than the error of the single-precision screening


@dataclass(frozen=True)
class _Sound:
    """A sound ready for correlation: energy before each sample, shape (n_samples + 1,), and zero-padded spectrum."""

    energy: np.ndarray
    spectrum: np.ndarray

    def __len__(self) -> int:
        return len(self.energy) - 1


def recording_residual(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Share of ``candidate``'s energy that a shifted and amplified ``reference`` leaves: 0 same recording, 1 unrelated.

    ``min over shift and gain of |candidate - gain * shifted reference|^2 / |candidate|^2``, where the reference is zero
    outside its length, the gain is the least-squares one and may be negative (inverted polarity), and the overlap
    covers at least half of the shorter sound. A candidate cut out of the reference has residual 0; a reference cut out
    of the candidate leaves the rest of the candidate.

    Both have shape (n_samples,), any lengths, same sample rate. Raises ValueError for silence and non-finite samples.
    """
    size = _transform_size(len(reference) + len(candidate))
    first, second = (_sound(samples, size, np.float64) for samples in (reference, candidate))
    return _residuals(first, second, size)[0]


def find_leaks(
    train: Sequence[np.ndarray], test: Sequence[np.ndarray], limit: float = RESIDUAL_LIMIT
) -> list[tuple[int, int, float]]:
    """Pairs (index in ``train``, index in ``test``, residual) that are the same recording, in the order of ``test``.

    The residual is the smaller one of the two directions of ``recording_residual``, so a cut is found on either side; a
    pair is listed if it is below ``limit``. Pairs that cannot be are never correlated; the others are, in single
    precision, and those near the limit or below again in double precision.

    Every sound has shape (n_samples,), any length, all at the same sample rate (a precondition). Raises ValueError for
    silence and non-finite samples.
    """
    size = _transform_size(sum(max(map(len, bank), default=1) for bank in (train, test)))
    references, candidates = ([_sound(samples, size, np.float32) for samples in bank] for bank in (train, test))
    leaks = []
    pairs = np.argwhere(_possible(references, candidates, size, limit).T).tolist()
    for test_index, train_index in counted(pairs, "pairs of sounds compared"):
        if min(_residuals(references[train_index], candidates[test_index], size)) < limit + SCREEN_MARGIN:
            pair = (train[train_index], test[test_index])
            residual = min(recording_residual(*pair), recording_residual(*pair[::-1]))
            if residual < limit:
                leaks.append((train_index, test_index, residual))
    return leaks


def _possible(references: Sequence[_Sound], candidates: Sequence[_Sound], size: int, limit: float) -> np.ndarray:
    """bool [train, test]: which pairs can be below ``limit`` at all, from a bound that needs no correlation.

    No product at any lag exceeds the inner product of the two magnitude spectra; it explains its square over the energy
    that the explaining sound has in the overlap. The overlap holds the needed share of the explained sound, so it has a
    least length, and over that length the explaining sound has a least energy.
    """
    if not references or not candidates:
        return np.zeros((len(references), len(candidates)), bool)
    share = 1 - limit - SCREEN_MARGIN
    weight = np.full(size // 2 + 1, 2, np.float32)  # a real signal's spectrum lists the inner frequencies once
    weight[0] = 1
    weight[-1] = 1 if size % 2 == 0 else 2
    magnitudes = [np.abs([sound.spectrum for sound in bank]) for bank in (references, candidates)]
    bound = (magnitudes[0] * weight) @ magnitudes[1].T / size
    least = np.minimum(_least_energies(references, candidates, share), _least_energies(candidates, references, share).T)
    return bound**2 >= share * least


def _least_energies(explaining: Sequence[_Sound], explained: Sequence[_Sound], share: float) -> np.ndarray:
    """[explaining, explained]: least energy that the first can have in an overlap with ``share`` of the second's."""
    lengths = np.array([_shortest_stretch(sound, share) for sound in explained])
    rows = []
    for sound in explaining:
        windows = len(sound) * np.arange(WINDOW_GRID + 1) // WINDOW_GRID
        energies = [np.min(sound.energy[n:] - sound.energy[: len(sound) + 1 - n]) for n in windows.tolist()]
        at_least = np.minimum(WINDOW_GRID * lengths // len(sound), WINDOW_GRID)  # rounded down: a bound stays a bound
        rows.append(np.where(lengths <= len(sound), np.array(energies)[at_least], np.inf))
    return np.array(rows)


def _shortest_stretch(sound: _Sound, share: float) -> int:
    """Least number of consecutive samples that hold ``share`` of the sound's energy."""
    ends = np.searchsorted(sound.energy, sound.energy[:-1] + share * sound.energy[-1])
    enough = ends <= len(sound)
    return int(np.min((ends - np.arange(len(sound)))[enough]))


def _transform_size(n_samples: int) -> int:
    """Length of a fast Fourier transform of at least ``n_samples``."""
    from scipy.fft import next_fast_len

    return next_fast_len(n_samples, real=True)


def _sound(samples: np.ndarray, size: int, precision: type[np.floating]) -> _Sound:
    x = np.asarray(samples, dtype=np.float64)
    peak = np.max(np.abs(x), initial=0.0)
    if not (np.isfinite(peak) and peak > 0):
        raise ValueError("silence or a sample that is not finite, expected a sound")
    x = x / peak  # a gain changes nothing, and keeps single precision away from its limits
    x = x / np.sqrt(np.sum(x**2))
    return _Sound(np.pad(np.cumsum(x**2), (1, 0)), np.fft.rfft(x.astype(precision), size))


def _residuals(first: _Sound, second: _Sound, size: int) -> tuple[float, float]:
    """Residual of the second sound explained by the first, and of the first explained by the second.

    At a lag the best gain explains products^2 / (energy of the explaining sound within the overlap).
    """
    overlap = int(np.ceil(MIN_OVERLAP * min(len(first), len(second))))
    lags = np.arange(overlap - len(second), len(first) - overlap + 1)
    cyclic = np.fft.irfft(first.spectrum * np.conj(second.spectrum), size)
    products = np.concatenate([cyclic[size + lags[0] :], cyclic[: lags[-1] + 1]])
    explained = products * products
    by_first = np.max(explained / np.maximum(_energy_within(first, lags, len(second)), SILENT))
    by_second = np.max(explained / np.maximum(_energy_within(second, -lags, len(first)), SILENT))
    return max(0.0, 1.0 - float(by_first)), max(0.0, 1.0 - float(by_second))


def _energy_within(sound: _Sound, start: np.ndarray, length: int) -> np.ndarray:
    """Energy of the sound from each ``start`` sample on for ``length`` samples."""
    return sound.energy.take(start + length, mode="clip") - sound.energy.take(start, mode="clip")
