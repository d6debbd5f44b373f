"""Imports flow in one direction, as the README's table of folders is read: io, sounds, scenes, audio, dataset, explore,
cli.

The benchmark imports the generator, which knows neither the benchmark nor torch; in the benchmark, data come before
models and metrics, which know nothing of each other nor of what trains, scores and reports.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import baselines
import clear_gen

PACKAGE = Path(clear_gen.__file__).parent
BENCHMARK = Path(baselines.__file__).parent
ORDER = ("io", "config", "page", "sounds", "scenes", "audio", "questions", "dataset", "explore", "cli")


def part_of(module: str) -> str:
    """``clear_gen.scenes.graph`` -> ``scenes``."""
    return module.split(".")[1]


def imported(path: Path) -> set[str]:
    """Parts of the package that a module names in its imports, wherever in the file they stand."""
    return {part_of(module) for module in modules_in(path) if module.startswith("clear_gen.")} - {"__version__"}


def modules_in(path: Path) -> set[str]:
    """Modules that a module names in its imports; with those of a package's top, what is taken from it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: a relative import, expected an absolute one"
            assert not node.level, f"{path}: a relative import, expected an absolute one"
            whole = node.module in ("clear_gen", "baselines")
            modules |= {f"{node.module}.{alias.name}" for alias in node.names} if whole else {node.module}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return modules


@pytest.mark.parametrize("part", ORDER)
def test_nothing_imports_from_its_right(part: str) -> None:
    paths = sorted((PACKAGE / part).glob("*.py")) or [PACKAGE / f"{part}.py"]
    for path in paths:
        later = {name for name in imported(path) if ORDER.index(name) > ORDER.index(part)}
        assert not later, f"{path.name} imports {later}"


def test_the_generator_knows_neither_the_benchmark_nor_torch() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 50
    for path in paths:
        known = {module.split(".")[0] for module in modules_in(path)}
        assert not known & {"baselines", "torch", "safetensors"}, path


@pytest.mark.parametrize(
    ("part", "allowed"), [("data", {"data"}), ("models", {"data", "models"}), ("metrics", {"data", "metrics"})]
)
def test_parts_of_the_benchmark_import_only_what_comes_before(part: str, allowed: set[str]) -> None:
    paths = sorted((BENCHMARK / part).rglob("*.py"))
    assert len(paths) > 2
    for path in paths:
        modules = modules_in(path)
        found = {part_of(module) for module in modules if module.startswith("baselines.")}
        assert found <= allowed, f"{path.name} imports {found - allowed}"
        assert "clear_gen.cli" not in {".".join(module.split(".")[:2]) for module in modules}, path


@pytest.mark.parametrize("package", [PACKAGE, BENCHMARK])
def test_only_command_lines_import_command_lines(package: Path) -> None:
    for path in sorted(package.rglob("*.py")):
        is_cli = path.relative_to(package).parts[0] in ("cli", "__main__.py")
        found = {module for module in modules_in(path) if module.split(".")[1:2] == ["cli"]}
        assert is_cli or not found, f"{path.name} imports {found}"
