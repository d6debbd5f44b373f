"""The page as a folder, and the command as a user types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

import clear_gen
from clear_gen.cli import run
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.explore.library import SITE_FILES, STATIC, site_file
from clear_gen.explore.server import Server
from tests.explore.conftest import getter


def test_the_folder_holds_what_the_server_says(heard: Path, serve: Callable[..., Server], tmp_path: Path) -> None:
    out, get = tmp_path / "page", getter(serve(heard))
    command = ["explore", str(heard), "--export", str(out), "--limit", "12"]
    assert run(command) == DONE
    lists = json.loads((out / "lists.json").read_text())
    assert len(lists["scenes"]) == 12
    assert {row["split"] for row in lists["scenes"]} == {"train", "validation", "test"}
    assert len(lists["questions"]) == 48
    kinds = {"records": "json", "audio": "flac", "spectrograms": "png"}
    for row in lists["scenes"]:
        for kind, suffix in kinds.items():
            address = f"{kind}/{row['record']}.{suffix}"
            assert (out / address).read_bytes() == get(f"/{address}").body
    assert len(list(out.rglob("*.flac"))) == 12
    for name in SITE_FILES:
        assert (out / name).read_bytes() == site_file(name, STATIC)
    about = json.loads((out / "dataset.json").read_text())
    assert about["facts"][0] == "12 of these here"
    card = (out / "README.md").read_text()
    assert "sdk: static" in card
    assert "license:" in card
    assert "## Source" in card
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert run([*command, "--overwrite"]) == DONE
    assert {path for path in before if not path.is_dir()} == {path for path in out.rglob("*") if path.is_file()}


def test_the_page_shows_the_split_that_was_predicted(heard: Path, tmp_path: Path) -> None:
    asked = clear_gen.open_dataset(heard).questions("test")
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question_id": asked[5].question_id, "answer": "yes"}) + "\n")
    command = ["explore", str(heard), "--predictions", str(tmp_path / "mine.jsonl"), "--limit", "10"]
    assert run([*command, "--export", str(tmp_path / "page")]) == DONE
    lists = json.loads((tmp_path / "page/lists.json").read_text())
    assert [row["split"] for row in lists["scenes"]] == ["test"] * 10
    assert {row["split"] for row in lists["questions"]} == {"test"}


def test_other_predictions_are_another_page(heard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--export", str(tmp_path / "page"), "--limit", "2"]
    assert run(["explore", str(heard), *out]) == DONE
    assert f"such as: python3 -m http.server --directory {tmp_path / 'page'}" in capsys.readouterr().out
    name = clear_gen.open_dataset(heard).questions("test")[0].question_id
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question_id": name, "answer": "yes"}) + "\n")
    assert run(["explore", str(heard), *out, "--predictions", str(tmp_path / "mine.jsonl")]) == DONE
    kept = sorted(path.stem for path in (tmp_path / "page/records/scenes").iterdir())
    assert len(kept) == 2
    assert all(name.startswith("test-") for name in kept)  # nothing is left of the first


def test_mixtures_come_with_all_their_snrs(mixed: Path, tmp_path: Path) -> None:
    assert run(["explore", str(mixed), "--export", str(tmp_path / "page"), "--limit", "8"]) == DONE
    rows = json.loads((tmp_path / "page/lists.json").read_text())["mixtures"]
    assert [row["config"] for row in rows] == ["mixtures-snr0"] * 4 + ["mixtures-snr10"] * 4
    for row in rows:
        record = json.loads((tmp_path / "page/records" / f"{row['record']}.json").read_text())
        for other in record["also"].values():
            assert (tmp_path / "page/records" / f"{other}.json").exists()


def test_no_audio_no_files_of_it(graphs: Path, tmp_path: Path) -> None:
    assert run(["explore", str(graphs), "--export", str(tmp_path / "page"), "--limit", "500"]) == DONE
    assert sorted(path.name for path in (tmp_path / "page").iterdir() if path.is_dir()) == ["records"]
    assert len(list((tmp_path / "page/records/scenes").iterdir())) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--limit", "3"], "--limit: found it without --export"),
        (["--overwrite"], "--overwrite: found it without --export"),
        (["--export", "x", "--port", "1"], "--port: found it with --export"),
        (["--export", "x", "--no-browser"], "--no-browser: found it with --export"),
        (["--port", "70000"], "70000"),
        (["--predictions", "no.jsonl"], "no.jsonl: not found"),
    ],
)
def test_mistakes(
    graphs: Path, heard: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explore", str(heard), *arguments]) == WRONG_INPUT
    assert said in capsys.readouterr().err
    assert not Path("x").exists()


def test_a_folder_in_use_and_datasets_that_are_none(
    heard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: object) -> str:
        capsys.readouterr()
        assert run(["explore", *map(str, arguments)]) == WRONG_INPUT
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clear-gen:")]
        return line

    (tmp_path / "mine.txt").write_text("mine")
    assert "found files in it" in refused(heard, "--export", tmp_path)
    assert "lies inside the dataset" in refused(heard, "--export", heard / "page")
    assert "found no dataset" in refused(tmp_path)
    broken = shutil.copytree(heard, tmp_path / "broken")
    path = broken / "scenes/test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    assert "test-00000-of-00001.parquet: not a readable Parquet file" in refused(broken)
    path.unlink()
    assert "not found" in refused(broken)
    (broken / "clear.json").write_text("{")
    assert "clear.json: not readable JSON" in refused(broken)


def test_the_command_serves_until_it_is_interrupted(graphs: Path) -> None:
    command = [sys.executable, "-m", "clear_gen", "explore", str(graphs), "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as process:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert url is not None
        with urllib.request.urlopen(f"{url[0]}dataset.json", timeout=20) as answer:
            assert json.load(answer)["lists"] == ["scenes"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == DONE
    assert "Traceback" not in out + err
