"""The dataset commands as a user types them: output, exit codes, one line per mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import clear_gen
from clear_gen.cli import cli, run
from clear_gen.cli.common import DONE, FAILED, INTERRUPTED, WRONG_INPUT
from clear_gen.core.errors import InputError
from clear_gen.sounds.bank import Bank, write_bank
from clear_gen.store import ray_pool

FEW = ["--n", "20", "--sample-rate", "8000", "--workers", "1"]


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_scenes_then_everything_one_does_with_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    assert run(["scenes", *FEW, "--out", str(out), "--no-audio"]) == DONE
    shown = capsys.readouterr()
    assert "train 14, validation 3, test 3 scenes" in shown.out
    assert f"clear-gen render {out}" in shown.out
    assert "20/20" in shown.err
    assert run(["render", str(out), "--workers", "1"]) == DONE
    assert f"clear-gen show {out}" in capsys.readouterr().out
    assert run(["show", str(out), "--scene", "test-000002", "--out", str(tmp_path / "scene.png")]) == DONE
    assert (tmp_path / "scene.png").stat().st_size > 10_000
    assert run(["finish", str(out)]) == DONE
    assert sum(1 for _ in clear_gen.open_dataset(out).scenes("train")) == 14


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["scenes", "--n", "50000", "--sample-rate", "8000", "--out", str(tmp_path / "data"), "--dry-run"]
    assert run([*arguments, "--num-shards", "4", "--shard-index", "1"]) == DONE
    shown = capsys.readouterr().out
    assert "50,000 scenes: train 35,000, validation 7,500, test 7,500" in shown
    assert "this shard: 11 files" in shown
    assert "scenes/train-00001-of-00030.parquet  1,200 scenes" in shown
    assert " GB in all" in shown
    assert tree(tmp_path) == set()


def test_dry_run_refuses_what_the_run_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["scenes", *FEW, "--out", str(tmp_path), "--no-audio"]
    assert run(command) == DONE
    before = tree(tmp_path)
    assert run([*command, "--dry-run"]) == DONE
    capsys.readouterr()
    assert run([*command, "--seed", "2", "--dry-run"]) == WRONG_INPUT
    assert "holds another dataset (seed: found 0, asked 2)" in capsys.readouterr().err
    assert run([*command, "--seed", "2", "--overwrite", "--dry-run"]) == DONE
    assert tree(tmp_path) == before


def test_overwrite_replaces_and_its_absence_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["scenes", *FEW, "--out", str(tmp_path), "--no-audio"]
    assert run([*command, "--seed", "1"]) == DONE
    first = [scene.graph for scene in clear_gen.open_dataset(tmp_path).scenes("train")]
    capsys.readouterr()
    assert run([*command, "--seed", "2"]) == WRONG_INPUT
    message = capsys.readouterr().err
    assert "seed: found 1, asked 2" in message
    assert message.count("\n") == 1
    assert [scene.graph for scene in clear_gen.open_dataset(tmp_path).scenes("train")] == first
    assert run([*command, "--seed", "2", "--overwrite"]) == DONE
    assert [scene.graph for scene in clear_gen.open_dataset(tmp_path).scenes("train")] != first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bank", "nowhere.parquet", "--splits", "1,0,0"], "nowhere.parquet: not found"),
        (["--bank", __file__, "--splits", "1,0,0"], "not a readable Parquet file"),
        (["--test-bank", "nowhere.parquet"], "nowhere.parquet: not found"),
        (["--test-bank", __file__], "not a readable Parquet file"),
        (["--bank", "nowhere.parquet"], "nowhere.parquet: not found"),
        (["--bank", __file__], "not a readable Parquet file"),
        (["--splits", "1,2"], "expected three numbers"),
        (["--splits", "0.5,0.5,0.5"], "--splits"),
        (["--n", "0"], "--n: found 0"),
        (["--n", "many"], "--n"),
        (["--levels", "loud"], "--levels"),
        (["--num-shards", "3", "--shard-index", "3"], "--shard-index: found 3, expected 0 to 2"),
        (["--num-shards", "3", "--overwrite"], "--overwrite: found with several shards"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: not found"),
        (["--address", "auto"], "--address: found without --engine ray"),
        (
            ["--domain", "bird_song"],
            "domain: found 'bird_song', expected a folder that holds a domain.yaml, or one of: clear2",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["scenes", "--out", str(tmp_path / "data"), *arguments]) == WRONG_INPUT
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1], error
    assert "Traceback" not in error
    assert tree(tmp_path) == set()


def test_ray_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ray_pool, "ray", None)
    assert run(["scenes", *FEW, "--out", str(tmp_path / "data"), "--engine", "ray"]) == WRONG_INPUT
    assert capsys.readouterr().err == (
        "clear-gen: --engine ray: needs Ray: pip install '.[ray]' in a checkout, "
        "pip install 'clear-gen[ray]' from a package index\n"
    )
    monkeypatch.setattr(ray_pool, "ray", object())
    address = ["--engine", "ray", "--address", "127.0.0.1:99999"]
    assert run(["scenes", *FEW, "--out", str(tmp_path / "data"), *address]) == WRONG_INPUT
    assert "--address: found 127.0.0.1:99999, expected a running Ray cluster" in capsys.readouterr().err
    assert tree(tmp_path) == set()


def test_unfinished_and_absent_datasets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["finish", str(tmp_path / "nothing")]) == WRONG_INPUT
    assert run(["render", str(tmp_path / "nothing")]) == WRONG_INPUT
    assert run(["scenes", *FEW, "--no-audio", "--out", str(tmp_path), "--num-shards", "2"]) == DONE
    assert "this shard is done, others are not" in capsys.readouterr().out
    assert run(["finish", str(tmp_path)]) == FAILED
    assert "1 of 3 files missing" in capsys.readouterr().err
    for command in ("show", "questions", "audit", "publish --dry-run", "export --format clear {out}", "validate"):
        name, *rest = command.format(out=tmp_path / "out").split()
        assert run([name, str(tmp_path), *rest]) == (FAILED if name == "validate" else WRONG_INPUT)
        line = capsys.readouterr().err.splitlines()[-1]
        assert f"{tmp_path}: found an unfinished dataset, expected a finished one; the clear-gen scenes" in line
    with pytest.raises(InputError, match="found an unfinished dataset"):
        clear_gen.open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("array", "files"),
    [
        ({"ID": "1", "COUNT": "3", "MIN": "1", "MAX": "3"}, {"scenes/train-00000-of-00001.parquet"}),
        ({"ID": "8", "COUNT": "3", "MIN": "4", "MAX": "8", "STEP": "2"}, {"scenes/test-00000-of-00001.parquet"}),
    ],
)
def test_slurm_array_tasks_are_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: dict[str, str], files: set[str]
) -> None:
    for name, value in array.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert run(["scenes", *FEW, "--no-audio", "--out", str(tmp_path)]) == DONE
    assert {name for name in tree(tmp_path) if name.startswith("scenes/")} == files


def test_banks_of_the_user(tmp_path: Path, embedded: dict[str, Bank]) -> None:
    for side, bank in embedded.items():
        write_bank(bank, tmp_path / f"{side}.parquet")
    banks = ["--bank", str(tmp_path / "train.parquet"), "--test-bank", str(tmp_path / "test.parquet")]
    assert run(["scenes", *FEW, *banks, "--no-audio", "--out", str(tmp_path / "data")]) == DONE
    for split, side in (("train", "train"), ("validation", "train"), ("test", "test")):
        scenes = clear_gen.open_dataset(tmp_path / "data").scenes(split)
        ids = {sound.sound_id for scene in scenes for sound in scene.graph.sounds}
        assert ids <= set(embedded[side].by_id)


def test_overwrite_leaves_what_else_lies_in_the_folder(tmp_path: Path) -> None:
    command = ["scenes", *FEW, "--out", str(tmp_path), "--no-audio"]
    assert run(command) == DONE
    (tmp_path / "scene.png").write_bytes(b"mine")
    assert run([*command, "--seed", "2", "--overwrite"]) == DONE
    assert (tmp_path / "scene.png").read_bytes() == b"mine"


def test_overwrite_with_rules_that_no_bank_can_satisfy_removes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "data"
    assert run(["scenes", *FEW, "--out", str(out), "--no-audio"]) == DONE
    before = tree(out)
    config = tmp_path / "config.yaml"
    config.write_text("sampling:\n  constraints: [{attribute: octave, values_at_least: 7, times_at_least: 5}]\n")
    assert run(["scenes", *FEW, "--out", str(out), "--no-audio", "--overwrite", "--config", str(config)]) == WRONG_INPUT
    assert tree(out) == before


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.nightly)])
def test_ctrl_c_exits_with_130_and_the_next_run_goes_on(tmp_path: Path, workers: str) -> None:
    command = [
        sys.executable,
        "-m",
        "clear_gen",
        "scenes",
        "--n",
        "600",
        "--sample-rate",
        "8000",
        "--out",
        str(tmp_path / "data"),
        "--workers",
        workers,
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "data" / ".partial").glob("*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    _, error = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in error
    assert error.strip().endswith("interrupted; run the same command again to go on")
    assert list((tmp_path / "data" / ".partial").glob("*.arrow"))


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == DONE
    text = capsys.readouterr().out
    assert "Example:" in text or name == "bank"
    assert "clear-gen" in text


def test_help_does_not_import_what_is_slow() -> None:
    script = (
        "import sys; from clear_gen.cli import run; run(['--help']); print({'numpy', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "set()"
