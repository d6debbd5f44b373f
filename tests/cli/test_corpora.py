"""``clear-gen corpus``: exit codes, messages of one line, help with examples."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click import Choice, Option

from clear_gen.cli import run
from clear_gen.cli.corpora import corpus as corpus_group
from clear_gen.mixtures.recordings.corpora import CORPORA
from tests.mixtures.recordings import corpora_trees as trees

COMMANDS = corpus_group.commands


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line against corpora of the size of the trees: exit code, stdout, stderr."""
    trees.small_figures(monkeypatch)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def zenodo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.write_tree(tmp_path_factory.mktemp("zenodo"), "zenodo")


def test_a_whole_copy_is_done_and_the_licence_is_said(cli, zenodo):
    code, out, err = cli("corpus", "check", "fsdkaggle2018", zenodo)
    assert (code, err) == (0, "")
    rows = {line.rsplit(maxsplit=2)[0]: line.split()[-2:] for line in out.splitlines()[2:-2]}
    assert rows["verified"] == ["3", "3"]
    assert rows["test recordings"] == ["2", "2"]
    assert "licence: Creative Commons" in out
    assert "may be published" in out
    assert cli("corpus", "check", "fsdkaggle2018", zenodo, "--decode") == (code, out, err)


def test_scenes_must_not_be_given_away(cli, tmp_path):
    trees.write_tree(tmp_path / "scenes", "tut2018")
    code, out, _ = cli("corpus", "check", "tut2018", tmp_path / "scenes")
    assert code == 0
    assert "licence: Tampere University, non-commercial" in out
    assert "must not be published" in out


@pytest.mark.parametrize("number", [1, 2])
def test_problems_are_listed_and_the_check_has_failed(cli, zenodo, tmp_path, number):
    folder = trees.linked(zenodo, tmp_path / "corpus")
    for name in ("001ca53d.wav", "002d256b.wav")[:number]:
        (folder / trees.WAVS / name).unlink()
    code, out, err = cli("corpus", "check", "fsdkaggle2018", folder)
    assert code == 1
    assert out.count("\nmissing: ") == number
    assert f"missing: {folder / trees.WAVS / '001ca53d.wav'}: not found, expected by {folder / trees.META}:4" in out
    assert err == f"clear-gen: {number} problem{'s' * (number > 1)} in {folder}\n"
    assert "licence: " in out


def test_decode_reads_every_sample(cli, zenodo, tmp_path):
    folder = trees.linked(zenodo, tmp_path / "corpus")
    path = folder / trees.WAVS / "001ca53d.wav"
    data = bytearray(path.read_bytes())
    assert data[36:40] == b"data"
    data[40:44] = (len(data) - 44 + 1000).to_bytes(4, "little")  # more samples than there are, by one header of two
    path.unlink()
    path.write_bytes(data)
    assert cli("corpus", "check", "fsdkaggle2018", folder)[0] == 0
    code, out, _ = cli("corpus", "check", "fsdkaggle2018", folder, "--decode")
    assert code == 1
    assert f"audio: {path}: samples: found" in out


def test_another_corpus_than_said_has_failed_and_a_folder_that_is_not_there_is_wrong_input(cli, zenodo, tmp_path):
    assert cli("corpus", "check", "tau2019", zenodo)[0] == 1
    code, out, err = cli("corpus", "check", "tau2019", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert err.startswith(f"clear-gen: {tmp_path / 'nowhere'}: not found, expected a folder with TAU")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["corpus", "nothing"],
        ["corpus", "check"],
        ["corpus", "check", "tau2019"],
        ["corpus", "check", "tau2020", "folder"],
        ["corpus", "check", "tau2019", "folder", "more"],
        ["corpus", "check", "tau2019", "folder", "--nothing"],
    ],
)
def test_wrong_usage_has_code_2(cli, arguments):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_the_help_has_an_example_and_names_every_corpus(cli):
    code, out, _ = cli("corpus", "check", "--help")
    assert code == 0
    assert "clear-gen corpus check" in out.split("Example")[1]
    assert all(name in out for name in CORPORA)
    assert "\n  check " in cli("corpus", "--help")[1]
    assert "\n  corpus " in cli("--help")[1]
    assert all(option.help for option in COMMANDS["check"].params if isinstance(option, Option))


def test_the_names_are_those_that_there_are():
    (choice,) = [parameter.type for parameter in COMMANDS["check"].params if isinstance(parameter.type, Choice)]
    assert list(choice.choices) == list(CORPORA)


def test_the_help_waits_for_nothing_slow():
    script = "import sys; from clear_gen.cli import run; run(['corpus', 'check', '--help']); print(sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "'numpy'" not in modules
    assert "'soundfile'" not in modules
