"""The engine ``ray``: what one process writes, byte for byte, though a node of the cluster is killed meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clear_gen.cli import run
from clear_gen.core.errors import InputError
from clear_gen.store import ray_pool
from clear_gen.store.layout import PARTIAL
from clear_gen.store.workers import Call, Died
from tests.datasets.runs import PROGRESS, hashes, write_banks
from tests.mixtures.data import RATE, RULES, write_corpus
from tests.store.test_workers import die, die_once, fail, note, start, twice

pytestmark = pytest.mark.ray

N = ["--n", "600"]  # seven chunks, three files
DIED = "its worker died (its node was lost); trying once more"
POLL_S = 0.002
LONG_S = 300  # on a machine that does much else
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}  # bytes
HERE = Path(__file__).parents[1] / "datasets"


# --- a cluster --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster with one node, its head."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:  # for the nodes, which inherit it
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[1])]))
        found = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        yield found
        found.shutdown()


@dataclass
class Node:
    """A second node, of which there is a process per task."""

    raylet: int

    def workers(self) -> dict[int, str]:
        """Process id -> the task that it has or has had, or IDLE."""
        found = {}
        for pid in map(int, Path(f"/proc/{self.raylet}/task/{self.raylet}/children").read_text().split()):
            title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            found[pid] = title.removeprefix("ray::") if title.startswith("ray::") else ""
        return found

    def kill_while_it_works(self, prefix: str) -> str:
        """Kill every process of the node in the middle of a task whose name begins so; returns the name."""
        deadline = time.monotonic() + LONG_S
        while time.monotonic() < deadline:
            for pid, name in self.workers().items():
                if name.startswith(prefix):
                    os.kill(pid, signal.SIGSTOP)
                    if self.workers()[pid] == name:
                        for process in (self.raylet, *self.workers()):
                            os.kill(process, signal.SIGKILL)
                        return name
                    os.kill(pid, signal.SIGCONT)  # it had ended just before
            time.sleep(POLL_S)
        raise TimeoutError(f"no task {prefix} on the node")


@pytest.fixture
def node(cluster: Any) -> Iterator[Node]:
    """A second node, which is there and ready."""
    added = cluster.add_node(**NODE)
    yield Node(added.all_processes["raylet"][0].process.pid)
    cluster.remove_node(added, allow_graceful=False)


@pytest.fixture
def on_ray(cluster: Any, tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Begin a command on the cluster; what it prints goes to the files ``out`` and ``err``."""

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "clear_gen", *arguments, "--engine", "ray", "--address", cluster.address]
        with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
            return subprocess.Popen(command, stdout=out, stderr=err, cwd=tmp_path)

    return begin


def said(folder: Path) -> list[str]:
    """The lines on stderr besides the progress bar, Ray's news of its nodes among them."""
    lines = [line.strip() for line in (folder / "err").read_text().splitlines()]
    return [line for line in lines if line and not PROGRESS.match(line)]


# --- whole commands ---------------------------------------------------------------------------------------------------


def one_process(*arguments: str) -> None:
    assert run([*arguments, "--workers", "1"]) == 0


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*write_banks(tmp_path_factory.mktemp("banks")), "--sample-rate", str(RATE)]


@pytest.fixture(scope="module")
def graphs(banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs") / "data"
    one_process("scenes", *N, *banks, "--no-audio", "--out", str(folder))
    return folder


def killed_meanwhile(
    node: Node,
    begin: Callable[..., subprocess.Popen[bytes]],
    arguments: list[str],
    killed_at: str,
    expected: Path,
    found: Path,
) -> None:
    """The command, whose node is killed at a task named so, says it and makes the same files as one process did."""
    process = begin(*arguments)
    task = node.kill_while_it_works(killed_at)
    assert process.wait(LONG_S) == 0, (found.parent / "err").read_text()
    assert f"{task}: {DIED}" in " ".join(said(found.parent))
    same = hashes(expected)
    assert len(same) > 5
    assert hashes(found) == same


def test_scenes(banks: list[str], node: Node, on_ray: Any, tmp_path: Path) -> None:
    one_process("scenes", *N, *banks, "--out", str(tmp_path / "one"))
    killed_meanwhile(
        node, on_ray, ["scenes", *N, *banks, "--out", "data"], "scenes train-", tmp_path / "one", tmp_path / "data"
    )


def test_render(graphs: Path, node: Node, on_ray: Any, tmp_path: Path) -> None:
    for name in ("one", "data"):
        shutil.copytree(graphs, tmp_path / name)
    one_process("render", str(tmp_path / "one"))
    killed_meanwhile(node, on_ray, ["render", "data"], "scenes train-", tmp_path / "one", tmp_path / "data")


@pytest.mark.parametrize("part", ["scenes/", "questions of "])
def test_questions(graphs: Path, node: Node, on_ray: Any, tmp_path: Path, part: str) -> None:
    for name in ("one", "data"):
        shutil.copytree(graphs, tmp_path / name)
    one_process("questions", str(tmp_path / "one"))
    killed_meanwhile(node, on_ray, ["questions", "data"], part, tmp_path / "one", tmp_path / "data")


def test_mix(node: Node, on_ray: Any, tmp_path: Path) -> None:
    sources = write_corpus(tmp_path / "corpus")
    rules = tmp_path / "rules.yaml"
    rules.write_text("".join(f"{name}: {value}\n" for name, value in RULES.items()))
    options = ["--n", "315", "--folds", "3", "--sample-rate", str(RATE), "--snr", "0", "--snr", "10", "--stems"]
    command = ["mix", *sources, *options, "--config", str(rules), "--out"]
    one_process(*command, str(tmp_path / "one"))
    killed_meanwhile(node, on_ray, [*command, "data"], "mixtures-", tmp_path / "one", tmp_path / "data")


def test_ctrl_c_lets_chunks_end_and_the_same_command_goes_on(
    banks: list[str], node: Node, on_ray: Any, tmp_path: Path
) -> None:
    command = ["scenes", *N, *banks, "--out"]
    one_process(*command, str(tmp_path / "one"))
    process = on_ray(*command, "data")
    deadline = time.monotonic() + LONG_S
    while not list(tmp_path.glob("data/.partial/*.arrow")) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    process.send_signal(signal.SIGINT)
    assert process.wait(LONG_S) == 130
    assert said(tmp_path)[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in (tmp_path / "err").read_text()
    left = hashes(tmp_path / "data")
    assert [name for name in left if name.endswith(".arrow")]
    assert not [name for name in left if name.endswith(".tmp")]
    assert not any(name and name != "IDLE" for name in node.workers().values() if "Agent" not in name)
    assert on_ray(*command, "data").wait(LONG_S) == 0
    assert hashes(tmp_path / "data") == hashes(tmp_path / "one")


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["scenes", "--n", "3", "--no-audio", "--out", str(tmp_path / "data"), "--engine", "ray", "--address"]
    assert run([*command, "127.0.0.1:1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("clear-gen: --address: found 127.0.0.1:1, expected a running Ray cluster: ")
    assert error.count("\n") == 1


# --- the pool ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Argument:
    """What workers are prepared with."""

    folder: Path


def start_with(argument: Argument) -> str:
    return start(argument.folder.name)


def answer_or_die(state: str, x: int) -> tuple[str, int]:
    if x < 0:
        die(state, signal.SIGKILL)
    return twice(state, x)[:2]


@pytest.fixture
def pool(cluster: Any, tmp_path: Path) -> Iterator[ray_pool.RayPool]:
    """A pool for two tasks at a time, whose workers know ``tmp_path``."""
    (tmp_path / PARTIAL).mkdir()
    with ray_pool.connected(cluster.address), ray_pool.RayPool(2, start_with, Argument(tmp_path)) as made:
        yield made


def results_of(pool: ray_pool.RayPool, *tasks: Call) -> dict[str, Any]:
    for task in tasks:
        pool.submit(task)
    return {task.name: result for task, result in pool.results()}


def test_results_and_deaths(pool: ray_pool.RayPool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    once = Call("once", die_once, (tmp_path / "marker",))
    found = results_of(pool, *(Call(str(x), answer_or_die, (x,)) for x in (-1, 2, 3)), once)
    state = start(tmp_path.name)
    assert found == {"-1": Died("killed"), "2": (state, 4), "3": (state, 6), "once": "alive"}
    assert sorted(caplog.messages) == [f"{name}: its worker died (killed); trying once more" for name in ("-1", "once")]


def test_an_exception_is_raised_here_with_type_and_message_after_the_others_ended(
    pool: ray_pool.RayPool, tmp_path: Path
) -> None:
    error = OSError(28, "No space left on device", "a.arrow")
    with pytest.raises(OSError, match="No space") as caught, pool:
        results_of(pool, Call("bad", fail, (error,)), Call("slow", note, (tmp_path / "written",)))
    assert caught.value.filename == "a.arrow"
    assert "in fail" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("folder", "version", "message"),
    [("elsewhere", "0.0", "found clear-gen .*, expected 0.0"), ("elsewhere", None, "elsewhere: not found on .*share")],
)
def test_a_node_with_another_version_or_without_the_folder_is_refused(
    pool: ray_pool.RayPool, monkeypatch: pytest.MonkeyPatch, folder: str, version: str | None, message: str
) -> None:
    if version is not None:
        monkeypatch.setattr(ray_pool, "__version__", version)
    with (
        ray_pool.RayPool(1, start_with, Argument(Path(folder))) as other,
        pytest.raises(InputError, match=message),
    ):
        results_of(other, Call("1", answer_or_die, (1,)))
