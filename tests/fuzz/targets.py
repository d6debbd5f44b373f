"""What is fuzzed: functions of bytes that may raise InputError, in one line, and nothing else.

A target writes its bytes to a file in a scratch folder, as a user's file would lie there, and calls the reader that the
commands use. Its seeds are files that nothing is wrong with; a mutation of one of them gets further than random bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import soundfile

import clear_gen
from clear_gen.cli import run
from clear_gen.core.errors import InputError
from clear_gen.core.files import content_path
from clear_gen.core.streams import stream
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.bank import write_bank
from clear_gen.sounds.importers.clear import import_clear
from clear_gen.sounds.importers.folder import import_folder
from tests.banks import tone_bank

RATE = 8000  # Hz
DURATION_S = (0.2, 0.25)
EDIT = 5  # bytes of one edit of a Parquet file: where (4, little-endian), what (1)
PLANTED = b"!planted!"  # what the target that is wrong on purpose does not bear


# What is put into the inputs, besides parts of themselves
UNICODE = [b"\xef\xbb\xbf", b"\0", b"\xff", *(text.encode() for text in ("\u2028", "e\u0301", "\u202e"))]
ESCAPES = rb'\ud800 "\ud800" \u0000 \n \e[31m "a\nb" "a\u0000b"'.split()
NUMBERS = [b"0x" + b"f" * 4000, b"9" * 400, *b"NaN -Infinity 1e400 -1 0 1.5 3000000000 true null 4.0".split()]
TABLE_WORDS = [b"\r\n", *b'" "" , [ ] { } : ../ / filename octave licence source .raw'.split()]
YAML_WORDS = [
    b"&a ",
    b"*a ",
    b"<<: ",
    b"? ",
    b"- ",
    b": ",
    b"|\n",
    b"\n",
    b"\t",
    b"---\n",
    b"!!timestamp x ",
    b"!!bool x ",
]
YAML_WORDS += b"[ ] { } ~ ' \" = !!binary !%0A 1:1:1:1.5 2001-99-99 values min a: b:".split()
YAML_WORDS += [b"!!int '' ", b"!!float '' ", b"1:" * 400 + b"0.5"]


class Finding(Exception):
    """A reader did with some bytes what it must not do."""


@dataclass(frozen=True)
class Target:
    """``read`` is what is fuzzed, ``seeds`` are inputs that it reads without an error, ``words`` go into them."""

    read: Callable[[bytes], object]
    seeds: list[bytes]
    words: list[bytes]


def checked(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """``read`` that may refuse its input in one line; all else it does wrong is a Finding."""

    def call(data: bytes) -> None:
        try:
            read(data)
        except InputError as error:
            if len(str(error).splitlines()) != 1:
                raise Finding(f"a message that is not one line: {error!r}") from None
        except Exception as error:
            raise Finding(f"{type(error).__name__}: {error}") from error

    return call


# --- the table of a folder of recordings ------------------------------------------------------------------------------


def manifest(scratch: Path) -> Target:
    """Bytes -> a table beside two short recordings: JSON if they begin with ``[``, CSV otherwise -> an import."""
    attributes = load_domain("clear2").attributes
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav"):
        soundfile.write(scratch / name, 0.1 * rng.standard_normal(RATE // 4), RATE)
    rows = [
        {"filename": "a.wav", "instrument": "cello", "note": "A", "octave": 4, "licence": "CC0-1.0", "pack": "x, y"},
        {"filename": "b.wav", "instrument": "flute", "note": "C#", "octave": 5, "licence": "CC0-1.0", "pack": "é\n2"},
    ]
    text = StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)

    def read(data: bytes) -> None:
        is_json = data.lstrip()[:1] == b"["
        table = scratch / ("elementary_sounds.json" if is_json else "elementary_sounds.csv")
        table.write_bytes(data)
        import_folder(scratch, attributes, RATE, DURATION_S, stream(0), table)
        if is_json:
            import_clear(scratch, attributes, RATE)

    words = UNICODE + ESCAPES + NUMBERS + TABLE_WORDS
    return Target(
        checked(read), [json.dumps(rows).encode(), json.dumps(rows[:1]).encode(), text.getvalue().encode()], words
    )


# --- the rules of a domain --------------------------------------------------------------------------------------------


SMALL_DOMAIN = b"""name: x
attributes: {kind: {values: [1, 2]}, level: {measure: loudness, low: l, high: h, dead_zone: 1}}
relations: {}
question_types: [count]
sampling:
  sounds: {min: 1, max: 2}
  constraints: [{attribute: kind, values_at_least: 2}, {attribute: level, each_share_over: 0.1}]
  silence: {per_sound_s: 0.1, share: [0, 1]}
  reverb: null
  noise: {level_dbfs: [-80, -50]}
  independent_levels: {attribute: level, span_db: [0, 6]}
"""


def domain(scratch: Path) -> Target:
    """Bytes -> a domain.yaml -> the domain."""
    path = scratch / "domain.yaml"
    packaged = (content_path("templates", "clear2") / "domain.yaml").read_bytes()

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_domain(str(scratch))

    return Target(read, [packaged, SMALL_DOMAIN], UNICODE + ESCAPES + NUMBERS + YAML_WORDS)


# --- the scene graphs of a finished dataset ---------------------------------------------------------------------------


def graph(scratch: Path) -> Target:
    """Bytes -> edits of the Parquet file of a finished dataset -> its scenes.

    The first byte even: each five that follow put one byte in a place. Odd: the rest is the file.
    """
    folder, bank = scratch / "dataset", scratch / "bank.parquet"
    write_bank(tone_bank(sample_rate=RATE), bank)
    options = [
        "--bank",
        str(bank),
        "--n",
        "12",
        "--no-audio",
        "--sample-rate",
        str(RATE),
        "--splits",
        "1,0,0",
        "--workers",
        "1",
    ]
    if run(["scenes", "--out", str(folder), *options]) != 0:
        raise RuntimeError(f"{folder}: the dataset to alter could not be made")
    (path,) = (folder / "scenes").glob("*.parquet")
    intact = path.read_bytes()

    def read(data: bytes) -> None:
        path.write_bytes(edited(intact, data))
        for scene in clear_gen.open_dataset(folder).scenes("train"):
            if scene.has_stored_audio:
                _ = scene.waveform

    same = [
        bytes([0, *place.to_bytes(4, "little"), intact[place]]) for place in range(0, len(intact), len(intact) // 8)
    ]
    return Target(read, [b"\0", *same, b"\1" + intact], [])


def edited(intact: bytes, data: bytes) -> bytes:
    """``intact`` as ``data`` asks for it (see ``graph``)."""
    if data[:1] and data[0] % 2:
        return data[1:]
    result = bytearray(intact)
    for start in range(1, len(data) - EDIT + 1, EDIT):
        result[int.from_bytes(data[start : start + 4], "little") % len(result)] = data[start + 4]
    return bytes(result)


# --- the harness itself -----------------------------------------------------------------------------------------------


def planted(scratch: Path) -> Target:
    """A reader with a mistake, which the tests of the harness must find."""

    def read(data: bytes) -> None:
        if len(data) > 3 and data[0] == PLANTED[0]:
            raise ValueError(f"{scratch}: this reader does not bear a {chr(PLANTED[0])}")

    return Target(read, [PLANTED[1:]], [PLANTED[:1]])


TARGETS: dict[str, Callable[[Path], Target]] = {
    "manifest": manifest,
    "domain": domain,
    "graph": graph,
    "planted": planted,
}
