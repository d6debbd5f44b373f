"""Every command of the pages in ``docs`` is run, in order, in a folder of its own, by the real command lines.

What a fenced block is, its first line says: ``sh`` and ``python`` are run; ``text printed`` is what the block before it
printed; a language with a file's name shows a part of that file; any other ``text`` is not run (a cluster, a network).
Pages that train or take long carry the marker ``docs``: ``make docs-test``.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.mixtures.data import write_corpus

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
EXAMPLE = {"domain.yaml": ROOT / "templates/environmental", "questions.yaml": ROOT / "templates/environmental"}
EXAMPLE |= {"train.csv": DOCS / "environmental", "test.csv": DOCS / "environmental"}
RATE = 16000


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it shows (or ""), its lines."""

    language: str
    file: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


# --- what a page finds in its folder ----------------------------------------------------------------------------------


def nothing(folder: Path) -> None:
    """A page that starts from nothing."""


def own_domain(folder: Path) -> None:
    """The files of the worked example under a name that the package does not know, and noises for its recordings."""
    (folder / "environmental").mkdir()
    (folder / "recordings").mkdir()
    for name, where in EXAMPLE.items():
        shutil.copy(where / name, folder / ("environmental" if name.endswith("yaml") else ""))
    domain = folder / "environmental/domain.yaml"
    domain.write_text(domain.read_text().replace("name: environmental", "name: surroundings"))
    names = [row["filename"] for side in ("train", "test") for row in rows_of(folder / f"{side}.csv")]
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        noise = rng.standard_normal(round(RATE * rng.uniform(0.4, 4)))
        soundfile.write(folder / "recordings" / name, rng.uniform(0.02, 0.15) * np.clip(noise, -3, 3), RATE)


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV table."""
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mixed(folder: Path) -> None:
    """Events and backgrounds."""
    write_corpus(folder, n_each=8)
    (folder / "under").rename(folder / "backgrounds")


SETUP: dict[str, Callable[[Path], None]] = {"your-own-domain": own_domain, "sed": mixed}
SLOW = {"api", "scale", "sed", "tutorial", "your-own-domain"}
pages = sorted(page.stem for page in DOCS.glob("*.md"))


# --- running ----------------------------------------------------------------------------------------------------------


def run(page: Path, folder: Path) -> list[tuple[Block, str]]:
    """Run the blocks of a page in ``folder``: each with what it printed."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    printed = []
    for block in blocks_of(page):
        command = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}.get(block.language)
        if command is None or block.file:
            continue
        done = subprocess.run(
            [*command, block.text], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{page.name}:\n{block.text}\n{done.stdout}\n{done.stderr}"
        printed.append((block, done.stdout))
    return printed


def check_output(page: Path, printed: list[tuple[Block, str]]) -> None:
    """Every line of a block of what was printed is a line that the block before it printed."""
    of_page = {block.text: output for block, output in printed}
    for before, block in pairwise(blocks_of(page)):
        if (block.language, block.file) == ("text", "printed"):
            lines = [line.rstrip() for line in of_page[before.text].splitlines()]
            missing = [line for line in block.text.splitlines() if line.rstrip() not in lines]
            assert not missing, f"{page.name}: not printed: {missing}"


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.docs if name in SLOW else ()) for name in pages])
def test_the_commands_of_a_page_run(name: str, tmp_path: Path) -> None:
    SETUP.get(name, nothing)(tmp_path)
    printed = run(DOCS / f"{name}.md", tmp_path)
    if name not in SETUP:
        check_output(DOCS / f"{name}.md", printed)


@pytest.mark.docs
@pytest.mark.shared
def test_the_worked_example_prints_what_its_page_says(shared: Path, tmp_path: Path) -> None:
    own_domain(tmp_path)
    shutil.copy(EXAMPLE["domain.yaml"] / "domain.yaml", tmp_path / "environmental")
    shutil.rmtree(tmp_path / "recordings")
    (tmp_path / "recordings").symlink_to(shared / "sounds/events")
    check_output(page := DOCS / "your-own-domain.md", run(page, tmp_path))


# --- what a page shows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pages)
def test_blocks_say_what_they_are(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    found = blocks_of(DOCS / f"{name}.md")
    assert text.count("\n```") == 2 * len(found), f"{name}: a block without an end, or without a language"
    for block in found:
        assert block.language in ("sh", "python", "text") or block.file, f"{name}: {block.language} without a file"
        assert not block.text.startswith("$ "), f"{name}: a prompt before a command"


@pytest.mark.parametrize("name", pages)
def test_files_are_shown_as_they_are(name: str) -> None:
    for block in blocks_of(DOCS / f"{name}.md"):
        if block.file and (file := Path(block.file).name) in EXAMPLE:
            assert block.text in (EXAMPLE[file] / file).read_text(encoding="utf-8"), f"{block.file}: {block.text}"


@pytest.mark.parametrize("page", [*DOCS.glob("*.md"), *ROOT.glob("*.md")], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_lists_every_page() -> None:
    listed = set(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {f"docs/{name}.md" for name in pages} <= listed
