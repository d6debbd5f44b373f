"""Imports flow in one direction, as the README's table of folders is read: io, sounds, scenes, audio, dataset, cli."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import clear_gen

PACKAGE = Path(clear_gen.__file__).parent
ORDER = ("io", "config", "sounds", "scenes", "audio", "questions", "dataset", "cli")


def part_of(module: str) -> str:
    """``clear_gen.scenes.graph`` -> ``scenes``."""
    return module.split(".")[1]


def imported(path: Path) -> set[str]:
    """Parts of the package that a module names in its imports, wherever in the file they stand."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "clear_gen" else [node.module]
            )
            modules |= {name for name in names if name.startswith("clear_gen.")}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name.startswith("clear_gen.")}
    return {part_of(module) for module in modules} - {"__version__"}


@pytest.mark.parametrize("part", ORDER)
def test_nothing_imports_from_its_right(part: str) -> None:
    paths = sorted((PACKAGE / part).glob("*.py")) or [PACKAGE / f"{part}.py"]
    for path in paths:
        later = {name for name in imported(path) if ORDER.index(name) > ORDER.index(part)}
        assert not later, f"{path.name} imports {later}"
