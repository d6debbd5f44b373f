"""The lowest versions that ``pyproject.toml`` promises, and the test modules that use each dependency; prints them.

python -m tests.floors constraints   # what make floors-test installs by: every dependency at its floor
python -m tests.floors modules       # what it runs there
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
FLOOR = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)(?P<marker> *;.*)?")
MODULES = {
    "click": "tests/cli/test_corpora.py",
    "jinja2": "tests/core/test_page.py",
    "numpy": "tests/scenes/test_render.py",
    "platformdirs": "tests/datasets/scenes/test_options.py",
    "pyarrow": "tests/core/test_parquet.py",
    "pydantic": "tests/scenes/test_domain.py",
    "pyloudnorm": "tests/sounds/test_analysis.py",
    "pyyaml": "tests/scenes/test_domain.py",
    "rich": "tests/core/test_progress.py",
    "scipy": "tests/scenes/test_room.py",
    "soundfile": "tests/sounds/test_files.py",
    "torch": "tests/baselines/core/test_trainer.py",
    "safetensors": "tests/baselines/tasks/sed/test_train.py",
    "httpx": "tests/baselines/predictors/test_endpoint.py",
    "matplotlib": "tests/datasets/scenes/test_figure.py",
    "pydub": "tests/sounds/test_files.py",
    "datasets": "tests/datasets/test_reading.py",
    "httpx2": "tests/datasets/test_publish.py",
    "huggingface_hub": "tests/datasets/test_publish.py",
    "ray": "tests/store/test_ray.py",
    "pyfluidsynth": "tests/sounds/importers/test_soundfont.py",
    "hypothesis": "tests/questions/generation/test_selection.py",
    "pytest": "tests/test_architecture.py",
}
# Run by other targets of make, in the versions of requirements.lock, or only on Pythons that this one is not
ELSEWHERE = {"atheris", "audioop-lts", "build", "mypy", "pre-commit", "pytest-xdist", "ruff", "types-PyYAML"}


def requirements() -> list[str]:
    """Every requirement of the package and of its extras, without the extras that name one another."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [line for group in groups for line in group if not line.startswith(project["name"])]


def constraints() -> list[str]:
    """Every requirement at its floor, as pip's constraints. Raises ValueError naming one that promises no floor."""
    lines = []
    for line in requirements():
        if not (found := FLOOR.fullmatch(line)):
            raise ValueError(f"{line}: expected name>=version")
        lines.append(f"{found['name']}=={found['version']}{found['marker'] or ''}")
    return lines


if __name__ == "__main__":
    print("\n".join({"constraints": constraints(), "modules": sorted(set(MODULES.values()))}[sys.argv[1]]))
