"""A small generated tree of exactly the form of the Good-Sounds corpus: tables, folders, names, format of the audio.

``python -m tests.sounds.importers.good_sounds_tree FOLDER sqlite`` writes one.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from clear_gen.sounds.analysis import NOTES
from tests.sounds import note_samples

Form = Literal["sqlite", "json"]
Tables = dict[str, list[dict[str, Any]]]

AUDIO_RATE = 48_000  # Hz
TONE_S = 1.2
SILENCE_S = 0.15  # before and after the tone
NUMBERS = ("id", "pack_id", "sound_id", "octave", "reference", "semitone", "offset", "freesound_id", "mark")

# Name of the pack, instrument, player, reference, microphones, notes. Two players and two packs per instrument, one
# instrument that clear2 does not have; the second pack of the flute repeats the first one's A4 and C#5.
PACKS: list[tuple[str, str, str, int, tuple[str, ...], tuple[tuple[str, int], ...]]] = [
    ("flute_zoë_sesión", "flute", "zoë", 0, ("akg", "iphone"), (("A", 4), ("C#", 5), ("B", 4))),
    ("flute_almudena_reference", "flute", "almudena", 1, ("akg", "neumann"), (("C#", 5), ("A", 4), ("D", 5))),
    ("cello_nico_improvement_recordings", "cello", "nico", 0, ("akg", "neumann"), (("C", 3), ("A", 3))),
    ("cello_Smith, John_solo", "cello", "Smith, John", 1, ("akg", "neumann"), (("A", 3), ("G", 3))),
    ("oboe_marta_recordings", "oboe", "marta", 1, ("akg",), (("A", 4),)),
]
# Index of the pack, klass, note, octave, reference, microphones: what a selection must leave out, and the pairs that
# tell "reference first" from "lowest id first", and numbers from text (sounds 94 and 103, takes 99 and 100).
EXTRA: list[tuple[int, str, str | None, int | None, int, tuple[str, ...]]] = [
    (1, "good-sound", "E", 5, 0, ("neumann", "akg")),
    (1, "good-sound-rich", "E", 5, 1, ("neumann", "akg")),
    (1, "good-sound", "E", 5, 1, ("neumann",)),
    (1, "bad-dynamics-stability", "F", 5, 1, ("neumann", "akg")),
    (2, "bad-attack", "D", 3, 1, ("neumann",)),
    (2, "scale-good-major", None, None, 1, ("neumann",)),
    (3, "scale-bad", None, None, 0, ("akg",)),
    (3, "good-sound", "G", 3, 1, ("neumann", "akg")),
]
FIRST_SOUND, FIRST_TAKE = 85, 91


def corpus() -> Tables:
    """The four tables, rows in the order of their ids.

    The takes of later sounds have the lower ids, so that the order of takes is not that of sounds.
    """
    packs = [{"id": k + 1, "name": pack[0], "description": f"{pack[1]} by {pack[2]}"} for k, pack in enumerate(PACKS)]
    sounds: list[dict[str, Any]] = []
    pending: list[tuple[dict[str, Any], str]] = []
    plain = [
        (k, "good-sound", note, octave, pack[3], pack[4]) for k, pack in enumerate(PACKS) for note, octave in pack[5]
    ]
    for k, klass, note, octave, reference, microphones in [*plain, *EXTRA]:
        sounds.append(_sound(FIRST_SOUND + len(sounds), k, klass, note, octave, reference))
        pending += [(sounds[-1], microphone) for microphone in microphones]
    takes = [_take(FIRST_TAKE + k, sound, microphone) for k, (sound, microphone) in enumerate(reversed(pending))]
    ratings = [
        {"id": k, "mark": 7, "type": "pitch", "created_at": "2014-02-01", "comments": None, "sound_id": sound["id"]}
        | {"rater": "rater 1"}
        for k, sound in enumerate(sounds[:3], start=1)
    ]
    return {"packs": packs, "sounds": sounds, "takes": takes, "ratings": ratings}


def _sound(number: int, pack: int, klass: str, note: str | None, octave: int | None, reference: int) -> dict[str, Any]:
    _, instrument, player, *_ = PACKS[pack]
    semitone = None
    if note is not None and octave is not None:
        semitone = 12 * octave + (NOTES.index(note) + 9) % 12  # 48 is C4, as in the corpus
    nothing = dict.fromkeys(("bow_velocity", "bridge_position", "string", "csv_file", "csv_id", "comments"))
    return {
        "id": number,
        "instrument": instrument,
        "note": note,
        "octave": octave,
        "dynamics": "mf",
        "recorded_at": "2013-10-07 14:21:09",
        "location": "upf studio",
        "player": player,
        **nothing,
        "pack_filename": f"{number:04d}.wav",
        "pack_id": pack + 1,
        "attack": None,
        "decay": None,
        "sustain": None,
        "release": None,
        "offset": round(SILENCE_S * AUDIO_RATE),
        "reference": reference,
        "klass": klass,
        "semitone": semitone,
        "pitch_reference": 440,
    }


def _take(number: int, sound: dict[str, Any], microphone: str) -> dict[str, Any]:
    pack = PACKS[sound["pack_id"] - 1][0]
    return {
        "id": number,
        "microphone": microphone,
        "filename": f"sound_files/{pack}/{microphone}/{sound['id']:04d}.wav",
        "original_filename": f"{microphone}-{sound['id']}.wav",
        "freesound_id": None,
        "sound_id": sound["id"],
        "goodsound_id": None,
    }


def write_tree(folder: Path, form: Form) -> None:
    """Tables and recordings in ``folder``, which is made if it is not there."""
    tables = corpus()
    write_audio(folder, tables)
    write_tables(folder, tables, form)


def write_tables(folder: Path, tables: Tables, form: Form) -> None:
    """``database.sqlite``, or one JSON object per table. Rows keep their order; the first one's fields are columns."""
    folder.mkdir(parents=True, exist_ok=True)
    if form == "json":
        for name, rows in tables.items():
            text = json.dumps({str(row["id"]): row for row in rows}, ensure_ascii=False)
            (folder / f"{name}.json").write_text(text, encoding="utf-8")
        return
    with closing(sqlite3.connect(folder / "database.sqlite")) as connection:
        for name, rows in tables.items():
            fields = list(rows[0]) if rows else ["id"]
            # no primary key: it would give the rows back in the order of their ids, whatever the order of insertion
            columns = ", ".join(f"{field} {'integer' if field in NUMBERS else 'text'}" for field in fields)
            connection.execute(f"CREATE TABLE {name} ({columns})")
            places = ", ".join("?" for _ in fields)
            connection.executemany(f"INSERT INTO {name} VALUES ({places})", [list(row.values()) for row in rows])
        connection.commit()


def write_audio(folder: Path, tables: Tables) -> None:
    """One recording per take: a tone of the note's pitch (of A4 in a scale) between two silences, 32-bit PCM."""
    sounds = {sound["id"]: sound for sound in tables["sounds"]}
    for take in tables["takes"]:
        path = folder / take["filename"]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, take_samples(sounds[take["sound_id"]], take), AUDIO_RATE, subtype="PCM_32")


def take_samples(sound: dict[str, Any], take: dict[str, Any]) -> np.ndarray:
    """float32, another waveform and level for every take."""
    note, octave = sound["note"] or "A", sound["octave"] or 4
    level = 0.1 + 0.02 * (take["id"] % 10)
    how: dict[str, Any] = {"seed": take["id"], "level": level, "duration_s": TONE_S, "sample_rate": AUDIO_RATE}
    silence = np.zeros(round(SILENCE_S * AUDIO_RATE), np.float32)
    return np.concatenate([silence, note_samples(note, octave, **how), silence])


def main(arguments: Iterable[str]) -> None:
    """Write a tree: FOLDER and form."""
    folder, form = arguments
    write_tree(Path(folder), "json" if form == "json" else "sqlite")


if __name__ == "__main__":
    main(sys.argv[1:])
