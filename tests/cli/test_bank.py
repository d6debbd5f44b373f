"""``clear-gen bank``: exit codes, messages of one line, help with examples, and nothing overwritten or left behind."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click import Command, Option

from clear_gen.cli import run
from clear_gen.cli.banks import bank as bank_group
from clear_gen.core.files import content_path
from clear_gen.sounds import synthesis
from clear_gen.sounds.bank import build_bank, read_bank, write_bank
from clear_gen.sounds.importers.good_sounds import origin
from tests.sounds import ATTRIBUTES, RATE, fill, note_samples, rows_for, scale
from tests.sounds.importers.good_sounds_tree import write_tree

HELP_CPU_S = 0.3
COMMANDS: dict[str, Command] = bank_group.commands


class Result:
    """What a run of the command line came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def message(self) -> str:
        """The one line on stderr, in our form or in click's after its usage."""
        lines = self.err.strip().splitlines()
        if lines[0].startswith("Usage: "):
            return "\n".join(lines[next(k for k, line in enumerate(lines) if line.startswith("Error: ")) :])
        assert len(lines) == 1
        assert lines[0].startswith(("clear-gen: ", "Error: "))
        return lines[0]


@pytest.fixture
def cli(capsys):
    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two recordings that nothing is wrong with."""
    files = {f"{k}.wav": note_samples(seed=k, duration_s=1.3, level=0.1 + 0.1 * k) for k in range(2)}
    return fill(tmp_path / "recordings", files)


@pytest.fixture
def bank_file(tmp_path) -> Path:
    path = tmp_path / "bank.parquet"
    write_bank(build_bank(scale(6), "clear2", ATTRIBUTES), path)
    return path


def rate() -> tuple[str, int]:
    return "--sample-rate", RATE


def domain_with(folder: Path, changes: dict[str, str]) -> Path:
    """A domain folder: clear2 with ``changes`` to its text."""
    text = (content_path("templates", "clear2") / "domain.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    folder.mkdir()
    (folder / "domain.yaml").write_text(text, encoding="utf-8")
    return folder


# --- import -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["clear", "folder"])
def test_import_writes_the_bank_and_says_what_is_in_it(cli, folder, tmp_path, format_):
    out = tmp_path / "new" / "bank.parquet"
    result = cli("bank", "import", format_, folder, "--out", out, *rate())
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("2 sounds, clear2, 16000 Hz")
    assert f"clear-gen bank verify {out}" in result.out
    assert list(out.parent.iterdir()) == [out]
    assert [sound.sound_id for sound in read_bank(out).sounds] == ["0", "1"]


def test_import_refuses_to_overwrite_unless_told(cli, folder, tmp_path):
    out = tmp_path / "bank.parquet"
    out.write_bytes(b"precious")
    result = cli("bank", "import", "clear", folder, "--out", out, *rate())
    assert result.code == 2
    assert "--overwrite" in result.message
    assert str(out) in result.message
    assert out.read_bytes() == b"precious"
    assert cli("bank", "import", "clear", folder, "--out", out, *rate(), "--overwrite").code == 0
    assert len(read_bank(out).sounds) == 2


def test_a_dry_run_counts_the_sounds_and_writes_nothing(cli, folder, tmp_path):
    out = tmp_path / "bank.parquet"
    result = cli("bank", "import", "clear", folder, "--out", out, *rate(), "--dry-run")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("2 sounds, clear2, 16000 Hz")
    assert "next:" not in result.out
    assert not out.exists()
    out.write_bytes(b"precious")
    assert cli("bank", "import", "clear", folder, "--out", out, *rate(), "--dry-run").code == 2


def test_a_failed_import_leaves_the_old_bank_even_when_told_to_overwrite(cli, folder, tmp_path):
    out = tmp_path / "bank.parquet"
    out.write_bytes(b"precious")
    (folder / "1.wav").write_bytes(b"")
    assert cli("bank", "import", "clear", folder, "--out", out, *rate(), "--overwrite").code == 2
    assert out.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.parquet", "recordings"]


def bad_samples(kind: str) -> np.ndarray:
    samples = note_samples(duration_s=1.3)
    if kind == "silent":
        return 0 * samples
    if kind == "short":
        return samples[: RATE // 10]
    if kind == "no samples":
        return samples[:0]
    samples[1000:1010] = {"clipped": 1.0, "NaN": np.nan, "Inf": np.inf}[kind]
    return samples


@pytest.mark.parametrize("format_", ["clear", "folder"])
@pytest.mark.parametrize("kind", ["silent", "clipped", "NaN", "Inf", "short", "no samples"])
def test_one_unusable_recording_is_named_and_nothing_is_written(cli, folder, tmp_path, format_, kind):
    fill(folder, {"bad.wav": bad_samples(kind)}, rows_for("0.wav", "bad.wav", "1.wav"))
    out = tmp_path / "out" / "bank.parquet"
    result = cli("bank", "import", format_, folder, "--out", out, *rate())
    assert (result.code, result.out) == (2, "")
    assert result.message.startswith(f"clear-gen: {folder / 'bad.wav'}: ")
    assert not out.parent.exists() or list(out.parent.iterdir()) == []
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (rows_for("0.wav", "1.wav", "0.wav"), "0"),
        (rows_for("0.wav", "1.wav", note="H"), "0.wav"),
        (rows_for("0.wav", "../x.wav"), "../x.wav"),
        (rows_for("0.wav", "missing.wav"), "missing.wav"),
        ("[", "elementary_sounds.json:1"),
    ],
)
def test_a_wrong_table_is_an_error_of_one_line_and_nothing_is_written(cli, folder, tmp_path, rows, named):
    fill(folder, {}, rows)
    result = cli("bank", "import", "clear", folder, "--out", tmp_path / "bank.parquet", *rate())
    assert (result.code, result.out) == (2, "")
    assert named in result.message
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_name_with_line_breaks_does_not_break_the_message(cli, folder, tmp_path):
    fill(folder, {}, rows_for("first\nsecond.wav"))
    assert "second.wav" in cli("bank", "import", "clear", folder, "--out", tmp_path / "x", *rate()).message


def test_the_seed_and_the_range_of_lengths_are_those_of_the_options(cli, folder, tmp_path):
    banks = {}
    for seed in (1, 2):
        out = tmp_path / f"{seed}.parquet"
        options = ("--seed", seed, "--duration", 0.4, 0.6, *rate())
        assert cli("bank", "import", "folder", folder, "--out", out, *options).code == 0
        banks[seed] = [sound.duration_s for sound in read_bank(out).sounds]
        assert all(0.4 <= duration <= 0.6 for duration in banks[seed])
    assert banks[1] != banks[2]


def test_labels_from_gives_the_thresholds_of_the_training_bank(cli, folder, bank_file, tmp_path):
    out = tmp_path / "test.parquet"
    assert cli("bank", "import", "folder", folder, "--out", out, "--labels-from", bank_file, *rate()).code == 0
    assert read_bank(out).thresholds == read_bank(bank_file).thresholds


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_counts_sounds_by_instrument_and_label(cli, bank_file):
    result = cli("bank", "show", bank_file)
    assert (result.code, result.err) == (0, "")
    bank = read_bank(bank_file)
    labels = [(name, label) for name in ("brightness", "loudness") for label in (*ATTRIBUTES[name].values, None)]
    counts = [sum(sound.attributes[name] == label for sound in bank.sounds) for name, label in labels]
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines() if line.strip()}
    assert rows["all"] == rows["cello"] == [str(number) for number in (len(bank.sounds), *counts)]
    assert "CC0-1.0: player: test (6)" in result.out


def test_show_writes_a_page(cli, bank_file, tmp_path):
    page = tmp_path / "page.html"
    assert cli("bank", "show", bank_file, "--out", page).code == 0
    assert "note-3" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.parquet", "page.html"]


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_of_a_clean_bank_is_done(cli, bank_file):
    result = cli("bank", "verify", bank_file)
    assert (result.code, result.err) == (0, "")
    assert "6 sounds" in result.out


def test_verify_with_findings_has_failed_and_lists_them(cli, bank_file):
    bank = read_bank(bank_file)
    wrong = replace(bank.sounds[0], attributes={**bank.sounds[0].attributes, "instrument": "kazoo"})
    write_bank(replace(bank, sounds=(wrong, *bank.sounds[1:])), bank_file)
    result = cli("bank", "verify", bank_file)
    assert result.code == 1
    assert f"domain: train {wrong.sound_id}: instrument: found 'kazoo'" in result.out
    assert str(bank_file) in result.message


def test_verify_of_a_bank_against_itself_finds_every_sound_leaked(cli, bank_file):
    result = cli("bank", "verify", bank_file, bank_file)
    assert result.code == 1
    assert result.out.count("leak: test ") == 6


def test_verify_of_a_damaged_bank_has_failed(cli, bank_file):
    data = bytearray(bank_file.read_bytes())
    data[len(data) // 3] ^= 0xFF
    bank_file.write_bytes(data)
    result = cli("bank", "verify", bank_file)
    assert (result.code, result.out) == (1, "")
    assert str(bank_file) in result.message


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_missing_file_is_wrong_input(cli, bank_file, tmp_path, command):
    result = cli("bank", command, tmp_path / "missing.parquet")
    assert result.code == 2
    assert "missing.parquet" in result.message
    if command == "verify":
        assert cli("bank", "verify", bank_file, tmp_path / "missing.parquet").code == 2


OTHER_ATTRIBUTES = {
    "a measured one more": {
        "  loudness: {": "  sheen: {measure: brightness, low: dull, high: shiny, dead_zone: 1.0}\n  loudness: {"
    },
    "a measured one renamed": {"brightness: {": "gloss: {", "attribute: brightness": "attribute: gloss"},
    "a given one more": {"  instrument: {": "  player: {values: [x, y]}\n  instrument: {"},
    "a given one renamed": {"  instrument: {": "  timbre: {", "attribute: instrument": "attribute: timbre"},
}


@pytest.mark.parametrize("command", ["verify", "show"])
@pytest.mark.parametrize("kind", OTHER_ATTRIBUTES)
def test_a_domain_with_other_attributes_than_the_bank_ends_in_a_message(cli, bank_file, tmp_path, command, kind):
    domain = domain_with(tmp_path / "domain", OTHER_ATTRIBUTES[kind])
    result = cli("bank", command, bank_file, "--domain", domain)
    assert result.code in (1, 2)
    assert result.message


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_help_of_every_command_has_an_example_that_names_it(cli, name):
    result = cli("bank", name, "--help")
    assert (result.code, result.err) == (0, "")
    assert "Example" in result.out
    assert "clear-gen bank" in result.out.split("Example")[1]


def test_every_option_has_a_help():
    for name, command in COMMANDS.items():
        options = [parameter for parameter in command.params if isinstance(parameter, Option)]
        assert [(name, option.name) for option in options if not option.help] == []


def test_the_help_of_the_group_lists_every_command(cli):
    out = cli("bank", "--help").out
    assert {"import", "show", "verify", "default"} <= set(COMMANDS)
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["bank", "nothing"],
        ["bank", "import"],
        ["bank", "import", "mp3", "folder", "--out", "x"],
        ["bank", "import", "clear", "folder"],
        ["bank", "import", "clear", "folder", "--out", "x", "--sample-rate", "1"],
        ["bank", "import", "clear", "folder", "--out", "x", "--sample-rate", "fast"],
        ["bank", "import", "clear", "folder", "--out", "x", "--seed", "-1"],
        ["bank", "import", "folder", "folder", "--out", "x", "--duration", "1"],
        ["bank", "verify"],
        ["bank", "verify", "a", "b", "c"],
        ["bank", "show", "--nothing"],
        ["bank", "default", "surplus"],
    ],
)
def test_wrong_usage_has_code_2_and_one_message(cli, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.message
    assert list(tmp_path.iterdir()) == []


def test_a_domain_that_does_not_exist_is_wrong_input_and_names_those_that_do(cli, folder, tmp_path):
    result = cli("bank", "import", "clear", folder, "--out", tmp_path / "x", "--domain", "clear3", *rate())
    assert result.code == 2
    assert "clear3" in result.message
    assert "clear2" in result.message


def test_an_out_file_that_cannot_be_written_is_an_error_of_one_line(cli, folder, tmp_path):
    for out in (folder / "0.wav" / "bank.parquet", folder):
        result = cli("bank", "import", "clear", folder, "--out", out, "--overwrite", *rate())
        assert result.code in (1, 2)
        assert result.message
        assert sorted(path.name for path in tmp_path.iterdir()) == ["recordings"]


def test_default_prints_two_banks_that_are_there(cli):
    result = cli("bank", "default")
    assert (result.code, result.err) == (0, "")
    paths = [Path(path) for path in result.out.split()]
    assert [path.is_file() for path in paths] == [True, True]
    train, test = (read_bank(path) for path in paths)
    assert train.thresholds == test.thresholds
    assert cli("bank", "default").out == result.out


@pytest.fixture
def quick_synthesis(monkeypatch, tmp_path):
    """Default banks of a few sounds, in a cache of their own."""
    monkeypatch.setattr(synthesis, "synthesise", lambda _: scale(6))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("quick_synthesis")
def test_a_default_bank_that_was_damaged_is_made_again(cli):
    path = Path(cli("bank", "default").out.split()[0])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert cli("bank", "default").code == 0
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("quick_synthesis")
def test_default_says_so_where_the_cache_cannot_be_written(cli, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    result = cli("bank", "default")
    assert (result.code, result.out) == (1, "")
    assert "cannot be written" in result.message


def test_good_sounds_for_train_and_test_by_other_players_and_microphones(cli, tmp_path):
    write_tree(tmp_path / "corpus", "sqlite")
    importing = ["bank", "import", "good-sounds", tmp_path / "corpus"]
    train = ["--player", "almudena", "--player", "nico", "--microphone", "neumann", "--out", tmp_path / "train"]
    others = ["--player", "zoë", "--player", "Smith, John", "--labels-from", tmp_path / "train"]
    assert cli(*importing, *train).code == 0
    result = cli(*importing, *others, "--microphone", "akg", "--out", tmp_path / "test")
    assert result.code == 0
    assert "CC-BY-SA-4.0: Good-Sounds, player zoë, microphone akg, pack flute_zoë_sesión (3)" in result.out
    origins = [
        {origin(sound.source)[field] for sound in read_bank(tmp_path / side).sounds}
        for field in ("player", "microphone")
        for side in ("train", "test")
    ]
    assert origins == [{"almudena", "nico"}, {"zoë", "Smith, John"}, {"neumann"}, {"akg"}]
    assert cli("bank", "verify", tmp_path / "train", tmp_path / "test").code == 0


@pytest.mark.parametrize(
    ("chosen", "shared"),
    [
        (["--player", "zoë", "--microphone", "akg"], "microphone akg"),
        (["--microphone", "neumann"], "player almudena"),
    ],
)
def test_a_test_bank_of_a_player_or_microphone_of_the_training_bank_is_refused(cli, tmp_path, chosen, shared):
    write_tree(tmp_path / "corpus", "json")
    importing = ["bank", "import", "good-sounds", tmp_path / "corpus"]
    train = ["--player", "almudena", "--microphone", "akg", "--out", tmp_path / "train"]
    assert cli(*importing, *train).code == 0
    result = cli(*importing, *chosen, "--labels-from", tmp_path / "train", "--out", tmp_path / "test")
    assert (result.code, result.out) == (2, "")
    assert shared in result.message
    assert not (tmp_path / "test").exists()


def test_a_player_on_both_sides_is_found_by_verify_and_refused_by_scenes(cli, tmp_path):
    write_tree(tmp_path / "corpus", "sqlite")
    importing = ["bank", "import", "good-sounds", tmp_path / "corpus", "--instrument", "flute"]
    assert cli("bank", "import", "good-sounds", tmp_path / "corpus", "--out", tmp_path / "labels").code == 0
    for side, microphone in (("train", "neumann"), ("test", "akg")):
        chosen = ["--player", "almudena", "--microphone", microphone]
        bank = read_bank(tmp_path / "labels")
        assert cli(*importing, *chosen, "--out", tmp_path / side).code == 0
        write_bank(replace(read_bank(tmp_path / side), thresholds=bank.thresholds), tmp_path / side)
    result = cli("bank", "verify", tmp_path / "train", tmp_path / "test")
    assert result.code == 1
    assert "origin: test player almudena: is in the training bank as well" in result.out
    banks = ["--bank", tmp_path / "train", "--test-bank", tmp_path / "test"]
    result = cli("scenes", *banks, "--n", "10", "--out", tmp_path / "data")
    assert result.code == 2
    assert "player almudena" in result.message
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("format_", "option"),
    [
        ("clear", ["--seed", "1"]),
        ("folder", ["--player", "nico"]),
        ("good-sounds", ["--presets", "x"]),
        ("soundfont", ["--table", "x"]),
    ],
)
def test_an_option_of_another_format_is_refused(cli, folder, tmp_path, monkeypatch, format_, option):
    monkeypatch.chdir(tmp_path)
    Path("x").touch()
    result = cli("bank", "import", format_, folder, "--out", tmp_path / "y", *option)
    assert (result.code, result.out) == (2, "")
    assert f"{option[0]}: found with format {format_}" in result.message


def test_a_soundfont_needs_a_licence(cli, tmp_path):
    (tmp_path / "x.sf2").touch()
    result = cli("bank", "import", "soundfont", tmp_path / "x.sf2", "--out", tmp_path / "x")
    assert result.code == 2
    assert "expected --licence NAME" in result.message


def test_help_costs_little_cpu():
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "clear_gen", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < HELP_CPU_S
