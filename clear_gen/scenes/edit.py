"""Changed copies of a scene graph: another room, other noise, other gains. Lengths and labels follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from clear_gen.core.arguments import number, whole_number
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import MAX_IMPULSE_RESPONSE_S, Noise, Reverb, SceneGraph, Sound, tail_samples
from clear_gen.scenes.sampler import SEED_BITS
from clear_gen.sounds.attributes import label, measured
from clear_gen.sounds.bank import Bank

Part = TypeVar("Part", Reverb, Noise)
MAX_GAIN_DB = 60.0
# Lowest and highest value of each number; the domain file's ranges have the same bounds.
BOUNDS = {
    "rt60_s": (0.02, MAX_IMPULSE_RESPONSE_S),
    "drr_db": (-MAX_GAIN_DB, MAX_GAIN_DB),
    "pre_delay_s": (0.0, MAX_IMPULSE_RESPONSE_S),
    "damping_hz": (20.0, math.inf),
    "level_dbfs": (-math.inf, -6.0),
}


def with_reverb(graph: SceneGraph, reverb: Reverb | Mapping[str, Any] | None) -> SceneGraph:
    """The scene in another room, or in none. A mapping changes only the fields that it names.

    ``n_samples`` becomes the dry length plus the new tail. Raises InputError for a value that no room can have.
    """
    room = None if reverb is None else _changed(Reverb, "reverb", graph.reverb, reverb)
    if room is None:
        return replace(graph, reverb=None, n_samples=graph.n_samples_dry)
    if (length_s := room.rt60_s + room.pre_delay_s) > MAX_IMPULSE_RESPONSE_S:
        raise InputError(f"reverb: rt60_s + pre_delay_s: found {length_s:g} s, expected at most 1 s")
    n_tail = int(tail_samples(room.rt60_s, room.pre_delay_s, graph.sample_rate))
    return replace(graph, reverb=room, n_samples=graph.n_samples_dry + n_tail)


def with_noise(graph: SceneGraph, noise: Noise | Mapping[str, Any] | None) -> SceneGraph:
    """The scene with other noise, or without. A mapping changes only the fields that it names.

    Raises InputError for a level above -6 dBFS, or a field that noise does not have.
    """
    return replace(graph, noise=None if noise is None else _changed(Noise, "noise", graph.noise, noise))


def with_gains(graph: SceneGraph, gains_db: Sequence[float], bank: Bank, domain: Domain) -> SceneGraph:
    """The scene with other gains, one per sound in the order of ``graph.sounds``.

    A label that is measured as loudness follows its sound's gain, by the bank's thresholds; so it may become unknown.
    Raises InputError if there are not as many gains as sounds, one is not a number from -60 to 60 dB, or the bank lacks
    a sound.
    """
    if isinstance(gains_db, str) or not isinstance(gains_db, Sequence) or len(gains_db) != len(graph.sounds):
        raise InputError(f"gains_db: found {gains_db!r:.60}, expected {len(graph.sounds)} numbers, one per sound")
    checked = [number(f"gains_db[{k}]", gain_db, -MAX_GAIN_DB, MAX_GAIN_DB) for k, gain_db in enumerate(gains_db)]
    pairs = zip(graph.sounds, checked, strict=True)
    return replace(graph, sounds=tuple(_with_gain(sound, gain_db, bank, domain) for sound, gain_db in pairs))


def _with_gain(sound: Sound, gain_db: float, bank: Bank, domain: Domain) -> Sound:
    if gain_db == sound.gain_db:
        return sound
    if sound.sound_id not in bank.by_id:
        raise InputError(f"sound_id: found {sound.sound_id!r}, expected a sound of the bank")
    level_lufs = bank.by_id[sound.sound_id].loudness_lufs + gain_db
    rules = measured(domain.attributes).items()
    labels = {
        name: label(level_lufs, rule, bank.thresholds[name]) for name, rule in rules if rule.measure == "loudness"
    }
    return replace(sound, gain_db=gain_db, attributes={**sound.attributes, **labels})


def _changed(kind: type[Part], name: str, before: Part | None, change: Part | Mapping[str, Any]) -> Part:
    """A room or noise: ``before`` with some fields changed, or a new one, checked."""
    if not isinstance(change, kind | Mapping):
        raise InputError(f"{name}: found {change!r:.60}, expected a {kind.__name__}, a mapping of its fields, or None")
    values = dict(change) if isinstance(change, Mapping) else asdict(change)
    names = [field.name for field in fields(kind)]
    if unknown := sorted(set(map(str, values)) - set(names)):
        raise InputError(f"{name}: field: {not_among(unknown[0], names, 'some of')}")
    if before is not None:
        values = {**asdict(before), **values}
    if missing := [field for field in names if field not in values]:
        raise InputError(f"{name}.{missing[0]}: found none, and the scene has no {name}; expected a number")
    seed = whole_number(f"{name}.seed", values.pop("seed"), 0, (1 << SEED_BITS) - 1)
    return kind(**{field: number(f"{name}.{field}", values[field], *BOUNDS[field]) for field in values}, seed=seed)
