"""Every dependency has a floor, and a module that ``make floors-test`` runs with it."""

from __future__ import annotations

import re

from tests.floors import MODULES, OTHER_PYTHONS, PYPROJECT, TOOLS, constraints, requirements

ROOT = PYPROJECT.parent
LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)$", re.MULTILINE)


def test_every_dependency_has_a_module_that_uses_it() -> None:
    assert {*MODULES, *TOOLS, *OTHER_PYTHONS} == set(requirements())
    assert not [module for module in MODULES.values() if not (ROOT / module).is_file()]


def test_constraints_are_the_lowest_promised_versions() -> None:
    lines = constraints()
    assert "datasets==3.0" in lines
    assert "audioop-lts==0.2; python_version >= '3.13'" in lines
    assert len(lines) == len(requirements())


def test_tools_are_promised_in_the_versions_in_which_they_are_run() -> None:
    locked = dict(LOCKED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    for name in TOOLS:
        assert locked[name.replace("pre-commit", "pre_commit")].startswith(requirements()[name]["floor"]), name
