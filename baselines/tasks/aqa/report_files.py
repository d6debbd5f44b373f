"""What a report is about, read from folders and files and checked."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baselines.tasks.aqa.results import RESULTS, ResultsFile, read_results
from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text

HISTORY = "metrics.jsonl"
TEXTS = "config.yaml", "environment.json"
MAX_BYTES = 20_000_000
MAX_TEXT_BYTES = 100_000
CURVES = "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"
SHARES = "_accuracy", "_ap", "_auc"  # ends of the names of what is at most 1


@dataclass(frozen=True)
class Run:
    """A folder or a results file: its scores by file name, one record per epoch of training, texts by file name."""

    path: Path
    results: dict[str, ResultsFile]
    history: list[dict[str, float]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def read_run(path: Path) -> Run:
    """What there is to report of a folder or a results file. Raises InputError if that is nothing, or malformed."""
    if not path.is_dir():
        return Run(path, {path.name: read_results(path)})
    results = {file.name: read_results(file) for file in sorted(path.glob(RESULTS.format("*")))}
    history = read_history(path / HISTORY) if (path / HISTORY).exists() else []
    if not results and not history:
        expected = f"{RESULTS.format('<split>')} or {HISTORY}"
        raise InputError(f"{path}: found nothing to report, expected {expected}; run clear-bench evaluate")
    texts = {
        name: read_text(path / name, MAX_TEXT_BYTES, "a configuration") for name in TEXTS if (path / name).exists()
    }
    return Run(path, results, history, texts)


def read_history(path: Path, curves: Sequence[str] = CURVES) -> list[dict[str, float]]:
    """The epochs of a run, ``curves`` of each. Raises InputError naming line and field."""
    rows = []
    lines = read_text(path, MAX_BYTES, "one JSON object per epoch").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{path}:{number}: not valid JSON, expected an object per epoch")
        rows.append({name: _number(row, name, f"{path}:{number}") for name in curves})
    return rows


def _number(row: dict[str, Any], name: str, at: str) -> float:
    value = row.get(name)
    most = 1.0 if name.endswith(SHARES) else sys.float_info.max
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        found = repr(value)[:60] if name in row else "no such field"
        raise InputError(f"{at}: {name}: found {found}, expected a number from 0 on{' to 1' if most == 1 else ''}")
    return float(value)
