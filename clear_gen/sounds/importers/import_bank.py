"""From recordings outside to a labelled bank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.gathering import Gathering
from clear_gen.core.progress import counted
from clear_gen.core.streams import STAGE_IMPORT, stream
from clear_gen.sounds.attributes import Attribute, Thresholds, measured
from clear_gen.sounds.bank import MIN_DURATION_S, Bank, build_bank, check_recording, read_bank
from clear_gen.sounds.importers.common import ImportOptions, aligned_level
from clear_gen.sounds.importers.formats import FORMATS
from clear_gen.sounds.importers.good_sounds import shared_origins
from clear_gen.sounds.recording import Recording


def import_bank(
    format_name: str,
    source: Path,
    domain: str,
    attributes: Mapping[str, Attribute],
    options: ImportOptions,
    labels_from: Path | None = None,
    gathering: Gathering | None = None,
) -> Bank:
    """The bank made of ``source``, labelled by its own thresholds or by those of the bank ``labels_from``.

    Raises InputError naming file and field, or the players and microphones that both banks would have, or summing up
    the recordings that cannot be used, unless ``gathering`` skips them: it keeps the reasons.
    """
    training = read_bank(labels_from) if labels_from else None
    if training and training.domain != domain:
        raise InputError(f"{labels_from}: domain: found {training.domain}, expected {domain}")
    thresholds = training.thresholds if training else None
    format_ = FORMATS[format_name]
    if not format_.keeps_sounds:
        _check_lengths(options)
    gathering = gathering or Gathering()
    recordings = format_.read(source, attributes, options, stream(options.seed, STAGE_IMPORT), gathering)
    recordings = _analysable(recordings, attributes, gathering)
    gathering.finish()
    if training and not format_.keeps_sounds:
        _check_independent(recordings, training, labels_from)
        if (median_lufs := _median_loudness(attributes, training.thresholds)) is not None:
            recordings = aligned_level(recordings, median_lufs)
    return build_bank(recordings, domain, attributes, thresholds)


def _analysable(
    recordings: list[Recording], attributes: Mapping[str, Attribute], gathering: Gathering
) -> list[Recording]:
    """The recordings that can be measured and whose values lie in the domain."""
    usable = []
    for recording in counted(recordings, "recordings checked"):
        with gathering.problem():
            check_recording(recording, attributes)
            usable.append(recording)
    return usable


def _check_lengths(options: ImportOptions) -> None:
    least, most = options.duration
    if not MIN_DURATION_S <= least <= most < math.inf:
        raise InputError(f"--duration: found {least} {most}, expected {MIN_DURATION_S} <= MIN <= MAX")
    if options.shortest is not None and not MIN_DURATION_S <= options.shortest <= most:
        expected = f"{MIN_DURATION_S} to {most}, MAX of --duration"
        raise InputError(f"--shortest: found {options.shortest}, expected {expected}")


def _check_independent(recordings: list[Recording], training: Bank, path: Path | None) -> None:
    sides = [[sound.source for sound in sounds] for sounds in (training.sounds, recordings)]
    if shared := shared_origins(*sides):
        raise InputError(
            f"{path}: found {', '.join(shared)} there as well; choose others by --player, --microphone or --pack, "
            "so that nobody is heard on both sides"
        )


def _median_loudness(attributes: Mapping[str, Attribute], thresholds: Thresholds) -> float | None:
    """The training bank's median loudness, in LUFS: the middle of its dead zone."""
    for name, rule in measured(dict(attributes)).items():
        if rule.measure == "loudness":
            return sum(thresholds[name]) / 2
    return None
