"""Without the extras, commands that need one say so in a line, and the others work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clear_gen.core.extras import EXTRA_OF, how_to_install
from tests.datasets.runs import make_scenes

RUN = """
import sys
for name in {missing}:
    sys.modules[name] = None
from {program}.cli import run
sys.exit(run(sys.argv[1:]))
"""
BY_EXTRA: dict[str, list[str]] = {}
for module, extra in EXTRA_OF.items():
    BY_EXTRA.setdefault(extra, []).append(module)


def without(extras: list[str], program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where the modules of these extras are not installed."""
    missing = [module for extra in extras for module in BY_EXTRA[extra]]
    script = RUN.format(missing=missing, program=program)
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset with audio."""
    return make_scenes(tmp_path_factory.mktemp("extras"), "--n", "4")


@pytest.mark.parametrize(
    ("extra", "module", "program", "arguments"),
    [
        ("bench", "torch", "baselines", ["models"]),
        ("bench", "torch", "baselines", ["train", "{data}", "--out", "{data}/run"]),
        ("figures", "matplotlib", "clear_gen", ["show", "{data}", "--out", "{data}/../scene.png"]),
        ("hub", "httpx2", "clear_gen", ["publish", "{data}", "--repo", "me/it"]),
    ],
)
def test_what_needs_an_extra_says_so_in_a_line(
    data: Path, extra: str, module: str, program: str, arguments: list[str]
) -> None:
    done = without([extra], program, *(argument.format(data=data) for argument in arguments))
    assert done.returncode == 2
    name = "clear-bench" if program == "baselines" else "clear-gen"
    assert done.stderr.splitlines()[-1] == f"{name}: {module}: not installed; {how_to_install(extra)}"
    assert "Traceback" not in done.stderr


def test_a_dry_run_of_publishing_needs_no_extra(data: Path) -> None:
    done = without([*BY_EXTRA], "clear_gen", "publish", str(data), "--repo", "me/it", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "nothing is uploaded" in done.stdout


def test_help_needs_no_extra() -> None:
    for program in ("clear_gen", "baselines"):
        done = without([*BY_EXTRA], program, "--help")
        assert (done.returncode, done.stderr) == (0, "")
