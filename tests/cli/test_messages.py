"""What every command says about a path that is not there, a name that is misspelt, and what is wrong first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from baselines.cli import cli as bench_cli
from baselines.cli import run as clear_bench
from clear_gen.cli import cli as gen_cli
from clear_gen.cli import run as clear_gen
from clear_gen.cli.common import WRONG_INPUT
from clear_gen.sounds.bank import write_bank
from tests.banks import tone_bank

COMMANDS: dict[str, tuple[Callable[[list[str]], int], click.Group]] = {
    "clear-gen": (clear_gen, gen_cli),
    "clear-bench": (clear_bench, bench_cli),
}
WRITTEN = {"--out", "--json", "--cache", "--export", "OUT"}  # paths that a command makes
Said = Callable[..., str]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run a command that must be refused, in an empty folder: its last line on stderr; it has written nothing."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        assert COMMANDS[arguments[0]][0](list(arguments[1:])) == WRONG_INPUT
        assert sorted(tmp_path.rglob("*")) == before
        return capsys.readouterr().err.splitlines()[-1]

    return call


# --- paths ------------------------------------------------------------------------------------------------------------


def leaves(command: click.Command, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from leaves(one, *names, name)
    else:
        yield names, command


def paths_to_read() -> Iterator[list[str]]:
    """Command lines that give a path that is not there for one parameter, and nothing behind it."""
    for program, (_, group) in COMMANDS.items():
        for names, command in leaves(group):
            before: list[str] = []
            for parameter in command.params:
                is_argument = isinstance(parameter, click.Argument)
                label = (parameter.metavar or "") if is_argument else parameter.opts[0]
                if isinstance(parameter.type, click.Path) and label not in WRITTEN:
                    yield [program, *names, *(before if is_argument else [label]), "nowhere/it"]
                if is_argument:
                    before.append(parameter.type.choices[0] if isinstance(parameter.type, click.Choice) else ".")


@pytest.mark.parametrize("arguments", [*paths_to_read()], ids=" ".join)
def test_a_path_that_is_not_there_is_said_not_to_be_there(said: Said, arguments: list[str]) -> None:
    assert said(*arguments).startswith(f"{arguments[0]}: nowhere/it: not found, expected ")


def test_many_paths_are_read() -> None:
    assert len(list(paths_to_read())) > 40


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clear-gen", "sceens"], "Did you mean 'scenes'?"),
        (["clear-gen", "scenes", "--sed", "3"], "'--seed'"),
        (["clear-gen", "scenes", "--levels", "independant"], "(did you mean independent?)"),
        (["clear-gen", "scenes", "--domain", "claer2"], "found 'claer2' (did you mean clear2?)"),
        (["clear-gen", "templates", "lint", "--domain", "enviromental"], "(did you mean environmental?)"),
        (["clear-gen", "mix", "--recipe", "kong2008"], "(did you mean kong2018?)"),
        (["clear-gen", "mix", "--snr-measure", "lfus"], "(did you mean lufs?)"),
        (["clear-gen", "bank", "import", "fodler"], "(did you mean folder?)"),
        (["clear-gen", "corpus", "check", "tau2091"], "(did you mean tau2019?)"),
        (["clear-gen", "export", ".", "out", "--format", "audio-folder"], "(did you mean audiofolder?)"),
        (["clear-bench", "train", "--schedule", "cosin"], "(did you mean cosine?)"),
        (["clear-bench", "train", "--source", "virtaul"], "(did you mean virtual?)"),
        (["clear-bench", "train", "--preset", "tyni", "--out", "run"], "(did you mean tiny?)"),
        (["clear-bench", "models", "--task", "aqua"], "(did you mean aqa?)"),
    ],
)
def test_the_nearest_name_is_given(said: Said, arguments: list[str], message: str) -> None:
    assert message in said(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("split: [1, 0, 0]\n", ":1: split: found [1, 0, 0], expected: no such field; did you mean splits?"),
        ("n: 5\nsampling: {sounds: {min: 5, high: 8}}\n", ":2: sampling.sounds.high: found 8, expected: no such field"),
        (
            "n: 5\nsampling: {sonds: {min: 5, max: 8}}\n",
            ":2: sampling.sonds: found a mapping of min, max, expected: no",
        ),
        ("levels: independant\n", ":1: levels: found 'independant', expected: 'recorded' or 'independent' (did you"),
        ("seed: -1\nsplits: [1]\nnn: 3\n", ":1: seed: found -1, expected: at least 0 (and 3 more)"),
    ],
)
def test_a_configuration_is_wrong_where_its_first_line_is_wrong(said: Said, text: str, message: str) -> None:
    Path("c.yaml").write_text(text)
    assert said("clear-gen", "scenes", "--config", "c.yaml").startswith(f"clear-gen: c.yaml{message}")


# --- what is wrong first ----------------------------------------------------------------------------------------------


def test_a_bank_is_read_before_another_is_missed(said: Said) -> None:
    Path("broken.parquet").write_text("no bank")
    assert "broken.parquet: not a readable" in said("clear-gen", "scenes", "--bank", "broken.parquet")
    assert "broken.parquet: not a readable" in said("clear-gen", "scenes", "--test-bank", "broken.parquet")
    write_bank(tone_bank(), Path("bank.parquet"))
    assert "--test-bank: found none" in said("clear-gen", "scenes", "--bank", "bank.parquet")
    assert "--bank: found none" in said("clear-gen", "scenes", "--test-bank", "bank.parquet")
