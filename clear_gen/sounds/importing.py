"""From recordings outside to a labelled bank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from clear_gen.io import STAGE_IMPORT, InputError, stream
from clear_gen.sounds.attributes import Attribute, Thresholds, measured
from clear_gen.sounds.bank import MIN_DURATION_S, Bank, build_bank, read_bank
from clear_gen.sounds.importers import aligned_level, import_clear, import_folder

FORMATS = ("clear", "folder")


def import_bank(
    format_: str,
    source: Path,
    domain: str,
    attributes: Mapping[str, Attribute],
    *,
    labels_from: Path | None,
    sample_rate: int,
    table: Path | None,
    duration: tuple[float, float],
    licence: str | None,
    seed: int,
) -> Bank:
    """The bank made of ``source``, labelled by its own thresholds or by those of the bank ``labels_from``.

    Raises InputError naming file and field.
    """
    training = read_bank(labels_from) if labels_from else None
    if training and training.domain != domain:
        raise InputError(f"{labels_from}: domain: found {training.domain}, expected {domain}")
    thresholds = training.thresholds if training else None
    if format_ == "clear":
        return build_bank(import_clear(source, attributes, sample_rate), domain, attributes, thresholds)
    if not MIN_DURATION_S <= duration[0] <= duration[1] < math.inf:
        raise InputError(f"--duration: found {duration[0]} {duration[1]}, expected {MIN_DURATION_S} <= MIN <= MAX")
    rng = stream(seed, STAGE_IMPORT)
    recordings = import_folder(source, attributes, sample_rate, duration, rng, table, licence)
    if thresholds and (middle := _loudness_middle(attributes, thresholds)) is not None:
        recordings = aligned_level(recordings, middle)
    return build_bank(recordings, domain, attributes, thresholds)


def _loudness_middle(attributes: Mapping[str, Attribute], thresholds: Thresholds) -> float | None:
    """The training bank's median loudness, in LUFS: the middle of its dead zone."""
    for name, rule in measured(dict(attributes)).items():
        if rule.measure == "loudness":
            return sum(thresholds[name]) / 2
    return None
