"""Opens and validates the files of an external folder in the published CLEAR layout, scene by scene."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import soundfile

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.progress import counted
from clear_gen.core.text import has_controls
from clear_gen.datasets.scenes.clear_format.layout import OWN_KEY, audio_folder_path, questions_path, scenes_path
from clear_gen.datasets.scenes.clear_format.questions import Questions, read_published
from clear_gen.datasets.scenes.clear_format.scenes import (
    RATES_HZ,
    entry,
    published_scene_of,
    row_of,
    scene_index,
    wrong,
)
from clear_gen.scenes.domain import Domain

MAX_FLAC_BYTES = 20_000_000  # minutes; a row group's hundred files must fit into one Arrow array of 2 GiB
MAX_AUDIO_S = 3600


@dataclass
class Survey:
    """Result of surveying one split. ``flac``: name -> size of the existing scene files."""

    path: Path
    sha256: str = ""
    n_scenes: int = 0
    info: dict[str, str | None] = field(default_factory=dict)
    questions: Questions | None = None
    flac: dict[str, int] = field(default_factory=dict)
    rates: dict[int, str] = field(default_factory=dict)  # Hz -> where it was found first


def survey_split(source: Path, split: str, domain: Domain) -> Survey:
    """Check every scene and question of a split and the header of every FLAC.

    Of the scenes little stays in memory; the questions do, a kilobyte each.
    """
    survey = Survey(scenes_path(source, split))
    if not survey.path.exists():
        if (path := questions_path(source, split)).exists():
            raise InputError(f"{path}: found questions without their scenes, expected {survey.path}")
        return survey
    content, survey.sha256 = read_object(survey.path)
    survey.info = _info(content, survey.path)
    raw = sorted_scenes(content, survey.path)
    survey.n_scenes = len(raw)
    folder = audio_folder_path(source, split)
    seen: dict[str, int] = {}
    for index, item in enumerate(counted(raw, f"{split}: scenes looked at")):
        scene = published_scene_of(item, index, place(survey.path, index), domain)
        if scene.filename in seen:
            raise wrong(scene.at, "scene_filename", scene.filename, f"another than scene {seen[scene.filename]:06d}")
        seen[scene.filename] = index
        if scene.exact is not None:
            survey.rates.setdefault(scene.exact["sample_rate"], f"{scene.at}: {OWN_KEY}")
        header = _flac_header(folder / scene.filename)
        if header is not None:
            survey.flac[scene.filename], rate, n_samples = header
            survey.rates.setdefault(rate, str(folder / scene.filename))
            row_of(scene, split, domain, rate, n_samples)  # whether they fit together
    survey.questions = read_published(source, split, list(seen), domain)
    return survey


def _flac_header(path: Path) -> tuple[int, int, int] | None:
    """Bytes, sample rate and length of a mono FLAC, or None if it is not there. InputError if it is something else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({first_line(error)})") from None
    if not stat.S_ISREG(found.st_mode):
        raise InputError(
            f"{path}: found a link or no regular file, expected a FLAC file (cp -L copies what links lead to)"
        )
    if found.st_size > MAX_FLAC_BYTES:
        raise InputError(f"{path}: found {found.st_size:,} bytes, expected at most {MAX_FLAC_BYTES:,}")
    try:
        header = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"{path}: audio does not decode ({first_line(error)})") from None
    if header.format != "FLAC" or header.channels != 1:
        found_text = f"{header.format}, {header.channels} channels"
        raise InputError(f"{path}: found {found_text}, expected FLAC, 1 channel")
    if header.frames > MAX_AUDIO_S * header.samplerate or not RATES_HZ[0] <= header.samplerate <= RATES_HZ[1]:
        found_text = f"{header.frames} samples at {header.samplerate} Hz"
        raise InputError(f"{path}: found {found_text}, expected at most {MAX_AUDIO_S} s at {RATES_HZ[0]} Hz or more")
    return found.st_size, header.samplerate, header.frames


def place(path: Path, index: int) -> str:
    """What messages call a scene."""
    return f"{path}: scene {index:06d}"


def read_object(path: Path) -> tuple[dict[str, Any], str]:
    """A JSON object and the SHA-256 of its file. Raises InputError if it is something else."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe may never end
            raise InputError(f"{path}: found no regular file, expected a JSON file")
        data = path.read_bytes()
        value = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON ({first_line(error)})") from None
    if not isinstance(value, dict):
        raise wrong(str(path), "document", value, "an object")
    return value, sha256(data).hexdigest()


def sorted_scenes(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The scenes in the order of their indices, which must be 0 to n - 1, each once."""
    scenes = entry(str(path), "", content, "scenes")
    if not isinstance(scenes, list):
        raise wrong(str(path), "scenes", scenes, "a list of objects")
    placed: list[dict[str, Any] | None] = [None] * len(scenes)
    for number, raw in enumerate(scenes):
        at = f"{path}: scenes[{number}]"
        index = scene_index(raw, at)
        if index >= len(scenes) or placed[index] is not None:
            raise wrong(at, "scene_index", raw["scene_index"], f"each of 0 to {len(scenes) - 1} once")
        placed[index] = raw
    return [raw for raw in placed if raw is not None]


def _info(content: dict[str, Any], path: Path) -> dict[str, str | None]:
    info = entry(str(path), "", content, "info")
    if not isinstance(info, dict):
        raise wrong(str(path), "info", info, "an object")
    found = {}
    for name, key in (("name", "name"), ("version", "version"), ("licence", "license")):
        value = info.get(key)
        if value is not None and not (isinstance(value, str) and not has_controls(value) and len(value) <= 1000):
            raise wrong(str(path), f"info.{key}", value, "text of one line, or null")
        found[name] = value
    return found
