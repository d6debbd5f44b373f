"""From recordings outside to a labelled bank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.streams import STAGE_IMPORT, stream
from clear_gen.sounds.attributes import Attribute, Thresholds, measured
from clear_gen.sounds.bank import MIN_DURATION_S, Bank, build_bank, read_bank
from clear_gen.sounds.importers.good_sounds import Selection, import_good_sounds, shared_origins
from clear_gen.sounds.importers.soundfont import import_soundfont
from clear_gen.sounds.importers.tables import aligned_level, import_clear, import_folder
from clear_gen.sounds.recording import Recording

FORMATS = ("clear", "folder", "good-sounds", "soundfont")
# Options that only some formats have
FORMATS_OF_OPTION = {
    "duration": ("folder", "good-sounds", "soundfont"),
    "seed": ("folder", "good-sounds", "soundfont"),
    "licence": ("folder", "soundfont"),
    "table": ("folder",),
    "shortest": ("folder",),
    "presets": ("soundfont",),
} | dict.fromkeys(("klass", "instrument", "microphone", "player", "pack"), ("good-sounds",))


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
    selection: Selection,
    presets: Path | None,
    shortest: float | None = None,
) -> Bank:
    """The bank made of ``source``, labelled by its own thresholds or by those of the bank ``labels_from``.

    Raises InputError naming file and field, or the players and microphones that both banks would have.
    """
    training = read_bank(labels_from) if labels_from else None
    if training and training.domain != domain:
        raise InputError(f"{labels_from}: domain: found {training.domain}, expected {domain}")
    thresholds = training.thresholds if training else None
    if format_ == "clear":
        return build_bank(import_clear(source, attributes, sample_rate), domain, attributes, thresholds)
    if not MIN_DURATION_S <= duration[0] <= duration[1] < math.inf:
        raise InputError(f"--duration: found {duration[0]} {duration[1]}, expected {MIN_DURATION_S} <= MIN <= MAX")
    if shortest is not None and not MIN_DURATION_S <= shortest <= duration[1]:
        raise InputError(f"--shortest: found {shortest}, expected {MIN_DURATION_S} to {duration[1]}, MAX of --duration")
    rng = stream(seed, STAGE_IMPORT)
    if format_ == "folder":
        recordings = import_folder(source, attributes, sample_rate, duration, rng, table, licence, shortest)
    elif format_ == "good-sounds":
        recordings = import_good_sounds(source, attributes, sample_rate, duration, rng, selection)
    else:
        if not licence:
            raise InputError(f"{source}: licence: found none, expected --licence NAME, as its author gives it")
        recordings = import_soundfont(source, attributes, sample_rate, duration, rng, licence, presets)
    if training:
        _check_independent(recordings, training, labels_from)
    if thresholds and (middle := _loudness_middle(attributes, thresholds)) is not None:
        recordings = aligned_level(recordings, middle)
    return build_bank(recordings, domain, attributes, thresholds)


def _check_independent(recordings: list[Recording], training: Bank, path: Path | None) -> None:
    sides = [[sound.source for sound in sounds] for sounds in (training.sounds, recordings)]
    if shared := shared_origins(*sides):
        raise InputError(
            f"{path}: found {', '.join(shared)} there as well; choose others by --player, --microphone or --pack, "
            "so that nobody is heard on both sides"
        )


def _loudness_middle(attributes: Mapping[str, Attribute], thresholds: Thresholds) -> float | None:
    """The training bank's median loudness, in LUFS: the middle of its dead zone."""
    for name, rule in measured(dict(attributes)).items():
        if rule.measure == "loudness":
            return sum(thresholds[name]) / 2
    return None
