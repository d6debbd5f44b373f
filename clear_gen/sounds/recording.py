"""One isolated recording as an importer or the instrument model delivers it, before analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recording:
    """One isolated sound, mono, trimmed, not yet analysed.

    ``sound_id`` is unique in its bank. ``attributes`` are those of the domain that are given rather than measured
    (clear2: instrument, note, octave). ``samples`` is float32, shape (n_samples,), full scale 1. ``source`` says where
    it comes from (pack, player, file); ``licence`` is an SPDX-like name. ``file``, when it was read from one, is what
    error messages name.
    """

    sound_id: str
    attributes: dict[str, str | int]
    samples: np.ndarray
    sample_rate: int
    source: str
    licence: str
    file: str = ""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.file or self.sound_id
