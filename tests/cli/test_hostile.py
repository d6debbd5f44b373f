"""Hostile files through the command line: exit code 2, one line that names the file and the field, nothing written.

And what only looks hostile, which must come in with its values right.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clear_gen.cli import run
from clear_gen.cli.common import WRONG_INPUT
from clear_gen.core.config import MAX_YAML_BYTES
from clear_gen.core.files import content_path
from clear_gen.sounds import files, tables
from clear_gen.sounds.bank import read_bank
from tests.sounds import GIVEN, RATE, csv_text, fill, note_samples, rows_for

MEMORY_BYTES = 3 << 30  # of address space: NumPy's and Arrow's threads alone take half of it
MPG123 = ("[src/libmpg123/", "Note: ", "Warning: ")  # what that library says on stderr cannot be turned off
LAUGHS = "\n".join(["a0: &a0 [ha, ha]", *(f"a{k}: &a{k} [{f'*a{k - 1}, ' * 9}]" for k in range(1, 30))])
PACKAGED = (content_path("templates", "clear2") / "domain.yaml").read_text(encoding="utf-8")
HEADER = "filename,instrument,note,octave,licence,source\r\n"


@pytest.fixture
def refused(capfd, tmp_path) -> Callable[..., str]:
    """Run a command that must fail on its input: its one line, everything written to the process's stderr counted."""

    def call(*arguments: object) -> str:
        out = tmp_path / "out"
        capfd.readouterr()
        assert run([*map(str, arguments), "--out", str(out)]) == WRONG_INPUT
        written, err = capfd.readouterr()
        (line,) = [line for line in err.splitlines() if not line.startswith(MPG123)]
        assert line.startswith("clear-gen: ")
        assert (written, out.exists()) == ("", False)
        assert line.isprintable()
        return line.removeprefix("clear-gen: ")

    return call


@pytest.fixture
def importing(refused, tmp_path) -> Callable[..., str]:
    """Import a folder with what is asked for in it; the one line that it ends with."""

    def call(contents, rows=None, table: str = "table.json", format_: str = "folder") -> str:
        return refused("bank", "import", format_, fill(folder_of(tmp_path), contents, rows, table), *at_rate())

    return call


def at_rate() -> tuple[str, str]:
    return "--sample-rate", str(RATE)


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def note(seed: int = 0) -> np.ndarray:
    return note_samples(seed=seed, duration_s=0.9)


# --- names that lead elsewhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["clear", "folder"])
@pytest.mark.parametrize(
    "kind",
    [
        "up",
        "absolute",
        "link",
        "link of a link",
        "linked folder",
        "self-loop",
        "loop of two",
        "device",
        "pipe",
        "folder",
    ],
)
def test_a_name_that_is_no_file_inside_the_folder(importing, tmp_path, kind, format_):
    outside = fill(tmp_path / "outside", {"x.wav": note()}, "[]")
    folder = folder_of(tmp_path)
    folder.mkdir()
    name = "x.wav"
    if kind == "up":
        name = "../outside/x.wav"
    elif kind == "absolute":
        name = str(outside / "x.wav")
    elif kind == "link of a link":
        (folder / "y.wav").symlink_to(outside / "x.wav")
        (folder / name).symlink_to("y.wav")
    elif kind == "linked folder":
        name = "below/x.wav"
        (folder / "below").symlink_to(outside)
    elif kind == "loop of two":
        (folder / name).symlink_to("y.wav")
        (folder / "y.wav").symlink_to("x.wav")
    elif kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "folder":
        (folder / name).mkdir()
    else:
        (folder / name).symlink_to({"link": outside / "x.wav", "self-loop": "x.wav", "device": "/dev/zero"}[kind])
    line = importing({}, rows_for(name), "elementary_sounds.json", format_)
    assert line == f"{folder / 'elementary_sounds.json'}: filename: found {name!r}, expected a file inside {folder}"


@pytest.mark.parametrize("name", ["a\nb.wav", "a\x1b[31m.wav", "a\u2028b.wav", "a\x7f.wav"])
def test_a_name_that_would_break_the_line_or_steer_the_terminal(importing, name):
    line = importing({name: note()})
    assert "table.json: filename: found " in line
    assert repr(name) in line


# --- recordings -------------------------------------------------------------------------------------------------------


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


def wav(*, channels: int = 1, rate: int = RATE, frames: int = 500, promised: int | None = None) -> bytes:
    """A WAV file, 16 bit, of noise; ``promised``: the bytes of samples that its header says."""
    width = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * width % 2**32, width, 16)
    data = np.random.default_rng(0).integers(-9000, 9000, frames * channels).astype("<i2").tobytes()
    body = b"WAVE" + chunk(b"fmt ", form) + chunk(b"data", data, promised)
    return chunk(b"RIFF", body, len(body) if promised is None else min(promised + 36, 2**32 - 1))


def encoded(container: str, n_samples: int = 40_000) -> bytearray:
    """Noise in a container, in memory."""
    buffer = BytesIO()
    soundfile.write(buffer, 0.1 * np.random.default_rng(0).standard_normal(n_samples), RATE, format=container)
    return bytearray(buffer.getvalue())


def patched(container: str, mark: bytes, offset: int, new: bytes) -> bytes:
    """A file in which ``new`` stands ``offset`` bytes behind the beginning of ``mark``."""
    data = encoded(container, 500)
    at = data.index(mark) + offset
    data[at : at + len(new)] = new
    return bytes(data)


TEN_GB = 10**10
HUGE = {
    "1 GB of WAV": ("x.wav", wav(promised=2**30), "samples: found 1,000 bytes, expected 1,073,741,824"),
    "1.5 GB of WAV": ("x.wav", wav(promised=3 * 2**29), "samples: found 1,000 bytes, expected 1,610,612,736"),
    "10 GB of RF64": (
        "x.rf64",
        patched("RF64", b"ds64", 8, struct.pack("<QQQ", TEN_GB, TEN_GB, TEN_GB // 2)),
        "samples: found 1,000 bytes, expected 10,000,000,000",
    ),
    "10 GB of Wave64": (
        "x.w64",
        patched("W64", b"data", 16, struct.pack("<Q", TEN_GB)),
        "samples: found 1,000 bytes, expected 9,999,999,976",
    ),
    "10 GB of CAF": ("x.caf", patched("CAF", b"data", 4, struct.pack(">q", TEN_GB)), "samples: found "),
    "1 GB of AIFF": ("x.aiff", patched("AIFF", b"SSND", 4, struct.pack(">I", 2**30)), "samples: found "),
    "2^36 samples of FLAC": ("x.flac", patched("FLAC", b"fLaC", 22, b"\xff\xff\xff\xff"), "duration: found "),
    "an hour of FLAC": ("x.flac", patched("FLAC", b"fLaC", 22, struct.pack(">I", 3600 * RATE)), "unreadable"),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_header_that_promises_more_than_there_is(importing, tmp_path, kind):
    name, data, reason = HUGE[kind]
    assert len(data) < 6000
    assert importing({"good.wav": note(), name: data}).startswith(f"{folder_of(tmp_path) / name}: {reason}")


def test_no_memory_is_taken_for_what_headers_promise(tmp_path):
    """All of them, and an hour of eight channels at the highest rate, in a process that cannot have so much."""
    many = bytearray(patched("FLAC", b"fLaC", 22, struct.pack(">I", files.MAX_FRAMES)))
    many[18:21] = ((655_350 << 4) | (7 << 1)).to_bytes(3, "big")  # rate, and one less than the number of channels
    folder = fill(tmp_path, {"many.flac": bytes(many), **{f"{k}-{HUGE[k][0]}": HUGE[k][1] for k in HUGE}}, "[]")
    script = f"""
import resource, sys
from pathlib import Path
from clear_gen.core.errors import InputError
from clear_gen.sounds.files import read_audio
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
refused = 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_audio(path)
    except InputError:
        refused += 1
print(refused, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    refused, megabytes = map(int, done.stdout.split())
    assert refused == len(HUGE) + 2  # and the table
    assert megabytes < 100


def test_what_a_few_bytes_of_flac_can_hold_is_bounded(importing, monkeypatch):
    monkeypatch.setattr(files, "MAX_FRAMES", 9999)
    assert "x.flac: samples: found 10,000, expected at most 9,999" in importing(
        {"x.flac": bytes(encoded("FLAC", 10_000))}
    )


@pytest.mark.parametrize("container", ["WAV", "AIFF", "W64", "RF64", "CAF", "FLAC", "MP3"])
@pytest.mark.parametrize("missing", [3, 5000])
def test_a_recording_that_was_cut_off(importing, tmp_path, container, missing):
    name = f"x.{container.lower()}"
    data = bytes(encoded(container))
    assert importing({name: data[:-missing]}).startswith(f"{folder_of(tmp_path) / name}: ")


@pytest.mark.parametrize("mark", [b"LIST", b"JUNK", b"any "])
def test_chunks_around_the_samples_are_no_fault(tmp_path, importing, mark):
    data = wav(frames=RATE)
    extra = chunk(mark, b"any") + b"\0"  # of odd length, so padded
    longer = data[:12] + extra + data[12:]
    samples, _ = files.read_audio(fill(folder_of(tmp_path), {"x.wav": longer + extra}) / "x.wav")
    assert np.array_equal(samples, soundfile.read(BytesIO(data), dtype="float32")[0])
    assert f"x.wav: samples: found {2 * RATE - 2:,} bytes" in importing(
        {"x.wav": longer[:-2]}, None, "elementary_sounds.json"
    )


def test_chunks_without_end_take_no_time(importing):
    data = wav(frames=RATE)
    assert "x.wav: unreadable" in importing({"x.wav": data[: data.index(b"data")] + chunk(b"junk", b"") * 300_000})


RATES = {
    0: "unreadable",
    1: "sample rate: found 1 Hz",
    2**31: "unreadable",
    2**31 - 1: "sample rate: found 2,147,483,647",
}


@pytest.mark.parametrize("rate", RATES)
def test_an_impossible_sample_rate(importing, tmp_path, rate):
    line = importing({"x.wav": wav(rate=rate)})
    assert line.startswith(f"{folder_of(tmp_path) / 'x.wav'}: {RATES[rate]}")


@pytest.mark.parametrize("channels", [0, 9, 256, 30_000])
def test_an_impossible_number_of_channels(importing, tmp_path, channels):
    line = importing({"x.wav": wav(channels=channels, frames=10)})
    assert line.startswith(f"{folder_of(tmp_path) / 'x.wav'}: ")
    assert "channel" in line.lower()


@pytest.mark.parametrize("values", [(np.nan, 0), (np.inf, -np.inf), (3e38, 3e38), (1e300, -1e300), (np.inf, np.nan)])
@pytest.mark.parametrize("rate", [RATE, 44100])
def test_samples_that_are_no_numbers_in_stereo(importing, tmp_path, values, rate):
    samples = np.stack([note_samples(duration_s=0.9, sample_rate=rate)] * 2, axis=1).astype(np.float64)
    samples[2000] = values
    write = {"x.wav": lambda path: soundfile.write(path, samples, rate, subtype="DOUBLE")}
    assert importing(write).startswith(f"{folder_of(tmp_path) / 'x.wav'}: samples: found ")


def test_one_sample_far_beyond_full_scale(importing):
    samples = note()
    samples[500] = 3e38
    assert "x.wav: samples: found a peak of 3e+38, expected at most full scale" in importing({"x.wav": samples})


def test_no_samples_at_all(importing):
    assert "x.wav: duration: found 0.000 s" in importing({"x.wav": wav(frames=0)})


@pytest.mark.parametrize("suffix", ["raw", "RAW", "vox", "gsm", "wav", "flac", "mp3", "xyz", ""])
@pytest.mark.parametrize("data", [b"", b"\0" * 1000, bytes(range(256)) * 4])
def test_bytes_of_no_meaning_under_any_suffix(importing, suffix, data):
    assert f"x.{suffix}: " in importing({f"x.{suffix}": data})


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "json"])
@pytest.mark.parametrize("kind", ["empty", "folder", "pipe", "device", "self-loop", "too large"])
def test_a_table_that_is_no_table(importing, refused, tmp_path, monkeypatch, kind, suffix):
    folder = fill(folder_of(tmp_path), {"x.wav": note()})
    (folder / "elementary_sounds.json").unlink()
    table = folder / f"elementary_sounds.{suffix}"
    if kind == "folder":
        table.mkdir()
    elif kind == "pipe":
        os.mkfifo(table)
    elif kind in ("device", "self-loop"):
        table.symlink_to("/dev/zero" if kind == "device" else table)
    else:
        monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 1000)
        table.write_text("" if kind == "empty" else json.dumps(rows_for("x.wav")) + 1000 * "\n", encoding="utf-8")
    arguments = ["bank", "import", "folder", folder, *at_rate()]
    assert refused(*arguments).startswith(f"{table}:")
    assert refused(*arguments, "--table", table).startswith(f"{table}:")
    if suffix == "json":
        assert refused("bank", "import", "clear", folder, *at_rate()).startswith(f"{table}:")


GOOD = "x.wav,cello,A,4,CC0-1.0,me\r\n"
BAD_CSV = {
    "NUL in the value of a field": ("x.wav,ce\0llo,A,4,CC0-1.0,me\r\n", ":2: instrument: found 'ce\\x00llo'"),
    "NUL in a source": ("x.wav,cello,A,4,CC0-1.0,m\0e\r\n", ":2: source: found 'm\\x00e'"),
    "a field of 1 MB": (GOOD + f"y.wav,cello,A,4,CC0-1.0,{'x' * 1_000_000}\r\n", ":3: not valid CSV: field larger"),
    "too few cells": (GOOD + "x.wav,cello,A\r\n", ":3: octave: found 3 cells, expected 6"),
    "too many cells": (GOOD + "x.wav,cello,A,4,CC0-1.0,me,you\r\n", ":3: source: found 7 cells, expected 6"),
    "a quote left open": (GOOD + 'x.wav,cello,A,4,CC0-1.0,"me\r\n' + GOOD, ":4: not valid CSV: "),
    "text after a quote": ('"x.wav"y,cello,A,4,CC0-1.0,me\r\n', ":2: not valid CSV: "),
    "no rows": ("", ": found no rows"),
    "an empty value": ("x.wav,,A,4,CC0-1.0,me\r\n", "instrument: found nothing"),
    "an empty name": (",cello,A,4,CC0-1.0,me\r\n", ": filename: found ''"),
    "another separator": (GOOD.replace(",", ";"), ":2: instrument: found 1 cells, expected 6"),
}


@pytest.mark.parametrize("kind", BAD_CSV)
def test_a_hostile_csv(importing, tmp_path, kind):
    text, reason = BAD_CSV[kind]
    line = importing({"x.wav": note()}, HEADER + text, "table.csv")
    assert line.startswith(f"{folder_of(tmp_path) / 'table.csv'}:")
    assert reason in line


@pytest.mark.parametrize("unnamed", ["", ",,"])
def test_a_column_twice(importing, tmp_path, unnamed):
    text = unnamed + HEADER.replace("source", "octave") + unnamed + GOOD.replace("me", "5")
    line = importing({"x.wav": note()}, text, "table.csv")
    assert line.startswith(f"{folder_of(tmp_path) / 'table.csv'}:1: octave: found twice")


def test_columns_without_end_take_no_time(importing):
    names = ",".join(map(str, range(100_000)))
    assert "table.csv:1: 99999: found twice" in importing({}, f"{names},99999\r\n", "table.csv")


def json_row(**fields: object) -> str:
    """A row in which a field has the JSON text that is given, after what it had."""
    row = json.dumps(rows_for("x.wav")[0])[:-1]
    return f"[{row}, {', '.join(f'{json.dumps(name)}: {value}' for name, value in fields.items())}}}]"


BAD_JSON = {
    "NaN": (json_row(velocity="NaN"), "x.wav: velocity: found nan, expected a finite number"),
    "-Infinity": (json_row(velocity="-Infinity"), "x.wav: velocity: found -inf, expected a finite number"),
    "1e400": (json_row(velocity="1e400"), "x.wav: velocity: found inf, expected a finite number"),
    "a key twice": (json_row(octave="5"), "x.wav: octave: found twice, expected once"),
    "a key twice below": (json_row(more='{"a": 1, "a": 2}'), "a: found twice, expected once"),
    "levels without end": (json_row(more="[" * 100_000), "recursion"),
    "objects without end": (json_row(more='{"a":' * 100_000), "recursion"),
    "an int of 4000 digits": (json_row(octave="9" * 4000).replace('"octave": 4, ', ""), "octave: found '9999"),
    "an int of 5000 digits": (json_row(octave="9" * 5000), "digits"),
    "true for 1": (json_row(octave="true").replace('"octave": 4, ', ""), "octave: found 'True'"),
    "a list for text": (json_row(source='["me"]'), "source: found ['me'], expected text"),
    "a list for a licence": (json_row(licence="[]").replace('"licence": "CC0-1.0", ', ""), "licence: found []"),
    "a list for a name": ('[{"filename": ["x.wav"]}]'.replace("}", ', "licence": "x"}'), "filename: found ['x.wav']"),
    "half a surrogate pair": (json_row(source='"\\ud800"'), "source: found '\\ud800', expected text"),
    "half a pair in a name": (json_row().replace("x.wav", "x\\udc80.wav").replace(", }", "}"), "filename: found 'x"),
    "NUL": (json_row(source='"a\\u0000b"'), "source: found 'a\\x00b', expected text"),
    "nothing": ("[]", "found no rows"),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_a_hostile_json(importing, tmp_path, kind):
    text, reason = BAD_JSON[kind]
    line = importing({"x.wav": note()}, text)
    assert str(folder_of(tmp_path)) in line
    assert reason in line
    assert len(line) < 400


def test_a_line_break_in_the_name_of_a_row_without_licence_stays_in_one_line(importing):
    line = importing({}, [{"filename": "a\nb.wav", **GIVEN}])
    assert "'a\\nb.wav': licence: found none" in line


# --- what only looks hostile ------------------------------------------------------------------------------------------

NAMES = [
    unicodedata.normalize("NFC", "é ü.wav"),
    unicodedata.normalize("NFD", "é ü.wav"),
    "👨‍👩‍👧 🎻.wav",
    "שלום-مرحبا.wav",
    'one, "two"; three.wav',
    "..wav.wav",
]


@pytest.mark.parametrize("table", ["table.csv", "table.json"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_names_and_fields_of_any_script_come_in_as_they_are(tmp_path, table, mark):
    sources = ["Zoë", "Zoë", "🎷🎷🏽", "עברית \u200fالعربية", 'Smith, "Jo"', "first\r\nsecond, \n\nthird"]
    rows = [row for name, text in zip(NAMES, sources, strict=True) for row in rows_for(name, source=text)]
    text = csv_text(rows) if table.endswith("csv") else json.dumps(rows, ensure_ascii=False)
    contents = {name: note(k) for k, name in enumerate(NAMES)}
    folder = fill(folder_of(tmp_path), contents, mark + text.encode(), table)
    out = tmp_path / "bank.parquet"
    assert run(["bank", "import", "folder", str(folder), "--out", str(out), *at_rate()]) == 0
    sounds = read_bank(out).by_id
    assert {sounds[Path(name).stem].source: Path(name).stem for name in NAMES} == {
        text: Path(name).stem for name, text in zip(NAMES, sources, strict=True)
    }
    assert all(sound.attributes["octave"] == 4 for sound in sounds.values())


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_blank_lines_and_unnamed_columns_are_no_fault(tmp_path, ending):
    text = (HEADER.replace("\r\n", ",,\r\n") + "\r\n" + GOOD.replace("\r\n", ",,\r\n") + "\r\n").replace("\r\n", ending)
    folder = fill(folder_of(tmp_path), {"x.wav": note()}, text.encode(), "table.csv")
    out = tmp_path / "bank.parquet"
    assert run(["bank", "import", "folder", str(folder), "--out", str(out), *at_rate()]) == 0
    assert read_bank(out).by_id["x"].source == "me"


# --- YAML -------------------------------------------------------------------------------------------------------------

BAD_YAML = {
    "aliases": (LAUGHS, ":2: found an alias"),
    "levels without end": ("name: " + "[" * 40 + "]" * 40, ":1: found more than 32 levels"),
    "mappings without end": ("{a: " * 5000 + "1" + "}" * 5000, ":1: found more than 32 levels"),
    "50 MB": ("name: x\n" * 6_250_000, ": size: found more than 100,000 bytes"),
    "empty": ("", ":1: found no mapping"),
    "a date that is none": ("seed: !!timestamp x", ":1: seed: found x, expected what its tag"),
    "a number that is none": ("seed: !!int ''", ":1: seed: found , expected what its tag"),
    "a truth that is none": ("seed: !!bool perhaps", ":1: seed: found perhaps, expected what its tag"),
    "a number beyond floats": (f"seed: {'1:' * 400}0.5", ":1: seed: found 1:1"),
    "a number that Python does not print": (f"seed: 0x{'f' * 5000}", ":1: seed: found 0xfff"),
    "a tag with a line break": ("seed: !%0A x", ":1: seed: could not determine a constructor for the tag '!\\n'"),
    "a key with a line break": ('"se\\ned": 1', ":1: a key: found 'se\\ned', expected text of one line"),
    "a key with a line break, twice": ('"se\\ned": 1\n"se\\ned": 2', ":1: a key: found 'se\\ned'"),
    "half a surrogate pair": ('name: "\\ud800"', ":1: not valid YAML: found invalid Unicode character escape code"),
    "a colour for the terminal": ('name: "\\e[31m"', ":1: name: found '\\x1b[31m', expected text of one line"),
    "a mapping as a key": ("{a: 1}: 2", ":1: a key: found a list or a mapping"),
}


@pytest.mark.parametrize("kind", BAD_YAML)
@pytest.mark.parametrize("use", ["config", "domain"])
def test_hostile_yaml(refused, tmp_path, use, kind):
    text, reason = BAD_YAML[kind]
    path = tmp_path / f"{use}.yaml"
    path.write_text(text, encoding="utf-8")
    line = refused("scenes", "--config", path) if use == "config" else of_domain(refused, tmp_path)
    assert line.startswith(f"{path}{reason}")
    assert len(line) < 400


def of_domain(refused: Callable[..., str], tmp_path: Path) -> str:
    """The line that a domain's folder gives, the same in the two commands that make something of it."""
    lines = [
        refused("scenes", "--domain", tmp_path),
        refused("bank", "import", "clear", tmp_path, "--domain", tmp_path),
    ]
    assert lines[0] == lines[1]
    return lines[0]


@pytest.mark.parametrize("use", ["config", "domain"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "self-loop"])
def test_yaml_that_is_no_file(refused, tmp_path, use, kind):
    path = tmp_path / f"{use}.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    line = refused("scenes", "--config", path) if use == "config" else of_domain(refused, tmp_path)
    assert line.startswith(str(path if use == "config" else tmp_path))
    assert path.name in line


def test_numbers_that_tables_cannot_hold(refused, tmp_path):
    (tmp_path / "domain.yaml").write_text(PACKAGED.replace("[1, 2, 3, 4, 5, 6, 7]", "[1, 2, 3000000000]"))
    assert ": attributes.octave.values.2: found 3000000000, expected: " in of_domain(refused, tmp_path)


def test_a_domain_as_large_as_allowed_is_read(tmp_path):
    comment = "# " + "x" * (MAX_YAML_BYTES - len(PACKAGED.encode()) - 3) + "\n"
    (tmp_path / "domain.yaml").write_text(comment + PACKAGED, encoding="utf-8")
    assert (tmp_path / "domain.yaml").stat().st_size == MAX_YAML_BYTES
    folder = fill(folder_of(tmp_path), {"x.wav": note()})
    arguments = [
        "bank",
        "import",
        "clear",
        folder,
        "--domain",
        tmp_path,
        "--out",
        tmp_path / "bank.parquet",
        *at_rate(),
    ]
    assert run([str(argument) for argument in arguments]) == 0
