"""Shared by the records of all kinds of dataset: splits, and measurements made while rendering."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Rendered:
    """Measurements made while rendering, never an input of ``render``. ``peak_dbfs`` is None for digital silence."""

    scale_db: float
    peak_dbfs: float | None
    pcm_sha256: str


RENDERED_TYPE = pa.struct([("scale_db", pa.float64()), ("peak_dbfs", pa.float64()), ("pcm_sha256", pa.string())])
