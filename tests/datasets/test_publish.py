"""Publishing over HTTP: the real client in processes of its own, against the Hub of ``tests.hub_server``.

Commands are forked from a process that has imported what publishing needs, except huggingface_hub: that reads its
variables when it is imported.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from safetensors.numpy import save_file

import clear_gen
from baselines.cli import run as bench
from baselines.core.publish import run_shipment
from baselines.core.results import write_results
from baselines.tasks.registry import TASKS
from clear_gen.cli import run
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.core.files import sha256_file
from clear_gen.core.parquet import open_parquet
from clear_gen.datasets.mixtures.build import create_mixtures
from clear_gen.mixtures.recordings.dcase_scenes import LICENCE as TAMPERE
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.sounds.bank import write_bank
from clear_gen.store.build import Execution
from tests.baselines.tasks.aqa.test_report import made as made_results
from tests.datasets.runs import Done, Runner, hashes, runner, small_banks, write_banks
from tests.hub_server import TOKEN, Fault, Hub, serving
from tests.mixtures.data import small_settings, write_corpus

FEW = ["--sample-rate", "8000", "--workers", "1"]
LATE = ("httpx2", "clear_gen.datasets.publish", "clear_gen.datasets.scenes.kind", "clear_gen.datasets.mixtures.kind")
LATE_OF_RUNS = ("httpx2", "baselines.core.publish", "baselines.tasks.registry", "baselines.tasks.aqa.task")
GENERATOR, BENCH = "clear_gen.cli", "baselines.cli"
PATIENCE_S = 300.0  # after which a command that hangs is killed


@dataclass
class Client:
    """A user's machine: where the Hub is, what runs commands there by program, the token, huggingface_hub's folder."""

    hub: Hub
    runners: dict[str, Runner]
    home: Path
    token: str | None = TOKEN

    @property
    def environment(self) -> dict[str, str]:
        """The variables that huggingface_hub reads."""
        found = {"HF_ENDPOINT": self.hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(self.home)}
        return found if self.token is None else {**found, "HF_TOKEN": self.token}

    def start(self, folder: Path, *options: str, program: str = GENERATOR) -> Runner:
        """Begin ``clear-gen publish``, or ``clear-bench publish``, to me/it."""
        limit = [(PATIENCE_S, signal.SIGKILL, False)]
        command = ("publish", str(folder), "--repo", "me/it", *options)
        self.runners[program].start(*command, environment=self.environment, signals=limit)
        return self.runners[program]

    def publish(self, folder: Path, *options: str, program: str = GENERATOR) -> Published:
        """The same, to its end."""
        self.hub.log.clear()
        before = len(self.hub.uploaded), len(self.hub.committed)
        return ended(self.start(folder, *options, program=program).result(), self, *before)

    def python(self, script: str, *arguments: str) -> str:
        """What a script prints, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env={**without_hub(os.environ), **self.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def without_hub(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that huggingface_hub does not read."""
    return {name: value for name, value in variables.items() if not name.startswith("HF_")}


@dataclass
class Published:
    """How a command ended, and what the Hub saw of it."""

    code: int
    out: str
    error: str
    requests: list[str] = field(repr=False)
    blobs: list[str]
    commits: list[list[str]]

    @property
    def said(self) -> str:
        """The last line that it printed."""
        return (self.error.strip() if self.code else self.out.strip()).splitlines()[-1]


def ended(done: Done, client: Client, n_blobs: int = 0, n_commits: int = 0) -> Published:
    """What a command came to; whatever it was, it shows no token and no traceback, and keeps no token."""
    out, error = done.out, done.err
    assert "Traceback" not in error
    for secret in filter(None, (client.token, TOKEN)):
        assert secret not in out + error
        assert client.token is None or not any(
            secret in path.read_text(errors="replace") for path in client.home.rglob("*") if path.is_file()
        )
    hub = client.hub
    found = Published(done.code, out, error, list(hub.log), hub.uploaded[n_blobs:], hub.committed[n_commits:])
    print(
        f"{len(found.requests)} requests, {len(found.blobs)} blobs, exit code {found.code}: {found.said}"
    )  # pytest -rP
    return found


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Runner]]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("runners")
        found = {
            GENERATOR: runner(folder / "generator", late=LATE),
            BENCH: runner(folder / "bench", BENCH, LATE_OF_RUNS),
        }
        yield {program: stack.enter_context(one) for program, one in found.items()}


@pytest.fixture
def client(runners: dict[str, Runner], tmp_path: Path) -> Iterator[Client]:
    with serving() as hub:
        yield Client(hub, runners, tmp_path / "home")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset with audio and questions; tests that alter it take a copy."""
    folder = tmp_path_factory.mktemp("publish")
    out = folder / "data"
    assert run(["scenes", "--n", "20", *FEW, "--out", str(out), *write_banks(folder)]) == DONE
    assert run(["questions", str(out), "--workers", "1"]) == DONE
    return out


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


def on_the_hub(hub: Hub, kind: str = "datasets", branch: str = "main") -> dict[str, bytes]:
    """The files of me/it, without the one that the Hub writes."""
    files = hub.repos[f"{kind}/me/it"].files(branch)
    assert files is not None
    return {name: content for name, content in files.items() if name != ".gitattributes"}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in hashes(folder)}


def megabytes(folder: Path) -> str:
    """Of all its files; how well Parquet compresses differs from version to version."""
    return f"{sum(map(len, contents(folder).values())) / 1e6:.1f} MB"


@dataclass
class Slow:
    """Commands against Hubs that stay broken, begun before the other tests because the client is patient."""

    refused: Runner
    refusing: Client
    cut: Runner
    cutting: Client


@pytest.fixture(scope="module", autouse=True)
def slow(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    folder = tmp_path_factory.mktemp("slow")
    with (
        serving() as first,
        serving() as second,
        runner(folder / "refused", late=LATE) as refusing,
        runner(folder / "cut", late=LATE) as cutting,
    ):
        first.faults.append(Fault("POST /api/repos/create", times=1000, status=500))
        second.faults.append(Fault(f"PUT /lfs/{sha256_file(made / 'bank/train.parquet')}", times=1000, cut=True))
        one = Client(first, {GENERATOR: refusing}, folder / "first")
        other = Client(second, {GENERATOR: cutting}, folder / "second")
        yield Slow(one.start(made), one, other.start(made), other)
        for command in (refusing, cutting):
            command.kill()  # if its test was not asked for


# --- what goes well ---------------------------------------------------------------------------------------------------


def test_publish_then_again_then_one_change(client: Client, data: Path) -> None:
    hub = client.hub
    first = client.publish(data)
    assert first.code == DONE, first.error
    assert first.said == f"{hub.url}/datasets/me/it: 10 files, {megabytes(data)}, all verified; 10 uploaded, 0 removed"
    assert (len(first.blobs), len(first.commits)) == (8, 1)
    assert on_the_hub(hub) == contents(data)
    again = client.publish(data)
    assert again.code == DONE
    assert "0 uploaded, 0 removed" in again.said
    assert (again.blobs, again.commits) == ([], [])
    with (data / "README.md").open("a") as card:
        card.write("\n## Thanks\n")
    card_alone = client.publish(data)
    assert (card_alone.code, card_alone.blobs, card_alone.commits) == (DONE, [], [["file README.md"]])
    repo = hub.repos["datasets/me/it"]
    del repo.commits[repo.branches["main"]]["bank/test.parquet"]
    hub.blobs.pop(sha256_file(data / "bank/test.parquet"))
    one = client.publish(data)
    assert one.commits == [["lfsFile bank/test.parquet"]]
    assert one.blobs == [sha256_file(data / "bank/test.parquet")]
    assert on_the_hub(hub) == contents(data)


def test_what_others_read_is_the_folder_byte_for_byte(client: Client, data: Path, tmp_path: Path) -> None:
    client.token = None
    client.home.mkdir()
    (client.home / "token").write_text(TOKEN)  # as hf auth login leaves it
    assert client.publish(data, "--private").code == DONE
    shown = client.python(READ, str(tmp_path / "read"), "main")
    assert shown.splitlines() == [
        "scenes {'train': 14, 'validation': 3, 'test': 3}",
        "questions {'train': 56, 'validation': 12, 'test': 12}",
        "bank {'train': 40, 'test': 40}",
        "fLaC train-000000 14",
    ]
    (tmp_path / "read/.gitattributes").unlink()
    shutil.rmtree(tmp_path / "read/.cache", ignore_errors=True)
    assert contents(tmp_path / "read") == contents(data)
    assert len(clear_gen.open_dataset(tmp_path / "read").questions("train")) == 56


READ = """
import sys, datasets, huggingface_hub
revision = sys.argv[2]
for config in ("scenes", "questions", "bank"):
    found = datasets.load_dataset("me/it", config, revision=revision)
    print(config, {split: rows.num_rows for split, rows in found.items()})
rows = list(datasets.load_dataset("me/it", "scenes", revision=revision, streaming=True)["train"])
print(((rows[0]["audio"] or {}).get("bytes") or b"none")[:4].decode(), rows[0]["scene_id"], len(rows))
huggingface_hub.snapshot_download("me/it", repo_type="dataset", local_dir=sys.argv[1], revision=revision)
"""


def test_another_dataset_leaves_nothing_of_the_former_one(client: Client, data: Path, tmp_path: Path) -> None:
    (data / "notes.txt").write_text("mine")
    (data / ".partial").mkdir()
    (data / ".partial/lock").touch()
    first = client.publish(data, "--revision", "v1")
    assert first.said == "left out: .partial/, notes.txt"
    assert f"{client.hub.url}/datasets/me/it/tree/v1: " in first.out
    repo = client.hub.repos["datasets/me/it"]
    repo.commits[repo.branches["v1"]]["LICENSE"] = b"by hand"
    assert (
        run(["scenes", "--n", "5", "--splits", "1,0,0", *FEW, "--out", str(tmp_path / "b"), *write_banks(tmp_path)])
        == 0
    )
    other = client.publish(tmp_path / "b", "--revision", "v1")
    assert other.code == DONE, other.error
    assert "3 uploaded, 6 removed" in other.out
    assert on_the_hub(client.hub, branch="v1") == {**contents(tmp_path / "b"), "LICENSE": b"by hand"}
    assert other.said == "also there: LICENSE"
    assert set(repo.commits[repo.branches["main"]]) == {".gitattributes"}


def test_a_dry_run_needs_neither_network_nor_token_nor_repository(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked for a connection"))
    capsys.readouterr()
    assert run(["publish", str(made), "--repo", "me/it", "--dry-run"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert f"{(made / 'bank/train.parquet').stat().st_size:,}" in next(line for line in lines if "bank/train" in line)
    assert lines[-1] == f"me/it: 10 files, {megabytes(made)}; nothing is uploaded"
    assert run(["publish", str(made), "--dry-run"]) == DONE
    assert capsys.readouterr().out.splitlines()[-1] == f"{made}: 10 files, {megabytes(made)}; nothing is uploaded"
    assert run(["publish", str(made)]) == WRONG_INPUT
    assert "--repo: found none" in capsys.readouterr().err


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_what_passes_is_tried_again(client: Client, data: Path) -> None:
    client.hub.faults += [
        Fault("POST /api/repos/create", status=500),
        Fault("GET .*/tree/", status=429, headers={"Retry-After": "0"}),
        Fault("POST .*/preupload/", status=503),
        Fault("PUT /lfs/", cut=True),
        Fault("POST .*/commit/", status=502, body=b"<html>"),
    ]
    done = client.publish(data)
    assert done.code == DONE, done.error
    assert not any(fault.times for fault in client.hub.faults)
    assert len(set(done.blobs)) == len(done.blobs) == 8
    assert on_the_hub(client.hub) == contents(data)


def test_a_run_killed_in_the_middle_of_a_blob_is_gone_on_with(client: Client, data: Path) -> None:
    stall = Fault(f"PUT /lfs/{sha256_file(data / 'scenes/train-00000-of-00001.parquet')}", stall=True)
    client.hub.faults.append(stall)
    started = client.start(data)
    assert stall.reached.wait(300)
    deadline = time.monotonic() + 300
    while len(client.hub.uploaded) < 7:  # the others, meanwhile
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed = started.kill()
    assert killed is not None
    assert killed.code == -signal.SIGKILL
    assert client.hub.committed == []
    again = client.publish(data)
    assert again.code == DONE, again.error
    assert again.blobs == [sha256_file(data / "scenes/train-00000-of-00001.parquet")]
    assert on_the_hub(client.hub) == contents(data)


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        ({"size": 17}, "found 17 bytes on the Hub"),
        ({"sha256": "ab" * 32}, "found SHA-256 abab"),
        (None, "git blob cdcd"),
    ],
    ids=["size", "sha256", "git blob"],
)
def test_a_hub_that_lists_something_else(client: Client, data: Path, lie: dict[str, Any] | None, problem: str) -> None:
    name = "bank/test.parquet" if lie else "clear.json"
    client.hub.lies[name] = lie or {"oid": "cd" * 20}
    found = client.publish(data)
    assert found.code == FAILED
    assert f"clear-gen: me/it: {name}: " in found.said
    assert problem in found.said


def test_a_bad_token_no_token_and_a_public_repository(client: Client, data: Path) -> None:
    bad = client.publish(data, "--private")
    assert bad.code == DONE
    client.hub.repos["datasets/me/it"].private = False
    public = client.publish(data, "--private")
    assert (public.code, public.blobs) == (WRONG_INPUT, [])
    assert "--private: found me/it public" in public.said
    client.token = "hf_wrongTOKENwrong"
    bad = client.publish(data)
    assert bad.code == WRONG_INPUT
    assert "does not accept the token (401" in bad.said
    assert not any("PUT" in line or "commit" in line for line in bad.requests)
    assert len(bad.error.strip().splitlines()) == 1
    client.token = "hf_é"
    odd = client.publish(data)
    assert (odd.code, odd.requests) == (WRONG_INPUT, [])
    assert "token: found characters that no token has" in odd.said
    client.token = None
    none = client.publish(data)
    assert (none.code, none.requests) == (WRONG_INPUT, [])
    assert "hf auth login" in none.said


def test_secrets_that_an_answer_repeats_are_not_printed(client: Client, data: Path) -> None:
    echo = json.dumps({"error": f"no use for Bearer {TOKEN}"}).encode()
    client.hub.faults.append(Fault("POST /api/repos/create", status=400, body=echo))
    where = client.hub.url
    client.hub.url = where.replace("//", "//me:PASSword@")
    done = client.publish(data)
    assert done.code == FAILED
    assert "PASSword" not in done.out + done.error
    assert done.said.endswith(f"me/it: {where.replace('//', '//...@')} answered 400 (no use for Bearer ...)")


@pytest.mark.parametrize(
    ("break_", "repo", "code", "problem"),
    [
        ("", "it", WRONG_INPUT, "--repo: found it, expected USER/NAME"),
        ("", "me/../it", WRONG_INPUT, "--repo: found me/../it"),
        ("clear.json", "me/it", WRONG_INPUT, "found no dataset"),
        (".partial", "me/it", WRONG_INPUT, "found an unfinished dataset, expected a finished one; the clear-gen"),
        ("bank/test.parquet", "me/it", FAILED, "bank/test.parquet: missing; run clear-gen finish"),
        ("altered", "me/it", FAILED, "questions/test-00000-of-00001.parquet: missing or altered"),
        ("hostile", "me/it", WRONG_INPUT, "files: found '../secret'"),
        ("link", "me/it", WRONG_INPUT, "README.md: found a link to "),
        ("no licence", "me/it", WRONG_INPUT, "bank/train.parquet: damaged"),
    ],
)
def test_what_is_refused_before_anything_is_sent(
    data: Path, break_: str, repo: str, code: int, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if break_ == "altered":
        (data / "questions/test-00000-of-00001.parquet").write_bytes(b"PAR1")
    elif break_ == "hostile":
        stored = json.loads((data / "clear.json").read_text())
        stored["files"]["../secret"] = "0" * 64
        (data / "clear.json").write_text(json.dumps(stored))
    elif break_ == "link":
        (data.parent / "secret").write_text("a key")
        (data / "README.md").unlink()
        (data / "README.md").symlink_to(data.parent / "secret")
    elif break_ == "no licence":
        bank = data / "bank/train.parquet"
        pq.write_table(pq.read_table(bank).drop_columns("licence"), bank)
    elif break_ == ".partial":
        (data / ".partial").mkdir()
        identity = json.loads((data / "clear.json").read_text())["identity"]
        (data / ".partial/clear.json").write_text(json.dumps(identity))
        (data / "clear.json").unlink()
    elif break_:
        (data / break_).unlink()
    assert run(["publish", str(data), "--repo", repo]) == code
    error = capsys.readouterr().err.strip()
    assert problem in error
    assert len(error.splitlines()) == 1


def test_a_hub_that_stays_broken_ends_it_in_bounded_time(slow: Slow) -> None:
    done = ended(slow.refused.result(), slow.refusing)
    assert done.code == FAILED
    assert "answered 500 (so it was told); run the same command again to go on" in done.said
    assert 3 <= len([line for line in done.requests if "create" in line]) <= 6


def test_a_connection_that_is_always_cut_then_the_same_command_again(slow: Slow, made: Path) -> None:
    client, lost = slow.cutting, sha256_file(made / "bank/train.parquet")
    done = ended(slow.cut.result(), client)
    assert done.code == FAILED
    assert done.said.endswith("; run the same command again to go on")
    assert lost not in done.blobs
    assert (len(done.blobs), done.commits) == (7, [])
    client.hub.faults.clear()
    again = client.publish(made)
    assert (again.code, again.blobs, len(again.commits)) == (DONE, [lost], 1)
    assert on_the_hub(client.hub) == contents(made)


# --- without audio ----------------------------------------------------------------------------------------------------


def test_without_audio(client: Client, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = client.publish(data, "--without-audio")
    assert first.code == DONE, first.error
    assert not any(b"fLaC" in content for content in on_the_hub(client.hub).values())
    again = client.publish(data, "--without-audio")
    assert (again.code, again.blobs, again.commits) == (DONE, [], [])
    read = tmp_path / "read"
    shown = client.python(READ, str(read), "main").splitlines()
    assert shown[0] == "scenes {'train': 14, 'validation': 3, 'test': 3}"
    assert shown[-1] == "none train-000000 14"
    (read / ".gitattributes").unlink()
    shutil.rmtree(read / ".cache", ignore_errors=True)
    assert on_the_hub(client.hub) == contents(read)
    assert "- audio: none, graphs only;" in (read / "README.md").read_text()
    kept, asked = (clear_gen.open_dataset(one).questions("test") for one in (read, data))
    assert [one.text for one in kept] == [one.text for one in asked]
    assert not any(one.scene.has_stored_audio for one in kept)
    name = "scenes/test-00000-of-00001.parquet"
    published, original = (open_parquet(folder / name).read(["rendered"]) for folder in (read, data))
    assert published.equals(original)
    capsys.readouterr()
    assert run(["validate", str(read), "--workers", "1"]) == DONE
    assert "train bank: its audio is left out" in capsys.readouterr().out
    assert run(["render", str(read), "--workers", "1"]) == WRONG_INPUT
    assert "it was left out; put the bank itself in the place of this file" in capsys.readouterr().err
    for side, bank in small_banks().items():
        write_bank(bank, read / f"bank/{side}.parquet")
    assert run(["render", str(read), "--workers", "1"]) == DONE
    assert "are not what was published" not in capsys.readouterr().err
    assert contents(read) == contents(data)


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Mixtures over backgrounds that must not be redistributed, and the options that name the recordings."""
    folder = tmp_path_factory.mktemp("mixtures")
    options = write_corpus(folder)
    names = sorted(path.name for path in (folder / "under").glob("*.wav"))
    (folder / "under/table.csv").write_text("filename,licence\n" + "".join(f'{name},"{TAMPERE}"\n' for name in names))
    options[-1] = str(folder / "under/table.csv")
    sounds = read_events(folder / "events"), read_backgrounds(folder / "under/table.csv")
    create_mixtures(folder / "data", small_settings(2, snrs=(0.0,)), *sounds, Execution())
    return folder / "data", options


def test_recordings_that_must_not_be_published(
    client: Client, mixtures: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sources = mixtures
    for option in ("--dry-run", "--private"):
        refused = client.publish(folder, option)
        assert (refused.code, refused.requests) == (WRONG_INPUT, [])
        assert "found 6 recordings of TUT Urban Acoustic Scenes 2018" in refused.said
        assert refused.said.endswith("--without-audio ships the rest")
    done = client.publish(folder, "--without-audio")
    assert done.code == DONE, done.error
    assert not any(b"fLaC" in content for content in on_the_hub(client.hub).values())
    read = tmp_path / "read"
    shown = client.python(READ_MIXTURES, str(read)).splitlines()
    assert shown == ["mixtures-snr0 [2, 2, 2] True", "stems-snr0 [2, 2, 2] True", "sources [9, 6] False"]
    (read / ".gitattributes").unlink()
    shutil.rmtree(read / ".cache", ignore_errors=True)
    assert "audio: left out" in (read / "README.md").read_text()
    kept, original = (list(clear_gen.open_dataset(one).mixtures()) for one in (read, folder))
    assert [one.graph for one in kept] == [one.graph for one in original]
    assert {one.waveform is None for one in kept} == {True}
    capsys.readouterr()
    assert run(["explore", str(folder), "--export", str(tmp_path / "page")]) == DONE
    assert "keep it to yourself" in capsys.readouterr().out
    assert run(["explore", str(read), "--export", str(tmp_path / "silent")]) == DONE
    assert "any server of files shows it" in capsys.readouterr().out
    assert run(["validate", str(read), "--all", "--workers", "1", *sources]) == DONE
    assert "identical 6, within 1 LSB 0, different 0" in capsys.readouterr().out
    assert run(["publish", str(read), "--repo", "me/it", "--dry-run"]) == DONE
    assert run(["show", str(read), "--out", str(tmp_path / "mixture.png")]) == WRONG_INPUT
    assert run(["export", str(read), str(tmp_path / "out"), "--format", "dcase"]) == WRONG_INPUT
    assert [line.count("audio: found none") for line in capsys.readouterr().err.splitlines()] == [1, 1]


READ_MIXTURES = """
import sys, datasets, huggingface_hub
for config in ("mixtures-snr0", "stems-snr0", "sources"):
    found = datasets.load_dataset("me/it", config)
    row = next(iter(found.values()))[0]
    print(config, [rows.num_rows for rows in found.values()], row.get("audio", row.get("events", 0)) is None)
huggingface_hub.snapshot_download("me/it", repo_type="dataset", local_dir=sys.argv[1])
"""


# --- runs -------------------------------------------------------------------------------------------------------------


def write_run(folder: Path, **config: str) -> Path:
    """The folder of a run on questions as training leaves it, and results of predictions about two of them."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"task": "aqa", **config}))
    for name in ("features.json", "tokenizer.json", "environment.json", "metrics.jsonl", "curves.png"):
        (folder / name).write_text("{}\n")
    save_file({"weight": np.arange(5.0)}, folder / "model.safetensors")
    save_file({"weight": np.arange(500.0)}, folder / "last.safetensors")
    write_results(made_results(n=22, data="data"), folder / "results-test.json")
    return folder


def test_a_run(client: Client, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", model="film", data="some/where/clear2")
    first = client.publish(folder, program=BENCH)
    assert first.code == DONE, first.error
    assert first.said == "left out: curves.png, last.safetensors"
    files = on_the_hub(client.hub, "models")
    assert {name: content for name, content in contents(folder).items() if name in files} == {
        name: content for name, content in files.items() if name != "README.md"
    }
    assert {"README.md", "tokenizer.json"} <= set(files)
    card = files["README.md"].decode()
    assert "acoustic-question-answering" in card
    assert "# film\n\nTrained on clear2 by" in card
    scores = made_results(n=22).scores
    assert "| task | acc | acc_stderr | acc_low | acc_high | unparseable |" in card
    assert f"| aqa_clear2 | {scores.overall.accuracy:.4g} | {scores.error:.4g} |" in card
    assert f"| aqa_clear2_note | {scores.by_type['note'].accuracy:.4g} |" in card
    again = client.publish(folder, program=BENCH)
    assert (again.blobs, again.commits) == ([], [])
    save_file({"weight": np.arange(6.0)}, folder / "model.safetensors")
    better = client.publish(folder, program=BENCH)
    assert better.commits == [["lfsFile model.safetensors"]]
    assert better.blobs == [sha256_file(folder / "model.safetensors")]


def test_a_dry_run_and_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", model="film")
    (folder / "README.md").write_text("# Mine\n")
    assert bench(["publish", str(folder), "--repo", "me/it", "--dry-run"]) == DONE
    shown = capsys.readouterr().out
    assert re.search(r"^README\.md +7$", shown, re.MULTILINE)
    assert "last.safetensors" not in shown.partition("left out")[0]
    for number, (name, text, problem) in enumerate(
        (
            ("results-test.json", '{"results": 1}', "results-test.json: task: found none, as clear-bench 0.1 wrote"),
            ("results-test.json", '{"task": "aqa"}', "results-test.json: config: found"),
            ("config.yaml", "task: aqa\ndata: [x]\n", "config.yaml:2: data: found"),
            ("config.yaml", "model: film\n", "config.yaml: task: found None, expected a task's name"),
            (
                "model.safetensors",
                None,
                "model.safetensors: not found, expected a run whose training has written weights",
            ),
        )
    ):
        folder = write_run(tmp_path / str(number), model="film")
        (folder / name).unlink() if text is None else (folder / name).write_text(text)
        assert bench(["publish", str(folder), "--repo", "me/it", "--dry-run"]) == WRONG_INPUT
        assert problem in capsys.readouterr().err


def test_where_things_lie_on_this_machine_is_not_published(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", model="a | <b>", data=str(tmp_path / "clear2"))
    file = made_results(data="../../home/me/clear2", predictions="/home/me/x.jsonl")
    write_results(file, folder / "results-test.json")
    stored = json.loads((folder / "results-test.json").read_text())
    with run_shipment(folder, TASKS["aqa"]) as shipment:
        texts = {
            name: (shipment.folder / name).read_text() for name in ("README.md", "config.yaml", "results-test.json")
        }
    assert yaml.safe_load(texts["config.yaml"]) == {"task": "aqa", "model": "a | <b>", "data": "clear2"}
    config = {**stored["config"], "data": "clear2", "predictions": "x.jsonl"}
    assert json.loads(texts["results-test.json"]) == {**stored, "config": config}
    assert "# a / ‹b›\n\nTrained on clear2 by" in texts["README.md"]


def test_a_link_out_of_a_run_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", model="film")
    (tmp_path / "secret").write_text("a key")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(tmp_path / "secret")
    assert bench(["publish", str(folder), "--dry-run"]) == WRONG_INPUT
    assert "tokenizer.json: found a link to" in capsys.readouterr().err
