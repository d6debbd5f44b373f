"""The embedded default bank: elementary sounds computed by a small instrument model of our own.

Goal: a bank for a machine with nothing but pip, whose train and test sides are truly different recordings: other
players, other microphones, other dynamics, other phases. ``banks/default.yaml`` holds the instruments, players and
microphones; this module holds the signal model, and no number that belongs to one instrument.

Model: a tone is a sum of harmonics whose levels in dB add up along the path

    register of the instrument + dynamics, colour and habit of the player (a tilt) + body + microphone,

plus bow or breath noise, plus the self-noise of the microphone. Pitches are MIDI numbers (A4 = 69 = 440 Hz).
Reference: N. H. Fletcher and T. D. Rossing, The Physics of Musical Instruments, 2nd edition, Springer, 1998.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from clear_gen.core.config import Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import content_path
from clear_gen.core.names import not_among
from clear_gen.core.streams import stream
from clear_gen.sounds.recording import Recording

SAMPLE_RATE = 48_000
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
HIGHEST_HZ = 20_000  # no harmonic above it; vibrato never carries one to half the sample rate
TABLE_SIZE = 1 << 14  # at harmonic 150 linear interpolation errs by 68 dB less than the harmonic itself
NOISE_SIZE = 1 << 16  # 1.37 s: longer than any sound, and a power of two for the FFT
VIBRATO_ONSET_S = 0.25  # players let the pitch settle before they vibrate
LATE_HARMONIC, LATE_ATTACK = 4, 1.7  # harmonics above the 4th rise later: mostly in an attack 1.7 times as long


def pitch_to_midi(pitch: object) -> int:
    """MIDI number of a scientific pitch. Raises ValueError for anything else.

    >>> pitch_to_midi("A4"), pitch_to_midi("C#3")
    (69, 49)
    """
    match = re.fullmatch(r"([A-G]#?)(-?\d)", str(pitch))
    if match is None or match[1] not in NOTES:
        raise ValueError("a pitch such as C#4")
    return NOTES.index(match[1]) + 12 * (int(match[2]) + 1)


Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]
NotNegative = Annotated[Finite, Field(ge=0)]
Cents = Annotated[Finite, Field(gt=-15, lt=15)]  # beyond, a listener might name another note once vibrato is added
Seconds = Annotated[Finite, Field(gt=0, le=NOISE_SIZE / SAMPLE_RATE)]
Pitch = Annotated[int, BeforeValidator(pitch_to_midi)]


class Resonance(Strict):
    """A bump of ``gain_db`` at ``centre_hz``, Gaussian on a logarithmic frequency axis."""

    centre_hz: Positive
    width_octaves: Positive
    gain_db: Finite


class Noise(Strict):
    """Bow or breath noise, ``level_db`` re the tone at middle dynamics; only bow noise passes through the body."""

    kind: Literal["bow", "breath"]
    level_db: Finite
    centre_hz: Positive
    width_octaves: Positive


class Instrument(Strict):
    """One instrument in nobody's hands. Registers are keyed by pitch; ``banks/default.yaml`` explains the fields."""

    lowest: Pitch
    highest: Pitch
    registers: Annotated[dict[int, Annotated[list[Finite], Field(min_length=1)]], Field(min_length=1)]
    rolloff_db_per_octave: NotNegative
    resonances: list[Resonance]
    cutoff_hz: Positive
    slope_db_per_octave: NotNegative
    level_db: Finite
    dynamics_db: Finite
    dynamics_tilt_db_per_octave: Finite
    colour_tilt_db_per_octave: Finite
    attack_s: Positive
    release_s: Positive
    vibrato_cents: NotNegative
    tremolo_db: NotNegative
    noise: Noise


class Microphone(Strict):
    """Second-order low and high cuts, a presence peak and white self-noise (RMS, dB re full scale)."""

    low_cut_hz: Positive
    high_cut_hz: Positive
    presence: Resonance
    self_noise_db: Finite


class Player(Strict):
    """Habits of one player: scales of, and offsets to, what the instrument gives."""

    name: str
    microphone: str
    detune_cents: Cents
    attack_scale: Positive
    vibrato_rate_hz: Positive
    vibrato_scale: NotNegative
    tilt_db_per_octave: Finite
    noise_db: Finite
    level_db: Finite


class Side(Strict):
    """Microphones by name, players by instrument."""

    microphones: dict[str, Microphone]
    players: dict[str, Player]


class Model(Strict):
    """The whole of ``banks/default.yaml``."""

    seed: Annotated[int, Field(ge=0)]
    duration_s: tuple[Seconds, Seconds, Seconds]
    detune_cents: Cents
    wander_cents: Cents
    wander_db: NotNegative
    instruments: dict[str, Instrument]
    sides: dict[str, Side]

    @model_validator(mode="after")
    def _fits_together(self) -> Model:
        if list(self.duration_s) != sorted(self.duration_s):
            raise ValueError("duration_s to rise")
        for side, name in itertools.product(self.sides, self.instruments):
            players, microphones = self.sides[side].players, self.sides[side].microphones
            if name not in players:
                raise ValueError(f"sides.{side}.players.{name}, a player of every instrument on every side")
            if players[name].microphone not in microphones:
                raise ValueError(f"sides.{side}.players.{name}.microphone to be one of {', '.join(microphones)}")
        return self


class Take(NamedTuple):
    """One performance of one note: who, on what, into what, and how. Dynamics and colour lie within -1..1."""

    midi: int
    instrument: Instrument
    player: Player
    microphone: Microphone
    dynamics: float
    colour: float


def synthesise(side: str) -> list[Recording]:
    """Every sound of one side, ``train`` or ``test``, at 48 kHz, in the order of the file and then by rising pitch.

    Raises ``InputError`` for another side or a broken ``banks/default.yaml``.
    """
    model = load_yaml(content_path("banks", "default.yaml"), Model)
    if side not in model.sides:
        raise InputError(f"side: {not_among(side, model.sides)}")
    return [recording for name in model.instruments for recording in _play(model, side, name)]


def _play(model: Model, side: str, name: str) -> Iterator[Recording]:
    instrument, player = model.instruments[name], model.sides[side].players[name]
    microphone = model.sides[side].microphones[player.microphone]
    source = f"clear-gen instrument model, player {player.name}, microphone {player.microphone}"
    pitches = range(instrument.lowest, instrument.highest + 1)
    rng = stream(model.seed, *f"{side}-{name}".encode())
    for midi, dynamics, colour in zip(pitches, _spread(len(pitches), rng), _spread(len(pitches), rng), strict=True):
        note, octave = NOTES[midi % 12], midi // 12 - 1
        sound_id = f"default-{side}-{name}-{octave}-{note}"
        attributes: dict[str, str | int] = {"instrument": name, "note": note, "octave": octave}
        take = Take(midi, instrument, player, microphone, dynamics, colour)
        # The identifier itself is the key of the stream, so a sound is the same whichever others are computed.
        samples = _render(take, model, stream(model.seed, *sound_id.encode()))
        yield Recording(sound_id, attributes, samples, SAMPLE_RATE, source, "CC0-1.0")


def _spread(n: int, rng: np.random.Generator) -> np.ndarray:
    """One number from each n-th part of -1..1, shuffled: no instrument is loud, or bright, by the luck of the draw."""
    return (rng.permutation(n) + rng.uniform(size=n)) * 2 / n - 1


def _render(take: Take, model: Model, rng: np.random.Generator) -> np.ndarray:
    """One sound, float32, shape (n_samples,)."""
    instrument, player = take.instrument, take.player
    time_s = np.arange(round(rng.triangular(*model.duration_s) * SAMPLE_RATE)) / SAMPLE_RATE
    vibrato = player.vibrato_scale * np.sin(2 * np.pi * (player.vibrato_rate_hz * time_s + rng.uniform()))
    vibrato *= np.minimum(time_s / VIBRATO_ONSET_S, 1)
    detune_cents = player.detune_cents + model.detune_cents * rng.uniform(-1, 1)
    cents = detune_cents + instrument.vibrato_cents * vibrato + model.wander_cents * _wander(time_s, rng)
    swell = _gain(instrument.tremolo_db * vibrato + model.wander_db * _wander(time_s, rng))
    attack_s = instrument.attack_s * player.attack_scale

    tone_db = instrument.level_db + player.level_db + instrument.dynamics_db * take.dynamics
    # Half: playing louder raises the noise less than the tone, and soft tones are the breathy ones.
    noise_db = tone_db - instrument.dynamics_db * take.dynamics / 2 + instrument.noise.level_db + player.noise_db
    sound = _gain(tone_db) * swell * _tone(take, time_s, cents, attack_s, rng)
    sound += _gain(noise_db) * swell * _rise(time_s, attack_s) * _noise(take, len(time_s), rng)
    sound += _gain(take.microphone.self_noise_db) * rng.standard_normal(len(time_s))
    return (sound * _fade(time_s, instrument.release_s)).astype(np.float32)


def _tone(take: Take, time_s: np.ndarray, cents: np.ndarray, attack_s: float, rng: np.random.Generator) -> np.ndarray:
    """The harmonics, RMS 1 once risen, shape (n_samples,), detuned by ``cents`` of the same shape."""
    # A wave table costs one look-up a sample whatever the number of harmonics; two let the low harmonics rise first.
    frequency_hz = 440 * 2 ** ((take.midi - 69) / 12)
    order = np.arange(1, int(HIGHEST_HZ / frequency_hz) + 1)
    amplitude = _gain(_harmonics_db(take, order, frequency_hz))
    amplitude *= np.sqrt(2 / np.sum(amplitude**2))
    waves = amplitude * np.exp(2j * np.pi * rng.uniform(size=len(order)))
    late = order / (order + LATE_HARMONIC)
    cycles = np.cumsum(frequency_hz * 2 ** (cents / 1200)) / SAMPLE_RATE
    tone = _rise(time_s, attack_s) * _read_table(waves * (1 - late), cycles)
    return tone + _rise(time_s, attack_s * LATE_ATTACK) * _read_table(waves * late, cycles)


def _read_table(waves: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Sum of ``abs(waves[k]) cos(2 pi (k + 1) cycles + angle(waves[k]))`` over k, shape of ``cycles``."""
    table = np.fft.irfft(np.concatenate([[0], waves]), TABLE_SIZE) * (TABLE_SIZE / 2)
    position = cycles * TABLE_SIZE
    index = position.astype(np.int64)
    left, right = table[index % TABLE_SIZE], table[(index + 1) % TABLE_SIZE]
    return left + (position - index) * (right - left)


def _harmonics_db(take: Take, order: np.ndarray, frequency_hz: float) -> np.ndarray:
    """Levels of the harmonics ``order`` = 1, 2, ..., up to a constant, shape of ``order``."""
    instrument, pitches = take.instrument, sorted(take.instrument.registers)
    position = np.interp(take.midi, pitches, np.arange(len(pitches)))
    below, above = (_register_db(instrument, pitches[int(k)], order) for k in (np.floor(position), np.ceil(position)))
    tilt = take.player.tilt_db_per_octave + instrument.dynamics_tilt_db_per_octave * take.dynamics
    tilt += instrument.colour_tilt_db_per_octave * take.colour
    heard_hz = order * frequency_hz
    path_db = _body_db(instrument, heard_hz) + _microphone_db(take.microphone, heard_hz)
    return below + (position % 1) * (above - below) + tilt * np.log2(order) + path_db


def _register_db(instrument: Instrument, pitch: int, order: np.ndarray) -> np.ndarray:
    harmonics_db = np.array(instrument.registers[pitch])
    listed = np.minimum(order, len(harmonics_db))
    return harmonics_db[listed - 1] - instrument.rolloff_db_per_octave * np.log2(order / listed)


def _noise(take: Take, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Bow or breath noise as the microphone hears it, RMS 1, shape (n_samples,)."""
    noise = take.instrument.noise
    frequency_hz = np.fft.rfftfreq(NOISE_SIZE, 1 / SAMPLE_RATE)[1:]
    gain = _bump(frequency_hz, noise) * _gain(_microphone_db(take.microphone, frequency_hz))
    if noise.kind == "bow":
        gain *= _gain(_body_db(take.instrument, frequency_hz))
    spectrum = gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain)))
    sound = np.fft.irfft(np.concatenate([[0], spectrum]), NOISE_SIZE)[:n_samples]
    return sound / np.sqrt(np.mean(sound**2))


def _body_db(body: Instrument, frequency_hz: np.ndarray) -> np.ndarray:
    fall_db = body.slope_db_per_octave / 2 * np.log2(1 + (frequency_hz / body.cutoff_hz) ** 2)
    return sum((bump.gain_db * _bump(frequency_hz, bump) for bump in body.resonances), -fall_db)


def _microphone_db(microphone: Microphone, frequency_hz: np.ndarray) -> np.ndarray:
    low_db = -10 * np.log10(1 + (microphone.low_cut_hz / frequency_hz) ** 4)
    high_db = -10 * np.log10(1 + (frequency_hz / microphone.high_cut_hz) ** 4)
    return low_db + high_db + microphone.presence.gain_db * _bump(frequency_hz, microphone.presence)


def _bump(frequency_hz: np.ndarray, where: Resonance | Noise) -> np.ndarray:
    """Gaussian of height 1 on a logarithmic frequency axis."""
    return np.exp(-0.5 * (np.log2(frequency_hz / where.centre_hz) / where.width_octaves) ** 2)


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
