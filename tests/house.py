"""The house in numbers: files and lines per folder, circles between files, the longest file and function.

``python -m tests.house`` prints it, ``tests/test_architecture.py`` holds it to its limits. Imports are read from the
source as text, wherever in a file they stand; nothing is imported.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("clear_gen", "baselines")


def python_files(*folders: str) -> list[Path]:
    """The Python files below some folders of the checkout, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    """``clear_gen/scenes/graph.py`` -> ``clear_gen.scenes.graph``; a package is named after its folder."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports_of(path: Path) -> set[str]:
    """Modules that a file names in its imports; of ``from a.b import c`` both ``a.b`` and ``a.b.c``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: a relative import, expected an absolute one"
            assert not node.level, f"{path}: a relative import, expected an absolute one"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@cache
def module_graph() -> dict[str, set[str]]:
    """Module -> the modules of both packages whose code it takes. A name taken from a module counts for that module."""
    paths = {module_of(path): path for path in python_files(*PACKAGES)}
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        named = imports_of(path) & paths.keys()
        folders = {name for name in named if any(other.startswith(f"{name}.") for other in named)}
        graph[module] = named - folders - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of more than one module (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            part = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(part) > 1:
                found.append(sorted(part))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found


def functions(paths: list[Path]) -> Iterator[tuple[int, str]]:
    """(lines, where it stands) of every function."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def n_lines(path: Path) -> int:
    """Lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def report() -> Iterator[str]:
    """A table of folders, then what is longest, then circles."""
    yield f"{'folder':<46}{'files':>6}{'lines':>8}"
    for package in (*PACKAGES, "tests", "benchmarks"):
        paths = python_files(package)
        files = Counter(path.parent for path in paths)
        for folder in sorted(files):
            here = [path for path in paths if path.parent == folder]
            yield f"{folder.relative_to(ROOT).as_posix():<46}{files[folder]:>6}{sum(map(n_lines, here)):>8}"
        yield f"{package + ', all':<46}{len(paths):>6}{sum(map(n_lines, paths)):>8}"
        yield ""
    source, tests = python_files(*PACKAGES), python_files("tests")
    for what, paths in (("source", source), ("tests", tests)):
        lines, longest = max((n_lines(path), path.relative_to(ROOT).as_posix()) for path in paths)
        yield f"longest file of {what}: {longest}, {lines} lines"
        lines, where = max(functions(paths))
        yield f"longest function of {what}: {where}, {lines} lines"
    found = circles(module_graph())
    yield f"circles between files: {len(found)}"
    yield from (f"  {' <-> '.join(part)}" for part in found)


if __name__ == "__main__":
    print("\n".join(report()))
