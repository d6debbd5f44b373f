"""Every dependency has a floor, and tests that ``make floors-test`` runs with it."""

from __future__ import annotations

import re

from tests.floors import OTHER_PYTHONS, PYPROJECT, TESTS, TOOLS, constraints, requirements

ROOT = PYPROJECT.parent
LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)$", re.MULTILINE)


def test_every_dependency_has_tests_that_use_it() -> None:
    assert {*TESTS, *TOOLS, *OTHER_PYTHONS} == set(requirements())
    for module, _, name in (test.partition("::") for test in TESTS.values()):
        assert f"def {name}" in (ROOT / module).read_text(encoding="utf-8")


def test_constraints_are_the_lowest_promised_versions() -> None:
    lines = constraints()
    assert "datasets==3.0" in lines
    assert "audioop-lts==0.2; python_version >= '3.13'" in lines
    assert len(lines) == len(requirements())


def test_tools_are_promised_in_the_versions_in_which_they_are_run() -> None:
    locked = dict(LOCKED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    for name in TOOLS:
        assert locked[name.replace("pre-commit", "pre_commit")].startswith(requirements()[name]["floor"]), name
