"""The house keeps its order: imports flow one way, no two files need each other, folders and files stay small.

What is measured is in ``tests/house.py``; what lives where is in ``docs/architecture.md``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house import PACKAGES, ROOT, circles, imports_of, module_graph, module_of, n_lines, python_files

# Nothing imports from a layer to its right; layers that stand together know nothing of each other.
LAYERS = {
    "clear_gen": (
        ("core",),
        ("dsp",),
        ("sounds",),
        ("scenes", "mixtures"),
        ("questions",),
        ("store",),
        ("datasets",),
        ("explore",),
        ("cli",),
    ),
    "baselines": (("core",), ("audio",), ("models",), ("report",), ("tasks",), ("predictors",), ("cli",)),
}
MAX_FILES, MAX_LINES = 20, 400
RANK = {package: {part: k for k, parts in enumerate(layers) for part in parts} for package, layers in LAYERS.items()}


def part_of(module: str) -> str | None:
    """``clear_gen.scenes.graph`` -> ``scenes``; None for the package itself and for its ``__main__``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANK[parts[0]] else None


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_is_a_layer(package: str) -> None:
    folders = {path.relative_to(ROOT / package).parts[0] for path in (ROOT / package).glob("*/**/*.py")}
    assert folders == set(RANK[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_imports_from_its_right(package: str) -> None:
    ranks = RANK[package]
    for module, others in module_graph().items():
        part = part_of(module)
        if not module.startswith(f"{package}.") or part is None:
            continue
        for other in others:
            there = part_of(other) if other.startswith(f"{package}.") else None
            if there is not None and there != part:
                assert ranks[there] < ranks[part], f"{module} imports {other}"


def test_no_two_files_import_each_other() -> None:
    assert circles(module_graph()) == []


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert circles(graph) == [["d", "e"], ["a", "b", "c"]]


def test_the_generator_knows_neither_the_benchmark_nor_torch() -> None:
    for path in python_files("clear_gen"):
        known = {module.split(".")[0] for module in imports_of(path)}
        assert not known & {"baselines", "torch", "safetensors"}, path


def test_the_benchmark_knows_nothing_of_the_pages_and_little_of_the_commands_of_the_generator() -> None:
    for path in python_files("baselines"):
        known = {module for module in imports_of(path) if module.startswith("clear_gen.")}
        assert not any(module.startswith("clear_gen.explore") for module in known), path
        if part_of(module_of(path)) not in ("cli", None):
            assert not any(module.startswith("clear_gen.cli") for module in known), path


@pytest.mark.parametrize("folder", ["clear_gen.datasets", "baselines.tasks"])
def test_kinds_and_tasks_know_nothing_of_each_other(folder: str) -> None:
    depth = folder.count(".") + 1
    graph = module_graph()
    packages = {module for module in graph if any(other.startswith(f"{module}.") for other in graph)}

    def part(module: str) -> str | None:
        """``clear_gen.datasets.scenes`` of its modules; None of modules beside the parts."""
        own = ".".join(module.split(".")[: depth + 1])
        return own if module.startswith(f"{folder}.") and own in packages else None

    parts = {part(module) for module in graph} - {None}
    assert len(parts) >= 2
    for module, others in graph.items():
        if own := part(module):
            assert not [other for other in others if part(other) not in (None, own)], module


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_and_files_are_small(package: str) -> None:
    paths = python_files(package)
    folders: dict[Path, int] = {}
    for path in paths:
        folders[path.parent] = folders.get(path.parent, 0) + 1
        assert n_lines(path) <= MAX_LINES, path
    assert {folder: count for folder, count in folders.items() if count > MAX_FILES} == {}


PLACE = re.compile(r"`((?:clear_gen|baselines|banks|templates|tests|docs|benchmarks)(?:/[\w./-]*)?)(?::(\w+))?`")


@pytest.mark.parametrize("page", ["docs/architecture.md", "README.md", "CONTRIBUTING.md"])
def test_places_that_a_page_names_exist(page: str) -> None:
    found = PLACE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert found
    for path, name in found:
        assert (ROOT / path).exists(), f"{page}: {path}"
        if name:
            assert name in names_in(ROOT / path), f"{page}: {path}:{name}"


def names_in(path: Path) -> set[str]:
    """Functions, classes and constants at the top of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [
        target for node in assigned for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return {*defined, *(target.id for target in targets if isinstance(target, ast.Name))}
