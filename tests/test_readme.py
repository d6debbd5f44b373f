"""Every command of README.md is typed, from the top to the bottom, in one fresh folder, as a reader would.

Blocks of ``sh`` are run by bash and ``python`` by Python; a block with a file's name is that file. A block after the
comment ``<!-- not typed: REASON -->`` is not run; REASONS lists them. Sizes are smaller here (SMALLER), what readers
bring along is made up (``fresh``, BROUGHT), and nothing is published: ``--dry-run``. ``make docs-test`` runs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from clear_gen.sounds.analysis import NOTES
from tests.baselines.predictors.chat_server import chat_server
from tests.mixtures.data import write_corpus
from tests.sounds import fill, note_samples, rows_for

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^(?:<!-- not typed: (.+?) -->\n)?```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REASONS = {
    "needs the network and an account",
    "needs the network",
    "needs the corpus Good-Sounds, a SoundFont and FluidSynth",
    "the tests would run themselves",
    "minutes to hours each",
}
TREE = "Makefile", "pyproject.toml", "requirements.lock", "clear_gen", "templates", "banks", "docs"  # and baselines
SMALLER = (  # pattern, replacement: each is used
    (r"--n 50000", "--n 40"),
    (r"--n 1000", "--n 60"),
    (r"--n 8000", "--n 72"),
    (r"^clear-bench train .*", r"\g<0> --max-epochs 1"),
    (r"^clear-bench train clear2 .*", r"\g<0> --batch 16"),
    (r"--folds all", "--folds all --preset narrow"),
    (r"^clear-(gen|bench) publish .*", r"\g<0> --dry-run"),
    (r"^clear-gen explore [^-]*(--predictions \w+)?$", r"python until_served.py \g<0> --no-browser"),
    (r"http://localhost:8000", "$CHAT"),
)
PRESETS = {"tiny-scenes.yaml": ("n: 3000", "n: 60"), "tiny.yaml": ("max_epochs: 15", "max_epochs: 1")}
BROUGHT = {  # before the command that begins so: what a reader has
    "clear-gen import clear": "ln -s clear2-json CLEAR_dataset",
    "clear-bench evaluate --predictions mine.jsonl": "cp run/predictions-test.jsonl mine.jsonl",
    "clear-bench predict run": "cp \"$(find clear2-folder -name '*.flac' | head -n 1)\" scene.flac",
    "clear-bench evaluate --predictions tags.jsonl": "cp sed/fold-1/predictions-*fold1.jsonl tags.jsonl",
    "clear-bench predict sed/fold-1": "cp street/0.wav street.wav",
}
ALSO = (  # what the text says of files that it shows
    "clear-gen questions clear2 --templates how-loud.json --types loudness --overwrite",
    "clear-gen mix --events FSDKaggle2018 --backgrounds TAU2019 --config rules.yaml --n 72 --out ruled --dry-run",
    "clear-gen scenes --config short.yaml --out short --dry-run",
)
UNTIL_SERVED = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # which a shell in the background ignores
page = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
line = page.stdout.readline()
assert "http://" in line, line
page.send_signal(signal.SIGINT)
sys.exit(page.wait())
"""


@dataclass(frozen=True)
class Block:
    """A block of the page: why it is not typed, or ""; its language; the file that it is, or ""; its text."""

    reason: str
    language: str
    file: str
    text: str


def blocks() -> list[Block]:
    """The blocks of README.md, in order."""
    return [Block(*found) for found in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))]


def typed(block: Block) -> str:
    """The lines of a block as they are typed here: smaller, and what a command needs before it."""
    lines = []
    for line in block.text.splitlines():
        command = re.sub(r"\s+#.*", "", line)
        lines += [brought for start, brought in BROUGHT.items() if command.startswith(start)]
        for pattern, smaller in SMALLER:
            command = re.sub(pattern, smaller, command)
        lines.append(command)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a checkout holds, an environment that is installed, and recordings."""
    folder = tmp_path_factory.mktemp("readme")
    for name in TREE:
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "baselines", folder / "baselines", ignore=shutil.ignore_patterns("__pycache__"))
    for name, (old, new) in PRESETS.items():
        preset = folder / "baselines/presets" / name
        text = preset.read_text(encoding="utf-8")
        assert old in text
        preset.write_text(text.replace(old, new), encoding="utf-8")
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.prefix) / "bin")
    (folder / ".venv/.installed").touch()
    (folder / "until_served.py").write_text(UNTIL_SERVED)
    recordings(folder)
    return folder


def recordings(folder: Path) -> None:
    """Events and backgrounds, a table of them, and notes for two banks."""
    write_corpus(folder, n_each=8)
    (folder / "events").rename(folder / "FSDKaggle2018")
    (folder / "under").rename(folder / "TAU2019")
    shutil.copytree(folder / "TAU2019", folder / "street")
    names = sorted(path.relative_to(folder) for path in (folder / "FSDKaggle2018").rglob("*.wav"))
    rows = ["filename,label", *(f"{name},{name.parent.name}" for name in names)]
    (folder / "sounds.csv").write_text("\n".join(rows) + "\n")
    for seed, name in enumerate(("elementary_sounds", "my_recordings")):
        notes = [NOTES[3 * k + seed] for k in range(4)]
        files = {
            f"{note}.wav": note_samples(note, 4, seed=100 * seed + k, duration_s=0.9) for k, note in enumerate(notes)
        }
        described = [row for note in notes for row in rows_for(f"{note}.wav", note=note)]
        fill(folder / name, files, described)


def run(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Run a block; a failure names the command."""
    if block.language == "sh":
        script = f"set -euo pipefail\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n{typed(block)}"
        command = ["bash", "-c", script]
    else:
        command = [sys.executable, "-c", block.text]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


@pytest.mark.docs
def test_every_command_runs_from_the_top_to_the_bottom(fresh: Path) -> None:
    hidden = {"PYTHONPATH": str(fresh), "HF_HOME": str(fresh / ".hf"), "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"}
    path = os.pathsep.join(
        one for one in os.environ["PATH"].split(os.pathsep) if one != str(Path(sys.executable).parent)
    )
    on_path = os.pathsep.join([str(fresh / ".venv/bin"), path])  # from the second block on: the first one says how
    with chat_server() as chat:
        environment = {**os.environ, **hidden, "CHAT": chat.url.removesuffix("/v1"), "PATH": path}
        for block in blocks():
            if block.file:
                (fresh / block.file).write_text(block.text, encoding="utf-8")
            elif not block.reason:
                run(block, fresh, environment)
                environment["PATH"] = on_path
        run(Block("", "sh", "", "\n".join(ALSO)), fresh, environment)


def test_what_is_not_typed_is_known() -> None:
    assert {block.reason for block in blocks()} == {"", *REASONS}


def test_what_is_changed_is_there() -> None:
    text = "\n".join(block.text for block in blocks() if block.language == "sh" and not block.reason)
    lines = [re.sub(r"\s+#.*", "", line) for line in text.splitlines()]
    for pattern, _ in SMALLER:
        assert any(re.search(pattern, line) for line in lines), pattern
    for start in BROUGHT:
        assert any(line.startswith(start) for line in lines), start


def test_every_block_says_what_it_is() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(blocks())
    assert {block.language for block in blocks() if not block.file} <= {"sh", "python"}
