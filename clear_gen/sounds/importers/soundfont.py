"""Sounds played from a SoundFont: a library of sampled instruments that FluidSynth plays by key and velocity.

Goal: a bank of real sampled notes from one file (Debian: fluid-soundfont-gm); ``banks/general_midi.yaml`` says which
preset plays which instrument. Every note has a synthesizer of its own, without reverberation and chorus: one that was
reset plays other samples than one that has never played (seen with FluidSynth 2.3), so the order would matter.
Reference: SoundFont Technical Specification 2.04, E-mu Systems, 2006.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field, StrictInt

from clear_gen.core.config import Strict, locate, parse_yaml, validate
from clear_gen.core.errors import InputError
from clear_gen.core.extras import how_to_install
from clear_gen.core.files import content_path
from clear_gen.core.gathering import Gathering
from clear_gen.core.names import not_among
from clear_gen.core.progress import counted
from clear_gen.dsp.offset import without_offset
from clear_gen.sounds.analysis import NOTES
from clear_gen.sounds.attributes import Attribute, given
from clear_gen.sounds.bank import check_usable
from clear_gen.sounds.importers.common import Format, ImportOptions, excerpt
from clear_gen.sounds.recording import Recording

PLAYED = ("instrument", "note", "octave")  # what a preset and a key say about a sound
A4_KEY = 69
GAIN = 0.5  # of the synthesizer: the loudest note of FluidR3 then peaks at -16 dBFS
RELEASE_S = 1.0  # rendered after the key is released
LOWEST_HZ, HIGHEST_HZ = 8_000, 96_000  # sample rates; at another one FluidSynth silently plays at 44.1 kHz


def _ascending(keys: tuple[int, int]) -> tuple[int, int]:
    if keys[0] > keys[1]:
        raise ValueError("[low, high] with low <= high")
    return keys


def _distinct(velocities: list[int]) -> list[int]:
    if len(set(velocities)) < len(velocities):
        raise ValueError("distinct velocities")
    return velocities


Key = Annotated[StrictInt, Field(ge=0, le=127)]
Velocity = Annotated[StrictInt, Field(ge=1, le=127)]  # a velocity of 0 releases the key


class Preset(Strict):
    """The preset that plays one instrument, and its lowest and highest key as MIDI numbers (C4 = 60)."""

    bank: StrictInt = Field(default=0, ge=0, le=16383)
    program: StrictInt = Field(ge=0, le=127)
    keys: Annotated[tuple[Key, Key], AfterValidator(_ascending)]


class Presets(Strict):
    """What to play: presets by instrument, every key at every velocity, held for ``held_s`` seconds."""

    instruments: dict[str, Preset] = Field(min_length=1)
    velocities: Annotated[list[Velocity], Field(min_length=1), AfterValidator(_distinct)]
    held_s: float = Field(gt=0, le=30)


class _Font(NamedTuple):
    """A SoundFont and what plays it: pyfluidsynth's module, a sample rate in Hz, and what FluidSynth has logged."""

    file: Path
    fluidsynth: Any
    sample_rate: int
    log: list[str]


def import_soundfont(
    file: Path,
    attributes: Mapping[str, Attribute],
    sample_rate: int,
    duration_s: tuple[float, float],
    rng: np.random.Generator,
    licence: str,
    presets: Path | None = None,
    gathering: Gathering | None = None,
) -> list[Recording]:
    """Every instrument, key and velocity of ``presets`` (default: ``banks/general_midi.yaml``) played by ``file``.

    Mono at ``sample_rate`` Hz, without silence at the ends, cut to a length drawn from the range ``duration_s``, with a
    fade-out. In the domain's order of instruments, then by key and velocity.

    Raises InputError naming file and field, also if FluidSynth is not installed; with ``gathering`` that keeps those of
    single notes.
    """
    presets = presets or content_path("banks", "general_midi.yaml")
    plan = read_presets(presets, attributes)
    _check_header(file)
    if not LOWEST_HZ <= sample_rate <= HIGHEST_HZ:
        raise InputError(f"sample rate: found {sample_rate} Hz, expected {LOWEST_HZ} to {HIGHEST_HZ} Hz for FluidSynth")
    fluidsynth = _fluidsynth()
    recordings = []
    with _logged(fluidsynth) as log:
        font = _Font(file, fluidsynth, sample_rate, log)
        sources = _sources(font, plan, presets)
        for instrument, key, velocity in counted(list(_notes(plan, attributes)), "notes played"):
            note, octave = note_of_key(key)
            sound_id = f"{instrument}_{octave}_{note}_v{velocity:03d}"
            values: dict[str, str | int] = {"instrument": instrument, "note": note, "octave": octave}
            name = f"{file}: {sound_id}"
            length_s = rng.uniform(*duration_s)
            with gathering.item() if gathering else nullcontext():
                samples = _played(font, plan.instruments[instrument], key, velocity, plan.held_s, name)
                samples = without_offset(samples, sample_rate)
                recording = Recording(sound_id, values, samples, sample_rate, sources[instrument], licence, name)
                check_usable(recording)
                recordings.append(excerpt(recording, length_s, duration_s[0]))
    return recordings


def note_of_key(key: int) -> tuple[str, int]:
    """Note name and octave of a MIDI number.

    >>> note_of_key(60), note_of_key(69), note_of_key(59)
    (('C', 4), ('A', 4), ('B', 3))
    """
    return NOTES[(key - A4_KEY) % 12], key // 12 - 1


def read_presets(path: Path, attributes: Mapping[str, Attribute]) -> Presets:
    """The presets file, every sound of which has a place in the domain.

    Raises InputError naming file and line, or the domain's attributes if an instrument and a key do not give them all.
    """
    rules = given(dict(attributes))
    if sorted(rules) != sorted(PLAYED):
        raise InputError(f"domain: given attributes: found {', '.join(rules)}, expected {', '.join(PLAYED)}")
    node = parse_yaml(path)
    plan = validate(node, Presets, path)
    for instrument, preset in plan.instruments.items():
        sounds: list[tuple[str, str | int, tuple[str, ...]]] = [("instrument", instrument, (instrument,))]
        for key in range(preset.keys[0], preset.keys[1] + 1):
            note, octave = note_of_key(key)
            sounds += [("note", note, (instrument, "keys")), ("octave", octave, (instrument, "keys"))]
        for name, value, at in sounds:
            if value not in rules[name].values:
                line, field = locate(node, ("instruments", *at))
                raise InputError(f"{path}:{line}: {field}: {name}: {not_among(value, rules[name].values)}")
    return plan


def _notes(plan: Presets, attributes: Mapping[str, Attribute]) -> Iterator[tuple[str, int, int]]:
    """(instrument, key, velocity) in an order that does not depend on the file's, nor do the lengths drawn in it."""
    for instrument in map(str, attributes["instrument"].values):
        if instrument in plan.instruments:
            low, high = plan.instruments[instrument].keys
            yield from product([instrument], range(low, high + 1), sorted(plan.velocities))


def _check_header(file: Path) -> None:
    """Before FluidSynth reads it. Raises InputError unless it is a SoundFont and as long as it says."""
    try:
        with open(file, "rb") as opened:
            header, size = opened.read(12), os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}), expected a SoundFont (.sf2)") from None
    if len(header) < 12 or header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise InputError(f"{file}: found no RIFF sfbk header, expected a SoundFont (.sf2)")
    expected = 8 + struct.unpack("<I", header[4:8])[0]
    if size < expected:
        raise InputError(f"{file}: truncated: found {size:,} bytes, expected {expected:,} by its header")


def _fluidsynth() -> Any:
    """pyfluidsynth's module. Raises InputError if it, or the library that it looks for, is not installed."""
    try:
        with redirect_stdout(StringIO()):  # where CI is set, it prints which library it found
            import fluidsynth
    except (ImportError, OSError):
        needed = f"{how_to_install('soundfont')}, and the FluidSynth library (Debian: libfluidsynth3)"
        raise InputError(f"FluidSynth is missing: {needed}") from None
    return fluidsynth


@contextmanager
def _logged(fluidsynth: Any) -> Iterator[list[str]]:
    """What FluidSynth logs meanwhile, at all five levels; it would otherwise print it on the user's terminal."""
    messages: list[str] = []
    handler_type = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    handler = handler_type(lambda level, text, data: messages.append((text or b"").decode("utf-8", "replace")))
    arguments = (("level", ctypes.c_int, 1), ("fun", ctypes.c_void_p, 1), ("data", ctypes.c_void_p, 1))
    set_handler = fluidsynth.cfunc("fluid_set_log_function", ctypes.c_void_p, *arguments)
    before = [set_handler(level, ctypes.cast(handler, ctypes.c_void_p), None) for level in range(5)]
    try:
        yield messages
    finally:
        for level, function in enumerate(before):
            set_handler(level, function, None)


@contextmanager
def _loaded(font: _Font) -> Iterator[tuple[Any, int]]:
    """A synthesizer that has played nothing yet, and the number under which it holds the SoundFont."""
    # Dynamic loading: for every note one preset's samples, not all of the file's
    settings = {"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.dynamic-sample-loading": 1}
    synth = font.fluidsynth.Synth(gain=GAIN, samplerate=float(font.sample_rate), channels=16, **settings)
    try:
        number = font.fluidsynth.fluid_synth_sfload(synth.synth, os.fsencode(font.file), 0)
        if number < 0:
            raise InputError(f"{font.file}: damaged: FluidSynth cannot load it ({' '.join(font.log[:1])})")
        yield synth, number
    finally:
        synth.delete()


def _sources(font: _Font, plan: Presets, presets: Path) -> dict[str, str]:
    """Provenance by instrument. Raises InputError for a preset that the file lacks: no other may play instead."""
    sources = {}
    with _loaded(font) as (synth, number):
        for instrument, preset in plan.instruments.items():
            bank, program = preset.bank, preset.program
            name = synth.sfpreset_name(number, bank, program)
            if name is None:
                expected = f"the one for {instrument} in {presets}"
                raise InputError(f"{font.file}: {instrument}: found no preset {bank}:{program}, expected {expected}")
            sources[instrument] = f"{font.file.name}, preset {bank}:{program} {' '.join(name.split())}"
    return sources


def _played(font: _Font, preset: Preset, key: int, velocity: int, held_s: float, name: str) -> np.ndarray:
    """One note, mono float32: the key held, then released."""
    with _loaded(font) as (synth, number):
        if synth.program_select(0, number, preset.bank, preset.program) != 0:
            raise InputError(f"{name}: damaged: FluidSynth cannot load its preset ({' '.join(font.log[-1:])})")
        synth.noteon(0, key, velocity)
        if synth.get_active_voice_count() == 0:
            raise InputError(f"{name}: found no sample for key {key} at this velocity, expected keys within its range")
        held = _rendered(font, synth, round(held_s * font.sample_rate))
        synth.noteoff(0, key)
        released = _rendered(font, synth, round(RELEASE_S * font.sample_rate))
    return np.concatenate([held, released])


def _rendered(font: _Font, synth: Any, n_samples: int) -> np.ndarray:
    """float32 [n_samples], the mean of both channels; pyfluidsynth's own method gives dithered 16-bit integers."""
    stereo = np.zeros((2, n_samples), np.float32)
    side = [("buffer", ctypes.c_void_p, 1), ("offset", ctypes.c_int, 1), ("step", ctypes.c_int, 1)]
    arguments = (("synth", ctypes.c_void_p, 1), ("length", ctypes.c_int, 1), *side, *side)
    write = font.fluidsynth.cfunc("fluid_synth_write_float", ctypes.c_int, *arguments)
    write(synth.synth, n_samples, stereo[0].ctypes.data, 0, 1, stereo[1].ctypes.data, 0, 1)
    return stereo.mean(axis=0)


def _read(
    source: Path,
    attributes: Mapping[str, Attribute],
    options: ImportOptions,
    rng: np.random.Generator,
    gathering: Gathering,
) -> list[Recording]:
    if not options.licence:
        raise InputError(f"{source}: licence: found none, expected --licence NAME, as its author gives it")
    chosen = options.licence, options.presets
    return import_soundfont(source, attributes, options.sample_rate, options.duration, rng, *chosen, gathering)


FORMAT = Format(
    "an .sf2 file played by FluidSynth, every key at two velocities",
    _read,
    options=("duration", "seed", "licence", "presets"),
)
