"""The lowest versions that ``pyproject.toml`` promises, and the tests that use each dependency; prints them.

python -m tests.floors constraints   # every dependency at its floor, as make floors-test installs it
python -m tests.floors tests         # what it runs there
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)>=(?P<floor>[\w.]+)(?P<marker>;.*)?")
TESTS = {
    "click": "tests/cli/test_corpora.py",
    "datasets": "tests/datasets/scenes/test_card.py",
    "httpx": "tests/baselines/predictors/test_endpoint.py",
    "httpx2": "tests/datasets/test_publish.py",
    "huggingface_hub": "tests/datasets/test_publish.py",
    "hypothesis": "tests/scenes/test_render.py",
    "jinja2": "tests/core/test_page.py",
    "matplotlib": "tests/datasets/scenes/test_figure.py",
    "numpy": "tests/scenes/test_render.py",
    "platformdirs": "tests/sounds/test_synthesis.py",
    "pyarrow": "tests/core/test_parquet.py",
    "pydantic": "tests/scenes/test_domain.py",
    "pydub": "tests/sounds/test_files.py",
    "pyfluidsynth": "tests/sounds/importers/test_soundfont.py",
    "pyloudnorm": "tests/dsp/test_levels.py",
    "pytest": "tests/test_architecture.py",
    "pyyaml": "tests/scenes/test_domain.py",
    "ray": "tests/store/test_ray.py::test_scenes",
    "rich": "tests/core/test_progress.py",
    "safetensors": "tests/baselines/core/test_trainer.py",
    "scipy": "tests/scenes/test_room.py",
    "soundfile": "tests/sounds/test_files.py",
    "torch": "tests/baselines/core/test_trainer.py",
}
# Their floors are the versions of requirements.lock, in which other targets of make run them
TOOLS = {"atheris", "build", "mypy", "pre-commit", "pytest-xdist", "ruff", "types-PyYAML"}
OTHER_PYTHONS = {"audioop-lts"}  # part of the standard library of the oldest Python


def requirements() -> dict[str, re.Match[str]]:
    """Every requirement of the package and of its extras by name, without the extras that name one another.

    Raises ValueError naming one that promises no floor.
    """
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    groups = (project["dependencies"], *project["optional-dependencies"].values())
    found = {}
    for line in (line for group in groups for line in group):
        if line.startswith(f"{project['name']}["):
            continue
        if not (match := REQUIREMENT.fullmatch(line)):
            raise ValueError(f"{line}: expected name>=version")
        found[match["name"]] = match
    return found


def constraints() -> list[str]:
    """Every requirement at its floor, in the form that pip reads."""
    return [f"{name}=={found['floor']}{found['marker'] or ''}" for name, found in requirements().items()]


if __name__ == "__main__":
    print("\n".join({"constraints": constraints(), "tests": sorted(set(TESTS.values()))}[sys.argv[1]]))
