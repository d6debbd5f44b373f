"""What can be asked of a dataset whatever it holds: scenes or mixtures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures import console as mixtures_console
from clear_gen.datasets.mixtures import figure as mixtures_figure
from clear_gen.datasets.mixtures import finish as mixtures_finish
from clear_gen.datasets.mixtures import validate as mixtures_validate
from clear_gen.datasets.mixtures.exports import audio_and_tables
from clear_gen.datasets.scenes import console, figure, validate
from clear_gen.datasets.scenes.clear_format.layout import export_clear
from clear_gen.datasets.scenes.exports.audio_folder import export_audio_folder
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.store import finish
from clear_gen.store.layout import MIXTURES
from clear_gen.store.manifest import kind_of, stored_identity

SCENE_LAYOUTS = {"clear": export_clear, "audiofolder": export_audio_folder}
MIXTURE_LAYOUTS = ("dcase", "jams")


def holds_mixtures(folder: Path) -> bool:
    """Whether the dataset in ``folder``, finished or not, is one of mixtures; no if none can be read."""
    try:
        return kind_of(stored_identity(folder) or {}) == MIXTURES
    except InputError:  # what is wrong with it is for the command to say
        return False


def finish_any(folder: Path) -> str:
    """Finish a dataset; returns what there is to say of it. Raises CheckFailed if something is missing or altered."""
    if holds_mixtures(folder):
        mixtures_finish.finish_mixtures(folder)
        return mixtures_console.mixture_summary(folder)
    finish.finish(folder)
    return console.summary(folder)


def validate_any(
    folder: Path,
    sources: tuple[Path, Path] | None,
    sample: int | None,
    workers: int,
) -> tuple[list[str], int]:
    """Check a dataset; ``sources``: where the events and the backgrounds of mixtures lie.

    Returns the lines to print, and the number of findings.
    """
    if not holds_mixtures(folder):
        if sources is not None:
            raise InputError(f"{folder}: found scenes, expected mixtures where --events and --backgrounds are given")
        result = validate.validate(folder, sample, workers, progress)
        return list(validate.lines(result)), len(result.findings)
    recordings = None
    if sources is not None:  # what is not there was left out then, or the tables differ
        recordings = read_events(sources[0], allow_missing=True), read_backgrounds(sources[1], allow_missing=True)
    bar = partial(progress, what="mixtures")
    result = mixtures_validate.validate_mixtures(folder, recordings, sample, workers, bar)
    return list(mixtures_validate.mixture_lines(result)), len(result.findings)


def draw_any(folder: Path, scene: str | None, mixture: str | None, snr: str | None, out: Path) -> None:
    """Draw a scene or a mixture. Raises InputError for an id that such a dataset does not have."""
    if holds_mixtures(folder):
        if scene is not None:
            raise InputError(f"--scene: found one, but {folder} holds mixtures; expected --mixture")
        mixtures_figure.draw_mixture(folder, snr, mixture, out)
        return
    if mixture is not None or snr is not None:
        raise InputError(f"--{'snr' if mixture is None else 'mixture'}: found one, but {folder} holds no mixtures")
    figure.draw_scene(folder, scene, out)


def export_any(folder: Path, out: Path, layout: str, overwrite: bool) -> str:
    """Write a dataset in another layout; returns what there is to say of it. InputError for one of the other kind."""
    kind, layouts = ("mixtures", MIXTURE_LAYOUTS) if holds_mixtures(folder) else ("scenes", tuple(SCENE_LAYOUTS))
    if layout not in layouts:
        raise InputError(f"--format: found {layout}, but {folder} holds {kind}; expected {' or '.join(layouts)}")
    if layout in SCENE_LAYOUTS:
        return str(SCENE_LAYOUTS[layout](folder, out, progress, overwrite))
    bar = partial(progress, what="mixtures")
    return audio_and_tables.export_mixtures(folder, out, "jams" if layout == "jams" else "dcase", bar, overwrite)
