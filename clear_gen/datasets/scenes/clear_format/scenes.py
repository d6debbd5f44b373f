"""Validates every field of an external scene in the published CLEAR layout.

Positions follow from whole milliseconds, unless the scene carries its exact graph (written by ``clear_layout``), which
then has to agree with them.
"""

from __future__ import annotations

import math
import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from clear_gen.core.errors import InputError
from clear_gen.core.names import guess
from clear_gen.core.records import Rendered
from clear_gen.core.text import has_controls
from clear_gen.datasets.scenes.clear_format.layout import EXACT_SCENE_FIELDS, EXACT_SOUND_FIELDS, OWN_KEY, relationships
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import Noise, Reverb
from clear_gen.sounds.attributes import Attribute, MeasuredAttribute

MAX_SOUNDS = 64  # as in a domain's rules
MAX_MS = 3_600_000  # an hour
MAX_TEXT = 200
MAX_INT = 2**53  # a seed's range, and that of numbers every JSON reader keeps exact
RATES_HZ = (1000, 655_350)  # the greatest is FLAC's
AGREE_MS = 1.0  # exact positions and their milliseconds: rounding makes 0.5
SHORTER_MS = 20.0  # published lengths are rounded down sound by sound, which makes some milliseconds in a scene
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 80, 80


@dataclass(frozen=True)
class PublishedSound:
    """One object: where it begins and ends in milliseconds from the scene's beginning, and its attributes."""

    sound_id: str
    start_ms: float
    end_ms: float
    attributes: dict[str, str | int | None]


@dataclass(frozen=True)
class PublishedScene:
    """One scene with checked fields. ``at`` names file and scene in messages; ``exact`` is our own graph, if any."""

    at: str
    index: int
    filename: str
    sounds: tuple[PublishedSound, ...]
    dry_ms: float
    exact: dict[str, Any] | None


def wrong(at: str, field: str, found: Any, expected: str) -> InputError:
    """The error of a field from outside; what was found is cut and escaped, so that the message stays one line."""
    return InputError(f"{at}: {field}: found {_SHORT.repr(found)}, expected {expected}")


def entry(at: str, where: str, mapping: Mapping[str, Any], name: str) -> Any:
    """The value of a field. Raises InputError if it is missing."""
    if name not in mapping:
        raise InputError(f"{at}: {where}{name}: found nothing, expected this field")
    return mapping[name]


def scene_index(raw: Any, at: str, what: str = "scene") -> int:
    """The index of the scene that something is, or is about: a number or its digits. InputError if it is neither."""
    if not isinstance(raw, dict):
        raise wrong(at, what, raw, "an object")
    value = entry(at, "", raw, "scene_index")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        return int(value)
    if type(value) is int and 0 <= value <= MAX_INT:
        return value
    raise wrong(at, "scene_index", value, "a number as text, such as '000017'")


def published_scene_of(raw: dict[str, Any], index: int, at: str, domain: Domain) -> PublishedScene:
    """Check one scene. Raises InputError naming the field, what was found and what was expected."""
    position = _milliseconds(at, "silence_before", entry(at, "", raw, "silence_before"))
    objects = entry(at, "", raw, "objects")
    if not isinstance(objects, list) or not 1 <= len(objects) <= MAX_SOUNDS:
        raise wrong(at, "objects", objects, f"a list of 1 to {MAX_SOUNDS} objects")
    sounds = []
    for number, item in enumerate(objects):
        where = f"objects[{number}]"
        if not isinstance(item, dict):
            raise wrong(at, where, item, "an object")
        length = _milliseconds(at, f"{where}.duration", entry(at, f"{where}.", item, "duration"))
        if length <= 0:
            raise wrong(at, f"{where}.duration", length, "more than 0 ms")
        name = text_of(at, f"{where}.filename", entry(at, f"{where}.", item, "filename"))
        attributes = {key: _attribute(at, where, item, key, rule) for key, rule in domain.attributes.items()}
        sounds.append(PublishedSound(os.path.splitext(name)[0], position, position + length, attributes))
        silence = _milliseconds(at, f"{where}.silence_after", entry(at, f"{where}.", item, "silence_after"))
        position += length + silence
    _check_order(at, entry(at, "", raw, "relationships"), len(sounds))
    exact = _exact(f"{at}: {OWN_KEY}", raw[OWN_KEY], domain) if OWN_KEY in raw else None
    scene = PublishedScene(at, index, filename_of(at, raw), tuple(sounds), position, exact)
    if exact is not None:
        _check_agreement(scene, exact)
    return scene


def _milliseconds(at: str, field: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= MAX_MS:  # False for NaN, too
        raise wrong(at, field, value, f"milliseconds, 0 to {MAX_MS}")
    return value


def text_of(at: str, field: str, value: Any) -> str:
    """A short text. Raises InputError if it is something else."""
    if not isinstance(value, str) or not value or has_controls(value) or len(value) > MAX_TEXT:
        raise wrong(at, field, value, f"text of 1 to {MAX_TEXT} characters without controls")
    return value


def _attribute(at: str, where: str, item: dict[str, Any], name: str, rule: Attribute) -> str | int | None:
    value = entry(at, f"{where}.", item, name)
    unknown = value is None and isinstance(rule, MeasuredAttribute)
    if not unknown and (type(value) is not type(rule.values[0]) or value not in rule.values):
        or_null = " or null" if isinstance(rule, MeasuredAttribute) else ""
        near = guess(value, rule.values)
        raise wrong(at, f"{where}.{name}", value, f"one of: {', '.join(map(str, rule.values))}{or_null}{near}")
    return value


def filename_of(at: str, raw: Mapping[str, Any]) -> str:
    """The name of the scene's FLAC. As existing readers do, ``.wav`` is understood as the FLAC made from it."""
    name = text_of(at, "scene_filename", entry(at, "", raw, "scene_filename"))
    stem, suffix = os.path.splitext(name)
    if "/" in name or "\\" in name or suffix not in (".flac", ".wav"):
        raise wrong(at, "scene_filename", name, "the plain name of a FLAC file")
    return f"{stem}.flac"


def _check_order(at: str, found: Any, n_sounds: int) -> None:
    """Sounds are listed in order of time, so what lies before and after each of them is known: it must be that."""
    if not isinstance(found, list) or not all(isinstance(relation, dict) for relation in found):
        raise wrong(at, "relationships", found, "a list of objects")
    for relation in relationships(n_sounds):
        same = [other for other in found if other.get("type") == relation["type"]]
        if len(same) != 1 or same[0].get("indexes") != relation["indexes"]:
            expected = f"one of type {relation['type']} with the indexes of the sounds {relation['type']} each sound"
            raise wrong(at, "relationships", same or found, expected)


# --- our own key ------------------------------------------------------------------------------------------------------


def _exact(at: str, found: Any, domain: Domain) -> dict[str, Any]:
    """The exact graph with the right types in every field."""
    if not isinstance(found, dict):
        raise wrong(at, "scene", found, "an object")
    values = {name: entry(at, "", found, name) for name in (*EXACT_SCENE_FIELDS, "sounds")}
    if values["domain"] != domain.name:
        raise wrong(at, "domain", values["domain"], domain.name)
    if not isinstance(values["sounds"], list):
        raise wrong(at, "sounds", values["sounds"], "a list of objects")
    rate = _integer(at, "sample_rate", values["sample_rate"], *RATES_HZ)
    longest = MAX_MS * rate // 1000
    for name in ("n_samples_dry", "n_samples"):
        _integer(at, name, values[name], 1, longest)
    if values["n_samples_dry"] > values["n_samples"]:
        raise wrong(at, "n_samples_dry", values["n_samples_dry"], f"at most n_samples, {values['n_samples']}")
    sounds = []
    for number, item in enumerate(values["sounds"]):
        where = f"sounds[{number}]"
        if not isinstance(item, dict):
            raise wrong(at, where, item, "an object")
        sound = {name: entry(at, f"{where}.", item, name) for name in EXACT_SOUND_FIELDS}
        _integer(at, f"{where}.onset_sample", sound["onset_sample"], 0, longest)
        _integer(at, f"{where}.n_samples", sound["n_samples"], 1, longest)
        sounds.append({**sound, "gain_db": _real(at, f"{where}.gain_db", sound["gain_db"])})
    parts = {"reverb": _part(at, "reverb", values, Reverb), "noise": _part(at, "noise", values, Noise)}
    return {**values, "sounds": sounds, **parts, "rendered": _part(at, "rendered", values, Rendered)}


def _integer(at: str, field: str, value: Any, least: int = 0, most: int = MAX_INT) -> int:
    if type(value) is not int or not least <= value <= most:
        raise wrong(at, field, value, f"a whole number from {least} to {most}")
    return value


def _real(at: str, field: str, value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= MAX_INT or not math.isfinite(value):
        raise wrong(at, field, value, "a finite number")
    return float(value)


def _part(at: str, name: str, values: dict[str, Any], type_: type) -> dict[str, Any] | None:
    """``reverb``, ``noise`` or ``rendered``: null, or an object with the fields of its dataclass."""
    found = values[name]
    if found is None:
        return None
    if not isinstance(found, dict):
        raise wrong(at, name, found, "an object or null")
    checked: dict[str, Any] = {}
    for field in fields(type_):
        value, place = entry(at, f"{name}.", found, field.name), f"{name}.{field.name}"
        if field.name == "seed":
            checked[field.name] = _integer(at, place, value)
        elif field.name == "pcm_sha256":
            checked[field.name] = text_of(at, place, value)
        else:
            unknown = value is None and type_ is Rendered
            checked[field.name] = None if unknown else _real(at, place, value)
    return checked


def _check_agreement(scene: PublishedScene, exact: dict[str, Any]) -> None:
    """Raise InputError if the exact graph says something else than the published fields."""
    at, per_ms = f"{scene.at}: {OWN_KEY}", exact["sample_rate"] / 1000
    if len(exact["sounds"]) != len(scene.sounds):
        raise wrong(at, "sounds", len(exact["sounds"]), f"as many as there are objects, {len(scene.sounds)}")
    pairs = [("n_samples_dry", exact["n_samples_dry"], scene.dry_ms)]
    for number, (sound, published) in enumerate(zip(exact["sounds"], scene.sounds, strict=True)):
        where = f"sounds[{number}]"
        if sound["sound_id"] != published.sound_id:
            raise wrong(at, f"{where}.sound_id", sound["sound_id"], f"{published.sound_id!r}, as objects[{number}]")
        end = sound["onset_sample"] + sound["n_samples"]
        pairs += [(f"{where}.onset_sample", sound["onset_sample"], published.start_ms)]
        pairs += [(f"{where}: onset_sample + n_samples", end, published.end_ms)]
    for field, found, published_ms in pairs:
        if abs(found / per_ms - published_ms) > AGREE_MS:
            raise wrong(at, field, found, f"about {published_ms * per_ms:.0f}, as the published milliseconds say")


# --- the row ----------------------------------------------------------------------------------------------------------


def row_of(
    scene: PublishedScene, split: str, domain: Domain, sample_rate: int, n_samples: int | None
) -> dict[str, Any]:
    """The row of the scenes' table but for ``rendered`` and ``audio``; ``n_samples`` is the audio's length, if any.

    Raises InputError if the audio is shorter than the scene by more than roundings explain, or not what our key says.
    """
    scene_id = f"{split}-{scene.index:06d}"
    known = {"scene_id": scene_id, "split": split, "domain": domain.name, "sample_rate": sample_rate}
    if scene.exact is not None:
        return {**known, **_exact_row(scene, known, n_samples)}
    dry = _samples(scene.dry_ms, sample_rate)
    if n_samples is not None:
        if (dry - n_samples) * 1000 > SHORTER_MS * sample_rate:
            found = f"{n_samples / sample_rate:.3f} s, shorter than its scene"
            raise InputError(f"{scene.at}: {scene.filename}: found {found}, expected {scene.dry_ms / 1000:.3f} s")
        dry = min(dry, n_samples)
    sounds = []
    for sound in scene.sounds:
        onset = _samples(sound.start_ms, sample_rate)
        length = min(_samples(sound.end_ms, sample_rate), dry) - onset
        if length < 1:
            raise wrong(scene.at, sound.sound_id, f"{length} samples", "at least 1 before the audio ends")
        sounds.append(_sound_row(sound, onset, length, 0.0, sample_rate))
    lengths = {"n_samples": n_samples or dry, "n_samples_dry": dry}
    return {**known, **lengths, "sounds": sounds, "reverb": None, "noise": None}


def _exact_row(scene: PublishedScene, known: dict[str, Any], n_samples: int | None) -> dict[str, Any]:
    exact, at = scene.exact or {}, f"{scene.at}: {OWN_KEY}"
    for name, expected in (("scene_id", known["scene_id"]), ("sample_rate", known["sample_rate"])):
        if exact[name] != expected:
            raise wrong(at, name, exact[name], str(expected))
    if n_samples not in (None, exact["n_samples"]):
        raise wrong(at, "n_samples", exact["n_samples"], f"{n_samples}, as long as {scene.filename}")
    sounds = [
        _sound_row(published, sound["onset_sample"], sound["n_samples"], sound["gain_db"], known["sample_rate"])
        for published, sound in zip(scene.sounds, exact["sounds"], strict=True)
    ]
    names = ("n_samples", "n_samples_dry", "reverb", "noise")
    return {**{name: exact[name] for name in names}, "sounds": sounds}


def _sound_row(sound: PublishedSound, onset: int, length: int, gain_db: float, sample_rate: int) -> dict[str, Any]:
    times = {"onset_sample": onset, "n_samples": length, "gain_db": gain_db, "duration_s": length / sample_rate}
    return {"sound_id": sound.sound_id, **times, **sound.attributes}


def _samples(milliseconds: float, sample_rate: int) -> int:
    return math.floor(milliseconds * sample_rate / 1000 + 0.5)
