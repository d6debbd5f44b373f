"""The public names: documented, found by type checkers, and imported only when they are used."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import baselines
import clear_gen

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (clear_gen, baselines)
HEAVY = {"numpy", "pyarrow", "scipy", "pydantic", "soundfile", "click", "rich", "yaml", "torch", "matplotlib"}


def python(code: str) -> str:
    """What a new process prints that runs ``code`` from the checkout."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["clear_gen", "baselines"])
def test_importing_a_package_imports_nothing_heavy_and_takes_no_time(name: str) -> None:
    code = f"import sys, time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t, *sys.modules)"
    runs = [python(code).split() for _ in range(3)]
    assert not HEAVY & set(runs[0][1:])
    assert min(float(run[0]) for run in runs) < 0.2  # 3 ms on a quiet machine


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from clear_gen.cli import run; run(['--help']); print('modules', *sys.modules)"
    loaded = set(python(code).rpartition("modules")[2].split())
    assert loaded >= {"click"}
    assert not (HEAVY - {"click"}) & loaded


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_exists_and_is_documented(package: ModuleType) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert package.__all__ == sorted(package.__all__)
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        value = getattr(package, name)
        assert value.__doc__, name
        assert not value.__doc__.startswith(f"{name}("), f"{name}: only the docstring that dataclass makes"
        assert re.search(rf"`[^`]*\b{name}\b", page), f"{name} is not in docs/api.md"
        methods = vars(value).items() if isinstance(value, type) else ()
        for method, function in methods:
            if not method.startswith("_") and (callable(function) or isinstance(function, property | classmethod)):
                assert function.__doc__, f"{name}.{method}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_type_checkers_see_what_is_imported(package: ModuleType) -> None:
    source = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    (checked,) = (node for node in source.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted(seen) == package.__all__
    for name, module in seen.items():
        assert getattr(importlib.import_module(str(module)), name) is getattr(package, name)
    assert Path(str(package.__file__)).with_name("py.typed").exists()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'load_everything'"):
        _ = package.load_everything
