"""The scene graph: the complete description of one scene, and its Parquet form (one row per scene)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.core.parquet import AUDIO, dataset_schema
from clear_gen.core.records import RENDERED_TYPE
from clear_gen.sounds.attributes import Attribute

FORMAT = 1
MAX_IMPULSE_RESPONSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Sound:
    """One elementary sound in a scene. ``attributes``: every attribute of the domain, None where unknown."""

    sound_id: str
    onset_sample: int
    n_samples: int
    gain_db: float
    attributes: dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Reverb:
    """The room: reverberation time, direct-to-reverberant energy ratio, gap before the tail, where damping starts."""

    rt60_s: float
    drr_db: float
    pre_delay_s: float
    damping_hz: float
    seed: int


@dataclass(frozen=True, slots=True)
class Noise:
    """The microphone's noise: RMS level (0 dBFS = full-scale square wave) and the seed of its samples."""

    level_dbfs: float
    seed: int


@dataclass(frozen=True, slots=True)
class SceneGraph:
    """One scene: all that ``render`` needs besides the bank. ``n_samples`` includes the reverberation tail."""

    scene_id: str
    split: str
    domain: str
    sample_rate: int
    n_samples: int
    n_samples_dry: int
    sounds: tuple[Sound, ...]
    reverb: Reverb | None
    noise: Noise | None


def tail_samples(rt60_s: Any, pre_delay_s: Any, sample_rate: int) -> np.ndarray:
    """Length of the reverberation after the direct sound: pre-delay and decay by 60 dB, at most one second in all.

    Shape: numbers or arrays of one shape -> int64 of that shape.
    """
    length_s = np.minimum(pre_delay_s + rt60_s, MAX_IMPULSE_RESPONSE_S)
    return np.maximum(1, np.rint(length_s * sample_rate)).astype(np.int64)


def graph_of_row(row: Mapping[str, Any]) -> SceneGraph:
    """The graph of one row of the scenes' Parquet table (``Table.to_pylist``)."""
    sounds = tuple(
        Sound(
            sound["sound_id"],
            sound["onset_sample"],
            sound["n_samples"],
            sound["gain_db"],
            {name: value for name, value in sound.items() if name not in _SOUND_FIELDS},
        )
        for sound in row["sounds"]
    )
    return SceneGraph(
        scene_id=row["scene_id"],
        split=row["split"],
        domain=row["domain"],
        sample_rate=row["sample_rate"],
        n_samples=row["n_samples"],
        n_samples_dry=row["n_samples_dry"],
        sounds=sounds,
        reverb=Reverb(**row["reverb"]) if row["reverb"] else None,
        noise=Noise(**row["noise"]) if row["noise"] else None,
    )


def row_of_graph(graph: SceneGraph) -> dict[str, Any]:
    """The row of a graph in the scenes' Parquet table, ``rendered`` and ``audio`` None; inverse of ``graph_of_row``."""
    row = asdict(graph)
    row["sounds"] = [sound | sound.pop("attributes") for sound in row["sounds"]]
    return {**row, "rendered": None, "audio": None}


_SOUND_FIELDS = ("sound_id", "onset_sample", "n_samples", "gain_db")

REVERB_TYPE = pa.struct(
    [*((name, pa.float64()) for name in ("rt60_s", "drr_db", "pre_delay_s", "damping_hz")), ("seed", pa.int64())]
)
NOISE_TYPE = pa.struct([("level_dbfs", pa.float64()), ("seed", pa.int64())])


def sound_type(attributes: Mapping[str, Attribute]) -> pa.StructType:
    """Arrow type of one sound: the fixed fields, the domain's attributes in the domain's order, the length."""
    fields = [("sound_id", pa.string()), ("onset_sample", pa.int64()), ("n_samples", pa.int64())]
    fields += [("gain_db", pa.float64())]
    fields += [
        (name, pa.int32() if isinstance(rule.values[0], int) else pa.string()) for name, rule in attributes.items()
    ]
    return pa.struct([*fields, ("duration_s", pa.float64())])


def scene_schema(
    attributes: Mapping[str, Attribute], sample_rate: int, identity_sha256: str | None = None
) -> pa.Schema:
    """Schema of the config ``scenes``; a file's says to which dataset it belongs."""
    fields = [
        pa.field("scene_id", pa.string()),
        pa.field("split", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("sample_rate", pa.int32()),
        pa.field("n_samples", pa.int64()),
        pa.field("n_samples_dry", pa.int64()),
        pa.field("sounds", pa.list_(pa.field("element", sound_type(attributes)))),
        pa.field("reverb", REVERB_TYPE),
        pa.field("noise", NOISE_TYPE),
        pa.field("rendered", RENDERED_TYPE),
        pa.field("audio", AUDIO),
    ]
    extra = {"kind": "scenes", "format": FORMAT, "identity_sha256": identity_sha256}
    return dataset_schema(fields, sample_rate, extra)
