"""What the records of every kind of dataset share: the splits, and what rendering found out."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What rendering found out; ``render`` never reads it. ``peak_dbfs`` is None for digital silence."""

    scale_db: float
    peak_dbfs: float | None
    pcm_sha256: str


RENDERED_TYPE = pa.struct([("scale_db", pa.float64()), ("peak_dbfs", pa.float64()), ("pcm_sha256", pa.string())])
