"""Anybody's predictions, read from a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from baselines.core.predictions import Prediction, Split, read_predictions


@dataclass(frozen=True)
class FilePredictor:
    """Predicts what a file of JSON lines says; ``name`` stands in tables."""

    path: Path
    name: str

    def predict(self, split: Split) -> Iterable[Prediction]:
        """The file's predictions. Raises InputError naming line and field, CheckFailed if some are missing."""
        return read_predictions(self.path, split)
