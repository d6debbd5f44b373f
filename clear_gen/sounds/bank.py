"""A bank: the elementary sounds of one side (train or test) in one Parquet file.

Columns: ``sound_id``; every attribute of the domain (measured ones as labels, null when unknown); ``duration_s``;
``brightness_points`` and ``loudness_lufs`` raw; ``licence``; ``source``; ``pcm_sha256``; ``audio`` (FLAC, 16 bit).
The file's metadata hold the domain's name, the sample rate and the thresholds of the labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import atomic_path
from clear_gen.core.names import not_among
from clear_gen.core.parquet import (
    AUDIO,
    DAMAGED,
    dataset_schema,
    metadata_of,
    open_parquet,
    parquet_writer,
    read_row_group,
)
from clear_gen.core.pcm import decode_flac, encode_flac, from_pcm16, sha256_pcm, to_pcm16
from clear_gen.core.progress import counted
from clear_gen.core.text import has_controls
from clear_gen.dsp.levels import at_full_scale
from clear_gen.dsp.resample import resampled
from clear_gen.sounds.analysis import brightness, duration_s, loudness_lufs
from clear_gen.sounds.attributes import Attribute, GivenAttribute, Thresholds, given, label, measured
from clear_gen.sounds.recording import Recording

FORMAT = 1
MAX_ID = 190  # characters; in other layouts it becomes a file name
MIN_DURATION_S = 0.2  # one block of the loudness meter
SILENT_PEAK_DB = -60.0
MAX_PEAK = 1.5  # resampling may overshoot full scale a little; what lies further above it has another scale
MEASURE_DECIMALS = 6  # beyond them two processors may differ, and with them two banks that are the same
SCALARS = ("sound_id", "duration_s", "brightness_points", "loudness_lufs", "licence", "source", "pcm_sha256")

# What a domain's attributes can be measured by: the field of a sound that holds the value, and how it is found
MEASURES = {
    "brightness": ("brightness_points", brightness),
    "loudness": ("loudness_lufs", loudness_lufs),
    "duration": ("duration_s", duration_s),
}


@dataclass(frozen=True)
class ElementarySound:
    """One analysed sound. ``attributes``: all of the domain, None where unknown. ``pcm``: int16 [n_samples]."""

    sound_id: str
    attributes: dict[str, str | int | None]
    brightness_points: float
    loudness_lufs: float
    pcm: np.ndarray
    sample_rate: int
    licence: str
    source: str
    pcm_sha256: str

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return duration_s(self.pcm, self.sample_rate)

    @property
    def waveform(self) -> np.ndarray:
        """The samples as float32 [n_samples], full scale 1."""
        return from_pcm16(self.pcm)


@dataclass(frozen=True)
class Bank:
    """The elementary sounds of one side, all at one sample rate (Hz), in the order of their ids."""

    domain: str
    sample_rate: int
    thresholds: Thresholds
    sounds: tuple[ElementarySound, ...]

    @classmethod
    def open(cls, path: str | Path) -> Bank:
        """The bank of a file; see ``read_bank``."""
        return read_bank(Path(path))

    @cached_property
    def by_id(self) -> dict[str, ElementarySound]:
        """Sounds by ``sound_id``."""
        return {sound.sound_id: sound for sound in self.sounds}

    @cached_property
    def sha256(self) -> str:
        """Identity of the content, every field of every sound, whatever the file that holds it."""
        digest = hashlib.sha256(repr((self.domain, self.sample_rate, sorted(self.thresholds.items()))).encode())
        for sound in sorted(self.sounds, key=lambda sound: sound.sound_id):
            labels = sorted(sound.attributes.items())
            digest.update(repr((labels, [getattr(sound, name) for name in SCALARS])).encode())
        return digest.hexdigest()


def build_bank(
    recordings: Sequence[Recording],
    domain: str,
    attributes: Mapping[str, Attribute],
    thresholds: Thresholds | None = None,
) -> Bank:
    """Analyse ``recordings`` and label them, by the given thresholds (a test bank) or by their own (a training bank).

    Raises InputError naming the first recording that cannot be used.
    """
    if not recordings:
        raise InputError("bank: found no recordings, expected at least one")
    rate = recordings[0].sample_rate
    for recording in recordings:
        if recording.sample_rate != rate:
            raise InputError(f"{recording.name}: sample rate: found {recording.sample_rate} Hz, expected {rate} Hz")
    named: dict[str, str] = {}
    for recording in recordings:
        sound_id = recording.sound_id
        if has_controls(sound_id) or not 0 < len(sound_id) <= MAX_ID:
            expected = f"1 to {MAX_ID} characters without controls"
            raise InputError(f"{recording.name!r:.200}: sound_id: found {sound_id!r:.80}, expected {expected}")
        if sound_id in named:
            also = f", also that of {named[sound_id]}" if recording.file else ""
            raise InputError(f"{recording.name}: sound_id: found twice ({sound_id}{also}), expected once in a bank")
        named[sound_id] = recording.name
    raw = [_analyse(recording, attributes) for recording in counted(recordings, "sounds measured")]
    if thresholds is None:
        thresholds = label_thresholds(raw, attributes)
    sounds = [_labelled(sound, attributes, thresholds) for sound in raw]
    return Bank(domain, rate, thresholds, tuple(sorted(sounds, key=lambda sound: sound.sound_id)))


def check_usable(recording: Recording) -> None:
    """Raise InputError if the recording is not finite, too short, silent or clipped."""
    samples, name = recording.samples, recording.name
    if not np.isfinite(samples).all():
        raise InputError(f"{name}: samples: found NaN or Inf, expected finite numbers")
    if (found_s := duration_s(samples, recording.sample_rate)) < MIN_DURATION_S:
        raise InputError(f"{name}: duration: found {found_s:.3f} s, expected at least {MIN_DURATION_S} s")
    peak = float(np.abs(samples).max())
    if peak <= 10 ** (SILENT_PEAK_DB / 20):
        raise InputError(
            f"{name}: samples: found silence (peak {peak:.1g}), expected a peak over {SILENT_PEAK_DB:.0f} dB"
        )
    if (clipped := at_full_scale(samples)).any():
        at_s = int(clipped.argmax()) / recording.sample_rate
        raise InputError(f"{name}: samples: found clipping at {at_s:.3f} s, expected samples below full scale")
    if peak > MAX_PEAK:
        raise InputError(f"{name}: samples: found a peak of {peak:.3g}, expected full scale to be 1")


def check_recording(recording: Recording, attributes: Mapping[str, Attribute]) -> None:
    """Raise InputError if a recording cannot be used, or a given attribute is not one of the domain's values."""
    check_usable(recording)
    for name, rule in given(dict(attributes)).items():
        _check_value(recording, name, rule)


def _analyse(recording: Recording, attributes: Mapping[str, Attribute]) -> ElementarySound:
    check_recording(recording, attributes)
    values: dict[str, str | int | None] = {name: recording.attributes[name] for name in given(dict(attributes))}
    pcm = to_pcm16(recording.samples)
    samples, rate = from_pcm16(pcm), recording.sample_rate  # measured on what the bank holds, not on what it came from
    try:
        points, lufs = brightness(samples, rate), loudness_lufs(samples, rate)
    except ValueError as error:
        raise InputError(f"{recording.name}: samples: found {error}") from None
    return ElementarySound(
        recording.sound_id,
        values,
        round(points, MEASURE_DECIMALS),
        round(lufs, MEASURE_DECIMALS),
        pcm,
        rate,
        recording.licence,
        recording.source,
        sha256_pcm(pcm),
    )


def _check_value(recording: Recording, name: str, rule: GivenAttribute) -> None:
    value = recording.attributes.get(name)
    if value is None or value not in rule.values:
        raise InputError(f"{recording.name}: {name}: {not_among(value, rule.values)}")


def label_thresholds(sounds: Sequence[ElementarySound], attributes: Mapping[str, Attribute]) -> Thresholds:
    """Median of each measure, plus and minus half the dead zone: no single recording can move it."""
    thresholds = {}
    for name, rule in measured(dict(attributes)).items():
        middle = median(getattr(sound, MEASURES[rule.measure][0]) for sound in sounds)
        bounds = (middle - rule.dead_zone / 2, middle + rule.dead_zone / 2)
        thresholds[name] = (round(bounds[0], MEASURE_DECIMALS), round(bounds[1], MEASURE_DECIMALS))
    return thresholds


def _labelled(sound: ElementarySound, attributes: Mapping[str, Attribute], thresholds: Thresholds) -> ElementarySound:
    labels = {
        name: label(getattr(sound, MEASURES[rule.measure][0]), rule, thresholds[name])
        for name, rule in measured(dict(attributes)).items()
    }
    ordered = {name: labels[name] if name in labels else sound.attributes[name] for name in attributes}
    return replace(sound, attributes=ordered)


def resampled_bank(bank: Bank, sample_rate: int) -> Bank:
    """The bank at another sample rate (Hz). Labels and hashes stay those of the recordings it was made from."""
    if bank.sample_rate == sample_rate:
        return bank
    sounds = tuple(
        replace(
            sound,
            pcm=to_pcm16(resampled(from_pcm16(sound.pcm), sound.sample_rate, sample_rate)),
            sample_rate=sample_rate,
        )
        for sound in bank.sounds
    )
    return replace(bank, sample_rate=sample_rate, sounds=sounds)


def write_bank(bank: Bank, path: Path) -> None:
    """Write ``bank`` as one Parquet file, atomically."""
    sounds = bank.sounds
    columns: dict[str, pa.Array] = {"sound_id": pa.array([sound.sound_id for sound in sounds])}
    for name in sounds[0].attributes:
        values = [sound.attributes[name] for sound in sounds]
        columns[name] = pa.array(values, pa.int32() if isinstance(values[0], int) else pa.string())
    for name in SCALARS[1:]:
        columns[name] = pa.array([getattr(sound, name) for sound in sounds])
    audio = [{"bytes": encode_flac(sound.pcm, sound.sample_rate), "path": f"{sound.sound_id}.flac"} for sound in sounds]
    columns["audio"] = pa.array(audio, AUDIO)
    fields = [pa.field(name, array.type) for name, array in columns.items()]
    extra = {
        "kind": "bank",
        "format": FORMAT,
        "domain": bank.domain,
        "sample_rate": bank.sample_rate,
        "attributes": list(sounds[0].attributes),
        "thresholds": bank.thresholds,
        "sha256": bank.sha256,
    }
    table = pa.table(list(columns.values()), schema=dataset_schema(fields, bank.sample_rate, extra))
    with atomic_path(path) as temporary, parquet_writer(temporary, table.schema, audio=True) as writer:
        writer.write_table(table)


def read_bank(path: Path) -> Bank:
    """Read a bank file and decode its sounds.

    Raises InputError naming file, sound and field when something is missing, does not decode or was altered.
    """
    file = open_parquet(path)
    extra = metadata_of(file.schema_arrow, path)
    if extra.get("kind") != "bank" or extra.get("format") != FORMAT:
        found = f"{extra.get('kind')} format {extra.get('format')}"
        raise InputError(f"{path}: found {found}, expected bank format {FORMAT}")
    try:
        rows = file.read().to_pylist()
        sounds = [_sound_of_row(row, extra["attributes"], extra["sample_rate"], path) for row in rows]
        thresholds = {name: (low, high) for name, (low, high) in extra["thresholds"].items()}
        sounds.sort(key=lambda sound: sound.sound_id)
        bank = Bank(extra["domain"], extra["sample_rate"], thresholds, tuple(sounds))
        intact = bank.sha256 == extra["sha256"]
    except DAMAGED as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {first_line(error)})") from None
    if not intact or len(bank.by_id) < len(bank.sounds):
        raise InputError(f"{path}: damaged or altered: its content is not what its sha256 says")
    return bank


def is_without_audio(path: Path, sha256: str | None) -> bool:
    """Whether the file is the bank of this ``sha256`` with its audio left out. Raises InputError if it is no bank."""
    file = open_parquet(path)
    if metadata_of(file.schema_arrow, path).get("sha256") != sha256 or "audio" not in file.schema_arrow.names:
        return False
    groups = (read_row_group(file, number, path, ["audio"]) for number in range(file.num_row_groups))
    return all(group["audio"].null_count == group.num_rows for group in groups)


def check_attributes(bank: Bank, attributes: Mapping[str, Attribute], name: str) -> None:
    """Raise InputError unless the sounds have exactly the attributes of the domain, and thresholds for the measured."""
    found, expected = list(bank.sounds[0].attributes), list(attributes)
    if sorted(found) != sorted(expected):
        raise InputError(f"{name}: attributes: found {', '.join(found)}, expected {', '.join(expected)}")
    missing = [attribute for attribute in measured(dict(attributes)) if attribute not in bank.thresholds]
    if missing:
        raise InputError(f"{name}: thresholds: found none for {missing[0]}, expected a pair of numbers")


def _sound_of_row(row: dict, attributes: list[str], sample_rate: int, path: Path) -> ElementarySound:
    name = f"{path}: {row['sound_id']}"
    if row["audio"] is None:
        raise InputError(f"{name}: audio: found none, it was left out; put the bank itself in the place of this file")
    pcm, rate = decode_flac(row["audio"]["bytes"], name)
    if rate != sample_rate:
        raise InputError(f"{name}: sample rate: found {rate} Hz, expected {sample_rate} Hz")
    found = sha256_pcm(pcm)
    if found != row["pcm_sha256"]:
        raise InputError(f"{name}: pcm_sha256: found {found[:12]}…, expected {row['pcm_sha256'][:12]}…")
    return ElementarySound(
        row["sound_id"],
        {attribute: row[attribute] for attribute in attributes},
        row["brightness_points"],
        row["loudness_lufs"],
        pcm,
        rate,
        row["licence"],
        row["source"],
        found,
    )
