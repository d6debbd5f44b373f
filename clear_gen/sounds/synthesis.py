"""The embedded default bank: elementary sounds computed by a small instrument model of our own.

Goal: a bank for a machine with nothing but pip, whose train and test sides are truly different recordings: other
players, other microphones, other dynamics, other phases. ``banks/default.yaml`` holds the instruments, players and
microphones; this module holds the signal model, and no number that belongs to one instrument.

Model: a tone is a sum of harmonics whose levels in dB add up along the path

    register of the instrument + dynamics, colour and habit of the player (a tilt) + body + microphone,

plus bow or breath noise along the same path, plus the self-noise of the microphone. High harmonics rise after the low
ones. Pitches are MIDI numbers (A4 = 69 = 440 Hz).

Reference: N. H. Fletcher and T. D. Rossing, The Physics of Musical Instruments, 2nd edition, Springer, 1998.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import yaml
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from clear_gen.io import InputError, content_path
from clear_gen.sounds.recording import Recording

SAMPLE_RATE = 48_000
LICENCE = "CC0-1.0"
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TABLE_SIZE = 1 << 14  # at harmonic 150 linear interpolation errs by 68 dB less than the harmonic itself
NOISE_SIZE = 1 << 16  # 1.37 s: longer than any sound, and a power of two for the FFT
VIBRATO_ONSET_S = 0.25  # players let the pitch settle before they vibrate
HIGHEST_HZ = 20_000  # no harmonic above it; vibrato never reaches half the sample rate from there
LATE_HARMONIC = 4  # harmonics above this one mostly belong to the part of the tone that rises late
DB_PER_NEPER = 20 / np.log(10)
LATE_ATTACK = 1.7  # and their attack is this many times longer


def pitch_to_midi(pitch: str) -> int:
    """MIDI number of a scientific pitch.

    >>> pitch_to_midi("A4"), pitch_to_midi("C#3")
    (69, 49)
    """
    match = re.fullmatch(r"([A-G]#?)(-?\d)", pitch)
    if match is None or match[1] not in NOTES:
        raise ValueError(f"found {pitch!r}, expected a pitch such as C#4")
    return NOTES.index(match[1]) + 12 * (int(match[2]) + 1)


STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
SideName = Literal["train", "test"]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Pitch = Annotated[str, AfterValidator(lambda pitch: (pitch_to_midi(pitch), pitch)[1])]
Duration = Annotated[float, Field(gt=0, le=NOISE_SIZE / SAMPLE_RATE)]


@dataclass(frozen=True, config=STRICT)
class Resonance:
    """A bump of ``gain_db`` at ``centre_hz``, Gaussian on a logarithmic frequency axis."""

    centre_hz: Positive
    width_octaves: Positive
    gain_db: float


@dataclass(frozen=True, config=STRICT)
class Body:
    """What radiates the sound: resonances, and a cutoff above which it falls by ``slope_db_per_octave``."""

    resonances: list[Resonance]
    cutoff_hz: Positive
    slope_db_per_octave: NotNegative


@dataclass(frozen=True, config=STRICT)
class Register:
    """Levels of harmonics 1, 2, ... at one pitch; beyond the last, a constant rolloff."""

    midi: int
    harmonics_db: Annotated[list[float], Field(min_length=1)]
    rolloff_db_per_octave: NotNegative


@dataclass(frozen=True, config=STRICT)
class Noise:
    """Bow or breath noise, ``level_db`` re the tone at middle dynamics; only bow noise passes through the body."""

    kind: Literal["bow", "breath"]
    level_db: float
    centre_hz: Positive
    width_octaves: Positive


@dataclass(frozen=True, config=STRICT)
class Instrument:
    """One instrument in nobody's hands; ``dynamics_*`` and ``colour_*`` are what one unit of the take's draw does."""

    lowest: Pitch
    highest: Pitch
    registers: Annotated[list[Register], Field(min_length=1)]
    body: Body
    level_db: float
    dynamics_db: float
    dynamics_tilt_db_per_octave: float
    colour_tilt_db_per_octave: float
    attack_s: Positive
    release_s: Positive
    vibrato_cents: Annotated[float, Field(ge=0, lt=30)]
    tremolo_db: NotNegative
    noise: Noise


@dataclass(frozen=True, config=STRICT)
class Microphone:
    """Second-order low and high cuts, a presence peak and white self-noise (RMS, dB re full scale)."""

    low_cut_hz: Positive
    high_cut_hz: Positive
    presence: Resonance
    self_noise_db: float


@dataclass(frozen=True, config=STRICT)
class Player:
    """Habits of one player: scales of, and offsets to, what the instrument gives."""

    name: str
    microphone: str
    detune_cents: Annotated[float, Field(gt=-12, lt=12)]
    attack_scale: Positive
    vibrato_rate_hz: Positive
    vibrato_scale: NotNegative
    tilt_db_per_octave: float
    noise_db: float
    level_db: float


@dataclass(frozen=True, config=STRICT)
class Side:
    """Microphones by name, players by instrument."""

    microphones: dict[str, Microphone]
    players: dict[str, Player]


@dataclass(frozen=True, config=STRICT)
class Takes:
    """Ranges of what is drawn for every sound."""

    duration_s: tuple[Duration, Duration, Duration]
    detune_cents: NotNegative
    wander_cents: NotNegative
    wander_db: NotNegative


@dataclass(frozen=True, config=STRICT)
class Model:
    """The whole of ``banks/default.yaml``."""

    seed: int
    takes: Takes
    instruments: dict[str, Instrument]
    sides: dict[SideName, Side]


class Take(NamedTuple):
    """One performance of one note: who, on what, into what, and how. Dynamics and colour lie within -1..1."""

    midi: int
    instrument: Instrument
    player: Player
    microphone: Microphone
    duration_s: float
    dynamics: float
    colour: float


def load_model(path: Path) -> Model:
    """Read and check an instrument model.

    Raises ``InputError``, one line with file and field, if it is not YAML, or a field is missing, unknown or out of
    range, or a side lacks the player of an instrument or the microphone of a player.
    """
    try:
        model = TypeAdapter(Model).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "document"
        raise InputError(f"{path}: {field}: {first['msg']}, found {first['input']!r:.60}") from error
    for side, name in itertools.product(model.sides, model.instruments):
        players, microphones = model.sides[side].players, model.sides[side].microphones
        if name not in players:
            raise InputError(f"{path}: sides.{side}.players: found no {name!r}, expected a player of every instrument")
        if players[name].microphone not in microphones:
            field = f"sides.{side}.players.{name}.microphone"
            expected = ", ".join(microphones)
            raise InputError(f"{path}: {field}: found {players[name].microphone!r}, expected one of {expected}")
    return model


def synthesise(side: str) -> list[Recording]:
    """Every sound of one side, ``train`` or ``test``, in the order of the file and then by rising pitch.

    48 kHz. Each sound has its own random stream, so it does not depend on which others are computed.
    Raises ``InputError`` for another side or a broken ``banks/default.yaml``.
    """
    model = load_model(content_path("banks", "default.yaml"))
    if side != "train" and side != "test":
        raise InputError(f"side: found {side!r}, expected train or test")
    return [
        _record(model, side, name, midi)
        for name, instrument in model.instruments.items()
        for midi in range(pitch_to_midi(instrument.lowest), pitch_to_midi(instrument.highest) + 1)
    ]


def _record(model: Model, side: SideName, name: str, midi: int) -> Recording:
    note, octave = NOTES[midi % 12], midi // 12 - 1
    sound_id = f"default-{side}-{name}-{octave}-{note}"
    # The identifier itself is the key of the stream: adding an instrument changes no other sound.
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(model.seed, spawn_key=tuple(sound_id.encode()))))
    player = model.sides[side].players[name]
    microphone = model.sides[side].microphones[player.microphone]
    dynamics, colour = rng.uniform(-1, 1, 2)
    duration_s = rng.triangular(*model.takes.duration_s)
    take = Take(midi, model.instruments[name], player, microphone, duration_s, dynamics, colour)
    return Recording(
        sound_id=sound_id,
        attributes={"instrument": name, "note": note, "octave": octave},
        samples=_render(take, model.takes, rng),
        sample_rate=SAMPLE_RATE,
        source=f"clear-gen instrument model, player {player.name}, microphone {player.microphone}",
        licence=LICENCE,
    )


def _render(take: Take, takes: Takes, rng: np.random.Generator) -> np.ndarray:
    """One sound, float32, shape (n_samples,)."""
    instrument, player = take.instrument, take.player
    time_s = np.arange(round(take.duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    vibrato = player.vibrato_scale * np.sin(2 * np.pi * (player.vibrato_rate_hz * time_s + rng.uniform()))
    vibrato *= np.minimum(time_s / VIBRATO_ONSET_S, 1)
    cents = player.detune_cents + takes.detune_cents * rng.uniform(-1, 1)
    cents += instrument.vibrato_cents * vibrato + takes.wander_cents * _wander(time_s, rng)
    swell = _gain(instrument.tremolo_db * vibrato + takes.wander_db * _wander(time_s, rng))
    attack_s = instrument.attack_s * player.attack_scale

    tone_db = instrument.level_db + player.level_db + instrument.dynamics_db * take.dynamics
    # Half: playing louder raises the noise less than the tone, and soft tones are the breathy ones.
    noise_db = tone_db - instrument.dynamics_db * take.dynamics / 2 + instrument.noise.level_db + player.noise_db
    sound = _gain(tone_db) * swell * _tone(take, time_s, cents, attack_s, rng)
    sound += _gain(noise_db) * swell * _rise(time_s, attack_s) * _noise(take, len(time_s), rng)
    sound += _gain(take.microphone.self_noise_db) * rng.standard_normal(len(time_s))
    return (sound * _fade(time_s, instrument.release_s)).astype(np.float32)


def _tone(take: Take, time_s: np.ndarray, cents: np.ndarray, attack_s: float, rng: np.random.Generator) -> np.ndarray:
    """The harmonics, RMS 1 once risen, shape (n_samples,): two wave tables read at the phase that ``cents`` gives.

    A table costs one look-up a sample whatever the number of harmonics; two of them let the low harmonics rise first.
    """
    frequency_hz = 440 * 2 ** ((take.midi - 69) / 12)
    order = np.arange(1, int(HIGHEST_HZ / frequency_hz) + 1)
    amplitude = _gain(_harmonics_db(take, order, frequency_hz))
    amplitude *= np.sqrt(2 / np.sum(amplitude**2))
    waves = amplitude * np.exp(2j * np.pi * rng.uniform(size=len(order)))
    late = order / (order + LATE_HARMONIC)
    cycles = np.cumsum(frequency_hz * 2 ** (cents / 1200)) / SAMPLE_RATE
    early_tone = _read_table(waves * (1 - late), cycles) * _rise(time_s, attack_s)
    return early_tone + _read_table(waves * late, cycles) * _rise(time_s, attack_s * LATE_ATTACK)


def _read_table(waves: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Sum of ``abs(waves[k]) cos(2 pi (k + 1) cycles + angle(waves[k]))``, shape of ``cycles``, linearly interpolated."""
    table = np.fft.irfft(np.concatenate([[0], waves]), TABLE_SIZE) * (TABLE_SIZE / 2)
    position = cycles * TABLE_SIZE
    index = position.astype(np.int64)
    left, right = table[index % TABLE_SIZE], table[(index + 1) % TABLE_SIZE]
    return left + (position - index) * (right - left)


def _harmonics_db(take: Take, order: np.ndarray, frequency_hz: float) -> np.ndarray:
    """Levels of the harmonics ``order`` = 1, 2, ..., up to a constant, shape of ``order``."""
    instrument, registers = take.instrument, take.instrument.registers
    position = np.interp(take.midi, [register.midi for register in registers], np.arange(len(registers)))
    below, above = int(np.floor(position)), int(np.ceil(position))
    source_db = _register_db(registers[below], order)
    source_db += (position - below) * (_register_db(registers[above], order) - source_db)
    tilt = take.player.tilt_db_per_octave + instrument.dynamics_tilt_db_per_octave * take.dynamics
    tilt += instrument.colour_tilt_db_per_octave * take.colour
    heard_hz = order * frequency_hz
    path_db = _body_db(instrument.body, heard_hz) + _microphone_db(take.microphone, heard_hz)
    return source_db + tilt * np.log2(order) + path_db


def _register_db(register: Register, order: np.ndarray) -> np.ndarray:
    listed = np.minimum(order, len(register.harmonics_db))
    return np.array(register.harmonics_db)[listed - 1] - register.rolloff_db_per_octave * np.log2(order / listed)


def _noise(take: Take, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Bow or breath noise as the microphone hears it, RMS 1, shape (n_samples,)."""
    kind = take.instrument.noise
    frequency_hz = np.fft.rfftfreq(NOISE_SIZE, 1 / SAMPLE_RATE)[1:]
    # A Gaussian in amplitude, hence a parabola in dB.
    shape_db = -0.5 * DB_PER_NEPER * (np.log2(frequency_hz / kind.centre_hz) / kind.width_octaves) ** 2
    shape_db += _microphone_db(take.microphone, frequency_hz)
    if kind.kind == "bow":
        shape_db += _body_db(take.instrument.body, frequency_hz)
    gain = _gain(shape_db)
    spectrum = gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain)))
    noise = np.fft.irfft(np.concatenate([[0], spectrum]), NOISE_SIZE)[:n_samples]
    return noise / np.sqrt(np.mean(noise**2))


def _body_db(body: Body, frequency_hz: np.ndarray) -> np.ndarray:
    fall_db = body.slope_db_per_octave / 2 * np.log2(1 + (frequency_hz / body.cutoff_hz) ** 2)
    return sum((_bump_db(resonance, frequency_hz) for resonance in body.resonances), -fall_db)


def _microphone_db(microphone: Microphone, frequency_hz: np.ndarray) -> np.ndarray:
    low_db = -10 * np.log10(1 + (microphone.low_cut_hz / frequency_hz) ** 4)
    high_db = -10 * np.log10(1 + (frequency_hz / microphone.high_cut_hz) ** 4)
    return low_db + high_db + _bump_db(microphone.presence, frequency_hz)


def _bump_db(resonance: Resonance, frequency_hz: np.ndarray) -> np.ndarray:
    return resonance.gain_db * np.exp(
        -0.5 * (np.log2(frequency_hz / resonance.centre_hz) / resonance.width_octaves) ** 2
    )


def _gain(level_db: np.ndarray | float) -> np.ndarray:
    return np.power(10.0, np.asarray(level_db) / 20)


def _rise(time_s: np.ndarray, attack_s: float) -> np.ndarray:
    """A quarter of a sine: audible from the first millisecond, flat where it arrives."""
    return np.sin(np.pi / 2 * np.minimum(time_s / attack_s, 1))


def _fade(time_s: np.ndarray, release_s: float) -> np.ndarray:
    """Half a cosine down to zero at the last sample."""
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum((time_s[-1] - time_s) / release_s, 1))


def _wander(time_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slow drift within -1..1: the mean of three sines of 0.4 to 3 Hz."""
    rates_hz, phases = rng.uniform(0.4, 3, (3, 1)), rng.uniform(0, 2 * np.pi, (3, 1))
    return np.sin(2 * np.pi * rates_hz * time_s + phases).mean(axis=0)
