"""Whoever publishes recordings of unknown licence is told which, and how many, by every command that publishes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from baselines.cli import run as bench
from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.datasets.redistribution import is_unknown
from clear_gen.datasets.scenes.kind import ScenesKind
from clear_gen.mixtures.recordings.corpus import UNSTATED
from tests.datasets.runs import make_scenes, small_banks
from tests.mixtures.data import make, small_settings, write_corpus


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mixtures of recordings that no table describes: nine events, six backgrounds."""
    folder = tmp_path_factory.mktemp("mixtures")
    write_corpus(folder)
    return make(folder / "data", folder, small_settings(1, snrs=(0.0,), stems=False))


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings about licences so far; forgets them."""
    lines = [record.getMessage() for record in caplog.records if "licence" in record.getMessage()]
    caplog.clear()
    return lines


@pytest.mark.parametrize("command", [["publish", "--dry-run"], ["explore", "--export"]])
def test_mixtures(command: list[str], mixtures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name, *options = command
    out = [str(tmp_path / "page")] if name == "explore" else []
    assert run([name, str(mixtures), *options, *out]) == DONE
    under, events = warned(caplog)
    assert "backgrounds.parquet: licence unknown for 6 of 6 recordings (0.wav, 1.wav, 2.wav and 3 more)" in under
    assert "events.parquet: licence unknown for 9 of 9 recordings (bell/0.wav, bell/1.wav, bell/2.wav and 6" in events


def test_what_ships_no_audio_needs_no_licence(mixtures: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(["publish", str(mixtures), "--dry-run", "--without-audio"]) == DONE
    assert warned(caplog) == []


def test_scenes_name_the_sources_of_their_banks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train, test = small_banks()["train"], small_banks()["test"]
    sounds = (*(replace(one, licence=" Unknown", source="field trip") for one in train.sounds[:2]), *train.sounds[2:])
    folder = make_scenes(
        tmp_path, "--n", "4", banks={"train": replace(train, sounds=sounds), "test": test}, audio=False
    )
    assert run(["publish", str(folder), "--dry-run"]) == DONE
    (line,) = warned(caplog)
    assert "bank/train.parquet: licence unknown for 2 of 40 recordings (field trip); --without-audio ships" in line


def test_licences_that_are_known(twelve: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(["publish", str(twelve), "--dry-run"]) == DONE
    assert warned(caplog) == []


def test_imported_scenes(twelve: Path) -> None:
    manifest = json.loads((twelve / "clear.json").read_text())
    for licence, n_lines in ((None, 1), ("unknown", 1), ("CC-BY-4.0", 0)):
        manifest["identity"]["imported"] = {"name": "CLEAR", "licence": licence, "audio_files": {"n": 12}}
        lines = ScenesKind().unlicensed(twelve, {**manifest, "files": {}})
        assert len(lines) == n_lines
        assert all(line.endswith("licence unknown for 12 scenes of CLEAR") for line in lines)


def untrained_run(folder: Path, data: str) -> Path:
    """The files of a run on ``data`` that are published."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"task": "aqa", "model": "film", "data": data}))
    for name in ("features.json", "tokenizer.json"):
        (folder / name).write_text("{}\n")
    save_file({"weight": np.arange(5.0)}, folder / "model.safetensors")
    return folder


def test_a_run_names_the_recordings_it_was_trained_on(
    mixtures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert bench(["publish", str(untrained_run(tmp_path / "run", str(mixtures))), "--dry-run"]) == DONE
    assert [line.startswith(f"trained on {mixtures}/sources/") for line in warned(caplog)] == [True, True]
    assert bench(["publish", str(untrained_run(tmp_path / "other", "some/where/else")), "--dry-run"]) == DONE
    assert warned(caplog) == []


@pytest.mark.parametrize("licence", ["", None, "UNKNOWN", " n/a ", UNSTATED])
def test_what_names_no_licence(licence: str | None) -> None:
    assert is_unknown(licence)


@pytest.mark.parametrize("licence", ["CC0-1.0", "by the recordist"])
def test_what_names_one(licence: str) -> None:
    assert not is_unknown(licence)
