"""Virtual scenes: graph and bank become waveforms on the device, batch by batch, and never touch the disk.

The same sum as ``clear_gen.scenes.render``, in another order: sounds at their levels, the room, one gain that keeps the
peak below full scale, the noise. Tails and noise follow from the generator's own random streams, which NumPy draws in
threads while the device works on the batch before.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from baselines.audio.scenes import AHEAD, ahead, scene_tables
from clear_gen.core.errors import InputError
from clear_gen.core.pcm import PCM_PEAK
from clear_gen.datasets.scenes.banks import read_banks
from clear_gen.datasets.scenes.layout import BANK_OF_SPLIT
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.scenes.domain import Sampling
from clear_gen.scenes.graph import Noise, Reverb, tail_samples
from clear_gen.scenes.render import FULL_SCALE, add_noise, uniform_amplitude
from clear_gen.scenes.room import reverb_tail
from clear_gen.sounds.bank import Bank, resampled_bank

COLUMNS = ["scene_id", "n_samples", "n_samples_dry", "sounds", "reverb", "noise"]


@dataclass(frozen=True)
class VirtualScenes:
    """The N scenes of a split with S sounds in all.

    ``recordings``: float32 [samples of the bank], one after the other. ``first_sound``: int64 [N + 1]. Per sound, int64
    [S]: ``start``, ``length`` in ``recordings``, ``onset`` in its scene, all in samples; ``gain``: float32 [S].
    """

    sample_rate: int
    n_samples: np.ndarray
    n_samples_dry: np.ndarray
    recordings: torch.Tensor
    first_sound: np.ndarray
    start: np.ndarray
    length: np.ndarray
    onset: np.ndarray
    gain: np.ndarray
    reverbs: list[Reverb | None]
    noises: list[Noise | None]

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        """See ``baselines.audio.scenes.Scenes``."""
        recordings = self.recordings.to(device)
        firsts = range(0, len(self.n_samples), batch)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            rows = (row for first in firsts for row in range(first, min(first + batch, len(self.n_samples))))
            drawn = ahead(self._drawn, rows, pool, AHEAD * batch)
            for first in firsts:
                stop = min(first + batch, len(self.n_samples))
                yield self._rendered(first, stop, drawn, recordings)

    def _drawn(self, scene: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Where the tail begins, the tail, and the noise: float32 of the lengths that they have."""
        reverb, noise = self.reverbs[scene], self.noises[scene]
        start, tail = reverb_tail(reverb, self.sample_rate) if reverb else (0, np.zeros(0, np.float32))
        samples = np.zeros(self.n_samples[scene] if noise else 0, np.float32)
        if noise:
            add_noise(samples, noise)
        return start, tail, samples

    def _rendered(
        self, first: int, stop: int, drawn: Iterator[tuple[int, np.ndarray, np.ndarray]], recordings: torch.Tensor
    ) -> torch.Tensor:
        n_scenes, width = stop - first, int(self.n_samples[first:stop].max())
        parts = [next(drawn) for _ in range(n_scenes)]
        dry = self.added if recordings.device.type == "cpu" else self.gathered
        signal = dry(first, stop, width, recordings)
        kernel_length = max(start + len(tail) for start, tail, _ in parts)
        if kernel_length:
            kernels = torch.zeros((n_scenes, kernel_length))
            for row, (start, tail, _) in enumerate(parts):
                kernels[row, start : start + len(tail)] = torch.from_numpy(tail)
            n_dry = int(self.n_samples_dry[first:stop].max())
            signal += convolved(signal[:, :n_dry], kernels.to(signal.device))[:, :width]
        noise = torch.zeros((n_scenes, width), pin_memory=signal.is_cuda)
        for row, (_, _, samples) in enumerate(parts):
            noise[row, : len(samples)] = torch.from_numpy(samples)
        limits = [FULL_SCALE - (uniform_amplitude(one.level_dbfs) if one else 0) for one in self.noises[first:stop]]
        limit, peak = torch.tensor(limits, device=signal.device), signal.abs().amax(1)
        signal *= torch.where(peak > limit, limit / peak, torch.ones_like(peak))[:, None]
        signal += noise.to(signal.device, non_blocking=True)
        for row, end in enumerate(self.n_samples[first:stop]):
            signal[row, end:] = 0  # where the transforms leave their rounding
        return signal

    def added(self, first: int, stop: int, width: int, recordings: torch.Tensor) -> torch.Tensor:
        """The sounds of the scenes ``first`` to ``stop``, one added after the other: float32 [stop - first, width]."""
        signal = torch.zeros((stop - first, width), device=recordings.device)
        for scene in range(first, stop):
            for sound in range(self.first_sound[scene], self.first_sound[scene + 1]):
                start, onset, length = self.start[sound], self.onset[sound], self.length[sound]
                recording = recordings[start : start + length]
                signal[scene - first, onset : onset + length].add_(recording, alpha=float(self.gain[sound]))
        return signal

    def gathered(self, first: int, stop: int, width: int, recordings: torch.Tensor) -> torch.Tensor:
        """The same in one gather, since a GPU would wait for the commands of so many sounds."""
        sounds = slice(self.first_sound[first], self.first_sound[stop])
        length, device = self.length[sounds], recordings.device
        row = np.repeat(np.arange(stop - first), np.diff(self.first_sound[first : stop + 1]))
        before = np.cumsum(length) - length  # samples of the sounds before it
        places = np.stack([self.start[sounds] - before, row * width + self.onset[sounds] - before])
        n = int(length.sum())
        sound = torch.repeat_interleave(torch.from_numpy(length).to(device), output_size=n)  # of each sample
        source, target = torch.from_numpy(places).to(device)[:, sound] + torch.arange(n, device=device)
        gain = torch.from_numpy(self.gain[sounds]).to(device)
        signal = torch.zeros((stop - first) * width, device=device)
        return signal.index_add_(0, target, recordings[source] * gain[sound]).view(stop - first, width)


def convolved(signal: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """float32 [B, N], [B, M] -> [B, at least N + M - 1], zero after that: row by row, by overlap-add.

    Blocks of a power of two that fit the cache are faster than one transform of the whole, on CPUs and GPUs.
    """
    n, m = signal.shape[1], kernel.shape[1]
    n_fft = 1 << max(12, int(np.ceil(np.log2(2.2 * m))))
    step = n_fft - m + 1
    n_blocks = -(-n // step)
    blocks = torch.nn.functional.pad(signal, (0, n_blocks * step - n)).unflatten(1, (n_blocks, step))
    spectra = torch.fft.rfft(blocks, n_fft) * torch.fft.rfft(kernel, n_fft)[:, None]
    blocks = torch.fft.irfft(spectra, n_fft)
    out = torch.zeros((len(signal), (n_blocks + 1) * step + m), device=signal.device)
    # neighbours overlap by m - 1 < step samples: what lies in a block's own step, then what reaches into the next
    out[:, : n_blocks * step] = blocks[..., :step].flatten(1)
    tails = out[:, step : (n_blocks + 1) * step].unflatten(1, (n_blocks, step))
    tails[..., : m - 1] += blocks[..., step:]
    return out


def virtual_scenes(folder: Path, split: str, settings: Settings) -> VirtualScenes:
    """The scenes of a split from their graphs and their bank.

    Raises InputError for an imported dataset, whose bank nobody has, and if graphs and bank do not fit together.
    """
    if settings.imported:
        raise InputError(f"{folder}: found an imported dataset, expected one whose bank is known; use its audio")
    bank = resampled_bank(read_banks(folder, settings)[BANK_OF_SPLIT[split]], settings.sample_rate)
    tables = [table for table, _ in scene_tables(folder, split, settings, COLUMNS)]
    return scenes_of_table(pa.concat_tables(tables), bank, f"{folder}: {split}")


def scenes_of_table(table: pa.Table, bank: Bank, name: str) -> VirtualScenes:
    """Virtual scenes of a table of graphs. Raises InputError, naming ``name``, if the bank cannot render them."""
    sounds = table["sounds"].combine_chunks()
    flat = sounds.flatten()
    lengths = np.array([len(sound.pcm) for sound in bank.sounds])
    place = {sound.sound_id: number for number, sound in enumerate(bank.sounds)}
    which = np.array([place.get(sound_id, -1) for sound_id in flat.field("sound_id").to_pylist()], np.int64)
    first_sound = sounds.offsets.to_numpy().astype(np.int64)
    first_sound -= first_sound[0]
    onset, length = (flat.field(field).to_numpy().astype(np.int64) for field in ("onset_sample", "n_samples"))
    n_samples_dry = table["n_samples_dry"].to_numpy()
    ends = np.repeat(n_samples_dry, np.diff(first_sound))
    fits = (which >= 0) & (lengths[which] == length) & (onset >= 0) & (onset + length <= ends)
    if not fits.all():
        scene = int(np.searchsorted(first_sound, int(np.argmin(fits)), side="right")) - 1
        raise InputError(f"{name}: {table['scene_id'][scene]}: found a sound that is not in the bank, or not so long")
    reverbs = [Reverb(**row) if row else None for row in table["reverb"].to_pylist()]
    tails = [int(tail_samples(one.rt60_s, one.pre_delay_s, bank.sample_rate)) if one else 0 for one in reverbs]
    n_samples, expected = table["n_samples"].to_numpy(), n_samples_dry + np.array(tails, np.int64)
    if not (n_samples == expected).all():
        scene = int(np.argmax(n_samples != expected))
        found = f"n_samples: found {n_samples[scene]}, expected {expected[scene]}"
        raise InputError(f"{name}: {table['scene_id'][scene]}: {found}")
    steps = 10 ** (flat.field("gain_db").to_numpy() / 20) / PCM_PEAK
    return VirtualScenes(
        sample_rate=bank.sample_rate,
        n_samples=n_samples,
        n_samples_dry=n_samples_dry,
        recordings=torch.from_numpy(np.concatenate([sound.pcm for sound in bank.sounds]).astype(np.float32)),
        first_sound=first_sound,
        start=(np.cumsum(lengths) - lengths)[which],
        length=length,
        onset=onset,
        gain=steps.astype(np.float32),
        reverbs=reverbs,
        noises=[Noise(**row) if row else None for row in table["noise"].to_pylist()],
    )


def with_fresh_rooms(scenes: VirtualScenes, rules: Sampling, rng: np.random.Generator) -> VirtualScenes:
    """The same sounds at the same places in other rooms with other noise, drawn by the domain's rules of sampling."""
    n, rate = len(scenes.n_samples), scenes.sample_rate
    reverbs: list[Reverb | None] = [None] * n
    noises: list[Noise | None] = [None] * n
    n_samples = scenes.n_samples_dry
    if rules.reverb is not None:
        names = "rt60_s", "drr_db", "pre_delay_s", "damping_hz"
        bounds = {name: getattr(rules.reverb, name) for name in names}
        drawn = {name: rng.uniform(low, high, n) for name, (low, high) in bounds.items()}
        seeds = rng.integers(1 << 53, size=n)
        reverbs = [
            Reverb(**{name: float(drawn[name][scene]) for name in names}, seed=int(seeds[scene])) for scene in range(n)
        ]
        n_samples = n_samples + tail_samples(drawn["rt60_s"], drawn["pre_delay_s"], rate)
    if rules.noise is not None:
        levels, seeds = rng.uniform(*rules.noise.level_dbfs, size=n), rng.integers(1 << 53, size=n)
        noises = [Noise(level, int(seed)) for level, seed in zip(levels, seeds, strict=True)]
    return replace(scenes, n_samples=n_samples, reverbs=reverbs, noises=noises)
