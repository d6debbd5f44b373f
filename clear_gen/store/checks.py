"""Record checks common to all kinds: audio against its hash, values against redrawn ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clear_gen.core.pcm import sha256_pcm
from clear_gen.store.validate import Finding

RELATIVE_ROUNDING = 1e-9  # tolerance of a number redrawn with another mathematical library


SAMPLE_ROUNDING = 1  # of a position computed from such a number


SHOWN_VALUE = 60  # characters


PCM_BITS = 16


TOLERANCE_DB = 1e-3  # tolerance of measurements of a scene made with another mathematical library


@dataclass
class Inspected:
    """Result of inspecting a chunk: findings, and the number of scenes by outcome (``drawn identical``, ...).

    ``n_groups``: for a split's questions, the number of row groups still to inspect.
    """

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    without_audio: list[str] = field(default_factory=list)
    n_groups: int = 0


def differences_of(value: Any, expected: Any, name: str) -> Iterator[tuple[str, bool]]:
    """Descriptions of the differences between two values, and whether they are rounding errors."""
    if isinstance(value, dict) and isinstance(expected, dict):
        for key in expected:
            yield from differences_of(value.get(key), expected[key], f"{name}.{key}")
    elif isinstance(value, list) and isinstance(expected, list) and len(value) == len(expected):
        for place, (item, other) in enumerate(zip(value, expected, strict=True)):
            yield from differences_of(item, other, f"{name}[{place}]")
    elif value != expected:
        rounding = False
        if isinstance(value, float) and isinstance(expected, float):
            rounding = math.isclose(value, expected, rel_tol=RELATIVE_ROUNDING)
        elif name.endswith(("onset_sample", "n_samples_dry")) or name == "n_samples":
            rounding = isinstance(value, int) and abs(value - expected) <= SAMPLE_ROUNDING
        shown = f"found {str(value)[:SHOWN_VALUE]}, the seed gives {str(expected)[:SHOWN_VALUE]}"
        yield f"{name}: {shown}", rounding


def flac_bits(data: bytes) -> int:
    """Bits per sample by a FLAC file's first block (RFC 9639, section 8.2); 0 if the file ends before that."""
    return ((data[20] & 1) << 4 | data[21] >> 4) + 1 if len(data) > 21 else 0


def wrong_audio(row: dict[str, Any], pcm: np.ndarray, rate: int) -> Iterator[str]:
    """Describe how decoded audio differs from its record."""
    if rate != row["sample_rate"]:
        yield f"audio: found {rate} Hz, expected {row['sample_rate']} Hz"
    if len(pcm) != row["n_samples"]:
        yield f"audio: found {len(pcm)} samples, expected {row['n_samples']}"
    if sha256_pcm(pcm) != row["rendered"]["pcm_sha256"]:
        yield "audio: found other samples than pcm_sha256 says"
