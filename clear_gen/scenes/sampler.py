"""Scene graphs by the thousand: every random choice of a scene is made here, once, from the scene's own stream.

The scenes of a call are drawn together with array operations, yet each from its own stream, so that the result does not
depend on which scenes are drawn together. ``tests/scenes/test_sampler.py`` holds the slow version, one scene at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.core.records import RENDERED_TYPE, SPLITS
from clear_gen.core.streams import STAGE_SCENE, stream
from clear_gen.scenes.domain import Constraint, Domain, Sampling
from clear_gen.scenes.graph import NOISE_TYPE, REVERB_TYPE, scene_schema, sound_type, tail_samples
from clear_gen.sounds.attributes import MeasuredAttribute
from clear_gen.sounds.bank import Bank

TRIES_PER_ROUND = 16
MAX_TRIES = 4096  # about 0.2 s for one scene; the official bank needs 6 on average at the worst length
SEED_BITS = 53  # a double's worth

# Places in a scene's first block of uniform numbers; the gaps follow.
LENGTH, SILENCE, RT60, DRR, PRE_DELAY, DAMPING, TAIL_SEED, NOISE_LEVEL, NOISE_SEED, GAPS = range(10)


@dataclass(frozen=True)
class SceneSpec:
    """Settings shared by a dataset's scenes, besides bank and domain. ``sample_rate`` in Hz."""

    seed: int
    sample_rate: int
    levels: Literal["recorded", "independent"] = "recorded"


@dataclass(frozen=True)
class _Draw:
    """The sounds of a batch of scenes. Arrays [scenes, max sounds]; entries beyond a scene's length mean nothing."""

    sound: np.ndarray  # index into the bank
    gain_db: np.ndarray
    codes: dict[str, np.ndarray]  # per attribute: index into its values, -1 unknown


def sample_scenes(bank: Bank, domain: Domain, spec: SceneSpec, split: str, indices: Sequence[int]) -> pa.Table:
    """The graphs of the scenes ``indices`` of ``split``: rows of ``scene_schema``, ``rendered`` and ``audio`` null.

    ``bank`` is the split's bank at ``spec.sample_rate``. Scene i depends on (seed, split, i), bank and domain alone.
    Raises InputError if the bank cannot satisfy the domain's constraints.
    """
    rules = domain.sampling
    if len(bank.sounds) < rules.sounds.max:
        found = f"{len(bank.sounds)} sounds"
        raise InputError(
            f"bank for {split}: found {found}, expected at least {rules.sounds.max} (no sound occurs twice)"
        )
    if not len(indices):
        return scene_schema(domain.attributes, spec.sample_rate).empty_table()
    streams = [stream(spec.seed, STAGE_SCENE, SPLITS.index(split), index) for index in indices]
    first = np.stack([rng.random(GAPS + rules.sounds.max + 1) for rng in streams])
    n_sounds = rules.sounds.min + (first[:, LENGTH] * (rules.sounds.max - rules.sounds.min + 1)).astype(np.int64)
    draw = _draw_sounds(bank, domain, spec, split, streams, n_sounds)
    return _table(bank, domain, spec, split, indices, first, n_sounds, draw)


# --- which sounds -----------------------------------------------------------------------------------------------------


def _draw_sounds(
    bank: Bank,
    domain: Domain,
    spec: SceneSpec,
    split: str,
    streams: Sequence[np.random.Generator],
    n_sounds: np.ndarray,
) -> _Draw:
    """Rejection at a fixed length: draw again until the constraints hold. So lengths stay uniform."""
    n_scenes, n_max = len(streams), domain.sampling.sounds.max
    codes = _bank_codes(bank, domain)
    chosen = np.zeros((n_scenes, n_max), np.int64)
    uniforms = np.zeros((n_scenes, 2, n_max))
    pending = np.arange(n_scenes)
    n_uniforms = 3 if spec.levels == "independent" else 1
    for _ in range(MAX_TRIES // TRIES_PER_ROUND):
        shape = (TRIES_PER_ROUND, n_uniforms, n_max)
        drawn = np.stack([streams[scene].random(shape) for scene in pending.tolist()]).reshape(-1, n_uniforms, n_max)
        sounds = _without_replacement(drawn[:, 0], len(bank.sounds))
        lengths = np.repeat(n_sounds[pending], TRIES_PER_ROUND)
        tried = {name: column[sounds] for name, column in codes.items()}
        if spec.levels == "independent":
            tried[_level_rule(domain)[0]] = _coins(drawn[:, 1])
        accepted = _satisfied(tried, lengths, domain).reshape(len(pending), TRIES_PER_ROUND)
        done = accepted.any(axis=1)
        winner = np.flatnonzero(done) * TRIES_PER_ROUND + accepted.argmax(axis=1)[done]
        chosen[pending[done]] = sounds[winner]
        uniforms[pending[done], : n_uniforms - 1] = drawn[winner, 1:]
        pending = pending[~done]
        if not len(pending):
            return _with_levels(bank, domain, spec, chosen, uniforms, codes)
    raise InputError(_why_impossible(tried, lengths, domain, split, int(n_sounds[pending[0]])))


def _bank_codes(bank: Bank, domain: Domain) -> dict[str, np.ndarray]:
    """Per attribute, the index of every bank sound's value in the domain's list of values; -1 unknown."""
    codes = {}
    for name, rule in domain.attributes.items():
        position = {None: -1, **{value: code for code, value in enumerate(rule.values)}}
        for sound in bank.sounds:
            if sound.attributes[name] not in position:
                raise InputError(f"{sound.sound_id}: {name}: {not_among(sound.attributes[name], rule.values)}")
        codes[name] = np.array([position[sound.attributes[name]] for sound in bank.sounds], np.int16)
    return codes


def _without_replacement(uniforms: np.ndarray, n: int) -> np.ndarray:
    """Uniforms [rows, k] -> k distinct integers below n per row, every ordered choice equally likely.

    The j-th is the floor((n - j) u_j)-th of those still free; the ones already taken, in ascending order, push it up.
    """
    rows, k = uniforms.shape
    rank = (uniforms * (n - np.arange(k))).astype(np.int32)
    chosen = np.empty((rows, k), np.int32)
    taken = np.empty((rows, 0), np.int32)
    for j in range(k):
        value = rank[:, j]
        for column in range(j):
            value = value + (value >= taken[:, column])
        chosen[:, j] = value
        taken = np.sort(np.column_stack([taken, value]), axis=1)
    return chosen


def _satisfied(codes: dict[str, np.ndarray], lengths: np.ndarray, domain: Domain) -> np.ndarray:
    """bool [rows]: which rows of sounds satisfy every constraint of the domain."""
    accepted = np.ones(len(lengths), bool)
    for constraint in domain.sampling.constraints:
        accepted &= _holds(constraint, codes, lengths, domain)
    return accepted


def _holds(constraint: Constraint, codes: dict[str, np.ndarray], lengths: np.ndarray, domain: Domain) -> np.ndarray:
    values = np.arange(len(domain.attributes[constraint.attribute].values))
    column = codes[constraint.attribute]
    within = np.arange(column.shape[1]) < lengths[:, None]
    counts = np.stack([((column == value) & within).sum(axis=1) for value in values], axis=1)
    if constraint.values_at_least is not None:
        return np.sum(counts >= constraint.times_at_least, axis=1) >= constraint.values_at_least
    return np.all(counts > constraint.each_share_over * lengths[:, None], axis=1)


def _why_impossible(codes: dict[str, np.ndarray], lengths: np.ndarray, domain: Domain, split: str, length: int) -> str:
    failures = [(~_holds(rule, codes, lengths, domain)).mean() for rule in domain.sampling.constraints]
    worst = domain.sampling.constraints[int(np.argmax(failures))].model_dump(exclude_defaults=True)
    return (
        f"bank for {split}: found no {length} sounds that satisfy the constraints of {domain.name} "
        f"in {MAX_TRIES} draws; {max(failures):.0%} fail {worst}"
    )


# --- levels -----------------------------------------------------------------------------------------------------------


def _level_rule(domain: Domain) -> tuple[str, MeasuredAttribute, tuple[float, float]]:
    levels = domain.sampling.independent_levels
    if levels is None:
        raise InputError(f"domain {domain.name}: independent_levels: found none, expected one for --levels independent")
    rule = domain.attributes[levels.attribute]
    assert isinstance(rule, MeasuredAttribute)
    return levels.attribute, rule, levels.span_db


def _coins(uniforms: np.ndarray) -> np.ndarray:
    return (uniforms >= 0.5).astype(np.int16)


def _with_levels(
    bank: Bank,
    domain: Domain,
    spec: SceneSpec,
    sound: np.ndarray,
    uniforms: np.ndarray,
    bank_codes: dict[str, np.ndarray],
) -> _Draw:
    """Recorded levels: no gain. Independent ones: a gain that brings each sound to the level its coin asked for."""
    codes = {name: column[sound] for name, column in bank_codes.items()}
    if spec.levels == "recorded":
        return _Draw(sound, np.zeros(sound.shape), codes)
    name, _, (nearest_db, farthest_db) = _level_rule(domain)
    lower, upper = bank.thresholds[name]
    coin = _coins(uniforms[:, 0])
    beyond_db = nearest_db + uniforms[:, 1] * (farthest_db - nearest_db)
    target_lufs = np.where(coin == 1, upper + beyond_db, lower - beyond_db)
    recorded_lufs = np.array([item.loudness_lufs for item in bank.sounds])
    return _Draw(sound, target_lufs - recorded_lufs[sound], {**codes, name: coin})


# --- when, where, and the table ---------------------------------------------------------------------------------------


def _onsets(
    first: np.ndarray, n_sounds: np.ndarray, n_samples: np.ndarray, rules: Sampling, sample_rate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Onsets [scenes, max sounds] and dry lengths [scenes], in samples.

    The n + 1 gaps share the total silence like the pieces of a stick broken at n uniform places: like exponentials
    divided by their sum.
    """
    within = np.arange(n_samples.shape[1] + 1) <= n_sounds[:, None]
    pieces = np.where(within, -np.log1p(-first[:, GAPS:]), 0)
    low, high = rules.silence.share
    share = low + first[:, SILENCE] * (high - low)
    summed = np.where(within[:, 1:], n_samples, 0).sum(axis=1)
    total = rules.silence.per_sound_s * n_sounds * sample_rate + share * summed
    until = np.rint(np.cumsum(pieces, axis=1) / pieces.sum(axis=1, keepdims=True) * total[:, None]).astype(np.int64)
    before = np.cumsum(n_samples, axis=1) - n_samples
    return until[:, :-1] + before, until[:, -1] + summed


def _between(bounds: tuple[float, float], uniforms: np.ndarray) -> np.ndarray:
    return bounds[0] + uniforms * (bounds[1] - bounds[0])


def _seeds(uniforms: np.ndarray) -> np.ndarray:
    return (uniforms * (1 << SEED_BITS)).astype(np.int64)


def _table(
    bank: Bank,
    domain: Domain,
    spec: SceneSpec,
    split: str,
    indices: Sequence[int],
    first: np.ndarray,
    n_sounds: np.ndarray,
    draw: _Draw,
) -> pa.Table:
    rules, n = domain.sampling, len(indices)
    lengths = np.array([len(sound.pcm) for sound in bank.sounds], np.int64)[draw.sound]
    onsets, n_dry = _onsets(first, n_sounds, lengths, rules, spec.sample_rate)
    reverb, n_tail = _reverb(first, rules, spec.sample_rate)
    columns = [
        pa.array([f"{split}-{index:06d}" for index in indices]),
        pa.repeat(split, n),
        pa.repeat(domain.name, n),
        pa.array(np.full(n, spec.sample_rate, np.int32)),
        pa.array(n_dry + n_tail),
        pa.array(n_dry),
        _sounds(bank, domain, spec, onsets, lengths, n_sounds, draw),
        reverb,
        _noise(first, rules),
        pa.nulls(n, RENDERED_TYPE),
    ]
    schema = scene_schema(domain.attributes, spec.sample_rate)
    return pa.table([*columns, pa.nulls(n, schema.field("audio").type)], schema=schema)


def _sounds(
    bank: Bank,
    domain: Domain,
    spec: SceneSpec,
    onsets: np.ndarray,
    lengths: np.ndarray,
    n_sounds: np.ndarray,
    draw: _Draw,
) -> pa.ListArray:
    within = np.arange(draw.sound.shape[1]) < n_sounds[:, None]
    type_ = sound_type(domain.attributes)
    columns = {
        "sound_id": pa.array([sound.sound_id for sound in bank.sounds]).take(pa.array(draw.sound[within])),
        "onset_sample": pa.array(onsets[within]),
        "n_samples": pa.array(lengths[within]),
        "gain_db": pa.array(draw.gain_db[within]),
        "duration_s": pa.array(lengths[within] / spec.sample_rate),
    }
    for name, rule in domain.attributes.items():
        codes = draw.codes[name][within]
        values = pa.array(rule.values, type_.field(name).type)
        columns[name] = values.take(pa.array(codes, mask=codes < 0))
    structs = pa.StructArray.from_arrays([columns[field.name] for field in type_], fields=list(type_))
    offsets = np.concatenate([[0], np.cumsum(n_sounds)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=pa.list_(pa.field("element", type_)))


def _reverb(first: np.ndarray, rules: Sampling, sample_rate: int) -> tuple[pa.Array, np.ndarray]:
    """The rooms of the scenes and the lengths of their tails in samples."""
    if rules.reverb is None:
        return pa.nulls(len(first), REVERB_TYPE), np.zeros(len(first), np.int64)
    rt60_s = _between(rules.reverb.rt60_s, first[:, RT60])
    pre_delay_s = _between(rules.reverb.pre_delay_s, first[:, PRE_DELAY])
    arrays = [
        rt60_s,
        _between(rules.reverb.drr_db, first[:, DRR]),
        pre_delay_s,
        _between(rules.reverb.damping_hz, first[:, DAMPING]),
        _seeds(first[:, TAIL_SEED]),
    ]
    n_tail = tail_samples(rt60_s, pre_delay_s, sample_rate)
    return pa.StructArray.from_arrays([pa.array(array) for array in arrays], fields=list(REVERB_TYPE)), n_tail


def _noise(first: np.ndarray, rules: Sampling) -> pa.Array:
    if rules.noise is None:
        return pa.nulls(len(first), NOISE_TYPE)
    arrays = [_between(rules.noise.level_dbfs, first[:, NOISE_LEVEL]), _seeds(first[:, NOISE_SEED])]
    return pa.StructArray.from_arrays([pa.array(array) for array in arrays], fields=list(NOISE_TYPE))
